#include "tail.h"

enum { MOST_VECTORS = 8, LEAST_DEPTH = 128, RUN = 256 };

int npc_tail_pixels(const npc_kernels *kernels, int64_t pixels, int64_t depth)
{
    const int64_t vectors = pixels / kernels->lanes, tail = pixels % kernels->lanes;
    return vectors >= 1 && vectors <= MOST_VECTORS && tail <= npc_max(1, kernels->lanes / 4) &&
                   depth >= LEAST_DEPTH
               ? (int)tail
               : 0;
}

/* One tap of a pixel of consecutive channels, `count` of them, to every `taps`-th element. */
static void pack_tap(const npc_window *window, const char *from, int64_t count, char *to)
{
    const npc_array *s = window->source;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype), taps = window->taps;
    if (taps == 1) {
        npc_read_run(s, from, s->stride[1], count, window->dtype, to);
        return;
    }
    char run[RUN * sizeof(double)];
    while (count > 0) {
        const int64_t some = npc_min(count, RUN);
        npc_read_run(s, from, s->stride[1], some, window->dtype, run);
        if (size == sizeof(float))
            for (int64_t i = 0; i < some; i++) ((float *)to)[i * taps] = ((float *)run)[i];
        else
            for (int64_t i = 0; i < some; i++) ((double *)to)[i * taps] = ((double *)run)[i];
        from += some * s->stride[1];
        to += some * taps * size;
        count -= some;
    }
}

static void zero_tap(int64_t count, int64_t taps, int64_t size, char *to)
{
    for (int64_t i = 0; i < count; i++)
        if (size == sizeof(float))
            ((float *)to)[i * taps] = 0;
        else
            ((double *)to)[i * taps] = 0;
}

static void pack_pixel(const npc_window *window, const int64_t image, const int64_t *pixel,
                       int64_t channel, int64_t k_begin, int64_t k_end, char *to)
{
    const npc_array *s = window->source;
    const npc_axis *axis = window->axis;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype), taps = window->taps;
    for (int64_t tap = 0; tap < taps; tap++) {
        /* The channels whose tap this is lies in [k_begin, k_end). */
        const int64_t begin = k_begin <= tap ? 0 : npc_ceil_div(k_begin - tap, taps);
        const int64_t end = k_end <= tap ? 0 : npc_ceil_div(k_end - tap, taps);
        if (begin >= end) continue;
        const int64_t d = npc_axis_source(&axis[0], pixel[0], tap / axis[2].taps / axis[1].taps);
        const int64_t h = npc_axis_source(&axis[1], pixel[1], tap / axis[2].taps % axis[1].taps);
        const int64_t w = npc_axis_source(&axis[2], pixel[2], tap % axis[2].taps);
        char *at = to + (begin * taps + tap - k_begin) * size;
        if (npc_axis_holds(&axis[0], d) && npc_axis_holds(&axis[1], h) &&
            npc_axis_holds(&axis[2], w))
            pack_tap(window,
                     s->data + image * s->stride[0] + (channel + begin) * s->stride[1] +
                         d * s->stride[2] + h * s->stride[3] + w * s->stride[4],
                     end - begin, at);
        else
            zero_tap(end - begin, taps, size, at);
    }
}

void npc_tail_pack(const npc_window *window, const npc_tile *tile, int64_t channel, int64_t k_begin,
                   int64_t k_end, void *to, int64_t stride)
{
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    for (int r = 0; r < tile->runs; r++) {
        const npc_run *run = &tile->run[r];
        for (int64_t i = 0; i < run->count; i++) {
            const int64_t pixel[] = {run->pixel[0], run->pixel[1], run->pixel[2] + i};
            pack_pixel(window, run->image, pixel, channel, k_begin, k_end,
                       (char *)to + (run->lane + i) * stride * size);
        }
    }
}

void npc_tail_multiply(const npc_tail_product *p)
{
    const int64_t size = (int64_t)npc_dtype_size(p->kernels->dtype);
    const int64_t origin = npc_split(p->depth, p->blocks, p->first);
    npc_tail_args args = {.rows = p->rows, .c_stride = p->c_stride_bytes / size};

    for (int64_t block = p->first; block < p->last; block += NPC_TAIL_BLOCKS) {
        const int64_t next = npc_min(block + NPC_TAIL_BLOCKS, p->last);
        const int64_t k = npc_split(p->depth, p->blocks, block) - origin;
        args.depth = npc_split(p->depth, p->blocks, next) - origin - k;
        args.accumulate = block > 0;
        args.bias = next == p->blocks ? p->bias : NULL;
        for (int i = 0; i < p->rows; i++) args.a[i] = (const char *)p->a[i] + k * size;
        for (int col = 0; col < p->cols; col++) {
            args.b = p->b + (col * p->b_stride + k) * size;
            args.c = p->c + col * size;
            npc_run_tail(p->kernels, &args);
        }
    }
}
