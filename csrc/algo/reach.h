/* reach.h: which pixels of a source each pixel of a target meets along an axis of a pooling.
 *
 * They are `count` of them from `first` on, `spacing` apart: the taps of an output's window inside
 * the input; or, seen from the other side, the outputs whose windows hold an input pixel. Both are
 * of this form, for windows at even steps and for adaptive ones. */
#ifndef NPC_ALGO_REACH_H
#define NPC_ALGO_REACH_H

#include "../core/common.h"
#include "../include/npc.h"

typedef struct npc_reach {
    int64_t first, count;
} npc_reach;

typedef struct npc_reach_axis {
    int64_t source, target; /* extents */
    int64_t spacing;        /* between the pixels that are met */
    int adaptive, backward;
    /* Windows at even steps: tap t of output o lies at o * step + first + t * dilation. */
    int64_t step, taps, first, dilation;
    int64_t padded_end; /* where the padding behind the input ends */
    int64_t common;     /* backward: the greatest common divisor of step and dilation */
    int64_t inverse;    /* of step / common modulo `spacing` */
} npc_reach_axis;

/* Axis i of a pooling's windows, from the outputs to the input or, `backward`, the other way. */
void npc_reach_set(npc_reach_axis *axis, const npc_pool_geometry *g, int i, int backward);

npc_reach npc_reach_of(const npc_reach_axis *axis, int64_t target);

/* The length of output o's window: of its part in the input, or with the padding. */
int64_t npc_reach_window(const npc_reach_axis *axis, int64_t o, int include_pad);

#endif
