/* depthwise_last: depthwise convolutions of arrays in which a pixel's channels follow each other: a
 * lane is a channel, and a pixel's tap is read where it lies or not at all. Here is the forward
 * one.
 */
#include <math.h>
#include <string.h>

#include "../core/scratch.h"
#include "depthwise.h"

enum {
    RUN = 64,                 /* pixels of a row, computed by one call, at most */
    STAGED = 64,              /* channels of a run on the stage */
    CONVERTED = 16,           /* the same where x is converted: for each tap, within 2 MB in all */
    WEIGHT_BYTES = 12 * 1024, /* of the channels computed at once: they stay in L1 */
    SOURCE_BYTES = 24 * 1024, /* of the rows that a run reads, most of which the next one reads */
    CALL_TAPS = 128,          /* one chain of sums, as long as a block of the other algorithms */
    PIECE_FLOPS = 400000      /* at least */
};

typedef struct job {
    const npc_conv_problem *problem;
    npc_window window;
    npc_finish finish;
    const char *weight; /* [tap][channel] */
    int64_t size, channels, pieces;
    int64_t rows, width;          /* rows of taps, and taps of a row */
    int64_t call_rows, call_taps; /* of them, of a call */
    int as_it_lies, in_place;
    int64_t strip, block; /* pixels of a row and channels computed at once */
} job;

/* Some channels of consecutive pixels of a row. */
typedef struct run {
    int64_t image, at[NPC_SPATIAL], count;
    int64_t channel, channels;
} run;

typedef struct memory {
    const void *row[CALL_TAPS], *weight[CALL_TAPS];
    int32_t begin[NPC_DEPTHWISE_LAST_TAPS], end[NPC_DEPTHWISE_LAST_TAPS]; /* of a row's taps */
    char *copies, *stage;
} memory;

/* Which pixels of a run have a tap of a row. */
static void find_columns(const job *j, memory *m, const run *r)
{
    for (int64_t s = 0; s < j->width; s++) {
        int64_t from, to;
        npc_axis_valid(&j->window.axis[2], s, &from, &to);
        from = npc_max(from, r->at[2]);
        to = npc_min(to, r->at[2] + r->count);
        m->begin[s] = (int32_t)(from - r->at[2]);
        m->end[s] = (int32_t)(to - r->at[2]);
        if (from >= to) m->begin[s] = m->end[s] = 0;
    }
}

/* What lies under taps [tap, tap + taps) of a row, tap by tap, pixel by pixel; places of pixels
 * that do not have a tap are left out. */
static char *convert(const job *j, const memory *m, const run *r, const char *line, int64_t tap,
                     int64_t taps, char *copy)
{
    const npc_array *x = &j->problem->arrays->x;
    const npc_axis *axis = &j->window.axis[2];
    for (int64_t s = tap; s < tap + taps; s++)
        for (int64_t i = 0; i < r->count; i++, copy += r->channels * j->size)
            if (i >= m->begin[s] && i < m->end[s])
                npc_read_run(x, line + npc_axis_source(axis, r->at[2] + i, s) * x->stride[4],
                             x->stride[1], r->channels, j->problem->dtype, copy);
    return copy;
}

