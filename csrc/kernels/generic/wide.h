/* Elements read as doubles, a vector of elements at a time, for sums of many. */
#ifndef NPC_KERNELS_GENERIC_WIDE_H
#define NPC_KERNELS_GENERIC_WIDE_H

#include "kernel.h"

enum { f32_parts = 2, f64_parts = 1 }; /* vectors of doubles in a vector of elements */

typedef double f64_numbers __attribute__((vector_size(sizeof(f64_vec))));
typedef float f32_half
    __attribute__((vector_size(sizeof(f64_vec) / 2), aligned(sizeof(float)), may_alias));

NPC_INLINE f64_vec f32_wide(const float *p, int part)
{
    const f32_half half = *(const f32_half *)(p + part * f64_lanes);
    return (f64_vec) __builtin_convertvector(half, f64_numbers);
}

NPC_INLINE f64_vec f64_wide(const double *p, int part)
{
    (void)part;
    return f64_load(p);
}

#endif
