/* Depthwise convolution of small planes, as many of them at a time as a vector has lanes: a block
 * of channels is transposed so that a pixel's channels are a vector, and back. Rows of small planes
 * would leave much of their vectors empty.
 */
#include <string.h>

#include "../core/scratch.h"
#include "depthwise_window.h"

enum {
    CHAIN = 128, /* products of one chain of sums */
    SCRATCH_BYTES = 1 << 20
};
#define PIECE_FLOPS 5e5

typedef struct job {
    const npc_depthwise *d;
    int64_t size, lanes, blocks, pieces;
    int64_t inputs, outputs;            /* pixels of a slice */
    int64_t length;                     /* pixels of a staged row */
    int64_t copy_at, copy_from, copied; /* those of them that are not padding */
    int64_t apart, skip, group;
    int source_in_place, target_in_place;
    int has_border;
} job;

typedef struct memory {
    char *weight, *bias; /* of the block */
    char *stage;         /* [depth][row][pixel][lane] */
    char *pixels;        /* [pixel][lane] of a slice of the source or the result */
    char *planes;        /* [channel][pixel] likewise, of arrays that are not read in place */
    const void **row;
    npc_depthwise_phase *phase;
    int64_t block; /* whose weights there are, or -1 */
    uint64_t mend; /* channels of the block with weights that are not finite */
} memory;

/* Vector multiply-adds of a channel, with what the rest costs in terms of them: as rows, and as a
 * part of a block. */
static double rows_cost(const npc_depthwise *d)
{
    const npc_axis *a = d->window->axis;
    const double vectors = (double)npc_ceil_div(a[2].pixels, d->kernels->lanes);
    return (double)(a[0].pixels * a[1].pixels) * vectors * (double)d->window->taps *
               (vectors > 1 ? 1.25 : 1.7) +
           300;
}

static double block_cost(const npc_depthwise *d)
{
    const npc_axis *a = d->window->axis;
    const double inputs = (double)a[0].extent * (double)a[1].extent * (double)a[2].extent;
    const double taps = (double)d->window->taps, pixels = (double)d->window->pixels;
    const double blocks = (double)npc_ceil_div(d->channels, d->kernels->lanes);
    return (1.2 * taps * pixels + 8 * (inputs + pixels + taps) + 500) * blocks /
           (double)d->channels;
}

static size_t scratch_bytes(const job *j)
{
    const npc_window *w = j->d->window;
    const int64_t pixel = j->lanes * j->size, most = npc_max(j->inputs, j->outputs);
    const int64_t phases = w->axis[0].taps * npc_min(j->skip, w->axis[1].taps);
    const int64_t rows = w->axis[0].taps * w->axis[1].taps + phases * (j->group - 1);
    return (size_t)((w->taps + 1) * pixel +
                    w->axis[0].extent * w->axis[1].extent * j->length * pixel + 2 * most * pixel +
                    rows * (int64_t)sizeof(void *) +
                    phases * (int64_t)sizeof(npc_depthwise_phase)) +
           (size_t)8 * NPC_CACHE_LINE;
}

