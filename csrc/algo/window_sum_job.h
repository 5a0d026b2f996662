/* window_sum_job.h: what the planning of window sums and their computation share. */
#ifndef NPC_ALGO_WINDOW_SUM_JOB_H
#define NPC_ALGO_WINDOW_SUM_JOB_H

#include "window_sum.h"

enum {
    SPAN = 1 << 15,    /* elements of a source row that are summed at once, at most */
    USUAL_SPAN = 4096, /* where windows are not half as long: in L1 */
    SLACK = 64,        /* zeros around them that a kernel may read: vectors, and a step of them */
    MAX_TERMS = 256,   /* along a row, for windows at even steps */
    MAX_ROWS = 1024,   /* down the rows, in place */
    PIECE_BYTES = 1 << 17
};

typedef struct npc_sum_job {
    const npc_window_sum *sum;
    const npc_reach_axis *axis;
    int64_t size, group, planes; /* planes: of the target, one for each `group` of channels */
    int from_in_place, to_in_place, even;
    int phases;         /* along a row, at even steps */
    int64_t row_phases; /* rows so far apart meet rows at even distances */
    int64_t first_term[3], offset[MAX_TERMS], least, most; /* offsets are from the least */
    double divisor;
    int stream;
    int64_t planes_a_piece, rows_a_piece, row_pieces;
} npc_sum_job;

/* The size of a window along an axis, of output o. */
NPC_INLINE double npc_sum_window(const npc_sum_job *j, int axis, int64_t o)
{
    return (double)npc_reach_window(&j->axis[axis], o, j->sum->include_pad);
}

/* One piece of the work; its scratch. */
npc_status npc_sum_piece(void *context, int64_t piece, void *scratch);
size_t npc_sum_scratch(const npc_sum_job *j);

#endif
