/* The gradient of max-pooling: see npc_unpool_tiles_args. */
#include "../args/max_pool.h"
#include "kernel.h"

#include <string.h>

NPC_DECLARE(in_range);
int NPC_NAME(in_range)(const int64_t *from, int64_t count, int64_t limit)
{
    const uint64_t last = (uint64_t)limit - 1;
    uint64_t outside = 0; /* the top bit of x | (last - x), for either is negative outside */
    if (limit <= 0) return count == 0;
    for (int64_t i = 0; i < count; i++) outside |= (uint64_t)from[i] | (last - (uint64_t)from[i]);
    return !(outside >> 63);
}

/* Indices are looked at once, for another thread of the caller's may write to them meanwhile. */
NPC_INLINE int NPC_V(scatter_body)(const npc_scatter_run_args *args, const int add,
                                   const int leaving)
{
    enum { TURN = 8 };
    const NPC_T *from = args->from;
    const uint64_t origin = (uint64_t)args->origin, limit = (uint64_t)args->limit;
    NPC_T *to = args->to, *rows = args->rows, *out = args->out;
    int64_t left = leaving ? args->leave : 0;
    const int64_t vectors = left / NPC_LANES, turns = npc_ceil_div(args->count, TURN);
    const int64_t a_turn = turns ? npc_ceil_div(vectors, turns) : 0;
    if (leaving)
        for (; left > 0 && (uintptr_t)out % NPC_CACHE_LINE; left--) {
            *out++ = *rows;
            *rows++ = 0;
        }
    for (int64_t i = 0; i < args->count; i += TURN) {
        const int64_t end = npc_min(i + TURN, args->count);
        for (int64_t k = i; k < end; k++) {
            const uint64_t at = (uint64_t)((const volatile int64_t *)args->index)[k] - origin;
            if (NPC_UNLIKELY(at >= limit)) return 0;
            to[at] = add ? to[at] + from[k] : from[k];
        }
        for (int64_t k = 0; leaving && k < a_turn && left >= NPC_LANES; k++, left -= NPC_LANES) {
            NPC_V(stream)(out, NPC_V(load)(rows));
            NPC_V(store)(rows, NPC_V(zero)());
            out += NPC_LANES;
            rows += NPC_LANES;
        }
    }
    for (; left >= NPC_LANES; left -= NPC_LANES) {
        NPC_V(stream)(out, NPC_V(load)(rows));
        NPC_V(store)(rows, NPC_V(zero)());
        out += NPC_LANES;
        rows += NPC_LANES;
    }
    for (; left > 0; left--) {
        *out++ = *rows;
        *rows++ = 0;
    }
    return 1;
}

NPC_DECLARE(scatter_run);
int NPC_NAME(scatter_run)(const npc_scatter_run_args *args)
{
    if (args->leave) return NPC_V(scatter_body)(args, 1, 1);
    return args->add ? NPC_V(scatter_body)(args, 1, 0) : NPC_V(scatter_body)(args, 0, 0);
}

NPC_INLINE int NPC_V(unpool_tiles_body)(const npc_unpool_tiles_args *args, const int bytes,
                                        const int64_t window_rows)
{
    NPC_T ramp[NPC_LANES]; /* integers of an element's size */
    for (int i = 0; i < NPC_LANES; i++) {
        const int64_t n = -i * args->base_step;
        memcpy(ramp + i, &n, sizeof *ramp);
    }
    const NPC_V(ints) first = NPC_V(int_load)(ramp);
    uint32_t missing = 0;
    for (int64_t j = 0; j < args->rows; j++) {
        const NPC_T *grad = (const NPC_T *)args->grad + j * args->grad_pitch;
        NPC_T *to = (NPC_T *)args->to + j * window_rows * args->to_pitch;
        const int64_t base = args->base + j * args->base_row;
        for (int64_t i = 0; i < args->count; i += NPC_LANES) {
            const int lanes = (int)npc_min(NPC_LANES, args->count - i);
            const NPC_VEC g = NPC_V(add)(NPC_V(zero)(), NPC_V(load_first)(grad + i, lanes));
            NPC_V(ints) index;
            if (bytes)
                index = NPC_V(load_bytes)(args->index8 + j * args->index_pitch + i, lanes);
            else
                index = NPC_V(load_int64)(args->index64 + j * args->index_pitch + i, lanes);
            index = NPC_V(int_add)(
                index, NPC_V(int_add)(first, NPC_V(int_broadcast)(-(base + i * args->base_step))));
            uint32_t found = 0;
            for (int64_t r = 0; r < window_rows; r++) {
                const int64_t wanted = r * args->row_distance;
                const NPC_V(mask) left = NPC_V(int_equal)(index, NPC_V(int_broadcast)(wanted));
                const NPC_V(mask) right = NPC_V(int_equal)(index, NPC_V(int_broadcast)(wanted + 1));
                NPC_T *pixel = to + r * args->to_pitch + 2 * i;
                const NPC_VEC even = NPC_V(select)(left, g, NPC_V(zero)());
                const NPC_VEC odd = NPC_V(select)(right, g, NPC_V(zero)());
                if (args->stream && lanes == NPC_LANES) {
                    NPC_V(stream)(pixel, NPC_V(zip_low)(even, odd));
                    NPC_V(stream)(pixel + NPC_LANES, NPC_V(zip_high)(even, odd));
                } else if (args->stream && 2 * lanes == NPC_LANES) {
                    NPC_V(stream)(pixel, NPC_V(zip_low)(even, odd));
                } else {
                    NPC_V(store_pairs)(pixel, even, odd, 2 * lanes);
                }
                found |= NPC_V(mask_bits)(left) | NPC_V(mask_bits)(right);
            }
            missing |= ~found & ((1u << lanes) - 1);
        }
    }
    return !missing;
}

NPC_DECLARE(unpool_tiles);
int NPC_NAME(unpool_tiles)(const npc_unpool_tiles_args *args)
{
    if (args->window_rows == 2)
        return args->index8 ? NPC_V(unpool_tiles_body)(args, 1, 2)
                            : NPC_V(unpool_tiles_body)(args, 0, 2);
    return args->index8 ? NPC_V(unpool_tiles_body)(args, 1, args->window_rows)
                        : NPC_V(unpool_tiles_body)(args, 0, args->window_rows);
}
