/* small: forward convolutions of images so small that the other algorithms spend their time on
 * cutting tiles. One kernel call does all of a group of an image, nothing is packed. */
#include "../core/scratch.h"
#include "../plan/conv_plan.h"
#include "element.h"
#include "finish.h"

/* Limits, of one image: up to here packing does not pay. */
enum {
    MAX_PRODUCTS = 4096,
    MAX_ELEMENTS = 4096, /* of the image and of the result */
    MAX_DEPTH = 128      /* one chain of sums, as long as a block of the other algorithms */
};
#define PIECE_FLOPS 4e5

typedef struct job {
    npc_conv_problem *problem;
    npc_window window;
    int64_t size, image_pieces;
    int inner;        /* all taps of all pixels are inside */
    int copied[2];    /* x, y pass through scratch, in which they are plain */
    int64_t bytes[2]; /* of an image of x, of y */
    npc_finish finish;
    npc_small_args args; /* of a group, all but its pointers */
    int32_t begin[NPC_MAX_SMALL_TAPS], end[NPC_MAX_SMALL_TAPS];
} job;

/* Row by row between an image and a C-contiguous copy. */
static void copy_image(const job *j, int64_t image, char *plain, int writes)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_array *a = writes ? &j->problem->arrays->y : &j->problem->arrays->x;
    const int64_t *extent = writes ? g->output : g->input;
    const int64_t channels = writes ? g->out_channels : g->in_channels;
    const npc_dtype dtype = j->problem->dtype;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t h = 0; h < extent[1]; h++, plain += extent[2] * j->size) {
            char *row = a->data + image * a->stride[0] + c * a->stride[1] + h * a->stride[3];
            if (writes)
                npc_write_run(plain, dtype, row, a->stride[4], extent[2]);
            else
                npc_read_run(a, row, a->stride[4], extent[2], dtype, plain);
        }
    }
}

/* Masked lanes are zeros, and zero times an infinite or NaN weight is NaN where the definition
 * skips the product: NaNs are computed again. */
static void mend(const job *j, const npc_small_args *args, int64_t image, int64_t group)
{
    const npc_dtype dtype = j->problem->dtype;
    const int64_t pixels = args->pixels[0] * args->pixels[1], taps = j->window.taps;
    if (NPC_LIKELY(!npc_run_has_nan(j->problem->kernels, args->y,
                                    args->y_channel_stride_bytes / j->size, args->rows, pixels)))
        return;
    for (int64_t row = 0; row < args->rows; row++) {
        char *at = (char *)args->y + row * args->y_channel_stride_bytes;
        for (int64_t p = 0; p < pixels; p++, at += j->size) {
            const double now = npc_load(at, dtype, 0);
            if (now == now) continue;
            const npc_element element = {
                .image = image,
                .channel = group * args->channels,
                .channels = args->channels,
                .pixel = {0, p / args->pixels[1], p % args->pixels[1]},
                .weight = (const char *)args->weight + row * args->channels * taps * j->size,
                .channel_stride_bytes = taps * j->size,
                .tap_stride_bytes = j->size,
                .bias = args->bias ? (const char *)args->bias + row * j->size : NULL,
            };
            npc_store(at, dtype, npc_element_value(&j->window, &element));
        }
    }
}

static void run_image(const job *j, int64_t image, char *scratch)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_conv_arrays *arrays = j->problem->arrays;
    const int64_t rows = npc_group_out(g), weights = rows * npc_conv_depth(g) * j->size;
    char *x = arrays->x.data + image * arrays->x.stride[0];
    char *y = arrays->y.data + image * arrays->y.stride[0];
    if (j->copied[0]) copy_image(j, image, x = npc_scratch_take(&scratch, (size_t)j->bytes[0]), 0);
    if (j->copied[1]) y = npc_scratch_take(&scratch, (size_t)j->bytes[1]);
    for (int64_t group = 0; group < g->groups; group++) {
        npc_small_args args = j->args;
        args.x = x + group * args.channels * args.channel_stride_bytes;
        args.y = y + group * rows * args.y_channel_stride_bytes;
        args.weight = (const char *)arrays->weight + group * weights;
        args.bias = arrays->bias ? (const char *)arrays->bias + group * rows * j->size : NULL;
        args.begin = j->begin;
        args.end = j->end;
        npc_run_small(j->problem->kernels, &args);
        if (!j->inner) mend(j, &args, image, group);
        if (j->finish.needed) {
            const npc_finish_part part = {.image = image,
                                          .channel = group * rows,
                                          .rows = rows,
                                          .count = args.pixels[0] * args.pixels[1],
                                          .from = args.y,
                                          .to = args.y,
                                          .from_stride_bytes = args.y_channel_stride_bytes,
                                          .to_stride_bytes = args.y_channel_stride_bytes};
            npc_finish_rows(&j->finish, &part);
        }
    }
    if (j->copied[1]) copy_image(j, image, y, 1);
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const int64_t batch = j->problem->geometry->batch;
    for (int64_t n = npc_split(batch, j->image_pieces, piece);
         n < npc_split(batch, j->image_pieces, piece + 1); n++)
        run_image(j, n, scratch);
    return NPC_OK;
}

