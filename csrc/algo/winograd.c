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

#include "../core/scratch.h"
#include "../plan/conv_plan.h"
#include "panel_product.h"
#include "winograd_blocks.h"

enum {
    PANEL_ROWS = 64,  /* output channels of a panel */
    DEPTH_BLOCK = 64, /* channels that are summed from zero: keeps the rounding error down */
    FEW_TILES = 64,   /* the tiles are shared, not the weights */
    FEW_BLOCKS = 4,   /* of a thread: it transforms few weights itself */
    MAX_DILATION = 64,
    FEW_CHANNELS = 8,
    MIN_BLOCK = 16,
    /* Of a block's transformed input: a block stays in L2 with all weights where those are few, and
     * is large where weights come from far for every block. */
    NEAR_INPUT_BYTES = 700 * 1024,
    FAR_INPUT_BYTES = 2800 * 1024,
    NEAR_WEIGHT_BYTES = 1 << 20,
    CLOSE_BYTES = 4 << 20, /* of weights for few tiles: more are transformed faster than fetched */
    SKEW = 64 /* bytes between points, lest they compete for the same sets of the cache */
};

/* ---- many tiles: shared weights -------------------------------------------------------------- */

static char *shared_weights(const npc_winograd_job *j, int64_t group, int64_t panel)
{
    return j->weights + (group * j->panels + panel) * j->points * j->weight_stride * j->size;
}

static npc_status weight_piece(void *context, int64_t piece, void *scratch)
{
    const npc_winograd_job *j = context;
    const int64_t lanes = j->view.kernels->lanes, vectors = j->panel_width / lanes;
    const int64_t row = piece % vectors * lanes;
    piece /= vectors;
    const int64_t chunk = piece % j->depth_blocks;
    piece /= j->depth_blocks;
    const int64_t panel = piece % j->panels, group = piece / j->panels;
    const npc_winograd_view view = npc_winograd_view_of_group(j, group);
    const int64_t begin = npc_split(view.channels, j->depth_blocks, chunk);
    const int64_t end = npc_split(view.channels, j->depth_blocks, chunk + 1);
    const int64_t width =
        npc_winograd_panel_begin(j, panel + 1) - npc_winograd_panel_begin(j, panel);
    if (row < width)
        npc_winograd_transform_weights(j, &view, panel, row, row + lanes, begin, end,
                                       shared_weights(j, group, panel) + begin * width * j->size,
                                       scratch);
    return NPC_OK;
}

static int64_t weights_bytes(const npc_winograd_job *j)
{
    return (int64_t)j->weight_bytes * j->groups * j->panels;
}

static int64_t weight_pieces(const npc_winograd_job *j)
{
    return j->groups * j->panels * j->depth_blocks * (j->panel_width / j->view.kernels->lanes);
}

static npc_status transform_all_weights(npc_winograd_job *j, npc_team *team)
{
    if (!j->weights) return NPC_NO_MEMORY;
    return npc_parallel_for(team, weight_pieces(j), j->filter_bytes, weight_piece, j);
}

static npc_status block_piece(void *context, int64_t piece, void *scratch)
{
    const npc_winograd_job *j = context;
    const npc_winograd_view view = npc_winograd_view_of_group(j, piece / j->blocks);
    char *cursor = scratch;
    npc_winograd_block *b = npc_scratch_take(&cursor, sizeof *b);
    const npc_winograd_memory memory =
        npc_winograd_memory_of(&view, j->run_groups, npc_scratch_take(&cursor, j->memory_bytes));
    char *input = npc_scratch_take(&cursor, j->input_bytes);
    char *products = npc_scratch_take(&cursor, j->product_bytes);

    npc_winograd_set_up_block(j, b, piece % j->blocks);
    for (int64_t c = 0; c < view.channels; c += view.kernels->lanes)
        npc_winograd_transform_input(j, &view, b, c, input, &memory);
    for (int64_t panel = 0; panel < j->panels; panel++) {
        npc_winograd_multiply(
            j, b, npc_winograd_panel_begin(j, panel + 1) - npc_winograd_panel_begin(j, panel),
            input, shared_weights(j, piece / j->blocks, panel), products, 0, j->depth_blocks);
        npc_winograd_transform_products(j, &view, b, panel, products, &memory);
    }
    return NPC_OK;
}

