# The border, included by _native.pyx: convolution.

cdef void _nothing_follows(npc_conv_arrays *arrays) noexcept:
    arrays.add.data = NULL
    arrays.activation = NPC_NO_ACTIVATION
    arrays.slope = 0
    arrays.bias_grad = NULL
    arrays.prepared = NULL
    arrays.prepared_bytes = 0


cdef npc_border *_read_border(npc_border *to, object geometry, object border,
                              list shape) except? NULL:
    """What surrounds the images, NULL where nothing does; `shape` is that of the images."""
    cdef int i, spatial = geometry.ndim
    shape.extend(_x_shape(geometry))
    if border is None:
        return NULL
    to.mode = _look_up(_pad_modes, "mode", border.mode)
    for i in range(3):
        to.before[i] = to.after[i] = 0
    for i in range(spatial):
        to.before[3 - spatial + i] = border.geometry.before[2 + i]
        to.after[3 - spatial + i] = border.geometry.after[2 + i]
        shape[2 + i] -= to.before[3 - spatial + i] + to.after[3 - spatial + i]
    return to


def conv_forward(geometry, cnp.ndarray x, cnp.ndarray weight, bias, cnp.ndarray out,
                 tuple options, activation=None, double slope=0, add=None, prepared=None,
                 border=None):
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_border around
    cdef npc_border *surrounded
    cdef list shape = []
    cdef npc_options o
    cdef npc_status status
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    surrounded = _read_border(&around, geometry, border, shape)
    _describe(&arrays.x, x, "x", tuple(shape))
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
        status = npc_conv_bordered(NPC_FORWARD, &g, &arrays, surrounded, arrays.y.dtype, &o,
                                   npc_last_plan())
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
                    tuple options, bias=None, activation=None, double slope=0, add=None,
                    border=None):
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_border around
    cdef npc_border *surrounded
    cdef list shape = []
    cdef npc_options o
    cdef npc_status status
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&arrays.y, grad, "grad", _y_shape(geometry))
    surrounded = _read_border(&around, geometry, border, shape)
    _describe(&arrays.x, out, "out", tuple(shape))
    _check_out(out, arrays.x.dtype, False)
    if surrounded != NULL:
        last = (<object>out).transpose(0, *range(2, out.ndim), 1) if o.channels_last else out
        _check_out(last, arrays.x.dtype, True)
    arrays.weight = _operand(weight, "weight", _weight_shape(geometry), arrays.x.dtype)
    arrays.bias = NULL
    if bias is not None:
        arrays.bias = _operand(bias, "bias", (geometry.in_channels,), arrays.x.dtype)
    _nothing_follows(&arrays)
    if activation is not None:
        arrays.activation = _look_up(_activations, "activation", activation)
        arrays.slope = slope
    if add is not None:
        _describe(&arrays.add, add, "add", _x_shape(geometry))
    with nogil:
        status = npc_conv_bordered(NPC_INPUT_GRAD, &g, &arrays, surrounded, arrays.x.dtype, &o,
                                   npc_last_plan())
    _check_conv(status, NPC_INPUT_GRAD, &g, arrays.x.dtype, &o)


def conv_weight_grad(geometry, cnp.ndarray grad, cnp.ndarray x, cnp.ndarray out, tuple options,
                     border=None, cnp.ndarray bias_out=None):
    cdef npc_conv_geometry g
    cdef npc_conv_arrays arrays
    cdef npc_border around
    cdef npc_border *surrounded
    cdef list shape = []
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    _read_conv_geometry(&g, geometry)
    _read_options(&o, options)
    _describe(&arrays.y, grad, "grad", _y_shape(geometry))
    surrounded = _read_border(&around, geometry, border, shape)
    _describe(&arrays.x, x, "x", tuple(shape))
    _find_dtype(out, &dtype)
    _check_out(out, dtype, True)
    arrays.weight = _operand(out, "out", _weight_shape(geometry), dtype)
    arrays.bias = NULL
    _nothing_follows(&arrays)
    if bias_out is not None:
        _check_out(bias_out, dtype, True)
        arrays.bias_grad = _operand(bias_out, "bias_out", (geometry.out_channels,), dtype)
    with nogil:
        status = npc_conv_bordered(NPC_WEIGHT_GRAD, &g, &arrays, surrounded, dtype, &o,
                                   npc_last_plan())
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
