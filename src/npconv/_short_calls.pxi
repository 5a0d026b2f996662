# Short cuts for hot calls, included by _native.pyx.
#
# The Python functions in npconv.functional are the definition of every operation, and
# npconv.geometry of every size. For a small convolution they take ten times as long as the
# arithmetic, so what is exported are builtin functions that look at their arguments here: where
# all of them are of the usual kind (plain, native arrays of one dtype, exact ints, default
# options), the sizes are computed in C and the C core is called. Anything else, and so every
# error, is left to the Python function, which gets the same arguments. tests/test_short_calls.py
# holds the two together.

from cpython.object cimport PyObject
from libc.stdlib cimport malloc

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int METH_FASTCALL, METH_KEYWORDS
    object PyCFunction_NewEx(PyMethodDef *method, PyObject *self, object module)
    bint PyLong_CheckExact(PyObject *value)
    bint PyTuple_CheckExact(PyObject *value)
    long long PyLong_AsLongLongAndOverflow(PyObject *value, int *overflow)
    Py_ssize_t PyTuple_Size(PyObject *value)
    PyObject *PyTuple_GetItem(PyObject *value, Py_ssize_t index)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size)
    PyObject *None_ "Py_None"
    PyObject *True_ "Py_True"
    PyObject *False_ "Py_False"

cdef enum: MAX_PARAMETERS = 24

# Sizes and settings up to here cannot overflow an int64 along one axis.
cdef enum: LARGEST = 1 << 30
# Below this, some microseconds, giving the GIL away and looking for signals takes longer than the
# work.
cdef double BRIEF_FLOPS = 1e5
# Arrays of more bytes, were they of doubles, are left to npconv.geometry to refuse.
cdef double LARGEST_TOTAL = 1e18

cdef struct short_call_data:
    PyObject *python  # the function to fall back on
    Py_ssize_t num_threads  # that parameter's number
    Py_ssize_t count, positional
    PyObject *names[MAX_PARAMETERS]
    PyObject *defaults[MAX_PARAMETERS]  # NULL: required
    bint fixed[MAX_PARAMETERS]  # no other value than the default is looked at here

cdef enum:  # numbers of parameters, as in npconv.functional
    X, WEIGHT, BIAS, STRIDE, PADDING, DILATION, GROUPS  # of conv2d
    GRAD = 0, OPERAND, SHAPE  # of the gradients, then as above
    KERNEL_SIZE = 1, POOL_STRIDE, POOL_PADDING, POOL_DILATION, CEIL_MODE, RETURN_INDICES
    NEEDS = 7  # of conv2d_backward

cdef short_call_data _conv2d, _conv2d_input_grad, _conv2d_weight_grad, _conv2d_backward, _max_pool2d
cdef npc_options _short_options
cdef bint _short_ready = False  # _short_options are set
cdef long long _short_count = 0
cdef object _prepared_type = None  # npconv.PreparedWeight


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


cdef inline bint _short_threads(PyObject *value, npc_options *options) noexcept:
    cdef int64_t threads
    options[0] = _short_options
    if value != None_:
        if not _short_int(value, 1, &threads) or threads > 1024:
            return False
        options.num_threads = <int>threads
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


# ---- results -----------------------------------------------------------------------------------

cdef inline int _type_number(npc_dtype dtype) noexcept:
    return cnp.NPY_FLOAT if dtype == NPC_F32 else cnp.NPY_DOUBLE


cdef object _new(npc_dtype dtype, int64_t n, int64_t c, int64_t h, int64_t w, npc_array *to):
    """An array to be written, and its descriptor."""
    cdef cnp.npy_intp shape[4]
    cdef int64_t size = 4 if dtype == NPC_F32 else 8
    shape[0], shape[1], shape[2], shape[3] = n, c, h, w
    array = _new_array(4, shape, _type_number(dtype), <double>size)
    to.data = <char *>cnp.PyArray_DATA(<cnp.ndarray>array)
    to.dtype = dtype
    to.swapped = to.misaligned = 0
    to.stride[4] = size
    to.stride[3] = w * size
    to.stride[2] = 0
    to.stride[1] = h * w * size
    to.stride[0] = c * h * w * size
    return array


