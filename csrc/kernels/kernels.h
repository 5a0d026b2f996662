/* kernels.h: the kernel table, the only door between algorithms and instruction sets.
 *
 * Kernels know pointers, strides and counts. They allocate nothing, report nothing, and read or
 * write nothing beyond what their arguments name. All strides and offsets are in elements unless a
 * name ends in _bytes. Names: npc_<dtype>_<kernel>_<tile>__<isa>.
 */
#ifndef NPC_KERNELS_KERNELS_H
#define NPC_KERNELS_KERNELS_H

#include "../core/common.h"
#include "../core/cpu.h"
#include "../include/npc.h"

enum {
    NPC_MAX_ROWS = 14,       /* of a UK1 tile */
    NPC_MAX_VECS = 4,        /* likewise */
    NPC_MAX_TILE = 64,       /* the most lanes of a tile: 4 vectors of 16 floats */
    NPC_MAX_SMALL_TAPS = 16, /* of a kernel's row */
    NPC_MAX_DOT_ROWS = 4,
    NPC_MAX_DOT_COLS = 6,
    NPC_DEPTHWISE_ROWS = 4, /* of the result, computed at once */
    NPC_DEPTHWISE_SIZE = 5  /* of the largest kernel with a loop of its own */
};

/* A vector of a packed panel row gathers its lanes from stretches of the source: lanes of a segment
 * come from (base + offset)[lane * step]; lanes in no segment are zero (they lie in the padding).
 * At step 1 bit i of `mask` stands for lane i, at step 2 bit 2 i does: for the element that is
 * read. */
typedef struct npc_pack_segment {
    int64_t offset_bytes; /* of lane 0, which need not exist, from the channel's first element */
    uint32_t mask;        /* of the elements read */
    uint32_t last;        /* whether it is the vector's last segment */
} npc_pack_segment;

/* Where the rows of a panel come from: row k is tap k % taps of channel k / taps. Every vector of a
 * row has at least one segment. */
typedef struct npc_pack_source {
    const char *base; /* the first channel */
    int64_t channel_stride_bytes;
    int64_t ahead_bytes; /* what is read so far behind is fetched into the cache meanwhile */
    const npc_pack_segment *segments; /* of tap 0, vector after vector, tap after tap */
    int64_t step;                     /* 1 or 2 */
    int64_t taps;
    const npc_pack_segment *first; /* of the first row's tap */
    int64_t first_taps;            /* that its channel has left, that row's included */
} npc_pack_source;

/* UK1, rows x panel: c[i][j] = sum over k of a[i][k] * b[k * b_stride + j], for each row i and the
 * tile's lanes j. The depth comes in blocks, the first `long_blocks` of them one step longer than
 * `block_depth`. Each block is one chain of fused multiply-adds from zero in order of k (multiply,
 * then add, where the ISA has no fma), whatever the tile; the blocks are added in order, to what c
 * holds if `accumulate` is set; `bias` (one per row, or NULL) is added last. The packing variant
 * fills the panel's rows from `source` as it multiplies, which hides the packing behind the
 * arithmetic. The other variant fetches lines that will be wanted soon into L2, at a pace that
 * leaves room for its own reads: in each block, one every `ahead_pace` steps (a power of two) until
 * `ahead_count` are fetched, `ahead_step_bytes` apart; the next block goes on `ahead_jump_bytes`
 * further. The addresses need not exist. */
typedef struct npc_uk1_args {
    int64_t blocks, block_depth, long_blocks;
    const void *a[NPC_MAX_ROWS];
    void *b;
    int64_t b_stride;
    void *c[NPC_MAX_ROWS];
    const void *bias;
    int32_t accumulate;
    int32_t last_lanes;            /* lanes of the tile's last vector that are stored, >= 1 */
    const npc_pack_source *source; /* NULL: the panel is packed */
    const char *ahead;             /* used if ahead_count > 0 */
    int64_t ahead_count, ahead_pace, ahead_step_bytes, ahead_jump_bytes;
} npc_uk1_args;

