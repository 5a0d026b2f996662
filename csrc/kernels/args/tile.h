/* tile.h: the limits of register tiles. */
#ifndef NPC_KERNELS_ARGS_TILE_H
#define NPC_KERNELS_ARGS_TILE_H

enum {
    NPC_MAX_ROWS = 14, /* of a UK1 tile */
    NPC_MAX_VECS = 4,  /* likewise */
    NPC_MAX_TILE = 64, /* the most lanes of a tile: 4 vectors of 16 floats */
    NPC_MAX_DOT_ROWS = 4,
    NPC_MAX_DOT_COLS = 6
};

#endif
