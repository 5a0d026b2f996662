"""What the nodes of a graph can be.

An operation knows the shape of its output, how many multiply-adds it takes, and how it is run:
``step`` returns a function that reads and writes a list of arrays, one for each value.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from npconv import checks, functional
from npconv.checks import Array
from npconv.functional.convolution_calls import forward_again
from npconv.functional.explainable import EXPLAINABLE
from npconv.functional.pooling_calls import counting
from npconv.geometry import (
    ConvGeometry,
    PoolGeometry,
    adaptive_geometry,
    conv_geometry,
    pool_geometry,
)
from npconv.layers.layer import Layer
from npconv.runtime import native, options

Shape: TypeAlias = tuple[int, ...]
Activation: TypeAlias = str | tuple[str, float] | None
Memory: TypeAlias = list[Array]
Step: TypeAlias = Callable[[Memory], object]


@dataclass(frozen=True)
class Site:
    """Where an operation runs: its values' numbers, and the shapes and dtype of all values."""

    inputs: list[int]
    output: int
    shapes: dict[int, Shape]
    dtype: np.dtype[Any]

    def like(self, value: int) -> Array:
        """Return an array of a value's shape and dtype that takes no memory."""
        return np.broadcast_to(np.zeros((), self.dtype), self.shapes[value])

    @property
    def is_native(self) -> bool:
        """Whether the C core takes this dtype as it is.

        Public functions check their arguments, which takes longer than a small layer. Steps whose
        operation checks shapes and options beforehand go past them where this holds.
        """
        return self.dtype in (np.float32, np.float64)


class Operation:
    """One kind of node.

    Attributes
    ----------
    fills_slices : bool
        Whether the output may be a part of the channels of a larger array.
    replaces : int or None
        Which input the output may take the place of, if nothing else reads that.
    """

    fills_slices = False
    replaces: int | None = None

    def output_shape(self, *shapes: Shape) -> Shape:
        """Compute the shape of the output from those of the inputs."""
        return shapes[0]

    def multiply_adds(self, *shapes: Shape) -> int:
        """Count the products that are summed up, zeros of the padding among them."""
        return 0

    def step(self, site: Site) -> Step:
        """Make the function that runs this operation."""
        raise NotImplementedError(f"{type(self).__name__} does not define step")


@functools.cache
def _conv2d_signature() -> inspect.Signature:
    return inspect.signature(EXPLAINABLE["conv2d"].function)  # parses text, a millisecond


@dataclass(eq=False)
class Convolution(Operation):
    """conv2d; the second input, if there is one, is what is added."""

    weight: Any  # an array, or what npconv.prepare made of it
    bias: Array | None
    geometry: tuple[Any, ...]  # stride, padding, dilation, groups
    options: dict[str, Any]
    activation: Activation = None

    fills_slices = True
    replaces = 1

    def output_shape(self, *shapes: Shape) -> Shape:
        return self._checked(shapes).output_shape

    def multiply_adds(self, *shapes: Shape) -> int:
        geometry = self._checked(shapes)
        return math.prod(geometry.output_shape) * math.prod(geometry.weight_shape[1:])

    def _checked(self, shapes: tuple[Shape, ...]) -> ConvGeometry:
        if len(shapes[0]) != 4:
            raise ValueError(f"x has shape {shapes[0]}, expected (N, C, H, W)")
        geometry = conv_geometry(2, shapes[0], tuple(self.weight.shape), *self.geometry)
        if len(shapes) > 1 and shapes[1] != geometry.output_shape:
            raise ValueError(
                f"its output has shape {geometry.output_shape}, what is added {shapes[1]}"
            )
        return geometry

    def step(self, site: Site) -> Step:
        settings = dict(self.options)
        if self.activation is not None:
            settings["activation"] = self.activation
        x, output = site.inputs[0], site.output
        addend = site.inputs[1] if len(site.inputs) > 1 else None
        if addend is not None:
            settings["add"] = site.like(addend)
        call = _conv2d_signature().bind(
            site.like(x), self.weight, self.bias, *self.geometry, **settings
        )
        call.apply_defaults()
        # Checks take longer than a small convolution, so they are done here, once.
        run = forward_again(EXPLAINABLE["conv2d"].prepare(2, **call.arguments))
        if addend is None:
            return lambda memory: run(memory[x], memory[output], None)
        return lambda memory: run(memory[x], memory[output], memory[addend])


