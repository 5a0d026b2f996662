/* weight_grad.h: the weight gradient as dot products over pixels. */
#ifndef NPC_ALGO_WEIGHT_GRAD_H
#define NPC_ALGO_WEIGHT_GRAD_H

#include "../plan/conv_plan.h"

/* `vector_loads`: whether panels may be packed by vector loads (direct) or row by row (im2col). */
npc_status npc_weight_grad(npc_conv_problem *problem, int vector_loads);

#endif
