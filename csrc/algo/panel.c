#include "panel.h"

#include <string.h>

enum { ROWS_AHEAD = 16 }; /* that packing fetches: about as many as memory needs to answer */

void npc_axis_valid(const npc_axis *axis, int64_t tap, int64_t *begin, int64_t *end)
{
    const int64_t offset = axis->first + tap * axis->spacing, last = axis->extent - 1 - offset;
    if (axis->step == 1) { /* spares the divisions where they would be frequent */
        *begin = npc_max(0, -offset);
        *end = npc_min(axis->pixels, last + 1);
    } else {
        *begin = offset < 0 ? npc_ceil_div(-offset, axis->step) : 0;
        *end = last < 0 ? 0 : npc_min(axis->pixels, last / axis->step + 1);
    }
    if (*begin > *end) *begin = *end = 0;
}

void npc_window_finish(npc_window *window)
{
    window->taps = window->pixels = 1;
    window->border = NULL;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        npc_axis *axis = &window->axis[i];
        if (__builtin_mul_overflow(window->taps, axis->taps, &window->taps))
            window->taps = INT64_MAX; /* an array without channels may claim any kernel */
        window->pixels *= axis->pixels;
        axis->inner_begin = 0;
        axis->inner_end = axis->pixels;
        for (int end = 0; end < 2 && axis->taps > 0; end++) { /* the extreme taps decide */
            int64_t from, to;
            npc_axis_valid(axis, end ? axis->taps - 1 : 0, &from, &to);
            axis->inner_begin = npc_max(axis->inner_begin, from);
            axis->inner_end = npc_min(axis->inner_end, to);
        }
    }
    const int64_t step = window->axis[2].step;
    const int plain = npc_is_plain(window->source, window->dtype) &&
                      window->source->stride[4] == (int64_t)npc_dtype_size(window->dtype);
    window->load_step = plain && step <= 2 ? (int)step : 0;
}

void npc_window_set(npc_window *window, const npc_array *source, npc_dtype dtype,
                    const int64_t *input, const int64_t *output, const int64_t *kernel,
                    const int64_t *stride, const int64_t *dilation, const int64_t *pad_before)
{
    window->source = source;
    window->dtype = dtype;
    for (int i = 0; i < NPC_SPATIAL; i++)
        window->axis[i] = (npc_axis){.extent = input[i],
                                     .pixels = output[i],
                                     .step = stride[i],
                                     .taps = kernel[i],
                                     .first = -pad_before[i],
                                     .spacing = dilation[i]};
    npc_window_finish(window);
}

void npc_window_forward(npc_window *window, const npc_conv_geometry *g, const npc_array *x,
                        npc_dtype dtype)
{
    npc_window_set(window, x, dtype, g->input, g->output, g->kernel, g->stride, g->dilation,
                   g->pad_before);
}

int npc_extents_follow(const npc_array *array, const int64_t *extent, int64_t size)
{
    const int64_t *stride = array->stride;
    return (extent[2] == 1 || stride[4] == size) &&
           (extent[1] == 1 || stride[3] == extent[2] * size) &&
           (extent[0] == 1 || stride[2] == extent[1] * extent[2] * size);
}

int npc_pixels_follow(const npc_array *array, const npc_window *window, int64_t size)
{
    const npc_axis *axis = window->axis;
    const int64_t extent[NPC_SPATIAL] = {axis[0].pixels, axis[1].pixels, axis[2].pixels};
    return npc_extents_follow(array, extent, size);
}

int npc_window_join(npc_window *window)
{
    for (int i = 0; i < NPC_SPATIAL; i++) {
        const npc_axis *axis = &window->axis[i];
        if (axis->taps != 1 || axis->step != 1 || axis->first != 0 || axis->extent != axis->pixels)
            return 0;
    }
    if (!window->load_step ||
        !npc_pixels_follow(window->source, window, (int64_t)npc_dtype_size(window->dtype)))
        return 0;
    const npc_axis one = {.extent = 1, .pixels = 1, .step = 1, .taps = 1, .inner_end = 1};
    window->axis[2].extent = window->axis[2].pixels = window->axis[2].inner_end = window->pixels;
    window->axis[0] = window->axis[1] = one;
    return 1;
}

