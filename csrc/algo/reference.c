/* reference: the definition in plain loops, in double precision, taps in the padding skipped. It
 * accepts everything and is what the other algorithms are tested against in C. */
#include "../plan/conv_plan.h"
#include "finish.h"

/* Input coordinate of tap t of output pixel p along axis i, or -1 in the padding. */
static int64_t input_at(const npc_conv_geometry *g, int i, int64_t p, int64_t t)
{
    const int64_t at = p * g->stride[i] + t * g->dilation[i] - g->pad_before[i];
    return at >= 0 && at < g->input[i] ? at : -1;
}

/* Output pixel that reads input coordinate q with tap t along axis i, or -1 if there is none. */
static int64_t output_at(const npc_conv_geometry *g, int i, int64_t q, int64_t t)
{
    const int64_t from = q + g->pad_before[i] - t * g->dilation[i];
    if (from < 0 || from % g->stride[i]) return -1;
    return from / g->stride[i] < g->output[i] ? from / g->stride[i] : -1;
}

static double value(const npc_array *a, int64_t n, int64_t c, int64_t d, int64_t h, int64_t w)
{
    const int64_t *s = a->stride;
    return npc_load(a->data + n * s[0] + c * s[1] + d * s[2] + h * s[3] + w * s[4], a->dtype,
                    a->swapped);
}

static double weight(const npc_conv_problem *p, int64_t k, int64_t c, int64_t tap)
{
    const int64_t index =
        (k * npc_group_in(p->geometry) + c) * npc_volume(p->geometry->kernel) + tap;
    const int64_t size = (int64_t)npc_dtype_size(p->dtype);
    return npc_load((const char *)p->arrays->weight + index * size, p->dtype, 0);
}

/* For each tap of the kernel, with its coordinates. */
#define FOR_TAPS(g)                                                                                \
    for (int64_t td = 0, tap = 0; td < (g)->kernel[0]; td++)                                       \
        for (int64_t th = 0; th < (g)->kernel[1]; th++)                                            \
            for (int64_t tw = 0; tw < (g)->kernel[2]; tw++, tap++)

/* A piece of the forward pass and of the input gradient is one row of the result. */
typedef struct forward_job {
    const npc_conv_problem *problem;
    npc_finish finish;
} forward_job;

static npc_status forward_row(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const forward_job *j = context;
    const npc_conv_problem *p = j->problem;
    const npc_conv_geometry *g = p->geometry;
    const npc_array *y = &p->arrays->y;
    const int64_t h = piece % g->output[1], d = piece / g->output[1] % g->output[0];
    const int64_t k = piece / g->output[1] / g->output[0] % g->out_channels;
    const int64_t n = piece / g->output[1] / g->output[0] / g->out_channels;
    const int64_t channels = npc_group_in(g), group = k / npc_group_out(g);

    for (int64_t w = 0; w < g->output[2]; w++) {
        double sum = 0;
        for (int64_t c = 0; c < channels; c++) {
            FOR_TAPS(g)
            {
                const int64_t xd = input_at(g, 0, d, td), xh = input_at(g, 1, h, th);
                const int64_t xw = input_at(g, 2, w, tw);
                if (xd >= 0 && xh >= 0 && xw >= 0)
                    sum += weight(p, k, c, tap) *
                           value(&p->arrays->x, n, group * channels + c, xd, xh, xw);
            }
        }
        if (p->arrays->bias)
            sum += npc_load((const char *)p->arrays->bias + k * (int64_t)npc_dtype_size(p->dtype),
                            p->dtype, 0);
        _Alignas(double) char result[sizeof(double)];
        npc_store(result, p->dtype, sum);
        if (j->finish.needed) {
            const npc_finish_part part = {.image = n,
                                          .channel = k,
                                          .pixel = (d * g->output[1] + h) * g->output[2] + w,
                                          .rows = 1,
                                          .count = 1,
                                          .from = result,
                                          .to = result};
            npc_finish_rows(&j->finish, &part);
        }
        npc_write_run(result, p->dtype,
                      y->data + n * y->stride[0] + k * y->stride[1] + d * y->stride[2] +
                          h * y->stride[3] + w * y->stride[4],
                      0, 1);
    }
    return NPC_OK;
}

