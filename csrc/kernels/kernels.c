/* The kernel tables of all instruction sets, and the record of which slots have run. */
#include "kernels.h"

#include <stdio.h>
#include <string.h>

#include "../core/dtype.h"

#define NPC_ISA_ENTRY(name, compiled)                                                              \
    extern const npc_kernels npc_f32_kernels__##name, npc_f64_kernels__##name;
#include "../core/isa.def"
#undef NPC_ISA_ENTRY

#define TABLE_IF_0(name) NULL
#define TABLE_IF_1(name) (dtype == NPC_F32 ? &npc_f32_kernels__##name : &npc_f64_kernels__##name)
#define TABLE_IF2(compiled, name) TABLE_IF_##compiled(name)
#define TABLE_IF(compiled, name) TABLE_IF2(compiled, name)

const npc_kernels *npc_kernels_of(int isa, npc_dtype dtype)
{
    switch (isa) {
#define NPC_ISA_ENTRY(name, compiled)                                                              \
    case NPC_ISA_##name:                                                                           \
        return TABLE_IF(compiled, name);
#include "../core/isa.def"
#undef NPC_ISA_ENTRY
    default:
        return NULL;
    }
}

/* A slot of kernels.def, and for UK1 and dot its variants, which are branches of their own. */
enum variant { FIRST, ACCUMULATE, TAIL, PACK, VARIANTS };
enum slot {
#define NPC_TILE(rows, vecs)                                                                       \
    SLOT_uk1_##rows##x##vecs, SLOT_uk2_##rows##x##vecs, SLOT_uk3_##rows##x##vecs,                  \
        SLOT_uk4_##rows##x##vecs,
#define NPC_DOT(rows, cols) SLOT_dot_##rows##x##cols,
#define NPC_KERNEL(name) SLOT_##name,
#include "tiles.def"
#include "kernels.def"
#undef NPC_TILE
#undef NPC_DOT
#undef NPC_KERNEL
    SLOTS
};

