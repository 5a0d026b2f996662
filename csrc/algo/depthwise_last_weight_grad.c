/* The weight gradient of depthwise_last: a pass over dy and x, line by line of dy, a lane for each
 * channel. A tap meets the pixels of a line for which it lies inside x, which are a stretch.
 *
 * A piece is a chunk of channels over one part of the lines; its sums stay in the thread's scratch,
 * [tap][channel], and are brought into the order of the weights at the end. Parts, chains and
 * rounds (of a piece that would take long) depend on the geometry alone. */
#include <string.h>

#include "../core/scratch.h"
#include "depthwise.h"
#include "weight_grad.h"

enum {
    SEGMENT = 256,         /* pixels of a line that are met at once */
    CHAIN = 256,           /* pixels that are summed in one chain, about */
    CALL_TAPS = 128,       /* met by one call of the kernel */
    SUM_BYTES = 16 * 1024, /* of a chunk: they stay in L1 */
    MAX_CHUNK = 256,
    CONVERTED = 64, /* pixels of a line whose taps are converted at once */
    WANTED_PIECES = 16,
    PART_PIXELS = 512 /* that repay a partial sum */
};
#define PART_FLOPS 1e6  /* likewise */
#define ROUND_FLOPS 3e7 /* of a piece: some milliseconds */

typedef struct job {
    npc_conv_problem *problem;
    npc_window window;
    int64_t size, channels, taps, lines; /* of the batch */
    int64_t vectors, chunks, chunk;      /* channels of a chunk, at most */
    int64_t segment, segments, chain_lines;
    int64_t parts, rounds;
    npc_weight_parts sums;
    int as_it_lies;
} job;

typedef struct memory {
    const void *tap[CALL_TAPS];
    int32_t begin[CALL_TAPS], end[CALL_TAPS];
    char *sums, *total, *grad, *copies;
    int64_t lines; /* summed in this chain */
    int started;   /* whether there is a total */
} memory;

/* A stretch of a line of dy, and the channels of it that are looked at. */
typedef struct place {
    int64_t image, at[NPC_SPATIAL], pixels, channel, channels;
} place;

/* The tap's pixels of a stretch, counted from its first; how many there are. */
static int64_t find_tap(const job *j, const place *p, int64_t tap, int32_t *begin, int32_t *end,
                        const char **from)
{
    const npc_axis *axis = j->window.axis;
    const npc_array *x = &j->problem->arrays->x;
    const int64_t d = npc_axis_source(&axis[0], p->at[0], tap / axis[2].taps / axis[1].taps);
    const int64_t h = npc_axis_source(&axis[1], p->at[1], tap / axis[2].taps % axis[1].taps);
    int64_t first, last;
    if (!npc_axis_holds(&axis[0], d) || !npc_axis_holds(&axis[1], h)) return 0;
    npc_axis_valid(&axis[2], tap % axis[2].taps, &first, &last);
    first = npc_max(first, p->at[2]);
    last = npc_min(last, p->at[2] + p->pixels);
    if (first >= last) return 0;
    *begin = (int32_t)(first - p->at[2]);
    *end = (int32_t)(last - p->at[2]);
    *from = x->data + p->image * x->stride[0] + p->channel * x->stride[1] + d * x->stride[2] +
            h * x->stride[3] + npc_axis_source(&axis[2], first, tap % axis[2].taps) * x->stride[4];
    return last - first;
}

/* `pixels` pixels' channels, one after the other. */
static void convert(const job *j, const npc_array *array, const char *from, int64_t step,
                    int64_t pixels, int64_t channels, char *to)
{
    for (int64_t i = 0; i < pixels; i++)
        npc_read_run(array, from + i * step, array->stride[1], channels, j->problem->dtype,
                     to + i * channels * j->size);
}

