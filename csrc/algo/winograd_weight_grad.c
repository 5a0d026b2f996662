/* Winograd's algorithm for the weight gradient.
 *
 * A tile of the result is A((G g) . (B d)), so the gradient of the filter g is the sum over tiles
 * of G^T ((A^T dy) . (B d)): dy and x are transformed to the points, at each point the sum over all
 * tiles is a small matrix product on UK3, and only its result is transformed to the taps.
 *
 * A piece is a stretch of output channels and one of input channels over one part of the tiles; its
 * sums stay in cache while the tiles pass block by block. Parts, blocks and chains depend on the
 * geometry alone. Where any gradient is not finite, all are computed by direct summation.
 */
#include <math.h>
#include <string.h>

#include "../core/scratch.h"
#include "bias_grad.h"
#include "panel_product.h"
#include "weight_grad.h"
#include "winograd_blocks.h"

enum {
    LANES = 64,       /* channels of a piece, of either side */
    BLOCK_TILES = 64, /* one chain */
    SKEW = 64,        /* bytes between points, lest they compete for the same sets of the cache */
    WANTED_PIECES = 16,
    MAX_PARTS = 16
};
#define PART_TILES 96.0 /* that repay a partial sum */
#define ROUND_FLOPS 6e8 /* of a piece, counted as direct sums: some milliseconds */

typedef struct job {
    npc_winograd_job w;
    npc_conv_problem *problem;
    int64_t taps;
    int64_t row_vectors, row_parts, row_lanes; /* output channels: all, of a piece */
    int64_t vectors, parts_of_lanes, lanes;    /* input channels likewise */
    int64_t grad_stride, sum_stride;           /* from point to point, elements */
    int64_t parts, rounds;
    npc_weight_parts sums;
    const npc_bias_grad *bias_grad; /* whose sums are taken, or NULL */
    size_t grad_bytes, sum_bytes, filter_bytes;
} job;

typedef struct round_job {
    const job *j;
    int64_t round;
} round_job;

/* What a piece works on and with. */
typedef struct work {
    npc_winograd_view view; /* of its channels only */
    npc_winograd_block *block;
    int64_t row_lanes, lanes;
    int64_t summed; /* channel of dy, the first, whose sums the bias gradient takes; or -1 */
    npc_winograd_memory memory;
    char *input, *grad, *sums, *filters;
    char started[NPC_WINOGRAD_MAX_POINTS * NPC_WINOGRAD_MAX_POINTS];
} work;

/* ---- steps ----------------------------------------------------------------------------------- */

/* The bias gradient's sums of the lines of dy whose first tile is in the block. */
static void sum_lines(const job *j, const work *w)
{
    const npc_winograd_axis *across = &w->view.axis[0];
    const int64_t width = w->view.axis[1].target;
    for (const npc_winograd_run *run = w->block->run; run < w->block->run + w->block->runs; run++) {
        if (run->first_group > 0 || run->tile_row % across->step > 0) continue;
        const int64_t next = run->tile_row + across->step;
        const int64_t end =
            next < across->tiles ? npc_winograd_pixel(across, next) : across->target;
        npc_bias_grad_sum(j->bias_grad, run->image, w->summed, w->view.rows,
                          npc_winograd_pixel(across, run->tile_row) * width, end * width);
    }
}

static void transform(const job *j, work *w, int64_t index)
{
    const npc_winograd_view *view = &w->view;
    const npc_winograd_block *b = w->block;
    const int64_t lanes = view->kernels->lanes, size = j->w.size;
    npc_winograd_set_up_block(&j->w, w->block, index);
    for (int i = 0; i < b->bands; i++) {
        for (int64_t c = 0; c < w->lanes; c += lanes)
            npc_winograd_band_input(&b->band[i], view, c, w->input + c * size, j->w.input_stride,
                                    w->lanes, &w->memory);
        for (int64_t k = 0; k < w->row_lanes; k += lanes)
            npc_winograd_band_grad(&b->band[i], view, k, w->grad + k * size, j->grad_stride,
                                   w->row_lanes, &w->memory);
    }
    if (w->summed >= 0) sum_lines(j, w);
}

