/* The end of a block where the sums of a tile wait in scratch until the last one, so that results
 * are written once and not read: see npc_uk2_args. */
#ifndef NPC_KERNELS_GENERIC_BLOCK_SUMS_H
#define NPC_KERNELS_GENERIC_BLOCK_SUMS_H

#include "kernel.h"

/* Adds the sums of the blocks before; those of all but the last block wait. */
NPC_INLINE void NPC_V(join_blocks)(NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS], NPC_T *partial,
                                   const int is_first, const int is_last, const int rows,
                                   const int vecs)
{
    if (!is_first) {
        NPC_UNROLL
        for (int i = 0; i < rows; i++) {
            NPC_UNROLL
            for (int j = 0; j < vecs; j++)
                acc[i][j] =
                    NPC_V(add)(NPC_V(load)(partial + (i * vecs + j) * NPC_LANES), acc[i][j]);
        }
    }
    if (!is_last) {
        NPC_UNROLL
        for (int i = 0; i < rows; i++) {
            NPC_UNROLL
            for (int j = 0; j < vecs; j++)
                NPC_V(store)(partial + (i * vecs + j) * NPC_LANES, acc[i][j]);
        }
    }
}

/* A row of results, of whose last vector `last` lanes are stored. */
NPC_INLINE void NPC_V(put_row)(NPC_T *to, const NPC_VEC *sum, const int last, const int stream,
                               const int vecs)
{
    NPC_UNROLL
    for (int j = 0; j < vecs; j++) {
        if (j == vecs - 1 && last < NPC_LANES)
            NPC_V(store_first)(to + j * NPC_LANES, sum[j], last);
        else if (stream)
            NPC_V(stream)(to + j * NPC_LANES, sum[j]);
        else
            NPC_V(store)(to + j * NPC_LANES, sum[j]);
    }
}

#endif
