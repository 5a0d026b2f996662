/* Depthwise convolution over any window, of staged rows: copies of a stretch of the source's rows
 * with zeros for the padding, split into the phases of the step, so that each tap of each output
 * lies a constant distance from its column.
 *
 * Rows of the result that are spacing / gcd(step, spacing) apart read the same rows of the source,
 * each by the taps of one phase: a group of them is one call of the kernel, which loads a staged
 * row once for all.
 */
#include <string.h>

#include "../core/scratch.h"
#include "depthwise_window.h"

enum {
    CHUNK = 1024,     /* columns of the result that are staged at once */
    LEAST_CHUNK = 64, /* likewise, where windows are large */
    STAGE_BYTES = 1 << 20,
    GOOD_STAGE_BYTES = 256 << 10, /* stays in L2 beside the rest */
    BAND_BYTES = 128 << 10,       /* of doubles: half of it is floats */
    MOST_TAPS = 4096,
    CHAIN = 128 /* products of one chain of sums */
};
#define BAND_FLOPS 4e6 /* of more than one group: bands are what threads share */

/* Whether bands of `rows` rows and `chunk` columns take no more than `bytes`. In double, for sizes
 * are not bounded here. */
static int try_stage(const npc_window *w, int64_t rows, int64_t chunk, double bytes,
                     npc_stage_plan *plan)
{
    const npc_axis *a = w->axis;
    const int64_t reach = (a[2].taps - 1) * a[2].spacing / a[2].step;
    const double in_reach =
        (double)(rows - 1) * (double)a[1].step + (double)(a[1].taps - 1) * (double)a[1].spacing + 1;
    const double extent = (double)npc_max(a[1].extent, 1);
    const double height = rows == 1 ? (double)a[1].taps : in_reach < extent ? in_reach : extent;
    const double length = (double)chunk + (double)reach + NPC_CACHE_LINE;
    if (((double)a[0].taps * height * length + NPC_MAX_TILE) * (double)plan->phases * 8 > bytes)
        return 0;
    plan->rows = rows;
    plan->chunk = chunk;
    plan->by_tap = rows == 1;
    plan->height = (int64_t)height;
    plan->slots = a[0].taps * plan->height;
    /* whole lines; the kernel reads whole vectors of columns */
    plan->length = (int64_t)npc_round_up((size_t)(chunk + reach), NPC_CACHE_LINE / 4);
    plan->phase_stride = plan->slots * plan->length + NPC_MAX_TILE;
    return 1;
}

int npc_depthwise_plan_stage(const npc_window *w, npc_stage_plan *plan)
{
    const npc_axis *a = w->axis;
    if (w->taps > MOST_TAPS) return 0;
    const int64_t along = npc_greatest_common_divisor(a[2].step, a[2].spacing);
    const int64_t down = npc_greatest_common_divisor(a[1].step, a[1].spacing);
    /* as many stretches of a row as the taps have remainders modulo the step */
    *plan = (npc_stage_plan){.step = a[2].step, .phases = npc_min(a[2].taps, a[2].step / along)};
    plan->skip = a[1].step / down;
    plan->apart = a[1].taps == 1 ? 1 : npc_min(a[1].spacing / down, npc_max(a[1].pixels, 1));
    plan->group = npc_min(npc_max(a[1].taps / plan->skip, 1), NPC_DEPTHWISE_GROUP);

    const int64_t unit = plan->group * plan->apart, rows = npc_max(a[1].pixels, 1);
    const double row_flops = 2 * (double)a[2].pixels * (double)w->taps;
    int64_t chunk = npc_min(CHUNK, (int64_t)npc_round_up((size_t)a[2].pixels, NPC_CACHE_LINE / 4));
    for (int64_t bands = 1, band = rows; rows > 1; bands += (bands + 1) / 2) {
        band = npc_min(npc_ceil_div(npc_ceil_div(rows, bands), unit) * unit, rows);
        const int small = (double)band * row_flops <= BAND_FLOPS || band <= unit;
        if (small && try_stage(w, band, chunk, BAND_BYTES, plan)) return 1;
        if (band <= unit) break;
    }
    for (int64_t part = chunk; rows > 1; part /= 2) {
        if (try_stage(w, npc_min(unit, rows), part, GOOD_STAGE_BYTES, plan)) return 1;
        if (part <= LEAST_CHUNK) break;
    }
    plan->group = 1;
    for (;; chunk /= 2) {
        if (try_stage(w, 1, chunk, STAGE_BYTES, plan)) return 1;
        if (chunk <= LEAST_CHUNK) return 0;
    }
}

void npc_depthwise_stretch(const npc_depthwise_job *j, const char *from, int64_t first,
                           int64_t step, int64_t count, char *to)
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
static void place_taps(const npc_depthwise_job *j, npc_depthwise_work *w)
{
    const npc_axis *axis = &j->d->window->axis[2];
    int64_t phases = 0;
    for (int64_t s = 0; s < axis->taps; s++) {
        const int64_t shift = s * axis->spacing % axis->step;
        int64_t p = 0;
        while (p < phases && w->shift[p] != shift) p++;
        if (p == phases) w->shift[phases++] = shift;
        w->offset[s] = p * j->stage.phase_stride + s * axis->spacing / axis->step;
    }
    assert(phases == j->stage.phases);
}

