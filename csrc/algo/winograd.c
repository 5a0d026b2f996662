/* winograd: fewer products for small dense kernels (Lavin and Gray 2016; the transforms are those
 * of kernels/generic/winograd.h).
 *
 * Weights and input are transformed to a number of points, at each point the product over the
 * channels is a small matrix product on UK1, and its results are transformed back. Tiles are taken
 * in blocks whose transformed input and products stay in cache; output channels in panels of at
 * most 64. Lanes are channels in the transforms and output channels in the products, so no lane is
 * wasted on narrow images.
 *
 * Where there are more tiles than a block holds, the transformed weights are shared by all blocks
 * and each thread has the tiles of its block. Where there are few, the tiles are shared, and each
 * thread transforms weights as it needs them, which are never written out. Both sum in the same
 * order: channels in blocks of DEPTH_BLOCK, each from zero, so the choice shows in no bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/scratch.h"
#include "../plan/conv_plan.h"
#include "implicit_gemm.h"
#include "winograd_tiles.h"

enum {
    PANEL_ROWS = 64,  /* output channels of a panel */
    DEPTH_BLOCK = 64, /* channels that are summed from zero: keeps the rounding error down */
    FEW_TILES = 64,   /* the tiles are shared, not the weights */
    MAX_BLOCK = 128,  /* tiles */
    MAX_DILATION = 64,
    FILTERS = 16, /* that are transposed at a time */
    MIN_BLOCK = 16,
    INPUT_BYTES = 2800 * 1024, /* of a block's transformed input */
    PIECES_PER_THREAD = 4,
    CLOSE_BYTES = 4 << 20, /* of weights for few tiles: more are transformed faster than fetched */
    SKEW = 64 /* bytes between points, lest they compete for the same sets of the cache */
};

typedef struct job {
    npc_winograd_view view; /* of the first group */
    int64_t batch, groups, size;
    int64_t points;              /* of a tile */
    int64_t depth, depth_blocks; /* channels, rounded up to whole vectors; blocks of them */
    int64_t vectors, panels;     /* of output channels */
    int64_t panel_width;         /* of the widest, in elements */
    int tile_vecs;               /* of UK1's tiles */
    int64_t units, blocks;       /* groups of tiles of all images, split into blocks */
    int64_t block_tiles;         /* the most */
    int64_t input_stride, product_stride, weight_stride; /* from point to point, elements */
    char *weights; /* shared: of every panel of every group, or NULL; only read if prepared */
    char *input;   /* shared: the tiles of every group, or NULL */
    int few, prepared;
    size_t run_bytes, weight_bytes, input_bytes, product_bytes, filter_bytes;
} job;

/* ---- tiles of a block ------------------------------------------------------------------------ */

typedef struct block {
    int runs;
    int64_t tiles;
    npc_winograd_run run[MAX_BLOCK];
    int32_t column[MAX_BLOCK];
    /* The tiles that take part at a point: all; those whole along the row, where the point is one
     * that edge tiles leave out; likewise across the rows; both. */
    int16_t part[4][MAX_BLOCK];
    int part_tiles[4];
} block;

static void set_up_block(const job *j, block *b, int64_t index)
{
    const npc_winograd_axis *across = &j->view.axis[0], *along = &j->view.axis[1];
    const int64_t end = npc_split(j->units, j->blocks, index + 1);
    const int64_t longest = npc_max(1, NPC_WINOGRAD_RUN / along->step);

    b->runs = 0;
    b->tiles = 0;
    memset(b->part_tiles, 0, sizeof b->part_tiles);
    for (int64_t unit = npc_split(j->units, j->blocks, index); unit < end;) {
        npc_winograd_run *run = &b->run[b->runs++];
        const int64_t row = unit / along->groups;
        run->image = row / across->tiles;
        run->tile_row = row % across->tiles;
        run->first_group = unit % along->groups;
        run->groups = npc_min(npc_min(longest, along->groups - run->first_group), end - unit);
        run->slot = b->tiles;
        npc_winograd_run_set(run, &j->view, b->column + b->tiles);
        for (int64_t t = 0; t < run->tiles.tiles; t++) {
            const int edges = (run->tile_row >= across->whole) << 1 | (t >= run->tiles.whole_tiles);
            for (int part = 0; part < 4; part++)
                if (!(edges & part)) b->part[part][b->part_tiles[part]++] = (int16_t)(b->tiles + t);
        }
        b->tiles += run->tiles.tiles;
        unit += run->groups;
    }
}

