/* max_planes.h: the part of max-pooling that the usual small windows take. */
#ifndef NPC_ALGO_MAX_PLANES_H
#define NPC_ALGO_MAX_PLANES_H

#include "../include/npc.h"
#include "panel.h"

/* Whether windows of the array that `window` is over are 2x2 at step 2 or 3x3 at step 1 or 2, in
 * rows that lie in order, and with bytes as indices, if any, none of them over an edge. */
int npc_max_planes_takes(const npc_window *window, const npc_array *y, const void *indices,
                         npc_index_kind kind);

/* As npc_max_pool, for those. */
npc_status npc_max_planes(const npc_pool_geometry *g, const npc_window *window, const npc_array *y,
                          uint8_t *indices, const npc_kernels *kernels, const npc_options *options,
                          npc_plan_info *info);

#endif
