/* Depthwise convolution over any window: see depthwise.h.
 *
 * Square kernels of 3 or 5 taps at step 1 or 2 read the image where it lies, several output rows at
 * once, their edges with masked loads. All others read staged rows: copies of a stretch of the
 * source's rows with zeros for the padding, split into the phases of the step, so that each tap of
 * each output lies a constant distance from its column. Sources of another dtype or order are
 * staged as well, to the same effect bit by bit. Narrow planes of finite weights are left to
 * depthwise_planes.c, again to the same effect.
 */
#include "depthwise.h"

#include <string.h>

#include "../core/scratch.h"
#include "element.h"

enum {
    CHUNK = 1024,     /* columns of the result that are staged at once */
    LEAST_CHUNK = 64, /* likewise, where windows are large */
    GROUP_ROWS = 8,   /* rows of the result that share their staged rows, at most */
    STAGE_BYTES = 1 << 20,
    GOOD_STAGE_BYTES = 256 << 10, /* stays in L2 beside the rest */
    BAND_BYTES = 32 << 10,
    MOST_TAPS = 4096,
    CHAIN = 128 /* taps summed in one chain: as npc_implicit_gemm.h */
};
#define PIECE_FLOPS 5e5

/* How rows of the source are staged: `phases` stretches of `length` elements, the first of which is
 * source column `first + shift[phase]` for output column 0, each `step` columns from the next. */
typedef struct stage_plan {
    int64_t rows, chunk; /* of the result: in a group, columns at once */
    int64_t slots;       /* staged rows */
    int64_t phases, length, step;
    int by_tap; /* a slot for each row of taps; else for each source row in reach */
} stage_plan;

typedef struct job {
    const npc_depthwise *d;
    int64_t size;
    int fast; /* the kernel's size if it has a loop of its own, or 0 */
    int stage_source, stage_target, has_border;
    stage_plan stage;
    int64_t groups; /* of rows */
    int64_t units, pieces;
} job;

/* A thread's working memory. */
typedef struct work {
    const void **row;        /* for the rows of taps of each output row */
    int64_t *offset, *shift; /* of each tap in its row, of each phase */
    char *staged;            /* which slots hold their row */
    char *stage, *zeros, *target;
    int64_t mend_channel; /* of which `mend` is known, or -1 */
    int mend;             /* some of its weights are not finite */
} work;

/* A band of rows of the result. */
typedef struct place {
    int64_t image, channel, d, h, rows;
} place;

/* Slices of a kernel are added to the result one after the other. */
enum { MAX_SLICES = 32 };

static int fast_size(const npc_window *w)
{
    const npc_axis *a = w->axis;
    const int64_t size = a[2].taps, step = a[2].step;
    return a[0].taps <= MAX_SLICES && a[1].taps == size && (size == 3 || size == 5) &&
                   a[1].step == step && step <= 2 && a[1].spacing == 1 && a[2].spacing == 1
               ? (int)size
               : 0;
}

/* Different remainders of the taps modulo the step: how many stretches a staged row has. */
static int64_t count_phases(const npc_axis *axis)
{
    int64_t a = axis->step, b = axis->spacing;
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return npc_min(axis->taps, axis->step / a);
}

/* Elements of the stage for groups of `rows` rows and `chunk` columns; in double for sizes are not
 * bounded here. */
static double stage_elements(const npc_window *w, int64_t rows, int64_t chunk, stage_plan *plan)
{
    const npc_axis *a = w->axis;
    const int64_t reach = (a[2].taps - 1) * a[2].spacing / a[2].step;
    const double in_reach =
        (double)(rows - 1) * (double)a[1].step + (double)(a[1].taps - 1) * (double)a[1].spacing + 1;
    const double height = in_reach < (double)a[1].extent ? in_reach : (double)a[1].extent;
    *plan = (stage_plan){.rows = rows, .chunk = chunk, .step = a[2].step};
    plan->by_tap = rows == 1;
    plan->phases = count_phases(&a[2]);
    plan->length = chunk + reach + NPC_MAX_TILE;
    plan->slots = a[0].taps * (plan->by_tap ? a[1].taps : (int64_t)height);
    return (plan->by_tap ? (double)plan->slots : (double)a[0].taps * height) *
           (double)plan->phases * ((double)chunk + (double)reach + NPC_MAX_TILE);
}

