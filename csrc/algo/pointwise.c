#include "pointwise.h"

#include "../core/scratch.h"
#include "../plan/simple_plan.h"

/* Work sizes; none of them shows in the results. */
enum {
    GROUP_BYTES = 512 * 1024, /* of the source, that stay in L2 while the weights pass */
    MIN_PART_ROWS = 32,
    PIECES_PER_THREAD = 8
};
#define MIN_PIECE_FLOPS 4e5
#define MAX_ITEM_FLOPS 4e8

typedef struct job {
    const npc_implicit_gemm *gemm;
    int64_t size, depth, blocks;
    int vecs;      /* of a tile */
    int64_t group; /* tiles that a block of weight rows serves while it is in L1 */
    int64_t pixel_parts, row_parts, items, pieces;
    int of_source;     /* vectors begin at cache lines of the source, else of the target */
    int large, stream; /* target: beyond the caches; written past them */
} job;

/* Pixels [pixel, pixel + count) of an image, in tiles of `vecs` vectors. */
typedef struct stretch {
    int64_t pixel, count, tiles;
    int vecs, stream;
} stretch;

/* What an item computes. */
typedef struct place {
    int64_t image, channel, row, rows; /* the first channel and row, through the groups */
    int64_t pixel, pixels;
} place;

static void run_rows(const job *j, const place *p, const stretch *t, int64_t begin, int rows,
                     const int64_t *offset, void *partial)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const npc_kernels *kernels = gemm->kernels;
    const npc_array *source = gemm->window->source, *target = &gemm->target;
    const int64_t row = p->row + begin, tile = (int64_t)t->vecs * kernels->lanes;
    const char *a = gemm->weight + row * j->depth * j->size;
    char *c =
        target->data + p->image * target->stride[0] + row * target->stride[1] + t->pixel * j->size;
    npc_uk2_args args = {.blocks = j->blocks,
                         .block_depth = j->depth / j->blocks,
                         .long_blocks = j->depth % j->blocks,
                         .b = source->data + p->image * source->stride[0] +
                              p->channel * source->stride[1] + t->pixel * j->size,
                         .offset_bytes = offset,
                         .b_tile_bytes = tile * j->size,
                         .partial = partial,
                         .bias = gemm->bias ? gemm->bias + row * j->size : NULL,
                         .tiles = t->tiles,
                         .last_lanes = (int)(t->count - (t->tiles * tile - kernels->lanes)),
                         .stream = t->stream};
    for (int i = 0; i < rows; i++) {
        args.a[i] = a + i * j->depth * j->size;
        args.c[i] = c + i * target->stride[1];
    }
    npc_run_uk2(kernels, rows, t->vecs, &args);
    if (gemm->finish.needed) {
        const npc_finish_part part = {.image = p->image,
                                      .channel = row,
                                      .pixel = t->pixel,
                                      .rows = rows,
                                      .count = t->count,
                                      .from = c,
                                      .to = c,
                                      .from_stride_bytes = target->stride[1],
                                      .to_stride_bytes = target->stride[1]};
        npc_finish_rows(&gemm->finish, &part);
    }
}

/* Pixels before the first whole vector that begins at a cache line. */
static int64_t head_pixels(const job *j, const place *p)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const npc_array *array = j->of_source ? gemm->window->source : &gemm->target;
    if (array->stride[1] % NPC_CACHE_LINE || p->pixels < 8 * gemm->kernels->lanes) return 0;
    const char *at = array->data + p->image * array->stride[0] + p->pixel * j->size;
    return (int64_t)(-(uintptr_t)at % NPC_CACHE_LINE) / j->size;
}

/* Cuts an item's pixels into stretches: those before the first line, tiles of the job's width,
 * tiles of one vector less, and the rest of a vector, which begins early enough to be whole:
 * nothing behind the image is read, and what is computed twice comes out alike. */
