/* softmax_rows.h: softmax along rows, which is that along the channels of images of one pixel. */
#ifndef NPC_ALGO_SOFTMAX_ROWS_H
#define NPC_ALGO_SOFTMAX_ROWS_H

#include "../include/npc_network.h"

/* As npc_softmax; the extent is 1. */
npc_status npc_softmax_of_rows(const npc_channel_arrays *arrays, int logarithm, npc_dtype dtype,
                               const npc_options *options, npc_plan_info *info);

#endif
