/* Convolutions of integers and their gradients, exact modulo 2^32 or 2^64.
 *
 * All three are one sum. With o a pixel of the result and t a tap,
 *
 *     to[g][n][k][o] = sum over c, t of weight[g][k][c][t] * from[g][n][c][i],
 *     i = (o * multiply + t * step - offset) / divide     along each axis,
 *
 * where i is whole and inside; elsewhere a term is zero. The weight's gradient takes the gradient
 * of y for the weight: its pixels for the taps, the images for the channels, the channels of x for
 * the images. Tiles run over the pixels of all images; as sums are exact, they may be cut anywhere.
 */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"
#include "integer_read.h"

enum {
    STEPS = 2048,         /* of depth in a panel: at most 256 KB */
    MAX_FILTERS = 512,    /* of a piece: at most 64 KB of sums */
    MAX_LANES = 64,       /* of a tile, on any ISA */
    PIECE_TERMS = 1 << 21 /* filters times depth of a piece: at most some milliseconds */
};

typedef struct map {
    int64_t multiply, step, offset, divide, source, taps, target;
} map;

/* Where an operand lies; the spatial strides are the array's. */
typedef struct place {
    const npc_array *array;
    int64_t group, outer, inner; /* bytes from group to group, image (filter), channel */
} place;

typedef struct job {
    int64_t groups, batch, channels, filters, taps, depth, pixels;
    map axis[NPC_SPATIAL];
    place from, weight, to;
    const npc_conv_arrays *arrays;
    npc_dtype dtype;
    const npc_kernels *kernels;
    char *filter; /* [groups][filters][channels][taps], int16 or int64 */
    int64_t lanes, tiles, filter_blocks, block_filters, item_bytes, sum_bytes;
} job;

/* Lanes of a tile that lie next to each other in a row of the result. */
typedef struct run {
    int64_t n, at[NPC_SPATIAL];
    int lane, count;
} run;

static place place_of(const npc_array *a, int64_t group, int64_t outer, int64_t inner)
{
    return (place){a, group, outer, inner};
}

/* The three operations as the one sum. */
static void describe(job *j, npc_conv_operation operation, const npc_conv_geometry *g,
                     const npc_conv_arrays *arrays, const npc_array *w)
{
    const npc_array *x = &arrays->x, *y = &arrays->y;
    const int64_t in = npc_group_in(g), out = npc_group_out(g);
    const place images = place_of(x, in * x->stride[1], x->stride[0], x->stride[1]);
    const place results = place_of(y, out * y->stride[1], y->stride[0], y->stride[1]);

    j->groups = g->groups;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        const int64_t s = g->stride[i], d = g->dilation[i], p = g->pad_before[i];
        switch (operation) {
        case NPC_FORWARD:
            j->axis[i] = (map){s, d, p, 1, g->input[i], g->kernel[i], g->output[i]};
            break;
        case NPC_INPUT_GRAD:
            j->axis[i] = (map){1, -d, -p, s, g->output[i], g->kernel[i], g->input[i]};
            break;
        default:
            j->axis[i] = (map){d, s, p, 1, g->input[i], g->output[i], g->kernel[i]};
        }
    }
    switch (operation) {
    case NPC_FORWARD:
        j->batch = g->batch, j->channels = in, j->filters = out;
        j->from = images, j->to = results;
        j->weight = place_of(w, out * w->stride[0], w->stride[0], w->stride[1]);
        break;
    case NPC_INPUT_GRAD:
        j->batch = g->batch, j->channels = out, j->filters = in;
        j->from = results, j->to = images;
        j->weight = place_of(w, out * w->stride[0], w->stride[1], w->stride[0]);
        break;
    default:
        j->batch = in, j->channels = g->batch, j->filters = out;
        j->from = place_of(x, images.group, x->stride[1], x->stride[0]);
        j->weight = place_of(y, results.group, y->stride[1], y->stride[0]);
        j->to = place_of(w, out * w->stride[0], w->stride[1], w->stride[0]);
    }
    j->taps = j->axis[0].taps * j->axis[1].taps * j->axis[2].taps;
    j->depth = j->channels * j->taps;
    j->pixels = j->batch * j->axis[0].target * j->axis[1].target * j->axis[2].target;
}

