#include "implicit_gemm.h"

#include "../core/scratch.h"
#include "element.h"
#include "pointwise.h"

/* Work sizes. A piece should last long enough to hide its set-up and short enough that the threads
 * end together and Ctrl-C is answered; neither shows in the results. */
enum {
    MAX_TILES = 4,            /* of a piece: each use of a weight row in L1 serves so many */
    MAX_STAGED_ROWS = 256,    /* of a staging tile */
    PANEL_BYTES = 512 * 1024, /* of a piece's panels: they stay in L2 while the weights pass */
    NEAR_WEIGHT_BYTES = 1024 * 1024, /* of a group, that stay in L2 from piece to piece */
    PIECES_PER_THREAD = 8
};
#define MIN_PIECE_FLOPS 4e5
#define MAX_UNIT_FLOPS 8e8

typedef struct job {
    const npc_implicit_gemm *gemm;
    int64_t depth, blocks, panel_blocks; /* of the depth: all, and as many as fit into a panel */
    int64_t size;
    int64_t vectors, tiles;               /* of the whole batch */
    int64_t lead;                         /* pixels that the first vector lacks: see find_lead */
    int64_t tile_groups;                  /* a piece has the tiles of one group */
    int64_t row_parts, units, unit_parts; /* a unit is a part of a group's rows */
    int flat_target;                      /* an image's pixels follow each other in the target */
    int staged;                           /* tiles may not be in place: see is_in_place */
    int tail;                             /* pixels of an image that are dot products: see tail.h */
    int64_t image_tiles; /* of the other pixels of each image; 0: tiles run through the batch */
    size_t table_bytes, panel_bytes, stage_bytes, tail_panel_bytes, tail_stage_bytes;
} job;

/* A panel holds zeros for taps in the padding, and zero times an infinite or NaN weight is NaN
 * where the definition skips the product. Such NaNs stand in border lanes only; they are computed
 * again. */
static void mend_border(const job *j, const npc_tile *tile, int64_t group, int64_t row_begin,
                        int64_t rows, char *c, int64_t c_stride_bytes)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const npc_dtype dtype = gemm->window->dtype;
    if (NPC_LIKELY(!npc_run_has_nan(gemm->kernels, c, c_stride_bytes / j->size, rows, tile->count)))
        return;
    for (int r = 0; r < tile->runs; r++) {
        const npc_run *run = &tile->run[r];
        for (int64_t lane = run->lane; lane < run->lane + run->count; lane++) {
            if (!(tile->border >> lane & 1)) continue;
            const int64_t column = run->pixel[2] + lane - run->lane;
            for (int64_t i = 0; i < rows; i++) {
                char *at = c + i * c_stride_bytes + lane * j->size;
                const double now = npc_load(at, dtype, 0);
                if (now == now) continue;
                const int64_t row = group * gemm->rows + row_begin + i;
                const int64_t taps = gemm->window->taps;
                const npc_element element = {
                    .image = run->image,
                    .channel = group * gemm->channels,
                    .channels = gemm->channels,
                    .pixel = {run->pixel[0], run->pixel[1], column},
                    .weight = gemm->weight + row * gemm->channels * taps * j->size,
                    .channel_stride_bytes = taps * j->size,
                    .tap_stride_bytes = j->size,
                    .bias = gemm->bias ? gemm->bias + row * j->size : NULL,
                };
                npc_store(at, dtype, npc_element_value(gemm->window, &element));
            }
        }
    }
}

/* From a staged tile to a target whose pixels do not follow each other. */
static void scatter(const job *j, const npc_tile *tile, int64_t channel, int64_t rows,
                    const char *stage, int64_t stage_stride_bytes)
{
    const npc_array *t = &j->gemm->target;
    for (int64_t i = 0; i < rows; i++) {
        for (int r = 0; r < tile->runs; r++) {
            const npc_run *run = &tile->run[r];
            char *to = npc_run_address(t, run, channel + i);
            npc_write_run(stage + i * stage_stride_bytes + run->lane * j->size,
                          j->gemm->window->dtype, to, t->stride[4], run->count);
        }
    }
}

/* Whether a tile's pixels are all of one image. */
static int is_of_one_image(const npc_tile *tile)
{
    return tile->run[0].image == tile->run[tile->runs - 1].image;
}

/* What follows the sums of a tile's pixels from run r on that are of one image: from where the
 * product stores them to where they belong, if they follow each other there. */
