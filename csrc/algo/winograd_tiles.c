#include "winograd_tiles.h"

#include <string.h>

#include "../core/scratch.h"
#include "element.h"
#include "pixel_copy.h"
#include "winograd_pixels.h"

void npc_winograd_axis_finish(npc_winograd_axis *axis)
{
    const int64_t outputs = npc_winograd_outputs(axis->transform), span = outputs * axis->step;
    const npc_winograd_transform edge = npc_winograd_edge(axis->transform);
    axis->groups = npc_ceil_div(axis->target, span);
    axis->tiles = axis->groups * axis->step;
    const int64_t rest = axis->target - (axis->groups - 1) * span;
    const int has_edge = edge != axis->transform && rest <= npc_winograd_outputs(edge) * axis->step;
    axis->whole = axis->tiles - (has_edge ? axis->step : 0);
}

void npc_winograd_run_set(npc_winograd_run *run, const npc_winograd_view *view, int32_t *column)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const int64_t first = run->first_group * along->step;
    const int64_t tiles = run->groups * along->step;
    run->tiles.transform[0] =
        run->tile_row < across->whole ? across->transform : npc_winograd_edge(across->transform);
    run->tiles.transform[1] = along->transform;
    run->tiles.tiles = tiles;
    run->tiles.whole_tiles = npc_max(0, npc_min(tiles, along->whole - first));
    run->tiles.point_step = along->step;
    run->tiles.column = column;
    for (int64_t t = 0; t < tiles; t++)
        column[t] =
            (int32_t)(npc_winograd_pixel(along, first + t) - npc_winograd_pixel(along, first));
}

/* Columns of the source, and of the result, that so many groups of tiles span. */
static int64_t source_columns(const npc_winograd_axis *along, int64_t groups)
{
    return (groups * npc_winograd_outputs(along->transform) + npc_winograd_taps(along->transform) -
            1) *
           along->step;
}
static int64_t result_columns(const npc_winograd_axis *along, int64_t groups)
{
    return groups * npc_winograd_outputs(along->transform) * along->step;
}

int npc_winograd_run_joins(const npc_winograd_view *view, const npc_winograd_run *first,
                           const npc_winograd_run *last, const npc_winograd_run *next)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const int64_t rows =
        (next->tile_row - first->tile_row + 1) * npc_winograd_outputs(across->transform) +
        npc_winograd_taps(across->transform) - 1;
    const int64_t width = npc_max(along->source, result_columns(along, along->groups));
    return across->step == 1 && next->image == last->image &&
           next->tile_row == last->tile_row + 1 && first->groups == along->groups &&
           next->groups == along->groups && rows <= NPC_WINOGRAD_BAND / npc_max(width, 1);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t lay_out(npc_winograd_memory *m, const npc_winograd_view *view, int64_t groups,
                      char *scratch)
{
    const size_t vector = (size_t)view->kernels->lanes * npc_dtype_size(view->dtype);
    const size_t row = (size_t)source_columns(&view->axis[1], groups) * vector;
    const size_t points = (size_t)npc_winograd_points(view->axis[0].transform);
    const size_t band =
        points * row > NPC_WINOGRAD_BAND * vector ? points * row : NPC_WINOGRAD_BAND * vector;
    char *cursor = scratch;
    m->zeros = npc_scratch_take(&cursor, row);
    m->pixels = npc_scratch_take(&cursor, band);
    m->middle = npc_scratch_take(&cursor, points * row);
    m->results = npc_scratch_take(&cursor, band);
    m->planar = npc_scratch_take(&cursor, band);
    m->bias = npc_scratch_take(&cursor, vector);
    return (size_t)(cursor - scratch);
}

size_t npc_winograd_memory_bytes(const npc_winograd_view *view, int64_t groups)
{
    npc_winograd_memory m;
    return lay_out(&m, view, groups, NULL);
}

npc_winograd_memory npc_winograd_memory_of(const npc_winograd_view *view, int64_t groups,
                                           char *scratch)
{
    npc_winograd_memory m;
    lay_out(&m, view, groups, scratch);
    memset(m.zeros, 0, (size_t)(m.pixels - m.zeros));
    return m;
}

