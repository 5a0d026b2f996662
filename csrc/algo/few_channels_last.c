/* few_channels_last: forward convolutions of arrays in which a pixel's channels follow each other
 * and are few.
 *
 * The rows of a window are then too short for products of their own. A band of rows is copied with
 * zeros around it, so that every pixel of a line finds its window a step behind that of the pixel
 * before: micro-kernel UK4 needs one table of offsets for all of them, and no window is gathered.
 */
#include <stdint.h>
#include <string.h>

#include "../core/scratch.h"
#include "../plan/simple_plan.h"
#include "channels_last.h"
#include "panel_product.h"

/* Work sizes; none shows in the results. */
enum {
    BAND_BYTES = 256 * 1024,     /* it stays in L2 */
    BAND_LIMIT = 2 * BAND_BYTES, /* where a single row takes more */
    MIN_COLUMNS = 32,            /* of a band that is a part of a row */
    MIN_ROWS = 4,                /* lower bands copy too many rows twice */
    MAX_DEPTH = 8192,
    STAGED_TILES = 4,
    PIECES_PER_THREAD = 8
};
#define MIN_PIECE_FLOPS 4e5
#define MAX_UNIT_FLOPS 4e8

/* A part of the source: what `rows` x `columns` output pixels need. */
typedef struct band {
    int64_t rows, columns; /* the most */
    int64_t row_parts, column_parts;
    int64_t lines, line_pixels; /* of the source, of each slice */
    int64_t line_bytes, slice_bytes;
    size_t bytes;
} band;

typedef struct job {
    npc_channels_last l;
    const npc_conv_problem *problem;
    npc_window window;
    npc_finish finish;
    band band;
    const char *weight, *bias; /* packed; padded to whole vectors, or NULL */
    int64_t blocks;            /* of the depth */
    int64_t items, item_parts; /* bands of all images */
    int64_t units, unit_parts; /* panels of all groups */
    int in_place, stream;
    int mends; /* a NaN under the border may be one that the definition has not */
} job;

/* A thread's working memory. */
typedef struct work {
    int64_t *offset; /* of each step of the depth, from a pixel's first tap */
    char *partial, *stage, *band;
} work;

typedef struct place {
    int64_t image, depth, row, rows, column, columns;
} place;

static int plan_band(band *b, const npc_window *window, const npc_channels_last *l, int64_t parts)
{
    const npc_axis *h = &window->axis[1], *w = &window->axis[2];
    const int64_t unit = l->channels * l->size * window->axis[0].taps;
    if (h->spacing > BAND_LIMIT || w->spacing > BAND_LIMIT) return 0;
    const int64_t height = (h->taps - 1) * h->spacing + 1, width = (w->taps - 1) * w->spacing + 1;
    const int64_t most = BAND_LIMIT / unit / height; /* pixels of a line */
    if (most < width) return 0;
    b->columns = npc_min(w->pixels, (most - width) / w->step + 1);
    if (b->columns < npc_min(w->pixels, MIN_COLUMNS)) return 0;
    b->column_parts = npc_ceil_div(w->pixels, b->columns);
    b->columns = npc_ceil_div(w->pixels, b->column_parts);
    b->line_pixels = (b->columns - 1) * w->step + width;
    const int64_t lines = BAND_BYTES / (b->line_pixels * unit);
    int64_t rows = lines > height ? (lines - height) / h->step + 1 : 1;
    if (b->column_parts > 1) rows = 1;
    b->row_parts = npc_max(npc_ceil_div(h->pixels, rows), npc_min(parts, h->pixels / MIN_ROWS));
    b->rows = npc_ceil_div(h->pixels, b->row_parts);
    b->lines = (b->rows - 1) * h->step + height;
    b->line_bytes = b->line_pixels * l->channels * l->size;
    b->slice_bytes = b->line_bytes * b->lines;
    b->bytes = (size_t)(b->slice_bytes * window->axis[0].taps);
    return 1;
}

static void find_offsets(const job *j, int64_t *offset)
{
    const npc_axis *axis = j->window.axis;
    for (int64_t a = 0; a < axis[0].taps; a++)
        for (int64_t b = 0; b < axis[1].taps; b++)
            for (int64_t s = 0; s < axis[2].taps; s++)
                for (int64_t c = 0; c < j->l.channels; c++)
                    *offset++ = a * j->band.slice_bytes + b * axis[1].spacing * j->band.line_bytes +
                                (s * axis[2].spacing * j->l.channels + c) * j->l.size;
}

