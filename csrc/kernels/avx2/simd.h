/* The kernels' vocabulary in AVX2 with FMA: 16 registers of 8 floats or 4 doubles. */
#ifndef NPC_KERNELS_AVX2_SIMD_H
#define NPC_KERNELS_AVX2_SIMD_H

#include <immintrin.h>

#include "../kernels.h"

/* rows * vecs accumulators + vecs panel vectors + 1 broadcast <= 16 registers */
#define NPC_UK1_ROWS_1 12
#define NPC_UK1_ROWS_2 6
#define NPC_UK1_ROWS_3 4
#define NPC_UK1_ROWS_4 0
#define NPC_DOT_ROWS 3
#define NPC_DOT_COLS 4

/* Lane masks for the masked moves: lane i is set where bit i of `mask` is. */
NPC_INLINE __m256i npc_avx2_mask8(uint32_t mask)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)mask), bit), bit);
}
NPC_INLINE __m256i npc_avx2_mask4(uint32_t mask)
{
    const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x((int64_t)mask), bit), bit);
}

typedef __m256 f32_vec;
enum { f32_lanes = 8 };

NPC_INLINE f32_vec f32_zero(void) { return _mm256_setzero_ps(); }
NPC_INLINE f32_vec f32_broadcast(const float *p) { return _mm256_broadcast_ss(p); }
NPC_INLINE f32_vec f32_load(const float *p) { return _mm256_loadu_ps(p); }
NPC_INLINE void f32_store(float *p, f32_vec v) { _mm256_storeu_ps(p, v); }
NPC_INLINE f32_vec f32_add(f32_vec a, f32_vec b) { return _mm256_add_ps(a, b); }
NPC_INLINE f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return _mm256_fmadd_ps(a, b, c); }
NPC_INLINE f32_vec f32_mul(f32_vec a, f32_vec b) { return _mm256_mul_ps(a, b); }
/* The instruction gives its second operand where either is NaN. */
NPC_INLINE f32_vec f32_not_above(f32_vec a, f32_vec b) { return _mm256_min_ps(b, a); }
NPC_INLINE f32_vec f32_load_first(const float *p, int n)
{
    return _mm256_maskload_ps(p, npc_avx2_mask8((1u << n) - 1));
}
NPC_INLINE void f32_store_first(float *p, f32_vec v, int n)
{
    _mm256_maskstore_ps(p, npc_avx2_mask8((1u << n) - 1), v);
}
NPC_INLINE f32_vec f32_load_masked(const float *p, uint32_t mask)
{
    return _mm256_maskload_ps(p, npc_avx2_mask8(mask));
}
NPC_INLINE f32_vec f32_load_even(const float *p, uint32_t mask)
{
    const f32_vec low = f32_load_masked(p, mask), high = f32_load_masked(p + 8, mask >> 8);
    const __m256 mixed = _mm256_shuffle_ps(low, high, 0x88); /* 0 2 8 10 4 6 12 14 */
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
}
NPC_INLINE f32_vec f32_unmix(f32_vec mixed) /* quarters 0 1 2 3 -> 0 2 1 3 */
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
}
NPC_INLINE f32_vec f32_even(f32_vec low, f32_vec high)
{
    return f32_unmix(_mm256_shuffle_ps(low, high, 0x88));
}
NPC_INLINE f32_vec f32_odd(f32_vec low, f32_vec high)
{
    return f32_unmix(_mm256_shuffle_ps(low, high, 0xDD));
}
NPC_INLINE f32_vec f32_zip_low(f32_vec low, f32_vec high)
{
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(low, high), _mm256_unpackhi_ps(low, high),
                                  0x20);
}
NPC_INLINE f32_vec f32_zip_high(f32_vec low, f32_vec high)
{
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(low, high), _mm256_unpackhi_ps(low, high),
                                  0x31);
}
NPC_INLINE f32_vec f32_merge(f32_vec a, f32_vec b) { return _mm256_or_ps(a, b); }
NPC_INLINE float f32_total(f32_vec v)
{
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

NPC_INLINE f32_vec f32_load_step(const float *p, int64_t step, int n)
{
    if (step == 1) return f32_load_first(p, n);
    if (step == 2) return f32_load_even(p, (1u << (2 * n - 1)) - 1);
    float lanes[f32_lanes] = {0};
    for (int i = 0; i < n; i++) lanes[i] = p[i * step];
    return f32_load(lanes);
}
typedef f32_vec f32_mask;
NPC_INLINE f32_mask f32_beats(f32_vec a, f32_vec b)
{
    const f32_vec unordered = _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
    const f32_vec ordered = _mm256_cmp_ps(b, b, _CMP_ORD_Q);
    return _mm256_or_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ), _mm256_and_ps(unordered, ordered));
}
NPC_INLINE f32_vec f32_select(f32_mask mask, f32_vec a, f32_vec b)
{
    return _mm256_blendv_ps(b, a, mask);
}

