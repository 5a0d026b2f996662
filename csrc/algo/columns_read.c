/* im2col: the rows of the column matrix are put together in a stage that stays in L1, for the taps
 * of a channel or for a part of one tap, and leave it in whole vectors; past the caches where the
 * matrix is large. */
#include "columns.h"
#include "pick.h"

#include "../core/parallel.h"
#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"

enum {
    STAGE_BYTES = 24 * 1024,
    PIECE_BYTES = 128 * 1024,
    OVERHANG = 64 /* what the kernel may write behind its last row: a vector */
};

typedef struct job {
    npc_window window;
    const npc_array *image, *cols;
    const npc_kernels *kernels;
    int64_t channels, size;
    int plain, stream;
    int picks; /* of a channel, whose matrix is `channel` elements long; 0: by rows */
    int64_t channel;
    npc_pick *pick;
    int whole;                        /* a stage takes all taps of a channel; else, of one tap: */
    int64_t lines, columns;           /* so many rows of pixels, all of each or a part of one */
    int64_t line_parts, column_parts; /* parts of a tap */
    int64_t units, units_a_piece;     /* stages filled, in all and in a piece */
} job;

/* A part of the pixels of some taps that follow each other along the last axis, to stage rows
 * `to_stride` elements apart. Several taps: all pixels, of one slice. */
typedef struct part {
    int64_t tap, taps, line, lines, column, columns;
} part;

static void stage_part(const job *j, const char *plane, const part *p, char *to, int64_t to_stride)
{
    const npc_window *window = &j->window;
    const npc_axis *axis = window->axis;
    const npc_array *image = j->image;
    npc_spread_tap list[NPC_COLUMN_TAPS];
    npc_spread_args args = {.row_stride_bytes = npc_axis_step_bytes(&axis[1], image->stride[3]),
                            .step = npc_axis_step_bytes(&axis[2], image->stride[4]) / j->size,
                            .count = p->columns,
                            .taps = p->taps,
                            .tap = list,
                            .to_stride = to_stride};
    npc_column_taps(window, p->tap % axis[2].taps, p->taps, p->column, p->columns, list);
    for (int64_t line = 0; line < p->lines;) {
        npc_column_lines rows;
        npc_column_rows(window, p->tap, p->line + line, p->lines - line, &rows);
        args.zeros_before = rows.begin;
        args.rows = rows.end - rows.begin;
        args.zeros_after = rows.lines - rows.end;
        args.from = plane + rows.offset;
        args.to = to + line * p->columns * j->size;
        if (j->plain)
            npc_run_spread(j->kernels, &args);
        else
            npc_spread_converted(window, &args);
        line += rows.lines;
    }
}

/* `rows` rows of `count` elements, from the stage to the matrix. */
static void write_rows(const job *j, const char *stage, char *to, int64_t rows, int64_t count)
{
    const int64_t stride = j->cols->stride[2], row_stride = j->cols->stride[1];
    if (stride != j->size) {
        for (int64_t i = 0; i < rows; i++)
            npc_write_run(stage + i * count * j->size, j->window.dtype, to + i * row_stride, stride,
                          count);
        return;
    }
    npc_copy_out_args args = {.count = count, .stream = j->stream};
    if (row_stride == count * j->size) { /* one long row */
        args.count *= rows;
        rows = 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        args.from = stage + i * count * j->size;
        args.to = to + i * row_stride;
        npc_run_copy_out(j->kernels, &args);
    }
}

static void read_channel(const job *j, const char *plane, char *to, char *stage)
{
    const npc_axis *axis = j->window.axis;
    const int64_t taps = j->window.taps, pixels = j->window.pixels;
    const int64_t most = axis[0].pixels == 1 ? NPC_COLUMN_TAPS : 1;
    part p = {.lines = axis[0].pixels * axis[1].pixels, .columns = axis[2].pixels};
    for (; p.tap < taps; p.tap += p.taps) {
        p.taps = npc_min(axis[2].taps - p.tap % axis[2].taps, most);
        stage_part(j, plane, &p, stage + p.tap * pixels * j->size, pixels);
    }
    write_rows(j, stage, to, taps, pixels);
}

static void read_part(const job *j, const char *plane, int64_t tap, int64_t at, char *to,
                      char *stage)
{
    const npc_axis *axis = j->window.axis;
    const int64_t lines = axis[0].pixels * axis[1].pixels;
    part p = {.tap = tap,
              .taps = 1,
              .line = at / j->column_parts * j->lines,
              .column = at % j->column_parts * j->columns};
    p.lines = npc_min(j->lines, lines - p.line);
    p.columns = npc_min(j->columns, axis[2].pixels - p.column);
    stage_part(j, plane, &p, stage, 0);
    to += tap * j->cols->stride[1];
    to += (p.line * axis[2].pixels + p.column) * j->cols->stride[2];
    write_rows(j, stage, to, 1, p.lines * p.columns);
}

