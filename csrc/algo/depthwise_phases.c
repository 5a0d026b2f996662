/* The input gradient of a depthwise convolution at any stride: within a phase of the stride it is a
 * depthwise convolution of the output's gradient with a part of the flipped kernel (phase.h). */
#include <string.h>

#include "depthwise.h"
#include "phase.h"

enum { MOST_PHASES = 64 };

/* The window of a phase, its taps in ascending order. */
static void phase_window(npc_window *window, const npc_phase f[NPC_SPATIAL], const npc_array *grad,
                         npc_dtype dtype)
{
    *window = (npc_window){.source = grad, .dtype = dtype};
    for (int i = 0; i < NPC_SPATIAL; i++) {
        npc_axis *axis = &window->axis[i];
        *axis = f[i].axis;
        axis->first += (axis->taps - 1) * axis->spacing;
        axis->spacing = -axis->spacing;
    }
    npc_window_finish(window);
}

int npc_depthwise_phases_fit(const npc_conv_problem *problem)
{
    static const npc_array any = {0};
    const npc_conv_geometry *g = problem->geometry;
    int64_t count[NPC_SPATIAL];
    double phases = 1;
    for (int i = 0; i < NPC_SPATIAL; i++) phases *= (double)(count[i] = npc_phase_count(g, i));
    if (phases > MOST_PHASES) return 0;
    for (int64_t p = 0; p < count[0] * count[1] * count[2]; p++) {
        const int64_t index[] = {p / count[2] / count[1], p / count[2] % count[1], p % count[2]};
        npc_phase f[NPC_SPATIAL];
        npc_window window;
        int exists = 1;
        for (int i = 0; i < NPC_SPATIAL && exists; i++)
            exists = npc_phase_find(g, i, index[i], &f[i]);
        if (!exists) continue;
        phase_window(&window, f, &any, problem->dtype);
        if (!npc_depthwise_fits(&window)) return 0;
    }
    return 1;
}

static void reverse_taps(char *weight, int64_t kernels, int64_t taps, size_t size)
{
    char element[8];
    for (int64_t k = 0; k < kernels; k++, weight += (size_t)taps * size)
        for (char *a = weight, *b = weight + (size_t)(taps - 1) * size; a < b;
             a += size, b -= size) {
            memcpy(element, a, size);
            memcpy(a, b, size);
            memcpy(b, element, size);
        }
}

static npc_status run_phase(npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL], char *weight)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    phase_window(&window, f, &problem->arrays->y, problem->dtype);
    reverse_taps(weight, g->out_channels, window.taps, npc_dtype_size(problem->dtype));
    const npc_depthwise depthwise = {.kernels = problem->kernels,
                                     .window = &window,
                                     .batch = g->batch,
                                     .channels = g->in_channels,
                                     .sources = npc_group_out(g),
                                     .sharers = 1,
                                     .weight = weight,
                                     .target = npc_phase_target(problem, f)};
    return npc_depthwise_run(&depthwise, problem->team);
}

npc_status npc_depthwise_input_grad_phases(npc_conv_problem *problem)
{
    return npc_phases_input_grad(problem, run_phase, 0);
}
