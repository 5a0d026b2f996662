/* pixel_copy.h: vectors of channels from arrays in which a pixel's channels follow each other. */
#ifndef NPC_ALGO_PIXEL_COPY_H
#define NPC_ALGO_PIXEL_COPY_H

#include <string.h>

#include "../core/dtype.h"

/* Whether `channels` channels of a pixel follow each other and can be copied as they are. */
NPC_INLINE int npc_channels_follow(const npc_array *array, npc_dtype dtype, int64_t channels)
{
    return channels > 1 && npc_is_plain(array, dtype) &&
           array->stride[1] == (int64_t)npc_dtype_size(dtype);
}

/* Copies `bytes` of each pixel and fills them up with zeros to `to_step`. Pixels are short: pieces
 * of a fixed size cost less than calls. */
NPC_INLINE void npc_copy_pixels(const char *from, int64_t from_step, int64_t pixels, int64_t bytes,
                                char *to, int64_t to_step)
{
    enum { PIECE = 32 };
    for (int64_t p = 0; p < pixels; p++, from += from_step, to += to_step) {
        int64_t b = 0;
        for (; b + PIECE <= bytes; b += PIECE) __builtin_memcpy(to + b, from + b, PIECE);
        if (b < bytes) memcpy(to + b, from + b, (size_t)(bytes - b));
        if (bytes < to_step) memset(to + bytes, 0, (size_t)(to_step - bytes));
    }
}

#endif
