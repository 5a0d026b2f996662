/* max_pool_backward_job.h: what the planning of max-pooling's gradient and its computation share.
 */
#ifndef NPC_ALGO_MAX_POOL_BACKWARD_JOB_H
#define NPC_ALGO_MAX_POOL_BACKWARD_JOB_H

#include "pool.h"

enum {
    MAX_TAPS = 255,        /* of a window: their numbers are bytes, and one value means none */
    NONE = 255,            /* no tap won, or none of this output's */
    COLUMNS = 1024,        /* pixels of a row that are done at once, of one phase */
    ROW = 4096,            /* and of all phases */
    MAX_STEP = 16,         /* further apart than most windows are wide: little to gather */
    OVER_READ = 16,        /* lanes that a kernel may read past a row */
    MAX_REACH = 4096,      /* outputs between those of a pixel's first and last window */
    STAGE_BYTES = 1 << 18, /* of staged rows: in L2, and with most images all of a plane */
    PIECE_BYTES = 1 << 16  /* of dx that are worth a piece of work */
};

/* Phase p of an axis of dx is the pixels p + i * step; they are tap[k] of outputs i + shift[k],
 * first_tap[p] <= k < first_tap[p + 1], in ascending order of the outputs. */
typedef struct npc_unpool_phases {
    int64_t first_tap[MAX_STEP + 1], tap[MAX_TAPS], shift[MAX_TAPS];
    int64_t least_shift, most_shift;
} npc_unpool_phases;

typedef struct npc_unpool_job {
    npc_window window;
    const npc_array *from, *to;
    const char *given; /* indices */
    npc_index_kind kind;
    const npc_kernels *kernels;
    int64_t channels, size, planes, pixels; /* pixels: of a plane of dx */
    /* By gathering, bands > 0. */
    int64_t bands, units_a_piece, columns, rows, pitch;
    npc_unpool_phases vertical, horizontal;
    int64_t first_term[MAX_STEP * MAX_STEP + 1]; /* of phase (p, q): p * step + q */
    int32_t offset[MAX_TAPS], wanted[MAX_TAPS];
    int stream;               /* dx is written past the caches */
    int tiles;                /* windows lie side by side: no staging */
    unsigned char *scattered; /* planes with indices outside of their windows, if bands > 1 */
} npc_unpool_job;

/* Checks a plane's indices; adds all its gradients where they point. */
npc_status npc_unpool_check_plane(const npc_unpool_job *j, int64_t plane);
npc_status npc_unpool_scatter_plane(const npc_unpool_job *j, int64_t plane);

/* Tap numbers of outputs [w, end) of row h; `at` is the index of output 0. Returns whether there is
 * one for each. */
int npc_unpool_number_row(const npc_unpool_job *j, int64_t at, int64_t h, int64_t w, int64_t end,
                          uint8_t *to);

/* Pieces of the work. */
npc_status npc_unpool_gather(void *context, int64_t piece, void *scratch);
npc_status npc_unpool_tile_planes(void *context, int64_t piece, void *scratch);

#endif
