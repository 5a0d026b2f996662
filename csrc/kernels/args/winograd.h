/* winograd.h: what kernels take for Winograd's transforms. */
#ifndef NPC_KERNELS_ARGS_WINOGRAD_H
#define NPC_KERNELS_ARGS_WINOGRAD_H

#include "../../core/common.h"

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
 * The first `whole_tiles` tiles use transform[1] along the row, the others its edge variant, and
 * lie `edge_shift` tiles further among the transformed ones; transform[0] is that across the rows.
 */
typedef struct npc_winograd_tiles {
    npc_winograd_transform transform[2];
    int64_t tiles, whole_tiles, edge_shift, point_step;
    const int32_t *column;
} npc_winograd_tiles;

/* row[i]: pixels of the image, `inside` of them, which are preceded by `before` zeros and followed
 * by more, `columns` in all; `middle`: room for points x columns vectors.
 * to[(i * points1 + j) * point_stride + t * tile_stride]: the transformed tiles. */
typedef struct npc_winograd_input_args {
    const npc_winograd_tiles *tiles;
    const void *row[NPC_WINOGRAD_MAX_POINTS];
    int64_t columns, before, inside;
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

/* c[t][j] (+)= sum over k < depth of a[t][k] * b[k][j], one chain from zero in order of k, for
 * every tile t and `vectors` vectors of j, at most `tile_vecs` at a time. Meanwhile `ahead_lines`
 * lines from `ahead` on are fetched; they need not exist. */
typedef struct npc_winograd_product_args {
    int64_t tiles, depth, vectors;
    const void *a, *b;
    void *c;
    int64_t a_stride, b_stride, c_stride;
    int32_t accumulate, tile_vecs;
    const char *ahead;
    int64_t ahead_lines;
} npc_winograd_product_args;
typedef void npc_winograd_product_fn(const npc_winograd_product_args *args);

/* c[i][j] (+)= sum over the tiles t of a[t][i] * b[t][j], one chain from zero in order of t, for
 * i < rows and `vectors` vectors of j. */
typedef struct npc_winograd_outer_args {
    int64_t tiles, rows, vectors;
    const void *a, *b;
    void *c;
    int64_t a_stride, b_stride, c_stride;
    int32_t accumulate, tile_vecs;
} npc_winograd_outer_args;
typedef void npc_winograd_outer_fn(const npc_winograd_outer_args *args);

#endif
