/* scratch.h: a block of working memory for each thread, kept between calls.
 *
 * Fresh pages cost more than the work of a small call, so a thread keeps its block until it ends.
 * No block is larger than NPC_SCRATCH_LIMIT, the documented bound of extra memory per thread: 2 MB
 * for the direct algorithms, 8 MB for Winograd's. */
#ifndef NPC_CORE_SCRATCH_H
#define NPC_CORE_SCRATCH_H

#include <stddef.h>

#define NPC_SCRATCH_LIMIT ((size_t)8 << 20)

/* At least `size` bytes, aligned to a cache line, or NULL. Contents are undefined; the block is
 * valid until this thread's next call. size <= NPC_SCRATCH_LIMIT. */
void *npc_scratch(size_t size);

/* Cuts `size` bytes, rounded up to cache lines, off the front of *cursor. */
static inline void *npc_scratch_take(char **cursor, size_t size)
{
    void *taken = *cursor;
    *cursor += (size + 63) / 64 * 64;
    return taken;
}

#endif
