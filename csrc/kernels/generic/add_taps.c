/* Adding rows of taps to an image: see npc_add_taps_args. */
#include "../args/spread.h"
#include "kernel.h"

NPC_INLINE void NPC_V(add_first)(const NPC_T *from, NPC_T *to, int lanes)
{
    NPC_V(store_first)
    (to, NPC_V(add)(NPC_V(load_first)(to, lanes), NPC_V(load_first)(from, lanes)), lanes);
}

/* Every second element, of `lanes` pairs of which the last is not complete. */
NPC_INLINE void NPC_V(add_pairs)(const NPC_T *from, NPC_T *to, int lanes)
{
    NPC_VEC even, odd;
    if (lanes > 1) {
        NPC_V(load_pairs)(to, lanes - 1, &even, &odd);
        even = NPC_V(add)(even, NPC_V(load_first)(from, lanes - 1));
        NPC_V(store_pairs)(to, even, odd, 2 * (lanes - 1));
    }
    to[2 * (lanes - 1)] += from[lanes - 1];
}

NPC_INLINE void NPC_V(add_row)(const NPC_T *from, NPC_T *to, int64_t step, int64_t count)
{
    int64_t j = 0;
    if (step == 1) {
        for (; j + NPC_LANES <= count; j += NPC_LANES)
            NPC_V(store)(to + j, NPC_V(add)(NPC_V(load)(to + j), NPC_V(load)(from + j)));
        if (j < count) NPC_V(add_first)(from + j, to + j, (int)(count - j));
    } else if (step == 2) {
        for (; j < count; j += NPC_LANES) NPC_V(add_pairs)
        (from + j, to + 2 * j, (int)(count - j < NPC_LANES ? count - j : NPC_LANES));
    } else {
        for (; j < count; j++) to[j * step] += from[j];
    }
}

NPC_INLINE void NPC_V(add_taps_step)(const npc_add_taps_args *args, const int64_t step)
{
    const NPC_T *from = args->from;
    for (int64_t t = 0; t < args->taps; t++, from += args->from_stride) {
        const npc_spread_tap *tap = &args->tap[t];
        const int64_t count = tap->end - tap->begin;
        if (count <= 0) continue;
        const NPC_T *row = from + tap->begin;
        char *to = (char *)args->to + tap->offset_bytes;
        for (int64_t i = 0; i < args->rows; i++, row += args->count, to += args->row_stride_bytes)
            NPC_V(add_row)(row, (NPC_T *)(void *)to, step, count);
    }
}

NPC_DECLARE(add_taps);
void NPC_NAME(add_taps)(const npc_add_taps_args *args)
{
    switch (args->step) { /* known steps make their own loops */
    case 1:
        NPC_V(add_taps_step)(args, 1);
        break;
    case 2:
        NPC_V(add_taps_step)(args, 2);
        break;
    default:
        NPC_V(add_taps_step)(args, args->step);
        break;
    }
}
