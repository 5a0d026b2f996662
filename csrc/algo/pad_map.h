/* pad_map.h: which element each position of a padded array copies, for pad and its gradient.
 *
 * All modes are one map per axis, from an output position to the input position it copies: the
 * position before the border, folded back by the mode's period however wide the border is. */
#ifndef NPC_ALGO_PAD_MAP_H
#define NPC_ALGO_PAD_MAP_H

#include "../kernels/kernels.h"

/* The stretches of a row that kernels take; rows of more go element by element. */
enum { NPC_PAD_PARTS = 16 };

/* Input position of output position `at`, counted from the input's first element, along an axis of
 * n elements; -1 where the constant stands.
 *   abcd, three to each side:  reflect dcb|abcd|cba  symmetric cba|abcd|dcb  wrap bcd|abcd|abc */
int64_t npc_pad_source(npc_pad_mode mode, int64_t at, int64_t n);

/* How many positions from `at` on, at most `count`, copy what follows evenly; `step`: 1, -1, or 0
 * where all copy the same, or the constant. */
int64_t npc_pad_run(npc_pad_mode mode, int64_t at, int64_t n, int64_t count, int *step);

/* The output positions that copy input position i, in ascending order: the first one after `after`
 * (-1 at the start), or -1. Positions are counted from the output's first element. */
int64_t npc_pad_next_copy(const npc_pad_geometry *g, int axis, int64_t i, int64_t after);

/* The input positions along an axis that are copied once, to their own place: [*begin, *end). */
void npc_pad_single(const npc_pad_geometry *g, int axis, int64_t *begin, int64_t *end);

/* The stretches of a row, the row itself first, then those before and behind it; 0 if there are
 * more than NPC_PAD_PARTS. Of constants only the place is set. */
int npc_pad_parts(const npc_pad_geometry *g, npc_row_part *part);

/* Checks the sizes and computes those of the padded array. */
npc_status npc_pad_check(const npc_pad_geometry *g, int64_t *out_shape);

/* Joins the last axes to one where they are not padded, or only the first of them is and the mode
 * allows it. `stride` in bytes, of an array of `shape`, which is the geometry's before or after
 * padding. Returns the new rank. */
int npc_pad_join(npc_pad_geometry *g, int64_t *shape, int64_t *stride, int64_t size);

/* A row's positions along all axes but the last `without`, and the step to the next one. */
int64_t npc_pad_count(const int64_t *shape, int rank, int without);
void npc_pad_position(const int64_t *shape, int rank, int without, int64_t row, int64_t *position);
void npc_pad_next(const int64_t *shape, int rank, int without, int64_t *position);

#endif
