/* Maxima of windows that stand at no even steps: adaptive ones, and those that start where the
 * caller says. Element by element, in the order of the plane. */
#include "max_windows.h"

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "reach.h"

enum { PIECE_TAPS = 65536 };

typedef struct job {
    const npc_pool_geometry *g;
    const npc_array *x, *y;
    int64_t *indices;
    npc_dtype dtype;
    npc_reach_axis axis[NPC_SPATIAL];
    int64_t planes_a_piece, outputs;
} job;

/* The window of output `at` along axis i, in the input. */
static npc_reach window_of(const job *j, int64_t plane, int i, int64_t at)
{
    const npc_pool_geometry *g = j->g;
    if (!g->starts) return npc_reach_of(&j->axis[i], at);
    int64_t before = plane * (g->output[0] + g->output[1] + g->output[2]);
    for (int k = 0; k < i; k++) before += g->output[k];
    const int64_t start = npc_min(npc_max(g->starts[before + at], 0), g->input[i] - 1);
    return (npc_reach){start, npc_min(g->kernel[i], g->input[i] - start)};
}

/* Positions of one dtype are loaded without a function call. */
NPC_INLINE double load(const npc_array *x, const char *at, const npc_dtype plain)
{
    if (plain == NPC_F32) return *(const float *)at;
    if (plain == NPC_F64) return *(const double *)at;
    return npc_load(at, x->dtype, x->swapped);
}

NPC_INLINE void pool_one(const job *j, const char *from, const npc_reach *window, double *value,
                         int64_t *winner, const npc_dtype plain)
{
    const npc_array *x = j->x;
    const int64_t height = j->g->input[1], width = j->g->input[2];
    const int smallest = j->g->smallest;
    double best = 0;
    int64_t at = -1;
    for (int64_t z = window[0].first; z < window[0].first + window[0].count; z++)
        for (int64_t r = window[1].first; r < window[1].first + window[1].count; r++) {
            const char *row = from + z * x->stride[2] + r * x->stride[3];
            for (int64_t s = window[2].first; s < window[2].first + window[2].count; s++) {
                const double v = load(x, row + s * x->stride[4], plain);
                if (at < 0 || (smallest ? v < best : v > best) || (v != v && best == best)) {
                    best = v;
                    at = (z * height + r) * width + s;
                }
            }
        }
    *value = best;
    *winner = at;
}

static void pool_plane(const job *j, int64_t plane)
{
    const npc_pool_geometry *g = j->g;
    const npc_array *x = j->x, *y = j->y;
    const int64_t n = plane / g->channels, c = plane % g->channels;
    const char *from = x->data + n * x->stride[0] + c * x->stride[1];
    char *to = y->data + n * y->stride[0] + c * y->stride[1];
    int64_t at = plane * j->outputs;
    npc_reach window[NPC_SPATIAL];
    for (int64_t d = 0; d < g->output[0]; d++) {
        window[0] = window_of(j, plane, 0, d);
        for (int64_t h = 0; h < g->output[1]; h++) {
            window[1] = window_of(j, plane, 1, h);
            for (int64_t w = 0; w < g->output[2]; w++, at++) {
                double best;
                int64_t winner;
                window[2] = window_of(j, plane, 2, w);
                if (npc_is_plain(x, NPC_F32))
                    pool_one(j, from, window, &best, &winner, NPC_F32);
                else if (npc_is_plain(x, NPC_F64))
                    pool_one(j, from, window, &best, &winner, NPC_F64);
                else
                    pool_one(j, from, window, &best, &winner, NPC_DTYPE_COUNT);
                npc_store(to + d * y->stride[2] + h * y->stride[3] + w * y->stride[4], j->dtype,
                          best);
                if (j->indices) j->indices[at] = winner;
            }
        }
    }
}

static npc_status pool_planes(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t planes = j->g->batch * j->g->channels;
    const int64_t end = npc_min((piece + 1) * j->planes_a_piece, planes);
    for (int64_t plane = piece * j->planes_a_piece; plane < end; plane++) pool_plane(j, plane);
    return NPC_OK;
}

npc_status npc_max_windows(const npc_pool_geometry *g, const npc_array *x, const npc_array *y,
                           int64_t *indices, npc_dtype dtype, const npc_options *options,
                           npc_plan_info *info)
{
    job j = {.g = g, .x = x, .y = y, .indices = indices, .dtype = dtype};
    const npc_kernels *kernels;
    const npc_status status = npc_simple_kernels(options, dtype, &kernels);
    if (status != NPC_OK) return status;
    const int64_t planes = g->batch * g->channels;
    double taps = 1;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        if (g->output[i] < 1 || (planes > 0 && g->input[i] < 1) || g->batch < 0 || g->channels < 0)
            return NPC_INVALID_GEOMETRY;
        if (!g->starts) npc_reach_set(&j.axis[i], g, i, 0);
        taps *= (double)npc_max(g->input[i], g->output[i]);
    }
    j.outputs = npc_volume(g->output);
    j.planes_a_piece = npc_max((int64_t)(PIECE_TAPS / taps), 1);
    npc_team team = npc_make_team(options, 8.0 * taps * (double)planes);
    const npc_status done =
        npc_parallel_for(&team, npc_ceil_div(planes, j.planes_a_piece), 0, pool_planes, &j);
    npc_simple_info(info, "max_pool", kernels, &team);
    return done;
}
