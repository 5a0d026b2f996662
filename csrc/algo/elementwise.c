#include "elementwise.h"

#include <string.h>

#include "../core/dtype.h"
#include "../plan/simple_plan.h"

enum {
    STAGE = 512,          /* elements that are converted at a time */
    SHORTEST_RUN = 64,    /* shorter runs are staged */
    PIECE = 16 * 1024,    /* elements of a piece of work: 10 us */
    FLOPS_AN_ELEMENT = 40 /* what takes as long as to read and write one */
};

typedef struct job {
    const npc_element_loop *loop;
    const npc_kernels *kernels;
    npc_dtype dtype;
    int64_t size, total;
    int rank;
    int64_t shape[NPC_MAX_RANK];
    npc_operand operand[NPC_OPERANDS];
    int direct; /* all runs can be used as they lie */
} job;

static int64_t magnitude(int64_t stride) { return stride < 0 ? -stride : stride; }

/* Leaves axes of more than one element, turned so that operand 0 is walked forwards and sorted by
 * its strides. */
static void order_axes(job *j, const npc_elements *elements)
{
    int axes[NPC_MAX_RANK];
    j->rank = 0;
    for (int i = 0; i < elements->rank; i++) {
        if (elements->shape[i] == 1) continue;
        const int64_t step = magnitude(elements->operand[0].stride[i]);
        int at = j->rank++;
        for (; at > 0 && magnitude(elements->operand[0].stride[axes[at - 1]]) < step; at--)
            axes[at] = axes[at - 1];
        axes[at] = i;
    }
    for (int o = 0; o < NPC_OPERANDS; o++) {
        j->operand[o] = elements->operand[o];
        if (!j->operand[o].data) continue;
        for (int i = 0; i < j->rank; i++) {
            int64_t stride = elements->operand[o].stride[axes[i]];
            if (elements->operand[0].stride[axes[i]] < 0) {
                j->operand[o].data += stride * (elements->shape[axes[i]] - 1);
                stride = -stride;
            }
            j->operand[o].stride[i] = stride;
        }
    }
    for (int i = 0; i < j->rank; i++) j->shape[i] = elements->shape[axes[i]];
}

static void join_axes(job *j)
{
    int kept = 0; /* the axis that the next one may join */
    for (int i = 1; i < j->rank; i++) {
        int joins = 1;
        for (int o = 0; o < NPC_OPERANDS; o++)
            if (j->operand[o].data &&
                j->operand[o].stride[kept] != j->operand[o].stride[i] * j->shape[i])
                joins = 0;
        if (joins) {
            j->shape[kept] *= j->shape[i];
        } else {
            kept++;
            j->shape[kept] = j->shape[i];
        }
        for (int o = 0; o < NPC_OPERANDS; o++) j->operand[o].stride[kept] = j->operand[o].stride[i];
    }
    j->rank = npc_min(j->rank, kept + 1);
    if (j->rank == 0) { /* a single element */
        j->rank = 1;
        j->shape[0] = 1;
        for (int o = 0; o < NPC_OPERANDS; o++) j->operand[o].stride[0] = j->size;
    }
}

/* Where a run of elements along the last axis starts. */
typedef struct place {
    int64_t position[NPC_MAX_RANK];
    char *at[NPC_OPERANDS];
} place;

static void start(const job *j, int64_t element, place *p)
{
    for (int o = 0; o < NPC_OPERANDS; o++) p->at[o] = j->operand[o].data;
    for (int i = j->rank - 1; i >= 0; i--) {
        p->position[i] = element % j->shape[i];
        element /= j->shape[i];
        for (int o = 0; o < NPC_OPERANDS; o++)
            if (p->at[o]) p->at[o] += p->position[i] * j->operand[o].stride[i];
    }
}

