/* The matrix product of the gradients of fully connected layers.
 *
 * Panels of b, packed, times the unpacked rows of a, by UK1, as in a 1x1 convolution; several
 * panels beside each other, so that b and c are gone through in long stretches. Where c has few
 * rows, or b few, packing would take longer than the sums: then rows of b are weighted and added as
 * they lie. Both sum in the same order. */
#include <string.h>

#include "../include/npc_network.h"
#include "../plan/simple_plan.h"
#include "panel_product.h"

enum {
    PRODUCT_ROWS = 1024,
    PANEL_BLOCKS = 4,    /* of depth, in a panel */
    PANELS = 4,          /* at most, of a piece */
    FEW_ROWS = 3,        /* of c */
    FEW_STEPS = 4,       /* of depth */
    THIN_COLUMNS = 2048, /* of a piece where there are few */
    STREAMS = 8          /* rows of b that are read at a time */
};

typedef struct product_job {
    const npc_product_arrays *arrays;
    const npc_kernels *kernels;
    int64_t size, blocks, row_parts, panels;
    int vecs;
} product_job;

/* ---- few rows, or few steps of depth --------------------------------------------------------- */

/* Columns [column, column + columns) of a block of depth, one row of c after the other. */
static void add_block(const product_job *j, int64_t block, int64_t column, int64_t columns,
                      char *partial)
{
    const npc_product_arrays *a = j->arrays;
    const int64_t begin = npc_split(a->depth, j->blocks, block);
    const int64_t end = npc_split(a->depth, j->blocks, block + 1);
    for (int64_t k = begin; k < end; k += STREAMS) {
        for (int64_t row = 0; row < a->rows; row++) {
            char *c = (char *)a->c + (row * a->columns + column) * j->size;
            char *sum = partial + row * columns * j->size;
            const npc_weighted_rows_args args = {
                .depth = npc_min(STREAMS, end - k),
                .count = columns,
                .a = (const char *)a->a + row * a->a_stride_bytes + k * j->size,
                .b = (const char *)a->b + k * a->b_stride_bytes + column * j->size,
                .b_stride = a->b_stride_bytes / j->size,
                .to = block == 0 ? c : sum,
                .goes_on = k > begin};
            npc_run_weighted_rows(j->kernels, &args);
            if (block > 0 && k + STREAMS >= end) npc_run_add(j->kernels, c, sum, columns);
        }
    }
}

static npc_status thin_piece(void *context, int64_t piece, void *scratch)
{
    const product_job *j = context;
    const int64_t column = npc_split(j->arrays->columns, j->panels, piece);
    const int64_t columns = npc_split(j->arrays->columns, j->panels, piece + 1) - column;
    for (int64_t block = 0; block < j->blocks; block++)
        add_block(j, block, column, columns, scratch);
    return NPC_OK;
}

/* ---- panels ---------------------------------------------------------------------------------- */

/* Rows [begin, end) of b's columns from `column` on, to a panel of `vecs` vectors; lanes behind the
 * last column are zero. */