/* The largest groups that fit, of which a group of one row and LEAST_CHUNK columns is the last. */
static int plan_stage(const npc_window *w, stage_plan *plan)
{
    const npc_axis *a = w->axis;
    if (w->taps > MOST_TAPS) return 0;
    int64_t chunk = npc_min(CHUNK, npc_round_up((size_t)a[2].pixels, LEAST_CHUNK));
    for (int64_t rows = GROUP_ROWS; rows >= NPC_DEPTHWISE_ROWS; rows /= 2)
        if (stage_elements(w, rows, chunk, plan) * 8 <= GOOD_STAGE_BYTES) return 1;
    for (;; chunk /= 2) {
        if (stage_elements(w, 1, chunk, plan) * 8 <= STAGE_BYTES) return 1;
        if (chunk <= LEAST_CHUNK) return 0;
    }
}

int npc_depthwise_fits(const npc_window *window)
{
    stage_plan plan;
    return fast_size(window) || plan_stage(window, &plan);
}

/* ---- staging -------------------------------------------------------------------------------- */

/* Elements [0, count) of a staged stretch: element i is source column first + i * step of the row
 * at `from`, or zero. */
static void stage_stretch(const job *j, const char *from, int64_t first, int64_t step,
                          int64_t count, char *to)
{
    const npc_window *w = j->d->window;
    const int64_t extent = w->axis[2].extent, stride = w->source->stride[4];
    int64_t begin = first < 0 ? npc_ceil_div(-first, step) : 0;
    int64_t end = first < extent ? npc_ceil_div(extent - first, step) : 0;
    end = npc_min(end, count);
    begin = npc_min(begin, npc_max(end, 0));
    if (begin >= end) begin = end = 0;
    memset(to, 0, (size_t)(begin * j->size));
    if (begin < end)
        npc_read_run(w->source, from + (first + begin * step) * stride,
                     end - begin > 1 ? stride * step : stride, end - begin, w->dtype,
                     to + begin * j->size);
    memset(to + end * j->size, 0, (size_t)((count - end) * j->size));
}

/* Where taps lie in a staged row. */
static void place_taps(const job *j, work *w)
{
    const npc_axis *axis = &j->d->window->axis[2];
    int64_t phases = 0;
    for (int64_t s = 0; s < axis->taps; s++) {
        const int64_t shift = s * axis->spacing % axis->step;
        int64_t p = 0;
        while (p < phases && w->shift[p] != shift) p++;
        if (p == phases) w->shift[phases++] = shift;
        w->offset[s] = p * j->stage.length + s * axis->spacing / axis->step;
    }
    assert(phases == j->stage.phases);
}

/* The staged copy of a source row for output columns from `column` on; staged now if it is not. */
static const char *staged_row(const job *j, work *w, const char *plane, int64_t d, int64_t h,
                              int64_t slot, int64_t column)
{
    const npc_window *window = j->d->window;
    const npc_array *source = window->source;
    const stage_plan *plan = &j->stage;
    char *to = w->stage + slot * plan->phases * plan->length * j->size;
    if (!w->staged[slot]) {
        const char *from = plane + d * source->stride[2] + h * source->stride[3];
        const int64_t first = column * window->axis[2].step + window->axis[2].first;
        for (int64_t p = 0; p < plan->phases; p++)
            stage_stretch(j, from, first + w->shift[p], plan->step, plan->length - NPC_MAX_TILE,
                          to + p * plan->length * j->size);
        w->staged[slot] = 1;
    }
    return to;
}

/* ---- rows ----------------------------------------------------------------------------------- */

typedef struct destination {
    char *to; /* of the group's first row and the stretch's first column */
    int64_t stride_bytes, column, columns;
} destination;

/* What a slice of a source channel's kernel adds to a band, by the kernels of fixed size. */
static void fast_slice(const job *j, work *w, const place *at, int64_t tap, const char *plane,
                       const char *weight, const char *bias, int accumulate, const destination *to)
{
    const npc_window *window = j->d->window;
    const npc_array *source = window->source;
    const npc_axis *axis = window->axis;
    const int64_t d = npc_axis_source(&axis[0], at->d, tap);
    npc_depthwise_args args = {.step = axis[2].step,
                               .rows = at->rows,
                               .columns = to->columns,
                               .plane = plane + d * source->stride[2],
                               .row_stride_bytes = source->stride[3],
                               .height = npc_axis_holds(&axis[0], d) ? axis[1].extent : 0,
                               .width = axis[2].extent,
                               .first_row = npc_axis_source(&axis[1], at->h, 0),
                               .first_column = npc_axis_source(&axis[2], to->column, 0),
                               .weight = weight,
                               .bias = bias,
                               .to = to->to,
                               .to_stride_bytes = to->stride_bytes,
                               .accumulate = accumulate};
    if (j->stage_source) { /* the rows and columns in reach become a plane of their own */
        const int64_t end = args.first_row + (at->rows - 1) * args.step + j->fast;
        const int64_t begin = npc_max(0, args.first_row);
        const char *from = plane + d * source->stride[2] + begin * source->stride[3];
        args.width = (to->columns - 1) * args.step + j->fast;
        args.height = npc_max(0, npc_min(end, args.height) - begin);
        args.row_stride_bytes = j->stage.length * j->size;
        for (int64_t h = 0; h < args.height; h++)
            stage_stretch(j, from + h * source->stride[3], args.first_column, 1, args.width,
                          w->stage + h * args.row_stride_bytes);
        args.plane = w->stage;
        args.first_row -= begin;
        args.first_column = 0;
    }
    npc_run_depthwise(j->d->kernels, j->fast, &args);
}

