#include "../core/parallel.h"
#include "finish.h"
#include "panel.h"

enum { PIECE_PIXELS = 16384, RUN_PIXELS = 256 };

typedef struct job {
    npc_finish finish;
    const npc_array *x;
    const int64_t *extent;
    const char *bias;
    int64_t batch, channels, pixels;
    int64_t rows, row_parts; /* channels of a piece, and pieces of all channels */
    int64_t pixel_parts;     /* pieces of a plane */
    int flat;                /* a plane's pixels follow each other */
} job;

/* One row of pixels at a time, for arrays whose pixels do not follow each other. */
static void finish_scattered(const job *j, npc_finish_part part, char *at, char *scratch)
{
    const npc_array *x = j->x;
    const npc_dtype dtype = j->finish.kernels->dtype;
    const int64_t *extent = j->extent, first = part.pixel, end = first + part.count;
    for (; part.pixel < end; part.pixel += part.count) {
        const int64_t w = part.pixel % extent[2], line = part.pixel / extent[2];
        char *run = at + line / extent[1] * x->stride[2] + line % extent[1] * x->stride[3] +
                    w * x->stride[4];
        part.count = npc_min(npc_min(extent[2] - w, end - part.pixel), RUN_PIXELS);
        part.from = part.to = scratch;
        npc_read_run(x, run, x->stride[4], part.count, dtype, scratch);
        npc_finish_rows(&j->finish, &part);
        npc_write_run(scratch, dtype, run, x->stride[4], part.count);
    }
}

static npc_status finish_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_array *x = j->x;
    const int64_t size = (int64_t)npc_dtype_size(j->finish.kernels->dtype);
    const int64_t stretch = piece % j->pixel_parts, block = piece / j->pixel_parts;
    const int64_t image = block / j->row_parts, channel = block % j->row_parts * j->rows;
    const int64_t begin = npc_split(j->pixels, j->pixel_parts, stretch);
    const int64_t end = npc_split(j->pixels, j->pixel_parts, stretch + 1);
    npc_finish_part part = {.image = image,
                            .channel = channel,
                            .pixel = begin,
                            .rows = npc_min(j->rows, j->channels - channel),
                            .count = end - begin,
                            .bias = j->bias ? j->bias + channel * size : NULL};
    char *plane = x->data + image * x->stride[0] + channel * x->stride[1];

    if (j->flat) {
        part.from = part.to = plane + begin * size;
        part.from_stride_bytes = part.to_stride_bytes = x->stride[1];
        npc_finish_rows(&j->finish, &part);
        return NPC_OK;
    }
    const npc_finish_part all = part;
    for (int64_t i = 0; i < all.rows; i++, plane += x->stride[1]) {
        part = npc_finish_part_rows(&all, i, 1, j->finish.kernels->dtype);
        finish_scattered(j, part, plane, scratch);
    }
    return NPC_OK;
}

npc_status npc_finish_input(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_conv_arrays *arrays = problem->arrays;
    job j = {.finish = npc_finish_of(problem),
             .x = &arrays->x,
             .extent = g->input,
             .bias = arrays->bias,
             .batch = g->batch,
             .channels = g->in_channels,
             .pixels = npc_volume(g->input)};
    if (!j.finish.needed && !j.bias) return NPC_OK;
    if (j.batch * j.channels * j.pixels == 0) return NPC_OK;
    j.flat = npc_extents_follow(&arrays->x, g->input, (int64_t)npc_dtype_size(problem->dtype));
    j.rows = npc_min(j.channels, npc_max(1, PIECE_PIXELS / j.pixels));
    j.row_parts = npc_ceil_div(j.channels, j.rows);
    j.pixel_parts = npc_ceil_div(j.pixels, PIECE_PIXELS);
    return npc_parallel_for(problem->team, j.batch * j.row_parts * j.pixel_parts,
                            j.flat ? 0 : RUN_PIXELS * sizeof(double), finish_piece, &j);
}
