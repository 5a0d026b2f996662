#include "scatter.h"

#include <string.h>

#include "../core/scratch.h"
#include "../plan/simple_plan.h"

enum {
    PLANES = 4,             /* that are done in turns, so that additions need not wait */
    SMALL_BYTES = 1 << 14,  /* of a plane, up to which that pays */
    STAGED_BYTES = 1 << 18, /* of a plane whose pixels do not follow each other */
    ROWS_BYTES = 1 << 14,   /* of rows that are put together before they leave */
    RUN = 1024,             /* elements that are read at once, if not where they lie */
    PIECE_BYTES = 1 << 16
};

/* ---- runs of elements ---- */

static int add_run(const npc_scatter *s, char *to, const char *from, const int64_t *index,
                   int64_t count, int64_t limit)
{
    const npc_scatter_run_args args = {
        .to = to, .from = from, .index = index, .count = count, .limit = limit, .add = s->add};
    return npc_run_scatter_run(s->kernels, &args);
}

/* A position is looked at once, for another thread of the caller's may write to it meanwhile. */
static int64_t position_at(const int64_t *index, int64_t i)
{
    return ((const volatile int64_t *)index)[i];
}

/* PLANES planes in turns. */
#define NPC_TURNS(t, type)                                                                         \
    NPC_INLINE int t##_move(type *to, const type *from, const int64_t *index, int64_t i,           \
                            int64_t limit, const int add)                                          \
    {                                                                                              \
        const uint64_t at = (uint64_t)position_at(index, i);                                       \
        if (NPC_UNLIKELY(at >= (uint64_t)limit)) return 0;                                         \
        to[at] = add ? to[at] + from[i] : from[i];                                                 \
        return 1;                                                                                  \
    }                                                                                              \
    NPC_INLINE int t##_turns(char *const *to, const char *const *from,                             \
                             const int64_t *const *index, int64_t count, int64_t limit,            \
                             const int add)                                                        \
    {                                                                                              \
        type *a = (type *)to[0], *b = (type *)to[1], *c = (type *)to[2], *d = (type *)to[3];       \
        const type *va = (const type *)from[0], *vb = (const type *)from[1];                       \
        const type *vc = (const type *)from[2], *vd = (const type *)from[3];                       \
        const int64_t *ia = index[0], *ib = index[1], *ic = index[2], *id = index[3];              \
        for (int64_t i = 0; i < count; i++)                                                        \
            if (!t##_move(a, va, ia, i, limit, add) || !t##_move(b, vb, ib, i, limit, add) ||      \
                !t##_move(c, vc, ic, i, limit, add) || !t##_move(d, vd, id, i, limit, add))        \
                return 0;                                                                          \
        return 1;                                                                                  \
    }
NPC_TURNS(f32, float)
NPC_TURNS(f64, double)

static int add_turns(const npc_scatter *s, char *const *to, const char *const *from,
                     const int64_t *const *index, int64_t count)
{
    const int64_t limit = npc_volume(s->target);
    if (s->size == 4)
        return s->add ? f32_turns(to, from, index, count, limit, 1)
                      : f32_turns(to, from, index, count, limit, 0);
    return s->add ? f64_turns(to, from, index, count, limit, 1)
                  : f64_turns(to, from, index, count, limit, 0);
}

/* To pixels that do not follow each other. */
static int add_apart(const npc_scatter *s, char *plane, const char *from, const int64_t *index,
                     int64_t count)
{
    const int64_t width = s->target[2], height = s->target[1];
    const int64_t *stride = s->to->stride;
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = position_at(index, i), here = 0;
        if (at < 0 || at >= npc_volume(s->target)) return 0;
        char *pixel = plane + at % width * stride[4] + at / width % height * stride[3] +
                      at / width / height * stride[2];
        if (s->size == 4)
            f32_move((float *)pixel, (const float *)from + i, &here, 0, 1, s->add);
        else
            f64_move((double *)pixel, (const double *)from + i, &here, 0, 1, s->add);
    }
    return 1;
}

/* ---- planes ---- */

/* Scratch of one of the planes. */
typedef struct workspace {
    char *from;
    int64_t *index;
    char *rows; /* of the target */
} workspace;

static char *plane_of(const npc_scatter *s, const npc_array *array, int64_t plane)
{
    return array->data + plane / s->channels * array->stride[0] +
           plane % s->channels * array->stride[1];
}

/* Whether the elements of a plane follow each other. */
static int is_whole(const int64_t *stride, const int64_t *extent, int64_t size)
{
    return (extent[2] == 1 || stride[4] == size) &&
           (extent[1] == 1 || stride[3] == extent[2] * size) &&
           (extent[0] == 1 || stride[2] == extent[1] * extent[2] * size);
}

static int64_t plane_bytes(const npc_scatter *s) { return npc_volume(s->target) * s->size; }

