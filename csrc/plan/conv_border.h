/* conv_border.h: convolutions of images within a border by any algorithm: those that read none
 * are given padded copies, of a few images at a time. */
#ifndef NPC_PLAN_CONV_BORDER_H
#define NPC_PLAN_CONV_BORDER_H

#include "conv_plan.h"

/* Runs the algorithm on images within problem->border. */
npc_status npc_conv_run_bordered(npc_conv_problem *problem, const npc_conv_algorithm *algorithm,
                                 const npc_options *options);

#endif
