#include "winograd_tiles.h"

#include <string.h>

#include "../core/scratch.h"
#include "element.h"

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

/* The working memory of a run, all rows of pixels, each a vector of channels. */
typedef struct run_memory {
    char *zeros, *pixels, *middle, *results; /* one row; points rows; points rows; outputs rows */
    char *planar;                            /* a row of each channel */
    char *bias;                              /* a vector */
} run_memory;

static size_t lay_out(run_memory *m, const npc_winograd_view *view, int64_t groups, char *scratch)
{
    const size_t vector = (size_t)view->kernels->lanes * npc_dtype_size(view->dtype);
    const size_t row = (size_t)source_columns(&view->axis[1], groups) * vector;
    const size_t points = (size_t)npc_winograd_points(view->axis[0].transform);
    const size_t outputs = (size_t)npc_winograd_outputs(view->axis[0].transform);
    char *cursor = scratch;
    m->zeros = npc_scratch_take(&cursor, row);
    m->pixels = npc_scratch_take(&cursor, points * row);
    m->middle = npc_scratch_take(&cursor, points * row);
    m->results = npc_scratch_take(
        &cursor, outputs * (size_t)result_columns(&view->axis[1], groups) * vector);
    m->planar = npc_scratch_take(&cursor, row);
    m->bias = npc_scratch_take(&cursor, vector);
    return (size_t)(cursor - scratch);
}

size_t npc_winograd_run_bytes(const npc_winograd_view *view, int64_t groups)
{
    run_memory m;
    return lay_out(&m, view, groups, NULL);
}

/* A row of `count` pixels of some channels of an array, from column `column` on, as vectors of
 * channels; zeros outside of its `width` columns. */
static void gather_row(const npc_winograd_view *view, const npc_array *s, int64_t width,
                       const char *plane, int64_t channels, int64_t column, int64_t count, char *to,
                       char *planar)
{
    const int64_t size = (int64_t)npc_dtype_size(view->dtype), lanes = view->kernels->lanes;
    const int64_t begin = npc_min(npc_max(0, -column), count);
    const int64_t end = npc_max(begin, npc_min(count, width - column));
    const char *from = plane + (column + begin) * s->stride[4];
    npc_transpose_args args = {.from = from,
                               .from_stride = s->stride[1] / size,
                               .rows = channels,
                               .cols = end - begin,
                               .to = to + begin * lanes * size,
                               .to_stride = lanes,
                               .fill = 1};

    memset(to, 0, (size_t)(begin * lanes * size));
    memset(to + end * lanes * size, 0, (size_t)((count - end) * lanes * size));
    if (begin == end) return;
    if (!npc_is_plain(s, view->dtype) || s->stride[4] != size || s->stride[1] % size) {
        for (int64_t c = 0; c < channels; c++)
            npc_read_run(s, from + c * s->stride[1], s->stride[4], end - begin, view->dtype,
                         planar + c * count * size);
        args.from = planar;
        args.from_stride = count;
    }
    npc_run_transpose(view->kernels, &args);
}

void npc_winograd_run_input(const npc_winograd_run *run, const npc_winograd_view *view,
                            int64_t channel, void *to, int64_t point_stride, int64_t tile_stride,
                            char *scratch)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const npc_array *s = &view->source;
    const int64_t lanes = view->kernels->lanes, size = (int64_t)npc_dtype_size(view->dtype);
    const int64_t columns = source_columns(along, run->groups);
    const int64_t h = across->first + npc_winograd_pixel(across, run->tile_row);
    const int64_t w = along->first + npc_winograd_pixel(along, run->first_group * along->step);
    const char *plane = s->data + run->image * s->stride[0] + channel * s->stride[1];
    run_memory m;
    lay_out(&m, view, run->groups, scratch);
    npc_winograd_input_args args = {.tiles = &run->tiles,
                                    .columns = columns,
                                    .middle = m.middle,
                                    .to = to,
                                    .point_stride = point_stride,
                                    .tile_stride = tile_stride};

    memset(m.zeros, 0, (size_t)(columns * lanes * size));
    for (int i = 0; i < npc_winograd_used(run->tiles.transform[0]); i++) {
        const int64_t row = h + i * across->step;
        if (row < 0 || row >= across->source) {
            args.row[i] = m.zeros;
            continue;
        }
        char *pixels = m.pixels + i * columns * lanes * size;
        gather_row(view, s, along->source, plane + row * s->stride[3],
                   npc_min(lanes, view->channels - channel), w, columns, pixels, m.planar);
        args.row[i] = pixels;
    }
    npc_run_winograd_input(view->kernels, &args);
}

