"""A network of npconv as plain data: a list of nodes for JSON, and their arrays by name.

Values are numbers, 0 is the input. A node is {"op", "inputs", "output", ...}; what else it has, the
functions below say. Nothing is folded: a peer gets what its own users would write.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def describe(model: Any) -> tuple[dict, dict[str, np.ndarray]]:
    from npconv.inference.trace import trace

    graph = trace(model)
    found = _layers(model, "")
    nodes: list[dict] = []
    arrays: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        kind = type(node.operation).__name__
        given, mine = _DESCRIBED[kind](node.operation, found[node.path])
        nodes.append({"op": kind, "inputs": node.inputs, "output": node.output, **given})
        arrays |= {f"{node.output}.{key}": value for key, value in mine.items()}
    return {"nodes": nodes, "output": graph.output}, arrays


def _layers(layer: Any, path: str) -> dict[str, Any]:
    found = {path: layer}
    for name, part in getattr(layer, "layers", {}).items():
        found |= _layers(part, f"{path}.{name}" if path else name)
    return found


def _convolution(operation: Any, layer: Any) -> tuple[dict, dict]:
    stride, padding, dilation, groups = operation.geometry
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return settings, _weights(layer)


def _weights(layer: Any) -> dict[str, np.ndarray]:
    return dict(layer.params)


def _norm(operation: Any, layer: Any) -> tuple[dict, dict]:
    statistics = {key: layer.buffers[key] for key in ("running_mean", "running_var")}
    return {"eps": layer.eps}, _weights(layer) | statistics


def _max_pool(operation: Any, layer: Any) -> tuple[dict, dict]:
    return dict(
        zip(("kernel", "stride", "padding", "dilation", "ceil"), operation.geometry, strict=True)
    ), {}


def _average_pool(operation: Any, layer: Any) -> tuple[dict, dict]:
    return {"kernel": operation.geometry[0]}, {}


_DESCRIBED: dict[str, Any] = {
    "Convolution": _convolution,
    "FullyConnected": lambda operation, layer: ({}, _weights(layer)),
    "Affine": _norm,
    "Elementwise": lambda operation, layer: ({"function": operation.activation}, {}),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "AdaptiveAveragePool": lambda operation, layer: ({"size": operation.output_size}, {}),
    "Nothing": lambda operation, layer: ({"p": getattr(layer, "p", 0.0)}, {}),
    **{name: lambda operation, layer: ({}, {}) for name in ("Add", "Join", "Flat")},
}
