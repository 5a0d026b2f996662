/* Packing panel rows from rows of the source: see npc_pack_source. Masked lanes are not read, so a
 * segment may start before its row or end behind it. */
#ifndef NPC_KERNELS_GENERIC_PACK_H
#define NPC_KERNELS_GENERIC_PACK_H

#include "kernel.h"

/* Where packing stands. */
typedef struct NPC_V(pack_cursor) {
    const char *base;
    const npc_pack_segment *segment;
    int64_t taps;
} NPC_V(pack_cursor);

NPC_INLINE NPC_V(pack_cursor) NPC_V(pack_start)(const npc_pack_source *source)
{
    return (NPC_V(pack_cursor)){source->base, source->first, source->first_taps};
}

NPC_INLINE NPC_VEC NPC_V(pack_vector)(NPC_V(pack_cursor) * at, const npc_pack_source *source)
{
    const char *from = (const char *)((uintptr_t)at->base + (uintptr_t)at->segment->offset_bytes);
    const uint32_t mask = at->segment->mask;
    NPC_VEC v = source->step == 1 ? NPC_V(load_masked)((const NPC_T *)from, mask)
                                  : NPC_V(load_even)((const NPC_T *)from, mask);
    while (NPC_UNLIKELY(!(at->segment++)->last)) {
        from = (const char *)((uintptr_t)at->base + (uintptr_t)at->segment->offset_bytes);
        v = NPC_V(merge)(v, source->step == 1
                                ? NPC_V(load_masked)((const NPC_T *)from, at->segment->mask)
                                : NPC_V(load_even)((const NPC_T *)from, at->segment->mask));
    }
    return v;
}

/* After the last vector of a row. */
NPC_INLINE void NPC_V(pack_next_row)(NPC_V(pack_cursor) * at, const npc_pack_source *source)
{
    if (--at->taps == 0) {
        at->base += source->channel_stride_bytes;
        at->segment = source->segments;
        at->taps = source->taps;
    }
}

#endif
