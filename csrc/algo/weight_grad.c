/* The weight gradient on UK3: matrix products whose depth is the pixels of the batch.
 *
 * A piece of work is a stretch of rows, of lanes and of the kernel's slices, over one part of the
 * pixels. It goes through them block by block (weight_grad_block.h), its sums stay in the thread's
 * scratch, [row][tap][lane], and are brought into the order of the weights at the end. Parts,
 * blocks and chains depend on the geometry alone; where a piece would take long, it comes back for
 * the rest of its pixels in further rounds, so that signals are answered in time.
 */
#include "weight_grad_block.h"

#include <math.h>
#include <string.h>

#include "../core/scratch.h"
#include "panel_product.h"
#include "pixel_copy.h"

enum {
    PANEL_BYTES = 320 * 1024,
    OPERAND_BYTES = 640 * 1024,
    SUM_BYTES = 640 * 1024,
    LANE_BYTES = 1024, /* of a pixel of the panel; half of it where several taps read it */
    MOST_PIXELS = 1024,
    MOST_COLUMNS = 512,
    CHAIN = 128, /* pixels that are summed in one chain, about */
    WANTED_PIECES = 16,
    PIECES_PER_THREAD = 8,
    NARROW_VECTORS = 3, /* of lanes that a piece has at least, if there are as many */
    MAX_PARTS = 16,
    PART_PIXELS = 512 /* that repay a partial sum */
};
#define PART_FLOPS 4e6  /* likewise */
#define ROUND_FLOPS 6e8 /* of a piece: some milliseconds */

/* ---- pieces ---------------------------------------------------------------------------------- */

typedef struct work {
    npc_weight_grad_block block;
    const void **row; /* where each row of the product starts */
    char *started;    /* taps that have sums */
    char *sums, *turned;
    int64_t row_sums; /* elements from the sums of a row to the next one's */
} work;

/* Elements of a row of sums. */
static int64_t row_lanes(const npc_weight_grad_job *j, const npc_weight_grad_place *place)
{
    return npc_ceil_div(place->channels, j->lanes) * j->lanes;
}

/* sums[row][tap] += rows x panel, over the runs of a tap. `sum`: what the bias gradient sums of the
 * rows, too, while they are in cache. */
static void multiply(const npc_weight_grad_job *j, const npc_weight_grad_place *place, work *w,
                     int64_t tap, int64_t runs, int sum)
{
    const npc_kernels *kernels = j->problem->kernels;
    const npc_weight_grad_block *b = &w->block;
    const int64_t rows = j->padded ? place->units * j->taps : place->units;
    const int64_t lanes = row_lanes(j, place);
    const int64_t pixels = b->planes * (j->padded ? b->lines * b->columns : b->rows * b->width);
    const int64_t vectors = npc_ceil_div(place->channels, j->lanes);
    const int64_t tiles = npc_weight_grad_tiles(j, place->channels);
    const int64_t blocks = npc_ceil_div(rows, kernels->max_rows[j->tile_vecs]);
    npc_uk3_args args = {.run = b->run,
                         .runs = runs,
                         .a_step_bytes = j->padded ? j->axis[1].stride * j->row_step : j->row_step,
                         .c_stride = w->row_sums,
                         .accumulate = w->started[tap]};

    for (int64_t t = 0; t < tiles; t++) {
        const int64_t first = npc_split(vectors, tiles, t), end = npc_split(vectors, tiles, t + 1);
        args.pixel_bytes = (end - first) * j->lanes * j->size;
        args.b_step_bytes = j->padded ? args.pixel_bytes : j->axis[1].stride * args.pixel_bytes;
        args.b = b->panel + first * j->lanes * pixels * j->size;
        for (int64_t r = 0; r < blocks; r++) {
            const int64_t row = npc_split(rows, blocks, r), next = npc_split(rows, blocks, r + 1);
            memcpy(args.a, w->row + row, (size_t)(next - row) * sizeof *w->row);
            args.c = w->sums + (row * w->row_sums + tap * lanes + first * j->lanes) * j->size;
            npc_run_uk3(kernels, (int)(next - row), (int)(end - first), &args);
            if (sum && t == 0) npc_weight_grad_sum(j, place, b, place->unit + row, next - row);
        }
    }
    w->started[tap] = 1;
}

