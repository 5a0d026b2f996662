"""Batch-norm, local response normalisation, dropout and their gradients, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npconv.arguments import elementwise
from npconv.arguments.normalisation import (
    BatchNorm,
    Saved,
    batch_norm_backward_case,
    batch_norm_case,
    lrn_case,
)
from npconv.checks import Array
from npconv.reference.delivery import deliver, quiet


@quiet
def batch_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    return_saved: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array | tuple[Array, Saved]:
    """Normalise each channel, then scale and shift it; :func:`npconv.batch_norm`."""
    case = batch_norm_case(
        x, weight, bias, running_mean, running_var, training, momentum, eps, return_saved
    )
    values = case.x.astype("f8")
    mean, variance = (
        _statistics(case, values)
        if training
        else (_wide(case.running_mean), _wide(case.running_var))
    )
    inverse = 1 / np.sqrt(variance + case.eps)
    y = (values - _along(mean, values)) * _along(inverse * _or(case.weight, 1), values)
    y = y + _along(_or(case.bias, 0), values)
    result = deliver(y, y.shape, case.dtype)
    if not return_saved:
        return result
    return result, (mean.astype(case.dtype), inverse.astype(case.dtype))


def _statistics(case: BatchNorm, values: Array) -> tuple[Array, Array]:
    """Take mean and variance over all axes but the channels', and move the running ones."""
    channels, count = values.shape[1], case.per_channel
    if not count:
        return np.zeros(channels), np.zeros(channels)
    axes = (0, *range(2, values.ndim))
    mean, variance = values.mean(axis=axes), values.var(axis=axes)
    unbiased = variance * count / (count - 1)
    for running, new in ((case.running_mean, mean), (case.running_var, unbiased)):
        if running is not None:
            running[...] = (1 - case.momentum) * _wide(running) + case.momentum * new
    return mean, variance


@quiet
def batch_norm_backward(
    grad: Any,
    x: Any,
    weight: Any,
    saved: Saved,
    training: bool = True,
    *,
    needs: Sequence[bool] = (True, True, True),
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of :func:`batch_norm`; :func:`npconv.batch_norm_backward`."""
    case = batch_norm_backward_case(grad, x, weight, saved, training, needs)
    dtype, g, values = case.dtype, case.grad.astype("f8"), case.x.astype("f8")
    axes = (0, *range(2, values.ndim))
    mean, inverse = _along(_wide(case.mean), values), _along(_wide(case.inverse), values)
    normal = (values - mean) * inverse
    dbias, dweight = g.sum(axis=axes), (g * normal).sum(axis=axes)
    scaled = inverse * _along(_or(case.weight, 1), values)
    dx = g * scaled
    if training and values.size:
        count = values.size // values.shape[1]
        dx = scaled * (g - _along(dbias, values) / count - normal * _along(dweight, values) / count)
    results = [
        deliver(part, part.shape, dtype) if needed else None
        for part, needed in zip((dx, dweight, dbias), case.needs, strict=True)
    ]
    return results[0], results[1], results[2]


@quiet
def local_response_norm(
    x: Any,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Divide by a power of nearby squares; :func:`npconv.local_response_norm`."""
    case = lrn_case(x, None, size, alpha, beta, k)
    values = case.x.astype("f8")
    y = values * _divisors(values, case.size, alpha, k) ** -case.beta
    return deliver(y, y.shape, case.dtype)


@quiet
def local_response_norm_backward(
    grad: Any,
    x: Any,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`local_response_norm`; :func:`npconv.local_response_norm_backward`."""
    case = lrn_case(x, grad, size, alpha, beta, k)
    values, g = case.x.astype("f8"), case.grad.astype("f8")
    divisors = _divisors(values, case.size, alpha, k)
    # Channel i is in the windows of the channels that its own window would have, mirrored.
    mutual = _windows(g * values * divisors ** (-case.beta - 1), case.size, mirrored=True)
    dx = g * divisors**-case.beta - 2 * alpha * beta / size * values * mutual
    return deliver(dx, dx.shape, case.dtype)


def _divisors(values: Array, size: int, alpha: float, k: float) -> Array:
    return k + alpha / size * _windows(values * values, size)


def _windows(values: Array, size: int, mirrored: bool = False) -> Array:
    """Sum over channels c - size // 2 ... c + (size - 1) // 2."""
    before, after = size // 2, (size - 1) // 2
    if mirrored:
        before, after = after, before
    channels = values.shape[1]
    return (
        np.stack(
            [values[:, max(c - before, 0) : c + after + 1].sum(axis=1) for c in range(channels)],
            axis=1,
        )
        if channels
        else values
    )


@quiet
def dropout(
    x: Any,
    p: float = 0.5,
    *,
    rng: np.random.Generator,
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array, Array]:
    """Zero elements with probability p, scale the others; :func:`npconv.dropout`."""
    (given,), dtype = elementwise.operands(x=x)
    p = elementwise.number(p, "p", 0, 1)
    draws = elementwise.generator(rng).integers(0, 2**32, given.shape, np.uint32)
    mask = (draws >= np.floor(p * 2**32)).astype(np.uint8)
    y = np.where(mask != 0, given.astype(dtype) * dtype.type(1 / (1 - p)), 0)
    return deliver(y, y.shape, dtype), mask


@quiet
def dropout_backward(
    grad: Any,
    mask: Any,
    p: float = 0.5,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of :func:`dropout`; :func:`npconv.dropout_backward`."""
    (g,), dtype = elementwise.operands(grad=grad)
    p = elementwise.number(p, "p", 0, 1)
    kept = elementwise.mask(mask, g)
    dx = np.where(kept != 0, g.astype(dtype) * dtype.type(1 / (1 - p)), 0)
    return deliver(dx, dx.shape, dtype)


def _wide(values: Array | None) -> Array:
    assert values is not None  # batch_norm_case has seen to it
    return values.astype("f8")


def _or(values: Array | None, default: float) -> Any:
    return default if values is None else values.astype("f8")


def _along(values: Any, x: Array) -> Any:
    """Give values of channels the axes of x."""
    return values if np.ndim(values) == 0 else values.reshape(-1, *(1,) * (x.ndim - 2))
