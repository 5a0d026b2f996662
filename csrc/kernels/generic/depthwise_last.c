/* Depthwise convolution where channels come last: see npc_depthwise_last_args. A lane is a channel.
 *
 * A block is a few pixels of one vector of channels, whose sums stay in registers. Where the taps
 * of a row are as far apart as the pixels, each vector of the row is loaded once for all taps (of a
 * group) that meet it, and one that lies in the padding is stepped over. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { PIXELS = 8, FEW_PIXELS = 4, GROUP = 7 /* taps whose weights stay in registers */ };

/* Some channels of some pixels. */
typedef struct NPC_V(last_block) {
    const npc_depthwise_last_args *args;
    int64_t pixel, pixels, c;
    int lanes;
} NPC_V(last_block);

NPC_INLINE NPC_VEC NPC_V(last_load)(const NPC_T *from, const int full, int lanes)
{
    return full ? NPC_V(load)(from) : NPC_V(load_first)(from, lanes);
}

NPC_INLINE void NPC_V(last_deliver)(const NPC_V(last_block) * b, const int size, const int full,
                                    const int inner, NPC_VEC *sum)
{
    const npc_depthwise_last_args *args = b->args;
    NPC_T *to = (NPC_T *)args->to + b->pixel * args->to_step + b->c;
    NPC_VEC bias = NPC_V(zero)();
    if (args->bias) bias = NPC_V(last_load)((const NPC_T *)args->bias + b->c, full, b->lanes);
    NPC_UNROLL
    for (int i = 0; i < size; i++) {
        if (!inner && i >= b->pixels) break;
        NPC_VEC v = sum[i];
        if (args->accumulate)
            v = NPC_V(add)(NPC_V(last_load)(to + i * args->to_step, full, b->lanes), v);
        if (args->bias) v = NPC_V(add)(v, bias);
        if (full)
            NPC_V(store)(to + i * args->to_step, v);
        else
            NPC_V(store_first)(to + i * args->to_step, v, b->lanes);
    }
}

/* Taps [s, s + taps) of a row, a pixel apart: neighbours share what they load. */
NPC_INLINE void NPC_V(last_group)(const NPC_V(last_block) * b, int64_t r, int64_t s, const int taps,
                                  const int size, const int full, const int inner, NPC_VEC *sum)
{
    const npc_depthwise_last_args *args = b->args;
    const NPC_T *x = (const NPC_T *)args->row[r] + (b->pixel + s) * args->tap_step + b->c;
    const NPC_T *weight = (const NPC_T *)args->weight[r] + s * args->weight_step + b->c;
    const int64_t first = b->pixel + s, low = args->low - first;
    const int64_t high = npc_min(args->high - first, b->pixels + taps - 1);
    NPC_VEC w[GROUP];
    NPC_UNROLL
    for (int t = 0; t < taps; t++) {
        w[t] = NPC_V(last_load)(weight + t * args->weight_step, full, b->lanes);
        NPC_IN_REGISTER(w[t]);
    }
    NPC_UNROLL
    for (int i = 0; i < size + taps - 1; i++, x += args->tap_step)
        if (inner || (i >= low && i < high)) {
            NPC_VEC v = NPC_V(last_load)(x, full, b->lanes);
            NPC_IN_REGISTER(v);
            NPC_UNROLL
            for (int t = 0; t < taps; t++)
                if (i >= t && i - t < size) sum[i - t] = NPC_V(fma)(w[t], v, sum[i - t]);
        }
}

/* One tap, loaded for each pixel. */
NPC_INLINE void NPC_V(last_tap)(const NPC_V(last_block) * b, int64_t r, int64_t s, const int size,
                                const int full, const int inner, NPC_VEC *sum)
{
    const npc_depthwise_last_args *args = b->args;
    const NPC_T *x =
        (const NPC_T *)args->row[r] + b->pixel * args->tap_step + s * args->tap_spacing + b->c;
    const NPC_VEC weight = NPC_V(last_load)(
        (const NPC_T *)args->weight[r] + s * args->weight_step + b->c, full, b->lanes);
    const int64_t begin = inner ? 0 : args->begin[s] - b->pixel;
    const int64_t end = inner ? size : npc_min(args->end[s] - b->pixel, b->pixels);
    NPC_UNROLL
    for (int i = 0; i < size; i++)
        if (inner || (i >= begin && i < end))
            sum[i] = NPC_V(fma)(weight, NPC_V(last_load)(x + i * args->tap_step, full, b->lanes),
                                sum[i]);
}

