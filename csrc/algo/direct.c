/* direct: implicit matrix products on UK1, nothing stored but a panel.
 *
 * Forward: the weights as they are times panels of x. Input gradient: at stride s, input pixels
 * fall into phases by their remainder modulo s; within a phase the taps that reach a pixel are the
 * same, so each phase is a stride-1 convolution of the output's gradient with a part of the
 * flipped, transposed kernel, stored s pixels apart. Nothing is scattered or multiplied with
 * inserted zeros.
 */
#include <stdlib.h>

#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"
#include "gemm_features.h"
#include "implicit_gemm.h"
#include "phase.h"
#include "weight_grad.h"

static npc_status forward(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    npc_window_forward(&window, g, &problem->arrays->x, problem->dtype);
    const npc_implicit_gemm gemm = npc_forward_gemm(problem, &window);
    return npc_implicit_gemm_run(&gemm, problem->team);
}

static npc_status run_phase(npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL],
                            const char *weight)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x;
    npc_window window = {.source = &problem->arrays->y,
                         .dtype = problem->dtype,
                         .axis = {f[0].axis, f[1].axis, f[2].axis}};
    npc_window_finish(&window);

    npc_implicit_gemm gemm = {.kernels = problem->kernels,
                              .window = &window,
                              .batch = g->batch,
                              .groups = g->groups,
                              .channels = npc_group_out(g),
                              .rows = npc_group_in(g),
                              .weight = weight,
                              .target = *x};
    if (problem->finished) {
        gemm.bias = problem->arrays->bias;
        gemm.finish = npc_finish_of(problem);
    }
    for (int i = 0; i < NPC_SPATIAL; i++) {
        gemm.target.data += f[i].pixel0 * x->stride[2 + i];
        if (f[i].axis.pixels > 1) gemm.target.stride[2 + i] = x->stride[2 + i] * g->stride[i];
    }
    return npc_implicit_gemm_run(&gemm, problem->team);
}

typedef struct zero_job {
    const npc_conv_geometry *geometry;
    const npc_array *x;
    int64_t size;
} zero_job;

static npc_status zero_plane(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const zero_job *j = context;
    const npc_conv_geometry *g = j->geometry;
    const npc_array *x = j->x;
    npc_zero_plane(
        x, x->data + piece / g->in_channels * x->stride[0] + piece % g->in_channels * x->stride[1],
        g->input[0], g->input[1], g->input[2], j->size);
    return NPC_OK;
}

static npc_status run_phases(npc_conv_problem *problem, const npc_phases *phases, char *weight)
{
    const int64_t *count = phases->count;
    npc_status status = NPC_OK;
    for (int64_t i = 0; i < count[0] * count[1] * count[2] && status == NPC_OK; i++) {
        const int64_t index[] = {i / count[2] / count[1], i / count[2] % count[1], i % count[2]};
        const npc_phase f[] = {phases->axis[0][index[0]], phases->axis[1][index[1]],
                               phases->axis[2][index[2]]};
        status = run_phase(problem, f, npc_phases_weight(phases, problem, weight, index));
    }
    return status;
}

static npc_status input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    npc_phases phases;
    npc_status status = npc_phases_find(&phases, g);
    if (status != NPC_OK) return status;

    /* An addend is found by its pixel's number, which is another one within a phase. */
    problem->finished =
        phases.complete && (npc_count(g->stride) == 1 || !problem->arrays->add.data);
    if (!phases.complete) {
        zero_job job = {g, &problem->arrays->x, size};
        status = npc_parallel_for(problem->team, g->batch * g->in_channels, 0, zero_plane, &job);
    }
    const int64_t taps = phases.taps[0] * phases.taps[1] * phases.taps[2];
    char *weight = npc_shared_workspace(problem, g->in_channels * npc_group_out(g) * taps * size);
    if (!weight) status = NPC_NO_MEMORY;
    if (status == NPC_OK) status = npc_phases_transpose_weight(&phases, problem, weight);
    if (status == NPC_OK) status = run_phases(problem, &phases, weight);
    free(weight);
    npc_phases_free(&phases);
    return status;
}

static npc_status run(npc_conv_problem *problem)
{
    switch (problem->operation) {
    case NPC_FORWARD:
        return forward(problem);
    case NPC_INPUT_GRAD:
        return input_grad(problem);
    default:
        return npc_weight_grad(problem);
    }
}

static const char *declines(const npc_conv_problem *problem)
{
    (void)problem;
    return NULL;
}

const npc_conv_algorithm npc_conv_direct = {
    "direct", declines, run,          npc_direct_features,
    NULL,     NULL,     {3, 3, 1.05}, {0, 0, NPC_WEIGHT_GRAD_ONCE}};
