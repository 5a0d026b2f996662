/* The kernels' vocabulary in AVX-512 (F, BW, DQ, VL): 32 registers of 16 floats or 8 doubles. */
#ifndef NPC_KERNELS_AVX512_SIMD_H
#define NPC_KERNELS_AVX512_SIMD_H

#include <immintrin.h>

#include "../../core/common.h"

/* rows * vecs accumulators + vecs panel vectors + 1 broadcast <= 32 registers */
#define NPC_UK1_ROWS_1 14
#define NPC_UK1_ROWS_2 14
#define NPC_UK1_ROWS_3 9
#define NPC_UK1_ROWS_4 6
#define NPC_DOT_ROWS 4
#define NPC_DOT_COLS 6

typedef __m512 f32_vec;
enum { f32_lanes = 16 };

NPC_INLINE __mmask16 f32_first(int n) { return (__mmask16)((1u << n) - 1); }
NPC_INLINE f32_vec f32_zero(void) { return _mm512_setzero_ps(); }
NPC_INLINE f32_vec f32_broadcast(const float *p) { return _mm512_set1_ps(*p); }
NPC_INLINE f32_vec f32_load(const float *p) { return _mm512_loadu_ps(p); }
NPC_INLINE void f32_store(float *p, f32_vec v) { _mm512_storeu_ps(p, v); }
NPC_INLINE void f32_stream(float *p, f32_vec v) { _mm512_stream_ps(p, v); }
NPC_INLINE void f32_fence(void) { _mm_sfence(); }
NPC_INLINE f32_vec f32_add(f32_vec a, f32_vec b) { return _mm512_add_ps(a, b); }
NPC_INLINE f32_vec f32_fma(f32_vec a, f32_vec b, f32_vec c) { return _mm512_fmadd_ps(a, b, c); }
NPC_INLINE f32_vec f32_mul(f32_vec a, f32_vec b) { return _mm512_mul_ps(a, b); }
NPC_INLINE f32_vec f32_root(f32_vec a) { return _mm512_sqrt_ps(a); }
/* The instruction gives its second operand where either is NaN. */
NPC_INLINE f32_vec f32_not_above(f32_vec a, f32_vec b) { return _mm512_min_ps(b, a); }
NPC_INLINE f32_vec f32_load_first(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(f32_first(n), p);
}
NPC_INLINE void f32_store_first(float *p, f32_vec v, int n)
{
    _mm512_mask_storeu_ps(p, f32_first(n), v);
}
NPC_INLINE f32_vec f32_load_masked(const float *p, uint32_t mask)
{
    return _mm512_maskz_loadu_ps((__mmask16)mask, p);
}
NPC_INLINE f32_vec f32_load_even(const float *p, uint32_t mask)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const f32_vec low = f32_load_masked(p, mask), high = f32_load_masked(p + 16, mask >> 16);
    return _mm512_permutex2var_ps(low, even, high);
}
NPC_INLINE f32_vec f32_even(f32_vec low, f32_vec high)
{
    const __m512i from =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_ps(low, from, high);
}
NPC_INLINE f32_vec f32_odd(f32_vec low, f32_vec high)
{
    const __m512i from =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(low, from, high);
}
NPC_INLINE f32_vec f32_zip_low(f32_vec low, f32_vec high)
{
    const __m512i from = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(low, from, high);
}
NPC_INLINE f32_vec f32_zip_high(f32_vec low, f32_vec high)
{
    const __m512i from =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(low, from, high);
}
NPC_INLINE f32_vec f32_merge(f32_vec a, f32_vec b) { return _mm512_or_ps(a, b); }
NPC_INLINE float f32_total(f32_vec v) { return _mm512_reduce_add_ps(v); }

NPC_INLINE f32_vec f32_load_step(const float *p, int64_t step, int n)
{
    if (step == 1) return f32_load_first(p, n);
    if (step == 2) return f32_load_even(p, (uint32_t)(((uint64_t)1 << (2 * n - 1)) - 1));
    if (step == 4) { /* every second of every second, faster than a gather */
        const uint64_t mask = ((uint64_t)1 << (4 * n - 3)) - 1;
        const __m512i even =
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        return _mm512_permutex2var_ps(f32_load_even(p, (uint32_t)mask), even,
                                      f32_load_even(p + 32, (uint32_t)(mask >> 32)));
    }
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    if (step == (int32_t)step && step * f32_lanes == (int32_t)(step * f32_lanes))
        return _mm512_mask_i32gather_ps(
            f32_zero(), f32_first(n), _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)step)), p, 4);
    float lanes[f32_lanes] = {0};
    for (int i = 0; i < n; i++) lanes[i] = p[i * step];
    return f32_load(lanes);
}
typedef __mmask16 f32_mask;
NPC_INLINE f32_mask f32_lanes_of(uint32_t mask) { return (f32_mask)mask; }
NPC_INLINE f32_mask f32_beats(f32_vec a, f32_vec b)
{
    const f32_mask ordered = _mm512_cmp_ps_mask(b, b, _CMP_ORD_Q);
    return _mm512_mask_cmp_ps_mask(ordered, a, b, _CMP_NLE_UQ);
}
NPC_INLINE f32_mask f32_undercuts(f32_vec a, f32_vec b)
{
    const f32_mask ordered = _mm512_cmp_ps_mask(b, b, _CMP_ORD_Q);
    return _mm512_mask_cmp_ps_mask(ordered, a, b, _CMP_NGE_UQ);
}
NPC_INLINE f32_vec f32_select(f32_mask mask, f32_vec a, f32_vec b)
{
    return _mm512_mask_blend_ps(mask, b, a);
}

