/* UK1, the micro-kernel that carries nearly everything: see npc_uk1_args for its contract.
 *
 * A tile holds rows x vecs accumulators in registers. Each step of k loads vecs vectors of the
 * panel and broadcasts one element of each row of A, which stays unpacked: every row is read in its
 * own order, one stream a row. The sums of a block go to C while the next block's products start:
 * the processor overlaps them, so short blocks, which keep the rounding error down, cost little.
 */
#ifndef NPC_KERNELS_GENERIC_UK1_H
#define NPC_KERNELS_GENERIC_UK1_H

#include "pack.h"

/* A step of k: the panel's vectors times an element of each row. */
NPC_INLINE void NPC_V(uk1_step)(const NPC_T *const *a, int64_t k, const NPC_VEC *panel,
                                NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS], const int rows,
                                const int vecs)
{
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        const NPC_VEC w = NPC_V(broadcast)(a[i] + k);
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(fma)(w, panel[j], acc[i][j]);
    }
}

NPC_INLINE void NPC_V(uk1_packed_step)(const NPC_T *const *a, int64_t k, const NPC_T *b,
                                       NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS], const int rows,
                                       const int vecs)
{
    NPC_VEC panel[NPC_MAX_VECS];
    NPC_UNROLL
    for (int j = 0; j < vecs; j++) panel[j] = NPC_V(load)(b + j * NPC_LANES);
    NPC_V(uk1_step)(a, k, panel, acc, rows, vecs);
}

NPC_INLINE void NPC_V(uk1_body)(const npc_uk1_args *args, const int rows, const int vecs,
                                const int pack)
{
    NPC_T *b = args->b;
    const int64_t b_stride = args->b_stride;
    const int last = args->last_lanes;
    const NPC_T *a[NPC_MAX_ROWS];
    NPC_V(pack_cursor) at = {0};
    int64_t k = 0;
    /* Lines are fetched by pairs of steps, two where there is one for every step. An address to
     * fetch in every pair, even where there is nothing more, spares a branch. */
    const int64_t ahead_second = args->ahead_pace == 1 ? args->ahead_step_bytes : 0;
    const int64_t ahead_step = args->ahead_step_bytes + ahead_second;
    const int64_t ahead_mask = args->ahead_pace - 1;
    uintptr_t ahead = args->ahead_count > 0 ? (uintptr_t)args->ahead : (uintptr_t)args->b;

    assert(args->blocks >= 1 && last >= 1 && last <= NPC_LANES);
    if (pack) at = NPC_V(pack_start)(args->source);
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        a[i] = args->a[i];
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) /* there by the end of the block */
            __builtin_prefetch((const NPC_T *)args->c[i] + j * NPC_LANES, 1);
    }
    for (int64_t block = 0; block < args->blocks; block++) {
        const int64_t end = k + args->block_depth + (block < args->long_blocks);
        NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS];
        NPC_UNROLL
        for (int i = 0; i < rows; i++) {
            NPC_UNROLL
            for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(zero)();
        }
        if (pack) {
            for (; k < end; k++, b += b_stride) {
                NPC_VEC panel[NPC_MAX_VECS];
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) {
                    panel[j] = NPC_V(pack_vector)(&at);
                    NPC_V(store)(b + j * NPC_LANES, panel[j]);
                }
                NPC_V(pack_next_row)(&at);
                NPC_V(uk1_step)(a, k, panel, acc, rows, vecs);
            }
        } else {
            const uintptr_t from = ahead;
            const int64_t left = args->ahead_count * args->ahead_pace;
            for (int64_t turn = 0; k + 2 <= end; k += 2, b += 2 * b_stride, turn += 2) {
                __builtin_prefetch((const char *)ahead, 0, 2);
                __builtin_prefetch((const char *)(ahead + (uintptr_t)ahead_second), 0, 2);
                ahead += turn < left && (turn & ahead_mask) == 0 ? (uintptr_t)ahead_step : 0;
                NPC_V(uk1_packed_step)(a, k, b, acc, rows, vecs);
                NPC_V(uk1_packed_step)(a, k + 1, b + b_stride, acc, rows, vecs);
            }
            for (; k < end; k++, b += b_stride) NPC_V(uk1_packed_step)(a, k, b, acc, rows, vecs);
            if (args->ahead_count > 0)
                ahead = from + (uintptr_t)(args->ahead_count * args->ahead_step_bytes +
                                           args->ahead_jump_bytes);
        }
        const int is_last = block == args->blocks - 1;
        const NPC_T *bias = is_last ? args->bias : NULL;
        const NPC_T *lane_bias = is_last && !pack ? args->lane_bias : NULL;
        const int accumulate = args->accumulate || block > 0;
        NPC_UNROLL
        for (int i = 0; i < rows; i++) {
            NPC_T *c = args->c[i], *tail = c + (vecs - 1) * NPC_LANES;
            if (accumulate) {
                NPC_UNROLL
                for (int j = 0; j < vecs - 1; j++)
                    acc[i][j] = NPC_V(add)(NPC_V(load)(c + j * NPC_LANES), acc[i][j]);
                acc[i][vecs - 1] = NPC_V(add)(NPC_V(load_first)(tail, last), acc[i][vecs - 1]);
            }
            if (bias) {
                const NPC_VEC v = NPC_V(broadcast)(bias + i);
                NPC_UNROLL
                for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(add)(acc[i][j], v);
            }
            if (lane_bias) {
                NPC_UNROLL
                for (int j = 0; j < vecs; j++)
                    acc[i][j] = NPC_V(add)(acc[i][j], NPC_V(load)(lane_bias + j * NPC_LANES));
            }
            NPC_UNROLL
            for (int j = 0; j < vecs - 1; j++) NPC_V(store)(c + j * NPC_LANES, acc[i][j]);
            NPC_V(store_first)(tail, acc[i][vecs - 1], last);
        }
    }
}

#endif
