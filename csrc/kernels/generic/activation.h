/* Activations of vectors: see npc_activation. */
#ifndef NPC_KERNELS_GENERIC_ACTIVATION_H
#define NPC_KERNELS_GENERIC_ACTIVATION_H

#include "../args/finish.h"
#include "exponential.h"

/* 1 / (1 + e^-|x|), and for x < 0 that times e^-|x|, so that small results are exact too. */
NPC_INLINE NPC_VEC NPC_V(sigmoid)(NPC_VEC x)
{
    const NPC_VEC zero = NPC_V(zero)(), one = NPC_V(constant)(1);
    const NPC_V(mask) negative = NPC_V(beats)(zero, x);
    const NPC_VEC e = NPC_V(exponential)(NPC_V(select)(negative, x, zero - x));
    return NPC_V(select)(negative, e, one) / (one + e);
}

/* With e = e^(-2|x|) - 1: -e / (2 + e), and the sign of x, that of zero too. */
NPC_INLINE NPC_VEC NPC_V(tanh)(NPC_VEC x)
{
    const NPC_BITS sign = (NPC_BITS)NPC_V(constant)(-(NPC_T)0);
    const NPC_VEC down = (NPC_VEC)((NPC_BITS)x | sign);
    const NPC_VEC e = NPC_V(exponential_less_one)(down + down);
    const NPC_VEC positive = (NPC_V(zero)() - e) / (NPC_V(constant)(2) + e);
    return (NPC_VEC)(((NPC_BITS)positive & ~sign) | ((NPC_BITS)x & sign));
}

/* `parameter`: the slope of NPC_LEAKY_RELU, the scale of NPC_ELU, 6 for NPC_RELU6. */
NPC_INLINE NPC_VEC NPC_V(activated)(NPC_VEC v, const npc_activation activation, NPC_VEC parameter)
{
    const NPC_VEC zero = NPC_V(zero)();
    switch (activation) {
    case NPC_RELU:
        return NPC_V(select)(NPC_V(beats)(v, zero), v, zero);
    case NPC_RELU6:
        return NPC_V(not_above)(NPC_V(select)(NPC_V(beats)(v, zero), v, zero), parameter);
    case NPC_LEAKY_RELU:
        return NPC_V(select)(NPC_V(beats)(zero, v), NPC_V(mul)(v, parameter), v);
    case NPC_ELU:
        return NPC_V(select)(
            NPC_V(beats)(zero, v),
            NPC_V(mul)(NPC_V(exponential_less_one)(NPC_V(not_above)(v, zero)), parameter), v);
    case NPC_SIGMOID:
        return NPC_V(sigmoid)(v);
    case NPC_TANH:
        return NPC_V(tanh)(v);
    default:
        return v;
    }
}

/* The gradient through an activation whose result is y; for NPC_LEAKY_RELU y may be its argument.
 * A closed gate gives zero whatever the gradient, a NaN in y leaves gates open. */
NPC_INLINE NPC_VEC NPC_V(activated_grad)(NPC_VEC grad, NPC_VEC y, const npc_activation activation,
                                         NPC_VEC parameter)
{
    const NPC_VEC zero = NPC_V(zero)(), one = NPC_V(constant)(1);
    switch (activation) {
    case NPC_RELU:
        return NPC_V(select)(NPC_V(beats)(y, zero), grad, zero);
    case NPC_RELU6: {
        const NPC_VEC from_zero = NPC_V(select)(NPC_V(beats)(y, zero), grad, zero);
        /* 6 beats neither 6, more nor NaN, so NaN is let in apart. */
        const NPC_VEC below = NPC_V(select)(NPC_V(beats)(parameter, y), from_zero, zero);
        return NPC_V(select)(NPC_V(beats)(y, NPC_V(constant)((NPC_T)__builtin_inf())), from_zero,
                             below);
    }
    case NPC_LEAKY_RELU:
        return NPC_V(select)(NPC_V(beats)(y, zero), grad, NPC_V(mul)(grad, parameter));
    case NPC_ELU:
        return NPC_V(select)(NPC_V(beats)(y, zero), grad, grad * (y + parameter));
    case NPC_SIGMOID:
        return grad * (y * (one - y));
    case NPC_TANH:
        return grad * (one - y * y);
    default:
        return grad;
    }
}

NPC_INLINE NPC_T NPC_V(activation_parameter)(npc_activation activation, double slope)
{
    return activation == NPC_RELU6 ? (NPC_T)6 : (NPC_T)slope;
}

#endif
