/* Sums of windows in two steps, down the rows and along them: see npc_window_sum_args. */
#include "../args/window_sum.h"
#include "kernel.h"

#include <string.h>

/* ---- down the rows ---- */

NPC_INLINE void NPC_V(window_down)(const npc_window_sum_args *args, const NPC_T *from,
                                   const int64_t row_count)
{
    const int64_t *row = args->row;
    NPC_T *to = args->sums;
    int64_t i = 0;
    for (; i + NPC_LANES <= args->columns; i += NPC_LANES) {
        NPC_VEC sum = NPC_V(load)(from + row[0] + i);
        for (int64_t r = 1; r < row_count; r++)
            sum = NPC_V(add)(sum, NPC_V(load)(from + row[r] + i));
        if (args->middle) sum = NPC_V(mul)(sum, NPC_V(broadcast)(args->middle));
        NPC_V(store)(to + i, sum);
    }
    if (i < args->columns) {
        const int lanes = (int)(args->columns - i);
        NPC_VEC sum = NPC_V(load_first)(from + row[0] + i, lanes);
        for (int64_t r = 1; r < row_count; r++)
            sum = NPC_V(add)(sum, NPC_V(load_first)(from + row[r] + i, lanes));
        if (args->middle) sum = NPC_V(mul)(sum, NPC_V(broadcast)(args->middle));
        NPC_V(store_first)(to + i, sum, lanes);
    }
}

/* Each element divided by its own window's divisor. */
NPC_INLINE void NPC_V(window_down_weighted)(const npc_window_sum_args *args, const NPC_T *from)
{
    const NPC_T *row_divisor = args->row_divisor, *column_divisor = args->column_divisor;
    NPC_T *to = args->sums;
    for (int64_t i = 0; i < args->columns; i += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->columns - i);
        const NPC_VEC divisor = NPC_V(load_first)(column_divisor + i, lanes);
        NPC_VEC sum = NPC_V(zero)();
        for (int64_t r = 0; r < args->row_count; r++) {
            const NPC_VEC whole = NPC_V(mul)(divisor, NPC_V(broadcast)(row_divisor + r));
            sum = NPC_V(add)(sum, NPC_V(load_first)(from + args->row[r] + i, lanes) / whole);
        }
        NPC_V(store_first)(to + i, sum, lanes);
    }
}

/* ---- along the rows ---- */

/* A vector of every `step`-th element; all of what it is taken from may be read. */
NPC_INLINE NPC_VEC NPC_V(window_load)(const NPC_T *from, const int64_t step, int lanes)
{
    if (step == 1) return NPC_V(load)(from);
    if (step == 2) return NPC_V(even)(NPC_V(load)(from), NPC_V(load)(from + NPC_LANES));
    return NPC_V(load_step)(from, step, lanes);
}

NPC_INLINE NPC_VEC NPC_V(window_terms)(const npc_window_sum_args *args, const NPC_T *from,
                                       int64_t begin, int64_t end, const int64_t step, int lanes)
{
    if (begin == end) return NPC_V(zero)();
    NPC_VEC sum = NPC_V(window_load)(from + args->pixel_offset[begin], step, lanes);
    for (int64_t k = begin + 1; k < end; k++)
        sum = NPC_V(add)(sum, NPC_V(window_load)(from + args->pixel_offset[k], step, lanes));
    return sum;
}

NPC_INLINE void NPC_V(window_along)(const npc_window_sum_args *args, NPC_T *to, const int64_t step)
{
    const NPC_T *from = args->terms, *last = args->last_divisor;
    const int64_t end = args->first_term[1];
    for (int64_t w = 0; w < args->count; w += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->count - w);
        NPC_VEC sum = NPC_V(window_terms)(args, from + w * step, 0, end, step, lanes);
        if (args->factor) {
            NPC_VEC divisor = NPC_V(broadcast)(args->factor);
            if (last) divisor = NPC_V(mul)(divisor, NPC_V(load_first)(last + w, lanes));
            sum = sum / divisor;
        }
        NPC_V(store_first)(to + w, sum, lanes);
    }
}

