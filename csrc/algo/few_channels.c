/* few_channels: forward convolutions of images with few channels, as in the first layer of a
 * network.
 *
 * Packing a panel for every tile of pixels costs too much where few output channels share it, or
 * taps are many and channels few. Here a band of rows is spread (band.h), after which each tap of
 * consecutive pixels is a vector load: micro-kernel UK2 finds them through a table of offsets that
 * all tiles share.
 */
#include <math.h>

#include "../core/scratch.h"
#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"
#include "band.h"
#include "finish.h"
#include "implicit_gemm.h"

/* Work sizes; none of them shows in the results. */
enum {
    MAX_CHANNELS = 8,
    MIN_ROWS = 4, /* output channels of a group: fewer leave UK2 waiting for its sums */
    MAX_DEPTH = 2048,
    PIECES_PER_THREAD = 8,
    L1_BYTES = 24 * 1024,     /* of operands that should stay there */
    PANEL_BYTES = 512 * 1024, /* of a stretch, where it is collected */
    /* From so many bytes on a tile's pixels are collected if so many blocks of weight rows use
     * them: scattered over a band they evict each other from L1. */
    COLLECT_BYTES = 12 * 1024,
    COLLECT_BLOCKS = 5
};
#define MIN_PIECE_FLOPS 4e5
#define MAX_UNIT_FLOPS 4e8

typedef struct job {
    const npc_conv_problem *problem;
    npc_window window;
    npc_band band;
    int64_t size, depth, blocks;
    int64_t items;                        /* bands of all images */
    int64_t row_parts, units, unit_parts; /* a unit is a part of a group's output channels */
    int64_t item_parts;
    int vecs;      /* of a tile */
    int64_t group; /* tiles that a block of weight rows serves while it is in L1 */
    int flat;      /* pixels of a band follow each other in y */
    int staged;    /* sums are completed in scratch memory */
    int collect;   /* a stretch's pixels are copied to panels */
    npc_finish finish;
    int large, aligned, stream; /* y: beyond the caches; its rows of pixels in step with cache
                                 * lines; written past the caches */
} job;

/* A thread's working memory. */
typedef struct work {
    int64_t *offset, *panel_offset[2]; /* in the band; in panels of vecs - 1 and vecs vectors */
    char *panel, *band, *partial, *stage;
} work;

/* Tiles of `vecs` vectors that follow each other in a band: `count` pixels from `pixel`. */
typedef struct stretch {
    int64_t pixel, count, tiles;
    int vecs;
    const char *b; /* of the first tile; offsets and step from tile to tile */
    const int64_t *offset;
    int64_t tile_bytes;
    int stream; /* past the caches */
} stretch;

/* From a staged tile to a y whose pixels do not follow each other. */
static void scatter(const job *j, const npc_band_place *place, const stretch *t, int64_t channel,
                    int64_t rows, const char *stage)
{
    const npc_array *y = &j->problem->arrays->y;
    const int64_t stride = NPC_MAX_TILE * j->size;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t p = t->pixel; p < t->pixel + t->count;) {
            const int64_t row = p / j->band.columns, column = p % j->band.columns;
            const int64_t count = npc_min(j->band.columns - column, t->pixel + t->count - p);
            char *to = y->data + place->image * y->stride[0] + (channel + i) * y->stride[1] +
                       place->depth * y->stride[2] + (place->row + row) * y->stride[3] +
                       (place->column + column) * y->stride[4];
            npc_write_run(stage + i * stride + (p - t->pixel) * j->size, j->problem->dtype, to,
                          y->stride[4], count);
            p += count;
        }
    }
}

