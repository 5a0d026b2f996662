#include "bias_grad.h"

#include "../core/dtype.h"
#include "../plan/simple_plan.h"
#include "panel.h"

enum {
    STRETCH = 128,     /* pixels, about: whole lines, as many as weight_grad.c chains */
    LONGEST = 512,     /* but no longer */
    LEAST_PIXELS = 32, /* of an image, that another pass takes */
    AT_ONCE = 128,     /* sums */
    CHANNELS = 64,     /* that are totalled together */
    PIECE_ELEMENTS = 1 << 15,
    FLOPS_AN_ELEMENT = 24 /* what takes as long as to read and add one */
};

void npc_bias_grad_start(npc_bias_grad *b, const npc_conv_geometry *geometry, const npc_array *grad,
                         void *out, const npc_kernels *kernels)
{
    const int64_t width = geometry->output[2];
    *b = (npc_bias_grad){.geometry = geometry, .kernels = kernels, .grad = grad, .out = out};
    b->size = (int64_t)npc_dtype_size(kernels->dtype);
    b->pixels = npc_volume(geometry->output);
    b->stretch = width > LONGEST ? LONGEST : npc_max(1, STRETCH / width) * width;
    b->stretch = npc_min(b->stretch, b->pixels);
    b->stretches = npc_ceil_div(b->pixels, b->stretch);
    b->in_place =
        npc_is_plain(grad, kernels->dtype) && npc_extents_follow(grad, geometry->output, b->size);
}

const npc_bias_grad *npc_bias_grad_take(npc_conv_problem *problem)
{
    npc_bias_grad *b = problem->bias_grad;
    if (!b || !b->in_place || b->pixels < LEAST_PIXELS) return NULL;
    if (!b->part) {
        const npc_conv_geometry *g = b->geometry;
        b->part =
            npc_shared_workspace(problem, g->batch * b->stretches * g->out_channels * b->size);
    }
    return b->part ? b : NULL;
}

void npc_bias_grad_sum(const npc_bias_grad *b, int64_t image, int64_t channel, int64_t channels,
                       int64_t first, int64_t end)
{
    const npc_array *a = b->grad;
    npc_row_sums_args args = {
        .row_stride_bytes = a->stride[1], .rows = channels, .count = b->stretch};
    for (int64_t s = npc_ceil_div(first, b->stretch); s * b->stretch < end; s++) {
        args.from =
            a->data + image * a->stride[0] + channel * a->stride[1] + s * b->stretch * b->size;
        args.count = npc_min(b->stretch, b->pixels - s * b->stretch);
        args.to =
            b->part + ((image * b->stretches + s) * b->geometry->out_channels + channel) * b->size;
        npc_run_row_sums(b->kernels, &args);
    }
}

/* ---- totals ---------------------------------------------------------------------------------- */

/* Of the sums of a few channels that were taken. */
static npc_status add_parts(void *context, int64_t piece, void *scratch)
{
    const npc_bias_grad *b = context;
    const int64_t channels = b->geometry->out_channels, first = piece * CHANNELS;
    const int64_t count = npc_min(CHANNELS, channels - first);
    double total[CHANNELS] = {0};
    (void)scratch;
    for (int64_t s = 0; s < b->geometry->batch * b->stretches; s++) {
        const char *part = b->part + (s * channels + first) * b->size;
        if (b->kernels->dtype == NPC_F32)
            for (int64_t c = 0; c < count; c++) total[c] += (double)((const float *)part)[c];
        else
            for (int64_t c = 0; c < count; c++) total[c] += ((const double *)part)[c];
    }
    for (int64_t c = 0; c < count; c++)
        npc_store(b->out + (first + c) * b->size, b->kernels->dtype, total[c]);
    return NPC_OK;
}

/* ---- the pass of its own --------------------------------------------------------------------- */

/* Pixels [first, first + count) of a channel of an image. */
static void copy_pixels(const npc_bias_grad *b, const char *plane, int64_t first, int64_t count,
                        char *to)
{
    const npc_array *a = b->grad;
    const int64_t width = b->geometry->output[2], height = b->geometry->output[1];
    while (count > 0) {
        const int64_t w = first % width, line = first / width;
        const int64_t run = npc_min(width - w, count);
        const char *from =
            plane + line / height * a->stride[2] + line % height * a->stride[3] + w * a->stride[4];
        npc_read_run(a, from, a->stride[4], run, b->kernels->dtype, to);
        to += run * b->size;
        first += run;
        count -= run;
    }
}

