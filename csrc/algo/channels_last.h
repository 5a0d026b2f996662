/* channels_last.h: how the algorithm of that name cuts a problem, and its packed weights. */
#ifndef NPC_ALGO_CHANNELS_LAST_H
#define NPC_ALGO_CHANNELS_LAST_H

#include "../plan/conv_plan.h"

/* Derived from the geometry, dtype and ISA alone, so that results do not depend on anything else.
 *
 * The depth of a sum runs over taps, then channels: the order in which a pixel's window lies in
 * memory. Taps whose channels follow each other make a stretch: a row of taps, or one tap. A call
 * of UK1 takes a stretch where it lies; where stretches are too short for that, a window is
 * gathered first and is one call. Output channels are cut into panels of a few vectors. */
typedef struct npc_channels_last {
    int64_t size;                   /* of an element */
    int64_t channels, rows, groups; /* of the input and the output, in a group; groups */
    int64_t taps, stretch_taps, stretches, stretch; /* taps of one; how many; elements of one */
    int64_t calls, call;                            /* of UK1, and the depth of one */
    int64_t depth;
    int64_t vectors, panels; /* of a group's output channels */
} npc_channels_last;

npc_channels_last npc_channels_last_of(const npc_conv_problem *problem);

/* The first vector of a panel of a group, or the number of vectors. */
NPC_INLINE int64_t npc_channels_last_vector(const npc_channels_last *l, int64_t panel)
{
    return npc_split(l->vectors, l->panels, panel);
}

/* Bytes of the packed weights of all groups: panel after panel, each `depth` rows of its vectors.
 */
int64_t npc_channels_last_bytes(const npc_channels_last *l, const npc_conv_problem *problem);
npc_status npc_channels_last_pack(const npc_channels_last *l, npc_conv_problem *problem, char *to);

#endif
