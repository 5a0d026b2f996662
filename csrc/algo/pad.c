/* Padding of arrays of any rank in five modes. Rows of 4- and 8-byte items go to a kernel as a few
 * stretches each, many rows at a time, and where they are short or the result is large by way of a
 * stage, past the caches if it is large; small planes go by a table; all else is copied item by
 * item. */
#include <string.h>

#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "pad_map.h"
#include "pick.h"

enum { BLOCK_BYTES = 128 * 1024, STAGE_BYTES = 16 * 1024, BORDER = 128 };
/* Rows of fewer bytes leave a stage in whole cache lines; longer ones go where they belong. Planes
 * of more elements go by rows: making their table takes as long. */
enum { SHORT_ROW = 200, LARGEST_PICKED = 1600 };

typedef struct job {
    const npc_pad_geometry *geometry;
    int64_t out_shape[NPC_MAX_RANK];
    const char *from;
    const int64_t *from_stride;
    char *to;
    const char *values;
    int item_size, swap_size;
    const npc_kernels *kernels;
    int64_t rows, block; /* rows of the result, in all and in a piece */
    int listed;          /* the items of a row's border are in ... */
    int32_t border[BORDER];
    int parts; /* of a row, for the kernel; 0: item by item */
    npc_row_part part[NPC_PAD_PARTS];
    int stage, stream; /* rows are put together in scratch, and go past the caches */
    int picks;         /* of a plane; 0: by rows. `rows` then are planes, of so many elements: */
    int64_t plane, out_plane;
    npc_pick *pick; /* room for NPC_PICKS */
    int joined;     /* a row's border and that of the next one are one part */
} job;

static void copy_item(const job *j, char *to, const char *from)
{
    if (j->swap_size == 0) {
        memcpy(to, from, (size_t)j->item_size);
    } else {
        for (int word = 0; word < j->item_size; word += j->swap_size)
            for (int b = 0; b < j->swap_size; b++) to[word + b] = from[word + j->swap_size - 1 - b];
    }
}

static void fill_constant(const job *j, char *to, int64_t count, const char *value)
{
    if (j->item_size == sizeof(uint32_t)) { /* constant sizes, which compilers make fast */
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 4, value, 4);
        return;
    }
    if (j->item_size == sizeof(uint64_t)) {
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 8, value, 8);
        return;
    }
    for (int64_t i = 0; i < count; i++) memcpy(to + i * j->item_size, value, (size_t)j->item_size);
}

/* Items of a row's centre, one by one. */
static void copy_listed(const job *j, char *to, const char *centre, const int32_t *item,
                        int64_t count)
{
    if (j->item_size == sizeof(uint32_t)) /* constant sizes, which compilers make fast */
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 4, centre + (int64_t)item[i] * 4, 4);
    else if (j->item_size == sizeof(uint64_t))
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 8, centre + (int64_t)item[i] * 8, 8);
    else
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * j->item_size, centre + (int64_t)item[i] * j->item_size,
                   (size_t)j->item_size);
}

/* Which items of a row stand in its border, unless those are many. */
static void list_border(job *j)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    const int64_t n = g->shape[last], before = g->before[last], after = g->after[last];
    if (g->mode == NPC_PAD_CONSTANT || n == 0 || n > INT32_MAX || before > BORDER ||
        after > BORDER - before)
        return;
    j->listed = 1;
    for (int64_t i = 0; i < before; i++)
        j->border[i] = (int32_t)npc_pad_source(g->mode, i - before, n);
    for (int64_t i = 0; i < after; i++)
        j->border[before + i] = (int32_t)npc_pad_source(g->mode, n + i, n);
}

/* The constant for output positions outside along `axis`. */
static const char *value_of(const job *j, int axis, int behind)
{
    return j->values + (2 * axis + behind) * j->item_size;
}

/* One row along the last axis. Where several axes lie outside, the last of them decides which
 * constant stands, as in numpy.pad. */
