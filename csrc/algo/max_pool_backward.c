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
#include "../plan/simple_plan.h"
#include "max_pool_backward_job.h"

static int64_t index_at(const npc_unpool_job *j, int64_t at)
{
    return j->kind == NPC_INDEX_BYTE ? (int64_t)((const uint8_t *)j->given)[at]
                                     : ((const int64_t *)j->given)[at];
}

/* Where an index points: its position in the plane, or -1 if it is out of range. */
static int64_t checked_position(const npc_unpool_job *j, int64_t index, int64_t d, int64_t h,
                                int64_t w)
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

/* ---- scattering ---- */

/* All of a plane of dx. Indices are checked again, for another thread of the caller's may write to
 * the array meanwhile. */
npc_status npc_unpool_scatter_plane(const npc_unpool_job *j, int64_t plane)
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
    return npc_unpool_scatter_plane(context, piece);
}

/* ---- checking ---- */

/* Whether a tap number lies in the input, for a window of less than three dimensions. */
static int in_window(const npc_unpool_job *j, int64_t number, int64_t h, int64_t w)
{
    const npc_axis *axis = j->window.axis;
    const int64_t s = (number | axis[2].taps) >> 32 ? number % axis[2].taps
                                                    : (uint32_t)number % (uint32_t)axis[2].taps;
    const int64_t r = (number | axis[2].taps) >> 32 ? number / axis[2].taps
                                                    : (uint32_t)number / (uint32_t)axis[2].taps;
    return npc_axis_holds(&axis[2], npc_axis_source(&axis[2], w, s)) &&
           npc_axis_holds(&axis[1], npc_axis_source(&axis[1], h, r));
}

static npc_status check_outputs(const npc_unpool_job *j, int64_t plane, int64_t h, int64_t w,
                                int64_t end)
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
npc_status npc_unpool_check_plane(const npc_unpool_job *j, int64_t plane)
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
                if (!npc_unpool_number_row(j, at + h * axis[2].pixels, h, w,
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
static npc_status check_volume(const npc_unpool_job *j, int64_t plane)
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
    const npc_unpool_job *j = context;
    const int deep = j->window.axis[0].pixels > 1 || j->window.axis[0].taps > 1;
    const int64_t end = npc_min((piece + 1) * j->units_a_piece, j->planes);
    for (int64_t plane = piece * j->units_a_piece; plane < end; plane++) {
        const npc_status status = deep ? check_volume(j, plane) : npc_unpool_check_plane(j, plane);
        if (status != NPC_OK) return status;
    }
    return NPC_OK;
}

/* ---- planning ---- */

static void sort_taps(const npc_axis *axis, npc_unpool_phases *sorted)
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
static void plan_gathering(npc_unpool_job *j)
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
    const npc_unpool_phases *v = &j->vertical, *u = &j->horizontal;
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
    npc_unpool_job j = {.from = grad,
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
        j.stream = npc_beyond_caches(dx, g->batch, g->channels, g->input[0], g->input[1],
                                     g->input[2], j.size);
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
                                      npc_unpool_tile_planes, &j);
        if (status == NPC_OK && j.bands > 0 && !j.tiles) {
            const int64_t step = j.window.axis[2].step;
            const size_t staged = (size_t)(j.rows * j.pitch) * (size_t)(j.size + 1) + 128;
            const size_t row = (size_t)(j.columns * step * j.size);
            status = npc_parallel_for(&team, npc_ceil_div(j.planes * j.bands, j.units_a_piece),
                                      staged + row, npc_unpool_gather, &j);
        }
    }
    free(j.scattered);
    npc_simple_info(info, "max_pool_backward", j.kernels, &team);
    return status;
}
