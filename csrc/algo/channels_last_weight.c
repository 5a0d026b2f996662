/* Weights for algorithms of arrays with the channels last: from (output channel, input channel,
 * tap) to panels of output channels whose rows go over taps, then input channels. */
#include <string.h>

#include "../core/scratch.h"
#include "channels_last.h"

enum { STAGE_BYTES = 64 * 1024 }; /* transposed, not yet in order: in L1 or near it */

/* Input channels that the stage has room for. */
static int64_t stage_channels(const npc_channels_last *l)
{
    return npc_min(l->channels, npc_max(1, STAGE_BYTES / (NPC_MAX_TILE * l->taps * l->size)));
}

size_t npc_channels_last_stage_bytes(const npc_channels_last *l)
{
    return l->taps == 1 ? 0 : (size_t)(stage_channels(l) * NPC_MAX_TILE * l->taps * l->size);
}

void npc_channels_last_pack_panel(const npc_channels_last *l, const npc_conv_problem *problem,
                                  int64_t group, int64_t panel, void *stage, char *to)
{
    const int64_t lanes = problem->kernels->lanes, first = npc_channels_last_vector(l, panel);
    const int64_t width = (npc_channels_last_vector(l, panel + 1) - first) * lanes;
    const int64_t filters = npc_min(width, l->rows - first * lanes), row = width * l->size;
    const char *from = (const char *)problem->arrays->weight +
                       (group * l->rows + first * lanes) * l->depth * l->size;
    const int64_t most = l->taps == 1 ? l->channels : stage_channels(l);

    for (int64_t c = 0; c < l->channels; c += most) {
        const int64_t channels = npc_min(most, l->channels - c);
        const npc_transpose_args args = {.from = from + c * l->taps * l->size,
                                         .from_stride = l->depth,
                                         .rows = filters,
                                         .cols = channels * l->taps,
                                         .to = l->taps == 1 ? to : stage,
                                         .to_stride = width,
                                         .fill = 1};
        npc_run_transpose(problem->kernels, &args);
        const char *at = stage;
        for (int64_t i = c; i < c + channels && l->taps > 1; i++)
            for (int64_t tap = 0; tap < l->taps; tap++, at += row)
                memcpy(to + (tap * l->channels + i) * row, at, (size_t)row);
    }
}

typedef struct job {
    const npc_channels_last *l;
    const npc_conv_problem *problem;
    char *to;
} job;

static npc_status pack_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_channels_last *l = j->l;
    const int64_t group = piece / l->panels, panel = piece % l->panels;
    const int64_t vector = group * l->vectors + npc_channels_last_vector(l, panel);
    npc_channels_last_pack_panel(l, j->problem, group, panel, scratch,
                                 j->to + vector * j->problem->kernels->lanes * l->depth * l->size);
    return NPC_OK;
}

int64_t npc_channels_last_bytes(const npc_channels_last *l, const npc_conv_problem *problem)
{
    return l->groups * l->vectors * problem->kernels->lanes * l->depth * l->size;
}

npc_status npc_channels_last_pack(const npc_channels_last *l, npc_conv_problem *problem, char *to)
{
    job j = {.l = l, .problem = problem, .to = to};
    return npc_parallel_for(problem->team, l->groups * l->panels, npc_channels_last_stage_bytes(l),
                            pack_piece, &j);
}

char *npc_channels_last_bias(const npc_channels_last *l, npc_conv_problem *problem)
{
    const int64_t group = l->vectors * problem->kernels->lanes * l->size;
    const int64_t given = l->rows * l->size;
    const char *bias = problem->arrays->bias;
    char *memory = npc_shared_workspace(problem, l->groups * group);
    if (!memory) return NULL;
    for (int64_t i = 0; i < l->groups; i++) {
        memcpy(memory + i * group, bias + i * given, (size_t)given);
        memset(memory + i * group + given, 0, (size_t)(group - given));
    }
    return memory;
}

int64_t npc_channels_last_prepared_bytes(const npc_conv_problem *problem)
{
    const npc_channels_last l = npc_channels_last_of(problem);
    return npc_channels_last_bytes(&l, problem);
}

npc_status npc_channels_last_prepare(npc_conv_problem *problem, void *to)
{
    const npc_channels_last l = npc_channels_last_of(problem);
    return npc_channels_last_pack(&l, problem, to);
}