static place find_place(const job *j, int64_t item)
{
    const npc_axis *axis = j->window.axis;
    const band *b = &j->band;
    place p;
    const int64_t part = item % b->column_parts, row_part = item / b->column_parts % b->row_parts;
    p.column = npc_split(axis[2].pixels, b->column_parts, part);
    p.columns = npc_split(axis[2].pixels, b->column_parts, part + 1) - p.column;
    p.row = npc_split(axis[1].pixels, b->row_parts, row_part);
    p.rows = npc_split(axis[1].pixels, b->row_parts, row_part + 1) - p.row;
    item /= b->column_parts * b->row_parts;
    p.depth = item % axis[0].pixels;
    p.image = item / axis[0].pixels;
    return p;
}

/* `count` pixels, with the channels of a group. */
static void copy_pixels(const job *j, const char *from, int64_t count, char *to)
{
    const npc_array *x = &j->problem->arrays->x;
    const int64_t channels = j->l.channels;
    if (x->stride[4] == channels * x->stride[1]) {
        npc_read_run(x, from, x->stride[1], count * channels, j->problem->dtype, to);
        return;
    }
    for (int64_t i = 0; i < count; i++, from += x->stride[4], to += channels * j->l.size)
        npc_read_run(x, from, x->stride[1], channels, j->problem->dtype, to);
}

static void fill(const job *j, const place *p, int64_t group, char *memory)
{
    const npc_array *x = &j->problem->arrays->x;
    const npc_axis *axis = j->window.axis;
    const int64_t pixel = j->l.channels * j->l.size;
    const int64_t top = npc_axis_source(&axis[1], p->row, 0);
    const int64_t left = npc_axis_source(&axis[2], p->column, 0);
    const int64_t begin = npc_min(npc_max(-left, 0), j->band.line_pixels);
    const int64_t end = npc_max(begin, npc_min(axis[2].extent - left, j->band.line_pixels));
    const char *image = x->data + p->image * x->stride[0] + group * j->l.channels * x->stride[1];

    for (int64_t a = 0; a < axis[0].taps; a++) {
        const int64_t d = npc_axis_source(&axis[0], p->depth, a);
        char *to = memory + a * j->band.slice_bytes;
        for (int64_t i = 0; i < j->band.lines; i++, to += j->band.line_bytes) {
            if (!npc_axis_holds(&axis[0], d) || !npc_axis_holds(&axis[1], top + i)) {
                memset(to, 0, (size_t)j->band.line_bytes);
                continue;
            }
            memset(to, 0, (size_t)(begin * pixel));
            if (begin < end)
                copy_pixels(j,
                            image + d * x->stride[2] + (top + i) * x->stride[3] +
                                (left + begin) * x->stride[4],
                            end - begin, to + begin * pixel);
            memset(to + end * pixel, 0, (size_t)((j->band.line_pixels - end) * pixel));
        }
    }
}

/* Mends, and delivers from the stage, `count` pixels of a line. */
static void complete(const job *j, const npc_channels_last_sums *first, int64_t count, int64_t step)
{
    const npc_axis *axis = j->window.axis;
    npc_channels_last_sums sums = *first;
    int inside = 1;
    for (int i = 0; i < 2; i++)
        inside &= sums.at[i] >= axis[i].inner_begin && sums.at[i] < axis[i].inner_end;
    for (int64_t i = 0; i < count; i++, sums.at[2]++, sums.c += step) {
        if (j->mends &&
            !(inside && sums.at[2] >= axis[2].inner_begin && sums.at[2] < axis[2].inner_end))
            npc_channels_last_mend(&j->l, j->problem, &j->window, &sums);
        if (!j->in_place) npc_channels_last_deliver(j->problem, &j->finish, &sums);
    }
}

/* Tiles of `rows` pixels: `args` describes the first of them. */
static void run_tiles(const job *j, const work *w, npc_uk4_args *args, int rows, int vecs,
                      int64_t tiles, npc_channels_last_sums *sums)
{
    const npc_kernels *kernels = j->problem->kernels;
    if (!j->in_place) {
        args->c = w->stage;
        args->c_step_bytes = (int64_t)vecs * kernels->lanes * j->l.size;
    }
    for (int64_t begin = 0; begin < tiles; begin += args->tiles) {
        args->tiles = j->in_place ? tiles : npc_min(STAGED_TILES, tiles - begin);
        const int64_t pixels = args->tiles * rows;
        sums->c = args->c;
        npc_run_uk4(kernels, rows, vecs, args);
        if (j->mends || !j->in_place) complete(j, sums, pixels, args->c_step_bytes);
        args->a = (const char *)args->a + pixels * args->a_step_bytes;
        if (j->in_place) args->c = (char *)args->c + pixels * args->c_step_bytes;
        sums->at[2] += pixels;
    }
}

