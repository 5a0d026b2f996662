/* Max-pooling.
 *
 * An output is the maximum over the rows of its window of the maxima along each row. So the maxima
 * along the source's rows are taken first, once for all windows that share them, into a few rows of
 * scratch; then those of different rows are compared. Both steps go through the taps in order,
 * which keeps the first of equals. A band of output rows of one plane is done at a time.
 *
 * Rows of other dtypes or with steps beyond 2 are copied first, with minus infinity for the padding
 * and the elements sorted by their remainder modulo the step. The usual small windows have a kernel
 * that does both steps at once, in the same order (max_planes.c).
 */
#include <math.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../plan/simple_plan.h"
#include "max_planes.h"
#include "max_windows.h"
#include "pool.h"

enum {
    COLUMNS = 512,     /* of the output that are done at once */
    FEW_COLUMNS = 128, /* where windows have more rows than FEW_ROWS */
    FEW_ROWS = 64,
    MAX_ROWS = 256,  /* of a window; larger ones go element by element */
    MAX_TAPS = 512,  /* of a row of a window */
    MAX_SPAN = 8192, /* elements of a source row that are copied at once */
    COPY_BYTES = (MAX_SPAN + NPC_MAX_TILE) * 8, /* with what a vector behind them takes */
    BAND_BYTES = 32768,                         /* of row maxima: in L1, beside the source's rows */
    PIECE_TAPS = 32768                          /* comparisons that are worth a piece of work */
};

typedef struct job {
    npc_window window;
    const npc_array *from, *to;
    char *indices;
    npc_index_kind kind;
    const npc_kernels *kernels;
    int64_t channels, size;
    int smallest;
    /* Row maxima of a depth tap stand in slots: a slot is the row `row_unit` source rows after its
     * neighbour's, or where `shared` is 0, slot k is row k % R of output row k / R. */
    int shared;
    int64_t row_unit, row_advance, row_spacing; /* slots from output row to row, from tap to tap */
    int64_t band, bands, columns;
    int64_t units, units_a_piece; /* a unit is a band of a plane */
    size_t maxima_bytes;
} job;

/* A block of an output plane, [h, h_end) x [w, w + count), and its working memory. */
typedef struct block {
    const char *plane;
    char *out;
    int64_t piece_index; /* elements before the plane (of one d) in `indices` */
    int64_t d, h, h_end, w, count;
    npc_tap_range depth, taps; /* that reach the input */
    int64_t x0, step;          /* source column of the first tap of output w, and its step */
    int64_t span, pitch, slots;
    char *best, *number, *copies;
} block;

static int64_t slot_count(const job *j, int64_t rows)
{
    return (rows - 1) * j->row_advance + (j->window.axis[1].taps - 1) * j->row_spacing + 1;
}

/* ---- element by element: windows of any size ---- */

static void pool_element(const job *j, const block *b, int64_t h, int64_t w)
{
    const npc_array *x = j->from;
    const npc_axis *axis = j->window.axis;
    const npc_tap_range rows = npc_reaching_taps(&axis[1], h, h + 1);
    const npc_tap_range taps = npc_reaching_taps(&axis[2], w, w + 1);
    double best = 0;
    int64_t winner = -1;
    for (int64_t kd = b->depth.first; kd < b->depth.first + b->depth.count; kd++) {
        for (int64_t r = rows.first; r < rows.first + rows.count; r++) {
            const char *row = b->plane + npc_axis_source(&axis[0], b->d, kd) * x->stride[2] +
                              npc_axis_source(&axis[1], h, r) * x->stride[3];
            for (int64_t s = taps.first; s < taps.first + taps.count; s++) {
                const double v = npc_load(row + npc_axis_source(&axis[2], w, s) * x->stride[4],
                                          x->dtype, x->swapped);
                if (winner < 0 || (j->smallest ? v < best : v > best) || (v != v && best == best)) {
                    best = v;
                    winner = (kd * axis[1].taps + r) * axis[2].taps + s;
                }
            }
        }
    }
    npc_store(b->out + h * j->to->stride[3] + w * j->to->stride[4], j->window.dtype, best);
    if (!j->indices) return;
    const int64_t at = b->piece_index + h * axis[2].pixels + w;
    if (j->kind == NPC_INDEX_BYTE)
        ((uint8_t *)j->indices)[at] = (uint8_t)winner;
    else
        ((int64_t *)j->indices)[at] = j->kind == NPC_INDEX_WINDOW
                                          ? winner
                                          : npc_flat_position(&j->window, winner, b->d, h, w);
}