static void run_stretch(const job *j, const work *w, const npc_band_place *place, const stretch *t,
                        int64_t channel, int rows)
{
    const npc_conv_arrays *arrays = j->problem->arrays;
    const npc_array *y = &arrays->y;
    const npc_kernels *kernels = j->problem->kernels;
    const int64_t tile = (int64_t)t->vecs * kernels->lanes;
    npc_uk2_args args = {.blocks = j->blocks,
                         .block_depth = j->depth / j->blocks,
                         .long_blocks = j->depth % j->blocks,
                         .b = t->b,
                         .offset_bytes = t->offset,
                         .b_tile_bytes = t->tile_bytes,
                         .partial = w->partial,
                         .tiles = t->tiles,
                         .last_lanes = (int)(t->count - (t->tiles * tile - kernels->lanes)),
                         .stream = t->stream};
    const char *a = (const char *)arrays->weight + channel * j->depth * j->size;
    char *to = w->stage, *c = to;
    int64_t stage = NPC_MAX_TILE * j->size, stride = stage;

    if (j->flat) {
        to = y->data + place->image * y->stride[0] + channel * y->stride[1] +
             place->depth * y->stride[2] + place->row * y->stride[3] +
             place->column * y->stride[4] + t->pixel * j->size;
        stride = y->stride[1];
    }
    if (!j->staged) {
        c = to;
        stage = stride;
    }
    if (arrays->bias) args.bias = (const char *)arrays->bias + channel * j->size;
    for (int i = 0; i < rows; i++) {
        args.a[i] = a + i * j->depth * j->size;
        args.c[i] = c + i * stage;
    }
    npc_run_uk2(kernels, rows, t->vecs, &args);
    if (j->finish.needed) {
        const npc_axis *axis = j->window.axis;
        const int64_t row = place->depth * axis[1].pixels + place->row;
        const npc_finish_part part = {.image = place->image,
                                      .channel = channel,
                                      .pixel = row * axis[2].pixels + place->column + t->pixel,
                                      .rows = rows,
                                      .count = t->count,
                                      .from = c,
                                      .to = to,
                                      .from_stride_bytes = stage,
                                      .to_stride_bytes = stride};
        npc_finish_rows(&j->finish, &part);
    }
    if (!j->flat) scatter(j, place, t, channel, rows, w->stage);
}

/* The pixels of a band that come before the first cache line of y. */
static int64_t head_pixels(const job *j, const npc_band_place *place, int64_t pixels)
{
    const npc_array *y = &j->problem->arrays->y;
    if (!j->aligned) return 0;
    const char *at = y->data + place->image * y->stride[0] + place->depth * y->stride[2] +
                     place->row * y->stride[3] + place->column * y->stride[4];
    const int64_t bytes = -(int64_t)(uintptr_t)at & (NPC_CACHE_LINE - 1);
    return npc_min(bytes / j->size, pixels);
}

/* Cuts a band's pixels into stretches: those before the first cache line of y, whose vectors are
 * not aligned, then tiles of the job's width, then tiles of one vector less. Returns how many there
 * are. */
static int cut(const job *j, const npc_band_place *place, stretch part[3])
{
    const int64_t lanes = j->problem->kernels->lanes, pixels = place->rows * place->columns;
    const int64_t head = head_pixels(j, place, pixels);
    const int64_t vectors = npc_ceil_div(pixels - head, lanes);
    const int64_t tiles = npc_ceil_div(vectors, j->vecs);
    const int64_t wide = tiles ? vectors - tiles * (vectors / tiles) : 0; /* the rest of a split */
    const int width = tiles ? (int)(vectors / tiles) : 0;
    int count = 0;
    if (head)
        part[count++] = (stretch){.count = head, .tiles = npc_ceil_div(head, lanes), .vecs = 1};
    if (wide)
        part[count++] = (stretch){.pixel = head,
                                  .count = wide * (width + 1) * lanes,
                                  .tiles = wide,
                                  .vecs = width + 1,
                                  .stream = j->stream};
    if (tiles > wide) {
        const int64_t first = head + wide * (width + 1) * lanes;
        part[count++] = (stretch){.pixel = first,
                                  .count = pixels - first,
                                  .tiles = tiles - wide,
                                  .vecs = width,
                                  .stream = j->stream};
    }
    return count;
}

