/* spread.h: what kernels take for rows of an image laid out tap by tap. */
#ifndef NPC_KERNELS_ARGS_SPREAD_H
#define NPC_KERNELS_ARGS_SPREAD_H

#include "../../core/common.h"

/* Spreads rows of an image: element j of row i of tap t becomes the image's element
 * (from + i * row_stride_bytes + tap[t].offset_bytes)[(j - begin) * step] if begin <= j < end, else
 * zero, for 0 <= j < count. Of each tap's rows the first and last few are zero. Rows of a tap
 * follow each other, and up to a vector behind the last row of a tap is written too. */
typedef struct npc_spread_tap {
    int64_t offset_bytes, begin, end; /* begin == end: all zero */
} npc_spread_tap;

typedef struct npc_spread_args {
    const void *from;
    int64_t row_stride_bytes, step;
    int64_t zeros_before, rows, zeros_after;
    int64_t count, taps;
    const npc_spread_tap *tap;
    void *to;
    int64_t to_stride; /* from tap to tap */
} npc_spread_args;
typedef void npc_spread_fn(const npc_spread_args *args);

/* The reverse: adds element j of row i of tap t, for begin <= j < end, to the image's element
 * (to + i * row_stride_bytes + tap[t].offset_bytes)[(j - begin) * step], tap after tap. */
typedef struct npc_add_taps_args {
    const void *from;    /* rows of a tap follow each other */
    int64_t from_stride; /* from tap to tap */
    int64_t rows, count, taps;
    const npc_spread_tap *tap;
    void *to;
    int64_t row_stride_bytes, step;
} npc_add_taps_args;
typedef void npc_add_taps_fn(const npc_add_taps_args *args);

#endif
