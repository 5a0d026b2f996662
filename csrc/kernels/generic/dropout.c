/* Dropout and its gradient, in loops that the compiler vectorises: see npc_dropout_args. */
#include "../args/normalise.h"
#include "kernel.h"

NPC_DECLARE(dropout);
void NPC_NAME(dropout)(const npc_dropout_args *args)
{
    const NPC_T *restrict from = args->from;
    NPC_T *restrict to = args->to;
    uint8_t *restrict mask = args->mask;
    const NPC_T scale = (NPC_T)args->scale;
    if (args->draws) {
        const uint32_t *restrict draws = args->draws, threshold = args->threshold;
        for (int64_t i = 0; i < args->count; i++) {
            const uint8_t kept = draws[i] >= threshold;
            const NPC_T scaled = from[i] * scale;
            mask[i] = kept;
            to[i] = kept ? scaled : 0;
        }
        return;
    }
    for (int64_t i = 0; i < args->count; i++) {
        const NPC_T scaled = from[i] * scale;
        to[i] = mask[i] ? scaled : 0;
    }
}