static npc_finish_part find_part(const job *j, const npc_tile *tile, int r, int64_t channel,
                                 int64_t rows, const npc_panel_tile *panel)
{
    const npc_axis *axis = j->gemm->window->axis;
    const npc_array *target = &j->gemm->target;
    const npc_run *run = &tile->run[r];
    npc_finish_part part = {
        .image = run->image,
        .channel = channel,
        .pixel = (run->pixel[0] * axis[1].pixels + run->pixel[1]) * axis[2].pixels + run->pixel[2],
        .rows = rows,
        .from = panel->c + run->lane * j->size,
        .from_stride_bytes = panel->c_stride_bytes};
    part.to = j->flat_target ? npc_run_address(target, run, channel) : (char *)part.from;
    part.to_stride_bytes = j->flat_target ? target->stride[1] : panel->c_stride_bytes;
    for (; r < tile->runs && tile->run[r].image == part.image; r++)
        part.count += tile->run[r].count;
    return part;
}

static void finish_tile(const job *j, const npc_tile *tile, int64_t channel, int64_t rows,
                        const npc_panel_tile *panel)
{
    for (int r = 0; r < tile->runs; r++) {
        if (r > 0 && tile->run[r].image == tile->run[r - 1].image) continue;
        const npc_finish_part part = find_part(j, tile, r, channel, rows, panel);
        npc_finish_rows(&j->gemm->finish, &part);
    }
}

/* The tiles of a piece, and its thread's working memory. */
typedef struct piece_tiles {
    int count;            /* that of tails, where there are any, included: the last one */
    int64_t packed_group; /* whose whole depth the panels hold, or -1 */
    npc_tile tile[MAX_TILES + 1];
    npc_packer packer[MAX_TILES + 1];
    npc_panel_tile panel[MAX_TILES + 1];
    char *stage[MAX_TILES + 1];
} piece_tiles;

/* The first pixel of a tile, or the number of pixels. */
static int64_t tile_begin(const job *j, int64_t tile)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t lanes = gemm->kernels->lanes, pixels = gemm->window->pixels;
    if (j->image_tiles)
        return tile / j->image_tiles * pixels +
               npc_split(pixels / lanes, j->image_tiles, tile % j->image_tiles) * lanes;
    const int64_t begin = npc_split(j->vectors, j->tiles, tile) * lanes - j->lead;
    return npc_max(0, npc_min(gemm->batch * pixels, begin));
}

/* The pixel behind a tile's last one. */
static int64_t tile_end(const job *j, int64_t tile)
{
    const int64_t next = tile_begin(j, tile + 1);
    return j->image_tiles && (tile + 1) % j->image_tiles == 0 ? next - j->tail : next;
}

/* A tile of the tails of images whose last tiles are among [first, last). */
static void set_up_tail(const job *j, piece_tiles *p, int64_t first, int64_t last, char *cursor)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int t = p->count;
    npc_tile *tile = &p->tile[t];

    tile->count = tile->runs = tile->vecs = 0;
    tile->border = 0;
    for (int64_t image = first / j->image_tiles; image < last / j->image_tiles; image++)
        npc_tile_add(tile, gemm->window, (image + 1) * gemm->window->pixels - j->tail, j->tail);
    if (tile->count == 0) return;
    p->packer[t] = (npc_packer){.kernels = gemm->kernels, .window = gemm->window, .tile = tile};
    p->panel[t] = (npc_panel_tile){
        .panel = npc_scratch_take(&cursor, j->tail_panel_bytes),
        .last_lanes = tile->count,
        .tail_stride = (int)(j->tail_panel_bytes / (size_t)(NPC_TAIL_LANES * j->size))};
    p->stage[t] = npc_scratch_take(&cursor, j->tail_stage_bytes);
    p->count++;
}

static void set_up_tiles(const job *j, piece_tiles *p, int64_t first, int64_t last, char *cursor)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int lanes = gemm->kernels->lanes;
    p->count = (int)(last - first);
    p->packed_group = -1;
    for (int t = 0; t < p->count; t++) {
        npc_tile *tile = &p->tile[t];
        const int64_t begin = tile_begin(j, first + t), end = tile_end(j, first + t);
        npc_tile_set(tile, gemm->window, begin, end - begin, lanes);
        p->packer[t] = (npc_packer){.kernels = gemm->kernels, .window = gemm->window, .tile = tile};
        p->packer[t].segments = npc_scratch_take(&cursor, j->table_bytes);
        p->panel[t].panel = npc_scratch_take(&cursor, j->panel_bytes);
        p->panel[t].tail_stride = 0;
        p->panel[t].vecs = tile->vecs;
        p->panel[t].last_lanes = tile->count - (tile->vecs - 1) * lanes;
        p->stage[t] = npc_scratch_take(&cursor, j->stage_bytes);
    }
    if (j->tail) set_up_tail(j, p, first, last, cursor);
}