void npc_tile_add(npc_tile *tile, const npc_window *window, int64_t first, int64_t count)
{
    const npc_axis *axis = window->axis;
    const int64_t columns = axis[2].pixels, rows = axis[1].pixels;
    int64_t in_image = first % window->pixels, image = first / window->pixels;
    int64_t w = in_image % columns, h = in_image / columns % rows, d = in_image / columns / rows;

    assert(count > 0 && tile->count + count <= NPC_MAX_TILE);
    const int64_t end = tile->count + count;
    for (int64_t lane = tile->count; lane < end;) {
        npc_run *run = &tile->run[tile->runs++];
        const int64_t length = npc_min(columns - w, end - lane);
        *run = (npc_run){(int32_t)lane, (int32_t)length, image, {d, h, w}};
        const int whole_row = h < axis[1].inner_begin || h >= axis[1].inner_end ||
                              d < axis[0].inner_begin || d >= axis[0].inner_end;
        for (int64_t i = 0; i < length; i++)
            if (whole_row || w + i < axis[2].inner_begin || w + i >= axis[2].inner_end)
                tile->border |= (uint64_t)1 << (lane + i);
        lane += length;
        w = 0;
        if (++h == rows) {
            h = 0;
            if (++d == axis[0].pixels) {
                d = 0;
                image++;
            }
        }
    }
    tile->count = (int32_t)end;
}

void npc_tile_set(npc_tile *tile, const npc_window *window, int64_t first, int64_t count, int lanes)
{
    tile->count = tile->runs = 0;
    tile->border = 0;
    npc_tile_add(tile, window, first, count);
    tile->vecs = (int32_t)npc_ceil_div(count, lanes);
}

size_t npc_panel_table_bytes(const npc_window *window)
{
    const int64_t taps = npc_min(window->taps, NPC_SEGMENT_TAPS);
    const int64_t runs = npc_min(NPC_MAX_TILE, NPC_MAX_TILE / window->axis[2].pixels + 2);
    return (size_t)(taps * (NPC_MAX_VECS + runs)) * sizeof(npc_pack_segment);
}

/* The row of the source that a run reads for taps (td, th, *), as an offset from the channel, or 0
 * and *exists = 0. */
static int64_t source_row(const npc_window *window, const npc_run *run, int64_t td, int64_t th,
                          int *exists)
{
    const npc_array *s = window->source;
    const int64_t d = npc_axis_source(&window->axis[0], run->pixel[0], td);
    const int64_t h = npc_axis_source(&window->axis[1], run->pixel[1], th);
    *exists = npc_axis_holds(&window->axis[0], d) && npc_axis_holds(&window->axis[1], h);
    return *exists ? run->image * s->stride[0] + d * s->stride[2] + h * s->stride[3] : 0;
}

/* The lanes of a run whose column lies in [begin, end): [*from, *to). */
static void clip_run(const npc_run *run, int64_t begin, int64_t end, int64_t *from, int64_t *to)
{
    *from = run->lane + npc_max(0, begin - run->pixel[2]);
    *to = run->lane + npc_min(run->count, end - run->pixel[2]);
}

/* A run's part in one vector. */
typedef struct fragment {
    int run, vec, lane;      /* the first lane within the vector */
    int64_t column, columns; /* of the pixels */
    int64_t offset_bytes;    /* of lane 0 for the first column of taps, from the run's source row */
} fragment;