static const struct slot_info {
    const char *name;
    int variants, rows, vecs, cols;
} slots[SLOTS] = {
#define NPC_TILE(rows, vecs)                                                                       \
    {"uk1_" #rows "x" #vecs, VARIANTS, rows, vecs, 0},                                             \
        {"uk2_" #rows "x" #vecs, TAIL + 1, rows, vecs, 0},                                         \
        {"uk3_" #rows "x" #vecs, ACCUMULATE + 1, rows, vecs, 0},                                   \
        {"uk4_" #rows "x" #vecs, TAIL + 1, rows, vecs, 0},
#define NPC_DOT(rows, cols) {"dot_" #rows "x" #cols, TAIL + 1, rows, 0, cols},
#define NPC_KERNEL(name) {#name, 1, 0, 0, 0},
#include "tiles.def"
#include "kernels.def"
#undef NPC_TILE
#undef NPC_DOT
#undef NPC_KERNEL
};

static const short uk1_slot[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1] = {
#define NPC_TILE(rows, vecs) [vecs][rows] = SLOT_uk1_##rows##x##vecs,
#include "tiles.def"
#undef NPC_TILE
};
static const short uk2_slot[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1] = {
#define NPC_TILE(rows, vecs) [vecs][rows] = SLOT_uk2_##rows##x##vecs,
#include "tiles.def"
#undef NPC_TILE
};
static const short uk3_slot[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1] = {
#define NPC_TILE(rows, vecs) [vecs][rows] = SLOT_uk3_##rows##x##vecs,
#include "tiles.def"
#undef NPC_TILE
};
static const short uk4_slot[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1] = {
#define NPC_TILE(rows, vecs) [vecs][rows] = SLOT_uk4_##rows##x##vecs,
#include "tiles.def"
#undef NPC_TILE
};
static const short dot_slot[NPC_MAX_DOT_ROWS + 1][NPC_MAX_DOT_COLS + 1] = {
#define NPC_DOT(rows, cols) [rows][cols] = SLOT_dot_##rows##x##cols,
#include "tiles.def"
#undef NPC_DOT
};

enum { DTYPES = 2 }; /* NPC_F32 and NPC_F64 */
static unsigned char reached[NPC_ISA_COUNT][DTYPES][SLOTS][VARIANTS];

/* Reads before it writes: a flag that is set already costs no traffic between cores. */
NPC_INLINE void mark(const npc_kernels *k, int slot, int variant)
{
    unsigned char *flag = &reached[k->isa][k->dtype][slot][variant];
    if (!__atomic_load_n(flag, __ATOMIC_RELAXED)) __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
}

int npc_coverage_count(void) { return NPC_ISA_COUNT * DTYPES * SLOTS * VARIANTS; }

void npc_coverage_slot(int index, char *name, size_t name_size, int *usable, int *was_reached)
{
    static const char *const suffix[] = {"", ":accumulate", ":tail", ":pack"};
    const int variant = index % VARIANTS, slot = index / VARIANTS % SLOTS;
    const int dtype = index / VARIANTS / SLOTS % DTYPES, isa = index / VARIANTS / SLOTS / DTYPES;
    const struct slot_info *info = &slots[slot];
    const npc_kernels *k = npc_isa_supported(isa) ? npc_kernels_of(isa, (npc_dtype)dtype) : NULL;

    snprintf(name, name_size, "%s/%s/%s%s", npc_isa_name(isa), npc_dtype_name((npc_dtype)dtype),
             info->name, suffix[variant]);
    *usable = k && variant < info->variants;
    if (k && info->vecs) *usable &= k->uk1[info->vecs][info->rows] != NULL;
    if (k && info->cols) *usable &= k->dot[info->rows][info->cols] != NULL;
    *was_reached = __atomic_load_n(&reached[isa][dtype][slot][variant], __ATOMIC_RELAXED);
}

void npc_coverage_reset(void)
{
    unsigned char *flags = &reached[0][0][0][0];
    for (size_t i = 0; i < sizeof reached; i++) __atomic_store_n(flags + i, 0, __ATOMIC_RELAXED);
}

void npc_run_uk1(const npc_kernels *k, int rows, int vecs, const npc_uk1_args *args)
{
    assert(k->uk1[vecs][rows]);
    mark(k, uk1_slot[vecs][rows], FIRST);
    if (args->accumulate || args->blocks > 1) mark(k, uk1_slot[vecs][rows], ACCUMULATE);
    if (args->last_lanes != k->lanes) mark(k, uk1_slot[vecs][rows], TAIL);
    if (args->source) {
        mark(k, uk1_slot[vecs][rows], PACK);
        k->uk1_pack[vecs][rows](args);
    } else {
        k->uk1[vecs][rows](args);
    }
}

void npc_run_dot(const npc_kernels *k, int rows, int cols, const npc_dot_args *args)
{
    assert(k->dot[rows][cols]);
    mark(k, dot_slot[rows][cols], args->accumulate ? ACCUMULATE : FIRST);
    if (args->depth % k->lanes) mark(k, dot_slot[rows][cols], TAIL);
    k->dot[rows][cols](args);
}

#define NPC_KERNEL(name) /* has its own below */
#define NPC_VOID_KERNEL(name)                                                                      \
    void npc_run_##name(const npc_kernels *k, const npc_##name##_args *args)                       \
    {                                                                                              \
        mark(k, SLOT_##name, 0);                                                                   \
        k->name(args);                                                                             \
    }
#define NPC_INT_KERNEL(name)                                                                       \
    int npc_run_##name(const npc_kernels *k, const npc_##name##_args *args)                        \
    {                                                                                              \
        mark(k, SLOT_##name, 0);                                                                   \
        return k->name(args);                                                                      \
    }
#include "kernels.def"
#undef NPC_KERNEL

void npc_run_moments(const npc_kernels *k, npc_moments_args *args)
{
    mark(k, SLOT_moments, 0);
    k->moments(args);
}

int npc_run_has_nan(const npc_kernels *k, const void *c, int64_t stride, int64_t rows, int64_t cols)
{
    mark(k, SLOT_has_nan, 0);
    return k->has_nan(c, stride, rows, cols);
}

void npc_run_add(const npc_kernels *k, void *to, const void *from, int64_t count)
{
    mark(k, SLOT_add, 0);
    k->add(to, from, count);
}

void npc_run_sum(const npc_kernels *k, const void *from, int64_t count, void *total)
{
    mark(k, SLOT_sum, 0);
    k->sum(from, count, total);
}

void npc_run_depthwise(const npc_kernels *k, int size, const npc_depthwise_args *args)
{
    mark(k, size == 3 ? SLOT_depthwise_3x3 : SLOT_depthwise_5x5, 0);
    (size == 3 ? k->depthwise_3x3 : k->depthwise_5x5)(args);
}

void npc_run_small(const npc_kernels *k, const npc_small_args *args)
{
    assert(args->taps[1] <= NPC_MAX_SMALL_TAPS && (args->step[1] == 1 || args->step[1] == 2));
    mark(k, SLOT_small, 0);
    k->small(args);
}

int64_t npc_run_unpool_pixels(const npc_kernels *k, const npc_unpool_pixels_args *args)
{
    mark(k, SLOT_unpool_pixels, 0);
    return k->unpool_pixels(args);
}

int64_t npc_run_unpool_taps(const npc_kernels *k, const npc_unpool_taps_args *args)
{
    mark(k, SLOT_unpool_taps, 0);
    return k->unpool_taps(args);
}

int npc_run_in_range(const npc_kernels *k, const int64_t *from, int64_t count, int64_t limit)
{
    mark(k, SLOT_in_range, 0);
    return k->in_range(from, count, limit);
}

void npc_run_uk2(const npc_kernels *k, int rows, int vecs, const npc_uk2_args *args)
{
    assert(k->uk2[vecs][rows]);
    mark(k, uk2_slot[vecs][rows], args->blocks > 1 ? ACCUMULATE : FIRST);
    if (args->last_lanes != k->lanes) mark(k, uk2_slot[vecs][rows], TAIL);
    k->uk2[vecs][rows](args);
}

void npc_run_uk3(const npc_kernels *k, int rows, int vecs, const npc_uk3_args *args)
{
    assert(k->uk3[vecs][rows]);
    mark(k, uk3_slot[vecs][rows], args->accumulate ? ACCUMULATE : FIRST);
    k->uk3[vecs][rows](args);
}

void npc_run_uk4(const npc_kernels *k, int rows, int vecs, const npc_uk4_args *args)
{
    assert(k->uk4[vecs][rows]);
    mark(k, uk4_slot[vecs][rows], args->blocks > 1 ? ACCUMULATE : FIRST);
    if (args->last_lanes != k->lanes) mark(k, uk4_slot[vecs][rows], TAIL);
    k->uk4[vecs][rows](args);
}

int npc_run_all_finite(const npc_kernels *k, const void *from, int64_t count)
{
    mark(k, SLOT_all_finite, 0);
    return k->all_finite(from, count);
}

void npc_run_fence(const npc_kernels *k)
{
    mark(k, SLOT_fence, 0);
    k->fence();
}

void npc_run_collect(const npc_kernels *k, const void *from, const int64_t *offset_bytes,
                     int64_t rows, int64_t vecs, void *panel)
{
    mark(k, SLOT_collect, 0);
    k->collect(from, offset_bytes, rows, vecs, panel);
}

double npc_bench_uk1(int isa, npc_dtype dtype, int rows, int vecs, int64_t depth, int64_t repeats)
{
    enum { MAX_DEPTH = 512 };
    static _Alignas(64) char a[NPC_MAX_ROWS * MAX_DEPTH * sizeof(double)];
    static _Alignas(64) char b[NPC_MAX_TILE * MAX_DEPTH * sizeof(float)];
    static _Alignas(64) char c[NPC_MAX_ROWS * NPC_MAX_TILE * sizeof(float)];
    const npc_kernels *k = npc_isa_supported(isa) ? npc_kernels_of(isa, dtype) : NULL;
    if (!k || rows < 1 || rows > NPC_MAX_ROWS || vecs < 1 || vecs > NPC_MAX_VECS ||
        !k->uk1[vecs][rows] || depth < 0 || depth > MAX_DEPTH)
        return 0.0;
    const int64_t size = (int64_t)npc_dtype_size(dtype), lanes = (int64_t)k->lanes * vecs;
    npc_uk1_args args = {.blocks = 1,
                         .block_depth = depth,
                         .ahead_pace = 1,
                         .b = b,
                         .b_stride = lanes,
                         .last_lanes = k->lanes};
    for (int i = 0; i < rows; i++) {
        args.a[i] = a + i * depth * size;
        args.c[i] = c + i * lanes * size;
    }
    for (int64_t r = 0; r < repeats; r++) k->uk1[vecs][rows](&args);
    return 2.0 * (double)(rows * lanes * depth) * (double)repeats;
}
