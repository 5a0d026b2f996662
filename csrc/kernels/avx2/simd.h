/* The kernels' vocabulary in AVX2 with FMA: 16 registers of 8 floats or 4 doubles. */
#ifndef NPC_KERNELS_AVX2_SIMD_H
#define NPC_KERNELS_AVX2_SIMD_H

#include <immintrin.h>
#include <string.h>

#include "../../core/common.h"

/* rows * vecs accumulators + vecs panel vectors + 1 broadcast <= 16 registers; 4x3 would take them
 * all, and the compiler spills: two thirds of the speed of 6x2. */
#define NPC_UK1_ROWS_1 12
#define NPC_UK1_ROWS_2 6
#define NPC_UK1_ROWS_3 0
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
NPC_INLINE void f32_stream(float *p, f32_vec v) { _mm256_stream_ps(p, v); }
NPC_INLINE void f32_fence(void) { _mm_sfence(); }
NPC_INLINE f32_vec f32_add(f32_vec a, f32_vec b) { return _mm256_add_ps(a, b); }
NPC_INLINE f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return _mm256_fmadd_ps(a, b, c); }
NPC_INLINE f32_vec f32_mul(f32_vec a, f32_vec b) { return _mm256_mul_ps(a, b); }
NPC_INLINE f32_vec f32_root(f32_vec a) { return _mm256_sqrt_ps(a); }
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
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    if (step == (int32_t)step && step * f32_lanes == (int32_t)(step * f32_lanes))
        return _mm256_mask_i32gather_ps(f32_zero(), p,
                                        _mm256_mullo_epi32(lane, _mm256_set1_epi32((int)step)),
                                        _mm256_castsi256_ps(npc_avx2_mask8((1u << n) - 1)), 4);
    float lanes[f32_lanes] = {0};
    for (int i = 0; i < n; i++) lanes[i] = p[i * step];
    return f32_load(lanes);
}
typedef f32_vec f32_mask;
NPC_INLINE f32_mask f32_lanes_of(uint32_t mask)
{
    return _mm256_castsi256_ps(npc_avx2_mask8(mask));
}
NPC_INLINE f32_mask f32_beats(f32_vec a, f32_vec b)
{
    const f32_vec ordered = _mm256_cmp_ps(b, b, _CMP_ORD_Q);
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ), ordered);
}
NPC_INLINE f32_mask f32_undercuts(f32_vec a, f32_vec b)
{
    const f32_vec ordered = _mm256_cmp_ps(b, b, _CMP_ORD_Q);
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_NGE_UQ), ordered);
}
NPC_INLINE f32_vec f32_select(f32_mask mask, f32_vec a, f32_vec b)
{
    return _mm256_blendv_ps(b, a, mask);
}

