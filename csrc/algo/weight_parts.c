/* Partial sums of the weight gradient. How many there are depends on the geometry alone, and they
 * are added as a tree of fixed shape, so the bits do not depend on threads. */

#include "weight_grad.h"

enum {
    FREE_BYTES = 2 << 20,     /* partial sums may use this, or twice the weights */
    STRETCH_BYTES = 16 * 1024 /* of a part, added at once */
};

static int64_t weights_bytes(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    return g->out_channels * npc_conv_depth(g) * (int64_t)npc_dtype_size(problem->dtype);
}

int64_t npc_weight_parts_most(const npc_conv_problem *problem, int64_t wanted)
{
    const int64_t fitting = FREE_BYTES / npc_max(weights_bytes(problem), 1);
    return npc_max(1, npc_min(wanted, 1 + npc_max(2, fitting)));
}

npc_status npc_weight_parts_start(npc_weight_parts *p, npc_conv_problem *problem, int64_t count)
{
    *p = (npc_weight_parts){.problem = problem, .parts = count, .bytes = weights_bytes(problem)};
    if (count > 1) {
        p->partial = npc_shared_workspace(problem, (count - 1) * p->bytes);
        if (!p->partial) return NPC_NO_MEMORY;
    }
    return NPC_OK;
}

char *npc_weight_part(const npc_weight_parts *p, int64_t part)
{
    return part == 0 ? p->problem->arrays->weight : p->partial + (part - 1) * p->bytes;
}

static int64_t stretches(const npc_weight_parts *p) { return p->bytes / STRETCH_BYTES + 1; }

static npc_status add_stretch(void *context, int64_t stretch, void *scratch)
{
    (void)scratch;
    const npc_weight_parts *p = context;
    const int64_t size = (int64_t)npc_dtype_size(p->problem->dtype);
    const int64_t first = npc_split(p->bytes / size, stretches(p), stretch);
    const int64_t count = npc_split(p->bytes / size, stretches(p), stretch + 1) - first;
    for (int64_t apart = 1; apart < p->parts; apart *= 2)
        for (int64_t part = 0; part + apart < p->parts; part += 2 * apart)
            npc_run_add(p->problem->kernels, npc_weight_part(p, part) + first * size,
                        npc_weight_part(p, part + apart) + first * size, count);
    return NPC_OK;
}

npc_status npc_weight_parts_finish(npc_weight_parts *p, npc_status status)
{
    if (status == NPC_OK && p->parts > 1)
        status = npc_parallel_for(p->problem->team, stretches(p), 0, add_stretch, p);
    npc_recycle_give(p->partial);
    p->partial = NULL;
    return status;
}
