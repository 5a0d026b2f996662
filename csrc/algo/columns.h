/* columns.h: the column matrix of im2col: row (c, tap), column pixel. */
#ifndef NPC_ALGO_COLUMNS_H
#define NPC_ALGO_COLUMNS_H

#include "panel.h"

/* Where a tap of a row of pixels lies in the source. */
typedef struct npc_column_run {
    int64_t begin, end; /* columns of pixels that lie inside: none if equal */
    int64_t offset;     /* bytes from the channel's plane to that of pixel `begin` */
    int64_t stride;     /* bytes from pixel to pixel */
} npc_column_run;

npc_column_run npc_column_run_of(const npc_window *window, int64_t tap, int64_t d, int64_t h);

/* Adds a row of the column matrix, `count` elements of dtype at `from` that belong to consecutive
 * pixels from `first` on, to the plane it came from. */
void npc_columns_add(const npc_kernels *kernels, const npc_window *window, int64_t tap,
                     int64_t first, int64_t count, const char *from, char *plane);

/* Columns [column, column + columns) of the pixels' rows, of `taps` taps along the last axis. */
enum { NPC_COLUMN_TAPS = 16 };
void npc_column_taps(const npc_window *window, int64_t tap, int64_t taps, int64_t column,
                     int64_t columns, npc_spread_tap *list);

/* A rectangle of pixels; lines are counted through the slices. */
typedef struct npc_column_block {
    int64_t line, lines, column, columns;
} npc_column_block;

/* The first rows of pixels of [line, line + lines), which are counted through the slices, that
 * belong to one slice. */
typedef struct npc_column_lines {
    int64_t lines;      /* how many they are */
    int64_t begin, end; /* those of them whose tap lies inside along both outer axes */
    int64_t offset;     /* bytes from the channel's plane to where that of `begin` lies */
} npc_column_lines;
void npc_column_rows(const npc_window *window, int64_t tap, int64_t line, int64_t lines,
                     npc_column_lines *found);

/* Adds `taps` rows of the column matrix, from tap `tap` on, to the plane they came from, tap after
 * tap. Of each there are the block's pixels, line after line, from `from` on `from_stride` elements
 * apart. In the plane, pixels of a row are a multiple of an element apart. */
void npc_columns_add_lines(const npc_kernels *kernels, const npc_window *window, int64_t tap,
                           int64_t taps, const npc_column_block *block, const char *from,
                           int64_t from_stride, char *plane);

/* Whether image and matrix follow plane by plane, without gaps. */
int npc_columns_are_planes(const npc_conv_geometry *g, const npc_window *window,
                           const npc_array *image, const npc_array *cols, int64_t size);

/* What the kernel `spread` does, of a source that is no array of plain elements. */
void npc_spread_converted(const npc_window *window, const npc_spread_args *args);

#endif
