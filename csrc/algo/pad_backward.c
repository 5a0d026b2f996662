/* The gradient of padding: each element gets the sum of its copies' gradients. Rows of dx that were
 * copied once along the outer axes, which most are, go to a kernel many at a time. */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"
#include "integer_read.h"
#include "pad_map.h"
#include "pick.h"

enum { BLOCK_BYTES = 128 * 1024 };

typedef struct job {
    const npc_pad_geometry *geometry;
    const char *from;
    const int64_t *from_stride;
    const npc_array *grad; /* dtype and byte order of `from` */
    char *to;
    npc_dtype dtype;
    const npc_kernels *kernels;
    int64_t rows, block; /* rows of dx, in all and in a piece */
    int parts;           /* of a row, for the kernel; 0: row by row */
    npc_row_part part[NPC_PAD_PARTS];
    int picks; /* of a plane; 0: by rows. `rows` then are planes, of so many elements: */
    int64_t plane, from_plane;
    npc_pick *pick;                   /* room for NPC_PICKS */
    int64_t single_begin, single_end; /* lines that are copied once along their axis */
} job;

/* Adds a border of a gradient row to the elements it copied. */
static void add_border(const job *j, const char *row, int64_t begin, int64_t end, char *to)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1;
    for (int64_t i = begin; i < end; i++) {
        const int64_t source = npc_pad_source(g->mode, i - g->before[last], g->shape[last]);
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
            const int64_t source = npc_pad_source(g->mode, i + k - before, n);
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
    for (int i = 0; i < outer; i++) copy[i] = npc_pad_next_copy(g, i, position[i], -1);
    for (;;) { /* over all combinations of copies along the outer axes, the last one fastest */
        const char *from = j->from;
        for (int i = 0; i < outer; i++) from += copy[i] * j->from_stride[i];
        add_row(j, from, to, stage);
        int axis = outer - 1;
        for (; axis >= 0; axis--) {
            copy[axis] = npc_pad_next_copy(g, axis, position[axis], copy[axis]);
            if (copy[axis] >= 0) break;
            copy[axis] = npc_pad_next_copy(g, axis, position[axis], -1);
        }
        if (axis < 0) return;
    }
}

/* ---- by the kernel ---- */

/* Lines [line, line + lines) of a plane of the last two axes, at `position` along the others: a
 * run of lines that are copied once along theirs, or one line. In the order of gather_row. */
static void fold_lines(const job *j, const int64_t *position, int64_t line, int64_t lines, char *to)
{
    const npc_pad_geometry *g = j->geometry;
    const int last = g->rank - 1, lined = last - 1;
    const int odometer = lines > 1 ? lined : last; /* axes whose copies are gone through */
    int64_t copy[NPC_MAX_RANK];
    npc_fold_rows_args args = {.to_stride_bytes =
                                   g->shape[last] * (int64_t)npc_dtype_size(j->dtype),
                               .rows = lines,
                               .parts = j->parts,
                               .part = j->part,
                               .to = to};
    if (lined >= 0) args.from_stride_bytes = j->from_stride[lined];
#define POSITION(i) ((i) == lined ? line : position[i])
    for (int i = 0; i < last; i++) copy[i] = npc_pad_next_copy(g, i, POSITION(i), -1);
    for (;;) {
        const char *from = j->from;
        for (int i = 0; i < last; i++) from += copy[i] * j->from_stride[i];
        args.from = from;
        npc_run_fold_rows(j->kernels, &args);
        args.accumulate = 1;
        int axis = odometer - 1;
        for (; axis >= 0; axis--) {
            copy[axis] = npc_pad_next_copy(g, axis, POSITION(axis), copy[axis]);
            if (copy[axis] >= 0) break;
            copy[axis] = npc_pad_next_copy(g, axis, POSITION(axis), -1);
        }
        if (axis < 0) return;
    }
#undef POSITION
}

static void fold_by_kernel(const job *j, int64_t row, int64_t rows, char *to)
{
    const npc_pad_geometry *g = j->geometry;
    const int64_t lines = g->rank > 1 ? g->shape[g->rank - 2] : 1;
    const int64_t row_bytes = g->shape[g->rank - 1] * (int64_t)npc_dtype_size(j->dtype);
    int64_t position[NPC_MAX_RANK];
    npc_pad_position(g->shape, g->rank, 2, row / lines, position);
    for (int64_t count; rows > 0; row += count, rows -= count) {
        const int64_t line = row % lines;
        count = 1;
        if (line >= j->single_begin && line < j->single_end)
            count = npc_min(j->single_end - line, rows);
        fold_lines(j, position, line, count, to);
        to += count * row_bytes;
        if (line + count == lines) npc_pad_next(g->shape, g->rank, 2, position);
    }
}

