/* bias_grad.h: the bias gradient, sums of dy over images and pixels.
 *
 * The pixels of an image's channel are counted through and cut into stretches, whose sums are added
 * in order in double precision. Who sums a stretch does not show: a pass of its own, or the weight
 * gradient, which reads dy anyway and so has it in cache (npc_bias_grad_take). */
#ifndef NPC_ALGO_BIAS_GRAD_H
#define NPC_ALGO_BIAS_GRAD_H

#include "../plan/conv_plan.h"

typedef struct npc_bias_grad {
    const npc_conv_geometry *geometry;
    const npc_kernels *kernels;
    const npc_array *grad;
    char *out;
    int64_t size, pixels;       /* of an element, of an image's channel */
    int64_t stretch, stretches; /* pixels of one; of an image's channel */
    int in_place;               /* a channel's pixels follow each other, as they are needed */
    char *part;                 /* (N, stretches, K) sums, where another pass takes them */
} npc_bias_grad;

void npc_bias_grad_start(npc_bias_grad *b, const npc_conv_geometry *geometry, const npc_array *grad,
                         void *out, const npc_kernels *kernels);

/* For an algorithm of the weight gradient: the sums that it shall take, each once; or NULL. */
const npc_bias_grad *npc_bias_grad_take(npc_conv_problem *problem);

/* Takes those that start at pixels [first, end) of `channels` channels of an image. */
void npc_bias_grad_sum(const npc_bias_grad *b, int64_t image, int64_t channel, int64_t channels,
                       int64_t first, int64_t end);

/* Sums what has not been taken, if `status` is NPC_OK, and writes the result. */
npc_status npc_bias_grad_finish(npc_bias_grad *b, npc_team *team, npc_status status);

#endif
