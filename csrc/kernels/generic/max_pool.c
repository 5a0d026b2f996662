/* Max-pooling in two steps, along the rows and across them: see npc_max_row_args. */
#include "../args/max_pool.h"
#include "kernel.h"

#include <math.h>
#include <string.h>

/* Keeps v, number n, where it beats (or undercuts) the best so far. */
NPC_INLINE void NPC_V(max_keep)(NPC_VEC *best, NPC_V(ints) * number, NPC_VEC v, NPC_V(ints) n,
                                const int numbered, const int smallest)
{
    const NPC_V(mask) better = smallest ? NPC_V(undercuts)(v, *best) : NPC_V(beats)(v, *best);
    *best = NPC_V(select)(better, v, *best);
    if (numbered) *number = NPC_V(int_select)(better, n, *number);
}

/* Lanes [0, lanes) of a tap, of which elements outside of [lowest, highest) from `from` count as
 * `nothing`, which no other undercuts or beats. */
NPC_INLINE NPC_VEC NPC_V(max_load_border)(const NPC_T *from, int64_t at, int64_t step, int lanes,
                                          int64_t lowest, int64_t highest, NPC_T nothing)
{
    /* Arithmetic, not a loop over lanes: in a narrow image every vector is a border. */
    const int64_t before = lowest - at, inside = highest - at;
    const int end = inside <= 0 ? 0 : (int)npc_min(lanes, (inside - 1) / step + 1);
    const int begin = before <= 0 ? 0 : (int)npc_min(end, (before - 1) / step + 1);
    const uint32_t mask = ((uint32_t)1 << end) - ((uint32_t)1 << begin); /* lanes that exist */
    /* Their distances from `at`, where each second element is one. */
    const uint32_t elements =
        (uint32_t)(((uint64_t)1 << 2 * end) - ((uint64_t)1 << 2 * begin)) & 0x55555555u;
    const NPC_T *p = (const NPC_T *)((uintptr_t)from + (uintptr_t)(at * (int64_t)sizeof *from));
    const NPC_VEC v = step == 1 ? NPC_V(load_masked)(p, mask) : NPC_V(load_even)(p, elements);
    return NPC_V(select)(NPC_V(lanes_of)(mask), v, NPC_V(broadcast)(&nothing));
}

NPC_INLINE void NPC_V(max_row_body)(const npc_max_row_args *args, const int64_t step,
                                    const int pairs, const int numbered, const int smallest)
{
    const NPC_T nothing = smallest ? (NPC_T)INFINITY : -(NPC_T)INFINITY;
    const int64_t *offset = args->offset;
    for (int64_t j = 0; j < args->rows; j++) {
        const NPC_T *from = (const NPC_T *)args->from + j * args->from_pitch;
        NPC_T *to = (NPC_T *)args->best + j * args->pitch;
        NPC_T *to_number = numbered ? (NPC_T *)args->number + j * args->pitch : NULL;
        for (int64_t i = 0; i < args->count; i += NPC_LANES) {
            const int lanes = (int)npc_min(NPC_LANES, args->count - i);
            const int64_t first = i * step, last = first + (lanes - 1) * step;
            NPC_VEC best, v;
            NPC_V(ints) number = NPC_V(int_broadcast)(0);
            if (NPC_UNLIKELY(first < args->lowest ||
                             last + offset[args->taps - 1] >= args->highest)) {
                best = NPC_V(max_load_border)(from, first + offset[0], step, lanes, args->lowest,
                                              args->highest, nothing);
                for (int64_t s = 1; s < args->taps; s++) {
                    v = NPC_V(max_load_border)(from, first + offset[s], step, lanes, args->lowest,
                                               args->highest, nothing);
                    NPC_V(max_keep)(&best, &number, v, NPC_V(int_broadcast)(s * args->number_step),
                                    numbered, smallest);
                }
            } else {
                const NPC_T *at = from + first;
                int64_t s = 1;
                if (pairs) {
                    NPC_V(load_pairs)(at, lanes, &best, &v);
                    NPC_V(max_keep)(&best, &number, v, NPC_V(int_broadcast)(args->number_step),
                                    numbered, smallest);
                    s = 2;
                } else {
                    best = NPC_V(load_step)(at + offset[0], step, lanes);
                }
                for (; s < args->taps; s++) {
                    v = NPC_V(load_step)(at + offset[s], step, lanes);
                    NPC_V(max_keep)(&best, &number, v, NPC_V(int_broadcast)(s * args->number_step),
                                    numbered, smallest);
                }
            }
            NPC_V(store)(to + i, best);
            if (numbered) NPC_V(int_store)(to_number + i, number);
        }
    }
}

