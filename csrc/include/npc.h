/* npc.h: the C API of npconv.
 *
 * Data flows one way: the caller fills geometry and array descriptors, calls one function, and
 * gets a status back. Nothing here knows Python or NumPy; nothing keeps a pointer after it returns.
 *
 * Axis letters, used everywhere: N batch, C input channels, K output channels, D H W input
 * extents, OD OH OW output extents, KD R S kernel extents. Spatial triples are in the order
 * D, H, W; a 2-D problem has D = KD = OD = 1.
 */
#ifndef NPC_H
#define NPC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NPC_SPATIAL 3
#define NPC_AXES 5      /* N, C, D, H, W */
#define NPC_MAX_RANK 64 /* of an array given to npc_pad */

typedef enum npc_status {
#define NPC_STATUS(name, text) NPC_##name,
#include "../core/status.def"
#undef NPC_STATUS
    NPC_STATUS_COUNT
} npc_status;

/* The library's version, "1.2.3". */
const char *npc_version(void);

/* A sentence for a status, static storage. */
const char *npc_status_text(npc_status status);

typedef enum npc_dtype {
#define NPC_DTYPE(name, ctype, text) NPC_##name,
#include "../core/dtype.def"
#undef NPC_DTYPE
    NPC_DTYPE_COUNT
} npc_dtype;

/* A strided view. `stride` is in bytes, may be zero or negative. Elements may be of the other byte
 * order (`swapped`) or at any address (`misaligned`): such arrays are converted while they are
 * read. Arrays that are written must be aligned, native and of the computation's dtype. */
typedef struct npc_array {
    char *data;
    int64_t stride[NPC_AXES];
    npc_dtype dtype;
    int swapped, misaligned;
} npc_array;

/* (N, C, D, H, W) * (K, C/groups, KD, R, S) -> (N, K, OD, OH, OW), a cross-correlation.
 * Sizes are >= 0, stride and dilation >= 1, and every window lies in the padded input. */
typedef struct npc_conv_geometry {
    int64_t batch, groups, in_channels, out_channels;
    int64_t input[NPC_SPATIAL], kernel[NPC_SPATIAL], output[NPC_SPATIAL];
    int64_t stride[NPC_SPATIAL], dilation[NPC_SPATIAL];
    int64_t pad_before[NPC_SPATIAL], pad_after[NPC_SPATIAL];
} npc_conv_geometry;

/* (N, C, D, H, W) -> (N, C, OD, OH, OW). `adaptive`: along an axis of n elements, the window of
 * output i of m is [floor(i n / m), ceil((i + 1) n / m)); the members behind `output` are unused.
 */
typedef struct npc_pool_geometry {
    int64_t batch, channels;
    int64_t input[NPC_SPATIAL], kernel[NPC_SPATIAL], output[NPC_SPATIAL];
    int64_t stride[NPC_SPATIAL], dilation[NPC_SPATIAL];
    int64_t pad_before[NPC_SPATIAL], pad_after[NPC_SPATIAL];
    int adaptive;
    int smallest;          /* max-pooling takes minima */
    const int64_t *starts; /* max-pooling's windows, `kernel` long, start here: for each plane,
                            * those along D, H and W; or NULL */
} npc_pool_geometry;

typedef enum npc_conv_operation {
    NPC_FORWARD,     /* reads x, weight, bias; writes y */
    NPC_INPUT_GRAD,  /* reads y (its gradient), weight; writes x (its gradient) */
    NPC_WEIGHT_GRAD, /* reads y (its gradient), x; writes weight, bias_grad (their gradients) */
    NPC_OPERATION_COUNT
} npc_conv_operation;

/* y where it is not 0 or less, +0 there; the same, but 6 from 6 on; y, but slope * y below zero;
 * y, but slope * (e^y - 1) below zero; 1 / (1 + e^-y); the hyperbolic tangent. NaN stays NaN. */
typedef enum npc_activation {
    NPC_NO_ACTIVATION,
    NPC_RELU,
    NPC_RELU6,
    NPC_LEAKY_RELU,
    NPC_ELU,
    NPC_SIGMOID,
    NPC_TANH
} npc_activation;