/* Stretches [begin, end) of a channel of an image. */
static void sum_plane(const npc_bias_grad *b, const char *plane, int64_t begin, int64_t end,
                      char *sums, char *stage)
{
    const int64_t whole = npc_min(end, b->pixels / b->stretch);
    npc_row_sums_args args = {.from = plane + begin * b->stretch * b->size,
                              .row_stride_bytes = b->stretch * b->size,
                              .rows = whole - begin,
                              .count = b->stretch,
                              .to = sums};
    if (b->in_place && whole > begin) npc_run_row_sums(b->kernels, &args);
    args.rows = 1;
    for (int64_t s = b->in_place ? whole : begin; s < end; s++) {
        args.count = npc_min(b->stretch, b->pixels - s * b->stretch);
        args.from = b->in_place ? plane + s * b->stretch * b->size : stage;
        args.to = sums + (s - begin) * b->size;
        if (!b->in_place) copy_pixels(b, plane, s * b->stretch, args.count, stage);
        npc_run_row_sums(b->kernels, &args);
    }
}

static int64_t channels_a_piece(const npc_bias_grad *b)
{
    const double elements = (double)b->geometry->batch * (double)b->pixels;
    return elements < PIECE_ELEMENTS ? npc_max(1, (int64_t)(PIECE_ELEMENTS / (elements + 1))) : 1;
}

static npc_status sum_channels(void *context, int64_t piece, void *scratch)
{
    const npc_bias_grad *b = context;
    const npc_array *a = b->grad;
    const int64_t most = channels_a_piece(b), first = piece * most;
    const int64_t last = npc_min(first + most, b->geometry->out_channels);
    char *sums = scratch, *stage = sums + AT_ONCE * sizeof(double);
    for (int64_t channel = first; channel < last; channel++) {
        double total = 0;
        for (int64_t n = 0; n < b->geometry->batch; n++) {
            const char *plane = a->data + n * a->stride[0] + channel * a->stride[1];
            for (int64_t begin = 0; begin < b->stretches; begin += AT_ONCE) {
                const int64_t end = npc_min(begin + AT_ONCE, b->stretches);
                sum_plane(b, plane, begin, end, sums, stage);
                for (int64_t s = 0; s < end - begin; s++)
                    total += npc_load(sums + s * b->size, b->kernels->dtype, 0);
            }
        }
        npc_store(b->out + channel * b->size, b->kernels->dtype, total);
    }
    return NPC_OK;
}

npc_status npc_bias_grad_finish(npc_bias_grad *b, npc_team *team, npc_status status)
{
    const int64_t channels = b->geometry->out_channels;
    const size_t scratch = (AT_ONCE + LONGEST) * sizeof(double);
    if (status == NPC_OK && b->part)
        status = npc_parallel_for(team, npc_ceil_div(channels, CHANNELS), 0, add_parts, b);
    else if (status == NPC_OK)
        status = npc_parallel_for(team, npc_ceil_div(channels, channels_a_piece(b)), scratch,
                                  sum_channels, b);
    npc_recycle_give(b->part);
    b->part = NULL;
    return status;
}

npc_status npc_conv_bias_grad(const npc_conv_geometry *geometry, const npc_array *grad, void *out,
                              npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    const double elements = (double)geometry->batch * (double)geometry->out_channels *
                            (double)npc_volume(geometry->output);
    npc_team team = npc_make_team(options, FLOPS_AN_ELEMENT * elements);
    const npc_kernels *kernels;
    npc_bias_grad b;
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    npc_status status = npc_simple_kernels(options, dtype, &kernels);
    if (status != NPC_OK) return status;
    npc_bias_grad_start(&b, geometry, grad, out, kernels);
    status = npc_bias_grad_finish(&b, &team, NPC_OK);
    npc_simple_info(info, "bias_grad", kernels, &team);
    return status;
}
