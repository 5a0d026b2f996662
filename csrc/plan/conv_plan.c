#include "conv_plan.h"

#include <stdlib.h>

#include "simple_plan.h"

static const npc_conv_algorithm *const algorithms[] = {
#define NPC_CONV_ALGORITHM(name) &npc_conv_##name,
#include "conv_algorithms.def"
#undef NPC_CONV_ALGORITHM
};
enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

int npc_conv_algorithm_count(void) { return ALGORITHMS; }

const char *npc_conv_algorithm_name(int algorithm)
{
    return algorithm >= 0 && algorithm < ALGORITHMS ? algorithms[algorithm]->name : "";
}

double npc_conv_flops(const npc_conv_geometry *g)
{
    return 2.0 * (double)g->batch * (double)g->out_channels * (double)npc_volume(g->output) *
           (double)npc_conv_depth(g);
}

/* What decides whether other threads are woken: where a group has few output channels, packing its
 * pixels takes longer than multiplying them, about as long as eight operations an element. */
static double conv_work(const npc_conv_geometry *g)
{
    return npc_conv_flops(g) + 8.0 * (double)g->batch * (double)npc_volume(g->output) *
                                   (double)g->in_channels * (double)npc_volume(g->kernel);
}

void *npc_shared_workspace(npc_conv_problem *problem, int64_t size)
{
    void *memory = NULL;
    if (posix_memalign(&memory, NPC_CACHE_LINE, (size_t)npc_max(size, 1)) != 0) return NULL;
    problem->shared_bytes += size;
    return memory;
}

int npc_conv_is_consistent(const npc_conv_geometry *g)
{
    if (g->batch < 0 || g->groups < 1 || g->in_channels < 0 || g->out_channels < 0 ||
        g->in_channels % g->groups || g->out_channels % g->groups)
        return 0;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        int64_t padded, span, last;
        if (g->input[i] < 0 || g->kernel[i] < 1 || g->output[i] < 1 || g->stride[i] < 1 ||
            g->dilation[i] < 1 || g->pad_before[i] < 0 || g->pad_after[i] < 0)
            return 0;
        if (__builtin_add_overflow(g->input[i], g->pad_before[i], &padded) ||
            __builtin_add_overflow(padded, g->pad_after[i], &padded) ||
            __builtin_mul_overflow(g->kernel[i] - 1, g->dilation[i], &span) ||
            __builtin_mul_overflow(g->output[i] - 1, g->stride[i], &last) ||
            __builtin_add_overflow(span, last, &last) || last >= padded)
            return 0;
    }
    return 1;
}

npc_status npc_conv_candidates(npc_conv_operation operation, const npc_conv_geometry *geometry,
                               npc_dtype dtype, const npc_options *options,
                               npc_candidate *candidates)
{
    npc_conv_problem problem = {.operation = operation, .geometry = geometry, .dtype = dtype};
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &problem.kernels);
    if (status != NPC_OK) return status;
    for (int i = 0; i < ALGORITHMS; i++) {
        candidates[i].name = algorithms[i]->name;
        candidates[i].reason = algorithms[i]->declines(&problem);
    }
    return NPC_OK;
}

static const npc_conv_algorithm *choose(const npc_conv_problem *problem, const npc_options *options)
{
    if (options->algorithm != NPC_AUTO) {
        if (options->algorithm < 0 || options->algorithm >= ALGORITHMS) return NULL;
        const npc_conv_algorithm *forced = algorithms[options->algorithm];
        return forced->declines(problem) ? NULL : forced;
    }
    int i = 0;
    while (algorithms[i]->declines(problem)) i++; /* the last declines nothing */
    return algorithms[i];
}

/* Results without elements, and sums without terms whose kernel may claim any size: done here, so
 * that no algorithm has to loop over taps that no array holds. */
