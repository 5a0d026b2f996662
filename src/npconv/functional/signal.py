"""Filters of signal processing: convolution as mathematics has it, and correlation.

What they compute is :func:`npconv.conv2d` of one channel. They have their names from SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional import convolution_stages as stages
from npconv.functional import signal_brief, signal_fft
from npconv.functional.convolution_calls import (
    Plan,
    prepare_forward,
    prepare_input_grad,
    prepare_weight_grad,
    run_forward,
    run_input_grad,
    run_weight_grad,
)
from npconv.functional.padding import pad
from npconv.number_types import sum_dtype
from npconv.runtime import Candidate, native
from npconv.signals import (
    METHODS,
    Filter,
    fill_width,
    filter_call,
    kernel_grad,
    needed,
)

_ZERO = 0


def convolve2d(
    x: ArrayLike,
    kernel: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: ArrayLike = 0,
    *,
    method: str = "auto",
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Convolve images with a kernel, as mathematics has it.

    ::

        (..., H, W), (R, S) -> (..., OH, OW)
        (..., H, W), (K, R, S) -> (..., K, OH, OW)

    The kernel is flipped along both axes, which :func:`npconv.conv2d`, a cross-correlation, does
    not do. For mode "full"::

        y[i, j] = sum over r, s of kernel[r, s] * x[i - r, j - s]

    Arguments and results are those of :func:`scipy.signal.convolve2d`, for any number of images and
    filters, but for two things: "valid" does not exchange x and a larger kernel, and integers are
    summed in int32, int64 or uint64 (see :func:`npconv.conv2d`), not in their own dtype.

    Parameters
    ----------
    x : array_like, (..., H, W)
        The images, of any dtype that :func:`npconv.conv2d` takes.
    kernel : array_like, (R, S) or (K, R, S)
        The filter, or several, all of which are applied to each image.
    mode : {"full", "same", "valid"}
        Which outputs: all where kernel and image touch, (H + R - 1, W + S - 1); the middle of them,
        of x's size; or those where the kernel lies inside the image, (H - R + 1, W - S + 1).
    boundary : {"fill", "wrap", "symm"}
        What surrounds the image: `fillvalue`, the image again, or its mirror image with the border
        repeated ("wrap" and "symmetric" of :func:`npconv.pad`).
    fillvalue : number
        For "fill"; of x's dtype.
    method : {"auto", "direct", "fft"}
        How large kernels are computed. "auto" takes SciPy's Fourier transforms where SciPy is there
        and they are predicted to be faster (``npconv.explain`` shows both times). They run on one
        thread; see the notes for their error.
    precision, isa, num_threads
        See :func:`npconv.conv2d`; precision="strict" does without Fourier transforms.

    Returns
    -------
    ndarray, (..., OH, OW) or (..., K, OH, OW)

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together, or method="fft" cannot be had.

    See Also
    --------
    correlate2d, convolve2d_backward

    Notes
    -----
    Transforms are taken tile by tile, in the result's precision. Their error is relative to the
    largest sums, not to each: on normal and on uniform data at most 11 u times the largest sum of
    |x| |kernel| was measured (u = 2**-24 in float32), for kernels of 31 to 255 taps a side. The
    outputs of an image that has other values than finite ones, or too large ones for transforms,
    are summed directly.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.zeros((3, 3))
    >>> x[1, 1] = 1
    >>> npconv.convolve2d(x, [[1, 2], [3, 4]])
    array([[0., 0., 0., 0.],
           [0., 1., 2., 0.],
           [0., 3., 4., 0.],
           [0., 0., 0., 0.]])
    """
    return _filter(x, kernel, mode, boundary, fillvalue, method, precision, isa, num_threads, True)


def convolve2d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: ArrayLike = 0,
    *,
    needs: Sequence[bool] = (True, True),
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None]:
    """Compute the gradients of :func:`convolve2d` with respect to image and kernel.

    ::

        (..., OH, OW), (..., H, W), (R, S) -> (..., H, W), (R, S)

    Parameters
    ----------
    grad : array_like, (..., OH, OW) or (..., K, OH, OW)
        The gradient with respect to the result.
    x, kernel, mode, boundary, fillvalue
        As in the forward call.
    needs : (bool, bool)
        Which of the two to compute; the other is None.
    precision, isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    dx : ndarray or None
        Of x's shape.
    dkernel : ndarray or None
        Of kernel's shape, summed over the images.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, kernel = np.arange(4.).reshape(2, 2), np.ones((1, 2))
    >>> dx, dkernel = npconv.convolve2d_backward(np.ones((2, 1)), x, kernel, "valid")
    >>> dx, dkernel
    (array([[1., 1.],
           [1., 1.]]), array([[4., 2.]]))
    """
    return _backward(
        grad, x, kernel, mode, boundary, fillvalue, needs, precision, isa, num_threads, True
    )


