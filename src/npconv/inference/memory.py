"""Where every value of a graph lies: in one block of memory, over what is no longer needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from npconv.checks import Array
from npconv.inference import operations as op
from npconv.inference.graph import INPUT, Graph, Node
from npconv.inference.operations import Shape

_ALIGNMENT = 64


@dataclass(frozen=True)
class Place:
    """Channels of an array that several values may share; that array goes by its own value."""

    owner: int
    first_channel: int


@dataclass
class Layout:
    """Offsets in bytes of the arrays, and how much memory they take together."""

    places: dict[int, Place]
    offsets: dict[int, int]
    nbytes: int

    def views(self, shapes: dict[int, Shape], dtype: np.dtype[np.generic]) -> list[Array | None]:
        """Allocate the block and return each value's array in it; None for the input."""
        block = np.empty(self.nbytes + _ALIGNMENT, np.uint8)
        block = block[-block.ctypes.data % _ALIGNMENT :]
        views: list[Array | None] = [None] * (max(shapes) + 1)
        for value, place in self.places.items():
            offset, shape = self.offsets[place.owner], shapes[place.owner]
            size = math.prod(shape) * dtype.itemsize
            whole = block[offset : offset + size].view(dtype).reshape(shape)
            mine = shapes[value]
            if len(mine) != len(shape):
                views[value] = whole.reshape(mine)
            else:
                first = place.first_channel
                views[value] = whole[:, first : first + mine[1]]
        return views


def lay_out(graph: Graph, shapes: dict[int, Shape], itemsize: int) -> Layout:
    """Give each value its place."""
    places = {node.output: Place(node.output, 0) for node in graph.nodes}
    _share_joined(graph, shapes, places)
    _share_flattened(graph, places)
    _replace_in_place(graph, places)
    lives = _lives(graph, places)
    sizes = {
        owner: -(-math.prod(shapes[owner]) * itemsize // _ALIGNMENT) * _ALIGNMENT for owner in lives
    }
    offsets = _pack(lives, sizes)
    end = max((offsets[owner] + sizes[owner] for owner in offsets), default=0)
    return Layout(places, offsets, end)


def _share_joined(graph: Graph, shapes: dict[int, Shape], places: dict[int, Place]) -> None:
    """Let branches write straight into the array in which they are joined."""
    makers = graph.makers()
    for node in reversed(graph.nodes):
        if not isinstance(node.operation, op.Join):
            continue
        home = places[node.output]
        first = home.first_channel
        for value in node.inputs:
            alone = value != INPUT and places[value] == Place(value, 0) and value != graph.output
            # What owns channels of its own already, was placed by a later join of the same value.
            if alone and value != home.owner and makers[value].operation.fills_slices:
                _move(places, value, home.owner, first)
            first += shapes[value][1]


def _move(places: dict[int, Place], value: int, owner: int, first: int) -> None:
    """Let what `value` owns lie in the channels of `owner` from `first` on."""
    for other, place in places.items():
        if place.owner == value:
            places[other] = Place(owner, first + place.first_channel)


def _share_flattened(graph: Graph, places: dict[int, Place]) -> None:
    for node in graph.nodes:
        source = node.inputs[0]
        if not isinstance(node.operation, op.Flat) or source == INPUT:
            continue
        if places[source] == Place(source, 0) and places[node.output].owner == node.output:
            _move(places, node.output, source, 0)


def _replace_in_place(graph: Graph, places: dict[int, Place]) -> None:
    """Let results take the place of an operand that is read for the last time."""
    for node in graph.nodes:
        which = node.operation.replaces
        if which is None or which >= len(node.inputs):
            continue
        operand = node.inputs[which]
        if operand == INPUT or node.inputs.count(operand) > 1:
            continue
        if places[node.output] != Place(node.output, 0) or places[operand] != Place(operand, 0):
            continue
        sharing = {value for value, place in places.items() if place.owner == operand}
        if graph.output in sharing or _read_after(graph, node, sharing):
            continue
        if any(value in sharing for i, value in enumerate(node.inputs) if i != which):
            continue
        _move(places, node.output, operand, 0)


def _read_after(graph: Graph, node: Node, values: set[int]) -> bool:
    later = graph.nodes[graph.nodes.index(node) + 1 :]
    return any(value in values for other in later for value in other.inputs)


def _lives(graph: Graph, places: dict[int, Place]) -> dict[int, tuple[int, int]]:
    """For each array, the first and the last node that touch it."""
    lives: dict[int, tuple[int, int]] = {}
    for time, node in enumerate(graph.nodes):
        for value in (*node.inputs, node.output):
            if value != INPUT:
                owner = places[value].owner
                lives[owner] = (lives.get(owner, (time, time))[0], time)
    if graph.output != INPUT:
        owner = places[graph.output].owner
        lives[owner] = (lives[owner][0], len(graph.nodes))
    return lives


def _pack(lives: dict[int, tuple[int, int]], sizes: dict[int, int]) -> dict[int, int]:
    """Find offsets, largest array first, each as low as those that live with it allow."""
    offsets: dict[int, int] = {}
    for owner in sorted(lives, key=lambda owner: -sizes[owner]):
        start, stop = lives[owner]
        taken = sorted(
            (offsets[other], offsets[other] + sizes[other])
            for other in offsets
            if lives[other][0] <= stop and start <= lives[other][1]
        )
        offset = 0
        for low, high in taken:
            if offset + sizes[owner] <= low:
                break
            offset = max(offset, high)
        offsets[owner] = offset
    return offsets