static void multiply(const job *j, work *w)
{
    const npc_kernels *kernels = j->problem->kernels;
    const int64_t size = j->w.size;
    npc_winograd_outer_args args = {.rows = w->view.rows,
                                    .vectors = w->lanes / kernels->lanes,
                                    .a_stride = w->row_lanes,
                                    .b_stride = w->lanes,
                                    .c_stride = w->lanes,
                                    .tile_vecs = j->w.tile_vecs};
    for (int64_t point = 0; point < j->w.points; point++) {
        const int part = npc_winograd_part_of_point(&j->w, point);
        const int64_t tile = w->block->part[part];
        args.tiles = w->block->part_end[part] - tile;
        if (args.tiles == 0) continue;
        args.a = w->grad + (point * j->grad_stride + tile * w->row_lanes) * size;
        args.b = w->input + (point * j->w.input_stride + tile * w->lanes) * size;
        args.c = w->sums + point * j->sum_stride * size;
        args.accumulate = w->started[point];
        npc_run_winograd_outer(kernels, &args);
        w->started[point] = 1;
    }
}

/* From the sums at the points to rows of the weights, `dw` being the first; added to them or not.
 */
static void put_sums(const job *j, work *w, int add, char *dw)
{
    const npc_kernels *kernels = j->problem->kernels;
    const int64_t size = j->w.size, lanes = kernels->lanes, taps = j->taps;
    const int64_t row_bytes = npc_group_in(j->problem->geometry) * taps * size;
    npc_winograd_taps_args args = {
        .transform = {w->view.axis[0].transform, w->view.axis[1].transform},
        .filters = w->lanes / lanes,
        .point_stride = j->sum_stride,
        .filter_stride = lanes,
        .to = w->filters};
    char *turned = w->filters + w->lanes * taps * size;
    for (int64_t point = 0; point < j->w.points; point++)
        if (!w->started[point])
            memset(w->sums + point * j->sum_stride * size, 0,
                   (size_t)(w->view.rows * w->lanes * size));
    for (int64_t k = 0; k < w->view.rows; k++) {
        char *to = dw + k * row_bytes;
        args.from = w->sums + k * w->lanes * size;
        npc_run_winograd_taps(kernels, &args);
        for (int64_t c = 0; c < w->view.channels; c += lanes) {
            const npc_transpose_args turn = {.from = w->filters + c * taps * size,
                                             .from_stride = lanes,
                                             .rows = taps,
                                             .cols = npc_min(lanes, w->view.channels - c),
                                             .to = (add ? turned : to) + c * taps * size,
                                             .to_stride = taps};
            npc_run_transpose(kernels, &turn);
        }
        if (add) npc_run_add(kernels, to, turned, w->view.channels * taps);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const round_job *r = context;
    const job *j = r->j;
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t lanes = j->problem->kernels->lanes, size = j->w.size;
    const int64_t channel_part = piece % j->parts_of_lanes;
    const int64_t row_part = piece / j->parts_of_lanes % j->row_parts;
    const int64_t rest = piece / j->parts_of_lanes / j->row_parts;
    const int64_t group = rest % g->groups, part = rest / g->groups;
    const int64_t row = npc_split(j->row_vectors, j->row_parts, row_part) * lanes;
    const int64_t row_end = npc_split(j->row_vectors, j->row_parts, row_part + 1) * lanes;
    const int64_t c = npc_split(j->vectors, j->parts_of_lanes, channel_part) * lanes;
    const int64_t c_end = npc_split(j->vectors, j->parts_of_lanes, channel_part + 1) * lanes;

    work w = {.view = j->w.view, .row_lanes = row_end - row, .lanes = c_end - c};
    w.summed = j->bias_grad && c == 0 ? group * npc_group_out(g) + row : -1;
    char *cursor = scratch;
    w.block = npc_scratch_take(&cursor, sizeof *w.block);
    w.memory = npc_winograd_memory_of(&j->w.view, j->w.run_groups,
                                      npc_scratch_take(&cursor, j->w.memory_bytes));
    w.input = npc_scratch_take(&cursor, j->w.input_bytes);
    w.grad = npc_scratch_take(&cursor, j->grad_bytes);
    w.sums = npc_scratch_take(&cursor, j->sum_bytes);
    w.filters = npc_scratch_take(&cursor, j->filter_bytes);
    w.view.channels = npc_min(c_end, npc_group_in(g)) - c;
    w.view.rows = npc_min(row_end, npc_group_out(g)) - row;
    w.view.source.data += (group * npc_group_in(g) + c) * w.view.source.stride[1];
    w.view.target.data += (group * npc_group_out(g) + row) * w.view.target.stride[1];

    const int64_t stretches = j->parts * j->rounds, stretch = part * j->rounds + r->round;
    for (int64_t b = npc_split(j->w.blocks, stretches, stretch);
         b < npc_split(j->w.blocks, stretches, stretch + 1); b++) {
        transform(j, &w, b);
        multiply(j, &w);
    }
    put_sums(j, &w, r->round > 0,
             npc_weight_part(&j->sums, part) +
                 ((group * npc_group_out(g) + row) * npc_group_in(g) + c) * j->taps * size);
    return NPC_OK;
}

/* ---- planning -------------------------------------------------------------------------------- */

static void plan(job *j, const npc_conv_geometry *g)
{
    npc_winograd_job *w = &j->w;
    const npc_winograd_axis *across = &w->view.axis[0], *along = &w->view.axis[1];
    const int64_t lanes = w->view.kernels->lanes, size = w->size;

    w->points =
        (int64_t)npc_winograd_points(across->transform) * npc_winograd_points(along->transform);
    j->taps = npc_volume(g->kernel);
    j->vectors = npc_ceil_div(npc_group_in(g), lanes);
    j->row_vectors = npc_ceil_div(npc_group_out(g), lanes);
    j->parts_of_lanes = npc_ceil_div(j->vectors * lanes, LANES);
    j->row_parts = npc_ceil_div(j->row_vectors * lanes, LANES);
    j->lanes = npc_ceil_div(j->vectors, j->parts_of_lanes) * lanes;
    j->row_lanes = npc_ceil_div(j->row_vectors, j->row_parts) * lanes;
    w->tile_vecs = npc_choose_tile_vecs(w->view.kernels, j->row_lanes, j->lanes);

    const int64_t pieces = g->groups * j->parts_of_lanes * j->row_parts;
    npc_winograd_choose_units(w, BLOCK_TILES, 8);
    w->blocks = npc_ceil_div(w->units, npc_max(1, BLOCK_TILES / (w->unit_groups * along->step)));
    w->block_tiles = npc_ceil_div(w->units, w->blocks) * w->unit_groups * along->step;
    const double tiles = (double)w->batch * (double)across->tiles * (double)along->tiles;
    int64_t wanted = npc_min(npc_ceil_div(WANTED_PIECES, pieces), MAX_PARTS);
    wanted = npc_min(npc_min(wanted, (int64_t)ceil(tiles / PART_TILES)), w->blocks);
    j->parts = npc_weight_parts_most(j->problem, npc_max(wanted, 1));
    const double each = npc_conv_flops(g) / (double)(pieces * j->parts);
    j->rounds = npc_min((int64_t)(each / ROUND_FLOPS) + 1, npc_ceil_div(w->blocks, j->parts));

    w->input_stride = w->block_tiles * j->lanes + SKEW / size;
    j->grad_stride = w->block_tiles * j->row_lanes + SKEW / size;
    j->sum_stride = j->row_lanes * j->lanes + SKEW / size;
    w->memory_bytes = npc_winograd_memory_bytes(&w->view, w->run_groups);
    w->input_bytes = (size_t)(w->points * w->input_stride * size);
    j->grad_bytes = (size_t)(w->points * j->grad_stride * size);
    j->sum_bytes = (size_t)(w->points * j->sum_stride * size);
    j->filter_bytes = (size_t)(2 * j->lanes * j->taps * size);
}

npc_status npc_winograd_weight_grad(npc_conv_problem *problem, const npc_winograd_view *view)
{
    const npc_conv_geometry *g = problem->geometry;
    job j = {
        .w = {.view = *view, .batch = g->batch, .size = (int64_t)npc_dtype_size(problem->dtype)},
        .problem = problem};
    if (g->batch == 0) return npc_weight_grad(problem);
    j.w.view.source = problem->arrays->x;
    j.w.view.target = problem->arrays->y;
    plan(&j, g);
    const int64_t pieces = g->groups * j.parts_of_lanes * j.row_parts * j.parts;
    const size_t scratch = sizeof(npc_winograd_block) + j.w.memory_bytes + j.w.input_bytes +
                           j.grad_bytes + j.sum_bytes + j.filter_bytes + 448;
    j.bias_grad = npc_bias_grad_take(problem);
    npc_status status = npc_weight_parts_start(&j.sums, problem, j.parts);
    for (int64_t round = 0; round < j.rounds && status == NPC_OK; round++) {
        round_job r = {&j, round};
        status = npc_parallel_for(problem->team, pieces, scratch, run_piece, &r);
    }
    status = npc_weight_parts_finish(&j.sums, status);
    if (status == NPC_OK && !npc_run_all_finite(problem->kernels, problem->arrays->weight,
                                                g->out_channels * npc_group_in(g) * j.taps)) {
        if (!problem->border) return npc_weight_grad(problem);
        problem->wants_padded = 1;
    }
    return status;
}

/* ---- the prediction -------------------------------------------------------------------------- */

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    SUMS,       /* vectors of sums that are added to */
    INPUTS,     /* vectors of transformed tiles of x */
    GRADS,      /* those of dy */
    RUNS,       /* of tiles, for each vector of channels */
    KERNELS,    /* calls of UK3 */
    RESULTS,    /* vectors of sums transformed to the taps */
    WEIGHTS,    /* elements of them */
    COLD        /* likewise, where they are too many to be near */
};
_Static_assert(NPC_WINOGRAD_WEIGHT_GRAD_ONCE ==
                   (1u << CALL | 1u << RESULTS | 1u << WEIGHTS | 1u << COLD),
               "what a call counts once");

