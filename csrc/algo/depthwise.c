/* depthwise: as many groups as input channels, so that an output element reads its kernel's taps of
 * one channel: no product of matrices, but a pass over memory. */
#include "depthwise.h"

#include <math.h>

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

enum {
    CALL,
    CHANNELS,       /* of the result */
    ROWS,           /* of the result */
    MULTIPLIES,     /* vector multiply-adds of kernels that read the image where it lies */
    ON_STAGE,       /* those on staged rows */
    STAGED,         /* elements copied to the stage */
    RESULTS,        /* elements */
    STEP_MULTIPLIES /* multiply-adds on vectors of every second element */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t *taps = g->kernel;
    const int in_place = taps[0] == 1 && taps[1] == taps[2] && (taps[2] == 3 || taps[2] == 5) &&
                         g->stride[1] == g->stride[2] && g->stride[2] <= 2 && g->dilation[1] == 1 &&
                         g->dilation[2] == 1;
    const double channels = (double)g->out_channels;
    const double rows = channels * (double)g->output[0] * (double)g->output[1];
    const double multiplies =
        rows * ceil((double)g->output[2] / problem->kernels->lanes) * npc_count(taps);

    feature[CALL] = 1;
    feature[CHANNELS] = channels;
    feature[ROWS] = rows;
    feature[!in_place ? ON_STAGE : g->stride[2] == 1 ? MULTIPLIES : STEP_MULTIPLIES] = multiplies;
    if (!in_place) feature[STAGED] = channels * npc_count(g->input);
    feature[RESULTS] = channels * npc_count(g->output);
}

const npc_conv_algorithm npc_conv_depthwise = {"depthwise", declines, run, features};
