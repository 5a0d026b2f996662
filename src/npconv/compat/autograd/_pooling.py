"""Poolings."""

from __future__ import annotations

import inspect
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from npconv import functional
from npconv.compat.autograd._calls import Function, defined_gradient, public, traced
from npconv.geometry import pool_geometry

_LAST = ("NWC", "NHWC", "NDHWC")


def _selected(name: str) -> Function:
    """Make differentiable a pooling that takes one element of each window.

    Once it is known which, the rest is linear: to put numbers there, and to take them from there.
    """
    forward = getattr(functional, name)
    backward = getattr(functional, f"{name}_backward")
    also = inspect.signature(backward).parameters

    @primitive
    def chosen(x: Any, how: Any, places: list[Any]) -> Any:
        y, indices = forward(x, return_indices=True, **how)
        places[:] = [indices]
        return y

    @primitive
    def put(grad: Any, shape: Any, how: Any, places: list[Any]) -> Any:
        settings = {key: value for key, value in how.items() if key in also}
        return backward(grad, places[0], shape, **settings)

    @primitive
    def take(x: Any, how: Any, places: list[Any]) -> Any:
        return _taken(name, x, places[0], how)

    defvjp(chosen, lambda ans, x, how, places: lambda g: put(g, x.shape, how, places))
    defvjp(put, lambda ans, grad, shape, how, places: lambda h: take(h, how, places))
    defvjp(take, lambda ans, x, how, places: lambda g: put(g, x.shape, how, places))

    @public(forward, "x")
    def result(x: Any, **how: Any) -> Any:
        if not traced(x):
            return forward(x, **how)
        of_indices = {
            key: how.pop(key) for key in ("return_indices", "indices", "index_dtype") if key in how
        }
        if of_indices.get("return_indices", False) and "rng" in how:
            raise TypeError(f"{name}: return_indices goes with random_samples, not with rng")
        y = chosen(x, how, [])
        if of_indices.get("return_indices", False):
            return y, forward(getval(x), **of_indices, **how)[1]
        return y

    return result


class _Planes:
    """Images of any layout as (N·C, D1, ..., Dn), and back."""

    def __init__(self, name: str, x: Any, how: Any) -> None:
        self.spatial = int(name[-2]) if name.endswith("d") else x.ndim - 2
        self.last = how.get("channels_last", False) or how.get("layout") in _LAST
        self.channels = -1 - self.spatial

    def of(self, x: Any) -> Any:
        """Put channels before pixels, and images beside channels."""
        ordered = np.moveaxis(x, -1, self.channels) if self.last else x
        return ordered.reshape(-1, *ordered.shape[x.ndim - self.spatial :])

    def back(self, planes: Any, shape: tuple[int, ...]) -> Any:
        """Give planes the shape that the caller knows."""
        if not self.last:
            return planes.reshape(shape)
        ordered = (*shape[: -1 - self.spatial], shape[-1], *shape[-1 - self.spatial : -1])
        return np.ascontiguousarray(np.moveaxis(planes.reshape(ordered), self.channels, -1))


def _taken(name: str, x: Any, indices: Any, how: Any) -> Any:
    """Read images at flat positions in them, or in them with their border."""
    to = _Planes(name, x, how)
    planes = to.of(x)
    mode = how.get("padding_mode", "constant")
    if how.get("padding_value") is not None or mode != "constant":
        # What a given value is around an image does not depend on the image: its gradient is 0.
        names = ("stride", None), ("padding", 0), ("dilation", 1), ("ceil_mode", False)
        window = [how.get(key, default) for key, default in names]
        shape = (1, *planes.shape)
        geometry = pool_geometry(to.spatial, shape, how["kernel_size"], *window)
        around = list(zip(geometry.pad_before, geometry.pad_after, strict=True))[-to.spatial :]
        planes = functional.pad(planes, [(0, 0), *around], mode)
    places = to.of(indices)
    flat = planes.reshape(len(planes), -1), places.reshape(len(places), -1)
    values = functional.max_unpool1d_backward(*flat, 1)
    return to.back(values, indices.shape)