static void run_block(const npc_weight_grad_job *j, const npc_weight_grad_place *place, work *w,
                      int64_t index)
{
    int sum = j->bias_grad && !j->padded && place->slice == 0 && place->channel == 0;
    npc_weight_grad_fill(j, place, index, &w->block);
    for (int64_t u = 0; u < place->units; u++) {
        if (!j->padded) w->row[u] = npc_weight_grad_row(j, place, &w->block, u, 0);
        for (int64_t tap = 0; tap < j->taps && j->padded; tap++)
            w->row[u * j->taps + tap] = npc_weight_grad_row(j, place, &w->block, u, tap);
    }
    for (int64_t tap = 0; tap < (j->padded ? 1 : j->taps); tap++) {
        const int64_t runs = npc_weight_grad_runs(j, place, tap, &w->block);
        if (runs > 0) multiply(j, place, w, tap, runs, sum);
        if (runs > 0) sum = 0;
    }
    if (sum) npc_weight_grad_sum(j, place, &w->block, place->unit, place->units);
}

/* Taps that met no pixel. */
static void clear_rest(const npc_weight_grad_job *j, const npc_weight_grad_place *place, work *w)
{
    const int64_t taps = j->padded ? 1 : j->taps, lanes = row_lanes(j, place);
    for (int64_t row = 0; row < (j->padded ? place->units * j->taps : place->units); row++)
        for (int64_t tap = 0; tap < taps; tap++)
            if (!w->started[tap])
                memset(w->sums + (row * w->row_sums + tap * lanes) * j->size, 0,
                       (size_t)(lanes * j->size));
}

/* to[c * to_stride + tap] = or += from[tap][c], for `count` channels. */
static void turn(const npc_weight_grad_job *j, const char *from, int64_t lanes, int64_t taps,
                 int64_t count, char *to, int64_t to_stride, int add, char *turned)
{
    const npc_kernels *kernels = j->problem->kernels;
    if (taps == 1 && to_stride == 1) {
        if (add)
            npc_run_add(kernels, to, from, count);
        else
            memcpy(to, from, (size_t)(count * j->size));
        return;
    }
    npc_transpose_args args = {.from = from,
                               .from_stride = lanes,
                               .rows = taps,
                               .cols = count,
                               .to = add ? turned : to,
                               .to_stride = add ? taps : to_stride};
    npc_run_transpose(kernels, &args);
    for (int64_t c = 0; c < count && add; c++)
        npc_run_add(kernels, to + c * to_stride * j->size, turned + c * taps * j->size, taps);
}

/* From the order of the sums to that of the weights. */
static void put_sums(const npc_weight_grad_job *j, const npc_weight_grad_place *place, work *w,
                     int add, char *dw)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t lanes = row_lanes(j, place), depth = npc_group_in(g) * g->kernel[0];
    const int64_t slices = g->kernel[0];
    const int together = j->padded && slices == 1 && !add; /* all units by one transposition */
    for (int64_t u = 0; u < (together ? 1 : place->units); u++) {
        const int64_t unit = place->unit + u;
        const int64_t k = place->group * npc_group_out(g) + (j->padded ? place->channel : unit);
        const int64_t c = j->padded ? unit : place->channel;
        turn(j, w->sums + u * j->taps * lanes * j->size, lanes,
             together ? place->units * j->taps : j->taps, place->channels,
             dw + (k * depth + c * slices + place->slice) * j->taps * j->size,
             (j->padded ? depth : slices) * j->taps, add, w->turned);
    }
}

