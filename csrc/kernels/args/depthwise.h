/* depthwise.h: what kernels take for depthwise convolution and its gradients. */
#ifndef NPC_KERNELS_ARGS_DEPTHWISE_H
#define NPC_KERNELS_ARGS_DEPTHWISE_H

#include "../../core/common.h"
#include "tile.h"

enum {
    NPC_DEPTHWISE_ROWS = 4, /* of the result, computed at once */
    NPC_DEPTHWISE_SIZE = 5  /* of the largest kernel with a loop of its own */
};

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

/* The same for several planes, 3 taps a side, in rows of up to NPC_DEPTHWISE_STRETCHES vectors; the
 * weights and biases (or NULL) of one plane follow those of the one before. */
enum { NPC_DEPTHWISE_STRETCHES = 2 }; /* of more, bands of rows are the faster */
typedef struct npc_depthwise_planes_args {
    int64_t step, planes, rows, columns;
    const void *plane;
    int64_t plane_stride_bytes, row_stride_bytes, height, width, first_row, first_column;
    const void *weight, *bias;
    void *to;
    int64_t to_plane_stride_bytes, to_stride_bytes;
} npc_depthwise_planes_args;
typedef void npc_depthwise_planes_fn(const npc_depthwise_planes_args *args);

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

/* Any depthwise convolution of staged rows, up to NPC_DEPTHWISE_GROUP of the result. Its rows of
 * taps come in phases: result row t adds, for each phase and r < tap_rows, weight[s * tap_rows +
 * tap_rows - 1 - r] * row[t + r][offset[s] + i] for s < taps to to[t][i]; a row that is NULL is
 * left out. A phase has no fewer rows of taps than the result has rows. Sums are chains over
 * (phase, t + r, s), which end before one would exceed `chain` products and are added in order; the
 * bias (one or NULL) comes last. Whole vectors of columns are read. */
enum { NPC_DEPTHWISE_GROUP = 8 };
typedef struct npc_depthwise_phase {
    int64_t tap_rows;
    const void *const *row; /* rows + tap_rows - 1 */
    const void *weight;
} npc_depthwise_phase;
typedef struct npc_depthwise_rows_args {
    int64_t rows, columns, phases, taps, chain;
    const npc_depthwise_phase *phase;
    const int64_t *offset;
    const void *bias;
    void *to;
    int64_t to_stride_bytes;
    int32_t accumulate; /* to what `to` holds */
} npc_depthwise_rows_args;
typedef void npc_depthwise_rows_fn(const npc_depthwise_rows_args *args);

/* Likewise of staged blocks of as many channels as a vector has lanes: a pixel is a vector, and so
 * are the weight of a tap, those of a column of taps `weight_step` elements apart in ascending
 * order, and the bias. From pixel to pixel and tap to tap of a staged row are so many elements;
 * those of the result follow each other. */
enum { NPC_DEPTHWISE_BLOCK_GROUP = 3 };
typedef struct npc_depthwise_block_args {
    int64_t rows, pixels, phases, taps, chain;
    const npc_depthwise_phase *phase;
    int64_t weight_step, pixel_step, tap_step;
    const void *bias;
    void *to;
    int64_t to_step; /* elements from row to row */
} npc_depthwise_block_args;
typedef void npc_depthwise_block_fn(const npc_depthwise_block_args *args);

/* Depthwise convolution of a stretch of a row of pixels whose channels follow each other: pixel i's
 * channel c becomes the chain sum over r < rows, s < taps with begin[s] <= i < end[s] of
 *     weight[r][s * weight_step + c] * row[r][i * tap_step + s * tap_spacing + c]
 * from zero in this order, added to what `to` holds if `accumulate` is set; the bias (one per
 * channel, or NULL) comes last. Other pixels have the tap in the padding. `sliding`:
 * tap_spacing is tap_step; then those are the i and s with i + s outside of [low, high), and begin
 * and end are not looked at. */
typedef struct npc_depthwise_last_args {
    int64_t pixels, channels, rows, taps;
    const void *const *row;    /* of pixel 0's tap 0, which need not exist */
    const void *const *weight; /* of channel 0 */
    const int32_t *begin, *end;
    int64_t low, high;
    int64_t inner_begin, inner_end; /* pixels that have all taps */
    const void *bias;
    void *to;
    int64_t tap_step, to_step; /* from pixel to pixel */
    int64_t tap_spacing, weight_step;
    int32_t accumulate, sliding;
} npc_depthwise_last_args;
typedef void npc_depthwise_last_fn(const npc_depthwise_last_args *args);

/* Its weight gradient, for the pixels of a stretch of a row: sums[t * sum_step + c] goes on with
 * the products grad[i * grad_step + c] * tap[t][(i - begin[t]) * tap_step + c] of begin[t] <= i <
 * end[t], one after the other; other pixels have the tap in the padding. */
typedef struct npc_depthwise_last_grad_args {
    int64_t pixels, channels, taps;
    const void *const *tap; /* of pixel begin[t] */
    const int32_t *begin, *end;
    const void *grad;
    int64_t tap_step, grad_step;
    void *sums;
    int64_t sum_step;
} npc_depthwise_last_grad_args;
typedef void npc_depthwise_last_grad_fn(const npc_depthwise_last_grad_args *args);

#endif
