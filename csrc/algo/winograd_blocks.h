/* winograd_blocks.h: the steps of Winograd's algorithm on a block of tiles and a panel of output
 * channels. */
#ifndef NPC_ALGO_WINOGRAD_BLOCKS_H
#define NPC_ALGO_WINOGRAD_BLOCKS_H

#include "../plan/conv_plan.h"
#include "winograd_tiles.h"

enum {
    NPC_WINOGRAD_MAX_BLOCK = 128, /* tiles */
    NPC_WINOGRAD_FILTERS = 16     /* that are transposed at a time */
};

/* What a call needs, for all of its threads. */
typedef struct npc_winograd_job {
    npc_winograd_view view; /* of the first group */
    int64_t batch, groups, size;
    int64_t points;              /* of a tile */
    int64_t depth, depth_blocks; /* channels, rounded up to whole vectors; blocks of them */
    int64_t vectors, panels;     /* of output channels */
    int64_t panel_width;         /* of the widest, in elements */
    int tile_vecs;               /* of UK1's tiles */
    int64_t unit_groups;         /* groups of tiles of a unit: one, a row's or an image's */
    int64_t units, blocks;       /* of all images, split into blocks */
    int64_t block_tiles;         /* the most */
    int64_t input_stride, product_stride, weight_stride; /* from point to point, elements */
    int64_t shares; /* of the blocks, where threads transform weights for themselves */
    char *weights;  /* shared: of every panel of every group, or NULL; only read if prepared */
    char *input;    /* shared: the tiles of every group, or NULL */
    int few, prepared;
    int64_t run_groups; /* the most of a run */
    size_t memory_bytes, weight_bytes, input_bytes, product_bytes, filter_bytes;
} npc_winograd_job;

/* The tiles of a block. */
typedef struct npc_winograd_block {
    int runs, bands;
    int64_t tiles;
    npc_winograd_run run[NPC_WINOGRAD_MAX_BLOCK];
    npc_winograd_band band[NPC_WINOGRAD_MAX_BLOCK];
    int32_t column[NPC_WINOGRAD_MAX_BLOCK];
    /* The tiles that take part at a point, from the first to before the end: all; those whole along
     * the row, where the point is one that edge tiles leave out; likewise across the rows; both. */
    int64_t part[4], part_end[4];
} npc_winograd_block;

/* Chooses units for blocks of at most `most` tiles: whole images or rows of tiles, whose pixels are
 * transposed together, where that leaves enough of them. */
void npc_winograd_choose_units(npc_winograd_job *j, int64_t most, int64_t enough);

void npc_winograd_set_up_block(const npc_winograd_job *j, npc_winograd_block *b, int64_t index);

/* Which part of the tiles has a point: those left out by edge tiles are the last but one and the
 * one before. */
int npc_winograd_part_of_point(const npc_winograd_job *j, int64_t point);

npc_winograd_view npc_winograd_view_of_group(const npc_winograd_job *j, int64_t group);

/* The first output channel of a panel; that of the panel behind the last is their end. */
int64_t npc_winograd_panel_begin(const npc_winograd_job *j, int64_t panel);

/* A vector of channels of all tiles of a block. */
void npc_winograd_transform_input(const npc_winograd_job *j, const npc_winograd_view *view,
                                  const npc_winograd_block *b, int64_t channel, char *to,
                                  const npc_winograd_memory *m);

/* Channels [begin, end) of a panel's weights, to rows of its width at each point: those for output
 * channels [row_begin, row_end) of the panel, which are whole vectors. */
void npc_winograd_transform_weights(const npc_winograd_job *j, const npc_winograd_view *view,
                                    int64_t panel, int64_t row_begin, int64_t row_end,
                                    int64_t begin, int64_t end, char *to, char *filters);

/* products (+)= input x weights at every point, over depth blocks [first, last). */
void npc_winograd_multiply(const npc_winograd_job *j, const npc_winograd_block *b, int64_t width,
                           const char *input, const char *weights, char *products, int64_t first,
                           int64_t last);

void npc_winograd_transform_products(const npc_winograd_job *j, const npc_winograd_view *view,
                                     const npc_winograd_block *b, int64_t panel,
                                     const char *products, const npc_winograd_memory *m);

/* The weight gradient, for a view of the forward convolution; and what it counts, the features that
 * a call counts once as bits. */
#define NPC_WINOGRAD_WEIGHT_GRAD_ONCE 0x381u
npc_status npc_winograd_weight_grad(npc_conv_problem *problem, const npc_winograd_view *view);
void npc_winograd_weight_grad_features(const npc_conv_problem *problem,
                                       const npc_winograd_view *view, double *feature);

#endif
