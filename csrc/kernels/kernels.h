/* kernels.h: the kernel table, the only door between algorithms and instruction sets.
 *
 * Kernels know pointers, strides and counts. They allocate nothing, report nothing, and read or
 * write nothing beyond what their arguments name. All strides and offsets are in elements unless a
 * name ends in _bytes. Names: npc_<dtype>_<kernel>_<tile>__<isa>.
 */
#ifndef NPC_KERNELS_KERNELS_H
#define NPC_KERNELS_KERNELS_H

#include "../core/common.h"
#include "../core/cpu.h"
#include "../include/npc.h"

enum {
    NPC_MAX_ROWS = 14,       /* of a UK1 tile */
    NPC_MAX_VECS = 4,        /* likewise */
    NPC_MAX_TILE = 64,       /* the most lanes of a tile: 4 vectors of 16 floats */
    NPC_MAX_SMALL_TAPS = 16, /* of a kernel's row */
    NPC_MAX_DOT_ROWS = 4,
    NPC_MAX_DOT_COLS = 6,
    NPC_DEPTHWISE_ROWS = 4, /* of the result, computed at once */
    NPC_DEPTHWISE_SIZE = 5  /* of the largest kernel with a loop of its own */
};

/* A vector of a packed panel row gathers its lanes from stretches of the source: lanes of a segment
 * come from (base + offset)[lane * step]; lanes in no segment are zero (they lie in the padding).
 * At step 1 bit i of `mask` stands for lane i, at step 2 bit 2 i does: for the element that is
 * read. */
typedef struct npc_pack_segment {
    int64_t offset_bytes; /* of lane 0, which need not exist, from the channel's first element */
    uint32_t mask;        /* of the elements read */
    uint32_t last;        /* whether it is the vector's last segment */
} npc_pack_segment;

/* Where the rows of a panel come from: row k is tap k % taps of channel k / taps. Every vector of a
 * row has at least one segment. */
typedef struct npc_pack_source {
    const char *base; /* the first channel */
    int64_t channel_stride_bytes;
    int64_t ahead_bytes; /* what is read so far behind is fetched into the cache meanwhile */
    const npc_pack_segment *segments; /* of tap 0, vector after vector, tap after tap */
    int64_t step;                     /* 1 or 2 */
    int64_t taps;
    const npc_pack_segment *first; /* of the first row's tap */
    int64_t first_taps;            /* that its channel has left, that row's included */
} npc_pack_source;

/* UK1, rows x panel: c[i][j] = sum over k of a[i][k] * b[k * b_stride + j], for each row i and the
 * tile's lanes j. The depth comes in blocks, the first `long_blocks` of them one step longer than
 * `block_depth`. Each block is one chain of fused multiply-adds from zero in order of k (multiply,
 * then add, where the ISA has no fma), whatever the tile; the blocks are added in order, to what c
 * holds if `accumulate` is set; `bias` (one per row, or NULL) or `lane_bias` (one per lane, in
 * whole vectors, or NULL) is added last. The packing variant fills the panel's rows from `source`
 * as it multiplies, which hides the packing behind the arithmetic. The other variant fetches lines
 * that will be wanted soon into L2, at a pace that leaves room for its own reads: in each block,
 * one every `ahead_pace` steps (a power of two) until `ahead_count` are fetched, `ahead_step_bytes`
 * apart; the next block goes on `ahead_jump_bytes` further. The addresses need not exist. */
typedef struct npc_uk1_args {
    int64_t blocks, block_depth, long_blocks;
    const void *a[NPC_MAX_ROWS];
    void *b;
    int64_t b_stride;
    void *c[NPC_MAX_ROWS];
    const void *bias, *lane_bias;
    int32_t accumulate;
    int32_t last_lanes;            /* lanes of the tile's last vector that are stored, >= 1 */
    const npc_pack_source *source; /* NULL: the panel is packed */
    const char *ahead;             /* used if ahead_count > 0 */
    int64_t ahead_count, ahead_pace, ahead_step_bytes, ahead_jump_bytes;
} npc_uk1_args;

/* UK2, rows x pixels wherever they lie: as UK1, but step k reads its lanes at b + offset_bytes[k].
 * Sums of blocks stay in `partial` (rows x vecs vectors) until the last; c is written once and not
 * read. `tiles` tiles follow each other in c, and in b `b_tile_bytes` apart. */
