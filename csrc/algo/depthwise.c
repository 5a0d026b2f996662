/* depthwise: as many groups as input channels, so that an output element reads its kernel's taps of
 * one channel: no product of matrices, but a pass over memory. */
#include "depthwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phase.h"
#include "../plan/simple_plan.h"

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

/* The window of a phase over the output's gradient, its taps in ascending order. */
static void phase_window(npc_window *window, const npc_phase f[NPC_SPATIAL],
                         const npc_array *source, npc_dtype dtype)
{
    *window = (npc_window){.source = source, .dtype = dtype};
    for (int i = 0; i < NPC_SPATIAL; i++) {
        npc_axis *axis = &window->axis[i];
        *axis = f[i].axis;
        axis->first += (axis->taps - 1) * axis->spacing;
        axis->spacing = -axis->spacing;
    }
    npc_window_finish(window);
}

/* Phase `index` of all; 0 if it has no pixels. */
static int find_phase(const npc_conv_geometry *g, int64_t index, npc_phase f[NPC_SPATIAL])
{
    const int64_t columns = npc_phase_count(g, 2), rows = npc_phase_count(g, 1);
    return npc_phase_find(g, 0, index / columns / rows, &f[0]) &&
           npc_phase_find(g, 1, index / columns % rows, &f[1]) &&
           npc_phase_find(g, 2, index % columns, &f[2]);
}

static int64_t count_phases(const npc_conv_geometry *g)
{
    return npc_phase_count(g, 0) * npc_phase_count(g, 1) * npc_phase_count(g, 2);
}

/* A phase's part of the kernels, flipped. */
static void phase_weight(const npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL], char *to)
{
    const npc_conv_geometry *g = problem->geometry;
    const size_t size = npc_dtype_size(problem->dtype);
    const char *plane = problem->arrays->weight;
    for (int64_t k = 0; k < g->out_channels; k++, plane += npc_volume(g->kernel) * (int64_t)size)
        for (int64_t d = f[0].axis.taps; d-- > 0;)
            for (int64_t h = f[1].axis.taps; h-- > 0;)
                for (int64_t w = f[2].axis.taps; w-- > 0; to += size) {
                    const int64_t row = (f[0].tap0 + d * f[0].tap_step) * g->kernel[1] + f[1].tap0 +
                                        h * f[1].tap_step;
                    const int64_t tap = row * g->kernel[2] + f[2].tap0 + w * f[2].tap_step;
                    memcpy(to, plane + tap * (int64_t)size, size);
                }
}

static npc_status run_phase(npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL], char *weight)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x;
    npc_window window;
    phase_window(&window, f, &problem->arrays->y, problem->dtype);
    phase_weight(problem, f, weight);
    npc_depthwise depthwise = {.kernels = problem->kernels,
                               .window = &window,
                               .batch = g->batch,
                               .channels = g->in_channels,
                               .sources = npc_group_out(g),
                               .sharers = 1,
                               .weight = weight,
                               .target = *x};
    for (int i = 0; i < NPC_SPATIAL; i++) {
        depthwise.target.data += f[i].pixel0 * x->stride[2 + i];
        if (f[i].axis.pixels > 1) depthwise.target.stride[2 + i] = x->stride[2 + i] * g->stride[i];
    }
    return npc_depthwise_run(&depthwise, problem->team);
}

static npc_status zero_plane(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const npc_conv_problem *problem = context;
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x;
    npc_zero_plane(
        x, x->data + piece / g->in_channels * x->stride[0] + piece % g->in_channels * x->stride[1],
        g->input[0], g->input[1], g->input[2], (int64_t)npc_dtype_size(problem->dtype));
    return NPC_OK;
}

static npc_status input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t phases = count_phases(g);
    npc_status status = NPC_OK;
    npc_phase f[NPC_SPATIAL];
    double reached = 0;

    for (int64_t i = 0; i < phases; i++)
        if (find_phase(g, i, f))
            reached +=
                (double)f[0].axis.pixels * (double)f[1].axis.pixels * (double)f[2].axis.pixels;
    if (reached < npc_count(g->input))
        status = npc_parallel_for(problem->team, g->batch * g->in_channels, 0, zero_plane, problem);
    char *weight = npc_shared_workspace(problem, g->out_channels * npc_volume(g->kernel) *
                                                     (int64_t)npc_dtype_size(problem->dtype));
    if (!weight) return NPC_NO_MEMORY;
    for (int64_t i = 0; i < phases && status == NPC_OK; i++)
        if (find_phase(g, i, f)) status = run_phase(problem, f, weight);
    free(weight);
    return status;
}

static npc_status run(npc_conv_problem *problem)
{
    return problem->operation == NPC_FORWARD ? forward(problem) : input_grad(problem);
}

static int fits(const npc_conv_problem *problem)
{
    static const npc_array any = {0};
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    npc_window_forward(&window, g, &any, problem->dtype);
    if (problem->operation == NPC_FORWARD || !npc_depthwise_fits(&window))
        return npc_depthwise_fits(&window);
    for (int64_t i = 0; i < count_phases(g); i++) {
        npc_phase f[NPC_SPATIAL];
        if (!find_phase(g, i, f)) continue;
        phase_window(&window, f, &any, problem->dtype);
        if (!npc_depthwise_fits(&window)) return 0;
    }
    return 1;
}

static const char *declines(const npc_conv_problem *problem)
{
    if (npc_group_in(problem->geometry) != 1)
        return "a group has more or less than one input channel";
    if (problem->operation == NPC_WEIGHT_GRAD) return "it does not compute the weight gradient";
    /* Each phase passes over dx once more: direct is faster (0.66 against 0.81 ms at 56x56x128). */
    if (problem->operation == NPC_INPUT_GRAD && npc_count(problem->geometry->stride) > 1)
        return "it computes the input gradient at stride 1 only";
    return fits(problem) ? NULL : "the window's rows are too many or too long to be kept";
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

const npc_conv_algorithm npc_conv_depthwise = {"depthwise", declines, run, features, NULL, NULL};
