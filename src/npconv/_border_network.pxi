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
            or (columns > 1 and cnp.PyArray_STRIDE(array, 1) != size)):
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
