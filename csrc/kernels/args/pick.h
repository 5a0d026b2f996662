/* pick.h: what kernels take for small planes whose elements go to other places. */
#ifndef NPC_KERNELS_ARGS_PICK_H
#define NPC_KERNELS_ARGS_PICK_H

#include "../../core/common.h"

#define NPC_PICK_NONE32 ((uint32_t)1 << 31)
#define NPC_PICK_NONE64 ((uint64_t)1 << 63)

/* A vector whose lane i is element index[i] of two vectors of the source one behind the other,
 * which begin at its elements a and b; zero where the index is none. */
typedef struct npc_pick {
    _Alignas(64) union {
        uint32_t of32[16]; /* for elements of 4 bytes */
        uint64_t of64[8];
    } index;
    int32_t a, b, to; /* the element of the target at which it begins */
    int32_t last;     /* of those that are put together there */
} npc_pick;

/* Writes the picks of `planes` planes; those of one place, up to the last, have their lanes apart.
 * Strides in elements. */
typedef struct npc_pick_args {
    const npc_pick *pick;
    int64_t picks, planes;
    const void *from;
    void *to;
    int64_t from_stride, to_stride;
} npc_pick_args;
typedef void npc_pick_fn(const npc_pick_args *args);

/* Likewise the sums of the picks of a place, one after the other from zero on. */
typedef npc_pick_args npc_fold_planes_args;
typedef void npc_fold_planes_fn(const npc_fold_planes_args *args);

#endif