/* A panel's output channels of a line of pixels. */
static void run_line(const job *j, const work *w, const place *p, int64_t row, int64_t unit)
{
    const npc_channels_last *l = &j->l;
    const npc_kernels *kernels = j->problem->kernels;
    const npc_axis *axis = j->window.axis;
    const npc_array *y = &j->problem->arrays->y;
    const int64_t group = unit / l->panels, panel = unit % l->panels;
    const int64_t first = npc_channels_last_vector(l, panel);
    const int vecs = (int)(npc_channels_last_vector(l, panel + 1) - first);
    const int64_t vector = (group * l->vectors + first) * kernels->lanes * l->size;
    const int64_t channel = first * kernels->lanes;
    npc_channels_last_sums sums = {.image = p->image,
                                   .at = {p->depth, p->row + row, p->column},
                                   .channel = group * l->rows + channel,
                                   .count =
                                       npc_min((int64_t)vecs * kernels->lanes, l->rows - channel)};
    npc_uk4_args args = {.blocks = j->blocks,
                         .block_depth = l->depth / j->blocks,
                         .long_blocks = l->depth % j->blocks,
                         .a = w->band + row * axis[1].step * j->band.line_bytes,
                         .offset_bytes = w->offset,
                         .a_step_bytes = axis[2].step * l->channels * l->size,
                         .b = j->weight + vector * l->depth,
                         .partial = w->partial,
                         .c = y->data + sums.image * y->stride[0] + sums.channel * y->stride[1] +
                              sums.at[0] * y->stride[2] + sums.at[1] * y->stride[3] +
                              sums.at[2] * y->stride[4],
                         .c_step_bytes = y->stride[4],
                         .lane_bias = j->bias ? j->bias + vector : NULL,
                         .last_lanes = (int32_t)(sums.count - (vecs - 1) * kernels->lanes),
                         .stream = j->stream};
    const int64_t tiles = npc_ceil_div(p->columns, kernels->max_rows[vecs]);
    const int64_t rows = p->columns / tiles, high = p->columns - rows * tiles;
    if (high) run_tiles(j, w, &args, (int)rows + 1, vecs, high, &sums);
    run_tiles(j, w, &args, (int)rows, vecs, tiles - high, &sums);
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t index = piece / j->unit_parts, part = piece % j->unit_parts;
    const int64_t begin = npc_split(j->units, j->unit_parts, part);
    const int64_t end = npc_split(j->units, j->unit_parts, part + 1);
    char *cursor = scratch;
    work w;
    w.offset = npc_scratch_take(&cursor, (size_t)j->l.depth * sizeof(int64_t));
    w.partial = npc_scratch_take(&cursor, NPC_MAX_ROWS * NPC_MAX_TILE * sizeof(float));
    w.stage =
        npc_scratch_take(&cursor, (size_t)(STAGED_TILES * NPC_MAX_ROWS * NPC_MAX_TILE * j->l.size));
    w.band = cursor;
    find_offsets(j, w.offset);
    for (int64_t item = npc_split(j->items, j->item_parts, index);
         item < npc_split(j->items, j->item_parts, index + 1); item++) {
        const place p = find_place(j, item);
        for (int64_t unit = begin, next; unit < end; unit = next) {
            const int64_t group = unit / j->l.panels;
            next = npc_min(end, (group + 1) * j->l.panels);
            fill(j, &p, group, w.band);
            for (int64_t row = 0; row < p.rows; row++)
                for (int64_t u = unit; u < next; u++) run_line(j, &w, &p, row, u);
        }
    }
    if (j->stream) npc_run_fence(j->problem->kernels);
    return NPC_OK;
}

static void plan_pieces(job *j)
{
    const npc_channels_last *l = &j->l;
    const double flops = 2.0 * (double)(j->band.rows * j->band.columns) *
                         (double)(l->groups * l->rows) * (double)(l->depth + 1);
    j->items = j->problem->geometry->batch * j->window.axis[0].pixels * j->band.row_parts *
               j->band.column_parts;
    j->units = l->groups * l->panels;
    j->unit_parts = npc_min(j->units, (int64_t)(flops / MAX_UNIT_FLOPS) + 1);
    const int64_t most = npc_max(1, (int64_t)(flops * (double)j->items / MIN_PIECE_FLOPS));
    j->item_parts = npc_min(j->items, most);
}

/* Whether all vectors of results are aligned, and so many that they go past the caches. */
static int can_stream(const job *j)
{
    const npc_array *y = &j->problem->arrays->y;
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t vector = j->problem->kernels->lanes * j->l.size;
    int64_t odd = (int64_t)(uintptr_t)y->data % vector;
    for (int i = 0; i < 2 + NPC_SPATIAL; i++)
        if (i != 1) odd |= y->stride[i] % vector;
    if (j->l.groups > 1) odd |= j->l.rows * j->l.size % vector;
    return j->in_place && odd == 0 &&
           g->batch * g->out_channels * npc_volume(g->output) * j->l.size >
               NPC_STREAM_PRODUCT_BYTES;
}

