/* Batch normalisation, forward and backward: sums over each channel, then a pass that uses them.
 *
 * A channel's values are summed in segments, which depend on the shape alone: stretches of an
 * image's plane or, where planes are small, of all its planes one after the other. Parts are some
 * segments in order; a channel's parts are added in order. So bits depend neither on threads nor on
 * memory layouts. Channels that fit into L2 are summed and used at once. */
#include <math.h>
#include <stdlib.h>

#include "../core/parallel.h"
#include "../core/scratch.h"
#include "../include/npc_network.h"
#include "../plan/simple_plan.h"
#include "tile.h"

enum {
    SHORT_PLANE = 64,  /* pixels: smaller planes are joined to be summed */
    TINY_PLANE = 4,    /* likewise to be used only, where the order of sums is no matter */
    JOINED = 1024,     /* elements of a segment of joined planes */
    SEGMENT = 4096,    /* likewise of a large plane */
    PART = 64 * 1024,  /* elements of a part, at least */
    CHANNELS = 16,     /* taken at once where a pixel's channels follow each other */
    PIECE = 16 * 1024, /* elements of a thread's piece, where it is whole channels */
    FUSED_BYTES = 1 << 20,
    FLOPS_AN_ELEMENT = 40 /* what takes as long as to read and write one */
};

typedef struct job {
    const npc_norm_arrays *arrays;
    const npc_kernels *kernels;
    npc_pixels x, grad, to;
    int64_t size, total;       /* bytes of an element; elements of a channel */
    int64_t segments, a_plane; /* in all, and of a plane; 0: planes are joined */
    int64_t parts, part_segments;
    int64_t block, blocks; /* channels taken at once, and such blocks */
    int64_t piece_blocks;  /* of a thread's piece */
    double *sums;          /* [channel][part][2] */
    int needs_sums;
} job;

static void find_segment(const job *j, int64_t segment, int64_t *begin, int64_t *count)
{
    if (j->a_plane == 0) {
        *begin = segment * JOINED;
        *count = npc_min(JOINED, j->total - *begin);
        return;
    }
    const int64_t at = segment % j->a_plane * SEGMENT;
    *begin = segment / j->a_plane * j->x.pixels + at;
    *count = npc_min(SEGMENT, j->x.pixels - at);
}

/* A segment of a block of channels: where it lies if it can be used there, else a copy. `pitch` is
 * in bytes. */
static const char *fetch(const job *j, const npc_pixels *p, int64_t channel, int64_t channels,
                         int64_t begin, int64_t count, char *stage, int64_t *pitch)
{
    if (p->flat && (j->a_plane > 0 || j->arrays->batch == 1)) {
        *pitch = p->array->stride[1];
        return npc_pixel_at(p, channel, begin);
    }
    npc_tile_read(p, channel, channels, begin, count, stage, SEGMENT);
    *pitch = SEGMENT * j->size;
    return stage;
}

static double shift_of(const job *j, int64_t channel)
{
    const npc_norm_arrays *a = j->arrays;
    if (a->grad.data) return a->mean[channel];
    const double first = npc_load(a->x.data + channel * a->x.stride[1], a->x.dtype, a->x.swapped);
    return isfinite(first) ? first : 0;
}

static void sum_part(const job *j, int64_t block, int64_t part, char *scratch)
{
    const int64_t channel = block * j->block;
    const int64_t channels = npc_min(j->block, j->arrays->channels - channel);
    npc_moments_args args[CHANNELS];
    char *stage = npc_scratch_take(&scratch, (size_t)(j->block * SEGMENT * j->size));
    for (int64_t c = 0; c < channels; c++)
        args[c] = (npc_moments_args){.shift = shift_of(j, channel + c)};
    const int64_t last = npc_min((part + 1) * j->part_segments, j->segments);
    for (int64_t s = part * j->part_segments; s < last; s++) {
        int64_t begin, count, pitch, grad_pitch = 0;
        find_segment(j, s, &begin, &count);
        const char *x = fetch(j, &j->x, channel, channels, begin, count, stage, &pitch);
        const char *grad = NULL;
        if (j->arrays->grad.data)
            grad = fetch(j, &j->grad, channel, channels, begin, count, scratch, &grad_pitch);
        for (int64_t c = 0; c < channels; c++) {
            args[c].from = x + c * pitch;
            args[c].grad = grad ? grad + c * grad_pitch : NULL;
            args[c].count = count;
            npc_run_moments(j->kernels, &args[c]);
        }
    }
    for (int64_t c = 0; c < channels; c++)
        for (int i = 0; i < 2; i++)
            j->sums[((channel + c) * j->parts + part) * 2 + i] = args[c].total[i];
}

