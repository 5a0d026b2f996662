/* Sums over values of a channel, in double: see npc_moments_args. */
#include "../args/normalise.h"
#include "wide.h"

#define PARTS NPC_V(parts)

typedef struct NPC_V(sums) {
    f64_vec first[PARTS], second[PARTS];
} NPC_V(sums);

NPC_INLINE void NPC_V(moments_vector)(const NPC_T *from, const NPC_T *grad, f64_vec shift,
                                      NPC_V(sums) * sums)
{
    NPC_UNROLL
    for (int i = 0; i < PARTS; i++) {
        const f64_vec v = NPC_V(wide)(from, i) - shift;
        const f64_vec g = grad ? NPC_V(wide)(grad, i) : v;
        sums->first[i] = f64_add(sums->first[i], g);
        sums->second[i] = f64_fma(g, v, sums->second[i]);
    }
}

NPC_INLINE void NPC_V(moments_body)(npc_moments_args *args, const int has_grad)
{
    const NPC_T *from = args->from, *grad = has_grad ? args->grad : NULL;
    const f64_vec shift = f64_broadcast(&args->shift);
    NPC_V(sums) even = {{{0}}, {{0}}}, odd = {{{0}}, {{0}}};
    int64_t i = 0;
    for (; i + 2 * NPC_LANES <= args->count; i += 2 * NPC_LANES) {
        NPC_V(moments_vector)(from + i, has_grad ? grad + i : NULL, shift, &even);
        NPC_V(moments_vector)
        (from + i + NPC_LANES, has_grad ? grad + i + NPC_LANES : NULL, shift, &odd);
    }
    for (; i < args->count; i += NPC_LANES) {
        const int64_t lanes = npc_min(NPC_LANES, args->count - i);
        NPC_T values[NPC_LANES], grads[NPC_LANES];
        for (int j = 0; j < NPC_LANES; j++) {
            values[j] = j < lanes ? from[i + j] : 0;
            grads[j] = has_grad && j < lanes ? grad[i + j] : 0;
        }
        if (lanes == NPC_LANES || has_grad) { /* lanes without a gradient count nothing */
            NPC_V(moments_vector)(values, has_grad ? grads : NULL, shift, &even);
            continue;
        }
        for (int64_t j = 0; j < lanes; j++) {
            const double v = (double)values[j] - args->shift;
            args->total[0] += v;
            args->total[1] += v * v;
        }
    }
    for (int part = 0; part < PARTS; part++) {
        args->total[0] += f64_total(f64_add(even.first[part], odd.first[part]));
        args->total[1] += f64_total(f64_add(even.second[part], odd.second[part]));
    }
}

NPC_DECLARE(moments);
void NPC_NAME(moments)(npc_moments_args *args)
{
    if (args->grad)
        NPC_V(moments_body)(args, 1);
    else
        NPC_V(moments_body)(args, 0);
}