/* Packs `rows` rows of `vecs` vectors. */
typedef struct npc_pack_args {
    npc_pack_source source;
    int64_t rows, vecs;
    void *panel;
    int64_t panel_stride;
} npc_pack_args;

/* Dot products: c[i * c_stride + j] = sum over p < depth of a[i][p] * b[j * b_stride + p]. */
typedef struct npc_dot_args {
    int64_t depth;
    const void *a[NPC_MAX_DOT_ROWS];
    const void *b;
    int64_t b_stride;
    void *c;
    int64_t c_stride;
    int32_t accumulate;
} npc_dot_args;

typedef void npc_uk1_fn(const npc_uk1_args *args);
typedef void npc_pack_fn(const npc_pack_args *args);
typedef void npc_dot_fn(const npc_dot_args *args);

/* Whether rows x cols elements, rows `stride` apart, hold a NaN. */
typedef int npc_has_nan_fn(const void *c, int64_t stride, int64_t rows, int64_t cols);
/* to[i] += from[i] */
typedef void npc_add_fn(void *to, const void *from, int64_t count);
/* *total = the sum of count elements. */
typedef void npc_sum_fn(const void *from, int64_t count, void *total);
/* The maximum over row_count x taps elements for each of `count` outputs: output i, tap (r, s)
 * reads rows[r][i * step + s * spacing], steps may be negative. number[i], of the result's dtype,
 * is the winning tap's r * taps + s; NULL if it is not wanted. The first of equals wins, the first
 * NaN wins over all else. */
typedef struct npc_max_row_args {
    const void *const *rows;
    int64_t row_count, taps, spacing, step, count;
    void *best, *number;
} npc_max_row_args;
typedef void npc_max_row_fn(const npc_max_row_args *args);
/* to[i][j] = activation(from[i][j] + bias[i] + add[i][j]), for `count` elements of each row; each
 * step is rounded. from, to and add may be the same memory, but not overlap otherwise. */
typedef struct npc_finish_args {
    int64_t rows, count;
    const void *from, *add, *bias; /* add and bias may be NULL */
    void *to;
    int64_t from_stride_bytes, add_stride_bytes, to_stride_bytes; /* from row to row */
    npc_activation activation;
    double slope;
} npc_finish_args;
typedef void npc_finish_fn(const npc_finish_args *args);

/* Depthwise convolution of a plane with a square kernel of 3 or 5 taps a side, at step 1 or 2 along
 * both axes: to[t][i] = sum over r, s of
 *     weight[r][s] * plane[first_row + t * step + r][first_column + i * step + s].
 * Taps in rows outside [0, height) are skipped, those in columns outside [0, width) count as zero.
 * The sum is one chain in order of r, s; it is added to what `to` holds if `accumulate` is set; the
 * bias, one or NULL, comes last. */
typedef struct npc_depthwise_args {
    int64_t step, rows, columns;
    const void *plane;
    int64_t row_stride_bytes, height, width, first_row, first_column;
    const void *weight, *bias;
    void *to;
    int64_t to_stride_bytes;
    int32_t accumulate;
} npc_depthwise_args;
typedef void npc_depthwise_3x3_fn(const npc_depthwise_args *args);
typedef void npc_depthwise_5x5_fn(const npc_depthwise_args *args);

/* Any depthwise convolution, up to NPC_DEPTHWISE_ROWS rows: to[t][i] = sum over r < tap_rows,
 * s < taps of weight[r][s] * row[t * tap_rows + r][offset[s] + i], likewise in chains, which end
 * after every `chain_rows` rows of taps and are added in order. Of each row, whole vectors are read
 * up to NPC_MAX_TILE elements behind its last column; what lies there may be anything. Where
 * rows > 1, there are NPC_DEPTHWISE_ROWS rows to read. */