/* A source channel's share of a band. */
static void fast_rows(const job *j, work *w, const place *at, const char *plane, const char *weight,
                      const char *bias, int accumulate, const destination *to)
{
    const int64_t slices = j->d->window->axis[0].taps, bytes = j->fast * j->fast * j->size;
    for (int64_t tap = 0; tap < slices; tap++)
        fast_slice(j, w, at, tap, plane, weight + tap * bytes, tap == slices - 1 ? bias : NULL,
                   accumulate || tap > 0, to);
}

/* The row that tap (td, th) of row `row` reads, staged. */
static const char *tap_row(const job *j, work *w, const place *at, const char *plane, int64_t row,
                           int64_t td, int64_t th, int64_t column)
{
    const npc_axis *axis = j->d->window->axis;
    const int64_t d = npc_axis_source(&axis[0], at->d, td);
    const int64_t h = npc_axis_source(&axis[1], at->h + row, th);
    const int64_t height = j->stage.slots / axis[0].taps;
    const int64_t lowest = npc_max(0, npc_axis_source(&axis[1], at->h, 0));
    if (row >= at->rows || !npc_axis_holds(&axis[0], d) || !npc_axis_holds(&axis[1], h))
        return w->zeros;
    return staged_row(j, w, plane, d, h, td * height + (j->stage.by_tap ? th : h - lowest), column);
}

/* The same for any window. */
static void any_rows(const job *j, work *w, const place *at, const char *plane, const char *weight,
                     const char *bias, int accumulate, const destination *to)
{
    const npc_axis *axis = j->d->window->axis;
    npc_depthwise_any_args args = {.columns = to->columns,
                                   .tap_rows = axis[0].taps * axis[1].taps,
                                   .taps = axis[2].taps,
                                   .chain_rows = npc_max(1, CHAIN / axis[2].taps),
                                   .row = w->row,
                                   .offset = w->offset,
                                   .weight = weight,
                                   .bias = bias,
                                   .to_stride_bytes = to->stride_bytes,
                                   .accumulate = accumulate};
    memset(w->staged, 0, (size_t)j->stage.slots);
    for (int64_t row = 0; row < at->rows; row += NPC_DEPTHWISE_ROWS) {
        const void **next = w->row;
        args.rows = npc_min(at->rows - row, NPC_DEPTHWISE_ROWS);
        for (int64_t t = 0; t < (args.rows > 1 ? NPC_DEPTHWISE_ROWS : 1); t++)
            for (int64_t td = 0; td < axis[0].taps; td++)
                for (int64_t th = 0; th < axis[1].taps; th++)
                    *next++ = tap_row(j, w, at, plane, row + t, td, th, to->column);
        args.to = to->to + row * to->stride_bytes;
        npc_run_depthwise_any(j->d->kernels, &args);
    }
}

/* ---- infinite and NaN weights ---------------------------------------------------------------- */

/* One element by the definition. */
static double element(const npc_depthwise *d, const place *at, int64_t row, int64_t column)
{
    const int64_t size = (int64_t)npc_dtype_size(d->window->dtype), taps = d->window->taps;
    const npc_element e = {
        .image = at->image,
        .channel = at->channel / d->sharers * d->sources,
        .channels = d->sources,
        .pixel = {at->d, at->h + row, column},
        .weight = d->weight + at->channel * d->sources * taps * size,
        .channel_stride_bytes = taps * size,
        .tap_stride_bytes = size,
        .bias = d->bias ? d->bias + at->channel * size : NULL,
    };
    return npc_element_value(d->window, &e);
}

static int is_inner(const npc_axis *axis, int64_t pixel)
{
    return pixel >= axis->inner_begin && pixel < axis->inner_end;
}

