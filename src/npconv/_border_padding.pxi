# The border, included by _native.pyx: padding.

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
