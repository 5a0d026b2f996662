/* What normalisation does with values of a channel: see npc_affine_args. */
#include "../args/normalise.h"
#include "kernel.h"

NPC_INLINE NPC_VEC NPC_V(number)(double value)
{
    const NPC_T rounded = (NPC_T)value;
    return NPC_V(broadcast)(&rounded);
}

NPC_INLINE void NPC_V(affine_body)(const npc_affine_args *args, const int has_grad)
{
    const NPC_T *from = args->from, *grad = args->grad;
    NPC_T *to = args->to;
    const NPC_VEC mean = NPC_V(number)(args->mean), scale = NPC_V(number)(args->scale);
    const NPC_VEC shift = NPC_V(number)(args->shift), slope = NPC_V(number)(args->slope);
    for (int64_t i = 0; i < args->count; i += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->count - i);
        const int whole = lanes == NPC_LANES;
        const NPC_VEC x = whole ? NPC_V(load)(from + i) : NPC_V(load_first)(from + i, lanes);
        NPC_VEC v = NPC_V(fma)(x - mean, has_grad ? slope : scale, shift);
        if (has_grad) {
            const NPC_VEC g = whole ? NPC_V(load)(grad + i) : NPC_V(load_first)(grad + i, lanes);
            v = NPC_V(fma)(g, scale, v);
        }
        if (whole)
            NPC_V(store)(to + i, v);
        else
            NPC_V(store_first)(to + i, v, lanes);
    }
}

NPC_DECLARE(affine);
void NPC_NAME(affine)(const npc_affine_args *args)
{
    if (args->grad)
        NPC_V(affine_body)(args, 1);
    else
        NPC_V(affine_body)(args, 0);
}
