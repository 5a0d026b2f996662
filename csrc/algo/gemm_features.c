/* Features of the products weights x panel (implicit_gemm.c) and gradient x panel
 * (weight_grad_dot.c). Counts are rounded up to whole vectors and tiles, for that is what a small
 * image pays. */
#include "gemm_features.h"

#include <math.h>

#include "pointwise.h"
#include "tail.h"
#include "weight_grad.h"

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    LOADS,      /* panel vectors that a kernel loads, once for each block of rows */
    WEIGHTS,    /* weights that UK1 broadcasts, once for each tile */
    FAR,        /* weights that come from beyond the cache, once for each few tiles */
    PACKED,     /* stretches of a panel row packed by vector loads */
    GATHERED,   /* panel elements packed one by one; of an input gradient what else is moved so */
    SEGMENTS,   /* of the packing table; lines of columns added */
    TILES,      /* of pixels, for each group */
    RESULTS,    /* elements stored */
    SCATTERED,  /* elements stored again, to where they belong */
    PREPARED    /* elements of weights that are transposed, or of columns */
};

_Static_assert(NPC_DIRECT_INPUT_GRAD_ONCE == (1u << CALL | 1u << GATHERED | 1u << PREPARED),
               "what a call counts once");

#define NEAR_BYTES 1e6 /* of weights, that stay near from tile to tile */

static double size_of(const npc_conv_problem *problem)
{
    return (double)npc_dtype_size(problem->dtype);
}

/* weights (groups, rows, channels * taps) x panel of `pixels` columns in `lines` lines. */
typedef struct product {
    const npc_conv_problem *problem;
    double groups, rows, channels, taps, pixels, lines;
    int by_vectors; /* packed by vector loads */
    int in_place;   /* not packed: see pointwise.h */
} product;

/* Vectors of an image's pixels, as far as multiply-adds go: a pixel of a tail costs a part of one.
 */
static double vectors_of(const product *p)
{
    const npc_kernels *kernels = p->problem->kernels;
    const double tail = npc_tail_pixels(kernels, (int64_t)fmin(p->pixels, 1e9),
                                        (int64_t)fmin(p->channels * p->taps, 1e9));
    return ceil((p->pixels - tail) / kernels->lanes) + 0.15 * tail;
}

static void count_panel(const product *p, double *feature)
{
    const double vectors = ceil(p->pixels / p->problem->kernels->lanes);
    const double stretches = vectors + p->lines, depth = p->groups * p->channels * p->taps;
    feature[PACKED] += depth * stretches;
    if (!p->by_vectors) feature[GATHERED] += depth * p->pixels;
    feature[SEGMENTS] += p->taps * stretches;
}

static void count_product(const product *p, double *feature)
{
    /* The tile of a long product; what matters is how often an operand is loaded again. */
    const npc_kernels *kernels = p->problem->kernels;
    const int vecs = kernels->max_rows[3] ? 3 : 2;
    const double vectors = vectors_of(p), depth = p->channels * p->taps;
    const double tiles = ceil(vectors / vecs), blocks = ceil(p->rows / kernels->max_rows[vecs]);
    const double weights = p->rows * depth;

    feature[MULTIPLIES] += p->groups * weights * vectors;
    feature[LOADS] += p->groups * depth * vectors * blocks;
    feature[WEIGHTS] += p->groups * weights * tiles;
    if (weights * size_of(p->problem) > NEAR_BYTES)
        feature[FAR] += p->groups * weights * ceil(tiles / 4);
    feature[TILES] += p->groups * tiles;
    if (!p->in_place) count_panel(p, feature);
}

/* Whether a forward convolution's pixels are multiplied where they lie. */
static int is_in_place(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    int64_t pixels = 1;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        if (g->kernel[i] != 1 || g->stride[i] != 1 || g->input[i] != g->output[i]) return 0;
        if (__builtin_mul_overflow(pixels, g->output[i], &pixels) || pixels > INT32_MAX) return 0;
    }
    return npc_tail_pixels(problem->kernels, pixels, npc_group_in(g)) == 0 &&
           npc_pointwise_repays(problem->kernels, npc_group_out(g), npc_group_in(g), pixels,
                                pixels * size);
}

static product forward_product(const npc_conv_problem *problem, int by_vectors)
{
    const npc_conv_geometry *g = problem->geometry;
    return (product){.problem = problem,
                     .groups = (double)g->groups,
                     .rows = (double)npc_group_out(g),
                     .channels = (double)npc_group_in(g),
                     .taps = npc_count(g->kernel),
                     .pixels = npc_count(g->output),
                     .lines = (double)g->output[0] * (double)g->output[1],
                     .by_vectors = by_vectors,
                     .in_place = by_vectors && is_in_place(problem)};
}

