/* The products of Winograd's algorithm at one point, and those of its weight gradient: see
 * npc_winograd_product_args and npc_winograd_outer_args. Tiles lie evenly spaced, so a kernel goes
 * through all of them in one call: with few channels the calls would take as long as the sums. */
#include "../args/tile.h"
#include "winograd.h"

/* Rows of a register tile. Addresses of more than ten rows of tiles do not fit into the general
 * registers; rows that are neighbouring channels share one. */
#define NPC_TEN(rows) ((rows) < 10 ? (rows) : 10)
#define NPC_PRODUCT_ROWS(vecs) NPC_TEN(NPC_PASTE(NPC_UK1_ROWS_, vecs))
#define NPC_OUTER_ROWS_1 (NPC_UK1_ROWS_1 >= 14 ? 16 : NPC_UK1_ROWS_1)
#define NPC_OUTER_ROWS(vecs) ((vecs) == 1 ? NPC_OUTER_ROWS_1 : NPC_PASTE(NPC_UK1_ROWS_, vecs))
#define NPC_UNROLL_4 _Pragma("GCC unroll 4")
#define NPC_SHALLOW_ROWS (NPC_UK1_ROWS_1 >= 14 ? 12 : 6)
enum { MAX_OUTER_ROWS = 16, MAX_SHALLOW_ROWS = 12 };
/* Results are fetched while that many products or more are summed, or it would take as long. */
enum { FETCH_DEPTH = 64 };

NPC_INLINE void NPC_V(put)(NPC_T *c, const NPC_VEC *sum, const int accumulate, const int vecs)
{
    NPC_UNROLL
    for (int j = 0; j < vecs; j++) {
        NPC_T *at = c + j * NPC_LANES;
        NPC_V(store)(at, accumulate ? NPC_V(add)(NPC_V(load)(at), sum[j]) : sum[j]);
    }
}

NPC_INLINE void NPC_V(product_tile)(const npc_winograd_product_args *args, const NPC_T *a,
                                    const NPC_T *b, NPC_T *c, const int rows, const int vecs)
{
    const int64_t depth = args->depth, b_stride = args->b_stride, c_stride = args->c_stride;
    const int deep = depth >= FETCH_DEPTH;
    const NPC_T *row[NPC_MAX_ROWS];
    NPC_VEC acc[NPC_MAX_ROWS][NPC_MAX_VECS];
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        row[i] = a + i * args->a_stride;
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) {
            acc[i][j] = NPC_V(zero)();
            if (deep) __builtin_prefetch(c + i * c_stride + j * NPC_LANES, 1);
        }
    }
    NPC_UNROLL_4
    for (int64_t k = 0; k < depth; k++) {
        NPC_VEC panel[NPC_MAX_VECS];
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) panel[j] = NPC_V(load)(b + j * NPC_LANES);
        b += b_stride;
        NPC_UNROLL
        for (int i = 0; i < rows; i++) {
            const NPC_VEC v = NPC_V(broadcast)(row[i] + k);
            NPC_UNROLL
            for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(fma)(v, panel[j], acc[i][j]);
        }
    }
    NPC_UNROLL
    for (int i = 0; i < rows; i++) NPC_V(put)(c + i * c_stride, acc[i], args->accumulate, vecs);
}

/* The same where the depth is one vector and tiles follow each other: all weights stay in
 * registers, and every address is at a constant distance from one. */
NPC_INLINE void NPC_V(shallow_tile)(const npc_winograd_product_args *args, const NPC_T *a,
                                    const NPC_VEC *weight, NPC_T *c, const int rows)
{
    NPC_VEC acc[MAX_SHALLOW_ROWS];
    NPC_UNROLL
    for (int i = 0; i < rows; i++) acc[i] = NPC_V(zero)();
    NPC_UNROLL
    for (int k = 0; k < NPC_LANES; k++) {
        NPC_UNROLL
        for (int i = 0; i < rows; i++)
            acc[i] = NPC_V(fma)(NPC_V(broadcast)(a + i * NPC_LANES + k), weight[k], acc[i]);
    }
    NPC_UNROLL
    for (int i = 0; i < rows; i++) NPC_V(put)(c + i * args->c_stride, &acc[i], args->accumulate, 1);
}