/* Where UK2 reads the pixels of a stretch. */
static void set_operand(const job *j, const work *w, stretch *t)
{
    const npc_kernels *kernels = j->problem->kernels;
    const char *from = w->band + t->pixel * j->size;
    const int64_t bytes = (int64_t)t->vecs * kernels->lanes * j->size;
    t->b = from;
    t->offset = w->offset;
    t->tile_bytes = bytes;
    if (!j->collect || t->vecs == 1) return;
    t->b = w->panel;
    t->offset = w->panel_offset[t->vecs == j->vecs];
    t->tile_bytes = j->depth * bytes;
    for (int64_t i = 0; i < t->tiles; i++)
        npc_run_collect(kernels, from + i * bytes, w->offset, j->depth, t->vecs,
                        w->panel + i * t->tile_bytes);
}

/* Output channels [begin, end) of all pixels of a band. */
static void multiply(const job *j, const work *w, const npc_band_place *place, int64_t begin,
                     int64_t end)
{
    const npc_kernels *kernels = j->problem->kernels;
    const int64_t blocks = npc_ceil_div(end - begin, kernels->max_rows[j->vecs]);
    stretch part[3];
    const int parts = cut(j, place, part);

    for (int p = 0; p < parts; p++) {
        const int64_t tile = (int64_t)part[p].vecs * kernels->lanes;
        for (int64_t first = 0; first < part[p].tiles; first += j->group) {
            stretch t = part[p];
            t.pixel += first * tile;
            t.tiles = npc_min(j->group, part[p].tiles - first);
            t.count = npc_min(t.tiles * tile, part[p].pixel + part[p].count - t.pixel);
            set_operand(j, w, &t);
            for (int64_t r = 0; r < blocks; r++) {
                const int64_t channel = begin + npc_split(end - begin, blocks, r);
                const int64_t next = begin + npc_split(end - begin, blocks, r + 1);
                run_stretch(j, w, place, &t, channel, (int)(next - channel));
            }
        }
    }
}

/* The band with number `item`. */
static npc_band_place find_place(const job *j, int64_t item)
{
    const npc_band *b = &j->band;
    const npc_axis *axis = j->window.axis;
    npc_band_place place;
    const int64_t part = item % b->column_parts;
    item /= b->column_parts;
    place.column = npc_split(axis[2].pixels, b->column_parts, part);
    place.columns = npc_split(axis[2].pixels, b->column_parts, part + 1) - place.column;
    place.row = npc_split(axis[1].pixels, b->row_parts, item % b->row_parts);
    place.rows = npc_split(axis[1].pixels, b->row_parts, item % b->row_parts + 1) - place.row;
    item /= b->row_parts;
    place.depth = item % axis[0].pixels;
    place.image = item / axis[0].pixels;
    place.channel = 0;
    return place;
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t index = piece / j->unit_parts, part = piece % j->unit_parts;
    const int64_t rows = npc_group_out(g);
    char *cursor = scratch;
    work w = {0};

    w.offset = npc_scratch_take(&cursor, (size_t)j->depth * sizeof(int64_t));
    w.partial = npc_scratch_take(&cursor, NPC_MAX_ROWS * NPC_MAX_TILE * sizeof(float));
    w.stage = npc_scratch_take(&cursor, NPC_MAX_ROWS * NPC_MAX_TILE * sizeof(double));
    if (j->collect) {
        const int64_t vector = (int64_t)j->problem->kernels->lanes * j->size;
        for (int i = 0; i < 2; i++) {
            w.panel_offset[i] = npc_scratch_take(&cursor, (size_t)j->depth * sizeof(int64_t));
            for (int64_t k = 0; k < j->depth; k++)
                w.panel_offset[i][k] = k * (j->vecs - 1 + i) * vector;
        }
        w.panel = npc_scratch_take(&cursor, (size_t)(j->group * j->depth * j->vecs * vector));
    }
    w.band = cursor;
    npc_band_offsets(&j->band, w.offset);
    for (int64_t item = npc_split(j->items, j->item_parts, index);
         item < npc_split(j->items, j->item_parts, index + 1); item++) {
        npc_band_place place = find_place(j, item);
        int64_t filled = -1;
        for (int64_t unit = npc_split(j->units, j->unit_parts, part);
             unit < npc_split(j->units, j->unit_parts, part + 1); unit++) {
            const int64_t group = unit / j->row_parts, row_part = unit % j->row_parts;
            place.channel = group * npc_group_in(g);
            if (group != filled) npc_band_fill(&j->band, &place, w.band);
            filled = group;
            multiply(j, &w, &place, group * rows + npc_split(rows, j->row_parts, row_part),
                     group * rows + npc_split(rows, j->row_parts, row_part + 1));
        }
    }
    if (j->large) npc_run_fence(j->problem->kernels);
    return NPC_OK;
}

