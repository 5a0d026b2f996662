/* Depthwise convolution of staged rows: see npc_depthwise_rows_args. A vector of a staged row is
 * loaded once for all the rows of the result that it takes part in, for loads that cross cache
 * lines are what limits such sums; the weights of a column of taps lie side by side in the order of
 * these rows. How many rows a staged row serves grows at the first ones and shrinks at the last
 * ones: each number has a loop of its own, and nothing is multiplied in vain. */
#include "../args/depthwise.h"
#include "kernel.h"

enum {
    GROUP = NPC_DEPTHWISE_GROUP,
#if defined(__AVX512F__) || defined(__aarch64__)
    REGISTERS = 32,
#else
    REGISTERS = 16,
#endif
    MOST_VECS = 4
};

/* Vectors side by side of a tile: those of the result, one for each of the source, a weight. */
#define VECS_OF(rows)                                                                              \
    ((REGISTERS - 1) / ((rows) + 1) > MOST_VECS ? MOST_VECS : (REGISTERS - 1) / ((rows) + 1))

/* Adds a staged row's products to rows [low, high] of the tile; `weight` is that of row 0. */
NPC_INLINE void NPC_V(tile_add)(const npc_depthwise_rows_args *args, const NPC_T *from,
                                const NPC_T *weight, int64_t pitch, NPC_VEC acc[GROUP][MOST_VECS],
                                const int low, const int high, const int vecs)
{
    for (int64_t s = 0; s < args->taps; s++, weight += pitch) {
        const NPC_T *column = from + args->offset[s];
        NPC_VEC x[MOST_VECS];
        NPC_UNROLL
        for (int v = 0; v < vecs; v++) {
            x[v] = NPC_V(load)(column + v * NPC_LANES);
            NPC_IN_REGISTER(x[v]);
        }
        NPC_UNROLL
        for (int t = low; t <= high; t++) {
            const NPC_VEC w = NPC_V(broadcast)(weight + t);
            NPC_UNROLL
            for (int v = 0; v < vecs; v++) acc[t][v] = NPC_V(fma)(w, x[v], acc[t][v]);
        }
    }
}

NPC_INLINE void NPC_V(tile_body)(const npc_depthwise_rows_args *args, int64_t column,
                                 const int rows, const int vecs)
{
    NPC_VEC acc[GROUP][MOST_VECS], total[GROUP][MOST_VECS];
    int64_t left = args->chain;
    int chains = 0;
    NPC_UNROLL
    for (int t = 0; t < rows; t++) {
        NPC_UNROLL
        for (int v = 0; v < vecs; v++) acc[t][v] = NPC_V(zero)();
    }
    for (int64_t p = 0; p < args->phases; p++) {
        const npc_depthwise_phase *phase = &args->phase[p];
        const int64_t pitch = phase->tap_rows;
        for (int64_t q = 0; q < rows + pitch - 1; q++) {
            const NPC_T *from = phase->row[q];
            if (!from) continue;
            if (NPC_UNLIKELY(left < args->taps)) {
                left = args->chain;
                NPC_UNROLL
                for (int t = 0; t < rows; t++) {
                    NPC_UNROLL
                    for (int v = 0; v < vecs; v++) {
                        total[t][v] = chains ? NPC_V(add)(total[t][v], acc[t][v]) : acc[t][v];
                        acc[t][v] = NPC_V(zero)();
                    }
                }
                chains = 1;
            }
            left -= args->taps;
            from += column;
            const NPC_T *weight = (const NPC_T *)phase->weight;
            /* as an integer: rows that are not served may lie before the weights */
            weight = (const NPC_T *)((uintptr_t)weight +
                                     (uintptr_t)((pitch - 1 - q) * (int64_t)sizeof(NPC_T)));
            switch (q < rows - 1 ? q : q < pitch ? rows - 1 : q - pitch + rows) {
#define SERVE(which, low, high)                                                                    \
    case which:                                                                                    \
        if (which > 2 * rows - 2) __builtin_unreachable();                                         \
        NPC_V(tile_add)(args, from, weight, pitch, acc, low, high, vecs);                          \
        break;
#define FIRST(t) SERVE(t, t < rows - 1 ? 0 : t - rows + 1, t < rows - 1 ? t : rows - 1)
                FIRST(0)
                FIRST(1)
                FIRST(2)
                FIRST(3)
                FIRST(4)
                FIRST(5)
                FIRST(6)
                FIRST(7)
                FIRST(8)
                FIRST(9)
                FIRST(10)
                FIRST(11)
                FIRST(12)
                FIRST(13)
                FIRST(14)
#undef FIRST
#undef SERVE
            default:
                __builtin_unreachable();
            }
        }
    }
    NPC_T *to = (NPC_T *)args->to + column;
    const int last = (int)npc_min(NPC_LANES, args->columns - column - (vecs - 1) * NPC_LANES);
    NPC_UNROLL
    for (int t = 0; t < rows; t++) {
        NPC_UNROLL
        for (int v = 0; v < vecs; v++) {
            NPC_T *at = to + v * NPC_LANES;
            const int lanes = v == vecs - 1 ? last : NPC_LANES;
            NPC_VEC sum = acc[t][v];
            if (chains) sum = NPC_V(add)(total[t][v], sum);
            if (NPC_UNLIKELY(args->accumulate)) sum = NPC_V(add)(NPC_V(load_first)(at, lanes), sum);
            if (args->bias) sum = NPC_V(add)(sum, NPC_V(broadcast)(args->bias));
            if (lanes == NPC_LANES)
                NPC_V(store)(at, sum);
            else
                NPC_V(store_first)(at, sum, lanes);
        }
        to = (NPC_T *)((char *)to + args->to_stride_bytes);
    }
}

typedef void NPC_V(tile_fn)(const npc_depthwise_rows_args *args, int64_t column);

/* Tiles that do not fit into the registers are never asked for. */
#define TILE(rows, vecs)                                                                           \
    static void NPC_V(tile_##rows##x##vecs)(const npc_depthwise_rows_args *args, int64_t column)   \
    {                                                                                              \
        if (vecs <= VECS_OF(rows)) NPC_V(tile_body)(args, column, rows, vecs);                     \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
TILES(7)
TILES(8)

NPC_DECLARE(depthwise_rows);
void NPC_NAME(depthwise_rows)(const npc_depthwise_rows_args *args)
{
#define TILE_ROW(rows)                                                                             \
    {                                                                                              \
        NPC_V(tile_##rows##x1), NPC_V(tile_##rows##x2), NPC_V(tile_##rows##x3),                    \
            NPC_V(tile_##rows##x4)                                                                 \
    }
    static NPC_V(tile_fn) *const tile[GROUP][MOST_VECS] = {TILE_ROW(1), TILE_ROW(2), TILE_ROW(3),
                                                           TILE_ROW(4), TILE_ROW(5), TILE_ROW(6),
                                                           TILE_ROW(7), TILE_ROW(8)};
    const int most = VECS_OF((int)args->rows);
    int64_t vecs = (args->columns + NPC_LANES - 1) / NPC_LANES;
    for (int64_t i = 0; vecs > 0;) {
        const int64_t calls = (vecs + most - 1) / most, now = (vecs + calls - 1) / calls;
        tile[args->rows - 1][now - 1](args, i);
        i += now * NPC_LANES;
        vecs -= now;
    }
}
