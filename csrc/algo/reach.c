#include "reach.h"

/* a * b / c rounded down, and up, for what is less than 2^62 in the end. */
static int64_t scaled_down(int64_t a, int64_t b, int64_t c)
{
    return (int64_t)((__int128)a * b / c);
}

static int64_t scaled_up(int64_t a, int64_t b, int64_t c)
{
    return (int64_t)(((__int128)a * b + c - 1) / c);
}

static int64_t inverse_of(int64_t a, int64_t modulus)
{
    int64_t r = modulus, next = a % modulus, t = 0, next_t = 1;
    while (next) {
        const int64_t q = r / next, rest = r % next, swap = t - q * next_t;
        r = next;
        next = rest;
        t = next_t;
        next_t = swap;
    }
    return t < 0 ? t + modulus : t;
}

void npc_reach_set(npc_reach_axis *axis, const npc_pool_geometry *g, int i, int backward)
{
    *axis = (npc_reach_axis){.source = backward ? g->output[i] : g->input[i],
                             .target = backward ? g->input[i] : g->output[i],
                             .spacing = 1,
                             .adaptive = g->adaptive,
                             .backward = backward};
    if (g->adaptive) return;
    axis->step = g->stride[i];
    axis->taps = g->kernel[i];
    axis->first = -g->pad_before[i];
    axis->dilation = g->dilation[i];
    axis->padded_end = g->input[i] + g->pad_after[i];
    axis->spacing = axis->dilation;
    if (backward) {
        axis->common = npc_greatest_common_divisor(axis->step, axis->dilation);
        axis->spacing = axis->dilation / axis->common;
        axis->inverse = inverse_of(axis->step / axis->common, axis->spacing);
    }
}

/* Taps of output o between two coordinates. */
static npc_reach taps_within(const npc_reach_axis *axis, int64_t o, int64_t begin, int64_t end)
{
    const int64_t at = o * axis->step + axis->first;
    const int64_t low = at < begin ? npc_ceil_div(begin - at, axis->dilation) : 0;
    const int64_t last = at < end ? npc_min((end - 1 - at) / axis->dilation, axis->taps - 1) : -1;
    return (npc_reach){at + low * axis->dilation, npc_max(last - low + 1, 0)};
}

npc_reach npc_reach_of(const npc_reach_axis *axis, int64_t target)
{
    if (axis->adaptive) { /* the same from both sides */
        const int64_t first = scaled_down(target, axis->source, axis->target);
        return (npc_reach){first, scaled_up(target + 1, axis->source, axis->target) - first};
    }
    if (!axis->backward) {
        npc_reach reach = taps_within(axis, target, 0, axis->source);
        if (reach.count == 0) reach.first = 0;
        return reach;
    }
    /* o * step + t * dilation = target - first, which is >= 0 */
    const int64_t sum = target - axis->first;
    const int64_t before = sum - (axis->taps - 1) * axis->dilation;
    const int64_t low = before > 0 ? npc_ceil_div(before, axis->step) : 0;
    const int64_t last = npc_min(sum / axis->step, axis->source - 1);
    if (low > last) return (npc_reach){0, 0};
    const int64_t m = axis->spacing;
    if (m == 1 && axis->common == 1) return (npc_reach){low, last - low + 1};
    if (sum % axis->common) return (npc_reach){0, 0};
    const int64_t rest = (int64_t)((__int128)(sum / axis->common % m) * axis->inverse % m);
    const int64_t first = low + (rest - low % m + m) % m;
    return first > last ? (npc_reach){0, 0} : (npc_reach){first, (last - first) / m + 1};
}

int64_t npc_reach_window(const npc_reach_axis *axis, int64_t o, int include_pad)
{
    if (axis->adaptive) {
        const int64_t input = axis->backward ? axis->target : axis->source;
        const int64_t outputs = axis->backward ? axis->source : axis->target;
        return scaled_up(o + 1, input, outputs) - scaled_down(o, input, outputs);
    }
    const int64_t extent = axis->backward ? axis->target : axis->source;
    if (include_pad) return taps_within(axis, o, axis->first, axis->padded_end).count;
    return taps_within(axis, o, 0, extent).count;
}