/* Whether a tile's result can be stored where it belongs, without passing through the stage. */
static int is_in_place(const job *j, const npc_tile *tile)
{
    return tile->vecs > 0 && j->flat_target && !j->gemm->finish.add_is_y && is_of_one_image(tile);
}

/* The last tap of a pixel along an axis, or the nearest that exists. */
static int64_t last_source(const npc_axis *axis, int64_t pixel)
{
    const int64_t source = npc_axis_source(axis, pixel, axis->taps - 1);
    return npc_max(0, npc_min(source, axis->extent - 1));
}

/* What the piece after this one will read: for its first pixel's last tap and behind. The rows
 * before were read by this piece. */
static void find_next(const job *j, int64_t piece, int64_t group, npc_panel_product *product)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const npc_window *window = gemm->window;
    const npc_array *s = window->source;
    const npc_axis *axis = window->axis;
    if (piece >= j->tile_groups || window->load_step != 1 || axis[1].step != 1) return;
    const int64_t begin = tile_begin(j, npc_split(j->tiles, j->tile_groups, piece));
    const int64_t end = tile_begin(j, npc_split(j->tiles, j->tile_groups, piece + 1));
    const int64_t pixel = begin % window->pixels, line = pixel / axis[2].pixels;
    product->next = s->data + begin / window->pixels * s->stride[0] +
                    group * gemm->channels * s->stride[1] +
                    last_source(&axis[0], line / axis[1].pixels) * s->stride[2] +
                    last_source(&axis[1], line % axis[1].pixels) * s->stride[3] +
                    pixel % axis[2].pixels * j->size;
    product->next_lines = (end - begin) * j->size / NPC_CACHE_LINE + 1;
    product->next_stride_bytes = s->stride[1];
    product->taps = window->taps;
}

/* Elements from row to row of a tile's stage. */
static int64_t stage_pitch(const npc_tile *tile)
{
    return tile->vecs > 0 ? NPC_MAX_TILE : NPC_TAIL_LANES;
}

/* All of the depth for one unit of the piece's tiles. */
static void run_unit(const job *j, piece_tiles *p, int64_t unit, int64_t next_piece)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t group = unit / j->row_parts, part = unit % j->row_parts, size = j->size;
    const int64_t row_begin = npc_split(gemm->rows, j->row_parts, part);
    const int64_t rows = npc_split(gemm->rows, j->row_parts, part + 1) - row_begin;
    const int64_t channel = group * gemm->rows + row_begin;
    const npc_array *target = &gemm->target;
    npc_panel_product product = {
        .kernels = gemm->kernels,
        .depth = j->depth,
        .blocks = j->blocks,
        .a = gemm->weight + channel * j->depth * size,
        .bias = gemm->bias ? gemm->bias + channel * size : NULL,
        .a_stride_bytes = j->depth * size,
        .rows = rows,
        .channel = group * gemm->channels,
        .fetch_rows = gemm->rows * j->depth * size > NEAR_WEIGHT_BYTES,
        .tile = p->panel,
        .tiles = p->count,
        .finish = &gemm->finish,
    };
    const int packed = p->packed_group == group && j->panel_blocks == j->blocks;
    find_next(j, next_piece, group, &product);

    for (int t = 0; t < p->count; t++) {
        npc_panel_tile *panel = &p->panel[t];
        const int in_place = is_in_place(j, &p->tile[t]);
        panel->packer = packed ? NULL : &p->packer[t];
        panel->c = in_place ? npc_run_address(target, &p->tile[t].run[0], channel) : p->stage[t];
        panel->c_stride_bytes = in_place ? target->stride[1] : stage_pitch(&p->tile[t]) * size;
        panel->part.rows = 0;
        /* Tails are finished in the end: see npc_panel_multiply. */
        if (gemm->finish.needed && p->tile[t].vecs > 0 && !p->tile[t].border &&
            is_of_one_image(&p->tile[t]))
            panel->part = find_part(j, &p->tile[t], 0, channel, rows, panel);
    }
    for (; product.first < j->blocks; product.first = product.last) {
        product.last = npc_min(product.first + j->panel_blocks, j->blocks);
        npc_panel_multiply(&product);
    }
    p->packed_group = group;
    for (int t = 0; t < p->count; t++) {
        const npc_tile *tile = &p->tile[t];
        const npc_panel_tile *panel = &p->panel[t];
        if (tile->border)
            mend_border(j, tile, group, row_begin, rows, panel->c, panel->c_stride_bytes);
        if (gemm->finish.needed && panel->part.rows == 0)
            finish_tile(j, tile, channel, rows, panel);
        if (gemm->finish.needed ? !j->flat_target : !is_in_place(j, tile))
            scatter(j, tile, channel, rows, panel->c, panel->c_stride_bytes);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t index = piece / j->unit_parts, part = piece % j->unit_parts;
    char *cursor = scratch;
    piece_tiles *p = npc_scratch_take(&cursor, sizeof *p);

    set_up_tiles(j, p, npc_split(j->tiles, j->tile_groups, index),
                 npc_split(j->tiles, j->tile_groups, index + 1), cursor);
    for (int64_t unit = npc_split(j->units, j->unit_parts, part);
         unit < npc_split(j->units, j->unit_parts, part + 1); unit++)
        run_unit(j, p, unit, index + 1);
    return NPC_OK;
}

