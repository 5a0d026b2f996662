/* input_grad_last: input gradients of arrays in which a pixel's channels follow each other.
 *
 * Each phase of the stride (phase.h) is a forward convolution of dy with a part of the kernel,
 * turned round, whose input and output channels change places: the forward algorithms for this
 * layout compute it, the pixels of the result lying a stride apart.
 */
#include <string.h>

#include "../plan/conv_cost.h"
#include "../plan/simple_plan.h"
#include "phase.h"

enum {
    MAX_PHASES = 32,
    MAX_TAPS = 1024,
    BLOCK = 16 /* input channels whose weights are copied together */
};

/* A forward convolution that computes one phase. */
typedef struct part {
    npc_conv_geometry geometry;
    npc_phase phase[NPC_SPATIAL];
    int64_t taps, taps_before;
} part;

/* Those of all phases; 0: there are too many. `complete`: they reach every pixel. */
static int find_parts(const npc_conv_geometry *g, part *parts, int *complete)
{
    int64_t count[NPC_SPATIAL], taps = 0;
    int found = 0, missed = 0;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        count[i] = npc_phase_count(g, i);
        if (count[i] > MAX_PHASES) return 0;
        npc_phase phase;
        int64_t axis_found = 0;
        for (int64_t p = 0; p < count[i]; p++) axis_found += npc_phase_find(g, i, p, &phase);
        missed |= axis_found < npc_min(g->stride[i], g->input[i]);
    }
    if (count[0] * count[1] * count[2] > MAX_PHASES) return 0;
    for (int64_t n = 0; n < count[0] * count[1] * count[2]; n++) {
        const int64_t index[] = {n / count[2] / count[1], n / count[2] % count[1], n % count[2]};
        part *p = &parts[found];
        int exists = 1;
        p->geometry = (npc_conv_geometry){.batch = g->batch,
                                          .groups = g->groups,
                                          .in_channels = g->out_channels,
                                          .out_channels = g->in_channels};
        for (int i = 0; i < NPC_SPATIAL && exists; i++) {
            exists = npc_phase_find(g, i, index[i], &p->phase[i]);
            if (!exists) break;
            const npc_axis *axis = &p->phase[i].axis;
            p->geometry.input[i] = axis->extent;
            p->geometry.output[i] = axis->pixels;
            p->geometry.kernel[i] = axis->taps;
            p->geometry.stride[i] = 1;
            p->geometry.dilation[i] = -axis->spacing;
            /* Of the last tap, which is turned round to be the first; it may be negative. */
            p->geometry.pad_before[i] = -(axis->first + (axis->taps - 1) * axis->spacing);
        }
        if (!exists) continue;
        p->taps = npc_volume(p->geometry.kernel);
        p->taps_before = taps;
        taps += p->taps;
        found++;
    }
    *complete = !missed;
    return found;
}

/* Who computes a part, and in how many seconds; NULL: nobody. */
static const npc_conv_algorithm *choose(const npc_conv_problem *forward, double *seconds)
{
    static const int index[] = {NPC_CONV_depthwise_last, NPC_CONV_few_channels_last,
                                NPC_CONV_channels_last};
    static const npc_conv_algorithm *const algorithm[] = {
        &npc_conv_depthwise_last, &npc_conv_few_channels_last, &npc_conv_channels_last};
    const npc_conv_algorithm *best = NULL;
    for (int i = 0; i < 3; i++) {
        if (algorithm[i]->declines(forward)) continue;
        const double time = npc_conv_seconds(forward, algorithm[i], index[i]);
        if (best && !(time >= 0 && time < *seconds)) continue;
        best = algorithm[i];
        *seconds = time;
    }
    return best;
}

static npc_conv_problem forward_of(const npc_conv_problem *problem, const part *p)
{
    npc_conv_problem forward = *problem;
    forward.operation = NPC_FORWARD;
    forward.geometry = &p->geometry;
    forward.prepared = NULL;
    forward.shared_bytes = 0;
    return forward;
}

typedef struct job {
    const npc_conv_problem *problem;
    const part *part;
    char *to;
    int64_t size, blocks;
} job;

/* Weights of a part, for a few input channels c of the convolution: to[c][k][t], its taps backward
 * in every axis. */
static npc_status turn(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const npc_conv_geometry *g = j->problem->geometry;
    const part *p = j->part;
    const int64_t channels = npc_group_in(g), rows = npc_group_out(g), all = npc_volume(g->kernel);
    const int64_t group = piece / j->blocks, block = piece % j->blocks, size = j->size;
    const int64_t begin = npc_split(channels, j->blocks, block);
    const int64_t end = npc_split(channels, j->blocks, block + 1);
    const int64_t *kernel = p->geometry.kernel;
    const char *weight =
        (const char *)j->problem->arrays->weight + group * rows * channels * all * size;
    char *to = j->to + group * channels * rows * p->taps * size;

    if (all == 1) {
        const npc_transpose_args args = {.from = weight + begin * size,
                                         .from_stride = channels,
                                         .rows = rows,
                                         .cols = end - begin,
                                         .to = to + begin * rows * size,
                                         .to_stride = rows};
        npc_run_transpose(j->problem->kernels, &args);
        return NPC_OK;
    }
    int32_t tap[MAX_TAPS]; /* of the convolution, for each of the part's in turn */
    for (int64_t t = 0; t < p->taps; t++) {
        const int64_t index[] = {t / kernel[2] / kernel[1], t / kernel[2] % kernel[1],
                                 t % kernel[2]};
        int64_t from = 0;
        for (int i = 0; i < NPC_SPATIAL; i++)
            from = from * g->kernel[i] + p->phase[i].tap0 + index[i] * p->phase[i].tap_step;
        tap[p->taps - 1 - t] = (int32_t)from;
    }
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t c = begin; c < end; c++) {
            const char *from = weight + (k * channels + c) * all * size;
            char *at = to + (c * rows + k) * p->taps * size;
            if (size == 4)
                for (int64_t t = 0; t < p->taps; t++) memcpy(at + 4 * t, from + 4 * tap[t], 4);
            else
                for (int64_t t = 0; t < p->taps; t++) memcpy(at + 8 * t, from + 8 * tap[t], 8);
        }
    }
    return NPC_OK;
}

