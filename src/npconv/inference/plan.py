"""The steps of a network for one shape of input."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.inference import operations as op
from npconv.inference.graph import INPUT, Graph, Node
from npconv.inference.memory import Layout, Place, lay_out
from npconv.inference.operations import Memory, Shape, Step
from npconv.inference.slices import Segment


class Plan:
    """The steps for one shape and dtype of input, and the memory that they run in."""

    def __init__(
        self,
        graph: Graph,
        shapes: dict[int, Shape],
        dtype: np.dtype[Any],
        ready: dict[int, Any],
        segments: list[Segment],
    ) -> None:
        self.shapes = shapes
        self.segments = segments
        self.layout = lay_out(graph, shapes, dtype.itemsize, segments)
        self._output = graph.output
        self._dtype = dtype
        self._passes: list[_Pass] = []
        for segment in segments:
            self._passes += _passes(graph, segment, shapes, dtype, self.layout, ready)
        self._idle: list[_Arrays] = []  # pop and append are atomic

    @property
    def nbytes(self) -> int:
        """How much memory a call works in."""
        return self.layout.nbytes

    def run(self, x: Array) -> Array:
        """Run all steps."""
        try:
            arrays = self._idle.pop()
        except IndexError:
            arrays = self._new_arrays()
        for part, memory in zip(self._passes, arrays.memories, strict=True):
            memory[INPUT] = x if part.images is None else x[part.images]
            for step in part.steps:
                step(memory)
            memory[INPUT] = None
        result = x.copy() if arrays.output is None else arrays.output.copy()
        self._idle.append(arrays)
        return result

    def _new_arrays(self) -> _Arrays:
        """Allocate a block, and list for each pass the arrays that it sees in there."""
        layout, shapes, dtype = self.layout, self.shapes, self._dtype
        block = layout.block()
        memories: list[list[Any]] = []
        of_size: dict[int, list[Any]] = {}
        for part in self._passes:
            known = of_size.get(id(part.steps))
            memory = [None] * (max(shapes) + 1) if known is None else known.copy()
            for value in part.values:
                # What lives within a slice, lies where it did for the slice before.
                if known is None or layout.places[value].owner not in layout.held:
                    memory[value] = layout.view(value, block, shapes, dtype, part.images)
            of_size[id(part.steps)] = memory
            memories.append(memory)
        if self._output == INPUT:
            return _Arrays(memories, None)
        return _Arrays(memories, layout.view(self._output, block, shapes, dtype, None))


class _Pass(NamedTuple):
    """Some nodes for some images of the batch, None for all: the steps, and what they touch."""

    images: slice | None
    steps: list[Step]
    values: set[int]


class _Arrays(NamedTuple):
    """What one call works in: for each pass a list with the array of each value, and the output."""

    memories: list[list[Any]]
    output: Array | None


def _passes(
    graph: Graph,
    segment: Segment,
    shapes: dict[int, Shape],
    dtype: np.dtype[Any],
    layout: Layout,
    ready: dict[int, Any],
) -> list[_Pass]:
    """Make the steps of a segment for each of its slices; those of one size share them."""
    nodes = graph.nodes[segment.first : segment.stop]
    values = {value for node in nodes for value in (*node.inputs, node.output)} - {INPUT}
    made: dict[int, list[Step]] = {}
    passes = []
    for images in segment.slices(shapes[INPUT][0] if shapes[INPUT] else 0):
        count = -1 if images is None else images.stop - images.start
        if count not in made:
            sized = shapes
            if images is not None:
                sized = {value: (count, *shape[1:]) for value, shape in shapes.items()}
            made[count] = [
                step
                for node in nodes
                for step in _steps(node, sized, dtype, layout, ready.get(node.output))
            ]
        passes.append(_Pass(images, made[count], values))
    return passes


def _steps(
    node: Node, shapes: dict[int, Shape], dtype: np.dtype[Any], layout: Layout, ready: Any
) -> list[Step]:
    operation, places = node.operation, layout.places
    if isinstance(operation, op.Flat):
        source = places.get(node.inputs[0])
        if source is not None and source.owner == places[node.output].owner:
            return []
    if isinstance(operation, op.Join):
        return _copies(node, shapes, places)
    if ready is not None:
        assert isinstance(operation, op.Convolution)  # nothing else is prepared
        operation = op.Convolution(
            ready, operation.bias, operation.geometry, operation.options, operation.activation
        )
    return [operation.step(op.Site(node.inputs, node.output, shapes, dtype))]


def _copies(node: Node, shapes: dict[int, Shape], places: dict[int, Place]) -> list[Step]:
    """Copy what does not stand in the joined array already."""
    home = places[node.output]
    steps: list[Step] = []
    first = 0
    for value in node.inputs:
        stop = first + shapes[value][1]
        if places.get(value) != Place(home.owner, home.first_channel + first):
            steps.append(_copy(value, node.output, slice(first, stop)))
        first = stop
    return steps


def _copy(source: int, target: int, channels: slice) -> Step:
    def run(memory: Memory) -> None:
        memory[target][:, channels] = memory[source]

    return run
