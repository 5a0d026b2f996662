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

typedef struct transpose_job {
    const npc_conv_geometry *geometry;
    const npc_phase *phase;
    int64_t size;
    const char *weight;
    char *to; /* (groups * in, out, phase taps) */
} transpose_job;

static npc_status transpose_weight(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const transpose_job *j = context;
    const npc_conv_geometry *g = j->geometry;
    const npc_phase *f = j->phase;
    const int64_t in = npc_group_in(g), out = npc_group_out(g);
    const int64_t group = piece / in, c = piece % in;
    const int64_t taps = f[0].axis.taps * f[1].axis.taps * f[2].axis.taps;
    char *to = j->to + piece * out * taps * j->size;

    for (int64_t k = 0; k < out; k++) {
        const char *plane =
            j->weight + ((group * out + k) * in + c) * npc_volume(g->kernel) * j->size;
        for (int64_t d = 0; d < f[0].axis.taps; d++) {
            for (int64_t h = 0; h < f[1].axis.taps; h++) {
                for (int64_t w = 0; w < f[2].axis.taps; w++, to += j->size) {
                    const int64_t tap = ((f[0].tap0 + d * f[0].tap_step) * g->kernel[1] +
                                         f[1].tap0 + h * f[1].tap_step) *
                                            g->kernel[2] +
                                        f[2].tap0 + w * f[2].tap_step;
                    __builtin_memcpy(to, plane + tap * j->size, (size_t)j->size);
                }
            }
        }
    }
    return NPC_OK;
}

static npc_status run_phase(npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL], char *weight)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x;
    npc_window window = {.source = &problem->arrays->y,
                         .dtype = problem->dtype,
                         .axis = {f[0].axis, f[1].axis, f[2].axis}};
    npc_window_finish(&window);

    transpose_job job = {g, f, (int64_t)npc_dtype_size(problem->dtype), problem->arrays->weight,
                         weight};
    const npc_status status =
        npc_parallel_for(problem->team, g->in_channels, 0, transpose_weight, &job);
    if (status != NPC_OK) return status;

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

static npc_status input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    int64_t counts[NPC_SPATIAL], largest = 1;
    int complete = 1; /* every input pixel belongs to a phase */
    npc_status status = NPC_OK;

    for (int i = 0; i < NPC_SPATIAL; i++) {
        npc_phase first;
        int64_t found = 0;
        counts[i] = npc_phase_count(g, i);
        for (int64_t p = 0; p < counts[i]; p++) found += npc_phase_find(g, i, p, &first);
        complete &= found == npc_min(g->stride[i], g->input[i]);
        largest *= npc_ceil_div(g->kernel[i], npc_max(counts[i], 1));
    }
    /* An addend is found by its pixel's number, which is another one within a phase. */
    problem->finished = complete && (npc_count(g->stride) == 1 || !problem->arrays->add.data);
    if (!complete) {
        zero_job job = {g, &problem->arrays->x, size};
        status = npc_parallel_for(problem->team, g->batch * g->in_channels, 0, zero_plane, &job);
        if (status != NPC_OK) return status;
    }
    char *weight =
        npc_shared_workspace(problem, g->in_channels * npc_group_out(g) * largest * size);
    if (!weight) return NPC_NO_MEMORY;
    for (int64_t index = 0; index < counts[0] * counts[1] * counts[2] && status == NPC_OK;
         index++) {
        npc_phase f[NPC_SPATIAL];
        if (npc_phase_find(g, 0, index / counts[2] / counts[1], &f[0]) &&
            npc_phase_find(g, 1, index / counts[2] % counts[1], &f[1]) &&
            npc_phase_find(g, 2, index % counts[2], &f[2]))
            status = run_phase(problem, f, weight);
    }
    free(weight);
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
        return npc_weight_grad(problem, 1);
    }
}

static const char *declines(const npc_conv_problem *problem)
{
    (void)problem;
    return NULL;
}

const npc_conv_algorithm npc_conv_direct = {"direct", declines, run, npc_direct_features,
                                            NULL,     NULL};
