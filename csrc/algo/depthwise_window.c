/* Depthwise convolution over any window: see depthwise.h.
 *
 * Square kernels of 3 or 5 taps at step 1 or 2 read the image where it lies, several output rows at
 * once, their edges with masked loads. All others read staged rows (depthwise_stage.c). Sources of
 * another dtype or order are staged as well, to the same effect bit by bit. Narrow planes of finite
 * weights are left to depthwise_planes.c, again to the same effect.
 */
#include "depthwise_window.h"

#include "../core/scratch.h"
#include "element.h"

enum {
    CHUNK = 1024,         /* columns of the result at once, where rows are staged */
    BAND_BYTES = 32 << 10 /* of the result, for kernels of fixed size: stays in L1 */
};
#define PIECE_FLOPS 5e5

typedef npc_depthwise_job job;
typedef npc_depthwise_work work;
typedef npc_depthwise_place place;
typedef npc_depthwise_target destination;

/* So many taps are worth a block of small planes in any case. */
enum { MOST_FAST_TAPS = 9 };

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

int npc_depthwise_fits(const npc_window *window)
{
    npc_stage_plan plan;
    return fast_size(window) || npc_depthwise_plan_stage(window, &plan);
}

/* ---- rows ----------------------------------------------------------------------------------- */

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
            npc_depthwise_stretch(j, from + h * source->stride[3], args.first_column, 1, args.width,
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
void npc_depthwise_mend_border(const npc_depthwise *d, const place *at, const destination *to)
{
    const npc_axis *axis = d->window->axis;
    const int64_t size = (int64_t)npc_dtype_size(d->window->dtype);
    for (int64_t t = 0; t < at->rows; t++) {
        const int inner = is_inner(&axis[0], at->d) && is_inner(&axis[1], at->h + t);
        for (int64_t i = 0; i < to->columns; i++) {
            const int64_t column = to->column + i;
            if (inner && is_inner(&axis[2], column)) continue;
            npc_store(to->to + t * to->stride_bytes + i * size, d->window->dtype,
                      element(d, at, t, column));
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
void npc_depthwise_finish_band(const npc_depthwise *d, const place *at, const destination *to)
{
    const npc_axis *axis = d->window->axis;
    const int64_t columns = axis[2].pixels, size = (int64_t)npc_dtype_size(d->window->dtype);
    const int flat = to->columns == columns && to->stride_bytes == columns * size;
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
        npc_finish_rows(&d->finish, &part);
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
            (j->fast ? fast_rows
                     : npc_depthwise_staged_rows)(j, w, at, plane, weight + i * taps * j->size,
                                                  i == d->sources - 1 ? bias : NULL, i > 0, &to);
        }
        if (NPC_UNLIKELY(mend)) npc_depthwise_mend_border(d, at, &to);
        if (d->finish.needed) npc_depthwise_finish_band(d, at, &to);
        for (int64_t t = 0; j->stage_target && t < at->rows; t++)
            npc_write_run(to.to + t * to.stride_bytes, d->window->dtype,
                          home + t * target->stride[3], target->stride[4], to.columns);
    }
}

static int is_staged(const job *j) { return j->stage_source && !j->fast; }

static void set_up_work(const job *j, work *w, char *scratch)
{
    char *cursor = scratch;
    w->mend_channel = -1;
    if (j->stage_target)
        w->target = npc_scratch_take(&cursor, (size_t)(j->stage.rows * j->stage.chunk * j->size));
    w->stage = cursor;
    if (is_staged(j)) npc_depthwise_set_up_stage(j, w, cursor);
}

static size_t scratch_bytes(const job *j)
{
    int64_t bytes = 0;
    if (j->stage_target) bytes += j->stage.rows * j->stage.chunk * j->size;
    if (is_staged(j))
        bytes += (int64_t)npc_depthwise_stage_bytes(j);
    else if (j->stage_source)
        bytes += j->stage.slots * j->stage.length * j->size;
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
    if ((!j.fast || window->taps > MOST_FAST_TAPS) && npc_depthwise_fits_blocks(d))
        return npc_depthwise_run_blocks(d, team);
    j.stage_source = !j.fast || !plain;
    j.stage_target = (axis[2].pixels > 1 && d->target.stride[4] != j.size) || d->finish.add_is_y;
    for (int i = 0; i < NPC_SPATIAL; i++)
        j.has_border |= axis[i].inner_begin > 0 || axis[i].inner_end < axis[i].pixels;
    if (j.fast)
        plan_bands(&j);
    else if (!npc_depthwise_plan_stage(window, &j.stage))
        return NPC_INVALID_GEOMETRY; /* declined before */
    j.groups = npc_ceil_div(axis[1].pixels, j.stage.rows);
    j.units = d->batch * d->channels * axis[0].pixels * j.groups;
    const double flops = 2.0 * (double)j.units * (double)j.stage.rows * (double)axis[2].pixels *
                         (double)d->sources * (double)(window->taps + 8);
    j.pieces = npc_min(j.units, 1 + (int64_t)(flops / PIECE_FLOPS));
    return npc_parallel_for(team, j.pieces, scratch_bytes(&j), run_piece, &j);
}
