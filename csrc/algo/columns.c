/* What im2col and col2im share. */
#include "columns.h"

#include <string.h>

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

void npc_column_taps(const npc_window *window, int64_t tap, int64_t taps, int64_t column,
                     int64_t columns, npc_spread_tap *list)
{
    const npc_axis *axis = &window->axis[2];
    for (int64_t i = 0; i < taps; i++) {
        int64_t begin, end;
        npc_axis_valid(axis, tap + i, &begin, &end);
        begin = npc_max(begin, column);
        end = npc_min(end, column + columns);
        list[i] = (npc_spread_tap){0, 0, 0};
        if (begin >= end) continue;
        list[i].offset_bytes = npc_axis_source(axis, begin, tap + i) * window->source->stride[4];
        list[i].begin = begin - column;
        list[i].end = end - column;
    }
}

void npc_column_rows(const npc_window *window, int64_t tap, int64_t line, int64_t lines,
                     npc_column_lines *found)
{
    const npc_axis *axis = window->axis;
    const int64_t th = tap / axis[2].taps % axis[1].taps, tz = tap / axis[2].taps / axis[1].taps;
    const int64_t h = line % axis[1].pixels;
    const int64_t slice = npc_axis_source(&axis[0], line / axis[1].pixels, tz);
    int64_t begin, end;
    found->lines = npc_min(axis[1].pixels - h, lines);
    npc_axis_valid(&axis[1], th, &begin, &end);
    begin = npc_min(npc_max(begin - h, 0), found->lines);
    end = npc_max(npc_min(end - h, found->lines), begin);
    if (!npc_axis_holds(&axis[0], slice)) end = begin;
    found->begin = begin;
    found->end = end;
    found->offset = 0;
    if (begin < end)
        found->offset = slice * window->source->stride[2] +
                        npc_axis_source(&axis[1], h + begin, th) * window->source->stride[3];
}

void npc_columns_add_lines(const npc_kernels *kernels, const npc_window *window, int64_t tap,
                           int64_t taps, const npc_column_block *block, const char *from,
                           int64_t from_stride, char *plane)
{
    const npc_axis *axis = window->axis;
    const npc_array *s = window->source;
    const int64_t size = (int64_t)npc_dtype_size(kernels->dtype), columns = block->columns;
    npc_spread_tap list[NPC_COLUMN_TAPS];
    npc_add_taps_args args = {.from_stride = from_stride,
                              .count = columns,
                              .tap = list,
                              .row_stride_bytes = npc_axis_step_bytes(&axis[1], s->stride[3]),
                              .step = npc_axis_step_bytes(&axis[2], s->stride[4]) / size};
    for (int64_t end = tap + taps; tap < end; tap += args.taps) {
        const int64_t first = tap % axis[2].taps;
        args.taps = npc_min(npc_min(axis[2].taps - first, NPC_COLUMN_TAPS), end - tap);
        npc_column_taps(window, first, args.taps, block->column, columns, list);
        for (int64_t line = 0; line < block->lines;) {
            npc_column_lines found;
            npc_column_rows(window, tap, block->line + line, block->lines - line, &found);
            args.rows = found.end - found.begin;
            args.from = from + (line + found.begin) * columns * size;
            args.to = plane + found.offset;
            if (args.rows > 0) npc_run_add_taps(kernels, &args);
            line += found.lines;
        }
        from += args.taps * from_stride * size;
    }
}

void npc_spread_converted(const npc_window *window, const npc_spread_args *args)
{
    const npc_array *s = window->source;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    const int64_t step_bytes = npc_axis_step_bytes(&window->axis[2], s->stride[4]);
    const int64_t rows = args->zeros_before + args->rows + args->zeros_after;
    for (int64_t t = 0; t < args->taps; t++) {
        const npc_spread_tap *tap = &args->tap[t];
        char *to = (char *)args->to + t * args->to_stride * size;
        memset(to, 0, (size_t)(rows * args->count * size));
        if (tap->begin == tap->end) continue;
        to += (args->zeros_before * args->count + tap->begin) * size;
        for (int64_t i = 0; i < args->rows; i++)
            npc_read_run(
                s, (const char *)args->from + i * args->row_stride_bytes + tap->offset_bytes,
                step_bytes, tap->end - tap->begin, window->dtype, to + i * args->count * size);
    }
}

int npc_columns_are_planes(const npc_conv_geometry *g, const npc_window *window,
                           const npc_array *image, const npc_array *cols, int64_t size)
{
    const npc_axis *axis = window->axis;
    const int64_t extent[NPC_SPATIAL] = {axis[0].extent, axis[1].extent, axis[2].extent};
    const int64_t plane = extent[1] * extent[2], channel = window->taps * window->pixels;
    return axis[0].extent == 1 && npc_extents_follow(image, extent, size) &&
           (g->in_channels == 1 || image->stride[1] == plane * size) &&
           (g->batch == 1 || image->stride[0] == g->in_channels * plane * size) &&
           (window->pixels == 1 || cols->stride[2] == size) &&
           (g->in_channels * window->taps == 1 || cols->stride[1] == window->pixels * size) &&
           (g->batch == 1 || cols->stride[0] == g->in_channels * channel * size);
}