/* Adds what a stretch gives to the sums. */
static void meet(const job *j, memory *m, const place *p)
{
    const npc_array *x = &j->problem->arrays->x, *y = &j->problem->arrays->y;
    const int64_t step = npc_axis_step_bytes(&j->window.axis[2], x->stride[4]);
    const char *grad = y->data + p->image * y->stride[0] + p->channel * y->stride[1] +
                       p->at[0] * y->stride[2] + p->at[1] * y->stride[3] + p->at[2] * y->stride[4];
    npc_depthwise_last_grad_args args = {.pixels = p->pixels,
                                         .channels = p->channels,
                                         .tap = m->tap,
                                         .begin = m->begin,
                                         .end = m->end,
                                         .grad = grad,
                                         .tap_step = step / j->size,
                                         .grad_step = y->stride[4] / j->size,
                                         .sum_step = p->channels};
    if (!j->as_it_lies) {
        convert(j, y, grad, y->stride[4], p->pixels, p->channels, m->grad);
        args.grad = m->grad;
        args.grad_step = args.tap_step = p->channels;
    }
    for (int64_t tap = 0; tap < j->taps; tap += CALL_TAPS) {
        char *copy = m->copies;
        args.taps = npc_min(CALL_TAPS, j->taps - tap);
        args.sums = m->sums + tap * p->channels * j->size;
        for (int64_t t = 0; t < args.taps; t++) {
            const char *from = NULL;
            m->begin[t] = m->end[t] = 0;
            const int64_t count = find_tap(j, p, tap + t, &m->begin[t], &m->end[t], &from);
            m->tap[t] = from;
            if (j->as_it_lies || count == 0) continue;
            convert(j, x, from, step, count, p->channels, copy);
            m->tap[t] = copy;
            copy += count * p->channels * j->size;
        }
        npc_run_depthwise_last_grad(j->problem->kernels, &args);
    }
}

/* Ends the chain. */
static void end_chain(const job *j, memory *m, int64_t channels)
{
    const int64_t count = j->taps * channels;
    if (m->started) {
        npc_run_add(j->problem->kernels, m->total, m->sums, count);
    } else {
        char *first = m->sums;
        m->sums = m->total;
        m->total = first;
    }
    memset(m->sums, 0, (size_t)(count * j->size));
    m->started = 1;
    m->lines = 0;
}

static void run_line(const job *j, memory *m, place *p, int64_t line)
{
    const int64_t *output = j->problem->geometry->output;
    p->image = line / output[1] / output[0];
    p->at[0] = line / output[1] % output[0];
    p->at[1] = line % output[1];
    for (int64_t s = 0; s < j->segments; s++) {
        const int64_t end = npc_min((s + 1) * j->segment, output[2]);
        for (p->at[2] = s * j->segment; p->at[2] < end; p->at[2] += p->pixels) {
            p->pixels = end - p->at[2];
            if (!j->as_it_lies) p->pixels = npc_min(p->pixels, CONVERTED);
            meet(j, m, p);
        }
        if (j->segments > 1) end_chain(j, m, p->channels);
    }
    if (j->segments == 1 && ++m->lines == j->chain_lines) end_chain(j, m, p->channels);
}

/* From [tap][channel] to [channel][tap]. */
static void put_sums(const job *j, memory *m, const place *p, int add, char *dw)
{
    npc_transpose_args args = {.from = m->total,
                               .from_stride = p->channels,
                               .rows = j->taps,
                               .cols = p->channels,
                               .to = add ? m->sums : dw,
                               .to_stride = j->taps};
    npc_run_transpose(j->problem->kernels, &args);
    if (add) npc_run_add(j->problem->kernels, dw, m->sums, j->taps * p->channels);
}

typedef struct round_job {
    const job *job;
    int64_t round;
} round_job;

static size_t copies_bytes(const job *j)
{
    if (j->as_it_lies) return 0;
    return (size_t)(npc_min(j->taps, CALL_TAPS) * CONVERTED * j->chunk * j->size);
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const round_job *r = context;
    const job *j = r->job;
    const int64_t lanes = j->problem->kernels->lanes;
    const int64_t chunk = piece % j->chunks, part = piece / j->chunks;
    const size_t bytes = (size_t)(j->taps * j->chunk * j->size);
    char *cursor = scratch;
    memory *m = npc_scratch_take(&cursor, sizeof *m);
    m->sums = npc_scratch_take(&cursor, bytes);
    m->total = npc_scratch_take(&cursor, bytes);
    m->grad =
        npc_scratch_take(&cursor, j->as_it_lies ? 0 : (size_t)(CONVERTED * j->chunk * j->size));
    m->copies = npc_scratch_take(&cursor, copies_bytes(j));
    m->lines = 0;
    m->started = 0;
    place p = {.channel = npc_split(j->vectors, j->chunks, chunk) * lanes};
    p.channels =
        npc_min(npc_split(j->vectors, j->chunks, chunk + 1) * lanes, j->channels) - p.channel;
    memset(m->sums, 0, bytes);
    const int64_t stretches = j->parts * j->rounds, stretch = part * j->rounds + r->round;
    for (int64_t line = npc_split(j->lines, stretches, stretch);
         line < npc_split(j->lines, stretches, stretch + 1); line++)
        run_line(j, m, &p, line);
    if (m->lines > 0 || !m->started) end_chain(j, m, p.channels);
    put_sums(j, m, &p, r->round > 0,
             npc_weight_part(&j->sums, part) + p.channel * j->taps * j->size);
    return NPC_OK;
}

