/* winograd_tiles.h: from an image to Winograd's transformed tiles, and from products to the result.
 *
 * The output is cut into tiles of outputs0 x outputs1 pixels. With dilation d, the pixels of a tile
 * lie d apart and d tiles interleave: tile t along an axis is phase t % d of the group t / d.
 */
#ifndef NPC_ALGO_WINOGRAD_TILES_H
#define NPC_ALGO_WINOGRAD_TILES_H

#include "../core/dtype.h"
#include "../kernels/kernels.h"
#include "finish.h"

typedef struct npc_winograd_axis {
    npc_winograd_transform transform;
    int64_t source, target; /* extents */
    int64_t first;          /* source coordinate of pixel 0's first tap */
    int64_t step;           /* from tap to tap, and from pixel to pixel of a tile */
    int64_t groups, tiles;  /* tiles = groups * step */
    int64_t whole;          /* the tiles from here on are edge tiles */
} npc_winograd_axis;

/* Derives the rest from the transform, extents, `first` and `step`. */
void npc_winograd_axis_finish(npc_winograd_axis *axis);

/* The pixel at which a tile starts. */
NPC_INLINE int64_t npc_winograd_pixel(const npc_winograd_axis *axis, int64_t tile)
{
    return tile / axis->step * axis->step * npc_winograd_outputs(axis->transform) +
           tile % axis->step;
}

/* One group of channels' view of the problem: correlation of `source` with flipped or plain taps.
 */
typedef struct npc_winograd_view {
    const npc_kernels *kernels;
    npc_dtype dtype;
    npc_winograd_axis axis[2];
    int64_t channels, rows; /* source channels, target channels */
    npc_array source, target;
    const char *weight;                 /* the group's first */
    int64_t row_stride, channel_stride; /* of the weights, in elements */
    int64_t group_stride;               /* weights of a group, in elements */
    int flip;
    const char *bias; /* the group's, or NULL */
    const npc_finish *finish;
    int64_t first_row; /* the group's first target channel */
} npc_winograd_view;

enum { NPC_WINOGRAD_RUN = 16 }; /* tiles of a run, more only where dilation makes groups larger */

/* Tiles of one row of tiles: whole groups, first_group .. first_group + groups. */
typedef struct npc_winograd_run {
    int64_t image, tile_row;
    int64_t first_group, groups;
    int64_t slot; /* of its first tile among those of its block */
    npc_winograd_tiles tiles;
} npc_winograd_run;

/* The run's tiles, its columns counted from its first pixel; `column` has room for them. */
void npc_winograd_run_set(npc_winograd_run *run, const npc_winograd_view *view, int32_t *column);

/* Bytes of working memory of the two functions below, for runs of at most `groups` groups. */
size_t npc_winograd_run_bytes(const npc_winograd_view *view, int64_t groups);

/* Transforms `lanes` channels from `channel` on of a run's tiles. */
void npc_winograd_run_input(const npc_winograd_run *run, const npc_winograd_view *view,
                            int64_t channel, void *to, int64_t point_stride, int64_t tile_stride,
                            char *scratch);

/* For the weight gradient: the same of a run's tiles of the target, from `row` on. */
void npc_winograd_run_grad(const npc_winograd_run *run, const npc_winograd_view *view, int64_t row,
                           void *to, int64_t point_stride, int64_t tile_stride, char *scratch);

/* Transforms `lanes` target channels from `row` on back and stores them, bias added. Tiles that are
 * not finite are computed again from the definition. */
void npc_winograd_run_output(const npc_winograd_run *run, const npc_winograd_view *view,
                             int64_t row, const void *from, int64_t point_stride,
                             int64_t tile_stride, char *scratch);

#endif
