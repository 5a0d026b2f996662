/* The gradient of max-pooling: each gradient is added at its index, in order of the outputs.
 *
 * Windows that lie side by side, two pixels wide, need no addition: each pixel of dx is its
 * window's gradient or zero, which vectors find out by comparing. Where that meets an index outside
 * of its window, the plane is done again.
 */
#include <string.h>

#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "pool.h"
#include "scatter.h"

enum {
    TILES = 512,          /* that are done at once */
    FLOPS_AN_ELEMENT = 24 /* what takes as long as to read or write one */
};

typedef struct job {
    npc_window window;
    npc_scatter scatter;
    const char *given; /* indices */
    npc_index_kind kind;
    int stream; /* dx is written past the caches */
} job;

/* Where indices that count in windows point. */
static void locate(const void *context, int64_t plane, int64_t d, int64_t h, int64_t w,
                   int64_t count, int64_t *position)
{
    const job *j = context;
    const npc_axis *axis = j->window.axis;
    const int64_t at = plane * j->window.pixels + (d * axis[1].pixels + h) * axis[2].pixels + w;
    const int64_t columns = axis[2].taps, rows = axis[1].taps;
    for (int64_t i = 0; i < count; i++) {
        const int64_t tap = j->kind == NPC_INDEX_BYTE
                                ? ((const uint8_t *)j->given)[at + i]
                                : ((const volatile int64_t *)j->given)[at + i];
        position[i] = -1;
        if (tap < 0 || tap >= j->window.taps) continue;
        const int narrow = (tap | columns | rows) >> 32 == 0;
        const int64_t row = narrow ? (uint32_t)tap / (uint32_t)columns : tap / columns;
        const int64_t slice = narrow ? (uint32_t)row / (uint32_t)rows : row / rows;
        const int64_t x = npc_axis_source(&axis[2], w + i, tap - row * columns);
        const int64_t y = npc_axis_source(&axis[1], h, row - slice * rows);
        const int64_t z = npc_axis_source(&axis[0], d, slice);
        if (npc_axis_holds(&axis[2], x) && npc_axis_holds(&axis[1], y) &&
            npc_axis_holds(&axis[0], z))
            position[i] = (z * axis[1].extent + y) * axis[2].extent + x;
    }
}

/* ---- windows side by side ---- */

static int has_tiles(const job *j)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *dy = j->scatter.from, *dx = j->scatter.to;
    const int64_t size = j->scatter.size;
    return axis[0].taps == 1 && axis[0].pixels == 1 && axis[0].extent == 1 && axis[2].taps == 2 &&
           axis[2].step == 2 && axis[2].spacing == 1 && axis[1].step == axis[1].taps &&
           axis[1].spacing == 1 && axis[1].first == 0 && axis[2].first == 0 &&
           2 * axis[2].pixels <= axis[2].extent &&
           axis[1].taps * axis[1].pixels <= axis[1].extent &&
           axis[1].extent * axis[2].extent <= INT32_MAX && npc_is_plain(dy, j->window.dtype) &&
           dy->stride[4] == size && dy->stride[3] % size == 0 && dx->stride[4] == size &&
           dx->stride[3] % size == 0;
}

