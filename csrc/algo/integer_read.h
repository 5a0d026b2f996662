/* integer_read.h: elements of any integer dtype, alignment and byte order as int16 or int64. */
#ifndef NPC_ALGO_INTEGER_READ_H
#define NPC_ALGO_INTEGER_READ_H

#include "../include/npc.h"

/* `count` elements, `stride` bytes apart, to elements of `item_bytes` (2: int16, from int8 and
 * uint8 only; 8: int64, modulo 2^64), `to_stride` bytes apart. */
void npc_read_integers(const npc_array *array, const char *source, int64_t stride, int64_t count,
                       int64_t item_bytes, char *to, int64_t to_stride);

#endif