static npc_status run(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    const int64_t size = (int64_t)npc_dtype_size(problem->dtype);
    job j;
    j.problem = problem;
    j.size = size;
    j.finish = npc_finish_of(problem);
    npc_window_forward(&j.window, g, x, problem->dtype);
    const npc_axis *axis = j.window.axis;
    j.inner = 1;
    for (int i = 1; i < NPC_SPATIAL; i++)
        j.inner &= axis[i].inner_begin == 0 && axis[i].inner_end == axis[i].pixels;
    for (int64_t s = 0; s < axis[2].taps; s++) {
        int64_t begin, end;
        npc_axis_valid(&axis[2], s, &begin, &end);
        j.begin[s] = (int32_t)begin;
        j.end[s] = (int32_t)end;
    }
    const int64_t row = g->output[2] * size, plane = g->output[1] * row;
    j.copied[0] = !npc_is_plain(x, problem->dtype) || (x->stride[4] != size && g->input[2] > 1);
    j.copied[1] = /* finish_rows reads an addend that is y before it writes y */
        j.finish.add_is_y || (y->stride[4] != size && g->output[2] > 1) ||
        (y->stride[3] != row && g->output[1] > 1);
    j.bytes[0] = g->in_channels * g->input[1] * g->input[2] * size;
    j.bytes[1] = g->out_channels * plane;
    j.args = (npc_small_args){
        .channels = npc_group_in(g),
        .rows = npc_group_out(g),
        .height = g->input[1],
        .channel_stride_bytes = j.copied[0] ? g->input[1] * g->input[2] * size : x->stride[1],
        .row_stride_bytes = j.copied[0] ? g->input[2] * size : x->stride[3],
        .y_channel_stride_bytes = j.copied[1] ? plane : y->stride[1],
        .y_row_stride_bytes = row,
        .pixels = {g->output[1], g->output[2]},
        .taps = {g->kernel[1], g->kernel[2]},
        .step = {g->stride[1], g->stride[2]},
        .spacing = {g->dilation[1], g->dilation[2]},
        .first = {-g->pad_before[1], -g->pad_before[2]},
    };
    const size_t scratch = (size_t)((j.copied[0] ? npc_round_up(j.bytes[0], NPC_CACHE_LINE) : 0) +
                                    (j.copied[1] ? npc_round_up(j.bytes[1], NPC_CACHE_LINE) : 0));
    j.image_pieces = npc_min(g->batch, (int64_t)(npc_conv_flops(g) / PIECE_FLOPS) + 1);
    return npc_parallel_for(problem->team, j.image_pieces, scratch, run_piece, &j);
}

static const char *declines(const npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    if (problem->operation != NPC_FORWARD) return "it computes forward convolutions only";
    if (g->input[0] != 1 || g->kernel[0] != 1 || g->output[0] != 1 || g->pad_before[0] != 0)
        return "there are three spatial axes";
    if (g->groups > 1 && npc_group_in(g) == 1) return "it is depthwise";
    if (g->stride[2] > 2) return "the horizontal stride is more than 2";
    if (g->kernel[2] > NPC_MAX_SMALL_TAPS) return "the kernel is too wide";
    const double depth = (double)npc_group_in(g) * npc_count(g->kernel);
    if (depth > MAX_DEPTH) return "a sum has more than 128 terms";
    if ((double)g->in_channels * npc_count(g->input) > MAX_ELEMENTS ||
        (double)g->out_channels * npc_count(g->output) > MAX_ELEMENTS ||
        (double)g->out_channels * npc_count(g->output) * depth > MAX_PRODUCTS)
        return "the image is not small";
    return NULL;
}

const npc_conv_algorithm npc_conv_small = {"small", declines, run, NULL, NULL, NULL, {0}, {0}};
