#include "phase.h"

#include <stdlib.h>
#include <string.h>

#include "../plan/simple_plan.h"

npc_status npc_phases_find(npc_phases *phases, const npc_conv_geometry *g)
{
    *phases = (npc_phases){.complete = 1};
    for (int i = 0; i < NPC_SPATIAL; i++) {
        const int64_t count = npc_phase_count(g, i);
        int64_t found = 0;
        phases->axis[i] = malloc((size_t)count * sizeof(npc_phase));
        phases->taps_before[i] = malloc((size_t)count * sizeof(int64_t));
        if (!phases->axis[i] || !phases->taps_before[i]) {
            npc_phases_free(phases);
            return NPC_NO_MEMORY;
        }
        for (int64_t p = 0; p < count; p++) {
            npc_phase *phase = &phases->axis[i][found];
            if (!npc_phase_find(g, i, p, phase)) continue;
            phases->taps_before[i][found++] = phases->taps[i];
            phases->taps[i] += phase->axis.taps;
        }
        phases->count[i] = found;
        phases->complete &= found == npc_min(g->stride[i], g->input[i]);
    }
    return NPC_OK;
}

void npc_phases_free(npc_phases *phases)
{
    for (int i = 0; i < NPC_SPATIAL; i++) {
        free(phases->axis[i]);
        free(phases->taps_before[i]);
    }
}

/* Taps of the phases before this one, which counts the last axis' phases first. */
static int64_t taps_before(const npc_phases *s, int64_t d, int64_t h, int64_t w)
{
    return s->taps_before[0][d] * s->taps[1] * s->taps[2] +
           s->axis[0][d].axis.taps *
               (s->taps_before[1][h] * s->taps[2] + s->axis[1][h].axis.taps * s->taps_before[2][w]);
}

/* A piece copies the weights of a few input channels, as many output channels at a time as have
 * their lines in L1, whose distance is often a multiple of 4096 bytes. */
enum {
    IN_CHANNELS = 32,
    OUT_CHANNELS = 8,
    VECTOR_BYTES = 16,
    FEW_VECTORS = 16, /* of pixels */
    CACHED_BYTES = 4 << 20,
    FEWEST_CHANNELS = 32
};

typedef struct job {
    const npc_phases *phases;
    const npc_conv_problem *problem;
    int64_t first, channels; /* of a group's input channels: from which on, and how many */
    char *to;
} job;

/* Where the weights of the phase with these numbers are. */
static char *weight_of(const job *j, const int64_t index[NPC_SPATIAL])
{
    const npc_conv_geometry *g = j->problem->geometry;
    return j->to + taps_before(j->phases, index[0], index[1], index[2]) * g->groups * j->channels *
                       npc_group_out(g) * (int64_t)npc_dtype_size(j->problem->dtype);
}

/* A row of taps of a phase, for `rows` output channels k and `columns` input channels c:
 * to[c][k][t] = from[k][c][t * step]. */
typedef struct copy_args {
    const void *from;
    void *to;
    int64_t rows, columns, taps, step;
    int64_t from_row, from_column, to_row, to_column; /* in elements, from k to k, from c to c */
} copy_args;

