/* max_windows.h: the part of max-pooling that windows at even steps do not need. */
#ifndef NPC_ALGO_MAX_WINDOWS_H
#define NPC_ALGO_MAX_WINDOWS_H

#include "../include/npc.h"

/* As npc_max_pool, with flat indices, for adaptive windows and for g->starts. */
npc_status npc_max_windows(const npc_pool_geometry *g, const npc_array *x, const npc_array *y,
                           int64_t *indices, npc_dtype dtype, const npc_options *options,
                           npc_plan_info *info);

#endif
