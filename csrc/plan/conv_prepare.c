/* Prepared weights: a header that says what they are for, and what the algorithm made of them. */
#include <string.h>

#include "conv_plan.h"
#include "simple_plan.h"

enum { HEADER_BYTES = 256 }; /* the algorithm's part stays aligned */

/* What every call with the prepared weight must have in common; compared byte by byte. */
typedef struct header {
    char version[16], algorithm[16];
    int64_t dtype, isa, channels_last;
    npc_conv_geometry geometry; /* the batch is 0 */
} header;

_Static_assert(sizeof(header) <= HEADER_BYTES, "the header has its place");
_Static_assert(sizeof(header) == 56 + sizeof(npc_conv_geometry), "there is no padding");

static header header_of(const npc_conv_problem *problem, const npc_conv_algorithm *algorithm)
{
    header h;
    memset(&h, 0, sizeof h);
    strncpy(h.version, npc_version(), sizeof h.version - 1);
    strncpy(h.algorithm, algorithm->name, sizeof h.algorithm - 1);
    h.dtype = (int64_t)problem->dtype;
    h.isa = problem->kernels->isa;
    h.channels_last = problem->channels_last;
    h.geometry = *problem->geometry;
    h.geometry.batch = 0;
    return h;
}

/* Sizes of weights that some memory may hold: products of them with a few points and lanes do not
 * overflow. */
static int is_plausible(const npc_conv_geometry *g)
{
    return (double)g->out_channels * (double)npc_group_in(g) * npc_count(g->kernel) < 0x1p45 &&
           (double)g->in_channels < 0x1p45 && (double)g->out_channels < 0x1p45;
}

static int64_t size_of(const npc_conv_problem *problem, const npc_conv_algorithm *algorithm)
{
    if (!algorithm->prepare) return HEADER_BYTES;
    const int64_t lines = npc_ceil_div(algorithm->prepared_bytes(problem), NPC_CACHE_LINE);
    return HEADER_BYTES + lines * NPC_CACHE_LINE;
}

/* The algorithm for forward calls, whatever their batch. */
static npc_status find(npc_conv_problem *problem, const npc_options *options,
                       const npc_conv_algorithm **algorithm)
{
    if (!npc_conv_is_consistent(problem->geometry)) return NPC_INVALID_GEOMETRY;
    if (!is_plausible(problem->geometry)) return NPC_NO_MEMORY;
    const npc_status status = npc_simple_kernels(options, problem->dtype, &problem->kernels);
    if (status != NPC_OK) return status;
    *algorithm = npc_conv_choose(problem, options);
    return *algorithm ? NPC_OK : NPC_UNSUPPORTED_ALGORITHM;
}

npc_status npc_conv_prepared_size(const npc_conv_geometry *geometry, npc_dtype dtype,
                                  const npc_options *options, int64_t *size)
{
    npc_conv_problem problem = {.operation = NPC_FORWARD,
                                .geometry = geometry,
                                .dtype = dtype,
                                .strict = options->strict,
                                .channels_last = options->channels_last,
                                .forced = options->algorithm != NPC_AUTO};
    const npc_conv_algorithm *algorithm;
    const npc_status status = find(&problem, options, &algorithm);
    if (status == NPC_OK) *size = size_of(&problem, algorithm);
    return status;
}

npc_status npc_conv_prepare(const npc_conv_geometry *geometry, const void *weight, npc_dtype dtype,
                            const npc_options *options, void *to, int64_t size, npc_plan_info *info)
{
    const npc_conv_arrays arrays = {.weight = (void *)(uintptr_t)weight};
    npc_conv_problem problem = {.operation = NPC_FORWARD,
                                .geometry = geometry,
                                .arrays = &arrays,
                                .dtype = dtype,
                                .strict = options->strict,
                                .channels_last = options->channels_last,
                                .forced = options->algorithm != NPC_AUTO};
    const npc_conv_algorithm *algorithm;
    const npc_status status = find(&problem, options, &algorithm);
    if (status != NPC_OK) return status;
    npc_team team = npc_make_team(options, 8.0 * (double)size);
    if (size != size_of(&problem, algorithm) || (uintptr_t)to % NPC_CACHE_LINE)
        return NPC_BAD_PREPARED;
    problem.team = &team;
    const header h = header_of(&problem, algorithm);
    memset(to, 0, HEADER_BYTES);
    memcpy(to, &h, sizeof h);
    const npc_status done =
        algorithm->prepare ? algorithm->prepare(&problem, (char *)to + HEADER_BYTES) : NPC_OK;
    npc_simple_info(info, "prepare", problem.kernels, &team);
    info->algorithm = algorithm->name;
    return done;
}

npc_status npc_conv_take_prepared(npc_conv_problem *problem, const npc_conv_algorithm *algorithm)
{
    const npc_conv_arrays *arrays = problem->arrays;
    if (!arrays->prepared) return NPC_OK;
    if (problem->operation != NPC_FORWARD || (uintptr_t)arrays->prepared % NPC_CACHE_LINE ||
        arrays->prepared_bytes < HEADER_BYTES)
        return NPC_BAD_PREPARED;
    const header h = header_of(problem, algorithm);
    if (memcmp(arrays->prepared, &h, sizeof h) != 0 ||
        arrays->prepared_bytes != size_of(problem, algorithm))
        return NPC_BAD_PREPARED;
    if (algorithm->prepare) problem->prepared = (const char *)arrays->prepared + HEADER_BYTES;
    return NPC_OK;
}
