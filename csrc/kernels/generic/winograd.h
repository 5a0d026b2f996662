/* Winograd's minimal filtering along one axis, on vectors of channels.
 *
 * The results of a convolution y = g * d are the coefficients of a polynomial product; products at
 * enough points give them all (Toom 1963, Cook 1966, Winograd 1980; for convolutions Lavin and Gray
 * 2016): y = A((G g) . (B d)). F(m, r) takes m + r - 1 products for m results of r taps. For points
 * p_i, with M(x) the product of all (x - p_j) and M_i = M / (x - p_i): row i of B holds the
 * coefficients of M_i, row i of G the powers of p_i over M_i(p_i), column i of A the powers of p_i;
 * the point at infinity takes M, the last tap and the last result.
 *
 * Six points are 0, +-a, +-b and infinity with a = sqrt(1/2), b = sqrt(2): their powers stay
 * nearest to 1, so rounding errors are a fifth of those of the usual 0, +-1, +-2. Four points are
 * 0, +-1 and infinity: no constant but 1/2, exact on small integers. The edge variant of F(4, 3) is
 * F(2, 3) on 0, +-a and infinity, scaled so that it takes the same G: edge tiles share the
 * transformed weights.
 */
#ifndef NPC_KERNELS_GENERIC_WINOGRAD_H
#define NPC_KERNELS_GENERIC_WINOGRAD_H

#include "../args/winograd.h"
#include "kernel.h"

#define NPC_ROOT_HALF 0.70710678118654752440
#define NPC_ROOT_TWO 1.41421356237309504880

NPC_INLINE NPC_VEC NPC_V(constant)(const double value)
{
    const NPC_T rounded = (NPC_T)value;
    return NPC_V(broadcast)(&rounded);
}

/* The points of a tile, or of a filter, lie far apart, which no processor foresees: the lines of
 * one that comes a little later are fetched, where all of them are too many for the nearest cache.
 * They need not exist. */
enum { NPC_WINOGRAD_AHEAD = 3, NPC_WINOGRAD_NEAR_BYTES = 256 << 10 };
NPC_INLINE int NPC_V(winograd_is_far)(const int64_t point_stride, const int points)
{
    return point_stride * points * (int64_t)sizeof(NPC_T) > NPC_WINOGRAD_NEAR_BYTES;
}
NPC_INLINE void NPC_V(winograd_fetch)(const NPC_T *at, const int64_t stride,
                                      const npc_winograd_transform transform)
{
    NPC_UNROLL
    for (int i = 0; i < npc_winograd_used(transform); i++)
        __builtin_prefetch(at + npc_winograd_point(transform, i) * stride);
}

/* v[i] = B d, for the points used. */
NPC_INLINE void NPC_V(winograd_b)(const npc_winograd_transform transform, const NPC_VEC *d,
                                  NPC_VEC *v)
{
    switch (transform) {
    case NPC_WINOGRAD_F23:
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[3] - d[1];
        break;
    case NPC_WINOGRAD_F43:
    case NPC_WINOGRAD_F25: {
        const NPC_VEC p = NPC_V(fma)(NPC_V(constant)(-2.0), d[2], d[4]);
        const NPC_VEC q = NPC_V(fma)(NPC_V(constant)(-2.0), d[1], d[3]);
        const NPC_VEC r = NPC_V(fma)(NPC_V(constant)(-0.5), d[2], d[4]);
        const NPC_VEC s = NPC_V(fma)(NPC_V(constant)(-0.5), d[1], d[3]);
        v[0] = NPC_V(fma)(NPC_V(constant)(-2.5), d[2], d[0]) + d[4];
        v[1] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_HALF), q, p);
        v[2] = NPC_V(fma)(NPC_V(constant)(-NPC_ROOT_HALF), q, p);
        v[3] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_TWO), s, r);
        v[4] = NPC_V(fma)(NPC_V(constant)(-NPC_ROOT_TWO), s, r);
        v[5] = NPC_V(fma)(NPC_V(constant)(-2.5), d[3], d[1]) + d[5];
        break;
    }
    case NPC_WINOGRAD_F43_EDGE: {
        const NPC_VEC p = NPC_V(constant)(-1.5) * d[2];
        const NPC_VEC q = NPC_V(constant)(1.5 * NPC_ROOT_HALF) * d[1];
        v[0] = NPC_V(fma)(NPC_V(constant)(-2.0), d[2], d[0]);
        v[1] = p - q;
        v[2] = p + q;
        v[3] = NPC_V(fma)(NPC_V(constant)(-0.5), d[1], d[3]);
        break;
    }
    default:
        v[0] = d[0];
    }
}

