/* The gradient of max-pooling.
 *
 * A pixel of dx collects from the windows that reach it the gradients whose index says that it won,
 * in order of the outputs. So each line of dx is written once, from rows of dy and of the tap
 * numbers that won them, staged in scratch. Indices are checked plane by plane before.
 *
 * What does not fit this (flat indices that lie outside of their windows, windows of very many
 * taps, three dimensions) is scattered: each gradient is added at its index, in the same order.
 */
#include <stdlib.h>
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../plan/simple_plan.h"
#include "pool.h"

enum {
    MAX_TAPS = 255,        /* of a window: their numbers are bytes, and one value means none */
    NONE = 255,            /* no tap won, or none of this output's */
    COLUMNS = 1024,        /* pixels of a row that are done at once, of one phase */
    ROW = 4096,            /* and of all phases */
    MAX_STEP = 16,         /* further apart than most windows are wide: little to gather */
    OVER_READ = 16,        /* lanes that a kernel may read past a row */
    MAX_REACH = 4096,      /* outputs between those of a pixel's first and last window */
    STAGE_BYTES = 1 << 18, /* of staged rows: in L2, and with most images all of a plane */
    PIECE_BYTES = 1 << 16  /* of dx that are worth a piece of work */
};

/* Phase p of an axis of dx is the pixels p + i * step; they are tap[k] of outputs i + shift[k],
 * first_tap[p] <= k < first_tap[p + 1], in ascending order of the outputs. */
typedef struct phases {
    int64_t first_tap[MAX_STEP + 1], tap[MAX_TAPS], shift[MAX_TAPS];
    int64_t least_shift, most_shift;
} phases;

typedef struct job {
    npc_window window;
    const npc_array *from, *to;
    const char *given; /* indices */
    npc_index_kind kind;
    const npc_kernels *kernels;
    int64_t channels, size, planes, pixels; /* pixels: of a plane of dx */
    /* By gathering, bands > 0. */
    int64_t bands, units_a_piece, columns, rows, pitch;
    phases vertical, horizontal;
    int64_t first_term[MAX_STEP * MAX_STEP + 1]; /* of phase (p, q): p * step + q */
    int32_t offset[MAX_TAPS], wanted[MAX_TAPS];
    int tiles;                /* windows lie side by side: no staging */
    unsigned char *scattered; /* planes with indices outside of their windows, if bands > 1 */
} job;

static int64_t index_at(const job *j, int64_t at)
{
    return j->kind == NPC_INDEX_BYTE ? (int64_t)((const uint8_t *)j->given)[at]
                                     : ((const int64_t *)j->given)[at];
}

/* Where an index points: its position in the plane, or -1 if it is out of range. */
static int64_t checked_position(const job *j, int64_t index, int64_t d, int64_t h, int64_t w)
{
    const npc_window *window = &j->window;
    const npc_axis *axis = window->axis;
    if (j->kind == NPC_INDEX_FLAT) return (uint64_t)index < (uint64_t)j->pixels ? index : -1;
    if (index < 0 || index >= window->taps) return -1;
    if (!npc_axis_holds(&axis[2], npc_axis_source(&axis[2], w, index % axis[2].taps)) ||
        !npc_axis_holds(&axis[1],
                        npc_axis_source(&axis[1], h, index / axis[2].taps % axis[1].taps)) ||
        !npc_axis_holds(&axis[0],
                        npc_axis_source(&axis[0], d, index / axis[2].taps / axis[1].taps)))
        return -1;
    return npc_flat_position(window, index, d, h, w);
}

static npc_status check_plane(const job *j, int64_t plane);

/* ---- scattering ---- */

/* All of a plane of dx. Indices are checked again, for another thread of the caller's may write to
 * the array meanwhile. */
static npc_status scatter_plane(const job *j, int64_t plane)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *dy = j->from, *dx = j->to;
    const int64_t n = plane / j->channels, c = plane % j->channels;
    const int64_t width = axis[2].extent, height = axis[1].extent;
    const char *from = dy->data + n * dy->stride[0] + c * dy->stride[1];
    char *to = dx->data + n * dx->stride[0] + c * dx->stride[1];
    int64_t at = plane * j->window.pixels;

    npc_zero_plane(dx, to, axis[0].extent, height, width, j->size);
    for (int64_t d = 0; d < axis[0].pixels; d++) {
        for (int64_t h = 0; h < axis[1].pixels; h++) {
            const char *row = from + d * dy->stride[2] + h * dy->stride[3];
            for (int64_t w = 0; w < axis[2].pixels; w++, at++) {
                const int64_t target = checked_position(j, index_at(j, at), d, h, w);
                if (target < 0) return NPC_BAD_INDEX;
                char *pixel = to + target % width * dx->stride[4] +
                              target / width % height * dx->stride[3] +
                              target / width / height * dx->stride[2];
                const double v = npc_load(row + w * dy->stride[4], dy->dtype, dy->swapped);
                if (j->size == 4)
                    *(float *)pixel += (float)v;
                else
                    *(double *)pixel += v;
            }
        }
    }
    return NPC_OK;
}

