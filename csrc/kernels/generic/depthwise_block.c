/* Depthwise convolution of blocks of channels: see npc_depthwise_block_args. A lane is a channel;
 * otherwise as depthwise_rows.c. */
#include "../args/depthwise.h"
#include "kernel.h"

enum {
    GROUP = NPC_DEPTHWISE_BLOCK_GROUP,
#if defined(__AVX512F__) || defined(__aarch64__)
    REGISTERS = 32,
#else
    REGISTERS = 16,
#endif
    MOST_PIXELS = 7
};

/* Pixels of each row of a tile, beside which there are a weight for each row, and one pixel. */
#define PIXELS_OF(rows)                                                                            \
    ((REGISTERS - 1 - (rows)) / (rows) > MOST_PIXELS ? MOST_PIXELS                                 \
                                                     : (REGISTERS - 1 - (rows)) / (rows))

/* Adds a staged row's products to rows [low, high] of the tile; `weight` is that of row `high`. */
NPC_INLINE void NPC_V(block_add)(const npc_depthwise_block_args *args, const NPC_T *from,
                                 const NPC_T *weight, NPC_VEC acc[GROUP][MOST_PIXELS],
                                 const int low, const int high, const int pixels)
{
    const int64_t pixel_step = args->pixel_step, tap_step = args->tap_step;
    const int64_t weight_step = args->weight_step;
    for (int64_t s = 0; s < args->taps; s++, weight += NPC_LANES, from += tap_step) {
        NPC_VEC w[GROUP];
        NPC_UNROLL
        for (int t = low; t <= high; t++) {
            w[t] = NPC_V(load)(weight + (high - t) * weight_step);
            NPC_IN_REGISTER(w[t]);
        }
        NPC_UNROLL
        for (int i = 0; i < pixels; i++) {
            NPC_VEC x = NPC_V(load)(from + i * pixel_step);
            if (high > low) NPC_IN_REGISTER(x);
            NPC_UNROLL
            for (int t = low; t <= high; t++) acc[t][i] = NPC_V(fma)(w[t], x, acc[t][i]);
        }
    }
}

NPC_INLINE void NPC_V(block_body)(const npc_depthwise_block_args *args, int64_t pixel,
                                  const int rows, const int pixels)
{
    NPC_VEC acc[GROUP][MOST_PIXELS], total[GROUP][MOST_PIXELS];
    int64_t left = args->chain;
    int chains = 0;
    NPC_UNROLL
    for (int t = 0; t < rows; t++) {
        NPC_UNROLL
        for (int i = 0; i < pixels; i++) acc[t][i] = NPC_V(zero)();
    }
    for (int64_t p = 0; p < args->phases; p++) {
        const npc_depthwise_phase *phase = &args->phase[p];
        const int64_t taps = phase->tap_rows;
        for (int64_t q = 0; q < rows + taps - 1; q++) {
            const NPC_T *from = phase->row[q];
            if (!from) continue;
            if (NPC_UNLIKELY(left < args->taps)) {
                left = args->chain;
                NPC_UNROLL
                for (int t = 0; t < rows; t++) {
                    NPC_UNROLL
                    for (int i = 0; i < pixels; i++) {
                        total[t][i] = chains ? NPC_V(add)(total[t][i], acc[t][i]) : acc[t][i];
                        acc[t][i] = NPC_V(zero)();
                    }
                }
                chains = 1;
            }
            left -= args->taps;
            from += pixel * args->pixel_step;
            /* of the last row that reads this one */
            const NPC_T *weight =
                (const NPC_T *)phase->weight + (q < rows ? 0 : q - rows + 1) * args->weight_step;
            switch (q < rows - 1 ? q : q < taps ? rows - 1 : q - taps + rows) {
#define SERVE(which)                                                                               \
    case which:                                                                                    \
        if (which > 2 * rows - 2) __builtin_unreachable();                                         \
        NPC_V(block_add)(args, from, weight, acc, which < rows - 1 ? 0 : which - rows + 1,         \
                         which < rows - 1 ? which : rows - 1, pixels);                             \
        break;
                SERVE(0)
                SERVE(1)
                SERVE(2)
                SERVE(3)
                SERVE(4)
#undef SERVE
            default:
                __builtin_unreachable();
            }
        }
    }
    NPC_T *to = (NPC_T *)args->to + pixel * NPC_LANES;
    NPC_UNROLL
    for (int t = 0; t < rows; t++, to += args->to_step) {
        NPC_UNROLL
        for (int i = 0; i < pixels; i++) {
            NPC_VEC sum = acc[t][i];
            if (chains) sum = NPC_V(add)(total[t][i], sum);
            if (args->bias) sum = NPC_V(add)(sum, NPC_V(load)((const NPC_T *)args->bias));
            NPC_V(store)(to + i * NPC_LANES, sum);
        }
    }
}

typedef void NPC_V(block_fn)(const npc_depthwise_block_args *args, int64_t pixel);

/* Tiles that do not fit into the registers are never asked for. */
#define TILE(rows, pixels)                                                                         \
    static void NPC_V(block_##rows##x##pixels)(const npc_depthwise_block_args *args,               \
                                               int64_t pixel)                                      \
    {                                                                                              \
        if (pixels <= PIXELS_OF(rows)) NPC_V(block_body)(args, pixel, rows, pixels);               \
    }
#define TILES(rows)                                                                                \
    TILE(rows, 1)                                                                                  \
    TILE(rows, 2) TILE(rows, 3) TILE(rows, 4) TILE(rows, 5) TILE(rows, 6) TILE(rows, 7)
TILES(1)
TILES(2)
TILES(3)

NPC_DECLARE(depthwise_block);
void NPC_NAME(depthwise_block)(const npc_depthwise_block_args *args)
{
#define TILE_ROW(rows)                                                                             \
    {                                                                                              \
        NPC_V(block_##rows##x1), NPC_V(block_##rows##x2), NPC_V(block_##rows##x3),                 \
            NPC_V(block_##rows##x4), NPC_V(block_##rows##x5), NPC_V(block_##rows##x6),             \
            NPC_V(block_##rows##x7)                                                                \
    }
    static NPC_V(block_fn) *const tile[GROUP][MOST_PIXELS] = {TILE_ROW(1), TILE_ROW(2),
                                                              TILE_ROW(3)};
    const int most = PIXELS_OF((int)args->rows);
    for (int64_t i = 0, left = args->pixels; left > 0;) {
        const int64_t calls = (left + most - 1) / most, now = (left + calls - 1) / calls;
        tile[args->rows - 1][now - 1](args, i);
        i += now;
        left -= now;
    }
}
