/* Rows times one pixel, the sum of products along the depth: see npc_tail_args. A tile is one
 * accumulator high for each row, so that as many as possible hide the multiply-add's latency. */
#include "../args/product.h"
#include "kernel.h"

NPC_INLINE void NPC_V(tail_rows)(const npc_tail_args *args, const int first, const int rows)
{
    const int64_t depth = args->depth, whole = depth / NPC_LANES * NPC_LANES;
    const int rest = (int)(depth - whole);
    const NPC_T *a[NPC_MAX_ROWS], *b = args->b, *bias = args->bias;
    NPC_VEC acc[NPC_MAX_ROWS];

    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        a[i] = args->a[first + i];
        acc[i] = NPC_V(zero)();
    }
    for (int64_t k = 0; k < whole; k += NPC_LANES) {
        const NPC_VEC right = NPC_V(load)(b + k);
        NPC_UNROLL
        for (int i = 0; i < rows; i++) acc[i] = NPC_V(fma)(NPC_V(load)(a[i] + k), right, acc[i]);
    }
    if (rest) {
        const NPC_VEC right = NPC_V(load_first)(b + whole, rest);
        NPC_UNROLL
        for (int i = 0; i < rows; i++)
            acc[i] = NPC_V(fma)(NPC_V(load_first)(a[i] + whole, rest), right, acc[i]);
    }
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        NPC_T *c = (NPC_T *)args->c + (first + i) * args->c_stride;
        NPC_T total = NPC_V(total)(acc[i]);
        if (args->accumulate) total = *c + total;
        *c = bias ? total + bias[first + i] : total;
    }
}

#define CASE(rows)                                                                                 \
    case rows:                                                                                     \
        if (rows <= NPC_UK1_ROWS_1) NPC_V(tail_rows)(args, first, rows);                           \
        break;

NPC_DECLARE(tail);
void NPC_NAME(tail)(const npc_tail_args *args)
{
    const int tiles = (args->rows + NPC_UK1_ROWS_1 - 1) / NPC_UK1_ROWS_1;
    for (int t = 0; t < tiles; t++) {
        const int first = t * args->rows / tiles;
        switch ((t + 1) * args->rows / tiles - first) {
            CASE(1)
            CASE(2)
            CASE(3)
            CASE(4)
            CASE(5)
            CASE(6)
            CASE(7)
            CASE(8)
            CASE(9)
            CASE(10)
            CASE(11)
            CASE(12)
            CASE(13)
            CASE(14)
        }
    }
}
