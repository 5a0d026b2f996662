/* The input gradient of a depthwise convolution at stride 2: a pass over dx. A row of it meets
 * every second row of taps; even and odd columns meet every second column. */
#include "depthwise.h"

#include "../core/scratch.h"

enum { STAGE_BYTES = 1 << 20, ROWS = 128 /* of dx, in a piece */ };

typedef struct job {
    const npc_conv_problem *problem;
    int64_t size, sources; /* output channels of an input channel */
    int64_t parts;         /* pieces of a plane */
    int grad_in_place, target_in_place;
} job;

int npc_depthwise_input_grad_fits(const npc_conv_geometry *g)
{
    const int64_t sources = npc_group_out(g), rows = npc_ceil_div(g->kernel[1], 2);
    return g->stride[1] == 2 && g->stride[2] == 2 && g->dilation[1] == 1 && g->dilation[2] == 1 &&
           g->kernel[0] == 1 && g->stride[0] == 1 && g->pad_before[0] == 0 &&
           g->output[0] == g->input[0] && g->kernel[2] <= NPC_UP_TAPS && sources <= NPC_UP_TERMS &&
           rows <= NPC_UP_TERMS && sources * rows <= NPC_UP_TERMS &&
           (double)g->input[2] * 8 * (NPC_UP_TERMS + 2) <= STAGE_BYTES;
}

/* A row by the definition, for weights that are not finite: what lies outside dy is skipped, not
 * multiplied by zero. */
static void define_row(const job *j, const npc_depthwise_up_args *args)
{
    const npc_dtype dtype = j->problem->dtype;
    for (int64_t i = 0; i < args->count; i++) {
        double sum = 0;
        for (int64_t term = 0; term < args->terms; term++) {
            for (int64_t s = (i + args->parity) % 2; s < args->taps; s += 2) {
                const int64_t at = i / 2 + args->offset[s];
                if (at < 0 || at >= args->width) continue;
                sum += npc_load((const char *)args->weight[term] + s * j->size, dtype, 0) *
                       npc_load((const char *)args->row[term] + at * j->size, dtype, 0);
            }
        }
        npc_store((char *)args->to + i * j->size, dtype, sum);
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *x = &j->problem->arrays->x, *y = &j->problem->arrays->y;
    const int64_t part = piece % j->parts, plane = piece / j->parts, slice = plane % g->input[0];
    const int64_t c = plane / g->input[0] % g->in_channels;
    const int64_t image = plane / g->input[0] / g->in_channels;
    const int64_t taps = g->kernel[1] * g->kernel[2];
    const char *weight = (const char *)j->problem->arrays->weight + c * j->sources * taps * j->size;
    const char *grad =
        y->data + image * y->stride[0] + c * j->sources * y->stride[1] + slice * y->stride[2];
    char *to = x->data + image * x->stride[0] + c * x->stride[1] + slice * x->stride[2];
    char *cursor = scratch;
    char *row = npc_scratch_take(&cursor, j->target_in_place ? 0 : (size_t)(g->input[2] * j->size));
    const int finite = npc_run_all_finite(j->problem->kernels, weight, j->sources * taps);
    npc_depthwise_up_args args = {.taps = g->kernel[2],
                                  .parity = g->pad_before[2] % 2,
                                  .width = g->output[2],
                                  .count = g->input[2]};

    for (int64_t s = 0; s < g->kernel[2]; s++)
        args.offset[s] = (g->pad_before[2] - s + ((g->pad_before[2] - s) & 1)) / 2;
    for (int64_t h = npc_split(g->input[1], j->parts, part);
         h < npc_split(g->input[1], j->parts, part + 1); h++) {
        char *at = to + h * x->stride[3];
        args.terms = 0;
        for (int64_t k = 0; k < j->sources; k++) {
            for (int64_t r = (h + g->pad_before[1]) % 2; r < g->kernel[1]; r += 2) {
                const int64_t line = (h + g->pad_before[1] - r) / 2;
                if (h + g->pad_before[1] < r || line >= g->output[1]) continue;
                const char *from = grad + k * y->stride[1] + line * y->stride[3];
                if (!j->grad_in_place) {
                    char *stage = cursor + args.terms * g->output[2] * j->size;
                    npc_read_run(y, from, y->stride[4], g->output[2], j->problem->dtype, stage);
                    from = stage;
                }
                args.row[args.terms] = from;
                args.weight[args.terms++] = weight + (k * taps + r * g->kernel[2]) * j->size;
            }
        }
        args.to = j->target_in_place ? at : row;
        if (NPC_LIKELY(finite))
            npc_run_depthwise_up(j->problem->kernels, &args);
        else
            define_row(j, &args);
        if (!j->target_in_place)
            npc_write_run(row, j->problem->dtype, at, x->stride[4], g->input[2]);
    }
    return NPC_OK;
}

npc_status npc_depthwise_input_grad(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    const job j = {.problem = problem,
                   .size = size,
                   .sources = npc_group_out(g),
                   .parts = npc_ceil_div(g->input[1], ROWS),
                   .grad_in_place = npc_is_plain(y, problem->dtype) &&
                                    (g->output[2] == 1 || y->stride[4] == size),
                   .target_in_place = g->input[2] == 1 || x->stride[4] == size};
    const size_t scratch =
        (size_t)(g->input[2] * size) + (size_t)(NPC_UP_TERMS * g->output[2] * size) + 192;
    return npc_parallel_for(problem->team, g->batch * g->in_channels * g->input[0] * j.parts,
                            scratch, run_piece, (void *)&j);
}
