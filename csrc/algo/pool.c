/* Max-pooling and its backward pass.
 *
 * Forward: outputs of a row whose windows lie inside go through the kernel together, those at the
 * borders one by one with the taps that they have. Backward: planes are independent; each gradient
 * is added at its index, in order of the output.
 */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../plan/simple_plan.h"
#include "columns.h"

enum {
    STRETCH = 512,        /* output elements of a row that are kept at once */
    KERNEL_ROWS = 64,     /* rows of taps that the kernel takes */
    KERNEL_TAPS = 1 << 22 /* and taps: their numbers are exact in float32 */
};

typedef struct job {
    const npc_pool_geometry *geometry;
    npc_window window;
    const npc_array *from, *to;
    int64_t *indices;
    const int64_t *given; /* backward's indices */
    npc_index_kind kind;
    const npc_kernels *kernels;
} job;

static void window_of(npc_window *window, const npc_pool_geometry *g, const npc_array *source,
                      npc_dtype dtype)
{
    window->source = source;
    window->dtype = dtype;
    for (int i = 0; i < NPC_SPATIAL; i++)
        window->axis[i] = (npc_axis){.extent = g->input[i],
                                     .pixels = g->output[i],
                                     .step = g->stride[i],
                                     .taps = g->kernel[i],
                                     .first = -g->pad_before[i],
                                     .spacing = g->dilation[i]};
    npc_window_finish(window);
}

/* The sizes that C indexes with: every window must touch the input, so that something wins. */
static int is_consistent(const npc_pool_geometry *g)
{
    if (g->batch < 0 || g->channels < 0) return 0;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        int64_t span, last;
        if (g->input[i] < 0 || g->kernel[i] < 1 || g->output[i] < 1 || g->stride[i] < 1 ||
            g->dilation[i] < 1 || g->pad_before[i] < 0)
            return 0;
        /* every window touches the input */
        if (g->pad_before[i] / g->dilation[i] > g->kernel[i] - 1 ||
            (g->output[i] - 1) > (g->input[i] - 1 + g->pad_before[i]) / g->stride[i])
            return 0;
        if (__builtin_mul_overflow(g->kernel[i] - 1, g->dilation[i], &span) ||
            __builtin_mul_overflow(g->output[i] - 1, g->stride[i], &last) ||
            __builtin_add_overflow(span, last, &span))
            return 0;
    }
    return 1;
}

/* Taps of an axis that reach the input from any of the pixels [begin, end): [first, last]. A window
 * may be far larger than the input, so loops run over these only. */
typedef struct tap_range {
    int64_t first, count;
} tap_range;

static tap_range reaching_taps(const npc_axis *axis, int64_t begin, int64_t end)
{
    const int64_t lowest = begin * axis->step + axis->first;
    const int64_t highest = (end - 1) * axis->step + axis->first;
    const int64_t first = highest < 0 ? npc_ceil_div(-highest, axis->spacing) : 0;
    const int64_t room = axis->extent - 1 - lowest;
    const int64_t last = room < 0 ? -1 : npc_min(axis->taps - 1, room / axis->spacing);
    return (tap_range){first, npc_max(last - first + 1, 0)};
}

/* The taps that a stretch of an output row compares; `number` counts through them. */
typedef struct taps {
    tap_range axis[NPC_SPATIAL];
} taps;

static int64_t tap_of(const npc_window *window, const taps *t, int64_t number)
{
    const int64_t w = t->axis[2].first + number % t->axis[2].count;
    const int64_t h = t->axis[1].first + number / t->axis[2].count % t->axis[1].count;
    const int64_t d = t->axis[0].first + number / t->axis[2].count / t->axis[1].count;
    return (d * window->axis[1].taps + h) * window->axis[2].taps + w;
}

/* The flat position in the input plane of a tap. */
static int64_t flat_position(const npc_window *window, int64_t tap, int64_t d, int64_t h, int64_t w)
{
    const npc_axis *axis = window->axis;
    const int64_t x = npc_axis_source(&axis[2], w, tap % axis[2].taps);
    const int64_t y = npc_axis_source(&axis[1], h, tap / axis[2].taps % axis[1].taps);
    const int64_t z = npc_axis_source(&axis[0], d, tap / axis[2].taps / axis[1].taps);
    return (z * axis[1].extent + y) * axis[2].extent + x;
}

