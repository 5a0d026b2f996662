/* Dot products of rows of a with rows of b, both contiguous: see npc_dot_args. Lanes are summed
 * once, at the end. */
#include "../args/product.h"
#include "kernel.h"

NPC_INLINE void NPC_V(dot_body)(const npc_dot_args *args, const int rows, const int cols)
{
    const int64_t depth = args->depth, whole = depth / NPC_LANES * NPC_LANES;
    const int rest = (int)(depth - whole);
    const NPC_T *a[NPC_MAX_DOT_ROWS], *b[NPC_MAX_DOT_COLS];
    NPC_VEC acc[NPC_MAX_DOT_ROWS][NPC_MAX_DOT_COLS];

    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        a[i] = args->a[i];
        NPC_UNROLL
        for (int j = 0; j < cols; j++) acc[i][j] = NPC_V(zero)();
    }
    NPC_UNROLL
    for (int j = 0; j < cols; j++) b[j] = (const NPC_T *)args->b + j * args->b_stride;

    for (int64_t p = 0; p < whole; p += NPC_LANES) {
        NPC_VEC left[NPC_MAX_DOT_ROWS];
        NPC_UNROLL
        for (int i = 0; i < rows; i++) left[i] = NPC_V(load)(a[i] + p);
        NPC_UNROLL
        for (int j = 0; j < cols; j++) {
            const NPC_VEC right = NPC_V(load)(b[j] + p);
            NPC_UNROLL
            for (int i = 0; i < rows; i++) acc[i][j] = NPC_V(fma)(left[i], right, acc[i][j]);
        }
    }
    if (rest) {
        NPC_UNROLL
        for (int j = 0; j < cols; j++) {
            const NPC_VEC right = NPC_V(load_first)(b[j] + whole, rest);
            NPC_UNROLL
            for (int i = 0; i < rows; i++)
                acc[i][j] = NPC_V(fma)(NPC_V(load_first)(a[i] + whole, rest), right, acc[i][j]);
        }
    }
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        NPC_T *c = (NPC_T *)args->c + i * args->c_stride;
        NPC_UNROLL
        for (int j = 0; j < cols; j++) {
            const NPC_T total = NPC_V(total)(acc[i][j]);
            c[j] = args->accumulate ? c[j] + total : total;
        }
    }
}

#define NPC_DOT(rows, cols)                                                                        \
    npc_dot_fn NPC_NAME(dot_##rows##x##cols);                                                      \
    void NPC_NAME(dot_##rows##x##cols)(const npc_dot_args *args)                                   \
    {                                                                                              \
        if (rows <= NPC_DOT_ROWS && cols <= NPC_DOT_COLS) NPC_V(dot_body)(args, rows, cols);       \
    }
#include "../tiles.def"
#undef NPC_DOT