static npc_status scatter_planes(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    return scatter_plane(context, piece);
}

/* ---- gathering ---- */

/* The number of the tap that a flat index names, or NONE. */
static uint8_t tap_of(const job *j, int64_t index, int64_t h, int64_t w)
{
    const npc_axis *axis = j->window.axis;
    if ((uint64_t)index >= (uint64_t)j->pixels) return NONE;
    const int64_t y = index / axis[2].extent - npc_axis_source(&axis[1], h, 0);
    const int64_t x = index % axis[2].extent - npc_axis_source(&axis[2], w, 0);
    if (x < 0 || y < 0 || x % axis[2].spacing || y % axis[1].spacing) return NONE;
    const int64_t s = x / axis[2].spacing, r = y / axis[1].spacing;
    return s < axis[2].taps && r < axis[1].taps ? (uint8_t)(r * axis[2].taps + s) : NONE;
}

/* Tap numbers of outputs [w, end) of row h; `at` is the index of output 0. Returns whether there is
 * one for each. */
static int number_row(const job *j, int64_t at, int64_t h, int64_t w, int64_t end, uint8_t *to)
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

static int fill_stage(const job *j, const stage *s, int64_t plane, int64_t columns)
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
        found &= number_row(j, at, h, begin, end, number + (begin - s->first_column));
        npc_read_run(dy,
                     dy->data + n * dy->stride[0] + c * dy->stride[1] + h * dy->stride[3] +
                         begin * dy->stride[4],
                     dy->stride[4], end - begin, j->window.dtype,
                     s->grad + (i * j->pitch + begin - s->first_column) * j->size);
    }
    return found;
}

/* `count` pixels of the rows of dx whose phase is p, from row y on, `rows` in number. */
static void gather_rows(const job *j, const stage *s, char *to, int64_t y, int64_t rows,
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
static int fill_tiles(const job *j, int64_t plane)
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
        .to_pitch = dx->stride[3] / size};
    const int64_t used = 2 * axis[2].pixels; /* columns */
    for (int64_t y = 0; used < width && y < rows; y++)
        memset(to + y * dx->stride[3] + used * size, 0, (size_t)((width - used) * size));
    for (int64_t y = rows; y < axis[1].extent; y++)
        memset(to + y * dx->stride[3], 0, (size_t)(width * size));
    return npc_run_unpool_tiles(j->kernels, &args);
}

static npc_status tile_planes(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t end = npc_min((piece + 1) * j->units_a_piece, j->planes);
    for (int64_t plane = piece * j->units_a_piece; plane < end; plane++) {
        npc_status status = check_plane(j, plane);
        if (status == NPC_OK && !fill_tiles(j, plane)) status = scatter_plane(j, plane);
        if (status != NPC_OK) return status;
    }
    return NPC_OK;
}

static npc_status gather_units(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
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
        if (j->bands == 1) {
            const npc_status status = check_plane(j, plane);
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
            const npc_status status = scatter_plane(j, plane);
            if (status != NPC_OK) return status;
        }
    }
    return NPC_OK;
}

/* ---- checking ---- */

/* Whether a tap number lies in the input, for a window of less than three dimensions. */
static int in_window(const job *j, int64_t number, int64_t h, int64_t w)
{
    const npc_axis *axis = j->window.axis;
    const int64_t s = (number | axis[2].taps) >> 32 ? number % axis[2].taps
                                                    : (uint32_t)number % (uint32_t)axis[2].taps;
    const int64_t r = (number | axis[2].taps) >> 32 ? number / axis[2].taps
                                                    : (uint32_t)number / (uint32_t)axis[2].taps;
    return npc_axis_holds(&axis[2], npc_axis_source(&axis[2], w, s)) &&
           npc_axis_holds(&axis[1], npc_axis_source(&axis[1], h, r));
}

static npc_status check_outputs(const job *j, int64_t plane, int64_t h, int64_t w, int64_t end)
{
    const int64_t at = plane * j->window.pixels + h * j->window.axis[2].pixels;
    for (; w < end; w++)
        if (!in_window(j, index_at(j, at + w), h, w)) return NPC_BAD_INDEX;
    return NPC_OK;
}