/* Elements [w, w + count) of row (d, h) of a plane of `from`, and where they go. */
static void read_run(const npc_scatter *s, const workspace *space, int64_t plane, int64_t d,
                     int64_t h, int64_t w, int64_t count, const char **from, const int64_t **index)
{
    const npc_array *x = s->from;
    *from = plane_of(s, x, plane) + d * x->stride[2] + h * x->stride[3] + w * x->stride[4];
    if (s->index) {
        *index =
            s->index + plane * npc_volume(s->source) + (d * s->source[1] + h) * s->source[2] + w;
    } else {
        s->locate(s->context, plane, d, h, w, count, space->index);
        *index = space->index;
    }
    if (s->joined) return;
    if (!npc_is_plain(x, s->dtype) || (x->stride[4] != s->size && count > 1)) {
        npc_read_run(x, *from, x->stride[4], count, s->dtype, space->from);
        *from = space->from;
    }
}

/* Puts rows together in scratch and writes each cache line once, when no more will come. Returns 0
 * if an index lies far from its element, or outside of the plane. */
static int stream_rows(const npc_scatter *s, const workspace *space, int64_t plane)
{
    const int64_t width = s->target[2], height = s->target[1], size = s->size;
    const int64_t room = s->rows * width, all = width * height;
    char *to = plane_of(s, s->to, plane), *rows = space->rows;
    /* The first element in scratch, and the first one that has not left. */
    int64_t base = 0, gone = 0;
    npc_scatter_run_args args = {.add = 1};
    memset(rows, 0, (size_t)(room * size));
    for (int64_t h = 0; h <= s->source[1]; h++) {
        const int last = h == s->source[1];
        const int64_t row = last ? all : npc_max(h * s->step + s->first, 0) * width;
        const int64_t first = npc_min(row, all);
        const int64_t end = npc_min((h * s->step + s->first + s->reach) * width, all);
        /* What stays in scratch begins with a line; all that is in it leaves if that is not yet
         * enough. */
        const int64_t line = (int64_t)((uintptr_t)(to + first * size) % NPC_CACHE_LINE) / size;
        const int64_t until = last ? all : first - line;
        args.count = 0;
        while (base + room < first || (end > base + room && !last)) {
            args.leave = npc_max(npc_min(until, base + room) - gone, 0);
            args.rows = rows + (gone - base) * size;
            args.out = to + gone * size;
            npc_run_scatter_run(s->kernels, &args);
            gone += args.leave;
            memmove(rows, rows + (gone - base) * size, (size_t)((base + room - gone) * size));
            memset(rows + (base + room - gone) * size, 0, (size_t)((gone - base) * size));
            base = gone;
        }
        args.leave = npc_max(until - gone, 0);
        args.rows = rows + (gone - base) * size;
        args.out = to + gone * size;
        if (last) break;
        args.to = rows + (first - base) * size;
        args.origin = first;
        args.limit = end - first;
        for (int64_t w = 0; w < s->source[2]; w += RUN) {
            args.count = npc_min(RUN, s->source[2] - w);
            read_run(s, space, plane, 0, h, w, args.count, (const char **)&args.from, &args.index);
            if (!npc_run_scatter_run(s->kernels, &args)) return 0;
            args.leave = 0;
        }
        gone = npc_max(until, gone);
    }
    npc_run_scatter_run(s->kernels, &args);
    return 1;
}

/* Makes rows zero just before they are needed. Likewise. */
static int add_rows(const npc_scatter *s, const workspace *space, int64_t plane)
{
    const int64_t width = s->target[2], height = s->target[1], line = width * s->size;
    char *to = plane_of(s, s->to, plane);
    int64_t ready = 0;
    for (int64_t h = 0; h < s->source[1]; h++) {
        const int64_t end = npc_min(h * s->step + s->first + s->reach, height);
        if (end > ready) {
            const int64_t next = npc_min(npc_max(end, ready + s->rows), height);
            memset(to + ready * line, 0, (size_t)((next - ready) * line));
            ready = next;
        }
        for (int64_t w = 0; w < s->source[2]; w += RUN) {
            const int64_t count = npc_min(RUN, s->source[2] - w);
            const char *from;
            const int64_t *index;
            read_run(s, space, plane, 0, h, w, count, &from, &index);
            if (!add_run(s, to, from, index, count, ready * width)) return 0;
        }
    }
    memset(to + ready * line, 0, (size_t)((height - ready) * line));
    return 1;
}