/* Two phases: every second pixel of the result sums other terms. */
NPC_INLINE void NPC_V(window_pairs)(const npc_window_sum_args *args, NPC_T *to)
{
    const int64_t *first = args->first_term;
    const NPC_T *from = args->terms;
    for (int64_t w = 0; w < args->count; w += 2 * NPC_LANES) {
        const NPC_T *at = from + w / 2;
        const NPC_VEC even = NPC_V(window_terms)(args, at, first[0], first[1], 1, NPC_LANES);
        const NPC_VEC odd = NPC_V(window_terms)(args, at, first[1], first[2], 1, NPC_LANES);
        if (args->stream && args->count - w >= 2 * NPC_LANES) {
            NPC_V(stream)(to + w, NPC_V(zip_low)(even, odd));
            NPC_V(stream)(to + w + NPC_LANES, NPC_V(zip_high)(even, odd));
        } else if (args->stream && args->count - w == NPC_LANES) {
            NPC_V(stream)(to + w, NPC_V(zip_low)(even, odd));
        } else {
            NPC_V(store_pairs)(to + w, even, odd, (int)npc_min(2 * NPC_LANES, args->count - w));
        }
    }
}

/* 1 / divisor if that is a power of two, so that multiplying gives the same bits, else 0. */
NPC_INLINE NPC_T NPC_V(window_inverse)(NPC_T divisor)
{
    const int whole = divisor >= 1 && divisor <= (1 << 20) ? (int)divisor : 0;
    return whole == divisor && whole && (whole & (whole - 1)) == 0 ? 1 / divisor : 0;
}

NPC_INLINE NPC_VEC NPC_V(window_divide)(const npc_window_sum_args *args, NPC_VEC sum, NPC_T divisor,
                                        NPC_T inverse)
{
    if (!args->factor) return sum;
    if (inverse > 0) return NPC_V(mul)(sum, NPC_V(broadcast)(&inverse));
    return sum / NPC_V(broadcast)(&divisor);
}

/* One pixel, whose terms begin with `from` and go on at the offsets, or at even distances. */
NPC_INLINE void NPC_V(window_pixel)(const npc_window_sum_args *args, const NPC_T *from,
                                    const int64_t *offset, int64_t terms, int64_t w, NPC_T *to)
{
    const int64_t group = args->group, spacing = args->spacing * group;
    NPC_T divisor = 1;
    if (args->factor) divisor = *(const NPC_T *)args->factor;
    if (args->last_divisor) divisor *= ((const NPC_T *)args->last_divisor)[w];
    const NPC_T inverse = NPC_V(window_inverse)(divisor);
    for (int64_t c = 0; c < group; c += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, group - c);
        NPC_VEC sum = NPC_V(zero)();
        for (int64_t k = 0; k < terms; k++) {
            const NPC_T *term = from + c + (offset ? offset[k] * group : k * spacing);
            sum = k ? NPC_V(add)(sum, NPC_V(load)(term)) : NPC_V(load)(term);
        }
        sum = NPC_V(window_divide)(args, sum, divisor, inverse);
        if (lanes == NPC_LANES)
            NPC_V(store)(to + c, sum);
        else
            NPC_V(store_first)(to + c, sum, lanes);
    }
}

/* Pixels of a vector at most: what is stored behind one, the next one's store replaces. */
NPC_INLINE void NPC_V(window_small_pixels)(const npc_window_sum_args *args, NPC_T *to)
{
    const NPC_T *from = args->terms;
    const int64_t group = args->group, *first = args->first_term;
    const int64_t *offset = args->pixel_offset, all = args->count * group;
    const int shift = args->phases == 2;
    const NPC_T divisor = args->factor ? *(const NPC_T *)args->factor : 1;
    const NPC_T inverse = NPC_V(window_inverse)(divisor);
    for (int64_t w = 0; w < args->count; w++) {
        const int64_t p = w & shift;
        const NPC_T *at = from + (w >> shift) * args->step * group;
        NPC_VEC sum = NPC_V(zero)();
        if (first[p] < first[p + 1]) sum = NPC_V(load)(at + offset[first[p]] * group);
        for (int64_t k = first[p] + 1; k < first[p + 1]; k++)
            sum = NPC_V(add)(sum, NPC_V(load)(at + offset[k] * group));
        sum = NPC_V(window_divide)(args, sum, divisor, inverse);
        if (w * group + NPC_LANES <= all)
            NPC_V(store)(to + w * group, sum);
        else
            NPC_V(store_first)(to + w * group, sum, (int)npc_min(group, NPC_LANES));
    }
}

/* Pixels of many elements, or windows at uneven steps. */
NPC_INLINE void NPC_V(window_pixels)(const npc_window_sum_args *args, NPC_T *to)
{
    const NPC_T *from = args->terms;
    const int64_t group = args->group, *first = args->first_term;
    if (args->reach) {
        const int32_t *reach = args->reach;
        for (int64_t w = 0; w < args->count; w++)
            NPC_V(window_pixel)(args, from + reach[2 * w] * group, NULL, reach[2 * w + 1], w,
                                to + w * group);
        return;
    }
    if (group <= NPC_LANES && !args->last_divisor) {
        NPC_V(window_small_pixels)(args, to);
        return;
    }
    for (int64_t w = 0; w < args->count; w++) {
        const int64_t p = args->phases == 2 ? w & 1 : 0, at = args->phases == 2 ? w / 2 : w;
        NPC_V(window_pixel)(args, from + at * args->step * group, args->pixel_offset + first[p],
                            first[p + 1] - first[p], w, to + w * group);
    }
}

