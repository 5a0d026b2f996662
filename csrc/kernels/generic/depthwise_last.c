/* Depthwise convolution where channels come last: see npc_depthwise_last_args. A lane is a channel;
 * a vector of each tap's weights serves a few pixels. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { PIXELS = 8 };

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
    NPC_UNROLL
    for (int i = 0; i < pixels; i++) {
        NPC_T *to = (NPC_T *)args->to + (pixel + i) * args->to_step + c;
        if (args->accumulate) sum[i] = NPC_V(add)(NPC_V(load_first)(to, lanes), sum[i]);
        if (args->bias)
            sum[i] = NPC_V(add)(sum[i], NPC_V(load_first)((const NPC_T *)args->bias + c, lanes));
        if (lanes == NPC_LANES)
            NPC_V(store)(to, sum[i]);
        else
            NPC_V(store_first)(to, sum[i], lanes);
    }
}

NPC_DECLARE(depthwise_last);
void NPC_NAME(depthwise_last)(const npc_depthwise_last_args *args)
{
    for (int64_t c = 0; c < args->channels; c += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->channels - c);
        int64_t i = 0;
        if (lanes == NPC_LANES) {
            for (; i + PIXELS <= args->pixels; i += PIXELS)
                NPC_V(depthwise_last_pixels)(args, i, PIXELS, c, NPC_LANES);
            if (i + PIXELS / 2 <= args->pixels) {
                NPC_V(depthwise_last_pixels)(args, i, PIXELS / 2, c, NPC_LANES);
                i += PIXELS / 2;
            }
            for (; i < args->pixels; i++) NPC_V(depthwise_last_pixels)(args, i, 1, c, NPC_LANES);
        } else {
            for (; i < args->pixels; i++) NPC_V(depthwise_last_pixels)(args, i, 1, c, lanes);
        }
    }
}
