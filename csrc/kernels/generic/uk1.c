/* UK1 on packed panels. Tiles that do not fit into the registers are left empty here and NULL
 * in the table. */
#include "uk1.h"

#define NPC_TILE(rows, vecs)                                                                       \
    npc_uk1_fn NPC_NAME(uk1_##rows##x##vecs);                                                      \
    void NPC_NAME(uk1_##rows##x##vecs)(const npc_uk1_args *args)                                   \
    {                                                                                              \
        if (rows <= NPC_UK1_ROWS_##vecs) NPC_V(uk1_body)(args, rows, vecs, 0);                     \
    }
#include "../tiles.def"
#undef NPC_TILE
