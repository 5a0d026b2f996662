#include "pool.h"

npc_tap_range npc_reaching_taps(const npc_axis *axis, int64_t begin, int64_t end)
{
    const int64_t lowest = begin * axis->step + axis->first;
    const int64_t highest = (end - 1) * axis->step + axis->first;
    const int64_t first = highest < 0 ? npc_ceil_div(-highest, axis->spacing) : 0;
    const int64_t room = axis->extent - 1 - lowest;
    const int64_t last = room < 0 ? -1 : npc_min(axis->taps - 1, room / axis->spacing);
    return (npc_tap_range){first, npc_max(last - first + 1, 0)};
}

npc_status npc_pool_check(const npc_pool_geometry *g)
{
    npc_window window;
    if (g->batch < 0 || g->channels < 0) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        int64_t span, last;
        if (g->input[i] < 0 || g->kernel[i] < 1 || g->output[i] < 1 || g->stride[i] < 1 ||
            g->dilation[i] < 1 || g->pad_before[i] < 0)
            return NPC_INVALID_GEOMETRY;
        if (g->pad_before[i] / g->dilation[i] > g->kernel[i] - 1 ||
            (g->output[i] - 1) > (g->input[i] - 1 + g->pad_before[i]) / g->stride[i])
            return NPC_INVALID_GEOMETRY;
        if (__builtin_mul_overflow(g->kernel[i] - 1, g->dilation[i], &span) ||
            __builtin_mul_overflow(g->output[i] - 1, g->stride[i], &last) ||
            __builtin_add_overflow(span, last, &span))
            return NPC_INVALID_GEOMETRY;
    }
    if (g->batch == 0 || g->channels == 0) return NPC_OK; /* so nothing bounds the outputs */
    /* Widely spaced taps may step over a small input. */
    const npc_array none = {0};
    npc_pool_window(&window, g, &none, NPC_F32);
    for (int i = 0; i < NPC_SPATIAL; i++) {
        const npc_axis *axis = &window.axis[i];
        for (int64_t p = 0; p < axis->pixels; p++) {
            if (p == axis->inner_begin && p < axis->inner_end) p = axis->inner_end;
            if (p < axis->pixels && npc_reaching_taps(axis, p, p + 1).count == 0)
                return NPC_INVALID_GEOMETRY;
        }
    }
    return NPC_OK;
}

void npc_pool_window(npc_window *window, const npc_pool_geometry *g, const npc_array *x,
                     npc_dtype dtype)
{
    npc_window_set(window, x, dtype, g->input, g->output, g->kernel, g->stride, g->dilation,
                   g->pad_before);
}

int64_t npc_flat_position(const npc_window *window, int64_t tap, int64_t d, int64_t h, int64_t w)
{
    const npc_axis *axis = window->axis;
    const int64_t x = npc_axis_source(&axis[2], w, tap % axis[2].taps);
    const int64_t y = npc_axis_source(&axis[1], h, tap / axis[2].taps % axis[1].taps);
    const int64_t z = npc_axis_source(&axis[0], d, tap / axis[2].taps / axis[1].taps);
    return (z * axis[1].extent + y) * axis[2].extent + x;
}
