/* weight_grad.h: the weight gradient, dw[k][c, tap] = the sum over all pixels of dy[k][pixel] *
 * x[c][the pixel's tap]. */
#ifndef NPC_ALGO_WEIGHT_GRAD_H
#define NPC_ALGO_WEIGHT_GRAD_H

#include "../plan/conv_plan.h"
#include "panel.h"

/* On UK3, pixels by channels; windows that are too large or spread out fall to the other. */
npc_status npc_weight_grad(npc_conv_problem *problem);

/* Bits of the features that a call counts once. */
#define NPC_WEIGHT_GRAD_ONCE 0x101u
void npc_weight_grad_features(const npc_conv_problem *problem, double *feature);

/* As dot products over pixels. `vector_loads`: whether panels may be packed by vector loads or row
 * by row, as im2col does. */
npc_status npc_weight_grad_dot(npc_conv_problem *problem, int vector_loads);

/* Where taps in the padding were multiplied as zeros: zero times a non-finite gradient is NaN where
 * the definition skips the product. A NaN is computed again if such a gradient meets the padding
 * under its tap. */
npc_status npc_weight_grad_mend(const npc_conv_problem *problem, const npc_window *window);

/* Sums of parts of the batch: (parts, K, C/groups, KD, R, S), the first of which is the result. */
typedef struct npc_weight_parts {
    npc_conv_problem *problem;
    int64_t parts, bytes; /* of one */
    char *partial;        /* the others */
} npc_weight_parts;

/* How many parts there may be: as many as wanted, but their memory is twice the weights or little.
 */
int64_t npc_weight_parts_most(const npc_conv_problem *problem, int64_t wanted);
npc_status npc_weight_parts_start(npc_weight_parts *parts, npc_conv_problem *problem,
                                  int64_t count);
/* The part's sums, or the result itself. */
char *npc_weight_part(const npc_weight_parts *parts, int64_t part);
/* Adds the parts to the result, in a fixed order, if `status` is NPC_OK; frees them anyway. */
npc_status npc_weight_parts_finish(npc_weight_parts *parts, npc_status status);

#endif
