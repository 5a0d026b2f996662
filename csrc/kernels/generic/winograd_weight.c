/* Winograd's transform of the filters. */
#include "winograd.h"

NPC_INLINE void NPC_V(winograd_filters)(const npc_winograd_weight_args *args,
                                        const npc_winograd_transform transform0,
                                        const npc_winograd_transform transform1)
{
    const int taps0 = npc_winograd_taps(transform0), taps1 = npc_winograd_taps(transform1);
    const int points0 = npc_winograd_points(transform0);
    const int points1 = npc_winograd_points(transform1), taps = taps0 * taps1;
    const int far = NPC_V(winograd_is_far)(args->point_stride, points0 * points1);

    for (int64_t f = 0; f < args->filters; f++) {
        const NPC_T *from = (const NPC_T *)args->from + f * taps * NPC_LANES;
        NPC_T *to = (NPC_T *)args->to + f * args->filter_stride;
        const int64_t step = args->flip ? -NPC_LANES : NPC_LANES;
        NPC_VEC half[NPC_WINOGRAD_MAX_TAPS][NPC_WINOGRAD_MAX_POINTS];
        if (args->flip) from += (taps - 1) * NPC_LANES;
        NPC_UNROLL
        for (int s = 0; s < taps1; s++) {
            NPC_VEC g[NPC_WINOGRAD_MAX_TAPS];
            NPC_UNROLL
            for (int r = 0; r < taps0; r++) g[r] = NPC_V(load)(from + (r * taps1 + s) * step);
            NPC_V(winograd_g)(transform0, g, half[s]);
        }
        NPC_UNROLL
        for (int i = 0; i < points0; i++) {
            NPC_VEC g[NPC_WINOGRAD_MAX_TAPS], u[NPC_WINOGRAD_MAX_POINTS];
            NPC_UNROLL
            for (int s = 0; s < taps1; s++) g[s] = half[s][i];
            NPC_V(winograd_g)(transform1, g, u);
            NPC_T *at = to + i * points1 * args->point_stride;
            if (far)
                NPC_V(winograd_fetch)(at + NPC_WINOGRAD_AHEAD * args->filter_stride,
                                      args->point_stride, transform1);
            NPC_UNROLL
            for (int j = 0; j < points1; j++) NPC_V(store)(at + j * args->point_stride, u[j]);
        }
    }
}

NPC_INLINE void NPC_V(winograd_first)(const npc_winograd_weight_args *args,
                                      const npc_winograd_transform transform0){
#define SECOND(transform1) NPC_V(winograd_filters)(args, transform0, transform1)
    NPC_WINOGRAD_SWITCH(args->transform[1], SECOND)
#undef SECOND
}

NPC_DECLARE(winograd_weight);
void NPC_NAME(winograd_weight)(const npc_winograd_weight_args *args)
{
#define FIRST(transform0) NPC_V(winograd_first)(args, transform0)
    NPC_WINOGRAD_SWITCH(args->transform[0], FIRST)
#undef FIRST
}
