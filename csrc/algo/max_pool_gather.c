/* The gradient of max-pooling, gathered: each line of dx is written once. */
#include <string.h>

#include "../core/dtype.h"
#include "../core/scratch.h"
#include "max_pool_backward_job.h"

/* The number of the tap that a flat index names, or NONE. */
static uint8_t tap_of(const npc_unpool_job *j, int64_t index, int64_t h, int64_t w)
{
    const npc_axis *axis = j->window.axis;
    if ((uint64_t)index >= (uint64_t)j->pixels) return NONE;
    const int64_t y = index / axis[2].extent - npc_axis_source(&axis[1], h, 0);
    const int64_t x = index % axis[2].extent - npc_axis_source(&axis[2], w, 0);
    if (x < 0 || y < 0 || x % axis[2].spacing || y % axis[1].spacing) return NONE;
    const int64_t s = x / axis[2].spacing, r = y / axis[1].spacing;
    return s < axis[2].taps && r < axis[1].taps ? (uint8_t)(r * axis[2].taps + s) : NONE;
}

int npc_unpool_number_row(const npc_unpool_job *j, int64_t at, int64_t h, int64_t w, int64_t end,
                          uint8_t *to)
{
    const npc_axis *axis = j->window.axis;
    int found = 1;
    if (j->kind == NPC_INDEX_BYTE) {
        memcpy(to, j->given + at + w, (size_t)(end - w));
        return 1;
    }
    const int64_t *index = (const int64_t *)j->given + at;
    if (j->kind == NPC_INDEX_WINDOW) {
        for (int64_t i = w; i < end; i++)
            to[i - w] = (uint64_t)index[i] < MAX_TAPS ? (uint8_t)index[i] : NONE;
        return 1;
    }
    const int64_t begin = npc_max(w, axis[2].inner_begin);
    const int64_t inner_end = npc_min(end, axis[2].inner_end);
    if (begin < inner_end) {
        const int64_t width = axis[2].extent;
        const npc_match_taps_args args = {.from = index + begin,
                                          .to = to + begin - w,
                                          .count = inner_end - begin,
                                          .base = npc_axis_source(&axis[1], h, 0) * width +
                                                  npc_axis_source(&axis[2], begin, 0),
                                          .base_step = axis[2].step,
                                          .row_distance = axis[1].spacing * width,
                                          .row_count = axis[1].taps,
                                          .taps = axis[2].taps,
                                          .spacing = axis[2].spacing};
        found = npc_run_match_taps(j->kernels, &args);
    }
    for (int64_t i = w; i < end; i++) {
        if (i == begin && begin < inner_end) i = inner_end;
        if (i >= end) break;
        to[i - w] = tap_of(j, index[i], h, i);
        found &= to[i - w] != NONE;
    }
    return found;
}

/* Rows of dy and of numbers, for the outputs that reach the pixels of a block. */
typedef struct stage {
    char *grad;
    uint8_t *number;
    char *row; /* of dx */
    int64_t first_row, rows, first_column;
} stage;

static int fill_stage(const npc_unpool_job *j, const stage *s, int64_t plane, int64_t columns)
{
    const npc_array *dy = j->from;
    const npc_axis *axis = j->window.axis;
    const int64_t n = plane / j->channels, c = plane % j->channels;
    const int64_t last = s->first_column + columns;
    const int64_t begin = npc_min(npc_max(s->first_column, 0), last);
    const int64_t end = npc_max(npc_min(last, axis[2].pixels), begin);
    int found = 1;
    for (int64_t i = 0; i < s->rows; i++) {
        const int64_t h = s->first_row + i;
        uint8_t *number = s->number + i * j->pitch;
        if (h < 0 || h >= axis[1].pixels) {
            memset(number, NONE, (size_t)columns);
            continue;
        }
        memset(number, NONE, (size_t)(begin - s->first_column));
        memset(number + (end - s->first_column), NONE, (size_t)(last - end));
        if (begin == end) continue;
        const int64_t at = plane * j->window.pixels + h * axis[2].pixels;
        found &= npc_unpool_number_row(j, at, h, begin, end, number + (begin - s->first_column));
        npc_read_run(dy,
                     dy->data + n * dy->stride[0] + c * dy->stride[1] + h * dy->stride[3] +
                         begin * dy->stride[4],
                     dy->stride[4], end - begin, j->window.dtype,
                     s->grad + (i * j->pitch + begin - s->first_column) * j->size);
    }
    return found;
}

/* `count` pixels of the rows of dx whose phase is p, from row y on, `rows` in number. */
static void gather_rows(const npc_unpool_job *j, const stage *s, char *to, int64_t y, int64_t rows,
                        int64_t count)
{
    const npc_array *dx = j->to;
    const int64_t step = j->window.axis[2].step, height = j->window.axis[1].step;
    const int64_t *first_term = j->first_term + y % height * step;
    const int64_t to_step = height * dx->stride[3];
    const int direct =
        step <= 2 && dx->stride[4] == j->size && (rows == 1 || to_step % j->size == 0);
    const int64_t begin = (y / height - s->first_row) * j->pitch - j->horizontal.least_shift;
    npc_unpool_row_args args = {.grad = s->grad + begin * j->size,
                                .number = s->number + begin,
                                .pitch = j->pitch,
                                .rows = rows,
                                .first_term = first_term,
                                .offset = j->offset,
                                .wanted = j->wanted,
                                .phases = step <= 2 ? (int)step : 1,
                                .stream =
                                    direct && j->stream && (to - dx->data) % NPC_CACHE_LINE == 0,
                                .to = to,
                                .to_pitch = to_step / j->size,
                                .count = count};
    if (direct) {
        npc_run_unpool_row(j->kernels, &args);
        return;
    }
    args.rows = 1;
    args.to = s->row;
    for (int64_t i = 0; i < rows; i++, to += to_step) {
        args.first_term = first_term;
        for (int64_t p = 0; p < npc_min(step, count); p += args.phases, args.first_term++) {
            args.count = args.phases == 2 ? count : (count - p + step - 1) / step;
            npc_run_unpool_row(j->kernels, &args);
            const int64_t stride = args.phases == 2 ? 1 : step;
            npc_write_run(s->row, j->window.dtype, to + p * dx->stride[4], stride * dx->stride[4],
                          args.count);
        }
        args.grad = (const char *)args.grad + j->pitch * j->size;
        args.number += j->pitch;
    }
}