typedef __m256i f32_ints;
NPC_INLINE f32_ints f32_int_broadcast(int64_t n) { return _mm256_set1_epi32((int)n); }
NPC_INLINE f32_ints f32_int_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
NPC_INLINE void f32_int_store(void *p, f32_ints v) { _mm256_storeu_si256((__m256i *)p, v); }
NPC_INLINE f32_ints f32_int_add(f32_ints a, f32_ints b) { return _mm256_add_epi32(a, b); }
NPC_INLINE f32_ints f32_int_sum_products(f32_ints a, f32_ints b, f32_ints c)
{
    return _mm256_add_epi32(_mm256_madd_epi16(a, b), c);
}
NPC_INLINE f32_ints f32_int_select(f32_mask mask, f32_ints a, f32_ints b)
{
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(mask));
}
NPC_INLINE void f32_store_int64(int64_t *p, f32_ints v, int n)
{
    const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(v));
    const __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1));
    _mm256_maskstore_epi64((long long *)p, npc_avx2_mask4((1u << n) - 1), low);
    if (n > 4)
        _mm256_maskstore_epi64((long long *)p + 4, npc_avx2_mask4((1u << (n - 4)) - 1), high);
}
NPC_INLINE void f32_store_bytes(uint8_t *p, f32_ints v, int n)
{
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
    memcpy(p, &bytes, n == 8 ? 8 : (size_t)n);
}
NPC_INLINE f32_ints f32_load_int64(const int64_t *p, int n)
{
    const __m256i low = _mm256_maskload_epi64((const long long *)p, npc_avx2_mask4((1u << n) - 1));
    const __m256i high =
        _mm256_maskload_epi64((const long long *)p + 4, npc_avx2_mask4(((1u << n) - 1) >> 4));
    const __m256 mixed =
        _mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xD8); /* of 0 1 4 5 2 3 6 7 */
}
NPC_INLINE f32_ints f32_load_bytes(const uint8_t *p, int n)
{
    int64_t bytes = 0;
    memcpy(&bytes, p, n == 8 ? 8 : (size_t)n);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes));
}
NPC_INLINE f32_mask f32_int_equal(f32_ints a, f32_ints b)
{
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
}
NPC_INLINE uint32_t f32_mask_bits(f32_mask mask) { return (uint32_t)_mm256_movemask_ps(mask); }
NPC_INLINE f32_mask f32_match(const uint8_t *p, int n)
{
    const __m256i numbers = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(numbers, _mm256_set1_epi32(n)));
}
NPC_INLINE f32_vec f32_add_where(f32_mask mask, f32_vec a, f32_vec b)
{
    return _mm256_blendv_ps(a, _mm256_add_ps(a, b), mask);
}
NPC_INLINE void f32_load_pairs(const float *p, int n, f32_vec *first, f32_vec *second)
{
    const f32_vec low = n < 4 ? f32_load_first(p, 2 * n) : f32_load(p);
    const f32_vec high = n > 4 ? f32_load_first(p + 8, 2 * n - 8) : f32_zero();
    const __m256 evens = _mm256_shuffle_ps(low, high, 0x88); /* 0 2 8 10 4 6 12 14 */
    const __m256 odds = _mm256_shuffle_ps(low, high, 0xDD);  /* 1 3 9 11 5 7 13 15 */
    *first = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(evens), 0xD8));
    *second = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(odds), 0xD8));
}
NPC_INLINE void f32_store_pairs(float *p, f32_vec first, f32_vec second, int n)
{
    const f32_vec low = _mm256_unpacklo_ps(first, second);
    const f32_vec high = _mm256_unpackhi_ps(first, second);
    f32_store_first(p, _mm256_permute2f128_ps(low, high, 0x20), n < 8 ? n : 8);
    if (n > 8) f32_store_first(p + 8, _mm256_permute2f128_ps(low, high, 0x31), n - 8);
}
NPC_INLINE void f32_transpose(f32_vec *v)
{
    f32_vec pair[8], four[8];
    for (int i = 0; i < 8; i += 2) {
        pair[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        pair[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) /* four[i + j]: columns j and 4 + j of rows i... */
        for (int j = 0; j < 2; j++) {
            four[i + 2 * j] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0x44);
            four[i + 2 * j + 1] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0xEE);
        }
    for (int j = 0; j < 4; j++) {
        v[j] = _mm256_permute2f128_ps(four[j], four[j + 4], 0x20);
        v[j + 4] = _mm256_permute2f128_ps(four[j], four[j + 4], 0x31);
    }
}

typedef __m256d f64_vec;
enum { f64_lanes = 4 };

NPC_INLINE f64_vec f64_zero(void) { return _mm256_setzero_pd(); }
NPC_INLINE f64_vec f64_broadcast(const double *p) { return _mm256_broadcast_sd(p); }
NPC_INLINE f64_vec f64_load(const double *p) { return _mm256_loadu_pd(p); }
NPC_INLINE void f64_store(double *p, f64_vec v) { _mm256_storeu_pd(p, v); }
NPC_INLINE void f64_stream(double *p, f64_vec v) { _mm256_stream_pd(p, v); }
NPC_INLINE void f64_fence(void) { _mm_sfence(); }
NPC_INLINE f64_vec f64_add(f64_vec a, f64_vec b) { return _mm256_add_pd(a, b); }
NPC_INLINE f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return _mm256_fmadd_pd(a, b, c); }
NPC_INLINE f64_vec f64_mul(f64_vec a, f64_vec b) { return _mm256_mul_pd(a, b); }
NPC_INLINE f64_vec f64_root(f64_vec a) { return _mm256_sqrt_pd(a); }
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
NPC_INLINE f64_mask f64_lanes_of(uint32_t mask)
{
    return _mm256_castsi256_pd(npc_avx2_mask4(mask));
}
NPC_INLINE f64_mask f64_beats(f64_vec a, f64_vec b)
{
    const f64_vec ordered = _mm256_cmp_pd(b, b, _CMP_ORD_Q);
    return _mm256_and_pd(_mm256_cmp_pd(a, b, _CMP_NLE_UQ), ordered);
}
NPC_INLINE f64_mask f64_undercuts(f64_vec a, f64_vec b)
{
    const f64_vec ordered = _mm256_cmp_pd(b, b, _CMP_ORD_Q);
    return _mm256_and_pd(_mm256_cmp_pd(a, b, _CMP_NGE_UQ), ordered);
}
NPC_INLINE f64_vec f64_select(f64_mask mask, f64_vec a, f64_vec b)
{
    return _mm256_blendv_pd(b, a, mask);
}