/* Fills in what the window decides; 0: not for this one. */
static int plan(const npc_depthwise *d, job *j)
{
    const npc_window *w = d->window;
    const npc_axis *a = w->axis;
    const double pixels = (double)a[0].extent * (double)a[1].extent *
                          ((double)a[2].extent + (double)(a[2].pixels - 1) * (double)a[2].step +
                           (double)(a[2].taps - 1) * (double)a[2].spacing + 1);
    if (d->sources != 1 || d->sharers != 1 || w->taps > 4096) return 0;
    *j = (job){.d = d, .size = (int64_t)npc_dtype_size(w->dtype), .lanes = d->kernels->lanes};
    if ((pixels + (double)w->pixels) * (double)(j->lanes * j->size) > SCRATCH_BYTES) return 0;
    if (rows_cost(d) < block_cost(d)) return 0;
    const int64_t down = npc_greatest_common_divisor(a[1].step, a[1].spacing);
    j->inputs = a[1].extent * a[2].extent;
    j->outputs = a[1].pixels * a[2].pixels;
    j->length = (a[2].pixels - 1) * a[2].step + (a[2].taps - 1) * a[2].spacing + 1;
    j->copy_from = npc_min(npc_max(a[2].first, 0), a[2].extent);
    j->copied = npc_max(npc_min(a[2].extent, a[2].first + j->length) - j->copy_from, 0);
    j->copy_at = j->copied ? j->copy_from - a[2].first : 0;
    j->skip = a[1].step / down;
    j->apart = a[1].taps == 1 ? 1 : npc_min(a[1].spacing / down, a[1].pixels);
    j->group = npc_min(npc_max(a[1].taps / j->skip, 1), NPC_DEPTHWISE_BLOCK_GROUP);
    j->blocks = npc_ceil_div(d->channels, j->lanes);
    for (int i = 0; i < NPC_SPATIAL; i++)
        j->has_border |= a[i].inner_begin > 0 || a[i].inner_end < a[i].pixels;
    return scratch_bytes(j) <= 2 * SCRATCH_BYTES;
}

int npc_depthwise_fits_blocks(const npc_depthwise *d)
{
    job j;
    return plan(d, &j);
}

/* The weights and biases of a block. */
static void take_block(const job *j, memory *m, int64_t block)
{
    const npc_depthwise *d = j->d;
    const int64_t taps = d->window->taps, first = block * j->lanes;
    const int64_t channels = npc_min(j->lanes, d->channels - first);
    const npc_transpose_args weights = {.from = d->weight + first * taps * j->size,
                                        .from_stride = taps,
                                        .rows = channels,
                                        .cols = taps,
                                        .to = m->weight,
                                        .to_stride = j->lanes,
                                        .fill = 1};
    if (m->block == block) return;
    m->block = block;
    m->mend = 0;
    npc_run_transpose(d->kernels, &weights);
    if (d->bias) memcpy(m->bias, d->bias + first * j->size, (size_t)(channels * j->size));
    if (!j->has_border || npc_run_all_finite(d->kernels, weights.from, channels * taps)) return;
    for (int64_t c = 0; c < channels; c++)
        if (!npc_run_all_finite(d->kernels, (const char *)weights.from + c * taps * j->size, taps))
            m->mend |= (uint64_t)1 << c;
}

/* The planes of a slice of a block, staged. */
static void stage_slice(const job *j, memory *m, const char *from, int64_t channels, char *stage)
{
    const npc_window *w = j->d->window;
    const npc_array *source = w->source;
    const int64_t height = w->axis[1].extent, width = w->axis[2].extent;
    npc_transpose_args args = {.from = from,
                               .from_stride = source->stride[1] / j->size,
                               .rows = channels,
                               .cols = j->inputs,
                               .to = m->pixels,
                               .to_stride = j->lanes,
                               .fill = 1};
    if (!j->source_in_place) {
        args.from = m->planes;
        args.from_stride = j->inputs;
        for (int64_t c = 0; c < channels; c++)
            for (int64_t h = 0; h < height; h++)
                npc_read_run(source, from + c * source->stride[1] + h * source->stride[3],
                             source->stride[4], width, w->dtype,
                             m->planes + (c * j->inputs + h * width) * j->size);
    }
    npc_run_transpose(j->d->kernels, &args);
    const npc_row_part part = {.kind = NPC_ROW_FORWARD,
                               .at = j->copy_at * j->lanes,
                               .source = j->copy_from * j->lanes,
                               .count = j->copied * j->lanes};
    const npc_pad_rows_args copy = {.from = m->pixels,
                                    .from_stride_bytes = width * j->lanes * j->size,
                                    .to_stride_bytes = j->length * j->lanes * j->size,
                                    .rows = height,
                                    .parts = 1,
                                    .part = &part,
                                    .to = stage};
    if (j->copied) npc_run_pad_rows(j->d->kernels, &copy);
}