static npc_status run(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *y = &problem->arrays->y;
    npc_status status = NPC_OK;
    char *packed = NULL, *bias = NULL;
    job j = {.l = npc_channels_last_of(problem),
             .problem = problem,
             .finish = npc_finish_of(problem),
             .weight = problem->prepared};
    const npc_channels_last *l = &j.l;
    const int64_t wanted =
        problem->team->threads > 1 ? problem->team->threads * PIECES_PER_THREAD : 1;

    npc_window_forward(&j.window, g, &problem->arrays->x, problem->dtype);
    plan_band(&j.band, &j.window, l, npc_ceil_div(wanted, g->batch * g->output[0]));
    j.blocks = npc_depth_blocks(l->depth);
    j.in_place = !j.finish.needed && (l->rows == 1 || y->stride[1] == l->size);
    j.stream = can_stream(&j);
    for (int i = 0; i < NPC_SPATIAL; i++)
        j.mends |= j.window.axis[i].inner_begin > 0 || j.window.axis[i].inner_end < g->output[i];
    if (j.mends) /* looked at at once: results that went past the caches are slow to read */
        j.mends = !npc_run_all_finite(problem->kernels, problem->arrays->weight,
                                      g->out_channels * l->depth);
    plan_pieces(&j);
    if (!j.weight) {
        j.weight = packed = npc_shared_workspace(problem, npc_channels_last_bytes(l, problem));
        status = packed ? npc_channels_last_pack(l, problem, packed) : NPC_NO_MEMORY;
    }
    if (status == NPC_OK && problem->arrays->bias) {
        j.bias = bias = npc_channels_last_bias(l, problem);
        if (!bias) status = NPC_NO_MEMORY;
    }
    if (status == NPC_OK) {
        const size_t scratch =
            (size_t)l->depth * sizeof(int64_t) + NPC_MAX_ROWS * NPC_MAX_TILE * sizeof(float) +
            (size_t)(STAGED_TILES * NPC_MAX_ROWS * NPC_MAX_TILE * l->size) + j.band.bytes + 256;
        status =
            npc_parallel_for(problem->team, j.item_parts * j.unit_parts, scratch, run_piece, &j);
    }
    npc_recycle_give(packed);
    npc_recycle_give(bias);
    return status;
}

static const char *declines(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    if (!problem->channels_last) return "the layout has the channels before the pixels";
    if (problem->operation != NPC_FORWARD) return "it computes forward convolutions only";
    if (g->in_channels == 0 || g->out_channels == 0) return "there are no channels";
    if (g->groups > 1 && npc_group_in(g) == 1 && npc_group_out(g) == 1) return "it is depthwise";
    if ((double)npc_group_in(g) * npc_count(g->kernel) > MAX_DEPTH) return "a window is too large";
    const npc_channels_last l = npc_channels_last_of(problem);
    const npc_array none = {.dtype = problem->dtype};
    npc_window window;
    band b;
    npc_window_forward(&window, g, &none, problem->dtype);
    return plan_band(&b, &window, &l, 1) ? NULL : "the kernel is too large or too spread out";
}

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    LOADS,      /* vectors of weights that UK4 loads, once for each tile */
    TILES,      /* of pixels, for each panel */
    RESULTS,    /* vectors */
    FAR,        /* those of results beyond the caches */
    FILLED,     /* elements of bands */
    WEIGHTS     /* elements packed */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_channels_last l = npc_channels_last_of(problem);
    const int vecs = (int)npc_ceil_div(l.vectors, l.panels);
    const double pixels = npc_count(g->output), vectors = (double)(l.groups * l.vectors);
    const double tiles = (double)g->output[0] * (double)g->output[1] *
                         (double)npc_ceil_div(g->output[2], problem->kernels->max_rows[vecs]);
    const npc_array none = {.dtype = problem->dtype};
    npc_window window;
    band b;
    feature[CALL] = 1;
    feature[MULTIPLIES] = pixels * vectors * (double)l.depth;
    feature[LOADS] = tiles * vectors * (double)l.depth;
    feature[TILES] = tiles * (double)(l.groups * l.panels);
    feature[RESULTS] = pixels * vectors;
    if (pixels * (double)(g->out_channels * l.size) > NPC_STREAM_PRODUCT_BYTES)
        feature[FAR] = feature[RESULTS];
    npc_window_forward(&window, g, &none, problem->dtype);
    if (plan_band(&b, &window, &l, 1))
        feature[FILLED] = (double)b.bytes / (double)l.size *
                          (double)(b.row_parts * b.column_parts * g->output[0] * l.groups);
    feature[WEIGHTS] = (double)(l.groups * l.rows) * (double)l.depth;
}

const npc_conv_algorithm npc_conv_few_channels_last = {
    "few_channels_last",       declines, run, features, npc_channels_last_prepared_bytes,
    npc_channels_last_prepare, {0},      {0}};