/* Cuts bands and units into pieces. */
static void plan_pieces(job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_axis *axis = j->window.axis;
    const double flops = 2.0 * (double)(j->band.rows * j->band.columns) * (double)npc_group_out(g) *
                         (double)(j->depth + 1);

    j->items = g->batch * axis[0].pixels * j->band.row_parts * j->band.column_parts;
    j->row_parts = npc_min((int64_t)(flops / MAX_UNIT_FLOPS) + 1, npc_group_out(g));
    j->units = g->groups * j->row_parts;
    const double item_flops = flops * (double)g->groups;
    j->unit_parts = npc_min(j->units, (int64_t)(item_flops / MAX_UNIT_FLOPS) + 1);
    const int64_t most = npc_max(1, (int64_t)(item_flops * (double)j->items / MIN_PIECE_FLOPS));
    j->item_parts = npc_min(j->items, most);
}

static npc_status run(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *y = &problem->arrays->y;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    job j = {.problem = problem, .size = size, .depth = npc_conv_depth(g)};

    npc_window_forward(&j.window, g, &problem->arrays->x, problem->dtype);
    /* The band holds zeros for taps in the padding; times infinite or NaN weights they would be
     * NaN where the definition skips the product. `direct`'s product mends that, and sums in the
     * same order.
     */
    const npc_axis *axis = j.window.axis;
    int inner = 1;
    for (int i = 0; i < NPC_SPATIAL; i++)
        inner &= axis[i].inner_begin == 0 && axis[i].inner_end == axis[i].pixels;
    if (!inner &&
        !npc_run_all_finite(problem->kernels, problem->arrays->weight, g->out_channels * j.depth)) {
        npc_implicit_gemm gemm = npc_forward_gemm(problem, &j.window);
        gemm.no_tails = 1;
        return npc_implicit_gemm_run(&gemm, problem->team);
    }
    const int64_t wanted =
        problem->team->threads > 1 ? problem->team->threads * PIECES_PER_THREAD : 1;
    npc_band_plan(&j.band, &j.window, problem->kernels, npc_group_in(g),
                  npc_ceil_div(wanted, g->batch * axis[0].pixels));
    j.blocks = npc_depth_blocks(j.depth);
    const int64_t pixels = j.band.rows * j.band.columns;
    const int64_t lines = j.band.column_parts > 1 || axis[1].pixels == 1;
    j.vecs = npc_choose_tile_vecs(problem->kernels, npc_group_out(g), pixels);
    j.flat = (axis[2].pixels == 1 || y->stride[4] == size) &&
             (lines || y->stride[3] == axis[2].pixels * size);
    j.finish = npc_finish_of(problem);
    j.staged = !j.flat || j.finish.add_is_y;
    const int64_t bytes = g->batch * g->out_channels * npc_volume(g->output) * size;
    const int64_t tile_bytes = (int64_t)j.vecs * problem->kernels->lanes * size;
    j.aligned = j.flat && y->stride[1] % NPC_CACHE_LINE == 0 && pixels * size >= 2048;
    j.large = bytes > NPC_STREAM_PRODUCT_BYTES;
    j.stream = j.aligned && !j.finish.needed && j.large && tile_bytes % NPC_CACHE_LINE == 0;
    const int64_t operand = j.depth * tile_bytes;
    j.group = npc_max(1, L1_BYTES / operand);
    if (j.group == 1 && npc_group_out(g) * j.depth * size > L1_BYTES)
        j.group = npc_max(1, npc_min(4, PANEL_BYTES / operand));
    if (j.staged) j.group = 1;
    j.collect = operand > COLLECT_BYTES &&
                npc_group_out(g) > (COLLECT_BLOCKS - 1) * problem->kernels->max_rows[j.vecs];
    plan_pieces(&j);
    const size_t panel =
        j.collect ? (size_t)(j.depth * (j.group * tile_bytes + 2 * 8)) + 3 * NPC_CACHE_LINE : 0;
    const size_t scratch = panel + npc_round_up((size_t)j.depth * sizeof(int64_t), NPC_CACHE_LINE) +
                           NPC_MAX_ROWS * NPC_MAX_TILE * (sizeof(float) + sizeof(double)) +
                           j.band.bytes;
    return npc_parallel_for(problem->team, j.item_parts * j.unit_parts, scratch, run_piece, &j);
}

