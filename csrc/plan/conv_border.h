/* conv_border.h: convolutions of images within a border by algorithms that read none: they are
 * given padded copies, of a few images at a time. */
#ifndef NPC_PLAN_CONV_BORDER_H
#define NPC_PLAN_CONV_BORDER_H

#include "conv_plan.h"

/* Whether an algorithm finds the border by itself. */
int npc_conv_reads_border(npc_conv_operation operation, const npc_conv_algorithm *algorithm);

npc_status npc_conv_run_padded(npc_conv_problem *problem, const npc_conv_algorithm *algorithm,
                               const npc_options *options);

#endif
