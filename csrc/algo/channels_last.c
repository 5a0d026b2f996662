/* channels_last: forward convolutions of arrays in which a pixel's channels follow each other.
 *
 * UK1 with the operands' parts changed: its rows are output pixels, each reading its window where
 * it lies, its panel packed weights, a lane for each output channel; so results are stored where
 * they belong. Only windows that reach over the border are copied, with zeros around them.
 */
#include "channels_last.h"

#include <string.h>

#include "../core/scratch.h"
#include "panel_product.h"

/* Work sizes; none shows in the results. */
enum {
    BLOCK_PIXELS = 96,     /* multiplied with each panel while it is in L2 */
    BLOCK_BYTES = 1 << 20, /* of a block's windows, if all are copied */
    PANEL_BYTES = 1 << 19, /* of a panel that is packed and used at once */
    SCRATCH_BYTES = 2 << 20,
    MAX_TAPS = 1024,
    MAX_DEPTH = 8192, /* of a window, so that scratch stays small */
    PIECES_PER_THREAD = 8
};
#define MIN_PIECE_FLOPS 4e5
#define MAX_PIECE_FLOPS 6e8

npc_channels_last npc_channels_last_of(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_channels_last l = {.size = (int64_t)npc_dtype_size(problem->dtype),
                           .channels = npc_group_in(g),
                           .rows = npc_group_out(g),
                           .groups = g->groups,
                           .taps = npc_volume(g->kernel)};
    l.depth = l.channels * l.taps;
    l.stretch_taps = g->groups == 1 && g->dilation[2] == 1 ? g->kernel[2] : 1;
    l.stretches = l.taps / l.stretch_taps;
    l.stretch = l.stretch_taps * l.channels;
    l.vectors = npc_ceil_div(l.rows, problem->kernels->lanes);
    const int vecs = npc_choose_tile_vecs(problem->kernels, 64 * NPC_MAX_ROWS, l.rows);
    l.panels = npc_ceil_div(l.vectors, vecs);
    return l;
}

typedef struct job {
    npc_channels_last l;
    const npc_conv_problem *problem;
    npc_window window;
    npc_finish finish;
    const char *weight,
        *bias;         /* packed, or NULL: panel by panel; padded to whole vectors, or NULL */
    const char *zeros; /* a stretch */
    int as_it_lies;    /* stretches can be read in x */
    int in_place;      /* results can be stored in y */
    int64_t pixels, block_pixels, blocks, units, unit_parts;
    size_t copy_bytes, table_bytes, panel_bytes, scratch;
} job;

/* A block of output pixels of the batch: where their windows and results lie. */
typedef struct block {
    int count;
    const char **source;        /* [stretch][pixel], of the first group */
    char *copies;               /* [pixel][depth] */
    char *target[BLOCK_PIXELS]; /* channel 0 */
    int64_t image[BLOCK_PIXELS], at[BLOCK_PIXELS][NPC_SPATIAL];
    uint8_t border[BLOCK_PIXELS]; /* whether a tap lies outside */
    char *stage, *panel, *panel_stage;
} block;

/* Taps [begin, end) of a stretch, the first of them at `from`, zeros for the others. */
static void copy_stretch(const job *j, const char *from, int64_t begin, int64_t end, char *to)
{
    const npc_array *x = &j->problem->arrays->x;
    const int64_t tap = j->l.channels * j->l.size;
    memset(to, 0, (size_t)(begin * tap));
    if (j->as_it_lies) {
        memcpy(to + begin * tap, from, (size_t)((end - begin) * tap));
    } else {
        for (int64_t t = begin; t < end; t++, from += x->stride[4])
            npc_read_run(x, from, x->stride[1], j->l.channels, j->problem->dtype, to + t * tap);
    }
    memset(to + end * tap, 0, (size_t)((j->l.stretch_taps - end) * tap));
}

/* One stretch of `count` pixels of a row, from the block's pixel `first` on; `line` is where the
 * source's row begins, NULL if there is none. */
