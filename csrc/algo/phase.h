/* phase.h: the input gradient as convolutions at stride 1.
 *
 * At stride s, input pixels fall into phases by their remainder modulo s; within a phase the taps
 * that reach a pixel are the same, so each phase is a convolution of the output's gradient with a
 * part of the flipped kernel, whose result lies s pixels apart. */
#ifndef NPC_ALGO_PHASE_H
#define NPC_ALGO_PHASE_H

#include "../plan/conv_plan.h"
#include "panel.h"

/* A phase along one axis: input pixels pixel0, pixel0 + stride, ... are reached by kernel taps
 * tap0, tap0 + tap_step, ... */
typedef struct npc_phase {
    int64_t pixel0, tap0, tap_step;
    npc_axis axis;
} npc_phase;

/* Distinct remainders that any tap reaches; phases beyond them have no taps and are zero. */
NPC_INLINE int64_t npc_phase_count(const npc_conv_geometry *g, int i)
{
    return npc_min(g->kernel[i],
                   g->stride[i] / npc_greatest_common_divisor(g->stride[i], g->dilation[i]));
}

/* Phase `index` of axis i: that of tap `index`. Input pixel p and tap t meet at output pixel
 * (p + pad - t * dilation) / stride where that is whole. Returns 0 if the phase has no pixels. */
NPC_INLINE int npc_phase_find(const npc_conv_geometry *g, int i, int64_t index, npc_phase *f)
{
    const int64_t stride = g->stride[i], dilation = g->dilation[i];
    const int64_t common = npc_greatest_common_divisor(stride, dilation);
    const int64_t reach = index * dilation - g->pad_before[i];
    int64_t pixel = reach % stride;
    if (pixel < 0) pixel += stride;
    if (pixel >= g->input[i]) return 0;
    f->pixel0 = pixel;
    f->tap0 = index;
    f->tap_step = stride / common;
    f->axis = (npc_axis){.extent = g->output[i],
                         .pixels = npc_ceil_div(g->input[i] - pixel, stride),
                         .step = 1,
                         .taps = npc_ceil_div(g->kernel[i] - index, f->tap_step),
                         .first = (pixel - reach) / stride,
                         .spacing = -(dilation / common)};
    return 1;
}

/* All phases of a convolution, those of each axis: together any one of each. */
typedef struct npc_phases {
    npc_phase *axis[NPC_SPATIAL];
    int64_t *taps_before[NPC_SPATIAL]; /* of the axis' earlier phases */
    int64_t count[NPC_SPATIAL], taps[NPC_SPATIAL];
    int complete; /* every input pixel belongs to a phase */
} npc_phases;

/* Answers NPC_NO_MEMORY, or allocates what npc_phases_free releases. */
npc_status npc_phases_find(npc_phases *phases, const npc_conv_geometry *g);
void npc_phases_free(npc_phases *phases);

/* Where a phase's results belong in the input's gradient. */
npc_array npc_phase_target(const npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL]);

/* Computes one phase with its weights, which it may change. */
typedef npc_status npc_phase_run(npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL],
                                 char *weight);

/* The input gradient, phase by phase; pixels that no tap reaches are zero. `may_finish`: `run` does
 * what follows the sums, if every pixel has a phase (problem->finished tells). */
npc_status npc_phases_input_grad(npc_conv_problem *problem, npc_phase_run *run, int may_finish);

#endif
