/* depthwise_last: depthwise convolutions of arrays in which a pixel's channels follow each other: a
 * lane is a channel, and a pixel's tap is read where it lies or not at all. Here is the forward
 * one.
 */
#include <stdlib.h>
#include <string.h>

#include "../core/scratch.h"
#include "depthwise.h"

enum {
    RUN = 64,            /* pixels of a row, computed by one call */
    STAGED = 64,         /* channels of a run on the stage */
    CONVERTED = 16,      /* the same where x is converted: for each tap, within 2 MB in all */
    MAX_TAPS = 128,      /* one chain of sums, as long as a block of the other algorithms */
    PIECE_FLOPS = 400000 /* at least */
};

typedef struct job {
    const npc_conv_problem *problem;
    npc_window window;
    npc_finish finish;
    const char *weight; /* [tap][channel] */
    int64_t size, channels, pieces;
    int as_it_lies, in_place;
    int64_t block; /* channels computed at once */
} job;

/* Consecutive pixels of a row, with the same taps inside. */
typedef struct run {
    int64_t image, at[NPC_SPATIAL], count;
    int64_t step; /* elements from pixel to pixel of x or its copy */
    int64_t taps;
    const void *tap[MAX_TAPS], *weight[MAX_TAPS];
} run;

typedef struct memory {
    run run;
    char *copies, *stage;
} memory;

/* The taps of a run that exist, in order; their sources at channel 0. */
static void find_taps(const job *j, run *r)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *x = &j->problem->arrays->x;
    r->taps = 0;
    for (int64_t a = 0; a < axis[0].taps; a++) {
        const int64_t d = npc_axis_source(&axis[0], r->at[0], a);
        for (int64_t b = 0; b < axis[1].taps; b++) {
            const int64_t h = npc_axis_source(&axis[1], r->at[1], b);
            if (!npc_axis_holds(&axis[0], d) || !npc_axis_holds(&axis[1], h)) continue;
            for (int64_t c = 0; c < axis[2].taps; c++) {
                const int64_t w = npc_axis_source(&axis[2], r->at[2], c);
                if (!npc_axis_holds(&axis[2], w)) continue;
                const int64_t tap = (a * axis[1].taps + b) * axis[2].taps + c;
                r->tap[r->taps] = x->data + r->image * x->stride[0] + d * x->stride[2] +
                                  h * x->stride[3] + w * x->stride[4];
                r->weight[r->taps++] = j->weight + tap * j->channels * j->size;
            }
        }
    }
}

/* What lies under the taps of `count` channels, tap by tap, pixel by pixel. */
static void convert(const job *j, const run *from, int64_t channel, int64_t count, char *copy,
                    const void **tap)
{
    const npc_array *x = &j->problem->arrays->x;
    const int64_t step = npc_axis_step_bytes(&j->window.axis[2], x->stride[4]);
    for (int64_t t = 0; t < from->taps; t++) {
        tap[t] = copy;
        for (int64_t i = 0; i < from->count; i++, copy += count * j->size)
            npc_read_run(x, (const char *)from->tap[t] + i * step + channel * x->stride[1],
                         x->stride[1], count, j->problem->dtype, copy);
    }
}

static void run_block(const job *j, memory *m, int64_t channel, int64_t count)
{
    const run *r = &m->run;
    const npc_axis *axis = &j->window.axis[2];
    const npc_array *y = &j->problem->arrays->y;
    const char *bias = j->problem->arrays->bias;
    const void *tap[MAX_TAPS], *weight[MAX_TAPS];
    char *target = y->data + r->image * y->stride[0] + channel * y->stride[1] +
                   r->at[0] * y->stride[2] + r->at[1] * y->stride[3] + r->at[2] * y->stride[4];
    npc_depthwise_last_args args = {.pixels = r->count,
                                    .channels = count,
                                    .tap_step = r->step,
                                    .to = target,
                                    .to_step = y->stride[4] / j->size};
    if (!j->in_place) {
        args.to = m->stage;
        args.to_step = count;
    }
    if (j->as_it_lies) {
        for (int64_t t = 0; t < r->taps; t++) tap[t] = (const char *)r->tap[t] + channel * j->size;
    } else {
        convert(j, r, channel, count, m->copies, tap);
        args.tap_step = count;
    }
    for (int64_t t = 0; t < r->taps; t++)
        weight[t] = (const char *)r->weight[t] + channel * j->size;
    /* A run of several pixels has all column taps of its rows. */
    args.threes = j->as_it_lies && r->count > 1 && axis->taps == 3 && axis->spacing == axis->step;
    args.taps = r->taps;
    args.tap = tap;
    args.weight = weight;
    args.bias = bias ? bias + channel * j->size : NULL;
    npc_run_depthwise_last(j->problem->kernels, &args);
    if (j->in_place) return;
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t at[NPC_SPATIAL] = {r->at[0], r->at[1], r->at[2] + i};
        char *row = m->stage + i * count * j->size;
        if (j->finish.needed) npc_finish_pixel(&j->finish, r->image, channel, at, count, row);
        npc_write_run(row, j->problem->dtype, target + i * y->stride[4], y->stride[1], count);
    }
}