typedef struct round_job {
    const npc_weight_grad_job *job;
    int64_t round;
} round_job;

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const round_job *r = context;
    const npc_weight_grad_job *j = r->job;
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t vectors = npc_ceil_div(j->channels, j->lanes);
    const int64_t channel_part = piece % j->channel_parts;
    const int64_t unit_part = piece / j->channel_parts % j->unit_parts;
    const int64_t rest = piece / j->channel_parts / j->unit_parts;
    const int64_t part = rest / g->kernel[0] / g->groups;
    npc_weight_grad_place place = {.slice = rest % g->kernel[0],
                                   .group = rest / g->kernel[0] % g->groups};
    place.unit = npc_split(j->units, j->unit_parts, unit_part);
    place.units = npc_split(j->units, j->unit_parts, unit_part + 1) - place.unit;
    place.channel = npc_split(vectors, j->channel_parts, channel_part) * j->lanes;
    place.channels =
        npc_min(npc_split(vectors, j->channel_parts, channel_part + 1) * j->lanes, j->channels) -
        place.channel;

    work w = {0};
    char *cursor = scratch;
    w.row = npc_scratch_take(&cursor,
                             (size_t)(j->unit_block * (j->padded ? j->taps : 1)) * sizeof *w.row);
    w.started = npc_scratch_take(&cursor, (size_t)j->taps);
    w.sums = npc_scratch_take(&cursor, j->sum_bytes);
    w.row_sums = (j->padded ? 1 : j->taps) * row_lanes(j, &place);
    char *dw = npc_weight_part(&j->sums, part);
    if (j->straight) {
        w.row_sums = j->channels;
        w.sums =
            dw + ((place.group * j->units + place.unit) * j->channels + place.channel) * j->size;
    }
    w.block.run = npc_scratch_take(&cursor, j->run_bytes);
    w.block.panel = npc_scratch_take(&cursor, j->panel_bytes);
    w.block.operand = npc_scratch_take(&cursor, j->operand_bytes);
    w.block.stage = w.turned = npc_scratch_take(&cursor, j->stage_bytes);

    memset(w.started, 0, (size_t)j->taps);
    const int64_t stretches = j->parts * j->rounds, stretch = part * j->rounds + r->round;
    for (int64_t b = npc_split(j->blocks, stretches, stretch);
         b < npc_split(j->blocks, stretches, stretch + 1); b++)
        run_block(j, &place, &w, b);
    clear_rest(j, &place, &w);
    if (!j->straight) put_sums(j, &place, &w, r->round > 0, dw);
    return NPC_OK;
}

/* ---- planning -------------------------------------------------------------------------------- */

static npc_positions positions_of(const npc_conv_geometry *g, int i)
{
    const int64_t pad = g->pad_before[i];
    npc_positions p = {.pad = pad, .taps = g->kernel[i], .step = g->stride[i], .stride = 1};
    if (p.taps > 1) {
        p.step = npc_greatest_common_divisor(g->stride[i], g->dilation[i]);
        p.stride = g->stride[i] / p.step;
        p.spacing = g->dilation[i] / p.step;
    }
    p.begin = npc_ceil_div(pad, p.step);
    p.end = g->input[i] > 0 ? (g->input[i] - 1 + pad) / p.step + 1 : p.begin;
    return p;
}

static int fits(const npc_weight_grad_job *j, int64_t lines, int64_t columns)
{
    const double panel = npc_weight_grad_panel_pixels(j, lines, columns) * (double)j->size;
    const double operand = npc_weight_grad_operand_pixels(j, lines, columns) * (double)j->size;
    return panel * (double)j->channel_block <= PANEL_BYTES &&
           operand * (double)j->unit_block <= OPERAND_BYTES;
}

/* Cuts rows and lanes into parts whose sums stay in cache. */
static void plan_parts(npc_weight_grad_job *j)
{
    const int64_t vectors = npc_ceil_div(j->channels, j->lanes);
    const int64_t most = (j->taps < 4 || j->padded ? LANE_BYTES : LANE_BYTES / 2) / j->size;
    j->channel_parts = npc_ceil_div(vectors * j->lanes, npc_max(most, j->lanes));
    j->channel_block = npc_ceil_div(vectors, j->channel_parts) * j->lanes;
    j->unit_block =
        npc_min(npc_max(1, SUM_BYTES / (j->taps * j->channel_block * j->size)), j->units);
    j->unit_parts = npc_ceil_div(j->units, j->unit_block);
    j->unit_block = npc_ceil_div(j->units, j->unit_parts);
}

