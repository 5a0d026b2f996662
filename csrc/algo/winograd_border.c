/* Images within a border: the pixels of the image are gathered, those around them are copied from
 * their vectors, or where these are not at hand, gathered too. */
#include <string.h>

#include "pad_map.h"
#include "winograd_pixels.h"

/* Along one axis: padded positions [begin, end) of a stretch lie in the image. */
typedef struct stretch {
    int64_t before, n; /* the border's width and the image's length */
    int64_t begin, end;
} stretch;

static stretch stretch_of(const npc_winograd_view *view, int axis, int64_t first, int64_t count)
{
    const npc_border *b = view->border;
    const int64_t before = b->before[axis + 1];
    stretch s = {.before = before, .n = view->axis[axis].source - before - b->after[axis + 1]};
    s.begin = npc_min(npc_max(first, before), first + count);
    s.end = npc_min(npc_max(first, before + s.n), first + count);
    if (s.end < s.begin) s.end = s.begin;
    return s;
}

/* The padded position within the image that a position copies. */
static int64_t origin(const npc_winograd_view *view, const stretch *s, int64_t at)
{
    return s->before + npc_pad_source(view->border->mode, at - s->before, s->n);
}

static void copy_column(const npc_winograd_rectangle *r, int64_t rows, char *to, const char *from,
                        int64_t vector)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(to + i * r->pitch * vector, from + i * r->pitch * vector, (size_t)vector);
}

void npc_winograd_gather_within(const npc_winograd_view *view, const npc_winograd_rectangle *r,
                                char *planar)
{
    const int64_t vector = view->kernels->lanes * (int64_t)npc_dtype_size(view->dtype);
    const int64_t row_bytes = r->pitch * vector;
    const stretch across = stretch_of(view, 0, r->row, r->rows);
    const stretch along = stretch_of(view, 1, r->column, r->columns);
    npc_winograd_rectangle inner = *r;

    inner.row = across.begin - across.before;
    inner.rows = across.end - across.begin;
    inner.behind = 0;
    char *const lines = r->pixels + (across.begin - r->row) * row_bytes;
#define AT(c) (lines + ((c) - r->column) * vector)
    if (inner.rows > 0) {
        inner.column = along.begin - along.before;
        inner.columns = along.end - along.begin;
        inner.pixels = AT(along.begin);
        npc_winograd_gather(view, &inner, planar);
        for (int64_t c = r->column; c < r->column + r->columns; c++) {
            if (c == along.begin) c = along.end;
            if (c == r->column + r->columns) break;
            const int64_t from = origin(view, &along, c);
            if (from >= along.begin && from < along.end) {
                copy_column(r, inner.rows, AT(c), AT(from), vector);
                continue;
            }
            inner.column = from - along.before;
            inner.columns = 1;
            inner.pixels = AT(c);
            npc_winograd_gather(view, &inner, planar);
        }
    }
#undef AT
    for (int64_t row = r->row; row < r->row + r->rows; row++) {
        if (row == across.begin) row = across.end;
        if (row == r->row + r->rows) break;
        const int64_t from = origin(view, &across, row);
        char *const to = r->pixels + (row - r->row) * row_bytes;
        if (from >= across.begin && from < across.end) {
            memcpy(to, r->pixels + (from - r->row) * row_bytes, (size_t)(r->columns * vector));
            continue;
        }
        npc_winograd_rectangle one = *r;
        one.row = from;
        one.rows = 1;
        one.pixels = to;
        npc_winograd_gather_within(view, &one, planar);
    }
}