/* A slice of an image, where some pixels are reached by no tap. */
static npc_status zero_slice(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *x = &j->problem->arrays->x;
    char *slice = x->data + piece / g->input[0] * x->stride[0] + piece % g->input[0] * x->stride[2];
    const int dense = (g->in_channels == 1 || x->stride[1] == j->size) &&
                      (g->input[2] == 1 || x->stride[4] == g->in_channels * j->size);
    for (int64_t h = 0; h < g->input[1] && dense; h++)
        memset(slice + h * x->stride[3], 0, (size_t)(g->input[2] * g->in_channels * j->size));
    for (int64_t c = 0; c < g->in_channels && !dense; c++)
        npc_zero_plane(x, slice + c * x->stride[1], 1, g->input[1], g->input[2], j->size);
    return NPC_OK;
}

static npc_status run_part(npc_conv_problem *problem, const part *p, const char *weight)
{
    npc_conv_arrays arrays = {
        .x = problem->arrays->y, .y = problem->arrays->x, .weight = (void *)weight};
    npc_conv_problem forward = forward_of(problem, p);
    double seconds;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        const int64_t stride = arrays.y.stride[2 + i];
        arrays.y.data += p->phase[i].pixel0 * stride;
        arrays.y.stride[2 + i] = p->geometry.output[i] > 1
                                     ? stride * problem->geometry->stride[i]
                                     : stride; /* a large step might overflow */
    }
    const npc_conv_algorithm *algorithm = choose(&forward, &seconds);
    forward.arrays = &arrays;
    const npc_status status = algorithm->run(&forward);
    problem->shared_bytes = npc_max(problem->shared_bytes, forward.shared_bytes);
    return status;
}

static npc_status run(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    part parts[MAX_PHASES];
    int complete;
    const int count = find_parts(g, parts, &complete);
    const int64_t filters = g->in_channels * npc_group_out(g);
    job j = {.problem = problem,
             .size = (int64_t)npc_dtype_size(problem->dtype),
             .blocks = npc_ceil_div(npc_group_in(g), BLOCK)};
    npc_status status = NPC_OK;
    int64_t taps = 0;
    for (int i = 0; i < count; i++) taps += parts[i].taps;
    char *weight = npc_shared_workspace(problem, npc_max(1, filters * taps * j.size));
    if (!weight) return NPC_NO_MEMORY;
    const int64_t held = problem->shared_bytes;
    problem->shared_bytes = 0;
    if (!complete || count == 0)
        status = npc_parallel_for(problem->team, g->batch * g->input[0], 0, zero_slice, &j);
    for (int i = 0; i < count && status == NPC_OK; i++) {
        j.part = &parts[i];
        j.to = weight + parts[i].taps_before * filters * j.size;
        status = npc_parallel_for(problem->team, g->groups * j.blocks, 0, turn, &j);
        if (status == NPC_OK) status = run_part(problem, &parts[i], j.to);
    }
    problem->shared_bytes += held;
    npc_recycle_give(weight);
    return status;
}

static const char *declines(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    part parts[MAX_PHASES];
    int complete;
    double seconds;
    if (!problem->channels_last) return "the layout has the channels before the pixels";
    if (problem->operation != NPC_INPUT_GRAD) return "it computes input gradients only";
    if (g->in_channels == 0 || g->out_channels == 0) return "there are no channels";
    for (int i = 0; i < NPC_SPATIAL; i++) /* taps that no pixel meets: nothing may overflow */
        if ((double)g->kernel[i] * (double)g->dilation[i] > 1e9 || g->stride[i] > 1e9)
            return "the kernel is too large or too spread out";
    if (npc_count(g->kernel) > MAX_TAPS) return "the kernel is too large or too spread out";
    const int count = find_parts(g, parts, &complete);
    if (count == 0) return "the stride has too many phases";
    for (int i = 0; i < count; i++) {
        const npc_conv_problem forward = forward_of(problem, &parts[i]);
        if (!choose(&forward, &seconds)) return "no forward algorithm takes a part of it";
    }
    return NULL;
}

enum {
    PARTS,
    FORWARD, /* predicted nanoseconds of them */
    WEIGHTS  /* elements turned round */
};

static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    part parts[MAX_PHASES];
    int complete;
    const int count = find_parts(g, parts, &complete);
    feature[PARTS] = count;
    for (int i = 0; i < count; i++) {
        const npc_conv_problem forward = forward_of(problem, &parts[i]);
        double seconds = 0;
        if (choose(&forward, &seconds)) feature[FORWARD] += seconds > 0 ? 1e9 * seconds : 0;
    }
    feature[WEIGHTS] = (double)g->in_channels * (double)npc_group_out(g) * npc_count(g->kernel);
}

const npc_conv_algorithm npc_conv_input_grad_last = {
    "input_grad_last", declines, run, features, NULL, NULL, {0}, {0}};
