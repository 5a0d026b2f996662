"""Padding and its gradient, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry
from npconv.checks import Array
from npconv.geometry import PadGeometry
from npconv.reference.delivery import deliver, quiet


def pad(
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    constant_values: Any = 0,
    *,
    num_threads: int | None = None,
) -> Array:
    """:func:`numpy.pad` in its modes constant, reflect, edge, symmetric and wrap.

    Parameters and result are those of :func:`npconv.pad`.
    """
    checks.choice(mode, "mode", checks.PAD_MODES)
    x = checks.array(x, "x")
    dtype = checks.pad_dtype(x)
    g = geometry.pad_geometry(x.shape, pad_width, mode, dtype.itemsize)
    values = checks.constant_values(constant_values, x)
    widths = list(zip(g.before, g.after, strict=True))
    if not widths:
        padded = x  # numpy.pad refuses an array without axes, of which nothing can be padded
    elif mode == "constant":
        padded = np.pad(x, widths, constant_values=values)
    else:
        padded = np.pad(x, widths, mode)  # type: ignore[call-overload]
    return np.array(padded, order="C")


def pad_backward(
    grad: Any, pad_width: Any, mode: str = "constant", *, num_threads: int | None = None
) -> Array:
    """Gradient of :func:`pad`: every element gets the gradients of all its copies.

    Parameters and result are those of :func:`npconv.pad_backward`.
    """
    checks.choice(mode, "mode", checks.PAD_MODES)
    grad = checks.array(grad, "grad")
    dtype = checks.float_dtype(grad=grad)
    g = geometry.pad_backward_geometry(grad.shape, pad_width, mode)
    return deliver(pad_gradient(g, grad, mode), g.shape, dtype)


@quiet
def pad_gradient(g: PadGeometry, grad: Array, mode: str) -> Array:
    """Sum the gradients of copies, in float64 unless grad's dtype is as wide."""
    if grad.dtype not in (np.int64, np.uint64, np.complex128):
        grad = grad.astype(np.float64)
    for axis, (length, before, after) in enumerate(zip(*g, strict=True)):
        grad = np.moveaxis(grad, axis, 0)
        if mode == "constant":
            grad = grad[before : before + length]
        elif before + after:
            # Padding the numbers 0, 1, 2, ... shows which element each one is a copy of.
            source = np.pad(np.arange(length), (before, after), mode)  # type: ignore[call-overload]
            summed = np.zeros((length, *grad.shape[1:]), grad.dtype)
            np.add.at(summed, source, grad)
            grad = summed
        grad = np.moveaxis(grad, 0, axis)
    return grad
