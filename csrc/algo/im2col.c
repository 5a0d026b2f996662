/* im2col: the textbook's way, a panel of the column matrix at a time.
 *
 * Forward and weight gradient multiply with panels that are filled row by row from the image. The
 * input gradient multiplies the transposed weights with the output's gradient, which gives columns,
 * and adds those to where they came from (col2im), a few channels of an image at a time, so that no
 * two threads add to the same place.
 */
#include <stdlib.h>
#include <string.h>

#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"
#include "columns.h"
#include "gemm_features.h"
#include "implicit_gemm.h"
#include "../core/scratch.h"
#include "weight_grad.h"

static npc_status forward(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_window window;
    npc_window_forward(&window, g, &problem->arrays->x, problem->dtype);
    window.load_step = 0; /* rows are copied as im2col does */
    const npc_implicit_gemm gemm = npc_forward_gemm(problem, &window);
    return npc_implicit_gemm_run(&gemm, problem->team);
}

enum { STAGE_ROWS = 512, PANEL_BYTES = 640 * 1024 };

typedef struct job {
    npc_conv_problem *problem;
    npc_window columns; /* where columns are added: taps over dx */
    npc_window grad;    /* dy's own pixels, one tap each */
    int64_t size, taps, depth, blocks, panel_blocks;
    int64_t channel_step, channel_parts; /* channels of a piece; pieces of a group */
    int vecs;
    char *weight; /* (groups, C/groups * taps, K/groups) */
} job;

static npc_status transpose_weight(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t in = npc_group_in(j->problem->geometry), row = in * j->taps;
    const int64_t group = piece / row, k = piece % row;
    const char *from =
        (const char *)j->problem->arrays->weight + (group * j->depth * row + k) * j->size;
    char *to = j->weight + piece * j->depth * j->size;
    for (int64_t i = 0; i < j->depth; i++)
        memcpy(to + i * j->size, from + i * row * j->size, (size_t)j->size);
    return NPC_OK;
}