/* Adds up a channel's parts and turns them into what is wanted. */
static void finish_channel(const job *j, int64_t channel)
{
    const npc_norm_arrays *a = j->arrays;
    const double count = (double)j->total;
    double total[2] = {0, 0};
    for (int64_t part = 0; part < j->parts; part++)
        for (int i = 0; i < 2; i++) total[i] += j->sums[(channel * j->parts + part) * 2 + i];
    if (a->grad.data) {
        a->sums[2 * channel] = total[0];
        a->sums[2 * channel + 1] = total[1];
        return;
    }
    const double variance = (total[1] - total[0] * (total[0] / count)) / count;
    a->mean[channel] = shift_of(j, channel) + total[0] / count;
    a->variance[channel] = variance < 0 ? 0 : variance;
}

static npc_affine_args coefficients(const job *j, int64_t channel)
{
    const npc_norm_arrays *a = j->arrays;
    const double weight = a->weight ? a->weight[channel] : 1;
    npc_affine_args args = {.mean = a->mean[channel]};
    if (!a->grad.data) {
        args.scale = weight / sqrt(a->variance[channel] + a->eps);
        args.shift = a->bias ? a->bias[channel] : 0;
        return args;
    }
    const double inverse = a->inverse[channel];
    args.scale = weight * inverse;
    if (a->training) {
        const double share = args.scale / (double)j->total;
        args.shift = -share * a->sums[2 * channel];
        args.slope = -share * inverse * inverse * a->sums[2 * channel + 1];
    }
    return args;
}

/* In place, on a segment that is in L1 still. */
static void activate(const job *j, void *to, int64_t count)
{
    const npc_finish_args args = {.rows = 1,
                                  .count = count,
                                  .from = to,
                                  .to = to,
                                  .activation = j->arrays->activation,
                                  .slope = j->arrays->slope};
    npc_run_finish(j->kernels, &args);
}

static void apply_part(const job *j, int64_t block, int64_t part, char *scratch)
{
    const int64_t channel = block * j->block;
    const int64_t channels = npc_min(j->block, j->arrays->channels - channel);
    const int backward = j->arrays->grad.data != NULL;
    const size_t stage_bytes = (size_t)(j->block * SEGMENT * j->size);
    npc_affine_args args[CHANNELS];
    char *stage = npc_scratch_take(&scratch, stage_bytes);
    char *grad_stage = npc_scratch_take(&scratch, stage_bytes);
    for (int64_t c = 0; c < channels; c++) args[c] = coefficients(j, channel + c);
    const int64_t last = npc_min((part + 1) * j->part_segments, j->segments);
    for (int64_t s = part * j->part_segments; s < last; s++) {
        int64_t begin, count, pitch = 0, grad_pitch = 0, to_pitch = SEGMENT * j->size;
        char *to = scratch;
        const char *x = NULL, *grad = NULL;
        find_segment(j, s, &begin, &count);
        const int direct = j->to.flat && (j->a_plane > 0 || j->arrays->batch == 1);
        if (direct) {
            to = npc_pixel_at(&j->to, channel, begin);
            to_pitch = j->to.array->stride[1];
        }
        if (backward)
            grad = fetch(j, &j->grad, channel, channels, begin, count, grad_stage, &grad_pitch);
        /* With fixed statistics x plays no part, and its infinities must not. */
        const int uses_x = !backward || j->arrays->training;
        if (uses_x) x = fetch(j, &j->x, channel, channels, begin, count, stage, &pitch);
        for (int64_t c = 0; c < channels; c++) {
            args[c].from = uses_x ? x + c * pitch : grad + c * grad_pitch;
            args[c].grad = backward && uses_x ? grad + c * grad_pitch : NULL;
            if (!uses_x) args[c].mean = 0;
            args[c].to = to + c * to_pitch;
            args[c].count = count;
            npc_run_affine(j->kernels, &args[c]);
            if (j->arrays->activation != NPC_NO_ACTIVATION) activate(j, args[c].to, count);
        }
        if (!direct) npc_tile_write(&j->to, channel, channels, begin, count, to, SEGMENT);
    }
}