#define NEAR_BYTES 4e6

void npc_winograd_weight_grad_features(const npc_conv_problem *problem,
                                       const npc_winograd_view *view, double *feature)
{
    npc_conv_geometry g = *problem->geometry;
    npc_conv_problem one = *problem;
    job j = {.w = {.view = *view, .batch = 1, .size = (int64_t)npc_dtype_size(problem->dtype)},
             .problem = &one};
    g.batch = 1;
    one.geometry = &g;
    plan(&j, &g);
    const npc_winograd_axis *across = &view->axis[0], *along = &view->axis[1];
    /* An edge tile uses four of six points. */
    const double edge0 = (double)(across->tiles - across->whole) / 3;
    const double edge1 = (double)(along->tiles - along->whole) / 3;
    const double tiles = ((double)across->tiles - edge0) * ((double)along->tiles - edge1);
    const double points = (double)j.w.points, groups = (double)g.groups;
    const double rows = (double)npc_group_out(&g), vectors = (double)j.vectors;
    const double row_vectors = (double)j.row_vectors;
    /* Small images share a block, whose first sums count among the results. */
    const double blocks = j.w.blocks > 1 ? (double)j.w.blocks : fmin(1, tiles / BLOCK_TILES);

    feature[CALL] = 1;
    feature[MULTIPLIES] = groups * tiles * points * rows * vectors;
    feature[SUMS] = groups * blocks * points * rows * vectors;
    feature[INPUTS] = groups * tiles * points * vectors * (double)j.row_parts;
    feature[GRADS] = groups * tiles * points * row_vectors * (double)j.parts_of_lanes;
    feature[RUNS] = groups * (double)across->tiles * ceil((double)along->tiles / NPC_WINOGRAD_RUN) *
                    (vectors * (double)j.row_parts + row_vectors * (double)j.parts_of_lanes);
    feature[KERNELS] = groups * blocks * points * ceil(vectors / j.w.tile_vecs) *
                       ceil(rows / view->kernels->max_rows[j.w.tile_vecs]);
    feature[RESULTS] = groups * points * rows * vectors;
    feature[WEIGHTS] = groups * rows * (double)npc_group_in(&g) * (double)j.taps;
    if (feature[WEIGHTS] * (double)j.w.size > NEAR_BYTES) feature[COLD] = feature[WEIGHTS];
}
