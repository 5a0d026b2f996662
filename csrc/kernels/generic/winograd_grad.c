/* Winograd's transforms of the weight gradient, the transposes of those of the output and of the
 * weights: from dy to the points, and from the points' products to the taps. */
#include "winograd.h"

/* m = A^T y, at the points used. */
NPC_INLINE void NPC_V(winograd_at)(const npc_winograd_transform transform, const NPC_VEC *y,
                                   NPC_VEC *m)
{
    switch (transform) {
    case NPC_WINOGRAD_F23:
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = y[1];
        break;
    case NPC_WINOGRAD_F43: {
        const NPC_VEC even_a = NPC_V(fma)(NPC_V(constant)(0.5), y[2], y[0]);
        const NPC_VEC odd_a = NPC_V(fma)(NPC_V(constant)(0.5), y[3], y[1]);
        const NPC_VEC even_b = NPC_V(fma)(NPC_V(constant)(2.0), y[2], y[0]);
        const NPC_VEC odd_b = NPC_V(fma)(NPC_V(constant)(2.0), y[3], y[1]);
        m[0] = y[0];
        m[1] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_HALF), odd_a, even_a);
        m[2] = NPC_V(fma)(NPC_V(constant)(-NPC_ROOT_HALF), odd_a, even_a);
        m[3] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_TWO), odd_b, even_b);
        m[4] = NPC_V(fma)(NPC_V(constant)(-NPC_ROOT_TWO), odd_b, even_b);
        m[5] = y[3];
        break;
    }
    case NPC_WINOGRAD_F43_EDGE:
    case NPC_WINOGRAD_F25:
        m[0] = y[0];
        m[1] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_HALF), y[1], y[0]);
        m[2] = NPC_V(fma)(NPC_V(constant)(-NPC_ROOT_HALF), y[1], y[0]);
        if (transform == NPC_WINOGRAD_F43_EDGE) {
            m[3] = y[1];
        } else {
            m[3] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_TWO), y[1], y[0]);
            m[4] = NPC_V(fma)(NPC_V(constant)(-NPC_ROOT_TWO), y[1], y[0]);
            m[5] = y[1];
        }
        break;
    default:
        m[0] = y[0];
    }
}

/* g = G^T u, from all points. */
NPC_INLINE void NPC_V(winograd_gt)(const npc_winograd_transform transform, const NPC_VEC *u,
                                   NPC_VEC *g)
{
    switch (transform) {
    case NPC_WINOGRAD_F23: {
        const NPC_VEC even = NPC_V(constant)(0.5) * (u[1] + u[2]);
        g[0] = u[0] + even;
        g[1] = NPC_V(constant)(0.5) * (u[1] - u[2]);
        g[2] = even + u[3];
        break;
    }
    case NPC_WINOGRAD_F43:
    case NPC_WINOGRAD_F25: {
        const NPC_VEC p = NPC_V(constant)(-2.0 / 3.0) * (u[1] + u[2]);
        const NPC_VEC q = NPC_V(constant)(-2.0 / 3.0 * NPC_ROOT_HALF) * (u[1] - u[2]);
        const NPC_VEC r = NPC_V(constant)(1.0 / 6.0) * (u[3] + u[4]);
        const NPC_VEC s = NPC_V(constant)(1.0 / 6.0 * NPC_ROOT_TWO) * (u[3] - u[4]);
        g[0] = u[0] + (p + r);
        g[1] = q + s;
        g[2] = NPC_V(fma)(NPC_V(constant)(0.5), p, NPC_V(constant)(2.0) * r);
        if (transform == NPC_WINOGRAD_F43) {
            g[2] = g[2] + u[5];
        } else {
            g[3] = NPC_V(fma)(NPC_V(constant)(0.5), q, NPC_V(constant)(2.0) * s);
            g[4] = NPC_V(fma)(NPC_V(constant)(0.25), p, NPC_V(constant)(4.0) * r) + u[5];
        }
        break;
    }
    default:
        g[0] = u[0];
    }
}