/* `group`: taps of a row, a pixel apart and at most GROUP; or 0: any number of them, a pixel apart;
 * or -1: at any distance. */
NPC_INLINE void NPC_V(last_pixels)(const NPC_V(last_block) * b, const int group, const int size,
                                   const int full, const int inner)
{
    const npc_depthwise_last_args *args = b->args;
    NPC_VEC sum[PIXELS];
    NPC_UNROLL
    for (int i = 0; i < size; i++) sum[i] = NPC_V(zero)();
    for (int64_t r = 0; r < args->rows; r++) {
        if (group > 0) {
            NPC_V(last_group)(b, r, 0, group, size, full, inner, sum);
        } else if (group < 0) {
            for (int64_t s = 0; s < args->taps; s++)
                NPC_V(last_tap)(b, r, s, size, full, inner, sum);
        } else {
            int64_t s = 0;
            for (; s + 5 <= args->taps; s += 5)
                NPC_V(last_group)(b, r, s, 5, size, full, inner, sum);
            for (; s + 3 <= args->taps; s += 3)
                NPC_V(last_group)(b, r, s, 3, size, full, inner, sum);
            for (; s < args->taps; s++) NPC_V(last_group)(b, r, s, 1, size, full, inner, sum);
        }
    }
    NPC_V(last_deliver)(b, size, full, inner, sum);
}

NPC_INLINE void NPC_V(last_sizes)(NPC_V(last_block) * b, const int group)
{
    const npc_depthwise_last_args *args = b->args;
    const int inner = b->pixels == PIXELS && b->pixel >= args->inner_begin &&
                      b->pixel + PIXELS <= args->inner_end;
    for (b->c = 0; b->c < args->channels; b->c += NPC_LANES) {
        b->lanes = (int)npc_min(NPC_LANES, args->channels - b->c);
        if (b->lanes == NPC_LANES && inner)
            NPC_V(last_pixels)(b, group, PIXELS, 1, 1);
        else if (b->pixels <= FEW_PIXELS)
            NPC_V(last_pixels)(b, group, FEW_PIXELS, 0, 0);
        else if (b->lanes == NPC_LANES)
            NPC_V(last_pixels)(b, group, PIXELS, 1, 0);
        else
            NPC_V(last_pixels)(b, group, PIXELS, 0, 0);
    }
}

/* All channels of a few pixels before the next ones: lines are read and written in order, which is
 * what the processor fetches ahead. */
NPC_INLINE void NPC_V(last_stretch)(const npc_depthwise_last_args *args, const int group)
{
    NPC_V(last_block) b = {.args = args};
    for (; b.pixel < args->pixels; b.pixel += PIXELS) {
        b.pixels = npc_min(PIXELS, args->pixels - b.pixel);
        NPC_V(last_sizes)(&b, group);
    }
}

NPC_DECLARE(depthwise_last);
void NPC_NAME(depthwise_last)(const npc_depthwise_last_args *args)
{
#define TAPS_CASE(taps)                                                                            \
    case taps:                                                                                     \
        NPC_V(last_stretch)(args, taps);                                                           \
        break
    switch (args->sliding ? args->taps : -1) {
        TAPS_CASE(2);
        TAPS_CASE(3);
        TAPS_CASE(4);
        TAPS_CASE(5);
        TAPS_CASE(6);
        TAPS_CASE(7);
        TAPS_CASE(-1);
    default:
        NPC_V(last_stretch)(args, 0);
    }
#undef TAPS_CASE
}
