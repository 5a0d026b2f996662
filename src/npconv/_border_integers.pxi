# The border, included by _native.pyx: convolutions of integers, and conversions.

cdef int _describe_integers(npc_array *to, cnp.ndarray array, str name, tuple shape) except -1:
    _describe(to, array, name, shape)
    if not (cnp.PyTypeNum_ISINTEGER(cnp.PyArray_TYPE(array))
            or cnp.PyArray_TYPE(array) == cnp.NPY_BOOL):
        raise TypeError(f"{name} has dtype {array.dtype}, expected an integer dtype")
    return 0


cdef int _check_ready(cnp.ndarray array) except -1:
    """What C writes to must be ready to be written to."""
    if not (cnp.PyArray_ISALIGNED(array) and cnp.PyArray_ISNOTSWAPPED(array)
            and cnp.PyArray_ISWRITEABLE(array)):
        raise ValueError("out must be aligned, in native byte order and writeable")
    return 0


def conv_integer(operation, geometry, cnp.ndarray x, cnp.ndarray weight, cnp.ndarray y,
                 tuple options, bias=None, activation=None, add=None):
    """Compute y, x or weight from the other two, as the operation says, modulo 2^32 or 2^64."""
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_array filters
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef npc_conv_operation what = _look_up(_operations, "operation", operation)
    cdef cnp.ndarray out = (y, x, weight)[<int>what]
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe_integers(&arrays.x, x, "x", _x_shape(geometry))
    _describe_integers(&arrays.y, y, "y", _y_shape(geometry))
    _describe_integers(&filters, weight, "weight", _weight_shape(geometry))
    _find_dtype(out, &dtype)
    _check_ready(out)
    arrays.weight = NULL
    arrays.bias = NULL
    _nothing_follows(&arrays)
    if what == NPC_WEIGHT_GRAD and (bias is not None or add is not None or activation is not None):
        raise ValueError("nothing follows a gradient by the weight")
    if bias is not None:
        arrays.bias = _operand(bias, "bias", ((<object>out).shape[1],), dtype)
    if activation is not None:
        arrays.activation = _look_up(_activations, "activation", activation)
    if add is not None:
        _describe_integers(&arrays.add, add, "add", (<object>out).shape)
    if dtype == NPC_I32:
        for array in (x, weight, y):
            if array is not out and array.dtype.itemsize != 1:
                raise TypeError(f"a factor has dtype {array.dtype}, expected 8 bits for int32 sums")
        if add is not None and add.dtype.itemsize > 4:
            raise TypeError(f"add has dtype {add.dtype}, expected at most 32 bits for int32 sums")
    elif dtype != NPC_I64 and dtype != NPC_U64:
        raise TypeError(f"out has dtype {out.dtype}, expected int32, int64 or uint64")
    if arrays.activation == NPC_LEAKY_RELU:
        raise ValueError("leaky_relu is not for integers")
    with nogil:
        status = npc_integer_conv(what, &g, &arrays, &filters, dtype, &o, npc_last_plan())
    _check(status)


def convert(cnp.ndarray source, cnp.ndarray out, tuple options):
    """Copy an array to one of float32 or float64, or round float32 to float16 or bfloat16."""
    cdef npc_array a, b
    cdef npc_options o
    cdef npc_status status
    cdef int64_t shape[5]
    cdef int i, rank = cnp.PyArray_NDIM(source)
    if (<object>source).shape != (<object>out).shape or not 1 <= rank <= 5:
        raise ValueError(f"source and out have shapes {(<object>source).shape} and "
                         f"{(<object>out).shape}, expected the same, of 1 to 5 axes")
    _read_options(&o, options)
    _check_ready(out)
    for i in range(5):
        shape[i] = 1
        a.stride[i] = b.stride[i] = 0
    for i in range(rank):
        shape[5 - rank + i] = cnp.PyArray_DIM(source, i)
        a.stride[5 - rank + i] = cnp.PyArray_STRIDE(source, i)
        b.stride[5 - rank + i] = cnp.PyArray_STRIDE(out, i)
    _find_dtype(source, &a.dtype)
    _find_dtype(out, &b.dtype)
    if b.dtype != NPC_F32 and b.dtype != NPC_F64 and b.dtype != NPC_F16 and b.dtype != NPC_BF16:
        raise TypeError(f"out has dtype {out.dtype}, expected a floating-point dtype")
    a.data = <char *>cnp.PyArray_DATA(source)
    b.data = <char *>cnp.PyArray_DATA(out)
    a.swapped = not cnp.PyArray_ISNOTSWAPPED(source)
    a.misaligned = not cnp.PyArray_ISALIGNED(source)
    b.swapped = b.misaligned = 0
    with nogil:
        status = npc_convert(&a, &b, shape, &o, npc_last_plan())
    _check(status)
