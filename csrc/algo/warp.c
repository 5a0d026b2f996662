/* Images turned, resized and moved, interpolated linearly between four pixels. */
#include "../core/dtype.h"
#include "../core/parallel.h"
#include "../include/npc_network.h"
#include "../plan/simple_plan.h"

enum {
    BLOCK = 64, /* pixels of a row */
    PIECE_PIXELS = 8192,
    LARGEST = 1 << 30,  /* height or width: rows and columns are int32 */
    FLOPS_A_PIXEL = 500 /* what takes as long as one of them */
};

typedef struct job {
    const npc_warp_arrays *arrays;
    npc_dtype dtype;
    int64_t rows_a_piece;
} job;

/* A row of the result, of all channels: a block's places first, in a loop without branches, then
 * its pixels, of which few lie on an edge. */
#define WARP_ROW(T, name)                                                                          \
    static T name##_corner(const T *plane, int64_t h, int64_t w, int64_t height, int64_t width)    \
    {                                                                                              \
        return h >= 0 && h < height && w >= 0 && w < width ? plane[h * width + w] : 0;             \
    }                                                                                              \
    NPC_INLINE T name##_between(T v0, T v1, T v2, T v3, T beside, T below)                         \
    {                                                                                              \
        const T upper = v0 + (v1 - v0) * beside, lower = v2 + (v3 - v2) * beside;                  \
        return upper + (lower - upper) * below;                                                    \
    }                                                                                              \
    static __attribute__((noinline)) T name##_edge(                                                \
        const T *p, int64_t h, int64_t w, int64_t height, int64_t width, T beside, T below)        \
    {                                                                                              \
        return name##_between(name##_corner(p, h, w, height, width),                               \
                              name##_corner(p, h, w + 1, height, width),                           \
                              name##_corner(p, h + 1, w, height, width),                           \
                              name##_corner(p, h + 1, w + 1, height, width), beside, below);       \
    }                                                                                              \
    static void name(const npc_warp_arrays *a, int64_t n, int64_t h)                               \
    {                                                                                              \
        const T *m = (const T *)a->matrices + 4 * n, *offset = (const T *)a->offsets + 2 * n;      \
        const int64_t height = a->height, width = a->width, plane = height * width;                \
        const T down = (T)((double)h - (double)(height - 1) / 2);                                  \
        const T half = (T)((double)(width - 1) / 2);                                               \
        const T first_row = m[0] * down + offset[0], first_column = m[2] * down + offset[1];       \
        const T row_step = m[1], column_step = m[3];                                               \
        const T last_row = (T)(height + 1), last_column = (T)(width + 1);                          \
        const uint32_t inner_height = (uint32_t)height - 1, inner_width = (uint32_t)width - 1;     \
        int32_t top[BLOCK], left[BLOCK];                                                           \
        T below[BLOCK], beside[BLOCK];                                                             \
        for (int64_t w = 0; w < width; w += BLOCK) {                                               \
            const int count = (int)npc_min(BLOCK, width - w);                                      \
            for (int i = 0; i < count; i++) {                                                      \
                const T right = (T)((int32_t)w + i) - half;                                        \
                T y = first_row + row_step * right, x = first_column + column_step * right;        \
                y = y > 0 ? y : 0; /* NaN, too */                                                  \
                x = x > 0 ? x : 0;                                                                 \
                y = y < last_row ? y : last_row;                                                   \
                x = x < last_column ? x : last_column;                                             \
                top[i] = (int32_t)y;                                                               \
                left[i] = (int32_t)x;                                                              \
                below[i] = y - (T)top[i];                                                          \
                beside[i] = x - (T)left[i];                                                        \
            }                                                                                      \
            for (int64_t c = 0; c < a->channels; c++) {                                            \
                const T *from = (const T *)a->from + (n * a->channels + c) * plane;                \
                T *to = (T *)a->to + (n * a->channels + c) * plane + h * width + w;                \
                for (int i = 0; i < count; i++) {                                                  \
                    const int64_t r = (int64_t)top[i] - 1, s = (int64_t)left[i] - 1;               \
                    if ((uint32_t)r < inner_height && (uint32_t)s < inner_width) {                 \
                        const T *p = from + r * width + s;                                         \
                        to[i] = name##_between(p[0], p[1], p[width], p[width + 1], beside[i],      \
                                               below[i]);                                          \
                    } else {                                                                       \
                        to[i] = name##_edge(from, r, s, height, width, beside[i], below[i]);       \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
WARP_ROW(float, warp_f32)
WARP_ROW(double, warp_f64)

static npc_status warp_rows(void *context, int64_t piece, void *scratch)
{
    const job *j = context;
    const npc_warp_arrays *a = j->arrays;
    const int64_t begin = piece * j->rows_a_piece;
    const int64_t end = npc_min(begin + j->rows_a_piece, a->batch * a->height);
    (void)scratch;
    for (int64_t row = begin; row < end; row++) {
        if (j->dtype == NPC_F32)
            warp_f32(a, row / a->height, row % a->height);
        else
            warp_f64(a, row / a->height, row % a->height);
    }
    return NPC_OK;
}

npc_status npc_warp(const npc_warp_arrays *arrays, npc_dtype dtype, const npc_options *options,
                    npc_plan_info *info)
{
    const npc_warp_arrays *a = arrays;
    job j = {.arrays = a, .dtype = dtype};
    const npc_kernels *kernels;
    const npc_status status = npc_simple_kernels(options, dtype, &kernels);
    if (status != NPC_OK) return status;
    if (a->batch < 0 || a->channels < 0 || a->height < 0 || a->width < 0 || a->height > LARGEST ||
        a->width > LARGEST)
        return NPC_INVALID_GEOMETRY;
    const int64_t row_pixels = npc_max(a->width * a->channels, 1);
    const int64_t rows = a->batch * a->height;
    j.rows_a_piece = npc_max(PIECE_PIXELS / row_pixels, 1);
    npc_team team = npc_make_team(options, FLOPS_A_PIXEL * (double)rows * (double)row_pixels);
    const npc_status done =
        npc_parallel_for(&team, npc_ceil_div(rows, j.rows_a_piece), 0, warp_rows, &j);
    npc_simple_info(info, "warp", kernels, &team);
    return done;
}