/* Adds what taps [tap, ...) of rows [row, ...) of them give to the run's sums. */
static void run_taps(const job *j, memory *m, const run *r, int64_t row, int64_t tap,
                     npc_depthwise_last_args *args)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *x = &j->problem->arrays->x;
    const int64_t first = npc_axis_source(&axis[2], r->at[2], tap);
    char *copy = m->copies;
    args->taps = npc_min(j->call_taps, j->width - tap);
    args->rows = 0;
    for (int64_t i = row; i < npc_min(row + j->call_rows, j->rows); i++) {
        const int64_t d = npc_axis_source(&axis[0], r->at[0], i / axis[1].taps);
        const int64_t h = npc_axis_source(&axis[1], r->at[1], i % axis[1].taps);
        if (!npc_axis_holds(&axis[0], d) || !npc_axis_holds(&axis[1], h)) continue;
        const char *line = x->data + r->image * x->stride[0] + r->channel * x->stride[1] +
                           d * x->stride[2] + h * x->stride[3];
        m->weight[args->rows] =
            j->weight + ((i * j->width + tap) * j->channels + r->channel) * j->size;
        if (j->as_it_lies) {
            m->row[args->rows++] = line + first * x->stride[4];
        } else {
            m->row[args->rows++] = copy;
            copy = convert(j, m, r, line, tap, args->taps, copy);
        }
    }
    args->row = m->row;
    args->weight = m->weight;
    args->begin = m->begin + tap;
    args->end = m->end + tap;
    args->inner_begin = npc_max(axis[2].inner_begin - r->at[2], 0);
    args->inner_end = npc_min(axis[2].inner_end - r->at[2], r->count);
    args->low = first < 0 ? npc_ceil_div(-first, axis[2].step) : 0;
    args->high = first < axis[2].extent ? npc_ceil_div(axis[2].extent - first, axis[2].step) : 0;
    npc_run_depthwise_last(j->problem->kernels, args);
}

static void run_line(const job *j, memory *m, const run *r)
{
    const npc_array *x = &j->problem->arrays->x, *y = &j->problem->arrays->y;
    const npc_axis *axis = &j->window.axis[2];
    const char *bias = j->problem->arrays->bias;
    char *target = y->data + r->image * y->stride[0] + r->channel * y->stride[1] +
                   r->at[0] * y->stride[2] + r->at[1] * y->stride[3] + r->at[2] * y->stride[4];
    npc_depthwise_last_args args = {.pixels = r->count,
                                    .channels = r->channels,
                                    .weight_step = j->channels,
                                    .to = j->in_place ? target : m->stage,
                                    .to_step = j->in_place ? y->stride[4] / j->size : r->channels};
    if (j->as_it_lies) {
        args.tap_step = axis->step * x->stride[4] / j->size;
        args.tap_spacing = axis->spacing * x->stride[4] / j->size;
        args.sliding = axis->spacing == axis->step;
    } else {
        args.tap_step = r->channels;
        args.tap_spacing = r->count * r->channels;
    }
    for (int64_t row = 0; row < j->rows; row += j->call_rows)
        for (int64_t tap = 0; tap < j->width; tap += j->call_taps) {
            const int is_last = row + j->call_rows >= j->rows && tap + j->call_taps >= j->width;
            if (bias && is_last) args.bias = bias + r->channel * j->size;
            run_taps(j, m, r, row, tap, &args);
            args.accumulate = 1;
        }
    if (j->in_place) return;
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t at[NPC_SPATIAL] = {r->at[0], r->at[1], r->at[2] + i};
        char *pixel = m->stage + i * r->channels * j->size;
        if (j->finish.needed)
            npc_finish_pixel(&j->finish, r->image, r->channel, at, r->channels, pixel);
        npc_write_run(pixel, j->problem->dtype, target + i * y->stride[4], y->stride[1],
                      r->channels);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t *output = j->problem->geometry->output;
    const int64_t lines = j->problem->geometry->batch * output[0] * output[1];
    char *cursor = scratch;
    memory *m = npc_scratch_take(&cursor, sizeof *m);
    m->stage = npc_scratch_take(&cursor, (size_t)(RUN * STAGED * j->size));
    m->copies = cursor;
    run r;
    for (r.channel = 0; r.channel < j->channels; r.channel += j->block)
        for (int64_t w = 0; w < output[2]; w += j->strip) {
            r.channels = npc_min(j->block, j->channels - r.channel);
            r.at[2] = w;
            r.count = npc_min(j->strip, output[2] - w);
            find_columns(j, m, &r);
            for (int64_t line = npc_split(lines, j->pieces, piece);
                 line < npc_split(lines, j->pieces, piece + 1); line++) {
                r.image = line / output[1] / output[0];
                r.at[0] = line / output[1] % output[0];
                r.at[1] = line % output[1];
                run_line(j, m, &r);
            }
        }
    return NPC_OK;
}

