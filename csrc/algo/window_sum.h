/* window_sum.h: sums over what each pixel of a target meets in a source, the engine of averages. */
#ifndef NPC_ALGO_WINDOW_SUM_H
#define NPC_ALGO_WINDOW_SUM_H

#include "../core/parallel.h"
#include "../kernels/kernels.h"
#include "reach.h"

/* A run of pixels of a row. */
typedef struct npc_sum_run {
    int64_t n, c, at[NPC_SPATIAL], count;
} npc_sum_run;

typedef struct npc_window_sum {
    npc_reach_axis axis[NPC_SPATIAL];
    const npc_array *from, *to; /* elements of `to` are of `dtype` */
    npc_dtype dtype;
    const npc_kernels *kernels;
    int64_t batch, channels;
    /* What is divided: nothing (1), or by `divisor`, or if that is 0 by the number of elements of
     * each window. From the outputs to the input the sum is, backward its terms. */
    double divisor;
    int include_pad;
    /* Reads a run of the source instead, as elements of `dtype`; does something to a run of the
     * result; or NULL. */
    void (*read)(const void *context, const npc_sum_run *run, void *to);
    void (*finish)(const void *context, const npc_sum_run *run, void *row);
    const void *context;
} npc_window_sum;

/* Over a pooling's windows, or backward from its outputs to its input; divides by nothing. */
npc_status npc_window_sum_set(npc_window_sum *sum, const npc_pool_geometry *g, int backward,
                              const npc_array *from, const npc_array *to, npc_dtype dtype,
                              const npc_options *options);

npc_status npc_window_sum_run(const npc_window_sum *sum, const char *operation,
                              const npc_options *options, npc_plan_info *info);

#endif
