# The border, included by _native.pyx: column matrices.

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
