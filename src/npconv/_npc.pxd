# Declarations of csrc/include/npc.h, whose comments say what everything means.
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef extern from "npc.h" nogil:
    ctypedef enum npc_status:
        NPC_OK
        NPC_NO_MEMORY
        NPC_INTERRUPTED
        NPC_BAD_INDEX
        NPC_BAD_PREPARED
        NPC_UNSUPPORTED_ALGORITHM
        NPC_UNSUPPORTED_ISA
        NPC_INVALID_GEOMETRY
    const char *npc_version()
    const char *npc_status_text(npc_status status)

    ctypedef enum npc_dtype:
        NPC_F32
        NPC_F64
        NPC_F16
        NPC_BF16
        NPC_I8
        NPC_U8
        NPC_I16
        NPC_U16
        NPC_I32
        NPC_U32
        NPC_I64
        NPC_U64

    ctypedef struct npc_array:
        char *data
        int64_t stride[5]
        npc_dtype dtype
        int swapped
        int misaligned

    ctypedef struct npc_conv_geometry:
        int64_t batch, groups, in_channels, out_channels
        int64_t input[3]
        int64_t kernel[3]
        int64_t output[3]
        int64_t stride[3]
        int64_t dilation[3]
        int64_t pad_before[3]
        int64_t pad_after[3]

    ctypedef struct npc_pool_geometry:
        int64_t batch, channels
        int64_t input[3]
        int64_t kernel[3]
        int64_t output[3]
        int64_t stride[3]
        int64_t dilation[3]
        int64_t pad_before[3]
        int64_t pad_after[3]
        int adaptive
        int smallest
        const int64_t *starts

    ctypedef enum npc_conv_operation:
        NPC_FORWARD
        NPC_INPUT_GRAD
        NPC_WEIGHT_GRAD

    ctypedef enum npc_activation:
        NPC_NO_ACTIVATION
        NPC_RELU
        NPC_RELU6
        NPC_LEAKY_RELU
        NPC_ELU
        NPC_SIGMOID
        NPC_TANH

    ctypedef struct npc_conv_arrays:
        npc_array x
        npc_array y
        void *weight
        const void *bias
        npc_array add
        npc_activation activation
        double slope
        void *bias_grad
        const void *prepared
        int64_t prepared_bytes

    ctypedef struct npc_options:
        int algorithm
        int isa
        int num_threads
        int strict
        int channels_last
        int (*interrupted)() noexcept nogil

    int NPC_AUTO

    ctypedef struct npc_plan_info:
        const char *operation
        const char *algorithm
        const char *isa
        const char *dtype
        int num_threads
        int64_t pieces
        int64_t workspace_bytes
    npc_plan_info *npc_last_plan()

    enum: NPC_COST_FEATURES
    ctypedef struct npc_candidate:
        const char *name
        const char *reason
        double seconds
        double feature[12]

    npc_status npc_conv(npc_conv_operation operation, const npc_conv_geometry *geometry,
                        const npc_conv_arrays *arrays, npc_dtype dtype,
                        const npc_options *options, npc_plan_info *info)
    npc_status npc_conv_prepared_size(const npc_conv_geometry *geometry, npc_dtype dtype,
                                      const npc_options *options, int64_t *size)
    npc_status npc_conv_prepare(const npc_conv_geometry *geometry, const void *weight,
                                npc_dtype dtype, const npc_options *options, void *to,
                                int64_t size, npc_plan_info *info)
    npc_status npc_conv_bias_grad(const npc_conv_geometry *geometry, const npc_array *grad,
                                  void *out, npc_dtype dtype, const npc_options *options,
                                  npc_plan_info *info)
    npc_status npc_integer_conv(npc_conv_operation operation, const npc_conv_geometry *geometry,
                                const npc_conv_arrays *arrays, const npc_array *weight,
                                npc_dtype dtype, const npc_options *options, npc_plan_info *info)
    npc_status npc_convert(const npc_array *source, const npc_array *to, const int64_t *shape,
                           const npc_options *options, npc_plan_info *info)
    npc_status npc_conv_candidates(npc_conv_operation operation,
                                   const npc_conv_geometry *geometry, npc_dtype dtype,
                                   const npc_options *options, npc_candidate *candidates,
                                   int *chosen)
    int npc_conv_algorithm_count()
    const char *npc_conv_algorithm_name(int algorithm)

    ctypedef enum npc_index_kind:
        NPC_INDEX_FLAT
        NPC_INDEX_WINDOW
        NPC_INDEX_BYTE
    npc_status npc_max_pool(const npc_pool_geometry *geometry, const npc_array *x,
                            const npc_array *y, void *indices, npc_index_kind kind,
                            npc_dtype dtype, const npc_options *options, npc_plan_info *info)
    npc_status npc_max_pool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                     const void *indices, npc_index_kind kind,
                                     const npc_array *dx, npc_dtype dtype,
                                     const npc_options *options, npc_plan_info *info)

    npc_status npc_max_pool_last(const npc_pool_geometry *geometry, const void *x, void *y,
                                 void *indices, npc_index_kind kind, npc_dtype dtype,
                                 const npc_options *options, npc_plan_info *info)
    npc_status npc_max_pool_last_backward(const npc_pool_geometry *geometry, const void *grad,
                                          const void *indices, npc_index_kind kind, void *dx,
                                          npc_dtype dtype, const npc_options *options,
                                          npc_plan_info *info)
    npc_status npc_max_unpool(const npc_pool_geometry *geometry, const npc_array *y,
                              const int64_t *indices, int add, const npc_array *x,
                              npc_dtype dtype, const npc_options *options, npc_plan_info *info)
    npc_status npc_max_unpool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                       const int64_t *indices, const npc_array *dy,
                                       npc_dtype dtype, const npc_options *options,
                                       npc_plan_info *info)

    ctypedef struct npc_avg_rule:
        int include_pad
        double divisor
    npc_status npc_avg_pool(const npc_pool_geometry *geometry, const npc_array *x,
                            const npc_array *y, const npc_avg_rule *rule, npc_dtype dtype,
                            const npc_options *options, npc_plan_info *info)
    npc_status npc_avg_pool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                     const npc_array *dx, const npc_avg_rule *rule,
                                     npc_dtype dtype, const npc_options *options,
                                     npc_plan_info *info)
    npc_status npc_lp_pool(const npc_pool_geometry *geometry, const npc_array *x,
                           const npc_array *y, double norm, npc_dtype dtype,
                           const npc_options *options, npc_plan_info *info)
    npc_status npc_lp_pool_backward(const npc_pool_geometry *geometry, const npc_array *grad,
                                    const npc_array *x, const npc_array *y, const npc_array *dx,
                                    double norm, npc_dtype dtype, const npc_options *options,
                                    npc_plan_info *info)

    npc_status npc_im2col(const npc_conv_geometry *geometry, const npc_array *x,
                          const npc_array *cols, npc_dtype dtype, const npc_options *options,
                          npc_plan_info *info)
    npc_status npc_col2im(const npc_conv_geometry *geometry, const npc_array *cols,
                          const npc_array *dx, npc_dtype dtype, const npc_options *options,
                          npc_plan_info *info)

    ctypedef enum npc_pad_mode:
        NPC_PAD_CONSTANT
        NPC_PAD_REFLECT
        NPC_PAD_EDGE
        NPC_PAD_SYMMETRIC
        NPC_PAD_WRAP
    enum: NPC_MAX_RANK
    ctypedef struct npc_pad_geometry:
        int rank
        npc_pad_mode mode
        int64_t shape[64]
        int64_t before[64]
        int64_t after[64]
    npc_status npc_pad(const npc_pad_geometry *geometry, const char *x, const int64_t *x_stride,
                       int item_size, int swap_size, const char *values, char *out,
                       const npc_options *options, npc_plan_info *info)
    npc_status npc_pad_backward(const npc_pad_geometry *geometry, const npc_array *grad,
                                const int64_t *grad_stride, void *dx, npc_dtype dtype,
                                const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_operand:
        char *data
        int64_t stride[64]
        npc_dtype dtype
        int swapped
        int misaligned
    ctypedef struct npc_elements:
        int rank
        int64_t shape[64]
        npc_operand operand[4]
    npc_status npc_activate(const npc_elements *elements, npc_activation activation, double slope,
                            npc_dtype dtype, const npc_options *options, npc_plan_info *info)
    npc_status npc_activate_grad(const npc_elements *elements, npc_activation activation,
                                 double slope, npc_dtype dtype, const npc_options *options,
                                 npc_plan_info *info)

    ctypedef enum npc_update_rule:
        NPC_SGD
        NPC_MOMENTUM
        NPC_NESTEROV
        NPC_ADAGRAD
        NPC_RMSPROP
        NPC_ADAM
    ctypedef struct npc_update_settings:
        npc_update_rule rule
        double rate, shrink, decay, beta1, beta2, epsilon
    npc_status npc_update(const npc_elements *elements, const npc_update_settings *settings,
                          npc_dtype dtype, const npc_options *options, npc_plan_info *info)

    int npc_isa_count()
    const char *npc_isa_name(int isa)
    int npc_isa_compiled(int isa)
    int npc_isa_supported(int isa)
    const char *npc_cpu_features()
    int npc_has_openmp()
    int npc_max_threads()
    int npc_get_num_threads()
    void npc_set_num_threads(int num_threads)
    size_t NPC_RECYCLE_SMALLEST
    void *npc_recycle_take(size_t bytes)
    void npc_recycle_give(void *memory)
    size_t npc_recycle_capacity(const void *memory)
    void npc_recycle_enable(int on)
    void npc_recycle_state(int *blocks, int64_t *bytes)
    int npc_coverage_count()
    void npc_coverage_slot(int slot, char *name, size_t name_size, int *usable, int *reached)
    void npc_coverage_reset()
    double npc_bench_uk1(int isa, npc_dtype dtype, int rows, int vecs, int64_t depth,
                         int64_t repeats)

cdef extern from "npc_border.h" nogil:
    ctypedef struct npc_border:
        npc_pad_mode mode
        int64_t before[3]
        int64_t after[3]

    npc_status npc_conv_bordered(npc_conv_operation operation, const npc_conv_geometry *geometry,
                                 const npc_conv_arrays *arrays, const npc_border *border,
                                 npc_dtype dtype, const npc_options *options, npc_plan_info *info)


cdef extern from "npc_network.h" nogil:
    ctypedef struct npc_linear_arrays:
        int64_t rows, inputs, outputs
        const void *x
        const void *weight
        const void *bias
        void *y
        int64_t x_stride_bytes
        npc_activation activation
        double slope
    npc_status npc_linear(const npc_linear_arrays *arrays, npc_dtype dtype,
                          const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_product_arrays:
        int64_t rows, depth, columns
        const void *a
        const void *b
        void *c
        int64_t a_stride_bytes, b_stride_bytes
    npc_status npc_product(const npc_product_arrays *arrays, npc_dtype dtype,
                           const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_norm_arrays:
        int64_t batch, channels
        int64_t extent[3]
        npc_array x
        npc_array grad
        npc_array to
        const double *weight
        const double *bias
        double *mean
        double *variance
        const double *inverse
        double *sums
        double eps
        int training
        npc_activation activation
        double slope
    npc_status npc_batch_norm(const npc_norm_arrays *arrays, npc_dtype dtype,
                              const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_channel_arrays:
        int64_t batch, channels
        int64_t extent[3]
        npc_array x
        npc_array grad
        npc_array to
    npc_status npc_response_norm(const npc_channel_arrays *arrays, int64_t size, double alpha,
                                 double beta, double k, npc_dtype dtype,
                                 const npc_options *options, npc_plan_info *info)
    npc_status npc_softmax(const npc_channel_arrays *arrays, int logarithm, npc_dtype dtype,
                           const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_softmax_loss_arrays:
        int64_t rows, classes
        const void *x
        int64_t x_stride_bytes
        const int64_t *labels
        void *grad
        double loss
    npc_status npc_softmax_loss(npc_softmax_loss_arrays *arrays, npc_dtype dtype,
                                const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_dropout_arrays:
        int64_t count
        const void *from_ "from"
        const uint32_t *draws
        uint32_t threshold
        double scale
        uint8_t *mask
        void *to
    npc_status npc_dropout(const npc_dropout_arrays *arrays, npc_dtype dtype,
                           const npc_options *options, npc_plan_info *info)

    ctypedef struct npc_warp_arrays:
        int64_t batch, channels, height, width
        const void *from_ "from"
        const void *matrices
        const void *offsets
        void *to
    npc_status npc_warp(const npc_warp_arrays *arrays, npc_dtype dtype,
                        const npc_options *options, npc_plan_info *info)