static int bytes_below(const uint8_t *from, int64_t count, int64_t limit)
{
    uint8_t largest = 0;
    for (int64_t i = 0; i < count; i++) largest = from[i] > largest ? from[i] : largest;
    return largest < limit;
}

/* A plane's indices: those of a range at once, then those of windows at the border one by one. */
static npc_status check_plane(const job *j, int64_t plane)
{
    const npc_axis *axis = j->window.axis;
    const int64_t at = plane * j->window.pixels;
    const int flat = j->kind == NPC_INDEX_FLAT;
    const int fine =
        j->kind == NPC_INDEX_BYTE
            ? bytes_below((const uint8_t *)j->given + at, j->window.pixels, j->window.taps)
            : npc_run_in_range(j->kernels, (const int64_t *)j->given + at, j->window.pixels,
                               flat ? j->pixels : j->window.taps);
    if (!fine) return NPC_BAD_INDEX;
    if (flat && !j->scattered) return NPC_OK;
    for (int64_t h = 0; h < axis[1].pixels; h++) {
        if (flat) {
            uint8_t number[COLUMNS];
            for (int64_t w = 0; w < axis[2].pixels; w += COLUMNS)
                if (!number_row(j, at + h * axis[2].pixels, h, w,
                                npc_min(w + COLUMNS, axis[2].pixels), number))
                    j->scattered[plane] = 1;
            continue;
        }
        const int inside = h >= axis[1].inner_begin && h < axis[1].inner_end &&
                           axis[2].inner_begin < axis[2].inner_end;
        npc_status status =
            check_outputs(j, plane, h, 0, inside ? axis[2].inner_begin : axis[2].pixels);
        if (status == NPC_OK && inside)
            status = check_outputs(j, plane, h, axis[2].inner_end, axis[2].pixels);
        if (status != NPC_OK) return status;
    }
    return NPC_OK;
}

/* Three-dimensional windows: all one by one. */
static npc_status check_volume(const job *j, int64_t plane)
{
    const npc_axis *axis = j->window.axis;
    int64_t at = plane * j->window.pixels;
    for (int64_t d = 0; d < axis[0].pixels; d++)
        for (int64_t h = 0; h < axis[1].pixels; h++)
            for (int64_t w = 0; w < axis[2].pixels; w++)
                if (checked_position(j, index_at(j, at++), d, h, w) < 0) return NPC_BAD_INDEX;
    return NPC_OK;
}

static npc_status check_units(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int deep = j->window.axis[0].pixels > 1 || j->window.axis[0].taps > 1;
    const int64_t end = npc_min((piece + 1) * j->units_a_piece, j->planes);
    for (int64_t plane = piece * j->units_a_piece; plane < end; plane++) {
        const npc_status status = deep ? check_volume(j, plane) : check_plane(j, plane);
        if (status != NPC_OK) return status;
    }
    return NPC_OK;
}

/* ---- planning ---- */

static void sort_taps(const npc_axis *axis, phases *sorted)
{
    int64_t count = 0;
    for (int64_t p = 0; p < axis->step; p++) {
        sorted->first_tap[p] = count;
        for (int64_t t = axis->taps - 1; t >= 0; t--) {
            const int64_t distance = p - axis->first - t * axis->spacing;
            if (distance % axis->step) continue;
            const int64_t shift = distance / axis->step;
            sorted->least_shift = count ? npc_min(sorted->least_shift, shift) : shift;
            sorted->most_shift = count ? npc_max(sorted->most_shift, shift) : shift;
            sorted->tap[count] = t;
            sorted->shift[count++] = shift;
        }
    }
    sorted->first_tap[axis->step] = count;
}