/* One call of the kernel: args->rows rows begin, begin + apart, ... of slice `d` of the result. */
static void run_group(const job *j, memory *m, int64_t slice, int64_t begin,
                      npc_depthwise_block_args *args)
{
    const npc_axis *axis = j->d->window->axis;
    const int64_t pixel = j->lanes * j->size, height = axis[1].extent;
    const void **next = m->row;
    args->phases = 0;
    for (int64_t a = 0; a < axis[0].taps; a++) {
        const int64_t d = npc_axis_source(&axis[0], slice, a);
        if (!npc_axis_holds(&axis[0], d)) continue;
        for (int64_t p = 0; p < npc_min(j->skip, axis[1].taps); p++) {
            npc_depthwise_phase *phase = &m->phase[args->phases++];
            phase->tap_rows = npc_ceil_div(axis[1].taps - p, j->skip);
            phase->row = next;
            phase->weight = m->weight + (a * axis[1].taps + p) * axis[2].taps * pixel;
            const int64_t down = phase->tap_rows > 1 ? j->skip * axis[1].spacing : 0;
            int64_t h = npc_axis_source(&axis[1], begin, p);
            for (int64_t q = 0; q < args->rows + phase->tap_rows - 1; q++, h += down)
                *next++ = npc_axis_holds(&axis[1], h)
                              ? m->stage + (d * height + h) * j->length * pixel
                              : NULL;
        }
    }
    args->to = m->pixels + begin * axis[2].pixels * pixel;
    npc_run_depthwise_block(j->d->kernels, args);
}

/* A slice of the block's result, to where it belongs. */
static void deliver(const job *j, const memory *m, npc_depthwise_place at, int64_t channels)
{
    const npc_depthwise *d = j->d;
    const npc_array *target = &d->target;
    const int64_t width = d->window->axis[2].pixels;
    char *home = target->data + at.image * target->stride[0] + at.channel * target->stride[1] +
                 at.d * target->stride[2];
    const int64_t apart = j->target_in_place ? target->stride[1] : j->outputs * j->size;
    npc_depthwise_target to = {.to = j->target_in_place ? home : m->planes,
                               .stride_bytes = width * j->size,
                               .columns = width};
    const npc_transpose_args args = {.from = m->pixels,
                                     .from_stride = j->lanes,
                                     .rows = j->outputs,
                                     .cols = channels,
                                     .to = to.to,
                                     .to_stride = apart / j->size};
    npc_run_transpose(d->kernels, &args);
    for (int64_t c = 0; c < channels; c++, at.channel++, to.to += apart) {
        if (NPC_UNLIKELY(m->mend >> c & 1)) npc_depthwise_mend_border(d, &at, &to);
        if (d->finish.needed) npc_depthwise_finish_band(d, &at, &to);
        for (int64_t h = 0; !j->target_in_place && h < at.rows; h++)
            npc_write_run(to.to + h * to.stride_bytes, d->window->dtype,
                          home + c * target->stride[1] + h * target->stride[3], target->stride[4],
                          width);
    }
}