void npc_winograd_run_grad(const npc_winograd_run *run, const npc_winograd_view *view, int64_t row,
                           void *to, int64_t point_stride, int64_t tile_stride, char *scratch)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const npc_array *t = &view->target;
    const int64_t lanes = view->kernels->lanes, size = (int64_t)npc_dtype_size(view->dtype);
    const int64_t columns = result_columns(along, run->groups);
    const int64_t h = npc_winograd_pixel(across, run->tile_row);
    const int64_t w = npc_winograd_pixel(along, run->first_group * along->step);
    const char *plane = t->data + run->image * t->stride[0] + row * t->stride[1];
    run_memory m;
    lay_out(&m, view, run->groups, scratch);
    npc_winograd_grad_args args = {
        .tiles = &run->tiles, .to = to, .point_stride = point_stride, .tile_stride = tile_stride};

    memset(m.zeros, 0, (size_t)(columns * lanes * size));
    for (int i = 0; i < npc_winograd_outputs(run->tiles.transform[0]); i++) {
        const int64_t y = h + i * across->step;
        args.row[i] = m.zeros;
        if (y >= across->target) continue;
        char *pixels = m.results + i * columns * lanes * size;
        gather_row(view, t, along->target, plane + y * t->stride[3],
                   npc_min(lanes, view->rows - row), w, columns, pixels, m.planar);
        args.row[i] = pixels;
    }
    npc_run_winograd_grad(view->kernels, &args);
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

void npc_winograd_run_output(const npc_winograd_run *run, const npc_winograd_view *view,
                             int64_t row, const void *from, int64_t point_stride,
                             int64_t tile_stride, char *scratch)
{
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const npc_array *t = &view->target;
    const int64_t lanes = view->kernels->lanes, size = (int64_t)npc_dtype_size(view->dtype);
    const int64_t columns = result_columns(along, run->groups);
    const int64_t h = npc_winograd_pixel(across, run->tile_row);
    const int64_t w = npc_winograd_pixel(along, run->first_group * along->step);
    const int64_t count = npc_min(columns, along->target - w);
    const int64_t channels = npc_min(lanes, view->rows - row);
    const int in_place = t->stride[4] == size && t->stride[1] % size == 0;
    const int finish = view->finish->needed, planar = finish || !in_place;
    char *rows[NPC_WINOGRAD_MAX_OUTPUTS];
    run_memory m;
    lay_out(&m, view, run->groups, scratch);
    npc_winograd_output_args args = {.tiles = &run->tiles,
                                     .from = from,
                                     .point_stride = point_stride,
                                     .tile_stride = tile_stride,
                                     .bias = m.bias};

    memset(m.bias, 0, (size_t)(lanes * size));
    if (view->bias) memcpy(m.bias, view->bias + row * size, (size_t)(channels * size));
    for (int i = 0; i < npc_winograd_outputs(across->transform); i++)
        args.row[i] = rows[i] = m.results + i * columns * lanes * size;
    if (NPC_UNLIKELY(npc_run_winograd_output(view->kernels, &args))) mend(run, view, row, rows);
    for (int i = 0; i < npc_winograd_outputs(run->tiles.transform[0]); i++) {
        const int64_t y = h + i * across->step;
        if (y >= across->target) break;
        char *to = t->data + run->image * t->stride[0] + row * t->stride[1] + y * t->stride[3] +
                   w * t->stride[4];
        const npc_transpose_args back = {.from = rows[i],
                                         .from_stride = lanes,
                                         .rows = count,
                                         .cols = channels,
                                         .to = planar ? m.planar : to,
                                         .to_stride = planar ? count : t->stride[1] / size};
        npc_run_transpose(view->kernels, &back);
        if (finish) {
            const npc_finish_part part = {.image = run->image,
                                          .channel = view->first_row + row,
                                          .pixel = y * along->target + w,
                                          .rows = channels,
                                          .count = count,
                                          .from = m.planar,
                                          .to = in_place ? to : m.planar,
                                          .from_stride_bytes = count * size,
                                          .to_stride_bytes =
                                              in_place ? t->stride[1] : count * size};
            npc_finish_rows(view->finish, &part);
        }
        for (int64_t c = 0; c < channels && !in_place; c++)
            npc_write_run(m.planar + c * count * size, view->dtype, to + c * t->stride[1],
                          t->stride[4], count);
    }
}
