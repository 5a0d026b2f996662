/* dtype.h: reading elements of any supported dtype, alignment and byte order as float32 or float64.
 */
#ifndef NPC_CORE_DTYPE_H
#define NPC_CORE_DTYPE_H

#include "common.h"
#include "../include/npc.h"

size_t npc_dtype_size(npc_dtype dtype);
const char *npc_dtype_name(npc_dtype dtype);

/* One element as a double. */
double npc_load(const char *source, npc_dtype dtype, int swapped);

/* A double to one element of dtype F32 or F64. */
NPC_INLINE void npc_store(char *to, npc_dtype dtype, double value)
{
    if (dtype == NPC_F32)
        *(float *)to = (float)value;
    else
        *(double *)to = value;
}

/* `count` elements, `stride` bytes apart, of the array's dtype and byte order, to consecutive
 * elements of `dtype` (F32 or F64) at `to`. */
void npc_read_run(const npc_array *array, const char *source, int64_t stride, int64_t count,
                  npc_dtype dtype, void *to);

/* The reverse, for an aligned native array of `dtype`: from consecutive elements to strided. */
void npc_write_run(const void *from, npc_dtype dtype, char *target, int64_t stride, int64_t count);

/* `count` floats, rounded to the nearest F16 or BF16. */
void npc_round_run(const float *from, int64_t count, npc_dtype dtype, void *to);

/* Whether a row of the array, `stride` bytes from element to element, can be read as it stands. */
NPC_INLINE int npc_is_plain(const npc_array *array, npc_dtype dtype)
{
    return array->dtype == dtype && !array->swapped && !array->misaligned;
}

#endif
