/* Softmax and its logarithm of a tile, lanes are pixels: see npc_softmax_args. */
#include "../args/normalise.h"
#include "exponential.h"

/* Sums over channels in double would cost more than the exponentials; in order of the channels. */
NPC_INLINE void NPC_V(softmax_forward)(const npc_softmax_args *args, int64_t j)
{
    const NPC_T *from = (const NPC_T *)args->from + j;
    NPC_T *to = (NPC_T *)args->to + j, lane[NPC_LANES];
    const int64_t pitch = args->pitch;
    NPC_VEC largest = NPC_V(load)(from), sum = NPC_V(zero)();
    for (int64_t c = 1; c < args->channels; c++) {
        const NPC_VEC v = NPC_V(load)(from + c * pitch);
        largest = NPC_V(select)(NPC_V(beats)(v, largest), v, largest);
    }
    for (int64_t c = 0; c < args->channels; c++) {
        const NPC_VEC e = NPC_V(exponential)(NPC_V(load)(from + c * pitch) - largest);
        sum = NPC_V(add)(sum, e);
        if (!args->logarithm) NPC_V(store)(to + c * pitch, e);
    }
    if (!args->logarithm) {
        for (int64_t c = 0; c < args->channels; c++)
            NPC_V(store)(to + c * pitch, NPC_V(load)(to + c * pitch) / sum);
        return;
    }
    NPC_V(store)(lane, sum);
    for (int i = 0; i < NPC_LANES; i++) lane[i] = (NPC_T)__builtin_log((double)lane[i]);
    const NPC_VEC logarithm = NPC_V(load)(lane);
    for (int64_t c = 0; c < args->channels; c++)
        NPC_V(store)(to + c * pitch, NPC_V(load)(from + c * pitch) - largest - logarithm);
}

NPC_INLINE void NPC_V(softmax_backward)(const npc_softmax_args *args, int64_t j)
{
    const NPC_T *y = (const NPC_T *)args->from + j, *grad = (const NPC_T *)args->grad + j;
    NPC_T *to = (NPC_T *)args->to + j;
    const int64_t pitch = args->pitch;
    NPC_VEC sum = NPC_V(zero)();
    for (int64_t c = 0; c < args->channels; c++) {
        const NPC_VEC g = NPC_V(load)(grad + c * pitch);
        sum = args->logarithm ? NPC_V(add)(sum, g) : NPC_V(fma)(g, NPC_V(load)(y + c * pitch), sum);
    }
    for (int64_t c = 0; c < args->channels; c++) {
        const NPC_VEC v = NPC_V(load)(y + c * pitch), g = NPC_V(load)(grad + c * pitch);
        NPC_V(store)(to + c * pitch,
                     args->logarithm ? g - NPC_V(exponential)(v) * sum : v * (g - sum));
    }
}

NPC_DECLARE(softmax);
void NPC_NAME(softmax)(const npc_softmax_args *args)
{
    for (int64_t j = 0; j < args->count; j += NPC_LANES) {
        if (args->grad)
            NPC_V(softmax_backward)(args, j);
        else
            NPC_V(softmax_forward)(args, j);
    }
}
