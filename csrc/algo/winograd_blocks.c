#include "winograd_blocks.h"

#include <string.h>

void npc_winograd_choose_units(npc_winograd_job *j, int64_t most, int64_t enough)
{
    const npc_winograd_axis *across = &j->view.axis[0], *along = &j->view.axis[1];
    const int64_t image = across->tiles * along->groups, rows = j->batch * across->tiles;
    j->run_groups = npc_max(1, NPC_WINOGRAD_RUN / along->step);
    j->unit_groups = 1;
    if (along->groups <= j->run_groups && along->tiles <= most && rows >= enough)
        j->unit_groups = along->groups;
    if (along->groups <= j->run_groups && image * along->step <= most && j->batch >= enough)
        j->unit_groups = image;
    j->units = j->batch * image / j->unit_groups;
}

/* Places for the tiles such that those of each part follow each other: at the edge of the row only,
 * whole, at the edge across the rows only, at both. */
static void place_tiles(npc_winograd_block *b, const npc_winograd_axis *across)
{
    enum { ALONG, WHOLE, ACROSS, BOTH, KINDS };
    int64_t count[KINDS + 1] = {0}, place[KINDS + 1] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (int r = 0; r < b->runs; r++) {
            npc_winograd_run *run = &b->run[r];
            const int at_edge = run->tile_row >= across->whole;
            const int whole = at_edge ? ACROSS : WHOLE, edge = at_edge ? BOTH : ALONG;
            if (pass == 1) {
                run->slot = place[whole];
                run->tiles.edge_shift = place[edge] - place[whole] - run->tiles.whole_tiles;
            }
            place[whole] += run->tiles.whole_tiles;
            place[edge] += run->tiles.tiles - run->tiles.whole_tiles;
        }
        if (pass == 1) break;
        for (int kind = 0, at = 0; kind < KINDS; kind++) {
            const int64_t tiles = place[kind];
            count[kind] = place[kind] = at;
            at += (int)tiles;
            count[KINDS] = at;
        }
    }
    for (int part = 0; part < 4; part++) {
        b->part[part] = part & 1 ? count[WHOLE] : 0;
        b->part_end[part] = count[part == 0 ? KINDS : part == 1 ? BOTH : ACROSS];
    }
}

void npc_winograd_set_up_block(const npc_winograd_job *j, npc_winograd_block *b, int64_t index)
{
    const npc_winograd_axis *across = &j->view.axis[0], *along = &j->view.axis[1];
    const int64_t end = npc_split(j->units, j->blocks, index + 1) * j->unit_groups;

    b->runs = b->bands = 0;
    b->tiles = 0;
    for (int64_t group = npc_split(j->units, j->blocks, index) * j->unit_groups; group < end;) {
        npc_winograd_run *run = &b->run[b->runs++];
        npc_winograd_band *band = b->bands > 0 ? &b->band[b->bands - 1] : NULL;
        const int64_t row = group / along->groups;
        run->image = row / across->tiles;
        run->tile_row = row % across->tiles;
        run->first_group = group % along->groups;
        run->groups =
            npc_min(npc_min(j->run_groups, along->groups - run->first_group), end - group);
        npc_winograd_run_set(run, &j->view, b->column + b->tiles);
        b->tiles += run->tiles.tiles;
        group += run->groups;
        if (band && npc_winograd_run_joins(&j->view, band->run, run - 1, run))
            band->runs++;
        else
            b->band[b->bands++] = (npc_winograd_band){run, 1};
    }
    place_tiles(b, across);
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
                                  const npc_winograd_memory *m)
{
    for (int i = 0; i < b->bands; i++)
        npc_winograd_band_input(&b->band[i], view, channel, to + channel * j->size, j->input_stride,
                                j->depth, m);
}

int64_t npc_winograd_panel_begin(const npc_winograd_job *j, int64_t panel)
{
    return npc_split(j->vectors, j->panels, panel) * j->view.kernels->lanes;
}

void npc_winograd_transform_weights(const npc_winograd_job *j, const npc_winograd_view *view,
                                    int64_t panel, int64_t row_begin, int64_t row_end,
                                    int64_t begin, int64_t end, char *to, char *filters)
{
    const int64_t lanes = view->kernels->lanes, size = j->size;
    const int64_t first = npc_winograd_panel_begin(j, panel),
                  width = npc_winograd_panel_begin(j, panel + 1) - first;
    const int64_t taps = (int64_t)npc_winograd_taps(view->axis[0].transform) *
                         npc_winograd_taps(view->axis[1].transform);
    const int together = view->channel_stride == taps; /* filters of a row follow each other */

    for (int64_t row = row_begin; row < row_end; row += lanes) {
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
    const int64_t size = j->size, origin = npc_split(j->view.channels, j->depth_blocks, first);
    npc_winograd_product_args args = {.vectors = width / kernels->lanes,
                                      .a_stride = j->depth,
                                      .b_stride = width,
                                      .c_stride = j->panel_width,
                                      .tile_vecs = j->tile_vecs};

    for (int64_t point = 0; point < j->points; point++) {
        const int part = npc_winograd_part_of_point(j, point);
        const int64_t tile = b->part[part];
        args.tiles = b->part_end[part] - tile;
        args.c = products + (point * j->product_stride + tile * j->panel_width) * size;
        for (int64_t d = first; d < last; d++) {
            const int64_t k = npc_split(j->view.channels, j->depth_blocks, d);
            args.a = input + (point * j->input_stride + tile * j->depth + k) * size;
            args.b = weights + (point * j->weight_stride + (k - origin) * width) * size;
            args.depth = npc_split(j->view.channels, j->depth_blocks, d + 1) - k;
            args.accumulate = d > 0;
            args.ahead_lines = args.depth * width * size / NPC_CACHE_LINE;
            args.ahead = (const char *)args.b + args.ahead_lines * NPC_CACHE_LINE;
            npc_run_winograd_product(kernels, &args);
        }
    }
}

void npc_winograd_transform_products(const npc_winograd_job *j, const npc_winograd_view *view,
                                     const npc_winograd_block *b, int64_t panel,
                                     const char *products, const npc_winograd_memory *m)
{
    const int64_t first = npc_winograd_panel_begin(j, panel),
                  end = npc_winograd_panel_begin(j, panel + 1);
    for (int64_t row = first; row < end; row += view->kernels->lanes)
        for (int i = 0; i < b->bands; i++)
            npc_winograd_band_output(&b->band[i], view, row, products + (row - first) * j->size,
                                     j->product_stride, j->panel_width, m);
}
