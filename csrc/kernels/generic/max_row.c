/* Maxima over windows of rows, for max-pooling: see npc_max_row_args. */
#include "kernel.h"

NPC_INLINE void NPC_V(max_row_body)(const npc_max_row_args *args, const int64_t step,
                                    const int numbered)
{
    for (int64_t i = 0; i < args->count; i += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->count - i);
        NPC_VEC best = NPC_V(load_step)((const NPC_T *)args->rows[0] + i * step, step, lanes);
        NPC_VEC number = NPC_V(zero)();
        NPC_T next = 0;
        for (int64_t r = 0; r < args->row_count; r++) {
            const NPC_T *from = (const NPC_T *)args->rows[r] + i * step;
            for (int64_t s = 0; s < args->taps; s++, from += args->spacing, next += 1) {
                const NPC_VEC v = NPC_V(load_step)(from, step, lanes);
                const NPC_V(mask) better = NPC_V(beats)(v, best);
                best = NPC_V(select)(better, v, best);
                if (numbered) number = NPC_V(select)(better, NPC_V(broadcast)(&next), number);
            }
        }
        NPC_V(store_first)((NPC_T *)args->best + i, best, lanes);
        if (numbered) NPC_V(store_first)((NPC_T *)args->number + i, number, lanes);
    }
}

void NPC_NAME(max_row)(const npc_max_row_args *args)
{
    if (args->step == 1 && args->number) /* constant steps become plain loads and shuffles */
        NPC_V(max_row_body)(args, 1, 1);
    else if (args->step == 1)
        NPC_V(max_row_body)(args, 1, 0);
    else if (args->step == 2 && args->number)
        NPC_V(max_row_body)(args, 2, 1);
    else if (args->step == 2)
        NPC_V(max_row_body)(args, 2, 0);
    else
        NPC_V(max_row_body)(args, args->step, args->number != NULL);
}
