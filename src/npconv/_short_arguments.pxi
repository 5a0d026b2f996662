# What short cuts look at, included by _native.pyx before _short_calls.pxi: arguments of the usual
# kind, read in C, and the sizes that follow from them.

from cpython.object cimport PyObject

cdef extern from "Python.h":
    bint PyLong_CheckExact(PyObject *value)
    bint PyTuple_CheckExact(PyObject *value)
    bint PyUnicode_CheckExact(PyObject *value)
    long long PyLong_AsLongLongAndOverflow(PyObject *value, int *overflow)
    Py_ssize_t PyTuple_Size(PyObject *value)
    PyObject *PyTuple_GetItem(PyObject *value, Py_ssize_t index)
    PyObject *None_ "Py_None"
    PyObject *True_ "Py_True"
    PyObject *False_ "Py_False"

cdef enum: MAX_PARAMETERS = 24

# Sizes and settings up to here cannot overflow an int64 along one axis.
cdef enum: LARGEST = 1 << 30
# Arrays of more bytes, were they of doubles, are left to npconv.geometry to refuse.
cdef double LARGEST_TOTAL = 1e18

cdef struct short_call_data:
    PyObject *python  # the function to fall back on
    # These parameters' numbers, -1: there is none, or none that is looked at.
    Py_ssize_t num_threads, precision, isa, padding_mode
    Py_ssize_t count, positional
    PyObject *names[MAX_PARAMETERS]
    PyObject *defaults[MAX_PARAMETERS]  # NULL: required
    bint fixed[MAX_PARAMETERS]  # no other value than the default is looked at here

cdef enum:  # numbers of parameters, as in npconv.functional
    X, WEIGHT, BIAS, STRIDE, PADDING, DILATION, GROUPS  # of conv2d
    GRAD = 0, OPERAND, SHAPE  # of the gradients, then as above
    KERNEL_SIZE = 1, POOL_STRIDE, POOL_PADDING, POOL_DILATION, CEIL_MODE, RETURN_INDICES
    NEEDS = 7  # of conv2d_backward

cdef npc_options _short_options
cdef bint _short_ready = False  # _short_options are set
cdef dict _short_precisions = {"standard": False, "strict": True}
cdef dict _short_isas = {}  # those that this machine runs


# ---- arguments ---------------------------------------------------------------------------------

cdef bint _parse(const short_call_data *call, PyObject **args, Py_ssize_t positional,
                 PyObject *names, PyObject **values) noexcept:
    """Sort arguments into parameters; False where only Python can tell what is to be done."""
    cdef Py_ssize_t i, k, given = 0
    if positional > call.positional or not _short_ready:
        return False
    for i in range(positional):
        values[i] = args[i]
        if call.fixed[i] and values[i] != call.defaults[i]:
            return False
    for i in range(positional, call.count):
        values[i] = call.defaults[i]
    if names != NULL:
        given = PyTuple_Size(names)
    for k in range(given):
        name = PyTuple_GetItem(names, k)
        for i in range(positional, call.count):
            if call.names[i] == name:  # names in a program's text are interned
                break
        else:
            return False
        values[i] = args[positional + k]
        if call.fixed[i] and values[i] != call.defaults[i]:
            return False
    for i in range(positional, call.count):
        if values[i] == NULL:
            return False
    return True


cdef object _in_python(const short_call_data *call, PyObject **args, Py_ssize_t positional,
                       PyObject *names):
    cdef Py_ssize_t i
    arguments = tuple([<object>args[i] for i in range(positional)])
    if names == NULL:
        return (<object>call.python)(*arguments)
    keywords = {name: <object>args[positional + i] for i, name in enumerate(<tuple>names)}
    return (<object>call.python)(*arguments, **keywords)


cdef inline bint _short_int(PyObject *value, int64_t minimum, int64_t *to) noexcept:
    cdef int overflow = 0
    if not PyLong_CheckExact(value):
        return False
    to[0] = PyLong_AsLongLongAndOverflow(value, &overflow)
    return overflow == 0 and minimum <= to[0] <= LARGEST


cdef inline bint _short_pair(PyObject *value, int64_t minimum, int64_t *to) noexcept:
    """An int or a tuple of two, for the axes H and W of a triple."""
    if PyTuple_CheckExact(value):
        return (PyTuple_Size(value) == 2
                and _short_int(PyTuple_GetItem(value, 0), minimum, &to[1])
                and _short_int(PyTuple_GetItem(value, 1), minimum, &to[2]))
    if not _short_int(value, minimum, &to[1]):
        return False
    to[2] = to[1]
    return True


