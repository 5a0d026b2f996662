/* The weight gradient of a depthwise convolution: a pass over dy and x, plane by plane. Each tap's
 * sum is a vector, whose lanes are added at the end. */
#include "depthwise.h"

#include <string.h>

#include "../core/scratch.h"
#include "bias_grad.h"
#include "weight_grad.h"

enum {
    CHAIN = 256, /* terms of a lane that are summed in one chain, about */
    STAGE_BYTES = 1 << 20
};

typedef struct job {
    npc_conv_problem *problem;
    npc_window window;
    int64_t size, step, taps, band; /* of the kernel, along an axis; rows of dy at once */
    int64_t sharers, planes;        /* output channels of an input channel; of a channel of dy */
    int grad_in_place, input_in_place;
    const npc_bias_grad *bias_grad; /* whose sums are taken, or NULL */
} job;

static int64_t band_rows(const npc_conv_geometry *g, int64_t lanes)
{
    const int64_t rows = CHAIN / npc_ceil_div(g->output[2], lanes) / NPC_DEPTHWISE_ROWS;
    return npc_min(npc_max(rows, 1) * NPC_DEPTHWISE_ROWS, g->output[1]);
}

static double stage_bytes(const npc_conv_geometry *g, int64_t lanes)
{
    const double rows = (double)band_rows(g, lanes);
    return 8 * (rows * (double)g->output[2] +
                (rows * (double)g->stride[1] + (double)g->kernel[1]) * (double)g->input[2]);
}

int npc_depthwise_weight_grad_fits(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t *taps = g->kernel;
    return taps[0] == 1 && taps[1] == taps[2] && (taps[2] == 3 || taps[2] == 5) &&
           g->stride[1] == g->stride[2] && g->stride[2] <= 2 && g->dilation[1] == 1 &&
           g->dilation[2] == 1 && stage_bytes(g, problem->kernels->lanes) <= STAGE_BYTES;
}

/* Rows [first, first + count) of a plane of `width` columns, or a dense copy of them. */
static const char *rows_of(const job *j, const npc_array *array, int in_place, const char *plane,
                           int64_t first, int64_t count, int64_t width, char *stage,
                           int64_t *stride_bytes)
{
    const int64_t row = width * j->size;
    plane += first * array->stride[3];
    *stride_bytes = in_place ? array->stride[3] : row;
    if (in_place) return plane;
    for (int64_t r = 0; r < count; r++)
        npc_read_run(array, plane + r * array->stride[3], array->stride[4], width,
                     j->problem->dtype, stage + r * row);
    return stage;
}

static npc_status run_channel(void *context, int64_t channel, void *scratch)
{
    const job *j = context;
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *x = &j->problem->arrays->x, *y = &j->problem->arrays->y;
    const npc_axis *axis = j->window.axis;
    const int64_t taps = j->taps * j->taps, lanes = j->problem->kernels->lanes;
    char *cursor = scratch, *dw = (char *)j->problem->arrays->weight + channel * taps * j->size;
    char *sums = npc_scratch_take(&cursor, (size_t)(taps * lanes * j->size));
    char *grad_stage = npc_scratch_take(
        &cursor, j->grad_in_place ? 0 : (size_t)(j->band * g->output[2] * j->size));
    npc_depthwise_grad_args args = {.size = j->taps,
                                    .step = j->step,
                                    .columns = g->output[2],
                                    .width = g->input[2],
                                    .first_column = axis[2].first,
                                    .sums = sums};

    for (int64_t p = 0; p < j->planes; p++) {
        const int64_t image = p / g->output[0], out = p % g->output[0];
        const int64_t in = npc_axis_source(&axis[0], out, 0);
        const int64_t line = out * g->output[1], width = g->output[2];
        if (!npc_axis_holds(&axis[0], in)) {
            if (j->bias_grad)
                npc_bias_grad_sum(j->bias_grad, image, channel, 1, line * width,
                                  (line + g->output[1]) * width);
            continue;
        }
        const char *grad =
            y->data + image * y->stride[0] + channel * y->stride[1] + out * y->stride[2];
        const char *plane = x->data + image * x->stride[0] + channel / j->sharers * x->stride[1] +
                            in * x->stride[2];
        for (int64_t row = 0; row < g->output[1]; row += j->band) {
            const int64_t first = npc_axis_source(&axis[1], row, 0);
            const int64_t begin = npc_min(npc_max(first, 0), g->input[1]);
            args.rows = npc_min(j->band, g->output[1] - row);
            const int64_t end = first + (args.rows - 1) * j->step + j->taps;
            args.height = npc_max(begin, npc_min(end, g->input[1])) - begin;
            args.first_row = first - begin;
            args.grad = rows_of(j, y, j->grad_in_place, grad, row, args.rows, g->output[2],
                                grad_stage, &args.grad_stride_bytes);
            args.plane = rows_of(j, x, j->input_in_place, plane, begin, args.height, g->input[2],
                                 cursor, &args.row_stride_bytes);
            npc_run_depthwise_grad(j->problem->kernels, &args);
            args.accumulate = 1;
            if (j->bias_grad)
                npc_bias_grad_sum(j->bias_grad, image, channel, 1, (line + row) * width,
                                  (line + row + args.rows) * width);
        }
    }
    if (!args.accumulate) memset(sums, 0, (size_t)(taps * lanes * j->size));
    for (int64_t tap = 0; tap < taps; tap++)
        npc_run_sum(j->problem->kernels, sums + tap * lanes * j->size, lanes, dw + tap * j->size);
    return NPC_OK;
}

npc_status npc_depthwise_weight_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    job j = {.problem = problem,
             .size = size,
             .step = g->stride[2],
             .taps = g->kernel[2],
             .band = band_rows(g, problem->kernels->lanes),
             .sharers = npc_group_out(g),
             .planes = g->batch * g->output[0]};
    npc_window_forward(&j.window, g, x, problem->dtype);
    j.grad_in_place =
        npc_is_plain(y, problem->dtype) && (g->output[2] == 1 || y->stride[4] == size);
    j.input_in_place =
        npc_is_plain(x, problem->dtype) && (g->input[2] == 1 || x->stride[4] == size);
    j.bias_grad = npc_bias_grad_take(problem);
    const size_t scratch = (size_t)(j.taps * j.taps * problem->kernels->lanes * size) +
                           (size_t)stage_bytes(g, problem->kernels->lanes) + 192;
    const npc_status status =
        npc_parallel_for(problem->team, g->out_channels, scratch, run_channel, &j);
    return status == NPC_OK ? npc_weight_grad_mend(problem, &j.window) : status;
}