/* u[i] = G g, for all points. */
NPC_INLINE void NPC_V(winograd_g)(const npc_winograd_transform transform, const NPC_VEC *g,
                                  NPC_VEC *u)
{
    switch (transform) {
    case NPC_WINOGRAD_F23: {
        const NPC_VEC even = NPC_V(constant)(0.5) * (g[0] + g[2]);
        const NPC_VEC odd = NPC_V(constant)(0.5) * g[1];
        u[0] = g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
        break;
    }
    case NPC_WINOGRAD_F43:
    case NPC_WINOGRAD_F25: {
        const int five = transform == NPC_WINOGRAD_F25;
        NPC_VEC p = NPC_V(fma)(NPC_V(constant)(0.5), g[2], g[0]), q = g[1];
        NPC_VEC r = NPC_V(fma)(NPC_V(constant)(2.0), g[2], g[0]), s = g[1];
        if (five) {
            p = NPC_V(fma)(NPC_V(constant)(0.25), g[4], p);
            q = NPC_V(fma)(NPC_V(constant)(0.5), g[3], q);
            r = NPC_V(fma)(NPC_V(constant)(4.0), g[4], r);
            s = NPC_V(fma)(NPC_V(constant)(2.0), g[3], s);
        }
        p = NPC_V(constant)(-2.0 / 3.0) * p;
        q = NPC_V(constant)(-2.0 / 3.0 * NPC_ROOT_HALF) * q;
        r = NPC_V(constant)(1.0 / 6.0) * r;
        s = NPC_V(constant)(1.0 / 6.0 * NPC_ROOT_TWO) * s;
        u[0] = g[0];
        u[1] = p + q;
        u[2] = p - q;
        u[3] = r + s;
        u[4] = r - s;
        u[5] = five ? g[4] : g[2];
        break;
    }
    default:
        u[0] = g[0];
    }
}

/* y = A m, from the products at the points used. */
NPC_INLINE void NPC_V(winograd_a)(const npc_winograd_transform transform, const NPC_VEC *m,
                                  NPC_VEC *y)
{
    switch (transform) {
    case NPC_WINOGRAD_F23:
        y[0] = m[0] + (m[1] + m[2]);
        y[1] = (m[1] - m[2]) + m[3];
        break;
    case NPC_WINOGRAD_F43:
    case NPC_WINOGRAD_F25: {
        const NPC_VEC even_a = m[1] + m[2], even_b = m[3] + m[4];
        const NPC_VEC odd_a = NPC_V(constant)(NPC_ROOT_HALF) * (m[1] - m[2]);
        const NPC_VEC odd_b = NPC_V(constant)(NPC_ROOT_TWO) * (m[3] - m[4]);
        y[0] = m[0] + (even_a + even_b);
        y[1] = odd_a + odd_b;
        if (transform == NPC_WINOGRAD_F25) {
            y[1] = y[1] + m[5];
        } else {
            y[2] = NPC_V(fma)(NPC_V(constant)(0.5), even_a, NPC_V(constant)(2.0) * even_b);
            y[3] = NPC_V(fma)(NPC_V(constant)(0.5), odd_a,
                              NPC_V(fma)(NPC_V(constant)(2.0), odd_b, m[5]));
        }
        break;
    }
    case NPC_WINOGRAD_F43_EDGE:
        y[0] = m[0] + (m[1] + m[2]);
        y[1] = NPC_V(fma)(NPC_V(constant)(NPC_ROOT_HALF), m[1] - m[2], m[3]);
        break;
    default:
        y[0] = m[0];
    }
}

/* Calls `body` with the transform as a constant; the second, where edge variants may be, too. */
#define NPC_WINOGRAD_SWITCH(transform, body)                                                       \
    switch (transform) {                                                                           \
    case NPC_WINOGRAD_F23:                                                                         \
        body(NPC_WINOGRAD_F23);                                                                    \
        break;                                                                                     \
    case NPC_WINOGRAD_F43:                                                                         \
        body(NPC_WINOGRAD_F43);                                                                    \
        break;                                                                                     \
    case NPC_WINOGRAD_F25:                                                                         \
        body(NPC_WINOGRAD_F25);                                                                    \
        break;                                                                                     \
    default:                                                                                       \
        body(NPC_WINOGRAD_NONE);                                                                   \
    }
#define NPC_WINOGRAD_EDGE_SWITCH(transform, body)                                                  \
    if ((transform) == NPC_WINOGRAD_F43_EDGE) {                                                    \
        body(NPC_WINOGRAD_F43_EDGE);                                                               \
    } else {                                                                                       \
        NPC_WINOGRAD_SWITCH(transform, body)                                                       \
    }

#endif
