/* The affine map of fully connected layers, and the matrix product of its gradients.
 *
 * Forward: weight and rows both lie along the sum, so that dot products read them where they are:
 * at the speed of memory for one row, near that of the multipliers for many. The depth is summed in
 * blocks of what a tile's rows leave in L1; the order depends on `inputs` alone.
 *
 * Product: panels of b, packed, times the unpacked rows of a, by UK1, as in a 1x1 convolution. */
#include <string.h>

#include "../include/npc_network.h"
#include "../plan/simple_plan.h"
#include "panel_product.h"

enum {
    DOT_BYTES = 4096, /* of a row, in a block of depth */
    DOT_ROWS = 128,   /* of x in a piece: they stay in L2 for a block of depth */
    DOT_OUTPUTS = 96, /* likewise */
    FEW_ROWS = 4,     /* the weight streams through, row by row */
    PRODUCT_ROWS = 1024,
    PANEL_BLOCKS = 8 /* of depth, in a panel */
};

typedef struct linear_job {
    const npc_linear_arrays *arrays;
    const npc_kernels *kernels;
    int64_t size, depth_block, row_parts, output_parts;
} linear_job;

/* Adds the products of a block of depth for outputs [first, last) and rows [begin, end) to y. */
static void dot_block(const linear_job *j, int64_t k, int64_t first, int64_t last, int64_t begin,
                      int64_t end)
{
    const npc_linear_arrays *a = j->arrays;
    const int max_rows = j->kernels->max_dot_rows, max_cols = j->kernels->max_dot_cols;
    npc_dot_args args = {.depth = npc_min(j->depth_block, a->inputs - k),
                         .b_stride = a->inputs,
                         .c_stride = a->outputs,
                         .accumulate = k > 0};
    for (int64_t o = first; o < last; o += max_cols) {
        const int cols = (int)npc_min(max_cols, last - o);
        args.b = (const char *)a->weight + (o * a->inputs + k) * j->size;
        for (int64_t n = begin; n < end; n += max_rows) {
            const int rows = (int)npc_min(max_rows, end - n);
            for (int i = 0; i < rows; i++)
                args.a[i] = (const char *)a->x + (n + i) * a->x_stride_bytes + k * j->size;
            args.c = (char *)a->y + (n * a->outputs + o) * j->size;
            npc_run_dot(j->kernels, rows, cols, &args);
        }
    }
}

static npc_status linear_piece(void *context, int64_t piece, void *scratch)
{
    const linear_job *j = context;
    const npc_linear_arrays *a = j->arrays;
    const int64_t row_part = piece / j->output_parts, output_part = piece % j->output_parts;
    const int64_t begin = npc_split(a->rows, j->row_parts, row_part);
    const int64_t end = npc_split(a->rows, j->row_parts, row_part + 1);
    const int64_t first = npc_split(a->outputs, j->output_parts, output_part);
    const int64_t last = npc_split(a->outputs, j->output_parts, output_part + 1);
    const int64_t step = end - begin > FEW_ROWS ? last - first : j->kernels->max_dot_cols;
    (void)scratch;
    for (int64_t o = first; o < last; o += step)
        for (int64_t k = 0; k < a->inputs || k == 0; k += j->depth_block)
            dot_block(j, k, o, npc_min(o + step, last), begin, end);
    if (a->bias || a->activation != NPC_NO_ACTIVATION) {
        char *y = (char *)a->y + (begin * a->outputs + first) * j->size;
        const npc_finish_args args = {.rows = end - begin,
                                      .count = last - first,
                                      .from = y,
                                      /* the same for every row */
                                      .add =
                                          a->bias ? (const char *)a->bias + first * j->size : NULL,
                                      .to = y,
                                      .from_stride_bytes = a->outputs * j->size,
                                      .to_stride_bytes = a->outputs * j->size,
                                      .activation = a->activation,
                                      .slope = a->slope};
        npc_run_finish(j->kernels, &args);
    }
    return NPC_OK;
}

npc_status npc_linear(const npc_linear_arrays *arrays, npc_dtype dtype, const npc_options *options,
                      npc_plan_info *info)
{
    linear_job j = {.arrays = arrays, .size = (int64_t)npc_dtype_size(dtype)};
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->rows < 0 || arrays->inputs < 0 || arrays->outputs < 0) return NPC_INVALID_GEOMETRY;
    j.depth_block = DOT_BYTES / j.size;
    j.row_parts = npc_ceil_div(arrays->rows, DOT_ROWS);
    j.output_parts = npc_ceil_div(arrays->outputs, DOT_OUTPUTS);
    npc_team team = npc_make_team(options, 2.0 * (double)arrays->rows * (double)arrays->inputs *
                                               (double)arrays->outputs);
    const npc_status done =
        npc_parallel_for(&team, j.row_parts * j.output_parts, 0, linear_piece, &j);
    npc_simple_info(info, "linear", j.kernels, &team);
    return done;
}

