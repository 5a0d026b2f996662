/* The table of one ISA and dtype, filled from kernels.def. */
#include "../kernels.h"
#include "kernel.h"

#define NPC_TILE(rows, vecs)                                                                       \
    npc_uk1_fn NPC_NAME(uk1_##rows##x##vecs), NPC_NAME(uk1_pack_##rows##x##vecs);                  \
    npc_uk2_fn NPC_NAME(uk2_##rows##x##vecs);                                                      \
    npc_uk3_fn NPC_NAME(uk3_##rows##x##vecs);                                                      \
    npc_uk4_fn NPC_NAME(uk4_##rows##x##vecs);
#define NPC_DOT(rows, cols) npc_dot_fn NPC_NAME(dot_##rows##x##cols);
#define NPC_KERNEL(name) NPC_DECLARE(name);
#include "../tiles.def"
#include "../kernels.def"
#undef NPC_TILE
#undef NPC_DOT
#undef NPC_KERNEL

extern const npc_kernels NPC_NAME(kernels);
const npc_kernels NPC_NAME(kernels) = {
    .isa = NPC_PASTE(NPC_ISA_, NPC_ISA),
    .dtype = NPC_DTYPE_ID,
    .lanes = NPC_LANES,
    .max_rows = {0, NPC_UK1_ROWS_1, NPC_UK1_ROWS_2, NPC_UK1_ROWS_3, NPC_UK1_ROWS_4},
    .max_dot_rows = NPC_DOT_ROWS,
    .max_dot_cols = NPC_DOT_COLS,
#define NPC_TILE(rows, vecs)                                                                       \
    .uk1[vecs][rows] = rows <= NPC_UK1_ROWS_##vecs ? NPC_NAME(uk1_##rows##x##vecs) : NULL,         \
    .uk1_pack[vecs][rows] =                                                                        \
        rows <= NPC_UK1_ROWS_##vecs ? NPC_NAME(uk1_pack_##rows##x##vecs) : NULL,                   \
    .uk2[vecs][rows] = rows <= NPC_UK1_ROWS_##vecs ? NPC_NAME(uk2_##rows##x##vecs) : NULL,         \
    .uk3[vecs][rows] = rows <= NPC_UK1_ROWS_##vecs ? NPC_NAME(uk3_##rows##x##vecs) : NULL,         \
    .uk4[vecs][rows] = rows <= NPC_UK1_ROWS_##vecs ? NPC_NAME(uk4_##rows##x##vecs) : NULL,
#define NPC_DOT(rows, cols)                                                                        \
    .dot[rows][cols] =                                                                             \
        rows <= NPC_DOT_ROWS && cols <= NPC_DOT_COLS ? NPC_NAME(dot_##rows##x##cols) : NULL,
#define NPC_KERNEL(name) .name = NPC_NAME(name),
#include "../tiles.def"
#include "../kernels.def"
#undef NPC_TILE
#undef NPC_DOT
#undef NPC_KERNEL
};
