/* Max-pooling and its gradient where channels are innermost: a vector is channels of one pixel.
 *
 * Forward, a pixel compares the taps that lie in the image; backward, a pixel of dx asks the
 * windows that reach it. Each line is written once. */
#include <stdlib.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../plan/simple_plan.h"
#include "pool.h"
#include "reach.h"

enum {
    MAX_TAPS = 256,
    MAX_ROWS = 1024, /* of outputs that reach a row */
    COLUMNS = 4096,  /* pixels of dx that are done at once */
    PIECE_BYTES = 1 << 17
};

typedef struct job {
    const npc_pool_geometry *g;
    npc_window window;
    npc_reach_axis axis[NPC_SPATIAL]; /* backward */
    const char *from, *given;
    char *to, *indices;
    npc_index_kind kind;
    const npc_kernels *kernels;
    int64_t size, rows, rows_a_piece, pieces; /* rows: of the result, of an image */
    int64_t *found;                           /* matches of each piece */
} job;

/* ---- forward ---- */

/* Pixels [w, end) of a row, whose taps along W are `columns`. */
static void pool_run(const job *j, int64_t image, int64_t d, int64_t h, int64_t w, int64_t end)
{
    const npc_pool_geometry *g = j->g;
    const npc_axis *axis = j->window.axis;
    const int64_t c = g->channels, height = axis[1].extent, width = axis[2].extent;
    const npc_tap_range slices = npc_reaching_taps(&axis[0], d, d + 1);
    const npc_tap_range rows = npc_reaching_taps(&axis[1], h, h + 1);
    const npc_tap_range columns = npc_reaching_taps(&axis[2], w, w + 1);
    const int flat = j->kind == NPC_INDEX_FLAT;
    int64_t offset[MAX_TAPS], number[MAX_TAPS], taps = 0;
    for (int64_t kd = slices.first; kd < slices.first + slices.count; kd++)
        for (int64_t r = rows.first; r < rows.first + rows.count; r++)
            for (int64_t s = columns.first; s < columns.first + columns.count; s++) {
                const int64_t position =
                    (npc_axis_source(&axis[0], d, kd) * height + npc_axis_source(&axis[1], h, r)) *
                        width +
                    npc_axis_source(&axis[2], w, s);
                offset[taps] = position * c;
                number[taps++] = flat ? position : (kd * axis[1].taps + r) * axis[2].taps + s;
            }
    const int64_t at = ((image * j->rows + d * axis[1].pixels + h) * axis[2].pixels + w) * c;
    npc_max_pixels_args args = {.from = j->from + image * npc_volume(g->input) * c * j->size,
                                .step = end - w > 1 ? axis[2].step * c : 0,
                                .group = c,
                                .count = end - w,
                                .taps = taps,
                                .offset = offset,
                                .number = number,
                                .smallest = g->smallest,
                                .out = j->to + at * j->size,
                                .base_step = flat && end - w > 1 ? axis[2].step : 0};
    if (j->indices && j->kind == NPC_INDEX_BYTE)
        args.index8 = (uint8_t *)j->indices + at;
    else if (j->indices)
        args.index64 = (int64_t *)j->indices + at;
    npc_run_max_pixels(j->kernels, &args);
}

static npc_status pool_rows(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const npc_axis *axis = j->window.axis;
    const int64_t all = j->g->batch * j->rows;
    const int64_t last = npc_min((piece + 1) * j->rows_a_piece, all);
    for (int64_t row = piece * j->rows_a_piece; row < last; row++) {
        const int64_t image = row / j->rows, d = row % j->rows / axis[1].pixels;
        const int64_t h = row % axis[1].pixels;
        const int64_t begin = npc_min(axis[2].inner_begin, axis[2].pixels);
        const int64_t end = npc_max(npc_min(axis[2].inner_end, axis[2].pixels), begin);
        for (int64_t w = 0; w < begin; w++) pool_run(j, image, d, h, w, w + 1);
        if (begin < end) pool_run(j, image, d, h, begin, end);
        for (int64_t w = end; w < axis[2].pixels; w++) pool_run(j, image, d, h, w, w + 1);
    }
    return NPC_OK;
}