/* ---- from planes to vectors of channels ------------------------------------------------------ */

/* Whether its rows follow each other in both places. */
static int is_flat(const npc_winograd_rectangle *r, int64_t size)
{
    const npc_array *s = r->array;
    return r->columns == r->width && r->pitch == r->columns && s->stride[4] == size &&
           (r->rows == 1 || s->stride[3] == r->columns * size);
}

void npc_winograd_gather(const npc_winograd_view *view, const npc_winograd_rectangle *r,
                         char *planar)
{
    const npc_array *s = r->array;
    const int64_t size = (int64_t)npc_dtype_size(view->dtype), lanes = view->kernels->lanes;
    const int plain =
        npc_is_plain(s, view->dtype) && s->stride[4] == size && s->stride[1] % size == 0;
    const int flat = plain && is_flat(r, size);
    const char *from = r->plane + r->row * s->stride[3] + r->column * s->stride[4];
    npc_transpose_args args = {.from = from,
                               .from_stride = s->stride[1] / size,
                               .rows = r->channels,
                               .cols = flat ? r->rows * r->columns : r->columns,
                               .to = r->pixels,
                               .to_stride = lanes,
                               .fill = 1};
    if (r->columns <= 0) return;
    if (npc_channels_follow(s, view->dtype, r->channels)) {
        for (int64_t i = 0; i < r->rows; i++, from += s->stride[3]) {
            char *to = r->pixels + i * r->pitch * lanes * size;
            npc_copy_pixels(from, s->stride[4], r->columns, r->channels * size, to, lanes * size);
            memset(to + r->columns * lanes * size, 0, (size_t)(r->behind * lanes * size));
        }
        return;
    }
    for (int64_t i = 0; i < (flat ? 1 : r->rows); i++, from += s->stride[3]) {
        char *to = r->pixels + i * r->pitch * lanes * size;
        args.to = to;
        args.from = from;
        if (!plain) {
            for (int64_t c = 0; c < r->channels; c++)
                npc_read_run(s, from + c * s->stride[1], s->stride[4], r->columns, view->dtype,
                             planar + c * r->columns * size);
            args.from = planar;
            args.from_stride = r->columns;
        }
        npc_run_transpose(view->kernels, &args);
        if (!flat) memset(to + r->columns * lanes * size, 0, (size_t)(r->behind * lanes * size));
    }
}

/* The reverse, to a result. */
static void scatter(const npc_winograd_view *view, const npc_winograd_rectangle *r, int64_t image,
                    int64_t channel, char *planar)
{
    const npc_array *t = r->array;
    const int64_t size = (int64_t)npc_dtype_size(view->dtype), lanes = view->kernels->lanes;
    const int in_place = t->stride[4] == size && t->stride[1] % size == 0;
    const int finish = view->finish->needed, flat = in_place && is_flat(r, size);
    const int64_t count = flat ? r->rows * r->columns : r->columns;
    for (int64_t i = 0; i < (flat ? 1 : r->rows); i++) {
        char *to = r->plane + (r->row + i) * t->stride[3] + r->column * t->stride[4];
        const npc_transpose_args back = {.from = r->pixels + i * r->pitch * lanes * size,
                                         .from_stride = lanes,
                                         .rows = count,
                                         .cols = r->channels,
                                         .to = finish || !in_place ? planar : to,
                                         .to_stride =
                                             finish || !in_place ? count : t->stride[1] / size};
        npc_run_transpose(view->kernels, &back);
        if (finish) {
            const npc_finish_part part = {.image = image,
                                          .channel = view->first_row + channel,
                                          .pixel = (r->row + i) * r->width + r->column,
                                          .rows = r->channels,
                                          .count = count,
                                          .from = planar,
                                          .to = in_place ? to : planar,
                                          .from_stride_bytes = count * size,
                                          .to_stride_bytes =
                                              in_place ? t->stride[1] : count * size};
            npc_finish_rows(view->finish, &part);
        }
        for (int64_t c = 0; c < r->channels && !in_place; c++)
            npc_write_run(planar + c * count * size, view->dtype, to + c * t->stride[1],
                          t->stride[4], count);
    }
}

