/* The bias gradient: sums of dy over images and pixels, one algorithm for all. The pixels of an
 * image's channel are counted through and summed by the kernel, a stretch at a time, the stretches
 * in order in double precision; what does not lie in memory that way is copied first, so that the
 * order is always the same. */
#include "../core/dtype.h"
#include "../plan/conv_plan.h"
#include "../plan/simple_plan.h"
#include "panel.h"

enum {
    STRETCH = 4096,       /* elements */
    FLOPS_AN_ELEMENT = 24 /* what takes as long as to read and add one */
};

typedef struct job {
    const npc_conv_geometry *geometry;
    const npc_kernels *kernels;
    const npc_array *grad;
    int64_t size, pixels;
    int in_place;
    char *out;
} job;

/* Pixels [first, first + count) of a channel of an image. */
static void copy_pixels(const job *j, const char *plane, int64_t first, int64_t count, char *to)
{
    const npc_array *a = j->grad;
    const int64_t width = j->geometry->output[2], height = j->geometry->output[1];
    while (count > 0) {
        const int64_t w = first % width, line = first / width;
        const int64_t run = npc_min(width - w, count);
        const char *from =
            plane + line / height * a->stride[2] + line % height * a->stride[3] + w * a->stride[4];
        npc_read_run(a, from, a->stride[4], run, j->kernels->dtype, to);
        to += run * j->size;
        first += run;
        count -= run;
    }
}

static npc_status sum_channel(void *context, int64_t channel, void *scratch)
{
    const job *j = context;
    const npc_array *a = j->grad;
    double total = 0;
    for (int64_t n = 0; n < j->geometry->batch; n++) {
        const char *plane = a->data + n * a->stride[0] + channel * a->stride[1];
        for (int64_t first = 0; first < j->pixels; first += STRETCH) {
            const int64_t count = npc_min(STRETCH, j->pixels - first);
            double part;
            if (!j->in_place) copy_pixels(j, plane, first, count, scratch);
            npc_run_sum(j->kernels, j->in_place ? plane + first * j->size : scratch, count, &part);
            total += npc_load((const char *)&part, j->kernels->dtype, 0);
        }
    }
    npc_store(j->out + channel * j->size, j->kernels->dtype, total);
    return NPC_OK;
}

npc_status npc_conv_bias_grad(const npc_conv_geometry *geometry, const npc_array *grad, void *out,
                              npc_dtype dtype, const npc_options *options, npc_plan_info *info)
{
    const double elements = (double)geometry->batch * (double)geometry->out_channels *
                            (double)npc_volume(geometry->output);
    npc_team team = npc_make_team(options, FLOPS_AN_ELEMENT * elements);
    job j = {.geometry = geometry, .grad = grad, .out = out};
    if (!npc_conv_is_consistent(geometry)) return NPC_INVALID_GEOMETRY;
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    j.size = (int64_t)npc_dtype_size(dtype);
    j.pixels = npc_volume(geometry->output);
    j.in_place = npc_is_plain(grad, dtype) && npc_extents_follow(grad, geometry->output, j.size);
    const npc_status done =
        npc_parallel_for(&team, geometry->out_channels, STRETCH * sizeof(double), sum_channel, &j);
    npc_simple_info(info, "bias_grad", j.kernels, &team);
    return done;
}