/* x (N, C, D, H, W); y (N, K, OD, OH, OW); weight (K, C/groups, KD, R, S) C-contiguous, of the
 * computation's dtype; bias (K,) likewise or NULL.
 *
 * What follows is for NPC_FORWARD: y = activation(conv + bias + add), each step rounded to the
 * computation's dtype. add is of y's shape and any dtype, its data NULL if there is none; it may be
 * y itself (same data, strides and dtype) but not overlap it otherwise.
 *
 * NPC_INPUT_GRAD is also the transposed convolution, from y to x, and takes the same for x: bias
 * (C,), add of x's shape, which may not overlap x, and an activation. */
typedef struct npc_conv_arrays {
    npc_array x, y;
    void *weight;
    const void *bias;
    npc_array add;
    npc_activation activation;
    double slope;         /* of NPC_LEAKY_RELU or NPC_ELU */
    void *bias_grad;      /* NPC_WEIGHT_GRAD writes the sums of y here, too, (K,); or NULL */
    const void *prepared; /* the weight as npc_conv_prepare left it, or NULL */
    int64_t prepared_bytes;
} npc_conv_arrays;

/* How to run: what the caller may force. */
typedef struct npc_options {
    int algorithm;     /* index in conv_algorithms.def, or NPC_AUTO */
    int isa;           /* index in isa.def, or NPC_AUTO */
    int num_threads;   /* 0: the process's default */
    int strict;        /* direct summation only */
    int channels_last; /* in x and y a pixel's channels follow each other, or nearly so: decides
                        * the algorithm and so the bits, arrays may lie otherwise */
    int (*interrupted)(
        void); /* asked by the calling thread between pieces; non-zero stops; or NULL */
} npc_options;

#define NPC_AUTO (-1)

/* What was run. */
typedef struct npc_plan_info {
    const char *operation, *algorithm, *isa, *dtype;
    int num_threads;
    int64_t pieces;          /* of work, taken by the threads one by one */
    int64_t workspace_bytes; /* shared, plus that of every thread */
} npc_plan_info;

/* This thread's record of its last call, for the caller to pass as `info` and to read; `operation`
 * is NULL before the first. */
npc_plan_info *npc_last_plan(void);

#define NPC_COST_FEATURES 12

typedef struct npc_candidate {
    const char *name;
    const char *reason; /* why it declines, or NULL */
    double seconds;     /* predicted for one image on one thread; < 0: nothing is known */
    double feature[NPC_COST_FEATURES]; /* what the prediction was made from, for benches */
} npc_candidate;

npc_status npc_conv(npc_conv_operation operation, const npc_conv_geometry *geometry,
                    const npc_conv_arrays *arrays, npc_dtype dtype, const npc_options *options,
                    npc_plan_info *info);

/* The weight of forward calls, transformed once for many of them. *size is how many bytes the
 * algorithm that would run keeps, few if it reads the weight as it is. npc_conv_prepare fills so
 * many at `to`, which is aligned to 64 bytes. They serve calls of the same geometry, but for the
 * batch, dtype, algorithm and ISA, by the same version; others answer NPC_BAD_PREPARED. Results
 * have the bits of the plain call's, which is given the weight all the same. */
npc_status npc_conv_prepared_size(const npc_conv_geometry *geometry, npc_dtype dtype,
                                  const npc_options *options, int64_t *size);
npc_status npc_conv_prepare(const npc_conv_geometry *geometry, const void *weight, npc_dtype dtype,
                            const npc_options *options, void *to, int64_t size,
                            npc_plan_info *info);

/* grad (N, K, OD, OH, OW) -> out (K,), out of dtype `dtype`, C-contiguous. The weight gradient
 * writes the same bits to arrays->bias_grad, in less time. */
npc_status npc_conv_bias_grad(const npc_conv_geometry *geometry, const npc_array *grad, void *out,
                              npc_dtype dtype, const npc_options *options, npc_plan_info *info);