static int cut(const job *j, const place *p, stretch part[4])
{
    const int64_t lanes = j->gemm->kernels->lanes, head = head_pixels(j, p);
    const int64_t vectors = (p->pixels - head) / lanes, end = p->pixel + p->pixels;
    const npc_array *target = &j->gemm->target;
    int64_t pixel = p->pixel + head;
    const char *at = target->data + p->image * target->stride[0] + pixel * j->size;
    const int stream = j->stream && (uintptr_t)at % NPC_CACHE_LINE == 0;
    int count = 0;
    if (head) part[count++] = (stretch){p->pixel, head, npc_ceil_div(head, lanes), 1, 0};
    if (vectors) {
        const int64_t tiles = npc_ceil_div(vectors, j->vecs), width = vectors / tiles;
        const int64_t wide = vectors - tiles * width;
        for (int i = 1; i >= 0; i--) {
            const int64_t n = i ? wide : tiles - wide, pixels = n * (width + i) * lanes;
            if (n) part[count++] = (stretch){pixel, pixels, n, (int)width + i, stream};
            pixel += pixels;
        }
    }
    if (pixel < end)
        part[count++] = (stretch){.pixel = end - lanes, .count = lanes, .tiles = 1, .vecs = 1};
    return count;
}

static place find_place(const job *j, int64_t item)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t pixels = gemm->window->pixels, lanes = gemm->kernels->lanes;
    const int64_t row_part = item % j->row_parts;
    item /= j->row_parts;
    const int64_t part = item % j->pixel_parts;
    item /= j->pixel_parts;
    const int64_t group = item % gemm->groups;
    place p = {.image = item / gemm->groups, .channel = group * gemm->channels};
    const int64_t begin = npc_split(gemm->rows, j->row_parts, row_part);
    p.row = group * gemm->rows + begin;
    p.rows = npc_split(gemm->rows, j->row_parts, row_part + 1) - begin;
    p.pixel = npc_split(pixels / lanes, j->pixel_parts, part) * lanes;
    p.pixels = npc_split(pixels / lanes, j->pixel_parts, part + 1) * lanes - p.pixel;
    if (part == j->pixel_parts - 1) p.pixels = pixels - p.pixel;
    return p;
}

static void run_item(const job *j, const place *p, const int64_t *offset, void *partial)
{
    const npc_kernels *kernels = j->gemm->kernels;
    stretch part[4];
    const int parts = cut(j, p, part);
    for (int s = 0; s < parts; s++) {
        const int64_t tile = (int64_t)part[s].vecs * kernels->lanes;
        const int64_t blocks = npc_ceil_div(p->rows, kernels->max_rows[part[s].vecs]);
        for (int64_t first = 0; first < part[s].tiles; first += j->group) {
            stretch t = part[s];
            t.pixel += first * tile;
            t.tiles = npc_min(j->group, part[s].tiles - first);
            t.count = npc_min(t.tiles * tile, part[s].pixel + part[s].count - t.pixel);
            for (int64_t r = 0; r < blocks; r++) {
                const int64_t begin = npc_split(p->rows, blocks, r);
                run_rows(j, p, &t, begin, (int)(npc_split(p->rows, blocks, r + 1) - begin), offset,
                         partial);
            }
        }
    }
}

static npc_status run_piece(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    char *cursor = scratch;
    int64_t *offset = npc_scratch_take(&cursor, (size_t)j->depth * sizeof(int64_t));
    const int64_t stride = j->gemm->window->source->stride[1];
    for (int64_t k = 0; k < j->depth; k++) offset[k] = k * stride;
    for (int64_t item = npc_split(j->items, j->pieces, piece);
         item < npc_split(j->items, j->pieces, piece + 1); item++) {
        const place p = find_place(j, item);
        run_item(j, &p, offset, cursor);
    }
    if (j->large) npc_run_fence(j->gemm->kernels);
    return NPC_OK;
}

/* Whether rows of a tile stay in a second-level cache while weights pass. Those that lie at a
 * multiple of a large power of two share few of its sets. */
static int fits_cache(int64_t rows, int64_t stride_bytes, int64_t row_bytes)
{
    enum { SETS = 1024, WAYS = 4, PAGES = 1024, PAGE_BYTES = 4096 };
    const int64_t power = stride_bytes & -stride_bytes;
    const int64_t apart = npc_min(power / NPC_CACHE_LINE, SETS);
    const int64_t lines = npc_max(row_bytes / NPC_CACHE_LINE + 1, apart);
    return rows <= SETS * WAYS / lines && (rows <= PAGES || stride_bytes < PAGE_BYTES);
}