typedef struct npc_uk2_args {
    int64_t blocks, block_depth, long_blocks;
    const void *a[NPC_MAX_ROWS];
    const void *b;
    const int64_t *offset_bytes;
    void *partial; /* aligned to vectors; not used if there is one block */
    void *c[NPC_MAX_ROWS];
    const void *bias;
    int64_t tiles, b_tile_bytes;
    int32_t last_lanes; /* of the last tile */
    int32_t stream;     /* whole vectors go past the caches, for which c must be aligned to vectors;
                         * a fence must follow before other threads may read c */
} npc_uk2_args;

/* UK3, rows x lanes over stretches of pixels: c[i * c_stride + j] = sum over the pixels of all runs
 * of a[i][pixel] * b[pixel][j]. Pixel p < count of a run lies at a[i] + offset_bytes + p *
 * a_step_bytes and at b + pixel * pixel_bytes + p * b_step_bytes. Chains of fused multiply-adds
 * from zero go through the runs up to one marked `last`, as the last of all is; chains are added in
 * order, to what c holds if `accumulate` is set. */
typedef struct npc_uk3_run {
    int64_t offset_bytes;
    int32_t pixel, count;
    int32_t last;
} npc_uk3_run;

typedef struct npc_uk3_args {
    const npc_uk3_run *run;
    int64_t runs;
    const void *a[NPC_MAX_ROWS];
    const void *b;
    int64_t a_step_bytes, b_step_bytes, pixel_bytes;
    void *c;
    int64_t c_stride;
    int32_t accumulate;
} npc_uk3_args;

/* Spreads rows of an image: element j of row i of tap t becomes the image's element
 * (from + i * row_stride_bytes + tap[t].offset_bytes)[(j - begin) * step] if begin <= j < end, else
 * zero, for 0 <= j < count. Of each tap's rows the first and last few are zero. Rows of a tap
 * follow each other, and up to a vector behind the last row of a tap is written too. */
typedef struct npc_spread_tap {
    int64_t offset_bytes, begin, end; /* begin == end: all zero */
} npc_spread_tap;

typedef struct npc_spread_args {
    const void *from;
    int64_t row_stride_bytes, step;
    int64_t zeros_before, rows, zeros_after;
    int64_t count, taps;
    const npc_spread_tap *tap;
    void *to;
    int64_t to_stride; /* from tap to tap */
} npc_spread_args;

/* Packs `rows` rows of `vecs` vectors. */
typedef struct npc_pack_args {
    npc_pack_source source;
    int64_t rows, vecs;
    void *panel;
    int64_t panel_stride;
} npc_pack_args;

/* Dot products: c[i * c_stride + j] = sum over p < depth of a[i][p] * b[j * b_stride + p]. */
typedef struct npc_dot_args {
    int64_t depth;
    const void *a[NPC_MAX_DOT_ROWS];
    const void *b;
    int64_t b_stride;
    void *c;
    int64_t c_stride;
    int32_t accumulate;
} npc_dot_args;

typedef void npc_uk1_fn(const npc_uk1_args *args);
typedef void npc_uk2_fn(const npc_uk2_args *args);
typedef void npc_uk3_fn(const npc_uk3_args *args);
typedef void npc_spread_fn(const npc_spread_args *args);
typedef void npc_pack_fn(const npc_pack_args *args);
typedef void npc_dot_fn(const npc_dot_args *args);

/* Whether rows x cols elements, rows `stride` apart, hold a NaN. */
typedef int npc_has_nan_fn(const void *c, int64_t stride, int64_t rows, int64_t cols);
/* to[i] += from[i] */
typedef void npc_add_fn(void *to, const void *from, int64_t count);
/* *total = the sum of count elements. */
typedef void npc_sum_fn(const void *from, int64_t count, void *total);
/* Whether none of count elements is infinite or NaN. */
typedef int npc_all_finite_fn(const void *from, int64_t count);
/* Orders stores past the caches before what follows. */
typedef void npc_fence_fn(void);
/* A panel from what UK2 reads: `rows` rows of `vecs` vectors, row k from from + offset_bytes[k]. */
typedef void npc_collect_fn(const void *from, const int64_t *offset_bytes, int64_t rows,
                            int64_t vecs, void *panel);
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
/* to[i][j] = activation(from[i][j] + bias[i] + add[i][j]), for `count` elements of each row; each
 * step is rounded. from, to and add may be the same memory, but not overlap otherwise. */
