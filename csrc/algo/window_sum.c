/* Sums of windows in two steps: down the rows of the source, all columns at once, and along the row
 * of those sums. Whatever lies in the array in no usable way is read row by row, in the same order.
 *
 * Along the rows, windows at even steps are vectors of every step-th element; others, and windows
 * of very many taps, go by a table of what each pixel meets. Where a row's part is too long for
 * scratch, the pixel is summed on its own. Channels may be innermost: a pixel is then a group of
 * elements. */
#include "../core/dtype.h"
#include "../plan/simple_plan.h"
#include "window_sum_job.h"

#define FLOPS_AN_ELEMENT 40.0 /* what takes as long as to read one and share out its sum */

/* Lists the terms of windows at even steps; returns 0 if they go by table instead. */
static int list_terms(npc_sum_job *j)
{
    const npc_reach_axis *axis = &j->axis[2];
    if (axis->adaptive || axis->taps > MAX_TERMS) return 0;
    if (axis->backward && axis->step > 2) return 0;
    if ((axis->taps - 1) * axis->dilation >= SPAN / j->group) return 0;
    j->phases = axis->backward ? (int)axis->step : 1;
    int64_t count = 0;
    for (int p = 0; p < j->phases; p++) {
        j->first_term[p] = count;
        for (int64_t i = 0; i < axis->taps; i++) {
            /* Backward, later taps are those of earlier outputs. */
            const int64_t t = axis->backward ? axis->taps - 1 - i : i;
            const int64_t distance = axis->backward ? p - axis->first - t * axis->dilation
                                                    : axis->first + t * axis->dilation;
            if (distance % j->phases) continue;
            const int64_t offset = distance / j->phases;
            j->least = count ? npc_min(j->least, offset) : offset;
            j->most = count ? npc_max(j->most, offset) : offset;
            j->offset[count++] = offset;
        }
    }
    j->first_term[j->phases] = count;
    for (int64_t k = 0; k < count; k++) j->offset[k] -= j->least;
    return 1;
}

/* Whether every window along an axis has the same number of elements. */
static int same_windows(const npc_reach_axis *axis, int include_pad)
{
    const int64_t input = axis->backward ? axis->target : axis->source;
    const int64_t outputs = axis->backward ? axis->source : axis->target;
    if (axis->adaptive) return input % outputs == 0;
    return npc_reach_window(axis, 0, include_pad) == axis->taps &&
           npc_reach_window(axis, outputs - 1, include_pad) == axis->taps;
}

static int whole_elements(const npc_array *array, int64_t size)
{
    for (int i = 0; i < NPC_AXES; i++)
        if (array->stride[i] % size) return 0;
    return 1;
}

static int is_grouped(const npc_window_sum *sum, const npc_array *array, int64_t size)
{
    return sum->channels > 1 && sum->channels <= SPAN && array->stride[1] == size &&
           array->stride[4] == sum->channels * size;
}