/* The same in integers, exact modulo 2^32 (dtype I32: all operands of 8 bits) or 2^64 (I64, U64).
 * `weight` (K, C/groups, KD, R, S) stands for that of `arrays`, is read or written where that would
 * be, and its five strides are of these axes; operands are of any integer dtype, bias and what is
 * written of `dtype`. There is no NPC_LEAKY_RELU and nothing prepared. */
npc_status npc_integer_conv(npc_conv_operation operation, const npc_conv_geometry *geometry,
                            const npc_conv_arrays *arrays, const npc_array *weight, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info);

/* Copies an array of any dtype to one of F32 or F64, or rounds one to F16 or BF16. */
npc_status npc_convert(const npc_array *from, const npc_array *to, const int64_t shape[NPC_AXES],
                       const npc_options *options, npc_plan_info *info);

/* The algorithms in the order of conv_algorithms.def, with their reasons to decline or predicted
 * times. `candidates` has room for npc_conv_algorithm_count() entries. *chosen is the one that
 * would run, or -1 if the one that is forced declines. */
npc_status npc_conv_candidates(npc_conv_operation operation, const npc_conv_geometry *geometry,
                               npc_dtype dtype, const npc_options *options,
                               npc_candidate *candidates, int *chosen);
int npc_conv_algorithm_count(void);
const char *npc_conv_algorithm_name(int algorithm);

/* Positions kept by max-pooling: flat in the input's D*H*W plane, or the tap's number in the
 * window ((kd * R) + r) * S + s. They are int64, but uint8 as NPC_INDEX_BYTE, which is the tap's
 * number in a window of at most 256 taps. */
typedef enum npc_index_kind { NPC_INDEX_FLAT, NPC_INDEX_WINDOW, NPC_INDEX_BYTE } npc_index_kind;

/* x -> y, and indices (N, C, OD, OH, OW) C-contiguous or NULL, flat ones for adaptive windows and
 * `starts`. Every window touches the input. NaN wins, the first of equals wins,
 * padding never wins. */
npc_status npc_max_pool(const npc_pool_geometry *geometry, const npc_array *x, const npc_array *y,
                        void *indices, npc_index_kind kind, npc_dtype dtype,
                        const npc_options *options, npc_plan_info *info);

/* grad (N, C, OD, OH, OW), indices as npc_max_pool gave them -> dx (N, C, D, H, W). An index out of
 * range gives NPC_BAD_INDEX, and anything in dx. */
npc_status npc_max_pool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                 const void *indices, npc_index_kind kind, const npc_array *dx,
                                 npc_dtype dtype, const npc_options *options, npc_plan_info *info);

/* The same for channels innermost: all arrays (N, ..., C), C-contiguous and of `dtype`; windows of
 * at most 256 taps, planes below 2^31 pixels, no adaptive windows. The backward pass answers
 * NPC_BAD_INDEX for a flat index outside of its window too. */
npc_status npc_max_pool_last(const npc_pool_geometry *geometry, const void *x, void *y,
                             void *indices, npc_index_kind kind, npc_dtype dtype,
                             const npc_options *options, npc_plan_info *info);
npc_status npc_max_pool_last_backward(const npc_pool_geometry *geometry, const void *grad,
                                      const void *indices, npc_index_kind kind, void *dx,
                                      npc_dtype dtype, const npc_options *options,
                                      npc_plan_info *info);

/* y and indices (N, C, OD, OH, OW) -> x (N, C, D, H, W), zero where no index points; where several
 * do, their sum if `add` is set, else the last. Of the geometry, only these sizes are looked at. */
npc_status npc_max_unpool(const npc_pool_geometry *geometry, const npc_array *y,
                          const int64_t *indices, int add, const npc_array *x, npc_dtype dtype,
                          const npc_options *options, npc_plan_info *info);
/* grad (N, C, D, H, W), indices -> dy, the elements they point to. */
npc_status npc_max_unpool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                   const int64_t *indices, const npc_array *dy, npc_dtype dtype,
                                   const npc_options *options, npc_plan_info *info);