/* Packed panels are read faster than pixels in as many places as there are channels, above all by
 * vectors as long as cache lines, so packing repays where many rows share a panel. */
static int is_shared_by_few(int64_t rows, int64_t channels, int64_t stride_bytes,
                            int64_t vector_bytes)
{
    enum { FEW_ROWS = 24, MANY_ROWS = 64, FEW_CHANNELS = 32, NEAR_BYTES = 1024 * 1024 };
    const int near = channels <= NEAR_BYTES / npc_max(1, stride_bytes);
    if (rows <= FEW_ROWS || (near && vector_bytes < NPC_CACHE_LINE)) return 1;
    return stride_bytes % NPC_CACHE_LINE == 0 &&
           (channels <= FEW_CHANNELS || (near && rows <= MANY_ROWS));
}

int npc_pointwise_repays(const npc_kernels *kernels, int64_t rows, int64_t channels, int64_t pixels,
                         int64_t stride_bytes)
{
    const int64_t size = (int64_t)npc_dtype_size(kernels->dtype), lanes = kernels->lanes;
    const int64_t stride = npc_max(stride_bytes, -stride_bytes);
    return pixels >= lanes && 8 * npc_ceil_div(pixels, lanes) * lanes <= 9 * pixels &&
           is_shared_by_few(rows, channels, stride, lanes * size) &&
           fits_cache(channels, stride, NPC_MAX_VECS * lanes * size);
}

/* Cuts images into items, and these into pieces. */
static void plan_pieces(job *j, int threads)
{
    const npc_implicit_gemm *gemm = j->gemm;
    const int64_t pixels = gemm->window->pixels, vectors = pixels / gemm->kernels->lanes;
    const int64_t images = gemm->batch * gemm->groups;
    const double flops = 2.0 * (double)pixels * (double)gemm->rows * (double)(gemm->channels + 1);
    const int64_t wanted = threads > 1 ? (int64_t)threads * PIECES_PER_THREAD : 1;
    const int64_t parts = npc_max(npc_ceil_div(wanted, images), (int64_t)(flops / MAX_ITEM_FLOPS));
    const int64_t most = (int64_t)(flops / MIN_PIECE_FLOPS) + 1;
    const int64_t tiles = npc_ceil_div(vectors, j->vecs);
    j->pixel_parts = npc_max(1, npc_min(npc_min(parts, most), npc_ceil_div(tiles, 2)));
    j->row_parts =
        npc_max(1, npc_min(npc_min(parts, most) / j->pixel_parts, gemm->rows / MIN_PART_ROWS));
    j->items = images * j->pixel_parts * j->row_parts;
    const double all = flops * (double)images;
    j->pieces = npc_max(1, npc_min(j->items, (int64_t)(all / MIN_PIECE_FLOPS)));
}

npc_status npc_pointwise_run(const npc_implicit_gemm *gemm, npc_team *team)
{
    const npc_kernels *kernels = gemm->kernels;
    const npc_window *window = gemm->window;
    job j = {.gemm = gemm,
             .size = (int64_t)npc_dtype_size(window->dtype),
             .depth = gemm->channels,
             .blocks = npc_depth_blocks(gemm->channels),
             .vecs = npc_choose_tile_vecs(kernels, gemm->rows, window->pixels)};
    const npc_array *target = &gemm->target;
    const int64_t tile_bytes = (int64_t)j.vecs * kernels->lanes * j.size;
    const int64_t bytes = gemm->batch * gemm->groups * gemm->rows * window->pixels * j.size;

    j.group = npc_max(1, GROUP_BYTES / npc_max(1, j.depth * tile_bytes));
    j.large = bytes > NPC_STREAM_PRODUCT_BYTES;
    j.stream = j.large && !gemm->finish.needed && tile_bytes % NPC_CACHE_LINE == 0 &&
               target->stride[1] % NPC_CACHE_LINE == 0 && target->stride[0] % NPC_CACHE_LINE == 0;
    j.of_source = !j.stream;
    plan_pieces(&j, team->threads);
    const size_t scratch = npc_round_up((size_t)j.depth * sizeof(int64_t), NPC_CACHE_LINE) +
                           NPC_MAX_ROWS * NPC_MAX_TILE * sizeof(double);
    return npc_parallel_for(team, j.pieces, scratch, run_piece, &j);
}