static void pad_row(const job *j, int64_t row, const int64_t *position)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    const int64_t n = g->shape[last], before = g->before[last], after = g->after[last];
    const int64_t stride = j->from_stride[last];
    char *to = j->to + row * (before + n + after) * j->item_size;
    const char *from = j->from, *outside = NULL;

    for (int i = 0; i < last; i++) {
        const int64_t at = position[i] - g->before[i],
                      source = npc_pad_source(g->mode, at, g->shape[i]);
        if (source < 0)
            outside = value_of(j, i, at >= 0);
        else
            from += source * j->from_stride[i];
    }
    char *centre = to + before * j->item_size;
    if (outside)
        fill_constant(j, centre, n, outside);
    else if (stride == j->item_size && j->swap_size == 0)
        memcpy(centre, from, (size_t)(n * j->item_size));
    else
        for (int64_t i = 0; i < n; i++) copy_item(j, centre + i * j->item_size, from + i * stride);
    if (g->mode == NPC_PAD_CONSTANT) {
        fill_constant(j, to, before, value_of(j, last, 0));
        fill_constant(j, centre + n * j->item_size, after, value_of(j, last, 1));
        return;
    }
    /* The centre is there already, in native order. */
    if (j->listed) {
        copy_listed(j, to, centre, j->border, before);
        copy_listed(j, centre + n * j->item_size, centre, j->border + before, after);
        return;
    }
    for (int64_t i = 0; i < before; i++)
        memcpy(to + i * j->item_size,
               centre + npc_pad_source(g->mode, i - before, n) * j->item_size,
               (size_t)j->item_size);
    for (int64_t i = n; i < n + after; i++)
        memcpy(centre + i * j->item_size, centre + npc_pad_source(g->mode, i, n) * j->item_size,
               (size_t)j->item_size);
}

/* ---- by the kernel ---- */

/* Where one constant stands on both sides of a row, what is behind it and what is before the next
 * one are written together; so parts of a row count from its centre. */
static void join_borders(job *j)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    const char *before = value_of(j, last, 0), *after = value_of(j, last, 1);
    if (memcmp(before, after, (size_t)j->item_size) != 0) return;
    j->joined = 1;
    j->part[0].at = 0;
    j->part[1] = (npc_row_part){.kind = NPC_ROW_CONSTANT,
                                .at = g->shape[last],
                                .count = g->before[last] + g->after[last],
                                .constant = before};
    j->parts = j->part[1].count > 0 ? 2 : 1;
}

/* Lines [line, line + lines) of a plane of the last two axes, at `position` along the others. */
static void pad_lines(const job *j, const int64_t *position, int64_t line, int64_t lines, char *to)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1, lined = last - 1;
    const int64_t row_bytes = j->out_shape[last] * j->item_size;
    const char *plane = j->from, *outside = NULL;
    for (int i = 0; i < lined; i++) {
        const int64_t at = position[i] - g->before[i];
        const int64_t source = npc_pad_source(g->mode, at, g->shape[i]);
        if (source < 0)
            outside = value_of(j, i, at >= 0);
        else
            plane += source * j->from_stride[i];
    }
    npc_row_part constant[NPC_PAD_PARTS];
    npc_pad_rows_args args = {.from = plane,
                              .to_stride_bytes = row_bytes,
                              .rows = lines,
                              .parts = j->parts,
                              .part = j->part,
                              .to = to};
    for (; lines > 0; lines -= args.rows, line += args.rows) {
        const char *value = outside;
        if (lined >= 0) {
            int step;
            const int64_t at = line - g->before[lined], n = g->shape[lined];
            const int64_t source = npc_pad_source(g->mode, at, n);
            args.rows = npc_pad_run(g->mode, at, n, lines, &step);
            args.from = plane + npc_max(source, 0) * j->from_stride[lined];
            args.from_stride_bytes = step * j->from_stride[lined];
            if (source < 0) value = value_of(j, lined, at >= 0);
        }
        args.part = j->part;
        if (value) {
            memcpy(constant, j->part, (size_t)j->parts * sizeof *constant);
            if (g->shape[last] > 0) { /* which comes first */
                constant[0].kind = NPC_ROW_CONSTANT;
                constant[0].constant = value;
            }
            args.part = constant;
        }
        const int64_t rows = args.rows;
        if (value && j->joined && memcmp(value, j->part[1].constant, (size_t)j->item_size) == 0) {
            args.rows = 1; /* one long row */
            args.parts = 1;
            constant[0].count = rows * j->out_shape[last];
        }
        npc_run_pad_rows(j->kernels, &args);
        args.rows = rows;
        args.parts = j->parts;
        args.to = (char *)args.to + rows * row_bytes;
    }
}

