/* Packing a panel on its own: see npc_pack_args. */
#include "pack.h"

NPC_DECLARE(pack);
void NPC_NAME(pack)(const npc_pack_args *args)
{
    NPC_V(pack_cursor) at = NPC_V(pack_start)(&args->source);
    NPC_T *row = args->panel;
    for (int64_t k = 0; k < args->rows; k++, row += args->panel_stride) {
        for (int64_t j = 0; j < args->vecs; j++)
            NPC_V(store)(row + j * NPC_LANES, NPC_V(pack_vector)(&at));
        NPC_V(pack_next_row)(&at);
    }
}
