/* elementwise.h: what kernels take for loops over elements. */
#ifndef NPC_KERNELS_ARGS_ELEMENTWISE_H
#define NPC_KERNELS_ARGS_ELEMENTWISE_H

#include "../../core/common.h"

/* Whether rows x cols elements, rows `stride` apart, hold a NaN. */
typedef int npc_has_nan_fn(const void *c, int64_t stride, int64_t rows, int64_t cols);
/* to[i] += from[i] */
typedef void npc_add_fn(void *to, const void *from, int64_t count);
/* *total = the sum of count elements. */
typedef void npc_sum_fn(const void *from, int64_t count, void *total);
/* to[i] = the sum of `count` elements of row i, as `sum` has it. */
typedef struct npc_row_sums_args {
    const void *from;
    int64_t row_stride_bytes, rows, count;
    void *to;
} npc_row_sums_args;
typedef void npc_row_sums_fn(const npc_row_sums_args *args);
/* Whether none of count elements is infinite or NaN. */
typedef int npc_all_finite_fn(const void *from, int64_t count);
/* Orders stores past the caches before what follows. */
typedef void npc_fence_fn(void);

#endif
