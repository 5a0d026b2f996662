"""Poolings."""

from __future__ import annotations

import inspect
import math
from typing import Any

from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from npconv import checks, functional
from npconv.compat._taking import taken
from npconv.compat.autograd._calls import Function, public, traced
from npconv.geometry import pool_geometry


class _MaxPool:
    """A max-pooling, which keeps where the maxima are for its gradient.

    Once that is known, the rest is linear: to put numbers there, and to take them from there.
    """

    def __init__(self, name: str, ndim: int) -> None:
        forward = getattr(functional, name)
        backward = getattr(functional, f"{name}_backward")

        @primitive
        def maxima(x: Any, kernel_size: Any, how: Any, places: list[Any]) -> Any:
            kernel = checks.per_axis(kernel_size, "kernel_size", ndim, 1)
            kind = {"indices": "window"}
            kind["index_dtype"] = "uint8" if math.prod(kernel) <= 256 else "int64"
            y, indices = forward(x, kernel_size, return_indices=True, **kind, **how)
            places[:] = [indices]
            return y

        @primitive
        def put(grad: Any, shape: Any, kernel_size: Any, how: Any, places: list[Any]) -> Any:
            return backward(grad, places[0], shape, kernel_size, index_kind="window", **how)

        @primitive
        def take(x: Any, kernel_size: Any, how: Any, places: list[Any]) -> Any:
            window = [
                how.get(option, default)
                for option, default in (
                    ("stride", None), ("padding", 0), ("dilation", 1), ("ceil_mode", False)
                )
            ]  # fmt: skip
            shape = x.shape if x.ndim == ndim + 2 else (1, *x.shape)
            return taken(x, places[0], pool_geometry(ndim, shape, kernel_size, *window))

        defvjp(maxima, lambda ans, x, k, how, places: lambda g: put(g, x.shape, k, how, places))
        defvjp(put, lambda ans, g, shape, k, how, places: lambda h: take(h, k, how, places))
        defvjp(take, lambda ans, x, k, how, places: lambda g: put(g, x.shape, k, how, places))

        @public(forward, "x", "kernel_size")
        def result(x: Any, kernel_size: Any, **how: Any) -> Any:
            if not traced(x):
                return forward(x, kernel_size, **how)
            of_indices = {
                key: how.pop(key)
                for key in ("return_indices", "indices", "index_dtype")
                if key in how
            }
            y = maxima(x, kernel_size, how, [])
            if of_indices.get("return_indices", False):
                return y, forward(getval(x), kernel_size, **of_indices, **how)[1]
            return y

        self.result: Function = result


class _Average:
    """A pooling that is linear, and its adjoint.

    The adjoint is told the shape of the images instead of what only their size follows from.
    """

    def __init__(self, name: str) -> None:
        forward = getattr(functional, name)
        backward = getattr(functional, f"{name}_backward")
        also = inspect.signature(backward).parameters

        @primitive
        def mean(x: Any, how: Any) -> Any:
            return forward(x, **how)

        @primitive
        def spread(grad: Any, shape: Any, how: Any) -> Any:
            taken_along = {key: value for key, value in how.items() if key in also}
            return backward(grad, shape, **taken_along)

        defvjp(mean, lambda ans, x, how: lambda g: spread(g, x.shape, how))
        defvjp(spread, lambda ans, grad, shape, how: lambda h: mean(h, how))

        @public(forward, "x")
        def result(x: Any, **how: Any) -> Any:
            return mean(x, how)

        self.result: Function = result


max_pool2d = _MaxPool("max_pool2d", 2).result

avg_pool1d, avg_pool2d, avg_pool3d = [_Average(f"avg_pool{n}d").result for n in (1, 2, 3)]
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = [
    _Average(f"adaptive_avg_pool{n}d").result for n in (1, 2, 3)
]
global_avg_pool = _Average("global_avg_pool").result