def _averaged(name: str) -> Function:
    """Make differentiable a pooling that is linear.

    Its adjoint is told the shape of the images instead of what only their size follows from.
    """
    forward = getattr(functional, name)
    backward = getattr(functional, f"{name}_backward")
    also = inspect.signature(backward).parameters

    @primitive
    def mean(x: Any, how: Any) -> Any:
        return forward(x, **how)

    @primitive
    def spread(grad: Any, shape: Any, how: Any) -> Any:
        settings = {key: value for key, value in how.items() if key in also}
        return backward(grad, shape, **settings)

    defvjp(mean, lambda ans, x, how: lambda g: spread(g, x.shape, how))
    defvjp(spread, lambda ans, grad, shape, how: lambda h: mean(h, how))

    @public(forward, "x")
    def result(x: Any, **how: Any) -> Any:
        return mean(x, how)

    return result


def _norm(name: str, average: Function) -> Function:
    """Make differentiable a pooling by norms, whose first derivative is npconv's own."""
    forward = getattr(functional, name)
    backward = getattr(functional, f"{name}_backward")

    def definition(x: Any, p: Any, how: Any) -> Any:
        sums = average(anp.abs(x) ** p, divisor_override=1, **how)
        return sums ** (1 / p)

    @primitive
    def norm(x: Any, p: Any, how: Any) -> Any:
        return forward(x, p, **how)

    gradient = defined_gradient(lambda grad, x, p, how: backward(grad, x, p, **how), definition, 0)
    defvjp(norm, lambda ans, x, p, how: lambda g: gradient(g, x, p, how))

    @public(forward, "x", "norm_type")
    def result(x: Any, norm_type: Any, **how: Any) -> Any:
        return norm(x, norm_type, how)

    return result


def _unpooled(name: str) -> Function:
    """Make differentiable what puts numbers where a pooling found them."""
    forward = getattr(functional, name)
    backward = getattr(functional, f"{name}_backward")

    spatial = int(name[-2])

    def image(shape: tuple[int, ...], how: Any) -> tuple[int, ...]:
        return shape[-1 - spatial : -1] if how.get("layout") in _LAST else shape[-spatial:]

    @primitive
    def put(x: Any, indices: Any, how: Any) -> Any:
        return forward(x, indices, **how)

    @primitive
    def take(grad: Any, indices: Any, how: Any) -> Any:
        settings = {key: value for key, value in how.items() if key != "output_size"}
        return backward(grad, indices, **settings)

    defvjp(put, lambda ans, x, indices, how: lambda g: take(g, indices, how))
    defvjp(
        take,
        lambda ans, grad, indices, how: (
            lambda h: put(h, indices, {**how, "output_size": image(grad.shape, how)})
        ),
    )

    @public(forward, "x", "indices")
    def result(x: Any, indices: Any, **how: Any) -> Any:
        return put(x, getval(indices), how)

    return result


max_pool1d, max_pool2d, max_pool3d = [_selected(f"max_pool{n}d") for n in (1, 2, 3)]
min_pool1d, min_pool2d, min_pool3d = [_selected(f"min_pool{n}d") for n in (1, 2, 3)]
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = [
    _selected(f"adaptive_max_pool{n}d") for n in (1, 2, 3)
]
fractional_max_pool2d, fractional_max_pool3d = [
    _selected(f"fractional_max_pool{n}d") for n in (2, 3)
]
global_max_pool = _selected("global_max_pool")

avg_pool1d, avg_pool2d, avg_pool3d = [_averaged(f"avg_pool{n}d") for n in (1, 2, 3)]
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = [
    _averaged(f"adaptive_avg_pool{n}d") for n in (1, 2, 3)
]
global_avg_pool = _averaged("global_avg_pool")

lp_pool1d = _norm("lp_pool1d", avg_pool1d)
lp_pool2d = _norm("lp_pool2d", avg_pool2d)
lp_pool3d = _norm("lp_pool3d", avg_pool3d)

max_unpool1d, max_unpool2d, max_unpool3d = [_unpooled(f"max_unpool{n}d") for n in (1, 2, 3)]
