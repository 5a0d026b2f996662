"""The checked arguments of the normalisations."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from npconv import checks
from npconv.arguments import elementwise
from npconv.arguments.linear import needed
from npconv.checks import Array

Saved: TypeAlias = tuple[Array, Array]
"""(mean, 1 / sqrt(variance + eps)) of each channel, as a forward pass used them."""


class BatchNorm(NamedTuple):
    """A batch normalisation. The running statistics are the caller's arrays."""

    x: Array
    weight: Array | None
    bias: Array | None
    running_mean: Array | None
    running_var: Array | None
    momentum: float
    eps: float
    dtype: np.dtype[Any]

    @property
    def per_channel(self) -> int:
        """How many values a channel has."""
        return math.prod(self.x.shape[:1] + self.x.shape[2:])


def batch_norm_case(
    x: object,
    weight: object,
    bias: object,
    running_mean: object,
    running_var: object,
    training: object,
    momentum: object,
    eps: object,
    return_saved: object,
) -> BatchNorm:
    """Check the arguments of a forward batch normalisation."""
    checks.flag(return_saved, "return_saved")
    given = _channelled(x, "x")
    channels = given.shape[1]
    scale, shift = _per_channel(weight, "weight", channels), _per_channel(bias, "bias", channels)
    running: list[Array | None] = []
    for name, value in (("running_mean", running_mean), ("running_var", running_var)):
        statistic = _per_channel(value, name, channels)
        if checks.flag(training, "training") and statistic is not None:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"{name} must be a numpy.ndarray, for training changes it")
            checks.output(value, (channels,), checks.float_dtype(**{name: value}))
        elif statistic is None and not training:
            raise ValueError(f"{name} is None, expected an array where training=False")
        running.append(statistic)
    case = BatchNorm(
        given,
        scale,
        shift,
        running[0],
        running[1],
        elementwise.number(momentum, "momentum", 0),
        elementwise.number(eps, "eps", 0),
        checks.float_dtype(x=given, weight=scale, bias=shift),
    )
    if training and case.per_channel == 1:
        raise ValueError(
            f"x has shape {given.shape}: training needs more than one value a channel to take a "
            "variance of"
        )
    return case


class BatchNormBackward(NamedTuple):
    """The gradients of a batch normalisation."""

    grad: Array
    x: Array
    weight: Array | None
    mean: Array
    inverse: Array
    needs: tuple[bool, bool, bool]
    dtype: np.dtype[Any]


def batch_norm_backward_case(
    grad: object, x: object, weight: object, saved: object, training: object, needs: object
) -> BatchNormBackward:
    """Check the arguments of a backward batch normalisation."""
    checks.flag(training, "training")
    if not isinstance(saved, (tuple, list)) or len(saved) != 2:
        raise TypeError(
            f"saved must be what batch_norm(..., return_saved=True) returned, got "
            f"{checks.show(saved)}"
        )
    (errors, given), dtype = elementwise.operands(grad=grad, x=_channelled(x, "x"))
    channels = given.shape[1]
    mean, inverse = (_per_channel(part, "saved", channels) for part in saved)
    if mean is None or inverse is None:
        raise TypeError("saved has None, expected two arrays")
    scale = _per_channel(weight, "weight", channels)
    dtype = checks.float_dtype(grad=errors, x=given, weight=scale)
    return BatchNormBackward(errors, given, scale, mean, inverse, needed(needs), dtype)


class ResponseNorm(NamedTuple):
    """A local response normalisation; without a gradient, `grad` is x."""

    x: Array
    grad: Array
    size: int
    alpha: float
    beta: float
    k: float
    dtype: np.dtype[Any]

    @property
    def settings(self) -> tuple[int, float, float, float]:
        """Return size, alpha, beta and k."""
        return self.size, self.alpha, self.beta, self.k


def lrn_case(
    x: object, grad: object, size: object, alpha: object, beta: object, k: object
) -> ResponseNorm:
    """Check the arguments of a local response normalisation."""
    given = _channelled(x, "x")
    errors = given
    if grad is not None:
        (errors, _), dtype = elementwise.operands(grad=grad, x=given)
    else:
        dtype = checks.float_dtype(x=given)
    return ResponseNorm(
        given,
        errors,
        checks.integer(size, "size", 1),
        elementwise.number(alpha, "alpha", 0),
        elementwise.number(beta, "beta", 0),
        elementwise.number(k, "k", 0),
        dtype,
    )


def _channelled(value: object, name: str) -> Array:
    checked = checks.array(value, name)
    if checked.ndim < 2:
        raise ValueError(f"{name} must be (N, C, ...), got shape {checked.shape}")
    return checked


def _per_channel(value: object, name: str, channels: int) -> Array | None:
    if value is None:
        return None
    checked = checks.array(value, name)
    checks.same_shape(checked, name, (channels,), "one value a channel of x")
    checks.float_dtype(**{name: checked})
    return checked