static void find_stretch(const job *j, block *b, int first, int count, int64_t stretch,
                         const char *line)
{
    const npc_channels_last *l = &j->l;
    const npc_axis *axis = &j->window.axis[2];
    const int64_t step = j->problem->arrays->x.stride[4];
    const int64_t row_stretches = axis->taps / l->stretch_taps;
    const int64_t tap = stretch % row_stretches * l->stretch_taps;
    const char **source = b->source + stretch * BLOCK_PIXELS;

    for (int i = first; i < first + count; i++) {
        char *copy = b->copies + (i * l->depth + stretch * l->stretch) * l->size;
        const int64_t w = npc_axis_source(axis, b->at[i][2], tap);
        if (NPC_LIKELY(line && w >= 0 && w + l->stretch_taps <= axis->extent)) {
            const char *from = line + w * step;
            source[i] = j->as_it_lies ? from : copy;
            if (!j->as_it_lies) copy_stretch(j, from, 0, l->stretch_taps, copy);
            continue;
        }
        const int64_t begin = npc_max(0, npc_min(-w, l->stretch_taps));
        const int64_t end = npc_min(l->stretch_taps, axis->extent - w);
        b->border[i] = 1;
        if (line && begin < end) copy_stretch(j, line + (w + begin) * step, begin, end, copy);
        source[i] = line && begin < end ? copy : j->zeros;
    }
}

/* Sources of a group's windows. */
static void find_windows(const job *j, block *b, int64_t group)
{
    const npc_channels_last *l = &j->l;
    const npc_array *x = &j->problem->arrays->x;
    const npc_axis *axis = j->window.axis;
    const int64_t row_stretches = axis[2].taps / l->stretch_taps;

    memset(b->border, 0, sizeof b->border);
    for (int first = 0, count; first < b->count; first += count) {
        const int64_t *at = b->at[first], width = axis[2].pixels;
        const char *image =
            x->data + b->image[first] * x->stride[0] + group * l->channels * x->stride[1];
        count = (int)npc_min(b->count - first, width - at[2]);
        for (int64_t s = 0; s < l->stretches; s++) {
            const int64_t row = s / row_stretches;
            const int64_t d = npc_axis_source(&axis[0], at[0], row / axis[1].taps);
            const int64_t h = npc_axis_source(&axis[1], at[1], row % axis[1].taps);
            const int inside = npc_axis_holds(&axis[0], d) && npc_axis_holds(&axis[1], h);
            find_stretch(j, b, first, count, s,
                         inside ? image + d * x->stride[2] + h * x->stride[3] : NULL);
        }
    }
}

static void set_up_block(const job *j, block *b, int64_t index)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *y = &j->problem->arrays->y;
    const int64_t first = npc_split(j->pixels, j->blocks, index), line = first / g->output[2];
    int64_t image = line / g->output[1] / g->output[0];
    int64_t at[NPC_SPATIAL] = {line / g->output[1] % g->output[0], line % g->output[1],
                               first % g->output[2]};
    b->count = (int)(npc_split(j->pixels, j->blocks, index + 1) - first);
    for (int i = 0; i < b->count; i++) {
        memcpy(b->at[i], at, sizeof at);
        b->image[i] = image;
        b->target[i] = y->data + image * y->stride[0] + at[0] * y->stride[2] +
                       at[1] * y->stride[3] + at[2] * y->stride[4];
        if (++at[2] < g->output[2]) continue;
        at[2] = 0;
        if (++at[1] < g->output[1]) continue;
        at[1] = 0;
        if (++at[0] < g->output[0]) continue;
        at[0] = 0;
        image++;
    }
}

/* Pixels of a block times a panel's output channels. */
typedef struct tile {
    const block *b;
    int begin, rows;
    int64_t channel, count; /* the first output channel, in all groups; how many */
    char *c[NPC_MAX_ROWS];
} tile;

static void complete(const job *j, const tile *t)
{
    const block *b = t->b;
    for (int i = 0; i < t->rows; i++) {
        const int pixel = t->begin + i;
        const int64_t *at = b->at[pixel];
        const npc_channels_last_sums sums = {.image = b->image[pixel],
                                             .at = {at[0], at[1], at[2]},
                                             .channel = t->channel,
                                             .count = t->count,
                                             .c = t->c[i]};
        if (b->border[pixel]) npc_channels_last_mend(&j->l, j->problem, &j->window, &sums);
        if (!j->in_place) npc_channels_last_deliver(j->problem, &j->finish, &sums);
    }
}

