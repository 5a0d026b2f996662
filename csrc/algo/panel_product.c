#include "panel_product.h"

/* Cycles for one step of k of a tile: two multiply-adds or two loads a cycle, a latency of 4, and a
 * little for every load, so that of equals the tile with fewer loads wins. */
static double tile_cycles(int64_t rows, int64_t vecs)
{
    double cycles = 0.5 * (double)(rows * vecs) + 0.04 * (double)(rows + vecs);
    return cycles > 4.0 ? cycles : 4.0;
}

int npc_choose_tile_vecs(const npc_kernels *kernels, int64_t rows, int64_t pixels)
{
    const int64_t vectors = npc_ceil_div(pixels, kernels->lanes);
    double best = 0;
    int choice = 1;
    for (int vecs = 1; vecs <= NPC_MAX_VECS; vecs++) {
        const int64_t max_rows = kernels->max_rows[vecs];
        if (max_rows == 0) continue;
        const int64_t tiles = npc_ceil_div(vectors, vecs), narrow = vectors / tiles;
        const int64_t wide_tiles = vectors - narrow * tiles;
        const int64_t blocks = npc_ceil_div(rows, max_rows), low = rows / blocks;
        const int64_t high_blocks = rows - low * blocks;
        double cycles = 0;
        for (int wide = 0; wide < 2; wide++) {
            const int64_t count = wide ? wide_tiles : tiles - wide_tiles, width = narrow + wide;
            if (count == 0) continue;
            cycles += (double)count * ((double)high_blocks * tile_cycles(low + 1, width) +
                                       (double)(blocks - high_blocks) * tile_cycles(low, width) +
                                       1.5 * (double)width); /* packing */
        }
        if (best == 0 || cycles < best) {
            best = cycles;
            choice = vecs;
        }
    }
    return choice;
}

/* Spreads the fetching of the next block of rows, those in `a`, over this block's kernels. */
static void fetch_rows(const npc_panel_product *p, int64_t r, int64_t row_blocks, int t, int64_t k,
                       int64_t depth, npc_uk1_args *args)
{
    const int64_t begin = npc_split(p->rows, row_blocks, r + 1);
    const int64_t rows = npc_split(p->rows, row_blocks, r + 2) - begin;
    const int64_t size = (int64_t)npc_dtype_size(p->kernels->dtype);
    const int64_t parts = p->tiles * args->blocks, part = t * args->blocks;
    const char *a = p->a + begin * p->a_stride_bytes + k * size;

    args->ahead_step_bytes = NPC_CACHE_LINE;
    if (depth == p->depth) { /* rows follow each other: in each block an equal part of them */
        args->ahead_steps =
            npc_ceil_div(npc_ceil_div(rows * p->a_stride_bytes, NPC_CACHE_LINE), parts);
        args->ahead_jump_bytes = 0;
        args->ahead = a + part * args->ahead_steps * NPC_CACHE_LINE;
    } else if (part < rows) { /* in each block a row's stretch of the depth */
        args->ahead_steps = depth * size / NPC_CACHE_LINE + 1;
        args->ahead_jump_bytes = p->a_stride_bytes - args->ahead_steps * NPC_CACHE_LINE;
        args->ahead = a + part * p->a_stride_bytes;
    }
}

/* What the kernel of row block r and tile t fetches into L2 while it runs. */
static void plan_ahead(const npc_panel_product *p, int64_t r, int64_t row_blocks, int t,
                       npc_uk1_args *args)
{
    const int64_t k = npc_split(p->depth, p->blocks, p->first);
    const int64_t depth = npc_split(p->depth, p->blocks, p->last) - k;
    const int64_t line = (r - 1) * p->tiles + t; /* of each channel: one in each kernel */

    args->ahead_steps = 0;
    if (p->fetch_rows && r + 1 < row_blocks) fetch_rows(p, r, row_blocks, t, k, depth, args);
    if (args->ahead_steps == 0 && p->next && r > 0 && line < p->next_lines) {
        args->ahead_steps = npc_ceil_div(args->block_depth, p->taps);
        args->ahead_step_bytes = p->next_stride_bytes;
        args->ahead_jump_bytes = 0;
        args->ahead = p->next + k / p->taps * p->next_stride_bytes + line * NPC_CACHE_LINE;
    }
}

void npc_panel_multiply(const npc_panel_product *p)
{
    const npc_kernels *kernels = p->kernels;
    const int64_t size = (int64_t)npc_dtype_size(kernels->dtype);
    const int64_t k = npc_split(p->depth, p->blocks, p->first);
    npc_uk1_args args = {.blocks = p->last - p->first,
                         .block_depth = p->depth / p->blocks,
                         .long_blocks = p->depth % p->blocks - p->first,
                         .accumulate = p->first > 0};
    int vecs = 0;

    for (int t = 0; t < p->tiles; t++) vecs = p->tile[t].vecs > vecs ? p->tile[t].vecs : vecs;
    const int64_t row_blocks = npc_ceil_div(p->rows, kernels->max_rows[vecs]);
    for (int64_t r = 0; r < row_blocks; r++) {
        const int64_t begin = npc_split(p->rows, row_blocks, r);
        const int rows = (int)(npc_split(p->rows, row_blocks, r + 1) - begin);
        for (int i = 0; i < rows; i++)
            args.a[i] = p->a + (begin + i) * p->a_stride_bytes + k * size;
        args.bias = p->bias && p->last == p->blocks ? p->bias + begin * size : NULL;
        for (int t = 0; t < p->tiles; t++) {
            const npc_panel_tile *tile = &p->tile[t];
            npc_pack_source source;
            args.b = tile->panel;
            args.b_stride = (int64_t)tile->vecs * kernels->lanes;
            args.last_lanes = tile->last_lanes;
            args.source = NULL;
            if (r == 0 && tile->packer) { /* the first row block packs the panel for the others */
                if (npc_panel_source(tile->packer, p->channel, k, &source))
                    args.source = &source;
                else
                    npc_panel_pack(tile->packer, p->channel, k,
                                   npc_split(p->depth, p->blocks, p->last), tile->panel,
                                   args.b_stride);
            }
            for (int i = 0; i < rows; i++) args.c[i] = tile->c + (begin + i) * tile->c_stride_bytes;
            plan_ahead(p, r, row_blocks, t, &args);
            npc_run_uk1(kernels, rows, tile->vecs, &args);
        }
    }
}
