/* col2im: a plane of the image at a time, to which the rows of the column matrix are added tap
 * after tap; where it goes past the caches, in scratch. */
#include "columns.h"
#include "pick.h"

#include <string.h>

#include "../core/parallel.h"
#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"

enum {
    STAGE = 1024, /* elements that pass through scratch where a row cannot be used in place */
    PLANE_BYTES = 32 * 1024, /* of a plane that is put together in scratch */
    PIECE_BYTES = 128 * 1024
};

typedef struct job {
    npc_window window;
    const npc_array *image, *cols;
    const npc_kernels *kernels;
    int64_t channels, size, planes, planes_a_piece;
    int plain; /* the matrix and the image can be used in place */
    int picks; /* of a plane, or 0: by rows */
    npc_pick *pick;
    int stream; /* planes of the image are whole, small and leave past the caches */
} job;

/* The rows of a channel, to where its plane is. */
static void add_rows(const job *j, const char *from, char *plane)
{
    const npc_axis *axis = j->window.axis;
    const npc_column_block all = {.lines = axis[0].pixels * axis[1].pixels,
                                  .columns = axis[2].pixels};
    npc_columns_add_lines(j->kernels, &j->window, 0, j->window.taps, &all, from,
                          j->cols->stride[1] / j->size, plane);
}

/* Likewise, of a matrix of any dtype and strides. */
static void add_converted(const job *j, const char *from, char *plane, void *stage)
{
    const npc_window *window = &j->window;
    const int64_t stride = j->cols->stride[2];
    for (int64_t tap = 0; tap < window->taps; tap++) {
        const char *row = from + tap * j->cols->stride[1];
        for (int64_t p = 0; p < window->pixels; p += STAGE) {
            const int64_t count = npc_min(STAGE, window->pixels - p);
            npc_read_run(j->cols, row + p * stride, stride, count, window->dtype, stage);
            npc_columns_add(j->kernels, window, tap, p, count, stage, plane);
        }
    }
}

static npc_status add_planes(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_axis *axis = j->window.axis;
    const int64_t taps = j->window.taps, end = npc_min((piece + 1) * j->planes_a_piece, j->planes);
    if (j->picks) {
        const int64_t plane = axis[1].extent * axis[2].extent, first = piece * j->planes_a_piece;
        const npc_fold_planes_args args = {.pick = j->pick,
                                           .picks = j->picks,
                                           .planes = end - first,
                                           .from = j->cols->data +
                                                   first * taps * j->window.pixels * j->size,
                                           .to = j->image->data + first * plane * j->size,
                                           .from_stride = taps * j->window.pixels,
                                           .to_stride = plane};
        npc_run_fold_planes(j->kernels, &args);
        return NPC_OK;
    }
    for (int64_t p = piece * j->planes_a_piece; p < end; p++) {
        const int64_t n = p / j->channels, c = p % j->channels;
        const char *from = j->cols->data + n * j->cols->stride[0] + c * taps * j->cols->stride[1];
        char *plane = j->image->data + n * j->image->stride[0] + c * j->image->stride[1];
        if (j->stream) {
            const int64_t count = axis[0].extent * axis[1].extent * axis[2].extent;
            const npc_copy_out_args args = {
                .from = scratch, .to = plane, .count = count, .stream = 1};
            memset(scratch, 0, (size_t)(count * j->size));
            add_rows(j, from, scratch);
            npc_run_copy_out(j->kernels, &args);
            continue;
        }
        npc_zero_plane(j->image, plane, axis[0].extent, axis[1].extent, axis[2].extent, j->size);
        if (j->plain)
            add_rows(j, from, plane);
        else
            add_converted(j, from, plane, scratch);
    }
    if (j->stream) npc_run_fence(j->kernels);
    return NPC_OK;
}

npc_status npc_col2im(const npc_conv_geometry *g, const npc_array *cols, const npc_array *dx,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    npc_pick pick[NPC_PICKS];
    job j = {.image = dx,
             .pick = pick,
             .cols = cols,
             .channels = g->in_channels,
             .size = (int64_t)npc_dtype_size(dtype),
             .planes = g->batch * g->in_channels};
    if (!npc_conv_is_consistent(g)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    npc_window_forward(&j.window, g, dx, dtype);
    npc_window_join(&j.window);
    const npc_axis *axis = j.window.axis;
    const int64_t extent[NPC_SPATIAL] = {axis[0].extent, axis[1].extent, axis[2].extent};
    const double plane_bytes = (double)npc_volume(extent) * (double)j.size;
    const double elements = (double)j.window.taps * (double)j.window.pixels; /* of a channel */
    j.plain = npc_is_plain(cols, dtype) && cols->stride[2] == j.size &&
              cols->stride[1] % j.size == 0 && dx->stride[4] % j.size == 0;
    j.stream = j.plain && plane_bytes <= PLANE_BYTES && npc_extents_follow(dx, extent, j.size) &&
               npc_is_large(dx->data, (double)j.planes * plane_bytes);
    j.planes_a_piece =
        (int64_t)npc_max(PIECE_BYTES / (elements * (double)j.size + plane_bytes + 64), 1);
    enum { FEW = 4 };
    if (j.plain && !j.stream && j.planes >= FEW && elements <= NPC_PICK_PLACES &&
        npc_columns_are_planes(g, &j.window, dx, cols, j.size))
        j.picks = npc_column_folds(&j.window, j.kernels->lanes, pick);
    npc_team team = npc_make_team(options, 2.0 * (double)j.planes * elements);
    const int64_t scratch = j.stream ? PLANE_BYTES : STAGE * (int64_t)sizeof(double);
    const npc_status done = npc_parallel_for(&team, npc_ceil_div(j.planes, j.planes_a_piece),
                                             (size_t)scratch, add_planes, &j);
    npc_simple_info(info, "col2im", j.kernels, &team);
    return done;
}