/* Where the results of a stretch of an output row go. */
typedef struct stretch {
    int64_t d, h, w, count;
    char *best, *number; /* of the result's dtype */
    int64_t *index;      /* or NULL */
} stretch;

static const char *source_at(const job *j, const char *plane, const taps *t, int64_t d, int64_t h,
                             int64_t w)
{
    const npc_axis *axis = j->window.axis;
    return plane + npc_axis_source(&axis[0], d, t->axis[0].first) * j->from->stride[2] +
           npc_axis_source(&axis[1], h, t->axis[1].first) * j->from->stride[3] +
           npc_axis_source(&axis[2], w, t->axis[2].first) * j->from->stride[4];
}

/* What the index of a tap is: its position for the stretch's first output, or its number. */
static int64_t index_of(const job *j, const taps *t, const stretch *s, int64_t number)
{
    const int64_t tap = tap_of(&j->window, t, number);
    return j->kind == NPC_INDEX_WINDOW ? tap : flat_position(&j->window, tap, s->d, s->h, s->w);
}

/* From the taps' numbers to indices. Those of small windows are looked up in a table, for the
 * divisions would take longer than the pooling. */
static void write_indices(const job *j, const taps *t, const stretch *s)
{
    enum { TABLE = 64 };
    const int64_t numbers = t->axis[0].count * t->axis[1].count * t->axis[2].count;
    const int64_t step = j->kind == NPC_INDEX_WINDOW ? 0 : j->window.axis[2].step;
    int64_t table[TABLE];
    const int tabled = numbers <= TABLE;

    for (int64_t k = 0; tabled && k < numbers; k++) table[k] = index_of(j, t, s, k);
    for (int64_t i = 0; i < s->count; i++) {
        const int64_t number = j->window.dtype == NPC_F32 ? (int64_t)((const float *)s->number)[i]
                                                          : (int64_t)((const double *)s->number)[i];
        s->index[i] = (tabled ? table[number] : index_of(j, t, s, number)) + i * step;
    }
}

/* A stretch through the kernel. All outputs have all taps of `t`. */
static void pool_by_kernel(const job *j, const char *plane, const taps *t, const stretch *s)
{
    const npc_axis *axis = j->window.axis;
    const int64_t size = (int64_t)npc_dtype_size(j->window.dtype);
    const char *base = source_at(j, plane, t, s->d, s->h, s->w);
    const void *rows[KERNEL_ROWS];
    npc_max_row_args args = {.rows = rows,
                             .taps = t->axis[2].count,
                             .spacing = axis[2].spacing * j->from->stride[4] / size,
                             .step = npc_axis_step_bytes(&axis[2], j->from->stride[4]) / size,
                             .count = s->count,
                             .best = s->best,
                             .number = s->index ? s->number : NULL};
    for (int64_t d = 0; d < t->axis[0].count; d++)
        for (int64_t h = 0; h < t->axis[1].count; h++)
            rows[args.row_count++] = base + d * axis[0].spacing * j->from->stride[2] +
                                     h * axis[1].spacing * j->from->stride[3];
    npc_run_max_row(j->kernels, &args);
    if (s->index) write_indices(j, t, s);
}

/* A stretch element by element: other dtypes and byte orders, and windows of any size. */
static void pool_by_element(const job *j, const char *plane, const taps *t, const stretch *s)
{
    const npc_array *x = j->from;
    const npc_axis *axis = j->window.axis;
    const int64_t numbers = t->axis[0].count * t->axis[1].count * t->axis[2].count;
    for (int64_t i = 0; i < s->count; i++) {
        const char *base = source_at(j, plane, t, s->d, s->h, s->w + i);
        double best = 0;
        int64_t winner = -1;
        for (int64_t k = 0; k < numbers; k++) {
            const int64_t w = k % t->axis[2].count, h = k / t->axis[2].count % t->axis[1].count;
            const int64_t d = k / t->axis[2].count / t->axis[1].count;
            const double v = npc_load(base + d * axis[0].spacing * x->stride[2] +
                                          h * axis[1].spacing * x->stride[3] +
                                          w * axis[2].spacing * x->stride[4],
                                      x->dtype, x->swapped);
            if (winner < 0 || v > best || (v != v && best == best)) {
                best = v;
                winner = k;
            }
        }
        npc_store(s->best + i * (int64_t)npc_dtype_size(j->window.dtype), j->window.dtype, best);
        if (!s->index) continue;
        s->index[i] = index_of(j, t, s, winner);
        if (j->kind == NPC_INDEX_FLAT) s->index[i] += i * axis[2].step;
    }
}