static void count_forward(const npc_conv_problem *problem, int by_vectors, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const product p = forward_product(problem, by_vectors);
    count_product(&p, feature);
    feature[CALL] = 1;
    feature[RESULTS] = (double)g->out_channels * p.pixels;
}

/* The phases of the stride, each with its share of the pixels and of the taps. */
static void count_phases(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    double phases = 1, one[NPC_COST_FEATURES] = {0};
    for (int i = 0; i < NPC_SPATIAL; i++) phases *= (double)npc_min(g->stride[i], g->kernel[i]);
    const double pixels = npc_count(g->input), steps = npc_count(g->stride);
    const product p = {.problem = problem,
                       .groups = (double)g->groups,
                       .rows = (double)npc_group_in(g),
                       .channels = (double)npc_group_out(g),
                       .taps = npc_count(g->kernel) / phases,
                       .pixels = ceil(pixels / steps),
                       .lines =
                           ceil((double)g->input[0] * (double)g->input[1] * g->stride[2] / steps),
                       .by_vectors = 1};
    count_product(&p, one);
    for (int i = 0; i < NPC_COST_FEATURES; i++) feature[i] += phases * one[i];
    feature[CALL] = phases;
    feature[RESULTS] = (double)g->in_channels * pixels;
    if (steps > 1) feature[SCATTERED] = feature[RESULTS];
    /* The taps of a phase are picked one by one, if they are not the kernel's. */
    feature[steps > 1 && npc_count(g->kernel) > 1 ? GATHERED : PREPARED] =
        (double)g->in_channels * p.channels * npc_count(g->kernel);
}

int npc_im2col_has_few_pixels(const npc_conv_geometry *g)
{
    return npc_count(g->output) <= (double)npc_group_out(g);
}

/* Columns made by a product with the transposed weights, or by one with the transposed pixels, then
 * added to the image. */
static void count_columns(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const int by_rows = npc_im2col_has_few_pixels(g);
    const double columns = (double)npc_group_in(g) * npc_count(g->kernel);
    const double pixels = npc_count(g->output);
    const product p = {.problem = problem,
                       .groups = (double)g->groups,
                       .rows = by_rows ? pixels : columns,
                       .channels = (double)npc_group_out(g),
                       .taps = 1,
                       .pixels = by_rows ? columns : pixels,
                       .lines = 1,
                       .by_vectors = 1};
    count_product(&p, feature);
    feature[CALL] = 1;
    feature[RESULTS] = (double)g->in_channels * npc_count(g->input);
    feature[SCATTERED] = p.groups * p.rows * p.pixels;
    feature[SEGMENTS] = p.groups * columns * (double)g->output[0] * (double)g->output[1];
    feature[PREPARED] = p.groups * p.channels * (by_rows ? pixels : columns);
    if (by_rows) { /* weights are the panel */
        const double weights = p.channels * columns;
        feature[PREPARED] += feature[SCATTERED];
        if (weights * size_of(problem) > NEAR_BYTES) feature[FAR] += p.groups * weights;
    }
    if (g->stride[2] > 2) feature[GATHERED] = feature[SCATTERED];
}

static void count_weight_grad(const npc_conv_problem *problem, int by_vectors, double *feature)
{
    const npc_kernels *kernels = problem->kernels;
    const product p = forward_product(problem, by_vectors);
    const double vectors = ceil(p.pixels / kernels->lanes), depth = p.channels * p.taps;
    const double blocks = ceil(p.pixels * size_of(problem) / 4096);

    count_panel(&p, feature);
    feature[CALL] = 1;
    feature[MULTIPLIES] = p.groups * p.rows * depth * vectors;
    feature[LOADS] = p.groups * depth * vectors * ceil(p.rows / kernels->max_dot_rows);
    feature[TILES] = p.groups * blocks;
    feature[RESULTS] = p.groups * p.rows * depth * blocks;
}

static void count(const npc_conv_problem *problem, int by_vectors, double *feature)
{
    switch (problem->operation) {
    case NPC_FORWARD:
        count_forward(problem, by_vectors, feature);
        break;
    case NPC_INPUT_GRAD:
        count_phases(problem, feature);
        break;
    default:
        count_weight_grad(problem, by_vectors, feature);
    }
}

void npc_direct_features(const npc_conv_problem *problem, double *feature)
{
    if (problem->operation == NPC_WEIGHT_GRAD)
        npc_weight_grad_features(problem, feature);
    else
        count(problem, problem->geometry->stride[2] <= 2, feature);
}

void npc_im2col_features(const npc_conv_problem *problem, double *feature)
{
    if (problem->operation == NPC_INPUT_GRAD)
        count_columns(problem, feature);
    else
        count(problem, 0, feature);
}
