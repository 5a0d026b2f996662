/* Dropout and its gradient. */
#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../include/npc_network.h"
#include "../plan/simple_plan.h"

enum { PIECE = 64 * 1024 };

typedef struct job {
    const npc_dropout_arrays *arrays;
    const npc_kernels *kernels;
    int64_t size;
} job;

static npc_status each_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_dropout_arrays *a = j->arrays;
    const int64_t begin = piece * PIECE;
    const npc_dropout_args args = {.count = npc_min(PIECE, a->count - begin),
                                   .from = (const char *)a->from + begin * j->size,
                                   .draws = a->draws ? a->draws + begin : NULL,
                                   .threshold = a->threshold,
                                   .scale = a->scale,
                                   .mask = a->mask + begin,
                                   .to = (char *)a->to + begin * j->size};
    (void)scratch;
    npc_run_dropout(j->kernels, &args);
    return NPC_OK;
}

npc_status npc_dropout(const npc_dropout_arrays *arrays, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info)
{
    job j = {.arrays = arrays, .size = (int64_t)npc_dtype_size(dtype)};
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->count < 0) return NPC_INVALID_GEOMETRY;
    npc_team team = npc_make_team(options, 8.0 * (double)arrays->count);
    const npc_status done =
        npc_parallel_for(&team, npc_ceil_div(arrays->count, PIECE), 0, each_piece, &j);
    npc_simple_info(info, "dropout", j.kernels, &team);
    return done;
}
