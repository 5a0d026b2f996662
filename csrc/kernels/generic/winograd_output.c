/* Winograd's transform of the products to the output, tile by tile. */
#include "winograd.h"

/* Zero in every lane whose results were finite so far, else NaN. */
NPC_INLINE NPC_VEC NPC_V(winograd_results)(const npc_winograd_output_args *args,
                                           const int64_t first, const int64_t last,
                                           const int64_t shift, const npc_winograd_transform across,
                                           const npc_winograd_transform along)
{
    const npc_winograd_tiles *tiles = args->tiles;
    const int points = npc_winograd_points(along);
    const int used0 = npc_winograd_used(across), used1 = npc_winograd_used(along);
    const int outputs0 = npc_winograd_outputs(across), outputs1 = npc_winograd_outputs(along);
    const int64_t step = tiles->point_step * NPC_LANES, stride = args->point_stride;
    const int far = NPC_V(winograd_is_far)(stride, npc_winograd_points(across) * points);
    const NPC_VEC bias = NPC_V(load)(args->bias);
    NPC_VEC finite = NPC_V(zero)();

    for (int64_t t = first; t < last; t++) {
        const NPC_T *from = (const NPC_T *)args->from + (t + shift) * args->tile_stride;
        const int64_t column = tiles->column[t] * NPC_LANES;
        NPC_VEC half[NPC_WINOGRAD_MAX_POINTS][NPC_WINOGRAD_MAX_OUTPUTS];
        NPC_UNROLL
        for (int j = 0; j < used1; j++) {
            const NPC_T *at = from + npc_winograd_point(along, j) * stride;
            NPC_VEC m[NPC_WINOGRAD_MAX_POINTS];
            NPC_UNROLL
            for (int i = 0; i < used0; i++)
                m[i] = NPC_V(load)(at + npc_winograd_point(across, i) * points * stride);
            if (far)
                NPC_V(winograd_fetch)(at + NPC_WINOGRAD_AHEAD * args->tile_stride, points * stride,
                                      across);
            NPC_V(winograd_a)(across, m, half[j]);
        }
        NPC_UNROLL
        for (int i = 0; i < outputs0; i++) {
            NPC_VEC m[NPC_WINOGRAD_MAX_POINTS], y[NPC_WINOGRAD_MAX_OUTPUTS];
            NPC_T *to = (NPC_T *)args->row[i] + column;
            NPC_UNROLL
            for (int j = 0; j < used1; j++) m[j] = half[j][i];
            NPC_V(winograd_a)(along, m, y);
            NPC_UNROLL
            for (int j = 0; j < outputs1; j++) {
                finite = NPC_V(fma)(y[j], NPC_V(zero)(), finite);
                NPC_V(store)(to + j * step, y[j] + bias);
            }
        }
    }
    return finite;
}

NPC_INLINE NPC_VEC NPC_V(winograd_row)(const npc_winograd_output_args *args,
                                       const npc_winograd_transform across)
{
    const npc_winograd_tiles *tiles = args->tiles;
    NPC_VEC finite = NPC_V(zero)();
#define WHOLE(along) finite = NPC_V(winograd_results)(args, 0, tiles->whole_tiles, 0, across, along)
    NPC_WINOGRAD_SWITCH(tiles->transform[1], WHOLE)
    if (tiles->whole_tiles < tiles->tiles)
        finite = finite + NPC_V(winograd_results)(args, tiles->whole_tiles, tiles->tiles,
                                                  tiles->edge_shift, across, NPC_WINOGRAD_F43_EDGE);
#undef WHOLE
    return finite;
}

NPC_DECLARE(winograd_output);
int NPC_NAME(winograd_output)(const npc_winograd_output_args *args)
{
    NPC_VEC finite = NPC_V(zero)();
#define ROW(across) finite = NPC_V(winograd_row)(args, across)
    NPC_WINOGRAD_EDGE_SWITCH(args->tiles->transform[0], ROW)
#undef ROW
    const NPC_T total = NPC_V(total)(finite);
    return total != total;
}