/* Where weights and blocks are few, a thread transforms all weights for itself, which takes less
 * time than fetching from the other cores what these have transformed. */
static npc_status share_piece(void *context, int64_t piece, void *scratch)
{
    npc_winograd_job j = *(const npc_winograd_job *)context;
    char *cursor = scratch;
    char *filters = npc_scratch_take(&cursor, j.filter_bytes);
    npc_status status = NPC_OK;

    j.weights = npc_scratch_take(&cursor, (size_t)weights_bytes(&j));
    for (int64_t i = 0; i < weight_pieces(&j); i++) weight_piece(&j, i, filters);
    for (int64_t block = npc_split(j.groups * j.blocks, j.shares, piece);
         block < npc_split(j.groups * j.blocks, j.shares, piece + 1) && status == NPC_OK; block++)
        status = block_piece(&j, block, cursor);
    return status;
}

/* How many shares that makes, or 0. */
static int64_t plan_shares(const npc_winograd_job *j, int threads)
{
    const int64_t blocks = j->groups * j->blocks;
    return !j->prepared && threads > 1 && blocks <= (int64_t)threads * FEW_BLOCKS &&
                   weights_bytes(j) <= NEAR_WEIGHT_BYTES
               ? npc_min(threads, blocks)
               : 0;
}

/* ---- few tiles: shared tiles ----------------------------------------------------------------- */

static char *shared_input(const npc_winograd_job *j, int64_t group)
{
    return j->input + group * j->points * j->input_stride * j->size;
}

static npc_status input_piece(void *context, int64_t piece, void *scratch)
{
    const npc_winograd_job *j = context;
    const int64_t chunks = j->depth / j->view.kernels->lanes, group = piece / chunks;
    const npc_winograd_view view = npc_winograd_view_of_group(j, group);
    char *cursor = scratch;
    npc_winograd_block *b = npc_scratch_take(&cursor, sizeof *b);
    const npc_winograd_memory memory = npc_winograd_memory_of(&view, j->run_groups, cursor);
    npc_winograd_set_up_block(j, b, 0);
    npc_winograd_transform_input(j, &view, b, piece % chunks * view.kernels->lanes,
                                 shared_input(j, group), &memory);
    return NPC_OK;
}

static npc_status panel_piece(void *context, int64_t piece, void *scratch)
{
    const npc_winograd_job *j = context;
    const int64_t group = piece / j->panels, panel = piece % j->panels;
    const int64_t width =
        npc_winograd_panel_begin(j, panel + 1) - npc_winograd_panel_begin(j, panel);
    const npc_winograd_view view = npc_winograd_view_of_group(j, group);
    char *cursor = scratch;
    npc_winograd_block *b = npc_scratch_take(&cursor, sizeof *b);
    const npc_winograd_memory memory =
        npc_winograd_memory_of(&view, j->run_groups, npc_scratch_take(&cursor, j->memory_bytes));
    char *products = npc_scratch_take(&cursor, j->product_bytes);
    char *filters = npc_scratch_take(&cursor, j->prepared ? 0 : j->filter_bytes);
    char *weights = npc_scratch_take(&cursor, j->prepared ? 0 : j->weight_bytes);

    npc_winograd_set_up_block(j, b, 0);
    if (j->prepared)
        npc_winograd_multiply(j, b, width, shared_input(j, group), shared_weights(j, group, panel),
                              products, 0, j->depth_blocks);
    for (int64_t d = 0; d < j->depth_blocks && !j->prepared; d++) {
        npc_winograd_transform_weights(
            j, &view, panel, 0, width, npc_split(view.channels, j->depth_blocks, d),
            npc_split(view.channels, j->depth_blocks, d + 1), weights, filters);
        npc_winograd_multiply(j, b, width, shared_input(j, group), weights, products, d, d + 1);
    }
    npc_winograd_transform_products(j, &view, b, panel, products, &memory);
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
    const int forward = p->operation != NPC_INPUT_GRAD; /* the weight gradient's view, too */
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
        /* Likewise for taps that meet no pixel, whose gradient is zero. */
        if (p->operation == NPC_WEIGHT_GRAD &&
            (axis->first + axis->target <= 0 ||
             axis->first + (g->kernel[i + 1] - 1) * axis->step >= axis->source))
            return "some taps lie in the padding of all pixels";
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
    if (p->channels_last && npc_group_in(p->geometry) < FEW_CHANNELS)
        return "there are too few channels to be taken out of each pixel";
    return NULL;
}