static npc_status pool_stretch(const job *j, const char *plane, const stretch *s)
{
    const npc_axis *axis = j->window.axis;
    const int64_t size = (int64_t)npc_dtype_size(j->window.dtype);
    const taps t = {{reaching_taps(&axis[0], s->d, s->d + 1),
                     reaching_taps(&axis[1], s->h, s->h + 1),
                     reaching_taps(&axis[2], s->w, s->w + s->count)}};
    const int64_t rows = t.axis[0].count * t.axis[1].count;

    if (rows * t.axis[2].count == 0) return NPC_INVALID_GEOMETRY; /* wide dilation, small input */
    if (npc_is_plain(j->from, j->window.dtype) && j->from->stride[4] % size == 0 &&
        rows <= KERNEL_ROWS && rows * t.axis[2].count <= KERNEL_TAPS)
        pool_by_kernel(j, plane, &t, s);
    else
        pool_by_element(j, plane, &t, s);
    return NPC_OK;
}

/* One output row, cut where the taps that reach the input change. */
static npc_status pool_row(const job *j, const char *plane, stretch s, char *out, int64_t *index)
{
    const npc_axis *axis = &j->window.axis[2];
    const int64_t stride = j->to->stride[4];
    for (s.w = 0; s.w < axis->pixels; s.w += s.count) {
        const int inside = s.w >= axis->inner_begin && s.w < axis->inner_end;
        s.count = inside ? npc_min(STRETCH, axis->inner_end - s.w) : 1;
        s.index = index ? index + s.w : NULL;
        const npc_status status = pool_stretch(j, plane, &s);
        if (status != NPC_OK) return status;
        npc_write_run(s.best, j->window.dtype, out + s.w * stride, stride, s.count);
    }
    return NPC_OK;
}

static npc_status pool_plane(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_pool_geometry *g = j->geometry;
    const int64_t n = piece / g->channels, c = piece % g->channels;
    const char *plane = j->from->data + n * j->from->stride[0] + c * j->from->stride[1];
    char *out = j->to->data + n * j->to->stride[0] + c * j->to->stride[1];
    int64_t *index = j->indices ? j->indices + piece * j->window.pixels : NULL;
    char *cursor = scratch;
    stretch s = {0};
    s.best = npc_scratch_take(&cursor, STRETCH * sizeof(double));
    s.number = npc_scratch_take(&cursor, STRETCH * sizeof(double));

    for (s.d = 0; s.d < g->output[0]; s.d++) {
        for (s.h = 0; s.h < g->output[1]; s.h++) {
            const npc_status status =
                pool_row(j, plane, s, out + s.d * j->to->stride[2] + s.h * j->to->stride[3], index);
            if (status != NPC_OK) return status;
            if (index) index += g->output[2];
        }
    }
    return NPC_OK;
}

/* Where an index points: its position in the plane, or -1 if it is out of range. */
static int64_t checked_position(const job *j, int64_t index, int64_t d, int64_t h, int64_t w)
{
    const npc_window *window = &j->window;
    const npc_axis *axis = window->axis;
    if (j->kind == NPC_INDEX_FLAT)
        return (uint64_t)index < (uint64_t)npc_volume(j->geometry->input) ? index : -1;
    if (index < 0 || index >= window->taps) return -1;
    if (!npc_axis_holds(&axis[2], npc_axis_source(&axis[2], w, index % axis[2].taps)) ||
        !npc_axis_holds(&axis[1],
                        npc_axis_source(&axis[1], h, index / axis[2].taps % axis[1].taps)) ||
        !npc_axis_holds(&axis[0],
                        npc_axis_source(&axis[0], d, index / axis[2].taps / axis[1].taps)))
        return -1;
    return flat_position(window, index, d, h, w);
}

