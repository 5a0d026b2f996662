/* Padding of arrays of any rank in five modes, and its backward pass.
 *
 * All modes are one map per axis, from an output position to the input position it copies: the
 * position before the border, folded back by the mode's period however wide the border is.
 */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "integer_read.h"

enum { BLOCK_BYTES = 128 * 1024, BORDER = 128 };

typedef struct job {
    const npc_pad_geometry *geometry;
    int64_t out_shape[NPC_MAX_RANK];
    const char *from;
    const int64_t *from_stride;
    const npc_array *grad; /* backward: dtype and byte order of `from` */
    char *to;
    const char *values;
    int item_size, swap_size;
    npc_dtype dtype;
    const npc_kernels *kernels;
    int64_t rows, block; /* rows of the result, in all and in a piece */
    int listed;          /* the items of a row's border are in ... */
    int32_t border[BORDER];
} job;

static int64_t modulo(int64_t a, int64_t n)
{
    const int64_t rest = a % n;
    return rest < 0 ? rest + n : rest;
}

/* Input position of output position `at`, counted from the input's first element, along an axis of
 * n elements; -1 where the constant stands.
 *   abcd, three to each side:  reflect dcb|abcd|cba  symmetric cba|abcd|dcb  wrap bcd|abcd|abc */
static int64_t source_of(npc_pad_mode mode, int64_t at, int64_t n)
{
    if (at >= 0 && at < n) return at;
    switch (mode) {
    case NPC_PAD_EDGE:
        return at < 0 ? 0 : n - 1;
    case NPC_PAD_WRAP:
        return modulo(at, n);
    case NPC_PAD_SYMMETRIC: {
        const int64_t folded = modulo(at, 2 * n);
        return folded < n ? folded : 2 * n - 1 - folded;
    }
    case NPC_PAD_REFLECT: {
        if (n == 1) return 0;
        const int64_t folded = modulo(at, 2 * n - 2);
        return folded < n ? folded : 2 * n - 2 - folded;
    }
    default:
        return -1;
    }
}

/* The output positions that copy input position i, in ascending order: the first one after `after`
 * (-1 at the start), or -1. Positions are counted from the output's first element. */
static int64_t next_copy(const npc_pad_geometry *g, int axis, int64_t i, int64_t after)
{
    const int64_t n = g->shape[axis], before = g->before[axis];
    const int64_t end = before + n + g->after[axis], from = after + 1;
    int64_t next = -1, period, mirror;

    switch (g->mode) {
    case NPC_PAD_EDGE:
        if (i == 0 && from <= before)
            next = from;
        else if (i == n - 1 && from >= before + i)
            next = from;
        else
            next = from <= before + i ? before + i : end;
        return next < end ? next : -1;
    case NPC_PAD_WRAP:
        next = from + modulo(before + i - from, n);
        return next < end ? next : -1;
    case NPC_PAD_SYMMETRIC:
        period = 2 * n;
        mirror = -1 - i;
        break;
    case NPC_PAD_REFLECT:
        period = n > 1 ? 2 * n - 2 : 1;
        mirror = -i;
        break;
    default:
        return from <= before + i ? before + i : -1;
    }
    next =
        from + npc_min(modulo(before + i - from, period), modulo(before + mirror - from, period));
    return next < end ? next : -1;
}

/* Splits a row number into positions along all axes but the last, and moves on to the next row. */
static void next_row(const int64_t *shape, int rank, int64_t *position)
{
    for (int i = rank - 2; i >= 0; i--) {
        if (++position[i] < shape[i]) return;
        position[i] = 0;
    }
}
static void row_position(const int64_t *shape, int rank, int64_t row, int64_t *position)
{
    for (int i = rank - 2; i >= 0; i--) {
        position[i] = row % shape[i];
        row /= shape[i];
    }
}