/* Goes on by `count` elements, at most to the end of the last axis. */
static void advance(const job *j, int64_t count, place *p)
{
    int axis = j->rank - 1;
    int64_t steps = count;
    for (;; axis--, steps = 1) {
        p->position[axis] += steps;
        for (int o = 0; o < NPC_OPERANDS; o++)
            if (p->at[o]) p->at[o] += steps * j->operand[o].stride[axis];
        if (p->position[axis] < j->shape[axis] || axis == 0) return;
        for (int o = 0; o < NPC_OPERANDS; o++)
            if (p->at[o]) p->at[o] -= j->shape[axis] * j->operand[o].stride[axis];
        p->position[axis] = 0;
    }
}

static int64_t run_length(const job *j, const place *p, int64_t left)
{
    return npc_min(left, j->shape[j->rank - 1] - p->position[j->rank - 1]);
}

/* Moves `count` elements from place `p` on between the arrays and the stages. */
static void transfer(const job *j, place *p, int64_t count, char *const *stage, int writing)
{
    const int last = j->rank - 1;
    for (int64_t i = 0; i < count;) {
        const int64_t run = run_length(j, p, count - i);
        for (int o = 0; o < NPC_OPERANDS; o++) {
            const npc_operand *operand = &j->operand[o];
            if (!operand->data || !(writing ? j->loop->writes[o] : j->loop->reads[o])) continue;
            char *staged = stage[o] + i * j->size;
            if (writing) {
                npc_write_run(staged, j->dtype, p->at[o], operand->stride[last], run);
            } else {
                const npc_array as = {.dtype = operand->dtype,
                                      .swapped = operand->swapped,
                                      .misaligned = operand->misaligned};
                npc_read_run(&as, p->at[o], operand->stride[last], run, j->dtype, staged);
            }
        }
        advance(j, run, p);
        i += run;
    }
}

static npc_status each_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t begin = piece * PIECE, end = npc_min(begin + PIECE, j->total);
    char *stage[NPC_OPERANDS];
    place p;
    start(j, begin, &p);
    for (int64_t i = begin; i < end && j->direct;) {
        const int64_t run = run_length(j, &p, end - i);
        j->loop->kernel(j->kernels, j->loop->context, run, p.at);
        advance(j, run, &p);
        i += run;
    }
    if (j->direct) return NPC_OK;
    for (int o = 0; o < NPC_OPERANDS; o++)
        stage[o] = j->operand[o].data ? (char *)scratch + o * STAGE * j->size : NULL;
    for (int64_t i = begin; i < end; i += STAGE) {
        const int64_t count = npc_min(STAGE, end - i);
        place back = p;
        transfer(j, &p, count, stage, 0);
        j->loop->kernel(j->kernels, j->loop->context, count, stage);
        transfer(j, &back, count, stage, 1);
    }
    return NPC_OK;
}

npc_status npc_each_element(const npc_element_loop *loop, const npc_elements *elements,
                            npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    job j = {.loop = loop, .dtype = dtype, .size = (int64_t)npc_dtype_size(dtype), .total = 1};
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (elements->rank < 0 || elements->rank > NPC_MAX_RANK) return NPC_INVALID_GEOMETRY;
    for (int i = 0; i < elements->rank; i++)
        if (elements->shape[i] < 0 || __builtin_mul_overflow(j.total, elements->shape[i], &j.total))
            return NPC_INVALID_GEOMETRY;
    if (j.total) {
        order_axes(&j, elements);
        join_axes(&j);
        const int last = j.rank - 1;
        j.direct = j.rank == 1 || j.shape[last] >= SHORTEST_RUN;
        for (int o = 0; o < NPC_OPERANDS; o++) {
            const npc_operand *operand = &j.operand[o];
            if (operand->data && (operand->dtype != dtype || operand->swapped ||
                                  operand->misaligned || operand->stride[last] != j.size))
                j.direct = 0;
        }
    }
    npc_team team = npc_make_team(options, FLOPS_AN_ELEMENT * (double)j.total);
    const size_t scratch = j.direct ? 0 : (size_t)(NPC_OPERANDS * STAGE * j.size);
    const npc_status done =
        npc_parallel_for(&team, npc_ceil_div(j.total, PIECE), scratch, each_piece, &j);
    npc_simple_info(info, loop->operation, j.kernels, &team);
    return done;
}