static void pack(const product_job *j, int64_t begin, int64_t end, int64_t column, int64_t columns,
                 int vecs, char *panel)
{
    const npc_product_arrays *a = j->arrays;
    const int64_t width = (int64_t)vecs * j->kernels->lanes;
    const char *from = (const char *)a->b + begin * a->b_stride_bytes + column * j->size;
    int64_t offset[NPC_DEPTH_BLOCK];
    if (columns == width) {
        for (int64_t k = 0; k < NPC_DEPTH_BLOCK; k++) offset[k] = k * a->b_stride_bytes;
        for (int64_t k = begin; k < end; k += NPC_DEPTH_BLOCK) {
            const int64_t rows = npc_min(NPC_DEPTH_BLOCK, end - k);
            npc_run_collect(j->kernels, from, offset, rows, vecs, panel);
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

static npc_status panel_piece(void *context, int64_t piece, void *scratch)
{
    const product_job *j = context;
    const npc_product_arrays *a = j->arrays;
    const int64_t lanes = j->kernels->lanes, width = (int64_t)j->vecs * lanes;
    const int64_t all = npc_ceil_div(a->columns, width), parts = npc_ceil_div(all, j->panels);
    const int64_t part = piece % j->row_parts, first = npc_split(all, parts, piece / j->row_parts);
    const int64_t tiles = npc_split(all, parts, piece / j->row_parts + 1) - first;
    const int64_t begin = npc_split(a->rows, j->row_parts, part);
    const int64_t panel_bytes = PANEL_BLOCKS * NPC_DEPTH_BLOCK * width * j->size;
    npc_panel_tile tile[PANELS];
    memset(tile, 0, sizeof tile);
    npc_panel_product product = {.kernels = j->kernels,
                                 .depth = a->depth,
                                 .blocks = j->blocks,
                                 .a = (const char *)a->a + begin * a->a_stride_bytes,
                                 .a_stride_bytes = a->a_stride_bytes,
                                 .rows = npc_split(a->rows, j->row_parts, part + 1) - begin,
                                 .tile = tile,
                                 .tiles = (int)tiles};
    for (product.first = 0; product.first < j->blocks; product.first = product.last) {
        product.last = npc_min(product.first + PANEL_BLOCKS, j->blocks);
        for (int64_t t = 0; t < tiles; t++) {
            const int64_t column = (first + t) * width,
                          columns = npc_min(width, a->columns - column);
            const int vecs = (int)npc_ceil_div(columns, lanes);
            tile[t].panel = (char *)scratch + t * panel_bytes;
            tile[t].c = (char *)a->c + (begin * a->columns + column) * j->size;
            tile[t].c_stride_bytes = a->columns * j->size;
            tile[t].vecs = vecs;
            tile[t].last_lanes = (int)(columns - (vecs - 1) * lanes);
            pack(j, npc_split(a->depth, j->blocks, product.first),
                 npc_split(a->depth, j->blocks, product.last), column, columns, vecs,
                 tile[t].panel);
        }
        npc_panel_multiply(&product);
    }
    return NPC_OK;
}

npc_status npc_product(const npc_product_arrays *arrays, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info)
{
    product_job j = {.arrays = arrays, .size = (int64_t)npc_dtype_size(dtype)};
    npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->rows < 0 || arrays->depth < 0 || arrays->columns < 0) return NPC_INVALID_GEOMETRY;
    if (arrays->rows == 0 || arrays->depth == 0 || arrays->columns == 0) {
        memset(arrays->c, 0, (size_t)(arrays->rows * arrays->columns * j.size));
        const npc_team nobody = {0};
        npc_simple_info(info, "product", j.kernels, &nobody);
        return NPC_OK;
    }
    j.blocks = npc_depth_blocks(arrays->depth);
    npc_team team = npc_make_team(options, 2.0 * (double)arrays->rows * (double)arrays->depth *
                                               (double)arrays->columns);
    if ((arrays->rows <= FEW_ROWS || arrays->depth <= FEW_STEPS) &&
        arrays->b_stride_bytes % j.size == 0) {
        j.panels = npc_ceil_div(arrays->columns, THIN_COLUMNS);
        const int64_t partial = j.blocks > 1 ? arrays->rows * THIN_COLUMNS * j.size : 0;
        status = npc_parallel_for(&team, j.panels, (size_t)partial, thin_piece, &j);
    } else {
        j.row_parts = npc_ceil_div(arrays->rows, PRODUCT_ROWS);
        j.vecs =
            npc_choose_tile_vecs(j.kernels, npc_min(arrays->rows, PRODUCT_ROWS), arrays->columns);
        const int64_t width = (int64_t)j.vecs * j.kernels->lanes;
        const int64_t all = npc_ceil_div(arrays->columns, width);
        j.panels = npc_max(1, npc_min(PANELS, all / (8 * team.threads)));
        const int64_t scratch = j.panels * PANEL_BLOCKS * NPC_DEPTH_BLOCK * width * j.size;
        status = npc_parallel_for(&team, j.row_parts * npc_ceil_div(all, j.panels), (size_t)scratch,
                                  panel_piece, &j);
    }
    npc_simple_info(info, "product", j.kernels, &team);
    return status;
}
