/* Operations along the channels of each pixel: local response normalisation and softmax. Tiles of
 * all channels by some pixels are staged, so that lanes are pixels in every memory layout. */
#include <string.h>

#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../include/npc_network.h"
#include "../plan/simple_plan.h"
#include "softmax_rows.h"
#include "tile.h"

enum {
    TILE_BYTES = 256 * 1024, /* of a stage */
    MOST_PIXELS = 512,
    STAGES = 4,
    LANES = 16,    /* the most that a vector has */
    LONG_ROW = 32, /* channels of a pixel by itself that are worth a loop along them */
};

typedef struct job {
    const npc_channel_arrays *arrays;
    const npc_kernels *kernels;
    npc_pixels x, grad, to;
    int64_t size, total, pixels; /* bytes of an element; pixels in all, of a tile */
    npc_response_norm_args response;
    npc_softmax_args softmax;
    int is_softmax;
} job;

static npc_status each_tile(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t channels = j->arrays->channels, begin = piece * j->pixels;
    const int64_t count = npc_min(j->pixels, j->total - begin);
    char *cursor = scratch, *stage[STAGES];
    for (int i = 0; i < STAGES; i++)
        stage[i] = npc_scratch_take(&cursor, (size_t)(channels * j->pixels * j->size));
    /* Lanes behind the last pixel are computed too: with numbers, not with what was there. */
    const int64_t lanes = (int64_t)npc_round_up((size_t)count, LANES);
    for (int i = 0; i < 2; i++)
        for (int64_t c = 0; c < channels && lanes > count; c++)
            memset(stage[i] + (c * j->pixels + count) * j->size, 0,
                   (size_t)((lanes - count) * j->size));
    npc_tile_read(&j->x, 0, channels, begin, count, stage[0], j->pixels);
    if (j->arrays->grad.data)
        npc_tile_read(&j->grad, 0, channels, begin, count, stage[1], j->pixels);
    char *to = j->is_softmax && !j->arrays->grad.data ? stage[1] : stage[2];
    if (j->is_softmax) {
        npc_softmax_args args = j->softmax;
        args.count = count;
        args.from = stage[0];
        args.grad = j->arrays->grad.data ? stage[1] : NULL;
        args.to = to;
        npc_run_softmax(j->kernels, &args);
    } else {
        npc_response_norm_args args = j->response;
        args.count = count;
        args.from = stage[0];
        args.grad = j->arrays->grad.data ? stage[1] : NULL;
        args.to = args.power = to; /* a power is read before its result is written */
        args.mutual = stage[3];
        npc_run_response_norm(j->kernels, &args);
    }
    npc_tile_write(&j->to, 0, channels, begin, count, to, j->pixels);
    return NPC_OK;
}

static npc_status run(job *j, const npc_channel_arrays *arrays, npc_dtype dtype, double flops,
                      const char *operation, const npc_options *options, npc_plan_info *info)
{
    npc_status status = npc_simple_kernels(options, dtype, &j->kernels);
    if (status != NPC_OK) return status;
    if (arrays->batch < 0 || arrays->channels < 0) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < NPC_SPATIAL; i++)
        if (arrays->extent[i] < 0) return NPC_INVALID_GEOMETRY;
    j->arrays = arrays;
    j->size = (int64_t)npc_dtype_size(dtype);
    j->total = arrays->channels ? arrays->batch * npc_volume(arrays->extent) : 0;
    j->x = npc_pixels_of(&arrays->x, arrays->extent, dtype);
    if (arrays->grad.data) j->grad = npc_pixels_of(&arrays->grad, arrays->extent, dtype);
    j->to = npc_pixels_of(&arrays->to, arrays->extent, dtype);
    const int64_t fit = TILE_BYTES / (npc_max(arrays->channels, 1) * j->size);
    j->pixels = npc_max(npc_min(fit, MOST_PIXELS) / LANES * LANES, LANES);
    j->response.pitch = j->softmax.pitch = j->pixels;
    j->response.channels = j->softmax.channels = arrays->channels;
    const size_t scratch =
        STAGES * npc_round_up((size_t)(arrays->channels * j->pixels * j->size), 64);
    if (scratch > NPC_SCRATCH_LIMIT) return NPC_NO_MEMORY;
    npc_team team = npc_make_team(options, flops * (double)j->total * (double)arrays->channels);
    status = npc_parallel_for(&team, npc_ceil_div(j->total, j->pixels), scratch, each_tile, j);
    npc_simple_info(info, operation, j->kernels, &team);
    return status;
}

npc_status npc_response_norm(const npc_channel_arrays *arrays, int64_t size, double alpha,
                             double beta, double k, npc_dtype dtype, const npc_options *options,
                             npc_plan_info *info)
{
    if (size < 1) return NPC_INVALID_GEOMETRY;
    job j = {.response = {.before = size / 2,
                          .after = (size - 1) / 2,
                          .alpha = alpha / (double)size,
                          .beta = beta,
                          .k = k}};
    const double window = (double)npc_min(size, npc_max(arrays->channels, 1));
    return run(&j, arrays, dtype, 16 + 2 * window,
               arrays->grad.data ? "local_response_norm_backward" : "local_response_norm", options,
               info);
}

npc_status npc_softmax(const npc_channel_arrays *arrays, int logarithm, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info)
{
    if (npc_volume(arrays->extent) == 1 && arrays->channels >= LONG_ROW)
        return npc_softmax_of_rows(arrays, logarithm, dtype, options, info);
    job j = {.softmax = {.logarithm = logarithm}, .is_softmax = 1};
    return run(&j, arrays, dtype, 32, arrays->grad.data ? "softmax_backward" : "softmax", options,
               info);
}
