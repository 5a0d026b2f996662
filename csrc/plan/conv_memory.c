#include "conv_memory.h"

#include <string.h>

enum { ENTRIES = 16 };

typedef struct entry {
    npc_conv_geometry geometry; /* the batch, which comes first, counts for the weight gradient */
    int algorithm;              /* plus one, so that zeros are no entry */
    int operation, dtype, isa, strict, channels_last;
} entry;

_Static_assert(offsetof(npc_conv_geometry, groups) == sizeof(int64_t), "the batch comes first");

static entry *entry_of(const npc_conv_problem *problem)
{
    static _Thread_local entry entries[ENTRIES];
    const npc_conv_geometry *g = problem->geometry;
    const uint64_t mixed = (uint64_t)g->in_channels * 3 + (uint64_t)g->out_channels * 5 +
                           (uint64_t)g->input[2] * 7 + (uint64_t)g->kernel[2] +
                           (uint64_t)problem->operation * 11;
    return &entries[(mixed ^ mixed >> 4) % ENTRIES];
}

int npc_conv_recall(const npc_conv_problem *problem)
{
    const entry *e = entry_of(problem);
    const size_t rest = sizeof e->geometry - sizeof(int64_t);
    const int same_batch = e->geometry.batch == problem->geometry->batch;
    if (e->algorithm == 0 || e->operation != (int)problem->operation ||
        e->dtype != (int)problem->dtype || e->isa != problem->kernels->isa ||
        e->strict != problem->strict || e->channels_last != problem->channels_last ||
        (problem->operation == NPC_WEIGHT_GRAD && !same_batch) ||
        memcmp(&e->geometry.groups, &problem->geometry->groups, rest) != 0)
        return -1;
    return e->algorithm - 1;
}

void npc_conv_remember(const npc_conv_problem *problem, int algorithm)
{
    *entry_of(problem) = (entry){.geometry = *problem->geometry,
                                 .algorithm = algorithm + 1,
                                 .operation = (int)problem->operation,
                                 .dtype = (int)problem->dtype,
                                 .isa = problem->kernels->isa,
                                 .strict = problem->strict,
                                 .channels_last = problem->channels_last};
}