/* ---- backward ---- */

typedef struct workspace {
    int64_t *row, *row_number;
    int32_t *reach;
} workspace;

/* The tap of output o that lies on pixel i. */
static int64_t tap_on(const npc_axis *axis, int64_t i, int64_t o)
{
    return (i - axis->first - o * axis->step) / axis->spacing;
}

/* The windows that reach pixels [x, x + count) of a row. */
static void list_columns(const job *j, const workspace *s, int64_t x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const npc_reach reach = npc_reach_of(&j->axis[2], x + i);
        s->reach[3 * i] = (int32_t)reach.first;
        s->reach[3 * i + 1] = (int32_t)reach.count;
        s->reach[3 * i + 2] =
            reach.count ? (int32_t)tap_on(&j->window.axis[2], x + i, reach.first) : 0;
    }
}

/* Taps from one of a pixel's windows to the next along an axis. */
static int64_t tap_step(const npc_axis *axis)
{
    return axis->step / npc_greatest_common_divisor(axis->step, axis->spacing);
}

static npc_status unpool_rows(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_axis *axis = j->window.axis;
    const int64_t c = j->g->channels, outputs = j->window.pixels, width = axis[2].extent;
    const int64_t all = j->g->batch * j->rows;
    const int64_t last = npc_min((piece + 1) * j->rows_a_piece, all);
    char *cursor = scratch;
    workspace s;
    s.row = npc_scratch_take(&cursor, MAX_ROWS * sizeof *s.row);
    s.row_number = npc_scratch_take(&cursor, MAX_ROWS * sizeof *s.row);
    s.reach = npc_scratch_take(&cursor, 3 * COLUMNS * sizeof *s.reach);
    int64_t listed = -1, found = 0;
    for (int64_t row = piece * j->rows_a_piece; row < last; row++) {
        const int64_t image = row / j->rows, z = row % j->rows / axis[1].extent;
        const int64_t y = row % axis[1].extent;
        const npc_reach slices = npc_reach_of(&j->axis[0], z);
        const npc_reach rows = npc_reach_of(&j->axis[1], y);
        int64_t count = 0;
        for (int64_t i = 0; i < slices.count; i++)
            for (int64_t k = 0; k < rows.count; k++) {
                const int64_t d = slices.first + i * j->axis[0].spacing;
                const int64_t h = rows.first + k * j->axis[1].spacing;
                s.row[count] = (d * axis[1].pixels + h) * axis[2].pixels;
                s.row_number[count++] =
                    (tap_on(&axis[0], z, d) * axis[1].taps + tap_on(&axis[1], y, h)) * axis[2].taps;
            }
        for (int64_t x = 0; x < width; x += COLUMNS) {
            const int64_t columns = npc_min(COLUMNS, width - x);
            if (listed != x) list_columns(j, &s, x, columns);
            listed = x;
            const int64_t at = image * outputs * c;
            npc_unpool_pixels_args args = {
                .grad = j->from + at * j->size,
                .group = c,
                .count = columns,
                .row_count = count,
                .spacing = j->axis[2].spacing,
                .number_step = tap_step(&axis[2]),
                .position = j->kind == NPC_INDEX_FLAT ? (z * axis[1].extent + y) * width + x : -1,
                .row = s.row,
                .row_number = s.row_number,
                .reach = s.reach,
                .to = j->to + (row * width + x) * c * j->size};
            if (j->kind == NPC_INDEX_BYTE)
                args.index8 = (const uint8_t *)j->given + at;
            else
                args.index64 = (const int64_t *)j->given + at;
            found += npc_run_unpool_pixels(j->kernels, &args);
        }
    }
    j->found[piece] = found;
    return NPC_OK;
}

