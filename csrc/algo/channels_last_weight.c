/* Weights for channels_last: from (output channel, input channel, tap) to panels of output
 * channels whose rows go over taps, then input channels. */
#include <string.h>

#include "../core/scratch.h"
#include "channels_last.h"

enum { STAGE_BYTES = 64 * 1024 }; /* transposed, not yet in order: in L1 or near it */

typedef struct job {
    const npc_channels_last *l;
    const npc_kernels *kernels;
    const char *weight;
    char *to;
    int64_t channels; /* that the stage has room for */
} job;

static npc_status pack_panel(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_channels_last *l = j->l;
    const int64_t group = piece / l->panels, panel = piece % l->panels;
    const int64_t first = npc_channels_last_vector(l, panel), lanes = j->kernels->lanes;
    const int64_t width = (npc_channels_last_vector(l, panel + 1) - first) * lanes;
    const int64_t filters = npc_min(width, l->rows - first * lanes), row = width * l->size;
    const char *from = j->weight + (group * l->rows + first * lanes) * l->depth * l->size;
    char *to = j->to + (group * l->vectors + first) * lanes * l->depth * l->size;

    for (int64_t c = 0; c < l->channels; c += j->channels) {
        const int64_t channels = npc_min(j->channels, l->channels - c);
        const npc_transpose_args args = {.from = from + c * l->taps * l->size,
                                         .from_stride = l->depth,
                                         .rows = filters,
                                         .cols = channels * l->taps,
                                         .to = scratch,
                                         .to_stride = width,
                                         .fill = 1};
        npc_run_transpose(j->kernels, &args);
        const char *stage = scratch;
        for (int64_t i = c; i < c + channels; i++)
            for (int64_t tap = 0; tap < l->taps; tap++, stage += row)
                memcpy(to + (tap * l->channels + i) * row, stage, (size_t)row);
    }
    return NPC_OK;
}

int64_t npc_channels_last_bytes(const npc_channels_last *l, const npc_conv_problem *problem)
{
    return l->groups * l->vectors * problem->kernels->lanes * l->depth * l->size;
}

npc_status npc_channels_last_pack(const npc_channels_last *l, npc_conv_problem *problem, char *to)
{
    const int64_t column = NPC_MAX_TILE * l->taps * l->size; /* of an input channel */
    const job j = {.l = l,
                   .kernels = problem->kernels,
                   .weight = problem->arrays->weight,
                   .to = to,
                   .channels = npc_max(1, STAGE_BYTES / column)};
    return npc_parallel_for(problem->team, l->groups * l->panels, (size_t)(j.channels * column),
                            pack_panel, (void *)&j);
}
