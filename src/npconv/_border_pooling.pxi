# The border, included by _native.pyx: pooling.

cdef void *_index_pointer(cnp.ndarray indices, tuple shape, npc_index_kind *kind) except? NULL:
    """The pointer to indices; uint8 ones that count in windows are a kind of their own."""
    cdef int number = cnp.PyArray_TYPE(indices)
    if kind[0] == NPC_INDEX_WINDOW and number == cnp.NPY_UINT8:
        kind[0] = NPC_INDEX_BYTE
    elif number != cnp.NPY_INT64:
        raise ValueError("indices must be int64, or uint8 if they count in windows")
    if ((<object>indices).shape != shape or not cnp.PyArray_IS_C_CONTIGUOUS(indices)
            or not cnp.PyArray_ISALIGNED(indices) or not cnp.PyArray_ISNOTSWAPPED(indices)):
        raise ValueError(f"indices must be C-contiguous, native and of shape {shape}")
    return cnp.PyArray_DATA(indices)


cdef tuple _pool_input_shape(object g):
    return (g.batch, g.channels, *g.input[3 - g.ndim:])


cdef tuple _pool_output_shape(object g):
    return (g.batch, g.channels, *g.output[3 - g.ndim:])


cdef int _read_starts(npc_pool_geometry *g, object geometry, object starts) except -1:
    """Where the windows of each plane start, along each axis one after the other."""
    cdef cnp.ndarray given
    if starts is None:
        return 0
    given = <cnp.ndarray?>starts
    shape = (geometry.batch * geometry.channels, sum(geometry.output))
    if (cnp.PyArray_TYPE(given) != cnp.NPY_INT64 or starts.shape != shape
            or not cnp.PyArray_IS_C_CONTIGUOUS(given)):
        raise ValueError(f"starts must be C-contiguous int64 of shape {shape}")
    g.starts = <const int64_t *>cnp.PyArray_DATA(given)
    return 0


cdef object _bad_index(object geometry, cnp.ndarray indices, bint flat):
    limit = geometry.input if flat else geometry.kernel
    what = "input plane" if flat else "window"
    return ValueError(
        f"indices must point into the {what}, expected values from 0 to "
        f"{limit[0] * limit[1] * limit[2] - 1}, got values from {indices.min()} to "
        f"{indices.max()}" + ("" if flat else " or into the padding"))


def max_pool_forward(geometry, cnp.ndarray x, cnp.ndarray out, indices, index_kind,
                     tuple options, bint smallest=False, starts=None):
    cdef npc_pool_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    cdef void *to = NULL
    cdef npc_index_kind kind = _look_up(_index_kinds, "index_kind", index_kind)
    cdef tuple shape = _pool_output_shape(geometry)
    _read_pool_geometry(&g, geometry)
    _read_starts(&g, geometry, starts)
    g.smallest = smallest
    _read_options(&o, options)
    _describe(&source, x, "x", _pool_input_shape(geometry))
    _describe(&target, out, "out", shape)
    _check_out(out, target.dtype, False)
    if indices is not None:
        to = _index_pointer(indices, shape, &kind)
        if not cnp.PyArray_ISWRITEABLE(indices):
            raise ValueError("indices must be writeable")
    with nogil:
        status = npc_max_pool(&g, &source, &target, to, kind, target.dtype, &o, npc_last_plan())
    _check(status)


def max_pool_backward(geometry, cnp.ndarray grad, cnp.ndarray indices, cnp.ndarray out,
                      index_kind, tuple options):
    cdef npc_pool_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    cdef void *given
    cdef npc_index_kind kind = _look_up(_index_kinds, "index_kind", index_kind)
    cdef tuple shape = _pool_output_shape(geometry)
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&source, grad, "grad", shape)
    _describe(&target, out, "out", _pool_input_shape(geometry))
    _check_out(out, target.dtype, False)
    given = _index_pointer(indices, shape, &kind)
    with nogil:
        status = npc_max_pool_backward(&g, &source, given, kind, &target, target.dtype, &o,
                                       npc_last_plan())
    if status == NPC_BAD_INDEX:
        raise _bad_index(geometry, indices, kind == NPC_INDEX_FLAT)
    _check(status)


cdef tuple _channels_last(tuple shape):
    return (shape[0], *shape[2:], shape[1])


def max_pool_last_forward(geometry, cnp.ndarray x, cnp.ndarray out, indices, index_kind,
                          tuple options, bint smallest=False):
    """The same for channels innermost: (N, ..., C) arrays, C-contiguous, of one dtype."""
    cdef npc_pool_geometry g
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef void *to = NULL
    cdef npc_index_kind kind = _look_up(_index_kinds, "index_kind", index_kind)
    cdef tuple shape = _channels_last(_pool_output_shape(geometry))
    cdef void *source
    cdef void *target
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    source = _operand(x, "x", _channels_last(_pool_input_shape(geometry)), dtype)
    target = _operand(out, "out", shape, dtype)
    _read_pool_geometry(&g, geometry)
    g.smallest = smallest
    _read_options(&o, options)
    if indices is not None:
        to = _index_pointer(indices, shape, &kind)
    with nogil:
        status = npc_max_pool_last(&g, source, target, to, kind, dtype, &o, npc_last_plan())
    _check(status)