@dataclass(eq=False)
class Affine(Operation):
    """``activation(scale * x + shift)`` with a scale and a shift for each channel."""

    scale: Array
    shift: Array
    activation: Activation = None

    fills_slices = True

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 2 or shapes[0][1] != len(self.scale):
            raise ValueError(f"x has shape {shapes[0]}, expected {len(self.scale)} channels")
        return shapes[0]

    def step(self, site: Site) -> Step:
        output = site.output
        scale, shift = self.scale.astype(np.float64), self.shift.astype(np.float64)
        mean, variance = np.zeros(len(scale)), np.ones(len(scale))
        name, slope = checks.activation(self.activation)
        (x,), batch_norm, how = site.inputs, native.batch_norm, options()

        def run(memory: Memory) -> None:
            batch_norm(
                memory[x], scale, shift, mean, variance, memory[output], 0.0, False, how,
                name, slope,
            )  # fmt: skip

        return run


@dataclass(eq=False)
class FullyConnected(Operation):
    """``x @ weight.T + bias``."""

    weight: Array
    bias: Array | None
    activation: Activation = None

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0] or shapes[0][-1] != self.weight.shape[1]:
            raise ValueError(
                f"x has shape {shapes[0]}, expected rows of {self.weight.shape[1]} values"
            )
        return (*shapes[0][:-1], self.weight.shape[0])

    def multiply_adds(self, *shapes: Shape) -> int:
        return math.prod(shapes[0]) * int(self.weight.shape[0])

    def step(self, site: Site) -> Step:
        output = site.output
        linear, weight, bias, activation = (
            functional.linear, self.weight, self.bias, self.activation
        )  # fmt: skip
        (x,) = site.inputs

        def run_checked(memory: Memory) -> None:
            linear(memory[x], weight, bias, activation, out=memory[output])

        if not site.is_native or len(site.shapes[x]) != 2:
            return run_checked
        native_linear, how = native.linear, options()
        name, slope = checks.activation(activation)
        matrix = checks.settled(weight, site.dtype)
        offsets = None if bias is None else checks.settled(bias, site.dtype)

        def run(memory: Memory) -> None:
            flags = memory[x].flags
            if flags.c_contiguous and flags.aligned:
                native_linear(memory[x], matrix, offsets, memory[output], name, slope, how)
            else:
                run_checked(memory)

        return run


@dataclass(eq=False)
class MaxPool(Operation):
    """max_pool2d."""

    geometry: tuple[Any, ...]  # kernel_size, stride, padding, dilation, ceil_mode

    fills_slices = True

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 4:
            raise ValueError(f"x has shape {shapes[0]}, expected (N, C, H, W)")
        return pool_geometry(2, shapes[0], *self.geometry).output_shape

    def step(self, site: Site) -> Step:
        output, (x,) = site.output, site.inputs
        if site.is_native:
            geometry = pool_geometry(2, site.shapes[x], *self.geometry)
            pool, how = native.max_pool_forward, options()
            return lambda memory: pool(geometry, memory[x], memory[output], None, "flat", how)
        max_pool2d, arguments = functional.max_pool2d, self.geometry
        return lambda memory: max_pool2d(memory[x], *arguments, out=memory[output])


@dataclass(eq=False)
class AveragePool(Operation):
    """avg_pool2d."""

    geometry: tuple[Any, ...]  # kernel_size, stride, padding, ceil_mode, and how it is divided

    fills_slices = True

    @property
    def is_plain(self) -> bool:
        """Whether every result is the mean of a whole window."""
        _, _, padding, ceil_mode, _, divisor = self.geometry
        return padding in (0, (0, 0), "valid") and ceil_mode is False and divisor is None

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 4:
            raise ValueError(f"x has shape {shapes[0]}, expected (N, C, H, W)")
        kernel, stride, padding, ceil_mode = self.geometry[:4]
        return pool_geometry(2, shapes[0], kernel, stride, padding, 1, ceil_mode).output_shape

    def step(self, site: Site) -> Step:
        output, (x,) = site.output, site.inputs
        if site.is_native:
            kernel, stride, padding, ceil_mode, *counted = self.geometry
            rule = counting(*counted)
            geometry = pool_geometry(2, site.shapes[x], kernel, stride, padding, 1, ceil_mode)
            return _mean(geometry, rule, x, output)
        avg_pool2d, arguments = functional.avg_pool2d, self.geometry
        return lambda memory: avg_pool2d(memory[x], *arguments, out=memory[output])