/* ---- tiles ----------------------------------------------------------------------------------- */

typedef void gather_fn(const npc_winograd_view *view, const npc_winograd_rectangle *r,
                       char *planar);

/* Where the pixels of rows first, first + step, ... of a band are: zeros for those outside of the
 * array, whose extent is `extent`. Rows that do not follow each other are gathered here. */
static void find_rows(const npc_winograd_view *view, const npc_winograd_rectangle *band,
                      gather_fn *gather, int64_t extent, int64_t first, int rows,
                      const npc_winograd_memory *m, const void **row)
{
    const int64_t step = view->axis[0].step;
    const int64_t row_bytes =
        band->pitch * view->kernels->lanes * (int64_t)npc_dtype_size(view->dtype);
    npc_winograd_rectangle one = *band;
    one.rows = 1;
    for (int i = 0; i < rows; i++) {
        one.row = first + i * step;
        row[i] = m->zeros;
        if (one.row < 0 || one.row >= extent) continue;
        one.pixels = band->pixels + (step == 1 ? one.row - band->row : i) * row_bytes;
        row[i] = one.pixels;
        if (step != 1) gather(view, &one, m->planar);
    }
}

void npc_winograd_band_input(const npc_winograd_band *band, const npc_winograd_view *view,
                             int64_t channel, char *to, int64_t point_stride, int64_t tile_stride,
                             const npc_winograd_memory *m)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const npc_winograd_run *first = band->run, *last = first + band->runs - 1;
    const npc_array *s = &view->source;
    const int64_t lanes = view->kernels->lanes, size = (int64_t)npc_dtype_size(view->dtype);
    const npc_border *border = view->border;
    const int64_t width = along->source - (border ? border->before[2] + border->after[2] : 0);
    gather_fn *const gather = border ? npc_winograd_gather_within : npc_winograd_gather;
    const int64_t columns = source_columns(along, first->groups);
    const int64_t w = along->first + npc_winograd_pixel(along, first->first_group * along->step);
    const int64_t before = npc_min(npc_max(0, -w), columns);
    const int64_t inside = npc_max(before, npc_min(columns, along->source - w)) - before;
    const int64_t top = npc_max(0, across->first + npc_winograd_pixel(across, first->tile_row));
    const int64_t bottom = across->first + npc_winograd_pixel(across, last->tile_row) +
                           npc_winograd_used(last->tiles.transform[0]);
    const npc_winograd_rectangle r = {.array = s,
                                      .plane = s->data + first->image * s->stride[0] +
                                               channel * s->stride[1],
                                      .width = width,
                                      .channels = npc_min(lanes, view->channels - channel),
                                      .row = top,
                                      .rows = npc_min(bottom, across->source) - top,
                                      .column = w + before,
                                      .columns = inside,
                                      .pixels = m->pixels,
                                      .pitch = inside};
    npc_winograd_input_args args = {.columns = columns,
                                    .before = before,
                                    .inside = inside,
                                    .middle = m->middle,
                                    .point_stride = point_stride,
                                    .tile_stride = tile_stride};

    if (across->step == 1) gather(view, &r, m->planar);
    for (const npc_winograd_run *run = first; run <= last; run++) {
        find_rows(view, &r, gather, across->source,
                  across->first + npc_winograd_pixel(across, run->tile_row),
                  npc_winograd_used(run->tiles.transform[0]), m, args.row);
        args.tiles = &run->tiles;
        args.to = to + run->slot * tile_stride * size;
        npc_run_winograd_input(view->kernels, &args);
    }
}

