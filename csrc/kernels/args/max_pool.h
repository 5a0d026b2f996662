/* max_pool.h: what kernels take for max-pooling and its gradient. */
#ifndef NPC_KERNELS_ARGS_MAX_POOL_H
#define NPC_KERNELS_ARGS_MAX_POOL_H

#include "../../core/common.h"

/* Max-pooling, in two steps that both keep the first of equals, and the first NaN before all else.
 * Numbers are integers of the size of an element; rows of `best` and `number` are `pitch` elements
 * apart and end in whole vectors.
 *
 * max_row, along the rows: best[j][i] is the maximum over the taps s of
 * from[j * from_pitch + i * step + offset[s]], step 1 or 2, number[j][i] the winner's
 * s * number_step. `pairs`: offset[s] is s and step is 2. number may be NULL.
 * Elements outside of [lowest, highest) from a row's `from` count as minus infinity; where there
 * are such, offsets ascend from 0. */
typedef struct npc_max_row_args {
    const void *from;
    int64_t from_pitch, rows, step, count;
    const int64_t *offset;
    int64_t taps, number_step, lowest, highest;
    int pairs;
    void *best, *number;
    int64_t pitch;
    int smallest; /* minima; padding then counts as infinity */
} npc_max_row_args;
typedef void npc_max_row_fn(const npc_max_row_args *args);
/* max_column, across them: out[j][i] is the maximum over r of best[j * row_step + row[r]][i]. The
 * index, to one of index64 and index8 (or to neither), is the winner's number + row_number[r] +
 * base + j * base_row + i * base_step. Everything fits an integer of the size of an element. */
typedef struct npc_max_column_args {
    const void *best, *number;
    int64_t pitch, row_step;
    const int64_t *row, *row_number;
    int64_t row_count, rows, count;
    void *out;
    int64_t out_pitch;
    int64_t *index64;
    uint8_t *index8;
    int64_t index_pitch, base, base_row, base_step;
    int smallest;
} npc_max_column_args;
typedef void npc_max_column_fn(const npc_max_column_args *args);

/* Both steps at once, for windows of `size` x `size` elements `step` apart, 3 at step 1 or 2, or 2
 * at step 2: out[h][w] is the maximum over r, s of
 *     plane[(first_row + h * step + r) * row_pitch + first_column + w * step + s],
 * rows outside of [0, height) and columns outside of [0, width) left out. Where nothing is outside,
 * the winner's r * size + s may be asked for: to index[h * index_pitch + w]. */
enum { NPC_MAX_PLANE_SIZE = 3 };
typedef struct npc_max_plane_args {
    const void *plane;
    int64_t row_pitch, height, width, size, step, first_row, first_column, rows, columns;
    void *out;
    int64_t out_pitch;
    uint8_t *index; /* NULL: not wanted */
    int64_t index_pitch;
    int smallest;
} npc_max_plane_args;
typedef void npc_max_plane_fn(const npc_max_plane_args *args);

/* Whether all of `count` int64 are in [0, limit). */
typedef int npc_in_range_fn(const int64_t *from, int64_t count, int64_t limit);

/* Adds from[i], i < count, to to[index[i] - origin], in order, or if not `add` puts it there.
 * Returns 0, halfway, if one of those is not in [0, limit). Meanwhile, a few at a time, `leave`
 * elements go from `rows` to `out`, past the caches, and leave zeros; `out` is a cache line's
 * beginning, or the end of them is in the same line. */
typedef struct npc_scatter_run_args {
    void *to;
    const void *from;
    const int64_t *index;
    int64_t count, origin, limit;
    int add;
    void *rows, *out;
    int64_t leave;
} npc_scatter_run_args;
typedef int npc_scatter_run_fn(const npc_scatter_run_args *args);

/* Rows of a max-pooling's input gradient whose windows lie side by side, two elements wide and
 * `window_rows` high: element 2 * i + s of row j * window_rows + r of `to` is grad[j * grad_pitch +
 * i] where the index of (j, i) is base + j * base_row + i * base_step + r * row_distance + s, else
 * zero. Returns whether that holds somewhere for each index; one of index64, below 2^31, and index8
 * is given. */
typedef struct npc_unpool_tiles_args {
    const void *grad;
    int64_t grad_pitch, rows, count;
    const int64_t *index64;
    const uint8_t *index8;
    int64_t index_pitch, base, base_row, base_step, row_distance, window_rows;
    void *to;
    int64_t to_pitch;
    int stream;
} npc_unpool_tiles_args;
typedef int npc_unpool_tiles_fn(const npc_unpool_tiles_args *args);
/* The same where channels are innermost: pixel w of a row of `count`, `group` elements each, is the
 * maximum (minimum) over the taps k of from[w * step + offset[k]], and its index, to one of index64
 * and index8 or neither, is number[k] of the winner + base + w * base_step. */
typedef struct npc_max_pixels_args {
    const void *from;
    int64_t step, group, count, taps;
    const int64_t *offset, *number;
    int smallest;
    void *out;
    int64_t *index64;
    uint8_t *index8;
    int64_t base, base_step;
} npc_max_pixels_args;
typedef void npc_max_pixels_fn(const npc_max_pixels_args *args);

/* Its gradient: adds grad[w * group + c], w < count, c < group, to to[(index[w * group + c] -
 * origin)
 * * group + c], in order, where that difference is in [0, limit). Returns how many are. */
typedef struct npc_unpool_pixels_args {
    const void *grad;
    const int64_t *index;
    int64_t group, count, origin, limit;
    void *to;
} npc_unpool_pixels_args;
typedef int64_t npc_unpool_pixels_fn(const npc_unpool_pixels_args *args);
/* The same by taps, for a row of `count` pixels of dy with `group` elements each. Where the index
 * of element c of pixel w is number[k] + w * base_step, begin[k] <= w < end[k], the element is
 * added to to[offset[k] + w * step + c]; or if `set`, that is set to it, and to zero where the
 * index is another. Taps k come one after the other. Returns how many indices were met.
 *
 * One of index64, which are below 2^31, and index8 is given; `numbers` has room for count * group
 * numbers of the size of an element and a vector more. */
typedef struct npc_unpool_taps_args {
    const void *grad;
    const int64_t *index64;
    const uint8_t *index8;
    int64_t group, count, step, base_step, taps;
    const int64_t *offset, *number, *begin, *end;
    int set;
    void *numbers, *to;
} npc_unpool_taps_args;
typedef int64_t npc_unpool_taps_fn(const npc_unpool_taps_args *args);

#endif