/* A kernel's weights, slice by slice and phase by phase: those of a column of taps side by side,
 * from the last row up. */
#define DEFINE_PACK(type)                                                                          \
    static void pack_##type(const npc_axis *axis, int64_t skip, const type *from, type *to)        \
    {                                                                                              \
        const int64_t height = axis[1].taps, width = axis[2].taps;                                 \
        for (int64_t d = 0; d < axis[0].taps; d++, from += height * width)                         \
            for (int64_t p = 0; p < npc_min(skip, height); p++) {                                  \
                const int64_t rows = npc_ceil_div(height - p, skip);                               \
                for (int64_t r = 0; r < rows; r++)                                                 \
                    for (int64_t s = 0; s < width; s++)                                            \
                        to[s * rows + rows - 1 - r] = from[(p + r * skip) * width + s];            \
                to += rows * width;                                                                \
            }                                                                                      \
    }
DEFINE_PACK(float)
DEFINE_PACK(double)

static void pack_weights(const npc_depthwise_job *j, npc_depthwise_work *w, const char *weight)
{
    const npc_axis *axis = j->d->window->axis;
    if (w->packed_from == weight) return;
    w->packed_from = weight;
    if (j->d->window->dtype == NPC_F32)
        pack_float(axis, j->stage.skip, (const float *)weight, (float *)w->packed);
    else
        pack_double(axis, j->stage.skip, (const double *)weight, (double *)w->packed);
}

/* Stages all rows in reach of a slice of taps. */
static void stage_slice(const npc_depthwise_job *j, npc_depthwise_work *w, const char *from,
                        int64_t rows, int64_t slot, int64_t column)
{
    const npc_axis *axis = &j->d->window->axis[2];
    const npc_stage_plan *plan = &j->stage;
    npc_spread_args args = {.from = from,
                            .row_stride_bytes = j->d->window->source->stride[3],
                            .step = plan->step,
                            .rows = rows,
                            .count = plan->length,
                            .taps = 1};
    for (int64_t p = 0; p < plan->phases; p++) {
        const int64_t first = column * axis->step + axis->first + w->shift[p];
        const int64_t begin = first < 0 ? npc_ceil_div(-first, plan->step) : 0;
        const int64_t end =
            first < axis->extent ? npc_ceil_div(axis->extent - first, plan->step) : 0;
        npc_spread_tap tap = {.begin = begin, .end = npc_min(end, plan->length)};
        if (tap.begin < tap.end)
            tap.offset_bytes = (first + begin * plan->step) * j->size;
        else
            tap.begin = tap.end = 0;
        args.tap = &tap;
        args.to = w->stage + (p * plan->phase_stride + slot * plan->length) * j->size;
        npc_run_spread(j->d->kernels, &args);
    }
}

/* Stages one row of any source, if that is still to be done. */
static void stage_row(const npc_depthwise_job *j, npc_depthwise_work *w, const char *from,
                      int64_t slot, int64_t column)
{
    const npc_axis *axis = &j->d->window->axis[2];
    const npc_stage_plan *plan = &j->stage;
    if (w->staged[slot]) return;
    w->staged[slot] = 1;
    for (int64_t p = 0; p < plan->phases; p++)
        npc_depthwise_stretch(j, from, column * axis->step + axis->first + w->shift[p], plan->step,
                              plan->length,
                              w->stage + (p * plan->phase_stride + slot * plan->length) * j->size);
}

/* One call of the kernel: args->rows rows begin, begin + apart, ... of the band. */
static void run_group(const npc_depthwise_job *j, npc_depthwise_work *w,
                      const npc_depthwise_place *at, const char *plane, int64_t begin,
                      int64_t column, int in_bulk, npc_depthwise_rows_args *args)
{
    const npc_window *window = j->d->window;
    const npc_axis *axis = window->axis;
    const npc_stage_plan *plan = &j->stage;
    const int64_t *stride = window->source->stride;
    const int64_t lowest = npc_max(0, npc_axis_source(&axis[1], at->h, 0));
    const int64_t phases = npc_min(plan->skip, axis[1].taps);
    const char *weight = w->packed;
    const void **next = w->row;
    args->phases = 0;
    for (int64_t a = 0; a < axis[0].taps; a++) {
        const int64_t d = npc_axis_source(&axis[0], at->d, a);
        if (!npc_axis_holds(&axis[0], d)) {
            weight += axis[1].taps * axis[2].taps * j->size;
            continue;
        }
        for (int64_t p = 0; p < phases; p++) {
            npc_depthwise_phase *phase = &w->phase[args->phases++];
            phase->tap_rows = npc_ceil_div(axis[1].taps - p, plan->skip);
            phase->row = next;
            phase->weight = weight;
            weight += phase->tap_rows * axis[2].taps * j->size;
            /* From a tap to the next as far as from a row to the next. */
            const int64_t down = phase->tap_rows > 1 ? plan->skip * axis[1].spacing : 0;
            int64_t h = npc_axis_source(&axis[1], at->h + begin, p);
            for (int64_t q = 0; q < args->rows + phase->tap_rows - 1; q++, h += down) {
                const void *found = NULL;
                if (npc_axis_holds(&axis[1], h)) {
                    const int64_t slot =
                        a * plan->height + (plan->by_tap ? p + q * plan->skip : h - lowest);
                    if (!in_bulk)
                        stage_row(j, w, plane + d * stride[2] + h * stride[3], slot, column);
                    found = w->stage + slot * plan->length * j->size;
                }
                *next++ = found;
            }
        }
    }
    npc_run_depthwise_rows(j->d->kernels, args);
}