/* c[i] for neighbouring elements of a. */
NPC_INLINE void NPC_V(outer_tile)(const npc_winograd_outer_args *args, const NPC_T *a,
                                  const NPC_T *b, NPC_T *c, const int rows, const int vecs)
{
    const int64_t a_stride = args->a_stride, b_stride = args->b_stride, tiles = args->tiles;
    const int deep = tiles >= FETCH_DEPTH;
    NPC_VEC acc[MAX_OUTER_ROWS][NPC_MAX_VECS];
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) {
            acc[i][j] = NPC_V(zero)();
            if (deep) __builtin_prefetch(c + i * args->c_stride + j * NPC_LANES, 1);
        }
    }
    NPC_UNROLL_4
    for (int64_t t = 0; t < tiles; t++) {
        NPC_VEC pixel[NPC_MAX_VECS];
        NPC_UNROLL
        for (int j = 0; j < vecs; j++) pixel[j] = NPC_V(load)(b + j * NPC_LANES);
        NPC_UNROLL
        for (int i = 0; i < rows; i++) {
            const NPC_VEC v = NPC_V(broadcast)(a + i);
            NPC_UNROLL
            for (int j = 0; j < vecs; j++) acc[i][j] = NPC_V(fma)(v, pixel[j], acc[i][j]);
        }
        a += a_stride;
        b += b_stride;
    }
    NPC_UNROLL
    for (int i = 0; i < rows; i++)
        NPC_V(put)(c + i * args->c_stride, acc[i], args->accumulate, vecs);
}

#define NPC_CASES_FROM_1(tile, most)                                                               \
    tile(1, most) tile(2, most) tile(3, most) tile(4, most) tile(5, most) tile(6, most)            \
        tile(7, most) tile(8, most) tile(9, most) tile(10, most) tile(11, most) tile(12, most)     \
            tile(13, most) tile(14, most) tile(15, most) tile(16, most)

/* Rows in blocks of even size, of at most `most`: how many blocks, and then each of them, whose
 * size is a constant in its case. Rows of a lie a_step elements apart. */
#define NPC_SPLIT_ROWS(total, most)                                                                \
    const int64_t blocks = npc_ceil_div(total, npc_max(most, 1));                                  \
    const int64_t rows = (total) / npc_max(blocks, 1), more = (total) - rows * blocks
#define NPC_EACH_BLOCK(tile, most, a_step, before)                                                 \
    for (int64_t r = 0; r < blocks; r++) {                                                         \
        const int64_t count = rows + (r < more);                                                   \
        before;                                                                                    \
        switch (count) {                                                                           \
            NPC_CASES_FROM_1(tile, most)                                                           \
        }                                                                                          \
        a += count * (a_step);                                                                     \
        c += count * args->c_stride;                                                               \
    }

NPC_INLINE const char *NPC_V(fetch_ahead)(const char *ahead, const char *end, int64_t lines)
{
    for (int64_t l = 0; l < lines && ahead < end; l++, ahead += NPC_CACHE_LINE)
        __builtin_prefetch(ahead, 0, 2);
    return ahead;
}

/* `vecs` vectors of output channels. */
#define NPC_PRODUCT_CASE(count, most)                                                              \
    case count:                                                                                    \
        if ((count) <= (most)) NPC_V(product_tile)(args, a, b, c, count, vecs);                    \
        break;
#define NPC_PRODUCT_COLUMN(number)                                                                 \
    static void NPC_V(product_column_##number)(const npc_winograd_product_args *args,              \
                                               const NPC_T *b, NPC_T *c)                           \
    {                                                                                              \
        enum { vecs = number, most = NPC_PRODUCT_ROWS(number) };                                   \
        NPC_SPLIT_ROWS(args->tiles, most);                                                         \
        const int64_t lines = npc_ceil_div(args->ahead_lines, npc_max(blocks, 1));                 \
        const char *ahead = args->ahead, *end = ahead + args->ahead_lines * NPC_CACHE_LINE;        \
        const NPC_T *a = args->a;                                                                  \
        NPC_EACH_BLOCK(NPC_PRODUCT_CASE, most, args->a_stride,                                     \
                       ahead = NPC_V(fetch_ahead)(ahead, end, lines))                              \
    }
NPC_PRODUCT_COLUMN(1)
NPC_PRODUCT_COLUMN(2)
NPC_PRODUCT_COLUMN(3)
NPC_PRODUCT_COLUMN(4)