/* Columns of rows [begin, end) of a group for one tile, into the stage. */
static void multiply(const job *j, npc_packer *packer, int64_t group, int64_t begin, int64_t end,
                     char *panel, char *stage)
{
    const npc_kernels *kernels = j->problem->kernels;
    const npc_tile *tile = packer->tile;
    const int64_t group_rows = npc_group_in(j->problem->geometry) * j->taps;
    npc_panel_tile panel_tile = {.packer = packer,
                                 .panel = panel,
                                 .c = stage,
                                 .c_stride_bytes = NPC_MAX_TILE * j->size,
                                 .vecs = tile->vecs,
                                 .last_lanes = tile->count - (tile->vecs - 1) * kernels->lanes};
    npc_panel_product product = {
        .kernels = kernels,
        .depth = j->depth,
        .blocks = j->blocks,
        .a = j->weight + (group * group_rows + begin) * j->depth * j->size,
        .a_stride_bytes = j->depth * j->size,
        .rows = end - begin,
        .channel = group * j->depth,
        .tile = &panel_tile,
        .tiles = 1,
    };
    for (; product.first < j->blocks; product.first = product.last) {
        product.last = npc_min(product.first + j->panel_blocks, j->blocks);
        npc_panel_multiply(&product);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *x = &j->problem->arrays->x;
    const int64_t in = npc_group_in(g), parts = j->channel_parts;
    const int64_t image = piece / (g->groups * parts), group = piece / parts % g->groups;
    const int64_t c_begin = piece % parts * j->channel_step;
    const int64_t c_end = npc_min(in, c_begin + j->channel_step);
    const int64_t lanes = (int64_t)j->problem->kernels->lanes * j->vecs;
    char *cursor = scratch;
    npc_tile *tile = npc_scratch_take(&cursor, sizeof *tile);
    npc_packer packer = {.kernels = j->problem->kernels, .window = &j->grad, .tile = tile};
    packer.segments = npc_scratch_take(&cursor, npc_panel_table_bytes(&j->grad));
    char *stage = npc_scratch_take(&cursor, (size_t)(STAGE_ROWS * NPC_MAX_TILE * j->size));
    char *group_plane = x->data + image * x->stride[0] + group * in * x->stride[1];

    for (int64_t c = c_begin; c < c_end; c++)
        npc_zero_plane(x, group_plane + c * x->stride[1], g->input[0], g->input[1], g->input[2],
                       j->size);
    for (int64_t p = 0; p < j->grad.pixels; p += lanes) {
        const int64_t count = npc_min(lanes, j->grad.pixels - p);
        npc_tile_set(tile, &j->grad, image * j->grad.pixels + p, count, j->problem->kernels->lanes);
        packer.tap_begin = packer.tap_end = 0;
        for (int64_t row = c_begin * j->taps; row < c_end * j->taps; row += STAGE_ROWS) {
            const int64_t end = npc_min(row + STAGE_ROWS, c_end * j->taps);
            multiply(j, &packer, group, row, end, cursor, stage);
            for (int64_t k = row; k < end; k++)
                npc_columns_add(j->problem->kernels, &j->columns, k % j->taps, p, count,
                                stage + (k - row) * NPC_MAX_TILE * j->size,
                                group_plane + k / j->taps * x->stride[1]);
        }
    }
    return NPC_OK;
}

static npc_status input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t in = npc_group_in(g);
    job j = {.problem = problem,
             .size = (int64_t)npc_dtype_size(problem->dtype),
             .taps = npc_volume(g->kernel),
             .depth = npc_group_out(g)};

    npc_window_forward(&j.columns, g, &problem->arrays->x, problem->dtype);
    j.grad = (npc_window){.source = &problem->arrays->y, .dtype = problem->dtype};
    for (int i = 0; i < NPC_SPATIAL; i++)
        j.grad.axis[i] = (npc_axis){
            .extent = g->output[i], .pixels = g->output[i], .step = 1, .taps = 1, .spacing = 1};
    npc_window_finish(&j.grad);
    j.channel_step = npc_max(1, STAGE_ROWS / j.taps);
    j.channel_parts = npc_ceil_div(in, j.channel_step);
    j.vecs = npc_choose_tile_vecs(problem->kernels, STAGE_ROWS, j.grad.pixels);
    j.blocks = npc_depth_blocks(j.depth);
    const int64_t block_bytes =
        npc_ceil_div(j.depth + 1, j.blocks) * j.vecs * problem->kernels->lanes * j.size;
    j.panel_blocks = npc_min(j.blocks, npc_max(1, PANEL_BYTES / block_bytes));

    j.weight = npc_shared_workspace(problem, g->in_channels * j.taps * j.depth * j.size);
    if (!j.weight) return NPC_NO_MEMORY;
    npc_status status =
        npc_parallel_for(problem->team, g->in_channels * j.taps, 0, transpose_weight, &j);
    if (status == NPC_OK) {
        const size_t scratch = npc_round_up(sizeof(npc_tile), 64) +
                               npc_round_up(npc_panel_table_bytes(&j.grad), 64) +
                               (size_t)(STAGE_ROWS * NPC_MAX_TILE * j.size) +
                               (size_t)(j.panel_blocks * block_bytes) + 64;
        status = npc_parallel_for(problem->team, g->batch * g->groups * j.channel_parts, scratch,
                                  run_piece, &j);
    }
    free(j.weight);
    return status;
}

static npc_status run(npc_conv_problem *problem)
{
    switch (problem->operation) {
    case NPC_FORWARD:
        return forward(problem);
    case NPC_INPUT_GRAD:
        return input_grad(problem);
    default:
        return npc_weight_grad(problem, 0);
    }
}

static const char *declines(const npc_conv_problem *problem)
{
    (void)problem;
    return NULL;
}

const npc_conv_algorithm npc_conv_im2col = {"im2col", declines, run, npc_im2col_features,
                                            NULL,     NULL};
