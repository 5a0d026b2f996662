/* gemm_features.h: what the algorithms on panels count of a problem, for conv_cost.h. */
#ifndef NPC_ALGO_GEMM_FEATURES_H
#define NPC_ALGO_GEMM_FEATURES_H

#include "../plan/conv_plan.h"

/* Bits of the features that a call of direct's input gradient counts once: the weights' copy. */
#define NPC_DIRECT_INPUT_GRAD_ONCE 0x841u
void npc_direct_features(const npc_conv_problem *problem, double *feature);
void npc_im2col_features(const npc_conv_problem *problem, double *feature);

/* Whether im2col's input gradient leaves the weights as they are and transposes the pixels. */
int npc_im2col_has_few_pixels(const npc_conv_geometry *geometry);

#endif
