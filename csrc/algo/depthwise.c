/* depthwise: as many groups as input channels, so that an output element reads its kernel's taps of
 * one channel: no product of matrices, but a pass over memory. */
#include "depthwise.h"

static npc_status forward(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    npc_window_forward(&window, g, &problem->arrays->x, problem->dtype);
    const npc_depthwise depthwise = {.kernels = problem->kernels,
                                     .window = &window,
                                     .batch = g->batch,
                                     .channels = g->out_channels,
                                     .sources = 1,
                                     .sharers = npc_group_out(g),
                                     .weight = problem->arrays->weight,
                                     .bias = problem->arrays->bias,
                                     .target = problem->arrays->y,
                                     .finish = npc_finish_of(problem)};
    return npc_depthwise_run(&depthwise, problem->team);
}

static npc_status run(npc_conv_problem *problem) { return forward(problem); }

static const char *declines(const npc_conv_problem *problem)
{
    static const npc_array any = {0};
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;

    if (npc_group_in(g) != 1) return "a group has more or less than one input channel";
    if (problem->operation != NPC_FORWARD) return "it computes the forward convolution only";
    npc_window_forward(&window, g, &any, problem->dtype);
    if (!npc_depthwise_fits(&window))
        return "the window's rows are too many or too long to be kept";
    return NULL;
}

const npc_conv_algorithm npc_conv_depthwise = {"depthwise", declines, run, NULL};