/* Elements with taps in the padding were computed with zeros there, and zero times an infinite
 * weight is NaN where the definition skips the product. */
static void mend_border(const job *j, const place *at, const destination *to)
{
    const npc_axis *axis = j->d->window->axis;
    for (int64_t t = 0; t < at->rows; t++) {
        const int inner = is_inner(&axis[0], at->d) && is_inner(&axis[1], at->h + t);
        for (int64_t i = 0; i < to->columns; i++) {
            const int64_t column = to->column + i;
            if (inner && is_inner(&axis[2], column)) continue;
            npc_store(to->to + t * to->stride_bytes + i * j->size, j->d->window->dtype,
                      element(j->d, at, t, column));
        }
    }
}

static int must_mend(const job *j, work *w, int64_t channel)
{
    const int64_t weights = j->d->sources * j->d->window->taps;
    if (!j->has_border) return 0;
    if (w->mend_channel != channel) {
        w->mend =
            !npc_run_all_finite(j->d->kernels, j->d->weight + channel * weights * j->size, weights);
        w->mend_channel = channel;
    }
    return w->mend;
}

/* ---- bands of rows and pieces --------------------------------------------------------------- */

/* What follows the sums: the band's rows at once where they follow each other. */
static void finish_band(const job *j, const place *at, const destination *to)
{
    const npc_axis *axis = j->d->window->axis;
    const int64_t columns = axis[2].pixels;
    const int flat = to->columns == columns && to->stride_bytes == columns * j->size;
    for (int64_t t = 0; t < (flat ? 1 : at->rows); t++) {
        char *row = to->to + t * to->stride_bytes;
        const npc_finish_part part = {.image = at->image,
                                      .channel = at->channel,
                                      .pixel = (at->d * axis[1].pixels + at->h + t) * columns +
                                               to->column,
                                      .rows = 1,
                                      .count = flat ? at->rows * columns : to->columns,
                                      .from = row,
                                      .to = row};
        npc_finish_rows(&j->d->finish, &part);
    }
}

static void run_band(const job *j, work *w, const place *at)
{
    const npc_depthwise *d = j->d;
    const npc_array *source = d->window->source, *target = &d->target;
    const int64_t taps = d->window->taps, columns = d->window->axis[2].pixels;
    const int64_t chunk = j->stage_source || j->stage_target ? j->stage.chunk : columns;
    const char *weight = d->weight + at->channel * d->sources * taps * j->size;
    const char *bias = d->bias ? d->bias + at->channel * j->size : NULL;
    const int mend = must_mend(j, w, at->channel);

    for (int64_t column = 0; column < columns; column += chunk) {
        char *home = target->data + at->image * target->stride[0] +
                     at->channel * target->stride[1] + at->d * target->stride[2] +
                     at->h * target->stride[3] + column * target->stride[4];
        const destination to = {.to = j->stage_target ? w->target : home,
                                .stride_bytes =
                                    j->stage_target ? chunk * j->size : target->stride[3],
                                .column = column,
                                .columns = npc_min(chunk, columns - column)};
        for (int64_t i = 0; i < d->sources; i++) {
            const char *plane = source->data + at->image * source->stride[0] +
                                (at->channel / d->sharers * d->sources + i) * source->stride[1];
            (j->fast ? fast_rows : any_rows)(j, w, at, plane, weight + i * taps * j->size,
                                             i == d->sources - 1 ? bias : NULL, i > 0, &to);
        }
        if (NPC_UNLIKELY(mend)) mend_border(j, at, &to);
        if (d->finish.needed) finish_band(j, at, &to);
        for (int64_t t = 0; j->stage_target && t < at->rows; t++)
            npc_write_run(to.to + t * to.stride_bytes, d->window->dtype,
                          home + t * target->stride[3], target->stride[4], to.columns);
    }
}

static void set_up_work(const job *j, work *w, char *scratch)
{
    const npc_axis *axis = j->d->window->axis;
    const size_t rows = NPC_DEPTHWISE_ROWS * (size_t)(axis[0].taps * axis[1].taps);
    const size_t slot = (size_t)(j->stage.phases * j->stage.length * j->size);
    char *cursor = scratch;
    w->mend_channel = -1;
    if (j->stage_target)
        w->target = npc_scratch_take(&cursor, (size_t)(j->stage.rows * j->stage.chunk * j->size));
    if (j->stage_source && !j->fast) {
        w->row = npc_scratch_take(&cursor, rows * sizeof(void *));
        w->offset = npc_scratch_take(&cursor, (size_t)axis[2].taps * sizeof(int64_t));
        w->shift = npc_scratch_take(&cursor, (size_t)axis[2].taps * sizeof(int64_t));
        w->staged = npc_scratch_take(&cursor, (size_t)j->stage.slots);
        w->zeros = npc_scratch_take(&cursor, slot);
        memset(w->zeros, 0, slot);
        place_taps(j, w);
    }
    w->stage = cursor;
}

