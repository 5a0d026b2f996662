/* Transposing in blocks of lanes x lanes: see npc_transpose_args. */
#include "../args/transpose.h"
#include "kernel.h"

enum { AHEAD = 4 }; /* blocks whose lines are fetched before they are wanted */

/* `back`: to planes, of which each row of the result is one. */
NPC_INLINE void NPC_V(transpose_block)(const NPC_T *from, const int64_t from_stride, NPC_T *to,
                                       const int64_t to_stride, const int back)
{
    NPC_VEC v[NPC_LANES];
    NPC_UNROLL
    for (int r = 0; r < NPC_LANES; r++) {
        v[r] = NPC_V(load)(from + r * from_stride);
        if (!back) __builtin_prefetch(from + r * from_stride + AHEAD * NPC_LANES);
    }
    NPC_V(transpose)(v);
    NPC_UNROLL
    for (int c = 0; c < NPC_LANES; c++) {
        NPC_V(store)(to + c * to_stride, v[c]);
        if (back) __builtin_prefetch(to + c * to_stride + AHEAD * NPC_LANES, 1);
    }
}

NPC_INLINE void NPC_V(transpose_part)(const npc_transpose_args *args, const NPC_T *from, NPC_T *to,
                                      const int rows, const int cols)
{
    NPC_VEC v[NPC_LANES];
    NPC_UNROLL
    for (int r = 0; r < NPC_LANES; r++) {
        const NPC_T *row = from + r * args->from_stride;
        v[r] = NPC_V(zero)();
        if (r < rows) v[r] = cols == NPC_LANES ? NPC_V(load)(row) : NPC_V(load_first)(row, cols);
    }
    NPC_V(transpose)(v);
    NPC_UNROLL
    for (int c = 0; c < NPC_LANES; c++) {
        NPC_T *at = to + c * args->to_stride;
        if (c >= cols) continue;
        if (args->fill || rows == NPC_LANES)
            NPC_V(store)(at, v[c]);
        else
            NPC_V(store_first)(at, v[c], rows);
    }
}

/* What is left of a dimension is taken together with what was done before, where it is long enough
 * for a whole block. */
NPC_DECLARE(transpose);
void NPC_NAME(transpose)(const npc_transpose_args *args)
{
    const int64_t from_stride = args->from_stride, to_stride = args->to_stride;
    for (int64_t i = 0; i < args->rows; i += NPC_LANES) {
        if (!args->fill && args->rows >= NPC_LANES) i = npc_min(i, args->rows - NPC_LANES);
        const int rows = (int)npc_min(NPC_LANES, args->rows - i);
        const NPC_T *from = (const NPC_T *)args->from + i * from_stride;
        NPC_T *to = (NPC_T *)args->to + i;
        if (rows == NPC_LANES && args->cols >= NPC_LANES) {
            for (int64_t j = 0; j < args->cols; j += NPC_LANES) {
                j = npc_min(j, args->cols - NPC_LANES);
                if (args->fill)
                    NPC_V(transpose_block)(from + j, from_stride, to + j * to_stride, to_stride, 0);
                else
                    NPC_V(transpose_block)(from + j, from_stride, to + j * to_stride, to_stride, 1);
            }
            continue;
        }
        for (int64_t j = 0; j < args->cols; j += NPC_LANES) {
            if (args->cols >= NPC_LANES) j = npc_min(j, args->cols - NPC_LANES);
            NPC_V(transpose_part)(args, from + j, to + j * to_stride, rows,
                                  (int)npc_min(NPC_LANES, args->cols - j));
        }
    }
}
