/* parallel.h: the one loop over threads.
 *
 * Work is cut into pieces that the threads take from a counter, so a stolen core costs a piece and
 * not half of the work. Which thread runs which piece must not show in the result. */
#ifndef NPC_CORE_PARALLEL_H
#define NPC_CORE_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

#include "../include/npc.h"

typedef struct npc_team {
    int threads;
    int (*interrupted)(void); /* from npc_options */
    int64_t pieces;           /* run so far, for npc_plan_info */
    size_t scratch_bytes;     /* the most that a thread has needed so far */
    int threads_used;         /* likewise */
} npc_team;

/* Runs one piece with its thread's scratch. */
typedef npc_status (*npc_task)(void *context, int64_t piece, void *scratch);

/* The thread count of a call: `requested`, or the default if 0; one where `flops` are too few to
 * repay waking the others. */
npc_team npc_make_team(const npc_options *options, double flops);

/* Runs task(context, 0 .. pieces - 1, scratch) on the team's threads. The first status that is not
 * NPC_OK stops everybody at the next piece and is returned. */
npc_status npc_parallel_for(npc_team *team, int64_t pieces, size_t scratch_bytes, npc_task task,
                            void *context);

#endif
