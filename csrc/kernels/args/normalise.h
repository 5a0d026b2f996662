/* normalise.h: what kernels take for normalisations, softmax and dropout. */
#ifndef NPC_KERNELS_ARGS_NORMALISE_H
#define NPC_KERNELS_ARGS_NORMALISE_H

#include "../../core/common.h"

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

/* The same of rows whose `count` elements, at least one, follow each other; sums are of lanes, in
 * an order that depends on `count` alone. Without a grad, if there are labels, in [0, count): loss
 * of a row = -log of its softmax at the label, and to, unless NULL, its gradient times `scale`. */
typedef struct npc_softmax_rows_args {
    int64_t rows, count;
    int logarithm;
    const void *from, *grad;
    void *to;
    int64_t from_stride_bytes, grad_stride_bytes, to_stride_bytes;
    const int64_t *label;
    double scale, *loss;
} npc_softmax_rows_args;
typedef void npc_softmax_rows_fn(const npc_softmax_rows_args *args);

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

#endif
