#include "conv_plan.h"

#include "../algo/bias_grad.h"
#include "../algo/finish.h"
#include "../core/fp_env.h"
#include "conv_border.h"
#include "conv_cost.h"
#include "conv_memory.h"
#include "simple_plan.h"

static const npc_conv_algorithm *const algorithms[] = {
#define NPC_CONV_ALGORITHM(name) &npc_conv_##name,
#include "conv_algorithms.def"
#undef NPC_CONV_ALGORITHM
};

int npc_conv_algorithm_count(void) { return NPC_CONV_ALGORITHMS; }

const char *npc_conv_algorithm_name(int algorithm)
{
    return algorithm >= 0 && algorithm < NPC_CONV_ALGORITHMS ? algorithms[algorithm]->name : "";
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
    void *memory = npc_recycle_take((size_t)npc_max(size, 1));
    if (memory) problem->shared_bytes += size;
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

/* The least predicted time wins. Where an algorithm has no prediction the list's order speaks: it
 * goes before all behind it and after all before it. The last of the list, the plain loops, runs
 * only what no other accepts: for one tiny image it may be the fastest, but the same choice holds
 * for a thousand of them. */
static int cheapest(const npc_conv_problem *problem)
{
    int best = -1;
    double least = 0;
    for (int i = 0; i < NPC_CONV_ALGORITHMS - 1; i++) {
        if (algorithms[i]->declines(problem)) continue;
        const double seconds = npc_conv_seconds(problem, algorithms[i], i);
        if (best < 0 || (seconds >= 0 && seconds < least)) {
            best = i;
            least = seconds;
        }
        if (seconds < 0) break;
    }
    return best < 0 ? NPC_CONV_ALGORITHMS - 1 : best;
}

/* What runs, or -1 where what is forced cannot. */
static int choose(const npc_conv_problem *problem, const npc_options *options)
{
    const int forced = options->algorithm;
    if (forced == NPC_AUTO) {
        const npc_fp_env saved = npc_fp_enter(); /* the caller's rounding must not decide */
        const int best = cheapest(problem);
        npc_fp_leave(saved);
        return best;
    }
    if (forced < 0 || forced >= NPC_CONV_ALGORITHMS) return -1;
    return algorithms[forced]->declines(problem) ? -1 : forced;
}

/* The same for a call, faster where the thread has made the choice before. */
static int choose_again(const npc_conv_problem *problem, const npc_options *options)
{
    if (options->algorithm != NPC_AUTO) return choose(problem, options);
    int best = npc_conv_recall(problem);
    assert(best < 0 || best == choose(problem, options));
    if (best < 0) {
        best = choose(problem, options);
        npc_conv_remember(problem, best);
    }
    return best;
}

const npc_conv_algorithm *npc_conv_choose(const npc_conv_problem *problem,
                                          const npc_options *options)
{
    const int chosen = choose_again(problem, options);
    return chosen < 0 ? NULL : algorithms[chosen];
}

npc_status npc_conv_candidates(npc_conv_operation operation, const npc_conv_geometry *geometry,
                               npc_dtype dtype, const npc_options *options,
                               npc_candidate *candidates, int *chosen)
{
    npc_conv_problem problem = {.operation = operation,
                                .geometry = geometry,
                                .dtype = dtype,
                                .strict = options->strict,
                                .channels_last = options->channels_last,
                                .forced = options->algorithm != NPC_AUTO};
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &problem.kernels);
    if (status != NPC_OK) return status;
    for (int i = 0; i < NPC_CONV_ALGORITHMS; i++) {
        npc_candidate *candidate = &candidates[i];
        *candidate = (npc_candidate){.name = algorithms[i]->name,
                                     .reason = algorithms[i]->declines(&problem)};
        if (candidate->reason) continue;
        const npc_fp_env saved = npc_fp_enter();
        candidate->seconds = npc_conv_seconds(&problem, algorithms[i], i);
        npc_fp_leave(saved);
        if (algorithms[i]->features) algorithms[i]->features(&problem, candidate->feature);
    }
    *chosen = choose(&problem, options);
    return NPC_OK;
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

npc_status npc_conv_run(npc_conv_problem *problem, const npc_conv_algorithm *algorithm)
{
    npc_status status = is_trivial(problem) ? NPC_OK : algorithm->run(problem);
    if (status == NPC_OK && problem->operation == NPC_INPUT_GRAD && !problem->finished)
        status = npc_finish_input(problem);
    return status;
}

/* Whether a border fits what the geometry says of the padded images. */
static int is_border_consistent(const npc_conv_geometry *g, const npc_border *border)
{
    for (int i = 0; i < NPC_SPATIAL; i++)
        if (border->before[i] < 0 || border->after[i] < 0 || g->pad_before[i] || g->pad_after[i] ||
            border->before[i] >= g->input[i] || border->after[i] >= g->input[i] - border->before[i])
            return 0;
    return border->mode != NPC_PAD_CONSTANT;
}

npc_status npc_conv(npc_conv_operation operation, const npc_conv_geometry *geometry,
                    const npc_conv_arrays *arrays, npc_dtype dtype, const npc_options *options,
                    npc_plan_info *info)
{
    return npc_conv_bordered(operation, geometry, arrays, NULL, dtype, options, info);
}

npc_status npc_conv_bordered(npc_conv_operation operation, const npc_conv_geometry *geometry,
                             const npc_conv_arrays *arrays, const npc_border *border,
                             npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    static const char *const names[] = {"forward", "input_grad", "weight_grad"};
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    if (border && !is_border_consistent(geometry, border)) return NPC_INVALID_GEOMETRY;
    npc_team team = npc_make_team(options, conv_work(geometry));
    npc_conv_problem problem = {.operation = operation,
                                .geometry = geometry,
                                .arrays = arrays,
                                .border = border,
                                .dtype = dtype,
                                .strict = options->strict,
                                .channels_last = options->channels_last,
                                .forced = options->algorithm != NPC_AUTO,
                                .team = &team};
    npc_status status = npc_simple_kernels(options, dtype, &problem.kernels);
    if (status != NPC_OK) return status;
    const int chosen = choose_again(&problem, options);
    if (chosen < 0) return NPC_UNSUPPORTED_ALGORITHM;
    status = npc_conv_take_prepared(&problem, algorithms[chosen]);
    if (status != NPC_OK) return status;
    npc_bias_grad bias_grad;
    if (operation == NPC_WEIGHT_GRAD && arrays->bias_grad) {
        problem.bias_grad = &bias_grad;
        npc_bias_grad_start(&bias_grad, geometry, &arrays->y, arrays->bias_grad, problem.kernels);
    }
    npc_status done = border ? npc_conv_run_bordered(&problem, algorithms[chosen], options)
                             : npc_conv_run(&problem, algorithms[chosen]);
    if (problem.bias_grad) done = npc_bias_grad_finish(&bias_grad, &team, done);
    npc_simple_info(info, names[operation], problem.kernels, &team);
    info->algorithm = algorithms[chosen]->name;
    info->workspace_bytes += problem.shared_bytes;
    return done;
}