static npc_status gather_rows(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_pad_geometry *g = j->geometry;
    const int64_t begin = piece * j->block, end = npc_min(begin + j->block, j->rows);
    if (j->picks) {
        const int64_t size = (int64_t)npc_dtype_size(j->dtype);
        const npc_fold_planes_args args = {.pick = j->pick,
                                           .picks = j->picks,
                                           .planes = end - begin,
                                           .from = j->from + begin * j->from_plane * size,
                                           .to = j->to + begin * j->plane * size,
                                           .from_stride = j->from_plane,
                                           .to_stride = j->plane};
        npc_run_fold_planes(j->kernels, &args);
        return NPC_OK;
    }
    if (j->parts) {
        const int64_t row_bytes = g->shape[g->rank - 1] * (int64_t)npc_dtype_size(j->dtype);
        fold_by_kernel(j, begin, end - begin, j->to + begin * row_bytes);
        return NPC_OK;
    }
    int64_t position[NPC_MAX_RANK];
    npc_pad_position(g->shape, g->rank, 1, begin, position);
    for (int64_t row = begin; row < end; row++) {
        gather_row(j, row, position, scratch);
        npc_pad_next(g->shape, g->rank, 1, position);
    }
    return NPC_OK;
}

/* Whether rows of the gradient can be used where they lie. */
static int in_place(const job *j)
{
    const int rank = j->geometry->rank;
    const int64_t size = (int64_t)npc_dtype_size(j->dtype);
    return (j->dtype == NPC_F32 || j->dtype == NPC_F64) && npc_is_plain(j->grad, j->dtype) &&
           j->from_stride[rank - 1] == size;
}

/* Small planes of a gradient without gaps go by a table, if there are enough to make one for. */
static void plan_planes(job *j, const int64_t *shape)
{
    enum { FEW = 4 };
    const npc_pad_geometry *g = j->geometry;
    const int rank = g->rank, size = (int)npc_dtype_size(j->dtype);
    int64_t stride = size;
    if (rank < 3) return;
    for (int i = rank - 1; i >= 0; i--) {
        if (shape[i] != 1 && j->from_stride[i] != stride) return;
        stride *= shape[i];
    }
    const int64_t planes = npc_pad_count(shape, rank, 2);
    if (planes < FEW) return;
    j->picks = npc_pad_folds(g, j->kernels->lanes, size, j->pick);
    if (!j->picks) return;
    j->plane = g->shape[rank - 2] * g->shape[rank - 1];
    j->from_plane = shape[rank - 2] * shape[rank - 1];
    j->rows = planes;
    j->block = npc_max(1, BLOCK_BYTES / (j->from_plane * size));
}

npc_status npc_pad_backward(const npc_pad_geometry *geometry, const npc_array *grad,
                            const int64_t *grad_stride, void *dx, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info)
{
    npc_pad_geometry g = *geometry; /* whose axes are joined */
    int64_t shape[NPC_MAX_RANK], stride[NPC_MAX_RANK];
    npc_pick pick[NPC_PICKS];
    job j = {.geometry = &g,
             .pick = pick,
             .from = grad->data,
             .from_stride = stride,
             .grad = grad,
             .to = dx,
             .dtype = dtype,
             .single_end = 1};
    npc_status status = npc_pad_check(&g, shape);
    const npc_dtype computed = dtype == NPC_F64 ? NPC_F64 : NPC_F32;
    if (status == NPC_OK) status = npc_simple_kernels(options, computed, &j.kernels);
    if (status != NPC_OK) return status;
    memcpy(stride, grad_stride, (size_t)g.rank * sizeof *stride);
    if (in_place(&j)) npc_pad_join(&g, shape, stride, (int64_t)npc_dtype_size(dtype));
    const int64_t length = g.shape[g.rank - 1];
    j.rows = length ? npc_pad_count(g.shape, g.rank, 1) : 0;
    j.block = npc_max(1, BLOCK_BYTES / npc_max(length * (int64_t)npc_dtype_size(dtype), 64));
    if (j.rows && in_place(&j)) {
        npc_row_part part[NPC_PAD_PARTS];
        const int parts = npc_pad_parts(&g, part);
        for (int i = 0; i < parts; i++) /* constants have no gradient */
            if (part[i].kind != NPC_ROW_CONSTANT) j.part[j.parts++] = part[i];
        if (g.rank > 1) npc_pad_single(&g, g.rank - 2, &j.single_begin, &j.single_end);
    }
    const double elements = (double)j.rows * (double)length;
    if (j.parts) plan_planes(&j, shape);
    npc_team team = npc_make_team(options, 4.0 * elements);
    status = npc_parallel_for(&team, npc_ceil_div(j.rows, j.block), STAGE * sizeof(double),
                              gather_rows, &j);
    npc_simple_info(info, "pad_backward", j.kernels, &team);
    info->dtype = npc_dtype_name(dtype);
    return status;
}
