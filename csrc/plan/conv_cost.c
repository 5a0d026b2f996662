#include "conv_cost.h"

#include <math.h>

/* Nanoseconds for one of each feature; all zero where nothing has been measured. */
static const float cost[NPC_ISA_COUNT][2][NPC_CONV_ALGORITHMS][NPC_OPERATION_COUNT]
                       [NPC_COST_FEATURES] = {
#define NPC_CONV_COST(isa, dtype, algorithm, operation, ...)                                       \
    [NPC_ISA_##isa][NPC_##dtype][NPC_CONV_##algorithm][NPC_##operation] = {__VA_ARGS__},
#include "conv_costs.def"
#undef NPC_CONV_COST
};
_Static_assert(NPC_F32 == 0 && NPC_F64 == 1, "the dtypes that are computed in come first");

double npc_conv_seconds(const npc_conv_problem *problem, const npc_conv_algorithm *algorithm,
                        int index)
{
    const float *nanoseconds =
        cost[problem->kernels->isa][problem->dtype][index][problem->operation];
    const unsigned marked = algorithm->once[problem->operation], once = marked ? marked : 1;
    const double batch = (double)problem->geometry->batch;
    double feature[NPC_COST_FEATURES] = {0}, call = 0, image = 0, seconds;
    if (!algorithm->features) return -1;
    algorithm->features(problem, feature);
    for (int i = 0; i < NPC_COST_FEATURES; i++)
        *(once >> i & 1 ? &call : &image) += (double)nanoseconds[i] * feature[i];
    if (problem->operation == NPC_WEIGHT_GRAD)
        seconds = image + call / (batch < 1 ? 1 : batch);
    else
        seconds = sqrt((image + call) * (image + call / NPC_COST_BATCH));
    const double factor = algorithm->channels_last_factor[problem->operation];
    if (problem->channels_last && factor > 0) seconds *= factor;
    return seconds > 0 ? 1e-9 * seconds : -1;
}
