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
 * chain sum over t < taps of weight[t][c] * tap[t][i * tap_step + c] from zero in this order; the
 * bias (one per channel, or NULL) comes last. */
typedef struct npc_depthwise_last_args {
    int64_t pixels, channels, taps;
    const void *const *tap;    /* of the first pixel */
    const void *const *weight; /* of channel 0 */
    const void *bias;
    void *to;
    int64_t tap_step, to_step; /* from pixel to pixel */
    int32_t threes;            /* taps 3 i, 3 i + 1 and 3 i + 2 lie one tap_step apart, for all i */
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
