/* The weight gradient of depthwise convolution where channels come last: see
 * npc_depthwise_last_grad_args. A lane is a channel; a few pixels of dy stay in registers while all
 * taps meet them, so a tap's sum is fetched once for all of them. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { PIXELS = 8 };

NPC_INLINE NPC_VEC NPC_V(last_load)(const NPC_T *from, const int lanes)
{
    return lanes == NPC_LANES ? NPC_V(load)(from) : NPC_V(load_first)(from, lanes);
}

NPC_INLINE void NPC_V(depthwise_last_grad_pixels)(const npc_depthwise_last_grad_args *args,
                                                  int64_t pixel, const int pixels, int64_t c,
                                                  const int lanes)
{
    const int64_t step = args->tap_step, grad_step = args->grad_step;
    const NPC_T *from = (const NPC_T *)args->grad + pixel * grad_step + c;
    NPC_T *to = (NPC_T *)args->sums + c;
    NPC_VEC grad[PIXELS];
    NPC_UNROLL
    for (int i = 0; i < pixels; i++) {
        grad[i] = NPC_V(last_load)(from + i * grad_step, lanes);
        NPC_IN_REGISTER(grad[i]);
    }
    for (int64_t t = 0; t < args->taps; t++, to += args->sum_step) {
        const int64_t begin = args->begin[t] - pixel, end = args->end[t] - pixel;
        const int64_t first = begin > 0 ? begin : 0, last = end < pixels ? end : pixels;
        if (first >= last) continue;
        const NPC_T *x = (const NPC_T *)args->tap[t] + (first - begin) * step + c;
        NPC_VEC sum = NPC_V(last_load)(to, lanes);
        if (last - first == pixels) {
            NPC_UNROLL
            for (int i = 0; i < pixels; i++)
                sum = NPC_V(fma)(grad[i], NPC_V(last_load)(x + i * step, lanes), sum);
        } else {
            for (int64_t i = first; i < last; i++, x += step)
                sum = NPC_V(fma)(NPC_V(last_load)(from + i * grad_step, lanes),
                                 NPC_V(last_load)(x, lanes), sum);
        }
        if (lanes == NPC_LANES)
            NPC_V(store)(to, sum);
        else
            NPC_V(store_first)(to, sum, lanes);
    }
}

/* All channels of a few pixels before the next ones, as they lie in memory. */
NPC_INLINE void NPC_V(depthwise_last_grad_channels)(const npc_depthwise_last_grad_args *args,
                                                    int64_t pixel, const int pixels)
{
    int64_t c = 0;
    for (; c + NPC_LANES <= args->channels; c += NPC_LANES)
        NPC_V(depthwise_last_grad_pixels)(args, pixel, pixels, c, NPC_LANES);
    if (c < args->channels)
        NPC_V(depthwise_last_grad_pixels)(args, pixel, pixels, c, (int)(args->channels - c));
}

NPC_DECLARE(depthwise_last_grad);
void NPC_NAME(depthwise_last_grad)(const npc_depthwise_last_grad_args *args)
{
    int64_t i = 0;
    for (; i + PIXELS <= args->pixels; i += PIXELS)
        NPC_V(depthwise_last_grad_channels)(args, i, PIXELS);
    if (i + PIXELS / 2 <= args->pixels) {
        NPC_V(depthwise_last_grad_channels)(args, i, PIXELS / 2);
        i += PIXELS / 2;
    }
    if (i + PIXELS / 4 <= args->pixels) {
        NPC_V(depthwise_last_grad_channels)(args, i, PIXELS / 4);
        i += PIXELS / 4;
    }
    if (i < args->pixels) NPC_V(depthwise_last_grad_channels)(args, i, 1);
}