static void run_line(const job *j, memory *m, int64_t line)
{
    const int64_t *output = j->problem->geometry->output;
    const npc_axis *axis = &j->window.axis[2];
    run *r = &m->run;
    r->image = line / output[1] / output[0];
    r->at[0] = line / output[1] % output[0];
    r->at[1] = line % output[1];
    for (int64_t w = 0; w < output[2]; w += r->count) {
        const int inner = w >= axis->inner_begin && w < axis->inner_end;
        r->at[2] = w;
        r->count = inner ? npc_min(RUN, axis->inner_end - w) : 1;
        find_taps(j, r);
        for (int64_t c = 0; c < j->channels; c += j->block)
            run_block(j, m, c, npc_min(j->block, j->channels - c));
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t lines = j->problem->geometry->batch * j->problem->geometry->output[0] *
                          j->problem->geometry->output[1];
    char *cursor = scratch;
    memory *m = npc_scratch_take(&cursor, sizeof *m);
    m->stage = npc_scratch_take(&cursor, (size_t)(RUN * STAGED * j->size));
    m->copies = cursor;
    m->run.step =
        npc_axis_step_bytes(&j->window.axis[2], j->problem->arrays->x.stride[4]) / j->size;
    for (int64_t line = npc_split(lines, j->pieces, piece);
         line < npc_split(lines, j->pieces, piece + 1); line++)
        run_line(j, m, line);
    return NPC_OK;
}

static npc_status forward(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    const int64_t taps = npc_volume(g->kernel);
    job j = {.problem = problem,
             .finish = npc_finish_of(problem),
             .size = (int64_t)npc_dtype_size(problem->dtype),
             .channels = g->out_channels};
    char *weight = npc_shared_workspace(problem, taps * j.channels * j.size);
    if (!weight) return NPC_NO_MEMORY;
    const npc_transpose_args transpose = {.from = problem->arrays->weight,
                                          .from_stride = taps,
                                          .rows = j.channels,
                                          .cols = taps,
                                          .to = weight,
                                          .to_stride = j.channels};
    npc_run_transpose(problem->kernels, &transpose);
    npc_window_forward(&j.window, g, x, problem->dtype);
    j.weight = weight;
    j.as_it_lies =
        npc_is_plain(x, problem->dtype) && x->stride[1] == j.size && x->stride[4] % j.size == 0;
    j.in_place = !j.finish.needed && y->stride[1] == j.size && y->stride[4] % j.size == 0;
    j.block = !j.as_it_lies ? CONVERTED : j.in_place ? j.channels : STAGED;

    const int64_t lines = g->batch * g->output[0] * g->output[1];
    j.pieces = npc_max(1, npc_min(lines, (int64_t)(npc_conv_flops(g) / PIECE_FLOPS)));
    const size_t copies = j.as_it_lies ? 0 : (size_t)(taps * RUN * CONVERTED * j.size);
    const npc_status status = npc_parallel_for(
        problem->team, j.pieces, sizeof(memory) + (size_t)(RUN * STAGED * j.size) + copies + 128,
        run_piece, &j);
    free(weight);
    return status;
}

static npc_status run_problem(npc_conv_problem *problem)
{
    if (problem->operation == NPC_WEIGHT_GRAD) return npc_depthwise_last_weight_grad(problem);
    return forward(problem);
}

static const char *declines(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    if (!problem->channels_last) return "the layout has the channels before the pixels";
    if (problem->operation == NPC_INPUT_GRAD)
        return "it computes forward convolutions and weight gradients only";
    if (npc_group_in(g) != 1 || npc_group_out(g) != 1)
        return "a group has more or less than one channel";
    const int fits = problem->operation == NPC_WEIGHT_GRAD
                         ? npc_depthwise_last_weight_grad_fits(problem)
                         : npc_count(g->kernel) <= MAX_TAPS;
    return fits ? NULL : "the kernel is too large";
}

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    RESULTS,    /* vectors */
    RUNS,       /* of pixels whose taps are found */
    TAPS        /* found for them */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    if (problem->operation == NPC_WEIGHT_GRAD) {
        npc_depthwise_last_weight_grad_features(problem, feature);
        return;
    }
    const double pixels = npc_count(g->output), taps = npc_count(g->kernel);
    const double vectors = (double)npc_ceil_div(g->out_channels, problem->kernels->lanes);
    const double line_runs = (double)(npc_ceil_div(g->output[2], RUN) + g->kernel[2] - 1);
    feature[CALL] = 1;
    feature[MULTIPLIES] = pixels * vectors * taps;
    feature[RESULTS] = pixels * vectors;
    feature[RUNS] = (double)g->output[0] * (double)g->output[1] * line_runs;
    feature[TAPS] = feature[RUNS] * taps;
}

const npc_conv_algorithm npc_conv_depthwise_last = {"depthwise_last",
                                                    declines,
                                                    run_problem,
                                                    features,
                                                    NULL,
                                                    NULL,
                                                    {0},
                                                    {0, 0, NPC_DEPTHWISE_LAST_WEIGHT_GRAD_ONCE}};