static int cut_runs(const npc_packer *packer, fragment *to)
{
    const npc_window *window = packer->window;
    const npc_tile *tile = packer->tile;
    const int lanes = packer->kernels->lanes;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    int count = 0;
    for (int r = 0; r < tile->runs; r++) {
        const npc_run *run = &tile->run[r];
        for (int64_t lane = run->lane; lane < run->lane + run->count;) {
            fragment *f = &to[count++];
            f->run = r;
            f->vec = (int)(lane / lanes);
            f->lane = (int)(lane % lanes);
            f->column = run->pixel[2] + lane - run->lane;
            f->columns = npc_min(lanes - f->lane, run->lane + run->count - lane);
            f->offset_bytes = npc_axis_source(&window->axis[2], f->column - f->lane, 0) * size;
            lane += f->columns;
        }
    }
    return count;
}

/* Segments of taps [tap_begin, tap_end): this runs once a tile, but tiles of few channels are
 * short, so what does not change from tap to tap is computed before. */
static void build_segments(npc_packer *packer, int64_t tap_begin, int64_t tap_end)
{
    const npc_window *window = packer->window;
    const npc_tile *tile = packer->tile;
    const npc_axis *axis = window->axis;
    const int64_t tap_bytes = axis[2].spacing * (int64_t)npc_dtype_size(window->dtype);
    const int step = window->load_step;
    npc_pack_segment *segment = packer->segments;
    fragment fragments[NPC_MAX_TILE + NPC_MAX_VECS];
    const int count = cut_runs(packer, fragments);
    int64_t row[NPC_MAX_TILE], tw = tap_begin % axis[2].taps;
    int exists[NPC_MAX_TILE];

    for (int64_t tap = tap_begin; tap < tap_end; tap++, tw++) {
        if (tw == axis[2].taps) tw = 0;
        if (tw == 0 || tap == tap_begin) {
            const int64_t line = tap / axis[2].taps;
            for (int r = 0; r < tile->runs; r++)
                row[r] = source_row(window, &tile->run[r], line / axis[1].taps, line % axis[1].taps,
                                    &exists[r]);
        }
        int64_t begin, end;
        npc_axis_valid(&axis[2], tw, &begin, &end);
        const fragment *f = fragments;
        for (int vec = 0; vec < tile->vecs; vec++) {
            npc_pack_segment *const first = segment;
            for (; f < fragments + count && f->vec == vec; f++) {
                const int64_t from = npc_max(begin - f->column, 0);
                const int64_t to = npc_min(end - f->column, f->columns);
                if (!exists[f->run] || from >= to) continue;
                uint64_t mask = ((uint64_t)1 << (to - from) * step) - 1;
                if (step == 2) mask /= 3; /* every second bit */
                mask <<= (f->lane + from) * step;
                *segment++ = (npc_pack_segment){row[f->run] + f->offset_bytes + tw * tap_bytes,
                                                (uint32_t)mask, 0};
            }
            if (segment == first) *segment++ = (npc_pack_segment){0, 0, 0};
            segment[-1].last = 1;
        }
    }
    packer->tap_begin = tap_begin;
    packer->tap_end = tap_end;
}

static npc_pack_segment *segments_of_tap(const npc_packer *packer, int64_t tap)
{
    npc_pack_segment *segment = packer->segments;
    for (int64_t vectors = (tap - packer->tap_begin) * packer->tile->vecs; vectors > 0; segment++)
        vectors -= segment->last;
    return segment;
}

int npc_panel_source(npc_packer *packer, int64_t channel, int64_t k_begin, npc_pack_source *source)
{
    const npc_window *window = packer->window;
    const int64_t taps = window->taps, stride = window->source->stride[1];
    if (!window->load_step || taps > NPC_SEGMENT_TAPS) return 0;
    if (packer->tap_end == 0) build_segments(packer, 0, taps);
    *source = (npc_pack_source){.base = window->source->data + (channel + k_begin / taps) * stride,
                                .channel_stride_bytes = stride,
                                .ahead_bytes = stride * npc_ceil_div(ROWS_AHEAD, taps),
                                .segments = packer->segments,
                                .step = window->load_step,
                                .taps = taps,
                                .first = segments_of_tap(packer, k_begin % taps),
                                .first_taps = taps - k_begin % taps};
    return 1;
}