static int64_t row_count(const int64_t *shape, int rank)
{
    int64_t rows = 1;
    for (int i = 0; i < rank - 1; i++) rows *= shape[i];
    return rows;
}

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
    for (int64_t i = 0; i < before; i++) j->border[i] = (int32_t)source_of(g->mode, i - before, n);
    for (int64_t i = 0; i < after; i++)
        j->border[before + i] = (int32_t)source_of(g->mode, n + i, n);
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
        const int64_t at = position[i] - g->before[i], source = source_of(g->mode, at, g->shape[i]);
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
        memcpy(to + i * j->item_size, centre + source_of(g->mode, i - before, n) * j->item_size,
               (size_t)j->item_size);
    for (int64_t i = n; i < n + after; i++)
        memcpy(centre + i * j->item_size, centre + source_of(g->mode, i, n) * j->item_size,
               (size_t)j->item_size);
}

static npc_status pad_rows(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    int64_t position[NPC_MAX_RANK];
    row_position(j->out_shape, j->geometry->rank, piece * j->block, position);
    for (int64_t row = piece * j->block; row < npc_min((piece + 1) * j->block, j->rows); row++) {
        pad_row(j, row, position);
        next_row(j->out_shape, j->geometry->rank, position);
    }
    return NPC_OK;
}

/* Adds a border of a gradient row to the elements it copied. */
static void add_border(const job *j, const char *row, int64_t begin, int64_t end, char *to)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    for (int64_t i = begin; i < end; i++) {
        const int64_t source = source_of(g->mode, i - g->before[last], g->shape[last]);
        if (source < 0) return;
        const double v = npc_load(row + i * j->from_stride[last], j->grad->dtype, j->grad->swapped);
        if (j->dtype == NPC_F32)
            ((float *)to)[source] += (float)v;
        else
            ((double *)to)[source] += v;
    }
}

enum { STAGE = 1024 }; /* elements of a gradient row that are converted at once */

/* One gradient row of integers, whose sums wrap. */
static void add_integers(const job *j, const char *row, char *to, int64_t *stage)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    const int64_t n = g->shape[last], before = g->before[last], stride = j->from_stride[last];
    const int64_t length = before + n + g->after[last];

    for (int64_t i = 0; i < length; i += STAGE) {
        const int64_t count = npc_min(STAGE, length - i);
        npc_read_integers(j->grad, row + i * stride, stride, count, sizeof *stage, (char *)stage,
                          sizeof *stage);
        for (int64_t k = 0; k < count; k++) {
            const int64_t source = source_of(g->mode, i + k - before, n);
            if (source < 0) continue;
            if (j->dtype == NPC_I32)
                ((uint32_t *)to)[source] += (uint32_t)stage[k];
            else
                ((uint64_t *)to)[source] += (uint64_t)stage[k];
        }
    }
}

static void add_row(const job *j, const char *row, char *to, void *stage)
{
    if (j->dtype != NPC_F32 && j->dtype != NPC_F64) {
        add_integers(j, row, to, stage);
        return;
    }
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    const int64_t n = g->shape[last], before = g->before[last], stride = j->from_stride[last];
    const int64_t size = (int64_t)npc_dtype_size(j->dtype);
    const int in_place = npc_is_plain(j->grad, j->dtype) && stride == size;

    for (int64_t i = 0; i < n; i += STAGE) {
        const int64_t count = npc_min(STAGE, n - i);
        const char *from = row + (before + i) * stride;
        if (!in_place) npc_read_run(j->grad, from, stride, count, j->dtype, stage);
        npc_run_add(j->kernels, to + i * size, in_place ? from : stage, count);
    }
    add_border(j, row, 0, before, to);
    add_border(j, row, before + n, before + n + g->after[last], to);
}

/* One row of dx: the sum of all gradient rows that copied it. */
static void gather_row(const job *j, int64_t row, const int64_t *position, char *stage)
{
    const npc_pad_geometry *g = j->geometry;
    const int outer = g->rank - 1;
    const int64_t n = g->shape[outer], size = (int64_t)npc_dtype_size(j->dtype);
    char *to = j->to + row * n * size;
    int64_t copy[NPC_MAX_RANK];

    memset(to, 0, (size_t)(n * size));
    for (int i = 0; i < outer; i++) copy[i] = next_copy(g, i, position[i], -1);
    for (;;) { /* over all combinations of copies along the outer axes, the last one fastest */
        const char *from = j->from;
        for (int i = 0; i < outer; i++) from += copy[i] * j->from_stride[i];
        add_row(j, from, to, stage);
        int axis = outer - 1;
        for (; axis >= 0; axis--) {
            copy[axis] = next_copy(g, axis, position[axis], copy[axis]);
            if (copy[axis] >= 0) break;
            copy[axis] = next_copy(g, axis, position[axis], -1);
        }
        if (axis < 0) return;
    }
}