/* Both passes over the indices of a plane: the first checks all, the second adds; it checks again,
 * for another thread of the caller's may write to the array meanwhile. */
static npc_status visit_indices(const job *j, int64_t piece, char *plane)
{
    const npc_pool_geometry *g = j->geometry;
    const npc_array *dy = j->from, *dx = j->to;
    const npc_dtype dtype = j->window.dtype;
    const int64_t *index = j->given + piece * j->window.pixels;
    const int64_t n = piece / g->channels, c = piece % g->channels;
    const int64_t width = g->input[2], height = g->input[1];
    const int64_t size = (int64_t)npc_dtype_size(dtype);
    const int flat = dx->stride[4] == size && dx->stride[3] == width * size &&
                     (g->input[0] == 1 || dx->stride[2] == height * width * size);

    const int plain = npc_is_plain(dy, dtype);

    for (int64_t d = 0; d < g->output[0]; d++) {
        for (int64_t h = 0; h < g->output[1]; h++) {
            const char *row = dy->data + n * dy->stride[0] + c * dy->stride[1] + d * dy->stride[2] +
                              h * dy->stride[3];
            for (int64_t w = 0; w < g->output[2]; w++, row += dy->stride[4]) {
                const int64_t at = checked_position(j, *index++, d, h, w);
                if (at < 0) return NPC_BAD_INDEX;
                if (!plane) continue;
                char *to = plane + at * size;
                if (!flat)
                    to = plane + at % width * dx->stride[4] + at / width % height * dx->stride[3] +
                         at / width / height * dx->stride[2];
                if (dtype == NPC_F32)
                    *(float *)to +=
                        plain ? *(const float *)row : (float)npc_load(row, dy->dtype, dy->swapped);
                else
                    *(double *)to += npc_load(row, dy->dtype, dy->swapped);
            }
        }
    }
    return NPC_OK;
}

static npc_status check_plane(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    return visit_indices(context, piece, NULL);
}

static npc_status unpool_plane(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const npc_pool_geometry *g = j->geometry;
    char *plane = j->to->data + piece / g->channels * j->to->stride[0] +
                  piece % g->channels * j->to->stride[1];
    npc_zero_plane(j->to, plane, g->input[0], g->input[1], g->input[2],
                   (int64_t)npc_dtype_size(j->window.dtype));
    return visit_indices(j, piece, plane);
}

npc_status npc_max_pool(const npc_pool_geometry *g, const npc_array *x, const npc_array *y,
                        int64_t *indices, npc_index_kind kind, npc_dtype dtype,
                        const npc_options *options, npc_plan_info *info)
{
    job j = {.geometry = g, .from = x, .to = y, .indices = indices, .kind = kind};
    if (!is_consistent(g)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    window_of(&j.window, g, x, dtype);
    const int64_t planes = g->batch * g->channels;
    npc_team team = npc_make_team(options, 4.0 * (double)planes * (double)j.window.pixels *
                                               (double)j.window.taps);
    const size_t scratch = 2 * STRETCH * sizeof(double);
    const npc_status done = npc_parallel_for(&team, planes, scratch, pool_plane, &j);
    npc_simple_info(info, "max_pool", j.kernels, &team);
    return done;
}

npc_status npc_max_pool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                 const int64_t *indices, npc_index_kind kind, const npc_array *dx,
                                 npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    job j = {.geometry = g, .from = grad, .to = dx, .given = indices, .kind = kind};
    if (!is_consistent(g)) return NPC_INVALID_GEOMETRY;
    npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    window_of(&j.window, g, dx, dtype);
    const int64_t planes = g->batch * g->channels;
    npc_team team = npc_make_team(options, 8.0 * (double)planes *
                                               (double)(j.window.pixels + npc_volume(g->input)));
    status = npc_parallel_for(&team, planes, 0, check_plane, &j);
    if (status == NPC_OK) status = npc_parallel_for(&team, planes, 0, unpool_plane, &j);
    npc_simple_info(info, "max_pool_backward", j.kernels, &team);
    return status;
}
