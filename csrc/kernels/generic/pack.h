/* Packing a panel from rows of the source: see npc_pack_args. Masked lanes are not read, so a
 * segment may start before its row or end behind it. */
static void NPC_NAME(pack)(const npc_pack_args *args)
{
    const int64_t rows = args->vectors / args->row_vectors;
    const char *base = args->base;
    NPC_T *row = args->panel;

    assert(args->vectors % args->row_vectors == 0);
    for (int64_t c = 0; c < args->channels; c++) {
        const npc_pack_segment *s = args->segments;
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t j = 0; j < args->row_vectors; j++) {
                NPC_VEC v = NPC_V(zero)();
                do {
                    const NPC_T *from = (const NPC_T *)((uintptr_t)base + (uintptr_t)s->offset_bytes);
                    v = NPC_V(merge_masked)(v, from, s->mask);
                } while (!(s++)->last);
                NPC_V(store)(row + j * NPC_LANES, v);
            }
            row += args->panel_stride;
        }
        base += args->channel_stride_bytes;
    }
}