/* All taps of whole channels, where neither image nor matrix has gaps. */
static npc_status pick_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t begin = piece * j->units_a_piece;
    const int64_t end = npc_min(begin + j->units_a_piece, j->units);
    const int64_t plane = j->window.axis[1].extent * j->window.axis[2].extent;
    const int64_t most = j->stream ? npc_max(1, STAGE_BYTES / (j->channel * j->size)) : end - begin;
    for (int64_t first = begin; first < end; first += most) {
        char *const to = j->cols->data + first * j->channel * j->size;
        const npc_pick_args args = {.pick = j->pick,
                                    .picks = j->picks,
                                    .planes = npc_min(most, end - first),
                                    .from = j->image->data + first * plane * j->size,
                                    .to = j->stream ? scratch : to,
                                    .from_stride = plane,
                                    .to_stride = j->channel};
        npc_run_pick(j->kernels, &args);
        const npc_copy_out_args out = {
            .from = scratch, .to = to, .count = args.planes * j->channel, .stream = 1};
        if (j->stream) npc_run_copy_out(j->kernels, &out);
    }
    if (j->stream) npc_run_fence(j->kernels);
    return NPC_OK;
}

static npc_status read_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t taps = j->window.taps, parts = j->line_parts * j->column_parts;
    const int64_t units = j->whole ? 1 : taps * parts; /* of a channel */
    const int64_t end = npc_min((piece + 1) * j->units_a_piece, j->units);
    for (int64_t unit = piece * j->units_a_piece; unit < end; unit++) {
        const int64_t n = unit / units / j->channels, c = unit / units % j->channels;
        const char *plane = j->image->data + n * j->image->stride[0] + c * j->image->stride[1];
        char *to = j->cols->data + n * j->cols->stride[0] + c * taps * j->cols->stride[1];
        if (j->whole)
            read_channel(j, plane, to, scratch);
        else
            read_part(j, plane, unit % units / parts, unit % parts, to, scratch);
    }
    if (j->stream) npc_run_fence(j->kernels);
    return NPC_OK;
}

/* Small planes without gaps go by a table, if there are enough to make one for. */
static int64_t plan_picks(job *j, const npc_conv_geometry *g)
{
    enum { FEW = 4 };
    const npc_array *cols = j->cols;
    j->channel = j->window.taps * j->window.pixels;
    if (!j->plain || !npc_columns_are_planes(g, &j->window, j->image, cols, j->size)) return 0;
    if (g->batch * j->channels < FEW || j->channel > STAGE_BYTES / j->size) return 0;
    j->picks = npc_column_picks(&j->window, j->kernels->lanes, j->pick);
    if (!j->picks) return 0;
    j->units = g->batch * j->channels;
    j->units_a_piece = npc_max(1, PIECE_BYTES / (j->channel * j->size));
    return npc_ceil_div(j->units, j->units_a_piece);
}

/* Cuts the matrix into stages, and these into pieces. */
static int64_t plan(job *j, const npc_conv_geometry *g)
{
    const npc_axis *axis = j->window.axis;
    const int64_t line_bytes = axis[2].pixels * j->size, pixels = j->window.pixels;
    const int64_t lines = axis[0].pixels * axis[1].pixels;
    const int64_t planes = g->batch * j->channels;
    if (planes == 0 || pixels == 0) return 0;
    j->whole = j->window.taps <= STAGE_BYTES / (pixels * j->size);
    j->columns = npc_min(axis[2].pixels, STAGE_BYTES / j->size);
    j->lines = npc_min(npc_max(STAGE_BYTES / line_bytes, 1), lines);
    j->column_parts = npc_ceil_div(axis[2].pixels, j->columns);
    j->line_parts = npc_ceil_div(lines, j->lines);
    const int64_t unit_bytes =
        j->whole ? j->window.taps * pixels * j->size : j->lines * j->columns * j->size;
    j->units = planes * (j->whole ? 1 : j->window.taps * j->line_parts * j->column_parts);
    j->units_a_piece = npc_max(PIECE_BYTES / unit_bytes, 1);
    return npc_ceil_div(j->units, j->units_a_piece);
}

npc_status npc_im2col(const npc_conv_geometry *g, const npc_array *x, const npc_array *cols,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    npc_pick pick[NPC_PICKS];
    job j = {.image = x,
             .pick = pick,
             .cols = cols,
             .channels = g->in_channels,
             .size = (int64_t)npc_dtype_size(dtype)};
    if (!npc_conv_is_consistent(g)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    npc_window_forward(&j.window, g, x, dtype);
    npc_window_join(&j.window);
    j.plain = npc_is_plain(x, dtype) &&
              npc_axis_step_bytes(&j.window.axis[2], x->stride[4]) % j.size == 0;
    const int64_t rows = g->batch * g->in_channels * j.window.taps;
    const double elements = (double)rows * (double)j.window.pixels;
    j.stream = cols->stride[2] == j.size && npc_is_large(cols->data, elements * (double)j.size);
    npc_team team = npc_make_team(options, 2.0 * elements);
    int64_t pieces = plan_picks(&j, g);
    if (!j.picks) pieces = plan(&j, g);
    const npc_status done = npc_parallel_for(&team, pieces, STAGE_BYTES + OVERHANG,
                                             j.picks ? pick_piece : read_piece, &j);
    npc_simple_info(info, "im2col", j.kernels, &team);
    return done;
}
