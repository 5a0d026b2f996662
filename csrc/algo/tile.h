/* tile.h: tiles of channels x pixels, to and from (N, C, D, H, W) arrays of any memory layout.
 *
 * Pixels are counted through the batch: e = image * pixels + position. A tile has a row for each
 * channel, `pitch` elements of the computation's dtype apart. */
#ifndef NPC_ALGO_TILE_H
#define NPC_ALGO_TILE_H

#include "../core/dtype.h"

typedef struct npc_pixels {
    const npc_array *array;
    npc_dtype dtype; /* of the computation */
    int64_t size, pixels;
    int64_t extent[NPC_SPATIAL], stride[NPC_SPATIAL]; /* joined as far as possible */
    int channels_last; /* a pixel's channels follow each other, its neighbours do not */
    int flat;          /* an image's pixels of a channel follow each other, ready to be used */
} npc_pixels;

npc_pixels npc_pixels_of(const npc_array *array, const int64_t extent[NPC_SPATIAL],
                         npc_dtype dtype);

void npc_tile_read(const npc_pixels *from, int64_t channel, int64_t channels, int64_t pixel,
                   int64_t count, void *tile, int64_t pitch);
void npc_tile_write(const npc_pixels *to, int64_t channel, int64_t channels, int64_t pixel,
                    int64_t count, const void *tile, int64_t pitch);

/* Where a pixel of a channel is, in a flat array. */
NPC_INLINE char *npc_pixel_at(const npc_pixels *p, int64_t channel, int64_t pixel)
{
    return p->array->data + channel * p->array->stride[1] +
           pixel / p->pixels * p->array->stride[0] + pixel % p->pixels * p->size;
}

#endif
