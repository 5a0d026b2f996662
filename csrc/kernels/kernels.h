/* kernels.h: the kernel table, the only door between algorithms and instruction sets.
 *
 * Kernels know pointers, strides and counts. They allocate nothing, report nothing, and read or
 * write nothing beyond what their arguments name. All strides and offsets are in elements unless a
 * name ends in _bytes. Names: npc_<dtype>_<kernel>_<tile>__<isa>.
 */
#ifndef NPC_KERNELS_KERNELS_H
#define NPC_KERNELS_KERNELS_H

#include "../core/common.h"
#include "../core/cpu.h"
#include "../include/npc.h"
#include "args/depthwise.h"
#include "args/elementwise.h"
#include "args/finish.h"
#include "args/integer_product.h"
#include "args/max_pool.h"
#include "args/normalise.h"
#include "args/product.h"
#include "args/pick.h"
#include "args/rows.h"
#include "args/small.h"
#include "args/spread.h"
#include "args/transpose.h"
#include "args/update.h"
#include "args/window_sum.h"
#include "args/winograd.h"

typedef struct npc_kernels {
    int isa;
    npc_dtype dtype;
    int lanes;                      /* elements of a vector */
    int max_rows[NPC_MAX_VECS + 1]; /* of a UK1 tile of so many vectors; 0: none */
    int max_dot_rows, max_dot_cols;
    npc_uk1_fn *uk1[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk1_fn *uk1_pack[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk2_fn *uk2[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk3_fn *uk3[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk4_fn *uk4[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_dot_fn *dot[NPC_MAX_DOT_ROWS + 1][NPC_MAX_DOT_COLS + 1];
#define NPC_KERNEL(name) npc_##name##_fn *name;
#include "kernels.def"
#undef NPC_KERNEL
} npc_kernels;

/* The tables of an ISA that is compiled in, or NULL; dtype is F32 or F64. */
const npc_kernels *npc_kernels_of(int isa, npc_dtype dtype);

/* Calls of kernels go through these, which mark the slot as reached (see npc_coverage_slot). */
void npc_run_uk1(const npc_kernels *kernels, int rows, int vecs, const npc_uk1_args *args);
#define NPC_KERNEL(name)
#define NPC_VOID_KERNEL(name)                                                                      \
    void npc_run_##name(const npc_kernels *kernels, const npc_##name##_args *args);
#define NPC_INT_KERNEL(name)                                                                       \
    int npc_run_##name(const npc_kernels *kernels, const npc_##name##_args *args);
#include "kernels.def"
#undef NPC_KERNEL
void npc_run_moments(const npc_kernels *kernels, npc_moments_args *args);
void npc_run_dot(const npc_kernels *kernels, int rows, int cols, const npc_dot_args *args);
int npc_run_has_nan(const npc_kernels *kernels, const void *c, int64_t stride, int64_t rows,
                    int64_t cols);
void npc_run_add(const npc_kernels *kernels, void *to, const void *from, int64_t count);
void npc_run_sum(const npc_kernels *kernels, const void *from, int64_t count, void *total);
void npc_run_depthwise(const npc_kernels *kernels, int size, const npc_depthwise_args *args);
void npc_run_small(const npc_kernels *kernels, const npc_small_args *args);
int64_t npc_run_unpool_pixels(const npc_kernels *kernels, const npc_unpool_pixels_args *args);
int64_t npc_run_unpool_taps(const npc_kernels *kernels, const npc_unpool_taps_args *args);
int npc_run_in_range(const npc_kernels *kernels, const int64_t *from, int64_t count, int64_t limit);
void npc_run_uk2(const npc_kernels *kernels, int rows, int vecs, const npc_uk2_args *args);
void npc_run_uk3(const npc_kernels *kernels, int rows, int vecs, const npc_uk3_args *args);
void npc_run_uk4(const npc_kernels *kernels, int rows, int vecs, const npc_uk4_args *args);
int npc_run_all_finite(const npc_kernels *kernels, const void *from, int64_t count);
void npc_run_fence(const npc_kernels *kernels);
void npc_run_collect(const npc_kernels *kernels, const void *from, const int64_t *offset_bytes,
                     int64_t rows, int64_t vecs, void *panel);

#endif
