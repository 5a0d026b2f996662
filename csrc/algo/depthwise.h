/* depthwise.h: convolutions whose output channels each read one input channel.
 *
 * target[n][k][pixel] = bias[k] + sum over j < sources, taps of
 *     weight[k][j, tap] * source[n][k / sharers * sources + j],
 * for any window whose taps lie in ascending order: the forward convolution, where `sharers` output
 * channels read the same input channel, and the phases of the input gradient, where it has
 * `sources` output channels.
 */
#ifndef NPC_ALGO_DEPTHWISE_H
#define NPC_ALGO_DEPTHWISE_H

#include "../plan/conv_plan.h"
#include "finish.h"
#include "panel.h"

typedef struct npc_depthwise {
    const npc_kernels *kernels;
    const npc_window *window;
    int64_t batch, channels, sources, sharers;
    const char *weight; /* (channels, sources, taps), C-contiguous */
    const char *bias;   /* (channels,) or NULL */
    npc_array target;   /* stride of its spatial axes: from pixel to pixel of the window */
    npc_finish finish;  /* what follows the sum */
} npc_depthwise;

/* Whether the rows that a window reads can be staged in a thread's scratch. */
int npc_depthwise_fits(const npc_window *window);

/* Whether planes are done several at a time, which npc_depthwise_run then does. */
int npc_depthwise_fits_planes(const npc_depthwise *depthwise);
npc_status npc_depthwise_run_planes(const npc_depthwise *depthwise, npc_team *team);

/* Likewise for small planes, as many at a time as a vector has lanes. */
int npc_depthwise_fits_blocks(const npc_depthwise *depthwise);
npc_status npc_depthwise_run_blocks(const npc_depthwise *depthwise, npc_team *team);

npc_status npc_depthwise_run(const npc_depthwise *depthwise, npc_team *team);

/* The gradients that have passes of their own, where they fit. */
int npc_depthwise_weight_grad_fits(const npc_conv_problem *problem);
npc_status npc_depthwise_weight_grad(npc_conv_problem *problem);
int npc_depthwise_input_grad_fits(const npc_conv_geometry *geometry); /* small, at stride 2 */
npc_status npc_depthwise_input_grad(npc_conv_problem *problem);

int npc_depthwise_phases_fit(const npc_conv_problem *problem); /* at any stride */
npc_status npc_depthwise_input_grad_phases(npc_conv_problem *problem);

/* Of arrays with the channels last, for kernels of at most so many taps. */
enum { NPC_DEPTHWISE_LAST_TAPS = 4096 };
npc_status npc_depthwise_last_weight_grad(npc_conv_problem *problem);
/* Bits of the features that a call counts once. */
#define NPC_DEPTHWISE_LAST_WEIGHT_GRAD_ONCE 0x21u
void npc_depthwise_last_weight_grad_features(const npc_conv_problem *problem, double *feature);

#endif