/* Cuts the pixels into blocks; returns 0 if the smallest is too large. */
static int plan_blocks(npc_weight_grad_job *j)
{
    const npc_axis *axis = j->window.axis;
    const int64_t size = j->size, height = axis[1].pixels;
    if (j->taps > SUM_BYTES / (j->lanes * size)) return 0;
    j->columns = npc_min(axis[2].pixels, MOST_COLUMNS);
    while (j->columns > 1 && !fits(j, 1, j->columns)) j->columns = npc_ceil_div(j->columns, 2);
    if (!fits(j, 1, j->columns)) return 0;
    j->column_parts = npc_ceil_div(axis[2].pixels, j->columns);
    j->columns = npc_ceil_div(axis[2].pixels, j->column_parts);
    j->column_parts = npc_ceil_div(axis[2].pixels, j->columns);
    j->chain_lines = npc_max(1, CHAIN / j->columns);

    int64_t pixels = npc_min(MOST_PIXELS, PANEL_BYTES / (j->channel_block * size));
    if (!j->padded) pixels = npc_min(pixels, OPERAND_BYTES / (j->unit_block * size));
    j->lines = npc_max(1, npc_min(height, pixels / j->columns));
    while (j->lines > 1 && !fits(j, j->lines, j->columns)) j->lines--;
    if (j->lines < height && j->lines > j->chain_lines) j->lines -= j->lines % j->chain_lines;
    j->line_parts = npc_ceil_div(height, j->lines);
    j->block_planes = 1;
    if (j->line_parts == 1 && j->column_parts == 1) {
        const double panel = npc_weight_grad_panel_pixels(j, j->lines, j->columns);
        const double operand = npc_weight_grad_operand_pixels(j, j->lines, j->columns);
        const double most = PANEL_BYTES / (panel * (double)(j->channel_block * size) + 1);
        const double fit = OPERAND_BYTES / (operand * (double)(j->unit_block * size) + 1);
        const double wanted = (double)pixels / (double)(j->lines * j->columns);
        const double planes = most < fit ? most : fit;
        j->block_planes = npc_max(1, (int64_t)(planes < wanted ? planes : wanted));
        j->block_planes = npc_min(j->block_planes, npc_ceil_div(j->planes, j->parts));
    }
    j->blocks = npc_ceil_div(j->planes, j->block_planes) * j->line_parts * j->column_parts;
    return 1;
}

/* Which operand is transposed: the one that leaves fewer lanes unused. */
static void choose_sides(npc_weight_grad_job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t in = npc_group_in(g), out = npc_group_out(g), lanes = j->lanes;
    const double in_use = (double)in / (double)(npc_ceil_div(in, lanes) * lanes);
    const double out_use = (double)out / (double)(npc_ceil_div(out, lanes) * lanes);
    j->padded = in < lanes && out_use > 1.2 * in_use;
    j->pointwise = npc_volume(g->kernel) == 1;
    for (int i = 0; i < NPC_SPATIAL; i++)
        j->pointwise &= g->stride[i] == 1 && g->pad_before[i] == 0 && g->output[i] == g->input[i];
    /* Pixels are transposed for each image, sums once. */
    if (j->pointwise && out_use >= in_use &&
        (double)(in - out) * npc_count(g->output) > 2 * (double)in * (double)out)
        j->padded = 1;
    j->units = j->padded ? in : out;
    j->channels = j->padded ? out : in;
}

static int plan(npc_weight_grad_job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    j->size = (int64_t)npc_dtype_size(j->problem->dtype);
    j->lanes = j->problem->kernels->lanes;
    j->taps = g->kernel[1] * g->kernel[2];
    j->planes = g->batch * g->output[0];
    for (int i = 0; i < 2; i++) j->axis[i] = positions_of(g, i + 1);
    choose_sides(j);
    plan_parts(j);
    const double flops = npc_conv_flops(g);
    const int64_t pieces = g->groups * g->kernel[0] * j->unit_parts * j->channel_parts;
    const int64_t wanted = npc_min(npc_ceil_div(WANTED_PIECES, pieces), MAX_PARTS);
    const int64_t repaid = g->batch * npc_volume(g->output) / PART_PIXELS;
    j->parts = npc_max(1, npc_min(npc_min(wanted, repaid), (int64_t)(flops / PART_FLOPS)));
    if (!plan_blocks(j)) return 0;
    j->parts = npc_weight_parts_most(j->problem, npc_min(j->parts, j->blocks));
    const double each = flops / (double)(pieces * j->parts);
    j->rounds = npc_min((int64_t)(each / ROUND_FLOPS) + 1, npc_ceil_div(j->blocks, j->parts));
    return 1;
}

