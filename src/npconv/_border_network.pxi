# The border, included by _native.pyx: the operations around the convolutions of a network.

cdef void *_matrix(cnp.ndarray array, str name, int64_t rows, int64_t columns, npc_dtype dtype,
                   int64_t *stride) except? NULL:
    """The pointer to a matrix whose rows are contiguous, and how far these are apart."""
    cdef npc_dtype found
    cdef int64_t size = cnp.PyArray_ITEMSIZE(array)
    _find_dtype(array, &found)
    if (cnp.PyArray_NDIM(array) != 2 or cnp.PyArray_DIM(array, 0) != rows
            or cnp.PyArray_DIM(array, 1) != columns):
        raise ValueError(f"{name} has shape {(<object>array).shape}, expected {(rows, columns)}")
    if (found != dtype or not cnp.PyArray_ISALIGNED(array) or not cnp.PyArray_ISNOTSWAPPED(array)
            or (rows > 0 and columns > 1 and cnp.PyArray_STRIDE(array, 1) != size)):
        raise ValueError(f"{name} must have contiguous rows of the result's dtype")
    stride[0] = cnp.PyArray_STRIDE(array, 0)
    return cnp.PyArray_DATA(array)


def linear(cnp.ndarray x, cnp.ndarray weight, cnp.ndarray bias, cnp.ndarray out, activation,
           double slope, tuple options):
    cdef npc_linear_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef int64_t unused
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    a.rows, a.outputs = (<object>out).shape
    a.inputs = (<object>x).shape[1]
    a.x = _matrix(x, "x", a.rows, a.inputs, dtype, &a.x_stride_bytes)
    a.weight = _operand(weight, "weight", (a.outputs, a.inputs), dtype)
    a.bias = NULL if bias is None else _operand(bias, "bias", (a.outputs,), dtype)
    a.y = _matrix(out, "out", a.rows, a.outputs, dtype, &unused)
    a.activation = NPC_NO_ACTIVATION
    if activation is not None:
        a.activation = _look_up(_activations, "activation", activation)
    a.slope = slope
    _read_options(&o, options)
    with nogil:
        status = npc_linear(&a, dtype, &o, npc_last_plan())
    _check(status)


def product(cnp.ndarray a, cnp.ndarray b, cnp.ndarray out, tuple options):
    """The matrix product of a and b."""
    cdef npc_product_arrays p
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef int64_t unused
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    p.rows, p.columns = (<object>out).shape
    p.depth = (<object>b).shape[0]
    p.a = _matrix(a, "a", p.rows, p.depth, dtype, &p.a_stride_bytes)
    p.b = _matrix(b, "b", p.depth, p.columns, dtype, &p.b_stride_bytes)
    p.c = _matrix(out, "out", p.rows, p.columns, dtype, &unused)
    _read_options(&o, options)
    with nogil:
        status = npc_product(&p, dtype, &o, npc_last_plan())
    _check(status)


cdef int _read_extent(int64_t *batch, int64_t *channels, int64_t *extent,
                      tuple shape) except -1:
    cdef int i, spatial = len(shape) - 2
    if not 0 <= spatial <= 3:
        raise ValueError(f"x has shape {shape}, expected two to five axes")
    batch[0], channels[0] = shape[0], shape[1]
    for i in range(3):
        extent[i] = 1
    for i in range(spatial):
        extent[3 - spatial + i] = shape[2 + i]
    return 0


cdef double *_doubles(cnp.ndarray array, str name, tuple shape) except? NULL:
    if array is None:
        return NULL
    return <double *>_operand(array, name, shape, NPC_F64)


def batch_norm(cnp.ndarray x, cnp.ndarray weight, cnp.ndarray bias, cnp.ndarray mean,
               cnp.ndarray variance, cnp.ndarray out, double eps, bint training, tuple options,
               activation=None, double slope=0):
    """mean and variance, of float64, are written in training, read otherwise."""
    cdef npc_norm_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    shape = (<object>x).shape
    _read_extent(&a.batch, &a.channels, a.extent, shape)
    _find_dtype(out, &dtype)
    _check_out(out, dtype, False)
    _describe(&a.x, x, "x", shape)
    _describe(&a.to, out, "out", shape)
    a.grad.data = NULL
    channels = (a.channels,)
    a.weight = _doubles(weight, "weight", channels)
    a.bias = _doubles(bias, "bias", channels)
    a.mean = _doubles(mean, "mean", channels)
    a.variance = _doubles(variance, "variance", channels)
    a.inverse = a.sums = NULL
    a.eps = eps
    a.training = training
    a.activation = NPC_NO_ACTIVATION
    if activation is not None:
        a.activation = _look_up(_activations, "activation", activation)
    a.slope = slope
    _read_options(&o, options)
    with nogil:
        status = npc_batch_norm(&a, dtype, &o, npc_last_plan())
    _check(status)