NPC_INLINE void NPC_V(winograd_grad_tiles)(const npc_winograd_grad_args *args, const int64_t first,
                                           const int64_t last, const int64_t shift,
                                           const npc_winograd_transform across,
                                           const npc_winograd_transform along)
{
    const npc_winograd_tiles *tiles = args->tiles;
    const int used0 = npc_winograd_used(across), used1 = npc_winograd_used(along);
    const int outputs0 = npc_winograd_outputs(across), outputs1 = npc_winograd_outputs(along);
    const int points = npc_winograd_points(along);
    const int64_t step = tiles->point_step * NPC_LANES, stride = args->point_stride;
    const int far = NPC_V(winograd_is_far)(stride, npc_winograd_points(across) * points);

    for (int64_t t = first; t < last; t++) {
        NPC_T *tile = (NPC_T *)args->to + (t + shift) * args->tile_stride;
        const int64_t column = tiles->column[t] * NPC_LANES;
        NPC_VEC half[NPC_WINOGRAD_MAX_OUTPUTS][NPC_WINOGRAD_MAX_POINTS];
        NPC_UNROLL
        for (int j = 0; j < outputs1; j++) {
            NPC_VEC y[NPC_WINOGRAD_MAX_OUTPUTS];
            NPC_UNROLL
            for (int i = 0; i < outputs0; i++)
                y[i] = NPC_V(load)((const NPC_T *)args->row[i] + column + j * step);
            NPC_V(winograd_at)(across, y, half[j]);
        }
        NPC_UNROLL
        for (int i = 0; i < used0; i++) {
            NPC_T *to = tile + npc_winograd_point(across, i) * points * stride;
            NPC_VEC y[NPC_WINOGRAD_MAX_OUTPUTS], m[NPC_WINOGRAD_MAX_POINTS];
            NPC_UNROLL
            for (int j = 0; j < outputs1; j++) y[j] = half[j][i];
            NPC_V(winograd_at)(along, y, m);
            if (far)
                NPC_V(winograd_fetch)(to + NPC_WINOGRAD_AHEAD * args->tile_stride, stride, along);
            NPC_UNROLL
            for (int j = 0; j < used1; j++)
                NPC_V(store)(to + npc_winograd_point(along, j) * stride, m[j]);
        }
    }
}

NPC_INLINE void NPC_V(winograd_grad_row)(const npc_winograd_grad_args *args,
                                         const npc_winograd_transform across)
{
    const npc_winograd_tiles *tiles = args->tiles;
#define WHOLE(along) NPC_V(winograd_grad_tiles)(args, 0, tiles->whole_tiles, 0, across, along)
    NPC_WINOGRAD_SWITCH(tiles->transform[1], WHOLE)
    if (tiles->whole_tiles < tiles->tiles)
        NPC_V(winograd_grad_tiles)(args, tiles->whole_tiles, tiles->tiles, tiles->edge_shift,
                                   across, NPC_WINOGRAD_F43_EDGE);
#undef WHOLE
}

NPC_DECLARE(winograd_grad);
void NPC_NAME(winograd_grad)(const npc_winograd_grad_args *args){
#define ROW(across) NPC_V(winograd_grad_row)(args, across)
    NPC_WINOGRAD_EDGE_SWITCH(args -> tiles->transform[0], ROW)
#undef ROW
}

NPC_INLINE void NPC_V(winograd_taps_of)(const npc_winograd_taps_args *args,
                                        const npc_winograd_transform across,
                                        const npc_winograd_transform along)
{
    const int points0 = npc_winograd_points(across), points1 = npc_winograd_points(along);
    const int taps0 = npc_winograd_taps(across), taps1 = npc_winograd_taps(along);
    const int far = NPC_V(winograd_is_far)(args->point_stride, points0 * points1);
    for (int64_t f = 0; f < args->filters; f++) {
        const NPC_T *from = (const NPC_T *)args->from + f * args->filter_stride;
        NPC_T *to = (NPC_T *)args->to + f * taps0 * taps1 * NPC_LANES;
        NPC_VEC half[NPC_WINOGRAD_MAX_POINTS][NPC_WINOGRAD_MAX_TAPS];
        NPC_UNROLL
        for (int j = 0; j < points1; j++) {
            NPC_VEC u[NPC_WINOGRAD_MAX_POINTS];
            NPC_UNROLL
            for (int i = 0; i < points0; i++)
                u[i] = NPC_V(load)(from + (i * points1 + j) * args->point_stride);
            if (far)
                NPC_V(winograd_fetch)(from + j * args->point_stride +
                                          NPC_WINOGRAD_AHEAD * args->filter_stride,
                                      points1 * args->point_stride, across);
            NPC_V(winograd_gt)(across, u, half[j]);
        }
        NPC_UNROLL
        for (int r = 0; r < taps0; r++) {
            NPC_VEC u[NPC_WINOGRAD_MAX_POINTS], g[NPC_WINOGRAD_MAX_TAPS];
            NPC_UNROLL
            for (int j = 0; j < points1; j++) u[j] = half[j][r];
            NPC_V(winograd_gt)(along, u, g);
            NPC_UNROLL
            for (int s = 0; s < taps1; s++) NPC_V(store)(to + (r * taps1 + s) * NPC_LANES, g[s]);
        }
    }
}

NPC_INLINE void NPC_V(winograd_taps_first)(const npc_winograd_taps_args *args,
                                           const npc_winograd_transform across){
#define SECOND(along) NPC_V(winograd_taps_of)(args, across, along)
    NPC_WINOGRAD_SWITCH(args->transform[1], SECOND)
#undef SECOND
}

NPC_DECLARE(winograd_taps);
void NPC_NAME(winograd_taps)(const npc_winograd_taps_args *args)
{
#define FIRST(across) NPC_V(winograd_taps_first)(args, across)
    NPC_WINOGRAD_SWITCH(args->transform[0], FIRST)
#undef FIRST
}
