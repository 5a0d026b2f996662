/* Max-pooling and its gradient where channels are innermost: see npc_max_pixels_args. */
#include "../args/max_pool.h"
#include "kernel.h"

NPC_INLINE void NPC_V(max_pixels_body)(const npc_max_pixels_args *args, const int index_bytes,
                                       const int smallest)
{
    const int64_t group = args->group;
    for (int64_t w = 0; w < args->count; w++) {
        const NPC_T *pixel = (const NPC_T *)args->from + w * args->step;
        const NPC_V(ints) base = NPC_V(int_broadcast)(args->base + w * args->base_step);
        for (int64_t c = 0; c < group; c += NPC_LANES) {
            const int lanes = (int)npc_min(NPC_LANES, group - c);
            NPC_VEC best = NPC_V(load_first)(pixel + c + args->offset[0], lanes);
            NPC_V(ints) number = NPC_V(int_broadcast)(args->number[0]);
            for (int64_t k = 1; k < args->taps; k++) {
                const NPC_VEC v = NPC_V(load_first)(pixel + c + args->offset[k], lanes);
                const NPC_V(mask) better =
                    smallest ? NPC_V(undercuts)(v, best) : NPC_V(beats)(v, best);
                best = NPC_V(select)(better, v, best);
                if (index_bytes)
                    number =
                        NPC_V(int_select)(better, NPC_V(int_broadcast)(args->number[k]), number);
            }
            const int64_t at = w * group + c;
            NPC_V(store_first)((NPC_T *)args->out + at, best, lanes);
            if (index_bytes == 8)
                NPC_V(store_int64)(args->index64 + at, NPC_V(int_add)(number, base), lanes);
            if (index_bytes == 1)
                NPC_V(store_bytes)(args->index8 + at, NPC_V(int_add)(number, base), lanes);
        }
    }
}

NPC_INLINE void NPC_V(max_pixels_indices)(const npc_max_pixels_args *args, const int smallest)
{
    if (args->index64)
        NPC_V(max_pixels_body)(args, 8, smallest);
    else if (args->index8)
        NPC_V(max_pixels_body)(args, 1, smallest);
    else
        NPC_V(max_pixels_body)(args, 0, smallest);
}

NPC_DECLARE(max_pixels);
void NPC_NAME(max_pixels)(const npc_max_pixels_args *args)
{
    assert(args->taps >= 1);
    if (args->smallest)
        NPC_V(max_pixels_indices)(args, 1);
    else
        NPC_V(max_pixels_indices)(args, 0);
}

NPC_DECLARE(unpool_pixels);
int64_t NPC_NAME(unpool_pixels)(const npc_unpool_pixels_args *args)
{
    const int64_t group = args->group;
    const uint64_t origin = (uint64_t)args->origin, limit = (uint64_t)args->limit;
    int64_t found = 0;
    for (int64_t w = 0; w < args->count; w++) {
        const int64_t *index = args->index + w * group;
        const NPC_T *grad = (const NPC_T *)args->grad + w * group;
        NPC_T *to = args->to;
        for (int64_t c = 0; c < group; c++) {
            /* Looked at once, for another thread of the caller's may write to it meanwhile. */
            const uint64_t at = (uint64_t)((const volatile int64_t *)index)[c] - origin;
            if (NPC_UNLIKELY(at >= limit)) continue;
            to[(int64_t)at * group + c] += grad[c];
            found++;
        }
    }
    return found;
}
