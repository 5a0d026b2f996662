/* The affine map of fully connected layers: weight and rows both lie along the sum, so that dot
 * products read them where they are: at the speed of memory for one row, near that of the
 * multipliers for many. The depth is summed in blocks of what a tile's rows leave in L1; the order
 * depends on `inputs` alone. */
#include "../core/dtype.h"
#include "../include/npc_network.h"
#include "../kernels/kernels.h"
#include "../plan/simple_plan.h"

enum {
    DOT_BYTES = 4096,   /* of a row, in a block of depth */
    DOT_ROWS = 128,     /* of x in a piece: they stay in L2 for a block of depth */
    DOT_OUTPUTS = 96,   /* likewise */
    FEW_ROWS = 4,       /* the weight streams through, row by row */
    FLOPS_A_WEIGHT = 24 /* what takes as long as to read one */
};

typedef struct linear_job {
    const npc_linear_arrays *arrays;
    const npc_kernels *kernels;
    int64_t size, depth_block, row_parts, output_parts;
} linear_job;

/* Adds the products of a block of depth for outputs [first, last) and rows [begin, end) to y. */
static void dot_block(const linear_job *j, int64_t k, int64_t first, int64_t last, int64_t begin,
                      int64_t end)
{
    const npc_linear_arrays *a = j->arrays;
    const int max_rows = j->kernels->max_dot_rows, max_cols = j->kernels->max_dot_cols;
    npc_dot_args args = {.depth = npc_min(j->depth_block, a->inputs - k),
                         .b_stride = a->inputs,
                         .c_stride = a->outputs,
                         .accumulate = k > 0};
    for (int64_t o = first; o < last; o += max_cols) {
        const int cols = (int)npc_min(max_cols, last - o);
        args.b = (const char *)a->weight + (o * a->inputs + k) * j->size;
        for (int64_t n = begin; n < end; n += max_rows) {
            const int rows = (int)npc_min(max_rows, end - n);
            for (int i = 0; i < rows; i++)
                args.a[i] = (const char *)a->x + (n + i) * a->x_stride_bytes + k * j->size;
            args.c = (char *)a->y + (n * a->outputs + o) * j->size;
            npc_run_dot(j->kernels, rows, cols, &args);
        }
    }
}

static npc_status linear_piece(void *context, int64_t piece, void *scratch)
{
    const linear_job *j = context;
    const npc_linear_arrays *a = j->arrays;
    const int64_t row_part = piece / j->output_parts, output_part = piece % j->output_parts;
    const int64_t begin = npc_split(a->rows, j->row_parts, row_part);
    const int64_t end = npc_split(a->rows, j->row_parts, row_part + 1);
    const int64_t first = npc_split(a->outputs, j->output_parts, output_part);
    const int64_t last = npc_split(a->outputs, j->output_parts, output_part + 1);
    const int64_t step = end - begin > FEW_ROWS ? last - first : j->kernels->max_dot_cols;
    (void)scratch;
    for (int64_t o = first; o < last; o += step)
        for (int64_t k = 0; k < a->inputs || k == 0; k += j->depth_block)
            dot_block(j, k, o, npc_min(o + step, last), begin, end);
    if (a->bias || a->activation != NPC_NO_ACTIVATION) {
        char *y = (char *)a->y + (begin * a->outputs + first) * j->size;
        const npc_finish_args args = {.rows = end - begin,
                                      .count = last - first,
                                      .from = y,
                                      /* the same for every row */
                                      .add =
                                          a->bias ? (const char *)a->bias + first * j->size : NULL,
                                      .to = y,
                                      .from_stride_bytes = a->outputs * j->size,
                                      .to_stride_bytes = a->outputs * j->size,
                                      .activation = a->activation,
                                      .slope = a->slope};
        npc_run_finish(j->kernels, &args);
    }
    return NPC_OK;
}

npc_status npc_linear(const npc_linear_arrays *arrays, npc_dtype dtype, const npc_options *options,
                      npc_plan_info *info)
{
    linear_job j = {.arrays = arrays, .size = (int64_t)npc_dtype_size(dtype)};
    const npc_status status = npc_simple_kernels(options, dtype, &j.kernels);
    if (status != NPC_OK) return status;
    if (arrays->rows < 0 || arrays->inputs < 0 || arrays->outputs < 0) return NPC_INVALID_GEOMETRY;
    j.depth_block = DOT_BYTES / j.size;
    j.row_parts = npc_ceil_div(arrays->rows, DOT_ROWS);
    j.output_parts = npc_ceil_div(arrays->outputs, DOT_OUTPUTS);
    const double flops = (double)npc_max(2 * arrays->rows, FLOPS_A_WEIGHT);
    npc_team team =
        npc_make_team(options, flops * (double)arrays->inputs * (double)arrays->outputs);
    const npc_status done =
        npc_parallel_for(&team, j.row_parts * j.output_parts, 0, linear_piece, &j);
    npc_simple_info(info, "linear", j.kernels, &team);
    return done;
}