/* Strips and blocks of channels so small that what serves again stays in L1. Neither matters to the
 * bits. */
static void plan(job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t lanes = j->problem->kernels->lanes, taps = j->rows * j->width;
    const int64_t kept = WEIGHT_BYTES / (npc_min(taps, CALL_TAPS) * j->size) / lanes * lanes;
    j->block = npc_max(kept, 2 * lanes);
    if (!j->in_place) j->block = npc_min(j->block, STAGED);
    if (!j->as_it_lies) j->block = CONVERTED;
    const int64_t vectors = npc_ceil_div(j->channels, lanes);
    const int64_t blocks = npc_ceil_div(j->channels, j->block);
    if (j->block > lanes) j->block = npc_ceil_div(vectors, blocks) * lanes;

    const int64_t row_bytes =
        npc_min(j->rows, CALL_TAPS) * npc_min(j->block, j->channels) * j->size;
    const int64_t step = npc_min(g->stride[2], 64);
    j->strip = npc_max(8, npc_min(RUN, SOURCE_BYTES / (row_bytes * step) / 8 * 8));
    const int64_t strips = npc_ceil_div(g->output[2], j->strip);
    j->strip = npc_min(j->strip, npc_ceil_div(npc_ceil_div(g->output[2], strips), 8) * 8);

    /* Whole rows of taps, where they are short. */
    j->call_taps = npc_min(j->width, CALL_TAPS);
    j->call_rows = CALL_TAPS / j->call_taps;
}

/* Whether the distances between taps that exist and others that do not can be counted in bytes. */
static int is_near(const npc_axis *axis, int64_t stride)
{
    const double limit = 1 << 29;
    const double pixels = (double)axis->pixels * (double)axis->step;
    const double taps = (double)axis->taps * (double)axis->spacing;
    return pixels + taps - (double)axis->first < limit && fabs((double)stride) < limit;
}

static npc_status forward(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    const int64_t taps = npc_volume(g->kernel);
    job j = {.problem = problem,
             .finish = npc_finish_of(problem),
             .size = (int64_t)npc_dtype_size(problem->dtype),
             .channels = g->out_channels,
             .rows = g->kernel[0] * g->kernel[1],
             .width = g->kernel[2]};
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
    j.as_it_lies = npc_is_plain(x, problem->dtype) && x->stride[1] == j.size &&
                   x->stride[4] % j.size == 0 && is_near(&j.window.axis[2], x->stride[4]);
    j.in_place = !j.finish.needed && y->stride[1] == j.size && y->stride[4] % j.size == 0;
    plan(&j);

    const int64_t lines = g->batch * g->output[0] * g->output[1];
    j.pieces = npc_max(1, npc_min(lines, (int64_t)(npc_conv_flops(g) / PIECE_FLOPS)));
    const size_t copies =
        j.as_it_lies ? 0 : (size_t)(j.call_rows * j.call_taps * j.strip * j.block * j.size);
    const npc_status status = npc_parallel_for(
        problem->team, j.pieces, sizeof(memory) + (size_t)(RUN * STAGED * j.size) + copies + 192,
        run_piece, &j);
    npc_recycle_give(weight);
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
    return npc_count(g->kernel) > NPC_DEPTHWISE_LAST_TAPS ? "the kernel is too large" : NULL;
}

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    RESULTS     /* vectors */
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
    feature[CALL] = 1;
    feature[MULTIPLIES] = pixels * vectors * taps;
    feature[RESULTS] = pixels * vectors;
}

const npc_conv_algorithm npc_conv_depthwise_last = {"depthwise_last",
                                                    declines,
                                                    run_problem,
                                                    features,
                                                    NULL,
                                                    NULL,
                                                    {0},
                                                    {0, 0, NPC_DEPTHWISE_LAST_WEIGHT_GRAD_ONCE}};