/* More parts where there are more threads: of rows, but each of those fills the panel for itself,
 * so of lanes where that takes long, its pixels being picked one by one. */
static void plan_threads(npc_weight_grad_job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t vectors = npc_ceil_div(j->channels, j->lanes);
    const int64_t threads = j->problem->team->threads;
    const int64_t pieces = g->groups * g->kernel[0] * j->parts * j->channel_parts;

    if (threads > 1 && pieces * j->unit_parts < threads * PIECES_PER_THREAD) {
        const int64_t wanted = npc_ceil_div(threads * PIECES_PER_THREAD, pieces);
        const int picked = !j->padded && j->axis[1].step > 1;
        const int64_t most = picked ? vectors / NARROW_VECTORS / j->channel_parts : 1;
        const int64_t finer = npc_max(1, npc_min(most, npc_ceil_div(wanted, j->unit_parts)));
        const int64_t rows = npc_min(npc_ceil_div(wanted, finer), j->units / NPC_MAX_ROWS);
        j->channel_parts *= finer;
        j->unit_parts = npc_max(j->unit_parts, rows);
    }
    j->channel_block = npc_ceil_div(vectors, j->channel_parts) * j->lanes;
    j->unit_block = npc_ceil_div(j->units, j->unit_parts);
}

/* What does not show in the bits. */
static void plan_memory(npc_weight_grad_job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_conv_arrays *arrays = j->problem->arrays;
    const npc_array *rows = j->padded ? &arrays->x : &arrays->y;

    plan_threads(j);
    const int follow = g->output[2] == 1 || rows->stride[4] == j->size;
    j->in_place = (!j->padded || j->pointwise) && npc_is_plain(rows, j->problem->dtype) &&
                  (follow || (npc_channels_follow(rows, j->problem->dtype, j->units) &&
                              rows->stride[4] != 0));
    j->row_step = follow || !j->in_place ? j->size : rows->stride[4];
    j->tile_vecs = npc_choose_tile_vecs(
        j->problem->kernels, j->unit_block * (j->padded ? j->taps : 1), j->channel_block);
    const int64_t pixels =
        j->block_planes * (int64_t)npc_weight_grad_panel_pixels(j, j->lines, j->columns);
    const int64_t row =
        npc_max((int64_t)npc_weight_grad_panel_pixels(j, 1, j->columns), j->columns);
    j->panel_bytes = (size_t)(pixels * j->channel_block * j->size);
    j->straight =
        !j->padded && j->taps * g->kernel[0] == 1 && j->rounds == 1 && j->channels % j->lanes == 0;
    j->sum_bytes = 0;
    if (!j->straight) j->sum_bytes = (size_t)(j->unit_block * j->taps * j->channel_block * j->size);
    j->run_bytes = (size_t)(j->block_planes * j->lines) * sizeof(npc_uk3_run);
    j->operand_bytes = 0;
    if (!j->in_place)
        j->operand_bytes =
            (size_t)(j->block_planes *
                     (int64_t)npc_weight_grad_operand_pixels(j, j->lines, j->columns) *
                     j->unit_block * j->size);
    j->stage_bytes = (size_t)(npc_max(j->lanes * row, j->taps * j->channel_block) * j->size);
}

