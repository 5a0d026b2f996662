/* UK3, the micro-kernel of the weight gradients: see npc_uk3_args for its contract. A tile holds
 * rows x vecs accumulators in registers, as in UK1, but its depth is pixels that come in stretches:
 * what lies in the padding is in none of them. Tiles that do not fit into the registers are left
 * empty here and NULL in the table. */
#include "../args/product.h"
#include "kernel.h"

NPC_INLINE void NPC_V(uk3_flush)(NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS], NPC_T *c,
                                 const int64_t c_stride, const int accumulate, const int rows,
                                 const int vecs)
{
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) {
            NPC_T *at = c + i * c_stride + j * NPC_LANES;
            if (accumulate) acc[i][j] = NPC_V(add)(NPC_V(load)(at), acc[i][j]);
            NPC_V(store)(at, acc[i][j]);
            acc[i][j] = NPC_V(zero)();
        }
    }
}

NPC_INLINE void NPC_V(uk3_body)(const npc_uk3_args *args, const int rows, const int vecs)
{
    const int64_t a_step = args->a_step_bytes, b_step = args->b_step_bytes;
    const npc_uk3_run *run = args->run, *const end = run + args->runs;
    NPC_T *const c = args->c;
    int accumulate = args->accumulate;
    const char *a[NPC_MAX_ROWS];
    /* Each pixel fetches what one row, or a few in turn, will read some lines later: of so many
     * streams the hardware loses track. */
    enum { LINE = NPC_CACHE_LINE / sizeof(NPC_T), AHEAD = 2 };
    const int fetches = npc_ceil_div(rows, LINE);
    const char *ahead[LINE * (NPC_MAX_ROWS / LINE + 1)];
    unsigned turn = 0;
    NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS];

    assert(args->runs >= 1 && end[-1].last);
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        a[i] = args->a[i];
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) {
            acc[i][j] = NPC_V(zero)();
            __builtin_prefetch(c + i * args->c_stride + j * NPC_LANES, 1);
        }
    }
    NPC_UNROLL
    for (int i = 0; i < LINE * fetches; i++) ahead[i] = a[i % rows] + AHEAD * LINE * a_step;
    for (; run < end; run++) {
        const char *b = (const char *)args->b + run->pixel * args->pixel_bytes;
        const int64_t stop = run->offset_bytes + run->count * a_step;
        for (int64_t at = run->offset_bytes; at != stop; at += a_step, b += b_step) {
            NPC_VEC pixel[NPC_MAX_VECS];
            NPC_UNROLL
            for (int i = 0; i < fetches; i++)
                __builtin_prefetch(ahead[turn++ % (LINE * fetches)] + at);
            NPC_UNROLL
            for (int j = 0; j < vecs; j++) pixel[j] = NPC_V(load)((const NPC_T *)b + j * NPC_LANES);
            NPC_UNROLL
            for (int i = 0; i < rows; i++) {
                const NPC_VEC v = NPC_V(broadcast)((const NPC_T *)(a[i] + at));
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(fma)(v, pixel[j], acc[i][j]);
            }
        }
        if (run->last) {
            NPC_V(uk3_flush)(acc, c, args->c_stride, accumulate, rows, vecs);
            accumulate = 1;
        }
    }
}

#define NPC_TILE(rows, vecs)                                                                       \
    npc_uk3_fn NPC_NAME(uk3_##rows##x##vecs);                                                      \
    void NPC_NAME(uk3_##rows##x##vecs)(const npc_uk3_args *args)                                   \
    {                                                                                              \
        if (rows <= NPC_UK1_ROWS_##vecs) NPC_V(uk3_body)(args, rows, vecs);                        \
    }
#include "../tiles.def"
#undef NPC_TILE