@dataclass(eq=False)
class AdaptiveAveragePool(Operation):
    """adaptive_avg_pool2d."""

    output_size: Any

    fills_slices = True

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 4:
            raise ValueError(f"x has shape {shapes[0]}, expected (N, C, H, W)")
        sizes = self.output_size
        sizes = sizes if isinstance(sizes, Sequence) else (sizes, sizes)
        sides = zip(sizes, shapes[0][2:], strict=True)
        return (*shapes[0][:2], *[side if size is None else size for size, side in sides])

    def step(self, site: Site) -> Step:
        output, (x,) = site.output, site.inputs
        if site.is_native:
            geometry = adaptive_geometry(2, site.shapes[x], self.output_size)
            return _mean(geometry, (False, 0.0), x, output)
        pool, size = functional.adaptive_avg_pool2d, self.output_size
        return lambda memory: pool(memory[x], size, out=memory[output])


def _mean(geometry: PoolGeometry, rule: tuple[bool, float], x: int, output: int) -> Step:
    pool, how = native.avg_pool, options()
    return lambda memory: pool(geometry, False, *rule, memory[x], memory[output], how)


@dataclass(eq=False)
class Flat(Operation):
    """Flatten; the output is another view of the input's memory wherever that is possible."""

    def output_shape(self, *shapes: Shape) -> Shape:
        return (shapes[0][0], math.prod(shapes[0][1:]))

    def step(self, site: Site) -> Step:
        output = site.output
        (x,) = site.inputs

        def run(memory: Memory) -> None:
            np.copyto(memory[output].reshape(memory[x].shape), memory[x])

        return run


@dataclass(eq=False)
class Join(Operation):
    """Concatenation along the channels; inputs that already stand in the output are left alone."""

    fills_slices = True

    def output_shape(self, *shapes: Shape) -> Shape:
        first = shapes[0]
        for other in shapes[1:]:
            if other[:1] != first[:1] or other[2:] != first[2:]:
                raise ValueError(f"branches have outputs of shapes {first} and {other}")
        return (first[0], sum(shape[1] for shape in shapes), *first[2:])

    def step(self, site: Site) -> Step:
        raise NotImplementedError("the memory plan decides what is copied")


@dataclass(eq=False)
class Add(Operation):
    """The sum of two arrays."""

    activation: Activation = None

    fills_slices = True
    replaces = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the chain's output has shape {shapes[0]}, the shortcut's {shapes[1]}"
            )
        return shapes[0]

    def step(self, site: Site) -> Step:
        output, (a, b) = site.output, site.inputs
        if site.is_native and len(site.shapes[a]) <= 5:
            activate, how = native.activate, options()
            name, slope = checks.activation(self.activation)
            return lambda memory: activate(name, slope, memory[a], memory[b], memory[output], how)
        add, activation = functional.add, self.activation
        return lambda memory: add(memory[a], memory[b], activation, out=memory[output])


@dataclass(eq=False)
class Elementwise(Operation):
    """A function ``f(x, out=)`` of each element.

    With its activation's name if that can be fused, and name and slope as the C core takes them.
    """

    function: Callable[..., object]
    activation: Activation = None
    core: tuple[str, float] | None = None

    fills_slices = True
    replaces = 0

    def step(self, site: Site) -> Step:
        output, (x,) = site.output, site.inputs
        if self.core is not None and site.is_native and len(site.shapes[x]) <= 5:
            activate, how, (name, slope) = native.activate, options(), self.core
            return lambda memory: activate(name, slope, memory[x], None, memory[output], how)
        function = self.function
        return lambda memory: function(memory[x], out=memory[output])


@dataclass(eq=False)
class Nothing(Operation):
    """What dropout does in evaluation mode."""

    def step(self, site: Site) -> Step:
        raise NotImplementedError("is left out before anything runs")


@dataclass(eq=False)
class Anything(Operation):
    """A layer that is called as it is."""

    layer: Layer

    def output_shape(self, *shapes: Shape) -> Shape:
        was_training = self.layer.training
        try:
            result = self.layer.eval().forward(np.zeros(shapes[0], np.float32))
        finally:
            self.layer.train(was_training)
        return tuple(result.shape)

    def step(self, site: Site) -> Step:
        output = site.output
        forward, (x,) = self.layer.forward, site.inputs
        return lambda memory: np.copyto(memory[output], forward(memory[x]))
