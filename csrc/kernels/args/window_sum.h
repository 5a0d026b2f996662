/* window_sum.h: what kernels take for sums of windows. */
#ifndef NPC_KERNELS_ARGS_WINDOW_SUM_H
#define NPC_KERNELS_ARGS_WINDOW_SUM_H

#include "../../core/common.h"

/* Sums of windows of a pooling, or of the outputs that reach an input of it, in two steps: down the
 * rows of the source, into `sums`, then along it. Rows of the result are done for `planes` planes;
 * their sources lie `row_advance` apart, those of planes `plane_advance`.
 *
 * sums[i] = the sum over r < row_count of from[row[r] + i], i < columns; if row_count is 0 it is
 * there already. Elements are divided by row_divisor[r] * column_divisor[i] before they are added,
 * and the sum is multiplied by *middle, where those are not NULL.
 *
 * Pixels have `group` elements. Pixel w * phases + p of the result is the sum over the terms k of
 * the phase, first_term[p] <= k < first_term[p + 1], of pixel w * step + pixel_offset[k] of
 * `terms`, which holds `sums` and zeros around them, and can be read two vectors further. Or, where
 * `reach` is given, pixel w is that of pixels reach[2 w] + i * spacing, i < reach[2 w + 1]. Where
 * `last_divisor` is given, that is divided by *factor * last_divisor[w], or if only `factor` is, by
 * *factor. At most two phases, one if step is not 1. */
typedef struct npc_window_sum_args {
    const void *from;
    const int64_t *row;
    int64_t row_count, columns;
    const void *row_divisor, *column_divisor, *middle;
    void *sums;
    const void *terms;
    int64_t group, step, spacing;
    int phases;
    const int64_t *first_term, *pixel_offset;
    const int32_t *reach;
    const void *factor, *last_divisor;
    void *out;
    int stream;    /* write whole vectors of pairs past the caches: rows are aligned */
    int64_t count; /* pixels of a row of the result */
    int64_t rows, row_advance, out_row_advance, planes, plane_advance, out_plane_advance;
} npc_window_sum_args;
typedef void npc_window_sum_fn(const npc_window_sum_args *args);

#endif
