/* implicit_gemm.h: weights x panel of pixels, the product behind `direct`.
 *
 * target[n][k][pixel] = bias[k] + sum over channels and taps of weight[k][c, tap] * source, for any
 * window: the forward convolution, and each phase of the input gradient.
 */
#ifndef NPC_ALGO_IMPLICIT_GEMM_H
#define NPC_ALGO_IMPLICIT_GEMM_H

#include "../plan/conv_plan.h"
#include "finish.h"
#include "panel_product.h"

typedef struct npc_implicit_gemm {
    const npc_kernels *kernels;
    const npc_window *window;
    int64_t batch, groups;
    int64_t channels, rows; /* of a group: source channels, target channels */
    const char *weight;     /* (groups * rows, channels * taps), C-contiguous */
    const char *bias;       /* (groups * rows,) or NULL */
    npc_array target;       /* stride of its spatial axes: from pixel to pixel of the window */
    npc_finish finish;      /* what follows the sum */
    int no_tails;           /* the last pixels of small images are summed as all others are */
} npc_implicit_gemm;

/* The forward convolution's product. */
npc_implicit_gemm npc_forward_gemm(const npc_conv_problem *problem, const npc_window *window);

npc_status npc_implicit_gemm_run(const npc_implicit_gemm *gemm, npc_team *team);

#endif
