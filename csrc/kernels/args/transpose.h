/* transpose.h: what kernels take for transposition. */
#ifndef NPC_KERNELS_ARGS_TRANSPOSE_H
#define NPC_KERNELS_ARGS_TRANSPOSE_H

#include "../../core/common.h"

/* to[j * to_stride + i] = from[i * from_stride + j] for i < rows, j < cols. With `fill`, rows of
 * the result are filled up with zeros to whole vectors. */
typedef struct npc_transpose_args {
    const void *from;
    int64_t from_stride, rows, cols;
    void *to;
    int64_t to_stride;
    int32_t fill;
} npc_transpose_args;
typedef void npc_transpose_fn(const npc_transpose_args *args);

#endif
