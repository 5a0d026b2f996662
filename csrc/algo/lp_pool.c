/* Lp-pooling: sums of powers over windows, as average-pooling takes them.
 *
 * dy/dx = (|x| / y)^(norm - 1) * sign(x) for each x of a window: the gradient is that of the sum of
 * dy * y^(1 - norm), times |x|^(norm - 1) * sign(x). */
#include <math.h>

#include "../core/dtype.h"
#include "../plan/simple_plan.h"
#include "window_sum.h"

enum { STAGE = 512 }; /* elements that are converted at once */

typedef struct powers {
    const npc_array *x, *y, *grad;
    npc_dtype dtype;
    double norm;
} powers;

static const char *address(const npc_array *array, const npc_sum_run *run, int64_t i)
{
    const int64_t *s = array->stride;
    return array->data + run->n * s[0] + run->c * s[1] + run->at[0] * s[2] + run->at[1] * s[3] +
           (run->at[2] + i) * s[4];
}

/* |x|^norm, the common powers without a call of pow. */
static double power_of(double x, double norm)
{
    const double size = fabs(x);
    if (norm == 1) return size;
    if (norm == 2) return size * size;
    if (norm == 3) return size * size * size;
    return pow(size, norm);
}

static double root_of(double sum, double norm)
{
    if (norm == 1) return sum;
    return norm == 2 ? sqrt(sum) : pow(sum, 1 / norm);
}

/* A loop over a run, through doubles a part at a time. */
#define FOR_PARTS(run)                                                                             \
    for (int64_t at = 0, count; count = npc_min(STAGE, (run)->count - at), at < (run)->count;      \
         at += count)

static void store_part(const powers *p, const double *from, int64_t count, void *to, int64_t at)
{
    for (int64_t i = 0; i < count; i++)
        if (p->dtype == NPC_F32)
            ((float *)to)[at + i] = (float)from[i];
        else
            ((double *)to)[at + i] = from[i];
}

static void read_powers(const void *context, const npc_sum_run *run, void *to)
{
    const powers *p = context;
    double part[STAGE];
    FOR_PARTS(run)
    {
        npc_read_run(p->x, address(p->x, run, at), p->x->stride[4], count, NPC_F64, part);
        for (int64_t i = 0; i < count; i++) part[i] = power_of(part[i], p->norm);
        store_part(p, part, count, to, at);
    }
}

static void take_roots(const void *context, const npc_sum_run *run, void *row)
{
    const powers *p = context;
    const int64_t size = (int64_t)npc_dtype_size(p->dtype);
    for (int64_t i = 0; i < run->count; i++) {
        char *at = (char *)row + i * size;
        npc_store(at, p->dtype, root_of(npc_load(at, p->dtype, 0), p->norm));
    }
}

/* Where y is 0, so is each x, and the gradient is defined as 0. */
static void read_shares(const void *context, const npc_sum_run *run, void *to)
{
    const powers *p = context;
    double part[STAGE], y[STAGE];
    FOR_PARTS(run)
    {
        npc_read_run(p->grad, address(p->grad, run, at), p->grad->stride[4], count, NPC_F64, part);
        npc_read_run(p->y, address(p->y, run, at), p->y->stride[4], count, NPC_F64, y);
        for (int64_t i = 0; i < count; i++)
            part[i] = y[i] == 0 ? 0 : part[i] / power_of(y[i], p->norm - 1);
        store_part(p, part, count, to, at);
    }
}

static void multiply_shares(const void *context, const npc_sum_run *run, void *row)
{
    const powers *p = context;
    const int64_t size = (int64_t)npc_dtype_size(p->dtype);
    double x[STAGE];
    FOR_PARTS(run)
    {
        npc_read_run(p->x, address(p->x, run, at), p->x->stride[4], count, NPC_F64, x);
        for (int64_t i = 0; i < count; i++) {
            char *to = (char *)row + (at + i) * size;
            const double factor = x[i] == 0 ? 0 : copysign(power_of(x[i], p->norm - 1), x[i]);
            npc_store(to, p->dtype, npc_load(to, p->dtype, 0) * factor);
        }
    }
}

npc_status npc_lp_pool(const npc_pool_geometry *g, const npc_array *x, const npc_array *y,
                       double norm, npc_dtype dtype, const npc_options *options,
                       npc_plan_info *info)
{
    const powers p = {.x = x, .dtype = dtype, .norm = norm};
    npc_window_sum sum;
    const npc_status status = npc_window_sum_set(&sum, g, 0, x, y, dtype, options);
    if (status != NPC_OK) return status;
    sum.read = read_powers;
    sum.finish = take_roots;
    sum.context = &p;
    return npc_window_sum_run(&sum, "lp_pool", options, info);
}

npc_status npc_lp_pool_backward(const npc_pool_geometry *g, const npc_array *grad,
                                const npc_array *x, const npc_array *y, const npc_array *dx,
                                double norm, npc_dtype dtype, const npc_options *options,
                                npc_plan_info *info)
{
    const powers p = {.x = x, .y = y, .grad = grad, .dtype = dtype, .norm = norm};
    npc_window_sum sum;
    const npc_status status = npc_window_sum_set(&sum, g, 1, grad, dx, dtype, options);
    if (status != NPC_OK) return status;
    sum.read = read_shares;
    sum.finish = multiply_shares;
    sum.context = &p;
    return npc_window_sum_run(&sum, "lp_pool_backward", options, info);
}
