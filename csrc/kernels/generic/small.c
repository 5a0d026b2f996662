/* Whole convolutions of small images: see npc_small_args. A vector is pixels of one output row;
 * images this small stay in L1, so taps are loaded from where they lie, lanes in the padding masked
 * out. */
#include "../args/small.h"
#include "kernel.h"

NPC_INLINE void NPC_V(small_row)(const npc_small_args *args, const uint32_t *mask, int64_t h,
                                 int64_t w, int lanes, int64_t row, const int rows, const int step)
{
    const int64_t depth = args->channels * args->taps[0] * args->taps[1];
    const int64_t top = h * args->step[0] + args->first[0];
    const NPC_T *weight = (const NPC_T *)args->weight + row * depth;
    const char *x = (const char *)args->x;
    const int64_t column = (w * args->step[1] + args->first[1]) * (int64_t)sizeof(NPC_T);
    const int64_t spacing = args->spacing[1] * (int64_t)sizeof(NPC_T);
    NPC_VEC acc[4];
    NPC_UNROLL
    for (int i = 0; i < rows; i++) acc[i] = NPC_V(zero)();
    for (int64_t c = 0; c < args->channels; c++, x += args->channel_stride_bytes) {
        for (int64_t r = 0; r < args->taps[0]; r++) {
            const int64_t at = top + r * args->spacing[0];
            if (at < 0 || at >= args->height) {
                weight += args->taps[1];
                continue;
            }
            /* lane 0 need not exist: addresses as integers */
            uintptr_t from = (uintptr_t)x + (uintptr_t)(at * args->row_stride_bytes + column);
            for (int64_t s = 0; s < args->taps[1]; s++, from += (uintptr_t)spacing, weight++) {
                const NPC_VEC v = step == 1 ? NPC_V(load_masked)((const NPC_T *)from, mask[s])
                                            : NPC_V(load_even)((const NPC_T *)from, mask[s]);
                NPC_UNROLL
                for (int i = 0; i < rows; i++)
                    acc[i] = NPC_V(fma)(NPC_V(broadcast)(weight + i * depth), v, acc[i]);
            }
        }
    }
    char *y = (char *)args->y + row * args->y_channel_stride_bytes + h * args->y_row_stride_bytes +
              w * (int64_t)sizeof(NPC_T);
    NPC_UNROLL
    for (int i = 0; i < rows; i++, y += args->y_channel_stride_bytes) {
        if (args->bias)
            acc[i] = NPC_V(add)(acc[i], NPC_V(broadcast)((const NPC_T *)args->bias + row + i));
        NPC_V(store_first)((NPC_T *)y, acc[i], lanes);
    }
}

/* All output rows for some output channels. */
NPC_INLINE void NPC_V(small_rows)(const npc_small_args *args, int64_t row, const int rows,
                                  const int step)
{
    uint32_t mask[NPC_MAX_SMALL_TAPS];
    for (int64_t w = 0; w < args->pixels[1]; w += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->pixels[1] - w);
        for (int64_t s = 0; s < args->taps[1]; s++) {
            const int64_t from = npc_max(0, args->begin[s] - w);
            const int64_t to = npc_min(lanes, args->end[s] - w);
            uint64_t bits = from < to ? ((uint64_t)1 << (to - from) * step) - 1 : 0;
            if (step == 2) bits /= 3; /* every second bit */
            mask[s] = from < to ? (uint32_t)(bits << from * step) : 0;
        }
        for (int64_t h = 0; h < args->pixels[0]; h++)
            NPC_V(small_row)(args, mask, h, w, lanes, row, rows, step);
    }
}

NPC_INLINE void NPC_V(small_image)(const npc_small_args *args, const int step)
{
    int64_t row = 0;
    for (; row + 4 <= args->rows; row += 4) NPC_V(small_rows)(args, row, 4, step);
    if (args->rows - row >= 2) {
        NPC_V(small_rows)(args, row, 2, step);
        row += 2;
    }
    if (row < args->rows) NPC_V(small_rows)(args, row, 1, step);
}

NPC_DECLARE(small);
void NPC_NAME(small)(const npc_small_args *args)
{
    if (args->step[1] == 1)
        NPC_V(small_image)(args, 1);
    else
        NPC_V(small_image)(args, 2);
}