static void multiply(const job *j, const tile *t, int vecs, const char *panel, const char *bias)
{
    const npc_channels_last *l = &j->l;
    const npc_kernels *kernels = j->problem->kernels;
    const int64_t width = (int64_t)vecs * kernels->lanes, blocks = npc_depth_blocks(l->stretch);
    npc_uk1_args args = {.blocks = blocks,
                         .block_depth = l->stretch / blocks,
                         .long_blocks = l->stretch % blocks,
                         .b_stride = width,
                         .last_lanes = (int32_t)(t->count - (vecs - 1) * kernels->lanes)};
    for (int i = 0; i < t->rows; i++) args.c[i] = t->c[i];
    for (int64_t call = 0; call < l->stretches; call++) {
        for (int i = 0; i < t->rows; i++)
            args.a[i] = t->b->source[call * BLOCK_PIXELS + t->begin + i];
        args.b = (char *)panel + call * l->stretch * width * l->size;
        args.accumulate = call > 0;
        args.lane_bias = call == l->stretches - 1 ? bias : NULL;
        npc_run_uk1(kernels, t->rows, vecs, &args);
    }
}

static void run_panel(const job *j, const block *b, int64_t group, int64_t panel)
{
    const npc_channels_last *l = &j->l;
    const npc_kernels *kernels = j->problem->kernels;
    const npc_array *y = &j->problem->arrays->y;
    const int64_t first = npc_channels_last_vector(l, panel);
    const int vecs = (int)(npc_channels_last_vector(l, panel + 1) - first);
    const int64_t vector = (group * l->vectors + first) * kernels->lanes * l->size;
    const int64_t tiles = npc_ceil_div(b->count, kernels->max_rows[vecs]);
    tile t = {.b = b,
              .channel = group * l->rows + first * kernels->lanes,
              .count = npc_min((int64_t)vecs * kernels->lanes, l->rows - first * kernels->lanes)};
    const char *weight = j->weight ? j->weight + vector * l->depth : b->panel;
    if (!j->weight)
        npc_channels_last_pack_panel(l, j->problem, group, panel, b->panel_stage, b->panel);
    for (int64_t index = 0; index < tiles; index++) {
        int border = 0;
        t.begin = (int)npc_split(b->count, tiles, index);
        t.rows = (int)npc_split(b->count, tiles, index + 1) - t.begin;
        for (int i = 0; i < t.rows; i++) {
            border |= b->border[t.begin + i];
            t.c[i] = j->in_place ? b->target[t.begin + i] + t.channel * y->stride[1]
                                 : b->stage + i * NPC_MAX_TILE * l->size;
        }
        multiply(j, &t, vecs, weight, j->bias ? j->bias + vector : NULL);
        if (border || !j->in_place) complete(j, &t);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t index = piece / j->unit_parts, part = piece % j->unit_parts;
    char *cursor = scratch;
    block *b = npc_scratch_take(&cursor, sizeof *b);
    int64_t found = -1;

    b->source = npc_scratch_take(&cursor, j->table_bytes);
    b->copies = npc_scratch_take(&cursor, j->copy_bytes);
    b->stage = npc_scratch_take(&cursor, (size_t)(NPC_MAX_ROWS * NPC_MAX_TILE * j->l.size));
    b->panel = npc_scratch_take(&cursor, j->panel_bytes);
    b->panel_stage = cursor;
    set_up_block(j, b, index);
    for (int64_t unit = npc_split(j->units, j->unit_parts, part);
         unit < npc_split(j->units, j->unit_parts, part + 1); unit++) {
        const int64_t group = unit / j->l.panels;
        if (group != found) find_windows(j, b, group);
        found = group;
        run_panel(j, b, group, unit % j->l.panels);
    }
    return NPC_OK;
}

static void plan_pieces(job *j, int threads)
{
    const npc_channels_last *l = &j->l;
    const int64_t pixel = l->depth * l->size + l->stretches * (int64_t)sizeof(void *);
    j->block_pixels = npc_max(1, npc_min(BLOCK_PIXELS, BLOCK_BYTES / npc_max(pixel, 1)));
    j->blocks = npc_ceil_div(j->pixels, j->block_pixels);
    j->units = l->groups * l->panels;
    const double flops = 2.0 * (double)npc_ceil_div(j->pixels, j->blocks) * (double)l->groups *
                         (double)l->rows * (double)(l->depth + 1);
    const int64_t wanted = threads > 1 ? (int64_t)threads * PIECES_PER_THREAD : 1;
    const int64_t most = npc_max(1, (int64_t)(flops / MIN_PIECE_FLOPS));
    j->unit_parts = npc_min(most, npc_ceil_div(wanted, j->blocks));
    j->unit_parts = npc_max(j->unit_parts, (int64_t)(flops / MAX_PIECE_FLOPS) + 1);
    j->unit_parts = npc_min(j->unit_parts, j->units);
    j->copy_bytes = (size_t)(npc_min(j->block_pixels, j->pixels) * l->depth * l->size);
    j->table_bytes = (size_t)l->stretches * BLOCK_PIXELS * sizeof(void *);
    j->scratch = sizeof(block) + j->table_bytes + j->copy_bytes +
                 (size_t)(NPC_MAX_ROWS * NPC_MAX_TILE * l->size) + 512;
    /* Of a few pixels only, each panel is used once: while it is in L2. */
    const size_t panel = (size_t)(l->depth * NPC_MAX_TILE * l->size);
    const size_t more = panel + npc_channels_last_stage_bytes(l);
    if (j->weight || j->blocks > 1 || panel > PANEL_BYTES || j->scratch + more > SCRATCH_BYTES)
        return;
    j->panel_bytes = panel;
    j->scratch += more;
}

static npc_status run(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    npc_status status = NPC_OK;
    char *packed = NULL;
    job j = {.l = npc_channels_last_of(problem),
             .problem = problem,
             .finish = npc_finish_of(problem),
             .weight = problem->prepared,
             .pixels = g->batch * npc_volume(g->output)};
    const npc_channels_last *l = &j.l;
    npc_window_forward(&j.window, g, x, problem->dtype);
    j.as_it_lies =
        npc_is_plain(x, problem->dtype) && (l->channels == 1 || x->stride[1] == l->size) &&
        (l->stretch_taps == 1 || g->input[2] == 1 || x->stride[4] == l->channels * l->size);
    j.in_place = !j.finish.needed && (l->rows == 1 || y->stride[1] == l->size);
    plan_pieces(&j, problem->team->threads);

    const int64_t zero_bytes = l->stretch * l->size;
    char *zeros = npc_shared_workspace(problem, zero_bytes), *bias = NULL;
    if (!zeros) return NPC_NO_MEMORY;
    j.zeros = memset(zeros, 0, (size_t)zero_bytes);
    if (problem->arrays->bias) {
        j.bias = bias = npc_channels_last_bias(l, problem);
        if (!bias) status = NPC_NO_MEMORY;
    }
    if (status == NPC_OK && !j.weight && !j.panel_bytes) {
        j.weight = packed = npc_shared_workspace(problem, npc_channels_last_bytes(l, problem));
        status = packed ? npc_channels_last_pack(l, problem, packed) : NPC_NO_MEMORY;
    }
    if (status == NPC_OK)
        status = npc_parallel_for(problem->team, j.blocks * j.unit_parts, j.scratch, run_piece, &j);
    npc_recycle_give(packed);
    npc_recycle_give(bias);
    npc_recycle_give(zeros);
    return status;
}

static const char *declines(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    if (!problem->channels_last) return "the layout has the channels before the pixels";
    if (problem->operation != NPC_FORWARD) return "it computes forward convolutions only";
    if (g->in_channels == 0 || g->out_channels == 0) return "there are no channels";
    if (g->groups > 1 && npc_group_in(g) == 1 && npc_group_out(g) == 1) return "it is depthwise";
    const double taps = npc_count(g->kernel);
    if (taps > MAX_TAPS || (double)npc_group_in(g) * taps > MAX_DEPTH)
        return "a window is too large";
    return NULL;
}

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    STORES,     /* vectors of sums stored, once for each call of UK1 */
    WINDOWS,    /* stretches found, once for each pixel */
    WEIGHTS,    /* elements packed */
    REORDERED   /* those of kernels of several taps */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_channels_last l = npc_channels_last_of(problem);
    const double pixels = npc_count(g->output), vectors = (double)(l.groups * l.vectors);
    feature[CALL] = 1;
    feature[MULTIPLIES] = pixels * vectors * (double)l.depth;
    feature[STORES] = pixels * vectors * (double)l.stretches;
    feature[WINDOWS] = pixels * (double)(l.groups * l.stretches);
    feature[WEIGHTS] = (double)(l.groups * l.rows) * (double)l.depth;
    if (l.taps > 1) feature[REORDERED] = feature[WEIGHTS];
}

const npc_conv_algorithm npc_conv_channels_last = {
    "channels_last",           declines, run, features, npc_channels_last_prepared_bytes,
    npc_channels_last_prepare, {0},      {0}};
