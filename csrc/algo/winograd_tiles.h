/* winograd_tiles.h: from an image to Winograd's transformed tiles, and from products to the result.
 *
 * The output is cut into tiles of outputs0 x outputs1 pixels. With dilation d, the pixels of a tile
 * lie d apart and d tiles interleave: tile t along an axis is phase t % d of the group t / d.
 */
#ifndef NPC_ALGO_WINOGRAD_TILES_H
#define NPC_ALGO_WINOGRAD_TILES_H

#include "../core/dtype.h"
#include "../include/npc_border.h"
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
    const int64_t outputs = npc_winograd_outputs(axis->transform);
    if (axis->step == 1) return tile * outputs;
    return tile / axis->step * axis->step * outputs + tile % axis->step;
}

/* One group of channels' view of the problem: correlation of `source` with flipped or plain taps.
 */
typedef struct npc_winograd_view {
    const npc_kernels *kernels;
    npc_dtype dtype;
    npc_winograd_axis axis[2];
    int64_t channels, rows; /* source channels, target channels */
    npc_array source, target;
    const npc_border *border; /* around the source, which then is padded for the axes; or NULL */
    const char *weight;       /* the group's first */
    int64_t row_stride, channel_stride; /* of the weights, in elements */
    int64_t group_stride;               /* weights of a group, in elements */
    int flip;
    const char *bias; /* the group's, or NULL */
    const npc_finish *finish;
    int64_t first_row; /* the group's first target channel */
} npc_winograd_view;

enum {
    NPC_WINOGRAD_RUN = 16,   /* tiles of a run, more only where dilation makes groups larger */
    NPC_WINOGRAD_BAND = 1024 /* pixels of a band of several runs */
};

/* Tiles of one row of tiles: whole groups, first_group .. first_group + groups. */
typedef struct npc_winograd_run {
    int64_t image, tile_row;
    int64_t first_group, groups;
    int64_t slot; /* of its first tile among those of its block */
    npc_winograd_tiles tiles;
} npc_winograd_run;

/* A run, or several of one image that follow each other and span its width: their pixels are
 * transposed together. */
typedef struct npc_winograd_band {
    const npc_winograd_run *run;
    int64_t runs;
} npc_winograd_band;

/* The run's tiles, its columns counted from its first pixel; `column` has room for them. */
void npc_winograd_run_set(npc_winograd_run *run, const npc_winograd_view *view, int32_t *column);

/* Whether `next`, which follows on `last`, may be in a band that `first` starts. */
int npc_winograd_run_joins(const npc_winograd_view *view, const npc_winograd_run *first,
                           const npc_winograd_run *last, const npc_winograd_run *next);

/* Working memory, all of it rows of pixels, each pixel a vector of channels. */
typedef struct npc_winograd_memory {
    char *zeros;   /* one row */
    char *pixels;  /* a band */
    char *middle;  /* a run */
    char *results; /* a band */
    char *planar;  /* a band or a row, channel after channel */
    char *bias;    /* a vector */
} npc_winograd_memory;

/* Bytes of it for runs of at most `groups` groups. */
size_t npc_winograd_memory_bytes(const npc_winograd_view *view, int64_t groups);

/* Lays it out from `scratch` on. */
npc_winograd_memory npc_winograd_memory_of(const npc_winograd_view *view, int64_t groups,
                                           char *scratch);

/* Transforms `lanes` channels from `channel` on of a band's tiles; tile t of the block goes to
 * to[t * tile_stride]. */
void npc_winograd_band_input(const npc_winograd_band *band, const npc_winograd_view *view,
                             int64_t channel, char *to, int64_t point_stride, int64_t tile_stride,
                             const npc_winograd_memory *m);

/* For the weight gradient: the same of a band's tiles of the target, from `row` on. */
void npc_winograd_band_grad(const npc_winograd_band *band, const npc_winograd_view *view,
                            int64_t row, char *to, int64_t point_stride, int64_t tile_stride,
                            const npc_winograd_memory *m);

/* Transforms `lanes` target channels from `row` on back and stores them, bias added. Tiles that are
 * not finite are computed again from the definition. */
void npc_winograd_band_output(const npc_winograd_band *band, const npc_winograd_view *view,
                              int64_t row, const char *from, int64_t point_stride,
                              int64_t tile_stride, const npc_winograd_memory *m);

#endif
