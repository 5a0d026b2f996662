# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""The border to the C core: checked arrays in, pointers down, status up.

Each function has three beats: descriptors from its arrays, one C call without the GIL, the status
turned into an exception. Shapes are compared with the geometry once more, for C indexes by them.
"""

cimport numpy as cnp
from libc.stdint cimport int64_t, uint8_t, uint32_t, uintptr_t

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


# ---- status --------------------------------------------------------------------------------------

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


# ---- options -------------------------------------------------------------------------------------

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
    "elu": NPC_ELU,
    "sigmoid": NPC_SIGMOID,
    "tanh": NPC_TANH,
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
    if len(options) < 4:
        raise ValueError(f"options has {len(options)} entries, expected at least 4")
    to.algorithm = _look_up(_algorithm_ids, "algorithm", options[0])
    to.isa = _look_up(_isa_ids, "isa", options[1])
    to.num_threads = options[2]
    to.strict = options[3] == "strict"
    to.channels_last = len(options) > 4 and options[4]
    to.interrupted = _interrupted
    return 0


# ---- geometry ------------------------------------------------------------------------------------

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
    to.adaptive = g.adaptive
    to.smallest = 0
    to.starts = NULL
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


# ---- arrays --------------------------------------------------------------------------------------

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
    elif size == 2 and array.dtype.name == "bfloat16":  # by ml_dtypes
        dtype[0] = NPC_BF16
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


include "_border_memory.pxi"
include "_border_convolution.pxi"
include "_border_integers.pxi"
include "_border_elementwise.pxi"
include "_border_network.pxi"
include "_border_pooling.pxi"
include "_border_padding.pxi"
include "_border_patches.pxi"
include "_border_runtime.pxi"
include "_short_arguments.pxi"
include "_short_calls.pxi"
include "_short_patches.pxi"