/* bands stays 0 if gathering does not do it. */
static void plan_gathering(job *j)
{
    const npc_axis *axis = j->window.axis;
    if (axis[0].taps > 1 || axis[0].pixels > 1 || axis[0].extent > 1) return;
    if (j->window.taps > MAX_TAPS || axis[1].step > MAX_STEP || axis[2].step > MAX_STEP) return;
    if (j->kind == NPC_INDEX_FLAT && j->pixels > INT32_MAX) return;
    if ((axis[2].taps - 1) * axis[2].spacing / axis[2].step > MAX_REACH) return;
    sort_taps(&axis[1], &j->vertical);
    sort_taps(&axis[2], &j->horizontal);
    const int64_t reach = j->horizontal.most_shift - j->horizontal.least_shift;
    j->columns =
        npc_min(npc_min(COLUMNS, ROW / axis[2].step), npc_ceil_div(axis[2].extent, axis[2].step));
    j->pitch = (j->columns + reach + OVER_READ + 15) / 16 * 16;
    const int64_t row_bytes = j->pitch * (j->size + 1);
    const int64_t more = j->vertical.most_shift - j->vertical.least_shift + 1;
    if (more > 2 * STAGE_BYTES / row_bytes) return;
    const int64_t most = npc_max(STAGE_BYTES / row_bytes, 2 * more); /* rows that are staged */
    const int64_t blocks = npc_ceil_div(axis[1].extent, axis[1].step);
    j->bands = npc_ceil_div(blocks + more, most);
    if (j->bands > 1) j->bands = npc_ceil_div(blocks, npc_max(most - more - 1, 1));
    j->rows = (npc_ceil_div(axis[1].extent, j->bands) - 1) / axis[1].step + 1 + more;

    int64_t count = 0;
    const phases *v = &j->vertical, *u = &j->horizontal;
    for (int64_t p = 0; p < axis[1].step; p++)
        for (int64_t q = 0; q < axis[2].step; q++) {
            j->first_term[p * axis[2].step + q] = count;
            for (int64_t k = v->first_tap[p]; k < v->first_tap[p + 1]; k++)
                for (int64_t l = u->first_tap[q]; l < u->first_tap[q + 1]; l++) {
                    j->offset[count] = (int32_t)(v->shift[k] * j->pitch + u->shift[l]);
                    j->wanted[count++] = (int32_t)(v->tap[k] * axis[2].taps + u->tap[l]);
                }
        }
    j->first_term[axis[1].step * axis[2].step] = count;

    const npc_array *dy = j->from, *dx = j->to;
    j->tiles = axis[2].taps == 2 && axis[2].step == 2 && axis[2].spacing == 1 &&
               axis[1].step == axis[1].taps && axis[1].spacing == 1 && axis[1].first == 0 &&
               axis[2].first == 0 && 2 * axis[2].pixels <= axis[2].extent &&
               axis[1].taps * axis[1].pixels <= axis[1].extent && j->bands == 1 &&
               npc_is_plain(dy, j->window.dtype) && dy->stride[4] == j->size &&
               dy->stride[3] % j->size == 0 && dx->stride[4] == j->size &&
               dx->stride[3] % j->size == 0;
}

npc_status npc_max_pool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                 const void *indices, npc_index_kind kind, const npc_array *dx,
                                 npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    job j = {.from = grad,
             .to = dx,
             .given = indices,
             .kind = kind,
             .channels = g->channels,
             .size = (int64_t)npc_dtype_size(dtype),
             .planes = g->batch * g->channels,
             .pixels = npc_volume(g->input)};
    if (g->adaptive || g->starts) {
        if (kind != NPC_INDEX_FLAT) return NPC_INVALID_GEOMETRY;
        return npc_max_unpool(g, grad, indices, 1, dx, dtype, options, info);
    }
    npc_status status = npc_pool_check(g);
    if (status == NPC_OK) status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    npc_pool_window(&j.window, g, dx, dtype);
    npc_team team =
        npc_make_team(options, 8.0 * (double)j.planes * (double)(j.window.pixels + j.pixels));
    if (j.planes > 0) {
        plan_gathering(&j);
        if (kind == NPC_INDEX_FLAT && j.bands > 1) {
            j.scattered = calloc((size_t)j.planes, 1);
            if (!j.scattered) return NPC_NO_MEMORY;
        }
        j.units_a_piece = npc_max(PIECE_BYTES / npc_max(j.pixels * j.size, 1), 1);
        if (j.bands != 1) /* else each plane just before it is used, which brings it into cache */
            status = npc_parallel_for(&team, npc_ceil_div(j.planes, j.units_a_piece), 0,
                                      check_units, &j);
        if (status == NPC_OK && j.bands == 0)
            status = npc_parallel_for(&team, j.planes, 0, scatter_planes, &j);
        if (status == NPC_OK && j.tiles)
            status = npc_parallel_for(&team, npc_ceil_div(j.planes, j.units_a_piece), 0,
                                      tile_planes, &j);
        if (status == NPC_OK && j.bands > 0 && !j.tiles) {
            const int64_t step = j.window.axis[2].step;
            const size_t staged = (size_t)(j.rows * j.pitch) * (size_t)(j.size + 1) + 128;
            const size_t row = (size_t)(j.columns * step * j.size);
            status = npc_parallel_for(&team, npc_ceil_div(j.planes * j.bands, j.units_a_piece),
                                      staged + row, gather_units, &j);
        }
    }
    free(j.scattered);
    npc_simple_info(info, "max_pool_backward", j.kernels, &team);
    return status;
}
