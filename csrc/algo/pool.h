/* pool.h: what forward and backward of the poolings share. */
#ifndef NPC_ALGO_POOL_H
#define NPC_ALGO_POOL_H

#include "panel.h"

/* NPC_OK if C can index with these sizes and every window touches the input. */
npc_status npc_pool_check(const npc_pool_geometry *g);

/* The window of a pooling over x. */
void npc_pool_window(npc_window *window, const npc_pool_geometry *g, const npc_array *x,
                     npc_dtype dtype);

/* Taps of an axis that reach the input from any of the pixels [begin, end). A window may be far
 * larger than the input, so loops run over these only. */
typedef struct npc_tap_range {
    int64_t first, count;
} npc_tap_range;

npc_tap_range npc_reaching_taps(const npc_axis *axis, int64_t begin, int64_t end);

/* The flat position in the input plane of a tap, which lies inside, of pixel (d, h, w). */
int64_t npc_flat_position(const npc_window *window, int64_t tap, int64_t d, int64_t h, int64_t w);

#endif