cdef inline bint _short_shape(PyObject *value, int64_t *to) noexcept:
    cdef int i
    if not PyTuple_CheckExact(value) or PyTuple_Size(value) != 4:
        return False
    for i in range(4):
        if not _short_int(PyTuple_GetItem(value, i), 1, &to[i]):
            return False
    return True


cdef inline object _short_choice(dict choices, PyObject *value):
    return choices.get(<object>value) if PyUnicode_CheckExact(value) else None


cdef inline bint _short_options_of(const short_call_data *call, PyObject **v,
                                   npc_options *options) except -1:
    """How a call asks to be run."""
    cdef int64_t threads
    options[0] = _short_options
    if v[call.num_threads] != None_:
        if not _short_int(v[call.num_threads], 1, &threads) or threads > 1024:
            return False
        options.num_threads = <int>threads
    if call.precision >= 0 and v[call.precision] != call.defaults[call.precision]:
        strict = _short_choice(_short_precisions, v[call.precision])
        if strict is None:
            return False
        options.strict = strict
    if v[call.isa] != None_:
        isa = _short_choice(_short_isas, v[call.isa])
        if isa is None:
            return False
        options.isa = isa
    return True


cdef inline bint _short_array(PyObject *value, npc_array *to, int64_t *shape) noexcept:
    """A plain (N, C, H, W) array with elements."""
    cdef int i
    if not cnp.PyArray_CheckExact(<object>value):
        return False
    if cnp.PyArray_NDIM(<cnp.ndarray>value) != 4 or not _short_dtype(value, &to.dtype):
        return False
    for i in range(4):
        shape[i] = cnp.PyArray_DIM(<cnp.ndarray>value, i)
        if not 1 <= shape[i] <= LARGEST:
            return False
    to.data = <char *>cnp.PyArray_DATA(<cnp.ndarray>value)
    to.stride[0] = cnp.PyArray_STRIDE(<cnp.ndarray>value, 0)
    to.stride[1] = cnp.PyArray_STRIDE(<cnp.ndarray>value, 1)
    to.stride[2] = 0
    to.stride[3] = cnp.PyArray_STRIDE(<cnp.ndarray>value, 2)
    to.stride[4] = cnp.PyArray_STRIDE(<cnp.ndarray>value, 3)
    to.swapped = to.misaligned = 0
    return True


cdef inline bint _short_dtype(PyObject *array, npc_dtype *dtype) noexcept:
    cdef int number = cnp.PyArray_TYPE(<cnp.ndarray>array)
    if number == cnp.NPY_FLOAT:
        dtype[0] = NPC_F32
    elif number == cnp.NPY_DOUBLE:
        dtype[0] = NPC_F64
    else:
        return False
    return (cnp.PyArray_ISALIGNED(<cnp.ndarray>array)
            and cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>array))


cdef inline bint _short_weight(PyObject *value, npc_dtype dtype, int64_t *shape,
                               void **to) noexcept:
    cdef npc_array described
    if not (_short_array(value, &described, shape) and described.dtype == dtype):
        return False
    to[0] = described.data
    return cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>value)


cdef inline bint _short_bias(PyObject *value, npc_dtype dtype, int64_t length,
                             const void **to) noexcept:
    cdef npc_dtype found
    to[0] = NULL
    if value == None_:
        return True
    if not cnp.PyArray_CheckExact(<object>value) or cnp.PyArray_NDIM(<cnp.ndarray>value) != 1:
        return False
    to[0] = cnp.PyArray_DATA(<cnp.ndarray>value)
    return (cnp.PyArray_DIM(<cnp.ndarray>value, 0) == length and _short_dtype(value, &found)
            and found == dtype and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>value))


# ---- sizes -------------------------------------------------------------------------------------

cdef inline bint _short_axis(int64_t n, int64_t k, int64_t *output, int64_t *stride,
                             int64_t *dilation, int64_t pad) noexcept:
    """One axis as npconv.geometry computes it; every term is at most 2**60."""
    cdef int64_t window = dilation[0] * (k - 1) + 1, padded = n + 2 * pad
    if window > padded:
        return False
    output[0] = (padded - window) // stride[0] + 1
    stride[0] = min(stride[0], padded)
    dilation[0] = min(dilation[0], padded)
    return True