/* Which part of the tiles has a point: those left out by edge tiles are the last but one and the
 * one before. */
static int part_of_point(const job *j, int64_t point)
{
    int part = 0;
    for (int i = 0; i < 2; i++) {
        const npc_winograd_transform transform = j->view.axis[i].transform;
        const int64_t along = npc_winograd_points(j->view.axis[1].transform);
        const int64_t at = i == 0 ? point / along : point % along;
        const int left_out = npc_winograd_edge(transform) != transform && (at == 3 || at == 4);
        part |= left_out << (1 - i);
    }
    return part;
}

/* ---- the three steps ------------------------------------------------------------------------- */

static npc_winograd_view view_of_group(const job *j, int64_t group)
{
    npc_winograd_view view = j->view;
    view.source.data += group * view.channels * view.source.stride[1];
    view.target.data += group * view.rows * view.target.stride[1];
    view.weight += group * view.group_stride * j->size;
    view.first_row = group * view.rows;
    if (view.bias) view.bias += group * view.rows * j->size;
    return view;
}

static void transform_input(const job *j, const npc_winograd_view *view, const block *b,
                            int64_t channel, char *to, char *scratch)
{
    for (int r = 0; r < b->runs; r++)
        npc_winograd_run_input(&b->run[r], view, channel,
                               to + (b->run[r].slot * j->depth + channel) * j->size,
                               j->input_stride, j->depth, scratch);
}

static int64_t panel_begin(const job *j, int64_t panel)
{
    return npc_split(j->vectors, j->panels, panel) * j->view.kernels->lanes;
}

/* Channels [begin, end) of a panel's weights, to rows of `width` output channels at each point. */
static void transform_weights(const job *j, const npc_winograd_view *view, int64_t panel,
                              int64_t begin, int64_t end, char *to, char *filters)
{
    const int64_t lanes = view->kernels->lanes, size = j->size;
    const int64_t first = panel_begin(j, panel), width = panel_begin(j, panel + 1) - first;
    const int64_t taps = (int64_t)npc_winograd_taps(view->axis[0].transform) *
                         npc_winograd_taps(view->axis[1].transform);
    const int together = view->channel_stride == taps; /* filters of a row follow each other */

    for (int64_t row = 0; row < width; row += lanes) {
        for (int64_t c = begin; c < end; c += FILTERS) {
            const int64_t count = npc_min(FILTERS, end - c);
            npc_transpose_args turn = {
                .from = view->weight +
                        ((first + row) * view->row_stride + c * view->channel_stride) * size,
                .from_stride = view->row_stride,
                .rows = npc_min(lanes, view->rows - first - row),
                .cols = together ? count * taps : taps,
                .to = filters,
                .to_stride = lanes,
                .fill = 1};
            for (int64_t i = 0; i < (together ? 1 : count); i++) {
                npc_run_transpose(view->kernels, &turn);
                turn.from = (const char *)turn.from + view->channel_stride * size;
                turn.to = (char *)turn.to + taps * lanes * size;
            }
            const npc_winograd_weight_args args = {
                .transform = {view->axis[0].transform, view->axis[1].transform},
                .flip = view->flip,
                .filters = count,
                .from = filters,
                .to = to + ((c - begin) * width + row) * size,
                .point_stride = j->weight_stride,
                .filter_stride = width};
            npc_run_winograd_weight(view->kernels, &args);
        }
    }
}

/* products (+)= input x weights at every point, over depth blocks [first, last). The weights of a
 * block stay in L1 while all tiles pass, which fetch those of the next, for reading them once from
 * L3 is what limits the product. */
