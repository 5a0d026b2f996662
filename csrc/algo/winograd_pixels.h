/* winograd_pixels.h: from planes to vectors of channels, for winograd_tiles.c. */
#ifndef NPC_ALGO_WINOGRAD_PIXELS_H
#define NPC_ALGO_WINOGRAD_PIXELS_H

#include "winograd_tiles.h"

/* A rectangle of pixels of an array, some channels of them, and where they lie as vectors of
 * channels: `pitch` pixels from row to row. */
typedef struct npc_winograd_rectangle {
    const npc_array *array;
    char *plane;   /* the first channel's */
    int64_t width; /* of the plane */
    int64_t channels;
    int64_t row, rows, column, columns;
    char *pixels;
    int64_t pitch;
    int64_t behind; /* columns of zeros that follow */
} npc_winograd_rectangle;

/* To vectors. `planar` has room for a row. */
void npc_winograd_gather(const npc_winograd_view *view, const npc_winograd_rectangle *r,
                         char *planar);

/* Likewise from a source within its view's border, in coordinates of the padded image. */
void npc_winograd_gather_within(const npc_winograd_view *view, const npc_winograd_rectangle *r,
                                char *planar);

#endif
