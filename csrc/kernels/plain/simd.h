/* The kernels' vocabulary for any CPU: 16-byte vectors in the compiler's own notation, which become
 * SSE2, NEON or scalar code. There is no fma: a product is rounded before it is added. */
#ifndef NPC_KERNELS_PLAIN_SIMD_H
#define NPC_KERNELS_PLAIN_SIMD_H

#include <string.h>

#include "../kernels.h"

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
    NPC_INLINE t##_vec t##_broadcast(const type *p) { return (t##_vec){0} + *p; }                  \
    NPC_INLINE t##_vec t##_load(const type *p)                                                     \
    {                                                                                              \
        t##_vec v;                                                                                 \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    NPC_INLINE void t##_store(type *p, t##_vec v) { memcpy(p, &v, sizeof v); }                     \
    NPC_INLINE t##_vec t##_add(t##_vec a, t##_vec b) { return a + b; }                             \
    NPC_INLINE t##_vec t##_fma(t##_vec a, t##_vec b, t##_vec c) { return a * b + c; }              \
    NPC_INLINE t##_vec t##_mul(t##_vec a, t##_vec b) { return a * b; }                             \
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
    typedef __typeof__((t##_vec){0} > (t##_vec){0}) t##_mask;                                      \
    NPC_INLINE t##_mask t##_beats(t##_vec a, t##_vec b)                                            \
    {                                                                                              \
        return (a > b) | ((a != a) & (b == b));                                                    \
    }                                                                                              \
    NPC_INLINE t##_vec t##_select(t##_mask mask, t##_vec a, t##_vec b)                             \
    {                                                                                              \
        return (t##_vec)((mask & (t##_mask)a) | (~mask & (t##_mask)b));                            \
    }                                                                                              \
    NPC_INLINE t##_vec t##_not_above(t##_vec a, t##_vec b) { return t##_select(a > b, b, a); }     \
    NPC_INLINE type t##_total(t##_vec v)                                                           \
    {                                                                                              \
        type sum = v[0];                                                                           \
        for (int i = 1; i < (n_lanes); i++) sum += v[i];                                           \
        return sum;                                                                                \
    }

enum { f32_lanes = 4, f64_lanes = 2 };
NPC_PLAIN_VOCABULARY(f32, float, f32_lanes)
NPC_PLAIN_VOCABULARY(f64, double, f64_lanes)

#endif
