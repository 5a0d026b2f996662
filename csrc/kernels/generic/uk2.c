/* UK2: see npc_uk2_args for its contract. The sums are those of UK1, bit by bit: the same chains
 * over the same blocks. Tiles that do not fit into the registers are left empty here and NULL in
 * the table. */
#include "../args/product.h"
#include "block_sums.h"

NPC_INLINE void NPC_V(uk2_body)(const npc_uk2_args *args, const int rows, const int vecs)
{
    const char *b = args->b;
    const int64_t *offset = args->offset_bytes;
    const int stream = args->stream;
    const NPC_T *a[NPC_MAX_ROWS];

    assert(args->blocks >= 1 && args->last_lanes >= 1 && args->last_lanes <= NPC_LANES);
    NPC_UNROLL
    for (int i = 0; i < rows; i++) a[i] = args->a[i];
    for (int64_t tile = 0; tile < args->tiles; tile++) {
        const int64_t first = tile * vecs * NPC_LANES;
        const int last = tile == args->tiles - 1 ? args->last_lanes : NPC_LANES;
        int64_t k = 0;
        if (!stream) { /* there by the end of the products */
            NPC_UNROLL
            for (int i = 0; i < rows; i++) {
                NPC_UNROLL
                for (int j = 0; j < vecs; j++)
                    __builtin_prefetch((const NPC_T *)args->c[i] + first + j * NPC_LANES, 1);
            }
        }
        for (int64_t block = 0; block < args->blocks; block++) {
            const int64_t end = k + args->block_depth + (block < args->long_blocks);
            NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS];
            NPC_UNROLL
            for (int i = 0; i < rows; i++) {
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(zero)();
            }
            for (; k < end; k++) {
                const NPC_T *from = (const NPC_T *)(b + offset[k]);
                NPC_VEC pixels[NPC_MAX_VECS];
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) pixels[j] = NPC_V(load)(from + j * NPC_LANES);
                NPC_UNROLL
                for (int i = 0; i < rows; i++) {
                    const NPC_VEC w = NPC_V(broadcast)(a[i] + k);
                    NPC_UNROLL
                    for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(fma)(w, pixels[j], acc[i][j]);
                }
            }
            const int is_last = block == args->blocks - 1;
            NPC_V(join_blocks)(acc, args->partial, block == 0, is_last, rows, vecs);
            if (!is_last) continue;
            if (args->bias) {
                NPC_UNROLL
                for (int i = 0; i < rows; i++) {
                    const NPC_VEC v = NPC_V(broadcast)((const NPC_T *)args->bias + i);
                    NPC_UNROLL
                    for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(add)(acc[i][j], v);
                }
            }
            NPC_UNROLL
            for (int i = 0; i < rows; i++)
                NPC_V(put_row)((NPC_T *)args->c[i] + first, acc[i], last, stream, vecs);
        }
        b += args->b_tile_bytes;
    }
}

#define NPC_TILE(rows, vecs)                                                                       \
    npc_uk2_fn NPC_NAME(uk2_##rows##x##vecs);                                                      \
    void NPC_NAME(uk2_##rows##x##vecs)(const npc_uk2_args *args)                                   \
    {                                                                                              \
        if (rows <= NPC_UK1_ROWS_##vecs) NPC_V(uk2_body)(args, rows, vecs);                        \
    }
#include "../tiles.def"
#undef NPC_TILE
