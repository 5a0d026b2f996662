/* Transposing in blocks of lanes x lanes: see npc_transpose_args. */
#include "../args/transpose.h"
#include "kernel.h"

NPC_DECLARE(transpose);
void NPC_NAME(transpose)(const npc_transpose_args *args)
{
    for (int64_t i = 0; i < args->rows; i += NPC_LANES) {
        const int rows = (int)npc_min(NPC_LANES, args->rows - i);
        const NPC_T *from = (const NPC_T *)args->from + i * args->from_stride;
        NPC_T *to = (NPC_T *)args->to + i;
        int64_t j = 0;
        if (rows == NPC_LANES) {
            for (; j + NPC_LANES <= args->cols; j += NPC_LANES) {
                NPC_VEC v[NPC_LANES];
                NPC_UNROLL
                for (int r = 0; r < NPC_LANES; r++)
                    v[r] = NPC_V(load)(from + r * args->from_stride + j);
                NPC_V(transpose)(v);
                NPC_UNROLL
                for (int c = 0; c < NPC_LANES; c++)
                    NPC_V(store)(to + (j + c) * args->to_stride, v[c]);
            }
        }
        for (; j < args->cols; j += NPC_LANES) {
            const int cols = (int)npc_min(NPC_LANES, args->cols - j);
            NPC_VEC v[NPC_LANES];
            for (int r = 0; r < NPC_LANES; r++)
                v[r] = r < rows ? NPC_V(load_first)(from + r * args->from_stride + j, cols)
                                : NPC_V(zero)();
            NPC_V(transpose)(v);
            for (int c = 0; c < cols; c++) {
                NPC_T *at = to + (j + c) * args->to_stride;
                if (args->fill || rows == NPC_LANES)
                    NPC_V(store)(at, v[c]);
                else
                    NPC_V(store_first)(at, v[c], rows);
            }
        }
    }
}
