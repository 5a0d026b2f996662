#include "pick.h"

#include <string.h>

#include "pad_map.h"

int npc_pick_start(npc_pick_list *list, int64_t elements, int64_t length, int lanes)
{
    if (elements < lanes || length < lanes || elements > NPC_PICK_PLACES || length > INT32_MAX / 2)
        return 0;
    list->elements = elements;
    list->length = length;
    list->terms = 0;
    memset(list->count, 0, (size_t)elements * sizeof *list->count);
    return 1;
}

int npc_pick_add(npc_pick_list *list, int64_t element, int64_t from)
{
    const int64_t term = list->count[element]++;
    if (term == list->terms) {
        if ((term + 1) * list->elements > NPC_PICK_PLACES) return 0;
        memset(list->from + term * list->elements, -1, (size_t)list->elements * sizeof *list->from);
        list->terms++;
    }
    list->from[term * list->elements + element] = (int32_t)from;
    return 1;
}

/* The least place among lanes that are left, where a vector that holds it may begin. */
static int32_t least(const int32_t *from, unsigned left, int lanes, int64_t length)
{
    int32_t place = (int32_t)(length - lanes);
    for (int i = 0; i < lanes; i++)
        if (left >> i & 1) place = npc_min(place, from[i]);
    return place;
}

/* Takes those lanes of `left` that one pick holds out of it. */
static unsigned take(const int32_t *from, unsigned left, int lanes, int size, int64_t length,
                     npc_pick *pick)
{
    unsigned rest = 0;
    pick->a = pick->b = least(from, left, lanes, length);
    for (int i = 0; i < lanes; i++)
        if (left >> i & 1 && from[i] - pick->a >= lanes) rest |= 1u << i;
    if (rest) pick->b = least(from, rest, lanes, length);
    unsigned none = 0;
    for (int i = 0; i < lanes; i++) {
        uint32_t index = 0;
        if (!(left >> i & 1))
            none |= 1u << i;
        else if (!(rest >> i & 1))
            index = (uint32_t)(from[i] - pick->a);
        else if (from[i] - pick->b < lanes)
            index = (uint32_t)(lanes + from[i] - pick->b);
        else
            none |= 1u << i;
        if (size == 4)
            pick->index.of32[i] = none >> i & 1 ? NPC_PICK_NONE32 : index;
        else
            pick->index.of64[i] = none >> i & 1 ? NPC_PICK_NONE64 : index;
    }
    return left & none;
}

int npc_pick_table(const npc_pick_list *list, int lanes, int size, npc_pick *pick)
{
    int picks = 0;
    for (int64_t to = 0; to < list->elements; to += lanes) {
        const int64_t first = npc_min(to, list->elements - lanes);
        for (int64_t term = 0; term < npc_max(list->terms, 1); term++) {
            const int32_t *from = list->from + term * list->elements + first;
            unsigned left = 0;
            for (int i = 0; i < lanes && list->terms > 0; i++)
                left |= (unsigned)(from[i] >= 0) << i;
            if (!left && term > 0) break;
            do {
                if (picks == NPC_PICKS) return 0;
                pick[picks].to = (int32_t)first;
                pick[picks].last = 0;
                left = take(from, left, lanes, size, list->length, &pick[picks++]);
            } while (left);
        }
        pick[picks - 1].last = 1;
    }
    return picks;
}

/* ---- padding --------------------------------------------------------------------------------- */

typedef struct plane {
    int64_t n[2], before[2], padded[2];
} plane;

static plane plane_of(const npc_pad_geometry *g)
{
    plane p;
    for (int i = 0; i < 2; i++) {
        const int axis = g->rank - 2 + i;
        p.n[i] = g->shape[axis];
        p.before[i] = g->before[axis];
        p.padded[i] = p.n[i] + p.before[i] + g->after[axis];
    }
    return p;
}

/* Whether only the last two axes are padded, of which one plane has few elements. */
static int is_of_planes(const npc_pad_geometry *g)
{
    if (g->rank < 2) return 0;
    for (int i = 0; i < g->rank - 2; i++)
        if (g->before[i] || g->after[i]) return 0;
    const plane p = plane_of(g);
    return p.padded[0] <= NPC_PICK_PLACES && p.padded[1] <= NPC_PICK_PLACES;
}

/* What the columns of a padded row copy. */
static void map_columns(const npc_pad_geometry *g, const plane *p, int32_t *source)
{
    for (int64_t k = 0; k < p->padded[1]; k++)
        source[k] = (int32_t)npc_pad_source(g->mode, k - p->before[1], p->n[1]);
}