static const char *declines(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    if (problem->operation != NPC_FORWARD) return "it computes forward convolutions only";
    if (npc_group_in(g) < 1 || npc_group_in(g) > MAX_CHANNELS)
        return "the groups have no or more than 8 input channels";
    if (npc_group_in(g) == 1 && (g->groups > 1 || npc_group_out(g) < MIN_ROWS))
        return "a single input channel has few outputs to share its band";
    if (npc_group_out(g) < MIN_ROWS && g->groups > 1)
        return "the groups have fewer than 4 output channels";
    const npc_array none = {.dtype = problem->dtype};
    npc_window window;
    npc_band band;
    npc_window_forward(&window, g, &none, problem->dtype);
    if (!npc_band_plan(&band, &window, problem->kernels, npc_group_in(g), 1) ||
        npc_conv_depth(g) > MAX_DEPTH)
        return "the kernel is too large or too spread out";
    return NULL;
}

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    LOADS,      /* vectors of pixels that UK2 loads, once for each block of rows */
    WEIGHTS,    /* that UK2 broadcasts, once for each tile */
    TILES,      /* of pixels, for each block of rows */
    LINES,      /* of the image spread, for each column tap */
    SPREAD,     /* elements of them */
    APART,      /* those that do not follow each other in the image */
    COLLECTED,  /* vectors copied to panels */
    RESULTS,    /* elements */
    FAR         /* those of results beyond the caches */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_kernels *kernels = problem->kernels;
    const int vecs = kernels->max_rows[3] ? 3 : 2; /* of a long product's tiles */
    const double size = (double)npc_dtype_size(problem->dtype), groups = (double)g->groups;
    const double depth = (double)npc_group_in(g) * npc_count(g->kernel);
    const double vectors = ceil(npc_count(g->output) / kernels->lanes);
    const double tiles = ceil(vectors / vecs), rows = (double)npc_group_out(g);
    const double blocks = ceil(rows / kernels->max_rows[vecs]);
    const double results = (double)g->out_channels * npc_count(g->output);

    feature[CALL] = 1;
    feature[MULTIPLIES] = groups * depth * rows * vectors;
    feature[LOADS] = groups * depth * vectors * blocks;
    feature[WEIGHTS] = groups * depth * rows * tiles;
    feature[TILES] = groups * tiles * blocks;
    const npc_array none = {.dtype = problem->dtype};
    npc_window window;
    int64_t lines;
    npc_window_forward(&window, g, &none, problem->dtype);
    npc_band_lines(&window, &lines);
    feature[LINES] =
        (double)g->in_channels * (double)lines * (double)g->input[0] * (double)g->input[1];
    feature[SPREAD] = feature[LINES] * (double)g->output[2];
    if (g->stride[2] > 1) feature[APART] = feature[SPREAD];
    if (depth * vecs * kernels->lanes * size > COLLECT_BYTES)
        feature[COLLECTED] = groups * depth * vectors;
    feature[RESULTS] = results;
    if (results * size > NPC_STREAM_PRODUCT_BYTES) feature[FAR] = results;
}

const npc_conv_algorithm npc_conv_few_channels = {"few_channels", declines, run,       features,
                                                  NULL,           NULL,     {4, 4, 4}, {0}};
