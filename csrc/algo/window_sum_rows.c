/* The two steps of window sums: down the rows, and along them. */
#include "window_sum_job.h"

#include <string.h>

#include "../core/dtype.h"
#include "../core/scratch.h"

typedef struct workspace {
    char *sums, *stage, *out, *last_divisor, *column_divisor, *row_divisor;
    int64_t *row;
    int32_t *reach;
} workspace;

/* The target's pixels [w, w + count) of a row and the source's [low, low + span) that they meet. */
typedef struct block {
    int64_t w, count, low, span;
    int64_t begin, end; /* of those, the ones that exist */
    int alone;          /* too much for scratch: pixel by pixel */
} block;

static void put(const npc_sum_job *j, char *to, int64_t i, double value)
{
    npc_store(to + i * j->size, j->sum->dtype, value);
}

static char *plane_of(const npc_sum_job *j, const npc_array *array, int64_t plane)
{
    const int64_t channels = j->sum->channels / j->group;
    return array->data + plane / channels * array->stride[0] + plane % channels * array->stride[1];
}

/* ---- one by one ---- */

static npc_sum_run run_at(const npc_sum_job *j, int64_t plane, int64_t d, int64_t h, int64_t w,
                          int64_t count)
{
    const int64_t channels = j->sum->channels;
    return (npc_sum_run){plane / channels, plane % channels, {d, h, w}, count};
}

/* A run of the source as elements of the computation, divided by their windows' sizes if needed. */
static void read_run(const npc_sum_job *j, npc_sum_run run, int64_t spacing, char *to)
{
    const npc_array *x = j->sum->from;
    if (j->sum->read) {
        j->sum->read(j->sum->context, &run, to);
    } else {
        const char *at = x->data + run.n * x->stride[0] + run.c * x->stride[1] +
                         run.at[0] * x->stride[2] + run.at[1] * x->stride[3] +
                         run.at[2] * x->stride[4];
        npc_read_run(x, at, x->stride[4] * spacing, run.count, j->sum->dtype, to);
    }
    if (!j->axis[0].backward || j->divisor != 0) return;
    const double rows = npc_sum_window(j, 0, run.at[0]) * npc_sum_window(j, 1, run.at[1]);
    for (int64_t i = 0; i < run.count; i++) {
        const double columns = npc_sum_window(j, 2, run.at[2] + i * spacing);
        if (j->size == 4)
            ((float *)to)[i] /= (float)rows * (float)columns;
        else
            ((double *)to)[i] /= rows * columns;
    }
}

static double pixel_alone(const npc_sum_job *j, int64_t plane, int64_t d, int64_t h, int64_t w,
                          char *stage)
{
    const npc_reach_axis *axis = j->axis;
    const npc_reach slices = npc_reach_of(&axis[0], d), rows = npc_reach_of(&axis[1], h);
    const npc_reach columns = npc_reach_of(&axis[2], w);
    double total = 0;
    for (int64_t i = 0; i < slices.count; i++)
        for (int64_t k = 0; k < rows.count; k++)
            for (int64_t at = 0; at < columns.count; at += SPAN) {
                /* Spaced elements that are read by a function come one by one. */
                const int single = axis[2].spacing > 1 && j->sum->read;
                int64_t count = npc_min(SPAN, columns.count - at);
                for (int64_t l = 0; l < count; l += single ? 1 : count) {
                    double part = 0;
                    const npc_sum_run run =
                        run_at(j, plane, slices.first + i * axis[0].spacing,
                               rows.first + k * axis[1].spacing,
                               columns.first + (at + l) * axis[2].spacing, single ? 1 : count);
                    read_run(j, run, axis[2].spacing, stage);
                    npc_run_sum(j->sum->kernels, stage, run.count, &part);
                    total += npc_load((const char *)&part, j->sum->dtype, 0);
                }
            }
    if (axis[0].backward) return j->divisor > 0 ? total / j->divisor : total;
    double divisor = j->divisor;
    if (divisor == 0)
        divisor = npc_sum_window(j, 0, d) * npc_sum_window(j, 1, h) * npc_sum_window(j, 2, w);
    return divisor == 0 ? 0 : total / divisor;
}

/* ---- blocks of columns ---- */

static void even_block(const npc_sum_job *j, block *b)
{
    const npc_reach_axis *axis = &j->axis[2];
    const int64_t step = axis->backward ? 1 : axis->step;
    const int64_t reach = j->most - j->least + 1;
    const int64_t room =
        (2 * reach * j->group <= USUAL_SPAN ? USUAL_SPAN : SPAN) / j->group - reach;
    b->count = npc_min((room / step + 1) * j->phases, axis->target - b->w);
    b->count = npc_min(b->count, SPAN);
    b->low = b->w / j->phases * step + j->least;
    b->span = (npc_ceil_div(b->count, j->phases) - 1) * step + j->most - j->least + 1;
}