/* A plane of windows that lie side by side; returns whether each index lies in its window. */
static int fill_tiles(const npc_unpool_job *j, int64_t plane)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *dy = j->from, *dx = j->to;
    const int64_t n = plane / j->channels, c = plane % j->channels, size = j->size;
    const int64_t width = axis[2].extent, rows = axis[1].pixels * axis[1].taps;
    const int64_t at = plane * j->window.pixels;
    char *to = dx->data + n * dx->stride[0] + c * dx->stride[1];
    const int flat = j->kind == NPC_INDEX_FLAT;
    const npc_unpool_tiles_args args = {
        .grad = dy->data + n * dy->stride[0] + c * dy->stride[1],
        .grad_pitch = dy->stride[3] / size,
        .rows = axis[1].pixels,
        .count = axis[2].pixels,
        .index64 = j->kind == NPC_INDEX_BYTE ? NULL : (const int64_t *)j->given + at,
        .index8 = j->kind == NPC_INDEX_BYTE ? (const uint8_t *)j->given + at : NULL,
        .index_pitch = axis[2].pixels,
        .base_row = flat ? axis[1].taps * width : 0,
        .base_step = flat ? 2 : 0,
        .row_distance = flat ? width : 2,
        .window_rows = axis[1].taps,
        .to = to,
        .stream = j->stream,
        .to_pitch = dx->stride[3] / size};
    const int64_t used = 2 * axis[2].pixels; /* columns */
    for (int64_t y = 0; used < width && y < rows; y++)
        memset(to + y * dx->stride[3] + used * size, 0, (size_t)((width - used) * size));
    for (int64_t y = rows; y < axis[1].extent; y++)
        memset(to + y * dx->stride[3], 0, (size_t)(width * size));
    return npc_run_unpool_tiles(j->kernels, &args);
}

npc_status npc_unpool_tile_planes(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const npc_unpool_job *j = context;
    const int64_t end = npc_min((piece + 1) * j->units_a_piece, j->planes);
    for (int64_t plane = piece * j->units_a_piece; plane < end; plane++) {
        npc_status status = npc_unpool_check_plane(j, plane);
        if (status == NPC_OK && !fill_tiles(j, plane)) status = npc_unpool_scatter_plane(j, plane);
        if (status != NPC_OK) return status;
    }
    if (j->stream) npc_run_fence(j->kernels);
    return NPC_OK;
}

npc_status npc_unpool_gather(void *context, int64_t piece, void *scratch)
{
    const npc_unpool_job *j = context;
    const npc_axis *axis = j->window.axis;
    const npc_array *dx = j->to;
    const int64_t reach = j->horizontal.most_shift - j->horizontal.least_shift;
    char *cursor = scratch;
    stage s;
    s.grad = npc_scratch_take(&cursor, (size_t)(j->rows * j->pitch * j->size));
    s.number = npc_scratch_take(&cursor, (size_t)(j->rows * j->pitch));
    s.row = cursor;

    const int64_t end = npc_min((piece + 1) * j->units_a_piece, j->planes * j->bands);
    for (int64_t unit = piece * j->units_a_piece; unit < end; unit++) {
        const int64_t plane = unit / j->bands, band = unit % j->bands;
        const int64_t y = npc_split(axis[1].extent, j->bands, band);
        const int64_t y_end = npc_split(axis[1].extent, j->bands, band + 1);
        char *to =
            dx->data + plane / j->channels * dx->stride[0] + plane % j->channels * dx->stride[1];
        int found = !j->scattered || !j->scattered[plane];
        if (j->bands == 1 && j->kind != NPC_INDEX_FLAT) { /* finding a flat one's tap checks it */
            const npc_status status = npc_unpool_check_plane(j, plane);
            if (status != NPC_OK) return status;
        }
        s.first_row = y / axis[1].step + j->vertical.least_shift;
        s.rows = (y_end - 1) / axis[1].step + j->vertical.most_shift + 1 - s.first_row;
        for (int64_t x = 0; found && x < axis[2].extent; x += j->columns * axis[2].step) {
            const int64_t count = npc_min(j->columns * axis[2].step, axis[2].extent - x);
            const int64_t i = x / axis[2].step;
            s.first_column = i + j->horizontal.least_shift;
            found = fill_stage(j, &s, plane, npc_ceil_div(count, axis[2].step) + reach);
            for (int64_t p = 0; found && p < npc_min(axis[1].step, y_end - y); p++)
                gather_rows(j, &s, to + (y + p) * dx->stride[3] + x * dx->stride[4], y + p,
                            npc_ceil_div(y_end - y - p, axis[1].step), count);
        }
        if (!found && band == 0) {
            const npc_status status = npc_unpool_scatter_plane(j, plane);
            if (status != NPC_OK) return status;
        }
    }
    if (j->stream) npc_run_fence(j->kernels);
    return NPC_OK;
}