static void run_block(const job *j, memory *m, int64_t image, int64_t block)
{
    const npc_depthwise *d = j->d;
    const npc_window *w = d->window;
    const npc_axis *axis = w->axis;
    const int64_t first = block * j->lanes, pixel = j->lanes * j->size;
    const int64_t channels = npc_min(j->lanes, d->channels - first);
    const char *from =
        w->source->data + image * w->source->stride[0] + first * w->source->stride[1];
    npc_depthwise_block_args args = {.pixels = axis[2].pixels,
                                     .taps = axis[2].taps,
                                     .chain = npc_max(CHAIN, axis[2].taps),
                                     .phase = m->phase,
                                     .weight_step = j->skip * axis[2].taps * j->lanes,
                                     .pixel_step = axis[2].step * j->lanes,
                                     .tap_step = axis[2].spacing * j->lanes,
                                     .bias = d->bias ? m->bias : NULL,
                                     .to_step = j->apart * axis[2].pixels * j->lanes};
    take_block(j, m, block);
    for (int64_t slice = 0; slice < axis[0].extent; slice++)
        stage_slice(j, m, from + slice * w->source->stride[2], channels,
                    m->stage + slice * axis[1].extent * j->length * pixel);
    for (int64_t slice = 0; slice < axis[0].pixels; slice++) {
        for (int64_t start = 0; start < npc_min(j->apart, axis[1].pixels); start++) {
            const int64_t rows = npc_ceil_div(axis[1].pixels - start, j->apart);
            const int64_t groups = npc_ceil_div(rows, j->group);
            for (int64_t g = 0; g < groups; g++) {
                const int64_t begin = npc_split(rows, groups, g);
                args.rows = npc_split(rows, groups, g + 1) - begin;
                run_group(j, m, slice, start + begin * j->apart, &args);
            }
        }
        const npc_depthwise_place at = {
            .image = image, .channel = first, .d = slice, .rows = axis[1].pixels};
        deliver(j, m, at, channels);
    }
}

/* Units are blocks of images, those of the same channels after one another. */
static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_window *w = j->d->window;
    const int64_t pixel = j->lanes * j->size, units = j->d->batch * j->blocks;
    const int64_t phases = w->axis[0].taps * npc_min(j->skip, w->axis[1].taps);
    const int64_t rows = w->axis[0].taps * w->axis[1].taps + phases * (j->group - 1);
    const size_t slice = (size_t)(npc_max(j->inputs, j->outputs) * pixel);
    const size_t stage = (size_t)(w->axis[0].extent * w->axis[1].extent * j->length * pixel);
    char *cursor = scratch;
    memory m = {.block = -1};
    m.weight = npc_scratch_take(&cursor, (size_t)(w->taps * pixel));
    m.bias = npc_scratch_take(&cursor, (size_t)pixel);
    m.row = npc_scratch_take(&cursor, (size_t)rows * sizeof(void *));
    m.phase = npc_scratch_take(&cursor, (size_t)phases * sizeof *m.phase);
    m.stage = npc_scratch_take(&cursor, stage);
    m.pixels = npc_scratch_take(&cursor, slice);
    m.planes = npc_scratch_take(&cursor, slice);
    memset(m.bias, 0, (size_t)pixel);
    memset(m.stage, 0, stage); /* the padding stays zero */
    for (int64_t unit = npc_split(units, j->pieces, piece);
         unit < npc_split(units, j->pieces, piece + 1); unit++)
        run_block(j, &m, unit % j->d->batch, unit / j->d->batch);
    return NPC_OK;
}

npc_status npc_depthwise_run_blocks(const npc_depthwise *d, npc_team *team)
{
    job j;
    if (!plan(d, &j)) return NPC_INVALID_GEOMETRY; /* asked before */
    const npc_axis *axis = d->window->axis;
    const npc_array *source = d->window->source, *target = &d->target;
    j.source_in_place = npc_is_plain(source, d->window->dtype) && source->stride[4] == j.size &&
                        source->stride[3] == axis[2].extent * j.size &&
                        source->stride[1] % j.size == 0;
    j.target_in_place = target->stride[4] == j.size &&
                        target->stride[3] == axis[2].pixels * j.size &&
                        target->stride[1] % j.size == 0 && !d->finish.add_is_y;
    const double flops =
        2.0 * (double)j.lanes * (double)d->window->pixels * (double)(d->window->taps + 8);
    const int64_t units = d->batch * j.blocks;
    j.pieces = npc_min(units, 1 + (int64_t)((double)units * flops / PIECE_FLOPS));
    return npc_parallel_for(team, j.pieces, scratch_bytes(&j), run_piece, &j);
}
