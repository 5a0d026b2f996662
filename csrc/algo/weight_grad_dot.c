/* The weight gradient as dot products:
 * dw[k][c, tap] = sum over all pixels of dy[k][pixel] * x[c][pixel's tap].
 *
 * Pixels are counted through the whole batch and cut into blocks; a panel holds a block's pixels
 * for a stretch of (channel, tap) rows, packed as for the forward convolution, and the dot kernel
 * multiplies rows of dy with it. Blocks are added in order. Where there are too few stretches to
 * share out, the blocks are dealt to up to MAX_PARTS partial sums, added in order at the end: how
 * many depends on the geometry alone, so the bits do not depend on threads.
 */
#include "weight_grad.h"

#include <stdlib.h>
#include <string.h>

#include "panel.h"
#include "../core/scratch.h"

enum {
    BLOCK_BYTES = 4096, /* of a panel row: a 4 x 6 tile of rows stays in L1 */
    PANEL_BYTES = 512 * 1024,
    WANTED_PIECES = 16,
    MAX_PARTS = 16
};

typedef struct job {
    npc_conv_problem *problem;
    npc_window window;
    int64_t size, rows, depth;     /* of a group: dy channels, (channel, tap) rows */
    int64_t pixels, block, blocks; /* of the batch; pixels of a block; blocks */
    int64_t stretch, stretches, parts;
    int64_t panel_stride; /* elements; a vector more than the block, so that rows do not alias */
    int flat_grad;        /* dy's pixels of an image follow each other and need no conversion */
    npc_weight_parts sums;
} job;

static void pack_block(const job *j, npc_packer *packer, npc_tile *tile, int64_t channel,
                       int64_t k_begin, int64_t k_end, int64_t first, int64_t count, char *panel)
{
    const int64_t lanes = (int64_t)j->problem->kernels->lanes * NPC_MAX_VECS;
    for (int64_t p = 0; p < count; p += lanes) {
        npc_tile_set(tile, &j->window, first + p, npc_min(lanes, count - p),
                     j->problem->kernels->lanes);
        packer->tap_begin = packer->tap_end = 0;
        npc_panel_pack(packer, channel, k_begin, k_end, panel + p * j->size, j->panel_stride);
    }
}

/* Copies one channel of dy, pixels [first, first + count) of the batch, to consecutive elements. */
static void stage_grad(const job *j, int64_t channel, int64_t first, int64_t count, char *to)
{
    const npc_array *y = &j->problem->arrays->y;
    const npc_axis *axis = j->window.axis;
    const int64_t width = axis[2].pixels, height = axis[1].pixels, image_pixels = j->window.pixels;
    while (count > 0) {
        const int64_t in_image = first % image_pixels, w = in_image % width;
        const int64_t run = npc_min(width - w, count);
        const char *from = y->data + first / image_pixels * y->stride[0] + channel * y->stride[1] +
                           in_image / width / height * y->stride[2] +
                           in_image / width % height * y->stride[3] + w * y->stride[4];
        npc_read_run(y, from, y->stride[4], run, j->problem->dtype, to);
        to += run * j->size;
        first += run;
        count -= run;
    }
}

/* Multiplies all rows of dy with the packed panel: dw[row][k_begin ...] += or =. */
static void multiply_block(const job *j, int64_t group, int64_t k_begin, int64_t k_end,
                           int64_t first, int64_t count, int accumulate, const char *panel,
                           char *stage, char *dw)
{
    const npc_kernels *kernels = j->problem->kernels;
    const npc_array *y = &j->problem->arrays->y;
    const int64_t image = first / j->window.pixels;
    const int in_place = j->flat_grad && image == (first + count - 1) / j->window.pixels;
    const int64_t row_tiles = npc_ceil_div(j->rows, kernels->max_dot_rows);
    const int64_t col_tiles = npc_ceil_div(k_end - k_begin, kernels->max_dot_cols);
    npc_dot_args args = {.depth = count,
                         .b_stride = j->panel_stride,
                         .c_stride = j->depth,
                         .accumulate = accumulate};

    for (int64_t r = 0; r < row_tiles; r++) {
        const int64_t row = npc_split(j->rows, row_tiles, r);
        const int rows = (int)(npc_split(j->rows, row_tiles, r + 1) - row);
        for (int i = 0; i < rows; i++) {
            const int64_t channel = group * j->rows + row + i;
            if (in_place) {
                args.a[i] = y->data + image * y->stride[0] + channel * y->stride[1] +
                            first % j->window.pixels * j->size;
            } else {
                char *to = stage + i * j->panel_stride * j->size;
                stage_grad(j, channel, first, count, to);
                args.a[i] = to;
            }
        }
        for (int64_t t = 0; t < col_tiles; t++) {
            const int64_t col = npc_split(k_end - k_begin, col_tiles, t);
            const int cols = (int)(npc_split(k_end - k_begin, col_tiles, t + 1) - col);
            args.b = panel + col * j->panel_stride * j->size;
            args.c = dw + ((group * j->rows + row) * j->depth + k_begin + col) * j->size;
            npc_run_dot(kernels, rows, cols, &args);
        }
    }
}