/* A plane; returns whether each index lies in its window. */
static int fill_tiles(const job *j, int64_t plane)
{
    const npc_scatter *s = &j->scatter;
    const npc_axis *axis = j->window.axis;
    const npc_array *dy = s->from, *dx = s->to;
    const int64_t n = plane / s->channels, c = plane % s->channels, size = s->size;
    const int64_t width = axis[2].extent, rows = axis[1].pixels * axis[1].taps;
    const int64_t at = plane * j->window.pixels;
    const char *from = dy->data + n * dy->stride[0] + c * dy->stride[1];
    char *to = dx->data + n * dx->stride[0] + c * dx->stride[1];
    const int flat = j->kind == NPC_INDEX_FLAT, narrow = j->kind == NPC_INDEX_BYTE;
    npc_unpool_tiles_args args = {.grad_pitch = dy->stride[3] / size,
                                  .count = axis[2].pixels,
                                  .index_pitch = axis[2].pixels,
                                  .base_row = flat ? axis[1].taps * width : 0,
                                  .base_step = flat ? 2 : 0,
                                  .row_distance = flat ? width : 2,
                                  .window_rows = axis[1].taps,
                                  .stream = j->stream,
                                  .to_pitch = dx->stride[3] / size};
    const int64_t used = 2 * axis[2].pixels; /* columns */
    for (int64_t y = 0; used < width && y < rows; y++)
        memset(to + y * dx->stride[3] + used * size, 0, (size_t)((width - used) * size));
    for (int64_t y = rows; y < axis[1].extent; y++)
        memset(to + y * dx->stride[3], 0, (size_t)(width * size));
    /* A few rows at a time: so reading and writing take turns. */
    const int64_t most = npc_max(TILES / axis[2].pixels, 1);
    for (int64_t h = 0; h < axis[1].pixels; h += most) {
        args.rows = npc_min(most, axis[1].pixels - h);
        args.grad = from + h * dy->stride[3];
        args.to = to + h * axis[1].taps * dx->stride[3];
        args.base = h * args.base_row;
        const int64_t element = at + h * axis[2].pixels;
        args.index64 = narrow ? NULL : (const int64_t *)j->given + element;
        args.index8 = narrow ? (const uint8_t *)j->given + element : NULL;
        if (!narrow &&
            !npc_run_in_range(s->kernels, args.index64, args.rows * axis[2].pixels, INT32_MAX))
            return 0;
        if (!npc_run_unpool_tiles(s->kernels, &args)) return 0;
    }
    return 1;
}

static npc_status fill_planes(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_scatter *s = &j->scatter;
    const int64_t end = npc_min((piece + 1) * s->planes_a_piece, s->planes);
    npc_status status = NPC_OK;
    for (int64_t p = piece * s->planes_a_piece; p < end && status == NPC_OK; p++)
        if (!fill_tiles(j, p)) {
            if (j->stream) npc_run_fence(s->kernels); /* the plane is written once more */
            status = npc_scatter_plane(s, p, scratch);
        }
    if (j->stream) npc_run_fence(s->kernels);
    return status;
}

npc_status npc_max_pool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                 const void *indices, npc_index_kind kind, const npc_array *dx,
                                 npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    job j = {.given = indices, .kind = kind};
    const int64_t inputs = npc_volume(g->input), size = (int64_t)npc_dtype_size(dtype);
    if (g->adaptive || g->starts) {
        if (kind != NPC_INDEX_FLAT) return NPC_INVALID_GEOMETRY;
        return npc_max_unpool(g, grad, indices, 1, dx, dtype, options, info);
    }
    j.scatter = (npc_scatter){.from = grad,
                              .to = dx,
                              .dtype = dtype,
                              .planes = g->batch * g->channels,
                              .channels = g->channels,
                              .size = size,
                              .source = {g->output[0], g->output[1], g->output[2]},
                              .target = {g->input[0], g->input[1], g->input[2]},
                              .add = 1,
                              .index = kind == NPC_INDEX_FLAT ? indices : NULL,
                              .locate = locate,
                              .context = &j};
    npc_status status = npc_pool_check(g);
    if (status == NPC_OK) status = npc_simple_kernels(options, dtype, &j.scatter.kernels);
    if (status != NPC_OK) return status;
    npc_pool_window(&j.window, g, dx, dtype);
    const npc_axis *rows = &j.window.axis[1];
    j.scatter.step = rows->step;
    j.scatter.first = rows->first;
    j.scatter.reach = (rows->taps - 1) * rows->spacing + 1;
    const int64_t planes = j.scatter.planes;
    npc_team team = npc_make_team(options, FLOPS_AN_ELEMENT * (double)planes *
                                               (double)(j.window.pixels + inputs));
    if (planes > 0) {
        npc_scatter_plan(&j.scatter);
        const size_t scratch = npc_scatter_scratch(&j.scatter);
        const int64_t pieces = npc_scatter_pieces(&j.scatter);
        if (has_tiles(&j)) {
            j.stream = npc_beyond_caches(dx, g->batch, g->channels, g->input[0], g->input[1],
                                         g->input[2], size);
            status = npc_parallel_for(&team, pieces, scratch, fill_planes, &j);
        } else {
            status = npc_parallel_for(&team, pieces, scratch, npc_scatter_piece, &j.scatter);
        }
    }
    npc_simple_info(info, "max_pool_backward", j.scatter.kernels, &team);
    return status;
}
