"""Layers as operations of a graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np

from npconv import functional, layers
from npconv.inference import operations as op
from npconv.inference.graph import INPUT, Graph
from npconv.layers.layer import Layer

# Appends what a layer does in evaluation mode to a graph: (layer, graph, value, path) -> value.
Tracer = Callable[[Any, Graph, int, str], int]
_Tracer = TypeVar("_Tracer", bound=Tracer)

_TRACERS: dict[type[Layer], Tracer] = {}


def traces(*kinds: type[Layer]) -> Callable[[_Tracer], _Tracer]:
    """Register how layers of exactly these classes are traced.

    All others, classes derived from these among them, are called as they are.
    """

    def register(tracer: _Tracer) -> _Tracer:
        for kind in kinds:
            _TRACERS[kind] = tracer
        return tracer

    return register


def trace(layer: Layer) -> Graph:
    """Write down what `layer` does in evaluation mode."""
    graph = Graph()
    graph.output = append(layer, graph, INPUT, "")
    return graph


def is_known(layer: Layer) -> bool:
    """Whether it is known what layers of this class do."""
    return type(layer) in _TRACERS


def append(layer: Layer, graph: Graph, x: int, path: str) -> int:
    """Append what `layer` makes of value `x`, and return that value."""
    return _TRACERS.get(type(layer), _anything)(layer, graph, x, path)


def below(path: str, name: str) -> str:
    """Name a layer inside another."""
    return f"{path}.{name}" if path else name


def _anything(layer: Layer, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Anything(layer), [x], path)


@traces(layers.Sequential)
def _sequential(layer: layers.Sequential, graph: Graph, x: int, path: str) -> int:
    for name, part in layer.layers.items():
        x = append(part, graph, x, below(path, name))
    return x


@traces(layers.Residual)
def _residual(layer: layers.Residual, graph: Graph, x: int, path: str) -> int:
    by_pass = x
    if layer.shortcut is not None:  # first, so that the chain's last step can add it
        by_pass = append(layer.shortcut, graph, x, below(path, _name(layer, layer.shortcut)))
    y = x
    for name, part in layer.chain.layers.items():
        y = append(part, graph, y, below(path, name))
    total = graph.add(op.Add(), [y, by_pass], path)
    if layer.activation is None:
        return total
    return append(layer.activation, graph, total, below(path, _name(layer, layer.activation)))


def _name(container: layers.Container, wanted: Layer) -> str:
    return next(name for name, layer in container.layers.items() if layer is wanted)


@traces(layers.Concat)
def _concat(layer: layers.Concat, graph: Graph, x: int, path: str) -> int:
    parts = [append(part, graph, x, below(path, name)) for name, part in layer.layers.items()]
    return graph.add(op.Join(), parts, path)


@traces(layers.DenseBlock)
def _dense_block(layer: layers.DenseBlock, graph: Graph, x: int, path: str) -> int:
    for name, part in layer.layers.items():
        new = append(part, graph, x, below(path, name))
        x = graph.add(op.Join(), [x, new], path)
    return x


@traces(layers.Conv2d)
def _conv2d(layer: layers.Conv2d, graph: Graph, x: int, path: str) -> int:
    params = layer.params
    operation = op.Convolution(
        params["weight"], params.get("bias"), layer._geometry, dict(layer._options)
    )
    return graph.add(operation, [x], path)


@traces(layers.PatchWhitening2d)
def _patch_whitening2d(layer: layers.PatchWhitening2d, graph: Graph, x: int, path: str) -> int:
    operation = op.Convolution(layer.buffers["weight"], layer.bias, (1, 0, 1, 1), {})
    return graph.add(operation, [x], path)


@traces(layers.Linear)
def _linear(layer: layers.Linear, graph: Graph, x: int, path: str) -> int:
    operation = op.FullyConnected(layer.params["weight"], layer.params.get("bias"))
    return graph.add(operation, [x], path)


@traces(layers.MaxPool2d)
def _max_pool2d(layer: layers.MaxPool2d, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.MaxPool(layer._geometry), [x], path)


@traces(layers.AvgPool2d)
def _avg_pool2d(layer: layers.AvgPool2d, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.AveragePool(layer._geometry), [x], path)


@traces(layers.AdaptiveAvgPool2d)
def _adaptive_avg_pool2d(layer: layers.AdaptiveAvgPool2d, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.AdaptiveAveragePool(layer._output_size), [x], path)


@traces(layers.GlobalAvgPool2d)
def _global_avg_pool2d(layer: layers.GlobalAvgPool2d, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.AdaptiveAveragePool(1), [x], path)


@traces(layers.Flatten)
def _flatten(layer: layers.Flatten, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Flat(), [x], path)


@traces(layers.Identity)
def _identity(layer: layers.Identity, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Nothing(), [x], path)


@traces(layers.Dropout)
def _dropout(layer: layers.Dropout, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Nothing(), [x], path)


@traces(layers.BatchNorm2d)
def _batch_norm2d(layer: layers.BatchNorm2d, graph: Graph, x: int, path: str) -> int:
    params, buffers = layer.params, layer.buffers
    dtype = buffers["running_var"].dtype
    # In double precision, since it is done once.
    scale = 1 / np.sqrt(buffers["running_var"].astype(np.float64) + layer.eps)
    scale = scale * params.get("weight", np.float64(1))
    shift = params.get("bias", np.float64(0)) - buffers["running_mean"] * scale
    return graph.add(op.Affine(scale.astype(dtype), shift.astype(dtype)), [x], path)


@traces(layers.ReLU)
def _relu(layer: layers.ReLU, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Elementwise(functional.relu, "relu", ("relu", 0.0)), [x], path)


@traces(layers.ReLU6)
def _relu6(layer: layers.ReLU6, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Elementwise(functional.relu6, "relu6", ("relu6", 0.0)), [x], path)


@traces(layers.LeakyReLU)
def _leaky_relu(layer: layers.LeakyReLU, graph: Graph, x: int, path: str) -> int:
    slope = layer._slope
    function = partial(functional.leaky_relu, slope=slope)
    named = ("leaky_relu", slope)
    return graph.add(op.Elementwise(function, named, named), [x], path)


@traces(layers.ELU)
def _elu(layer: layers.ELU, graph: Graph, x: int, path: str) -> int:
    function = partial(functional.elu, alpha=layer._alpha)
    return graph.add(op.Elementwise(function, core=("elu", layer._alpha)), [x], path)


@traces(layers.Sigmoid)
def _sigmoid(layer: layers.Sigmoid, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Elementwise(functional.sigmoid, core=("sigmoid", 0.0)), [x], path)


@traces(layers.Tanh)
def _tanh(layer: layers.Tanh, graph: Graph, x: int, path: str) -> int:
    return graph.add(op.Elementwise(functional.tanh, core=("tanh", 0.0)), [x], path)
