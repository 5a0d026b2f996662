/* The gradient of max-pooling: see npc_unpool_row_args. */
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

NPC_DECLARE(match_taps);
int NPC_NAME(match_taps)(const npc_match_taps_args *args)
{
    enum { BLOCK = 32 };
    const uint32_t taps = (uint32_t)args->taps, spacing = (uint32_t)args->spacing;
    uint32_t missing = 0;
    uint64_t high = 0; /* what the low halves do not show */
    for (int64_t i = 0; i < args->count; i += BLOCK) {
        const int n = (int)npc_min(BLOCK, args->count - i);
        const uint32_t base = (uint32_t)(args->base + i * args->base_step);
        uint32_t from[BLOCK] = {0}, number[BLOCK];
        uint8_t to[BLOCK];
        if (n == BLOCK)
            for (int j = 0; j < BLOCK; j++) {
                high |= (uint64_t)args->from[i + j];
                from[j] = (uint32_t)args->from[i + j];
            }
        else
            for (int j = 0; j < n; j++) {
                high |= (uint64_t)args->from[i + j];
                from[j] = (uint32_t)args->from[i + j];
            }
        for (int j = 0; j < BLOCK; j++) {
            from[j] -= base + (uint32_t)j * (uint32_t)args->base_step;
            number[j] = j < n ? ~0u : 0;
        }
        if (spacing == 1 && args->row_distance >= args->taps) {
            /* Take away a row's distance for each row that begins before; what is left is the tap.
             */
            const uint32_t row = (uint32_t)args->row_distance;
            for (int j = 0; j < BLOCK; j++) number[j] = 0;
            for (int64_t r = 1; r < args->row_count; r++)
                for (int j = 0; j < BLOCK; j++) {
                    const uint32_t further = from[j] >= row;
                    from[j] -= further ? row : 0;
                    number[j] += further ? taps : 0;
                }
            for (int j = 0; j < BLOCK; j++) number[j] = from[j] < taps ? number[j] + from[j] : ~0u;
            for (int j = n; j < BLOCK; j++) number[j] = 0;
        } else {
            for (int64_t r = 0; r < args->row_count; r++) {
                const uint32_t row = (uint32_t)(r * args->row_distance), first = (uint32_t)r * taps;
                for (uint32_t s = 0; s < taps; s++)
                    for (int j = 0; j < BLOCK; j++)
                        number[j] = from[j] == row + s * spacing ? first + s : number[j];
            }
        }
        for (int j = 0; j < BLOCK; j++) {
            missing |= number[j];
            to[j] = (uint8_t)number[j];
        }
        memcpy(args->to + i, to, (size_t)n);
    }
    return !(missing >> 31) && !(high >> 31);
}

NPC_INLINE NPC_VEC NPC_V(unpool_sum)(const npc_unpool_row_args *args, int64_t begin, int64_t end,
                                     int64_t at)
{
    const NPC_T *grad = (const NPC_T *)args->grad + at;
    const uint8_t *number = args->number + at;
    NPC_VEC sum = NPC_V(zero)();
    for (int64_t k = begin; k < end; k++) {
        const int64_t offset = args->offset[k];
        const NPC_V(mask) won = NPC_V(match)(number + offset, args->wanted[k]);
        sum = NPC_V(add_where)(won, sum, NPC_V(load)(grad + offset));
    }
    return sum;
}

NPC_DECLARE(unpool_row);
void NPC_NAME(unpool_row)(const npc_unpool_row_args *args)
{
    const int64_t first = args->first_term[0], second = args->first_term[1];
    for (int64_t j = 0; j < args->rows; j++) {
        NPC_T *to = (NPC_T *)args->to + j * args->to_pitch;
        const int64_t at = j * args->pitch;
        if (args->phases == 1) {
            for (int64_t i = 0; i < args->count; i += NPC_LANES)
                NPC_V(store_first)(to + i, NPC_V(unpool_sum)(args, first, second, at + i),
                                   (int)npc_min(NPC_LANES, args->count - i));
            continue;
        }
        const int64_t third = args->first_term[2];
        for (int64_t i = 0; i < args->count; i += 2 * NPC_LANES) {
            const NPC_VEC even = NPC_V(unpool_sum)(args, first, second, at + i / 2);
            const NPC_VEC odd = NPC_V(unpool_sum)(args, second, third, at + i / 2);
            if (args->stream && args->count - i >= 2 * NPC_LANES) {
                NPC_V(stream)(to + i, NPC_V(zip_low)(even, odd));
                NPC_V(stream)(to + i + NPC_LANES, NPC_V(zip_high)(even, odd));
            } else if (args->stream && args->count - i == NPC_LANES) {
                NPC_V(stream)(to + i, NPC_V(zip_low)(even, odd));
            } else {
                NPC_V(store_pairs)(to + i, even, odd, (int)npc_min(2 * NPC_LANES, args->count - i));
            }
        }
    }
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
