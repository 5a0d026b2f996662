/* panel_product.h: weight rows x a few panels, cut into register tiles. */
#ifndef NPC_ALGO_PANEL_PRODUCT_H
#define NPC_ALGO_PANEL_PRODUCT_H

#include "finish.h"
#include "panel.h"
#include "tail.h"

/* The depth of a product is summed in blocks, each a chain from zero, added in order: short chains
 * keep the rounding error down (design: at most 8 u on uniform data). Blocks depend on the depth
 * alone. */
enum { NPC_DEPTH_BLOCK = 128 };
NPC_INLINE int64_t npc_depth_blocks(int64_t depth)
{
    return depth <= 0 ? 1 : npc_ceil_div(depth, NPC_DEPTH_BLOCK);
}

/* A tile of a product: its panel, packed or to be packed on the way, and where its result goes. */
typedef struct npc_panel_tile {
    npc_packer *packer; /* NULL: the panel is packed */
    char *panel;        /* rows of vecs vectors, the first of depth block `first` */
    char *c;            /* of the first row */
    int64_t c_stride_bytes;
    int vecs, last_lanes;
    int tail_stride; /* 0, or the panel has a row of so many elements for each pixel: see tail.h */
    npc_finish_part part; /* to be finished: all rows, or none if part.rows is 0 */
} npc_panel_tile;

/* Multiplies `rows` weight rows with depth blocks [first, last) of `blocks` of a few tiles: c += or
 * = a x panel, and the bias (of the first row, or NULL) with the last block. A block of rows is
 * used for all tiles while it is in L1, the panels stay in L2. */
typedef struct npc_panel_product {
    const npc_kernels *kernels;
    int64_t depth, blocks, first, last;
    const char *a, *bias; /* of the first row at depth 0 */
    int64_t a_stride_bytes, rows;
    int64_t channel; /* of the source, from which panels are packed */
    npc_panel_tile *tile;
    int tiles;
    const npc_finish *finish; /* applied to tiles' parts with the last block, or NULL */
    /* What is fetched into L2 meanwhile: */
    int fetch_rows;   /* the next block of rows, for all of them are too many for L2 */
    const char *next; /* what will be packed next, from its first channel on, or NULL: */
    int64_t next_lines, next_stride_bytes, taps; /* of each channel, from channel to channel */
} npc_panel_product;

void npc_panel_multiply(const npc_panel_product *product);

/* How many vectors wide tiles should be for so many rows and pixels. */
int npc_choose_tile_vecs(const npc_kernels *kernels, int64_t rows, int64_t pixels);

#endif