/* Rows of a stretch of taps of one channel, where the window has more than one stretch. */
static void pack_stretch(npc_packer *packer, const char *base, int64_t tap_begin, int64_t tap_end,
                         void *panel, int64_t panel_stride)
{
    const int64_t begin = tap_begin / NPC_SEGMENT_TAPS * NPC_SEGMENT_TAPS;
    if (packer->tap_begin != begin || packer->tap_end == 0)
        build_segments(packer, begin, npc_min(packer->window->taps, begin + NPC_SEGMENT_TAPS));
    const npc_pack_args args = {.source = {.base = base,
                                           .first = segments_of_tap(packer, tap_begin),
                                           .step = packer->window->load_step,
                                           .first_taps = packer->window->taps},
                                .rows = tap_end - tap_begin,
                                .vecs = packer->tile->vecs,
                                .panel = panel,
                                .panel_stride = panel_stride};
    npc_run_pack(packer->kernels, &args);
}

/* One row of any source, element by element: other dtypes, byte orders, strides. */
static void pack_row(const npc_packer *packer, const char *base, int64_t tap, char *row)
{
    const npc_window *window = packer->window;
    const npc_tile *tile = packer->tile;
    const npc_axis *axis = window->axis;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    const int64_t tw = tap % axis[2].taps, th = tap / axis[2].taps % axis[1].taps;
    const int64_t td = tap / axis[2].taps / axis[1].taps;
    const int64_t stride = window->source->stride[4];
    int64_t begin, end;

    npc_axis_valid(&axis[2], tw, &begin, &end);
    memset(row, 0, (size_t)(tile->vecs * packer->kernels->lanes * size));
    for (int i = 0; i < tile->runs; i++) {
        const npc_run *r = &tile->run[i];
        int64_t from, to;
        int exists;
        const int64_t offset = source_row(window, r, td, th, &exists);
        clip_run(r, begin, end, &from, &to);
        if (!exists || from >= to) continue;
        const int64_t column = npc_axis_source(&axis[2], r->pixel[2] + from - r->lane, tw);
        npc_read_run(window->source, base + offset + column * stride,
                     npc_axis_step_bytes(&axis[2], stride), to - from, window->dtype,
                     row + from * size);
    }
}

void npc_panel_pack(npc_packer *packer, int64_t channel, int64_t k_begin, int64_t k_end,
                    void *panel, int64_t panel_stride)
{
    const npc_window *window = packer->window;
    const int64_t taps = window->taps, channel_stride = window->source->stride[1];
    const int64_t row_bytes = panel_stride * (int64_t)npc_dtype_size(window->dtype);
    npc_pack_args args = {.rows = k_end - k_begin,
                          .vecs = packer->tile->vecs,
                          .panel = panel,
                          .panel_stride = panel_stride};
    char *to = panel;

    if (npc_panel_source(packer, channel, k_begin, &args.source)) {
        npc_run_pack(packer->kernels, &args);
        return;
    }
    for (int64_t k = k_begin; k < k_end;) {
        const int64_t tap = k % taps;
        const char *base = window->source->data + (channel + k / taps) * channel_stride;
        int64_t rows = 1;
        if (!window->load_step) {
            pack_row(packer, base, tap, to);
        } else {
            const int64_t stretch_end = (tap / NPC_SEGMENT_TAPS + 1) * NPC_SEGMENT_TAPS;
            rows = npc_min(npc_min(taps, stretch_end) - tap, k_end - k);
            pack_stretch(packer, base, tap, tap + rows, to, panel_stride);
        }
        k += rows;
        to += rows * row_bytes;
    }
}
