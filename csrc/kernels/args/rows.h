/* rows.h: what kernels take for moving rows of elements, whatever these are. */
#ifndef NPC_KERNELS_ARGS_ROWS_H
#define NPC_KERNELS_ARGS_ROWS_H

#include "../../core/common.h"

typedef enum npc_row_kind {
    NPC_ROW_FORWARD, /* in order */
    NPC_ROW_REVERSE, /* from the last to the first */
    NPC_ROW_REPEAT,  /* one element, over and over */
    NPC_ROW_CONSTANT
} npc_row_kind;

/* A stretch of a padded row: its elements at, at + 1, ... are copies of the elements source,
 * source +- 1, ... of the row that was padded, or `*constant`. */
typedef struct npc_row_part {
    npc_row_kind kind;
    int64_t at, source, count;
    const void *constant;
} npc_row_part;

/* Writes the parts of `rows` padded rows. */
typedef struct npc_pad_rows_args {
    const void *from; /* element 0 of the first row */
    int64_t from_stride_bytes, to_stride_bytes, rows;
    int parts;
    const npc_row_part *part;
    void *to;
} npc_pad_rows_args;
typedef void npc_pad_rows_fn(const npc_pad_rows_args *args);

/* The reverse: adds the elements of `rows` padded rows, `from`, to those they copied, part after
 * part. Unless `accumulate` is set, the first part is written: it is FORWARD, and all of a row. */
typedef struct npc_fold_rows_args {
    const void *from;
    int64_t from_stride_bytes, to_stride_bytes, rows;
    int parts, accumulate;
    const npc_row_part *part;
    void *to;
} npc_fold_rows_args;
typedef void npc_fold_rows_fn(const npc_fold_rows_args *args);

/* to[i] = from[i], past the caches where `to` is aligned to a vector. */
typedef struct npc_copy_out_args {
    const void *from;
    void *to;
    int64_t count;
    int stream;
} npc_copy_out_args;
typedef void npc_copy_out_fn(const npc_copy_out_args *args);

#endif
