/* Steps of optimisers: parameter, gradient and state in one pass. */
#include "elementwise.h"

static void update(const npc_kernels *kernels, const void *context, int64_t count,
                   char *const *operand)
{
    const npc_update_args args = {.settings = context,
                                  .count = count,
                                  .param = operand[0],
                                  .grad = operand[1],
                                  .state = {operand[2], operand[3]}};
    npc_run_update(kernels, &args);
}

npc_status npc_update(const npc_elements *elements, const npc_update_settings *settings,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    const npc_element_loop loop = {.operation = "update",
                                   .kernel = update,
                                   .context = settings,
                                   .reads = {1, 1, 1, 1},
                                   .writes = {1, 0, 1, 1}};
    const int states = settings->rule == NPC_ADAM ? 2 : settings->rule == NPC_SGD ? 0 : 1;
    for (int i = 0; i < 2; i++)
        if ((elements->operand[2 + i].data != NULL) < (i < states)) return NPC_INVALID_GEOMETRY;
    return npc_each_element(&loop, elements, dtype, options, info);
}
