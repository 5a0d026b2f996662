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

/* ---- the gradient ---- */

NPC_INLINE int64_t NPC_V(unpool_elements)(const npc_unpool_pixels_args *args, const int64_t group)
{
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

NPC_DECLARE(unpool_pixels);
int64_t NPC_NAME(unpool_pixels)(const npc_unpool_pixels_args *args)
{
    if (args->group == 1) return NPC_V(unpool_elements)(args, 1);
    if (args->group == 3) return NPC_V(unpool_elements)(args, 3);
    if (args->group == 8) return NPC_V(unpool_elements)(args, 8);
    return NPC_V(unpool_elements)(args, args->group);
}

/* Indices as they would be if they counted from where pixel 0 counts. */
NPC_INLINE void NPC_V(unpool_numbers)(const npc_unpool_taps_args *args, int64_t count,
                                      int64_t group, const int bytes)
{
    for (int64_t w = 0; w < count; w++) {
        const NPC_V(ints) base = NPC_V(int_broadcast)(-w * args->base_step);
        for (int64_t c = 0; c < group; c += NPC_LANES) {
            const int lanes = (int)npc_min(NPC_LANES, group - c);
            const int64_t at = w * group + c;
            NPC_V(ints) index;
            if (bytes)
                index = NPC_V(load_bytes)(args->index8 + at, lanes);
            else
                index = NPC_V(load_int64)(args->index64 + at, lanes);
            NPC_V(int_store)((NPC_T *)args->numbers + at, NPC_V(int_add)(index, base));
        }
    }
}

/* A tap's pixels; returns how many indices name it. */
NPC_INLINE int64_t NPC_V(unpool_tap)(const npc_unpool_taps_args *args, int64_t tap, const int set)
{
    const int64_t begin = args->begin[tap], first = begin * args->group;
    const NPC_T *numbers = (const NPC_T *)args->numbers + first;
    const NPC_T *grad = (const NPC_T *)args->grad + first;
    NPC_T *to = (NPC_T *)args->to + args->offset[tap] + begin * args->step;
    const NPC_V(ints) number = NPC_V(int_broadcast)(args->number[tap]);
    int64_t count = args->end[tap] - begin, group = args->group, found = 0;
    if (args->step == group) { /* pixels follow each other on both sides */
        group *= count;
        count = 1;
    }
    for (int64_t w = 0; w < count; w++, numbers += group, grad += group, to += args->step) {
        int64_t c = 0;
        for (; c + NPC_LANES <= group; c += NPC_LANES) {
            const NPC_V(mask) here = NPC_V(int_equal)(NPC_V(int_load)(numbers + c), number);
            const NPC_VEC old = set ? NPC_V(zero)() : NPC_V(load)(to + c),
                          v = NPC_V(load)(grad + c);
            NPC_V(store)(to + c,
                         set ? NPC_V(select)(here, v, old) : NPC_V(add_where)(here, old, v));
            found += __builtin_popcount(NPC_V(mask_bits)(here));
        }
        if (c < group) {
            const int lanes = (int)(group - c);
            const NPC_V(mask) here = NPC_V(int_equal)(NPC_V(int_load)(numbers + c), number);
            const NPC_VEC v = NPC_V(load_first)(grad + c, lanes);
            NPC_VEC old = NPC_V(zero)();
            if (!set) old = NPC_V(load_first)(to + c, lanes);
            NPC_V(store_first)
            (to + c, set ? NPC_V(select)(here, v, old) : NPC_V(add_where)(here, old, v), lanes);
            found += __builtin_popcount(NPC_V(mask_bits)(here) & ((1u << lanes) - 1));
        }
    }
    return found;
}

NPC_DECLARE(unpool_taps);
int64_t NPC_NAME(unpool_taps)(const npc_unpool_taps_args *args)
{
    int64_t found = 0, count = args->count, group = args->group;
    if (args->base_step == 0) {
        group *= count;
        count = 1;
    }
    if (args->index8)
        NPC_V(unpool_numbers)(args, count, group, 1);
    else
        NPC_V(unpool_numbers)(args, count, group, 0);
    for (int64_t k = 0; k < args->taps; k++)
        found += args->set ? NPC_V(unpool_tap)(args, k, 1) : NPC_V(unpool_tap)(args, k, 0);
    return found;
}
