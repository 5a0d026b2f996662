#include "implicit_gemm.h"

#include "../core/scratch.h"

/* Work sizes. A piece should last long enough to hide its set-up and short enough that the threads
 * end together and Ctrl-C is answered; neither shows in the results. */
enum {
    MAX_UNIT_ROWS = 512,      /* bounds the staging tile */
    PANEL_BYTES = 640 * 1024, /* of a panel: it stays in L2 while the weights stream past it */
    PIECES_PER_THREAD = 8
};
#define MIN_PIECE_FLOPS 4e5
#define MAX_UNIT_FLOPS 1e8

typedef struct job {
    const npc_implicit_gemm *gemm;
    int64_t depth, blocks, panel_blocks; /* of the depth: all, and as many as fit into a panel */
    int64_t size;
    int64_t vectors, tiles;               /* of the whole batch */
    int64_t row_parts, units, unit_parts; /* a unit is a part of a group's rows */
    int flat_target;                      /* an image's pixels follow each other in the target */
    size_t table_bytes, panel_bytes, stage_bytes;
} job;

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

void npc_panel_multiply(const npc_panel_product *p)
{
    const npc_kernels *kernels = p->kernels;
    const int64_t size = (int64_t)npc_dtype_size(kernels->dtype);
    const int64_t row_blocks = npc_ceil_div(p->rows, kernels->max_rows[p->vecs]);
    const int64_t panel_begin = npc_split(p->depth, p->blocks, p->first);
    npc_uk1_args args = {.b_stride = p->panel_stride, .last_lanes = p->last_lanes};
    npc_pack_source source;
    int pack = p->packer && npc_panel_source(p->packer, p->channel, panel_begin, &source);

    if (p->packer && !pack)
        npc_panel_pack(p->packer, p->channel, panel_begin, npc_split(p->depth, p->blocks, p->last),
                       p->panel, p->panel_stride);
    for (int64_t r = 0; r < row_blocks; r++) {
        const int64_t begin = npc_split(p->rows, row_blocks, r);
        const int rows = (int)(npc_split(p->rows, row_blocks, r + 1) - begin);
        for (int i = 0; i < rows; i++) args.c[i] = p->c + (begin + i) * p->c_stride_bytes;
        for (int64_t block = p->first; block < p->last; block++) {
            const int64_t k = npc_split(p->depth, p->blocks, block);
            args.depth = npc_split(p->depth, p->blocks, block + 1) - k;
            for (int i = 0; i < rows; i++)
                args.a[i] = p->a + (begin + i) * p->a_stride_bytes + k * size;
            args.b = p->panel + (k - panel_begin) * p->panel_stride * size;
            args.accumulate = block > 0;
            args.bias = p->bias && block == p->blocks - 1 ? p->bias + begin * size : NULL;
            args.source = NULL;
            if (pack) {
                npc_panel_source(p->packer, p->channel, k, &source);
                args.source = &source;
            }
            npc_run_uk1(kernels, rows, p->vecs, &args);
        }
        pack = 0; /* the first row block has packed the panel for the others */
    }
}

/* One target element by the definition: taps outside the source are skipped. In double precision,
 * in the order of the depth. */
static double element(const npc_implicit_gemm *gemm, const npc_run *run, int64_t column,
                      int64_t group, int64_t row)
{
    const npc_window *window = gemm->window;
    const npc_array *s = window->source;
    const npc_axis *axis = window->axis;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    const char *weight =
        gemm->weight + (group * gemm->rows + row) * gemm->channels * window->taps * size;
    double sum = 0;

    for (int64_t c = 0; c < gemm->channels; c++) {
        const char *plane =
            s->data + run->image * s->stride[0] + (group * gemm->channels + c) * s->stride[1];
        for (int64_t tap = 0; tap < window->taps; tap++, weight += size) {
            const int64_t tw = tap % axis[2].taps, th = tap / axis[2].taps % axis[1].taps;
            const int64_t w = npc_axis_source(&axis[2], column, tw);
            const int64_t h = npc_axis_source(&axis[1], run->pixel[1], th);
            const int64_t d =
                npc_axis_source(&axis[0], run->pixel[0], tap / axis[2].taps / axis[1].taps);
            if (!npc_axis_holds(&axis[2], w) || !npc_axis_holds(&axis[1], h) ||
                !npc_axis_holds(&axis[0], d))
                continue;
            const char *x = plane + d * s->stride[2] + h * s->stride[3] + w * s->stride[4];
            sum += npc_load(weight, window->dtype, 0) * npc_load(x, s->dtype, s->swapped);
            if (sum != sum) return sum; /* nothing changes a NaN */
        }
    }
    if (gemm->bias)
        sum += npc_load(gemm->bias + (group * gemm->rows + row) * size, window->dtype, 0);
    return sum;
}