/* ---- row maxima ---- */

static void fill(const job *j, char *to, int64_t count)
{
    const float nothing = j->smallest ? INFINITY : -INFINITY;
    if (j->window.dtype == NPC_F32)
        for (int64_t i = 0; i < count; i++) ((float *)to)[i] = nothing;
    else
        for (int64_t i = 0; i < count; i++) ((double *)to)[i] = nothing;
}

/* The block's part of a source row, sorted into `phases` runs of `length` elements. */
static void copy_row(const job *j, const block *b, const char *row, int64_t phases, int64_t length,
                     char *to)
{
    const int64_t stride = j->from->stride[4], size = j->size;
    const int64_t begin = npc_max(-b->x0, 0);
    const int64_t end = npc_min(b->span, j->window.axis[2].extent - b->x0);
    for (int64_t p = 0; p < phases; p++, to += length * size) {
        const int64_t first = begin > p ? npc_ceil_div(begin - p, phases) : 0;
        const int64_t last = end > p ? npc_ceil_div(end - p, phases) : 0;
        if (first >= last) {
            fill(j, to, length);
            continue;
        }
        const char *from = row + (b->x0 + p + first * phases) * stride;
        if (phases > 1 && npc_is_plain(j->from, j->window.dtype) && stride == size) {
            /* by vectors, the last of which may reach beyond the run */
            const npc_spread_tap tap = {.begin = first, .end = last};
            const npc_spread_args args = {.from = from,
                                          .step = phases,
                                          .rows = 1,
                                          .count = length,
                                          .taps = 1,
                                          .tap = &tap,
                                          .to = to};
            npc_run_spread(j->kernels, &args);
        } else {
            npc_read_run(j->from, from, stride * phases, last - first, j->window.dtype,
                         to + first * size);
        }
        fill(j, to, first);
        fill(j, to + last * size, length - last);
    }
}

/* In the padding before the row nothing can win but a minus infinity over another one, and then
 * the first tap inside is the right one. */
static void lift_numbers(const job *j, const block *b, int64_t number_step, char *number,
                         int64_t rows)
{
    const int64_t spacing = j->window.axis[2].spacing;
    for (int64_t i = 0; i < b->count && b->x0 + i * b->step < 0; i++) {
        const int64_t least = npc_ceil_div(-(b->x0 + i * b->step), spacing) * number_step;
        for (int64_t k = 0; k < rows; k++) {
            char *at = number + (k * b->pitch + i) * j->size;
            if (j->size == 4)
                *(int32_t *)at = (int32_t)npc_max(*(int32_t *)at, least);
            else
                *(int64_t *)at = npc_max(*(int64_t *)at, least);
        }
    }
}

/* Maxima along `rows` source rows, `unit` apart from row y of slice z on, to slots from `slot`. */
static void fill_slots(const job *j, const block *b, int64_t z, int64_t y, int64_t unit,
                       int64_t rows, int64_t slot)
{
    const npc_axis *axis = &j->window.axis[2];
    const npc_array *x = j->from;
    const int64_t size = j->size, row_bytes = rows > 1 ? unit * x->stride[3] : 0;
    const int64_t number_step = j->kind == NPC_INDEX_FLAT ? axis->spacing : 1;
    const char *row = b->plane + z * x->stride[2] + y * x->stride[3];
    const int in_place = npc_is_plain(x, j->window.dtype) && x->stride[4] == size && b->step <= 2 &&
                         row_bytes % size == 0;
    const int64_t phases = in_place || b->step <= 2 ? 1 : b->step;
    const int64_t length = npc_ceil_div(b->span, phases);
    int64_t offset[MAX_TAPS];
    for (int64_t s = 0; s < b->taps.count; s++) {
        const int64_t at = s * axis->spacing;
        offset[s] = at % phases * length + at / phases;
    }
    npc_max_row_args args = {.step = phases > 1 ? 1 : b->step,
                             .count = b->count,
                             .offset = offset,
                             .taps = b->taps.count,
                             .number_step = number_step,
                             .lowest = in_place ? -b->x0 : 0,
                             .highest = in_place ? axis->extent - b->x0 : INT64_MAX,
                             .pairs = b->step == 2 && axis->spacing == 1 && b->taps.count > 1,
                             .pitch = b->pitch,
                             .smallest = j->smallest};
    /* All in place at once; copies as far as they have room. */
    const int64_t at_once = in_place ? rows : npc_max(MAX_SPAN / (phases * length), 1);
    for (int64_t k = 0; k < rows; k += at_once) {
        args.rows = npc_min(at_once, rows - k);
        args.best = b->best + (slot + k) * b->pitch * size;
        args.number = j->indices ? b->number + (slot + k) * b->pitch * size : NULL;
        if (in_place) {
            args.from = (const char *)((uintptr_t)row + (uintptr_t)(b->x0 * size));
            args.from_pitch = row_bytes / size;
        } else {
            for (int64_t i = 0; i < args.rows; i++)
                copy_row(j, b, row + (k + i) * row_bytes, phases, length,
                         b->copies + i * phases * length * size);
            args.from = b->copies;
            args.from_pitch = phases * length;
        }
        npc_run_max_row(j->kernels, &args);
        if (j->indices) lift_numbers(j, b, number_step, args.number, args.rows);
    }
}