/* What each pixel meets; of fewer pixels, if they meet too much. */
static void uneven_block(const npc_sum_job *j, block *b, int32_t *table)
{
    const npc_reach_axis *axis = &j->axis[2];
    const int64_t most = SPAN / j->group;
    const npc_reach first = npc_reach_of(axis, b->w);
    int64_t high = 0;
    b->low = first.first;
    b->count = 0;
    b->alone = 0;
    while (b->w + b->count < axis->target && b->count < SPAN) {
        const npc_reach reach = npc_reach_of(axis, b->w + b->count);
        if (reach.count > 0) {
            const int64_t low = high > 0 ? npc_min(b->low, reach.first) : reach.first;
            const int64_t end = reach.first + (reach.count - 1) * axis->spacing + 1;
            if (npc_max(high, end) - low > most) break;
            if (low < b->low)
                for (int64_t i = 0; i < b->count; i++)
                    if (table[2 * i + 1]) table[2 * i] += (int32_t)(b->low - low);
            b->low = low;
            high = npc_max(high, end);
        }
        table[2 * b->count] = reach.count > 0 ? (int32_t)(reach.first - b->low) : 0;
        table[2 * b->count++ + 1] = (int32_t)reach.count;
    }
    if (b->count == 0) {
        b->count = 1;
        b->alone = 1;
    }
    b->span = npc_max(high - b->low, 0);
}

static void set_block(const npc_sum_job *j, const workspace *s, block *b)
{
    const npc_reach_axis *axis = &j->axis[2];
    b->alone = 0;
    if (j->even)
        even_block(j, b);
    else
        uneven_block(j, b, s->reach);
    if (b->alone) return;
    b->begin = npc_min(npc_max(b->low, 0), axis->source);
    b->end = npc_max(npc_min(b->low + b->span, axis->source), b->begin);
    memset(s->sums, 0, (size_t)((b->span * j->group + SLACK) * j->size));
    if (j->divisor != 0) return;
    if (axis->backward)
        for (int64_t i = b->begin; i < b->end; i++)
            for (int64_t c = 0; c < j->group; c++)
                put(j, s->column_divisor, (i - b->begin) * j->group + c, npc_sum_window(j, 2, i));
    else
        for (int64_t i = 0; i < b->count; i++)
            put(j, s->last_divisor, i, npc_max((int64_t)npc_sum_window(j, 2, b->w + i), 1));
}

/* ---- rows ---- */

typedef struct met_rows {
    npc_reach slices, rows;
    double size; /* of their windows, from the outputs */
} met_rows;

static met_rows rows_of(const npc_sum_job *j, int64_t d, int64_t h)
{
    met_rows found = {npc_reach_of(&j->axis[0], d), npc_reach_of(&j->axis[1], h), 1};
    if (!j->axis[0].backward && j->divisor == 0)
        found.size = npc_sum_window(j, 0, d) * npc_sum_window(j, 1, h);
    return found;
}

/* The rows' sums, read one by one. */
static void sum_by_reading(const npc_sum_job *j, const workspace *s, const block *b,
                           const met_rows *met, int64_t plane)
{
    const int64_t count = b->end - b->begin;
    char *to = s->sums + (b->begin - b->low) * j->size;
    memset(to, 0, (size_t)(count * j->size));
    if (count == 0) return;
    for (int64_t i = 0; i < met->slices.count; i++)
        for (int64_t k = 0; k < met->rows.count; k++) {
            const int64_t z = met->slices.first + i * j->axis[0].spacing;
            const int64_t y = met->rows.first + k * j->axis[1].spacing;
            char *stage = i + k ? s->stage : to;
            read_run(j, run_at(j, plane, z, y, b->begin, count), 1, stage);
            if (i + k) npc_run_add(j->sum->kernels, to, stage, count);
        }
    if (!j->axis[0].backward || j->divisor == 0 || j->divisor == 1) return;
    const double factor = 1 / j->divisor;
    for (int64_t i = 0; i < count; i++) {
        if (j->size == 4)
            ((float *)to)[i] *= (float)factor;
        else
            ((double *)to)[i] *= factor;
    }
}

