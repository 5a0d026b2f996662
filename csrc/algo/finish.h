/* finish.h: what follows the sum of a forward convolution, y = activation(sum + bias + add), or of
 * an input gradient, with x in place of y.
 *
 * An algorithm calls npc_finish_rows on a part of its result while that is still in cache:
 *
 *     const npc_finish finish = npc_finish_of(problem);      once a call
 *     if (finish.needed) npc_finish_rows(&finish, &rows);    for each part, by any thread
 *
 * The bias may be left to it, or be in the sums already: the bits are the same. A part is any
 * stretch of consecutive output pixels of an image, counted d, h, w in row-major order across the
 * ends of output rows, for consecutive output channels.
 *
 * Every part is finished once, after its last block of depth and after NaNs under the border are
 * mended. Where `finish.add_is_y`, nothing may be stored to y before its elements of add were read:
 * the sums must be complete in scratch memory, from which npc_finish_rows stores them to y (`from`
 * the scratch, `to` y or, if y's pixels are not consecutive, the scratch again).
 */
#ifndef NPC_ALGO_FINISH_H
#define NPC_ALGO_FINISH_H

#include "../plan/conv_plan.h"

typedef struct npc_finish {
    int needed;   /* 0: there is neither an activation nor something to add */
    int add_is_y; /* add and y are the same array */
    const npc_kernels *kernels;
    const npc_array *add; /* NULL: none */
    int add_is_flat;      /* an image's pixels of a channel follow each other, ready to be used */
    int64_t output[NPC_SPATIAL];
    npc_activation activation;
    double slope;
} npc_finish;

npc_finish npc_finish_of(const npc_conv_problem *problem);

/* Sums from[i][j] and results to[i][j] of channel `channel + i` and pixel `pixel + j`, of the
 * computation's dtype; j steps over consecutive elements. */
typedef struct npc_finish_part {
    int64_t image, channel, pixel; /* the first; channel counts through the groups */
    int64_t rows, count;           /* channels, pixels */
    const char *bias;              /* of the first channel; NULL: there is none, or it was added */
    const char *from;
    char *to;                                   /* may be `from` */
    int64_t from_stride_bytes, to_stride_bytes; /* from channel to channel */
} npc_finish_part;

void npc_finish_rows(const npc_finish *finish, const npc_finish_part *part);

/* `count` channels, from `channel` on, of one pixel, that follow each other: `row` in place. */
void npc_finish_pixel(const npc_finish *finish, int64_t image, int64_t channel,
                      const int64_t pixel[NPC_SPATIAL], int64_t count, char *row);

/* `rows` rows of a part from row `begin` on. */
npc_finish_part npc_finish_part_rows(const npc_finish_part *part, int64_t begin, int64_t rows,
                                     npc_dtype dtype);

/* What follows the sum of an input gradient that is a transposed convolution, x = activation(x +
 * bias + add): a pass of its own, after an algorithm that did not set problem->finished. */
npc_status npc_finish_input(const npc_conv_problem *problem);

/* Starts to bring what npc_finish_rows will add into the cache, to be called before the sums of a
 * few rows are computed: they lie so far apart that the processor does not foresee them. */
void npc_finish_fetch(const npc_finish *finish, const npc_finish_part *part);

#endif