/* Lanes before an array's first pixel, in the vector that it lies in, if vectors lie alike in every
 * channel; 0 else. */
static int64_t lanes_before(const npc_array *array, int64_t batch, int64_t vector_bytes,
                            int64_t size)
{
    const int64_t strides = array->stride[1] | (batch > 1 ? array->stride[0] : 0);
    return strides % vector_bytes ? 0 : (int64_t)((uintptr_t)array->data % vector_bytes) / size;
}

/* The first vector may begin before the first pixel, so that those behind it do not lie across
 * cache lines: where pixels of the source are read as they are stored and more of them than of the
 * target, there, else in the target. NumPy's large arrays begin 16 bytes behind a line. */
static int64_t find_lead(const job *j, int joined)
{
    enum { MIN_VECTORS = 32 }; /* that may become one more */
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t vector_bytes = gemm->kernels->lanes * j->size;
    const int of_source = joined && gemm->channels >= gemm->rows;
    const npc_array *array = of_source ? gemm->window->source : &gemm->target;
    if (!j->flat_target || j->tail || j->vectors < MIN_VECTORS) return 0;
    return lanes_before(array, gemm->batch, vector_bytes, j->size);
}

/* Cuts tiles into groups, a tile's work into units of rows, and both into pieces. */
static void plan_pieces(job *j, int threads)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t tile_pixels = npc_ceil_div(gemm->batch * gemm->window->pixels, j->tiles);
    const int64_t wanted = threads > 1 ? (int64_t)threads * PIECES_PER_THREAD : 1;
    const int64_t grouped = npc_max(1, j->tiles * gemm->groups / wanted);

    j->tile_groups = npc_ceil_div(j->tiles, npc_min(MAX_TILES, grouped));
    const double flops = 2.0 * (double)(tile_pixels * npc_ceil_div(j->tiles, j->tile_groups)) *
                         (double)gemm->rows * (double)(j->depth + 1);
    j->row_parts = (int64_t)(flops / MAX_UNIT_FLOPS) + 1;
    if (j->staged) j->row_parts = npc_max(j->row_parts, npc_ceil_div(gemm->rows, MAX_STAGED_ROWS));
    if (j->tile_groups * gemm->groups * j->row_parts < wanted) {
        /* Each part packs the panel for itself: no more parts than repay it. */
        const int64_t most =
            npc_max(1, npc_max(gemm->rows / 128, npc_min(threads, gemm->rows / 32)));
        const int64_t parts = npc_ceil_div(wanted, j->tile_groups * gemm->groups);
        j->row_parts = npc_max(j->row_parts, npc_min(most, parts));
    }
    j->row_parts = npc_min(j->row_parts, gemm->rows);
    j->units = gemm->groups * j->row_parts;
    /* Units of a piece share the tiles and their segments. */
    const int64_t most = npc_max(1, (int64_t)(flops * (double)gemm->groups / MIN_PIECE_FLOPS));
    j->unit_parts = npc_min(j->units, most);
}

