/* Spreading rows: see npc_spread_args. Vectors go from the last of the rows to the first, each
 * through all rows, so that what a vector writes behind the end of its row is written again with
 * what belongs there. */
#include "../args/product.h"
#include "../args/spread.h"
#include "kernel.h"

/* One vector of each row: lanes [lo, hi) from `from`, the others zero. */
NPC_INLINE void NPC_V(spread_vector)(const char *from, int64_t from_stride, int64_t step, int lo,
                                     int hi, int64_t rows, NPC_T *to, int64_t to_stride)
{
    if (lo > 0) {
        for (int64_t i = 0; i < rows; i++, from += from_stride, to += to_stride) {
            NPC_V(store)(to, NPC_V(zero)());
            NPC_V(store_first)(to + lo, NPC_V(load_step)((const NPC_T *)from, step, hi - lo),
                               hi - lo);
        }
    } else if (step == 1 && hi == NPC_LANES) {
        for (int64_t i = 0; i < rows; i++, from += from_stride, to += to_stride)
            NPC_V(store)(to, NPC_V(load)((const NPC_T *)from));
    } else {
        for (int64_t i = 0; i < rows; i++, from += from_stride, to += to_stride)
            NPC_V(store)(to, NPC_V(load_step)((const NPC_T *)from, step, hi));
    }
}

NPC_INLINE void NPC_V(spread_tap)(const npc_spread_args *args, const npc_spread_tap *tap,
                                  const int64_t step, NPC_T *to)
{
    const int64_t count = args->count, rows = tap->begin < tap->end ? args->rows : 0;
    const int64_t after = args->zeros_after + args->rows - rows;
    for (int64_t i = 0; i < args->zeros_before * count; i += NPC_LANES)
        NPC_V(store)(to + i, NPC_V(zero)());
    to += args->zeros_before * count;
    if (rows) {
        for (int64_t j = (count - 1) / NPC_LANES * NPC_LANES; j >= 0; j -= NPC_LANES) {
            const int64_t lo = tap->begin - j < 0 ? 0 : tap->begin - j;
            const int64_t hi = tap->end - j > NPC_LANES ? NPC_LANES : tap->end - j;
            if (lo >= hi) {
                for (int64_t i = 0; i < rows; i++) NPC_V(store)(to + j + i * count, NPC_V(zero)());
            } else {
                const int64_t first = (j + lo - tap->begin) * step * (int64_t)sizeof(NPC_T);
                NPC_V(spread_vector)((const char *)args->from + tap->offset_bytes + first,
                                     args->row_stride_bytes, step, (int)lo, (int)hi, rows, to + j,
                                     count);
            }
        }
    }
    to += rows * count;
    for (int64_t i = 0; i < after * count; i += NPC_LANES) NPC_V(store)(to + i, NPC_V(zero)());
}

NPC_DECLARE(spread);
void NPC_NAME(spread)(const npc_spread_args *args)
{
    NPC_T *to = args->to;
    for (int64_t t = 0; t < args->taps; t++, to += args->to_stride) {
        const npc_spread_tap *tap = &args->tap[t];
        switch (args->step) { /* known steps make their own loops */
        case 1:
            NPC_V(spread_tap)(args, tap, 1, to);
            break;
        case 2:
            NPC_V(spread_tap)(args, tap, 2, to);
            break;
        default:
            NPC_V(spread_tap)(args, tap, args->step, to);
            break;
        }
    }
}

NPC_DECLARE(collect);
void NPC_NAME(collect)(const void *from, const int64_t *offset_bytes, int64_t rows, int64_t vecs,
                       void *panel)
{
    NPC_T *to = panel;
    for (int64_t k = 0; k < rows; k++) {
        const NPC_T *row = (const NPC_T *)((const char *)from + offset_bytes[k]);
        for (int64_t j = 0; j < vecs; j++, to += NPC_LANES)
            NPC_V(store)(to, NPC_V(load)(row + j * NPC_LANES));
    }
}
