/* product.h: what kernels take for the products that carry convolutions: UK1 to UK4, the dot
 * kernel, and what packs their panels. */
#ifndef NPC_KERNELS_ARGS_PRODUCT_H
#define NPC_KERNELS_ARGS_PRODUCT_H

#include "../../core/common.h"
#include "tile.h"

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
 * holds if `accumulate` is set; `bias` (one per row, or NULL) or `lane_bias` (one per lane, in
 * whole vectors, or NULL) is added last. The packing variant fills the panel's rows from `source`
 * as it multiplies, which hides the packing behind the arithmetic. The other variant fetches lines
 * that will be wanted soon into L2, at a pace that leaves room for its own reads: in each block,
 * one every `ahead_pace` steps (a power of two) until `ahead_count` are fetched, `ahead_step_bytes`
 * apart; the next block goes on `ahead_jump_bytes` further. The addresses need not exist. */
typedef struct npc_uk1_args {
    int64_t blocks, block_depth, long_blocks;
    const void *a[NPC_MAX_ROWS];
    void *b;
    int64_t b_stride;
    void *c[NPC_MAX_ROWS];
    const void *bias, *lane_bias;
    int32_t accumulate;
    int32_t last_lanes;            /* lanes of the tile's last vector that are stored, >= 1 */
    const npc_pack_source *source; /* NULL: the panel is packed */
    const char *ahead;             /* used if ahead_count > 0 */
    int64_t ahead_count, ahead_pace, ahead_step_bytes, ahead_jump_bytes;
} npc_uk1_args;

/* UK2, rows x pixels wherever they lie: as UK1, but step k reads its lanes at b + offset_bytes[k].
 * Sums of blocks stay in `partial` (rows x vecs vectors) until the last; c is written once and not
 * read. `tiles` tiles follow each other in c, and in b `b_tile_bytes` apart. */
typedef struct npc_uk2_args {
    int64_t blocks, block_depth, long_blocks;
    const void *a[NPC_MAX_ROWS];
    const void *b;
    const int64_t *offset_bytes;
    void *partial; /* aligned to vectors; not used if there is one block */
    void *c[NPC_MAX_ROWS];
    const void *bias;
    int64_t tiles, b_tile_bytes;
    int32_t last_lanes; /* of the last tile */
    int32_t stream;     /* whole vectors go past the caches, for which c must be aligned to vectors;
                         * a fence must follow before other threads may read c */
} npc_uk2_args;

/* UK4, pixels wherever they lie x panel: as UK1, but row i is a pixel, whose element k lies at
 * a + i * a_step_bytes + offset_bytes[k], and whose results at c + i * c_step_bytes; a row of the
 * panel is as wide as the tile. Sums of blocks stay in `partial` until the last; c is written once
 * and not read. `tiles` tiles of pixels follow each other. */
typedef struct npc_uk4_args {
    int64_t blocks, block_depth, long_blocks;
    const void *a;
    const int64_t *offset_bytes;
    int64_t a_step_bytes;
    const void *b;
    void *partial; /* as UK2's */
    void *c;
    int64_t c_step_bytes;
    const void *lane_bias; /* in whole vectors, or NULL */
    int64_t tiles;
    int32_t last_lanes; /* of a pixel's last vector */
    int32_t stream;     /* as UK2's */
} npc_uk4_args;

/* UK3, rows x lanes over stretches of pixels: c[i * c_stride + j] = sum over the pixels of all runs
 * of a[i][pixel] * b[pixel][j]. Pixel p < count of a run lies at a[i] + offset_bytes + p *
 * a_step_bytes and at b + pixel * pixel_bytes + p * b_step_bytes. Chains of fused multiply-adds
 * from zero go through the runs up to one marked `last`, as the last of all is; chains are added in
 * order, to what c holds if `accumulate` is set. */
typedef struct npc_uk3_run {
    int64_t offset_bytes;
    int32_t pixel, count;
    int32_t last;
} npc_uk3_run;

typedef struct npc_uk3_args {
    const npc_uk3_run *run;
    int64_t runs;
    const void *a[NPC_MAX_ROWS];
    const void *b;
    int64_t a_step_bytes, b_step_bytes, pixel_bytes;
    void *c;
    int64_t c_stride;
    int32_t accumulate;
} npc_uk3_args;
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

/* One column of that for up to NPC_MAX_ROWS rows: c[i * c_stride] = or += the sum over p < depth of
 * a[i][p] * b[p], then + bias[i], if there is a bias. A row's sum does not depend on the others. */
typedef struct npc_tail_args {
    int64_t depth;
    int rows;
    const void *a[NPC_MAX_ROWS];
    const void *b, *bias;
    void *c;
    int64_t c_stride;
    int32_t accumulate;
} npc_tail_args;
/* to[j] = sum over k < depth of a[k] * b[k * b_stride + j] for j < count: one chain in order of k,
 * from zero or, where it goes on, from to[j]. */
typedef struct npc_weighted_rows_args {
    int64_t depth, count;
    const void *a, *b;
    int64_t b_stride;
    void *to;
    int32_t goes_on;
} npc_weighted_rows_args;
typedef void npc_weighted_rows_fn(const npc_weighted_rows_args *args);

typedef void npc_uk1_fn(const npc_uk1_args *args);
typedef void npc_uk2_fn(const npc_uk2_args *args);
typedef void npc_uk3_fn(const npc_uk3_args *args);
typedef void npc_uk4_fn(const npc_uk4_args *args);
typedef void npc_pack_fn(const npc_pack_args *args);
typedef void npc_dot_fn(const npc_dot_args *args);
typedef void npc_tail_fn(const npc_tail_args *args);

/* A panel from what UK2 reads: `rows` rows of `vecs` vectors, row k from from + offset_bytes[k]. */
typedef void npc_collect_fn(const void *from, const int64_t *offset_bytes, int64_t rows,
                            int64_t vecs, void *panel);

#endif
