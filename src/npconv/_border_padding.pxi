# The border, included by _native.pyx: padding.

cdef bint _usual_widths(npc_pad_geometry *g, object pad_width) except -1:
    """Read one exact int, or a tuple of pairs of them, into a geometry of g.rank axes."""
    cdef int i
    cdef int64_t before, after
    if type(pad_width) is int:
        if not _short_int(<PyObject *>pad_width, 0, &before):
            return False
        for i in range(g.rank):
            g.before[i] = g.after[i] = before
        return True
    if type(pad_width) is not tuple or len(<tuple>pad_width) != g.rank:
        return False
    for i in range(g.rank):
        pair = (<tuple>pad_width)[i]
        if (type(pair) is not tuple or len(<tuple>pair) != 2
                or not _short_int(PyTuple_GetItem(<PyObject *>pair, 0), 0, &before)
                or not _short_int(PyTuple_GetItem(<PyObject *>pair, 1), 0, &after)):
            return False
        g.before[i], g.after[i] = before, after
    return True


cdef bint _usual_sizes(const npc_pad_geometry *g, cnp.npy_intp *padded) noexcept:
    """Whether g can be padded, to what fits into memory; its sizes."""
    cdef double total = 8
    cdef int i
    for i in range(g.rank):
        if g.shape[i] < 0 or g.shape[i] > LARGEST:
            return False
        if g.shape[i] == 0 and g.mode != NPC_PAD_CONSTANT:
            return False
        padded[i] = g.before[i] + g.shape[i] + g.after[i]
        total *= <double>padded[i]
    return total < LARGEST_TOTAL


cdef bint _is_usual_array(object array) noexcept:
    cdef int number
    if type(array) is not cnp.ndarray:
        return False
    number = cnp.PyArray_TYPE(<cnp.ndarray>array)
    return ((number == cnp.NPY_FLOAT or number == cnp.NPY_DOUBLE)
            and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>array)
            and 1 <= cnp.PyArray_NDIM(<cnp.ndarray>array) <= NPC_MAX_RANK)


def usual_pad(x, pad_width, mode, constant_values, num_threads):
    """What npconv.pad returns for native floats, exact ints and zeros; None for anything else, and
    where it would raise."""
    cdef npc_pad_geometry g
    cdef npc_options o
    cdef npc_status status
    cdef int64_t stride[64]
    cdef cnp.npy_intp padded[64]
    cdef double values[128]
    cdef const char *source
    cdef char *to
    cdef int i, size
    if (not _is_usual_array(x) or not _short_ready or num_threads is not None
            or type(mode) is not str or mode not in _pad_modes
            or type(constant_values) is not int or constant_values != 0):
        return None
    g.rank = cnp.PyArray_NDIM(<cnp.ndarray>x)
    g.mode = <npc_pad_mode><int>_pad_modes[mode]
    for i in range(g.rank):
        g.shape[i] = cnp.PyArray_DIM(<cnp.ndarray>x, i)
        stride[i] = cnp.PyArray_STRIDE(<cnp.ndarray>x, i)
    if not _usual_widths(&g, pad_width) or not _usual_sizes(&g, padded):
        return None
    size = cnp.PyArray_ITEMSIZE(<cnp.ndarray>x)
    result = _new_array(g.rank, padded, cnp.PyArray_TYPE(<cnp.ndarray>x), <double>size)
    memset(values, 0, 16 * g.rank)
    source = <const char *>cnp.PyArray_DATA(<cnp.ndarray>x)
    to = <char *>cnp.PyArray_DATA(<cnp.ndarray>result)
    o = _short_options
    with nogil:
        status = npc_pad(&g, source, stride, size, 0, <const char *>values, to, &o,
                         npc_last_plan())
    _check(status)
    return result


