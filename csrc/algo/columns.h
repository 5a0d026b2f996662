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

#endif