int npc_pad_picks(const npc_pad_geometry *g, int lanes, int size, npc_pick *pick)
{
    npc_pick_list list;
    int32_t column[NPC_PICK_PLACES];
    if (!is_of_planes(g)) return 0;
    const plane p = plane_of(g);
    if (!npc_pick_start(&list, p.padded[0] * p.padded[1], p.n[0] * p.n[1], lanes)) return 0;
    map_columns(g, &p, column);
    int32_t *from = list.from;
    list.terms = 1;
    for (int64_t i = 0; i < p.padded[0]; i++, from += p.padded[1]) {
        const int32_t row = (int32_t)npc_pad_source(g->mode, i - p.before[0], p.n[0]);
        const int32_t first = row * (int32_t)p.n[1];
        for (int64_t k = 0; k < p.padded[1]; k++)
            from[k] = row < 0 || column[k] < 0 ? -1 : first + column[k];
    }
    return npc_pick_table(&list, lanes, size, pick);
}

int npc_pad_folds(const npc_pad_geometry *g, int lanes, int size, npc_pick *pick)
{
    npc_pick_list list;
    int32_t column[NPC_PICK_PLACES];
    if (!is_of_planes(g)) return 0;
    const plane p = plane_of(g);
    if (!npc_pick_start(&list, p.n[0] * p.n[1], p.padded[0] * p.padded[1], lanes)) return 0;
    map_columns(g, &p, column);
    /* In the order of pad_backward.c: of each row its centre first. */
    for (int64_t i = 0; i < p.padded[0]; i++) {
        const int64_t row = npc_pad_source(g->mode, i - p.before[0], p.n[0]);
        for (int centre = 1; centre >= 0 && row >= 0; centre--) {
            for (int64_t k = 0; k < p.padded[1]; k++) {
                const int64_t at = k - p.before[1];
                if (column[k] < 0 || (at >= 0 && at < p.n[1]) != centre) continue;
                if (!npc_pick_add(&list, row * p.n[1] + column[k], i * p.padded[1] + k)) return 0;
            }
        }
    }
    return npc_pick_table(&list, lanes, size, pick);
}

/* ---- column matrices ------------------------------------------------------------------------- */

/* The elements of the plane that a channel's taps of each pixel read, or -1, in order. */
static void find_sources(const npc_window *window, int32_t *to)
{
    const npc_axis *down = &window->axis[1], *along = &window->axis[2];
    for (int64_t r = 0; r < down->taps; r++) {
        for (int64_t s = 0; s < along->taps; s++) {
            for (int64_t i = 0; i < down->pixels; i++) {
                const int64_t h = npc_axis_source(down, i, r), first = h * along->extent;
                int64_t w = npc_axis_source(along, 0, s);
                for (int64_t k = 0; k < along->pixels; k++, w += along->step)
                    *to++ = npc_axis_holds(down, h) && npc_axis_holds(along, w)
                                ? (int32_t)(first + w)
                                : -1;
            }
        }
    }
}

static int is_plane(const npc_window *window)
{
    const npc_axis *axis = window->axis;
    return axis[0].extent == 1 && axis[0].pixels == 1 && axis[0].taps == 1 &&
           axis[1].extent <= NPC_PICK_PLACES && axis[2].extent <= NPC_PICK_PLACES &&
           window->pixels <= NPC_PICK_PLACES && window->taps <= NPC_PICK_PLACES / window->pixels;
}

int npc_column_picks(const npc_window *window, int lanes, npc_pick *pick)
{
    npc_pick_list list;
    const npc_axis *axis = window->axis;
    const int64_t extent = axis[1].extent * axis[2].extent;
    if (!is_plane(window) || !npc_pick_start(&list, window->taps * window->pixels, extent, lanes))
        return 0;
    list.terms = 1;
    find_sources(window, list.from);
    return npc_pick_table(&list, lanes, (int)npc_dtype_size(window->dtype), pick);
}

int npc_column_folds(const npc_window *window, int lanes, npc_pick *pick)
{
    npc_pick_list list;
    const npc_axis *axis = window->axis;
    const int64_t length = window->taps * window->pixels;
    if (!is_plane(window) || !npc_pick_start(&list, axis[1].extent * axis[2].extent, length, lanes))
        return 0;
    int32_t source[NPC_PICK_PLACES];
    find_sources(window, source);
    for (int64_t i = 0; i < length; i++)
        if (source[i] >= 0 && !npc_pick_add(&list, source[i], i)) return 0;
    return npc_pick_table(&list, lanes, (int)npc_dtype_size(window->dtype), pick);
}
