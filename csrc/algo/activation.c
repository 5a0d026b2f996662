/* Activations of whole arrays, and their gradients. */
#include "elementwise.h"

typedef struct settings {
    npc_activation activation;
    double slope;
} settings;

static void activate(const npc_kernels *kernels, const void *context, int64_t count,
                     char *const *operand)
{
    const settings *s = context;
    const npc_finish_args args = {.rows = 1,
                                  .count = count,
                                  .from = operand[1],
                                  .add = operand[2],
                                  .to = operand[0],
                                  .activation = s->activation,
                                  .slope = s->slope};
    npc_run_finish(kernels, &args);
}

npc_status npc_activate(const npc_elements *elements, npc_activation activation, double slope,
                        npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    const settings s = {activation, slope};
    const npc_element_loop loop = {.operation = "activate",
                                   .kernel = activate,
                                   .context = &s,
                                   .reads = {0, 1, 1, 0},
                                   .writes = {1, 0, 0, 0}};
    return npc_each_element(&loop, elements, dtype, options, info);
}

static void activate_grad(const npc_kernels *kernels, const void *context, int64_t count,
                          char *const *operand)
{
    const settings *s = context;
    const npc_activate_grad_args args = {.activation = s->activation,
                                         .slope = s->slope,
                                         .count = count,
                                         .grad = operand[1],
                                         .y = operand[2],
                                         .to = operand[0]};
    npc_run_activate_grad(kernels, &args);
}

npc_status npc_activate_grad(const npc_elements *elements, npc_activation activation, double slope,
                             npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    const settings s = {activation, slope};
    const npc_element_loop loop = {.operation = "activate_grad",
                                   .kernel = activate_grad,
                                   .context = &s,
                                   .reads = {0, 1, 1, 0},
                                   .writes = {1, 0, 0, 0}};
    return npc_each_element(&loop, elements, dtype, options, info);
}