typedef __m512i f32_ints;
NPC_INLINE f32_ints f32_int_broadcast(int64_t n) { return _mm512_set1_epi32((int)n); }
NPC_INLINE f32_ints f32_int_load(const void *p) { return _mm512_loadu_si512(p); }
NPC_INLINE void f32_int_store(void *p, f32_ints v) { _mm512_storeu_si512(p, v); }
NPC_INLINE f32_ints f32_int_add(f32_ints a, f32_ints b) { return _mm512_add_epi32(a, b); }
NPC_INLINE f32_ints f32_int_sum_products(f32_ints a, f32_ints b, f32_ints c)
{
    return _mm512_add_epi32(_mm512_madd_epi16(a, b), c);
}
NPC_INLINE f32_ints f32_int_select(f32_mask mask, f32_ints a, f32_ints b)
{
    return _mm512_mask_blend_epi32(mask, b, a);
}
NPC_INLINE void f32_store_int64(int64_t *p, f32_ints v, int n)
{
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));
    _mm512_mask_storeu_epi64(p, (__mmask8)f32_first(n), low);
    if (n > 8) _mm512_mask_storeu_epi64(p + 8, (__mmask8)(f32_first(n) >> 8), high);
}
NPC_INLINE void f32_store_bytes(uint8_t *p, f32_ints v, int n)
{
    _mm_mask_storeu_epi8(p, f32_first(n), _mm512_cvtepi32_epi8(v));
}
NPC_INLINE f32_ints f32_load_int64(const int64_t *p, int n)
{
    const __m256i low =
        _mm512_cvtepi64_epi32(_mm512_maskz_loadu_epi64((__mmask8)f32_first(n < 8 ? n : 8), p));
    const __m256i high =
        _mm512_cvtepi64_epi32(_mm512_maskz_loadu_epi64((__mmask8)(f32_first(n) >> 8), p + 8));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
NPC_INLINE f32_ints f32_load_bytes(const uint8_t *p, int n)
{
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(f32_first(n), p));
}
NPC_INLINE f32_mask f32_int_equal(f32_ints a, f32_ints b) { return _mm512_cmpeq_epi32_mask(a, b); }
NPC_INLINE uint32_t f32_mask_bits(f32_mask mask) { return mask; }
NPC_INLINE f32_mask f32_match(const uint8_t *p, int n)
{
    return _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8((char)n));
}
NPC_INLINE f32_vec f32_add_where(f32_mask mask, f32_vec a, f32_vec b)
{
    return _mm512_mask_add_ps(a, mask, a, b);
}
NPC_INLINE void f32_load_pairs(const float *p, int n, f32_vec *first, f32_vec *second)
{
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const f32_vec low = f32_load_first(p, n < 8 ? 2 * n : 16);
    const f32_vec high = n > 8 ? f32_load_first(p + 16, 2 * n - 16) : f32_zero();
    *first = _mm512_permutex2var_ps(low, even, high);
    *second = _mm512_permutex2var_ps(low, odd, high);
}
NPC_INLINE void f32_store_pairs(float *p, f32_vec first, f32_vec second, int n)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    f32_store_first(p, _mm512_permutex2var_ps(first, low, second), n < 16 ? n : 16);
    if (n > 16) f32_store_first(p + 16, _mm512_permutex2var_ps(first, high, second), n - 16);
}
NPC_INLINE void f32_transpose(f32_vec *v)
{
    f32_vec pair[16], four[16];
    for (int i = 0; i < 16; i += 2) {
        pair[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        pair[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) /* four[i + j]: columns j, 4 + j, 8 + j, 12 + j of rows i... */
        for (int j = 0; j < 2; j++) {
            const __m512d low = _mm512_castps_pd(pair[i + j]);
            const __m512d high = _mm512_castps_pd(pair[i + j + 2]);
            four[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            four[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (int j = 0; j < 4; j++) {
        const f32_vec even0 = _mm512_shuffle_f32x4(four[j], four[j + 4], 0x88);
        const f32_vec odd0 = _mm512_shuffle_f32x4(four[j], four[j + 4], 0xDD);
        const f32_vec even1 = _mm512_shuffle_f32x4(four[j + 8], four[j + 12], 0x88);
        const f32_vec odd1 = _mm512_shuffle_f32x4(four[j + 8], four[j + 12], 0xDD);
        v[j] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        v[j + 4] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        v[j + 8] = _mm512_shuffle_f32x4(even0, even1, 0xDD);
        v[j + 12] = _mm512_shuffle_f32x4(odd0, odd1, 0xDD);
    }
}

typedef __m512d f64_vec;
enum { f64_lanes = 8 };

NPC_INLINE __mmask8 f64_first(int n) { return (__mmask8)((1u << n) - 1); }
NPC_INLINE f64_vec f64_zero(void) { return _mm512_setzero_pd(); }
NPC_INLINE f64_vec f64_broadcast(const double *p) { return _mm512_set1_pd(*p); }
NPC_INLINE f64_vec f64_load(const double *p) { return _mm512_loadu_pd(p); }
NPC_INLINE void f64_store(double *p, f64_vec v) { _mm512_storeu_pd(p, v); }
NPC_INLINE void f64_stream(double *p, f64_vec v) { _mm512_stream_pd(p, v); }
NPC_INLINE void f64_fence(void) { _mm_sfence(); }
NPC_INLINE f64_vec f64_add(f64_vec a, f64_vec b) { return _mm512_add_pd(a, b); }
NPC_INLINE f64_vec f64_fma(f64_vec a, f64_vec b, f64_vec c) { return _mm512_fmadd_pd(a, b, c); }
NPC_INLINE f64_vec f64_mul(f64_vec a, f64_vec b) { return _mm512_mul_pd(a, b); }
NPC_INLINE f64_vec f64_root(f64_vec a) { return _mm512_sqrt_pd(a); }
NPC_INLINE f64_vec f64_not_above(f64_vec a, f64_vec b) { return _mm512_min_pd(b, a); }
NPC_INLINE f64_vec f64_load_first(const double *p, int n)
{
    return _mm512_maskz_loadu_pd(f64_first(n), p);
}
NPC_INLINE void f64_store_first(double *p, f64_vec v, int n)
{
    _mm512_mask_storeu_pd(p, f64_first(n), v);
}
NPC_INLINE f64_vec f64_load_masked(const double *p, uint32_t mask)
{
    return _mm512_maskz_loadu_pd((__mmask8)mask, p);
}
NPC_INLINE f64_vec f64_load_even(const double *p, uint32_t mask)
{
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const f64_vec low = f64_load_masked(p, mask), high = f64_load_masked(p + 8, mask >> 8);
    return _mm512_permutex2var_pd(low, even, high);
}
NPC_INLINE f64_vec f64_even(f64_vec low, f64_vec high)
{
    const __m512i from = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    return _mm512_permutex2var_pd(low, from, high);
}
NPC_INLINE f64_vec f64_odd(f64_vec low, f64_vec high)
{
    const __m512i from = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    return _mm512_permutex2var_pd(low, from, high);
}
NPC_INLINE f64_vec f64_zip_low(f64_vec low, f64_vec high)
{
    const __m512i from = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    return _mm512_permutex2var_pd(low, from, high);
}
NPC_INLINE f64_vec f64_zip_high(f64_vec low, f64_vec high)
{
    const __m512i from = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    return _mm512_permutex2var_pd(low, from, high);
}
NPC_INLINE f64_vec f64_merge(f64_vec a, f64_vec b) { return _mm512_or_pd(a, b); }
NPC_INLINE double f64_total(f64_vec v) { return _mm512_reduce_add_pd(v); }

NPC_INLINE f64_vec f64_load_step(const double *p, int64_t step, int n)
{
    if (step == 1) return f64_load_first(p, n);
    if (step == 2) return f64_load_even(p, (uint32_t)(((uint64_t)1 << (2 * n - 1)) - 1));
    const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_mask_i64gather_pd(f64_zero(), f64_first(n),
                                    _mm512_mullo_epi64(lane, _mm512_set1_epi64(step)), p, 8);
}
typedef __mmask8 f64_mask;
NPC_INLINE f64_mask f64_lanes_of(uint32_t mask) { return (f64_mask)mask; }
NPC_INLINE f64_mask f64_beats(f64_vec a, f64_vec b)
{
    const f64_mask ordered = _mm512_cmp_pd_mask(b, b, _CMP_ORD_Q);
    return _mm512_mask_cmp_pd_mask(ordered, a, b, _CMP_NLE_UQ);
}
NPC_INLINE f64_mask f64_undercuts(f64_vec a, f64_vec b)
{
    const f64_mask ordered = _mm512_cmp_pd_mask(b, b, _CMP_ORD_Q);
    return _mm512_mask_cmp_pd_mask(ordered, a, b, _CMP_NGE_UQ);
}
NPC_INLINE f64_vec f64_select(f64_mask mask, f64_vec a, f64_vec b)
{
    return _mm512_mask_blend_pd(mask, b, a);
}

typedef __m512i f64_ints;
NPC_INLINE f64_ints f64_int_broadcast(int64_t n) { return _mm512_set1_epi64(n); }
NPC_INLINE f64_ints f64_int_load(const void *p) { return _mm512_loadu_si512(p); }
NPC_INLINE void f64_int_store(void *p, f64_ints v) { _mm512_storeu_si512(p, v); }
NPC_INLINE f64_ints f64_int_add(f64_ints a, f64_ints b) { return _mm512_add_epi64(a, b); }
NPC_INLINE f64_ints f64_int_sum_products(f64_ints a, f64_ints b, f64_ints c)
{
    return _mm512_add_epi64(_mm512_mullo_epi64(a, b), c);
}
NPC_INLINE f64_ints f64_int_select(f64_mask mask, f64_ints a, f64_ints b)
{
    return _mm512_mask_blend_epi64(mask, b, a);
}
NPC_INLINE void f64_store_int64(int64_t *p, f64_ints v, int n)
{
    _mm512_mask_storeu_epi64(p, f64_first(n), v);
}
NPC_INLINE void f64_store_bytes(uint8_t *p, f64_ints v, int n)
{
    _mm_mask_storeu_epi8(p, f64_first(n), _mm512_cvtepi64_epi8(v));
}
NPC_INLINE f64_ints f64_load_int64(const int64_t *p, int n)
{
    return _mm512_maskz_loadu_epi64(f64_first(n), p);
}
NPC_INLINE f64_ints f64_load_bytes(const uint8_t *p, int n)
{
    return _mm512_cvtepu8_epi64(_mm_maskz_loadu_epi8(f64_first(n), p));
}
NPC_INLINE f64_mask f64_int_equal(f64_ints a, f64_ints b) { return _mm512_cmpeq_epi64_mask(a, b); }
NPC_INLINE uint32_t f64_mask_bits(f64_mask mask) { return mask; }
NPC_INLINE f64_mask f64_match(const uint8_t *p, int n)
{
    return (__mmask8)_mm_cmpeq_epi8_mask(_mm_loadl_epi64((const __m128i *)p),
                                         _mm_set1_epi8((char)n));
}
NPC_INLINE f64_vec f64_add_where(f64_mask mask, f64_vec a, f64_vec b)
{
    return _mm512_mask_add_pd(a, mask, a, b);
}
NPC_INLINE void f64_load_pairs(const double *p, int n, f64_vec *first, f64_vec *second)
{
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const f64_vec low = f64_load_first(p, n < 4 ? 2 * n : 8);
    const f64_vec high = n > 4 ? f64_load_first(p + 8, 2 * n - 8) : f64_zero();
    *first = _mm512_permutex2var_pd(low, even, high);
    *second = _mm512_permutex2var_pd(low, odd, high);
}
NPC_INLINE void f64_store_pairs(double *p, f64_vec first, f64_vec second, int n)
{
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    f64_store_first(p, _mm512_permutex2var_pd(first, low, second), n < 8 ? n : 8);
    if (n > 8) f64_store_first(p + 8, _mm512_permutex2var_pd(first, high, second), n - 8);
}
NPC_INLINE void f64_transpose(f64_vec *v)
{
    f64_vec pair[8];
    for (int i = 0; i < 8; i += 2) {
        pair[i] = _mm512_unpacklo_pd(v[i], v[i + 1]);
        pair[i + 1] = _mm512_unpackhi_pd(v[i], v[i + 1]);
    }
    for (int j = 0; j < 2; j++) {
        const f64_vec even0 = _mm512_shuffle_f64x2(pair[j], pair[j + 2], 0x88);
        const f64_vec odd0 = _mm512_shuffle_f64x2(pair[j], pair[j + 2], 0xDD);
        const f64_vec even1 = _mm512_shuffle_f64x2(pair[j + 4], pair[j + 6], 0x88);
        const f64_vec odd1 = _mm512_shuffle_f64x2(pair[j + 4], pair[j + 6], 0xDD);
        v[j] = _mm512_shuffle_f64x2(even0, even1, 0x88);
        v[j + 2] = _mm512_shuffle_f64x2(odd0, odd1, 0x88);
        v[j + 4] = _mm512_shuffle_f64x2(even0, even1, 0xDD);
        v[j + 6] = _mm512_shuffle_f64x2(odd0, odd1, 0xDD);
    }
}

#endif