static void multiply(const job *j, const block *b, int64_t width, const char *input,
                     const char *weights, char *products, int64_t first, int64_t last)
{
    const npc_kernels *kernels = j->view.kernels;
    const int64_t lanes = kernels->lanes, size = j->size, vectors = width / lanes;
    const int64_t column_blocks = npc_ceil_div(vectors, j->tile_vecs);
    const int64_t origin = npc_split(j->view.channels, j->depth_blocks, first);
    npc_uk1_args args = {.blocks = 1, .b_stride = width, .last_lanes = (int32_t)lanes};

    for (int64_t point = 0; point < j->points; point++) {
        const int part = part_of_point(j, point), tiles = b->part_tiles[part];
        const int16_t *slot = b->part[part];
        for (int64_t d = first; d < last; d++) {
            const int64_t k = npc_split(j->view.channels, j->depth_blocks, d);
            const char *a = input + (point * j->input_stride + k) * size;
            const char *u = weights + (point * j->weight_stride + (k - origin) * width) * size;
            char *c = products + point * j->product_stride * size;
            args.block_depth = npc_split(j->view.channels, j->depth_blocks, d + 1) - k;
            args.accumulate = d > 0;
            const int64_t lines = args.block_depth * width * size / NPC_CACHE_LINE;
            for (int64_t column = 0; column < column_blocks; column++) {
                const int64_t v = npc_split(vectors, column_blocks, column);
                const int vecs = (int)(npc_split(vectors, column_blocks, column + 1) - v);
                const int64_t row_blocks = npc_ceil_div(tiles, kernels->max_rows[vecs]);
                args.b = (void *)(u + v * lanes * size);
                const int64_t turns = row_blocks * column_blocks;
                for (int64_t r = 0; r < row_blocks; r++) {
                    const int64_t begin = npc_split(tiles, row_blocks, r);
                    const int rows = (int)(npc_split(tiles, row_blocks, r + 1) - begin);
                    for (int i = 0; i < rows; i++) {
                        args.a[i] = a + slot[begin + i] * j->depth * size;
                        args.c[i] = c + (slot[begin + i] * j->panel_width + v * lanes) * size;
                    }
                    const int64_t turn = column * row_blocks + r;
                    for (int64_t l = npc_split(lines, turns, turn);
                         l < npc_split(lines, turns, turn + 1); l++)
                        __builtin_prefetch(u + (lines + l) * NPC_CACHE_LINE, 0, 2);
                    npc_run_uk1(kernels, rows, vecs, &args);
                }
            }
        }
    }
}

static void transform_products(const job *j, const npc_winograd_view *view, const block *b,
                               int64_t panel, const char *products, char *scratch)
{
    const int64_t first = panel_begin(j, panel), end = panel_begin(j, panel + 1);
    for (int64_t row = first; row < end; row += view->kernels->lanes)
        for (int r = 0; r < b->runs; r++)
            npc_winograd_run_output(&b->run[r], view, row,
                                    products +
                                        (b->run[r].slot * j->panel_width + row - first) * j->size,
                                    j->product_stride, j->panel_width, scratch);
}

/* ---- many tiles: shared weights -------------------------------------------------------------- */

static char *shared_weights(const job *j, int64_t group, int64_t panel)
{
    return j->weights + (group * j->panels + panel) * j->points * j->weight_stride * j->size;
}

static npc_status weight_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t chunks = j->depth_blocks, panel = piece / chunks % j->panels;
    const int64_t group = piece / chunks / j->panels;
    const npc_winograd_view view = view_of_group(j, group);
    const int64_t begin = npc_split(view.channels, chunks, piece % chunks);
    const int64_t end = npc_split(view.channels, chunks, piece % chunks + 1);
    const int64_t width = panel_begin(j, panel + 1) - panel_begin(j, panel);
    transform_weights(j, &view, panel, begin, end,
                      shared_weights(j, group, panel) + begin * width * j->size, scratch);
    return NPC_OK;
}

static int64_t weights_bytes(const job *j)
{
    return (int64_t)j->weight_bytes * j->groups * j->panels;
}

static npc_status transform_all_weights(job *j, npc_team *team)
{
    if (!j->weights) return NPC_NO_MEMORY;
    return npc_parallel_for(team, j->groups * j->panels * j->depth_blocks, j->filter_bytes,
                            weight_piece, j);
}

