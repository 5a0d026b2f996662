/* The kernels' vocabulary for any CPU: 16-byte vectors in the compiler's own notation, which become
 * SSE2, NEON or scalar code. There is no fma: a product is rounded before it is added. */
#ifndef NPC_KERNELS_PLAIN_SIMD_H
#define NPC_KERNELS_PLAIN_SIMD_H

#include <string.h>

#include "../../core/common.h"

/* rows * vecs accumulators + vecs panel vectors + 2 temporaries <= 16 registers */
#define NPC_UK1_ROWS_1 8
#define NPC_UK1_ROWS_2 5
#define NPC_UK1_ROWS_3 3
#define NPC_UK1_ROWS_4 0
#define NPC_DOT_ROWS 2
#define NPC_DOT_COLS 4

#define NPC_PLAIN_VOCABULARY(t, type, n_lanes)                                                     \
    typedef type t##_vec __attribute__((vector_size(16)));                                         \
    NPC_INLINE t##_vec t##_zero(void) { return (t##_vec){0}; }                                     \
    NPC_INLINE t##_vec t##_broadcast(const type *p)                                                \
    {                                                                                              \
        return ((t##_vec){0} + 1) * *p; /* of -0 too */                                            \
    }                                                                                              \
    NPC_INLINE t##_vec t##_load(const type *p)                                                     \
    {                                                                                              \
        t##_vec v;                                                                                 \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE void t##_store(type *p, t##_vec v) { memcpy(p, &v, sizeof v); }                     \
    NPC_INLINE void t##_stream(type *p, t##_vec v) { t##_store(p, v); }                            \
    NPC_INLINE void t##_fence(void) {}                                                             \
    NPC_INLINE t##_vec t##_add(t##_vec a, t##_vec b) { return a + b; }                             \
    NPC_INLINE t##_vec t##_fma(t##_vec a, t##_vec b, t##_vec c) { return a * b + c; }              \
    NPC_INLINE t##_vec t##_mul(t##_vec a, t##_vec b) { return a * b; }                             \
    NPC_INLINE t##_vec t##_root(t##_vec a)                                                         \
    {                                                                                              \
        for (int i = 0; i < (n_lanes); i++) a[i] = (type)__builtin_sqrt(a[i]);                     \
        return a;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_load_masked(const type *p, uint32_t mask)                               \
    {                                                                                              \
        if (mask == (1u << (n_lanes)) - 1) return t##_load(p);                                     \
        t##_vec v = {0};                                                                           \
        for (int i = 0; i < (n_lanes); i++)                                                        \
            if (mask >> i & 1) v[i] = p[i];                                                        \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_load_even(const type *p, uint32_t mask)                                 \
    {                                                                                              \
        t##_vec v = {0};                                                                           \
        for (int i = 0; i < (n_lanes); i++)                                                        \
            if (mask >> 2 * i & 1) v[i] = p[2 * i];                                                \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_even(t##_vec low, t##_vec high)                                         \
    {                                                                                              \
        t##_vec v;                                                                                 \
        for (int i = 0; i < (n_lanes) / 2; i++) {                                                  \
            v[i] = low[2 * i];                                                                     \
            v[(n_lanes) / 2 + i] = high[2 * i];                                                    \
        }                                                                                          \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_odd(t##_vec low, t##_vec high)                                          \
    {                                                                                              \
        t##_vec v;                                                                                 \
        for (int i = 0; i < (n_lanes) / 2; i++) {                                                  \
            v[i] = low[2 * i + 1];                                                                 \
            v[(n_lanes) / 2 + i] = high[2 * i + 1];                                                \
        }                                                                                          \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_zip_low(t##_vec low, t##_vec high)                                      \
    {                                                                                              \
        t##_vec v;                                                                                 \
        for (int i = 0; i < (n_lanes) / 2; i++) {                                                  \
            v[2 * i] = low[i];                                                                     \
            v[2 * i + 1] = high[i];                                                                \
        }                                                                                          \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_zip_high(t##_vec low, t##_vec high)                                     \
    {                                                                                              \
        t##_vec v;                                                                                 \
        for (int i = 0; i < (n_lanes) / 2; i++) {                                                  \
            v[2 * i] = low[(n_lanes) / 2 + i];                                                     \
            v[2 * i + 1] = high[(n_lanes) / 2 + i];                                                \
        }                                                                                          \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_vec t##_merge(t##_vec a, t##_vec b)                                             \
    {                                                                                              \
        typedef __typeof__((t##_vec){0} > (t##_vec){0}) bits;                                      \
        return (t##_vec)((bits)a | (bits)b);                                                       \
    }                                                                                              \
    NPC_INLINE t##_vec t##_load_first(const type *p, int n)                                        \
    {                                                                                              \
        return t##_load_masked(p, (1u << n) - 1);                                                  \
    }                                                                                              \
    NPC_INLINE void t##_store_first(type *p, t##_vec v, int n)                                     \
    {                                                                                              \
        for (int i = 0; i < n; i++) p[i] = v[i];                                                   \
    }                                                                                              \
    NPC_INLINE t##_vec t##_load_step(const type *p, int64_t step, int n)                           \
    {                                                                                              \
        t##_vec v = {0};                                                                           \
        for (int i = 0; i < n; i++) v[i] = p[i * step];                                            \
        return v;                                                                                  \
    }                                                                                              \
    typedef t##_int t##_mask __attribute__((vector_size(16)));                                     \
    NPC_INLINE t##_mask t##_lanes_of(uint32_t mask)                                                \
    {                                                                                              \
        t##_mask lanes = {0};                                                                      \
        for (int i = 0; i < (n_lanes); i++) lanes[i] = -(int)(mask >> i & 1);                      \
        return lanes;                                                                              \
    }                                                                                              \
    NPC_INLINE t##_mask t##_beats(t##_vec a, t##_vec b)                                            \
    {                                                                                              \
        return (t##_mask)((a > b) | ((a != a) & (b == b)));                                        \
    }                                                                                              \
    NPC_INLINE t##_mask t##_undercuts(t##_vec a, t##_vec b)                                        \
    {                                                                                              \
        return (t##_mask)((a < b) | ((a != a) & (b == b)));                                        \
    }                                                                                              \
    NPC_INLINE t##_vec t##_select(t##_mask mask, t##_vec a, t##_vec b)                             \
    {                                                                                              \
        return (t##_vec)((mask & (t##_mask)a) | (~mask & (t##_mask)b));                            \
    }                                                                                              \
    NPC_INLINE t##_vec t##_not_above(t##_vec a, t##_vec b) { return t##_select(a > b, b, a); }     \
    typedef t##_mask t##_ints;                                                                     \
    NPC_INLINE t##_ints t##_int_broadcast(int64_t n) { return (t##_ints){0} + (t##_int)n; }        \
    NPC_INLINE t##_ints t##_int_load(const void *p)                                                \
    {                                                                                              \
        t##_ints v;                                                                                \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE void t##_int_store(void *p, t##_ints v) { memcpy(p, &v, sizeof v); }                \
    NPC_INLINE t##_ints t##_int_add(t##_ints a, t##_ints b) /* wraps, as the others' */            \
    {                                                                                              \
        typedef t##_word words __attribute__((vector_size(16)));                                   \
        return (t##_ints)((words)a + (words)b);                                                    \
    }                                                                                              \
    NPC_INLINE t##_ints t##_int_select(t##_mask mask, t##_ints a, t##_ints b)                      \
    {                                                                                              \
        return (mask & a) | (~mask & b);                                                           \
    }                                                                                              \
    NPC_INLINE void t##_store_int64(int64_t *p, t##_ints v, int n)                                 \
    {                                                                                              \
        for (int i = 0; i < n; i++) p[i] = v[i];                                                   \
    }                                                                                              \
    NPC_INLINE void t##_store_bytes(uint8_t *p, t##_ints v, int n)                                 \
    {                                                                                              \
        for (int i = 0; i < n; i++) p[i] = (uint8_t)v[i];                                          \
    }                                                                                              \
    NPC_INLINE t##_ints t##_load_int64(const int64_t *p, int n)                                    \
    {                                                                                              \
        t##_ints v = {0};                                                                          \
        for (int i = 0; i < n; i++) v[i] = (t##_int)p[i];                                          \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_ints t##_load_bytes(const uint8_t *p, int n)                                    \
    {                                                                                              \
        t##_ints v = {0};                                                                          \
        for (int i = 0; i < n; i++) v[i] = p[i];                                                   \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE t##_mask t##_int_equal(t##_ints a, t##_ints b) { return (t##_mask)(a == b); }       \
    NPC_INLINE uint32_t t##_mask_bits(t##_mask mask)                                               \
    {                                                                                              \
        uint32_t bits = 0;                                                                         \
        for (int i = 0; i < (n_lanes); i++) bits |= (uint32_t)(mask[i] & 1) << i;                  \
        return bits;                                                                               \
    }                                                                                              \
    NPC_INLINE t##_mask t##_match(const uint8_t *p, int n)                                         \
    {                                                                                              \
        t##_mask mask = {0};                                                                       \
        for (int i = 0; i < (n_lanes); i++) mask[i] = -(p[i] == n);                                \
        return mask;                                                                               \
    }                                                                                              \
    NPC_INLINE t##_vec t##_add_where(t##_mask mask, t##_vec a, t##_vec b)                          \
    {                                                                                              \
        return t##_select(mask, a + b, a);                                                         \
    }                                                                                              \
    NPC_INLINE void t##_load_pairs(const type *p, int n, t##_vec *first, t##_vec *second)          \
    {                                                                                              \
        *first = *second = t##_zero();                                                             \
        for (int i = 0; i < n; i++) (*first)[i] = p[2 * i], (*second)[i] = p[2 * i + 1];           \
    }                                                                                              \
    NPC_INLINE void t##_store_pairs(type *p, t##_vec first, t##_vec second, int n)                 \
    {                                                                                              \
        for (int i = 0; i < n; i++) p[i] = i % 2 ? second[i / 2] : first[i / 2];                   \
    }                                                                                              \
    NPC_INLINE type t##_total(t##_vec v)                                                           \
    {                                                                                              \
        type sum = v[0];                                                                           \
        for (int i = 1; i < (n_lanes); i++) sum += v[i];                                           \
        return sum;                                                                                \
    }                                                                                              \
    NPC_INLINE void t##_transpose(t##_vec *v)                                                      \
    {                                                                                              \
        type from[n_lanes][n_lanes], to[n_lanes][n_lanes];                                         \
        memcpy(from, v, sizeof from);                                                              \
        for (int i = 0; i < (n_lanes); i++)                                                        \
            for (int j = 0; j < (n_lanes); j++) to[j][i] = from[i][j];                             \
        memcpy(v, to, sizeof to);                                                                  \
    }

typedef int32_t f32_int;
typedef int64_t f64_int;
typedef uint32_t f32_word;
typedef uint64_t f64_word;
enum { f32_lanes = 4, f64_lanes = 2 };
NPC_PLAIN_VOCABULARY(f32, float, f32_lanes)
NPC_PLAIN_VOCABULARY(f64, double, f64_lanes)

/* A lane's products of both halves, with the lane of c; halves are int16. */
NPC_INLINE f32_ints f32_int_sum_products(f32_ints a, f32_ints b, f32_ints c)
{
#ifdef __SSE2__
    typedef short halves __attribute__((vector_size(16)));
    return f32_int_add((f32_ints)__builtin_ia32_pmaddwd128((halves)a, (halves)b), c);
#else
    typedef uint32_t words __attribute__((vector_size(16)));
    const f32_ints low = ((f32_ints)((words)a << 16) >> 16) * ((f32_ints)((words)b << 16) >> 16);
    return f32_int_add(f32_int_add(low, (a >> 16) * (b >> 16)), c);
#endif
}
NPC_INLINE f64_ints f64_int_sum_products(f64_ints a, f64_ints b, f64_ints c)
{
    typedef uint64_t words __attribute__((vector_size(16)));
    return (f64_ints)((words)a * (words)b + (words)c);
}

#endif
