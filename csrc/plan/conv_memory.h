/* conv_memory.h: choices that this thread has made before.
 *
 * The choice is a function of operation, geometry without the batch, dtype, ISA and precision.
 * Predicting every candidate takes some tenths of a microsecond, as long as a tiny convolution
 * itself; programs repeat the same few geometries. */
#ifndef NPC_PLAN_CONV_MEMORY_H
#define NPC_PLAN_CONV_MEMORY_H

#include "conv_plan.h"

/* The algorithm's index in the list, or -1. */
int npc_conv_recall(const npc_conv_problem *problem);
void npc_conv_remember(const npc_conv_problem *problem, int algorithm);

#endif