cdef inline bint _short_axes(int64_t *input, const int64_t *kernel, int64_t *output,
                             int64_t *stride, int64_t *dilation, int64_t *pad_before,
                             int64_t *pad_after, const int64_t *x) noexcept:
    """The spatial part of a geometry whose kernel, stride, dilation and pad_before are known."""
    cdef int i
    output[0] = input[0] = stride[0] = dilation[0] = 1
    pad_before[0] = pad_after[0] = 0
    for i in range(1, 3):
        input[i] = x[i + 1]
        pad_after[i] = pad_before[i]
        if not _short_axis(input[i], kernel[i], &output[i], &stride[i], &dilation[i],
                           pad_before[i]):
            return False
    return True


cdef bint _short_conv(npc_conv_geometry *g, const int64_t *x, const int64_t *weight,
                      PyObject **v, double *flops) noexcept:
    """The geometry of a convolution of such shapes, and its work."""
    cdef double pixels
    if not (_short_int(v[GROUPS], 1, &g.groups) and _short_pair(v[STRIDE], 1, g.stride)
            and _short_pair(v[PADDING], 0, g.pad_before)
            and _short_pair(v[DILATION], 1, g.dilation)):
        return False
    if x[1] != weight[1] * g.groups or weight[0] % g.groups:
        return False
    g.batch = x[0]
    g.in_channels = x[1]
    g.out_channels = weight[0]
    g.kernel[0], g.kernel[1], g.kernel[2] = 1, weight[2], weight[3]
    if not _short_axes(g.input, g.kernel, g.output, g.stride, g.dilation, g.pad_before,
                       g.pad_after, x):
        return False
    pixels = <double>g.batch * <double>(g.output[1] * g.output[2])
    flops[0] = (2.0 * pixels * <double>weight[0] * <double>weight[1]
                * <double>(weight[2] * weight[3]))
    return pixels * <double>weight[0] <= LARGEST_TOTAL and _is_addressable(x)


cdef bint _short_border(const short_call_data *call, PyObject **v, npc_conv_geometry *g,
                        npc_border *to, npc_border **found) except -1:
    """What surrounds the images, if it is not zeros; the geometry then is of padded images."""
    cdef int64_t padded[4]
    cdef int i
    found[0] = NULL
    if v[call.padding_mode] == call.defaults[call.padding_mode]:
        return True
    mode = _short_choice(_pad_modes, v[call.padding_mode])
    if mode is None:
        return False
    to.mode = <npc_pad_mode><int>mode
    if to.mode == NPC_PAD_CONSTANT or (g.pad_before[1] == 0 and g.pad_before[2] == 0):
        return True
    padded[0], padded[1] = g.batch, g.in_channels
    for i in range(3):
        to.before[i], to.after[i] = g.pad_before[i], g.pad_after[i]
        g.input[i] += to.before[i] + to.after[i]
        g.pad_before[i] = g.pad_after[i] = 0
        if i > 0:
            padded[i + 1] = g.input[i]
    found[0] = to
    return _is_addressable(padded)


cdef bint _short_pool(npc_pool_geometry *g, const int64_t *x, PyObject **v,
                      double *work) noexcept:
    cdef PyObject *stride = v[POOL_STRIDE] if v[POOL_STRIDE] != None_ else v[KERNEL_SIZE]
    cdef int i
    if not (_short_pair(v[KERNEL_SIZE], 1, g.kernel) and _short_pair(stride, 1, g.stride)
            and _short_pair(v[POOL_PADDING], 0, g.pad_before)
            and _short_pair(v[POOL_DILATION], 1, g.dilation)):
        return False
    for i in range(1, 3):  # so that every window touches the input
        if g.pad_before[i] != 0 and (g.dilation[i] != 1 or g.pad_before[i] >= g.kernel[i]):
            return False
    g.batch = x[0]
    g.channels = x[1]
    g.adaptive = g.smallest = 0
    g.starts = NULL
    g.kernel[0] = 1
    if not _short_axes(g.input, g.kernel, g.output, g.stride, g.dilation, g.pad_before,
                       g.pad_after, x):
        return False
    work[0] = (4.0 * <double>(g.batch * g.channels) * <double>(g.output[1] * g.output[2])
               * <double>(g.kernel[1] * g.kernel[2]))
    return work[0] <= LARGEST_TOTAL and _is_addressable(x)


cdef inline bint _is_addressable(const int64_t *shape) noexcept:
    return (<double>shape[0] * <double>shape[1] * <double>(shape[2] * shape[3])
            <= LARGEST_TOTAL)


cdef inline bint _is_output(const npc_conv_geometry *g, const int64_t *shape) noexcept:
    return (shape[0] == g.batch and shape[1] == g.out_channels and shape[2] == g.output[1]
            and shape[3] == g.output[2])