typedef struct product_job {
    const npc_product_arrays *arrays;
    const npc_kernels *kernels;
    int64_t size, blocks, row_parts, panels;
    int vecs;
} product_job;

/* Rows [begin, end) of b's columns from `column` on, to a panel; lanes behind the last are zero. */
static void pack(const product_job *j, int64_t begin, int64_t end, int64_t column, int64_t columns,
                 char *panel)
{
    const npc_product_arrays *a = j->arrays;
    const int64_t width = (int64_t)j->vecs * j->kernels->lanes;
    const char *from = (const char *)a->b + begin * a->b_stride_bytes + column * j->size;
    int64_t offset[NPC_DEPTH_BLOCK];
    if (columns == width) {
        for (int64_t k = 0; k < NPC_DEPTH_BLOCK; k++) offset[k] = k * a->b_stride_bytes;
        for (int64_t k = begin; k < end; k += NPC_DEPTH_BLOCK) {
            const int64_t rows = npc_min(NPC_DEPTH_BLOCK, end - k);
            npc_run_collect(j->kernels, from, offset, rows, j->vecs, panel);
            from += rows * a->b_stride_bytes;
            panel += rows * width * j->size;
        }
        return;
    }
    for (int64_t k = begin; k < end; k++) {
        memcpy(panel, from, (size_t)(columns * j->size));
        memset(panel + columns * j->size, 0, (size_t)((width - columns) * j->size));
        from += a->b_stride_bytes;
        panel += width * j->size;
    }
}

static npc_status product_piece(void *context, int64_t piece, void *scratch)
{
    const product_job *j = context;
    const npc_product_arrays *a = j->arrays;
    const int64_t width = (int64_t)j->vecs * j->kernels->lanes;
    const int64_t column = piece / j->row_parts * width, part = piece % j->row_parts;
    const int64_t columns = npc_min(width, a->columns - column);
    const int64_t begin = npc_split(a->rows, j->row_parts, part);
    const int vecs = (int)npc_ceil_div(columns, j->kernels->lanes);
    const product_job narrow = {
        .arrays = a, .kernels = j->kernels, .size = j->size, .blocks = j->blocks, .vecs = vecs};
    npc_panel_tile tile = {.panel = scratch,
                           .c = (char *)a->c + (begin * a->columns + column) * j->size,
                           .c_stride_bytes = a->columns * j->size,
                           .vecs = vecs,
                           .last_lanes = (int)(columns - (vecs - 1) * j->kernels->lanes)};
    npc_panel_product product = {.kernels = j->kernels,
                                 .depth = a->depth,
                                 .blocks = j->blocks,
                                 .a = (const char *)a->a + begin * a->a_stride_bytes,
                                 .a_stride_bytes = a->a_stride_bytes,
                                 .rows = npc_split(a->rows, j->row_parts, part + 1) - begin,
                                 .tile = &tile,
                                 .tiles = 1};
    for (product.first = 0; product.first < j->blocks; product.first = product.last) {
        product.last = npc_min(product.first + PANEL_BLOCKS, j->blocks);
        pack(&narrow, npc_split(a->depth, j->blocks, product.first),
             npc_split(a->depth, j->blocks, product.last), column, columns, scratch);
        npc_panel_multiply(&product);
    }
    return NPC_OK;
}

npc_status npc_product(const npc_product_arrays *arrays, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info)
{
    product_job j = {.arrays = arrays, .size = (int64_t)npc_dtype_size(dtype)};
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->rows < 0 || arrays->depth < 0 || arrays->columns < 0) return NPC_INVALID_GEOMETRY;
    if (arrays->rows == 0 || arrays->depth == 0 || arrays->columns == 0) {
        memset(arrays->c, 0, (size_t)(arrays->rows * arrays->columns * j.size));
        const npc_team nobody = {0};
        npc_simple_info(info, "product", j.kernels, &nobody);
        return NPC_OK;
    }
    j.blocks = npc_depth_blocks(arrays->depth);
    j.row_parts = npc_ceil_div(arrays->rows, PRODUCT_ROWS);
    j.vecs = npc_choose_tile_vecs(j.kernels, npc_min(arrays->rows, PRODUCT_ROWS), arrays->columns);
    const int64_t width = (int64_t)j.vecs * j.kernels->lanes;
    const size_t scratch = (size_t)(PANEL_BLOCKS * NPC_DEPTH_BLOCK * width * j.size);
    npc_team team = npc_make_team(options, 2.0 * (double)arrays->rows * (double)arrays->depth *
                                               (double)arrays->columns);
    const npc_status done = npc_parallel_for(
        &team, j.row_parts * npc_ceil_div(arrays->columns, width), scratch, product_piece, &j);
    npc_simple_info(info, "product", j.kernels, &team);
    return done;
}