typedef struct npc_finish_args {
    int64_t rows, count;
    const void *from, *add, *bias; /* add and bias may be NULL */
    void *to;
    int64_t from_stride_bytes, add_stride_bytes, to_stride_bytes; /* from row to row */
    npc_activation activation;
    double slope;
} npc_finish_args;
typedef void npc_finish_fn(const npc_finish_args *args);

/* to[i] = the gradient before an activation, of grad[i] after it, where its result was y[i]. `to`
 * may be grad or y, but not overlap them otherwise. */
typedef struct npc_activate_grad_args {
    npc_activation activation;
    double slope;
    int64_t count;
    const void *grad, *y;
    void *to;
} npc_activate_grad_args;
typedef void npc_activate_grad_fn(const npc_activate_grad_args *args);

/* A step of an optimiser for `count` parameters: see npc_update_rule. */
typedef struct npc_update_args {
    const npc_update_settings *settings;
    int64_t count;
    void *param;
    const void *grad;
    void *state[2];
} npc_update_args;
typedef void npc_update_fn(const npc_update_args *args);

/* Adds to total[0] the sum of v[i], to total[1] that of v[i] * v[i], v = from - shift; or, if there
 * is a grad, the sums of grad[i] and of grad[i] * v[i]; all in double, in an order that depends on
 * `count` alone. */
typedef struct npc_moments_args {
    const void *from, *grad;
    int64_t count;
    double shift, total[2];
} npc_moments_args;
typedef void npc_moments_fn(npc_moments_args *args);

/* to[i] = (from[i] - mean) * scale + shift; or, if there is a grad,
 * grad[i] * scale + ((from[i] - mean) * slope + shift). */
typedef struct npc_affine_args {
    const void *from, *grad;
    void *to;
    int64_t count;
    double mean, scale, shift, slope;
} npc_affine_args;
typedef void npc_affine_fn(const npc_affine_args *args);

/* Tiles of [channels][pitch] elements, of which `count` pixels rounded up to whole vectors are read
 * and written. Local response normalisation: to = from * (k + alpha * sum) ^ -beta, sum that of the
 * squares of channels c - before to c + after; or, if there is a grad, the gradient of that;
 * `power` and `mutual` are tiles for it. */
typedef struct npc_response_norm_args {
    int64_t channels, count, pitch, before, after;
    double alpha, beta, k;
    const void *from, *grad;
    void *to, *power, *mutual;
} npc_response_norm_args;
typedef void npc_response_norm_fn(const npc_response_norm_args *args);

/* Likewise: to = e^from / sum(e^from) over the channels, or the logarithm of that; or, if there is
 * a grad, the gradient, where `from` is the result. There is at least one channel. */
typedef struct npc_softmax_args {
    int64_t channels, count, pitch;
    int logarithm;
    const void *from, *grad;
    void *to;
} npc_softmax_args;
typedef void npc_softmax_fn(const npc_softmax_args *args);

/* mask[i] = draws[i] >= threshold, unless draws is NULL and the mask given; to[i] = from[i] * scale
 * where mask[i], else 0. */
typedef struct npc_dropout_args {
    int64_t count;
    const void *from;
    const uint32_t *draws;
    uint32_t threshold;
    double scale;
    uint8_t *mask;
    void *to;
} npc_dropout_args;
typedef void npc_dropout_fn(const npc_dropout_args *args);

/* Depthwise convolution of a plane with a square kernel of 3 or 5 taps a side, at step 1 or 2 along
 * both axes: to[t][i] = sum over r, s of
 *     weight[r][s] * plane[first_row + t * step + r][first_column + i * step + s].
 * Taps in rows outside [0, height) are skipped, those in columns outside [0, width) count as zero.
 * The sum is one chain in order of r, s; it is added to what `to` holds if `accumulate` is set; the
 * bias, one or NULL, comes last. */