/* Where in the plane the rows lie that the kernel sums, and their divisors. */
static void list_rows(const npc_sum_job *j, const workspace *s, const met_rows *met,
                      npc_window_sum_args *args)
{
    const int weighted = j->axis[0].backward && j->divisor == 0;
    const int64_t *stride = j->sum->from->stride;
    args->row_count = 0;
    for (int64_t i = 0; i < met->slices.count; i++)
        for (int64_t k = 0; k < met->rows.count; k++) {
            const int64_t z = i * j->axis[0].spacing, y = k * j->axis[1].spacing;
            if (weighted)
                put(j, s->row_divisor, args->row_count,
                    npc_sum_window(j, 0, met->slices.first + z) *
                        npc_sum_window(j, 1, met->rows.first + y));
            s->row[args->row_count++] = (z * stride[2] + y * stride[3]) / j->size;
        }
    args->row = s->row;
    if (weighted) args->row_divisor = s->row_divisor;
}

static int64_t row_count(const met_rows *met)
{
    return met->slices.count > MAX_ROWS || met->rows.count > MAX_ROWS
               ? MAX_ROWS + 1
               : met->slices.count * met->rows.count;
}

static void set_args(const npc_sum_job *j, const workspace *s, const block *b, const void *constant,
                     npc_window_sum_args *args)
{
    const int backward = j->axis[0].backward;
    *args = (npc_window_sum_args){.columns = (b->end - b->begin) * j->group,
                                  .sums = s->sums + (b->begin - b->low) * j->group * j->size,
                                  .terms = s->sums,
                                  .group = j->group,
                                  .step = backward || !j->even ? 1 : j->axis[2].step,
                                  .spacing = j->axis[2].spacing,
                                  .phases = j->even ? j->phases : 1,
                                  .first_term = j->first_term,
                                  .pixel_offset = j->offset,
                                  .reach = j->even ? NULL : s->reach,
                                  .stream = j->stream,
                                  .count = b->count,
                                  .rows = 1,
                                  .planes = 1};
    if (j->divisor == 0 && backward) args->column_divisor = s->column_divisor;
    if (j->divisor == 0 && !backward) args->last_divisor = s->last_divisor;
    if (j->divisor != 0 && j->divisor != 1) {
        if (backward)
            args->middle = constant;
        else
            args->factor = constant;
    }
}

/* The rows h + i * row_phases of the target that meet rows at even distances; returns how many. */
static int64_t like_rows(const npc_sum_job *j, const met_rows *met, int64_t d, int64_t h,
                         int64_t end, int64_t *advance)
{
    int64_t count = 1;
    *advance = 0;
    if (j->axis[0].backward && j->divisor == 0) return 1;
    for (int64_t i = h + j->row_phases; i < end; i += j->row_phases, count++) {
        const met_rows next = rows_of(j, d, i);
        if (count == 1) *advance = next.rows.first - met->rows.first;
        if (next.rows.count != met->rows.count || next.size != met->size ||
            next.rows.first != met->rows.first + count * *advance)
            break;
    }
    return count;
}

/* Rows [h, end) of slice d of planes [plane, plane_end), columns of the block. */
static void sum_rows(const npc_sum_job *j, const workspace *s, const block *b, int64_t plane,
                     int64_t plane_end, int64_t d, int64_t h, int64_t end)
{
    const npc_array *x = j->sum->from, *y = j->sum->to;
    double constant = 0, factor = 0;
    npc_window_sum_args base;
    put(j, (char *)&constant, 0, j->axis[0].backward ? 1 / j->divisor : j->divisor);
    set_args(j, s, b, &constant, &base);
    for (int64_t phase = 0; phase < j->row_phases; phase++) {
        int64_t count = 1;
        for (int64_t i = h + phase; i < end; i += count * j->row_phases) {
            const met_rows met = rows_of(j, d, i);
            const int64_t sources = row_count(&met);
            npc_window_sum_args args = base;
            int64_t advance = 0;
            count = 1;
            if (args.last_divisor) {
                put(j, (char *)&factor, 0, met.size > 0 ? met.size : 1);
                args.factor = &factor;
            }
            if (sources == 0) memset(args.sums, 0, (size_t)(args.columns * j->size));
            const int kernel_reads = j->from_in_place && sources <= MAX_ROWS && sources > 0;
            if (kernel_reads) list_rows(j, s, &met, &args);
            if (kernel_reads && j->to_in_place) count = like_rows(j, &met, d, i, end, &advance);
            const int together = j->to_in_place && (kernel_reads || sources == 0);
            args.rows = count;
            args.row_advance = advance * x->stride[3] / j->size;
            args.out_row_advance = j->row_phases * y->stride[3] / j->size;
            args.planes = together ? plane_end - plane : 1;
            args.plane_advance = x->stride[j->group > 1 ? 0 : 1] / j->size;
            args.out_plane_advance = y->stride[j->group > 1 ? 0 : 1] / j->size;
            for (int64_t p = plane; p < plane_end; p += args.planes) {
                char *to =
                    plane_of(j, y, p) + d * y->stride[2] + i * y->stride[3] + b->w * y->stride[4];
                if (kernel_reads)
                    args.from = plane_of(j, x, p) + met.slices.first * x->stride[2] +
                                met.rows.first * x->stride[3] + b->begin * x->stride[4];
                else if (sources > 0)
                    sum_by_reading(j, s, b, &met, p);
                args.out = j->to_in_place ? to : s->out;
                npc_run_window_sum(j->sum->kernels, &args);
                if (j->sum->finish) {
                    const npc_sum_run run = run_at(j, p, d, i, b->w, b->count);
                    j->sum->finish(j->sum->context, &run, s->out);
                }
                if (!j->to_in_place)
                    npc_write_run(s->out, j->sum->dtype, to, y->stride[4], b->count);
            }
        }
    }
}