/* Of the weights, where they are shared: a function of neither batch nor threads. */
static void plan_weights(npc_winograd_job *j)
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
    j->filter_bytes = (size_t)(NPC_WINOGRAD_FILTERS * taps * lanes * j->size);
}

static void plan(npc_winograd_job *j, int threads)
{
    npc_winograd_view *view = &j->view;
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    const int64_t lanes = view->kernels->lanes, size = j->size;
    const int64_t taps =
        (int64_t)npc_winograd_taps(across->transform) * npc_winograd_taps(along->transform);

    plan_weights(j);
    j->depth = npc_ceil_div(view->channels, lanes) * lanes;

    const int near = (int64_t)j->weight_bytes * j->panels <= NEAR_WEIGHT_BYTES;
    const int64_t fitting =
        (near ? NEAR_INPUT_BYTES : FAR_INPUT_BYTES) / (j->points * j->depth * size);
    const int64_t most = npc_max(MIN_BLOCK, npc_min(NPC_WINOGRAD_MAX_BLOCK, fitting));
    const int64_t total = j->batch * across->tiles * along->tiles;
    npc_winograd_choose_units(j, most, 8 * threads);
    const int few = total <= FEW_TILES && j->groups * j->points * total <= 4 * view->rows * taps;
    j->blocks = few ? 1 : npc_ceil_div(j->units, npc_max(1, most / (j->unit_groups * along->step)));
    if (!few && threads > 1) /* shares of equal size for the threads */
        j->blocks = npc_min(j->units, npc_ceil_div(j->blocks, threads) * threads);
    j->block_tiles = npc_ceil_div(j->units, j->blocks) * j->unit_groups * along->step;
    j->tile_vecs = npc_choose_tile_vecs(view->kernels, j->block_tiles, j->panel_width);

    if (few && weights_bytes(j) > CLOSE_BYTES) j->prepared = 0;
    const int64_t skew = SKEW / size;
    j->input_stride = j->block_tiles * j->depth + skew;
    j->product_stride = j->block_tiles * j->panel_width + skew;
    if (few && !j->prepared) { /* those of a depth block at a time */
        j->weight_stride = npc_ceil_div(view->channels, j->depth_blocks) * j->panel_width + skew;
        j->weight_bytes = (size_t)(j->points * j->weight_stride * size);
    }
    j->memory_bytes = npc_winograd_memory_bytes(view, j->run_groups);
    j->input_bytes = (size_t)(j->points * j->input_stride * size);
    j->product_bytes = (size_t)(j->points * j->product_stride * size);
    j->few = few;
}