static void plan(npc_sum_job *j)
{
    const npc_window_sum *sum = j->sum;
    const npc_array *x = sum->from, *y = sum->to;
    j->axis = sum->axis;
    j->size = (int64_t)npc_dtype_size(sum->dtype);
    const int plain = !sum->read && !sum->finish && npc_is_plain(x, sum->dtype) &&
                      whole_elements(x, j->size) && whole_elements(y, j->size);
    const int grouped = plain && is_grouped(sum, x, j->size) && is_grouped(sum, y, j->size);
    j->group = grouped ? sum->channels : 1;
    j->even = list_terms(j);
    j->from_in_place = plain && (j->group > 1 || x->stride[4] == j->size);
    j->to_in_place =
        !sum->finish && whole_elements(y, j->size) && (j->group > 1 || y->stride[4] == j->size);
    j->planes = sum->batch * (sum->channels / j->group);
    j->stream = j->to_in_place && npc_beyond_caches(y, sum->batch, sum->channels, j->axis[0].target,
                                                    j->axis[1].target, j->axis[2].target, j->size);
    j->row_phases =
        j->axis[1].backward && !j->axis[1].adaptive && j->axis[1].step <= 16 ? j->axis[1].step : 1;
    j->divisor = sum->divisor;
    if (sum->divisor == 0) {
        double all = 1;
        int same = 1;
        for (int i = 0; i < NPC_SPATIAL; i++) {
            same &= same_windows(&j->axis[i], sum->include_pad);
            all *= npc_sum_window(j, i, 0);
        }
        if (same) j->divisor = all;
    }
    const int64_t rows = j->axis[0].target * j->axis[1].target;
    const int64_t source_rows = j->axis[0].source * j->axis[1].source;
    const double bytes =
        (double)(j->size * j->group) * ((double)rows * (double)j->axis[2].target +
                                        (double)source_rows * (double)j->axis[2].source);
    j->rows_a_piece = rows;
    j->planes_a_piece =
        bytes < PIECE_BYTES ? (int64_t)(PIECE_BYTES / npc_max((int64_t)bytes, 64)) : 1;
    if (bytes > 2 * PIECE_BYTES) {
        const int64_t parts = (int64_t)npc_min((int64_t)(bytes / PIECE_BYTES), rows);
        j->rows_a_piece = npc_ceil_div(rows, parts);
        j->rows_a_piece = npc_ceil_div(j->rows_a_piece, j->row_phases) * j->row_phases;
    }
    j->row_pieces = npc_ceil_div(rows, j->rows_a_piece);
}

/* Whether C can index with these sizes. */
static npc_status check(const npc_pool_geometry *g)
{
    if (g->batch < 0 || g->channels < 0) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        int64_t span, last;
        if (g->input[i] < 0 || g->output[i] < 0) return NPC_INVALID_GEOMETRY;
        if (g->adaptive) continue;
        if (g->kernel[i] < 1 || g->stride[i] < 1 || g->dilation[i] < 1 || g->pad_before[i] < 0 ||
            g->pad_after[i] < 0)
            return NPC_INVALID_GEOMETRY;
        if (__builtin_mul_overflow(g->kernel[i] - 1, g->dilation[i], &span) ||
            __builtin_mul_overflow(g->output[i], g->stride[i], &last) ||
            __builtin_add_overflow(span, last, &span) ||
            __builtin_add_overflow(g->input[i], g->pad_after[i], &last))
            return NPC_INVALID_GEOMETRY;
    }
    return NPC_OK;
}

npc_status npc_window_sum_set(npc_window_sum *sum, const npc_pool_geometry *g, int backward,
                              const npc_array *from, const npc_array *to, npc_dtype dtype,
                              const npc_options *options)
{
    *sum = (npc_window_sum){.from = from,
                            .to = to,
                            .dtype = dtype,
                            .batch = g->batch,
                            .channels = g->channels,
                            .divisor = 1};
    npc_status status = check(g);
    if (status == NPC_OK) status = npc_simple_kernels(options, dtype, &sum->kernels);
    if (status != NPC_OK) return status;
    for (int i = 0; i < NPC_SPATIAL; i++) npc_reach_set(&sum->axis[i], g, i, backward);
    return NPC_OK;
}

npc_status npc_window_sum_run(const npc_window_sum *sum, const char *operation,
                              const npc_options *options, npc_plan_info *info)
{
    double work = FLOPS_AN_ELEMENT * (double)sum->batch * (double)sum->channels;
    for (int i = 0; i < NPC_SPATIAL; i++)
        work *= (double)npc_max(sum->axis[i].target, sum->axis[i].source);
    npc_team team = npc_make_team(options, work);
    npc_status status = NPC_OK;
    if (work > 0 && sum->axis[0].target * sum->axis[1].target * sum->axis[2].target > 0) {
        npc_sum_job j = {.sum = sum};
        plan(&j);
        status = npc_parallel_for(&team, npc_ceil_div(j.planes, j.planes_a_piece) * j.row_pieces,
                                  npc_sum_scratch(&j), npc_sum_piece, &j);
    }
    npc_simple_info(info, operation, sum->kernels, &team);
    return status;
}
