/* depthwise_window.h: what the two ways through a depthwise window share: bands of rows of the
 * result (depthwise_window.c), for kernels that read the image where it lies or rows of it that are
 * staged (depthwise_stage.c).
 */
#ifndef NPC_ALGO_DEPTHWISE_WINDOW_H
#define NPC_ALGO_DEPTHWISE_WINDOW_H

#include "depthwise.h"

/* How rows of the source are staged: `phases` stretches of `length` elements, the first of which is
 * source column `first + shift[phase]` for output column 0, each `step` columns from the next. */
typedef struct npc_stage_plan {
    int64_t rows, chunk;   /* of the result: in a band, columns at once */
    int64_t slots, height; /* staged rows, those of a slice */
    int64_t phases, length, step;
    int64_t phase_stride; /* elements from phase to phase of a row */
    int by_tap;           /* a slot for each row of taps; else for each source row in reach */
    int64_t group;        /* rows that are computed at once, `apart` from each other */
    int64_t apart, skip;  /* their rows of taps come in phases, of every `skip`th */
} npc_stage_plan;

typedef struct npc_depthwise_job {
    const npc_depthwise *d;
    int64_t size;
    int fast; /* the kernel's size if it has a loop of its own, or 0 */
    int stage_source, stage_target, has_border;
    npc_stage_plan stage;
    int64_t groups; /* of rows: bands */
    int64_t units, pieces;
} npc_depthwise_job;

/* A thread's working memory. */
typedef struct npc_depthwise_work {
    const void **row;           /* for each phase of the rows of taps */
    npc_depthwise_phase *phase; /* likewise */
    int64_t *offset, *shift;    /* of each tap in its row, of each stretch */
    char *staged;               /* which slots hold their row */
    char *stage, *target;
    char *packed;            /* a kernel's weights in the order of the phases */
    const char *packed_from; /* which kernel's, or NULL */
    int64_t mend_channel;    /* of which `mend` is known, or -1 */
    int mend;                /* some of its weights are not finite */
} npc_depthwise_work;

/* A band of rows of the result. */
typedef struct npc_depthwise_place {
    int64_t image, channel, d, h, rows;
} npc_depthwise_place;

typedef struct npc_depthwise_target {
    char *to; /* of the band's first row and the stretch's first column */
    int64_t stride_bytes, column, columns;
} npc_depthwise_target;

/* Computes elements with taps in the padding again, by the definition. */
void npc_depthwise_mend_border(const npc_depthwise *d, const npc_depthwise_place *at,
                               const npc_depthwise_target *to);
/* What follows the sums: a band's rows at once where they follow each other. */
void npc_depthwise_finish_band(const npc_depthwise *d, const npc_depthwise_place *at,
                               const npc_depthwise_target *to);

/* Elements [0, count) of a staged stretch: element i is source column first + i * step of the row
 * at `from`, or zero. */
void npc_depthwise_stretch(const npc_depthwise_job *job, const char *from, int64_t first,
                           int64_t step, int64_t count, char *to);

/* The largest bands whose rows can be staged; 0: there are none. */
int npc_depthwise_plan_stage(const npc_window *window, npc_stage_plan *plan);

/* Bytes of scratch for staged rows, and what takes them. */
size_t npc_depthwise_stage_bytes(const npc_depthwise_job *job);
void npc_depthwise_set_up_stage(const npc_depthwise_job *job, npc_depthwise_work *work,
                                char *scratch);

/* What a source channel adds to a band. */
void npc_depthwise_staged_rows(const npc_depthwise_job *job, npc_depthwise_work *work,
                               const npc_depthwise_place *at, const char *plane, const char *weight,
                               const char *bias, int accumulate, const npc_depthwise_target *to);

#endif