/* Up to PLANES planes, of any indices. */
static npc_status add_planes(const npc_scatter *s, const workspace *space, int64_t plane,
                             int64_t planes)
{
    const npc_array *y = s->to;
    const int64_t bytes = plane_bytes(s);
    const int staged = !s->whole && bytes <= STAGED_BYTES;
    const char *from[PLANES] = {0};
    const int64_t *index[PLANES] = {0};
    char *to[PLANES] = {0};
    for (int64_t q = 0; q < planes; q++) {
        to[q] = staged ? space[q].rows : plane_of(s, y, plane + q);
        if (s->whole || staged)
            memset(to[q], 0, (size_t)bytes);
        else
            npc_zero_plane(y, to[q], s->target[0], s->target[1], s->target[2], s->size);
    }
    const int64_t slices = s->joined ? 1 : s->source[0], rows = s->joined ? 1 : s->source[1];
    const int64_t length = s->joined ? npc_volume(s->source) : s->source[2];
    for (int64_t d = 0; d < slices; d++)
        for (int64_t h = 0; h < rows; h++)
            for (int64_t w = 0; w < length; w += RUN) {
                const int64_t count = npc_min(RUN, length - w);
                int fine = 1;
                for (int64_t q = 0; q < planes; q++) {
                    read_run(s, &space[q], plane + q, d, h, w, count, &from[q], &index[q]);
                    if (planes == PLANES && (s->whole || staged)) continue;
                    fine &= s->whole || staged
                                ? add_run(s, to[q], from[q], index[q], count, npc_volume(s->target))
                                : add_apart(s, to[q], from[q], index[q], count);
                }
                if (planes == PLANES && (s->whole || staged))
                    fine = add_turns(s, to, from, index, count);
                if (!fine) return NPC_BAD_INDEX;
            }
    for (int64_t q = 0; q < planes && staged; q++)
        for (int64_t d = 0; d < s->target[0]; d++)
            for (int64_t h = 0; h < s->target[1]; h++)
                npc_write_run(to[q] + (d * s->target[1] + h) * s->target[2] * s->size, s->dtype,
                              plane_of(s, y, plane + q) + d * y->stride[2] + h * y->stride[3],
                              y->stride[4], s->target[2]);
    return NPC_OK;
}

/* ---- the work ---- */

static int is_small(const npc_scatter *s) { return plane_bytes(s) <= SMALL_BYTES && !s->stream; }

void npc_scatter_plan(npc_scatter *s)
{
    const npc_array *y = s->to;
    const int64_t *extent = s->target;
    const int64_t line = extent[2] * s->size, bytes = plane_bytes(s);
    s->whole = is_whole(y->stride, extent, s->size);
    s->joined = s->index && npc_is_plain(s->from, s->dtype) &&
                is_whole(s->from->stride, s->source, s->size);
    if (extent[0] != 1 || s->source[0] != 1 || !s->add || line == 0) s->reach = 0;
    if (s->reach > 0) s->rows = npc_max(ROWS_BYTES / line, 2 * s->reach + s->step);
    s->stream = s->whole && s->reach > 0 && s->rows <= STAGED_BYTES / line &&
                npc_is_large(y->data, (double)s->planes * (double)bytes);
    const int64_t pieces = npc_max(PIECE_BYTES / npc_max(bytes, 1), 1);
    s->planes_a_piece = is_small(s) ? (int64_t)npc_round_up((size_t)pieces, PLANES) : pieces;
}

int64_t npc_scatter_pieces(const npc_scatter *s)
{
    return npc_ceil_div(s->planes, s->planes_a_piece);
}

static int64_t rows_bytes(const npc_scatter *s)
{
    if (s->stream) return s->rows * s->target[2] * s->size;
    return !s->whole && plane_bytes(s) <= STAGED_BYTES ? plane_bytes(s) : 0;
}

size_t npc_scatter_scratch(const npc_scatter *s)
{
    return PLANES * (RUN * ((size_t)s->size + sizeof(int64_t)) +
                     npc_round_up((size_t)rows_bytes(s), NPC_CACHE_LINE)) +
           NPC_CACHE_LINE;
}

static void cut_scratch(const npc_scatter *s, workspace *space, void *scratch)
{
    char *cursor = scratch;
    for (int q = 0; q < PLANES; q++) {
        space[q].from = npc_scratch_take(&cursor, RUN * (size_t)s->size);
        space[q].index = npc_scratch_take(&cursor, RUN * sizeof(int64_t));
        space[q].rows = npc_scratch_take(&cursor, (size_t)rows_bytes(s));
    }
}

static npc_status add_plane(const npc_scatter *s, const workspace *space, int64_t plane)
{
    if (s->stream) {
        if (stream_rows(s, space, plane)) return NPC_OK;
        npc_run_fence(s->kernels); /* the plane is written once more */
    } else if (s->whole && s->reach > 0 && add_rows(s, space, plane)) {
        return NPC_OK;
    }
    return add_planes(s, space, plane, 1);
}

npc_status npc_scatter_plane(const npc_scatter *s, int64_t plane, void *scratch)
{
    workspace space[PLANES];
    cut_scratch(s, space, scratch);
    return add_plane(s, space, plane);
}

npc_status npc_scatter_piece(void *context, int64_t piece, void *scratch)
{
    const npc_scatter *s = context;
    const int64_t end = npc_min((piece + 1) * s->planes_a_piece, s->planes);
    npc_status status = NPC_OK;
    workspace space[PLANES];
    cut_scratch(s, space, scratch);
    int64_t p = piece * s->planes_a_piece;
    if (is_small(s))
        for (; p + PLANES <= end && status == NPC_OK; p += PLANES)
            status = add_planes(s, space, p, PLANES);
    for (; p < end && status == NPC_OK; p++) status = add_plane(s, space, p);
    if (s->stream) npc_run_fence(s->kernels);
    return status;
}
