/* Local response normalisation of a tile, lanes are pixels: see npc_response_norm_args. */
#include "../args/normalise.h"
#include "kernel.h"

/* d ^ -beta; by roots for the usual exponents. */
NPC_INLINE NPC_VEC NPC_V(inverse_power)(NPC_VEC d, const double beta)
{
    const NPC_T one_value = 1;
    const NPC_VEC one = NPC_V(broadcast)(&one_value);
    if (beta == 0.75) {
        const NPC_VEC root = NPC_V(root)(d);
        return one / (root * NPC_V(root)(root));
    }
    if (beta == 0.5) return one / NPC_V(root)(d);
    if (beta == 1) return one / d;
    NPC_T lane[NPC_LANES];
    NPC_V(store)(lane, d);
    for (int i = 0; i < NPC_LANES; i++) lane[i] = (NPC_T)__builtin_pow((double)lane[i], -beta);
    return NPC_V(load)(lane);
}

NPC_DECLARE(response_norm);
void NPC_NAME(response_norm)(const npc_response_norm_args *args)
{
    const int64_t channels = args->channels, pitch = args->pitch;
    const NPC_T alpha_value = (NPC_T)args->alpha, k_value = (NPC_T)args->k;
    const NPC_T slope_value = (NPC_T)(-2 * args->alpha * args->beta);
    const NPC_VEC alpha = NPC_V(broadcast)(&alpha_value), k = NPC_V(broadcast)(&k_value);
    const NPC_VEC slope = NPC_V(broadcast)(&slope_value);
    for (int64_t j = 0; j < args->count; j += NPC_LANES) {
        const NPC_T *from = (const NPC_T *)args->from + j;
        const NPC_T *grad = args->grad ? (const NPC_T *)args->grad + j : NULL;
        NPC_T *to = (NPC_T *)args->to + j, *power = (NPC_T *)args->power + j;
        NPC_T *mutual = (NPC_T *)args->mutual + j;
        for (int64_t c = 0; c < channels; c++) {
            const int64_t first = npc_max(c - args->before, 0);
            const int64_t last = npc_min(c + args->after, channels - 1);
            NPC_VEC sum = NPC_V(zero)();
            for (int64_t i = first; i <= last; i++) {
                const NPC_VEC v = NPC_V(load)(from + i * pitch);
                sum = NPC_V(fma)(v, v, sum);
            }
            const NPC_VEC d = NPC_V(fma)(alpha, sum, k);
            const NPC_VEC p = NPC_V(inverse_power)(d, args->beta);
            const NPC_VEC x = NPC_V(load)(from + c * pitch);
            if (!grad) {
                NPC_V(store)(to + c * pitch, x * p);
                continue;
            }
            const NPC_VEC g = NPC_V(load)(grad + c * pitch);
            NPC_V(store)(power + c * pitch, p);
            NPC_V(store)(mutual + c * pitch, g * x * (p / d));
        }
        /* Channel c is in the windows of those from c - after to c + before. */
        for (int64_t c = 0; grad && c < channels; c++) {
            const int64_t first = npc_max(c - args->after, 0);
            const int64_t last = npc_min(c + args->before, channels - 1);
            NPC_VEC sum = NPC_V(zero)();
            for (int64_t i = first; i <= last; i++)
                sum = NPC_V(add)(sum, NPC_V(load)(mutual + i * pitch));
            const NPC_VEC x = NPC_V(load)(from + c * pitch), g = NPC_V(load)(grad + c * pitch);
            const NPC_VEC p = NPC_V(load)(power + c * pitch);
            NPC_V(store)(to + c * pitch, NPC_V(fma)(slope * x, sum, g * p));
        }
    }
}
