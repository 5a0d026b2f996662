#include "element.h"

#include "pad_map.h"

/* A coordinate within the source of one that counts its border. */
static int64_t within(const npc_window *window, int axis, int64_t at)
{
    const npc_border *b = window->border;
    if (!b) return at;
    const int64_t n = window->axis[axis].extent - b->before[axis] - b->after[axis];
    return npc_pad_source(b->mode, at - b->before[axis], n);
}

double npc_element_value(const npc_window *window, const npc_element *e)
{
    const npc_array *s = window->source;
    const npc_axis *axis = window->axis;
    double sum = 0;

    for (int64_t c = 0; c < e->channels; c++) {
        const char *plane = s->data + e->image * s->stride[0] + (e->channel + c) * s->stride[1];
        const char *weight = e->weight + c * e->channel_stride_bytes;
        for (int64_t tap = 0; tap < window->taps; tap++, weight += e->tap_stride_bytes) {
            const int64_t tw = tap % axis[2].taps, th = tap / axis[2].taps % axis[1].taps;
            const int64_t w = npc_axis_source(&axis[2], e->pixel[2], tw);
            const int64_t h = npc_axis_source(&axis[1], e->pixel[1], th);
            const int64_t d =
                npc_axis_source(&axis[0], e->pixel[0], tap / axis[2].taps / axis[1].taps);
            if (!npc_axis_holds(&axis[2], w) || !npc_axis_holds(&axis[1], h) ||
                !npc_axis_holds(&axis[0], d))
                continue;
            const char *x = plane + within(window, 0, d) * s->stride[2] +
                            within(window, 1, h) * s->stride[3] +
                            within(window, 2, w) * s->stride[4];
            sum += npc_load(weight, window->dtype, 0) * npc_load(x, s->dtype, s->swapped);
            if (sum != sum) return sum; /* nothing changes a NaN */
        }
    }
    return e->bias ? sum + npc_load(e->bias, window->dtype, 0) : sum;
}
