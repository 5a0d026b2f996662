/* update.h: what kernels take for the steps of optimisers. */
#ifndef NPC_KERNELS_ARGS_UPDATE_H
#define NPC_KERNELS_ARGS_UPDATE_H

#include "../../core/common.h"
#include "../../include/npc.h"

/* A step of an optimiser for `count` parameters: see npc_update_rule. */
typedef struct npc_update_args {
    const npc_update_settings *settings;
    int64_t count;
    void *param;
    const void *grad;
    void *state[2];
} npc_update_args;
typedef void npc_update_fn(const npc_update_args *args);

#endif
