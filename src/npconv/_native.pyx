# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""The border to the C core: checked arrays in, pointers down, status up.

Each function has three beats: descriptors from its arrays, one C call without the GIL, the status
turned into an exception. Shapes are compared with the geometry once more, for C indexes by them.
"""

cimport numpy as cnp
from libc.stdint cimport int64_t, uintptr_t

from npconv._npc cimport *

cnp.import_array()

cdef extern from "Python.h":
    # Declared to raise nothing: an exception that it sets stays pending and is found by _check.
    int npc_check_signals "PyErr_CheckSignals"() noexcept

cdef extern from *:
    """
    #if defined(__clang__)
    #define NPC_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #define NPC_COMPILER "gcc " __VERSION__
    #else
    #define NPC_COMPILER "unknown"
    #endif
    """
    const char *NPC_COMPILER


cdef long long _calls = 0


# ---- status ------------------------------------------------------------------------------------

cdef int _interrupted() noexcept nogil:
    with gil:
        return npc_check_signals()


cdef int _check(npc_status status) except -1:
    global _calls
    _calls += 1
    if status == NPC_OK:
        return 0
    if status == NPC_INTERRUPTED:
        return -1  # the signal handler's exception is set
    text = npc_status_text(status).decode()
    if status == NPC_NO_MEMORY:
        raise MemoryError(text)
    raise ValueError(text)


cdef int _check_conv(npc_status status, npc_conv_operation operation,
                     const npc_conv_geometry *geometry, npc_dtype dtype,
                     const npc_options *options) except -1:
    """`_check`, which tells why an algorithm that was asked for declines."""
    cdef npc_candidate candidates[32]
    cdef int chosen, asked = options.algorithm
    if (status == NPC_UNSUPPORTED_ALGORITHM and 0 <= asked < npc_conv_algorithm_count()
            and npc_conv_candidates(operation, geometry, dtype, options, candidates,
                                    &chosen) == NPC_OK and candidates[asked].reason != NULL):
        name, reason = candidates[asked].name.decode(), candidates[asked].reason.decode()
        raise ValueError(f"algorithm={name!r} declines this call: {reason}")
    return _check(status)


# ---- options -----------------------------------------------------------------------------------

cdef dict _algorithm_ids = {"auto": NPC_AUTO}
cdef dict _isa_ids = {"auto": NPC_AUTO}
cdef dict _index_kinds = {"flat": NPC_INDEX_FLAT, "window": NPC_INDEX_WINDOW}
cdef dict _pad_modes = {
    "constant": NPC_PAD_CONSTANT,
    "reflect": NPC_PAD_REFLECT,
    "edge": NPC_PAD_EDGE,
    "symmetric": NPC_PAD_SYMMETRIC,
    "wrap": NPC_PAD_WRAP,
}
cdef dict _operations = {
    "forward": NPC_FORWARD,
    "input_grad": NPC_INPUT_GRAD,
    "weight_grad": NPC_WEIGHT_GRAD,
}
cdef dict _activations = {
    "relu": NPC_RELU,
    "relu6": NPC_RELU6,
    "leaky_relu": NPC_LEAKY_RELU,
}
cdef dict _dtypes = {"float32": NPC_F32, "float64": NPC_F64}

for _i in range(npc_conv_algorithm_count()):
    _algorithm_ids[npc_conv_algorithm_name(_i).decode()] = _i
for _i in range(npc_isa_count()):
    _isa_ids[npc_isa_name(_i).decode()] = _i


cdef object _look_up(dict table, str what, object name):
    try:
        return table[name]
    except KeyError:
        raise ValueError(f"{what} is {name!r}, expected one of {', '.join(table)}") from None


cdef int _read_options(npc_options *to, tuple options) except -1:
    to.algorithm = _look_up(_algorithm_ids, "algorithm", options[0])
    to.isa = _look_up(_isa_ids, "isa", options[1])
    to.num_threads = options[2]
    to.strict = options[3] == "strict"
    to.interrupted = _interrupted
    return 0


# ---- geometry ----------------------------------------------------------------------------------

cdef int _read_triple(int64_t *to, object values) except -1:
    to[0], to[1], to[2] = values
    return 0


cdef int _read_conv_geometry(npc_conv_geometry *to, object g) except -1:
    to.batch = g.batch
    to.groups = g.groups
    to.in_channels = g.in_channels
    to.out_channels = g.out_channels
    _read_triple(to.input, g.input)
    _read_triple(to.kernel, g.kernel)
    _read_triple(to.output, g.output)
    _read_triple(to.stride, g.stride)
    _read_triple(to.dilation, g.dilation)
    _read_triple(to.pad_before, g.pad_before)
    _read_triple(to.pad_after, g.pad_after)
    return 0


cdef int _read_pool_geometry(npc_pool_geometry *to, object g) except -1:
    to.batch = g.batch
    to.channels = g.channels
    _read_triple(to.input, g.input)
    _read_triple(to.kernel, g.kernel)
    _read_triple(to.output, g.output)
    _read_triple(to.stride, g.stride)
    _read_triple(to.dilation, g.dilation)
    _read_triple(to.pad_before, g.pad_before)
    _read_triple(to.pad_after, g.pad_after)
    return 0


cdef int _read_pad_geometry(npc_pad_geometry *to, object g, object mode) except -1:
    cdef int i
    to.rank = len(g.shape)
    if to.rank > NPC_MAX_RANK:
        raise ValueError(f"x has {to.rank} axes, expected at most {NPC_MAX_RANK}")
    to.mode = _look_up(_pad_modes, "mode", mode)
    for i in range(to.rank):
        to.shape[i] = g.shape[i]
        to.before[i] = g.before[i]
        to.after[i] = g.after[i]
    return 0


# ---- arrays ------------------------------------------------------------------------------------

cdef int _find_dtype(cnp.ndarray array, npc_dtype *dtype) except -1:
    """The C core's name of an array's element type."""
    cdef int number = cnp.PyArray_TYPE(array)
    cdef int size = cnp.PyArray_ITEMSIZE(array)
    cdef bint signed
    if number == cnp.NPY_FLOAT:
        dtype[0] = NPC_F32
    elif number == cnp.NPY_DOUBLE:
        dtype[0] = NPC_F64
    elif number == cnp.NPY_FLOAT16:
        dtype[0] = NPC_F16
    elif number == cnp.NPY_BOOL:
        dtype[0] = NPC_U8
    elif cnp.PyTypeNum_ISINTEGER(number):
        signed = cnp.PyTypeNum_ISSIGNED(number)
        if size == 1:
            dtype[0] = NPC_I8 if signed else NPC_U8
        elif size == 2:
            dtype[0] = NPC_I16 if signed else NPC_U16
        elif size == 4:
            dtype[0] = NPC_I32 if signed else NPC_U32
        else:
            dtype[0] = NPC_I64 if signed else NPC_U64
    else:
        raise TypeError(f"dtype {array.dtype} is not a real number type")
    return 0


cdef int _describe(npc_array *to, cnp.ndarray array, str name, tuple shape) except -1:
    """Fills a descriptor; `shape` is what the geometry says: batch, channels, spatial axes."""
    cdef int rank = cnp.PyArray_NDIM(array), i, spatial
    cdef bint matches = rank == len(shape)
    if matches:
        for i in range(rank):
            matches = matches and cnp.PyArray_DIM(array, i) == <object>shape[i]
    if not matches:
        raise ValueError(f"{name} has shape {(<object>array).shape}, the geometry says {shape}")
    _find_dtype(array, &to.dtype)
    to.data = <char *>cnp.PyArray_DATA(array)
    to.swapped = not cnp.PyArray_ISNOTSWAPPED(array)
    to.misaligned = not cnp.PyArray_ISALIGNED(array)
    for i in range(5):
        to.stride[i] = 0
    spatial = rank - 2
    to.stride[0] = cnp.PyArray_STRIDE(array, 0)
    to.stride[1] = cnp.PyArray_STRIDE(array, 1)
    for i in range(spatial):
        to.stride[5 - spatial + i] = cnp.PyArray_STRIDE(array, 2 + i)
    return 0


cdef int _check_out(cnp.ndarray array, npc_dtype dtype, bint contiguous) except -1:
    """What C writes to must be ready to be written to."""
    if dtype != NPC_F32 and dtype != NPC_F64:
        raise TypeError(f"out has dtype {array.dtype}, expected float32 or float64")
    if not (cnp.PyArray_ISALIGNED(array) and cnp.PyArray_ISNOTSWAPPED(array)
            and cnp.PyArray_ISWRITEABLE(array)):
        raise ValueError("out must be aligned, in native byte order and writeable")
    if contiguous and not cnp.PyArray_IS_C_CONTIGUOUS(array):
        raise ValueError("out must be C-contiguous")
    return 0


cdef void *_operand(cnp.ndarray array, str name, tuple shape, npc_dtype dtype) except? NULL:
    """The pointer to a small operand that the caller has converted: C-contiguous, native."""
    cdef npc_dtype found
    _find_dtype(array, &found)
    if (<object>array).shape != shape:
        raise ValueError(f"{name} has shape {(<object>array).shape}, the geometry says {shape}")
    if found != dtype or not (cnp.PyArray_IS_C_CONTIGUOUS(array) and cnp.PyArray_ISALIGNED(array)
                              and cnp.PyArray_ISNOTSWAPPED(array)):
        raise ValueError(f"{name} must be C-contiguous, native and of the result's dtype")
    return cnp.PyArray_DATA(array)


cdef void *_bytes(cnp.ndarray array, str name, int64_t *size) except? NULL:
    """The pointer to a prepared weight."""
    if (cnp.PyArray_TYPE(array) != cnp.NPY_UINT8 or cnp.PyArray_NDIM(array) != 1
            or not cnp.PyArray_IS_C_CONTIGUOUS(array)
            or <uintptr_t>cnp.PyArray_DATA(array) % 64):
        raise ValueError(f"{name} must be one axis of contiguous uint8, aligned to 64 bytes: its "
                         "shape and dtype are those of a prepared weight")
    size[0] = cnp.PyArray_SIZE(array)
    return cnp.PyArray_DATA(array)


cdef tuple _x_shape(object g):
    return (g.batch, g.in_channels, *g.input[3 - g.ndim:])


cdef tuple _y_shape(object g):
    return (g.batch, g.out_channels, *g.output[3 - g.ndim:])


cdef tuple _weight_shape(object g):
    return (g.out_channels, g.in_channels // g.groups, *g.kernel[3 - g.ndim:])


# ---- convolution -------------------------------------------------------------------------------

cdef void _nothing_follows(npc_conv_arrays *arrays) noexcept:
    arrays.add.data = NULL
    arrays.activation = NPC_NO_ACTIVATION
    arrays.slope = 0
    arrays.prepared = NULL
    arrays.prepared_bytes = 0


def conv_forward(geometry, cnp.ndarray x, cnp.ndarray weight, bias, cnp.ndarray out,
                 tuple options, activation=None, double slope=0, add=None, prepared=None):
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_options o
    cdef npc_status status
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&arrays.x, x, "x", _x_shape(geometry))
    _describe(&arrays.y, out, "out", _y_shape(geometry))
    _check_out(out, arrays.y.dtype, False)
    arrays.weight = _operand(weight, "weight", _weight_shape(geometry), arrays.y.dtype)
    arrays.bias = NULL
    if bias is not None:
        arrays.bias = _operand(bias, "bias", (geometry.out_channels,), arrays.y.dtype)
    _nothing_follows(&arrays)
    if activation is not None:
        arrays.activation = _look_up(_activations, "activation", activation)
        arrays.slope = slope
    if add is not None:
        _describe(&arrays.add, add, "add", _y_shape(geometry))
    if prepared is not None:
        arrays.prepared = _bytes(prepared, "prepared", &arrays.prepared_bytes)
    with nogil:
        status = npc_conv(NPC_FORWARD, &g, &arrays, arrays.y.dtype, &o, npc_last_plan())
    _check_conv(status, NPC_FORWARD, &g, arrays.y.dtype, &o)


def conv_prepared_size(geometry, dtype_name, tuple options):
    cdef npc_conv_geometry g
    cdef npc_options o
    cdef npc_dtype dtype = _look_up(_dtypes, "dtype", dtype_name)
    cdef int64_t size = 0
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _check_conv(npc_conv_prepared_size(&g, dtype, &o, &size), NPC_FORWARD, &g, dtype, &o)
    return size


def conv_prepare(geometry, cnp.ndarray weight, cnp.ndarray out, tuple options):
    cdef npc_conv_geometry g
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef void *source
    cdef void *to
    cdef int64_t size
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _find_dtype(weight, &dtype)
    if dtype != NPC_F32 and dtype != NPC_F64:
        raise TypeError(f"weight has dtype {weight.dtype}, expected float32 or float64")
    source = _operand(weight, "weight", _weight_shape(geometry), dtype)
    to = _bytes(out, "out", &size)
    if not cnp.PyArray_ISWRITEABLE(out):
        raise ValueError("out must be writeable")
    with nogil:
        status = npc_conv_prepare(&g, source, dtype, &o, to, size, npc_last_plan())
    _check_conv(status, NPC_FORWARD, &g, dtype, &o)


def conv_input_grad(geometry, cnp.ndarray grad, cnp.ndarray weight, cnp.ndarray out,
                    tuple options):
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_options o
    cdef npc_status status
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&arrays.y, grad, "grad", _y_shape(geometry))
    _describe(&arrays.x, out, "out", _x_shape(geometry))
    _check_out(out, arrays.x.dtype, False)
    arrays.weight = _operand(weight, "weight", _weight_shape(geometry), arrays.x.dtype)
    arrays.bias = NULL
    _nothing_follows(&arrays)
    with nogil:
        status = npc_conv(NPC_INPUT_GRAD, &g, &arrays, arrays.x.dtype, &o, npc_last_plan())
    _check_conv(status, NPC_INPUT_GRAD, &g, arrays.x.dtype, &o)


def conv_weight_grad(geometry, cnp.ndarray grad, cnp.ndarray x, cnp.ndarray out, tuple options):
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&arrays.y, grad, "grad", _y_shape(geometry))
    _describe(&arrays.x, x, "x", _x_shape(geometry))
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    arrays.weight = _operand(out, "out", _weight_shape(geometry), dtype)
    arrays.bias = NULL
    _nothing_follows(&arrays)
    with nogil:
        status = npc_conv(NPC_WEIGHT_GRAD, &g, &arrays, dtype, &o, npc_last_plan())
    _check_conv(status, NPC_WEIGHT_GRAD, &g, dtype, &o)


def conv_bias_grad(geometry, cnp.ndarray grad, cnp.ndarray out, tuple options):
    cdef npc_conv_geometry g
    cdef npc_array y
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef void *to
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&y, grad, "grad", _y_shape(geometry))
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    to = _operand(out, "out", (geometry.out_channels,), dtype)
    with nogil:
        status = npc_conv_bias_grad(&g, &y, to, dtype, &o, npc_last_plan())
    _check(status)


def conv_candidates(operation, geometry, dtype_name, tuple options):
    cdef npc_conv_geometry g
    cdef npc_options o
    cdef npc_candidate candidates[32]
    cdef int chosen, i
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _check(npc_conv_candidates(_look_up(_operations, "operation", operation), &g,
                               _look_up(_dtypes, "dtype", dtype_name), &o, candidates,
                               &chosen))
    result = []
    for i in range(npc_conv_algorithm_count()):
        accepted = candidates[i].reason == NULL
        reason = "" if accepted else candidates[i].reason.decode()
        seconds = candidates[i].seconds if accepted and candidates[i].seconds >= 0 else None
        features = [candidates[i].feature[j] for j in range(NPC_COST_FEATURES)]
        result.append((candidates[i].name.decode(), accepted, reason, seconds,
                       features if accepted else None))
    return result, None if chosen < 0 else candidates[chosen].name.decode()


def conv_algorithms():
    return tuple([npc_conv_algorithm_name(i).decode() for i in range(npc_conv_algorithm_count())])


# ---- pooling -----------------------------------------------------------------------------------

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


def max_pool_forward(geometry, cnp.ndarray x, cnp.ndarray out, indices, index_kind,
                     tuple options):
    cdef npc_pool_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    cdef void *to = NULL
    cdef npc_index_kind kind = _look_up(_index_kinds, "index_kind", index_kind)
    cdef int first = 3 - geometry.ndim
    cdef tuple shape = (geometry.batch, geometry.channels, *geometry.output[first:])
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&source, x, "x", (geometry.batch, geometry.channels, *geometry.input[first:]))
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
    cdef int first = 3 - geometry.ndim
    cdef tuple shape = (geometry.batch, geometry.channels, *geometry.output[first:])
    _read_pool_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&source, grad, "grad", shape)
    _describe(&target, out, "out", (geometry.batch, geometry.channels, *geometry.input[first:]))
    _check_out(out, target.dtype, False)
    given = _index_pointer(indices, shape, &kind)
    with nogil:
        status = npc_max_pool_backward(&g, &source, given, kind, &target, target.dtype, &o,
                                       npc_last_plan())
    if status == NPC_BAD_INDEX:
        limit = geometry.input if kind == NPC_INDEX_FLAT else geometry.kernel
        what = "input plane" if kind == NPC_INDEX_FLAT else "window"
        raise ValueError(
            f"indices must point into the {what}, expected values from 0 to "
            f"{limit[0] * limit[1] * limit[2] - 1}, got values from {indices.min()} to "
            f"{indices.max()}" + ("" if kind == NPC_INDEX_FLAT else " or into the padding"))
    _check(status)


# ---- padding -----------------------------------------------------------------------------------

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


# ---- column matrices ---------------------------------------------------------------------------

cdef tuple _cols_shape(object g):
    return (g.batch, g.in_channels * g.kernel[0] * g.kernel[1] * g.kernel[2],
            g.output[0] * g.output[1] * g.output[2])


cdef int _describe_cols(npc_array *to, cnp.ndarray cols, object geometry) except -1:
    _describe(to, cols, "cols", _cols_shape(geometry))
    to.stride[2] = to.stride[4]  # the pixels' axis
    return 0


def im2col(geometry, cnp.ndarray x, cnp.ndarray cols, tuple options):
    cdef npc_conv_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&source, x, "x", _x_shape(geometry))
    _describe_cols(&target, cols, geometry)
    _check_out(cols, target.dtype, False)
    with nogil:
        status = npc_im2col(&g, &source, &target, target.dtype, &o, npc_last_plan())
    _check(status)


def col2im(geometry, cnp.ndarray cols, cnp.ndarray out, tuple options):
    cdef npc_conv_geometry g
    cdef npc_array source, target
    cdef npc_options o
    cdef npc_status status
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe_cols(&source, cols, geometry)
    _describe(&target, out, "out", _x_shape(geometry))
    _check_out(out, target.dtype, False)
    with nogil:
        status = npc_col2im(&g, &source, &target, target.dtype, &o, npc_last_plan())
    _check(status)


# ---- the run-time's state ----------------------------------------------------------------------

def isas():
    return tuple([(npc_isa_name(i).decode(), bool(npc_isa_compiled(i)), bool(npc_isa_supported(i)))
                  for i in range(npc_isa_count())])


def set_num_threads(int n):
    npc_set_num_threads(n)


def get_num_threads():
    return npc_get_num_threads()


def max_threads():
    return npc_max_threads()


def cpu_info():
    return {
        "brand": _brand(),
        "cores": npc_max_threads(),
        "features": npc_cpu_features().decode().split(),
        "isa": next(name for name, compiled, supported in isas() if compiled and supported),
    }


def _brand():
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()


def build_info():
    return {
        "version": npc_version().decode(),
        "compiler": NPC_COMPILER.decode(),
        "openmp": bool(npc_has_openmp()),
        "isas": [name for name, compiled, _ in isas() if compiled],
    }


def last_plan():
    cdef npc_plan_info *info = npc_last_plan()
    if info.operation == NULL:
        return None
    return {
        "operation": info.operation.decode(),
        "algorithm": info.algorithm.decode(),
        "isa": info.isa.decode(),
        "dtype": info.dtype.decode(),
        "num_threads": info.num_threads,
        "workspace_bytes": info.workspace_bytes,
        "pieces": info.pieces,
    }


def kernel_coverage():
    cdef char name[96]
    cdef int usable, reached, i
    result = {}
    for i in range(npc_coverage_count()):
        npc_coverage_slot(i, name, sizeof(name), &usable, &reached)
        if usable:
            result[(<bytes>name).decode()] = bool(reached)
    return result


def reset_kernel_coverage():
    npc_coverage_reset()


def call_count():
    return _calls


def bench_uk1(isa, dtype_name, int rows, int vecs, int64_t depth, int64_t repeats):
    """Run a UK1 tile with operands in L1 `repeats` times; floating-point operations done."""
    cdef int isa_id = _look_up(_isa_ids, "isa", isa)
    cdef npc_dtype dtype = _look_up(_dtypes, "dtype", dtype_name)
    cdef double flops
    with nogil:
        flops = npc_bench_uk1(isa_id, dtype, rows, vecs, depth, repeats)
    return flops


include "_short_calls.pxi"