typedef __m256d f64_vec;
enum { f64_lanes = 4 };

NPC_INLINE f64_vec f64_zero(void) { return _mm256_setzero_pd(); }
NPC_INLINE f64_vec f64_broadcast(const double *p) { return _mm256_broadcast_sd(p); }
NPC_INLINE f64_vec f64_load(const double *p) { return _mm256_loadu_pd(p); }
NPC_INLINE void f64_store(double *p, f64_vec v) { _mm256_storeu_pd(p, v); }
NPC_INLINE f64_vec f64_add(f64_vec a, f64_vec b) { return _mm256_add_pd(a, b); }
NPC_INLINE f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return _mm256_fmadd_pd(a, b, c); }
NPC_INLINE f64_vec f64_mul(f64_vec a, f64_vec b) { return _mm256_mul_pd(a, b); }
NPC_INLINE f64_vec f64_not_above(f64_vec a, f64_vec b) { return _mm256_min_pd(b, a); }
NPC_INLINE f64_vec f64_load_first(const double *p, int n)
{
    return _mm256_maskload_pd(p, npc_avx2_mask4((1u << n) - 1));
}
NPC_INLINE void f64_store_first(double *p, f64_vec v, int n)
{
    _mm256_maskstore_pd(p, npc_avx2_mask4((1u << n) - 1), v);
}
NPC_INLINE f64_vec f64_load_masked(const double *p, uint32_t mask)
{
    return _mm256_maskload_pd(p, npc_avx2_mask4(mask));
}
NPC_INLINE f64_vec f64_load_even(const double *p, uint32_t mask)
{
    const f64_vec low = f64_load_masked(p, mask), high = f64_load_masked(p + 4, mask >> 4);
    const __m256d mixed = _mm256_unpacklo_pd(low, high); /* 0 4 2 6 */
    return _mm256_permute4x64_pd(mixed, 0xD8);
}
NPC_INLINE f64_vec f64_even(f64_vec low, f64_vec high)
{
    return _mm256_permute4x64_pd(_mm256_unpacklo_pd(low, high), 0xD8);
}
NPC_INLINE f64_vec f64_odd(f64_vec low, f64_vec high)
{
    return _mm256_permute4x64_pd(_mm256_unpackhi_pd(low, high), 0xD8);
}
NPC_INLINE f64_vec f64_zip_low(f64_vec low, f64_vec high)
{
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(low, high), _mm256_unpackhi_pd(low, high),
                                  0x20);
}
NPC_INLINE f64_vec f64_zip_high(f64_vec low, f64_vec high)
{
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(low, high), _mm256_unpackhi_pd(low, high),
                                  0x31);
}
NPC_INLINE f64_vec f64_merge(f64_vec a, f64_vec b) { return _mm256_or_pd(a, b); }
NPC_INLINE double f64_total(f64_vec v)
{
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

NPC_INLINE f64_vec f64_load_step(const double *p, int64_t step, int n)
{
    if (step == 1) return f64_load_first(p, n);
    if (step == 2) return f64_load_even(p, (1u << (2 * n - 1)) - 1);
    double lanes[f64_lanes] = {0};
    for (int i = 0; i < n; i++) lanes[i] = p[i * step];
    return f64_load(lanes);
}
typedef f64_vec f64_mask;
NPC_INLINE f64_mask f64_beats(f64_vec a, f64_vec b)
{
    const f64_vec unordered = _mm256_cmp_pd(a, a, _CMP_UNORD_Q);
    const f64_vec ordered = _mm256_cmp_pd(b, b, _CMP_ORD_Q);
    return _mm256_or_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ), _mm256_and_pd(unordered, ordered));
}
NPC_INLINE f64_vec f64_select(f64_mask mask, f64_vec a, f64_vec b)
{
    return _mm256_blendv_pd(b, a, mask);
}

#endif