cdef bint _short_flags(PyObject *value, bint *to) noexcept:
    cdef PyObject *item
    cdef int i
    if not PyTuple_CheckExact(value) or PyTuple_Size(value) != 3:
        return False
    for i in range(3):
        item = PyTuple_GetItem(value, i)
        if item != True_ and item != False_:
            return False
        to[i] = item == True_
    return True


cdef int _run_conv(npc_conv_operation operation, const npc_conv_geometry *g,
                   const npc_conv_arrays *arrays, npc_dtype dtype, npc_options *options,
                   double flops) except -1:
    """Whether the weight, if it was prepared, was prepared for this call."""
    global _short_count
    cdef npc_status status
    _short_count += 1
    if flops < BRIEF_FLOPS:
        status = npc_conv(operation, g, arrays, dtype, options, npc_last_plan())
    else:
        options.interrupted = _interrupted
        with nogil:
            status = npc_conv(operation, g, arrays, dtype, options, npc_last_plan())
    if arrays.prepared != NULL and (status == NPC_BAD_PREPARED
                                    or status == NPC_UNSUPPORTED_ALGORITHM):
        _short_count -= 1
        return False  # Python tells what does not fit
    _check(status)
    return True


# ---- the functions -----------------------------------------------------------------------------

cdef object _short_conv2d(PyObject *self, PyObject **args, Py_ssize_t positional, PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_options options
    cdef int64_t x[4]
    cdef int64_t weight[4]
    cdef double flops
    cdef PyObject *filters
    if not _parse(&_conv2d, args, positional, names, v):
        return _in_python(&_conv2d, args, positional, names)
    filters = v[WEIGHT]
    ready = made = None
    if type(<object>filters) is _prepared_type:
        ready = <object>filters
        made = ready.made
        filters = <PyObject *>ready._plain
    if not (_short_array(v[X], &arrays.x, x)
            and _short_weight(filters, arrays.x.dtype, weight, &arrays.weight)
            and _short_bias(v[BIAS], arrays.x.dtype, weight[0], &arrays.bias)
            and _short_conv(&g, x, weight, v, &flops)
            and _short_threads(v[_conv2d.num_threads], &options)):
        return _in_python(&_conv2d, args, positional, names)
    _nothing_follows(&arrays)
    if ready is not None:
        options.algorithm = _algorithm_ids[ready.algorithm]
        options.isa = _isa_ids[ready.isa]
        arrays.prepared = _bytes(<cnp.ndarray?>made, "prepared", &arrays.prepared_bytes)
    y = _new(arrays.x.dtype, g.batch, g.out_channels, g.output[1], g.output[2], &arrays.y)
    if not _run_conv(NPC_FORWARD, &g, &arrays, arrays.x.dtype, &options, flops):
        return _in_python(&_conv2d, args, positional, names)
    return y


cdef object _short_input_grad(PyObject *self, PyObject **args, Py_ssize_t positional,
                              PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_options options
    cdef int64_t x[4]
    cdef int64_t weight[4]
    cdef int64_t grad[4]
    cdef double flops
    if not (_parse(&_conv2d_input_grad, args, positional, names, v)
            and _short_array(v[GRAD], &arrays.y, grad)
            and _short_weight(v[OPERAND], arrays.y.dtype, weight, &arrays.weight)
            and _short_shape(v[SHAPE], x)
            and _short_conv(&g, x, weight, v, &flops)
            and _is_output(&g, grad)
            and _short_threads(v[_conv2d_input_grad.num_threads], &options)):
        return _in_python(&_conv2d_input_grad, args, positional, names)
    _nothing_follows(&arrays)
    dx = _new(arrays.y.dtype, x[0], x[1], x[2], x[3], &arrays.x)
    arrays.bias = NULL
    _run_conv(NPC_INPUT_GRAD, &g, &arrays, arrays.y.dtype, &options, flops)
    return dx


cdef object _short_weight_grad(PyObject *self, PyObject **args, Py_ssize_t positional,
                               PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_options options
    cdef npc_array target
    cdef int64_t x[4]
    cdef int64_t weight[4]
    cdef int64_t grad[4]
    cdef double flops
    if not (_parse(&_conv2d_weight_grad, args, positional, names, v)
            and _short_array(v[GRAD], &arrays.y, grad)
            and _short_array(v[OPERAND], &arrays.x, x)
            and arrays.x.dtype == arrays.y.dtype
            and _short_shape(v[SHAPE], weight)
            and _short_conv(&g, x, weight, v, &flops)
            and _is_output(&g, grad)
            and _short_threads(v[_conv2d_weight_grad.num_threads], &options)):
        return _in_python(&_conv2d_weight_grad, args, positional, names)
    _nothing_follows(&arrays)
    dweight = _new(arrays.y.dtype, weight[0], weight[1], weight[2], weight[3], &target)
    arrays.weight = target.data
    arrays.bias = NULL
    _run_conv(NPC_WEIGHT_GRAD, &g, &arrays, arrays.y.dtype, &options, flops)
    return dweight


cdef object _short_backward(PyObject *self, PyObject **args, Py_ssize_t positional,
                            PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_array images, target
    cdef npc_options options
    cdef npc_dtype dtype
    cdef int64_t x[4]
    cdef int64_t weight[4]
    cdef int64_t grad[4]
    cdef bint needs[3]
    cdef void *filters
    cdef double flops
    if not (_parse(&_conv2d_backward, args, positional, names, v)
            and _short_array(v[GRAD], &arrays.y, grad)
            and _short_array(v[OPERAND], &images, x)
            and images.dtype == arrays.y.dtype
            and _short_weight(v[2], arrays.y.dtype, weight, &filters)
            and _short_conv(&g, x, weight, v, &flops)
            and _is_output(&g, grad)
            and _short_flags(v[NEEDS], needs)
            and _short_threads(v[_conv2d_backward.num_threads], &options)):
        return _in_python(&_conv2d_backward, args, positional, names)
    _nothing_follows(&arrays)
    dtype = images.dtype
    dx = dweight = dbias = None
    arrays.bias = NULL
    if needs[0]:
        dx = _new(dtype, x[0], x[1], x[2], x[3], &arrays.x)
        arrays.weight = filters
        _run_conv(NPC_INPUT_GRAD, &g, &arrays, dtype, &options, flops)
    if needs[1]:
        dweight = _new(dtype, weight[0], weight[1], weight[2], weight[3], &target)
        arrays.x = images
        arrays.weight = target.data
        _run_conv(NPC_WEIGHT_GRAD, &g, &arrays, dtype, &options, flops)
    if needs[2]:
        dbias = _short_bias_grad(&g, &arrays.y, dtype, &options, flops)
    return dx, dweight, dbias


cdef object _short_bias_grad(const npc_conv_geometry *g, const npc_array *grad, npc_dtype dtype,
                             const npc_options *options, double flops):
    cdef cnp.npy_intp length = g.out_channels
    cdef npc_status status
    cdef void *to
    dbias = cnp.PyArray_SimpleNew(1, &length, _type_number(dtype))
    to = cnp.PyArray_DATA(<cnp.ndarray>dbias)
    if flops < BRIEF_FLOPS:
        status = npc_conv_bias_grad(g, grad, to, dtype, options, npc_last_plan())
    else:
        with nogil:
            status = npc_conv_bias_grad(g, grad, to, dtype, options, npc_last_plan())
    _check(status)
    return dbias


cdef object _short_max_pool(PyObject *self, PyObject **args, Py_ssize_t positional,
                            PyObject *names):
    global _short_count
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_pool_geometry g
    cdef npc_array source, target
    cdef npc_options options
    cdef npc_status status
    cdef int64_t x[4]
    cdef int64_t *to = NULL
    cdef double work
    if not (_parse(&_max_pool2d, args, positional, names, v)
            and _short_array(v[X], &source, x)
            and _short_pool(&g, x, v, &work)
            and (v[RETURN_INDICES] == False_ or v[RETURN_INDICES] == True_)
            and _short_threads(v[_max_pool2d.num_threads], &options)):
        return _in_python(&_max_pool2d, args, positional, names)
    y = _new(source.dtype, g.batch, g.channels, g.output[1], g.output[2], &target)
    indices = None
    if v[RETURN_INDICES] == True_:
        indices = _new_array(4, cnp.PyArray_DIMS(<cnp.ndarray>y), cnp.NPY_INT64, 8)
        to = <int64_t *>cnp.PyArray_DATA(<cnp.ndarray>indices)
    _short_count += 1
    if work < BRIEF_FLOPS:
        status = npc_max_pool(&g, &source, &target, to, NPC_INDEX_FLAT, source.dtype, &options,
                              npc_last_plan())
    else:
        options.interrupted = _interrupted
        with nogil:
            status = npc_max_pool(&g, &source, &target, to, NPC_INDEX_FLAT, source.dtype,
                                  &options, npc_last_plan())
    _check(status)
    return y if indices is None else (y, indices)


# ---- putting them in place ---------------------------------------------------------------------

cdef dict _definitions = {}  # the Python functions, and all objects that a short_call points to
cdef frozenset _looked_at = frozenset((
    "x", "weight", "bias", "grad", "input_shape", "weight_shape", "stride", "padding", "dilation",
    "groups", "needs", "kernel_size", "return_indices", "num_threads",
))


def short_call(function):
    """The builtin function that tries the short cut and else calls `function`, its namesake."""
    name = function.__name__
    if name == "conv2d":
        return _publish(function, &_conv2d, <void *>_short_conv2d)
    if name == "conv2d_input_grad":
        return _publish(function, &_conv2d_input_grad, <void *>_short_input_grad)
    if name == "conv2d_weight_grad":
        return _publish(function, &_conv2d_weight_grad, <void *>_short_weight_grad)
    if name == "conv2d_backward":
        return _publish(function, &_conv2d_backward, <void *>_short_backward)
    if name == "max_pool2d":
        return _publish(function, &_max_pool2d, <void *>_short_max_pool)
    raise ValueError(f"{name} has no short cut")


cdef object _publish(object function, short_call_data *call, void *entry):
    """Fill in `call` and make a builtin function with the signature and text of `function`."""
    import inspect

    cdef PyMethodDef *method
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    bare = [each.replace(annotation=each.empty) for each in parameters]
    signature = signature.replace(parameters=bare, return_annotation=signature.empty)
    text = f"{function.__name__}{signature}\n--\n\n{inspect.getdoc(function)}\n".encode()
    _definitions[function.__name__] = (function, parameters, text)
    if len(parameters) > MAX_PARAMETERS:
        raise ValueError(f"{function.__name__} has more than {MAX_PARAMETERS} parameters")
    call.python = <PyObject *>function
    call.count = len(parameters)
    call.positional = 0
    for i, parameter in enumerate(parameters):
        call.names[i] = <PyObject *>parameter.name
        call.defaults[i] = NULL
        if parameter.default is not parameter.empty:
            call.defaults[i] = <PyObject *>parameter.default
        call.fixed[i] = parameter.name not in _looked_at
        call.positional += parameter.kind == parameter.POSITIONAL_OR_KEYWORD
        if parameter.name == "num_threads":
            call.num_threads = i
    method = <PyMethodDef *>malloc(sizeof(PyMethodDef))  # once for each function, never freed
    if method == NULL:
        raise MemoryError
    method.ml_name = <const char *>PyUnicode_AsUTF8AndSize(function.__name__, NULL)
    method.ml_meth = entry
    method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    method.ml_doc = <const char *>text
    return PyCFunction_NewEx(method, NULL, function.__module__)


def definitions():
    """The Python functions that the short cuts stand for."""
    return {name: kept[0] for name, kept in _definitions.items()}


def short_call_count():
    return _short_count


def set_prepared_type(type kind):
    """What a prepared weight is, to be told from arrays."""
    global _prepared_type
    _prepared_type = kind


def set_default_options(tuple options):
    """What a call without options gets; until this is known, there are no short cuts."""
    global _short_ready
    _read_options(&_short_options, options)
    _short_options.interrupted = NULL
    _short_ready = True
