/* Winograd's transform of the input: across the rows for a whole row of tiles, which share columns,
 * then along the row, tile by tile. */
#include "winograd.h"

NPC_INLINE void NPC_V(winograd_across)(const npc_winograd_input_args *args,
                                       const npc_winograd_transform transform)
{
    const int used = npc_winograd_used(transform);
    const NPC_T *row[NPC_WINOGRAD_MAX_POINTS];
    NPC_UNROLL
    for (int i = 0; i < used; i++) row[i] = args->row[i];
    const int64_t end = args->before + args->inside;
    for (int i = 0; i < used; i++) {
        NPC_T *middle = (NPC_T *)args->middle + i * args->columns * NPC_LANES;
        for (int64_t c = 0; c < args->before; c++)
            NPC_V(store)(middle + c * NPC_LANES, NPC_V(zero)());
        for (int64_t c = end; c < args->columns; c++)
            NPC_V(store)(middle + c * NPC_LANES, NPC_V(zero)());
    }
    for (int64_t c = 0; c < args->inside; c++) {
        NPC_VEC d[NPC_WINOGRAD_MAX_POINTS], v[NPC_WINOGRAD_MAX_POINTS];
        NPC_UNROLL
        for (int i = 0; i < used; i++) d[i] = NPC_V(load)(row[i] + c * NPC_LANES);
        NPC_V(winograd_b)(transform, d, v);
        NPC_UNROLL
        for (int i = 0; i < used; i++)
            NPC_V(store)((NPC_T *)args->middle + (i * args->columns + args->before + c) * NPC_LANES,
                         v[i]);
    }
}

NPC_INLINE void NPC_V(winograd_along)(const npc_winograd_input_args *args, const int64_t first,
                                      const int64_t last, const int64_t shift,
                                      const npc_winograd_transform transform)
{
    const npc_winograd_tiles *tiles = args->tiles;
    const npc_winograd_transform across = tiles->transform[0];
    const int used = npc_winograd_used(transform), rows = npc_winograd_used(across);
    const int points = npc_winograd_points(transform);
    const int64_t step = tiles->point_step * NPC_LANES, stride = args->point_stride;
    const int far = NPC_V(winograd_is_far)(stride, npc_winograd_points(across) * points);

    for (int i = 0; i < rows; i++) {
        const NPC_T *middle = (const NPC_T *)args->middle + i * args->columns * NPC_LANES;
        NPC_T *to = (NPC_T *)args->to + npc_winograd_point(across, i) * points * stride;
        for (int64_t t = first; t < last; t++) {
            const NPC_T *from = middle + tiles->column[t] * NPC_LANES;
            NPC_T *tile = to + (t + shift) * args->tile_stride;
            NPC_VEC d[NPC_WINOGRAD_MAX_POINTS], v[NPC_WINOGRAD_MAX_POINTS];
            NPC_UNROLL
            for (int j = 0; j < used; j++) d[j] = NPC_V(load)(from + j * step);
            NPC_V(winograd_b)(transform, d, v);
            if (far)
                NPC_V(winograd_fetch)(tile + NPC_WINOGRAD_AHEAD * args->tile_stride, stride,
                                      transform);
            NPC_UNROLL
            for (int j = 0; j < used; j++)
                NPC_V(store)(tile + npc_winograd_point(transform, j) * stride, v[j]);
        }
    }
}

NPC_DECLARE(winograd_input);
void NPC_NAME(winograd_input)(const npc_winograd_input_args *args)
{
    const npc_winograd_tiles *tiles = args->tiles;
#define ACROSS(transform) NPC_V(winograd_across)(args, transform)
#define WHOLE(transform) NPC_V(winograd_along)(args, 0, tiles->whole_tiles, 0, transform)
    NPC_WINOGRAD_EDGE_SWITCH(tiles->transform[0], ACROSS)
    NPC_WINOGRAD_SWITCH(tiles->transform[1], WHOLE)
    if (tiles->whole_tiles < tiles->tiles)
        NPC_V(winograd_along)(args, tiles->whole_tiles, tiles->tiles, tiles->edge_shift,
                              NPC_WINOGRAD_F43_EDGE);
#undef ACROSS
#undef WHOLE
}