/* Elements one by one: windows at uneven steps. */
NPC_INLINE void NPC_V(window_uneven)(const npc_window_sum_args *args, NPC_T *to)
{
    const NPC_T *from = args->terms, *last = args->last_divisor;
    for (int64_t w = 0; w < args->count; w++) {
        const NPC_T *term = from + args->reach[2 * w];
        const int32_t terms = args->reach[2 * w + 1];
        NPC_T sum = terms ? *term : 0;
        for (int32_t k = 1; k < terms; k++) sum += term[k * args->spacing];
        if (args->factor) sum /= *(const NPC_T *)args->factor * (last ? last[w] : 1);
        to[w] = sum;
    }
}

/* ---- windows as wide as their plane ---- */

enum { WHOLE_VECS = 4 };

/* The one pixel of a row, from row sums that never leave the first cache: elements are added in the
 * order of window_along, but not through masked stores, which loads of other elements wait for. */
NPC_INLINE void NPC_V(window_whole)(const npc_window_sum_args *args, const NPC_T *from, NPC_T *to)
{
    const int64_t *row = args->row, *offset = args->pixel_offset;
    const int64_t skipped = (const NPC_T *)args->sums - (const NPC_T *)args->terms;
    const int64_t terms = args->first_term[1];
    NPC_T sums[WHOLE_VECS * NPC_LANES], sum = 0;
    for (int64_t i = 0; i < args->columns; i += NPC_LANES) {
        const int lanes = (int)npc_min(NPC_LANES, args->columns - i);
        NPC_VEC column = NPC_V(load_first)(from + row[0] + i, lanes);
        for (int64_t r = 1; r < args->row_count; r++)
            column = NPC_V(add)(column, NPC_V(load_first)(from + row[r] + i, lanes));
        if (args->middle) column = NPC_V(mul)(column, NPC_V(broadcast)(args->middle));
        NPC_V(store)(sums + i, column);
    }
    for (int64_t k = 0; k < terms; k++) {
        const int64_t at = offset[k] - skipped;
        const NPC_T term = at >= 0 && at < args->columns ? sums[at] : 0;
        sum = k ? sum + term : term;
    }
    if (args->factor) {
        const NPC_T *last = args->last_divisor;
        sum /= last ? *(const NPC_T *)args->factor * last[0] : *(const NPC_T *)args->factor;
    }
    *to = sum;
}

static int NPC_V(is_whole)(const npc_window_sum_args *args)
{
    return args->count == 1 && args->group == 1 && args->phases == 1 && !args->reach &&
           !args->row_divisor && args->row_count > 0 && args->columns <= WHOLE_VECS * NPC_LANES;
}

NPC_DECLARE(window_sum);
void NPC_NAME(window_sum)(const npc_window_sum_args *args)
{
    const int whole = NPC_V(is_whole)(args);
    for (int64_t p = 0; p < args->planes; p++) {
        for (int64_t j = 0; j < args->rows; j++) {
            const NPC_T *from =
                (const NPC_T *)args->from + p * args->plane_advance + j * args->row_advance;
            NPC_T *to =
                (NPC_T *)args->out + p * args->out_plane_advance + j * args->out_row_advance;
            if (whole) {
                NPC_V(window_whole)(args, from, to);
                continue;
            }
            if (args->row_divisor)
                NPC_V(window_down_weighted)(args, from);
            else if (args->row_count == 2)
                NPC_V(window_down)(args, from, 2);
            else if (args->row_count == 3)
                NPC_V(window_down)(args, from, 3);
            else if (args->row_count > 0)
                NPC_V(window_down)(args, from, args->row_count);
            if (args->group > 1)
                NPC_V(window_pixels)(args, to);
            else if (args->reach)
                NPC_V(window_uneven)(args, to);
            else if (args->phases == 2)
                NPC_V(window_pairs)(args, to);
            else if (args->step == 1)
                NPC_V(window_along)(args, to, 1);
            else if (args->step == 2)
                NPC_V(window_along)(args, to, 2);
            else
                NPC_V(window_along)(args, to, args->step);
        }
    }
}
