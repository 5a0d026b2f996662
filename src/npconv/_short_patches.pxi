# Short cuts of im2col and col2im, included by _native.pyx.

cdef bint _columns_of(npc_conv_geometry *g, const int64_t *x, object kernel_size, object stride,
                      object padding, object dilation, cnp.npy_intp *cols) noexcept:
    """The geometry of columns of images of a shape, and the columns' shape."""
    cdef double size
    if not (_short_pair(<PyObject *>kernel_size, 1, g.kernel)
            and _short_pair(<PyObject *>stride, 1, g.stride)
            and _short_pair(<PyObject *>padding, 0, g.pad_before)
            and _short_pair(<PyObject *>dilation, 1, g.dilation)):
        return False
    g.batch, g.in_channels = x[0], x[1]
    g.groups = g.out_channels = g.kernel[0] = 1
    if not _short_axes(g.input, g.kernel, g.output, g.stride, g.dilation, g.pad_before,
                       g.pad_after, x):
        return False
    size = 8 * <double>x[0] * <double>x[1] * <double>g.kernel[1] * <double>g.kernel[2]
    size *= <double>g.output[1] * <double>g.output[2]
    if size > LARGEST_TOTAL or not _is_addressable(x):
        return False
    cols[0], cols[1], cols[2] = x[0], x[1] * g.kernel[1] * g.kernel[2], g.output[1] * g.output[2]
    return True


cdef bint _usual_wishes(object order, object layout, object isa, object num_threads,
                        npc_options *options) noexcept:
    cdef int64_t threads
    if (not _short_ready or isa is not None or type(order) is not str or order != "NCP"
            or type(layout) is not str or layout != "NCHW"):
        return False
    options[0] = _short_options
    if num_threads is None:
        return True
    if not _short_int(<PyObject *>num_threads, 1, &threads) or threads > 1024:
        return False
    options.num_threads = <int>threads
    return True


cdef void _describe_columns(npc_array *to, cnp.ndarray cols, npc_dtype dtype) noexcept:
    cdef int i
    to.data = <char *>cnp.PyArray_DATA(cols)
    to.dtype = dtype
    to.swapped = to.misaligned = 0
    to.stride[3] = 0
    for i in range(3):
        to.stride[i] = cnp.PyArray_STRIDE(cols, i)
    to.stride[4] = to.stride[2]


def usual_im2col(x, kernel_size, stride, padding, dilation, order, layout, isa, num_threads):
    """What npconv.im2col returns for plain images, exact ints and columns in their usual order;
    None for anything else, and where it would raise."""
    cdef npc_conv_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    cdef int64_t shape[4]
    cdef cnp.npy_intp columns[3]
    if not (_usual_wishes(order, layout, isa, num_threads, &o)
            and _short_array(<PyObject *>x, &source, shape)
            and _columns_of(&g, shape, kernel_size, stride, padding, dilation, columns)):
        return None
    cols = _new_array(3, columns, _type_number(source.dtype),
                      <double>cnp.PyArray_ITEMSIZE(<cnp.ndarray>x))
    _describe_columns(&target, cols, source.dtype)
    if cnp.PyArray_SIZE(<cnp.ndarray>cols) > BRIEF_FLOPS:
        o.interrupted = _interrupted
    with nogil:
        status = npc_im2col(&g, &source, &target, source.dtype, &o, npc_last_plan())
    _check(status)
    return cols


def usual_col2im(cols, input_shape, kernel_size, stride, padding, dilation, order, layout, isa,
                 num_threads):
    """Likewise, npconv.col2im."""
    cdef npc_conv_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef int64_t shape[4]
    cdef cnp.npy_intp columns[3]
    cdef int i
    if not (_usual_wishes(order, layout, isa, num_threads, &o)
            and _short_shape(<PyObject *>input_shape, shape)
            and _columns_of(&g, shape, kernel_size, stride, padding, dilation, columns)
            and type(cols) is cnp.ndarray and cnp.PyArray_NDIM(<cnp.ndarray>cols) == 3
            and _short_dtype(<PyObject *>cols, &dtype)):
        return None
    for i in range(3):
        if cnp.PyArray_DIM(<cnp.ndarray>cols, i) != columns[i]:
            return None
    _describe_columns(&source, cols, dtype)
    dx = _new(dtype, shape[0], shape[1], shape[2], shape[3], &target)
    if cnp.PyArray_SIZE(<cnp.ndarray>cols) > BRIEF_FLOPS:
        o.interrupted = _interrupted
    with nogil:
        status = npc_col2im(&g, &source, &target, dtype, &o, npc_last_plan())
    _check(status)
    return dx