/* What the sum of a window is divided by: `divisor`, or if that is 0 the number of its elements, of
 * those in the padding too if `include_pad` is set (but not of those behind it). */
typedef struct npc_avg_rule {
    int include_pad;
    double divisor;
} npc_avg_rule;

/* x -> y, means of windows, which may reach anywhere; without elements, 0. */
npc_status npc_avg_pool(const npc_pool_geometry *geometry, const npc_array *x, const npc_array *y,
                        const npc_avg_rule *rule, npc_dtype dtype, const npc_options *options,
                        npc_plan_info *info);
/* grad (N, C, OD, OH, OW) -> dx (N, C, D, H, W). */
npc_status npc_avg_pool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                 const npc_array *dx, const npc_avg_rule *rule, npc_dtype dtype,
                                 const npc_options *options, npc_plan_info *info);

/* x -> y = (sum of |x|^norm)^(1/norm) over windows; norm > 0. */
npc_status npc_lp_pool(const npc_pool_geometry *geometry, const npc_array *x, const npc_array *y,
                       double norm, npc_dtype dtype, const npc_options *options,
                       npc_plan_info *info);
/* grad, x, y -> dx. */
npc_status npc_lp_pool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                const npc_array *x, const npc_array *y, const npc_array *dx,
                                double norm, npc_dtype dtype, const npc_options *options,
                                npc_plan_info *info);

/* Column matrices: cols (N, C*KD*R*S, OD*OH*OW) with byte strides cols->stride[0..2]; x and dx
 * (N, C, D, H, W). groups and out_channels of the geometry are ignored. */
npc_status npc_im2col(const npc_conv_geometry *geometry, const npc_array *x, const npc_array *cols,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info);
npc_status npc_col2im(const npc_conv_geometry *geometry, const npc_array *cols, const npc_array *dx,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info);

typedef enum npc_pad_mode {
    NPC_PAD_CONSTANT,
    NPC_PAD_REFLECT,
    NPC_PAD_EDGE,
    NPC_PAD_SYMMETRIC,
    NPC_PAD_WRAP
} npc_pad_mode;

/* Any rank up to NPC_MAX_RANK. out has shape[i] + before[i] + after[i] elements along axis i. */
typedef struct npc_pad_geometry {
    int rank;
    npc_pad_mode mode;
    int64_t shape[NPC_MAX_RANK], before[NPC_MAX_RANK], after[NPC_MAX_RANK];
} npc_pad_geometry;

/* x: `x_stride` in bytes, items of `item_size` (1, 2, 4, 8 or 16), each made of `swap_size`-byte
 * words to reverse (0: native order). values: (rank, 2) items, before and after, native.
 * out: C-contiguous, native. */
npc_status npc_pad(const npc_pad_geometry *geometry, const char *x, const int64_t *x_stride,
                   int item_size, int swap_size, const char *values, char *out,
                   const npc_options *options, npc_plan_info *info);

/* grad: `grad_stride` in bytes, any dtype; dx: C-contiguous of `dtype`, the sum of all gradients of
 * elements that npc_pad copied from each element. `dtype` is F32, F64, or for an integer grad I32,
 * I64 or U64. */
npc_status npc_pad_backward(const npc_pad_geometry *geometry, const npc_array *grad,
                            const int64_t *grad_stride, void *dx, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info);

/* Operations element by element, on arrays of one shape. `operand` are described with each; operand
 * 0 is written. An operand may be the same elements as another one, but not overlap it otherwise.
 */
enum { NPC_OPERANDS = 4 };
typedef struct npc_operand {
    char *data; /* NULL: there is none */
    int64_t stride[NPC_MAX_RANK];
    npc_dtype dtype;
    int swapped, misaligned;
} npc_operand;
typedef struct npc_elements {
    int rank;
    int64_t shape[NPC_MAX_RANK];
    npc_operand operand[NPC_OPERANDS];
} npc_elements;