typedef struct npc_depthwise_any_args {
    int64_t rows, columns, tap_rows, taps, chain_rows;
    const void *const *row;
    const int64_t *offset;
    const void *weight, *bias;
    void *to;
    int64_t to_stride_bytes;
    int32_t accumulate;
} npc_depthwise_any_args;
typedef void npc_depthwise_any_fn(const npc_depthwise_any_args *args);
/* A convolution of one small image: y[k][h][w] = bias[k] + the sum over (c, r, s), in one chain of
 * fused multiply-adds from zero in this order, of weight[k][c][r][s] times the pixel of x[c] in row
 * h * step[0] + first[0] + r * spacing[0] and column w * step[1] + first[1] + s * spacing[1]. Rows
 * outside the image are skipped; columns outside, where tap s has no pixels but those in
 * [begin[s], end[s]), count as zero. step[1] is 1 or 2; the elements of a row of x and of y follow
 * each other. */
typedef struct npc_small_args {
    const void *x, *weight, *bias; /* bias may be NULL */
    void *y;
    int64_t channels, rows, height; /* of x, of y, of an image in x */
    int64_t channel_stride_bytes, row_stride_bytes;
    int64_t y_channel_stride_bytes, y_row_stride_bytes;
    int64_t pixels[2], taps[2], step[2], spacing[2], first[2]; /* vertical, horizontal */
    const int32_t *begin, *end;
} npc_small_args;
typedef void npc_small_fn(const npc_small_args *args);

typedef struct npc_kernels {
    int isa;
    npc_dtype dtype;
    int lanes;                      /* elements of a vector */
    int max_rows[NPC_MAX_VECS + 1]; /* of a UK1 tile of so many vectors; 0: none */
    int max_dot_rows, max_dot_cols;
    npc_uk1_fn *uk1[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_uk1_fn *uk1_pack[NPC_MAX_VECS + 1][NPC_MAX_ROWS + 1];
    npc_dot_fn *dot[NPC_MAX_DOT_ROWS + 1][NPC_MAX_DOT_COLS + 1];
    npc_pack_fn *pack;
    npc_has_nan_fn *has_nan;
    npc_add_fn *add;
    npc_sum_fn *sum;
    npc_max_row_fn *max_row;
    npc_finish_fn *finish;
    npc_depthwise_3x3_fn *depthwise_3x3;
    npc_depthwise_5x5_fn *depthwise_5x5;
    npc_depthwise_any_fn *depthwise_any;
    npc_small_fn *small;
} npc_kernels;

/* The tables of an ISA that is compiled in, or NULL; dtype is F32 or F64. */
const npc_kernels *npc_kernels_of(int isa, npc_dtype dtype);

/* Calls of kernels go through these, which mark the slot as reached (see npc_coverage_slot). */
void npc_run_uk1(const npc_kernels *kernels, int rows, int vecs, const npc_uk1_args *args);
void npc_run_dot(const npc_kernels *kernels, int rows, int cols, const npc_dot_args *args);
void npc_run_pack(const npc_kernels *kernels, const npc_pack_args *args);
int npc_run_has_nan(const npc_kernels *kernels, const void *c, int64_t stride, int64_t rows,
                    int64_t cols);
void npc_run_add(const npc_kernels *kernels, void *to, const void *from, int64_t count);
void npc_run_sum(const npc_kernels *kernels, const void *from, int64_t count, void *total);
void npc_run_max_row(const npc_kernels *kernels, const npc_max_row_args *args);
void npc_run_finish(const npc_kernels *kernels, const npc_finish_args *args);
void npc_run_depthwise(const npc_kernels *kernels, int size, const npc_depthwise_args *args);
void npc_run_depthwise_any(const npc_kernels *kernels, const npc_depthwise_any_args *args);
void npc_run_small(const npc_kernels *kernels, const npc_small_args *args);

#endif