static void whole_block(const job *j, int64_t block, void *scratch)
{
    const int64_t end = npc_min((block + 1) * j->block, j->arrays->channels);
    if (j->needs_sums) {
        for (int64_t part = 0; part < j->parts; part++) sum_part(j, block, part, scratch);
        for (int64_t c = block * j->block; c < end; c++) finish_channel(j, c);
    }
    for (int64_t part = 0; j->arrays->to.data && part < j->parts; part++)
        apply_part(j, block, part, scratch);
}

static npc_status whole_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t last = npc_min((piece + 1) * j->piece_blocks, j->blocks);
    for (int64_t block = piece * j->piece_blocks; block < last; block++)
        whole_block(j, block, scratch);
    return NPC_OK;
}

static npc_status sum_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    sum_part(j, piece / j->parts, piece % j->parts, scratch);
    return NPC_OK;
}

static npc_status apply_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    apply_part(j, piece / j->parts, piece % j->parts, scratch);
    return NPC_OK;
}

static void plan(job *j)
{
    const npc_norm_arrays *a = j->arrays;
    const int64_t pixels = npc_volume(a->extent);
    j->total = a->batch * pixels;
    if (pixels < (j->needs_sums ? SHORT_PLANE : TINY_PLANE)) {
        j->segments = npc_ceil_div(j->total, JOINED);
        j->part_segments = PART / JOINED;
    } else {
        j->a_plane = npc_ceil_div(pixels, SEGMENT);
        j->segments = a->batch * j->a_plane;
        j->part_segments = npc_ceil_div(PART, npc_min(pixels, SEGMENT));
    }
    j->parts = npc_ceil_div(j->segments, j->part_segments);
    j->block = j->x.channels_last ? CHANNELS : 1;
    j->blocks = npc_ceil_div(a->channels, j->block);
    j->piece_blocks = npc_ceil_div(PIECE, j->total * j->block);
}

static npc_status run(job *j, npc_team *team)
{
    const npc_norm_arrays *a = j->arrays;
    const size_t scratch = 3 * npc_round_up((size_t)(j->block * SEGMENT * j->size), 64);
    const int64_t operands = a->grad.data ? 2 : 1;
    if (j->total * j->block * j->size * operands <= FUSED_BYTES)
        return npc_parallel_for(team, npc_ceil_div(j->blocks, j->piece_blocks), scratch,
                                whole_piece, j);
    if (j->needs_sums) {
        const npc_status status =
            npc_parallel_for(team, j->blocks * j->parts, scratch, sum_piece, j);
        if (status != NPC_OK) return status;
        for (int64_t c = 0; c < a->channels; c++) finish_channel(j, c);
    }
    if (!a->to.data) return NPC_OK;
    return npc_parallel_for(team, j->blocks * j->parts, scratch, apply_piece, j);
}

npc_status npc_batch_norm(const npc_norm_arrays *arrays, npc_dtype dtype,
                          const npc_options *options, npc_plan_info *info)
{
    job j = {.arrays = arrays, .size = (int64_t)npc_dtype_size(dtype)};
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->batch < 0 || arrays->channels < 0) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < NPC_SPATIAL; i++)
        if (arrays->extent[i] < 0) return NPC_INVALID_GEOMETRY;
    if (arrays->grad.data && arrays->training && arrays->to.data && !arrays->sums)
        return NPC_INVALID_GEOMETRY;
    j.needs_sums = arrays->grad.data ? arrays->sums != NULL : arrays->training;
    j.x = npc_pixels_of(&arrays->x, arrays->extent, dtype);
    if (arrays->grad.data) j.grad = npc_pixels_of(&arrays->grad, arrays->extent, dtype);
    if (arrays->to.data) j.to = npc_pixels_of(&arrays->to, arrays->extent, dtype);
    if (npc_volume(arrays->extent) > 0 && arrays->batch > 0) plan(&j);
    npc_team team =
        npc_make_team(options, FLOPS_AN_ELEMENT * (double)j.total * (double)arrays->channels);
    npc_status done = NPC_OK;
    if (j.total > 0 && arrays->channels > 0) {
        j.sums = malloc((size_t)(arrays->channels * j.parts) * 2 * sizeof *j.sums);
        done = j.sums ? run(&j, &team) : NPC_NO_MEMORY;
        free(j.sums);
    }
    npc_simple_info(info, arrays->grad.data ? "batch_norm_backward" : "batch_norm", j.kernels,
                    &team);
    return done;
}
