/* scatter.h: moving elements to positions of a plane, for max-pooling's gradient and unpooling. */
#ifndef NPC_ALGO_SCATTER_H
#define NPC_ALGO_SCATTER_H

#include "../core/dtype.h"
#include "../kernels/kernels.h"

typedef struct npc_scatter {
    const npc_array *from, *to; /* elements of `to` are of `dtype` */
    npc_dtype dtype;
    const npc_kernels *kernels;
    int64_t planes, channels, size;
    int64_t source[NPC_SPATIAL], target[NPC_SPATIAL]; /* extents of their planes */
    int add;              /* rather than keep the last of those with the same position */
    const int64_t *index; /* of each element of `from`, C-contiguous; or NULL and ... */
    /* ... the positions of elements (d, h, w), (d, h, w + 1), ... of a plane; -1 if there is none
     */
    void (*locate)(const void *context, int64_t plane, int64_t d, int64_t h, int64_t w,
                   int64_t count, int64_t *position);
    const void *context;
    /* Where planes have one slice and reach > 0: elements of row h usually go to rows [h * step +
     * first, h * step + first + reach). */
    int64_t step, first, reach;
    /* npc_scatter_plan derives the rest. */
    int whole, joined;      /* elements of a plane of `to`, or of `from`, follow each other */
    int stream;             /* and are written past the caches */
    int64_t planes_a_piece; /* of the work */
    int64_t rows;           /* of the target, that are kept in scratch before they are written */
} npc_scatter;

void npc_scatter_plan(npc_scatter *s);
int64_t npc_scatter_pieces(const npc_scatter *s);
size_t npc_scatter_scratch(const npc_scatter *s);

/* A task: writes a piece of the planes, zeros and what goes there in the order of `from`, or
 * returns NPC_BAD_INDEX for a position outside of the plane. */
npc_status npc_scatter_piece(void *context, int64_t piece, void *scratch);
/* The same for one plane. */
npc_status npc_scatter_plane(const npc_scatter *s, int64_t plane, void *scratch);

#endif