/* A panel holds zeros for taps in the padding, and zero times an infinite or NaN weight is NaN
 * where the definition skips the product. Such NaNs stand in border lanes only; they are computed
 * again. */
static void mend_border(const job *j, const npc_tile *tile, int64_t group, int64_t row_begin,
                        int64_t rows, char *c, int64_t c_stride_bytes)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const npc_dtype dtype = gemm->window->dtype;
    if (NPC_LIKELY(!npc_run_has_nan(gemm->kernels, c, c_stride_bytes / j->size, rows, tile->count)))
        return;
    for (int r = 0; r < tile->runs; r++) {
        const npc_run *run = &tile->run[r];
        for (int64_t lane = run->lane; lane < run->lane + run->count; lane++) {
            if (!(tile->border >> lane & 1)) continue;
            const int64_t column = run->pixel[2] + lane - run->lane;
            for (int64_t i = 0; i < rows; i++) {
                char *at = c + i * c_stride_bytes + lane * j->size;
                const double now = npc_load(at, dtype, 0);
                if (now == now) continue;
                const double value = element(gemm, run, column, group, row_begin + i);
                if (dtype == NPC_F32)
                    *(float *)at = (float)value;
                else
                    *(double *)at = value;
            }
        }
    }
}

/* From a staged tile to a target whose pixels do not follow each other. */
static void scatter(const job *j, const npc_tile *tile, int64_t channel, int64_t rows,
                    const char *stage, int64_t stage_stride_bytes)
{
    const npc_array *t = &j->gemm->target;
    for (int64_t i = 0; i < rows; i++) {
        for (int r = 0; r < tile->runs; r++) {
            const npc_run *run = &tile->run[r];
            char *to = t->data + run->image * t->stride[0] + (channel + i) * t->stride[1] +
                       run->pixel[0] * t->stride[2] + run->pixel[1] * t->stride[3] +
                       run->pixel[2] * t->stride[4];
            npc_write_run(stage + i * stage_stride_bytes + run->lane * j->size,
                          j->gemm->window->dtype, to, t->stride[4], run->count);
        }
    }
}

/* All of the depth for one unit of one tile. */
static void run_unit(const job *j, npc_packer *packer, int64_t unit, int64_t *packed_group,
                     char *panel, char *stage)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const npc_tile *tile = packer->tile;
    const int64_t group = unit / j->row_parts, part = unit % j->row_parts, size = j->size;
    const int64_t row_begin = npc_split(gemm->rows, j->row_parts, part);
    const int64_t rows = npc_split(gemm->rows, j->row_parts, part + 1) - row_begin;
    const int64_t channel = group * gemm->rows + row_begin;
    const int lanes = gemm->kernels->lanes,
              in_place = j->flat_target && tile->run[0].image == tile->run[tile->runs - 1].image;
    const npc_run *first = &tile->run[0];
    const npc_array *t = &gemm->target;
    npc_panel_product product = {
        .kernels = gemm->kernels,
        .depth = j->depth,
        .blocks = j->blocks,
        .a = gemm->weight + channel * j->depth * size,
        .bias = gemm->bias ? gemm->bias + channel * size : NULL,
        .a_stride_bytes = j->depth * size,
        .rows = rows,
        .panel = panel,
        .panel_stride = (int64_t)tile->vecs * lanes,
        .c = stage,
        .c_stride_bytes = NPC_MAX_TILE * size,
        .vecs = tile->vecs,
        .last_lanes = tile->count - (tile->vecs - 1) * lanes,
        .channel = group * gemm->channels,
    };
    if (in_place) {
        product.c = t->data + first->image * t->stride[0] + channel * t->stride[1] +
                    first->pixel[0] * t->stride[2] + first->pixel[1] * t->stride[3] +
                    first->pixel[2] * t->stride[4];
        product.c_stride_bytes = t->stride[1];
    }
    for (product.first = 0; product.first < j->blocks; product.first = product.last) {
        product.last = npc_min(product.first + j->panel_blocks, j->blocks);
        const int packed = *packed_group == group && j->panel_blocks == j->blocks;
        product.packer = packed ? NULL : packer;
        *packed_group = group;
        npc_panel_multiply(&product);
    }
    if (tile->border)
        mend_border(j, tile, group, row_begin, rows, product.c, product.c_stride_bytes);
    if (!in_place) scatter(j, tile, channel, rows, stage, product.c_stride_bytes);
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t index = piece / j->unit_parts, part = piece % j->unit_parts;
    const int64_t all = gemm->batch * gemm->window->pixels;
    const int lanes = gemm->kernels->lanes;
    const int64_t begin = npc_split(j->vectors, j->tiles, index) * lanes;
    const int64_t end = npc_min(all, npc_split(j->vectors, j->tiles, index + 1) * lanes);
    char *cursor = scratch;
    npc_tile *tile = npc_scratch_take(&cursor, sizeof *tile);
    npc_packer packer = {.kernels = gemm->kernels, .window = gemm->window, .tile = tile};
    packer.segments = npc_scratch_take(&cursor, j->table_bytes);
    char *panel = npc_scratch_take(&cursor, j->panel_bytes);
    char *stage = npc_scratch_take(&cursor, j->stage_bytes);
    int64_t packed_group = -1;

    npc_tile_set(tile, gemm->window, begin, end - begin, lanes);
    for (int64_t unit = npc_split(j->units, j->unit_parts, part);
         unit < npc_split(j->units, j->unit_parts, part + 1); unit++)
        run_unit(j, &packer, unit, &packed_group, panel, stage);
    return NPC_OK;
}

