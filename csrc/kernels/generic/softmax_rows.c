/* Softmax along rows, lanes are elements of a row: see npc_softmax_rows_args. */
#include "../args/normalise.h"
#include "exponential.h"

/* The largest of a row, or NaN if one is there. */
NPC_INLINE NPC_T NPC_V(row_largest)(const NPC_T *from, int64_t count)
{
    NPC_T lane[NPC_LANES], largest = from[0];
    if (count >= NPC_LANES) {
        NPC_VEC v = NPC_V(load)(from);
        for (int64_t i = NPC_LANES; i < count; i += NPC_LANES) { /* the last ones once more */
            const int64_t at = i < count - NPC_LANES ? i : count - NPC_LANES;
            const NPC_VEC next = NPC_V(load)(from + at);
            v = NPC_V(select)(NPC_V(beats)(next, v), next, v);
        }
        NPC_V(store)(lane, v);
        from = lane;
        count = NPC_LANES;
        largest = lane[0];
    }
    for (int64_t i = 1; i < count; i++)
        if (from[i] > largest || from[i] != from[i]) largest = from[i];
    return largest;
}

/* The sum of e^(from - largest); each of them to `to`, unless that is NULL. */
NPC_INLINE NPC_T NPC_V(row_exponentials)(const NPC_T *from, NPC_T largest, int64_t count, NPC_T *to)
{
    const NPC_VEC most = NPC_V(constant)(largest);
    NPC_VEC sum = NPC_V(zero)();
    int64_t i = 0;
    for (; i + NPC_LANES <= count; i += NPC_LANES) {
        const NPC_VEC e = NPC_V(exponential)(NPC_V(load)(from + i) - most);
        if (to) NPC_V(store)(to + i, e);
        sum = NPC_V(add)(sum, e);
    }
    if (i < count) {
        const int rest = (int)(count - i);
        const NPC_VEC e = NPC_V(exponential)(NPC_V(load_first)(from + i, rest) - most);
        if (to) NPC_V(store_first)(to + i, e, rest);
        sum = NPC_V(add_where)(NPC_V(lanes_of)((1u << rest) - 1), sum, e);
    }
    return NPC_V(total)(sum);
}

/* Applies an expression of v, a vector of `from` at i, to a row. */
#define EACH_VECTOR(from, to, count, expression)                                                   \
    for (int64_t i = 0; i < (count); i += NPC_LANES) {                                             \
        const int64_t left = (count) - i;                                                          \
        if (left >= NPC_LANES) {                                                                   \
            const NPC_VEC v = NPC_V(load)((from) + i);                                             \
            NPC_V(store)((to) + i, expression);                                                    \
        } else {                                                                                   \
            const NPC_VEC v = NPC_V(load_first)((from) + i, (int)left);                            \
            NPC_V(store_first)((to) + i, expression, (int)left);                                   \
        }                                                                                          \
    }

NPC_INLINE void NPC_V(row_forward)(const NPC_T *from, NPC_T *to, int64_t count, int logarithm)
{
    const NPC_T largest = NPC_V(row_largest)(from, count);
    const NPC_T sum = NPC_V(row_exponentials)(from, largest, count, logarithm ? NULL : to);
    if (logarithm) {
        const NPC_VEC most = NPC_V(constant)(largest);
        const NPC_VEC less = NPC_V(constant)((NPC_T)__builtin_log((double)sum));
        EACH_VECTOR(from, to, count, v - most - less)
    } else {
        const NPC_VEC all = NPC_V(constant)(sum);
        EACH_VECTOR(to, to, count, v / all)
    }
}

NPC_INLINE double NPC_V(row_loss)(const NPC_T *from, int64_t label, double scale, NPC_T *to,
                                  int64_t count)
{
    const NPC_T largest = NPC_V(row_largest)(from, count), at_label = from[label];
    const NPC_T sum = NPC_V(row_exponentials)(from, largest, count, to);
    if (to) {
        const NPC_T here = (NPC_T)(((double)(to[label] / sum) - 1) * scale);
        const NPC_VEC all = NPC_V(constant)(sum), part = NPC_V(constant)((NPC_T)scale);
        EACH_VECTOR(to, to, count, v / all * part)
        to[label] = here;
    }
    return __builtin_log((double)sum) - (double)(at_label - largest);
}

NPC_INLINE void NPC_V(row_backward)(const NPC_T *y, const NPC_T *grad, NPC_T *to, int64_t count,
                                    int logarithm)
{
    NPC_VEC sum = NPC_V(zero)();
    for (int64_t i = 0; i < count; i += NPC_LANES) {
        const int n = (int)(count - i < NPC_LANES ? count - i : NPC_LANES);
        const NPC_VEC g = NPC_V(load_first)(grad + i, n); /* zero behind the row's end */
        sum = logarithm ? NPC_V(add)(sum, g) : NPC_V(fma)(g, NPC_V(load_first)(y + i, n), sum);
    }
    const NPC_T total = NPC_V(total)(sum);
    const NPC_VEC all = NPC_V(constant)(total);
    for (int64_t i = 0; i < count; i += NPC_LANES) {
        const int n = (int)(count - i < NPC_LANES ? count - i : NPC_LANES);
        const NPC_VEC v = NPC_V(load_first)(y + i, n), g = NPC_V(load_first)(grad + i, n);
        NPC_V(store_first)
        (to + i, logarithm ? g - NPC_V(exponential)(v) * all : v * (g - all), n);
    }
}

NPC_DECLARE(softmax_rows);
void NPC_NAME(softmax_rows)(const npc_softmax_rows_args *args)
{
    const char *from = args->from, *grad = args->grad;
    char *to = args->to;
    for (int64_t r = 0; r < args->rows; r++) {
        const NPC_T *row = (const NPC_T *)(const void *)from;
        NPC_T *put = (NPC_T *)(void *)to;
        if (grad) NPC_V(row_backward)
        (row, (const NPC_T *)(const void *)grad, put, args->count, args->logarithm);
        else if (args->label) args->loss[r] =
            NPC_V(row_loss)(row, args->label[r], args->scale, put, args->count);
        else NPC_V(row_forward)(row, put, args->count, args->logarithm);
        from += args->from_stride_bytes;
        if (grad) grad += args->grad_stride_bytes;
        if (to) to += args->to_stride_bytes;
    }
}
