/* conv_cost.h: how long an algorithm will take.
 *
 * Predicted time = sum of coefficient * feature. Features are what an algorithm counts of one image
 * of a problem: vector multiply-adds, packed vectors, bytes moved, calls. Coefficients, one vector
 * for each ISA, dtype, algorithm and operation, are measured by bench/fit, which writes
 * conv_costs.def. The time is that of an image on one thread, so the choice depends not on the
 * threads. Nor does it depend on the batch, for any split of which must give the same bits: what
 * counts is the geometric mean of an image alone and one of NPC_COST_BATCH, so that neither is
 * favoured. The weight gradient is summed over the batch and is predicted for the batch it has. */
#ifndef NPC_PLAN_CONV_COST_H
#define NPC_PLAN_CONV_COST_H

#include "conv_plan.h"

enum { NPC_COST_BATCH = 4 };

/* Predicted seconds for an image of an algorithm that accepts the problem; < 0 where nothing is
 * known. */
double npc_conv_seconds(const npc_conv_problem *problem, const npc_conv_algorithm *algorithm,
                        int index);

#endif
