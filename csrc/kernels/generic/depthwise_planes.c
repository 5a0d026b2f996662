/* Depthwise 3x3 convolution of narrow planes: see npc_depthwise_planes_args. Each source row is
 * loaded once for the three results that it takes part in; an output element is one chain of
 * multiply-adds in the order of its taps, as in depthwise.c. */
#include "../args/depthwise.h"
#include "kernel.h"

enum { SIZE = 3 };

/* The taps of one vector of columns. */
typedef struct NPC_V(plane_stretch) {
    int64_t at;          /* source column of the first tap of lane 0 */
    uint32_t mask[SIZE]; /* elements from each tap's column on that exist, of `step` vectors */
    int lanes;
} NPC_V(plane_stretch);

typedef struct NPC_V(plane_filter) {
    NPC_VEC weight[SIZE * SIZE], bias;
} NPC_V(plane_filter);

/* Loads the taps of a source row, which exists. */
NPC_INLINE void NPC_V(plane_row)(const npc_depthwise_planes_args *args,
                                 const NPC_V(plane_stretch) * stretch, const char *plane,
                                 int64_t row, const int step, NPC_VEC x[SIZE])
{
    /* lane 0 need not exist: addresses as integers */
    const uintptr_t base = (uintptr_t)plane + (uintptr_t)(row * args->row_stride_bytes +
                                                          stretch->at * (int64_t)sizeof(NPC_T));
    NPC_UNROLL
    for (int s = 0; s < SIZE; s++) {
        const NPC_T *from = (const NPC_T *)(base + (uintptr_t)s * sizeof(NPC_T));
        x[s] = step == 1 ? NPC_V(load_masked)(from, stretch->mask[s])
                         : NPC_V(load_even)(from, stretch->mask[s]);
    }
}

/* Adds row r of the taps. */
NPC_INLINE NPC_VEC NPC_V(plane_add)(const NPC_V(plane_filter) * filter, const int r,
                                    const NPC_VEC x[SIZE], NPC_VEC sum)
{
    NPC_UNROLL
    for (int s = 0; s < SIZE; s++) sum = NPC_V(fma)(filter->weight[r * SIZE + s], x[s], sum);
    return sum;
}

NPC_INLINE void NPC_V(plane_columns)(const npc_depthwise_planes_args *args,
                                     const NPC_V(plane_stretch) * stretch,
                                     const NPC_V(plane_filter) * filter, const char *plane,
                                     char *to, const int step)
{
    /* Sums that have one row of taps, and that have two. Those of rows before the first begin with
     * what is not stored. */
    NPC_VEC one = NPC_V(zero)(), two = NPC_V(zero)(), x[SIZE];
    int64_t row = args->first_row;
    if (step == 2) {
        for (int64_t h = 0; h < args->rows; h++, row += 2, to += args->to_stride_bytes) {
            NPC_VEC sum = one; /* the row before was the last of the one above */
            if (h == 0 && row >= 0 && row < args->height) {
                NPC_V(plane_row)(args, stretch, plane, row, step, x);
                sum = NPC_V(plane_add)(filter, 0, x, sum);
            }
            if (row + 1 >= 0 && row + 1 < args->height) {
                NPC_V(plane_row)(args, stretch, plane, row + 1, step, x);
                sum = NPC_V(plane_add)(filter, 1, x, sum);
            }
            one = NPC_V(zero)();
            if (row + 2 >= 0 && row + 2 < args->height) {
                NPC_V(plane_row)(args, stretch, plane, row + 2, step, x);
                sum = NPC_V(plane_add)(filter, 2, x, sum);
                one = NPC_V(plane_add)(filter, 0, x, one);
            }
            NPC_V(store_first)((NPC_T *)to, NPC_V(add)(sum, filter->bias), stretch->lanes);
        }
        return;
    }
    for (int64_t h = 1 - SIZE; h < args->rows; h++, row++) {
        NPC_VEC three = two;
        two = one;
        one = NPC_V(zero)();
        if (row >= 0 && row < args->height) {
            NPC_V(plane_row)(args, stretch, plane, row, step, x);
            three = NPC_V(plane_add)(filter, 2, x, three);
            two = NPC_V(plane_add)(filter, 1, x, two);
            one = NPC_V(plane_add)(filter, 0, x, one);
        }
        if (h < 0) continue;
        NPC_V(store_first)((NPC_T *)to, NPC_V(add)(three, filter->bias), stretch->lanes);
        to += args->to_stride_bytes;
    }
}

NPC_INLINE void NPC_V(planes_body)(const npc_depthwise_planes_args *args, const int step)
{
    const NPC_T no_bias = (NPC_T)-0.0; /* changes nothing that it is added to */
    NPC_V(plane_stretch) stretch[NPC_DEPTHWISE_STRETCHES];
    const int count = (int)((args->columns + NPC_LANES - 1) / NPC_LANES);
    for (int i = 0; i < count; i++) {
        NPC_V(plane_stretch) *t = stretch + i;
        t->at = args->first_column + (int64_t)i * NPC_LANES * step;
        t->lanes = (int)npc_min(NPC_LANES, args->columns - (int64_t)i * NPC_LANES);
        for (int s = 0; s < SIZE; s++) {
            /* Of the elements that the lanes stand for, those that exist. */
            const int64_t first = t->at + s, elements = (t->lanes - 1) * step + 1;
            const int64_t begin = npc_min(npc_max(-first, 0), elements);
            const int64_t end = npc_min(npc_max(args->width - first, begin), elements);
            const uint32_t all = (uint32_t)(((uint64_t)1 << end) - ((uint64_t)1 << begin));
            t->mask[s] = step == 1 ? all : all & 0x55555555u;
        }
    }
    const char *plane = args->plane;
    char *to = args->to;
    const NPC_T *weight = args->weight, *bias = args->bias;
    for (int64_t p = 0; p < args->planes; p++, weight += SIZE * SIZE) {
        NPC_V(plane_filter) filter;
        NPC_UNROLL
        for (int t = 0; t < SIZE * SIZE; t++) filter.weight[t] = NPC_V(broadcast)(weight + t);
        filter.bias = NPC_V(broadcast)(bias ? bias + p : &no_bias);
        for (int i = 0; i < count; i++)
            NPC_V(plane_columns)(args, stretch + i, &filter, plane,
                                 to + (int64_t)i * NPC_LANES * (int64_t)sizeof(NPC_T), step);
        plane += args->plane_stride_bytes;
        to += args->to_plane_stride_bytes;
    }
}

NPC_DECLARE(depthwise_planes);
void NPC_NAME(depthwise_planes)(const npc_depthwise_planes_args *args)
{
    assert(args->columns <= NPC_DEPTHWISE_STRETCHES * NPC_LANES);
    if (args->step == 1)
        NPC_V(planes_body)(args, 1);
    else
        NPC_V(planes_body)(args, 2);
}
