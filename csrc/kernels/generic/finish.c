/* What follows a convolution's sum, on rows that are still in cache: see npc_finish_args. */
#include "activation.h"

NPC_INLINE void NPC_V(finish_body)(const npc_finish_args *args, const int has_add,
                                   const npc_activation activation)
{
    const NPC_T minus_zero = -(NPC_T)0;
    const NPC_VEC parameter = NPC_V(constant)(NPC_V(activation_parameter)(activation, args->slope));

    for (int64_t i = 0; i < args->rows; i++) {
        const NPC_T *from = (const void *)((const char *)args->from + i * args->from_stride_bytes);
        const NPC_T *add =
            has_add ? (const void *)((const char *)args->add + i * args->add_stride_bytes) : NULL;
        NPC_T *to = (void *)((char *)args->to + i * args->to_stride_bytes);
        /* Adding -0 changes nothing. */
        const NPC_VEC bias =
            NPC_V(broadcast)(args->bias ? (const NPC_T *)args->bias + i : &minus_zero);
        int64_t j = 0;
        for (; j + NPC_LANES <= args->count; j += NPC_LANES) {
            NPC_VEC v = NPC_V(add)(NPC_V(load)(from + j), bias);
            if (has_add) v = NPC_V(add)(v, NPC_V(load)(add + j));
            NPC_V(store)(to + j, NPC_V(activated)(v, activation, parameter));
        }
        if (j < args->count) {
            const int lanes = (int)(args->count - j);
            NPC_VEC v = NPC_V(add)(NPC_V(load_first)(from + j, lanes), bias);
            if (has_add) v = NPC_V(add)(v, NPC_V(load_first)(add + j, lanes));
            NPC_V(store_first)(to + j, NPC_V(activated)(v, activation, parameter), lanes);
        }
    }
}

NPC_INLINE void NPC_V(finish_activation)(const npc_finish_args *args,
                                         const npc_activation activation)
{
    if (args->add)
        NPC_V(finish_body)(args, 1, activation);
    else
        NPC_V(finish_body)(args, 0, activation);
}

NPC_DECLARE(finish);
void NPC_NAME(finish)(const npc_finish_args *args)
{
    switch (args->activation) { /* each a loop of its own */
    case NPC_RELU:
        NPC_V(finish_activation)(args, NPC_RELU);
        break;
    case NPC_RELU6:
        NPC_V(finish_activation)(args, NPC_RELU6);
        break;
    case NPC_LEAKY_RELU:
        NPC_V(finish_activation)(args, NPC_LEAKY_RELU);
        break;
    case NPC_ELU:
        NPC_V(finish_activation)(args, NPC_ELU);
        break;
    case NPC_SIGMOID:
        NPC_V(finish_activation)(args, NPC_SIGMOID);
        break;
    case NPC_TANH:
        NPC_V(finish_activation)(args, NPC_TANH);
        break;
    default:
        NPC_V(finish_activation)(args, NPC_NO_ACTIVATION);
    }
}
