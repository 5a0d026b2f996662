/* npc_network.h: the C API of the operations around the convolutions of a network. */
#ifndef NPC_NETWORK_H
#define NPC_NETWORK_H

#include "npc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y (rows, outputs) = activation(x (rows, inputs) * weight (outputs, inputs) transposed + bias).
 * Elements of a row follow each other, rows of x are x_stride_bytes apart; weight, bias (outputs,)
 * or NULL, and y are C-contiguous. All are aligned, native and of `dtype`. A row of y does not
 * depend on the others. */
typedef struct npc_linear_arrays {
    int64_t rows, inputs, outputs;
    const void *x, *weight, *bias;
    void *y;
    int64_t x_stride_bytes;
    npc_activation activation;
    double slope;
} npc_linear_arrays;
npc_status npc_linear(const npc_linear_arrays *arrays, npc_dtype dtype, const npc_options *options,
                      npc_plan_info *info);

/* c (rows, columns) = a (rows, depth) * b (depth, columns); likewise. A row of c does not depend on
 * the others. */
typedef struct npc_product_arrays {
    int64_t rows, depth, columns;
    const void *a, *b;
    void *c;
    int64_t a_stride_bytes, b_stride_bytes;
} npc_product_arrays;
npc_status npc_product(const npc_product_arrays *arrays, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info);

/* Batch normalisation of x (N, C, D, H, W). Values of channels are doubles, (C,).
 *
 * Forward, grad.data NULL: to = (x - mean) / sqrt(variance + eps) * weight + bias. In training,
 * mean and variance (over N, D, H, W, divided by the count) are computed and written; else they are
 * read. Backward: with mean and inverse = 1 / sqrt(variance + eps), sums (C, 2) becomes the sums of
 * grad and of grad * (x - mean), unless NULL; then to becomes the gradient of x, unless its data is
 * NULL. In training that needs sums. */
typedef struct npc_norm_arrays {
    int64_t batch, channels, extent[NPC_SPATIAL];
    npc_array x, grad, to;
    const double *weight, *bias; /* or NULL: 1 and 0 */
    double *mean, *variance;
    const double *inverse;
    double *sums;
    double eps;
    int training;
    npc_activation activation; /* forward only: of what is written */
    double slope;
} npc_norm_arrays;
npc_status npc_batch_norm(const npc_norm_arrays *arrays, npc_dtype dtype,
                          const npc_options *options, npc_plan_info *info);

/* Operations along the channels of (N, C, D, H, W) arrays. Forward, grad.data NULL: x -> to.
 * Backward: to is the gradient of x. At most 2^15 channels; more answer NPC_NO_MEMORY. */
typedef struct npc_channel_arrays {
    int64_t batch, channels, extent[NPC_SPATIAL];
    npc_array x, grad, to;
} npc_channel_arrays;

/* to = x * (k + alpha / size * sum) ^ -beta, sum that of the squares of channels c - size / 2 to
 * c + (size - 1) / 2. */
npc_status npc_response_norm(const npc_channel_arrays *arrays, int64_t size, double alpha,
                             double beta, double k, npc_dtype dtype, const npc_options *options,
                             npc_plan_info *info);

/* to = e^x / sum(e^x), or the logarithm of that. Backward: x is the result of the forward call. */
npc_status npc_softmax(const npc_channel_arrays *arrays, int logarithm, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info);

/* The mean of -log softmax(x)[label] over the rows of x (rows, classes), 0 without rows, and,
 * unless grad (rows, classes) is NULL, its gradient. Elements of a row of x follow each other; grad
 * and labels are C-contiguous. A label outside of [0, classes) answers NPC_BAD_INDEX. */
typedef struct npc_softmax_loss_arrays {
    int64_t rows, classes;
    const void *x;
    int64_t x_stride_bytes;
    const int64_t *labels;
    void *grad;
    double loss; /* the result */
} npc_softmax_loss_arrays;
npc_status npc_softmax_loss(npc_softmax_loss_arrays *arrays, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info);

/* Contiguous elements. mask[i] = draws[i] >= threshold, or as given if draws is NULL; to[i] =
 * from[i] * scale where mask[i], else 0. */
typedef struct npc_dropout_arrays {
    int64_t count;
    const void *from;
    const uint32_t *draws;
    uint32_t threshold;
    double scale;
    uint8_t *mask;
    void *to;
} npc_dropout_arrays;
npc_status npc_dropout(const npc_dropout_arrays *arrays, npc_dtype dtype,
                       const npc_options *options, npc_plan_info *info);

/* Contiguous images (N, C, H, W) of float32 or float64, a matrix (2, 2) and an offset (2) for each
 * image. Pixel (h, w) of `to` comes from the place matrix * (h - (H - 1) / 2, w - (W - 1) / 2) +
 * offset of `from`, whose pixel (0, 0) is at (1, 1), interpolated linearly between four pixels;
 * outside of it all is 0. */
typedef struct npc_warp_arrays {
    int64_t batch, channels, height, width;
    const void *from, *matrices, *offsets;
    void *to;
} npc_warp_arrays;
npc_status npc_warp(const npc_warp_arrays *arrays, npc_dtype dtype, const npc_options *options,
                    npc_plan_info *info);

#ifdef __cplusplus
}
#endif
#endif
