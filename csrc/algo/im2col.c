/* im2col: the textbook's way, a panel of the column matrix at a time.
 *
 * Forward and weight gradient multiply with panels that are filled row by row from the image. The
 * input gradient multiplies the transposed weights with the output's gradient, which gives columns,
 * and adds those to where they came from (col2im), a few channels of an image at a time, so that no
 * two threads add to the same place. Where an image has so few pixels that transposing the weights
 * would take longer than all the rest, the transposed gradient is multiplied with the weights as
 * they are, a few images at a time: the same sums, to the bit, as rows.
 */
#include <math.h>
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

enum {
    STAGE_ROWS = 512,
    STAGE_BYTES = 512 * 1024, /* of columns, added to the image while they are in cache */
    PANEL_BYTES = 640 * 1024,
    PIECES_PER_THREAD = 3,
    BAND_OVERLAPS = 8 /* that a band is high, at least: pixels there are multiplied twice */
};
#define MAX_PIECE_FLOPS 6e8

typedef struct job {
    npc_conv_problem *problem;
    npc_window window; /* where columns are added: taps over dx */
    npc_window grad;   /* dy's own pixels, one tap each */
    int64_t size, taps, depth, blocks, panel_blocks;
    int64_t channel_step, channel_parts; /* channels of a piece; parts of a group */
    int64_t lines, columns;              /* of pixels that are staged at a time */
    int64_t bands;                       /* of an image's rows, each a piece */
    int64_t stage_rows, pitch;           /* elements from row to row */
    int vecs;
    char *weight; /* (groups, C/groups * taps, K/groups), or NULL, and there are */
    char *rows;   /* (groups, images * pixels, C/groups * taps), of the images from first_image */
    char *pixels; /* (groups, images * pixels, K/groups), of their gradient */
    int64_t first_image, images;
} job;

enum { TRANSPOSED_ROWS = 64 }; /* of a piece */

static npc_status transpose_weight(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t row = npc_group_in(j->problem->geometry) * j->taps;
    const int64_t parts = npc_ceil_div(row, TRANSPOSED_ROWS), group = piece / parts;
    const int64_t first = piece % parts * TRANSPOSED_ROWS;
    const char *weight = j->problem->arrays->weight;
    const npc_transpose_args args = {
        .from = weight + (group * j->depth * row + first) * j->size,
        .from_stride = row,
        .rows = j->depth,
        .cols = npc_min(TRANSPOSED_ROWS, row - first),
        .to = j->weight + (group * row + first) * j->depth * j->size,
        .to_stride = j->depth,
    };
    npc_run_transpose(j->problem->kernels, &args);
    return NPC_OK;
}