/* Cuts the work of a tile into units of rows, and units into pieces. */
static void plan_pieces(job *j, int threads)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t tile_pixels = npc_ceil_div(gemm->batch * gemm->window->pixels, j->tiles);
    const double group_flops =
        2.0 * (double)tile_pixels * (double)gemm->rows * (double)(j->depth + 1);
    const int64_t wanted = threads > 1 ? (int64_t)threads * PIECES_PER_THREAD : 1;

    j->row_parts = npc_max(npc_ceil_div(gemm->rows, MAX_UNIT_ROWS),
                           (int64_t)(group_flops / MAX_UNIT_FLOPS) + 1);
    if (j->tiles * gemm->groups * j->row_parts < wanted) {
        /* Each part packs the panel for itself: no more parts than repay it. */
        const int64_t most = npc_max(gemm->rows / 32, 1);
        j->row_parts =
            npc_max(j->row_parts, npc_min(most, npc_ceil_div(wanted, j->tiles * gemm->groups)));
    }
    j->row_parts = npc_min(j->row_parts, gemm->rows);
    j->units = gemm->groups * j->row_parts;
    /* Units of a piece share the tile and its segments. */
    const int64_t most =
        npc_max(1, (int64_t)(group_flops * (double)gemm->groups / MIN_PIECE_FLOPS));
    j->unit_parts = npc_min(j->units, most);
}

npc_implicit_gemm npc_forward_gemm(const npc_conv_problem *problem, const npc_window *window)
{
    const npc_conv_geometry *g = problem->geometry;
    return (npc_implicit_gemm){.kernels = problem->kernels,
                               .window = window,
                               .batch = g->batch,
                               .groups = g->groups,
                               .channels = npc_group_in(g),
                               .rows = npc_group_out(g),
                               .weight = problem->arrays->weight,
                               .bias = problem->arrays->bias,
                               .target = problem->arrays->y};
}

npc_status npc_implicit_gemm_run(const npc_implicit_gemm *gemm, npc_team *team)
{
    const npc_window *window = gemm->window;
    const npc_array *t = &gemm->target;
    const npc_axis *axis = window->axis;
    const int64_t pixels = gemm->batch * window->pixels;
    job j = {.gemm = gemm, .size = (int64_t)npc_dtype_size(window->dtype)};

    if (pixels == 0 || gemm->groups * gemm->rows == 0) return NPC_OK;
    const int vecs = npc_choose_tile_vecs(gemm->kernels, gemm->rows, pixels);
    const int64_t tile_bytes = (int64_t)vecs * gemm->kernels->lanes * j.size;
    j.depth = gemm->channels * window->taps;
    j.blocks = npc_depth_blocks(j.depth);
    j.panel_blocks = npc_max(1, PANEL_BYTES / (npc_ceil_div(j.depth + 1, j.blocks) * tile_bytes));
    j.panel_blocks = npc_min(j.panel_blocks, j.blocks);
    j.vectors = npc_ceil_div(pixels, gemm->kernels->lanes);
    j.tiles = npc_ceil_div(j.vectors, vecs);
    j.flat_target =
        (axis[2].pixels == 1 || t->stride[4] == j.size) &&
        (axis[1].pixels == 1 || t->stride[3] == axis[2].pixels * j.size) &&
        (axis[0].pixels == 1 || t->stride[2] == axis[1].pixels * axis[2].pixels * j.size);
    plan_pieces(&j, team->threads);
    j.table_bytes = npc_panel_table_bytes(window);
    j.panel_bytes = (size_t)(j.panel_blocks * (npc_ceil_div(j.depth + 1, j.blocks)) * tile_bytes);
    j.stage_bytes = (size_t)(npc_min(gemm->rows, MAX_UNIT_ROWS) * NPC_MAX_TILE * j.size);
    const size_t scratch = npc_round_up(sizeof(npc_tile), 64) + npc_round_up(j.table_bytes, 64) +
                           npc_round_up(j.panel_bytes, 64) + j.stage_bytes;
    return npc_parallel_for(team, j.tiles * j.unit_parts, scratch, run_piece, &j);
}
