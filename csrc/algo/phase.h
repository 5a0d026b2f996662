/* phase.h: the input gradient as convolutions at stride 1.
 *
 * At stride s, input pixels fall into phases by their remainder modulo s; within a phase the taps
 * that reach a pixel are the same, so each phase is a convolution of the output's gradient with a
 * part of the flipped kernel, whose result lies s pixels apart. */
#ifndef NPC_ALGO_PHASE_H
#define NPC_ALGO_PHASE_H

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

#endif
