/* weight_grad_block.h: the operands of UK3 for a block of output pixels.
 *
 * Lanes are channels of one array, the panel, whose pixels are transposed to vectors of channels;
 * the rows of the product are channels of the other. Usually the panel is x, the rows are channels
 * of dy as they lie in memory, and each tap of the kernel has its own list of runs, in which pixels
 * whose tap lies in the padding are left out. Where x has few channels the panel is dy, and the
 * rows are taps of x, which is copied with its padding (`padded`), so that one list serves all;
 * likewise where a kernel of one tap reads each pixel and dy has fewer channels than x, but then
 * rows of x are read as they lie.
 *
 * A block is a rectangle of output pixels in one or several planes (image, output slice). Slices of
 * the kernel are treated one by one.
 */
#ifndef NPC_ALGO_WEIGHT_GRAD_BLOCK_H
#define NPC_ALGO_WEIGHT_GRAD_BLOCK_H

#include "bias_grad.h"
#include "weight_grad.h"

/* Of an axis of x: position q holds coordinate q * step - pad, so that output pixel p meets tap t
 * at p * stride + t * spacing. Positions between, which nothing meets, are left out. */
typedef struct npc_positions {
    int64_t step, stride, spacing, pad, taps;
    int64_t begin, end; /* those inside x */
} npc_positions;

typedef struct npc_weight_grad_job {
    npc_conv_problem *problem;
    npc_window window;
    npc_positions axis[2]; /* vertical, horizontal */
    int64_t size, lanes, taps;
    int padded, pointwise;
    int straight;            /* sums are in the order of the weights, and lie where those shall */
    int in_place;            /* the rows of the product can be read as they lie */
    int64_t row_step;        /* bytes from pixel to pixel of them */
    int64_t units, channels; /* of a group: of the rows, of the panel */
    int64_t unit_parts, channel_parts, unit_block, channel_block;
    int64_t planes, block_planes; /* of the batch, of a block */
    int64_t lines, columns;       /* of a block in a plane, at most */
    int64_t line_parts, column_parts, blocks;
    int64_t chain_lines; /* that are summed in one chain */
    int64_t parts, rounds;
    npc_weight_parts sums;
    const npc_bias_grad *bias_grad; /* whose sums are taken, or NULL */
    size_t panel_bytes, operand_bytes, stage_bytes, run_bytes, sum_bytes;
    int tile_vecs;
} npc_weight_grad_job;

/* What a piece works on. */
typedef struct npc_weight_grad_place {
    int64_t group, slice;      /* of the kernel's depth */
    int64_t unit, units;       /* of the group */
    int64_t channel, channels; /* likewise, of the panel */
} npc_weight_grad_place;

/* A block of pixels, with its operands. */
typedef struct npc_weight_grad_block {
    int64_t plane, planes, line, lines, column, columns;
    int64_t top, rows, left, width; /* the positions of x that are kept, of each plane */
    char *panel, *operand, *stage;
    npc_uk3_run *run;
} npc_weight_grad_block;

/* Elements of the panel and of a unit's operand for blocks of such a size, in double since sizes
 * are not bounded here. */
double npc_weight_grad_panel_pixels(const npc_weight_grad_job *j, int64_t lines, int64_t columns);
double npc_weight_grad_operand_pixels(const npc_weight_grad_job *j, int64_t lines, int64_t columns);

/* Vectors of the panel's tile `tile`, of `tiles`: first and end. */
NPC_INLINE int64_t npc_weight_grad_tiles(const npc_weight_grad_job *j, int64_t channels)
{
    return npc_ceil_div(npc_ceil_div(channels, j->lanes), j->tile_vecs);
}

/* Finds block `index` and fills its panel and, where dy is not read in place, its operand. */
void npc_weight_grad_fill(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                          int64_t index, npc_weight_grad_block *b);

/* Takes the bias gradient's sums of the block, for channels [first, first + count) of dy's group,
 * in one of the places that read them. */
void npc_weight_grad_sum(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                         const npc_weight_grad_block *b, int64_t first, int64_t count);

/* Lists the runs of a tap of the kernel's slice, or those of all where x is padded; returns how
 * many there are. */
int64_t npc_weight_grad_runs(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                             int64_t tap, const npc_weight_grad_block *b);

/* Where the pixels of a row of the product start: unit `unit` of the place, for a padded x its tap
 * `tap`. */
const char *npc_weight_grad_row(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                                const npc_weight_grad_block *b, int64_t unit, int64_t tap);

#endif
