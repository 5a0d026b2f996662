/* Elements of small planes to other places: see npc_pick. Two vectors are loaded and permuted at
 * once, whatever the rows of the planes are: a row of 7 elements would leave most lanes empty. */
#include "../args/pick.h"
#include "kernel.h"

#if defined(__AVX512F__)
NPC_INLINE f32_vec f32_pick(const float *a, const float *b, const npc_pick *pick)
{
    const __m512i index = _mm512_load_si512(pick->index.of32);
    const __mmask16 some = _mm512_cmp_epi32_mask(index, _mm512_setzero_si512(), _MM_CMPINT_NLT);
    return _mm512_maskz_permutex2var_ps(some, f32_load(a), index, f32_load(b));
}
NPC_INLINE f64_vec f64_pick(const double *a, const double *b, const npc_pick *pick)
{
    const __m512i index = _mm512_load_si512(pick->index.of64);
    const __mmask8 some = _mm512_cmp_epi64_mask(index, _mm512_setzero_si512(), _MM_CMPINT_NLT);
    return _mm512_maskz_permutex2var_pd(some, f64_load(a), index, f64_load(b));
}
#elif defined(__AVX2__)
NPC_INLINE f32_vec f32_pick(const float *a, const float *b, const npc_pick *pick)
{
    const __m256i index = _mm256_load_si256((const __m256i *)(const void *)pick->index.of32);
    const __m256 none = _mm256_castsi256_ps(_mm256_srai_epi32(index, 31));
    const __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)); /* from 8 on */
    return _mm256_andnot_ps(none,
                            _mm256_blendv_ps(_mm256_permutevar8x32_ps(f32_load(a), index),
                                             _mm256_permutevar8x32_ps(f32_load(b), index), second));
}
NPC_INLINE f64_vec f64_pick(const double *a, const double *b, const npc_pick *pick)
{
    const __m256i index = _mm256_load_si256((const __m256i *)(const void *)pick->index.of64);
    const __m256i low = _mm256_add_epi64(index, index); /* of the halves of an element */
    const __m256i high = _mm256_slli_epi64(_mm256_add_epi64(low, _mm256_set1_epi64x(1)), 32);
    const __m256i halves = _mm256_blend_epi32(low, high, 0xAA);
    const __m256d none = _mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_setzero_si256(), index));
    const __m256d second = _mm256_castsi256_pd(_mm256_slli_epi64(index, 61)); /* from 4 on */
    const __m256 x = _mm256_permutevar8x32_ps(_mm256_castpd_ps(f64_load(a)), halves);
    const __m256 y = _mm256_permutevar8x32_ps(_mm256_castpd_ps(f64_load(b)), halves);
    return _mm256_andnot_pd(none,
                            _mm256_blendv_pd(_mm256_castps_pd(x), _mm256_castps_pd(y), second));
}
#else
NPC_INLINE f32_vec f32_pick(const float *a, const float *b, const npc_pick *pick)
{
    f32_vec v = f32_zero();
    for (uint32_t i = 0; i < f32_lanes; i++) {
        const uint32_t index = pick->index.of32[i];
        if (index != NPC_PICK_NONE32) v[i] = index < f32_lanes ? a[index] : b[index - f32_lanes];
    }
    return v;
}
NPC_INLINE f64_vec f64_pick(const double *a, const double *b, const npc_pick *pick)
{
    f64_vec v = f64_zero();
    for (uint32_t i = 0; i < f64_lanes; i++) {
        const uint64_t index = pick->index.of64[i];
        if (index != NPC_PICK_NONE64) v[i] = index < f64_lanes ? a[index] : b[index - f64_lanes];
    }
    return v;
}
#endif

NPC_DECLARE(pick);
void NPC_NAME(pick)(const npc_pick_args *args)
{
    const NPC_T *restrict from = args->from;
    NPC_T *restrict to = args->to;
    const npc_pick *const end = args->pick + args->picks;
    for (int64_t p = 0; p < args->planes; p++, from += args->from_stride, to += args->to_stride)
        for (const npc_pick *pick = args->pick; pick < end; pick++) {
            NPC_VEC all = NPC_V(pick)(from + pick->a, from + pick->b, pick);
            for (; !pick->last; pick++)
                all = (NPC_VEC)((NPC_BITS)all | (NPC_BITS)NPC_V(pick)(from + pick[1].a,
                                                                      from + pick[1].b, pick + 1));
            NPC_V(store)(to + pick->to, all);
        }
}

NPC_DECLARE(fold_planes);
void NPC_NAME(fold_planes)(const npc_fold_planes_args *args)
{
    const NPC_T *restrict from = args->from;
    NPC_T *restrict to = args->to;
    const npc_pick *const end = args->pick + args->picks;
    for (int64_t p = 0; p < args->planes; p++, from += args->from_stride, to += args->to_stride) {
        NPC_VEC sum = NPC_V(zero)();
        for (const npc_pick *pick = args->pick; pick < end; pick++) {
            sum = NPC_V(add)(sum, NPC_V(pick)(from + pick->a, from + pick->b, pick));
            if (!pick->last) continue;
            NPC_V(store)(to + pick->to, sum);
            sum = NPC_V(zero)();
        }
    }
}