/* One filter as the kernel reads it. */
static npc_status copy_filter(void *context, int64_t index, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const npc_array *a = j->weight.array;
    const int64_t rows = j->axis[0].taps * j->axis[1].taps, length = j->axis[2].taps;
    char *to = j->filter + index * j->depth * j->item_bytes;
    const char *filter =
        a->data + index / j->filters * j->weight.group + index % j->filters * j->weight.outer;
    for (int64_t c = 0; c < j->channels; c++)
        for (int64_t row = 0; row < rows; row++, to += length * j->item_bytes)
            npc_read_integers(a,
                              filter + c * j->weight.inner + row / j->axis[1].taps * a->stride[2] +
                                  row % j->axis[1].taps * a->stride[3],
                              a->stride[4], length, j->item_bytes, to, j->item_bytes);
    return NPC_OK;
}

static int split_tile(const job *j, int64_t first, int64_t count, run *runs)
{
    const int64_t *size[] = {&j->axis[0].target, &j->axis[1].target, &j->axis[2].target};
    int found = 0;
    for (int64_t lane = 0; lane < count; found++) {
        run *r = &runs[found];
        int64_t rest = first + lane;
        for (int i = NPC_SPATIAL - 1; i >= 0; rest /= *size[i], i--) r->at[i] = rest % *size[i];
        r->n = rest;
        r->lane = (int)lane;
        r->count = (int)npc_min(*size[2] - r->at[2], count - lane);
        lane += r->count;
    }
    return found;
}

/* Position o's source under tap t, or -1. */
static int64_t source_of(const map *m, int64_t o, int64_t t)
{
    const int64_t at = o * m->multiply + t * m->step - m->offset;
    if (at < 0 || at % m->divide || at / m->divide >= m->source) return -1;
    return at / m->divide;
}

/* Of `count` positions from o on, those with a source under tap t: *from the first, *step apart.
 * *source is the first one's, *advance what the next one adds. Returns how many. */
static int64_t sources_of(const map *m, int64_t o, int64_t count, int64_t t, int64_t *from,
                          int64_t *step, int64_t *source, int64_t *advance)
{
    const int64_t at = o * m->multiply + t * m->step - m->offset;
    *step = m->divide;
    *advance = m->multiply; /* of these two one is 1 */
    *from = 0;
    if (m->divide > 1) {
        const int64_t rest = ((at % m->divide) + m->divide) % m->divide;
        *from = rest ? m->divide - rest : 0;
    }
    if (at + *from * m->multiply < 0) {
        const int64_t missing = npc_ceil_div(-(at + *from * m->multiply), *step * m->multiply);
        *from += missing * *step;
    }
    if (*from >= count) return 0;
    *source = (at + *from * m->multiply) / m->divide;
    if (*source >= m->source) return 0;
    return npc_min(npc_ceil_div(m->source - *source, *advance), npc_ceil_div(count - *from, *step));
}