static void fill_slice(const job *j, const block *b, int64_t z, int64_t slot)
{
    const npc_axis *axis = &j->window.axis[1];
    if (j->shared) {
        const int64_t first = npc_axis_source(axis, b->h, 0), unit = j->row_unit;
        const int64_t begin = first < 0 ? npc_ceil_div(-first, unit) : 0;
        const int64_t end = npc_min(b->slots, (axis->extent - 1 - first) / unit + 1);
        if (begin < end) fill_slots(j, b, z, first + begin * unit, unit, end - begin, slot + begin);
        return;
    }
    for (int64_t h = b->h; h < b->h_end; h++) {
        const npc_tap_range rows = npc_reaching_taps(axis, h, h + 1);
        fill_slots(j, b, z, npc_axis_source(axis, h, rows.first), axis->spacing, rows.count,
                   slot + (h - b->h) * axis->taps + rows.first);
    }
}

/* ---- maxima of the rows ---- */

/* Output rows [h, h + rows), all of whose window rows `taps` lie inside. */
static void compare_rows(const job *j, const block *b, int64_t h, int64_t rows, npc_tap_range taps)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *y = j->to;
    const int64_t size = j->size, slot = (h - b->h) * j->row_advance * b->pitch * size;
    const int flat = j->kind == NPC_INDEX_FLAT;
    const int64_t row_distance = flat ? axis[1].spacing * axis[2].extent : axis[2].taps;
    const int64_t slice_distance =
        flat ? axis[0].spacing * axis[1].extent * axis[2].extent : axis[1].taps * axis[2].taps;
    int64_t row[MAX_ROWS], row_number[MAX_ROWS];
    npc_max_column_args args = {.best = b->best + slot,
                                .number = b->number + slot,
                                .pitch = b->pitch,
                                .row_step = j->row_advance,
                                .row = row,
                                .row_number = row_number,
                                .rows = rows,
                                .count = b->count,
                                .out = b->out + h * y->stride[3] + b->w * y->stride[4],
                                .out_pitch = y->stride[3] / size,
                                .index_pitch = axis[2].pixels,
                                .smallest = j->smallest};
    for (int64_t kd = 0; kd < b->depth.count; kd++)
        for (int64_t r = taps.first; r < taps.first + taps.count; r++) {
            row[args.row_count] = kd * b->slots + r * j->row_spacing;
            row_number[args.row_count++] =
                (b->depth.first + kd) * slice_distance + r * row_distance;
        }
    args.base = b->taps.first;
    if (flat) {
        const int64_t z = npc_axis_source(&axis[0], b->d, 0), top = npc_axis_source(&axis[1], h, 0);
        args.base = (z * axis[1].extent + top) * axis[2].extent + b->x0;
        args.base_row = rows > 1 ? axis[1].step * axis[2].extent : 0;
        args.base_step = b->step;
    }
    if (j->indices) {
        const int64_t at = b->piece_index + h * axis[2].pixels + b->w;
        if (j->kind == NPC_INDEX_BYTE)
            args.index8 = (uint8_t *)j->indices + at;
        else
            args.index64 = (int64_t *)j->indices + at;
    }
    npc_run_max_column(j->kernels, &args);
}

