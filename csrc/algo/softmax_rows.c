/* Softmax along rows, and the loss of classifiers: each row is read from memory once, its
 * exponentials stand where the result will. */
#include "softmax_rows.h"

#include <stdlib.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../plan/simple_plan.h"

enum { PIECE_BYTES = 64 * 1024, STAGES = 3, FLOPS_AN_ELEMENT = 32, LOSSES = 256 };

typedef struct job {
    const npc_channel_arrays *arrays;
    const npc_kernels *kernels;
    npc_dtype dtype;
    int64_t size, rows, count, rows_a_piece;
    int logarithm;
    int plain[STAGES]; /* x, grad and the result can be used in place */
    const npc_softmax_loss_arrays *loss;
    double *losses; /* of the rows */
} job;

static int64_t plan_rows(job *j)
{
    j->rows_a_piece = npc_max(PIECE_BYTES / npc_max(j->count * j->size, 64), 1);
    return j->count ? npc_ceil_div(j->rows, j->rows_a_piece) : 0;
}

static npc_status softmax_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_channel_arrays *a = j->arrays;
    const npc_array *array[STAGES] = {&a->x, &a->grad, &a->to};
    const int64_t row_bytes = j->count * j->size;
    char *cursor = scratch, *stage[STAGES] = {0}, *row[STAGES];
    for (int i = 0; i < STAGES; i++)
        if (!j->plain[i]) stage[i] = npc_scratch_take(&cursor, (size_t)row_bytes);
    const int64_t end = npc_min((piece + 1) * j->rows_a_piece, j->rows);
    const int plain = j->plain[0] && j->plain[1] && j->plain[2];
    npc_softmax_rows_args args = {.count = j->count,
                                  .logarithm = j->logarithm,
                                  .from_stride_bytes = a->x.stride[0],
                                  .grad_stride_bytes = a->grad.data ? a->grad.stride[0] : 0,
                                  .to_stride_bytes = a->to.stride[0]};
    for (int64_t r = piece * j->rows_a_piece; r < end; r += args.rows) {
        args.rows = plain ? end - r : 1;
        for (int i = 0; i < STAGES; i++) {
            row[i] = array[i]->data ? array[i]->data + r * array[i]->stride[0] : NULL;
            if (j->plain[i] || !row[i]) continue;
            if (array[i] != &a->to)
                npc_read_run(array[i], row[i], array[i]->stride[1], j->count, j->dtype, stage[i]);
            row[i] = stage[i];
        }
        args.from = row[0];
        args.grad = row[1];
        args.to = row[2];
        npc_run_softmax_rows(j->kernels, &args);
        if (!j->plain[2])
            npc_write_run(stage[2], j->dtype, a->to.data + r * a->to.stride[0], a->to.stride[1],
                          j->count);
    }
    return NPC_OK;
}

npc_status npc_softmax_of_rows(const npc_channel_arrays *arrays, int logarithm, npc_dtype dtype,
                               const npc_options *options, npc_plan_info *info)
{
    job j = {.arrays = arrays,
             .dtype = dtype,
             .size = (int64_t)npc_dtype_size(dtype),
             .rows = arrays->batch,
             .count = arrays->channels,
             .logarithm = logarithm};
    npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (j.rows < 0 || j.count < 0) return NPC_INVALID_GEOMETRY;
    const npc_array *array[STAGES] = {&arrays->x, &arrays->grad, &arrays->to};
    size_t scratch = 0;
    for (int i = 0; i < STAGES; i++) {
        j.plain[i] = !array[i]->data || (npc_is_plain(array[i], dtype) &&
                                         (j.count == 1 || array[i]->stride[1] == j.size));
        if (!j.plain[i]) scratch += npc_round_up((size_t)(j.count * j.size), NPC_CACHE_LINE);
    }
    if (scratch > NPC_SCRATCH_LIMIT) return NPC_NO_MEMORY;
    npc_team team = npc_make_team(options, FLOPS_AN_ELEMENT * (double)j.rows * (double)j.count);
    status = npc_parallel_for(&team, plan_rows(&j), scratch, softmax_piece, &j);
    npc_simple_info(info, arrays->grad.data ? "softmax_backward" : "softmax", j.kernels, &team);
    return status;
}

/* ---- the loss ---- */

static npc_status loss_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_softmax_loss_arrays *a = j->loss;
    const int64_t begin = piece * j->rows_a_piece;
    const int64_t row_bytes = a->classes * j->size;
    (void)scratch;
    const npc_softmax_rows_args args = {.rows = npc_min(j->rows_a_piece, a->rows - begin),
                                        .count = a->classes,
                                        .from = (const char *)a->x + begin * a->x_stride_bytes,
                                        .to = a->grad ? (char *)a->grad + begin * row_bytes : NULL,
                                        .from_stride_bytes = a->x_stride_bytes,
                                        .to_stride_bytes = row_bytes,
                                        .label = a->labels + begin,
                                        .scale = 1 / (double)a->rows,
                                        .loss = j->losses + begin};
    npc_run_softmax_rows(j->kernels, &args);
    return NPC_OK;
}

npc_status npc_softmax_loss(npc_softmax_loss_arrays *arrays, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info)
{
    double few[LOSSES];
    job j = {.loss = arrays,
             .size = (int64_t)npc_dtype_size(dtype),
             .rows = arrays->rows,
             .count = arrays->classes,
             .losses = few};
    npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->rows < 0 || arrays->classes < 1) return NPC_INVALID_GEOMETRY;
    for (int64_t i = 0; i < arrays->rows; i++)
        if (arrays->labels[i] < 0 || arrays->labels[i] >= arrays->classes) return NPC_BAD_INDEX;
    if (arrays->rows > LOSSES) {
        j.losses = malloc((size_t)arrays->rows * sizeof *j.losses);
        if (!j.losses) return NPC_NO_MEMORY;
    }
    npc_team team =
        npc_make_team(options, FLOPS_AN_ELEMENT * (double)j.rows * (double)arrays->classes);
    status = npc_parallel_for(&team, plan_rows(&j), 0, loss_piece, &j);
    double sum = 0;
    for (int64_t i = 0; i < arrays->rows && status == NPC_OK; i++) sum += j.losses[i];
    arrays->loss = arrays->rows ? sum / (double)arrays->rows : 0;
    if (j.losses != few) free(j.losses);
    npc_simple_info(info, "softmax_loss", j.kernels, &team);
    return status;
}
