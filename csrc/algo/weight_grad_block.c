#include "weight_grad_block.h"

#include <string.h>

#include "pixel_copy.h"

static int64_t positions(const npc_positions *axis, int64_t pixels)
{
    return (pixels - 1) * axis->stride + (axis->taps - 1) * axis->spacing + 1;
}

static double count_positions(const npc_positions *axis, int64_t pixels)
{
    return (double)(pixels - 1) * (double)axis->stride +
           (double)(axis->taps - 1) * (double)axis->spacing + 1;
}

/* Those that hold something. */
static double count_inside(const npc_positions *axis, int64_t pixels)
{
    const double all = count_positions(axis, pixels), inside = (double)(axis->end - axis->begin);
    return all < inside ? all : inside;
}

double npc_weight_grad_panel_pixels(const npc_weight_grad_job *j, int64_t lines, int64_t columns)
{
    if (j->padded) return (double)lines * (double)columns;
    return count_inside(&j->axis[0], lines) * count_inside(&j->axis[1], columns);
}

double npc_weight_grad_operand_pixels(const npc_weight_grad_job *j, int64_t lines, int64_t columns)
{
    if (j->padded)
        return count_positions(&j->axis[0], lines) * count_positions(&j->axis[1], columns);
    return (double)lines * (double)columns;
}

/* ---- filling --------------------------------------------------------------------------------- */

/* `rows` rows of `columns` pixels of a plane of an array. */
typedef struct plane_part {
    const npc_array *array;
    const char *from;
    int64_t row_stride, stride; /* bytes, from row to row and pixel to pixel */
    int64_t rows, columns;
} plane_part;

/* The panel's channels of a part: pixel after pixel, from number `pixel` on. `pixels`: in all. */
static void transpose_part(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                           int64_t first_channel, plane_part part, int64_t pixel, int64_t pixels,
                           const npc_weight_grad_block *b)
{
    const int64_t channel_stride = part.array->stride[1], size = j->size;
    const int64_t vectors = npc_ceil_div(place->channels, j->lanes);
    const int64_t tiles = npc_weight_grad_tiles(j, place->channels);
    const int direct = npc_is_plain(part.array, j->problem->dtype) && channel_stride % size == 0 &&
                       (part.columns == 1 || part.stride == size);
    if (direct && (part.rows == 1 || part.row_stride == part.columns * size)) {
        part.columns *= part.rows;
        part.rows = 1;
    }
    for (int64_t t = 0; t < tiles; t++) {
        const int64_t first = npc_split(vectors, tiles, t), end = npc_split(vectors, tiles, t + 1);
        const int64_t width = (end - first) * j->lanes;
        if (npc_channels_follow(part.array, j->problem->dtype, place->channels)) {
            const int64_t channels = npc_min(width, place->channels - first * j->lanes);
            char *to = b->panel + (first * j->lanes * pixels + pixel * width) * size;
            for (int64_t r = 0; r < part.rows; r++, to += part.columns * width * size)
                npc_copy_pixels(part.from + r * part.row_stride +
                                    (first_channel + first * j->lanes) * size,
                                part.stride, part.columns, channels * size, to, width * size);
            continue;
        }
        for (int64_t v = first; v < end; v++) {
            const int64_t channels = npc_min(j->lanes, place->channels - v * j->lanes);
            const char *from = part.from + (first_channel + v * j->lanes) * channel_stride;
            npc_transpose_args args = {
                .from_stride = direct ? channel_stride / size : part.columns,
                .rows = channels,
                .cols = part.columns,
                .to = b->panel +
                      (first * j->lanes * pixels + pixel * width + (v - first) * j->lanes) * size,
                .to_stride = width,
                .fill = 1};
            for (int64_t r = 0; r < part.rows; r++, from += part.row_stride) {
                args.from = from;
                for (int64_t c = 0; c < channels && !direct; c++)
                    npc_read_run(part.array, from + c * channel_stride, part.stride, part.columns,
                                 j->problem->dtype, b->stage + c * part.columns * size);
                if (!direct) args.from = b->stage;
                npc_run_transpose(j->problem->kernels, &args);
                args.to = (char *)args.to + part.columns * width * size;
            }
        }
    }
}

/* Plane number `plane` of the block: its image, and its slice of dy and x. Returns whether x has
 * that slice. */
static int find_slice(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                      int64_t plane, int64_t *image, int64_t *out, int64_t *in)
{
    const npc_axis *axis = &j->window.axis[0];
    *image = plane / axis->pixels;
    *out = plane % axis->pixels;
    *in = npc_axis_source(axis, *out, place->slice);
    return npc_axis_holds(axis, *in);
}

static const char *grad_at(const npc_weight_grad_job *j, int64_t image, int64_t slice, int64_t line,
                           int64_t column)
{
    const npc_array *y = &j->problem->arrays->y;
    return y->data + image * y->stride[0] + slice * y->stride[2] + line * y->stride[3] +
           column * y->stride[4];
}

