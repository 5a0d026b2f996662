/* A step of an optimiser: see npc_update_rule. */
#include "../args/update.h"
#include "kernel.h"

typedef struct NPC_V(settings) {
    NPC_VEC rate, shrink, decay, beta1, rest1, rest2, epsilon;
} NPC_V(settings);

NPC_INLINE NPC_VEC NPC_V(as_vector)(double value)
{
    const NPC_T rounded = (NPC_T)value;
    return NPC_V(broadcast)(&rounded);
}

/* Returns the new parameter; state[0] and state[1] are changed. */
NPC_INLINE NPC_VEC NPC_V(updated)(const npc_update_rule rule, const int decays,
                                  const NPC_V(settings) * s, NPC_VEC p, NPC_VEC g, NPC_VEC state[2])
{
    if (decays) {
        p = p * s->shrink;
        g = g + s->decay * p;
    }
    switch (rule) {
    case NPC_MOMENTUM:
        state[0] = s->beta1 * state[0] - s->rate * g;
        return p + state[0];
    case NPC_NESTEROV: {
        const NPC_VEC step = s->rate * g;
        state[0] = s->beta1 * state[0] - step;
        return p + (s->beta1 * state[0] - step);
    }
    case NPC_ADAGRAD:
        state[0] = state[0] + g * g;
        return p - s->rate * g / (NPC_V(root)(state[0]) + s->epsilon);
    case NPC_RMSPROP:
        state[0] = state[0] + s->rest2 * (g * g - state[0]);
        return p - s->rate * g / (NPC_V(root)(state[0]) + s->epsilon);
    case NPC_ADAM:
        state[0] = state[0] + s->rest1 * (g - state[0]);
        state[1] = state[1] + s->rest2 * (g * g - state[1]);
        return p - s->rate * (state[0] / (NPC_V(root)(state[1]) + s->epsilon));
    default:
        return p - s->rate * g;
    }
}

NPC_INLINE void NPC_V(update_body)(const npc_update_args *args, const npc_update_rule rule,
                                   const int decays, const int states)
{
    const npc_update_settings *given = args->settings;
    const NPC_V(settings) s = {.rate = NPC_V(as_vector)(given->rate),
                               .shrink = NPC_V(as_vector)(given->shrink),
                               .decay = NPC_V(as_vector)(given->decay),
                               .beta1 = NPC_V(as_vector)(given->beta1),
                               .rest1 = NPC_V(as_vector)(1 - given->beta1),
                               .rest2 = NPC_V(as_vector)(1 - given->beta2),
                               .epsilon = NPC_V(as_vector)(given->epsilon)};
    NPC_T *param = args->param, *kept[2] = {args->state[0], args->state[1]};
    const NPC_T *grad = args->grad;
    NPC_VEC state[2] = {NPC_V(zero)(), NPC_V(zero)()};
    int64_t i = 0;
    for (; i + NPC_LANES <= args->count; i += NPC_LANES) {
        for (int j = 0; j < states; j++) state[j] = NPC_V(load)(kept[j] + i);
        NPC_V(store)(param + i, NPC_V(updated)(rule, decays, &s, NPC_V(load)(param + i),
                                               NPC_V(load)(grad + i), state));
        for (int j = 0; j < states; j++) NPC_V(store)(kept[j] + i, state[j]);
    }
    if (i < args->count) {
        const int lanes = (int)(args->count - i);
        for (int j = 0; j < states; j++) state[j] = NPC_V(load_first)(kept[j] + i, lanes);
        const NPC_VEC p = NPC_V(load_first)(param + i, lanes);
        const NPC_VEC g = NPC_V(load_first)(grad + i, lanes);
        NPC_V(store_first)(param + i, NPC_V(updated)(rule, decays, &s, p, g, state), lanes);
        for (int j = 0; j < states; j++) NPC_V(store_first)(kept[j] + i, state[j], lanes);
    }
}

NPC_INLINE void NPC_V(update_rule)(const npc_update_args *args, const npc_update_rule rule,
                                   const int states)
{
    if (args->settings->shrink != 1 || args->settings->decay != 0)
        NPC_V(update_body)(args, rule, 1, states);
    else
        NPC_V(update_body)(args, rule, 0, states);
}

NPC_DECLARE(update);
void NPC_NAME(update)(const npc_update_args *args)
{
    switch (args->settings->rule) {
    case NPC_SGD:
        NPC_V(update_rule)(args, NPC_SGD, 0);
        break;
    case NPC_MOMENTUM:
        NPC_V(update_rule)(args, NPC_MOMENTUM, 1);
        break;
    case NPC_NESTEROV:
        NPC_V(update_rule)(args, NPC_NESTEROV, 1);
        break;
    case NPC_ADAGRAD:
        NPC_V(update_rule)(args, NPC_ADAGRAD, 1);
        break;
    case NPC_RMSPROP:
        NPC_V(update_rule)(args, NPC_RMSPROP, 1);
        break;
    default:
        NPC_V(update_rule)(args, NPC_ADAM, 2);
    }
}
