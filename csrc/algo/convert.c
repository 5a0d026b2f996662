/* Copying arrays from one dtype to another, and rounding results to half precision. */
#include <string.h>

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"

enum { STAGE = 2048 /* elements that pass through scratch at once */, PIECE = 8 * STAGE };

typedef struct job {
    const npc_array *from, *to;
    int64_t shape[NPC_AXES], from_stride[NPC_AXES], to_stride[NPC_AXES];
    int64_t parts; /* of a row */
    npc_dtype computed;
} job;

/* Axes that lie behind one another in both arrays become one, for long rows. */
static void merge_axes(job *j)
{
    const int last = NPC_AXES - 1;
    for (int i = last - 1; i >= 0; i--) {
        const int64_t n = j->shape[last];
        if (j->shape[i] != 1 && (j->from_stride[i] != n * j->from_stride[last] ||
                                 j->to_stride[i] != n * j->to_stride[last]))
            return;
        j->shape[last] *= j->shape[i];
        j->shape[i] = 1;
    }
}

static npc_status convert_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int last = NPC_AXES - 1;
    const int64_t begin = npc_split(j->shape[last], j->parts, piece % j->parts);
    const int64_t end = npc_split(j->shape[last], j->parts, piece % j->parts + 1);
    const npc_dtype target = j->to->dtype;
    const int64_t size = (int64_t)npc_dtype_size(target);
    const char *from = j->from->data;
    char *to = j->to->data, *staged = scratch, *rounded = staged + STAGE * sizeof(double);
    int64_t row = piece / j->parts;

    for (int i = last - 1; i >= 0; row /= j->shape[i], i--) {
        from += row % j->shape[i] * j->from_stride[i];
        to += row % j->shape[i] * j->to_stride[i];
    }
    for (int64_t i = begin; i < end; i += STAGE) {
        const int64_t count = npc_min(STAGE, end - i);
        char *put = to + i * j->to_stride[last];
        const int dense = j->to_stride[last] == size;
        const char *values = from + i * j->from_stride[last];
        if (target == j->computed) {
            char *direct = dense ? put : staged;
            npc_read_run(j->from, values, j->from_stride[last], count, target, direct);
            if (!dense) npc_write_run(staged, target, put, j->to_stride[last], count);
            continue;
        }
        if (!npc_is_plain(j->from, j->computed) || j->from_stride[last] != sizeof(float)) {
            npc_read_run(j->from, values, j->from_stride[last], count, j->computed, staged);
            values = staged;
        }
        npc_round_run((const float *)(const void *)values, count, target, dense ? put : rounded);
        if (!dense)
            for (int64_t k = 0; k < count; k++)
                memcpy(put + k * j->to_stride[last], rounded + k * size, (size_t)size);
    }
    return NPC_OK;
}

npc_status npc_convert(const npc_array *from, const npc_array *to, const int64_t shape[NPC_AXES],
                       const npc_options *options, npc_plan_info *info)
{
    job j = {.from = from, .to = to, .computed = to->dtype == NPC_F64 ? NPC_F64 : NPC_F32};
    const npc_kernels *kernels;
    memcpy(j.shape, shape, sizeof j.shape);
    memcpy(j.from_stride, from->stride, sizeof j.from_stride);
    memcpy(j.to_stride, to->stride, sizeof j.to_stride);
    const npc_status status = npc_simple_kernels(options, j.computed, &kernels);
    if (status != NPC_OK) return status;
    merge_axes(&j);
    const int64_t length = j.shape[NPC_AXES - 1];
    int64_t rows = 1;
    for (int i = 0; i < NPC_AXES - 1; i++) rows *= j.shape[i];
    j.parts = npc_max(npc_ceil_div(length, PIECE), 1);
    npc_team team = npc_make_team(options, 4.0 * (double)rows * (double)length);
    const npc_status done =
        npc_parallel_for(&team, length ? rows * j.parts : 0,
                         STAGE * (sizeof(double) + sizeof(uint16_t)), convert_piece, &j);
    npc_simple_info(info, "convert", kernels, &team);
    info->dtype = npc_dtype_name(to->dtype);
    return done;
}
