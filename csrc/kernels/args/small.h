/* small.h: what kernels take for a convolution of one small image. */
#ifndef NPC_KERNELS_ARGS_SMALL_H
#define NPC_KERNELS_ARGS_SMALL_H

#include "../../core/common.h"

enum { NPC_MAX_SMALL_TAPS = 16 }; /* of a kernel's row */

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

#endif
