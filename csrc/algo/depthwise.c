/* depthwise: as many groups as input channels, so that an output element reads its kernel's taps of
 * one channel: no product of matrices, but a pass over memory. */
#include "depthwise.h"

#include <math.h>

enum { MOST_OWN_TAPS = 25 }; /* of the input gradient at stride 2 */

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

/* At stride 1 the input gradient is the convolution of the output's gradient with the flipped
 * kernels. */
static void gradient_window(npc_window *window, const npc_conv_geometry *g, const npc_array *grad,
                            npc_dtype dtype)
{
    int64_t pad_before[NPC_SPATIAL];
    for (int i = 0; i < NPC_SPATIAL; i++)
        pad_before[i] = (g->kernel[i] - 1) * g->dilation[i] - g->pad_before[i];
    npc_window_set(window, grad, dtype, g->output, g->input, g->kernel, g->stride, g->dilation,
                   pad_before);
}

#define DEFINE_FLIP(type)                                                                          \
    static void flip_##type(const type *from, int64_t channels, int64_t taps, type *to)            \
    {                                                                                              \
        for (int64_t k = 0; k < channels; k++, from += taps, to += taps)                           \
            for (int64_t tap = 0; tap < taps; tap++) to[tap] = from[taps - 1 - tap];               \
    }
DEFINE_FLIP(float)
DEFINE_FLIP(double)

static void flip_weights(const npc_conv_problem *problem, char *to)
{
    const int64_t channels = problem->geometry->out_channels;
    const int64_t taps = npc_volume(problem->geometry->kernel);
    const void *from = problem->arrays->weight;
    if (problem->dtype == NPC_F32)
        flip_float(from, channels, taps, (float *)to);
    else
        flip_double(from, channels, taps, (double *)to);
}

static npc_status input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    char *weight = npc_shared_workspace(problem, g->out_channels * npc_volume(g->kernel) *
                                                     (int64_t)npc_dtype_size(problem->dtype));
    if (!weight) return NPC_NO_MEMORY;
    gradient_window(&window, g, &problem->arrays->y, problem->dtype);
    flip_weights(problem, weight);
    const npc_depthwise depthwise = {.kernels = problem->kernels,
                                     .window = &window,
                                     .batch = g->batch,
                                     .channels = g->in_channels,
                                     .sources = npc_group_out(g),
                                     .sharers = 1,
                                     .weight = weight,
                                     .bias = problem->arrays->bias,
                                     .target = problem->arrays->x,
                                     .finish = npc_finish_of(problem)};
    problem->finished = 1;
    const npc_status status = npc_depthwise_run(&depthwise, problem->team);
    npc_recycle_give(weight);
    return status;
}

/* Larger kernels are faster phase by phase. */
static int has_own_pass(const npc_conv_geometry *g)
{
    return npc_volume(g->kernel) <= MOST_OWN_TAPS && npc_depthwise_input_grad_fits(g);
}

static npc_status run(npc_conv_problem *problem)
{
    if (problem->operation == NPC_FORWARD) return forward(problem);
    if (problem->operation == NPC_WEIGHT_GRAD) return npc_depthwise_weight_grad(problem);
    if (npc_count(problem->geometry->stride) == 1) return input_grad(problem);
    return has_own_pass(problem->geometry) ? npc_depthwise_input_grad(problem)
                                           : npc_depthwise_input_grad_phases(problem);
}

static int fits(const npc_conv_problem *problem)
{
    static const npc_array any = {0};
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    npc_window_forward(&window, g, &any, problem->dtype);
    if (!npc_depthwise_fits(&window)) return 0;
    if (problem->operation == NPC_FORWARD) return 1;
    gradient_window(&window, g, &any, problem->dtype);
    return npc_depthwise_fits(&window);
}

static const char *declines(const npc_conv_problem *problem)
{
    if (npc_group_in(problem->geometry) != 1)
        return "a group has more or less than one input channel";
    if (problem->operation == NPC_WEIGHT_GRAD)
        return npc_depthwise_weight_grad_fits(problem)
                   ? NULL
                   : "it computes the weight gradient of 3x3 and 5x5 kernels at stride 1 or 2 only";
    if (problem->operation == NPC_INPUT_GRAD && npc_count(problem->geometry->stride) > 1)
        return has_own_pass(problem->geometry) || npc_depthwise_phases_fit(problem)
                   ? NULL
                   : "the window's rows are too many or too long to be kept";
    return fits(problem) ? NULL : "the window's rows are too many or too long to be kept";
}

enum {
    CALL,
    CHANNELS,        /* of the result */
    ROWS,            /* of the result */
    MULTIPLIES,      /* vector multiply-adds of kernels that read the image where it lies */
    ON_STAGE,        /* those on staged rows */
    STAGED,          /* elements copied to the stage */
    RESULTS,         /* elements */
    STEP_MULTIPLIES, /* multiply-adds on vectors of every second element */
    UP_ROWS,         /* of the input gradient at stride 2 */
    UP_MULTIPLIES    /* its multiply-adds */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t *taps = g->kernel;
    const int in_place = taps[1] == taps[2] && (taps[2] == 3 || taps[2] == 5) &&
                         g->stride[1] == g->stride[2] && g->stride[2] <= 2 && g->dilation[1] == 1 &&
                         g->dilation[2] == 1;
    const double channels = (double)g->out_channels;
    const double rows = channels * (double)g->output[0] * (double)g->output[1];
    const double multiplies =
        rows * ceil((double)g->output[2] / problem->kernels->lanes) * npc_count(taps);

    feature[CALL] = 1;
    feature[CHANNELS] = channels;
    feature[ROWS] = rows;
    if (problem->operation == NPC_INPUT_GRAD && npc_count(g->stride) > 1) {
        feature[UP_ROWS] = (double)g->in_channels * (double)g->input[0] * (double)g->input[1];
        feature[UP_MULTIPLIES] = multiplies;
        feature[RESULTS] = (double)g->in_channels * npc_count(g->input);
        return;
    }
    feature[!in_place ? ON_STAGE : g->stride[2] == 1 ? MULTIPLIES : STEP_MULTIPLIES] = multiplies;
    if (!in_place) feature[STAGED] = channels * npc_count(g->input);
    feature[RESULTS] = channels * npc_count(g->output);
}

const npc_conv_algorithm npc_conv_depthwise = {"depthwise", declines, run,          features,
                                               NULL,        NULL,     {10, 10, 10}, {0}};
