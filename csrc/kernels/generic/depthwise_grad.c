/* Gradients of depthwise convolutions: see npc_depthwise_grad_args and npc_depthwise_up_args. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { ROWS = NPC_DEPTHWISE_ROWS, MAX_SIZE = NPC_DEPTHWISE_SIZE };

/* The lanes whose element `first + lane` exists in a row of `width`: bits of up to two vectors. */
NPC_INLINE uint32_t NPC_V(grad_mask)(int64_t first, int64_t width, int lanes)
{
    const int64_t begin = npc_min(npc_max(-first, 0), lanes);
    const int64_t end = npc_min(npc_max(width - first, begin), lanes);
    return (uint32_t)(((uint64_t)1 << end) - ((uint64_t)1 << begin));
}

/* A vector of columns of `rows` rows of the gradient, times all taps. */
NPC_INLINE void NPC_V(grad_vector)(const npc_depthwise_grad_args *args, int64_t row, int64_t column,
                                   NPC_VEC *acc, const int size, const int step, const int rows,
                                   const int inside)
{
    const int lanes = (int)npc_min(NPC_LANES, args->columns - column);
    const int64_t at = args->first_column + column * step;
    const NPC_T *grad = (const NPC_T *)((const char *)args->grad + row * args->grad_stride_bytes);
    NPC_VEC g[ROWS];
    uint32_t mask[MAX_SIZE];
    NPC_UNROLL
    for (int t = 0; t < rows; t++) {
        g[t] = inside ? NPC_V(load)(grad + column) : NPC_V(load_first)(grad + column, lanes);
        NPC_IN_REGISTER(g[t]);
        grad = (const NPC_T *)((const char *)grad + args->grad_stride_bytes);
    }
    if (!inside) {
        /* Lanes behind the last must be zero, for zero times an infinity would not be. */
        const uint32_t used = (uint32_t)(((uint64_t)1 << (step * lanes)) - 1);
        NPC_UNROLL
        for (int s = 0; s < size; s += step)
            mask[s] = NPC_V(grad_mask)(at + s, args->width, step * NPC_LANES) & used;
    }
    NPC_UNROLL
    for (int q = 0; q < (rows - 1) * step + size; q++) {
        const int64_t h = args->first_row + row * step + q;
        if (h < 0 || h >= args->height) continue;
        const uintptr_t base = (uintptr_t)args->plane + (uintptr_t)(h * args->row_stride_bytes) +
                               (uintptr_t)at * sizeof(NPC_T);
        NPC_VEC x[MAX_SIZE + 1];
        NPC_UNROLL
        for (int s = 0; s < size; s += step) {
            const NPC_T *from = (const NPC_T *)(base + (uintptr_t)s * sizeof(NPC_T));
            x[s] = inside ? NPC_V(load)(from)
                          : NPC_V(load_masked)(from, mask[s] & ((1u << NPC_LANES) - 1));
            if (step == 2) { /* two vectors hold the lanes of two taps */
                from += NPC_LANES;
                const NPC_VEC low = x[s],
                              high = inside ? NPC_V(load)(from)
                                            : NPC_V(load_masked)(from, mask[s] >> NPC_LANES);
                x[s] = NPC_V(even)(low, high);
                x[s + 1] = NPC_V(odd)(low, high);
            }
            NPC_IN_REGISTER(x[s]);
        }
        NPC_UNROLL
        for (int t = 0; t < rows; t++) {
            const int r = q - t * step;
            NPC_UNROLL
            for (int s = 0; s < size; s++)
                if (r >= 0 && r < size)
                    acc[r * size + s] = NPC_V(fma)(g[t], x[s], acc[r * size + s]);
        }
    }
}