static plane_part grad_part(const npc_weight_grad_job *j, const npc_weight_grad_block *b,
                            int64_t image, int64_t slice)
{
    const npc_array *y = &j->problem->arrays->y;
    return (plane_part){y,
                        grad_at(j, image, slice, b->line, b->column),
                        y->stride[3],
                        y->stride[4],
                        b->lines,
                        b->columns};
}

/* Dense rows of dy's channels, for what cannot be read where it lies. */
static void stage_grad(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                       const plane_part *part, int64_t pixel, int64_t pixels,
                       const npc_weight_grad_block *b)
{
    for (int64_t u = 0; u < place->units; u++) {
        const int64_t channel = place->group * j->units + place->unit + u;
        const char *from = part->from + channel * part->array->stride[1];
        char *to = b->operand + (u * pixels + pixel) * j->size;
        for (int64_t r = 0; r < part->rows; r++, from += part->row_stride)
            npc_read_run(part->array, from, part->stride, part->columns, j->problem->dtype,
                         to + r * part->columns * j->size);
    }
}

/* A plane of x with its padding, for each unit. */
static void pad_input(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                      int64_t image, int64_t slice, const npc_weight_grad_block *b, char *to)
{
    const npc_array *x = &j->problem->arrays->x;
    const npc_positions *v = &j->axis[0], *h = &j->axis[1];
    const int64_t begin = npc_min(npc_max(h->begin - b->left, 0), b->width);
    const int64_t end = npc_max(begin, npc_min(h->end - b->left, b->width));

    for (int64_t u = 0; u < place->units; u++) {
        const int64_t channel = place->group * j->units + place->unit + u;
        const char *plane =
            x->data + image * x->stride[0] + channel * x->stride[1] + slice * x->stride[2];
        for (int64_t r = 0; r < b->rows; r++, to += b->width * j->size) {
            const int64_t q = b->top + r;
            if (q < v->begin || q >= v->end || begin == end) {
                memset(to, 0, (size_t)(b->width * j->size));
                continue;
            }
            memset(to, 0, (size_t)(begin * j->size));
            npc_read_run(x,
                         plane + (q * v->step - v->pad) * x->stride[3] +
                             ((b->left + begin) * h->step - h->pad) * x->stride[4],
                         end - begin > 1 ? h->step * x->stride[4] : x->stride[4], end - begin,
                         j->problem->dtype, to + begin * j->size);
            memset(to + end * j->size, 0, (size_t)((b->width - end) * j->size));
        }
    }
}

static void find_block(const npc_weight_grad_job *j, int64_t index, npc_weight_grad_block *b)
{
    const npc_axis *axis = j->window.axis;
    const int64_t column_part = index % j->column_parts;
    const int64_t line_part = index / j->column_parts % j->line_parts;
    b->plane = index / j->column_parts / j->line_parts * j->block_planes;
    b->planes = npc_min(j->block_planes, j->planes - b->plane);
    b->line = line_part * j->lines;
    b->lines = npc_min(j->lines, axis[1].pixels - b->line);
    b->column = column_part * j->columns;
    b->columns = npc_min(j->columns, axis[2].pixels - b->column);
    b->top = b->line * j->axis[0].stride;
    b->rows = positions(&j->axis[0], b->lines);
    b->left = b->column * j->axis[1].stride;
    b->width = positions(&j->axis[1], b->columns);
    if (j->padded) return;
    const int64_t bottom = npc_min(b->top + b->rows, j->axis[0].end);
    const int64_t right = npc_min(b->left + b->width, j->axis[1].end);
    b->top = npc_max(b->top, j->axis[0].begin);
    b->left = npc_max(b->left, j->axis[1].begin);
    b->rows = npc_max(bottom - b->top, 0);
    b->width = npc_max(right - b->left, 0);
}

void npc_weight_grad_sum(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                         const npc_weight_grad_block *b, int64_t first, int64_t count)
{
    const npc_axis *axis = j->window.axis;
    const int64_t channel = place->group * npc_group_out(j->problem->geometry) + first;
    for (int64_t plane = b->plane; plane < b->plane + b->planes; plane++) {
        const int64_t image = plane / axis->pixels, slice = plane % axis->pixels;
        const int64_t line = slice * axis[1].pixels + b->line;
        npc_bias_grad_sum(j->bias_grad, image, channel, count, line * axis[2].pixels,
                          (line + b->lines) * axis[2].pixels);
    }
}