/* Packs depth begin .. end of a tile: int64, or pairs of int16 for two steps of depth. */
static void pack(const job *j, int64_t group, const run *runs, int run_count, int64_t begin,
                 int64_t end, char *panel)
{
    const int paired = j->item_bytes == sizeof(int16_t);
    const int64_t lane_bytes = paired ? 4 : 8, row_bytes = j->lanes * lane_bytes;
    const npc_array *a = j->from.array;

    memset(panel, 0, (size_t)((paired ? (end - begin + 1) / 2 : end - begin) * row_bytes));
    for (int64_t t = 0; t < j->taps; t++) {
        const int64_t first = begin <= t ? 0 : npc_ceil_div(begin - t, j->taps);
        const int64_t last = end <= t ? 0 : npc_ceil_div(end - t, j->taps);
        if (first >= last) continue;
        const int64_t tw = t % j->axis[2].taps, row = t / j->axis[2].taps;
        for (int i = 0; i < run_count; i++) {
            const run *r = &runs[i];
            const int64_t d = source_of(&j->axis[0], r->at[0], row / j->axis[1].taps);
            const int64_t h = source_of(&j->axis[1], r->at[1], row % j->axis[1].taps);
            int64_t from, step, w, advance;
            if (d < 0 || h < 0) continue;
            const int64_t count =
                sources_of(&j->axis[2], r->at[2], r->count, tw, &from, &step, &w, &advance);
            if (count <= 0) continue;
            const char *source = a->data + group * j->from.group + r->n * j->from.outer +
                                 d * a->stride[2] + h * a->stride[3] + w * a->stride[4];
            char *lane = panel + (r->lane + from) * lane_bytes;
            for (int64_t c = first; c < last; c++) {
                const int64_t depth = c * j->taps + t - begin;
                char *to = paired ? lane + depth / 2 * row_bytes + depth % 2 * j->item_bytes
                                  : lane + depth * row_bytes;
                npc_read_integers(a, source + c * j->from.inner, advance * a->stride[4], count,
                                  j->item_bytes, to, step * lane_bytes);
            }
        }
    }
}

/* Adds what follows the sum and writes; unsigned arithmetic wraps, as is wanted. */
#define STORE_RUN(type, word, negative)                                                            \
    {                                                                                              \
        const word *v = (const word *)sum;                                                         \
        const word offset = bias ? ((const word *)bias)[filter] : 0;                               \
        for (int64_t i = 0; i < count; i++) {                                                      \
            word value = v[i] + offset + (has_add ? (word)add[i] : 0);                             \
            if (activation != NPC_NO_ACTIVATION && (negative)) value = 0;                          \
            if (activation == NPC_RELU6 && (type)value > 6) value = 6;                             \
            *(word *)(to + i * stride) = value;                                                    \
        }                                                                                          \
    }

static void store_run(const job *j, int64_t filter, const char *sum, const int64_t *add,
                      int64_t count, char *to)
{
    const void *bias = j->arrays->bias;
    const npc_activation activation = j->arrays->activation;
    const int64_t stride = j->to.array->stride[4];
    const int has_add = add != NULL;
    if (j->dtype == NPC_I32)
        STORE_RUN(int32_t, uint32_t, (int32_t)value < 0)
    else if (j->dtype == NPC_I64)
        STORE_RUN(int64_t, uint64_t, (int64_t)value < 0)
    else
        STORE_RUN(uint64_t, uint64_t, 0)
}

static void store(const job *j, int64_t group, const run *runs, int run_count, int64_t begin,
                  int64_t end, const char *sums)
{
    const npc_array *y = j->to.array, *addend = &j->arrays->add;
    int64_t add[MAX_LANES];
    for (int64_t k = begin; k < end; k++, sums += j->lanes * j->sum_bytes) {
        for (int i = 0; i < run_count; i++) {
            const run *r = &runs[i];
            const int64_t filter = group * j->filters + k;
            if (addend->data)
                npc_read_integers(addend,
                                  addend->data + r->n * addend->stride[0] +
                                      filter * addend->stride[1] + r->at[0] * addend->stride[2] +
                                      r->at[1] * addend->stride[3] + r->at[2] * addend->stride[4],
                                  addend->stride[4], r->count, sizeof *add, (char *)add,
                                  sizeof *add);
            store_run(j, filter, sums + r->lane * j->sum_bytes, addend->data ? add : NULL, r->count,
                      y->data + group * j->to.group + r->n * j->to.outer + k * j->to.inner +
                          r->at[0] * y->stride[2] + r->at[1] * y->stride[3] +
                          r->at[2] * y->stride[4]);
        }
    }
}