static npc_status block_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_winograd_view view = view_of_group(j, piece / j->blocks);
    char *cursor = scratch;
    block *b = npc_scratch_take(&cursor, sizeof *b);
    char *memory = npc_scratch_take(&cursor, j->run_bytes);
    char *input = npc_scratch_take(&cursor, j->input_bytes);
    char *products = npc_scratch_take(&cursor, j->product_bytes);

    set_up_block(j, b, piece % j->blocks);
    for (int64_t c = 0; c < view.channels; c += view.kernels->lanes)
        transform_input(j, &view, b, c, input, memory);
    for (int64_t panel = 0; panel < j->panels; panel++) {
        multiply(j, b, panel_begin(j, panel + 1) - panel_begin(j, panel), input,
                 shared_weights(j, piece / j->blocks, panel), products, 0, j->depth_blocks);
        transform_products(j, &view, b, panel, products, memory);
    }
    return NPC_OK;
}

/* ---- few tiles: shared tiles ----------------------------------------------------------------- */

static char *shared_input(const job *j, int64_t group)
{
    return j->input + group * j->points * j->input_stride * j->size;
}

static npc_status input_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t chunks = j->depth / j->view.kernels->lanes, group = piece / chunks;
    const npc_winograd_view view = view_of_group(j, group);
    char *cursor = scratch;
    block *b = npc_scratch_take(&cursor, sizeof *b);
    set_up_block(j, b, 0);
    transform_input(j, &view, b, piece % chunks * view.kernels->lanes, shared_input(j, group),
                    cursor);
    return NPC_OK;
}

static npc_status panel_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t group = piece / j->panels, panel = piece % j->panels;
    const int64_t width = panel_begin(j, panel + 1) - panel_begin(j, panel);
    const npc_winograd_view view = view_of_group(j, group);
    char *cursor = scratch;
    block *b = npc_scratch_take(&cursor, sizeof *b);
    char *memory = npc_scratch_take(&cursor, j->run_bytes);
    char *products = npc_scratch_take(&cursor, j->product_bytes);
    char *filters = npc_scratch_take(&cursor, j->prepared ? 0 : j->filter_bytes);
    char *weights = npc_scratch_take(&cursor, j->prepared ? 0 : j->weight_bytes);

    set_up_block(j, b, 0);
    if (j->prepared)
        multiply(j, b, width, shared_input(j, group), shared_weights(j, group, panel), products, 0,
                 j->depth_blocks);
    for (int64_t d = 0; d < j->depth_blocks && !j->prepared; d++) {
        transform_weights(j, &view, panel, npc_split(view.channels, j->depth_blocks, d),
                          npc_split(view.channels, j->depth_blocks, d + 1), weights, filters);
        multiply(j, b, width, shared_input(j, group), weights, products, d, d + 1);
    }
    transform_products(j, &view, b, panel, products, memory);
    return NPC_OK;
}

/* ---- planning -------------------------------------------------------------------------------- */

/* The transform for a kernel of so many taps along an axis, tiles of 4 or 2 pixels preferred. */
static int find_transform(int64_t taps, int tile, npc_winograd_transform *transform)
{
    switch (taps) {
    case 1:
        *transform = NPC_WINOGRAD_NONE;
        return 1;
    case 3:
        *transform = tile == 4 ? NPC_WINOGRAD_F43 : NPC_WINOGRAD_F23;
        return 1;
    case 5:
        *transform = NPC_WINOGRAD_F25;
        return tile == 4;
    default:
        return 0;
    }
}

