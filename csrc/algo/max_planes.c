/* Max-pooling of small windows, of rows that lie in order: one kernel takes a band of rows. Planes
 * that lie one behind the other, their windows too, are as one high plane to it: a call for each of
 * many small ones would take longer than its work. */
#include "max_planes.h"

#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../plan/simple_plan.h"

enum {
    PIECE_TAPS = 32768, /* comparisons that are worth a piece of work */
    /* A comparison and its share of what is read and written take as long as so many operations. */
    FLOPS_A_TAP = 24
};

typedef struct job {
    const npc_array *from, *to;
    npc_axis depth, down, right;
    uint8_t *indices;
    const npc_kernels *kernels;
    int64_t channels, size;
    int smallest;
    int64_t bands, units, units_a_piece; /* a unit is a band of rows of a plane */
} job;

static int inside(const npc_axis *axis)
{
    return axis->inner_begin == 0 && axis->inner_end == axis->pixels;
}

int npc_max_planes_takes(const npc_window *window, const npc_array *y, const void *indices,
                         npc_index_kind kind)
{
    const npc_axis *axis = window->axis;
    const npc_array *x = window->source;
    const int64_t size = axis[2].taps, step = axis[2].step;
    const int64_t bytes = (int64_t)npc_dtype_size(window->dtype);
    if (indices && (kind != NPC_INDEX_BYTE || !inside(&axis[1]) || !inside(&axis[2]))) return 0;
    return axis[0].taps == 1 && axis[1].taps == size && axis[1].step == step &&
           axis[1].spacing == 1 && axis[2].spacing == 1 &&
           (size == 3 ? step <= 2 : size == 2 && step == 2) && npc_is_plain(x, window->dtype) &&
           x->stride[4] == bytes && x->stride[3] % bytes == 0 && y->stride[4] == bytes &&
           y->stride[3] % bytes == 0;
}

static npc_status pool_units(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_array *x = j->from, *y = j->to;
    const int64_t last = npc_min((piece + 1) * j->units_a_piece, j->units);
    (void)scratch;
    for (int64_t unit = piece * j->units_a_piece; unit < last; unit++) {
        const int64_t slice = unit / j->bands, band = unit % j->bands;
        const int64_t plane = slice / j->depth.pixels, d = slice % j->depth.pixels;
        const int64_t n = plane / j->channels, c = plane % j->channels;
        const int64_t begin = npc_split(j->down.pixels, j->bands, band);
        const int64_t index_at = (slice * j->down.pixels + begin) * j->right.pixels;
        const npc_max_plane_args args = {.plane = x->data + n * x->stride[0] + c * x->stride[1] +
                                                  npc_axis_source(&j->depth, d, 0) * x->stride[2],
                                         .row_pitch = x->stride[3] / j->size,
                                         .height = j->down.extent,
                                         .width = j->right.extent,
                                         .size = j->right.taps,
                                         .step = j->right.step,
                                         .first_row = npc_axis_source(&j->down, begin, 0),
                                         .first_column = npc_axis_source(&j->right, 0, 0),
                                         .rows =
                                             npc_split(j->down.pixels, j->bands, band + 1) - begin,
                                         .columns = j->right.pixels,
                                         .out = y->data + n * y->stride[0] + c * y->stride[1] +
                                                d * y->stride[2] + begin * y->stride[3],
                                         .out_pitch = y->stride[3] / j->size,
                                         .index = j->indices ? j->indices + index_at : NULL,
                                         .index_pitch = j->right.pixels,
                                         .smallest = j->smallest};
        npc_run_max_plane(j->kernels, &args);
    }
    return NPC_OK;
}

/* Whether row 0 of each plane follows the last one of the plane before it. */
static int follows(const npc_array *array, int64_t rows, int64_t channels)
{
    return array->stride[1] == rows * array->stride[3] &&
           array->stride[0] == channels * array->stride[1];
}

npc_status npc_max_planes(const npc_pool_geometry *g, const npc_window *window, const npc_array *y,
                          uint8_t *indices, const npc_kernels *kernels, const npc_options *options,
                          npc_plan_info *info)
{
    const npc_axis *axis = window->axis;
    const npc_array *x = window->source;
    job j = {.from = x,
             .to = y,
             .depth = axis[0],
             .down = axis[1],
             .right = axis[2],
             .indices = indices,
             .kernels = kernels,
             .channels = g->channels,
             .size = (int64_t)npc_dtype_size(window->dtype),
             .smallest = g->smallest};
    int64_t planes = g->batch * g->channels;
    const double taps = (double)planes * (double)window->pixels * (double)window->taps;
    npc_team team = npc_make_team(options, FLOPS_A_TAP * taps);
    npc_status done = NPC_OK;
    if (planes > 0) {
        if (inside(&j.down) && j.down.first == 0 && j.down.extent == j.down.step * j.down.pixels &&
            j.depth.pixels == 1 && j.depth.extent == 1 && follows(x, j.down.extent, j.channels) &&
            follows(y, j.down.pixels, j.channels)) {
            j.down.extent *= planes;
            j.down.pixels *= planes;
            planes = j.channels = 1;
        }
        const int64_t row_taps = j.right.pixels * window->taps;
        const int64_t band = npc_max(PIECE_TAPS / row_taps, 1);
        j.bands = npc_ceil_div(j.down.pixels, band);
        j.units = planes * j.depth.pixels * j.bands;
        const int64_t unit_taps = npc_ceil_div(j.down.pixels, j.bands) * row_taps;
        j.units_a_piece = npc_max(PIECE_TAPS / unit_taps, 1);
        done = npc_parallel_for(&team, npc_ceil_div(j.units, j.units_a_piece), 0, pool_units, &j);
    }
    npc_simple_info(info, "max_pool", kernels, &team);
    return done;
}