/* Columns that the tiles of a run cover; those of edge tiles are fewer. */
static int64_t covered(const npc_winograd_run *run, const npc_winograd_axis *along)
{
    const npc_winograd_tiles *tiles = &run->tiles;
    int64_t end = 0;
    for (int edge = 0; edge < 2; edge++) {
        const int64_t tile = (edge ? tiles->tiles : tiles->whole_tiles) - 1;
        const npc_winograd_transform transform =
            edge ? npc_winograd_edge(along->transform) : along->transform;
        if (tile < (edge ? tiles->whole_tiles : 0)) continue;
        end = npc_max(end, tiles->column[tile] +
                               (npc_winograd_outputs(transform) - 1) * along->step + 1);
    }
    return end;
}

/* The part of the target under a band: all rows of its tiles, those outside included. */
static npc_winograd_rectangle results_of(const npc_winograd_band *band,
                                         const npc_winograd_view *view, int64_t channel,
                                         char *pixels)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const npc_winograd_run *first = band->run, *last = first + band->runs - 1;
    const npc_array *t = &view->target;
    const int64_t w = npc_winograd_pixel(along, first->first_group * along->step);
    const int64_t columns = covered(first, along);
    const int64_t top = npc_winograd_pixel(across, first->tile_row);
    const int64_t bottom =
        npc_winograd_pixel(across, last->tile_row) + npc_winograd_outputs(last->tiles.transform[0]);
    return (npc_winograd_rectangle){.array = t,
                                    .plane = t->data + first->image * t->stride[0] +
                                             channel * t->stride[1],
                                    .width = along->target,
                                    .channels = npc_min(view->kernels->lanes, view->rows - channel),
                                    .row = top,
                                    .rows = npc_min(bottom, across->target) - top,
                                    .column = w,
                                    .columns = npc_min(columns, along->target - w),
                                    .pixels = pixels,
                                    .pitch = columns,
                                    .behind = columns - npc_min(columns, along->target - w)};
}

void npc_winograd_band_grad(const npc_winograd_band *band, const npc_winograd_view *view,
                            int64_t row, char *to, int64_t point_stride, int64_t tile_stride,
                            const npc_winograd_memory *m)
{
    const npc_winograd_axis *across = &view->axis[0];
    const int64_t size = (int64_t)npc_dtype_size(view->dtype);
    const npc_winograd_rectangle r = results_of(band, view, row, m->results);
    npc_winograd_grad_args args = {.point_stride = point_stride, .tile_stride = tile_stride};

    if (across->step == 1) npc_winograd_gather(view, &r, m->planar);
    for (const npc_winograd_run *run = band->run; run < band->run + band->runs; run++) {
        find_rows(view, &r, npc_winograd_gather, across->target,
                  npc_winograd_pixel(across, run->tile_row),
                  npc_winograd_outputs(run->tiles.transform[0]), m, args.row);
        args.tiles = &run->tiles;
        args.to = to + run->slot * tile_stride * size;
        npc_run_winograd_grad(view->kernels, &args);
    }
}

/* The view as a window, for results by the definition. */
static npc_window window_of(const npc_winograd_view *view)
{
    const npc_winograd_axis *axis = view->axis;
    const int64_t input[NPC_SPATIAL] = {1, axis[0].source, axis[1].source};
    const int64_t output[NPC_SPATIAL] = {1, axis[0].target, axis[1].target};
    const int64_t kernel[NPC_SPATIAL] = {1, npc_winograd_taps(axis[0].transform),
                                         npc_winograd_taps(axis[1].transform)};
    const int64_t stride[NPC_SPATIAL] = {1, 1, 1};
    const int64_t dilation[NPC_SPATIAL] = {1, axis[0].step, axis[1].step};
    const int64_t pad_before[NPC_SPATIAL] = {0, -axis[0].first, -axis[1].first};
    npc_window window;
    npc_window_set(&window, &view->source, view->dtype, input, output, kernel, stride, dilation,
                   pad_before);
    window.border = view->border;
    return window;
}

