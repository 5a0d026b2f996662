"""A network ready to run: its folded graph, and a plan for each shape of input."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from npconv import prepared
from npconv.checks import Array
from npconv.inference import operations as op
from npconv.inference.fold import fold
from npconv.inference.operations import Shape
from npconv.inference.plan import Plan
from npconv.inference.slices import segments
from npconv.inference.trace import is_known, trace
from npconv.layers.container import Container
from npconv.layers.layer import Layer
from npconv.runtime import get_num_threads

_KEPT_PLANS = 4


def fused(layer: Container) -> Session | None:
    """Make a session of `layer`; or fuse the containers in it, if its class is not known."""
    if is_known(layer):
        return Session(layer)
    for part in layer.layers.values():
        if isinstance(part, Container):
            part.fuse()
    return None


class Session:
    """A layer's evaluation mode, folded; the parameters are those of the moment it is made.

    May be called from several threads at once; each call in progress has its own memory.
    """

    def __init__(self, layer: Layer) -> None:
        self.graph = trace(layer)
        fold(self.graph)
        weights = [
            node.operation.weight
            for node in self.graph.nodes
            if isinstance(node.operation, (op.Convolution, op.FullyConnected))
        ]
        self._dtype = np.result_type(np.float32, *[weight.dtype for weight in weights])
        self._prepared: dict[Shape, dict[int, Any]] = {}
        self._plans: OrderedDict[tuple[Shape, np.dtype[Any], int], Plan] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, x: Array) -> Array:
        """Return the layer's output for `x`, in an array of its own."""
        dtype = np.result_type(x.dtype, self._dtype)
        return self._plan(x.shape, dtype).run(np.asarray(x, dtype))

    def prepare(self, input_shape: Shape) -> None:
        """Prepare the weights of convolutions for inputs of this shape, the batch aside."""
        shapes = self.graph.shapes(input_shape)
        ready = {}
        for node in self.graph.nodes:
            operation = node.operation
            if isinstance(operation, op.Convolution):
                stride, padding, dilation, groups = operation.geometry
                ready[node.output] = prepared.prepare(
                    operation.weight,
                    x_shape=shapes[node.inputs[0]],
                    stride=stride,
                    padding=padding,
                    dilation=dilation,
                    groups=groups,
                    **_known_to_prepare(operation.options),
                )
                # What was prepared holds the weight too; nobody needs it twice.
                operation.weight = np.asarray(ready[node.output])
        with self._lock:
            self._prepared[input_shape[1:]] = ready
            self._plans.clear()

    def plan(self, input_shape: Shape) -> Plan:
        """Return how inputs of this shape are computed, in the dtype of the weights."""
        return self._plan(input_shape, self._dtype)

    def _plan(self, shape: Shape, dtype: np.dtype[Any]) -> Plan:
        threads = get_num_threads()
        key = (shape, dtype, threads)
        with self._lock:
            if key not in self._plans:
                ready = self._prepared.get(shape[1:], {}) if dtype == self._dtype else {}
                shapes = self.graph.shapes(shape)
                parts = segments(self.graph, shapes, dtype.itemsize, ready, threads)
                self._plans[key] = Plan(self.graph, shapes, dtype, ready, parts)
                while len(self._plans) > _KEPT_PLANS:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(key)
            return self._plans[key]


def _known_to_prepare(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("precision", "algorithm") if name in options}
