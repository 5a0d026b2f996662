/* elementwise.h: one loop over the elements of up to NPC_OPERANDS arrays of one shape.
 *
 * Axes are ordered by operand 0's strides and joined where all arrays allow it, so that arrays of
 * one memory layout, whatever it is, are one run. Runs that are ready to be used go to the kernel
 * as they lie; others are gathered, converted, into stages and scattered. */
#ifndef NPC_ALGO_ELEMENTWISE_H
#define NPC_ALGO_ELEMENTWISE_H

#include "../core/parallel.h"
#include "../kernels/kernels.h"

/* Processes `count` consecutive elements at the operands' addresses; NULL where there is none. */
typedef void (*npc_element_kernel)(const npc_kernels *kernels, const void *context, int64_t count,
                                   char *const *operand);

typedef struct npc_element_loop {
    const char *operation; /* for npc_plan_info */
    npc_element_kernel kernel;
    const void *context;
    int reads[NPC_OPERANDS], writes[NPC_OPERANDS];
} npc_element_loop;

npc_status npc_each_element(const npc_element_loop *loop, const npc_elements *elements,
                            npc_dtype dtype, const npc_options *options, npc_plan_info *info);

#endif
