/* Max-pooling and its backward pass.
 *
 * Forward: a stretch of an output row takes each tap of the window in turn, a vector comparison of
 * the best so far with a strided row of the input, and remembers the tap's number. Backward: planes
 * are independent; each gradient is added at its index, in order of the output.
 */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../plan/simple_plan.h"
#include "columns.h"

enum { STRETCH = 512 }; /* output elements of a row that are kept at once */

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
    return npc_volume(g->input) <= INT32_MAX; /* the numbers of the taps that are compared fit */
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

/* Output elements [begin, begin + count) of one row: best values and the numbers of their taps. */
static void pool_stretch(const job *j, const char *plane, const taps *t, int64_t d, int64_t h,
                         int64_t begin, int64_t count, char *best, int32_t *number, char *stage)
{
    const npc_window *window = &j->window;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    const int64_t numbers = t->axis[0].count * t->axis[1].count * t->axis[2].count;
    const int plain = npc_is_plain(j->from, window->dtype);

    memset(best, 0, (size_t)(count * size));
    for (int64_t i = 0; i < count; i++) number[i] = -1;
    for (int64_t k = 0; k < numbers; k++) {
        const npc_column_run run = npc_column_run_of(window, tap_of(window, t, k), d, h);
        const int64_t from = npc_max(run.begin, begin), to = npc_min(run.end, begin + count);
        if (from >= to) continue;
        const char *source = plane + run.offset + (from - run.begin) * run.stride;
        int64_t stride = run.stride / size;
        if (!plain || run.stride % size || run.stride < 0) {
            npc_read_run(j->from, source, run.stride, to - from, window->dtype, stage);
            source = stage;
            stride = 1;
        }
        npc_run_max_update(j->kernels, best + (from - begin) * size, number + (from - begin),
                           source, stride, to - from, (int32_t)k);
    }
}

/* Whether a window had no tap in the input, as wide dilations over a small input can. */
static int has_unset(const int32_t *number, int64_t count)
{
    int found = 0;
    for (int64_t i = 0; i < count; i++) found |= number[i] < 0;
    return found;
}

static npc_status pool_plane(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_pool_geometry *g = j->geometry;
    const npc_window *window = &j->window;
    const int64_t n = piece / g->channels, c = piece % g->channels;
    const char *plane = j->from->data + n * j->from->stride[0] + c * j->from->stride[1];
    char *out = j->to->data + n * j->to->stride[0] + c * j->to->stride[1];
    int64_t *index = j->indices ? j->indices + piece * window->pixels : NULL;
    char *cursor = scratch;
    char *best = npc_scratch_take(&cursor, STRETCH * sizeof(double));
    char *stage = npc_scratch_take(&cursor, STRETCH * sizeof(double));
    int32_t *number = npc_scratch_take(&cursor, STRETCH * sizeof(int32_t));
    /* windows wider than the input share few taps: one pixel at a time visits no others */
    const int64_t stretch = window->axis[2].taps > window->axis[2].extent ? 1 : STRETCH;

    for (int64_t d = 0; d < g->output[0]; d++) {
        for (int64_t h = 0; h < g->output[1]; h++) {
            for (int64_t w = 0; w < g->output[2]; w += stretch) {
                const int64_t count = npc_min(stretch, g->output[2] - w);
                const taps t = {{reaching_taps(&window->axis[0], d, d + 1),
                                 reaching_taps(&window->axis[1], h, h + 1),
                                 reaching_taps(&window->axis[2], w, w + count)}};
                pool_stretch(j, plane, &t, d, h, w, count, best, number, stage);
                if (has_unset(number, count)) return NPC_INVALID_GEOMETRY;
                npc_write_run(best, window->dtype,
                              out + d * j->to->stride[2] + h * j->to->stride[3] +
                                  w * j->to->stride[4],
                              j->to->stride[4], count);
                if (!index) continue;
                for (int64_t i = 0; i < count; i++) {
                    const int64_t tap = tap_of(window, &t, number[i]);
                    *index++ =
                        j->kind == NPC_INDEX_WINDOW ? tap : flat_position(window, tap, d, h, w + i);
                }
            }
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
        return index >= 0 && index < npc_volume(j->geometry->input) ? index : -1;
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
    const int64_t *index = j->given + piece * j->window.pixels;
    const int64_t n = piece / g->channels, c = piece % g->channels;

    for (int64_t d = 0; d < g->output[0]; d++) {
        for (int64_t h = 0; h < g->output[1]; h++) {
            const char *row = dy->data + n * dy->stride[0] + c * dy->stride[1] + d * dy->stride[2] +
                              h * dy->stride[3];
            for (int64_t w = 0; w < g->output[2]; w++, row += dy->stride[4]) {
                const int64_t at = checked_position(j, *index++, d, h, w);
                if (at < 0) return NPC_BAD_INDEX;
                if (!plane) continue;
                char *to = plane + at % g->input[2] * dx->stride[4] +
                           at / g->input[2] % g->input[1] * dx->stride[3] +
                           at / g->input[2] / g->input[1] * dx->stride[2];
                if (j->window.dtype == NPC_F32)
                    *(float *)to += (float)npc_load(row, dy->dtype, dy->swapped);
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
    const size_t scratch = STRETCH * (2 * sizeof(double) + sizeof(int32_t));
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