static const char *describe(const npc_conv_problem *p, int tile, npc_winograd_view *view)
{
    const npc_conv_geometry *g = p->geometry;
    const int forward = p->operation == NPC_FORWARD;
    if (p->operation == NPC_WEIGHT_GRAD) return "it computes no weight gradients";
    if (p->strict) return "precision='strict' asks for direct summation";
    if (g->kernel[0] > 1 || g->input[0] != 1 || g->pad_before[0] || g->pad_after[0])
        return "it is for one or two spatial dimensions";
    *view = (npc_winograd_view){.kernels = p->kernels,
                                .dtype = p->dtype,
                                .channels = forward ? npc_group_in(g) : npc_group_out(g),
                                .rows = forward ? npc_group_out(g) : npc_group_in(g),
                                .flip = !forward};
    for (int i = 0; i < 2; i++) {
        npc_winograd_axis *axis = &view->axis[i];
        if (g->stride[i + 1] != 1) return "it is for a stride of 1";
        if (!find_transform(g->kernel[i + 1], tile, &axis->transform))
            return tile == 4 ? "it is for kernels of 1, 3 or 5 taps along each axis"
                             : "it is for kernels of 1 or 3 taps along each axis";
        if (g->dilation[i + 1] > MAX_DILATION && g->kernel[i + 1] > 1)
            return "the dilation is too large";
        axis->step = g->kernel[i + 1] > 1 ? g->dilation[i + 1] : 1;
        axis->source = forward ? g->input[i + 1] : g->output[i + 1];
        axis->target = forward ? g->output[i + 1] : g->input[i + 1];
        axis->first = forward ? -g->pad_before[i + 1]
                              : g->pad_before[i + 1] - (g->kernel[i + 1] - 1) * axis->step;
        npc_winograd_axis_finish(axis);
        /* Results that no input reaches are the bias exactly; a transform would round. */
        if (axis->source < axis->step || axis->first + (g->kernel[i + 1] - 1) * axis->step < 0 ||
            axis->first + axis->target > axis->source)
            return "some windows lie in the padding with all of their taps";
    }
    if (view->axis[0].transform == NPC_WINOGRAD_NONE &&
        view->axis[1].transform == NPC_WINOGRAD_NONE)
        return "a kernel of one tap has nothing to save";
    const int64_t taps = npc_volume(g->kernel);
    view->row_stride = forward ? npc_group_in(g) * taps : taps;
    view->channel_stride = forward ? taps : npc_group_in(g) * taps;
    view->group_stride = npc_group_in(g) * npc_group_out(g) * taps;
    if (view->channels == 0 || view->rows == 0) return "there are no channels";
    return NULL;
}

static const char *declines(const npc_conv_problem *p, int tile)
{
    npc_winograd_view view;
    const char *reason = describe(p, tile, &view);
    if (reason || p->forced) return reason;
    if (p->dtype != NPC_F32) return "float64 keeps direct summation unless asked";
    return NULL;
}

/* Of the weights, where they are shared: a function of neither batch nor threads. */
static void plan_weights(job *j)
{
    const npc_winograd_view *view = &j->view;
    const npc_winograd_transform across = view->axis[0].transform, along = view->axis[1].transform;
    const int64_t lanes = view->kernels->lanes;
    const int64_t taps = (int64_t)npc_winograd_taps(across) * npc_winograd_taps(along);

    j->points = (int64_t)npc_winograd_points(across) * npc_winograd_points(along);
    j->depth_blocks = npc_ceil_div(view->channels, DEPTH_BLOCK);
    j->vectors = npc_ceil_div(view->rows, lanes);
    j->panels = npc_ceil_div(j->vectors, PANEL_ROWS / lanes);
    j->panel_width = npc_ceil_div(j->vectors, j->panels) * lanes;
    j->weight_stride = view->channels * j->panel_width + SKEW / j->size;
    j->weight_bytes = (size_t)(j->points * j->weight_stride * j->size);
    j->filter_bytes = (size_t)(FILTERS * taps * lanes * j->size);
}