static int is_trivial(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    switch (problem->operation) {
    case NPC_FORWARD:
        return g->batch * g->out_channels == 0;
    case NPC_WEIGHT_GRAD:
        return g->out_channels * g->in_channels == 0;
    default:
        if (g->batch * g->in_channels * npc_volume(g->input) == 0) return 1;
        if (g->out_channels > 0) return 0;
        const npc_array *x = &problem->arrays->x;
        for (int64_t n = 0; n < g->batch; n++)
            for (int64_t c = 0; c < g->in_channels; c++)
                npc_zero_plane(x, x->data + n * x->stride[0] + c * x->stride[1], g->input[0],
                               g->input[1], g->input[2], (int64_t)npc_dtype_size(problem->dtype));
        return 1;
    }
}

npc_status npc_conv(npc_conv_operation operation, const npc_conv_geometry *geometry,
                    const npc_conv_arrays *arrays, npc_dtype dtype, const npc_options *options,
                    npc_plan_info *info)
{
    static const char *const names[] = {"forward", "input_grad", "weight_grad"};
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    npc_team team = npc_make_team(options, conv_work(geometry));
    npc_conv_problem problem = {.operation = operation,
                                .geometry = geometry,
                                .arrays = arrays,
                                .dtype = dtype,
                                .team = &team};
    const npc_status status = npc_simple_kernels(options, dtype, &problem.kernels);
    if (status != NPC_OK) return status;
    const npc_conv_algorithm *algorithm = choose(&problem, options);
    if (!algorithm) return NPC_UNSUPPORTED_ALGORITHM;
    const npc_status done = is_trivial(&problem) ? NPC_OK : algorithm->run(&problem);
    npc_simple_info(info, names[operation], problem.kernels, &team);
    info->algorithm = algorithm->name;
    info->workspace_bytes += problem.shared_bytes;
    return done;
}

/* The bias gradient has one algorithm: each row of dy is summed by the kernel, a stretch at a time,
 * the rows in order in double precision. Rows that follow each other in memory could be one long
 * row, but then the order would depend on the strides. */
typedef struct bias_job {
    const npc_conv_problem *problem;
    const npc_array *grad;
    char *out;
} bias_job;

enum { BIAS_STRETCH = 4096 }; /* elements */

static npc_status sum_channel(void *context, int64_t channel, void *scratch)
{
    const bias_job *j = context;
    const npc_conv_problem *p = j->problem;
    const npc_conv_geometry *g = p->geometry;
    const npc_array *a = j->grad;
    const int64_t size = (int64_t)npc_dtype_size(p->dtype), length = g->output[2];
    const int plain = npc_is_plain(a, p->dtype) && (length == 1 || a->stride[4] == size);
    const int64_t lines = g->output[0] * g->output[1];
    double total = 0;

    for (int64_t i = 0; i < g->batch * lines; i++) {
        const char *row = a->data + i / lines * a->stride[0] + channel * a->stride[1] +
                          i % lines / g->output[1] * a->stride[2] + i % g->output[1] * a->stride[3];
        for (int64_t w = 0; w < length; w += BIAS_STRETCH) {
            const int64_t count = npc_min(BIAS_STRETCH, length - w);
            const char *from = row + w * a->stride[4];
            double part;
            if (!plain) npc_read_run(a, from, a->stride[4], count, p->dtype, scratch);
            npc_run_sum(p->kernels, plain ? from : scratch, count, &part);
            total += npc_load((const char *)&part, p->dtype, 0);
        }
    }
    npc_store(j->out + channel * size, p->dtype, total);
    return NPC_OK;
}

npc_status npc_conv_bias_grad(const npc_conv_geometry *geometry, const npc_array *grad, void *out,
                              npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    const double elements = (double)geometry->batch * (double)geometry->out_channels *
                            (double)npc_volume(geometry->output);
    npc_team team = npc_make_team(options, 4 * elements);
    npc_conv_problem problem = {.geometry = geometry, .dtype = dtype, .team = &team};
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &problem.kernels);
    if (status != NPC_OK) return status;
    bias_job job = {&problem, grad, out};
    const npc_status done = npc_parallel_for(&team, geometry->out_channels,
                                             BIAS_STRETCH * sizeof(double), sum_channel, &job);
    npc_simple_info(info, "bias_grad", problem.kernels, &team);
    return done;
}