NPC_INLINE void NPC_V(max_row_steps)(const npc_max_row_args *args, const int numbered,
                                     const int smallest)
{
    if (args->step == 1)
        NPC_V(max_row_body)(args, 1, 0, numbered, smallest);
    else if (args->pairs)
        NPC_V(max_row_body)(args, 2, 1, numbered, smallest);
    else
        NPC_V(max_row_body)(args, 2, 0, numbered, smallest);
}

NPC_DECLARE(max_row);
void NPC_NAME(max_row)(const npc_max_row_args *args)
{
    assert(args->taps >= 1 && (args->step == 1 || args->step == 2));
    assert(!args->pairs || (args->step == 2 && args->taps >= 2 && args->offset[0] == 0));
    if (args->smallest) { /* constants choose the loads and drop what is not wanted */
        if (args->number)
            NPC_V(max_row_steps)(args, 1, 1);
        else
            NPC_V(max_row_steps)(args, 0, 1);
    } else {
        if (args->number)
            NPC_V(max_row_steps)(args, 1, 0);
        else
            NPC_V(max_row_steps)(args, 0, 0);
    }
}

NPC_INLINE void NPC_V(max_column_body)(const npc_max_column_args *args, const int64_t row_count,
                                       const int index_bytes, const int smallest)
{
    const int numbered = index_bytes > 0;
    NPC_T ramp[NPC_LANES]; /* integers of an element's size */
    for (int i = 0; i < NPC_LANES; i++) {
        const int64_t n = i * args->base_step;
        memcpy(ramp + i, &n, sizeof *ramp); /* its low bytes */
    }
    const NPC_V(ints) first = NPC_V(int_load)(ramp);
    const NPC_V(ints) next = NPC_V(int_broadcast)(NPC_LANES * args->base_step);

    for (int64_t j = 0; j < args->rows; j++) {
        const int64_t from = j * args->row_step;
        NPC_T *out = (NPC_T *)args->out + j * args->out_pitch;
        NPC_V(ints)
        base = NPC_V(int_add)(first, NPC_V(int_broadcast)(args->base + j * args->base_row));
        for (int64_t i = 0; i < args->count; i += NPC_LANES) {
            const int lanes = (int)npc_min(NPC_LANES, args->count - i);
            const NPC_T *best_at = (const NPC_T *)args->best + i;
            const NPC_T *number_at = numbered ? (const NPC_T *)args->number + i : NULL;
            const int64_t at = (from + args->row[0]) * args->pitch;
            NPC_VEC best = NPC_V(load)(best_at + at);
            NPC_V(ints) number = NPC_V(int_broadcast)(args->row_number[0]), n = number;
            if (numbered) number = NPC_V(int_add)(number, NPC_V(int_load)(number_at + at));
            for (int64_t r = 1; r < row_count; r++) {
                const int64_t here = (from + args->row[r]) * args->pitch;
                if (numbered)
                    n = NPC_V(int_add)(NPC_V(int_broadcast)(args->row_number[r]),
                                       NPC_V(int_load)(number_at + here));
                NPC_V(max_keep)(&best, &number, NPC_V(load)(best_at + here), n, numbered, smallest);
            }
            NPC_V(store_first)(out + i, best, lanes);
            if (index_bytes == 8)
                NPC_V(store_int64)(args->index64 + j * args->index_pitch + i,
                                   NPC_V(int_add)(number, base), lanes);
            if (index_bytes == 1)
                NPC_V(store_bytes)(args->index8 + j * args->index_pitch + i,
                                   NPC_V(int_add)(number, base), lanes);
            if (index_bytes == 8) base = NPC_V(int_add)(base, next);
        }
    }
}

NPC_INLINE void NPC_V(max_column_indices)(const npc_max_column_args *args, const int smallest)
{
    if (args->index64)
        NPC_V(max_column_body)(args, args->row_count, 8, smallest);
    else if (args->index8)
        NPC_V(max_column_body)(args, args->row_count, 1, smallest);
    else
        NPC_V(max_column_body)(args, args->row_count, 0, smallest);
}

NPC_DECLARE(max_column);
void NPC_NAME(max_column)(const npc_max_column_args *args)
{
    assert(args->row_count >= 1);
    if (args->smallest)
        NPC_V(max_column_indices)(args, 1);
    else
        NPC_V(max_column_indices)(args, 0);
}
