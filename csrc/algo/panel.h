/* panel.h: panels of pixels, the right-hand operand of the implicit matrix products.
 *
 * A convolution is a matrix product whose right-hand matrix has a row for each (channel, tap) and a
 * column for each output pixel. It is never stored: a tile of columns at a time is packed from the
 * image. `npc_window` says where the taps of a pixel lie, for any of the operations: along each
 * axis, tap t of pixel p reads the source at p * step + first + t * spacing, or nothing where that
 * lies outside the source.
 */
#ifndef NPC_ALGO_PANEL_H
#define NPC_ALGO_PANEL_H

#include "../core/dtype.h"
#include "../include/npc_border.h"
#include "../kernels/kernels.h"

typedef struct npc_axis {
    int64_t extent;       /* of the source */
    int64_t pixels, step; /* output pixels, and the source's step between them */
    int64_t taps, first, spacing;
    int64_t inner_begin, inner_end; /* pixels all of whose taps lie inside (npc_window_finish) */
} npc_axis;

typedef struct npc_window {
    const npc_array *source;
    const npc_border *border; /* around it, which the axes count as the source's, for
                               * npc_element_value; NULL if not set after npc_window_finish */
    npc_dtype dtype;          /* of the panel */
    npc_axis axis[NPC_SPATIAL];
    int64_t taps;   /* of a channel */
    int64_t pixels; /* of an image */
    int load_step;  /* rows of the source can be loaded as vectors, of every (1) or every second (2)
                     * element; 0: they cannot */
} npc_window;

/* The window of the forward convolution over x. */
void npc_window_forward(npc_window *window, const npc_conv_geometry *g, const npc_array *x,
                        npc_dtype dtype);
/* That of anything with such sizes: a window of `kernel` taps for each pixel of `output`. */
void npc_window_set(npc_window *window, const npc_array *source, npc_dtype dtype,
                    const int64_t *input, const int64_t *output, const int64_t *kernel,
                    const int64_t *stride, const int64_t *dilation, const int64_t *pad_before);
/* Derives the rest from `source`, `dtype` and the axes' first six numbers. */
void npc_window_finish(npc_window *window);

/* Where every tap of a pixel is the pixel itself and the source's pixels follow each other, makes
 * one long row of an image, which packs faster. Returns whether it did. */
int npc_window_join(npc_window *window);
/* Whether the window's pixels of an image follow each other in an array that holds one element for
 * each, `size` bytes apart. */
int npc_pixels_follow(const npc_array *array, const npc_window *window, int64_t size);
/* Likewise, of an image of these extents. */
int npc_extents_follow(const npc_array *array, const int64_t *extent, int64_t size);

/* The source coordinate of a tap of a pixel along an axis, and whether it exists. */
NPC_INLINE int64_t npc_axis_source(const npc_axis *axis, int64_t pixel, int64_t tap)
{
    return pixel * axis->step + axis->first + tap * axis->spacing;
}
NPC_INLINE int npc_axis_holds(const npc_axis *axis, int64_t coordinate)
{
    return coordinate >= 0 && coordinate < axis->extent;
}
/* Bytes from pixel to pixel in a source whose elements are `stride` bytes apart. A step beyond the
 * source has one pixel inside at most, so its bytes, which might overflow, do not matter. */
NPC_INLINE int64_t npc_axis_step_bytes(const npc_axis *axis, int64_t stride)
{
    return axis->step <= axis->extent ? stride * axis->step : stride;
}
/* The pixels whose tap `tap` lies inside the source: [*begin, *end). */
void npc_axis_valid(const npc_axis *axis, int64_t tap, int64_t *begin, int64_t *end);

/* A stretch of a tile within one row of output pixels. */
typedef struct npc_run {
    int32_t lane, count;
    int64_t image, pixel[NPC_SPATIAL];
} npc_run;

/* Where the first pixel of a run lies in a target whose spatial strides go from pixel to pixel. */
NPC_INLINE char *npc_run_address(const npc_array *target, const npc_run *run, int64_t channel)
{
    const int64_t *s = target->stride;
    return target->data + run->image * s[0] + channel * s[1] + run->pixel[0] * s[2] +
           run->pixel[1] * s[3] + run->pixel[2] * s[4];
}

/* Up to NPC_MAX_TILE consecutive pixels, counted through the images of the batch. */
typedef struct npc_tile {
    int32_t count, vecs, runs;
    uint64_t border; /* lanes with a tap outside the source */
    npc_run run[NPC_MAX_TILE];
} npc_tile;

void npc_tile_set(npc_tile *tile, const npc_window *window, int64_t first, int64_t count,
                  int lanes);
/* More pixels, for the lanes that follow; of a tile of {0} the first ones. */
void npc_tile_add(npc_tile *tile, const npc_window *window, int64_t first, int64_t count);

/* Taps whose segments are kept at once; a larger window is packed in stretches. */
enum { NPC_SEGMENT_TAPS = 128 };

/* Bytes of working memory that npc_panel_pack needs. */
size_t npc_panel_table_bytes(const npc_window *window);

/* State of packing one tile: the segments of a stretch of taps, kept as long as they serve. */
typedef struct npc_packer {
    const npc_kernels *kernels;
    const npc_window *window;
    const npc_tile *tile;
    npc_pack_segment *segments; /* npc_panel_table_bytes() */
    int64_t tap_begin, tap_end; /* of which segments are there; tap_end == 0: none */
} npc_packer;

/* Prepares rows [k_begin, ...) for the packing variant of UK1 instead; 0 if the source or so large
 * a window needs npc_panel_pack. */
int npc_panel_source(npc_packer *packer, int64_t channel, int64_t k_begin, npc_pack_source *source);

/* Packs rows [k_begin, k_end) of the tile's columns, k = channel * taps + tap, channels counted
 * from `channel`, to panel rows `panel_stride` elements apart. Lanes beyond the tile and taps
 * outside the source become zero. */
void npc_panel_pack(npc_packer *packer, int64_t channel, int64_t k_begin, int64_t k_end,
                    void *panel, int64_t panel_stride);

#endif