static void rows_alone(const npc_sum_job *j, const workspace *s, const block *b, int64_t plane,
                       int64_t d, int64_t h, int64_t end)
{
    const npc_array *y = j->sum->to;
    for (; h < end; h++)
        for (int64_t c = 0; c < j->group; c++) {
            const int64_t p = plane * j->group + c;
            char *to = y->data + p / j->sum->channels * y->stride[0] +
                       p % j->sum->channels * y->stride[1] + d * y->stride[2] + h * y->stride[3] +
                       b->w * y->stride[4];
            put(j, s->out, 0, pixel_alone(j, p, d, h, b->w, s->stage));
            if (j->sum->finish) {
                const npc_sum_run run = run_at(j, p, d, h, b->w, 1);
                j->sum->finish(j->sum->context, &run, s->out);
            }
            memcpy(to, s->out, (size_t)j->size);
        }
}

/* ---- pieces ---- */

npc_status npc_sum_piece(void *context, int64_t piece, void *scratch)
{
    const npc_sum_job *j = context;
    const npc_reach_axis *axis = j->axis;
    const size_t row = (SPAN + 2 * SLACK) * (size_t)j->size;
    const int64_t part = piece % j->row_pieces, rows = axis[0].target * axis[1].target;
    const int64_t plane = piece / j->row_pieces * j->planes_a_piece;
    const int64_t plane_end = npc_min(plane + j->planes_a_piece, j->planes);
    const int64_t begin = part * j->rows_a_piece;
    const int64_t end = npc_min(begin + j->rows_a_piece, rows);
    /* Planes that do not follow each other evenly go one by one. */
    const int64_t *from = j->sum->from->stride, *to = j->sum->to->stride;
    const int64_t channels = j->sum->channels;
    const int linear = j->group > 1 || (from[0] == channels * from[1] && to[0] == channels * to[1]);
    const int64_t at_once = linear ? plane_end - plane : 1;
    char *cursor = scratch;
    workspace s;
    s.sums = npc_scratch_take(&cursor, row);
    s.stage = npc_scratch_take(&cursor, row);
    s.out = npc_scratch_take(&cursor, row);
    s.last_divisor = npc_scratch_take(&cursor, row);
    s.column_divisor = npc_scratch_take(&cursor, row);
    s.row_divisor = npc_scratch_take(&cursor, MAX_ROWS * (size_t)j->size);
    s.row = npc_scratch_take(&cursor, MAX_ROWS * sizeof *s.row);
    s.reach = npc_scratch_take(&cursor, 2 * SPAN * sizeof *s.reach);

    block b = {0};
    for (b.w = 0; b.w < axis[2].target; b.w += b.count) {
        set_block(j, &s, &b);
        for (int64_t p = plane; p < plane_end; p += at_once) {
            int64_t r = begin;
            while (r < end) { /* slice by slice */
                const int64_t d = r / axis[1].target, h = r % axis[1].target;
                const int64_t h_end = npc_min(h + end - r, axis[1].target);
                if (b.alone)
                    for (int64_t q = p; q < p + at_once; q++) rows_alone(j, &s, &b, q, d, h, h_end);
                else
                    sum_rows(j, &s, &b, p, p + at_once, d, h, h_end);
                r += h_end - h;
            }
        }
    }
    if (j->stream) npc_run_fence(j->sum->kernels);
    return NPC_OK;
}

size_t npc_sum_scratch(const npc_sum_job *j)
{
    const size_t size = (size_t)j->size;
    return 5 * npc_round_up((SPAN + 2 * SLACK) * size, NPC_CACHE_LINE) +
           MAX_ROWS * (size + sizeof(int64_t)) + 2 * SPAN * sizeof(int32_t);
}