void npc_weight_grad_fill(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                          int64_t index, npc_weight_grad_block *b)
{
    const npc_array *x = &j->problem->arrays->x;
    const npc_positions *v = &j->axis[0], *h = &j->axis[1];
    find_block(j, index, b);
    const int64_t grad_pixels = b->lines * b->columns, input_pixels = b->rows * b->width;
    const int64_t panel_pixels = b->planes * (j->padded ? grad_pixels : input_pixels);

    for (int64_t p = 0; p < b->planes; p++) {
        int64_t image, out, in;
        if (!find_slice(j, place, b->plane + p, &image, &out, &in)) continue;
        const plane_part grad = grad_part(j, b, image, out);
        if (j->padded) {
            transpose_part(j, place, place->group * j->channels + place->channel, grad,
                           p * grad_pixels, panel_pixels, b);
            if (!j->in_place)
                pad_input(j, place, image, in, b,
                          b->operand + p * place->units * input_pixels * j->size);
            continue;
        }
        if (!j->in_place) stage_grad(j, place, &grad, p * grad_pixels, b->planes * grad_pixels, b);
        if (input_pixels == 0) continue;
        const plane_part input = {x,
                                  x->data + image * x->stride[0] + in * x->stride[2] +
                                      (b->top * v->step - v->pad) * x->stride[3] +
                                      (b->left * h->step - h->pad) * x->stride[4],
                                  b->rows > 1 ? v->step * x->stride[3] : 0,
                                  b->width > 1 ? h->step * x->stride[4] : 0,
                                  b->rows,
                                  b->width};
        transpose_part(j, place, place->group * j->channels + place->channel, input,
                       p * input_pixels, panel_pixels, b);
    }
    if (j->bias_grad && j->padded && place->slice == 0 && place->unit == 0)
        npc_weight_grad_sum(j, place, b, place->channel, place->channels);
}

/* ---- runs ------------------------------------------------------------------------------------ */

typedef struct run_list {
    npc_uk3_run *run;
    int64_t count, a_step, b_step; /* bytes from pixel to pixel; pixels of the panel */
} run_list;

NPC_INLINE void add_run(run_list *list, int64_t offset_bytes, int64_t pixel, int64_t count)
{
    npc_uk3_run *last = list->run + list->count - 1;
    if (list->count > 0 && !last->last &&
        last->offset_bytes + last->count * list->a_step == offset_bytes &&
        last->pixel + last->count * list->b_step == pixel) {
        last->count += (int32_t)count;
        return;
    }
    list->run[list->count++] = (npc_uk3_run){offset_bytes, (int32_t)pixel, (int32_t)count, 0};
}

int64_t npc_weight_grad_runs(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                             int64_t tap, const npc_weight_grad_block *b)
{
    const npc_positions *v = &j->axis[0], *h = &j->axis[1];
    const int64_t r = tap / h->taps, s = tap % h->taps;
    const int64_t input_pixels = b->rows * b->width, grad_pixels = b->lines * b->columns;
    const npc_array *x = &j->problem->arrays->x, *y = &j->problem->arrays->y;
    run_list list = {b->run, 0, j->row_step, j->padded ? 1 : h->stride};
    int64_t begin = b->column, end = b->column + b->columns, lines = 0;

    if (j->padded) {
        list.a_step = h->stride * j->row_step;
    } else {
        int64_t first, last;
        npc_axis_valid(&j->window.axis[2], s, &first, &last);
        begin = npc_max(begin, first);
        end = npc_min(end, last);
    }
    for (int64_t p = 0; p < b->planes; p++) {
        int64_t image, out, in;
        const int inside = find_slice(j, place, b->plane + p, &image, &out, &in) && begin < end;
        for (int64_t line = b->line; line < b->line + b->lines; line++) {
            const int64_t row = line * v->stride + r * v->spacing - b->top;
            const int64_t pixel = p * grad_pixels + (line - b->line) * b->columns;
            if (!inside) {
            } else if (j->padded && j->in_place) {
                add_run(&list,
                        image * x->stride[0] + in * x->stride[2] + line * x->stride[3] +
                            b->column * x->stride[4],
                        pixel, b->columns);
            } else if (j->padded) {
                add_run(
                    &list,
                    (p * place->units * input_pixels + (line - b->line) * v->stride * b->width) *
                        j->size,
                    pixel, b->columns);
            } else if (row >= 0 && row < b->rows) {
                const int64_t offset = j->in_place ? image * y->stride[0] + out * y->stride[2] +
                                                         line * y->stride[3] + begin * y->stride[4]
                                                   : (pixel + begin - b->column) * j->size;
                add_run(&list, offset,
                        p * input_pixels + row * b->width + begin * h->stride + s * h->spacing -
                            b->left,
                        end - begin);
            }
            if (++lines % j->chain_lines == 0 && list.count > 0) b->run[list.count - 1].last = 1;
        }
    }
    if (list.count > 0) b->run[list.count - 1].last = 1;
    return list.count;
}

const char *npc_weight_grad_row(const npc_weight_grad_job *j, const npc_weight_grad_place *place,
                                const npc_weight_grad_block *b, int64_t unit, int64_t tap)
{
    const npc_positions *v = &j->axis[0], *h = &j->axis[1];
    const npc_array *rows = j->padded ? &j->problem->arrays->x : &j->problem->arrays->y;
    if (j->in_place)
        return rows->data + (place->group * j->units + place->unit + unit) * rows->stride[1];
    if (j->padded)
        return b->operand + (unit * b->rows * b->width + tap / h->taps * v->spacing * b->width +
                             tap % h->taps * h->spacing) *
                                j->size;
    return b->operand + unit * b->planes * b->lines * b->columns * j->size;
}
