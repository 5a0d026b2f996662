/* UK4: see npc_uk4_args for its contract. The sums are those of UK1, bit by bit: the same chains
 * over the same blocks. Tiles that do not fit into the registers are left empty here and NULL in
 * the table. */
#include "../args/product.h"
#include "block_sums.h"

NPC_INLINE void NPC_V(uk4_body)(const npc_uk4_args *args, const int rows, const int vecs)
{
    const char *a = args->a;
    char *c = args->c;
    const int64_t *offset = args->offset_bytes;
    const int64_t a_step = args->a_step_bytes, c_step = args->c_step_bytes;
    const int stream = args->stream, last = args->last_lanes;

    assert(args->blocks >= 1 && last >= 1 && last <= NPC_LANES);
    for (int64_t tile = 0; tile < args->tiles; tile++, a += rows * a_step, c += rows * c_step) {
        const NPC_T *b = args->b;
        int64_t k = 0;
        if (!stream) { /* there by the end of the products */
            NPC_UNROLL
            for (int i = 0; i < rows; i++) {
                NPC_UNROLL
                for (int j = 0; j < vecs; j++)
                    __builtin_prefetch((NPC_T *)(c + i * c_step) + j * NPC_LANES, 1);
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
            for (; k < end; k++, b += vecs * NPC_LANES) {
                const char *from = a + offset[k];
                NPC_VEC panel[NPC_MAX_VECS];
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) panel[j] = NPC_V(load)(b + j * NPC_LANES);
                NPC_UNROLL
                for (int i = 0; i < rows; i++) {
                    const NPC_VEC x = NPC_V(broadcast)((const NPC_T *)(from + i * a_step));
                    NPC_UNROLL
                    for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(fma)(x, panel[j], acc[i][j]);
                }
            }
            const int is_last = block == args->blocks - 1;
            NPC_V(join_blocks)(acc, args->partial, block == 0, is_last, rows, vecs);
            if (!is_last) continue;
            if (args->lane_bias) {
                const NPC_T *bias = args->lane_bias;
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) {
                    const NPC_VEC v = NPC_V(load)(bias + j * NPC_LANES);
                    NPC_UNROLL
                    for (int i = 0; i < rows; i++) acc[i][j] = NPC_V(add)(acc[i][j], v);
                }
            }
            NPC_UNROLL
            for (int i = 0; i < rows; i++)
                NPC_V(put_row)((NPC_T *)(c + i * c_step), acc[i], last, stream, vecs);
        }
    }
}

#define NPC_TILE(rows, vecs)                                                                       \
    npc_uk4_fn NPC_NAME(uk4_##rows##x##vecs);                                                      \
    void NPC_NAME(uk4_##rows##x##vecs)(const npc_uk4_args *args)                                   \
    {                                                                                              \
        if (rows <= NPC_UK1_ROWS_##vecs) NPC_V(uk4_body)(args, rows, vecs);                        \
    }
#include "../tiles.def"
#undef NPC_TILE
