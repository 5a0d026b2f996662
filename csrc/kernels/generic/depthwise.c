/* Depthwise convolution with small kernels: see npc_depthwise_args. An output element is one chain
 * of multiply-adds in the order of its taps, whichever loop computes it. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { ROWS = NPC_DEPTHWISE_ROWS, MAX_SIZE = NPC_DEPTHWISE_SIZE };

/* The lanes whose element `first + lane` exists in a row of `width`: bits of up to two vectors. */
NPC_INLINE uint32_t NPC_V(depthwise_mask)(int64_t first, int64_t width, int lanes)
{
    const int64_t begin = npc_min(npc_max(-first, 0), lanes);
    const int64_t end = npc_min(npc_max(width - first, begin), lanes);
    return (uint32_t)(((uint64_t)1 << end) - ((uint64_t)1 << begin));
}

/* ROWS rows of the result, and of the source that they read. */
typedef struct NPC_V(depthwise_group) {
    const NPC_T *row[(ROWS - 1) * 2 + MAX_SIZE]; /* NULL: none, or needed by no row of the result */
    char *to;
    int64_t count;
    NPC_VEC weight[MAX_SIZE * MAX_SIZE], bias;
} NPC_V(depthwise_group);

/* One vector of each row of a group. A source row is loaded once for all of them. `at` is the
 * source column of the first tap of lane 0; where `inside`, all lanes of all taps and all rows
 * exist. */
NPC_INLINE void NPC_V(depthwise_vector)(const npc_depthwise_args *args,
                                        const NPC_V(depthwise_group) * group, int64_t column,
                                        int64_t at, const int size, const int step,
                                        const int inside)
{
    NPC_VEC acc[ROWS];
    uint32_t mask[MAX_SIZE];
    NPC_UNROLL
    for (int t = 0; t < ROWS; t++) acc[t] = NPC_V(zero)();
    if (!inside) {
        NPC_UNROLL
        for (int s = 0; s < size; s += step)
            mask[s] = NPC_V(depthwise_mask)(at + s, args->width, step * NPC_LANES);
    }
    NPC_UNROLL
    for (int q = 0; q < (ROWS - 1) * step + size; q++) {
        if (!inside && !group->row[q]) continue;
        const uintptr_t base = (uintptr_t)group->row[q] + (uintptr_t)at * sizeof(NPC_T);
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
            NPC_IN_REGISTER(x[s]); /* or it is loaded again for each use */
        }
        if (inside && q >= (ROWS - 1) * step + size - ROWS * step) {
            /* What the next group reads first: rows follow too closely for the hardware. */
            const char *ahead = (const char *)base + ROWS * step * args->row_stride_bytes;
            __builtin_prefetch(ahead);
            if (step == 2) __builtin_prefetch(ahead + sizeof(NPC_VEC));
        }
        NPC_UNROLL
        for (int s = 0; s < size; s++) {
            NPC_UNROLL
            for (int t = 0; t < ROWS; t++) {
                const int r = q - t * step;
                if (r >= 0 && r < size)
                    acc[t] = NPC_V(fma)(group->weight[r * size + s], x[s], acc[t]);
            }
        }
    }
    NPC_T *to = (NPC_T *)group->to + column;
    const int lanes = (int)npc_min(NPC_LANES, args->columns - column);
    NPC_UNROLL
    for (int t = 0; t < ROWS; t++) {
        if (!inside && t >= group->count) break;
        if (NPC_UNLIKELY(args->accumulate))
            acc[t] = NPC_V(add)(NPC_V(load_first)(to, lanes), acc[t]);
        acc[t] = NPC_V(add)(acc[t], group->bias);
        if (NPC_LIKELY(lanes == NPC_LANES))
            NPC_V(store)(to, acc[t]);
        else
            NPC_V(store_first)(to, acc[t], lanes);
        to = (NPC_T *)((char *)to + args->to_stride_bytes);
    }
}

NPC_INLINE void NPC_V(depthwise_body)(const npc_depthwise_args *args, const int size,
                                      const int step)
{
    const int64_t reach = size - 1 + step * NPC_LANES;
    const NPC_T no_bias = (NPC_T)-0.0; /* changes nothing that it is added to */
    NPC_V(depthwise_group) group;

    NPC_UNROLL
    for (int r = 0; r < size; r++) {
        NPC_UNROLL
        for (int s = 0; s < size; s++)
            group.weight[r * size + s] =
                NPC_V(broadcast)((const NPC_T *)args->weight + r * size + s);
    }
    group.bias = NPC_V(broadcast)(args->bias ? (const NPC_T *)args->bias : &no_bias);
    group.to = args->to;
    for (int64_t done = 0; done < args->rows; done += ROWS) {
        const int64_t first = args->first_row + done * step, last = args->height - first;
        group.count = npc_min(args->rows - done, ROWS);
        const int64_t used = (group.count - 1) * step + size;
        const int whole = first >= 0 && used <= last && group.count == ROWS;
        NPC_UNROLL
        for (int q = 0; q < (ROWS - 1) * step + size; q++) {
            const uintptr_t from =
                (uintptr_t)args->plane + (uintptr_t)((first + q) * args->row_stride_bytes);
            group.row[q] = first + q >= 0 && q < npc_min(used, last) ? (const NPC_T *)from : NULL;
        }
        int64_t at = args->first_column;
        for (int64_t i = 0; i < args->columns; i += NPC_LANES, at += step * NPC_LANES) {
            if (whole && at >= 0 && at + reach <= args->width)
                NPC_V(depthwise_vector)(args, &group, i, at, size, step, 1);
            else
                NPC_V(depthwise_vector)(args, &group, i, at, size, step, 0);
        }
        group.to += ROWS * args->to_stride_bytes;
    }
}

NPC_DECLARE(depthwise_3x3);
void NPC_NAME(depthwise_3x3)(const npc_depthwise_args *args)
{
    if (args->step == 1)
        NPC_V(depthwise_body)(args, 3, 1);
    else
        NPC_V(depthwise_body)(args, 3, 2);
}

NPC_DECLARE(depthwise_5x5);
void NPC_NAME(depthwise_5x5)(const npc_depthwise_args *args)
{
    if (args->step == 1)
        NPC_V(depthwise_body)(args, 5, 1);
    else
        NPC_V(depthwise_body)(args, 5, 2);
}