typedef struct npc_depthwise_args {
    int64_t step, rows, columns;
    const void *plane;
    int64_t row_stride_bytes, height, width, first_row, first_column;
    const void *weight, *bias;
    void *to;
    int64_t to_stride_bytes;
    int32_t accumulate;
} npc_depthwise_args;
typedef void npc_depthwise_3x3_fn(const npc_depthwise_args *args);
typedef void npc_depthwise_5x5_fn(const npc_depthwise_args *args);

/* Its weight gradient: `size` * `size` vectors, sums[r][s] = the sum over all t, i of
 *     grad[t][i] * plane[first_row + t * step + r][first_column + i * step + s],
 * spread over the lanes, each lane one chain; added to what `sums` holds if `accumulate` is set.
 * Rows and columns outside the plane as above; size 3 or 5, step 1 or 2. */
typedef struct npc_depthwise_grad_args {
    int64_t size, step, rows, columns;
    const void *plane;
    int64_t row_stride_bytes, height, width, first_row, first_column;
    const void *grad;
    int64_t grad_stride_bytes;
    void *sums;
    int32_t accumulate;
} npc_depthwise_grad_args;
typedef void npc_depthwise_grad_fn(const npc_depthwise_grad_args *args);

/* A row of its input gradient at step 2: to[2 * i + (s - parity) % 2] is the sum over terms and
 * taps s of weight[term][s] * row[term][i + offset[s]], in that order, elements outside [0, width)
 * counting as zero. */
enum { NPC_UP_TERMS = 16, NPC_UP_TAPS = 8 };
typedef struct npc_depthwise_up_args {
    int64_t terms, taps, parity, width, count; /* parity: of the taps that meet to[0] */
    const void *row[NPC_UP_TERMS], *weight[NPC_UP_TERMS];
    int64_t offset[NPC_UP_TAPS];
    void *to;
} npc_depthwise_up_args;
typedef void npc_depthwise_up_fn(const npc_depthwise_up_args *args);

/* Any depthwise convolution, up to NPC_DEPTHWISE_ROWS rows: to[t][i] = sum over r < tap_rows,
 * s < taps of weight[r][s] * row[t * tap_rows + r][offset[s] + i], likewise in chains, which end
 * after every `chain_rows` rows of taps and are added in order. Of each row, whole vectors are read
 * up to NPC_MAX_TILE elements behind its last column; what lies there may be anything. Where
 * rows > 1, there are NPC_DEPTHWISE_ROWS rows to read. */
typedef struct npc_depthwise_any_args {
    int64_t rows, columns, tap_rows, taps, chain_rows;
    const void *const *row;
    const int64_t *offset;
    const void *weight, *bias;
    void *to;
    int64_t to_stride_bytes;
    int32_t accumulate;
} npc_depthwise_any_args;
typedef void npc_depthwise_any_fn(const npc_depthwise_any_args *args);
/* Depthwise convolution of pixels whose channels follow each other: pixel i's channel c becomes the
 * chain sum over t < taps of weight[t][c] * tap[t][i * tap_step + c] from zero in this order, which
 * is added to what `to` holds if `accumulate` is set; the bias (one per channel, or NULL) comes
 * last. */
typedef struct npc_depthwise_last_args {
    int64_t pixels, channels, taps;
    const void *const *tap;    /* of the first pixel */
    const void *const *weight; /* of channel 0 */
    const void *bias;
    void *to;
    int64_t tap_step, to_step; /* from pixel to pixel */
    int32_t accumulate;
} npc_depthwise_last_args;
typedef void npc_depthwise_last_fn(const npc_depthwise_last_args *args);
/* A convolution of one small image: y[k][h][w] = bias[k] + the sum over (c, r, s), in one chain of
 * fused multiply-adds from zero in this order, of weight[k][c][r][s] times the pixel of x[c] in row
 * h * step[0] + first[0] + r * spacing[0] and column w * step[1] + first[1] + s * spacing[1]. Rows
 * outside the image are skipped; columns outside, where tap s has no pixels but those in
 * [begin[s], end[s]), count as zero. step[1] is 1 or 2; the elements of a row of x and of y follow
 * each other. */