static void plan(job *j)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t lanes = j->problem->kernels->lanes, width = g->output[2];
    j->size = (int64_t)npc_dtype_size(j->problem->dtype);
    j->channels = g->out_channels;
    j->taps = npc_volume(g->kernel);
    j->lines = g->batch * g->output[0] * g->output[1];
    j->vectors = npc_ceil_div(j->channels, lanes);
    const int64_t most = npc_min(MAX_CHUNK, SUM_BYTES / (j->taps * j->size)) / lanes;
    j->chunks = npc_ceil_div(j->vectors, npc_max(most, 1));
    j->chunk = npc_ceil_div(j->vectors, j->chunks) * lanes;
    j->segments = npc_ceil_div(width, SEGMENT);
    j->segment = npc_ceil_div(width, j->segments);
    j->segments = npc_ceil_div(width, j->segment);
    j->chain_lines = npc_max(1, CHAIN / width);

    const double flops = npc_conv_flops(g);
    const int64_t repaid = g->batch * npc_volume(g->output) / PART_PIXELS;
    const int64_t wanted = npc_min(npc_ceil_div(WANTED_PIECES, j->chunks), j->lines);
    j->parts = npc_max(1, npc_min(npc_min(wanted, repaid), (int64_t)(flops / PART_FLOPS)));
    j->parts = npc_weight_parts_most(j->problem, j->parts);
    const double each = flops / (double)(j->chunks * j->parts);
    j->rounds = npc_min((int64_t)(each / ROUND_FLOPS) + 1, npc_ceil_div(j->lines, j->parts));
    j->rounds = npc_max(j->rounds, 1);
}

static int lies_so(const npc_array *array, npc_dtype dtype, int64_t size, int64_t channels)
{
    return npc_is_plain(array, dtype) && (channels == 1 || array->stride[1] == size) &&
           array->stride[4] % size == 0;
}

npc_status npc_depthwise_last_weight_grad(npc_conv_problem *problem)
{
    job j = {.problem = problem};
    const npc_array *x = &problem->arrays->x, *y = &problem->arrays->y;
    npc_window_forward(&j.window, problem->geometry, x, problem->dtype);
    plan(&j);
    j.as_it_lies = lies_so(x, problem->dtype, j.size, j.channels) &&
                   lies_so(y, problem->dtype, j.size, j.channels);
    const size_t scratch = sizeof(memory) + 2 * (size_t)(j.taps * j.chunk * j.size) +
                           (j.as_it_lies ? 0 : (size_t)(CONVERTED * j.chunk * j.size)) +
                           copies_bytes(&j) + 5 * NPC_CACHE_LINE;
    npc_status status = npc_weight_parts_start(&j.sums, problem, j.parts);
    for (int64_t round = 0; round < j.rounds && status == NPC_OK; round++) {
        round_job r = {&j, round};
        status = npc_parallel_for(problem->team, j.chunks * j.parts, scratch, run_piece, &r);
    }
    return npc_weight_parts_finish(&j.sums, status);
}

enum {
    CALL,
    MULTIPLIES, /* vector multiply-adds */
    SUMS,       /* vectors of sums that are loaded and stored, once for a few pixels */
    TAPS,       /* found, for each line and chunk */
    ENDS,       /* vectors of sums at the end of a chain */
    RESULTS     /* elements */
};
_Static_assert(NPC_DEPTHWISE_LAST_WEIGHT_GRAD_ONCE == (1u << CALL | 1u << RESULTS),
               "what a call counts once");

void npc_depthwise_last_weight_grad_features(const npc_conv_problem *problem, double *feature)
{
    npc_conv_geometry g = *problem->geometry;
    npc_conv_problem one = *problem;
    job j = {.problem = &one};
    g.batch = 1;
    one.geometry = &g;
    feature[CALL] = 1;
    if (g.out_channels == 0) return;
    plan(&j);
    const double taps = (double)j.taps, lines = (double)j.lines, vectors = (double)j.vectors;
    const double width = (double)g.output[2];
    feature[MULTIPLIES] = lines * width * vectors * taps;
    feature[SUMS] = lines * (double)(npc_ceil_div(j.segment, 8) * j.segments) * vectors * taps;
    feature[TAPS] = lines * (double)(j.segments * j.chunks) * taps;
    feature[ENDS] = lines / (double)j.chain_lines * (double)j.segments * vectors * taps;
    feature[RESULTS] = (double)j.channels * taps;
}