void npc_depthwise_staged_rows(const npc_depthwise_job *j, npc_depthwise_work *w,
                               const npc_depthwise_place *at, const char *plane, const char *weight,
                               const char *bias, int accumulate, const npc_depthwise_target *to)
{
    const npc_window *window = j->d->window;
    const npc_axis *axis = window->axis;
    const npc_stage_plan *plan = &j->stage;
    const int in_bulk = !plan->by_tap && npc_is_plain(window->source, window->dtype) &&
                        window->source->stride[4] == j->size;
    npc_depthwise_rows_args args = {.columns = to->columns,
                                    .taps = axis[2].taps,
                                    .chain = npc_max(CHAIN, axis[2].taps),
                                    .phase = w->phase,
                                    .offset = w->offset,
                                    .bias = bias,
                                    .to_stride_bytes = plan->apart * to->stride_bytes,
                                    .accumulate = accumulate};
    pack_weights(j, w, weight);
    memset(w->staged, 0, (size_t)plan->slots);
    if (in_bulk) {
        const int64_t low = npc_max(0, npc_axis_source(&axis[1], at->h, 0));
        const int64_t high = npc_min(
            axis[1].extent, npc_axis_source(&axis[1], at->h + at->rows - 1, axis[1].taps - 1) + 1);
        for (int64_t a = 0; a < axis[0].taps && low < high; a++) {
            const int64_t d = npc_axis_source(&axis[0], at->d, a);
            if (npc_axis_holds(&axis[0], d))
                stage_slice(j, w,
                            plane + d * window->source->stride[2] + low * window->source->stride[3],
                            high - low, a * plan->height, to->column);
        }
    }
    for (int64_t first = 0; first < npc_min(plan->apart, at->rows); first++) {
        const int64_t rows = npc_ceil_div(at->rows - first, plan->apart);
        const int64_t groups = npc_ceil_div(rows, plan->group);
        for (int64_t g = 0; g < groups; g++) {
            const int64_t begin = npc_split(rows, groups, g);
            const int64_t row = first + begin * plan->apart;
            args.rows = npc_split(rows, groups, g + 1) - begin;
            args.to = to->to + row * to->stride_bytes;
            run_group(j, w, at, plane, row, to->column, in_bulk, &args);
        }
    }
}

/* ---- scratch --------------------------------------------------------------------------------- */

static int64_t most_phases(const npc_depthwise_job *j)
{
    const npc_axis *axis = j->d->window->axis;
    return axis[0].taps * npc_min(j->stage.skip, axis[1].taps);
}

static int64_t most_rows(const npc_depthwise_job *j)
{
    const npc_axis *axis = j->d->window->axis;
    return axis[0].taps * axis[1].taps + most_phases(j) * (j->stage.group - 1);
}

size_t npc_depthwise_stage_bytes(const npc_depthwise_job *j)
{
    const npc_window *w = j->d->window;
    return (size_t)(most_rows(j) * (int64_t)sizeof(void *) +
                    most_phases(j) * (int64_t)sizeof(npc_depthwise_phase) +
                    w->axis[2].taps * 2 * (int64_t)sizeof(int64_t) + j->stage.slots +
                    w->taps * j->size + j->stage.phases * j->stage.phase_stride * j->size) +
           (size_t)8 * NPC_CACHE_LINE;
}

void npc_depthwise_set_up_stage(const npc_depthwise_job *j, npc_depthwise_work *w, char *scratch)
{
    const npc_window *window = j->d->window;
    const size_t taps = (size_t)window->axis[2].taps;
    w->row = npc_scratch_take(&scratch, (size_t)most_rows(j) * sizeof(void *));
    w->phase = npc_scratch_take(&scratch, (size_t)most_phases(j) * sizeof *w->phase);
    w->offset = npc_scratch_take(&scratch, taps * sizeof(int64_t));
    w->shift = npc_scratch_take(&scratch, taps * sizeof(int64_t));
    w->staged = npc_scratch_take(&scratch, (size_t)j->stage.slots);
    w->packed = npc_scratch_take(&scratch, (size_t)(window->taps * j->size));
    w->stage = scratch;
    place_taps(j, w);
}
