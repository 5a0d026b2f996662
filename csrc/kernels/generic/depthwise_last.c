/* Depthwise convolution where channels come last: see npc_depthwise_last_args. A lane is a channel;
 * a vector of each tap's weights serves a few pixels. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { PIXELS = 8 };

NPC_INLINE void NPC_V(depthwise_last_deliver)(const npc_depthwise_last_args *args, int64_t pixel,
                                              const int pixels, int64_t c, const int lanes,
                                              NPC_VEC *sum)
{
    NPC_T *to = (NPC_T *)args->to + pixel * args->to_step + c;
    if (args->bias) {
        const NPC_VEC bias = NPC_V(load_first)((const NPC_T *)args->bias + c, lanes);
        NPC_UNROLL
        for (int i = 0; i < pixels; i++) sum[i] = NPC_V(add)(sum[i], bias);
    }
    NPC_UNROLL
    for (int i = 0; i < pixels; i++, to += args->to_step) {
        if (lanes == NPC_LANES)
            NPC_V(store)(to, sum[i]);
        else
            NPC_V(store_first)(to, sum[i], lanes);
    }
}

NPC_INLINE void NPC_V(depthwise_last_pixels)(const npc_depthwise_last_args *args, int64_t pixel,
                                             const int pixels, int64_t c, const int lanes)
{
    NPC_VEC sum[PIXELS];
    NPC_UNROLL
    for (int i = 0; i < pixels; i++) sum[i] = NPC_V(zero)();
    for (int64_t t = 0; t < args->taps; t++) {
        const NPC_T *w = (const NPC_T *)args->weight[t] + c;
        const NPC_T *x = (const NPC_T *)args->tap[t] + pixel * args->tap_step + c;
        const NPC_VEC weight = lanes == NPC_LANES ? NPC_V(load)(w) : NPC_V(load_first)(w, lanes);
        NPC_UNROLL
        for (int i = 0; i < pixels; i++) {
            const NPC_T *from = x + i * args->tap_step;
            sum[i] = NPC_V(fma)(
                weight, lanes == NPC_LANES ? NPC_V(load)(from) : NPC_V(load_first)(from, lanes),
                sum[i]);
        }
    }
    NPC_V(depthwise_last_deliver)(args, pixel, pixels, c, lanes, sum);
}

/* Rows of three taps a pixel apart: neighbours share what they load. */
NPC_INLINE void NPC_V(depthwise_last_threes)(const npc_depthwise_last_args *args, int64_t pixel,
                                             const int pixels, int64_t c)
{
    NPC_VEC sum[PIXELS];
    NPC_UNROLL
    for (int i = 0; i < pixels; i++) sum[i] = NPC_V(zero)();
    for (int64_t t = 0; t < args->taps; t += 3) {
        const NPC_T *x = (const NPC_T *)args->tap[t] + pixel * args->tap_step + c;
        NPC_VEC w[3];
        NPC_UNROLL
        for (int s = 0; s < 3; s++) w[s] = NPC_V(load)((const NPC_T *)args->weight[t + s] + c);
        NPC_UNROLL
        for (int i = 0; i < pixels + 2; i++, x += args->tap_step) {
            const NPC_VEC v = NPC_V(load)(x);
            NPC_UNROLL
            for (int s = 0; s < 3; s++)
                if (i >= s && i - s < pixels) sum[i - s] = NPC_V(fma)(w[s], v, sum[i - s]);
        }
    }
    NPC_V(depthwise_last_deliver)(args, pixel, pixels, c, NPC_LANES, sum);
}

/* All channels of a few pixels before the next ones: lines are read and written in order, which is
 * what the processor fetches ahead. */
NPC_INLINE void NPC_V(depthwise_last_channels)(const npc_depthwise_last_args *args, int64_t pixel,
                                               const int pixels)
{
    int64_t c = 0;
    for (; c + NPC_LANES <= args->channels; c += NPC_LANES) {
        if (args->threes && pixels > 1)
            NPC_V(depthwise_last_threes)(args, pixel, pixels, c);
        else
            NPC_V(depthwise_last_pixels)(args, pixel, pixels, c, NPC_LANES);
    }
    for (int i = 0; i < pixels && c < args->channels; i++)
        NPC_V(depthwise_last_pixels)(args, pixel + i, 1, c, (int)(args->channels - c));
}

NPC_DECLARE(depthwise_last);
void NPC_NAME(depthwise_last)(const npc_depthwise_last_args *args)
{
    int64_t i = 0;
    for (; i + PIXELS <= args->pixels; i += PIXELS) NPC_V(depthwise_last_channels)(args, i, PIXELS);
    if (i + PIXELS / 2 <= args->pixels) {
        NPC_V(depthwise_last_channels)(args, i, PIXELS / 2);
        i += PIXELS / 2;
    }
    for (; i < args->pixels; i++) NPC_V(depthwise_last_channels)(args, i, 1);
}