/* Rows of any strides: one at a time through scratch. */
static void compare_rows_to(const job *j, const block *b, int64_t h, int64_t rows,
                            npc_tap_range taps)
{
    const npc_array *y = j->to;
    if (y->stride[4] == j->size && (rows == 1 || y->stride[3] % j->size == 0)) {
        compare_rows(j, b, h, rows, taps);
        return;
    }
    for (int64_t i = h; i < h + rows; i++) {
        block one = *b;
        one.out = b->copies - i * y->stride[3] - b->w * y->stride[4]; /* where row i is the copy */
        compare_rows(j, &one, i, 1, taps);
        npc_write_run(b->copies, j->window.dtype, b->out + i * y->stride[3] + b->w * y->stride[4],
                      y->stride[4], b->count);
    }
}

/* ---- loops ---- */

static void pool_block(const job *j, block *b)
{
    const npc_axis *axis = j->window.axis;
    b->step = b->count > 1 ? axis[2].step : 1;
    b->taps = npc_reaching_taps(&axis[2], b->w, b->w + b->count);
    b->x0 = npc_axis_source(&axis[2], b->w, b->taps.first);
    b->span = (b->count - 1) * b->step + (b->taps.count - 1) * axis[2].spacing + 1;
    if (j->bands == 0 || b->taps.count > MAX_TAPS || b->span > MAX_SPAN) {
        for (int64_t h = b->h; h < b->h_end; h++)
            for (int64_t w = b->w; w < b->w + b->count; w++) pool_element(j, b, h, w);
        return;
    }
    b->pitch = (b->count + 15) / 16 * 16; /* whole vectors of any ISA */
    b->slots = slot_count(j, b->h_end - b->h);
    for (int64_t kd = 0; kd < b->depth.count; kd++)
        fill_slice(j, b, npc_axis_source(&axis[0], b->d, b->depth.first + kd), kd * b->slots);

    const npc_tap_range all = {0, axis[1].taps};
    const int64_t begin = npc_max(b->h, axis[1].inner_begin);
    const int64_t end = npc_min(b->h_end, axis[1].inner_end);
    if (begin < end) compare_rows_to(j, b, begin, end - begin, all);
    for (int64_t h = b->h; h < b->h_end; h++) {
        if (h == begin && begin < end) h = end;
        if (h < b->h_end) compare_rows_to(j, b, h, 1, npc_reaching_taps(&axis[1], h, h + 1));
    }
}

static npc_status pool_units(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_axis *axis = j->window.axis;
    const int64_t bands = npc_max(j->bands, 1);
    char *cursor = scratch;
    block b = {0};
    b.best = npc_scratch_take(&cursor, j->maxima_bytes);
    b.number = npc_scratch_take(&cursor, j->maxima_bytes);
    b.copies = npc_scratch_take(&cursor, COPY_BYTES);

    const int64_t last = npc_min((piece + 1) * j->units_a_piece, j->units);
    for (int64_t unit = piece * j->units_a_piece; unit < last; unit++) {
        const int64_t band = unit % bands, slice = unit / bands;
        const int64_t plane = slice / axis[0].pixels;
        const int64_t n = plane / j->channels, c = plane % j->channels;
        b.d = slice % axis[0].pixels;
        b.depth = npc_reaching_taps(&axis[0], b.d, b.d + 1);
        b.plane = j->from->data + n * j->from->stride[0] + c * j->from->stride[1];
        b.out = j->to->data + n * j->to->stride[0] + c * j->to->stride[1] + b.d * j->to->stride[2];
        b.piece_index = slice * axis[1].pixels * axis[2].pixels;
        b.h = npc_split(axis[1].pixels, bands, band);
        b.h_end = npc_split(axis[1].pixels, bands, band + 1);
        for (b.w = 0; b.w < axis[2].pixels; b.w += b.count) {
            b.count = npc_min(j->columns, axis[2].pixels - b.w);
            pool_block(j, &b);
        }
    }
    return NPC_OK;
}

