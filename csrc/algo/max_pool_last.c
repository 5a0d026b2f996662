/* Max-pooling and its gradient where channels are innermost: a vector is channels of one pixel.
 *
 * Forward, a pixel compares the taps that lie in the image. Backward, each tap of a row of dy goes
 * over the pixels that it meets and adds the gradients whose index names it; those of later columns
 * come first, so that an element is summed in the order of the outputs. Rows of dx become zero
 * shortly before. Where windows lie side by side, they are written once instead. Few channels are
 * added one by one at their indices. */
#include <stdlib.h>
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "pool.h"
#include "reach.h"

enum {
    MAX_TAPS = 256,
    PIECE_BYTES = 1 << 17,
    BAND_BYTES = 1 << 19, /* of dx that are done at once */
    NUMBER_BYTES = 6144   /* of elements of dy that are done at once: with dx, in L1 */
};

typedef struct tap_place {
    int64_t z, y, x; /* from a window's first */
} tap_place;

typedef struct job {
    const npc_pool_geometry *g;
    npc_window window;
    npc_reach_axis axis[NPC_SPATIAL]; /* backward */
    const char *from, *given;
    char *to, *indices;
    npc_index_kind kind;
    const npc_kernels *kernels;
    int64_t size, rows, rows_a_piece, pieces; /* rows: of the result, of an image */
    int64_t bands;                            /* of a slice of dx */
    int by_tap, side_by_side;
    tap_place tap[MAX_TAPS];
    int64_t begin[MAX_TAPS], end[MAX_TAPS]; /* pixels of a row that have a tap along W */
    int64_t *found;                         /* matches of each piece */
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

/* Rows [y, y_end) of slice z of dx. */
typedef struct band {
    int64_t image, z, y, y_end;
    char *to;
    int64_t ready; /* up to here rows are zero, or done */
} band;

static int64_t row_bytes(const job *j)
{
    return j->window.axis[2].extent * j->g->channels * j->size;
}

static void zero_rows(const job *j, band *b, int64_t end)
{
    end = npc_min(end, b->y_end);
    if (end <= b->ready) return;
    memset(b->to + (b->ready - b->y) * row_bytes(j), 0, (size_t)((end - b->ready) * row_bytes(j)));
    b->ready = end;
}

/* Rows that are written, but for what lies behind the last window of each. */
static void leave_rows(const job *j, band *b, int64_t end)
{
    const npc_axis *axis = &j->window.axis[2];
    const int64_t pixel = j->g->channels * j->size;
    const int64_t used = npc_min(axis->pixels * axis->step + axis->first, axis->extent) * pixel;
    for (; b->ready < npc_min(end, b->y_end); b->ready++)
        memset(b->to + (b->ready - b->y) * row_bytes(j) + used, 0, (size_t)(row_bytes(j) - used));
}

/* What npc_unpool_pixels_args describes for rows [y, ...) of slice z, for indices that count in the
 * windows of row (d, h). */
static int64_t add_taps(const job *j, const npc_unpool_pixels_args *args, int64_t element,
                        int64_t d, int64_t h, int64_t z, int64_t y)
{
    const npc_axis *axis = j->window.axis;
    const int64_t group = args->group, width = axis[2].extent, rows = args->limit / width;
    const int64_t depth = npc_axis_source(&axis[0], d, 0), top = npc_axis_source(&axis[1], h, 0);
    int64_t found = 0, i = 0;
    for (int64_t w = 0; w < args->count; w++) {
        const int64_t left = npc_axis_source(&axis[2], w, 0);
        for (int64_t c = 0; c < group; c++, i++) {
            const int64_t number = j->kind == NPC_INDEX_BYTE
                                       ? ((const uint8_t *)j->given)[element + i]
                                       : ((const volatile int64_t *)j->given)[element + i];
            if (number < 0 || number >= j->window.taps) continue;
            const tap_place *tap = &j->tap[number];
            const int64_t row = top + tap->y - y, column = left + tap->x;
            if (row < 0 || row >= rows || column < 0 || column >= width || depth + tap->z != z)
                continue;
            const int64_t at = (row * width + column) * group + c;
            if (j->size == 4)
                ((float *)args->to)[at] += ((const float *)args->grad)[i];
            else
                ((double *)args->to)[at] += ((const double *)args->grad)[i];
            found++;
        }
    }
    return found;
}

/* A row of dy, element by element. */
static int64_t scatter_row(const job *j, const band *b, int64_t d, int64_t h)
{
    const npc_axis *axis = j->window.axis;
    const int64_t row = (b->image * axis[0].pixels + d) * axis[1].pixels + h;
    const int64_t element = row * axis[2].pixels * j->g->channels, width = axis[2].extent;
    npc_unpool_pixels_args args = {.grad = j->from + element * j->size,
                                   .group = j->g->channels,
                                   .count = axis[2].pixels,
                                   .origin = (b->z * axis[1].extent + b->y) * width,
                                   .limit = (b->ready - b->y) * width,
                                   .to = b->to};
    if (j->kind != NPC_INDEX_FLAT) return add_taps(j, &args, element, d, h, b->z, b->y);
    args.index = (const int64_t *)j->given + element;
    return npc_run_unpool_pixels(j->kernels, &args);
}

/* A row of dy, tap by tap, a few elements at a time. Returns how many of its indices were met in
 * the band. */
static int64_t match_row(const job *j, const band *b, int64_t d, int64_t h, void *numbers)
{
    const npc_axis *axis = j->window.axis;
    const int64_t c = j->g->channels, height = axis[1].extent, width = axis[2].extent;
    const npc_tap_range slices = npc_reaching_taps(&axis[0], d, d + 1);
    const npc_tap_range rows = npc_reaching_taps(&axis[1], h, h + 1);
    const int flat = j->kind == NPC_INDEX_FLAT;
    int64_t tap[MAX_TAPS], offset[MAX_TAPS], number[MAX_TAPS], begin[MAX_TAPS], end[MAX_TAPS];
    int64_t taps = 0, found = 0;
    const int64_t most = NUMBER_BYTES / j->size;
    for (int64_t kd = slices.first; kd < slices.first + slices.count; kd++)
        for (int64_t r = rows.first; r < rows.first + rows.count; r++) {
            const int64_t line = npc_axis_source(&axis[1], h, r);
            if (npc_axis_source(&axis[0], d, kd) != b->z || line < b->y || line >= b->y_end)
                continue;
            for (int64_t s = axis[2].taps - 1; s >= 0; s--) {
                const int64_t column = npc_axis_source(&axis[2], 0, s);
                if (j->begin[s] >= j->end[s]) continue;
                tap[taps] = s;
                offset[taps] = (line - b->y) * width + column;
                number[taps++] = flat ? (b->z * height + line) * width + column
                                      : (kd * axis[1].taps + r) * axis[2].taps + s;
            }
        }
    const int64_t pixels = npc_max(most / c, 1), channels = npc_min(c, most);
    const int64_t first = ((b->image * axis[0].pixels + d) * axis[1].pixels + h) * axis[2].pixels;
    for (int64_t w = 0; w < axis[2].pixels; w += pixels)
        for (int64_t from = 0; from < c; from += channels) {
            const int64_t count = npc_min(pixels, axis[2].pixels - w);
            const int64_t element = (first + w) * c + from, step = axis[2].step;
            int64_t at[MAX_TAPS], counted[MAX_TAPS];
            for (int64_t k = 0; k < taps; k++) {
                begin[k] = npc_max(j->begin[tap[k]] - w, 0);
                end[k] = npc_max(npc_min(j->end[tap[k]] - w, count), begin[k]);
                at[k] = (offset[k] + w * step) * c + from;
                counted[k] = number[k] + (flat ? w * step : 0);
            }
            npc_unpool_taps_args args = {.grad = j->from + element * j->size,
                                         .group = npc_min(channels, c - from),
                                         .count = count,
                                         .step = step * c,
                                         .base_step = flat ? step : 0,
                                         .taps = taps,
                                         .offset = at,
                                         .number = counted,
                                         .begin = begin,
                                         .end = end,
                                         .set = j->side_by_side,
                                         .numbers = numbers,
                                         .to = b->to};
            if (j->kind == NPC_INDEX_BYTE)
                args.index8 = (const uint8_t *)j->given + element;
            else
                args.index64 = (const int64_t *)j->given + element;
            found += npc_run_unpool_taps(j->kernels, &args);
        }
    return found;
}

/* A band of rows of a slice of dx: adds what lies there of all rows of dy that reach it. */
static npc_status unpool_band(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_axis *axis = j->window.axis;
    const int64_t slice = piece / j->bands, number = piece % j->bands;
    const int64_t most = j->kind == NPC_INDEX_FLAT ? npc_volume(j->g->input) : j->window.taps;
    band b = {.image = slice / axis[0].extent,
              .z = slice % axis[0].extent,
              .y = npc_split(axis[1].extent, j->bands, number),
              .y_end = npc_split(axis[1].extent, j->bands, number + 1)};
    b.to = j->to + (slice * axis[1].extent + b.y) * row_bytes(j);
    b.ready = b.y;
    const npc_reach slices = npc_reach_of(&j->axis[0], b.z);
    int64_t begin = INT64_MAX, end = 0, found = 0;
    for (int64_t i = b.y; i < b.y_end; i++) {
        const npc_reach rows = npc_reach_of(&j->axis[1], i);
        if (rows.count == 0) continue;
        begin = npc_min(begin, rows.first);
        end = npc_max(end, rows.first + (rows.count - 1) * j->axis[1].spacing + 1);
    }
    for (int64_t i = 0; i < slices.count; i++) {
        const int64_t d = slices.first + i * j->axis[0].spacing;
        for (int64_t h = begin; h < end; h++) {
            const int64_t row = ((b.image * axis[0].pixels + d) * axis[1].pixels + h);
            const int64_t elements = axis[2].pixels * j->g->channels;
            const int64_t reached = npc_axis_source(&axis[1], h, axis[1].taps - 1) + 1;
            if (j->side_by_side)
                leave_rows(j, &b, reached);
            else
                zero_rows(j, &b, reached);
            if (!j->by_tap) {
                found += scatter_row(j, &b, d, h);
                continue;
            }
            if (j->kind != NPC_INDEX_BYTE &&
                !npc_run_in_range(j->kernels, (const int64_t *)j->given + row * elements, elements,
                                  most))
                return NPC_BAD_INDEX;
            found += match_row(j, &b, d, h, scratch);
        }
        zero_rows(j, &b, b.y_end); /* that no window reaches */
    }
    zero_rows(j, &b, b.y_end);
    j->found[piece] = found;
    return NPC_OK;
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
    const npc_axis *axis = j.window.axis;
    for (int64_t i = 0; i < axis[2].taps; i++) npc_axis_valid(&axis[2], i, &j.begin[i], &j.end[i]);
    for (int64_t i = 0; i < j.window.taps; i++)
        j.tap[i] = (tap_place){.z = i / axis[2].taps / axis[1].taps * axis[0].spacing,
                               .y = i / axis[2].taps % axis[1].taps * axis[1].spacing,
                               .x = i % axis[2].taps * axis[2].spacing};
    /* Few lanes of a vector, or many vectors for each one of dy, take longer than elements do. */
    j.by_tap = g->channels >= j.kernels->lanes && j.window.taps <= 2 * j.kernels->lanes;
    j.side_by_side = j.by_tap;
    for (int i = 0; i < NPC_SPATIAL; i++)
        j.side_by_side &= axis[i].spacing == 1 && axis[i].step == axis[i].taps;
    const double slice = (double)g->input[1] * (double)g->input[2] * (double)g->channels;
    j.bands = (int64_t)npc_min(slice * (double)j.size / BAND_BYTES + 1, g->input[1]);
    j.pieces = g->batch * g->input[0] * j.bands;
    npc_team team = npc_make_team(options, 8.0 * slice * (double)g->input[0] * (double)g->batch);
    if (g->channels > 0 && j.pieces > 0) {
        j.found = calloc((size_t)j.pieces, sizeof *j.found);
        if (!j.found) return NPC_NO_MEMORY;
        status =
            npc_parallel_for(&team, j.pieces, NUMBER_BYTES + 64 * (size_t)j.size, unpool_band, &j);
        int64_t found = 0;
        for (int64_t i = 0; status == NPC_OK && i < j.pieces; i++) found += j.found[i];
        if (status == NPC_OK && found != g->batch * j.window.pixels * g->channels)
            status = NPC_BAD_INDEX; /* one that lies in no row that its window reaches */
        free(j.found);
    }
    npc_simple_info(info, "max_pool_backward", j.kernels, &team);
    return status;
}