def batch_norm_backward(cnp.ndarray grad, cnp.ndarray x, cnp.ndarray weight, cnp.ndarray mean,
                        cnp.ndarray inverse, cnp.ndarray sums, cnp.ndarray out, dtype_name,
                        bint training, tuple options):
    """sums (C, 2) of grad and grad * (x - mean), unless None; then out, unless None."""
    cdef npc_norm_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype = _look_up(_dtypes, "dtype", dtype_name), found
    shape = (<object>x).shape
    _read_extent(&a.batch, &a.channels, a.extent, shape)
    _describe(&a.x, x, "x", shape)
    _describe(&a.grad, grad, "grad", shape)
    a.to.data = NULL
    if out is not None:
        _find_dtype(out, &found)
        _check_out(out, found, False)
        if found != dtype:
            raise TypeError(f"out has dtype {out.dtype}, expected {dtype_name}")
        _describe(&a.to, out, "out", shape)
    channels = (a.channels,)
    a.weight = _doubles(weight, "weight", channels)
    a.mean = _doubles(mean, "mean", channels)
    a.inverse = _doubles(inverse, "inverse", channels)
    a.sums = _doubles(sums, "sums", (a.channels, 2))
    a.bias = a.variance = NULL
    a.eps = 0
    a.training = training
    a.activation = NPC_NO_ACTIVATION
    a.slope = 0
    _read_options(&o, options)
    with nogil:
        status = npc_batch_norm(&a, dtype, &o, npc_last_plan())
    _check(status)


cdef int _read_channels(npc_channel_arrays *a, cnp.ndarray x, cnp.ndarray grad, cnp.ndarray out,
                        npc_dtype *dtype) except -1:
    shape = (<object>x).shape
    _read_extent(&a.batch, &a.channels, a.extent, shape)
    _find_dtype(out, dtype)
    _check_out(out, dtype[0], False)
    _describe(&a.x, x, "x", shape)
    _describe(&a.to, out, "out", shape)
    a.grad.data = NULL
    if grad is not None:
        _describe(&a.grad, grad, "grad", shape)
    return 0


def local_response_norm(cnp.ndarray x, cnp.ndarray grad, cnp.ndarray out, int64_t size,
                        double alpha, double beta, double k, tuple options):
    """The forward pass, or with a grad the backward one."""
    cdef npc_channel_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    _read_channels(&a, x, grad, out, &dtype)
    _read_options(&o, options)
    with nogil:
        status = npc_response_norm(&a, size, alpha, beta, k, dtype, &o, npc_last_plan())
    _check(status)


def softmax(cnp.ndarray x, cnp.ndarray grad, cnp.ndarray out, bint logarithm, tuple options):
    """Along axis 1; with a grad, x is the forward pass's result."""
    cdef npc_channel_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    _read_channels(&a, x, grad, out, &dtype)
    _read_options(&o, options)
    with nogil:
        status = npc_softmax(&a, logarithm, dtype, &o, npc_last_plan())
    _check(status)


def softmax_loss(cnp.ndarray x, cnp.ndarray labels, cnp.ndarray grad, tuple options):
    """The mean cross-entropy of x's softmax with labels, of int64; grad, unless None, is written.
    None if a label is no class."""
    cdef npc_softmax_loss_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef int64_t unused
    _find_dtype(x, &dtype)
    a.rows, a.classes = (<object>x).shape
    a.x = _matrix(x, "x", a.rows, a.classes, dtype, &a.x_stride_bytes)
    if ((<object>labels).shape != (a.rows,) or cnp.PyArray_TYPE(labels) != cnp.NPY_INT64
            or not cnp.PyArray_ISCARRAY_RO(labels)):
        raise ValueError("labels must be C-contiguous int64, one for each row")
    a.labels = <const int64_t *>cnp.PyArray_DATA(labels)
    a.grad = NULL
    if grad is not None:
        _check_out(grad, dtype, True)
        a.grad = _matrix(grad, "grad", a.rows, a.classes, dtype, &unused)
    _read_options(&o, options)
    with nogil:
        status = npc_softmax_loss(&a, dtype, &o, npc_last_plan())
    if status == NPC_BAD_INDEX:
        return None
    _check(status)
    return a.loss


def dropout(cnp.ndarray x, cnp.ndarray draws, uint32_t threshold, double scale, cnp.ndarray mask,
            cnp.ndarray out, tuple options):
    """Fill mask from draws, or with draws None take it as it is; then out."""
    cdef npc_dropout_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    shape = (<object>out).shape
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    a.count = cnp.PyArray_SIZE(out)
    a.from_ = _operand(x, "x", shape, dtype)
    a.mask = <uint8_t *>_operand(mask, "mask", shape, NPC_U8)
    a.draws = NULL if draws is None else <uint32_t *>_operand(draws, "draws", shape, NPC_U32)
    if draws is not None and not cnp.PyArray_ISWRITEABLE(mask):
        raise ValueError("mask is read-only")
    a.threshold = threshold
    a.scale = scale
    a.to = cnp.PyArray_DATA(out)
    _read_options(&o, options)
    with nogil:
        status = npc_dropout(&a, dtype, &o, npc_last_plan())
    _check(status)


def warp(cnp.ndarray images, cnp.ndarray matrices, cnp.ndarray offsets, cnp.ndarray out,
         tuple options):
    """Turn, resize and move each image: a matrix (2, 2) and an offset (2) for each."""
    cdef npc_warp_arrays a
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    shape = (<object>out).shape
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    a.batch, a.channels, a.height, a.width = shape
    a.from_ = _operand(images, "images", shape, dtype)
    a.matrices = _operand(matrices, "matrices", (a.batch, 2, 2), dtype)
    a.offsets = _operand(offsets, "offsets", (a.batch, 2), dtype)
    a.to = cnp.PyArray_DATA(out)
    _read_options(&o, options)
    with nogil:
        status = npc_warp(&a, dtype, &o, npc_last_plan())
    _check(status)