npc_implicit_gemm npc_forward_gemm(const npc_conv_problem *problem, const npc_window *window)
{
    const npc_conv_geometry *g = problem->geometry;
    return (npc_implicit_gemm){.kernels = problem->kernels,
                               .window = window,
                               .batch = g->batch,
                               .groups = g->groups,
                               .channels = npc_group_in(g),
                               .rows = npc_group_out(g),
                               .weight = problem->arrays->weight,
                               .bias = problem->arrays->bias,
                               .target = problem->arrays->y,
                               .finish = npc_finish_of(problem)};
}

npc_status npc_implicit_gemm_run(const npc_implicit_gemm *given, npc_team *team)
{
    npc_window joined = *given->window;
    npc_implicit_gemm joined_gemm = *given;
    const npc_implicit_gemm *gemm = given;
    const npc_window *window = given->window;
    const int64_t pixels = given->batch * window->pixels;
    job j = {.size = (int64_t)npc_dtype_size(window->dtype)};

    if (pixels == 0 || given->groups * given->rows == 0) return NPC_OK;
    j.flat_target = npc_pixels_follow(&given->target, window, j.size);
    const int is_joined = j.flat_target && npc_window_join(&joined);
    if (is_joined) {
        joined_gemm.window = window = &joined;
        gemm = &joined_gemm;
    }
    j.gemm = gemm;
    j.depth = gemm->channels * window->taps;
    j.blocks = npc_depth_blocks(j.depth);
    j.tail = gemm->no_tails ? 0 : npc_tail_pixels(gemm->kernels, window->pixels, j.depth);
    if (is_joined && !j.tail && !gemm->finish.add_is_y &&
        npc_pointwise_repays(gemm->kernels, gemm->rows, gemm->channels, window->pixels,
                             window->source->stride[1]))
        return npc_pointwise_run(gemm, team);
    const int vecs =
        npc_choose_tile_vecs(gemm->kernels, gemm->rows, j.tail ? window->pixels - j.tail : pixels);
    const int64_t tile_bytes = (int64_t)vecs * gemm->kernels->lanes * j.size;
    j.vectors = npc_ceil_div(pixels, gemm->kernels->lanes);
    j.lead = find_lead(&j, is_joined);
    j.vectors = npc_ceil_div(pixels + j.lead, gemm->kernels->lanes);
    j.tiles = npc_ceil_div(j.vectors, vecs);
    if (j.tail) {
        j.image_tiles = npc_ceil_div(window->pixels / gemm->kernels->lanes, vecs);
        j.tiles = j.image_tiles * gemm->batch;
    }
    j.staged = !j.flat_target || (gemm->batch > 1 && !j.tail) || gemm->finish.add_is_y;
    plan_pieces(&j, team->threads);

    const int64_t group_tiles = npc_ceil_div(j.tiles, j.tile_groups);
    const int64_t block_bytes = (j.depth / j.blocks + 1) * tile_bytes;
    j.panel_blocks = npc_max(1, PANEL_BYTES / (group_tiles * block_bytes));
    if (j.tail) /* products of tails begin at whole ones of their own blocks */
        j.panel_blocks = npc_max(1, j.panel_blocks / NPC_TAIL_BLOCKS) * NPC_TAIL_BLOCKS;
    j.panel_blocks = npc_min(j.panel_blocks, j.blocks);
    j.table_bytes = npc_panel_table_bytes(window);
    j.panel_bytes = (size_t)(j.panel_blocks * block_bytes);
    if (j.staged)
        j.stage_bytes = (size_t)(npc_ceil_div(gemm->rows, j.row_parts) * NPC_MAX_TILE * j.size);
    if (j.tail) {
        const int64_t lanes = NPC_TAIL_LANES;
        j.tail_panel_bytes = (size_t)(j.panel_blocks * (j.depth / j.blocks + 1) * lanes * j.size);
        j.tail_stage_bytes = (size_t)(npc_ceil_div(gemm->rows, j.row_parts) * lanes * j.size);
    }
    const size_t scratch = npc_round_up(sizeof(piece_tiles), NPC_CACHE_LINE) +
                           (size_t)group_tiles * (npc_round_up(j.table_bytes, NPC_CACHE_LINE) +
                                                  npc_round_up(j.panel_bytes, NPC_CACHE_LINE) +
                                                  npc_round_up(j.stage_bytes, NPC_CACHE_LINE)) +
                           npc_round_up(j.tail_panel_bytes, NPC_CACHE_LINE) +
                           npc_round_up(j.tail_stage_bytes, NPC_CACHE_LINE);
    return npc_parallel_for(team, j.tile_groups * j.unit_parts, scratch, run_piece, &j);
}