/* Consecutive rows of the result, to where they are put together. */
static void pad_by_kernel(const job *j, int64_t row, int64_t rows, char *to)
{
    const int rank = j->geometry->rank;
    const int64_t lines = rank > 1 ? j->out_shape[rank - 2] : 1;
    const int64_t row_bytes = j->out_shape[rank - 1] * j->item_size;
    int64_t position[NPC_MAX_RANK];
    npc_pad_position(j->out_shape, rank, 2, row / lines, position);
    if (j->joined) {
        const int64_t before = j->geometry->before[rank - 1];
        const npc_row_part border = {
            .kind = NPC_ROW_CONSTANT, .count = before, .constant = value_of(j, rank - 1, 0)};
        const npc_pad_rows_args args = {.rows = 1, .parts = before > 0, .part = &border, .to = to};
        npc_run_pad_rows(j->kernels, &args);
        to += before * j->item_size; /* behind the last row, too, is room for so many */
    }
    while (rows > 0) {
        const int64_t line = row % lines, count = npc_min(lines - line, rows);
        pad_lines(j, position, line, count, to);
        npc_pad_next(j->out_shape, rank, 2, position);
        row += count;
        rows -= count;
        to += count * row_bytes;
    }
}

/* Consecutive planes of the result. */
static npc_status pad_planes(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t begin = piece * j->block, end = npc_min(begin + j->block, j->rows);
    const int64_t to_bytes = j->out_plane * j->item_size;
    const int64_t most = j->stream ? npc_max(1, STAGE_BYTES / to_bytes) : j->block;
    for (int64_t first = begin; first < end; first += most) {
        const int64_t planes = npc_min(most, end - first);
        char *const to = j->to + first * to_bytes;
        const npc_pick_args args = {.pick = j->pick,
                                    .picks = j->picks,
                                    .planes = planes,
                                    .from = j->from + first * j->plane * j->item_size,
                                    .to = j->stream ? scratch : to,
                                    .from_stride = j->plane,
                                    .to_stride = j->out_plane};
        npc_run_pick(j->kernels, &args);
        const npc_copy_out_args out = {
            .from = scratch, .to = to, .count = planes * j->out_plane, .stream = 1};
        if (j->stream) npc_run_copy_out(j->kernels, &out);
    }
    if (j->stream) npc_run_fence(j->kernels);
    return NPC_OK;
}

static npc_status pad_rows(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int rank = j->geometry->rank;
    const int64_t row_bytes = j->out_shape[rank - 1] * j->item_size;
    const int64_t begin = piece * j->block, end = npc_min(begin + j->block, j->rows);
    if (j->stage) {
        const int64_t most = STAGE_BYTES / row_bytes;
        for (int64_t row = begin; row < end; row += most) {
            const int64_t rows = npc_min(most, end - row);
            const npc_copy_out_args args = {.from = scratch,
                                            .to = j->to + row * row_bytes,
                                            .count = rows * row_bytes / j->item_size,
                                            .stream = j->stream};
            pad_by_kernel(j, row, rows, scratch);
            npc_run_copy_out(j->kernels, &args);
        }
        if (j->stream) npc_run_fence(j->kernels);
        return NPC_OK;
    }
    if (j->parts) {
        pad_by_kernel(j, begin, end - begin, j->to + begin * row_bytes);
        return NPC_OK;
    }
    int64_t position[NPC_MAX_RANK];
    npc_pad_position(j->out_shape, rank, 1, begin, position);
    for (int64_t row = begin; row < end; row++) {
        pad_row(j, row, position);
        npc_pad_next(j->out_shape, rank, 1, position);
    }
    return NPC_OK;
}

/* Whether the kernel of items of this size can load rows of the array. */
static int is_loadable(const job *j)
{
    const npc_pad_geometry *g = j->geometry;
    if ((j->item_size != 4 && j->item_size != 8) || j->swap_size ||
        (uintptr_t)j->from % (unsigned)j->item_size ||
        (uintptr_t)j->values % (unsigned)j->item_size)
        return 0;
    for (int i = 0; i < g->rank; i++)
        if (g->shape[i] > 1 && j->from_stride[i] % j->item_size) return 0;
    return g->shape[g->rank - 1] < 2 || j->from_stride[g->rank - 1] == j->item_size;
}

