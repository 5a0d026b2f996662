/* Max-pooling of small windows, in one step: see npc_max_plane_args. The maxima along the rows stay
 * in registers while the rows that share them are done. */
#include "../args/max_pool.h"
#include "kernel.h"

#include <math.h>

enum { MAX_SIZE = NPC_MAX_PLANE_SIZE };

/* A stretch of one vector of columns: what its taps' loads may touch. */
typedef struct NPC_V(max_stretch) {
    int64_t at; /* source column of the first tap of lane 0 */
    int lanes;
    uint32_t mask[MAX_SIZE];       /* elements from the tap's column on that exist, ... */
    NPC_V(mask) present[MAX_SIZE]; /* ... and lanes: neither is looked at if `inside` */
} NPC_V(max_stretch);

NPC_INLINE NPC_VEC NPC_V(max_better)(NPC_VEC best, NPC_VEC v, const int smallest)
{
    return NPC_V(select)(smallest ? NPC_V(undercuts)(v, best) : NPC_V(beats)(v, best), v, best);
}

/* Keeps v, number n, where it is better than the best so far. */
NPC_INLINE void NPC_V(max_number)(NPC_VEC *best, NPC_V(ints) * number, NPC_VEC v, NPC_V(ints) n,
                                  const int numbered, const int smallest)
{
    const NPC_V(mask) better = smallest ? NPC_V(undercuts)(v, *best) : NPC_V(beats)(v, *best);
    *best = NPC_V(select)(better, v, *best);
    if (numbered) *number = NPC_V(int_select)(better, n, *number);
}

NPC_INLINE void NPC_V(max_masks)(NPC_V(max_stretch) * stretch, int64_t width, const int size,
                                 const int step)
{
    for (int s = 0; s < size; s++) {
        const int64_t at = stretch->at + s, before = -at, inside = width - at;
        const int end = inside <= 0 ? 0 : (int)npc_min(stretch->lanes, (inside - 1) / step + 1);
        const int begin = before <= 0 ? 0 : (int)npc_min(end, (before - 1) / step + 1);
        const uint32_t lanes = ((uint32_t)1 << end) - ((uint32_t)1 << begin);
        const uint64_t pairs = ((uint64_t)1 << 2 * end) - ((uint64_t)1 << 2 * begin);
        stretch->mask[s] = step == 1 ? lanes : (uint32_t)pairs & 0x55555555u;
        stretch->present[s] = NPC_V(lanes_of)(lanes);
    }
}

/* Which taps of a stretch exist: */
enum { SOME, ALL_OF_LANES, ALL }; /* all of those of its lanes; of whole vectors */

/* The maxima along a source row, those of a row outside: `nothing`; and if `numbered` the winners'
 * columns. */
NPC_INLINE NPC_VEC NPC_V(max_along)(const npc_max_plane_args *args,
                                    const NPC_V(max_stretch) * stretch, int64_t row,
                                    NPC_VEC nothing, NPC_V(ints) * number, const int size,
                                    const int step, const int taps, const int numbered,
                                    const int smallest)
{
    const int lanes = taps == ALL ? NPC_LANES : stretch->lanes;
    NPC_VEC best, v;
    int s = 1;
    *number = NPC_V(int_broadcast)(0);
    if (row < 0 || row >= args->height) return nothing;
    /* lane 0 need not exist: addresses as integers */
    const uintptr_t from =
        (uintptr_t)args->plane +
        (uintptr_t)((row * args->row_pitch + stretch->at) * (int64_t)sizeof(NPC_T));
    const NPC_T *p = (const NPC_T *)from;
    if (taps == SOME) {
        NPC_UNROLL
        for (s = 0; s < size; s++) {
            const NPC_T *tap = (const NPC_T *)(from + (uintptr_t)s * sizeof(NPC_T));
            v = step == 1 ? NPC_V(load_masked)(tap, stretch->mask[s])
                          : NPC_V(load_even)(tap, stretch->mask[s]);
            v = NPC_V(select)(stretch->present[s], v, nothing);
            best = s > 0 ? NPC_V(max_better)(best, v, smallest) : v;
        }
        return best;
    }
    if (step == 2) {
        NPC_V(load_pairs)(p, lanes, &best, &v);
        NPC_V(max_number)(&best, number, v, NPC_V(int_broadcast)(1), numbered, smallest);
        s = 2;
    } else {
        best = NPC_V(load_step)(p, 1, lanes);
    }
    NPC_UNROLL
    for (; s < size; s++) {
        v = NPC_V(load_step)(p + s, step, lanes);
        NPC_V(max_number)(&best, number, v, NPC_V(int_broadcast)(s), numbered, smallest);
    }
    return best;
}

