#include "winograd_blocks.h"

#include <string.h>

void npc_winograd_set_up_block(const npc_winograd_job *j, npc_winograd_block *b, int64_t index)
{
    const npc_winograd_axis *across = &j->view.axis[0], *along = &j->view.axis[1];
    const int64_t end = npc_split(j->units, j->blocks, index + 1);
    const int64_t longest = npc_max(1, NPC_WINOGRAD_RUN / along->step);

    b->runs = 0;
    b->tiles = 0;
    memset(b->part_tiles, 0, sizeof b->part_tiles);
    for (int64_t unit = npc_split(j->units, j->blocks, index); unit < end;) {
        npc_winograd_run *run = &b->run[b->runs++];
        const int64_t row = unit / along->groups;
        run->image = row / across->tiles;
        run->tile_row = row % across->tiles;
        run->first_group = unit % along->groups;
        run->groups = npc_min(npc_min(longest, along->groups - run->first_group), end - unit);
        run->slot = b->tiles;
        npc_winograd_run_set(run, &j->view, b->column + b->tiles);
        for (int64_t t = 0; t < run->tiles.tiles; t++) {
            const int edges = (run->tile_row >= across->whole) << 1 | (t >= run->tiles.whole_tiles);
            for (int part = 0; part < 4; part++)
                if (!(edges & part)) b->part[part][b->part_tiles[part]++] = (int16_t)(b->tiles + t);
        }
        b->tiles += run->tiles.tiles;
        unit += run->groups;
    }
}

int npc_winograd_part_of_point(const npc_winograd_job *j, int64_t point)
{
    int part = 0;
    for (int i = 0; i < 2; i++) {
        const npc_winograd_transform transform = j->view.axis[i].transform;
        const int64_t along = npc_winograd_points(j->view.axis[1].transform);
        const int64_t at = i == 0 ? point / along : point % along;
        const int left_out = npc_winograd_edge(transform) != transform && (at == 3 || at == 4);
        part |= left_out << (1 - i);
    }
    return part;
}

/* ---- the three steps ------------------------------------------------------------------------- */

npc_winograd_view npc_winograd_view_of_group(const npc_winograd_job *j, int64_t group)
{
    npc_winograd_view view = j->view;
    view.source.data += group * view.channels * view.source.stride[1];
    view.target.data += group * view.rows * view.target.stride[1];
    view.weight += group * view.group_stride * j->size;
    view.first_row = group * view.rows;
    if (view.bias) view.bias += group * view.rows * j->size;
    return view;
}

void npc_winograd_transform_input(const npc_winograd_job *j, const npc_winograd_view *view,
                                  const npc_winograd_block *b, int64_t channel, char *to,
                                  char *scratch)
{
    for (int r = 0; r < b->runs; r++)
        npc_winograd_run_input(&b->run[r], view, channel,
                               to + (b->run[r].slot * j->depth + channel) * j->size,
                               j->input_stride, j->depth, scratch);
}

int64_t npc_winograd_panel_begin(const npc_winograd_job *j, int64_t panel)
{
    return npc_split(j->vectors, j->panels, panel) * j->view.kernels->lanes;
}

/* Channels [begin, end) of a panel's weights, to rows of `width` output channels at each point. */
void npc_winograd_transform_weights(const npc_winograd_job *j, const npc_winograd_view *view,
                                    int64_t panel, int64_t begin, int64_t end, char *to,
                                    char *filters)
{
    const int64_t lanes = view->kernels->lanes, size = j->size;
    const int64_t first = npc_winograd_panel_begin(j, panel),
                  width = npc_winograd_panel_begin(j, panel + 1) - first;
    const int64_t taps = (int64_t)npc_winograd_taps(view->axis[0].transform) *
                         npc_winograd_taps(view->axis[1].transform);
    const int together = view->channel_stride == taps; /* filters of a row follow each other */

    for (int64_t row = 0; row < width; row += lanes) {
        for (int64_t c = begin; c < end; c += NPC_WINOGRAD_FILTERS) {
            const int64_t count = npc_min(NPC_WINOGRAD_FILTERS, end - c);
            npc_transpose_args turn = {
                .from = view->weight +
                        ((first + row) * view->row_stride + c * view->channel_stride) * size,
                .from_stride = view->row_stride,
                .rows = npc_min(lanes, view->rows - first - row),
                .cols = together ? count * taps : taps,
                .to = filters,
                .to_stride = lanes,
                .fill = 1};
            for (int64_t i = 0; i < (together ? 1 : count); i++) {
                npc_run_transpose(view->kernels, &turn);
                turn.from = (const char *)turn.from + view->channel_stride * size;
                turn.to = (char *)turn.to + taps * lanes * size;
            }
            const npc_winograd_weight_args args = {
                .transform = {view->axis[0].transform, view->axis[1].transform},
                .flip = view->flip,
                .filters = count,
                .from = filters,
                .to = to + ((c - begin) * width + row) * size,
                .point_stride = j->weight_stride,
                .filter_stride = width};
            npc_run_winograd_weight(view->kernels, &args);
        }
    }
}