/* Columns of rows [begin, end) of a group for one tile, to their place in the stage. */
static void multiply(const job *j, npc_packer *packer, int64_t group, int64_t begin, int64_t end,
                     char *panel, char *stage)
{
    const npc_kernels *kernels = j->problem->kernels;
    const npc_tile *tile = packer->tile;
    const int64_t group_rows = npc_group_in(j->problem->geometry) * j->taps;
    npc_panel_tile panel_tile = {.packer = packer,
                                 .panel = panel,
                                 .c = stage,
                                 .c_stride_bytes = j->pitch * j->size,
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

enum { GATHERED = 16 }; /* output channels whose pixels are transposed at a time */

/* The gradient's pixels of one image, one after the other with all channels of a group. */
static npc_status transpose_pixels(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_array *y = &j->problem->arrays->y;
    const int64_t *extent = j->problem->geometry->output;
    const int64_t parts = npc_ceil_div(j->depth, GATHERED), image = piece / parts % j->images;
    const int64_t group = piece / parts / j->images, k = piece % parts * GATHERED;
    const int64_t rows = npc_min(GATHERED, j->depth - k), count = j->grad.pixels;
    char *to = scratch;

    for (int64_t i = 0; i < rows; i++) {
        const char *plane = y->data + (j->first_image + image) * y->stride[0] +
                            (group * j->depth + k + i) * y->stride[1];
        for (int64_t line = 0; line < extent[0] * extent[1]; line++, to += extent[2] * j->size)
            npc_read_run(y,
                         plane + line / extent[1] * y->stride[2] + line % extent[1] * y->stride[3],
                         y->stride[4], extent[2], j->problem->dtype, to);
    }
    const npc_transpose_args args = {
        .from = scratch,
        .from_stride = count,
        .rows = rows,
        .cols = count,
        .to = j->pixels + (((group * j->images + image) * count) * j->depth + k) * j->size,
        .to_stride = j->depth,
    };
    npc_run_transpose(j->problem->kernels, &args);
    return NPC_OK;
}

/* Rows of columns of some images: pixels times weights. */
static npc_status multiply_rows(job *j)
{
    const npc_conv_problem *p = j->problem;
    const npc_conv_geometry *g = p->geometry;
    const int64_t columns = npc_group_in(g) * j->taps, row_bytes = columns * j->size;
    const npc_array weight = {
        .data = p->arrays->weight, .stride = {0, row_bytes, 0, 0, j->size}, .dtype = p->dtype};
    npc_window window = {.source = &weight, .dtype = p->dtype};
    for (int i = 0; i < NPC_SPATIAL; i++) {
        const int64_t extent = i == 2 ? columns : 1;
        window.axis[i] =
            (npc_axis){.extent = extent, .pixels = extent, .step = 1, .taps = 1, .spacing = 1};
    }
    npc_window_finish(&window);
    const npc_implicit_gemm gemm = {
        .kernels = p->kernels,
        .window = &window,
        .batch = 1,
        .groups = g->groups,
        .channels = j->depth,
        .rows = j->images * j->grad.pixels,
        .weight = j->pixels,
        .target = {.data = j->rows, .stride = {0, row_bytes, 0, 0, j->size}, .dtype = p->dtype},
    };
    const int64_t pieces = g->groups * j->images * npc_ceil_div(j->depth, GATHERED);
    const npc_status status = npc_parallel_for(
        p->team, pieces, (size_t)(GATHERED * j->grad.pixels * j->size), transpose_pixels, j);
    return status == NPC_OK ? npc_implicit_gemm_run(&gemm, p->team) : status;
}

/* Columns of rows [begin, end) of a group for some pixels, which are there, into the stage. */
static void take_rows(const job *j, int64_t image, int64_t group, int64_t begin, int64_t end,
                      int64_t pixel, int64_t count, char *stage)
{
    const int64_t columns = npc_group_in(j->problem->geometry) * j->taps;
    const int64_t row = (group * j->images + image) * j->grad.pixels + pixel;
    const npc_transpose_args args = {
        .from = j->rows + (row * columns + begin) * j->size,
        .from_stride = columns,
        .rows = count,
        .cols = end - begin,
        .to = stage,
        .to_stride = j->pitch,
    };
    npc_run_transpose(j->problem->kernels, &args);
}

/* What a piece adds to: some channels of a group of an image, and a band of rows of them. */
typedef struct place {
    int64_t image, group;
    int64_t begin, end;      /* rows of the column matrix */
    npc_window window;       /* whose source is the band */
    int64_t line, lines_end; /* rows of pixels that reach the band */
    char *plane;             /* of the group's first channel: where the band starts */
} place;

static place find_place(const job *j, int64_t piece)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *x = &j->problem->arrays->x;
    const int64_t in = npc_group_in(g), band = piece % j->bands;
    const int64_t part = piece / j->bands % j->channel_parts;
    const int64_t rest = piece / j->bands / j->channel_parts;
    const int64_t top = npc_split(g->input[1], j->bands, band);
    const int64_t bottom = npc_split(g->input[1], j->bands, band + 1);
    place p = {.image = rest / g->groups, .group = rest % g->groups, .window = j->window};
    npc_axis *axis = &p.window.axis[1];
    p.begin = part * j->channel_step * j->taps;
    p.end = npc_min(in, (part + 1) * j->channel_step) * j->taps;
    p.plane = x->data + (j->first_image + p.image) * x->stride[0] + p.group * in * x->stride[1] +
              top * x->stride[3];
    p.lines_end = g->output[0] * g->output[1];
    if (j->bands > 1) {
        axis->extent = bottom - top;
        axis->first -= top;
        p.line = p.lines_end;
        p.lines_end = 0;
        for (int64_t tap = 0; tap < axis->taps; tap++) {
            int64_t begin, end;
            npc_axis_valid(axis, tap, &begin, &end);
            if (begin >= end) continue;
            p.line = npc_min(p.line, begin);
            p.lines_end = npc_max(p.lines_end, end);
        }
    }
    for (int64_t c = p.begin / j->taps; c < p.end / j->taps; c++)
        npc_zero_plane(x, p.plane + c * x->stride[1], g->input[0], bottom - top, g->input[2],
                       j->size);
    return p;
}

/* Rows [begin, end) of a block's pixels, from the stage to the band. */
static void add_block(const job *j, const place *p, const npc_column_block *block, int64_t begin,
                      int64_t end, const char *stage)
{
    const npc_kernels *kernels = j->problem->kernels;
    const npc_array *x = &j->problem->arrays->x;
    const int by_lines = x->stride[4] % j->size == 0;
    int64_t taps;
    for (int64_t row = begin; row < end; row += taps) {
        const int64_t tap = row % j->taps;
        const char *from = stage + (row - begin) * j->pitch * j->size;
        char *plane = p->plane + row / j->taps * x->stride[1];
        taps = by_lines ? npc_min(j->taps - tap, end - row) : 1;
        if (by_lines)
            npc_columns_add_lines(kernels, &p->window, tap, taps, block, from, j->pitch, plane);
        else
            npc_columns_add(kernels, &p->window, tap,
                            block->line * p->window.axis[2].pixels + block->column,
                            block->lines * block->columns, from, plane);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t width = j->grad.axis[2].pixels, kernel_lanes = j->problem->kernels->lanes;
    const int64_t lanes = kernel_lanes * j->vecs;
    char *cursor = scratch;
    npc_tile *tile = npc_scratch_take(&cursor, sizeof *tile);
    npc_packer packer = {.kernels = j->problem->kernels, .window = &j->grad, .tile = tile};
    packer.segments = npc_scratch_take(&cursor, npc_panel_table_bytes(&j->grad));
    char *stage = npc_scratch_take(&cursor, (size_t)(j->stage_rows * j->pitch * j->size));
    const place p = find_place(j, piece);

    /* Blocks lie on a grid of the whole image, for that decides the order of summation. */
    for (int64_t line = p.line - p.line % j->lines; line < p.lines_end; line += j->lines) {
        npc_column_block block = {.line = npc_max(line, p.line)};
        block.lines = npc_min(line + j->lines, p.lines_end) - block.line;
        for (; block.column < width; block.column += j->columns) {
            block.columns = npc_min(j->columns, width - block.column);
            const int64_t first = block.line * width + block.column;
            const int64_t pixels = block.lines * block.columns;
            for (int64_t row = p.begin; row < p.end; row += STAGE_ROWS) {
                const int64_t end = npc_min(row + STAGE_ROWS, p.end);
                for (int64_t i = 0; i < pixels; i += lanes) {
                    const int64_t count = npc_min(lanes, pixels - i);
                    char *to = stage + i * j->size;
                    if (!j->weight) {
                        take_rows(j, p.image, p.group, row, end, first + i, count, to);
                        continue;
                    }
                    npc_tile_set(tile, &j->grad, p.image * j->grad.pixels + first + i, count,
                                 (int)kernel_lanes);
                    packer.tap_begin = packer.tap_end = 0;
                    multiply(j, &packer, p.group, row, end, cursor, to);
                }
                add_block(j, &p, &block, row, end, stage);
            }
        }
    }
    return NPC_OK;
}

/* The block of pixels that is staged, a function of an image's geometry. */
static void plan_stage(job *j)
{
    const npc_axis *axis = j->grad.axis;
    const int64_t lines = axis[0].pixels * axis[1].pixels, lanes = j->problem->kernels->lanes;
    j->stage_rows = npc_min(STAGE_ROWS, j->channel_step * j->taps);
    const int64_t pixels = npc_max(NPC_MAX_TILE, STAGE_BYTES / (j->stage_rows * j->size));
    j->columns = npc_ceil_div(axis[2].pixels, npc_ceil_div(axis[2].pixels, pixels));
    j->lines = j->columns < axis[2].pixels ? 1 : npc_min(lines, pixels / j->columns);
    j->pitch = npc_ceil_div(j->lines * j->columns, lanes) * lanes;
}

/* Bands, where images and channels are too few to be shared out, or a piece would take long. */
static void plan_bands(job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t threads = j->problem->team->threads;
    const int64_t pieces = j->images * g->groups * j->channel_parts;
    const int64_t overlap = (g->kernel[1] - 1) * g->dilation[1] + 1;
    const double flops = npc_conv_flops(g) / (double)(g->batch * g->groups * j->channel_parts);
    double wanted = 1 + flops / MAX_PIECE_FLOPS;
    j->bands = 1;
    if (g->input[0] > 1 || g->output[0] > 1) return;
    if (threads > 1 && pieces < threads * PIECES_PER_THREAD)
        wanted = fmax(wanted, (double)npc_ceil_div(threads * PIECES_PER_THREAD, pieces));
    const int64_t most = npc_max(1, g->input[1] / overlap / BAND_OVERLAPS);
    j->bands = wanted < (double)most ? (int64_t)wanted : most;
}

static npc_status add_columns(job *j, size_t scratch)
{
    const npc_conv_geometry *g = j->problem->geometry;
    plan_bands(j);
    return npc_parallel_for(j->problem->team, j->images * g->groups * j->channel_parts * j->bands,
                            scratch, run_piece, j);
}

static npc_status by_columns(job *j, size_t scratch)
{
    npc_conv_problem *problem = j->problem;
    const npc_conv_geometry *g = problem->geometry;
    const int64_t columns = npc_group_in(g) * j->taps;
    j->images = g->batch;
    j->weight = npc_shared_workspace(problem, g->groups * columns * j->depth * j->size);
    if (!j->weight) return NPC_NO_MEMORY;
    npc_status status = npc_parallel_for(
        problem->team, g->groups * npc_ceil_div(columns, TRANSPOSED_ROWS), 0, transpose_weight, j);
    if (status == NPC_OK) status = add_columns(j, scratch);
    npc_recycle_give(j->weight);
    return status;
}

static npc_status by_rows(job *j, size_t scratch)
{
    npc_conv_problem *problem = j->problem;
    const npc_conv_geometry *g = problem->geometry;
    /* No more memory than the transposed weights would take. */
    const int64_t images = npc_min(g->batch, j->depth / j->grad.pixels);
    const int64_t pixels = g->groups * images * j->grad.pixels;
    npc_status status = NPC_OK;
    j->rows = npc_shared_workspace(problem, pixels * npc_group_in(g) * j->taps * j->size);
    j->pixels = npc_shared_workspace(problem, pixels * j->depth * j->size);
    if (!j->rows || !j->pixels) status = NPC_NO_MEMORY;
    for (; j->first_image < g->batch && status == NPC_OK; j->first_image += images) {
        j->images = npc_min(images, g->batch - j->first_image);
        status = multiply_rows(j);
        if (status == NPC_OK) status = add_columns(j, scratch);
    }
    npc_recycle_give(j->rows);
    npc_recycle_give(j->pixels);
    return status;
}

static npc_status input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t in = npc_group_in(g);
    job j = {.problem = problem,
             .size = (int64_t)npc_dtype_size(problem->dtype),
             .taps = npc_volume(g->kernel),
             .depth = npc_group_out(g)};

    npc_window_forward(&j.window, g, &problem->arrays->x, problem->dtype);
    j.grad = (npc_window){.source = &problem->arrays->y, .dtype = problem->dtype};
    for (int i = 0; i < NPC_SPATIAL; i++)
        j.grad.axis[i] = (npc_axis){
            .extent = g->output[i], .pixels = g->output[i], .step = 1, .taps = 1, .spacing = 1};
    npc_window_finish(&j.grad);
    j.channel_step = npc_min(in, npc_max(1, STAGE_ROWS / j.taps));
    j.channel_parts = npc_ceil_div(in, j.channel_step);
    plan_stage(&j);
    j.vecs = npc_choose_tile_vecs(problem->kernels, STAGE_ROWS, j.grad.pixels);
    j.blocks = npc_depth_blocks(j.depth);
    const int64_t block_bytes =
        npc_ceil_div(j.depth + 1, j.blocks) * j.vecs * problem->kernels->lanes * j.size;
    j.panel_blocks = npc_min(j.blocks, npc_max(1, PANEL_BYTES / block_bytes));

    const size_t scratch =
        npc_round_up(sizeof(npc_tile), 64) + npc_round_up(npc_panel_table_bytes(&j.grad), 64) +
        (size_t)(j.stage_rows * j.pitch * j.size) + (size_t)(j.panel_blocks * block_bytes) + 64;
    return npc_im2col_has_few_pixels(g) ? by_rows(&j, scratch) : by_columns(&j, scratch);
}

static npc_status run(npc_conv_problem *problem)
{
    switch (problem->operation) {
    case NPC_FORWARD:
        return forward(problem);
    case NPC_INPUT_GRAD:
        return input_grad(problem);
    default:
        return npc_weight_grad_dot(problem, 0);
    }
}

static const char *declines(const npc_conv_problem *problem)
{
    (void)problem;
    return NULL;
}

const npc_conv_algorithm npc_conv_im2col = {"im2col", declines, run,          npc_im2col_features,
                                            NULL,     NULL,     {3, 1.35, 3}, {0}};