typedef struct npc_small_args {
    const void *x, *weight, *bias; /* bias may be NULL */
    void *y;
    int64_t channels, rows, height; /* of x, of y, of an image in x */
    int64_t channel_stride_bytes, row_stride_bytes;
    int64_t y_channel_stride_bytes, y_row_stride_bytes;
    int64_t pixels[2], taps[2], step[2], spacing[2], first[2]; /* vertical, horizontal */
    const int32_t *begin, *end;
} npc_small_args;
typedef void npc_small_fn(const npc_small_args *args);
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

/* Whether all of `count` int64 are in [0, limit). */
typedef int npc_in_range_fn(const int64_t *from, int64_t count, int64_t limit);

/* From flat positions to tap numbers: to[i] = r * taps + s where from[i] is base + i * base_step +
 * r * row_distance + s * spacing, s < taps, r < row_count; row_count * taps <= 255. Returns whether
 * there is one for each; base + ... is less than 2^31 in size, and so is from[i]. */
typedef struct npc_match_taps_args {
    const int64_t *from;
    uint8_t *to;
    int64_t count, base, base_step, row_distance, row_count, taps, spacing;
} npc_match_taps_args;
typedef int npc_match_taps_fn(const npc_match_taps_args *args);

/* Rows of a max-pooling's input gradient, in one or two phases. Element i * phases + p of row j of
 * `to` is the sum of grad[at] over the terms k of the phase, first_term[p] <= k < first_term[p +
 * 1], where number[at] is wanted[k], at = j * pitch + i + offset[k]; from zero, in that order. All
 * `count` elements of a row are written; grad and number may be read to the end of a vector. */
typedef struct npc_unpool_row_args {
    const void *grad;
    const uint8_t *number;
    int64_t pitch, rows;
    const int64_t *first_term;
    const int32_t *offset, *wanted;
    int phases;
    void *to;
    int64_t to_pitch, count;
    int stream; /* write whole vectors past the caches: rows are aligned */
} npc_unpool_row_args;
typedef void npc_unpool_row_fn(const npc_unpool_row_args *args);

/* The same for windows that lie side by side, two elements wide and `window_rows` high: element
 * 2 * i + s of row j * window_rows + r of `to` is grad[j * grad_pitch + i] where the index of (j,
 * i) is base + j * base_row + i * base_step + r * row_distance + s, else zero. Returns whether that
 * holds somewhere for each index; one of index64, below 2^31, and index8 is given. */
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

/* Its gradient: pixel w of a row of `to` is the sum of grad[at] over r < row_count and i < reach[3
 * w
 * + 1], at = (row[r] + reach[3 w] + i * spacing) * group, where the index of `at` is position + w,
 * or if position is negative row_number[r] + reach[3 w + 2] - i * number_step. Returns how many
 * indices did so; those of index64, if that is given, are below 2^31. */
typedef struct npc_unpool_pixels_args {
    const void *grad;
    const int64_t *index64;
    const uint8_t *index8;
    int64_t group, count, row_count, spacing, number_step, position;
    const int64_t *row, *row_number;
    const int32_t *reach;
    void *to;
} npc_unpool_pixels_args;
typedef int64_t npc_unpool_pixels_fn(const npc_unpool_pixels_args *args);

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

/* to[j * to_stride + i] = from[i * from_stride + j] for i < rows, j < cols. With `fill`, rows of
 * the result are filled up with zeros to whole vectors. */
typedef struct npc_transpose_args {
    const void *from;
    int64_t from_stride, rows, cols;
    void *to;
    int64_t to_stride;
    int32_t fill;
} npc_transpose_args;
typedef void npc_transpose_fn(const npc_transpose_args *args);

/* Winograd's transforms: see kernels/generic/winograd.h. A transform works along one axis:
 * `outputs` results of a convolution with `taps` taps from the products at `points` points. The
 * edge variants use a part of another transform's points for a last tile with few outputs. */
typedef enum npc_winograd_transform {
    NPC_WINOGRAD_NONE, /* F(1, 1): no transform */
    NPC_WINOGRAD_F23,
    NPC_WINOGRAD_F43,
    NPC_WINOGRAD_F43_EDGE, /* F(2, 3) on four of the points of F(4, 3) */
    NPC_WINOGRAD_F25,
    NPC_WINOGRAD_TRANSFORMS
} npc_winograd_transform;
enum { NPC_WINOGRAD_MAX_OUTPUTS = 4, NPC_WINOGRAD_MAX_POINTS = 6, NPC_WINOGRAD_MAX_TAPS = 5 };