static npc_status compute(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t block = piece % j->filter_blocks, tile = piece / j->filter_blocks % j->tiles;
    const int64_t group = piece / j->filter_blocks / j->tiles, first = tile * j->lanes;
    const int64_t begin = block * j->block_filters;
    const int64_t end = npc_min(begin + j->block_filters, j->filters);
    const int64_t steps = STEPS * (j->item_bytes == sizeof(int16_t) ? 2 : 1);
    char *sums = scratch, *panel = sums + j->block_filters * j->lanes * j->sum_bytes;
    run runs[MAX_LANES];
    const int run_count = split_tile(j, first, npc_min(j->lanes, j->pixels - first), runs);

    for (int64_t depth = 0; depth == 0 || depth < j->depth; depth += steps) {
        const int64_t length = npc_min(steps, j->depth - depth);
        if (length > 0) pack(j, group, runs, run_count, depth, depth + length, panel);
        for (int64_t k = begin; k < end; k += NPC_INTEGER_ROWS)
            npc_run_integer_product(
                j->kernels,
                &(npc_integer_product_args){
                    .depth = length,
                    .rows = (int32_t)npc_min(NPC_INTEGER_ROWS, end - k),
                    .accumulate = depth > 0,
                    .a = j->filter + ((group * j->filters + k) * j->depth + depth) * j->item_bytes,
                    .a_stride = j->depth,
                    .b = panel,
                    .c = sums + (k - begin) * j->lanes * j->sum_bytes});
    }
    store(j, group, runs, run_count, begin, end, sums);
    return NPC_OK;
}

npc_status npc_integer_conv(npc_conv_operation operation, const npc_conv_geometry *g,
                            const npc_conv_arrays *arrays, const npc_array *weight, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info)
{
    static const char *const names[] = {"forward", "input_grad", "weight_grad"};
    const int narrow = dtype == NPC_I32;
    job j = {.arrays = arrays, .dtype = dtype};
    if (!npc_conv_is_consistent(g)) return NPC_INVALID_GEOMETRY;
    npc_status status = npc_simple_kernels(options, narrow ? NPC_F32 : NPC_F64, &j.kernels);
    if (status != NPC_OK) return status;
    describe(&j, operation, g, arrays, weight);
    npc_team team = npc_make_team(options, 2.0 * (double)j.groups * (double)j.pixels *
                                               (double)j.filters * (double)npc_max(j.depth, 1));
    npc_conv_problem problem = {.operation = operation, .geometry = g, .team = &team};
    if (j.groups * j.pixels * j.filters > 0) {
        j.lanes = NPC_INTEGER_VECS * j.kernels->lanes;
        assert(j.lanes <= MAX_LANES);
        j.item_bytes = narrow ? sizeof(int16_t) : sizeof(int64_t);
        j.sum_bytes = narrow ? sizeof(int32_t) : sizeof(int64_t);
        j.tiles = npc_ceil_div(j.pixels, j.lanes);
        const int64_t most =
            PIECE_TERMS / npc_max(j.depth, 1) / NPC_INTEGER_ROWS * NPC_INTEGER_ROWS;
        j.block_filters = npc_min(npc_min(npc_max(most, NPC_INTEGER_ROWS), MAX_FILTERS), j.filters);
        j.filter_blocks = npc_ceil_div(j.filters, j.block_filters);
        const int64_t filters = j.groups * j.filters;
        j.filter = npc_shared_workspace(&problem, filters * j.depth * j.item_bytes);
        if (!j.filter) return NPC_NO_MEMORY;
        const int64_t steps =
            npc_min(narrow ? (j.depth + 1) / 2 : j.depth, STEPS) * j.lanes * j.sum_bytes;
        if (j.depth > 0) status = npc_parallel_for(&team, filters, 0, copy_filter, &j);
        if (status == NPC_OK)
            status = npc_parallel_for(&team, j.groups * j.tiles * j.filter_blocks,
                                      (size_t)(j.block_filters * j.lanes * j.sum_bytes + steps),
                                      compute, &j);
        npc_recycle_give(j.filter);
    }
    npc_simple_info(info, names[operation], j.kernels, &team);
    info->algorithm = "integer";
    info->dtype = npc_dtype_name(dtype);
    info->workspace_bytes += problem.shared_bytes;
    return status;
}
