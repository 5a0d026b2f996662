#include "finish.h"

#include "panel.h"

enum { CONVERTED = 256 }; /* elements of `add` that are converted at a time */

npc_finish npc_finish_of(const npc_conv_problem *problem)
{
    const npc_conv_arrays *a = problem->arrays;
    const npc_conv_geometry *g = problem->geometry;
    const int transposed = problem->operation == NPC_INPUT_GRAD;
    const int64_t *output = transposed ? g->input : g->output;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    npc_finish f = {.kernels = problem->kernels,
                    .activation = a->activation,
                    .slope = a->slope,
                    .output = {output[0], output[1], output[2]}};
    if (a->add.data) {
        f.add = &a->add;
        f.add_is_y = a->add.data == (transposed ? a->x.data : a->y.data);
        f.add_is_flat =
            npc_is_plain(&a->add, problem->dtype) && npc_extents_follow(&a->add, output, size);
    }
    f.needed = f.add || f.activation != NPC_NO_ACTIVATION;
    return f;
}

/* `count` pixels of all rows that lie in one row of output pixels of `add`, the first of them at
 * `from`: as they are, or each row converted piece by piece. */
static void finish_run(const npc_finish *f, npc_finish_args args, const char *from)
{
    const npc_array *add = f->add;
    const npc_dtype dtype = f->kernels->dtype;
    const int64_t size = (int64_t)npc_dtype_size(dtype), count = args.count, rows = args.rows;
    const int64_t step = add->stride[4];
    double converted[CONVERTED];

    if (npc_is_plain(add, dtype) && (count == 1 || step == size)) {
        args.add = from;
        args.add_stride_bytes = add->stride[1];
        npc_run_finish(f->kernels, &args);
        return;
    }
    const char *sums = args.from, *bias = args.bias;
    char *to = args.to;
    args.rows = 1;
    args.add = converted;
    for (int64_t i = 0; i < rows; i++) {
        args.bias = bias ? bias + i * size : NULL;
        for (int64_t j = 0; j < count; j += CONVERTED) {
            args.count = npc_min(CONVERTED, count - j);
            args.from = sums + i * args.from_stride_bytes + j * size;
            args.to = to + i * args.to_stride_bytes + j * size;
            npc_read_run(add, from + i * add->stride[1] + j * step, step, args.count, dtype,
                         converted);
            npc_run_finish(f->kernels, &args);
        }
    }
}

void npc_finish_rows(const npc_finish *f, const npc_finish_part *part)
{
    const npc_array *add = f->add;
    const int64_t size = (int64_t)npc_dtype_size(f->kernels->dtype);
    npc_finish_args args = {.rows = part->rows,
                            .count = part->count,
                            .from = part->from,
                            .bias = part->bias,
                            .to = part->to,
                            .from_stride_bytes = part->from_stride_bytes,
                            .to_stride_bytes = part->to_stride_bytes,
                            .activation = f->activation,
                            .slope = f->slope};
    if (!add) {
        npc_run_finish(f->kernels, &args);
        return;
    }
    const char *plane = add->data + part->image * add->stride[0] + part->channel * add->stride[1];
    if (f->add_is_flat) {
        args.add = plane + part->pixel * size;
        args.add_stride_bytes = add->stride[1];
        npc_run_finish(f->kernels, &args);
        return;
    }
    for (int64_t j = 0; j < part->count; j += args.count) {
        const int64_t pixel = part->pixel + j, w = pixel % f->output[2];
        const int64_t h = pixel / f->output[2] % f->output[1];
        const int64_t d = pixel / f->output[2] / f->output[1];
        args.count = npc_min(part->count - j, f->output[2] - w);
        args.from = part->from + j * size;
        args.to = part->to + j * size;
        finish_run(f, args, plane + d * add->stride[2] + h * add->stride[3] + w * add->stride[4]);
    }
}

void npc_finish_pixel(const npc_finish *f, int64_t image, int64_t channel,
                      const int64_t pixel[NPC_SPATIAL], int64_t count, char *row)
{
    const npc_array *add = f->add;
    const npc_dtype dtype = f->kernels->dtype;
    const int64_t size = (int64_t)npc_dtype_size(dtype);
    double converted[CONVERTED];
    npc_finish_args args = {
        .rows = 1, .count = count, .activation = f->activation, .slope = f->slope};
    args.from = args.to = row;
    if (!add) {
        npc_run_finish(f->kernels, &args);
        return;
    }
    const char *from = add->data + image * add->stride[0] + channel * add->stride[1] +
                       pixel[0] * add->stride[2] + pixel[1] * add->stride[3] +
                       pixel[2] * add->stride[4];
    const int plain = npc_is_plain(add, dtype) && add->stride[1] == size;
    for (int64_t j = 0; j < count; j += args.count) {
        args.count = plain ? count : npc_min(CONVERTED, count - j);
        args.from = args.to = row + j * size;
        args.add = plain ? from : (const char *)converted;
        if (!plain)
            npc_read_run(add, from + j * add->stride[1], add->stride[1], args.count, dtype,
                         converted);
        npc_run_finish(f->kernels, &args);
    }
}

npc_finish_part npc_finish_part_rows(const npc_finish_part *part, int64_t begin, int64_t rows,
                                     npc_dtype dtype)
{
    npc_finish_part some = *part;
    some.channel += begin;
    some.rows = rows;
    some.from += begin * part->from_stride_bytes;
    some.to += begin * part->to_stride_bytes;
    if (some.bias) some.bias += begin * (int64_t)npc_dtype_size(dtype);
    return some;
}

void npc_finish_fetch(const npc_finish *f, const npc_finish_part *part)
{
    const npc_array *add = f->add;
    const int64_t size = (int64_t)npc_dtype_size(f->kernels->dtype), bytes = part->count * size;
    if (!f->add_is_flat) return;
    const char *row = add->data + part->image * add->stride[0] + part->channel * add->stride[1] +
                      part->pixel * size;
    for (int64_t i = 0; i < part->rows; i++, row += add->stride[1]) {
        for (int64_t at = 0; at < bytes; at += NPC_CACHE_LINE) __builtin_prefetch(row + at);
        __builtin_prefetch(row + bytes - 1);
    }
}
