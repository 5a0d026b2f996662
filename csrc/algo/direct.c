/* direct: implicit matrix products on UK1, nothing stored but a panel.
 *
 * Forward: the weights as they are times panels of x. Input gradient: at stride s, input pixels
 * fall into phases by their remainder modulo s; within a phase the taps that reach a pixel are the
 * same, so each phase is a stride-1 convolution of the output's gradient with a part of the
 * flipped, transposed kernel, stored s pixels apart. Nothing is scattered or multiplied with
 * inserted zeros.
 */
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

static npc_status run_phase(npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL], char *weight)
{
    const npc_conv_geometry *g = problem->geometry;
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
                              .target = npc_phase_target(problem, f)};
    if (problem->finished) {
        gemm.bias = problem->arrays->bias;
        gemm.finish = npc_finish_of(problem);
    }
    return npc_implicit_gemm_run(&gemm, problem->team);
}

static npc_status input_grad(npc_conv_problem *problem)
{
    /* An addend is found by its pixel's number, which is another one within a phase. */
    const int may_finish = npc_count(problem->geometry->stride) == 1 || !problem->arrays->add.data;
    return npc_phases_input_grad(problem, run_phase, may_finish);
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
    NULL,     NULL,     {3, 3, 1.05}, {0, NPC_DIRECT_INPUT_GRAD_ONCE, NPC_WEIGHT_GRAD_ONCE}};
