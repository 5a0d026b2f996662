#include "band.h"

#include "columns.h"

enum { MIN_BAND_ROWS = 4 }; /* lower bands copy too many rows twice */

/* Finds the phases of the row taps. */
static void find_phases(npc_band *b)
{
    const npc_axis *axis = &b->window->axis[1];
    b->phases = 0;
    for (int64_t r = 0; r < axis->taps; r++) {
        const int64_t offset = r * axis->spacing, remainder = offset % axis->step;
        int f = 0;
        while (f < b->phases && b->phase[f].first != remainder) f++;
        if (f == b->phases) b->phase[b->phases++].first = remainder;
        b->phase[f].span = offset / axis->step;
        b->phase_of[r] = f;
    }
}

/* Rows of a plane whose bands have `rows` rows of pixels. */
static void place_phases(npc_band *b, int64_t rows)
{
    b->rows = rows;
    b->plane_rows = 0;
    for (int f = 0; f < b->phases; f++) {
        b->phase[f].place = b->plane_rows;
        b->plane_rows += rows + b->phase[f].span;
    }
}

/* Lines are shared by taps with one remainder modulo the step: the remainders follow each other
 * before the first of them comes again. */
int npc_band_lines(const npc_window *window, int64_t *lines)
{
    const npc_axis *row = &window->axis[1], *axis = &window->axis[2];
    int64_t count = 1;
    *lines = axis->taps;
    if (row->pixels > 1 || row->taps > 1 || axis->spacing < 0) return 0;
    while (count < axis->taps && count * axis->spacing % axis->step != 0) count++;
    *lines = count;
    return 1;
}

int npc_band_plan(npc_band *b, const npc_window *window, const npc_kernels *kernels,
                  int64_t channels, int64_t parts)
{
    const npc_axis *axis = window->axis;
    const int64_t size = (int64_t)npc_dtype_size(window->dtype), lanes = kernels->lanes;
    int64_t span = 0;

    b->window = window;
    b->kernels = kernels;
    for (int i = 0; i < NPC_SPATIAL; i++)
        if (axis[i].taps > NPC_BAND_TAPS) return 0;
    b->planes = channels * axis[0].taps;
    find_phases(b);
    for (int f = 0; f < b->phases; f++) {
        if (b->phase[f].span > NPC_BAND_LIMIT) return 0;
        span += b->phase[f].span;
    }
    const int shared = npc_band_lines(window, &b->lines);
    const int64_t reach = (axis[2].taps - 1) * axis[2].spacing / axis[2].step;
    const int64_t behind = shared ? reach : 0;
    /* bytes = (rows * phases + span) * (columns + behind) * unit */
    const int64_t unit = b->planes * b->lines * size;
    if (unit > NPC_BAND_LIMIT || behind > NPC_BAND_LIMIT / unit) return 0;
    int64_t columns = axis[2].pixels, rows = 1;
    const int64_t most = NPC_BAND_LIMIT / unit / (b->phases + span) - behind;
    if (columns > most) {
        columns = most / lanes * lanes;
        if (columns < 4 * lanes) return 0;
    } else {
        const int64_t fit = NPC_BAND_BYTES / ((columns + behind) * unit) - span;
        rows = npc_min(npc_max(1, fit / b->phases), axis[1].pixels);
    }
    b->column_parts = npc_ceil_div(axis[2].pixels, columns);
    b->columns = npc_ceil_div(axis[2].pixels, b->column_parts);
    b->row_parts =
        npc_max(npc_ceil_div(axis[1].pixels, rows), npc_min(parts, axis[1].pixels / MIN_BAND_ROWS));
    place_phases(b, npc_ceil_div(axis[1].pixels, b->row_parts));
    b->length = b->columns + behind;
    b->bytes = (size_t)(b->plane_rows * b->length * unit) + NPC_MAX_VECS * 64;
    return 1;
}