#define DEFINE_COPY(type)                                                                          \
    NPC_INLINE void copy_rows_##type(const copy_args *a, const int64_t rows)                       \
    {                                                                                              \
        for (int64_t c = 0; c < a->columns; c++) {                                                 \
            for (int64_t t = 0; t < a->taps; t++) {                                                \
                const type *from = (const type *)a->from + c * a->from_column + t * a->step;       \
                type *to = (type *)a->to + c * a->to_column + t;                                   \
                for (int64_t k = 0; k < rows; k++) to[k * a->to_row] = from[k * a->from_row];      \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void copy_##type(const copy_args *a)                                                    \
    {                                                                                              \
        if (a->rows == OUT_CHANNELS) /* a known number makes its own loop */                       \
            copy_rows_##type(a, OUT_CHANNELS);                                                     \
        else                                                                                       \
            copy_rows_##type(a, a->rows);                                                          \
    }
DEFINE_COPY(uint32_t)
DEFINE_COPY(uint64_t)

/* The taps of one phase; `a` comes with the first kernel, and with the number of the phase's first
 * row of weights. */
static void copy_phase(const job *j, const int64_t index[NPC_SPATIAL], int64_t row, int64_t k,
                       copy_args a)
{
    const npc_conv_geometry *g = j->problem->geometry;
    const npc_phase *d = &j->phases->axis[0][index[0]], *h = &j->phases->axis[1][index[1]];
    const npc_phase *w = &j->phases->axis[2][index[2]];
    const int64_t size = (int64_t)npc_dtype_size(j->problem->dtype), out = npc_group_out(g);
    const char *kernel = a.from;
    char *to = weight_of(j, index);

    a.taps = w->axis.taps;
    a.step = w->tap_step;
    a.to_row = d->axis.taps * h->axis.taps * w->axis.taps;
    a.to_column = out * a.to_row;
    to += (row * out + k) * a.to_row * size;
    for (int64_t y = 0; y < d->axis.taps * h->axis.taps; y++, to += a.taps * size) {
        const int64_t slice = d->tap0 + y / h->axis.taps * d->tap_step;
        const int64_t line = h->tap0 + y % h->axis.taps * h->tap_step;
        a.from = kernel + ((slice * g->kernel[1] + line) * g->kernel[2] + w->tap0) * size;
        a.to = to;
        if (size == sizeof(uint32_t))
            copy_uint32_t(&a);
        else
            copy_uint64_t(&a);
    }
}

/* Whether there is one phase, whose taps are the kernel's. */
static int all_taps_follow(const npc_phases *phases, const npc_conv_geometry *g)
{
    int all = 1;
    for (int i = 0; i < NPC_SPATIAL; i++)
        all &= phases->count[i] == 1 && phases->axis[i][0].axis.taps == g->kernel[i];
    return all;
}

/* Whole kernels of `bytes`, at least a vector: to[c][k] = from[k][c]. */
static void copy_kernels(const char *from, int64_t from_row, int64_t rows, int64_t columns,
                         char *to, int64_t to_column, int64_t bytes)
{
    for (int64_t c = 0; c < columns; c++) {
        for (int64_t k = 0; k < rows; k++) {
            const char *kernel = from + k * from_row + c * bytes;
            char *at = to + c * to_column + k * bytes;
            for (int64_t i = 0; i < bytes; i += VECTOR_BYTES) {
                if (i > bytes - VECTOR_BYTES) i = bytes - VECTOR_BYTES;
                memcpy(at + i, kernel + i, VECTOR_BYTES);
            }
        }
    }
}

static npc_status copy_channels(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const job *j = context;
    const int64_t *count = j->phases->count;
    const npc_conv_geometry *g = j->problem->geometry;
    const int64_t size = (int64_t)npc_dtype_size(j->problem->dtype);
    const int64_t in = npc_group_in(g), out = npc_group_out(g), kernel = npc_volume(g->kernel);
    const int64_t parts = npc_ceil_div(j->channels, IN_CHANNELS), group = piece / parts;
    const int64_t begin = piece % parts * IN_CHANNELS, row = group * j->channels + begin;
    const int64_t columns = npc_min(IN_CHANNELS, j->channels - begin), c = j->first + begin;

    if (kernel == 1 && count[0] * count[1] * count[2] == 1) { /* a matrix */
        const npc_transpose_args args = {.from = (const char *)j->problem->arrays->weight +
                                                 (group * out * in + c) * size,
                                         .from_stride = in,
                                         .rows = out,
                                         .cols = columns,
                                         .to = j->to + row * out * size,
                                         .to_stride = out};
        npc_run_transpose(j->problem->kernels, &args);
        return NPC_OK;
    }
    if (all_taps_follow(j->phases, g) && kernel * size >= VECTOR_BYTES) {
        for (int64_t k = 0; k < out; k += OUT_CHANNELS)
            copy_kernels((const char *)j->problem->arrays->weight +
                             ((group * out + k) * in + c) * kernel * size,
                         in * kernel * size, npc_min(OUT_CHANNELS, out - k), columns,
                         j->to + (row * out + k) * kernel * size, out * kernel * size,
                         kernel * size);
        return NPC_OK;
    }
    for (int64_t k = 0; k < out; k += OUT_CHANNELS) {
        const copy_args args = {.from = (const char *)j->problem->arrays->weight +
                                        ((group * out + k) * in + c) * kernel * size,
                                .rows = npc_min(OUT_CHANNELS, out - k),
                                .columns = columns,
                                .from_row = in * kernel,
                                .from_column = kernel};
        for (int64_t i = 0; i < count[0] * count[1] * count[2]; i++) {
            const int64_t index[] = {i / count[2] / count[1], i / count[2] % count[1],
                                     i % count[2]};
            copy_phase(j, index, row, k, args);
        }
    }
    return NPC_OK;
}

/* The weights of every phase, each (groups * channels, out, taps). */
static npc_status transpose_weight(job *j, npc_team *team)
{
    const npc_conv_geometry *g = j->problem->geometry;
    return npc_parallel_for(team, g->groups * npc_ceil_div(j->channels, IN_CHANNELS), 0,
                            copy_channels, j);
}

npc_array npc_phase_target(const npc_conv_problem *problem, const npc_phase f[NPC_SPATIAL])
{
    const int64_t *stride = problem->geometry->stride;
    npc_array target = problem->arrays->x;
    for (int i = 0; i < NPC_SPATIAL; i++) {
        target.data += f[i].pixel0 * target.stride[2 + i];
        if (f[i].axis.pixels > 1) target.stride[2 + i] *= stride[i];
    }
    return target;
}

static npc_status zero_plane(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const npc_conv_problem *problem = context;
    const npc_conv_geometry *g = problem->geometry;
    const npc_array *x = &problem->arrays->x;
    npc_zero_plane(
        x, x->data + piece / g->in_channels * x->stride[0] + piece % g->in_channels * x->stride[1],
        g->input[0], g->input[1], g->input[2], (int64_t)npc_dtype_size(problem->dtype));
    return NPC_OK;
}

static npc_status run_phases(npc_conv_problem *problem, const job *j, npc_phase_run *run)
{
    const int64_t *count = j->phases->count;
    npc_status status = NPC_OK;
    for (int64_t i = 0; i < count[0] * count[1] * count[2] && status == NPC_OK; i++) {
        const int64_t index[] = {i / count[2] / count[1], i / count[2] % count[1], i % count[2]};
        const npc_phase f[] = {j->phases->axis[0][index[0]], j->phases->axis[1][index[1]],
                               j->phases->axis[2][index[2]]};
        status = run(problem, f, weight_of(j, index));
    }
    return status;
}

/* How many input channels' weights are transposed at a time. Where each is used for a few pixels
 * only, fetching them back from beyond the cache would take longer than packing the pixels again
 * for the next channels. */
static int64_t channels_at_once(const npc_conv_problem *problem, int64_t channel_bytes)
{
    const npc_conv_geometry *g = problem->geometry;
    const int64_t channels = npc_group_in(g), most = (int64_t)CACHED_BYTES * problem->team->threads;
    const double pixels = (double)g->batch * npc_count(g->input) / npc_count(g->stride);
    if (g->groups > 1 || pixels > FEW_VECTORS * problem->kernels->lanes) return channels;
    const int64_t parts =
        npc_ceil_div(channels, npc_max(FEWEST_CHANNELS, most / npc_max(1, channel_bytes)));
    return npc_ceil_div(channels, parts);
}

/* Runs the phases for the job's input channels, of one group, as a problem of its own. */
static npc_status run_part(const npc_conv_problem *problem, const job *j, npc_phase_run *run)
{
    npc_conv_geometry geometry = *problem->geometry;
    npc_conv_arrays arrays = *problem->arrays;
    npc_conv_problem part = *problem;
    geometry.in_channels = j->channels;
    arrays.x.data += j->first * arrays.x.stride[1];
    if (arrays.add.data) arrays.add.data += j->first * arrays.add.stride[1];
    if (arrays.bias)
        arrays.bias = (const char *)arrays.bias + j->first * (int64_t)npc_dtype_size(part.dtype);
    part.geometry = &geometry;
    part.arrays = &arrays;
    return run_phases(&part, j, run);
}

npc_status npc_phases_input_grad(npc_conv_problem *problem, npc_phase_run *run, int may_finish)
{
    const npc_conv_geometry *g = problem->geometry;
    npc_phases phases;
    npc_status status = npc_phases_find(&phases, g);
    if (status != NPC_OK) return status;

    problem->finished = may_finish && phases.complete;
    if (!phases.complete)
        status = npc_parallel_for(problem->team, g->batch * g->in_channels, 0, zero_plane, problem);
    const int64_t taps = phases.taps[0] * phases.taps[1] * phases.taps[2];
    const int64_t channel = npc_group_out(g) * taps * (int64_t)npc_dtype_size(problem->dtype);
    const int64_t at_once = channels_at_once(problem, channel);
    job j = {.phases = &phases, .problem = problem};
    j.to = npc_shared_workspace(problem, g->groups * at_once * channel);
    if (!j.to) status = NPC_NO_MEMORY;
    for (; j.first < npc_group_in(g) && status == NPC_OK; j.first += at_once) {
        j.channels = npc_min(at_once, npc_group_in(g) - j.first);
        status = transpose_weight(&j, problem->team);
        if (status == NPC_OK)
            status = at_once < npc_group_in(g) ? run_part(problem, &j, run)
                                               : run_phases(problem, &j, run);
    }
    npc_recycle_give(j.to);
    npc_phases_free(&phases);
    return status;
}