static size_t scratch_bytes(const job *j)
{
    const npc_axis *axis = j->d->window->axis;
    int64_t bytes = 0;
    if (j->stage_target) bytes += j->stage.rows * j->stage.chunk * j->size;
    if (j->stage_source)
        bytes += (j->stage.slots + 1) * j->stage.phases * j->stage.length * j->size;
    if (j->stage_source && !j->fast)
        bytes += axis[0].taps * axis[1].taps * NPC_DEPTHWISE_ROWS * (int64_t)sizeof(void *) +
                 axis[2].taps * 2 * (int64_t)sizeof(int64_t) + j->stage.slots;
    return bytes ? (size_t)bytes + (size_t)8 * NPC_CACHE_LINE : 0;
}

/* A unit is a group of rows of a plane of the result; a piece takes consecutive ones. */
static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_axis *axis = j->d->window->axis;
    const int64_t end = npc_split(j->units, j->pieces, piece + 1);
    int64_t unit = npc_split(j->units, j->pieces, piece);
    int64_t group = unit % j->groups, plane = unit / j->groups;
    place at = {.d = plane % axis[0].pixels,
                .channel = plane / axis[0].pixels % j->d->channels,
                .image = plane / axis[0].pixels / j->d->channels};
    work w = {0};

    set_up_work(j, &w, scratch);
    for (; unit < end; unit++) {
        at.h = group * j->stage.rows;
        at.rows = npc_min(j->stage.rows, axis[1].pixels - at.h);
        run_band(j, &w, &at);
        if (++group < j->groups) continue;
        group = 0;
        if (++at.d < axis[0].pixels) continue;
        at.d = 0;
        if (++at.channel < j->d->channels) continue;
        at.channel = 0;
        at.image++;
    }
    return NPC_OK;
}

/* Bands for the kernels of fixed size: their result stays in L1 for what follows. */
static void plan_bands(job *j)
{
    const npc_axis *axis = j->d->window->axis;
    const int64_t columns =
        j->stage_source || j->stage_target ? npc_min(axis[2].pixels, CHUNK) : axis[2].pixels;
    const int64_t groups = npc_max(1, BAND_BYTES / (NPC_DEPTHWISE_ROWS * columns * j->size));
    j->stage.rows = npc_min(axis[1].pixels, groups * NPC_DEPTHWISE_ROWS);
    j->stage.chunk = columns;
    j->stage.phases = 1;
    j->stage.slots = (j->stage.rows - 1) * axis[2].step + j->fast;
    j->stage.length = (columns - 1) * axis[2].step + j->fast;
}

npc_status npc_depthwise_run(const npc_depthwise *d, npc_team *team)
{
    const npc_window *window = d->window;
    const npc_axis *axis = window->axis;
    job j = {.d = d, .size = (int64_t)npc_dtype_size(window->dtype), .fast = fast_size(window)};
    const int plain = npc_is_plain(window->source, window->dtype) &&
                      (axis[2].extent == 1 || window->source->stride[4] == j.size);

    if (d->batch * d->channels * window->pixels == 0) return NPC_OK;
    if (npc_depthwise_fits_planes(d)) return npc_depthwise_run_planes(d, team);
    j.stage_source = !j.fast || !plain;
    j.stage_target = (axis[2].pixels > 1 && d->target.stride[4] != j.size) || d->finish.add_is_y;
    for (int i = 0; i < NPC_SPATIAL; i++)
        j.has_border |= axis[i].inner_begin > 0 || axis[i].inner_end < axis[i].pixels;
    if (j.fast)
        plan_bands(&j);
    else if (!plan_stage(window, &j.stage))
        return NPC_INVALID_GEOMETRY; /* declined before */
    j.groups = npc_ceil_div(axis[1].pixels, j.stage.rows);
    j.units = d->batch * d->channels * axis[0].pixels * j.groups;
    const double flops = 2.0 * (double)j.units * (double)j.stage.rows * (double)axis[2].pixels *
                         (double)d->sources * (double)(window->taps + 8);
    j.pieces = npc_min(j.units, 1 + (int64_t)(flops / PIECE_FLOPS));
    return npc_parallel_for(team, j.pieces, scratch_bytes(&j), run_piece, &j);
}