NPC_INLINE int npc_winograd_outputs(const npc_winograd_transform transform)
{
    return transform == NPC_WINOGRAD_NONE ? 1 : transform == NPC_WINOGRAD_F43 ? 4 : 2;
}
NPC_INLINE int npc_winograd_taps(const npc_winograd_transform transform)
{
    return transform == NPC_WINOGRAD_NONE ? 1 : transform == NPC_WINOGRAD_F25 ? 5 : 3;
}
/* Products are laid out for so many points; an edge variant shares its whole transform's layout and
 * uses the first three and the last of its points. */
NPC_INLINE int npc_winograd_points(const npc_winograd_transform transform)
{
    return transform == NPC_WINOGRAD_NONE ? 1 : transform == NPC_WINOGRAD_F23 ? 4 : 6;
}
NPC_INLINE int npc_winograd_used(const npc_winograd_transform transform)
{
    return transform == NPC_WINOGRAD_F43_EDGE ? 4 : npc_winograd_points(transform);
}
NPC_INLINE int npc_winograd_point(const npc_winograd_transform transform, const int i)
{
    return transform == NPC_WINOGRAD_F43_EDGE && i == 3 ? 5 : i;
}
NPC_INLINE npc_winograd_transform npc_winograd_edge(const npc_winograd_transform transform)
{
    return transform == NPC_WINOGRAD_F43 ? NPC_WINOGRAD_F43_EDGE : transform;
}

/* Pixels are vectors of channels, one a lane, everywhere below. A row of tiles: tile t's points lie
 * at columns column[t] + i * point_step, those of its results at the same columns of the output.
 * The first `whole_tiles` tiles use transform[1] along the row, the others its edge variant;
 * transform[0] is that across the rows. */
typedef struct npc_winograd_tiles {
    npc_winograd_transform transform[2];
    int64_t tiles, whole_tiles, point_step;
    const int32_t *column;
} npc_winograd_tiles;

/* row[i]: pixels of the image, `columns` of them; `middle`: room for points x columns vectors.
 * to[(i * points1 + j) * point_stride + t * tile_stride]: the transformed tiles. */
typedef struct npc_winograd_input_args {
    const npc_winograd_tiles *tiles;
    const void *row[NPC_WINOGRAD_MAX_POINTS];
    int64_t columns;
    void *middle, *to;
    int64_t point_stride, tile_stride;
} npc_winograd_input_args;
typedef void npc_winograd_input_fn(const npc_winograd_input_args *args);

/* The reverse, from products to row[i][column], pixels of the result, plus the bias of each lane.
 * Returns whether any of them,
 * those of edge tiles that lie outside included, is not finite. */
typedef struct npc_winograd_output_args {
    const npc_winograd_tiles *tiles;
    const void *from;
    int64_t point_stride, tile_stride;
    const void *bias;
    void *row[NPC_WINOGRAD_MAX_OUTPUTS];
} npc_winograd_output_args;
typedef int npc_winograd_output_fn(const npc_winograd_output_args *args);

/* from: [filter][taps0][taps1] vectors of output channels, transposed filters; to[point *
 * point_stride + filter * filter_stride]: the transformed ones. `flip`: taps in reverse order. */
typedef struct npc_winograd_weight_args {
    npc_winograd_transform transform[2];
    int32_t flip;
    int64_t filters;
    const void *from;
    void *to;
    int64_t point_stride, filter_stride;
} npc_winograd_weight_args;
typedef void npc_winograd_weight_fn(const npc_winograd_weight_args *args);

/* Sums of products of integers: c[row][lane] (+)= sum over i < depth of a[row][i] * b[i][lane], for
 * lanes = NPC_INTEGER_VECS vectors. The float64 table has those of int64, modulo 2^64. The float32
 * table has those of int16, modulo 2^32; its panel holds pairs of rows, b[i / 2][lane][i % 2], the
 * last one filled up with zeros where depth is odd. */
