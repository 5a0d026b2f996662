#include "pad_map.h"

static int64_t modulo(int64_t a, int64_t n)
{
    const int64_t rest = a % n;
    return rest < 0 ? rest + n : rest;
}

int64_t npc_pad_source(npc_pad_mode mode, int64_t at, int64_t n)
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

int64_t npc_pad_run(npc_pad_mode mode, int64_t at, int64_t n, int64_t count, int *step)
{
    *step = 1;
    if (at >= 0 && at < n) return npc_min(count, n - at);
    const int64_t until = at < 0 ? npc_min(count, -at) : count; /* the end of this border */
    int64_t place, length; /* in a period of `length`, whose first n go forwards */
    switch (mode) {
    case NPC_PAD_WRAP:
        return npc_min(until, n - modulo(at, n));
    case NPC_PAD_SYMMETRIC:
        length = 2 * n;
        place = modulo(at, length);
        break;
    case NPC_PAD_REFLECT:
        if (n > 1) {
            length = 2 * n - 2;
            place = modulo(at, length);
            break;
        } /* fall through */
    default:
        *step = 0;
        return until;
    }
    if (place < n) return npc_min(until, n - place);
    *step = -1;
    return npc_min(until, length - place);
}

int64_t npc_pad_next_copy(const npc_pad_geometry *g, int axis, int64_t i, int64_t after)
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

void npc_pad_single(const npc_pad_geometry *g, int axis, int64_t *begin, int64_t *end)
{
    const int64_t n = g->shape[axis], before = g->before[axis], after = g->after[axis];
    *begin = 0;
    *end = n;
    switch (g->mode) {
    case NPC_PAD_EDGE:
        *begin = before > 0;
        *end -= after > 0;
        break;
    case NPC_PAD_WRAP:
        *begin = npc_min(after, n);
        *end -= npc_min(before, n);
        break;
    case NPC_PAD_SYMMETRIC:
        *begin = npc_min(before, n);
        *end -= npc_min(after, n);
        break;
    case NPC_PAD_REFLECT: /* which leaves out the outermost ones, but they are few */
        *begin = before > 0 ? npc_min(before, n - 1) + 1 : 0;
        *end -= after > 0 ? npc_min(after, n - 1) + 1 : 0;
        break;
    default:
        break;
    }
    if (*end < *begin) *end = *begin = 0;
}

int npc_pad_parts(const npc_pad_geometry *g, npc_row_part *part)
{
    const int last = g->rank - 1;
    const int64_t n = g->shape[last], before = g->before[last], after = g->after[last];
    int parts = 0;
    if (n > 0)
        part[parts++] =
            (npc_row_part){.kind = NPC_ROW_FORWARD, .at = before, .source = 0, .count = n};
    for (int64_t at = -before; at < n + after;) {
        int step;
        if (at == 0 && n > 0) at = n;
        const int64_t left = (at < 0 ? 0 : n + after) - at;
        if (left == 0) break;
        if (parts == NPC_PAD_PARTS) return 0;
        const int64_t source = npc_pad_source(g->mode, at, n);
        const int64_t count = npc_pad_run(g->mode, at, n, left, &step);
        part[parts++] = (npc_row_part){.kind = source < 0 ? NPC_ROW_CONSTANT
                                               : step > 0 ? NPC_ROW_FORWARD
                                               : step < 0 ? NPC_ROW_REVERSE
                                                          : NPC_ROW_REPEAT,
                                       .at = before + at,
                                       .source = npc_max(source, 0),
                                       .count = count};
        at += count;
    }
    return parts;
}

npc_status npc_pad_check(const npc_pad_geometry *g, int64_t *out_shape)
{
    if (g->rank < 1 || g->rank > NPC_MAX_RANK) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < g->rank; i++) {
        if (g->shape[i] < 0 || g->before[i] < 0 || g->after[i] < 0 ||
            __builtin_add_overflow(g->shape[i], g->before[i], &out_shape[i]) ||
            __builtin_add_overflow(out_shape[i], g->after[i], &out_shape[i]))
            return NPC_INVALID_GEOMETRY;
        if (g->shape[i] == 0 && out_shape[i] > 0 && g->mode != NPC_PAD_CONSTANT)
            return NPC_INVALID_GEOMETRY; /* nothing to copy from */
    }
    return NPC_OK;
}

int npc_pad_join(npc_pad_geometry *g, int64_t *shape, int64_t *stride, int64_t size)
{
    while (g->rank > 1) {
        const int last = g->rank - 1, outer = last - 1;
        const int64_t n = g->shape[last];
        const int whole = g->mode == NPC_PAD_CONSTANT || g->mode == NPC_PAD_WRAP ||
                          (g->before[outer] == 0 && g->after[outer] == 0);
        if (g->before[last] || g->after[last] || !whole || stride[last] != size ||
            stride[outer] != n * size)
            break;
        g->shape[outer] *= n;
        g->before[outer] *= n;
        g->after[outer] *= n;
        shape[outer] *= n;
        stride[outer] = size;
        g->rank--;
    }
    return g->rank;
}

int64_t npc_pad_count(const int64_t *shape, int rank, int without)
{
    int64_t rows = 1;
    for (int i = 0; i < rank - without; i++) rows *= shape[i];
    return rows;
}

void npc_pad_position(const int64_t *shape, int rank, int without, int64_t row, int64_t *position)
{
    for (int i = rank - without - 1; i >= 0; i--) {
        position[i] = row % shape[i];
        row /= shape[i];
    }
}

void npc_pad_next(const int64_t *shape, int rank, int without, int64_t *position)
{
    for (int i = rank - without - 1; i >= 0; i--) {
        if (++position[i] < shape[i]) return;
        position[i] = 0;
    }
}
