/* tail.h: the pixels of a small image that its whole vectors leave over.
 *
 * 7 x 7 pixels are three vectors of 16 and one pixel; a fourth vector for it would be idle in 15 of
 * its lanes. Such pixels are dot products along the depth instead. Which pixels these are depends
 * on one image, so they are summed in the same order whatever the batch. */
#ifndef NPC_ALGO_TAIL_H
#define NPC_ALGO_TAIL_H

#include "panel.h"

enum {
    NPC_TAIL_LANES = 16, /* the most pixels of a tile of tails */
    NPC_TAIL_BLOCKS = 8  /* depth blocks of a dot product; longer sums are added in order */
};

/* How many of an image's pixels, the last ones, are dot products; 0: a last vector, if it is not
 * whole, does no harm. */
int npc_tail_pixels(const npc_kernels *kernels, int64_t pixels, int64_t depth);

/* The taps of a tile's pixels, k in [k_begin, k_end), to rows `stride` elements apart, one for each
 * pixel; taps outside the source become zero. k = channel * taps + tap, channels counted from
 * `channel`. */
void npc_tail_pack(const npc_window *window, const npc_tile *tile, int64_t channel, int64_t k_begin,
                   int64_t k_end, void *to, int64_t stride);

/* A few rows times the tile's pixels, depth blocks [first, last) of `blocks`: c += or, where first
 * is 0, =; then + bias (one a row), unless that is NULL. `first` is a multiple of NPC_TAIL_BLOCKS.
 */
typedef struct npc_tail_product {
    const npc_kernels *kernels;
    int64_t depth, blocks, first, last;
    const void *const *a; /* the rows at the first block */
    int rows, cols;
    const char *b; /* packed, likewise */
    int64_t b_stride;
    char *c;
    int64_t c_stride_bytes;
    const char *bias;
} npc_tail_product;

void npc_tail_multiply(const npc_tail_product *product);

#endif