static npc_status gather_rows(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    int64_t position[NPC_MAX_RANK];
    row_position(j->geometry->shape, j->geometry->rank, piece * j->block, position);
    for (int64_t row = piece * j->block; row < npc_min((piece + 1) * j->block, j->rows); row++) {
        gather_row(j, row, position, scratch);
        next_row(j->geometry->shape, j->geometry->rank, position);
    }
    return NPC_OK;
}

/* Rows of `row_bytes` in pieces; returns how many pieces. */
static int64_t plan_rows(job *j, int64_t rows, int64_t row_bytes)
{
    j->rows = row_bytes ? rows : 0;
    j->block = npc_max(1, BLOCK_BYTES / npc_max(row_bytes, 64));
    return npc_ceil_div(j->rows, j->block);
}

static npc_status init(job *j, const npc_pad_geometry *g)
{
    j->geometry = g;
    if (g->rank < 1 || g->rank > NPC_MAX_RANK) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < g->rank; i++) {
        if (g->shape[i] < 0 || g->before[i] < 0 || g->after[i] < 0 ||
            __builtin_add_overflow(g->shape[i], g->before[i], &j->out_shape[i]) ||
            __builtin_add_overflow(j->out_shape[i], g->after[i], &j->out_shape[i]))
            return NPC_INVALID_GEOMETRY;
        if (g->shape[i] == 0 && j->out_shape[i] > 0 && g->mode != NPC_PAD_CONSTANT)
            return NPC_INVALID_GEOMETRY; /* nothing to copy from */
    }
    return NPC_OK;
}

npc_status npc_pad(const npc_pad_geometry *g, const char *x, const int64_t *x_stride, int item_size,
                   int swap_size, const char *values, char *out, const npc_options *options,
                   npc_plan_info *info)
{
    job j = {.from = x,
             .from_stride = x_stride,
             .to = out,
             .values = values,
             .item_size = item_size,
             .swap_size = swap_size};
    npc_status status = init(&j, g);
    if (status == NPC_OK) status = npc_simple_kernels(options, NPC_F32, &j.kernels);
    if (status != NPC_OK) return status;
    list_border(&j);
    const int64_t rows = row_count(j.out_shape, g->rank), length = j.out_shape[g->rank - 1];
    npc_team team = npc_make_team(options, 2.0 * (double)rows * (double)length);
    const npc_status done =
        npc_parallel_for(&team, plan_rows(&j, rows, length * item_size), 0, pad_rows, &j);
    npc_simple_info(info, "pad", j.kernels, &team);
    return done;
}

npc_status npc_pad_backward(const npc_pad_geometry *g, const npc_array *grad,
                            const int64_t *grad_stride, void *dx, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info)
{
    job j = {
        .from = grad->data, .from_stride = grad_stride, .grad = grad, .to = dx, .dtype = dtype};
    npc_status status = init(&j, g);
    const npc_dtype computed = dtype == NPC_F64 ? NPC_F64 : NPC_F32;
    if (status == NPC_OK) status = npc_simple_kernels(options, computed, &j.kernels);
    if (status != NPC_OK) return status;
    const int64_t rows = row_count(g->shape, g->rank), length = g->shape[g->rank - 1];
    npc_team team = npc_make_team(options, 4.0 * (double)rows * (double)length);
    const npc_status done =
        npc_parallel_for(&team, plan_rows(&j, rows, length * (int64_t)npc_dtype_size(dtype)),
                         STAGE * sizeof(double), gather_rows, &j);
    npc_simple_info(info, "pad_backward", j.kernels, &team);
    info->dtype = npc_dtype_name(dtype);
    return done;
}
