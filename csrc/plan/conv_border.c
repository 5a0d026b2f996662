#include "conv_border.h"

#include <string.h>

#include "../algo/pad_map.h"

enum { STAGE_BYTES = 4 << 20 }; /* of padded images, or one of them */

/* Whether an algorithm finds what stands in the border by itself. */
static int reads_border(npc_conv_operation operation, const npc_conv_algorithm *algorithm)
{
    return operation != NPC_INPUT_GRAD &&
           (algorithm == &npc_conv_winograd || algorithm == &npc_conv_winograd2);
}

/* Padded images in their own memory, axes in the order of the images' memory. */
typedef struct stage {
    npc_pad_geometry pad;
    int64_t image_stride[NPC_AXES], stride[NPC_AXES]; /* of images and padded ones, in that order */
    npc_array padded;
    double image_bytes; /* of a padded one */
} stage;

static void describe(const npc_conv_problem *p, stage *s)
{
    static const int first[NPC_AXES] = {0, 1, 2, 3, 4}, last[NPC_AXES] = {0, 2, 3, 4, 1};
    const npc_conv_geometry *g = p->geometry;
    const npc_border *b = p->border;
    const int *axis = p->channels_last ? last : first;
    const npc_array *x = &p->arrays->x;
    int64_t padded[NPC_AXES];

    s->pad.rank = 0;
    s->pad.mode = b->mode;
    s->padded = (npc_array){.dtype = p->operation == NPC_INPUT_GRAD ? p->dtype : x->dtype};
    for (int i = 0; i < NPC_AXES; i++) {
        if (axis[i] == 2 && g->input[0] == 1) continue; /* no depth */
        const int spatial = axis[i] - 2, at = s->pad.rank++;
        s->pad.before[at] = spatial < 0 ? 0 : b->before[spatial];
        s->pad.after[at] = spatial < 0 ? 0 : b->after[spatial];
        padded[at] = i == 0 ? 1 : spatial < 0 ? g->in_channels : g->input[spatial];
        s->pad.shape[at] = padded[at] - s->pad.before[at] - s->pad.after[at];
        s->image_stride[at] = x->stride[axis[i]];
    }
    int64_t stride = (int64_t)npc_dtype_size(s->padded.dtype);
    s->image_bytes = (double)stride;
    for (int at = s->pad.rank - 1; at >= 0; at--) {
        s->stride[at] = stride;
        stride *= padded[at];
        s->image_bytes *= (double)padded[at];
    }
    for (int i = 0, at = 0; i < NPC_AXES; i++)
        if (axis[i] != 2 || g->input[0] != 1) s->padded.stride[axis[i]] = s->stride[at++];
}

/* The images from n on, which the padded ones have been made for. */
static npc_status run_part(npc_conv_problem *p, const npc_conv_algorithm *algorithm,
                           const npc_options *options, const stage *s, int64_t n)
{
    static const double zeros[2 * NPC_AXES];
    const int64_t size = (int64_t)npc_dtype_size(s->padded.dtype);
    npc_conv_arrays arrays = *p->arrays;
    npc_conv_geometry geometry = *p->geometry;
    npc_conv_problem part = *p;
    npc_plan_info info;
    char *images = p->arrays->x.data + n * p->arrays->x.stride[0];

    geometry.batch = s->pad.shape[0];
    arrays.x = s->padded;
    arrays.y.data += n * arrays.y.stride[0];
    if (arrays.add.data) arrays.add.data += n * arrays.add.stride[0];
    part.geometry = &geometry;
    part.arrays = &arrays;
    part.border = NULL;
    if (p->operation != NPC_INPUT_GRAD) {
        const npc_status status = npc_pad(&s->pad, images, s->image_stride, (int)size,
                                          p->arrays->x.swapped ? (int)size : 0, (const char *)zeros,
                                          s->padded.data, options, &info);
        if (status != NPC_OK) return status;
    }
    npc_status status = npc_conv_run(&part, algorithm);
    if (status == NPC_OK && p->operation == NPC_INPUT_GRAD)
        status = npc_pad_backward(&s->pad, &s->padded, s->stride, images, p->dtype, options, &info);
    p->shared_bytes = npc_max(p->shared_bytes, part.shared_bytes);
    return status;
}

static npc_status run_padded(npc_conv_problem *p, const npc_conv_algorithm *algorithm,
                             const npc_options *options)
{
    const int64_t batch = p->geometry->batch;
    stage s;
    describe(p, &s);
    /* The weight's gradient sums over all images in one order. */
    int64_t count = batch;
    if (p->operation != NPC_WEIGHT_GRAD && (double)batch * s.image_bytes > STAGE_BYTES)
        count = npc_max(1, (int64_t)(STAGE_BYTES / s.image_bytes));
    if ((double)count * s.image_bytes > PTRDIFF_MAX / 2) return NPC_NO_MEMORY;
    const int64_t bytes = (int64_t)((double)count * s.image_bytes);
    s.padded.data = npc_recycle_take((size_t)bytes);
    if (!s.padded.data) return NPC_NO_MEMORY;
    npc_status status = NPC_OK;
    int64_t n = 0;
    do { /* without images, too: a gradient of zeros */
        s.pad.shape[0] = npc_min(count, batch - n);
        status = run_part(p, algorithm, options, &s, n);
        n += count;
    } while (status == NPC_OK && n < batch);
    npc_recycle_give(s.padded.data);
    p->shared_bytes += bytes;
    return status;
}

npc_status npc_conv_run_bordered(npc_conv_problem *p, const npc_conv_algorithm *algorithm,
                                 const npc_options *options)
{
    if (!reads_border(p->operation, algorithm)) return run_padded(p, algorithm, options);
    const npc_status status = npc_conv_run(p, algorithm);
    return status == NPC_OK && p->wants_padded ? run_padded(p, algorithm, options) : status;
}
