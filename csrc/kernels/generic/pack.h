/* Packing panel rows from rows of the source: see npc_pack_source. Masked lanes are not read, so a
 * segment may start before its row or end behind it. */
#ifndef NPC_KERNELS_GENERIC_PACK_H
#define NPC_KERNELS_GENERIC_PACK_H

#include "../args/product.h"
#include "kernel.h"

/* Where packing stands. What a loop needs of npc_pack_source is copied: stores to the panel might
 * change the original, as far as the compiler knows. */
typedef struct NPC_V(pack_cursor) {
    const char *base;
    const npc_pack_segment *segment, *segments;
    int64_t taps_left, taps, channel_stride_bytes, ahead_bytes;
    int step;
} NPC_V(pack_cursor);

NPC_INLINE NPC_V(pack_cursor) NPC_V(pack_start)(const npc_pack_source *source)
{
    return (NPC_V(pack_cursor)){.base = source->base,
                                .segment = source->first,
                                .segments = source->segments,
                                .taps_left = source->first_taps,
                                .taps = source->taps,
                                .channel_stride_bytes = source->channel_stride_bytes,
                                .ahead_bytes = source->ahead_bytes,
                                .step = (int)source->step};
}

NPC_INLINE NPC_VEC NPC_V(pack_segment)(const NPC_V(pack_cursor) * at)
{
    const NPC_T *from = (const NPC_T *)((uintptr_t)at->base + (uintptr_t)at->segment->offset_bytes);
    const uint32_t mask = at->segment->mask;
    /* The end of what is read: its start is where the vector before ended. */
    __builtin_prefetch((const char *)((uintptr_t)from + (uintptr_t)at->ahead_bytes +
                                      sizeof(NPC_VEC) - sizeof(NPC_T)));
    return NPC_LIKELY(at->step == 1) ? NPC_V(load_masked)(from, mask)
                                     : NPC_V(load_even)(from, mask);
}

NPC_INLINE NPC_VEC NPC_V(pack_vector)(NPC_V(pack_cursor) * at)
{
    NPC_VEC v = NPC_V(pack_segment)(at);
    while (NPC_UNLIKELY(!(at->segment++)->last)) v = NPC_V(merge)(v, NPC_V(pack_segment)(at));
    return v;
}

/* After the last vector of a row. */
NPC_INLINE void NPC_V(pack_next_row)(NPC_V(pack_cursor) * at)
{
    if (--at->taps_left == 0) {
        at->base += at->channel_stride_bytes;
        at->segment = at->segments;
        at->taps_left = at->taps;
    }
}

#endif
