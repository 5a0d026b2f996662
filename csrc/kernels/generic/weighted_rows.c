/* A sum of weighted rows of a matrix: see npc_weighted_rows_args. */
#include "../args/product.h"
#include "kernel.h"

enum { TOGETHER = 4 };

NPC_INLINE void NPC_V(weighted_vectors)(const npc_weighted_rows_args *args, const int64_t j,
                                        const int vecs, const int last)
{
    const NPC_T *a = args->a, *b = (const NPC_T *)args->b + j;
    NPC_T *to = (NPC_T *)args->to + j;
    NPC_VEC acc[TOGETHER];
    NPC_UNROLL
    for (int v = 0; v < vecs; v++) {
        const NPC_T *at = to + v * NPC_LANES;
        acc[v] = !args->goes_on      ? NPC_V(zero)()
                 : last == NPC_LANES ? NPC_V(load)(at)
                                     : NPC_V(load_first)(at, last);
    }
    for (int64_t k = 0; k < args->depth; k++) {
        const NPC_VEC weight = NPC_V(broadcast)(a + k);
        NPC_UNROLL
        for (int v = 0; v < vecs; v++) {
            const NPC_T *at = b + v * NPC_LANES;
            const NPC_VEC row = last == NPC_LANES ? NPC_V(load)(at) : NPC_V(load_first)(at, last);
            acc[v] = NPC_V(fma)(weight, row, acc[v]);
        }
        b += args->b_stride;
    }
    NPC_UNROLL
    for (int v = 0; v < vecs; v++) {
        if (last == NPC_LANES)
            NPC_V(store)(to + v * NPC_LANES, acc[v]);
        else
            NPC_V(store_first)(to, acc[v], last);
    }
}

NPC_DECLARE(weighted_rows);
void NPC_NAME(weighted_rows)(const npc_weighted_rows_args *args)
{
    int64_t j = 0;
    for (; j + TOGETHER * NPC_LANES <= args->count; j += TOGETHER * NPC_LANES)
        NPC_V(weighted_vectors)(args, j, TOGETHER, NPC_LANES);
    for (; j + NPC_LANES <= args->count; j += NPC_LANES)
        NPC_V(weighted_vectors)(args, j, 1, NPC_LANES);
    if (j < args->count) NPC_V(weighted_vectors)(args, j, 1, (int)(args->count - j));
}