/* products (+)= input x weights at every point, over depth blocks [first, last). The weights of a
 * block stay in L1 while all tiles pass, which fetch those of the next, for reading them once from
 * L3 is what limits the product. */
void npc_winograd_multiply(const npc_winograd_job *j, const npc_winograd_block *b, int64_t width,
                           const char *input, const char *weights, char *products, int64_t first,
                           int64_t last)
{
    const npc_kernels *kernels = j->view.kernels;
    const int64_t lanes = kernels->lanes, size = j->size, vectors = width / lanes;
    const int64_t column_blocks = npc_ceil_div(vectors, j->tile_vecs);
    const int64_t origin = npc_split(j->view.channels, j->depth_blocks, first);
    npc_uk1_args args = {.blocks = 1, .b_stride = width, .last_lanes = (int32_t)lanes};

    for (int64_t point = 0; point < j->points; point++) {
        const int part = npc_winograd_part_of_point(j, point), tiles = b->part_tiles[part];
        const int16_t *slot = b->part[part];
        for (int64_t d = first; d < last; d++) {
            const int64_t k = npc_split(j->view.channels, j->depth_blocks, d);
            const char *a = input + (point * j->input_stride + k) * size;
            const char *u = weights + (point * j->weight_stride + (k - origin) * width) * size;
            char *c = products + point * j->product_stride * size;
            args.block_depth = npc_split(j->view.channels, j->depth_blocks, d + 1) - k;
            args.accumulate = d > 0;
            const int64_t lines = args.block_depth * width * size / NPC_CACHE_LINE;
            for (int64_t column = 0; column < column_blocks; column++) {
                const int64_t v = npc_split(vectors, column_blocks, column);
                const int vecs = (int)(npc_split(vectors, column_blocks, column + 1) - v);
                const int64_t row_blocks = npc_ceil_div(tiles, kernels->max_rows[vecs]);
                args.b = (void *)(u + v * lanes * size);
                const int64_t turns = row_blocks * column_blocks;
                for (int64_t r = 0; r < row_blocks; r++) {
                    const int64_t begin = npc_split(tiles, row_blocks, r);
                    const int rows = (int)(npc_split(tiles, row_blocks, r + 1) - begin);
                    for (int i = 0; i < rows; i++) {
                        args.a[i] = a + slot[begin + i] * j->depth * size;
                        args.c[i] = c + (slot[begin + i] * j->panel_width + v * lanes) * size;
                    }
                    const int64_t turn = column * row_blocks + r;
                    for (int64_t l = npc_split(lines, turns, turn);
                         l < npc_split(lines, turns, turn + 1); l++)
                        __builtin_prefetch(u + (lines + l) * NPC_CACHE_LINE, 0, 2);
                    npc_run_uk1(kernels, rows, vecs, &args);
                }
            }
        }
    }
}

void npc_winograd_transform_products(const npc_winograd_job *j, const npc_winograd_view *view,
                                     const npc_winograd_block *b, int64_t panel,
                                     const char *products, char *scratch)
{
    const int64_t first = npc_winograd_panel_begin(j, panel),
                  end = npc_winograd_panel_begin(j, panel + 1);
    for (int64_t row = first; row < end; row += view->kernels->lanes)
        for (int r = 0; r < b->runs; r++)
            npc_winograd_run_output(&b->run[r], view, row,
                                    products +
                                        (b->run[r].slot * j->panel_width + row - first) * j->size,
                                    j->product_stride, j->panel_width, scratch);
}
