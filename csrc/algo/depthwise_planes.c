/* Depthwise convolution of narrow planes, several with each call of a kernel, for what surrounds a
 * plane's sums takes as long as these. */
#include "depthwise.h"

#include "../core/parallel.h"
#include "element.h"

#define PIECE_FLOPS 5e5
enum { PIECE_BYTES = 32 << 10 }; /* of the result at most: finished in cache */

typedef struct job {
    const npc_depthwise *d;
    int64_t size, run, runs; /* planes of a run, runs of an image */
} job;

int npc_depthwise_fits_planes(const npc_depthwise *d)
{
    const npc_window *w = d->window;
    const npc_axis *axis = w->axis;
    const int64_t size = (int64_t)npc_dtype_size(w->dtype);
    for (int i = 1; i < NPC_SPATIAL; i++)
        if (axis[i].taps != 3 || axis[i].spacing != 1 || axis[i].step != axis[2].step) return 0;
    return axis[0].taps == 1 && axis[0].pixels == 1 && npc_axis_holds(&axis[0], axis[0].first) &&
           axis[2].step <= 2 && axis[2].pixels <= NPC_DEPTHWISE_STRETCHES * d->kernels->lanes &&
           w->pixels * size <= PIECE_BYTES && d->sources == 1 && d->sharers == 1 &&
           npc_is_plain(w->source, w->dtype) && w->source->stride[4] == size &&
           d->target.stride[4] == size && !d->finish.add_is_y &&
           npc_run_all_finite(d->kernels, d->weight, d->channels * w->taps);
}

/* A piece is a run of planes of an image. */
static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const npc_depthwise *d = j->d;
    const npc_window *w = d->window;
    const npc_axis *axis = w->axis;
    const int64_t image = piece / j->runs, channel = piece % j->runs * j->run;
    const int64_t pixels = axis[1].pixels * axis[2].pixels;
    const npc_array *source = w->source, *target = &d->target;
    const npc_depthwise_planes_args args = {
        .step = axis[2].step,
        .planes = npc_min(j->run, d->channels - channel),
        .rows = axis[1].pixels,
        .columns = axis[2].pixels,
        .plane = source->data + image * source->stride[0] + channel * source->stride[1] +
                 axis[0].first * source->stride[2],
        .plane_stride_bytes = source->stride[1],
        .row_stride_bytes = source->stride[3],
        .height = axis[1].extent,
        .width = axis[2].extent,
        .first_row = axis[1].first,
        .first_column = axis[2].first,
        .weight = d->weight + channel * w->taps * j->size,
        .bias = d->bias ? d->bias + channel * j->size : NULL,
        .to = target->data + image * target->stride[0] + channel * target->stride[1],
        .to_plane_stride_bytes = target->stride[1],
        .to_stride_bytes = target->stride[3]};
    npc_run_depthwise_planes(d->kernels, &args);
    if (!d->finish.needed) return NPC_OK;
    const int flat = axis[1].pixels == 1 || target->stride[3] == axis[2].pixels * j->size;
    for (int64_t h = 0; h < (flat ? 1 : axis[1].pixels); h++) {
        char *row = (char *)args.to + h * target->stride[3];
        const npc_finish_part part = {.image = image,
                                      .channel = channel,
                                      .pixel = h * axis[2].pixels,
                                      .rows = args.planes,
                                      .count = flat ? pixels : axis[2].pixels,
                                      .from = row,
                                      .to = row,
                                      .from_stride_bytes = target->stride[1],
                                      .to_stride_bytes = target->stride[1]};
        npc_finish_rows(&d->finish, &part);
    }
    return NPC_OK;
}

npc_status npc_depthwise_run_planes(const npc_depthwise *d, npc_team *team)
{
    job j = {.d = d, .size = (int64_t)npc_dtype_size(d->window->dtype)};
    const int64_t pixels = d->window->pixels;
    const double flops = 2.0 * (double)pixels * (double)(d->window->taps + 8);
    const int64_t run = npc_min((int64_t)(PIECE_FLOPS / flops), PIECE_BYTES / (pixels * j.size));
    j.run = npc_min(npc_max(run, 1), d->channels);
    j.runs = npc_ceil_div(d->channels, j.run);
    return npc_parallel_for(team, d->batch * j.runs, 0, run_piece, &j);
}