static npc_status check_rows(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t count = j->window.pixels * j->g->channels;
    const int64_t limit = j->kind == NPC_INDEX_FLAT ? npc_volume(j->g->input) : j->window.taps;
    return npc_run_in_range(j->kernels, (const int64_t *)j->given + piece * count, count, limit)
               ? NPC_OK
               : NPC_BAD_INDEX;
}

/* ---- both ---- */

static npc_status init(job *j, const npc_pool_geometry *g, npc_dtype dtype,
                       const npc_options *options)
{
    const npc_array none = {0};
    npc_status status = npc_pool_check(g);
    if (status == NPC_OK) status = npc_simple_kernels(options, dtype, &j->kernels);
    if (status != NPC_OK) return status;
    npc_pool_window(&j->window, g, &none, dtype);
    j->g = g;
    j->size = (int64_t)npc_dtype_size(dtype);
    if (g->adaptive || g->starts || j->window.taps > MAX_TAPS || npc_volume(g->input) > INT32_MAX ||
        npc_volume(g->output) > INT32_MAX)
        return NPC_INVALID_GEOMETRY;
    return NPC_OK;
}

/* Cuts the rows of all images, each of `bytes`, into pieces. */
static void cut(job *j, int64_t rows, double bytes)
{
    j->rows = rows;
    j->rows_a_piece = npc_max((int64_t)(PIECE_BYTES / (bytes + 1)), 1);
    j->pieces = npc_ceil_div(rows * j->g->batch, j->rows_a_piece);
}

npc_status npc_max_pool_last(const npc_pool_geometry *g, const void *x, void *y, void *indices,
                             npc_index_kind kind, npc_dtype dtype, const npc_options *options,
                             npc_plan_info *info)
{
    job j = {.from = x, .to = y, .indices = indices, .kind = kind};
    npc_status status = init(&j, g, dtype, options);
    if (status != NPC_OK) return status;
    const double row = (double)g->output[2] * (double)g->channels;
    cut(&j, g->output[0] * g->output[1], row * 16);
    npc_team team = npc_make_team(options, 4.0 * row * (double)j.rows * (double)g->batch *
                                               (double)j.window.taps);
    if (g->channels > 0) status = npc_parallel_for(&team, j.pieces, 0, pool_rows, &j);
    npc_simple_info(info, "max_pool", j.kernels, &team);
    return status;
}

npc_status npc_max_pool_last_backward(const npc_pool_geometry *g, const void *grad,
                                      const void *indices, npc_index_kind kind, void *dx,
                                      npc_dtype dtype, const npc_options *options,
                                      npc_plan_info *info)
{
    job j = {.from = grad, .to = dx, .given = indices, .kind = kind};
    npc_status status = init(&j, g, dtype, options);
    if (status != NPC_OK) return status;
    for (int i = 0; i < NPC_SPATIAL; i++) npc_reach_set(&j.axis[i], g, i, 1);
    const double row = (double)g->input[2] * (double)g->channels;
    cut(&j, g->input[0] * g->input[1], row * 16);
    npc_team team = npc_make_team(options, 8.0 * row * (double)j.rows * (double)g->batch);
    if (g->channels > 0 && j.pieces > 0) {
        j.found = calloc((size_t)j.pieces, sizeof *j.found);
        if (!j.found) return NPC_NO_MEMORY;
        if (kind != NPC_INDEX_BYTE) status = npc_parallel_for(&team, g->batch, 0, check_rows, &j);
        if (status == NPC_OK) {
            const size_t scratch =
                2 * MAX_ROWS * sizeof(int64_t) + 3 * COLUMNS * sizeof(int32_t) + 256;
            status = npc_parallel_for(&team, j.pieces, scratch, unpool_rows, &j);
        }
        int64_t found = 0;
        for (int64_t i = 0; status == NPC_OK && i < j.pieces; i++) found += j.found[i];
        if (status == NPC_OK && found != g->batch * j.window.pixels * g->channels)
            status = NPC_BAD_INDEX; /* one that no pixel of its window has asked for */
        free(j.found);
    }
    npc_simple_info(info, "max_pool_backward", j.kernels, &team);
    return status;
}
