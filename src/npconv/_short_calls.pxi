# Short cuts for hot calls, included by _native.pyx.
#
# The Python functions in npconv.functional are the definition of every operation, and
# npconv.geometry of every size. For a small convolution they take ten times as long as the
# arithmetic, so what is exported are builtin functions that look at their arguments here: where
# all of them are of the usual kind (plain, native arrays of one dtype, exact ints, default
# options), the sizes are computed in C and the C core is called. Anything else, and so every
# error, is left to the Python function, which gets the same arguments. tests/test_short_calls.py
# holds the two together.

from libc.stdlib cimport malloc

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int METH_FASTCALL, METH_KEYWORDS
    object PyCFunction_NewEx(PyMethodDef *method, PyObject *self, object module)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size)

# Below this, some microseconds, giving the GIL away and looking for signals takes longer than the
# work.
cdef double BRIEF_FLOPS = 1e5

cdef short_call_data _conv2d, _conv2d_input_grad, _conv2d_weight_grad, _conv2d_backward, _max_pool2d
cdef long long _short_count = 0
cdef object _prepared_type = None  # npconv.PreparedWeight


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
                   const npc_conv_arrays *arrays, const npc_border *border, npc_dtype dtype,
                   npc_options *options, double flops) except -1:
    """Whether the weight, if it was prepared, was prepared for this call."""
    global _short_count
    cdef npc_status status
    _short_count += 1
    if flops < BRIEF_FLOPS:
        status = npc_conv_bordered(operation, g, arrays, border, dtype, options,
                                   npc_last_plan())
    else:
        options.interrupted = _interrupted
        with nogil:
            status = npc_conv_bordered(operation, g, arrays, border, dtype, options,
                                       npc_last_plan())
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
    cdef npc_border border
    cdef npc_border *around
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
            and _short_border(&_conv2d, v, &g, &border, &around)
            and _short_options_of(&_conv2d, v, &options)):
        return _in_python(&_conv2d, args, positional, names)
    _nothing_follows(&arrays)
    if ready is not None:
        strict = ready.precision == "strict"
        isa = _isa_ids[ready.isa]
        if (options.strict and not strict) or (v[_conv2d.isa] != None_ and options.isa != isa):
            return _in_python(&_conv2d, args, positional, names)
        options.algorithm = _algorithm_ids[ready.algorithm]
        options.strict = strict
        options.isa = isa
        arrays.prepared = _bytes(<cnp.ndarray?>made, "prepared", &arrays.prepared_bytes)
    y = _new(arrays.x.dtype, g.batch, g.out_channels, g.output[1], g.output[2], &arrays.y)
    if not _run_conv(NPC_FORWARD, &g, &arrays, around, arrays.x.dtype, &options, flops):
        return _in_python(&_conv2d, args, positional, names)
    return y


cdef object _short_input_grad(PyObject *self, PyObject **args, Py_ssize_t positional,
                              PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_border border
    cdef npc_border *around
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
            and _short_border(&_conv2d_input_grad, v, &g, &border, &around)
            and _short_options_of(&_conv2d_input_grad, v, &options)):
        return _in_python(&_conv2d_input_grad, args, positional, names)
    _nothing_follows(&arrays)
    dx = _new(arrays.y.dtype, x[0], x[1], x[2], x[3], &arrays.x)
    arrays.bias = NULL
    _run_conv(NPC_INPUT_GRAD, &g, &arrays, around, arrays.y.dtype, &options, flops)
    return dx


cdef object _short_weight_grad(PyObject *self, PyObject **args, Py_ssize_t positional,
                               PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_border border
    cdef npc_border *around
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
            and _short_border(&_conv2d_weight_grad, v, &g, &border, &around)
            and _short_options_of(&_conv2d_weight_grad, v, &options)):
        return _in_python(&_conv2d_weight_grad, args, positional, names)
    _nothing_follows(&arrays)
    dweight = _new(arrays.y.dtype, weight[0], weight[1], weight[2], weight[3], &target)
    arrays.weight = target.data
    arrays.bias = NULL
    _run_conv(NPC_WEIGHT_GRAD, &g, &arrays, around, arrays.y.dtype, &options, flops)
    return dweight


cdef object _short_backward(PyObject *self, PyObject **args, Py_ssize_t positional,
                            PyObject *names):
    cdef PyObject *v[MAX_PARAMETERS]
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_border border
    cdef npc_border *around
    cdef npc_array images, target
    cdef npc_options options
    cdef npc_dtype dtype
    cdef int64_t x[4]
    cdef int64_t weight[4]
    cdef int64_t grad[4]
    cdef bint needs[3]
    cdef cnp.npy_intp length
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
            and _short_border(&_conv2d_backward, v, &g, &border, &around)
            and _short_options_of(&_conv2d_backward, v, &options)):
        return _in_python(&_conv2d_backward, args, positional, names)
    _nothing_follows(&arrays)
    dtype = images.dtype
    length = g.out_channels
    dx = dweight = dbias = None
    arrays.bias = NULL
    if needs[0]:
        dx = _new(dtype, x[0], x[1], x[2], x[3], &arrays.x)
        arrays.weight = filters
        _run_conv(NPC_INPUT_GRAD, &g, &arrays, around, dtype, &options, flops)
    if needs[1]:
        dweight = _new(dtype, weight[0], weight[1], weight[2], weight[3], &target)
        arrays.x = images
        arrays.weight = target.data
        if needs[2]:
            dbias = cnp.PyArray_SimpleNew(1, &length, _type_number(dtype))
            arrays.bias_grad = cnp.PyArray_DATA(<cnp.ndarray>dbias)
        _run_conv(NPC_WEIGHT_GRAD, &g, &arrays, around, dtype, &options, flops)
    elif needs[2]:
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
            and _short_options_of(&_max_pool2d, v, &options)):
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
    "groups", "needs", "kernel_size", "return_indices", "num_threads", "precision", "isa",
))
cdef frozenset _looked_at_around = frozenset(("conv2d", "conv2d_input_grad", "conv2d_weight_grad",
                                              "conv2d_backward"))  # padding_mode


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
    call.padding_mode = -1
    for i, parameter in enumerate(parameters):
        call.names[i] = <PyObject *>parameter.name
        call.defaults[i] = NULL
        if parameter.default is not parameter.empty:
            call.defaults[i] = <PyObject *>parameter.default
        call.fixed[i] = parameter.name not in _looked_at
        if parameter.name == "padding_mode" and function.__name__ in _looked_at_around:
            call.padding_mode, call.fixed[i] = i, False
        call.positional += parameter.kind == parameter.POSITIONAL_OR_KEYWORD
    names = [parameter.name for parameter in parameters]
    call.num_threads = names.index("num_threads")
    call.precision = names.index("precision") if "precision" in names else -1
    call.isa = names.index("isa")
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


def set_default_options(tuple options, isas):
    """What a call without options gets; until this is known, there are no short cuts. `isas` are
    the names that a call may give."""
    global _short_ready
    _short_isas.update((isa, _isa_ids[isa]) for isa in isas)
    _read_options(&_short_options, options)
    _short_options.interrupted = NULL
    _short_ready = True
