/* Weight gradients that met an infinite or NaN gradient in the padding. */
#include <math.h>

#include "weight_grad.h"

enum { MEND_LIST = 1024 }; /* non-finite gradients that are remembered for a channel */

typedef struct job {
    const npc_conv_problem *problem;
    const npc_window *window;
    int64_t size, rows, depth, pixels; /* dy channels and (channel, tap) of a group; of the batch */
} job;

typedef struct mend_list {
    int64_t count;
    int64_t pixel[MEND_LIST];
} mend_list;

static void pixel_coordinates(const npc_window *window, int64_t pixel, int64_t at[NPC_SPATIAL])
{
    pixel %= window->pixels;
    at[2] = pixel % window->axis[2].pixels;
    at[1] = pixel / window->axis[2].pixels % window->axis[1].pixels;
    at[0] = pixel / window->axis[2].pixels / window->axis[1].pixels;
}

/* The source position of a tap of a pixel, or 0 if it lies in the padding. */
static int tap_position(const npc_window *window, const int64_t pixel[NPC_SPATIAL], int64_t tap,
                        int64_t at[NPC_SPATIAL])
{
    const npc_axis *axis = window->axis;
    const int64_t t[NPC_SPATIAL] = {tap / axis[2].taps / axis[1].taps,
                                    tap / axis[2].taps % axis[1].taps, tap % axis[2].taps};
    for (int i = 0; i < NPC_SPATIAL; i++) {
        at[i] = npc_axis_source(&axis[i], pixel[i], t[i]);
        if (!npc_axis_holds(&axis[i], at[i])) return 0;
    }
    return 1;
}

static double grad_at(const job *j, int64_t channel, int64_t pixel)
{
    const npc_array *y = &j->problem->arrays->y;
    int64_t at[NPC_SPATIAL];
    pixel_coordinates(j->window, pixel, at);
    return npc_load(y->data + pixel / j->window->pixels * y->stride[0] + channel * y->stride[1] +
                        at[0] * y->stride[2] + at[1] * y->stride[3] + at[2] * y->stride[4],
                    y->dtype, y->swapped);
}

/* One element by the definition, taps in the padding skipped. */
static double element(const job *j, int64_t channel, int64_t c, int64_t tap)
{
    const npc_array *x = &j->problem->arrays->x;
    double sum = 0;
    for (int64_t pixel = 0; pixel < j->pixels; pixel++) {
        int64_t coordinates[NPC_SPATIAL], at[NPC_SPATIAL];
        pixel_coordinates(j->window, pixel, coordinates);
        if (!tap_position(j->window, coordinates, tap, at)) continue;
        const char *from = x->data + pixel / j->window->pixels * x->stride[0] + c * x->stride[1] +
                           at[0] * x->stride[2] + at[1] * x->stride[3] + at[2] * x->stride[4];
        sum += grad_at(j, channel, pixel) * npc_load(from, x->dtype, x->swapped);
        if (sum != sum) break;
    }
    return sum;
}

/* Zero in the padding times a non-finite gradient is NaN where the definition skips the product. A
 * NaN is computed again if such a gradient meets the padding under its tap. */
static npc_status mend_channel(void *context, int64_t channel, void *scratch)
{
    const job *j = context;
    const npc_conv_problem *problem = j->problem;
    char *row = (char *)problem->arrays->weight + channel * j->depth * j->size;
    mend_list *list = scratch;

    if (NPC_LIKELY(!npc_run_has_nan(problem->kernels, row, j->depth, 1, j->depth))) return NPC_OK;
    list->count = 0;
    for (int64_t p = 0; p < j->pixels && list->count < MEND_LIST; p++)
        if (!isfinite(grad_at(j, channel, p))) list->pixel[list->count++] = p;
    for (int64_t k = 0; k < j->depth; k++) {
        const double now = npc_load(row + k * j->size, problem->dtype, 0);
        int meets_padding = list->count == MEND_LIST;
        if (now == now) continue;
        for (int64_t i = 0; i < list->count && !meets_padding; i++) {
            int64_t pixel[NPC_SPATIAL], at[NPC_SPATIAL];
            pixel_coordinates(j->window, list->pixel[i], pixel);
            meets_padding = !tap_position(j->window, pixel, k % j->window->taps, at);
        }
        if (!meets_padding) continue;
        const int64_t group = channel / j->rows;
        const double value =
            element(j, channel, group * npc_group_in(problem->geometry) + k / j->window->taps,
                    k % j->window->taps);
        npc_store(row + k * j->size, problem->dtype, value);
    }
    return NPC_OK;
}

npc_status npc_weight_grad_mend(const npc_conv_problem *problem, const npc_window *window)
{
    const npc_conv_geometry *g = problem->geometry;
    job j = {problem,
             window,
             (int64_t)npc_dtype_size(problem->dtype),
             npc_group_out(g),
             npc_conv_depth(g),
             g->batch * window->pixels};
    int inner = 1;
    for (int i = 0; i < NPC_SPATIAL; i++)
        inner &=
            window->axis[i].inner_begin == 0 && window->axis[i].inner_end == window->axis[i].pixels;
    if (inner) return NPC_OK;
    return npc_parallel_for(problem->team, g->out_channels, sizeof(mend_list), mend_channel, &j);
}
