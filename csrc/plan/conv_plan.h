/* conv_plan.h: what an algorithm is given, and the list of algorithms. */
#ifndef NPC_PLAN_CONV_PLAN_H
#define NPC_PLAN_CONV_PLAN_H

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../include/npc_border.h"
#include "../kernels/kernels.h"

struct npc_bias_grad;

typedef struct npc_conv_problem {
    npc_conv_operation operation;
    const npc_conv_geometry *geometry;
    const npc_conv_arrays *arrays; /* NULL while candidates are asked */
    const npc_border *border;      /* around the images; NULL: none, or zeros by the geometry */
    npc_dtype dtype;
    int strict;        /* direct summation only: who computes otherwise declines */
    int channels_last; /* from npc_options */
    int forced;        /* the caller named the algorithm: it declines only what it cannot compute */
    const npc_kernels *kernels;
    npc_team *team;
    const void *prepared;            /* by the algorithm's own prepare, or NULL */
    int64_t shared_bytes;            /* workspace shared by the threads, for npc_plan_info */
    struct npc_bias_grad *bias_grad; /* to be summed with the weight gradient, or NULL */
    int wants_padded; /* set by who reads a border, and found that it cannot go without a copy */
    int finished;     /* set where an input gradient has had its bias, addend and activation */
} npc_conv_problem;

/* An algorithm accepts a problem or declines with a reason, and computes what it accepted. What it
 * counts of an accepted problem (conv_cost.h), `feature` coming in as zeros, or NULL. It may not
 * look at the batch, the arrays or the team when it declines or counts: the choice must not depend
 * on them. But for the weight gradient, which sums over the batch: there the plan does. */
typedef struct npc_conv_algorithm {
    const char *name;
    const char *(*declines)(const npc_conv_problem *problem);
    npc_status (*run)(npc_conv_problem *problem);
    void (*features)(const npc_conv_problem *problem, double feature[NPC_COST_FEATURES]);
    /* For forward calls, or both NULL: bytes that the weight takes once it is prepared, which may
     * depend on neither batch nor team; and what fills them, arrays->weight being there only. */
    int64_t (*prepared_bytes)(const npc_conv_problem *problem);
    npc_status (*prepare)(npc_conv_problem *problem, void *to);
    /* By operation, how many times as long it takes where channels come last, or 0: no longer. */
    double channels_last_factor[NPC_OPERATION_COUNT];
    /* By operation, the features that a call counts once, however many images it has, as bits, the
     * first feature's the lowest; 0: only the first, the call. */
    unsigned once[NPC_OPERATION_COUNT];
} npc_conv_algorithm;

enum {
#define NPC_CONV_ALGORITHM(name) NPC_CONV_##name,
#include "conv_algorithms.def"
#undef NPC_CONV_ALGORITHM
    NPC_CONV_ALGORITHMS
};

#define NPC_CONV_ALGORITHM(name) extern const npc_conv_algorithm npc_conv_##name;
#include "conv_algorithms.def"
#undef NPC_CONV_ALGORITHM

/* The algorithm that runs a problem; NULL where what is forced cannot. */
const npc_conv_algorithm *npc_conv_choose(const npc_conv_problem *problem,
                                          const npc_options *options);

/* Runs it, or does what has no terms to sum, and what is to follow. */
npc_status npc_conv_run(npc_conv_problem *problem, const npc_conv_algorithm *algorithm);

/* Sets problem->prepared from the arrays, or answers NPC_BAD_PREPARED. */
npc_status npc_conv_take_prepared(npc_conv_problem *problem, const npc_conv_algorithm *algorithm);

/* The sizes that C indexes with, checked again: each in range and every window inside. */
int npc_conv_is_consistent(const npc_conv_geometry *geometry);

/* Derived sizes that every algorithm uses. */
NPC_INLINE int64_t npc_group_in(const npc_conv_geometry *g) { return g->in_channels / g->groups; }
NPC_INLINE int64_t npc_group_out(const npc_conv_geometry *g) { return g->out_channels / g->groups; }
NPC_INLINE int64_t npc_conv_depth(const npc_conv_geometry *g)
{
    return npc_group_in(g) * npc_volume(g->kernel);
}
/* A volume as a number that cannot overflow, for counting work. */
NPC_INLINE double npc_count(const int64_t size[NPC_SPATIAL])
{
    return (double)size[0] * (double)size[1] * (double)size[2];
}
double npc_conv_flops(const npc_conv_geometry *geometry);

/* Shared workspace: `size` bytes, aligned, counted in problem->shared_bytes; NULL if there are
 * none. npc_recycle_give releases it. */
void *npc_shared_workspace(npc_conv_problem *problem, int64_t size);

#endif
