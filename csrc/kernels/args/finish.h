/* finish.h: what kernels take for activations, with what comes before them. */
#ifndef NPC_KERNELS_ARGS_FINISH_H
#define NPC_KERNELS_ARGS_FINISH_H

#include "../../core/common.h"
#include "../../include/npc.h"

/* to[i][j] = activation(from[i][j] + bias[i] + add[i][j]), for `count` elements of each row; each
 * step is rounded. from, to and add may be the same memory, but not overlap otherwise. */
typedef struct npc_finish_args {
    int64_t rows, count;
    const void *from, *add, *bias; /* add and bias may be NULL */
    void *to;
    int64_t from_stride_bytes, add_stride_bytes, to_stride_bytes; /* from row to row */
    npc_activation activation;
    double slope;
} npc_finish_args;
typedef void npc_finish_fn(const npc_finish_args *args);

/* to[i] = the gradient before an activation, of grad[i] after it, where its result was y[i]. `to`
 * may be grad or y, but not overlap them otherwise. */
typedef struct npc_activate_grad_args {
    npc_activation activation;
    double slope;
    int64_t count;
    const void *grad, *y;
    void *to;
} npc_activate_grad_args;
typedef void npc_activate_grad_fn(const npc_activate_grad_args *args);

#endif
