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

/* What the kernels of a product fetch into L2 while they run, a line at a time. */
typedef struct ahead {
    int64_t k, depth;           /* of the panels */
    int64_t share, count, pace; /* for the next source: see fetch_next */
    const char *next;
} ahead;

/* Steps between two of `count` fetches: few at once, or they fill the line buffers. */
static int64_t pace_of(int64_t count, int64_t steps)
{
    int64_t pace = 1;
    while (count > 0 && 2 * pace * count <= steps) pace *= 2;
    return pace;
}

static ahead plan_ahead(const npc_panel_product *p, int64_t row_blocks)
{
    ahead plan = {.k = npc_split(p->depth, p->blocks, p->first)};
    plan.depth = npc_split(p->depth, p->blocks, p->last) - plan.k;
    if (p->next && row_blocks > 1) {
        const int64_t block = p->depth / p->blocks;
        plan.share = npc_max(1, (row_blocks - 1) * p->tiles / p->next_lines);
        plan.count = npc_ceil_div(npc_ceil_div(block, p->taps), plan.share);
        plan.pace = pace_of(plan.count, block);
        plan.next = p->next + plan.k / p->taps * p->next_stride_bytes;
    }
    return plan;
}

/* The next block of rows, those in `a`, spread over this block's kernels. */
static void fetch_rows(const npc_panel_product *p, const ahead *plan, int64_t r, int64_t row_blocks,
                       int t, npc_uk1_args *args)
{
    const int64_t begin = npc_split(p->rows, row_blocks, r + 1);
    const int64_t rows = npc_split(p->rows, row_blocks, r + 2) - begin;
    const int64_t size = (int64_t)npc_dtype_size(p->kernels->dtype);
    const int64_t parts = p->tiles * args->blocks, part = t * args->blocks;
    const char *a = p->a + begin * p->a_stride_bytes + plan->k * size;

    args->ahead_step_bytes = NPC_CACHE_LINE;
    if (plan->depth == p->depth) { /* rows follow each other: in each block an equal part of them */
        args->ahead_count =
            npc_ceil_div(npc_ceil_div(rows * p->a_stride_bytes, NPC_CACHE_LINE), parts);
        args->ahead_jump_bytes = 0;
        args->ahead = a + part * args->ahead_count * NPC_CACHE_LINE;
    } else if (part < rows) { /* in each block a row's stretch of the depth */
        args->ahead_count = plan->depth * size / NPC_CACHE_LINE + 1;
        args->ahead_jump_bytes = p->a_stride_bytes - args->ahead_count * NPC_CACHE_LINE;
        args->ahead = a + part * p->a_stride_bytes;
    }
    args->ahead_pace = pace_of(args->ahead_count, args->block_depth);
}

/* A line of every channel of the next piece's source, by one kernel or, if there are more kernels
 * than lines, shared out to several. */
static void fetch_next(const npc_panel_product *p, const ahead *plan, int64_t kernel,
                       npc_uk1_args *args)
{
    int64_t line = kernel, channel = 0;
    if (plan->share > 1) {
        line = kernel / plan->share;
        channel = kernel % plan->share;
    }
    if (line >= p->next_lines) return;
    args->ahead_count = plan->count;
    args->ahead_pace = plan->pace;
    args->ahead_step_bytes = plan->share * p->next_stride_bytes;
    args->ahead_jump_bytes = 0;
    args->ahead = plan->next + channel * p->next_stride_bytes + line * NPC_CACHE_LINE;
}

/* A block of rows times a tile of tails. */
static void multiply_tail(const npc_panel_product *p, const npc_panel_tile *tile, int64_t begin,
                          int rows, const npc_uk1_args *args)
{
    const npc_tail_product product = {.kernels = p->kernels,
                                      .depth = p->depth,
                                      .blocks = p->blocks,
                                      .first = p->first,
                                      .last = p->last,
                                      .a = args->a,
                                      .rows = rows,
                                      .cols = tile->last_lanes,
                                      .b = tile->panel,
                                      .b_stride = tile->tail_stride,
                                      .c = tile->c + begin * tile->c_stride_bytes,
                                      .c_stride_bytes = tile->c_stride_bytes,
                                      .bias = args->bias};
    if (begin == 0 && tile->packer)
        npc_tail_pack(tile->packer->window, tile->packer->tile, p->channel,
                      npc_split(p->depth, p->blocks, p->first),
                      npc_split(p->depth, p->blocks, p->last), tile->panel, tile->tail_stride);
    npc_tail_multiply(&product);
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
    const ahead plan = plan_ahead(p, row_blocks);
    for (int64_t r = 0; r < row_blocks; r++) {
        const int64_t begin = npc_split(p->rows, row_blocks, r);
        const int rows = (int)(npc_split(p->rows, row_blocks, r + 1) - begin);
        for (int i = 0; i < rows; i++)
            args.a[i] = p->a + (begin + i) * p->a_stride_bytes + k * size;
        args.bias = p->bias && p->last == p->blocks ? p->bias + begin * size : NULL;
        for (int t = 0; t < p->tiles; t++) {
            const npc_panel_tile *tile = &p->tile[t];
            npc_pack_source source;
            if (tile->tail_stride) {
                multiply_tail(p, tile, begin, rows, &args);
                continue;
            }
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
            args.ahead_count = 0;
            args.ahead_pace = 1;
            if (p->fetch_rows && r + 1 < row_blocks) fetch_rows(p, &plan, r, row_blocks, t, &args);
            if (args.ahead_count == 0 && plan.next && r > 0)
                fetch_next(p, &plan, (r - 1) * p->tiles + t, &args);
            if (p->last == p->blocks && tile->part.rows > 0) {
                const npc_finish_part part =
                    npc_finish_part_rows(&tile->part, begin, rows, kernels->dtype);
                npc_finish_fetch(p->finish, &part);
                npc_run_uk1(kernels, rows, tile->vecs, &args);
                npc_finish_rows(p->finish, &part);
            } else {
                npc_run_uk1(kernels, rows, tile->vecs, &args);
            }
        }
    }
}
