/* Moving elements to flat positions of a plane, and back: max-unpooling and its gradient. */
#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "scatter.h"

enum { PIECE_ELEMENTS = 32768 };

typedef struct job {
    const npc_pool_geometry *g;
    const npc_array *from, *to; /* a plane of `from`, at the indices, gives one of `to` */
    const int64_t *indices;
    npc_dtype dtype;
    int64_t size, outputs, pixels, planes_a_piece;
} job;

static npc_status gather_plane(const job *j, int64_t p)
{
    const npc_pool_geometry *g = j->g;
    const int64_t n = p / g->channels, c = p % g->channels;
    const int64_t *to = j->to->stride, *from = j->from->stride;
    char *here = j->to->data + n * to[0] + c * to[1];
    const char *there = j->from->data + n * from[0] + c * from[1];
    const int64_t *index = j->indices + p * j->outputs;
    for (int64_t d = 0; d < g->output[0]; d++)
        for (int64_t h = 0; h < g->output[1]; h++) {
            char *row = here + d * to[2] + h * to[3];
            for (int64_t w = 0; w < g->output[2]; w++, index++) {
                /* Looked at once, for another thread of the caller's may write to it meanwhile. */
                const int64_t at = *(const volatile int64_t *)index;
                if ((uint64_t)at >= (uint64_t)j->pixels) return NPC_BAD_INDEX;
                const char *pixel = there + at % g->input[2] * from[4] +
                                    at / g->input[2] % g->input[1] * from[3] +
                                    at / g->input[2] / g->input[1] * from[2];
                npc_store(row + w * to[4], j->dtype,
                          npc_load(pixel, j->from->dtype, j->from->swapped));
            }
        }
    return NPC_OK;
}

static npc_status gather_planes(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t planes = j->g->batch * j->g->channels;
    const int64_t end = npc_min((piece + 1) * j->planes_a_piece, planes);
    for (int64_t p = piece * j->planes_a_piece; p < end; p++) {
        const npc_status status = gather_plane(j, p);
        if (status != NPC_OK) return status;
    }
    return NPC_OK;
}

static npc_status check(const npc_pool_geometry *g)
{
    if (g->batch < 0 || g->channels < 0) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < NPC_SPATIAL; i++)
        if (g->input[i] < 0 || g->output[i] < 0) return NPC_INVALID_GEOMETRY;
    return NPC_OK;
}

static npc_team make_team(const npc_pool_geometry *g, const npc_options *options)
{
    const double work = (double)(npc_volume(g->output) + npc_volume(g->input));
    return npc_make_team(options, 8.0 * work * (double)g->batch * (double)g->channels);
}

npc_status npc_max_unpool(const npc_pool_geometry *g, const npc_array *y, const int64_t *indices,
                          int add, const npc_array *x, npc_dtype dtype, const npc_options *options,
                          npc_plan_info *info)
{
    npc_scatter s = {.from = y,
                     .to = x,
                     .dtype = dtype,
                     .planes = g->batch * g->channels,
                     .channels = g->channels,
                     .size = (int64_t)npc_dtype_size(dtype),
                     .source = {g->output[0], g->output[1], g->output[2]},
                     .target = {g->input[0], g->input[1], g->input[2]},
                     .add = add,
                     .index = indices};
    npc_status status = npc_simple_kernels(options, dtype, &s.kernels);
    if (status == NPC_OK) status = check(g);
    if (status != NPC_OK) return status;
    npc_team team = make_team(g, options);
    npc_scatter_plan(&s);
    status = npc_parallel_for(&team, npc_scatter_pieces(&s), npc_scatter_scratch(&s),
                              npc_scatter_piece, &s);
    npc_simple_info(info, "max_unpool", s.kernels, &team);
    return status;
}

npc_status npc_max_unpool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                   const int64_t *indices, const npc_array *dy, npc_dtype dtype,
                                   const npc_options *options, npc_plan_info *info)
{
    job j = {.g = g,
             .from = grad,
             .to = dy,
             .indices = indices,
             .dtype = dtype,
             .size = (int64_t)npc_dtype_size(dtype),
             .outputs = npc_volume(g->output),
             .pixels = npc_volume(g->input)};
    const npc_kernels *kernels;
    npc_status status = npc_simple_kernels(options, dtype, &kernels);
    if (status == NPC_OK) status = check(g);
    if (status != NPC_OK) return status;
    j.planes_a_piece = npc_max((int64_t)PIECE_ELEMENTS / npc_max(j.outputs + j.pixels, 1), 1);
    npc_team team = make_team(g, options);
    status = npc_parallel_for(&team, npc_ceil_div(g->batch * g->channels, j.planes_a_piece), 0,
                              gather_planes, &j);
    npc_simple_info(info, "max_unpool_backward", kernels, &team);
    return status;
}
