/* Moving elements to flat positions of a plane, and back: max-unpooling and its gradient. */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"

enum { PIECE_ELEMENTS = 32768 };

typedef struct job {
    const npc_pool_geometry *g;
    const npc_array *pooled, *plane; /* of the indices' shape, and of what they point into */
    const int64_t *indices;
    npc_dtype dtype;
    const npc_kernels *kernels;
    int64_t size, outputs, pixels, planes_a_piece;
    int add, back;
} job;

static npc_status move_plane(const job *j, int64_t p)
{
    const npc_pool_geometry *g = j->g;
    const int64_t n = p / g->channels, c = p % g->channels;
    const int64_t *pooled = j->pooled->stride, *plane = j->plane->stride;
    char *here = j->pooled->data + n * pooled[0] + c * pooled[1];
    char *there = j->plane->data + n * plane[0] + c * plane[1];
    const int64_t *index = j->indices + p * j->outputs;
    if (!j->back) npc_zero_plane(j->plane, there, g->input[0], g->input[1], g->input[2], j->size);
    for (int64_t d = 0; d < g->output[0]; d++)
        for (int64_t h = 0; h < g->output[1]; h++) {
            char *row = here + d * pooled[2] + h * pooled[3];
            for (int64_t w = 0; w < g->output[2]; w++, index++) {
                /* Looked at once, for another thread of the caller's may write to it meanwhile. */
                const int64_t at = *(const volatile int64_t *)index;
                if ((uint64_t)at >= (uint64_t)j->pixels) return NPC_BAD_INDEX;
                char *pixel = there + at % g->input[2] * plane[4] +
                              at / g->input[2] % g->input[1] * plane[3] +
                              at / g->input[2] / g->input[1] * plane[2];
                char *element = row + w * pooled[4];
                if (j->back) {
                    npc_store(element, j->dtype,
                              npc_load(pixel, j->plane->dtype, j->plane->swapped));
                    continue;
                }
                const double v = npc_load(element, j->pooled->dtype, j->pooled->swapped);
                if (!j->add)
                    npc_store(pixel, j->dtype, v);
                else if (j->size == 4)
                    *(float *)pixel += (float)v;
                else
                    *(double *)pixel += v;
            }
        }
    return NPC_OK;
}

static npc_status move_planes(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t planes = j->g->batch * j->g->channels;
    const int64_t end = npc_min((piece + 1) * j->planes_a_piece, planes);
    for (int64_t p = piece * j->planes_a_piece; p < end; p++) {
        const npc_status status = move_plane(j, p);
        if (status != NPC_OK) return status;
    }
    return NPC_OK;
}

static npc_status run(job *j, const char *operation, const npc_options *options,
                      npc_plan_info *info)
{
    const npc_pool_geometry *g = j->g;
    const npc_status status = npc_simple_kernels(options, j->dtype, &j->kernels);
    if (status != NPC_OK) return status;
    if (g->batch < 0 || g->channels < 0) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < NPC_SPATIAL; i++)
        if (g->input[i] < 0 || g->output[i] < 0) return NPC_INVALID_GEOMETRY;
    j->size = (int64_t)npc_dtype_size(j->dtype);
    j->outputs = npc_volume(g->output);
    j->pixels = npc_volume(g->input);
    const int64_t planes = g->batch * g->channels;
    const double work = (double)(j->outputs + j->pixels);
    j->planes_a_piece = npc_max((int64_t)(PIECE_ELEMENTS / npc_max((int64_t)work, 1)), 1);
    npc_team team = npc_make_team(options, 8.0 * work * (double)planes);
    const npc_status done =
        npc_parallel_for(&team, npc_ceil_div(planes, j->planes_a_piece), 0, move_planes, j);
    npc_simple_info(info, operation, j->kernels, &team);
    return done;
}

npc_status npc_max_unpool(const npc_pool_geometry *g, const npc_array *y, const int64_t *indices,
                          int add, const npc_array *x, npc_dtype dtype, const npc_options *options,
                          npc_plan_info *info)
{
    job j = {.g = g, .pooled = y, .plane = x, .indices = indices, .add = add, .dtype = dtype};
    return run(&j, "max_unpool", options, info);
}

npc_status npc_max_unpool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                   const int64_t *indices, const npc_array *dy, npc_dtype dtype,
                                   const npc_options *options, npc_plan_info *info)
{
    job j = {.g = g, .pooled = dy, .plane = grad, .indices = indices, .back = 1, .dtype = dtype};
    return run(&j, "max_unpool_backward", options, info);
}