def usual_pad_backward(grad, pad_width, mode, num_threads):
    """Likewise, npconv.pad_backward."""
    cdef npc_pad_geometry g
    cdef npc_array source
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef int64_t stride[64]
    cdef cnp.npy_intp shape[64]
    cdef cnp.npy_intp padded[64]
    cdef void *to
    cdef int i
    if (not _is_usual_array(grad) or not _short_ready or num_threads is not None
            or type(mode) is not str or mode not in _pad_modes):
        return None
    g.rank = cnp.PyArray_NDIM(<cnp.ndarray>grad)
    g.mode = <npc_pad_mode><int>_pad_modes[mode]
    if not _usual_widths(&g, pad_width):
        return None
    for i in range(g.rank):
        stride[i] = cnp.PyArray_STRIDE(<cnp.ndarray>grad, i)
        shape[i] = cnp.PyArray_DIM(<cnp.ndarray>grad, i) - g.before[i] - g.after[i]
        g.shape[i] = shape[i]
    if not _usual_sizes(&g, padded):
        return None
    _find_dtype(grad, &dtype)
    result = _new_array(g.rank, shape, cnp.PyArray_TYPE(<cnp.ndarray>grad),
                        <double>cnp.PyArray_ITEMSIZE(<cnp.ndarray>grad))
    source.data = <char *>cnp.PyArray_DATA(<cnp.ndarray>grad)
    source.dtype = dtype
    source.swapped = 0
    source.misaligned = not cnp.PyArray_ISALIGNED(<cnp.ndarray>grad)
    to = cnp.PyArray_DATA(<cnp.ndarray>result)
    o = _short_options
    with nogil:
        status = npc_pad_backward(&g, &source, stride, to, dtype, &o, npc_last_plan())
    _check(status)
    return result


def pad_forward(geometry, mode, cnp.ndarray x, cnp.ndarray constant_values, cnp.ndarray out,
                tuple options):
    cdef npc_pad_geometry g
    cdef npc_options o
    cdef npc_status status
    cdef int64_t stride[64]
    cdef int i, item_size = cnp.PyArray_ITEMSIZE(x), swap_size = 0
    cdef char *source = <char *>cnp.PyArray_DATA(x)
    cdef char *values = <char *>cnp.PyArray_DATA(constant_values)
    cdef char *to = <char *>cnp.PyArray_DATA(out)
    _read_pad_geometry(&g, geometry, mode)
    _read_options(&o, options)
    shape = tuple([geometry.before[i] + geometry.shape[i] + geometry.after[i]
                   for i in range(g.rank)])
    if (<object>x).shape != tuple(geometry.shape) or (<object>out).shape != shape:
        raise ValueError(f"x and out have shapes {(<object>x).shape} and {(<object>out).shape}, "
                         f"the geometry says {tuple(geometry.shape)} and {shape}")
    if (x.dtype.newbyteorder("=") != out.dtype or constant_values.dtype != out.dtype
            or (<object>constant_values).shape != (g.rank, 2)):
        raise ValueError("x, constant_values and out must be of one dtype, one value pair an axis")
    if item_size > 16 or x.dtype.hasobject:
        raise TypeError(f"x has dtype {x.dtype}, expected numbers of at most 16 bytes")
    if not (cnp.PyArray_IS_C_CONTIGUOUS(constant_values) and cnp.PyArray_IS_C_CONTIGUOUS(out)
            and cnp.PyArray_ISWRITEABLE(out)):
        raise ValueError("constant_values and out must be C-contiguous, out writeable")
    if not cnp.PyArray_ISNOTSWAPPED(x):
        swap_size = item_size // 2 if x.dtype.kind == "c" else item_size
    for i in range(g.rank):
        stride[i] = cnp.PyArray_STRIDE(x, i)
    with nogil:
        status = npc_pad(&g, source, stride, item_size, swap_size, values, to, &o,
                         npc_last_plan())
    _check(status)


def pad_backward(geometry, mode, cnp.ndarray grad, cnp.ndarray out, tuple options):
    cdef npc_pad_geometry g
    cdef npc_array source
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef int64_t stride[64]
    cdef int i
    cdef void *to
    _read_pad_geometry(&g, geometry, mode)
    _read_options(&o, options)
    shape = tuple([geometry.before[i] + geometry.shape[i] + geometry.after[i]
                   for i in range(g.rank)])
    if (<object>grad).shape != shape:
        raise ValueError(f"grad has shape {(<object>grad).shape}, the geometry says {shape}")
    _find_dtype(out, &dtype)
    if dtype == NPC_I32 or dtype == NPC_I64 or dtype == NPC_U64:
        _check_ready(out)
        if grad.dtype.kind not in "biu":
            raise TypeError(f"grad has dtype {grad.dtype}, expected integers as out has")
    else:
        _check_out(out, dtype, True)
    to = _operand(out, "out", tuple(geometry.shape), dtype)
    _find_dtype(grad, &source.dtype)
    source.data = <char *>cnp.PyArray_DATA(grad)
    source.swapped = not cnp.PyArray_ISNOTSWAPPED(grad)
    source.misaligned = not cnp.PyArray_ISALIGNED(grad)
    for i in range(g.rank):
        stride[i] = cnp.PyArray_STRIDE(grad, i)
    with nogil:
        status = npc_pad_backward(&g, &source, stride, to, dtype, &o, npc_last_plan())
    _check(status)