static npc_status run(npc_conv_problem *p, int tile)
{
    const npc_conv_geometry *g = p->geometry;
    const int forward = p->operation == NPC_FORWARD;
    npc_winograd_job j = {
        .batch = g->batch, .groups = g->groups, .size = (int64_t)npc_dtype_size(p->dtype)};
    npc_team *team = p->team;
    npc_status status;

    describe(p, tile, &j.view);
    j.view.border = p->border;
    if (p->operation == NPC_WEIGHT_GRAD) return npc_winograd_weight_grad(p, &j.view);
    j.view.source = forward ? p->arrays->x : p->arrays->y;
    j.view.target = forward ? p->arrays->y : p->arrays->x;
    j.view.weight = p->arrays->weight;
    j.view.bias = p->arrays->bias;
    const npc_finish finish = npc_finish_of(p);
    j.view.finish = &finish;
    p->finished = 1;
    j.weights = (char *)(uintptr_t)p->prepared;
    j.prepared = p->prepared != NULL;
    plan(&j, team->threads);
    if (j.few) {
        const size_t own = j.prepared ? 0 : j.filter_bytes + j.weight_bytes;
        j.input = npc_shared_workspace(p, (int64_t)j.input_bytes * j.groups);
        if (!j.input) return NPC_NO_MEMORY;
        status =
            npc_parallel_for(team, j.groups * j.depth / j.view.kernels->lanes,
                             sizeof(npc_winograd_block) + j.memory_bytes + 128, input_piece, &j);
        if (status == NPC_OK)
            status = npc_parallel_for(team, j.groups * j.panels,
                                      sizeof(npc_winograd_block) + j.memory_bytes + own +
                                          j.product_bytes + 320,
                                      panel_piece, &j);
        npc_recycle_give(j.input);
    } else {
        const size_t block_bytes =
            sizeof(npc_winograd_block) + j.memory_bytes + j.input_bytes + j.product_bytes + 256;
        status = NPC_OK;
        j.shares = plan_shares(&j, team->threads);
        if (j.shares)
            return npc_parallel_for(team, j.shares,
                                    j.filter_bytes + (size_t)weights_bytes(&j) + block_bytes + 128,
                                    share_piece, &j);
        if (!j.prepared) {
            j.weights = npc_shared_workspace(p, weights_bytes(&j));
            status = transform_all_weights(&j, team);
        }
        if (status == NPC_OK)
            status = npc_parallel_for(team, j.groups * j.blocks, block_bytes, block_piece, &j);
        if (!j.prepared) npc_recycle_give(j.weights);
    }
    return status;
}

/* ---- prepared weights ------------------------------------------------------------------------ */

static void describe_weights(const npc_conv_problem *p, int tile, npc_winograd_job *j)
{
    *j = (npc_winograd_job){.groups = p->geometry->groups,
                            .size = (int64_t)npc_dtype_size(p->dtype)};
    describe(p, tile, &j->view);
    plan_weights(j);
}

static int64_t prepared_bytes(const npc_conv_problem *p, int tile)
{
    npc_winograd_job j;
    describe_weights(p, tile, &j);
    return weights_bytes(&j);
}

static npc_status prepare(npc_conv_problem *p, int tile, void *to)
{
    npc_winograd_job j;
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
    npc_winograd_job j = {.batch = 1, .groups = 1, .size = (int64_t)npc_dtype_size(p->dtype)};
    describe(p, tile, &j.view);
    if (p->operation == NPC_WEIGHT_GRAD) {
        npc_winograd_weight_grad_features(p, &j.view, feature);
        return;
    }
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

#define ONCE (1u << CALL | 1u << WEIGHTS | 1u << WRITTEN | 1u << COLD)
#define ONCE_OF_OPERATIONS {ONCE, ONCE, NPC_WINOGRAD_WEIGHT_GRAD_ONCE}

/* Tiles of 4x4 pixels for 3x3 kernels, and of 2x2 for 5x5. */
static const char *declines4(const npc_conv_problem *p) { return declines(p, 4); }
static npc_status run4(npc_conv_problem *p) { return run(p, 4); }
static void features4(const npc_conv_problem *p, double *feature) { features(p, 4, feature); }
static int64_t prepared_bytes4(const npc_conv_problem *p) { return prepared_bytes(p, 4); }
static npc_status prepare4(npc_conv_problem *p, void *to) { return prepare(p, 4, to); }
const npc_conv_algorithm npc_conv_winograd = {"winograd",        declines4,         run4,
                                              features4,         prepared_bytes4,   prepare4,
                                              {1.35, 1.35, 1.1}, ONCE_OF_OPERATIONS};

/* Tiles of 2x2 pixels for 3x3 kernels: more products, cheaper transforms, smaller errors. */
static const char *declines2(const npc_conv_problem *p) { return declines(p, 2); }
static npc_status run2(npc_conv_problem *p) { return run(p, 2); }
static void features2(const npc_conv_problem *p, double *feature) { features(p, 2, feature); }
static int64_t prepared_bytes2(const npc_conv_problem *p) { return prepared_bytes(p, 2); }
static npc_status prepare2(npc_conv_problem *p, void *to) { return prepare(p, 2, to); }
const npc_conv_algorithm npc_conv_winograd2 = {"winograd2",       declines2,         run2,
                                               features2,         prepared_bytes2,   prepare2,
                                               {1.35, 1.35, 1.1}, ONCE_OF_OPERATIONS};