static npc_status input_grad_row(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const npc_conv_problem *p = context;
    const npc_conv_geometry *g = p->geometry;
    const npc_array *x = &p->arrays->x;
    const int64_t h = piece % g->input[1], d = piece / g->input[1] % g->input[0];
    const int64_t c = piece / g->input[1] / g->input[0] % g->in_channels;
    const int64_t n = piece / g->input[1] / g->input[0] / g->in_channels;
    const int64_t rows = npc_group_out(g), group = c / npc_group_in(g);

    for (int64_t w = 0; w < g->input[2]; w++) {
        double sum = 0;
        for (int64_t k = group * rows; k < (group + 1) * rows; k++) {
            FOR_TAPS(g)
            {
                const int64_t yd = output_at(g, 0, d, td), yh = output_at(g, 1, h, th);
                const int64_t yw = output_at(g, 2, w, tw);
                if (yd >= 0 && yh >= 0 && yw >= 0)
                    sum += weight(p, k, c % npc_group_in(g), tap) *
                           value(&p->arrays->y, n, k, yd, yh, yw);
            }
        }
        npc_store(x->data + n * x->stride[0] + c * x->stride[1] + d * x->stride[2] +
                      h * x->stride[3] + w * x->stride[4],
                  p->dtype, sum);
    }
    return NPC_OK;
}

/* A piece of the weight gradient is one kernel plane. */
static npc_status weight_grad_plane(void *context, int64_t piece, void *scratch)
{
    (void)scratch;
    const npc_conv_problem *p = context;
    const npc_conv_geometry *g = p->geometry;
    const int64_t channels = npc_group_in(g), k = piece / channels;
    const int64_t c = k / npc_group_out(g) * channels + piece % channels;
    const int64_t size = (int64_t)npc_dtype_size(p->dtype);
    char *to = (char *)p->arrays->weight + piece * npc_volume(g->kernel) * size;

    FOR_TAPS(g)
    {
        double sum = 0;
        for (int64_t n = 0; n < g->batch; n++) {
            for (int64_t d = 0; d < g->output[0]; d++) {
                for (int64_t h = 0; h < g->output[1]; h++) {
                    const int64_t xd = input_at(g, 0, d, td), xh = input_at(g, 1, h, th);
                    if (xd < 0 || xh < 0) continue;
                    for (int64_t w = 0; w < g->output[2]; w++) {
                        const int64_t xw = input_at(g, 2, w, tw);
                        if (xw >= 0)
                            sum += value(&p->arrays->y, n, k, d, h, w) *
                                   value(&p->arrays->x, n, c, xd, xh, xw);
                    }
                }
            }
        }
        npc_store(to + tap * size, p->dtype, sum);
    }
    return NPC_OK;
}

static npc_status run(npc_conv_problem *problem)
{
    const npc_conv_geometry *g = problem->geometry;
    switch (problem->operation) {
    case NPC_FORWARD: {
        forward_job job = {problem, npc_finish_of(problem)};
        return npc_parallel_for(problem->team,
                                g->batch * g->out_channels * g->output[0] * g->output[1], 0,
                                forward_row, &job);
    }
    case NPC_INPUT_GRAD:
        return npc_parallel_for(problem->team,
                                g->batch * g->in_channels * g->input[0] * g->input[1], 0,
                                input_grad_row, problem);
    default:
        return npc_parallel_for(problem->team, g->out_channels * npc_group_in(g), 0,
                                weight_grad_plane, problem);
    }
}

static const char *declines(const npc_conv_problem *problem)
{
    (void)problem;
    return NULL;
}

/* Products, results, calls. */
static void features(const npc_conv_problem *problem, double *feature)
{
    const npc_conv_geometry *g = problem->geometry;
    const double taps = npc_count(g->kernel), pixels = npc_count(g->output);
    const double k = (double)g->out_channels, c = (double)npc_group_in(g);
    feature[0] = 1;
    if (problem->operation == NPC_INPUT_GRAD) {
        /* taps are tried at every input pixel, whether they reach an output or not */
        const double inputs = (double)g->in_channels * npc_count(g->input);
        feature[1] = inputs * (double)npc_group_out(g) * taps;
        feature[2] = inputs;
    } else {
        feature[1] = k * pixels * c * taps;
        feature[2] = problem->operation == NPC_FORWARD ? k * pixels : k * c * taps;
    }
}

const npc_conv_algorithm npc_conv_reference = {"reference", declines, run, features,
                                               NULL,        NULL,     {0}, {0}};