#define NPC_SHALLOW_CASE(count, most)                                                              \
    case count:                                                                                    \
        if ((count) <= (most)) NPC_V(shallow_tile)(args, a, weight, c, count);                     \
        break;
static void NPC_V(shallow_column)(const npc_winograd_product_args *args, const NPC_T *b, NPC_T *c)
{
    NPC_SPLIT_ROWS(args->tiles, NPC_SHALLOW_ROWS);
    const char *end = args->ahead + args->ahead_lines * NPC_CACHE_LINE;
    const NPC_T *a = args->a;
    NPC_VEC weight[NPC_LANES];
    NPC_UNROLL
    for (int k = 0; k < NPC_LANES; k++) weight[k] = NPC_V(load)(b + k * args->b_stride);
    NPC_V(fetch_ahead)(args->ahead, end, args->ahead_lines);
    NPC_EACH_BLOCK(NPC_SHALLOW_CASE, NPC_SHALLOW_ROWS, NPC_LANES, (void)0)
}

NPC_DECLARE(winograd_product);
void NPC_NAME(winograd_product)(const npc_winograd_product_args *args)
{
    const int64_t columns = npc_ceil_div(args->vectors, args->tile_vecs);
    npc_winograd_product_args once = *args;
    if (args->depth == NPC_LANES && args->a_stride == NPC_LANES) {
        for (int64_t v = 0; v < args->vectors; v++) {
            NPC_V(shallow_column)(&once, (const NPC_T *)args->b + v * NPC_LANES,
                                  (NPC_T *)args->c + v * NPC_LANES);
            once.ahead_lines = 0;
        }
        return;
    }
    for (int64_t column = 0; column < columns; column++) {
        const int64_t v = npc_split(args->vectors, columns, column);
        const NPC_T *b = (const NPC_T *)args->b + v * NPC_LANES;
        NPC_T *c = (NPC_T *)args->c + v * NPC_LANES;
        switch (npc_split(args->vectors, columns, column + 1) - v) {
        case 1:
            NPC_V(product_column_1)(&once, b, c);
            break;
        case 2:
            NPC_V(product_column_2)(&once, b, c);
            break;
        case 3:
            NPC_V(product_column_3)(&once, b, c);
            break;
        default:
            NPC_V(product_column_4)(&once, b, c);
        }
        once.ahead_lines = 0;
    }
}

#define NPC_OUTER_CASE(count, most)                                                                \
    case count:                                                                                    \
        if ((count) <= (most)) NPC_V(outer_tile)(args, a, b, c, count, vecs);                      \
        break;
#define NPC_OUTER_COLUMN(number)                                                                   \
    static void NPC_V(outer_column_##number)(const npc_winograd_outer_args *args, const NPC_T *b,  \
                                             NPC_T *c)                                             \
    {                                                                                              \
        enum { vecs = number, most = NPC_OUTER_ROWS(number) };                                     \
        NPC_SPLIT_ROWS(args->rows, most);                                                          \
        const NPC_T *a = args->a;                                                                  \
        NPC_EACH_BLOCK(NPC_OUTER_CASE, most, 1, (void)0)                                           \
    }
NPC_OUTER_COLUMN(1)
NPC_OUTER_COLUMN(2)
NPC_OUTER_COLUMN(3)
NPC_OUTER_COLUMN(4)

NPC_DECLARE(winograd_outer);
void NPC_NAME(winograd_outer)(const npc_winograd_outer_args *args)
{
    const int64_t columns = npc_ceil_div(args->vectors, args->tile_vecs);
    for (int64_t column = 0; column < columns; column++) {
        const int64_t v = npc_split(args->vectors, columns, column);
        const NPC_T *b = (const NPC_T *)args->b + v * NPC_LANES;
        NPC_T *c = (NPC_T *)args->c + v * NPC_LANES;
        switch (npc_split(args->vectors, columns, column + 1) - v) {
        case 1:
            NPC_V(outer_column_1)(args, b, c);
            break;
        case 2:
            NPC_V(outer_column_2)(args, b, c);
            break;
        case 3:
            NPC_V(outer_column_3)(args, b, c);
            break;
        default:
            NPC_V(outer_column_4)(args, b, c);
        }
    }
}
