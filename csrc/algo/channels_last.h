/* channels_last.h: what the algorithms for arrays with the channels last share: how they cut a
 * problem, packed weights, what becomes of sums. */
#ifndef NPC_ALGO_CHANNELS_LAST_H
#define NPC_ALGO_CHANNELS_LAST_H

#include "finish.h"
#include "panel.h"

/* Derived from the geometry, dtype and ISA alone, so that results do not depend on anything else.
 *
 * The depth of a sum runs over taps, then channels: the order in which a pixel's window lies in
 * memory. Taps whose channels follow each other make a stretch: a row of taps, or one tap. A call
 * of UK1 takes a stretch where it lies. Output channels are cut into panels of a few vectors. */
typedef struct npc_channels_last {
    int64_t size;                   /* of an element */
    int64_t channels, rows, groups; /* of the input and the output, in a group; groups */
    int64_t taps, stretch_taps, stretches, stretch; /* taps of one; how many; elements of one */
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
/* The same for npc_conv_algorithm. */
int64_t npc_channels_last_prepared_bytes(const npc_conv_problem *problem);
npc_status npc_channels_last_prepare(npc_conv_problem *problem, void *to);

/* One panel of a group, with `stage` of so many bytes as working memory. */
size_t npc_channels_last_stage_bytes(const npc_channels_last *l);
void npc_channels_last_pack_panel(const npc_channels_last *l, const npc_conv_problem *problem,
                                  int64_t group, int64_t panel, void *stage, char *to);

/* The bias of each group, filled up to whole vectors, in shared workspace; NULL: no memory. */
char *npc_channels_last_bias(const npc_channels_last *l, npc_conv_problem *problem);

/* Output channels [channel, channel + count) of a pixel, counted through the groups; their sums
 * follow each other at `c`. */
typedef struct npc_channels_last_sums {
    int64_t image, at[NPC_SPATIAL], channel, count;
    char *c;
} npc_channels_last_sums;

/* Where zeros stand for taps in the padding: zero times an infinite or NaN weight is NaN where the
 * definition skips the product. Such NaNs are computed again. */
void npc_channels_last_mend(const npc_channels_last *l, const npc_conv_problem *problem,
                            const npc_window *window, const npc_channels_last_sums *sums);

/* To y, with what follows the sums. */
void npc_channels_last_deliver(const npc_conv_problem *problem, const npc_finish *finish,
                               const npc_channels_last_sums *sums);

#endif