/* The taps of the columns, which all rows of a band share: those that have lines. */
static void set_taps(const npc_band *b, const npc_band_place *place, npc_spread_tap *tap)
{
    npc_axis axis = b->window->axis[2];
    const int64_t stride = b->window->source->stride[4];
    const int64_t columns = place->columns + b->length - b->columns;
    if (b->length > b->columns) axis.pixels = INT64_MAX; /* those of later taps */
    for (int64_t s = 0; s < b->lines; s++) {
        int64_t begin, end;
        npc_axis_valid(&axis, s, &begin, &end);
        begin = npc_max(begin, place->column);
        end = npc_min(end, place->column + columns);
        tap[s] = (npc_spread_tap){0, 0, 0};
        if (begin >= end) continue;
        tap[s].offset_bytes = npc_axis_source(&axis, begin, s) * stride;
        tap[s].begin = begin - place->column;
        tap[s].end = end - place->column;
    }
}

void npc_band_fill(const npc_band *b, const npc_band_place *place, void *memory)
{
    const npc_window *window = b->window;
    const npc_array *source = window->source;
    const npc_axis *axis = window->axis, *vertical = &axis[1];
    const int64_t size = (int64_t)npc_dtype_size(window->dtype);
    const int64_t step_bytes = npc_axis_step_bytes(&axis[2], source->stride[4]);
    const int plain = npc_is_plain(source, window->dtype) && step_bytes % size == 0;
    npc_spread_tap tap[NPC_BAND_TAPS];
    npc_spread_args args = {.row_stride_bytes = npc_axis_step_bytes(vertical, source->stride[3]),
                            .step = step_bytes / size,
                            .count = b->length,
                            .taps = b->lines,
                            .tap = tap};
    char *to = memory;

    set_taps(b, place, tap);
    for (int64_t p = 0; p < b->planes; p++) {
        const int64_t channel = place->channel + p / axis[0].taps;
        const int64_t slice = npc_axis_source(&axis[0], place->depth, p % axis[0].taps);
        const int exists = npc_axis_holds(&axis[0], slice);
        for (int f = 0; f < b->phases; f++) {
            /* Row i of the phase is row `place->row + i` of a tap at the phase's first offset. */
            const npc_axis rows = {.extent = vertical->extent,
                                   .pixels = INT64_MAX,
                                   .step = vertical->step,
                                   .first = vertical->first + b->phase[f].first};
            const int64_t needed = place->rows + b->phase[f].span;
            int64_t begin, end;
            npc_axis_valid(&rows, 0, &begin, &end);
            begin = npc_min(npc_max(begin - place->row, 0), needed);
            end = exists ? npc_min(npc_max(end - place->row, begin), needed) : begin;
            args.zeros_before = begin;
            args.rows = end - begin;
            args.zeros_after = needed - end;
            args.from = source->data;
            if (begin < end)
                args.from = source->data + place->image * source->stride[0] +
                            channel * source->stride[1] + slice * source->stride[2] +
                            npc_axis_source(&rows, place->row + begin, 0) * source->stride[3];
            args.to = to;
            args.to_stride = (b->rows + b->phase[f].span) * b->length;
            if (plain)
                npc_run_spread(b->kernels, &args);
            else
                npc_spread_converted(window, &args);
            to += b->lines * args.to_stride * size;
        }
    }
}

void npc_band_offsets(const npc_band *b, int64_t *offset)
{
    const npc_axis *axis = b->window->axis;
    const int64_t size = (int64_t)npc_dtype_size(b->window->dtype), row_bytes = b->length * size;
    for (int64_t p = 0; p < b->planes; p++) {
        for (int64_t r = 0; r < axis[1].taps; r++) {
            const npc_band_phase *phase = &b->phase[b->phase_of[r]];
            const int64_t first =
                (p * b->plane_rows + phase->place) * b->lines + r * axis[1].spacing / axis[1].step;
            for (int64_t s = 0; s < axis[2].taps; s++) {
                const int64_t line = s % b->lines; /* the tap that has it, some pixels before */
                *offset++ = (first + line * (b->rows + phase->span)) * row_bytes +
                            (s - line) * axis[2].spacing / axis[2].step * size;
            }
        }
    }
}