/* A piece: one stretch of one group, over one part's blocks. */
static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_conv_problem *problem = j->problem;
    const npc_conv_geometry *g = problem->geometry;
    const int64_t part = piece / (j->stretches * g->groups);
    const int64_t group = piece / j->stretches % g->groups, s = piece % j->stretches;
    const int64_t k_begin = npc_split(j->depth, j->stretches, s);
    const int64_t k_end = npc_split(j->depth, j->stretches, s + 1);
    const int64_t first_block = npc_split(j->blocks, j->parts, part);
    char *dw = npc_weight_part(&j->sums, part);
    char *cursor = scratch;
    npc_tile *tile = npc_scratch_take(&cursor, sizeof *tile);
    npc_packer packer = {.kernels = problem->kernels, .window = &j->window, .tile = tile};
    packer.segments = npc_scratch_take(&cursor, npc_panel_table_bytes(&j->window));
    char *stage = npc_scratch_take(&cursor, (size_t)(NPC_MAX_DOT_ROWS * j->panel_stride * j->size));
    char *panel = cursor;

    for (int64_t block = first_block; block < npc_split(j->blocks, j->parts, part + 1); block++) {
        const int64_t first = block * j->block, count = npc_min(j->block, j->pixels - first);
        pack_block(j, &packer, tile, group * npc_group_in(g), k_begin, k_end, first, count, panel);
        multiply_block(j, group, k_begin, k_end, first, count, block > first_block, panel, stage,
                       dw);
    }
    return NPC_OK;
}

static void plan_blocks(job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *y = &j->problem->arrays->y;
    const int64_t lanes = j->problem->kernels->lanes;

    j->pixels = g->batch * j->window.pixels;
    j->block = npc_min(BLOCK_BYTES / j->size, npc_ceil_div(j->pixels, lanes) * lanes);
    j->blocks = npc_ceil_div(j->pixels, j->block);
    j->panel_stride = j->block + lanes;
    j->stretches = npc_ceil_div(j->depth, PANEL_BYTES / (j->panel_stride * j->size));
    if (j->stretches * g->groups < WANTED_PIECES) { /* shorter ones, but whole tiles of columns */
        const int64_t most = npc_ceil_div(j->depth, 4 * NPC_MAX_DOT_COLS);
        j->stretches = npc_max(j->stretches, npc_min(most, npc_ceil_div(WANTED_PIECES, g->groups)));
    }
    j->parts = npc_ceil_div(WANTED_PIECES, j->stretches * g->groups);
    j->parts = npc_weight_parts_most(j->problem, npc_min(npc_min(j->parts, MAX_PARTS), j->blocks));
    j->flat_grad = npc_is_plain(y, j->problem->dtype) && npc_pixels_follow(y, &j->window, j->size);
}

npc_status npc_weight_grad_dot(npc_conv_problem *problem, int vector_loads)
{
    const npc_conv_geometry *g = problem->geometry;
    job j = {.problem = problem,
             .size = (int64_t)npc_dtype_size(problem->dtype),
             .rows = npc_group_out(g),
             .depth = npc_conv_depth(g)};
    const int64_t weights = g->out_channels * j.depth * j.size;

    if (weights == 0) return NPC_OK;
    npc_window_forward(&j.window, g, &problem->arrays->x, problem->dtype);
    if (!vector_loads) j.window.load_step = 0;
    if (g->batch * j.window.pixels == 0) {
        memset(problem->arrays->weight, 0, (size_t)weights);
        return NPC_OK;
    }
    plan_blocks(&j);
    const int64_t longest = npc_ceil_div(j.depth, j.stretches);
    const size_t scratch = npc_round_up(sizeof(npc_tile), 64) +
                           npc_round_up(npc_panel_table_bytes(&j.window), 64) +
                           (size_t)((NPC_MAX_DOT_ROWS + longest) * j.panel_stride * j.size) + 64;
    npc_status status = npc_weight_parts_start(&j.sums, problem, j.parts);
    if (status == NPC_OK)
        status = npc_parallel_for(problem->team, j.stretches * g->groups * j.parts, scratch,
                                  run_piece, &j);
    status = npc_weight_parts_finish(&j.sums, status);
    return status == NPC_OK ? npc_weight_grad_mend(problem, &j.window) : status;
}