def correlate2d(
    x: ArrayLike,
    kernel: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: ArrayLike = 0,
    *,
    method: str = "auto",
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Correlate images with a kernel.

    ::

        (..., H, W), (R, S) -> (..., OH, OW)
        (..., H, W), (K, R, S) -> (..., K, OH, OW)

    This is the cross-correlation of :func:`npconv.conv2d`; a complex kernel is conjugated. For mode
    "full"::

        y[i, j] = sum over r, s of conj(kernel[r, s]) * x[i + r - (R - 1), j + s - (S - 1)]

    Arguments and results are those of :func:`scipy.signal.correlate2d`, for any number of images
    and filters, but for two things: "valid" does not exchange x and a larger kernel, and integers
    are summed in int32, int64 or uint64 (see :func:`npconv.conv2d`), not in their own dtype.

    Parameters
    ----------
    x : array_like, (..., H, W)
        The images, of any dtype that :func:`npconv.conv2d` takes.
    kernel : array_like, (R, S) or (K, R, S)
        The filter, or several, all of which are applied to each image.
    mode : {"full", "same", "valid"}
        Which outputs: all where kernel and image touch, (H + R - 1, W + S - 1); the middle of them,
        of x's size; or those where the kernel lies inside the image, (H - R + 1, W - S + 1).
    boundary : {"fill", "wrap", "symm"}
        What surrounds the image: `fillvalue`, the image again, or its mirror image with the border
        repeated ("wrap" and "symmetric" of :func:`npconv.pad`).
    fillvalue : number
        For "fill"; of x's dtype.
    method : {"auto", "direct", "fft"}
        How large kernels are computed. "auto" takes SciPy's Fourier transforms where SciPy is there
        and they are predicted to be faster (``npconv.explain`` shows both times). They run on one
        thread; see the notes for their error.
    precision, isa, num_threads
        See :func:`npconv.conv2d`; precision="strict" does without Fourier transforms.

    Returns
    -------
    ndarray, (..., OH, OW) or (..., K, OH, OW)

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together, or method="fft" cannot be had.

    See Also
    --------
    convolve2d, correlate2d_backward

    Notes
    -----
    Transforms are taken tile by tile, in the result's precision. Their error is relative to the
    largest sums, not to each: on normal and on uniform data at most 11 u times the largest sum of
    |x| |kernel| was measured (u = 2**-24 in float32), for kernels of 31 to 255 taps a side. The
    outputs of an image that has other values than finite ones, or too large ones for transforms,
    are summed directly.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.zeros((3, 3))
    >>> x[1, 1] = 1
    >>> npconv.correlate2d(x, [[1, 2], [3, 4]])
    array([[0., 0., 0., 0.],
           [0., 4., 3., 0.],
           [0., 2., 1., 0.],
           [0., 0., 0., 0.]])
    """
    return _filter(x, kernel, mode, boundary, fillvalue, method, precision, isa, num_threads, False)


def correlate2d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: ArrayLike = 0,
    *,
    needs: Sequence[bool] = (True, True),
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None]:
    """Compute the gradients of :func:`correlate2d` with respect to image and kernel.

    ::

        (..., OH, OW), (..., H, W), (R, S) -> (..., H, W), (R, S)

    Parameters
    ----------
    grad : array_like, (..., OH, OW) or (..., K, OH, OW)
        The gradient with respect to the result.
    x, kernel, mode, boundary, fillvalue
        As in the forward call.
    needs : (bool, bool)
        Which of the two to compute; the other is None.
    precision, isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    dx : ndarray or None
        Of x's shape.
    dkernel : ndarray or None
        Of kernel's shape, summed over the images.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, kernel = np.arange(4.).reshape(2, 2), np.ones((1, 2))
    >>> dx, dkernel = npconv.correlate2d_backward(np.ones((2, 1)), x, kernel, "valid")
    >>> dx, dkernel
    (array([[1., 1.],
           [1., 1.]]), array([[2., 4.]]))
    """
    return _backward(
        grad, x, kernel, mode, boundary, fillvalue, needs, precision, isa, num_threads, False
    )


def _prepare(
    call: Filter, precision: object, isa: object, num_threads: object, fillvalue: ArrayLike
) -> Plan:
    images, padding = _filled(call, fillvalue)
    return prepare_forward(
        2, images, call.weight, None, 1, padding, 1, 1, call.padding_mode, "NCHW", None, None,
        precision, "auto", isa, num_threads, None,
    )  # fmt: skip


def _filled(call: Filter, fillvalue: ArrayLike) -> tuple[Array, Any]:
    """The images, and what is left to pad, once a fill value stands around them."""
    if not call.filled:
        return call.images, call.padding
    return pad(call.images, fill_width(call.padding), "constant", fillvalue), 0


def _filter(
    x: object,
    kernel: object,
    mode: object,
    boundary: object,
    fillvalue: ArrayLike,
    method: object,
    precision: object,
    isa: object,
    num_threads: object,
    flip: bool,
) -> Array:
    if (
        boundary == "fill" and method == "auto" and precision == "standard"
        and fillvalue is _ZERO and isa is None
    ):  # fmt: skip
        brief = signal_brief.compute(x, kernel, mode, num_threads, flip)
        if brief is not None:
            return brief
    chosen = checks.choice(method, "method", METHODS)
    call = filter_call(x, kernel, mode, boundary, fillvalue, flip)
    plan = _prepare(call, precision, isa, num_threads, fillvalue)
    geometry, dtype, how, operands, shape, *_ = plan
    images, weight, border = operands[0], operands[1], operands[-1]
    if chosen == "direct" or not _by_transforms(plan, precision, chosen == "fft"):
        return run_forward(plan).reshape(call.output_shape)
    seen = images if border is None else stages.surround(border, images, how)
    y = native.empty(shape, dtype)
    direct = signal_fft.correlate(seen, weight, geometry, y)
    if direct.any():
        y[direct] = run_forward(
            _prepare(
                call._replace(images=call.images[direct]), precision, isa, num_threads, fillvalue
            )
        )
    return y.reshape(call.output_shape)


def _by_transforms(plan: Plan, precision: object, wanted: bool) -> bool:
    geometry, dtype, how, *_ = plan
    if not wanted:
        return signal_fft.wins(geometry, dtype, how, precision)
    rival = signal_fft.candidate(geometry, dtype, precision)
    if not rival.accepted:
        raise ValueError(f"method='fft' declines this call: {rival.reason}")
    return True


def prepare_filter(
    ndim: int,
    x: object,
    kernel: object,
    mode: object,
    boundary: object,
    fillvalue: ArrayLike,
    method: object,
    precision: object,
    isa: object,
    num_threads: object,
) -> Plan:
    """Check a call for :func:`npconv.explain`; flipping does not matter there."""
    checks.choice(method, "method", METHODS)
    call = filter_call(x, kernel, mode, boundary, fillvalue, True)
    return _prepare(call, precision, isa, num_threads, fillvalue)


def rival(plan: Plan, arguments: dict[str, Any]) -> tuple[Candidate, bool]:
    """The Fourier transforms as a candidate, and whether they would run, for finite images."""
    geometry, dtype, *_ = plan
    found = signal_fft.candidate(geometry, dtype, arguments["precision"])
    method = arguments["method"]
    return found, method != "direct" and _by_transforms(
        plan, arguments["precision"], method == "fft"
    )


def _backward(
    grad: object,
    x: object,
    kernel: object,
    mode: object,
    boundary: object,
    fillvalue: ArrayLike,
    needs: object,
    precision: object,
    isa: object,
    num_threads: object,
    flip: bool,
) -> tuple[Array | None, Array | None]:
    need_dx, need_dkernel = needed(needs)
    call = filter_call(x, kernel, mode, boundary, fillvalue, flip)
    given, image, filters = (
        checks.array(value, name) for value, name in ((grad, "grad"), (x, "x"), (kernel, "kernel"))
    )
    checks.same_shape(given, "grad", call.output_shape, "the shape of this filter's result")
    images, padding = _filled(call, fillvalue)
    size = call.output_shape[-2:]
    errors = given.reshape(len(images), len(call.weight), *size)
    dtype = sum_dtype(grad=errors, x=images, weight=call.weight)
    rest = (precision, "auto", isa, num_threads)
    dx = dkernel = None
    if need_dx:
        plan = prepare_input_grad(
            2, errors, call.weight, call.images.shape, 1, call.padding, 1, 1, call.padding_mode,
            "NCHW", *rest,
        )  # fmt: skip
        dx = run_input_grad((plan[0], dtype, *plan[2:])).reshape(image.shape)
    if need_dkernel:
        plan = prepare_weight_grad(
            2, errors, images, call.weight.shape, 1, padding, 1, 1, call.padding_mode, "NCHW",
            *rest,
        )  # fmt: skip
        dweight = run_weight_grad((plan[0], dtype, *plan[2:]))
        dkernel = kernel_grad(dweight, flip, filters.shape)
    return dx, dkernel