def max_pool_last_backward(geometry, cnp.ndarray grad, cnp.ndarray indices, cnp.ndarray out,
                           index_kind, tuple options):
    """Returns False, with `out` undone, for indices that the other layout's function must judge."""
    cdef npc_pool_geometry g
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef npc_index_kind kind = _look_up(_index_kinds, "index_kind", index_kind)
    cdef tuple shape = _channels_last(_pool_output_shape(geometry))
    cdef void *source
    cdef void *given
    cdef void *target
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    source = _operand(grad, "grad", shape, dtype)
    target = _operand(out, "out", _channels_last(_pool_input_shape(geometry)), dtype)
    given = _index_pointer(indices, shape, &kind)
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    with nogil:
        status = npc_max_pool_last_backward(&g, source, given, kind, target, dtype, &o,
                                            npc_last_plan())
    if status == NPC_BAD_INDEX:
        return False
    _check(status)
    return True


def max_unpool(geometry, bint backward, bint add, cnp.ndarray source, cnp.ndarray indices,
               cnp.ndarray out, tuple options):
    """Elements of the output's shape to their positions in the input's, or back."""
    cdef npc_pool_geometry g
    cdef npc_array given, target
    cdef npc_options o
    cdef npc_status status
    cdef npc_index_kind kind = NPC_INDEX_FLAT
    cdef void *positions
    cdef tuple x_shape = _pool_input_shape(geometry), y_shape = _pool_output_shape(geometry)
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&given, source, "grad" if backward else "x", x_shape if backward else y_shape)
    _describe(&target, out, "out", y_shape if backward else x_shape)
    _check_out(out, target.dtype, False)
    positions = _index_pointer(indices, y_shape, &kind)
    with nogil:
        if backward:
            status = npc_max_unpool_backward(&g, &given, <const int64_t *>positions, &target,
                                             target.dtype, &o, npc_last_plan())
        else:
            status = npc_max_unpool(&g, &given, <const int64_t *>positions, add, &target,
                                    target.dtype, &o, npc_last_plan())
    if status == NPC_BAD_INDEX:
        raise _bad_index(geometry, indices, True)
    _check(status)


def avg_pool(geometry, bint backward, bint include_pad, double divisor, cnp.ndarray source,
             cnp.ndarray out, tuple options):
    """Means of windows, or their gradients' way back; `divisor` 0: what the windows hold."""
    cdef npc_pool_geometry g
    cdef npc_array given, target
    cdef npc_options o
    cdef npc_avg_rule rule
    cdef npc_status status
    cdef tuple x_shape = _pool_input_shape(geometry), y_shape = _pool_output_shape(geometry)
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&given, source, "grad" if backward else "x", y_shape if backward else x_shape)
    _describe(&target, out, "out", x_shape if backward else y_shape)
    _check_out(out, target.dtype, False)
    rule.include_pad = include_pad
    rule.divisor = divisor
    with nogil:
        if backward:
            status = npc_avg_pool_backward(&g, &given, &target, &rule, target.dtype, &o,
                                           npc_last_plan())
        else:
            status = npc_avg_pool(&g, &given, &target, &rule, target.dtype, &o, npc_last_plan())
    _check(status)


def lp_pool_forward(geometry, double norm, cnp.ndarray x, cnp.ndarray out, tuple options):
    cdef npc_pool_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&source, x, "x", _pool_input_shape(geometry))
    _describe(&target, out, "out", _pool_output_shape(geometry))
    _check_out(out, target.dtype, False)
    with nogil:
        status = npc_lp_pool(&g, &source, &target, norm, target.dtype, &o, npc_last_plan())
    _check(status)


def lp_pool_backward(geometry, double norm, cnp.ndarray grad, cnp.ndarray x, cnp.ndarray y,
                     cnp.ndarray out, tuple options):
    cdef npc_pool_geometry g
    cdef npc_array errors, source, powers, target
    cdef npc_options o
    cdef npc_status status
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&errors, grad, "grad", _pool_output_shape(geometry))
    _describe(&source, x, "x", _pool_input_shape(geometry))
    _describe(&powers, y, "y", _pool_output_shape(geometry))
    _describe(&target, out, "out", _pool_input_shape(geometry))
    _check_out(out, target.dtype, False)
    with nogil:
        status = npc_lp_pool_backward(&g, &errors, &source, &powers, &target, norm, target.dtype,
                                      &o, npc_last_plan())
    _check(status)