static double element(const npc_winograd_view *view, const npc_window *window, int64_t image,
                      int64_t row, int64_t h, int64_t w)
{
    const int64_t size = (int64_t)npc_dtype_size(view->dtype);
    const int64_t first_tap = view->flip ? window->taps - 1 : 0;
    const npc_element e = {
        .image = image,
        .channels = view->channels,
        .pixel = {0, h, w},
        .weight = view->weight + (row * view->row_stride + first_tap) * size,
        .channel_stride_bytes = view->channel_stride * size,
        .tap_stride_bytes = view->flip ? -size : size,
        .bias = view->bias ? view->bias + row * size : NULL,
    };
    return npc_element_value(window, &e);
}

/* Computes a run's tiles that are not wholly finite again, whatever made them so: rows[i] holds
 * their pixels, `lanes` channels from `row` on. */
static void mend(const npc_winograd_run *run, const npc_winograd_view *view, int64_t row,
                 char *const *rows)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const int64_t lanes = view->kernels->lanes, size = (int64_t)npc_dtype_size(view->dtype);
    const int64_t outputs0 = npc_winograd_outputs(run->tiles.transform[0]);
    const int64_t h = npc_winograd_pixel(across, run->tile_row);
    const int64_t first = npc_winograd_pixel(along, run->first_group * along->step);
    const npc_window window = window_of(view);

    for (int64_t k = 0; k < npc_min(lanes, view->rows - row); k++) {
        for (int64_t t = 0; t < run->tiles.tiles; t++) {
            const npc_winograd_transform transform =
                t < run->tiles.whole_tiles ? along->transform : npc_winograd_edge(along->transform);
            const int64_t outputs = outputs0 * npc_winograd_outputs(transform);
            for (int pass = 0, finite = 1; pass < 2; pass++) {
                for (int64_t o = 0; o < outputs; o++) {
                    const int64_t i = o / (outputs / outputs0);
                    const int64_t w = run->tiles.column[t] + o % (outputs / outputs0) * along->step;
                    if (h + i * across->step >= across->target || first + w >= along->target)
                        continue;
                    char *at = rows[i] + (w * lanes + k) * size;
                    if (pass == 0) {
                        const double y = npc_load(at, view->dtype, 0);
                        finite &= y - y == 0;
                    } else {
                        npc_store(at, view->dtype,
                                  element(view, &window, run->image, row + k, h + i * across->step,
                                          first + w));
                    }
                }
                if (finite) break;
            }
        }
    }
}

void npc_winograd_band_output(const npc_winograd_band *band, const npc_winograd_view *view,
                              int64_t row, const char *from, int64_t point_stride,
                              int64_t tile_stride, const npc_winograd_memory *m)
{
    const npc_winograd_axis *across = &view->axis[0];
    const int64_t lanes = view->kernels->lanes, size = (int64_t)npc_dtype_size(view->dtype);
    const int together = across->step == 1;
    npc_winograd_rectangle r = results_of(band, view, row, m->results);
    const int64_t top = r.row, row_bytes = r.pitch * lanes * size;
    char *rows[NPC_WINOGRAD_MAX_OUTPUTS];
    npc_winograd_output_args args = {
        .point_stride = point_stride, .tile_stride = tile_stride, .bias = m->bias};

    memset(m->bias, 0, (size_t)(lanes * size));
    if (view->bias) memcpy(m->bias, view->bias + row * size, (size_t)(r.channels * size));
    for (const npc_winograd_run *run = band->run; run < band->run + band->runs; run++) {
        const int64_t h = npc_winograd_pixel(across, run->tile_row);
        for (int i = 0; i < npc_winograd_outputs(run->tiles.transform[0]); i++)
            args.row[i] = rows[i] = m->results + (together ? h - top + i : i) * row_bytes;
        args.tiles = &run->tiles;
        args.from = from + run->slot * tile_stride * size;
        if (NPC_UNLIKELY(npc_run_winograd_output(view->kernels, &args))) mend(run, view, row, rows);
    }
    if (together) {
        scatter(view, &r, band->run->image, row, m->planar);
        return;
    }
    for (int i = 0; i < npc_winograd_outputs(band->run->tiles.transform[0]); i++) {
        r.row = top + i * across->step;
        r.rows = 1;
        r.pixels = rows[i];
        if (r.row < across->target) scatter(view, &r, band->run->image, row, m->planar);
    }
}