typedef __m256i f64_ints;
NPC_INLINE f64_ints f64_int_broadcast(int64_t n) { return _mm256_set1_epi64x(n); }
NPC_INLINE f64_ints f64_int_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
NPC_INLINE void f64_int_store(void *p, f64_ints v) { _mm256_storeu_si256((__m256i *)p, v); }
NPC_INLINE f64_ints f64_int_add(f64_ints a, f64_ints b) { return _mm256_add_epi64(a, b); }
typedef uint64_t f64_words __attribute__((vector_size(32)));
NPC_INLINE f64_ints f64_int_sum_products(f64_ints a, f64_ints b, f64_ints c)
{
    return (f64_ints)((f64_words)a * (f64_words)b + (f64_words)c);
}
NPC_INLINE f64_ints f64_int_select(f64_mask mask, f64_ints a, f64_ints b)
{
    return _mm256_blendv_epi8(b, a, _mm256_castpd_si256(mask));
}
NPC_INLINE void f64_store_int64(int64_t *p, f64_ints v, int n)
{
    _mm256_maskstore_epi64((long long *)p, npc_avx2_mask4((1u << n) - 1), v);
}
NPC_INLINE void f64_store_bytes(uint8_t *p, f64_ints v, int n)
{
    /* the low byte of each element, to the front of its half */
    const __m256i lows =
        _mm256_setr_epi8(0, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 8,
                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i picked = _mm256_shuffle_epi8(v, lows);
    const int bytes = _mm_cvtsi128_si32(
        _mm_or_si128(_mm256_castsi256_si128(picked), _mm256_extracti128_si256(picked, 1)));
    memcpy(p, &bytes, n == 4 ? 4 : (size_t)n);
}
NPC_INLINE f64_ints f64_load_int64(const int64_t *p, int n)
{
    return _mm256_maskload_epi64((const long long *)p, npc_avx2_mask4((1u << n) - 1));
}
NPC_INLINE f64_ints f64_load_bytes(const uint8_t *p, int n)
{
    int bytes = 0;
    memcpy(&bytes, p, n == 4 ? 4 : (size_t)n);
    return _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
}
NPC_INLINE f64_mask f64_int_equal(f64_ints a, f64_ints b)
{
    return _mm256_castsi256_pd(_mm256_cmpeq_epi64(a, b));
}
NPC_INLINE uint32_t f64_mask_bits(f64_mask mask) { return (uint32_t)_mm256_movemask_pd(mask); }
NPC_INLINE f64_mask f64_match(const uint8_t *p, int n)
{
    int bytes;
    memcpy(&bytes, p, sizeof bytes);
    const __m256i numbers = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
    return _mm256_castsi256_pd(_mm256_cmpeq_epi64(numbers, _mm256_set1_epi64x(n)));
}
NPC_INLINE f64_vec f64_add_where(f64_mask mask, f64_vec a, f64_vec b)
{
    return _mm256_blendv_pd(a, _mm256_add_pd(a, b), mask);
}
NPC_INLINE void f64_load_pairs(const double *p, int n, f64_vec *first, f64_vec *second)
{
    const f64_vec low = n < 2 ? f64_load_first(p, 2 * n) : f64_load(p);
    const f64_vec high = n > 2 ? f64_load_first(p + 4, 2 * n - 4) : f64_zero();
    *first = _mm256_permute4x64_pd(_mm256_unpacklo_pd(low, high), 0xD8);  /* of 0 4 2 6 */
    *second = _mm256_permute4x64_pd(_mm256_unpackhi_pd(low, high), 0xD8); /* of 1 5 3 7 */
}
NPC_INLINE void f64_store_pairs(double *p, f64_vec first, f64_vec second, int n)
{
    const f64_vec low = _mm256_unpacklo_pd(first, second);
    const f64_vec high = _mm256_unpackhi_pd(first, second);
    f64_store_first(p, _mm256_permute2f128_pd(low, high, 0x20), n < 4 ? n : 4);
    if (n > 4) f64_store_first(p + 4, _mm256_permute2f128_pd(low, high, 0x31), n - 4);
}
NPC_INLINE void f64_transpose(f64_vec *v)
{
    f64_vec pair[4];
    for (int i = 0; i < 4; i += 2) {
        pair[i] = _mm256_unpacklo_pd(v[i], v[i + 1]);
        pair[i + 1] = _mm256_unpackhi_pd(v[i], v[i + 1]);
    }
    for (int j = 0; j < 2; j++) {
        v[j] = _mm256_permute2f128_pd(pair[j], pair[j + 2], 0x20);
        v[j + 2] = _mm256_permute2f128_pd(pair[j], pair[j + 2], 0x31);
    }
}

#endif