/* Small planes of an array without gaps go by a table, if there are enough to make one for. */
static void plan_planes(job *j)
{
    enum { FEW = 4 };
    const npc_pad_geometry *g = j->geometry;
    const int rank = g->rank;
    int64_t stride = j->item_size;
    if (rank < 3) return;
    for (int i = rank - 1; i >= 0; i--) {
        if (g->shape[i] != 1 && j->from_stride[i] != stride) return;
        stride *= g->shape[i];
    }
    for (int i = rank - 2; i < rank && g->mode == NPC_PAD_CONSTANT; i++)
        for (int side = 0; side < 2; side++)
            for (int b = 0; b < j->item_size; b++)
                if (value_of(j, i, side)[b]) return;
    const int64_t planes = npc_pad_count(j->out_shape, rank, 2);
    if (planes < FEW || j->out_shape[rank - 2] * j->out_shape[rank - 1] > LARGEST_PICKED) return;
    j->picks = npc_pad_picks(g, j->kernels->lanes, j->item_size, j->pick);
    if (!j->picks) return;
    j->plane = g->shape[rank - 2] * g->shape[rank - 1];
    j->out_plane = j->out_shape[rank - 2] * j->out_shape[rank - 1];
    j->rows = planes;
    j->block = npc_max(1, BLOCK_BYTES / (j->out_plane * j->item_size));
}

/* How the rows are made, and what the kernels need to know. */
static npc_status plan(job *j, const npc_options *options)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    list_border(j);
    if (!is_loadable(j)) return NPC_OK;
    j->parts = npc_pad_parts(g, j->part);
    for (int i = 0; i < j->parts; i++)
        if (j->part[i].kind == NPC_ROW_CONSTANT)
            j->part[i].constant = value_of(j, last, j->part[i].at >= g->before[last]);
    const int64_t row_bytes = j->out_shape[last] * j->item_size;
    const int fits = j->parts && row_bytes > 0 && row_bytes <= STAGE_BYTES;
    j->stream = fits && npc_is_large(j->to, (double)j->rows * (double)row_bytes);
    j->stage = fits && (j->stream || row_bytes < SHORT_ROW);
    if (j->stage && g->mode == NPC_PAD_CONSTANT && g->shape[last] > 0) join_borders(j);
    const npc_status status =
        npc_simple_kernels(options, j->item_size == 4 ? NPC_F32 : NPC_F64, &j->kernels);
    if (status == NPC_OK && j->parts && j->rows > 0) plan_planes(j);
    return status;
}

npc_status npc_pad(const npc_pad_geometry *geometry, const char *x, const int64_t *x_stride,
                   int item_size, int swap_size, const char *values, char *out,
                   const npc_options *options, npc_plan_info *info)
{
    npc_pad_geometry g = *geometry; /* whose axes are joined */
    int64_t shape[NPC_MAX_RANK], stride[NPC_MAX_RANK];
    const npc_kernels *kernels;
    npc_pick pick[NPC_PICKS];
    job j = {.geometry = &g,
             .pick = pick,
             .from = x,
             .from_stride = stride,
             .to = out,
             .values = values,
             .item_size = item_size,
             .swap_size = swap_size};
    npc_status status = npc_pad_check(&g, j.out_shape);
    if (status == NPC_OK) status = npc_simple_kernels(options, NPC_F32, &kernels);
    if (status != NPC_OK) return status;
    memcpy(shape, g.shape, sizeof shape);
    memcpy(stride, x_stride, (size_t)g.rank * sizeof *stride);
    npc_pad_join(&g, shape, stride, item_size);
    npc_pad_check(&g, j.out_shape);
    const int64_t length = j.out_shape[g.rank - 1];
    j.rows = length ? npc_pad_count(j.out_shape, g.rank, 1) : 0;
    j.block = npc_max(1, BLOCK_BYTES / npc_max(length * item_size, 64));
    const double elements = (double)j.rows * (double)length;
    status = plan(&j, options);
    if (status != NPC_OK) return status;
    npc_team team = npc_make_team(options, 2.0 * elements);
    status = npc_parallel_for(&team, npc_ceil_div(j.rows, j.block), j.stage ? 2 * STAGE_BYTES : 0,
                              j.picks ? pad_planes : pad_rows, &j);
    npc_simple_info(info, "pad", kernels, &team);
    return status;
}
