/* What is done to sums of a pixel whose channels follow each other: see channels_last.h. */
#include "channels_last.h"
#include "element.h"

void npc_channels_last_mend(const npc_channels_last *l, const npc_conv_problem *problem,
                            const npc_window *window, const npc_channels_last_sums *sums)
{
    const npc_conv_arrays *arrays = problem->arrays;
    if (NPC_LIKELY(!npc_run_has_nan(problem->kernels, sums->c, sums->count, 1, sums->count)))
        return;
    for (int64_t k = 0; k < sums->count; k++) {
        const int64_t channel = sums->channel + k;
        const double now = npc_load(sums->c + k * l->size, problem->dtype, 0);
        if (now == now) continue;
        const npc_element element = {
            .image = sums->image,
            .channel = channel / l->rows * l->channels,
            .channels = l->channels,
            .pixel = {sums->at[0], sums->at[1], sums->at[2]},
            .weight = (const char *)arrays->weight + channel * l->depth * l->size,
            .channel_stride_bytes = l->taps * l->size,
            .tap_stride_bytes = l->size,
            .bias = arrays->bias ? (const char *)arrays->bias + channel * l->size : NULL,
        };
        npc_store(sums->c + k * l->size, problem->dtype, npc_element_value(window, &element));
    }
}

void npc_channels_last_deliver(const npc_conv_problem *problem, const npc_finish *finish,
                               const npc_channels_last_sums *sums)
{
    const npc_array *y = &problem->arrays->y;
    char *to = y->data + sums->image * y->stride[0] + sums->channel * y->stride[1] +
               sums->at[0] * y->stride[2] + sums->at[1] * y->stride[3] + sums->at[2] * y->stride[4];
    if (finish->needed)
        npc_finish_pixel(finish, sums->image, sums->channel, sums->at, sums->count, sums->c);
    npc_write_run(sums->c, problem->dtype, to, y->stride[1], sums->count);
}
