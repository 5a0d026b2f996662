/* e^x and e^x - 1 of vectors for x <= 0, which is what the operations need: they never overflow.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2; e^r - 1 = r + r^2 q(r), where q interpolates at Chebyshev's
 * points with a relative error of the whole below 2^-30 (float) or 2^-60 (double); then
 * e^x = 2^n e^r and e^x - 1 = 2^n (e^r - 1) + (2^n - 1), where nothing cancels. NaN stays NaN.
 * Errors are below 2 ulp, subnormal results included. */
#ifndef NPC_KERNELS_GENERIC_EXPONENTIAL_H
#define NPC_KERNELS_GENERIC_EXPONENTIAL_H

#include "kernel.h"

enum {
    f32_fraction_bits = 23,
    f32_lowest_exponent = -126,
    f32_exponent_bias = 127,
    f32_powers = 6,
    f64_fraction_bits = 52,
    f64_lowest_exponent = -1022,
    f64_exponent_bias = 1023,
    f64_powers = 11
};

static const float f32_powers_of_r[f32_powers] = {0.5000000013487226f,    0.16666666681647016f,
                                                  0.04166646471137908f,   0.00833331090172597f,
                                                  0.0013933673732931852f, 0.0001989101718430203f};
static const double f64_powers_of_r[f64_powers] = {
    0x1.0000000000000p-1,  0x1.5555555555557p-3,  0x1.5555555555556p-5,  0x1.11111111100d3p-7,
    0x1.6c16c16c162cfp-10, 0x1.a01a01abeccc3p-13, 0x1.a01a01a6db488p-16, 0x1.71de02225a2f3p-19,
    0x1.27e4db5bb725ap-22, 0x1.af4e092e1705bp-26, 0x1.1f7315649f2d7p-29};
/* ln 2 in two parts, the first with so few bits that n times it is exact. */
static const float f32_ln2[2] = {0.693359375f, -0x1.bd0105c610ca8p-13f};
static const double f64_ln2[2] = {0x1.62e42ffp-1, -0x1.718432a1b0e26p-35};
/* Below, the results of e^x are zero. */
static const float f32_underflow = -104.0f;
static const double f64_underflow = -746.0;
/* Below, the results of e^x - 1 are -1. */
static const float f32_saturation = -20.0f;
static const double f64_saturation = -40.0;

NPC_INLINE NPC_VEC NPC_V(constant)(const NPC_T value) { return NPC_V(broadcast)(&value); }

/* 2^n of whole n, from the lowest exponent to 127 or 1023. */
NPC_INLINE NPC_VEC NPC_V(power_of_two)(NPC_VEC n)
{
    /* Added to so large a number, n stands in the lowest bits. */
    const NPC_T shifter = (NPC_T)1.5 * (NPC_T)((int64_t)1 << NPC_V(fraction_bits));
    const NPC_VEC shifted = n + NPC_V(constant)(shifter + (NPC_T)NPC_V(exponent_bias));
    return (NPC_VEC)((NPC_BITS)shifted << NPC_V(fraction_bits));
}

/* e^r - 1 of x = n ln 2 + r. */
NPC_INLINE NPC_VEC NPC_V(reduced)(NPC_VEC x, NPC_VEC *n)
{
    const NPC_VEC shifter =
        NPC_V(constant)((NPC_T)1.5 * (NPC_T)((int64_t)1 << NPC_V(fraction_bits)));
    *n = x * NPC_V(constant)((NPC_T)0x1.71547652b82fep+0) + shifter; /* rounded to whole */
    NPC_IN_REGISTER(*n);
    *n = *n - shifter;
    NPC_VEC r = NPC_V(fma)(*n, NPC_V(constant)(-NPC_V(ln2)[0]), x);
    r = NPC_V(fma)(*n, NPC_V(constant)(-NPC_V(ln2)[1]), r);
    NPC_VEC q = NPC_V(constant)(NPC_V(powers_of_r)[NPC_V(powers) - 1]);
    NPC_UNROLL
    for (int i = NPC_V(powers) - 2; i >= 0; i--)
        q = NPC_V(fma)(q, r, NPC_V(constant)(NPC_V(powers_of_r)[i]));
    return NPC_V(fma)(r * r, q, r);
}

NPC_INLINE NPC_VEC NPC_V(not_below)(NPC_VEC v, const NPC_T limit)
{
    const NPC_VEC lowest = NPC_V(constant)(limit);
    return NPC_V(select)(NPC_V(beats)(lowest, v), lowest, v);
}

/* e^x, x <= 0 */
NPC_INLINE NPC_VEC NPC_V(exponential)(NPC_VEC x)
{
    NPC_VEC n;
    const NPC_VEC p = NPC_V(reduced)(NPC_V(not_below)(x, NPC_V(underflow)), &n);
    /* In two factors, for 2^n may be less than the smallest normal number. */
    const NPC_VEC first = NPC_V(not_below)(n, (NPC_T)NPC_V(lowest_exponent));
    const NPC_VEC one = NPC_V(constant)(1);
    return (one + p) * NPC_V(power_of_two)(first) * NPC_V(power_of_two)(n - first);
}

/* e^x - 1, x <= 0 */
NPC_INLINE NPC_VEC NPC_V(exponential_less_one)(NPC_VEC x)
{
    NPC_VEC n;
    const NPC_VEC p = NPC_V(reduced)(NPC_V(not_below)(x, NPC_V(saturation)), &n);
    const NPC_VEC power = NPC_V(power_of_two)(n);
    return NPC_V(fma)(power, p, power - NPC_V(constant)(1));
}

#endif