NPC_INLINE void NPC_V(grad_rows)(const npc_depthwise_grad_args *args, int64_t row, NPC_VEC *acc,
                                 const int size, const int step, const int rows)
{
    const int64_t reach = size - 1 + step * NPC_LANES;
    for (int64_t i = 0; i < args->columns; i += NPC_LANES) {
        const int64_t at = args->first_column + i * step;
        if (i + NPC_LANES <= args->columns && at >= 0 && at + reach <= args->width)
            NPC_V(grad_vector)(args, row, i, acc, size, step, rows, 1);
        else
            NPC_V(grad_vector)(args, row, i, acc, size, step, rows, 0);
    }
}

NPC_INLINE void NPC_V(grad_body)(const npc_depthwise_grad_args *args, const int size,
                                 const int step)
{
    NPC_T *sums = args->sums;
    NPC_VEC acc[MAX_SIZE * MAX_SIZE];
    int64_t row = 0;
    NPC_UNROLL
    for (int i = 0; i < MAX_SIZE * MAX_SIZE; i++) acc[i] = NPC_V(zero)();
    for (; row + ROWS <= args->rows; row += ROWS)
        NPC_V(grad_rows)(args, row, acc, size, step, ROWS);
    for (; row < args->rows; row++) NPC_V(grad_rows)(args, row, acc, size, step, 1);
    for (int i = 0; i < size * size; i++) {
        if (args->accumulate) acc[i] = NPC_V(add)(NPC_V(load)(sums + i * NPC_LANES), acc[i]);
        NPC_V(store)(sums + i * NPC_LANES, acc[i]);
    }
}

NPC_DECLARE(depthwise_grad);
void NPC_NAME(depthwise_grad)(const npc_depthwise_grad_args *args)
{
    if (args->size == 3 && args->step == 1)
        NPC_V(grad_body)(args, 3, 1);
    else if (args->size == 3)
        NPC_V(grad_body)(args, 3, 2);
    else if (args->step == 1)
        NPC_V(grad_body)(args, 5, 1);
    else
        NPC_V(grad_body)(args, 5, 2);
}

/* Lanes of both phases of a row, from column `i` of the gradient on. */
NPC_INLINE void NPC_V(up_vector)(const npc_depthwise_up_args *args, int64_t i, const int inside)
{
    NPC_VEC sum[2] = {NPC_V(zero)(), NPC_V(zero)()};
    for (int64_t term = 0; term < args->terms; term++) {
        const uintptr_t base = (uintptr_t)args->row[term] + (uintptr_t)i * sizeof(NPC_T);
        const NPC_T *weight = args->weight[term];
        for (int64_t s = 0; s < args->taps; s++) {
            const int64_t offset = args->offset[s];
            const NPC_T *from = (const NPC_T *)(base + (uintptr_t)offset * sizeof(NPC_T));
            const NPC_VEC g =
                inside ? NPC_V(load)(from)
                       : NPC_V(load_masked)(from,
                                            NPC_V(grad_mask)(i + offset, args->width, NPC_LANES));
            const NPC_VEC w = NPC_V(broadcast)(weight + s);
            if (s % 2 == args->parity)
                sum[0] = NPC_V(fma)(w, g, sum[0]);
            else
                sum[1] = NPC_V(fma)(w, g, sum[1]);
        }
    }
    NPC_T *to = (NPC_T *)args->to + 2 * i;
    NPC_V(store_pairs)(to, sum[0], sum[1], (int)npc_min(args->count - 2 * i, 2 * NPC_LANES));
}

NPC_DECLARE(depthwise_up);
void NPC_NAME(depthwise_up)(const npc_depthwise_up_args *args)
{
    int64_t lowest = 0, highest = 0;
    for (int64_t s = 0; s < args->taps; s++) {
        lowest = npc_min(lowest, args->offset[s]);
        highest = npc_max(highest, args->offset[s]);
    }
    for (int64_t i = 0; 2 * i < args->count; i += NPC_LANES) {
        if (i + lowest >= 0 && i + highest + NPC_LANES <= args->width)
            NPC_V(up_vector)(args, i, 1);
        else
            NPC_V(up_vector)(args, i, 0);
    }
}