static void plan(job *j, int threads)
{
    npc_winograd_view *view = &j->view;
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const int64_t lanes = view->kernels->lanes, size = j->size;
    const int64_t taps =
        (int64_t)npc_winograd_taps(across->transform) * npc_winograd_taps(along->transform);

    plan_weights(j);
    j->depth = npc_ceil_div(view->channels, lanes) * lanes;

    j->units = j->batch * across->tiles * along->groups;
    const int64_t fitting = INPUT_BYTES / (j->points * j->depth * size);
    const int64_t most = npc_max(MIN_BLOCK, npc_min(MAX_BLOCK, fitting));
    const int64_t total = j->units * along->step;
    const int few = total <= FEW_TILES && j->groups * j->points * total <= 4 * view->rows * taps;
    j->blocks = few ? 1 : npc_ceil_div(j->units, npc_max(1, most / along->step));
    if (!few && threads > 1) /* shares of equal size for the threads */
        j->blocks = npc_min(j->units, npc_ceil_div(j->blocks, threads) * threads);
    j->block_tiles = npc_ceil_div(j->units, j->blocks) * along->step;
    j->tile_vecs = npc_choose_tile_vecs(view->kernels, j->block_tiles, j->panel_width);

    if (few && weights_bytes(j) > CLOSE_BYTES) j->prepared = 0;
    const int64_t skew = SKEW / size;
    j->input_stride = j->block_tiles * j->depth + skew;
    j->product_stride = j->block_tiles * j->panel_width + skew;
    if (few && !j->prepared) { /* those of a depth block at a time */
        j->weight_stride = npc_ceil_div(view->channels, j->depth_blocks) * j->panel_width + skew;
        j->weight_bytes = (size_t)(j->points * j->weight_stride * size);
    }
    j->run_bytes = npc_winograd_run_bytes(view, npc_max(1, NPC_WINOGRAD_RUN / along->step));
    j->input_bytes = (size_t)(j->points * j->input_stride * size);
    j->product_bytes = (size_t)(j->points * j->product_stride * size);
    j->few = few;
}

static npc_status run(npc_conv_problem *p, int tile)
{
    const npc_conv_geometry *g = p->geometry;
    const int forward = p->operation == NPC_FORWARD;
    job j = {.batch = g->batch, .groups = g->groups, .size = (int64_t)npc_dtype_size(p->dtype)};
    npc_team *team = p->team;
    npc_status status;

    describe(p, tile, &j.view);
    j.view.source = forward ? p->arrays->x : p->arrays->y;
    j.view.target = forward ? p->arrays->y : p->arrays->x;
    j.view.weight = p->arrays->weight;
    j.view.bias = p->arrays->bias;
    const npc_finish finish = npc_finish_of(p);
    j.view.finish = &finish;
    j.weights = (char *)(uintptr_t)p->prepared;
    j.prepared = p->prepared != NULL;
    plan(&j, team->threads);
    if (j.few) {
        const size_t own = j.prepared ? 0 : j.filter_bytes + j.weight_bytes;
        j.input = npc_shared_workspace(p, (int64_t)j.input_bytes * j.groups);
        if (!j.input) return NPC_NO_MEMORY;
        status = npc_parallel_for(team, j.groups * j.depth / j.view.kernels->lanes,
                                  sizeof(block) + j.run_bytes + 128, input_piece, &j);
        if (status == NPC_OK)
            status = npc_parallel_for(team, j.groups * j.panels,
                                      sizeof(block) + j.run_bytes + own + j.product_bytes + 320,
                                      panel_piece, &j);
        free(j.input);
    } else {
        status = NPC_OK;
        if (!j.prepared) {
            j.weights = npc_shared_workspace(p, weights_bytes(&j));
            status = transform_all_weights(&j, team);
        }
        if (status == NPC_OK)
            status = npc_parallel_for(team, j.groups * j.blocks,
                                      sizeof(block) + j.run_bytes + j.input_bytes +
                                          j.product_bytes + 256,
                                      block_piece, &j);
        if (!j.prepared) free(j.weights);
    }
    return status;
}

/* ---- prepared weights ------------------------------------------------------------------------ */

static void describe_weights(const npc_conv_problem *p, int tile, job *j)
{
    *j = (job){.groups = p->geometry->groups, .size = (int64_t)npc_dtype_size(p->dtype)};
    describe(p, tile, &j->view);
    plan_weights(j);
}

static int64_t prepared_bytes(const npc_conv_problem *p, int tile)
{
    job j;
    describe_weights(p, tile, &j);
    return weights_bytes(&j);
}

static npc_status prepare(npc_conv_problem *p, int tile, void *to)
{
    job j;
    describe_weights(p, tile, &j);
    j.view.weight = p->arrays->weight;
    j.weights = to;
    return transform_all_weights(&j, p->team);
}