NPC_INLINE void NPC_V(max_stretch_rows)(const npc_max_plane_args *args,
                                        const NPC_V(max_stretch) * stretch, int64_t column,
                                        const int size, const int step, const int taps,
                                        const int numbered, const int smallest)
{
    const NPC_T none = smallest ? (NPC_T)INFINITY : -(NPC_T)INFINITY;
    const NPC_VEC nothing = NPC_V(broadcast)(&none);
    const int kept = size - step; /* rows that the next window reads, too */
    NPC_T *to = (NPC_T *)args->out + column;
    uint8_t *to_index = numbered ? args->index + column : NULL;
    NPC_VEC row[MAX_SIZE];
    NPC_V(ints) number[MAX_SIZE]; /* their columns */
    int64_t next = args->first_row;
    NPC_UNROLL
    for (int r = 0; r < kept; r++)
        row[r] = NPC_V(max_along)(args, stretch, next++, nothing, &number[r], size, step, taps,
                                  numbered, smallest);
    for (int64_t h = 0; h < args->rows; h++, to += args->out_pitch) {
        NPC_UNROLL
        for (int r = kept; r < size; r++)
            row[r] = NPC_V(max_along)(args, stretch, next++, nothing, &number[r], size, step, taps,
                                      numbered, smallest);
        NPC_VEC best = row[0];
        NPC_V(ints) winner = number[0];
        NPC_UNROLL
        for (int r = 1; r < size; r++) {
            const NPC_V(ints) n = NPC_V(int_add)(number[r], NPC_V(int_broadcast)(r * size));
            NPC_V(max_number)(&best, &winner, row[r], n, numbered, smallest);
        }
        if (taps == ALL)
            NPC_V(store)(to, best);
        else
            NPC_V(store_first)(to, best, stretch->lanes);
        if (numbered) {
            NPC_V(store_bytes)(to_index, winner, taps == ALL ? NPC_LANES : stretch->lanes);
            to_index += args->index_pitch;
        }
        NPC_UNROLL
        for (int r = 0; r < kept; r++) {
            row[r] = row[r + step];
            number[r] = number[r + step];
        }
    }
}

NPC_INLINE void NPC_V(max_plane_body)(const npc_max_plane_args *args, const int size,
                                      const int step, const int numbered, const int smallest)
{
    const int64_t reach = step == 1 ? NPC_LANES + size - 1 : 2 * NPC_LANES + (size > 2);
    NPC_V(max_stretch) stretch;
    for (int64_t i = 0; i < args->columns; i += NPC_LANES) {
        stretch.at = args->first_column + i * step;
        stretch.lanes = (int)npc_min(NPC_LANES, args->columns - i);
        const int64_t end = stretch.at + (stretch.lanes - 1) * step + size;
        if (numbered) assert(stretch.at >= 0 && end <= args->width);
        if (stretch.lanes == NPC_LANES && stretch.at >= 0 && stretch.at + reach <= args->width) {
            NPC_V(max_stretch_rows)(args, &stretch, i, size, step, ALL, numbered, smallest);
        } else if (numbered || (stretch.at >= 0 && end <= args->width)) {
            NPC_V(max_stretch_rows)
            (args, &stretch, i, size, step, ALL_OF_LANES, numbered, smallest);
        } else {
            NPC_V(max_masks)(&stretch, args->width, size, step);
            NPC_V(max_stretch_rows)(args, &stretch, i, size, step, SOME, 0, smallest);
        }
    }
}

NPC_INLINE void NPC_V(max_plane_windows)(const npc_max_plane_args *args, const int numbered,
                                         const int smallest)
{
    if (args->size == 2)
        NPC_V(max_plane_body)(args, 2, 2, numbered, smallest);
    else if (args->step == 1)
        NPC_V(max_plane_body)(args, 3, 1, numbered, smallest);
    else
        NPC_V(max_plane_body)(args, 3, 2, numbered, smallest);
}

NPC_DECLARE(max_plane);
void NPC_NAME(max_plane)(const npc_max_plane_args *args)
{
    assert(args->size == 3 ? args->step == 1 || args->step == 2
                           : args->size == 2 && args->step == 2);
    assert(!args->index || args->first_row >= 0);
    if (args->smallest) { /* constants drop what is not wanted */
        if (args->index)
            NPC_V(max_plane_windows)(args, 1, 1);
        else
            NPC_V(max_plane_windows)(args, 0, 1);
    } else {
        if (args->index)
            NPC_V(max_plane_windows)(args, 1, 0);
        else
            NPC_V(max_plane_windows)(args, 0, 0);
    }
}
