/* band.h: bands of image rows, spread so that every tap of consecutive output pixels is a plain
 * vector load.
 *
 * A band serves a few rows of output pixels. For each channel, slice of the kernel's depth and
 * column tap it holds the rows of the image that the band's pixels need, from each only the
 * elements that this tap meets, one for each pixel, zeros for the padding. Rows that lie a stride
 * apart follow each other, so pixel p of the band, counted through its rows, finds every tap at p
 * elements behind that of pixel 0, and no lane is wasted at the end of a row. A column tap of a row
 * is copied once and serves all row taps. Where the output is a single row, as that of a sequence,
 * taps a stride apart share one line in turn: each finds its pixels some elements further on.
 */
#ifndef NPC_ALGO_BAND_H
#define NPC_ALGO_BAND_H

#include "panel.h"

enum {
    NPC_BAND_TAPS = 128,                /* the most along an axis */
    NPC_BAND_BYTES = 256 * 1024,        /* of a band: it stays in L2 */
    NPC_BAND_LIMIT = 2 * NPC_BAND_BYTES /* where a single row takes more */
};

/* Image rows with one remainder modulo the stride. */
typedef struct npc_band_phase {
    int64_t first; /* kernel offset of the first, in image rows */
    int64_t span;  /* rows needed behind those of the first row tap */
    int64_t place; /* in a plane, in rows of all column taps */
} npc_band_phase;

typedef struct npc_band {
    const npc_window *window;
    const npc_kernels *kernels;
    int64_t planes;        /* (channel, depth tap) */
    int64_t rows, columns; /* the most output pixels */
    int64_t row_parts, column_parts;
    int64_t plane_rows; /* of a column tap, all phases */
    int64_t lines;      /* of a row: one for each column tap, or for each remainder of them */
    int64_t length;     /* of a line: a pixel for each column, and what shared ones need behind */
    int phases, phase_of[NPC_BAND_TAPS];
    npc_band_phase phase[NPC_BAND_TAPS];
    size_t bytes; /* of memory, and some to write and read beyond the end */
} npc_band;

/* Whether taps share lines, and how many there are of them. */
int npc_band_lines(const npc_window *window, int64_t *lines);

/* Lays out bands of a group's `channels`, at least `parts` to a slice of the output if that makes
 * them no lower than a few rows. Returns 0 if there are too many taps or a band of the
 * smallest size is too large. */
int npc_band_plan(npc_band *band, const npc_window *window, const npc_kernels *kernels,
                  int64_t channels, int64_t parts);

/* What a band holds: pixels [row, row + rows) x [column, column + columns) of output slice `depth`.
 */
typedef struct npc_band_place {
    int64_t image, channel, depth;
    int64_t row, rows, column, columns;
} npc_band_place;

/* Copies what the band's pixels need; channels from `channel`. */
void npc_band_fill(const npc_band *band, const npc_band_place *place, void *memory);

/* Where step k of the depth finds the band's first pixel, in bytes from the band's start. */
void npc_band_offsets(const npc_band *band, int64_t *offset_bytes);

#endif
