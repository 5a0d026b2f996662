/* The gradient of an activation: see npc_activate_grad_args. */
#include "activation.h"

NPC_INLINE void NPC_V(activate_grad_body)(const npc_activate_grad_args *args,
                                          const npc_activation activation)
{
    const NPC_T *grad = args->grad, *y = args->y;
    NPC_T *to = args->to;
    const NPC_VEC parameter = NPC_V(constant)(NPC_V(activation_parameter)(activation, args->slope));
    int64_t i = 0;
    for (; i + NPC_LANES <= args->count; i += NPC_LANES)
        NPC_V(store)(to + i, NPC_V(activated_grad)(NPC_V(load)(grad + i), NPC_V(load)(y + i),
                                                   activation, parameter));
    if (i < args->count) {
        const int lanes = (int)(args->count - i);
        const NPC_VEC g = NPC_V(load_first)(grad + i, lanes), v = NPC_V(load_first)(y + i, lanes);
        NPC_V(store_first)(to + i, NPC_V(activated_grad)(g, v, activation, parameter), lanes);
    }
}

NPC_DECLARE(activate_grad);
void NPC_NAME(activate_grad)(const npc_activate_grad_args *args)
{
    switch (args->activation) { /* each a loop of its own */
    case NPC_RELU:
        NPC_V(activate_grad_body)(args, NPC_RELU);
        break;
    case NPC_RELU6:
        NPC_V(activate_grad_body)(args, NPC_RELU6);
        break;
    case NPC_LEAKY_RELU:
        NPC_V(activate_grad_body)(args, NPC_LEAKY_RELU);
        break;
    case NPC_ELU:
        NPC_V(activate_grad_body)(args, NPC_ELU);
        break;
    case NPC_SIGMOID:
        NPC_V(activate_grad_body)(args, NPC_SIGMOID);
        break;
    case NPC_TANH:
        NPC_V(activate_grad_body)(args, NPC_TANH);
        break;
    default:
        NPC_V(activate_grad_body)(args, NPC_NO_ACTIVATION);
    }
}