/* ---- the prediction -------------------------------------------------------------------------- */

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    LOADS,      /* vectors of weights that UK1 loads */
    FAR,        /* those that come from beyond the cache, once for each block of tiles */
    INPUTS,     /* vectors of transformed tiles */
    RESULTS,    /* vectors of products transformed back */
    WEIGHTS,    /* vectors of transformed weights */
    WRITTEN,    /* those that are written out for all blocks */
    RUNS,       /* of tiles, for each vector of channels */
    KERNELS,    /* calls of UK1 */
    COLD        /* vectors of weights as they come, where they are too many to be near */
};

#define NEAR_BYTES 1e6

static void features(const npc_conv_problem *p, int tile, double *feature)
{
    job j = {.batch = 1, .groups = 1, .size = (int64_t)npc_dtype_size(p->dtype)};
    describe(p, tile, &j.view);
    plan(&j, 1);
    const npc_winograd_axis *across = &j.view.axis[0], *along = &j.view.axis[1];
    const double groups = (double)p->geometry->groups, depth = (double)j.view.channels;
    const double inputs = (double)j.depth / j.view.kernels->lanes, results = (double)j.vectors;
    /* An edge tile uses four of six points. */
    const double edge0 = (double)(across->tiles - across->whole) / 3;
    const double edge1 = (double)(along->tiles - along->whole) / 3;
    const double tiles = ((double)across->tiles - edge0) * ((double)along->tiles - edge1);
    const double points = (double)j.points, weights = points * depth * results;
    const double lanes = j.view.kernels->lanes;
    const double weights_bytes =
        groups * depth * (double)j.view.rows * npc_count(p->geometry->kernel) * (double)j.size;
    const double most_rows = j.view.kernels->max_rows[j.tile_vecs];

    feature[CALL] = 1;
    feature[MULTIPLIES] = groups * tiles * weights;
    feature[LOADS] = groups * weights * ceil(tiles / most_rows);
    feature[INPUTS] = groups * tiles * points * inputs;
    feature[RESULTS] = groups * tiles * points * results;
    feature[WEIGHTS] = groups * weights;
    if (!j.few) feature[WRITTEN] = groups * weights;
    if (!j.few) feature[FAR] = groups * weights * (double)j.blocks;
    feature[KERNELS] = groups * points * (double)j.panels * (double)j.depth_blocks *
                       ceil((double)j.panel_width / (j.view.kernels->lanes * j.tile_vecs)) *
                       ceil(tiles / most_rows);
    if (weights_bytes > NEAR_BYTES) feature[COLD] = weights_bytes / (lanes * (double)j.size);
    feature[RUNS] = groups * (double)across->tiles * ceil((double)along->tiles / NPC_WINOGRAD_RUN) *
                    (inputs + results);
}

/* Tiles of 4x4 pixels for 3x3 kernels, and of 2x2 for 5x5. */
static const char *declines4(const npc_conv_problem *p) { return declines(p, 4); }
static npc_status run4(npc_conv_problem *p) { return run(p, 4); }
static void features4(const npc_conv_problem *p, double *feature) { features(p, 4, feature); }
static int64_t prepared_bytes4(const npc_conv_problem *p) { return prepared_bytes(p, 4); }
static npc_status prepare4(npc_conv_problem *p, void *to) { return prepare(p, 4, to); }
const npc_conv_algorithm npc_conv_winograd = {"winograd", declines4,       run4,
                                              features4,  prepared_bytes4, prepare4};

/* Tiles of 2x2 pixels for 3x3 kernels: more products, cheaper transforms, smaller errors. */
static const char *declines2(const npc_conv_problem *p) { return declines(p, 2); }
static npc_status run2(npc_conv_problem *p) { return run(p, 2); }
static void features2(const npc_conv_problem *p, double *feature) { features(p, 2, feature); }
static int64_t prepared_bytes2(const npc_conv_problem *p) { return prepared_bytes(p, 2); }
static npc_status prepare2(npc_conv_problem *p, void *to) { return prepare(p, 2, to); }
const npc_conv_algorithm npc_conv_winograd2 = {"winograd2", declines2,       run2,
                                               features2,   prepared_bytes2, prepare2};