/* How rows are shared and cut into bands; j->bands stays 0 if the window is too large for it. */
static void plan_rows(job *j, const npc_pool_geometry *g)
{
    const npc_axis *axis = j->window.axis;
    const int64_t largest = INT32_MAX; /* numbers are int32 beside float32 */
    const int64_t window_rows = axis[1].taps > MAX_ROWS || axis[0].taps > MAX_ROWS
                                    ? MAX_ROWS + 1
                                    : axis[0].taps * axis[1].taps;
    const int64_t positions = j->kind == NPC_INDEX_FLAT ? npc_volume(g->input) : j->window.taps;
    j->columns = npc_min(axis[2].pixels, window_rows > FEW_ROWS ? FEW_COLUMNS : COLUMNS);
    if (window_rows > MAX_ROWS || (j->indices && positions > largest)) return;
    /* As many columns as keep a copy within bounds. */
    const int64_t reach = npc_min(axis[2].taps - 1, axis[2].extent / axis[2].spacing + 1);
    const int64_t room = MAX_SPAN - 1 - npc_min(reach * axis[2].spacing, MAX_SPAN - 1);
    j->columns = npc_min(j->columns, room / axis[2].step + 1);

    const int64_t unit = npc_greatest_common_divisor(axis[1].step, axis[1].spacing);
    j->shared = axis[1].step / unit < axis[1].taps &&
                (axis[1].taps - 1) * (axis[1].spacing / unit) < 2 * axis[1].taps;
    j->row_unit = j->shared ? unit : axis[1].spacing;
    j->row_advance = j->shared ? axis[1].step / unit : axis[1].taps;
    j->row_spacing = j->shared ? axis[1].spacing / unit : 1;
    if (!j->shared && axis[1].step == axis[1].taps * axis[1].spacing) j->shared = 1;

    const int64_t pitch = (j->columns + 15) / 16 * 16;
    const int64_t slot_bytes = axis[0].taps * pitch * j->size;
    const int64_t least = slot_count(j, 1) * slot_bytes, all = j->indices ? 2 : 1;
    const int64_t budget =
        npc_max(npc_max(BAND_BYTES / all, npc_min(4 * least, 8 * BAND_BYTES)), least);
    j->band = (budget - least) / (j->row_advance * slot_bytes) + 1;
    j->bands = npc_ceil_div(axis[1].pixels, j->band);
    j->band = npc_ceil_div(axis[1].pixels, j->bands);
    j->maxima_bytes = (size_t)(slot_count(j, j->band) * slot_bytes);
}

npc_status npc_max_pool(const npc_pool_geometry *g, const npc_array *x, const npc_array *y,
                        void *indices, npc_index_kind kind, npc_dtype dtype,
                        const npc_options *options, npc_plan_info *info)
{
    job j = {.from = x,
             .to = y,
             .indices = indices,
             .kind = kind,
             .channels = g->channels,
             .smallest = g->smallest,
             .size = (int64_t)npc_dtype_size(dtype)};
    if (g->adaptive || g->starts) {
        if (indices && kind != NPC_INDEX_FLAT) return NPC_INVALID_GEOMETRY;
        return npc_max_windows(g, x, y, indices, dtype, options, info);
    }
    npc_status status = npc_pool_check(g);
    if (status == NPC_OK) status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    npc_pool_window(&j.window, g, x, dtype);
    if (indices && kind == NPC_INDEX_BYTE && j.window.taps > 256) return NPC_INVALID_GEOMETRY;
    if (npc_max_planes_takes(&j.window, y, indices, kind))
        return npc_max_planes(g, &j.window, y, indices, j.kernels, options, info);
    const int64_t planes = g->batch * g->channels;
    npc_team team = npc_make_team(options, 4.0 * (double)planes * (double)j.window.pixels *
                                               (double)j.window.taps);
    npc_status done = NPC_OK;
    if (planes > 0) {
        plan_rows(&j, g);
        const int64_t bands = npc_max(j.bands, 1);
        j.units = planes * g->output[0] * bands;
        const double taps =
            (double)j.window.taps * (double)j.window.pixels / (double)(g->output[0] * bands);
        j.units_a_piece = npc_max((int64_t)(PIECE_TAPS / taps), 1);
        const size_t scratch = npc_round_up(j.maxima_bytes, NPC_CACHE_LINE) * 2 + COPY_BYTES;
        done = npc_parallel_for(&team, npc_ceil_div(j.units, j.units_a_piece), scratch, pool_units,
                                &j);
    }
    npc_simple_info(info, "max_pool", j.kernels, &team);
    return done;
}