/* 0: activation(1 + 2), or activation(1). */
npc_status npc_activate(const npc_elements *elements, npc_activation activation, double slope,
                        npc_dtype dtype, const npc_options *options, npc_plan_info *info);
/* 0: the gradient before the activation; 1: that after it; 2: the activation's result; for
 * NPC_LEAKY_RELU, its result or argument. A closed gate gives zero whatever the gradient. */
npc_status npc_activate_grad(const npc_elements *elements, npc_activation activation, double slope,
                             npc_dtype dtype, const npc_options *options, npc_plan_info *info);

/* Optimisers. 0: the parameter p; 1: its gradient g; 2, 3: state, which is kept from step to step.
 * All but 1 are changed. First p *= shrink; g += decay * p; then
 *   NPC_SGD       p -= rate * g
 *   NPC_MOMENTUM  v = beta1 * v - rate * g; p += v                    v: state 2
 *   NPC_NESTEROV  v = beta1 * v - rate * g; p += beta1 * v - rate * g
 *   NPC_ADAGRAD   h += g * g; p -= rate * g / (sqrt(h) + epsilon)     h: state 2
 *   NPC_RMSPROP   h += (1 - beta2) * (g * g - h); p likewise
 *   NPC_ADAM      m += (1 - beta1) * (g - m); v += (1 - beta2) * (g * g - v);
 *                 p -= rate * (m / (sqrt(v) + epsilon))               m, v: state 2 and 3
 * Each operation is rounded to the computation's dtype, so all ISAs give the same bits. */
typedef enum npc_update_rule {
    NPC_SGD,
    NPC_MOMENTUM,
    NPC_NESTEROV,
    NPC_ADAGRAD,
    NPC_RMSPROP,
    NPC_ADAM
} npc_update_rule;
typedef struct npc_update_settings {
    npc_update_rule rule;
    double rate, shrink, decay, beta1, beta2, epsilon;
} npc_update_settings;
npc_status npc_update(const npc_elements *elements, const npc_update_settings *settings,
                      npc_dtype dtype, const npc_options *options, npc_plan_info *info);

/* Instruction sets, best first. */
int npc_isa_count(void);
const char *npc_isa_name(int isa);
int npc_isa_compiled(int isa);
int npc_isa_supported(int isa); /* by this CPU and operating system */
/* Names of the CPU features found, separated by spaces; static storage. */
const char *npc_cpu_features(void);

/* Threads. The default holds for the whole process. */
int npc_has_openmp(void);
int npc_max_threads(void); /* usable cores */
int npc_get_num_threads(void);
void npc_set_num_threads(int num_threads);

/* Memory for results and shared workspace, aligned to 64 bytes. Blocks from a size on that are
 * given back wait for what they fit, so many in the process; none in a forked child at first.
 * Callable from any thread. */
#define NPC_RECYCLE_SMALLEST ((size_t)256 << 10) /* the C library keeps smaller ones by itself */
#define NPC_RECYCLE_BLOCKS 32
#define NPC_RECYCLE_BYTES ((size_t)64 << 20)
void *npc_recycle_take(size_t bytes); /* NULL: no memory */
void npc_recycle_give(void *memory);  /* or NULL */
size_t npc_recycle_capacity(const void *memory);
void npc_recycle_enable(int on); /* off: what waits is freed, and what comes back, too */
void npc_recycle_state(int *blocks, int64_t *bytes);

/* Which kernel slots have run since the last reset, for tests. Returns the number of slots;
 * name and reached may be NULL. Names look like "avx512/f32/uk1_9x3:tail". */
int npc_coverage_count(void);
void npc_coverage_slot(int slot, char *name, size_t name_size, int *usable, int *reached);
void npc_coverage_reset(void);

/* Runs micro-kernel UK1 of `rows` x `vecs` vectors with operands in L1, depth `depth`, `repeats`
 * times; for benches. Returns the floating-point operations done, 0 if there is no such slot. */
double npc_bench_uk1(int isa, npc_dtype dtype, int rows, int vecs, int64_t depth, int64_t repeats);

#ifdef __cplusplus
}
#endif
#endif
