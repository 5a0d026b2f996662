/* Average-pooling: sums of windows, divided by their sizes. */
#include "../plan/simple_plan.h"
#include "window_sum.h"

static npc_status start(npc_window_sum *sum, const npc_pool_geometry *g, int backward,
                        const npc_array *from, const npc_array *to, const npc_avg_rule *rule,
                        npc_dtype dtype, const npc_options *options)
{
    const npc_status status = npc_window_sum_set(sum, g, backward, from, to, dtype, options);
    sum->divisor = rule->divisor;
    sum->include_pad = rule->include_pad;
    return status;
}

npc_status npc_avg_pool(const npc_pool_geometry *g, const npc_array *x, const npc_array *y,
                        const npc_avg_rule *rule, npc_dtype dtype, const npc_options *options,
                        npc_plan_info *info)
{
    npc_window_sum sum;
    const npc_status status = start(&sum, g, 0, x, y, rule, dtype, options);
    return status == NPC_OK ? npc_window_sum_run(&sum, "avg_pool", options, info) : status;
}

npc_status npc_avg_pool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                 const npc_array *dx, const npc_avg_rule *rule, npc_dtype dtype,
                                 const npc_options *options, npc_plan_info *info)
{
    npc_window_sum sum;
    const npc_status status = start(&sum, g, 1, grad, dx, rule, dtype, options);
    return status == NPC_OK ? npc_window_sum_run(&sum, "avg_pool_backward", options, info) : status;
}