enum { NPC_INTEGER_ROWS = 4, NPC_INTEGER_VECS = 2 };
typedef struct npc_integer_product_args {
    int64_t depth;
    int32_t rows, accumulate;
    const void *a;
    int64_t a_stride; /* elements from row to row */
    const void *b;    /* aligned to vectors */
    void *c;          /* rows x lanes of int32 or int64, dense */
} npc_integer_product_args;
typedef void npc_integer_product_fn(const npc_integer_product_args *args);

/* For the weight gradient. From dy to the points: row[i], its pixels as vectors of output channels;
 * to[(i * points1 + j) * point_stride + t * tile_stride]: the transformed tiles. */
typedef struct npc_winograd_grad_args {
    const npc_winograd_tiles *tiles;
    const void *row[NPC_WINOGRAD_MAX_OUTPUTS];
    void *to;
    int64_t point_stride, tile_stride;
} npc_winograd_grad_args;
typedef void npc_winograd_grad_fn(const npc_winograd_grad_args *args);

/* From sums at the points, vectors from[point * point_stride + filter * filter_stride], to those of
 * the taps, to[filter][tap]. */
typedef struct npc_winograd_taps_args {
    npc_winograd_transform transform[2];
    int64_t filters;
    const void *from;
    int64_t point_stride, filter_stride;
    void *to;
} npc_winograd_taps_args;
typedef void npc_winograd_taps_fn(const npc_winograd_taps_args *args);

typedef struct npc_kernels {
    int isa;
    npc_dtype dtype;
    int lanes;                      /* elements of a vector */
    int max_rows[NPC_MAX_VECS + 1]; /* of a UK1 tile of so many vectors; 0: none */
    int max_dot_rows, max_dot_cols;
    npc_uk1_fn *uk1[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk1_fn *uk1_pack[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk2_fn *uk2[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk3_fn *uk3[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_dot_fn *dot[NPC_MAX_DOT_ROWS + 1][NPC_MAX_DOT_COLS + 1];
#define NPC_KERNEL(name) npc_##name##_fn *name;
#include "kernels.def"
#undef NPC_KERNEL
} npc_kernels;

/* The tables of an ISA that is compiled in, or NULL; dtype is F32 or F64. */
const npc_kernels *npc_kernels_of(int isa, npc_dtype dtype);

/* Calls of kernels go through these, which mark the slot as reached (see npc_coverage_slot). */
void npc_run_uk1(const npc_kernels *kernels, int rows, int vecs, const npc_uk1_args *args);
#define NPC_KERNEL(name)
#define NPC_VOID_KERNEL(name)                                                                      \
    void npc_run_##name(const npc_kernels *kernels, const npc_##name##_args *args);
#define NPC_INT_KERNEL(name)                                                                       \
    int npc_run_##name(const npc_kernels *kernels, const npc_##name##_args *args);
#include "kernels.def"
#undef NPC_KERNEL
void npc_run_moments(const npc_kernels *kernels, npc_moments_args *args);
void npc_run_dot(const npc_kernels *kernels, int rows, int cols, const npc_dot_args *args);
int npc_run_has_nan(const npc_kernels *kernels, const void *c, int64_t stride, int64_t rows,
                    int64_t cols);
void npc_run_add(const npc_kernels *kernels, void *to, const void *from, int64_t count);
void npc_run_sum(const npc_kernels *kernels, const void *from, int64_t count, void *total);
void npc_run_depthwise(const npc_kernels *kernels, int size, const npc_depthwise_args *args);
void npc_run_small(const npc_kernels *kernels, const npc_small_args *args);
int64_t npc_run_unpool_pixels(const npc_kernels *kernels, const npc_unpool_pixels_args *args);
int npc_run_in_range(const npc_kernels *kernels, const int64_t *from, int64_t count, int64_t limit);
void npc_run_uk2(const npc_kernels *kernels, int rows, int vecs, const npc_uk2_args *args);
void npc_run_uk3(const npc_kernels *kernels, int rows, int vecs, const npc_uk3_args *args);
int npc_run_all_finite(const npc_kernels *kernels, const void *from, int64_t count);
void npc_run_fence(const npc_kernels *kernels);
void npc_run_collect(const npc_kernels *kernels, const void *from, const int64_t *offset_bytes,
                     int64_t rows, int64_t vecs, void *panel);

#endif