npc_status npc_weight_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_weight_grad_job j = {.problem = problem};

    if (g->out_channels * npc_conv_depth(g) == 0) return NPC_OK;
    npc_window_forward(&j.window, g, &problem->arrays->x, problem->dtype);
    if (g->batch * j.window.pixels == 0 || !plan(&j)) return npc_weight_grad_dot(problem, 1);
    plan_memory(&j);
    const int64_t pieces = g->groups * g->kernel[0] * j.unit_parts * j.channel_parts * j.parts;
    const size_t scratch =
        j.panel_bytes + j.operand_bytes + j.stage_bytes + j.run_bytes + j.sum_bytes +
        (size_t)(j.taps + j.unit_block * (j.padded ? j.taps : 1) * 8) + 7 * NPC_CACHE_LINE;
    if (j.column_parts == 1) j.bias_grad = npc_bias_grad_take(problem);
    npc_status status = npc_weight_parts_start(&j.sums, problem, j.parts);
    for (int64_t round = 0; round < j.rounds && status == NPC_OK; round++) {
        round_job r = {&j, round};
        status = npc_parallel_for(problem->team, pieces, scratch, run_piece, &r);
    }
    status = npc_weight_parts_finish(&j.sums, status);
    return status == NPC_OK && j.padded ? npc_weight_grad_mend(problem, &j.window) : status;
}

/* ---- the prediction -------------------------------------------------------------------------- */

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    LOADS,      /* vectors of the panel that UK3 loads */
    SUMS,       /* vectors of sums that are added to, once for each chain */
    TURNED,     /* vectors of the panel that are transposed */
    COPIED,     /* elements of padded rows */
    KERNELS,    /* calls of UK3 */
    RUNS,       /* that they go through */
    RESULTS,    /* elements */
    UNFIT       /* multiply-adds, where dot products are taken instead */
};
_Static_assert(NPC_WEIGHT_GRAD_ONCE == (1u << CALL | 1u << RESULTS), "what a call counts once");

void npc_weight_grad_features(const npc_conv_problem *problem, double *feature)
{
    static const npc_array none = {0};
    npc_conv_geometry g = *problem->geometry;
    npc_conv_problem one = *problem;
    npc_weight_grad_job j = {.problem = &one};
    g.batch = 1;
    one.geometry = &g;
    npc_window_forward(&j.window, &g, &none, problem->dtype);
    feature[CALL] = 1;
    if (g.out_channels * npc_conv_depth(&g) == 0) return;
    if (!plan(&j)) {
        feature[UNFIT] = 0.5 * npc_conv_flops(&g) / problem->kernels->lanes;
        return;
    }
    const int64_t unit_rows = j.padded ? j.taps : 1;
    const int vecs =
        npc_choose_tile_vecs(problem->kernels, j.unit_block * unit_rows, j.channel_block);
    const double most_rows = problem->kernels->max_rows[vecs];
    const double groups = (double)g.groups * (double)g.kernel[0];
    const double pixels = npc_count(g.output), lines = (double)g.output[0] * (double)g.output[1];
    const double vectors = ceil((double)j.channels / (double)j.lanes);
    const double rows = (double)(j.units * unit_rows), taps = j.padded ? 1 : (double)j.taps;
    const double row_blocks =
        (double)j.unit_parts * ceil((double)(j.unit_block * unit_rows) / most_rows);
    const double tiles = ceil(vectors / vecs), calls = groups * taps * tiles * row_blocks;
    /* Small images share a chain and a block, whose first sums count among the results. */
    const double chains = lines / (double)j.chain_lines * (double)j.column_parts;
    const double blocks = j.blocks > 1 ? (double)j.blocks : fmin(1, pixels / MOST_PIXELS);
    const double planes = (double)g.output[0] * (double)(j.line_parts * j.column_parts);

    feature[MULTIPLIES] = groups * taps * rows * vectors * pixels;
    feature[LOADS] = groups * taps * vectors * pixels * row_blocks;
    feature[SUMS] = groups * taps * rows * vectors * chains;
    feature[TURNED] = groups * vectors * planes * (double)j.unit_parts *
                      npc_weight_grad_panel_pixels(&j, j.lines, j.columns);
    if (j.padded && !j.pointwise)
        feature[COPIED] = groups * (double)j.units * planes * (double)j.channel_parts *
                          npc_weight_grad_operand_pixels(&j, j.lines, j.columns);
    feature[KERNELS] = calls * blocks;
    feature[RUNS] = calls * (j.taps == 1 && !j.padded ? chains : lines * (double)j.column_parts);
    feature[RESULTS] = (double)g.out_channels * (double)npc_conv_depth(&g);
}
