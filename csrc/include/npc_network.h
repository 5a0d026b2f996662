/* npc_network.h: the C API of the operations around the convolutions of a network. */
#ifndef NPC_NETWORK_H
#define NPC_NETWORK_H

#include "npc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y (rows, outputs) = activation(x (rows, inputs) * weight (outputs, inputs) transposed + bias).
 * Elements of a row follow each other, rows of x are x_stride_bytes apart; weight, bias (outputs,)
 * or NULL, and y are C-contiguous. All are aligned, native and of `dtype`. A row of y does not
 * depend on the others. */
typedef struct npc_linear_arrays {
    int64_t rows, inputs, outputs;
    const void *x, *weight, *bias;
    void *y;
    int64_t x_stride_bytes;
    npc_activation activation;
    double slope;
} npc_linear_arrays;
npc_status npc_linear(const npc_linear_arrays *arrays, npc_dtype dtype, const npc_options *options,
                      npc_plan_info *info);

/* c (rows, columns) = a (rows, depth) * b (depth, columns); likewise. A row of c does not depend on
 * the others. */
typedef struct npc_product_arrays {
    int64_t rows, depth, columns;
    const void *a, *b;
    void *c;
    int64_t a_stride_bytes, b_stride_bytes;
} npc_product_arrays;
npc_status npc_product(const npc_product_arrays *arrays, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info);

#ifdef __cplusplus
}
#endif
#endif
