# The border, included by _native.pyx: operations element by element.

cdef dict _update_rules = {
    "sgd": NPC_SGD,
    "momentum": NPC_MOMENTUM,
    "nesterov": NPC_NESTEROV,
    "adagrad": NPC_ADAGRAD,
    "rmsprop": NPC_RMSPROP,
    "adam": NPC_ADAM,
}


cdef int _start_elements(npc_elements *to, cnp.ndarray out, npc_dtype *dtype) except -1:
    """The shape, and operand 0, which is written."""
    cdef int i
    to.rank = cnp.PyArray_NDIM(out)
    if to.rank > NPC_MAX_RANK:
        raise ValueError(f"out has {to.rank} axes, expected at most {NPC_MAX_RANK}")
    for i in range(to.rank):
        to.shape[i] = cnp.PyArray_DIM(out, i)
    for i in range(4):
        to.operand[i].data = NULL
    _find_dtype(out, dtype)
    _check_out(out, dtype[0], False)
    return _add_operand(to, 0, out, "out")


cdef int _add_operand(npc_elements *to, int number, cnp.ndarray array, str name) except -1:
    cdef npc_operand *operand = &to.operand[number]
    cdef int i
    cdef bint matches = cnp.PyArray_NDIM(array) == to.rank
    for i in range(to.rank):
        matches = matches and cnp.PyArray_DIM(array, i) == to.shape[i]
    if not matches:
        raise ValueError(f"{name} has shape {(<object>array).shape}, "
                         f"expected {tuple([to.shape[i] for i in range(to.rank)])}")
    _find_dtype(array, &operand.dtype)
    operand.data = <char *>cnp.PyArray_DATA(array)
    operand.swapped = not cnp.PyArray_ISNOTSWAPPED(array)
    operand.misaligned = not cnp.PyArray_ISALIGNED(array)
    for i in range(to.rank):
        operand.stride[i] = cnp.PyArray_STRIDE(array, i)
    return 0


def activate(activation, double slope, cnp.ndarray x, cnp.ndarray added, cnp.ndarray out,
             tuple options):
    cdef npc_elements e
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef npc_activation which = NPC_NO_ACTIVATION
    if activation is not None:
        which = _look_up(_activations, "activation", activation)
    _read_options(&o, options)
    _start_elements(&e, out, &dtype)
    _add_operand(&e, 1, x, "x")
    if added is not None:
        _add_operand(&e, 2, added, "y")
    with nogil:
        status = npc_activate(&e, which, slope, dtype, &o, npc_last_plan())
    _check(status)


def activate_grad(activation, double slope, cnp.ndarray grad, cnp.ndarray y, cnp.ndarray out,
                  tuple options):
    cdef npc_elements e
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype
    cdef npc_activation which = NPC_NO_ACTIVATION
    if activation is not None:
        which = _look_up(_activations, "activation", activation)
    _read_options(&o, options)
    _start_elements(&e, out, &dtype)
    _add_operand(&e, 1, grad, "grad")
    _add_operand(&e, 2, y, "y")
    with nogil:
        status = npc_activate_grad(&e, which, slope, dtype, &o, npc_last_plan())
    _check(status)


def update(rule, tuple settings, cnp.ndarray param, cnp.ndarray grad, tuple states, tuple options):
    """A step of an optimiser; settings: rate, shrink, decay, beta1, beta2, epsilon."""
    cdef npc_elements e
    cdef npc_options o
    cdef npc_status status
    cdef npc_dtype dtype, kept
    cdef npc_update_settings s
    cdef int i
    s.rule = _look_up(_update_rules, "rule", rule)
    s.rate, s.shrink, s.decay, s.beta1, s.beta2, s.epsilon = settings
    _read_options(&o, options)
    _start_elements(&e, param, &dtype)
    _add_operand(&e, 1, grad, "grad")
    if len(states) > 2:
        raise ValueError(f"states has {len(states)} arrays, expected at most 2")
    for i in range(len(states)):
        _find_dtype(states[i], &kept)
        _check_out(states[i], kept, False)
        if kept != dtype:
            raise TypeError(f"states are {states[i].dtype}, expected {param.dtype}")
        _add_operand(&e, 2 + i, states[i], "state")
    with nogil:
        status = npc_update(&e, &s, dtype, &o, npc_last_plan())
    _check(status)
