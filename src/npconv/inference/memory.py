"""Where every value of a graph lies: in one block of memory, over what is no longer needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from npconv.checks import Array
from npconv.inference import operations as op
from npconv.inference.graph import INPUT, Graph, Node
from npconv.inference.operations import Shape
from npconv.inference.slices import Segment

_ALIGNMENT = 64


@dataclass(frozen=True)
class Place:
    """Channels of an array that several values may share; that array goes by its own value."""

    owner: int
    first_channel: int


@dataclass
class Layout:
    """Offsets in bytes of the arrays, and how much memory they take together.

    `held` says of an array how many images it has room for, where those are not all.
    """

    places: dict[int, Place]
    held: dict[int, int]
    offsets: dict[int, int]
    nbytes: int

    def block(self) -> Array:
        """Allocate the memory."""
        block = np.empty(self.nbytes + _ALIGNMENT, np.uint8)
        return block[-block.ctypes.data % _ALIGNMENT :]

    def view(
        self,
        value: int,
        block: Array,
        shapes: dict[int, Shape],
        dtype: np.dtype[np.generic],
        images: slice | None,
    ) -> Array:
        """Return a value's array for those images of the batch, or for all."""
        place = self.places[value]
        shape, mine = shapes[place.owner], shapes[value]
        if images is not None and place.owner in self.held:
            shape = (self.held[place.owner], *shape[1:])
            images = slice(0, images.stop - images.start)
        size = math.prod(shape) * dtype.itemsize
        offset = self.offsets[place.owner]
        whole = block[offset : offset + size].view(dtype).reshape(shape)
        if images is not None:
            whole = whole[images]
            mine = (len(whole), *mine[1:])
        if len(mine) != len(shape) or len(mine) < 2:
            return whole.reshape(mine)
        first = place.first_channel
        return whole[:, first : first + mine[1]]


def lay_out(
    graph: Graph, shapes: dict[int, Shape], itemsize: int, segments: list[Segment]
) -> Layout:
    """Give each value its place."""
    homes = _homes(graph, segments)
    places = {node.output: Place(node.output, 0) for node in graph.nodes}
    _share_joined(graph, shapes, places)
    _share_flattened(graph, places)
    _replace_in_place(graph, shapes, places)
    held = _held(places, homes)
    lives = _lives(graph, places, held, segments)
    sizes = {}
    for owner in lives:
        size = math.prod(shapes[owner]) * itemsize
        if owner in held:
            size = size // shapes[owner][0] * held[owner]
        sizes[owner] = -(-size // _ALIGNMENT) * _ALIGNMENT
    offsets = _pack(lives, sizes)
    end = max((offsets[owner] + sizes[owner] for owner in offsets), default=0)
    return Layout(places, held, offsets, end)


def _homes(graph: Graph, segments: list[Segment]) -> dict[int, Segment]:
    """For the values that only one sliced segment touches, that segment."""
    homes: dict[int, Segment] = {}
    strangers = {graph.output, INPUT}
    for segment in segments:
        for node in graph.nodes[segment.first : segment.stop]:
            for value in (*node.inputs, node.output):
                if segment.images is None or homes.setdefault(value, segment) != segment:
                    strangers.add(value)
    return {value: segment for value, segment in homes.items() if value not in strangers}


def _held(places: dict[int, Place], homes: dict[int, Segment]) -> dict[int, int]:
    """For the arrays with nothing in them that outlives a slice, the images of a slice."""
    found: dict[int, set[Segment | None]] = {}
    for value, place in places.items():
        found.setdefault(place.owner, set()).add(homes.get(value))
    held = {}
    for owner, (home, *others) in found.items():
        if not others and home is not None and home.images is not None:
            held[owner] = home.images
    return held


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


def _replace_in_place(graph: Graph, shapes: dict[int, Shape], places: dict[int, Place]) -> None:
    """Let results take the place of an operand that is read for the last time."""
    for node in graph.nodes:
        which = node.operation.replaces
        if which is None or which >= len(node.inputs):
            continue
        operand = node.inputs[which]
        if operand == INPUT or node.inputs.count(operand) > 1:
            continue
        owner = places[operand].owner
        if places[node.output] != Place(node.output, 0) or shapes[operand] != shapes[owner]:
            continue
        sharing = {value for value, place in places.items() if place.owner == owner}
        if graph.output in sharing or _read_after(graph, node, sharing):
            continue
        if any(value in sharing for i, value in enumerate(node.inputs) if i != which):
            continue
        _move(places, node.output, owner, 0)


def _read_after(graph: Graph, node: Node, values: set[int]) -> bool:
    later = graph.nodes[graph.nodes.index(node) + 1 :]
    return any(value in values for other in later for value in other.inputs)


def _lives(
    graph: Graph, places: dict[int, Place], held: dict[int, int], segments: list[Segment]
) -> dict[int, tuple[int, int]]:
    """For each array, the first and the last node that touch it."""
    lives: dict[int, tuple[int, int]] = {}
    for segment in segments:
        for time in range(segment.first, segment.stop):
            node = graph.nodes[time]
            for value in (*node.inputs, node.output):
                if value == INPUT:
                    continue
                owner = places[value].owner
                start = stop = time
                if owner not in held and segment.images is not None:
                    start, stop = segment.first, segment.stop - 1  # other slices come and go
                first, last = lives.get(owner, (start, stop))
                lives[owner] = (min(first, start), max(last, stop))
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
