/* im2col and col2im, the public operations and their shared steps. */
#include "columns.h"

#include <string.h>

#include "../core/parallel.h"
#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"

npc_column_run npc_column_run_of(const npc_window *window, int64_t tap, int64_t d, int64_t h)
{
    const npc_axis *axis = window->axis;
    const npc_array *s = window->source;
    const int64_t tw = tap % axis[2].taps, th = tap / axis[2].taps % axis[1].taps;
    const int64_t row = npc_axis_source(&axis[1], h, th);
    const int64_t slice = npc_axis_source(&axis[0], d, tap / axis[2].taps / axis[1].taps);
    npc_column_run run = {.stride = npc_axis_step_bytes(&axis[2], s->stride[4])};

    if (!npc_axis_holds(&axis[1], row) || !npc_axis_holds(&axis[0], slice)) return run;
    npc_axis_valid(&axis[2], tw, &run.begin, &run.end);
    if (run.begin < run.end)
        run.offset = slice * s->stride[2] + row * s->stride[3] +
                     npc_axis_source(&axis[2], run.begin, tw) * s->stride[4];
    return run;
}

static void add_strided(npc_dtype dtype, char *to, int64_t stride, const char *from, int64_t count)
{
    if (dtype == NPC_F32)
        for (int64_t i = 0; i < count; i++) *(float *)(to + i * stride) += ((const float *)from)[i];
    else
        for (int64_t i = 0; i < count; i++)
            *(double *)(to + i * stride) += ((const double *)from)[i];
}

void npc_columns_add(const npc_kernels *kernels, const npc_window *window, int64_t tap,
                     int64_t first, int64_t count, const char *from, char *plane)
{
    const npc_axis *axis = window->axis;
    const int64_t size = (int64_t)npc_dtype_size(kernels->dtype);
    int64_t w = first % axis[2].pixels, line = first / axis[2].pixels;
    while (count > 0) {
        const int64_t length = npc_min(axis[2].pixels - w, count);
        const npc_column_run run =
            npc_column_run_of(window, tap, line / axis[1].pixels, line % axis[1].pixels);
        const int64_t begin = npc_max(run.begin, w), end = npc_min(run.end, w + length);
        if (begin < end) {
            char *to = plane + run.offset + (begin - run.begin) * run.stride;
            if (run.stride == size)
                npc_run_add(kernels, to, from + (begin - w) * size, end - begin);
            else
                add_strided(kernels->dtype, to, run.stride, from + (begin - w) * size, end - begin);
        }
        from += length * size;
        count -= length;
        w = 0;
        line++;
    }
}

enum { STAGE = 1024 }; /* elements that pass through scratch where a row cannot be used in place */

typedef struct job {
    npc_window window;
    const npc_array *image, *cols; /* x or dx, and the matrix */
    const npc_kernels *kernels;
    int64_t channels;
} job;

static npc_status init(job *j, const npc_conv_geometry *g, const npc_array *image,
                       const npc_array *cols, npc_dtype dtype, const npc_options *options)
{
    if (!npc_conv_is_consistent(g)) return NPC_INVALID_GEOMETRY;
    j->image = image;
    j->cols = cols;
    j->channels = g->in_channels;
    npc_window_forward(&j->window, g, image, dtype);
    return npc_simple_kernels(options, dtype, &j->kernels);
}

/* One row of the matrix of one image. */
static npc_status fill_row(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_window *window = &j->window;
    const npc_axis *axis = window->axis;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype), taps = window->taps;
    const int64_t n = piece / (j->channels * taps), k = piece % (j->channels * taps);
    const char *plane = j->image->data + n * j->image->stride[0] + k / taps * j->image->stride[1];
    const int64_t stride = j->cols->stride[2];
    char *to = j->cols->data + n * j->cols->stride[0] + k * j->cols->stride[1];

    for (int64_t line = 0; line < axis[0].pixels * axis[1].pixels; line++) {
        const npc_column_run run =
            npc_column_run_of(window, k % taps, line / axis[1].pixels, line % axis[1].pixels);
        for (int64_t w = 0; w < axis[2].pixels; w += STAGE) {
            const int64_t count = npc_min(STAGE, axis[2].pixels - w);
            const int64_t begin = npc_min(npc_max(run.begin - w, 0), count);
            const int64_t end = npc_max(npc_min(run.end - w, count), begin);
            char *row = stride == size ? to : scratch;
            memset(row, 0, (size_t)(begin * size));
            if (begin < end)
                npc_read_run(j->image, plane + run.offset + (w + begin - run.begin) * run.stride,
                             run.stride, end - begin, window->dtype, row + begin * size);
            memset(row + end * size, 0, (size_t)((count - end) * size));
            if (row != to) npc_write_run(row, window->dtype, to, stride, count);
            to += count * stride;
        }
    }
    return NPC_OK;
}

/* All rows of one channel of one image. */
static npc_status add_channel(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_window *window = &j->window;
    const int64_t n = piece / j->channels, c = piece % j->channels, taps = window->taps;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype), stride = j->cols->stride[2];
    const int in_place = npc_is_plain(j->cols, window->dtype) && stride == size;
    char *plane = j->image->data + n * j->image->stride[0] + c * j->image->stride[1];

    npc_zero_plane(j->image, plane, window->axis[0].extent, window->axis[1].extent,
                   window->axis[2].extent, size);
    for (int64_t tap = 0; tap < taps; tap++) {
        const char *row =
            j->cols->data + n * j->cols->stride[0] + (c * taps + tap) * j->cols->stride[1];
        for (int64_t p = 0; p < window->pixels; p += STAGE) {
            const int64_t count = npc_min(STAGE, window->pixels - p);
            const char *from = row + p * stride;
            if (!in_place) npc_read_run(j->cols, from, stride, count, window->dtype, scratch);
            npc_columns_add(j->kernels, window, tap, p, count, in_place ? from : scratch, plane);
        }
    }
    return NPC_OK;
}

npc_status npc_im2col(const npc_conv_geometry *g, const npc_array *x, const npc_array *cols,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    job j;
    const npc_status status = init(&j, g, x, cols, dtype, options);
    if (status != NPC_OK) return status;
    const int64_t rows = g->batch * g->in_channels * j.window.taps;
    npc_team team = npc_make_team(options, 2.0 * (double)rows * (double)j.window.pixels);
    const npc_status done = npc_parallel_for(&team, rows, STAGE * sizeof(double), fill_row, &j);
    npc_simple_info(info, "im2col", j.kernels, &team);
    return done;
}

npc_status npc_col2im(const npc_conv_geometry *g, const npc_array *cols, const npc_array *dx,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    job j;
    const npc_status status = init(&j, g, dx, cols, dtype, options);
    if (status != NPC_OK) return status;
    const int64_t planes = g->batch * g->in_channels;
    npc_team team = npc_make_team(options, 2.0 * (double)planes * (double)j.window.taps *
                                               (double)j.window.pixels);
    const npc_status done =
        npc_parallel_for(&team, planes, STAGE * sizeof(double), add_channel, &j);
    npc_simple_info(info, "col2im", j.kernels, &team);
    return done;
}
