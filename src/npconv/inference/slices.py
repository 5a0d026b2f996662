"""How many images of a batch go through which part of a network at a time.

Early layers have large images and few weights: what one layer writes for a whole batch has left the
caches before the next one reads it, so images go through several layers by themselves. Late layers
have small images and many weights, which are worth fetching once for the whole batch. The results
are the same bits either way, and arrays that live within such a part are as small as its slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from npconv.inference import operations as op
from npconv.inference.graph import INPUT, Graph, Node
from npconv.inference.operations import Shape

# The model's time, in nanoseconds. Rounded from GoogLeNet, MobileNet and ResNet-50 on a core with
# 2 MB of L2; what counts is how they compare, and that is alike on other machines.
CACHE = 2 << 20
"""Bytes that one step leaves in a core's cache for the next."""
CALL_NS = 40_000.0
"""Of a step, however little it does."""
SHARED_CALL_NS = 100_000.0
"""The same for several threads, which have to be woken, or have too little to do to be woken."""
FETCH_NS = 0.1
"""Of a byte of an image that has left the cache: written and read."""
WEIGHT_NS = 0.1
"""Of a byte of weights: read only, and in order."""
PACK_NS = 0.3
"""Of a byte of a convolution's weights that are not prepared, so that each call does it."""
BORDER_NS = 200_000.0
"""Of changing the size of slices: less gain than this is beyond the model's precision."""


@dataclass(frozen=True)
class Segment:
    """Nodes from `first` to before `stop`, for so many images at a time; None for all at once."""

    first: int
    stop: int
    images: int | None = None

    def slices(self, batch: int) -> list[slice | None]:
        """Cut a batch into parts, the last may be smaller; None for no cut."""
        if self.images is None:
            return [None]
        starts = range(0, batch, self.images)
        return [slice(start, min(start + self.images, batch)) for start in starts]


def segments(
    graph: Graph, shapes: dict[int, Shape], itemsize: int, ready: dict[int, Any], threads: int
) -> list[Segment]:
    """Choose what takes the least time by the model above.

    Several threads share the images of a slice, and each has a cache of its own. So the choice is
    made for one thread's part of the batch, and a slice has as many images for each of them.
    """
    batch = shapes[INPUT][0] if shapes[INPUT] else 0
    share = -(-batch // threads)
    call_ns = CALL_NS if threads == 1 else SHARED_CALL_NS
    loads = [_load(node, shapes, itemsize, ready.get(node.output)) for node in graph.nodes]
    by_image = [_is_by_image(node, shapes, batch) for node in graph.nodes]
    sizes = _cheapest(loads, by_image, _alive(graph, shapes, itemsize), share, call_ns)
    return _runs([None if size is None else size * threads for size in sizes])


@dataclass(frozen=True)
class Load:
    """What a node moves: bytes of one image's values, and the time of fetching the weights."""

    image: int
    weights_ns: float
    is_free: bool = False  # nothing is done when it runs

    def time(self, batch: int, size: int | None, call_ns: float) -> float:
        """Time for a batch in slices; the arithmetic is left out, being the same in any."""
        if self.is_free:
            return 0.0
        count = batch if size is None else size
        calls = -(-batch // count) if count else 1
        far = max(0, count * self.image - CACHE)
        return calls * (call_ns + self.weights_ns + far * FETCH_NS)


def _load(node: Node, shapes: dict[int, Shape], itemsize: int, ready: Any) -> Load:
    operation, weights_ns = node.operation, 0.0
    if isinstance(operation, op.Convolution):
        weights_ns = PACK_NS * operation.weight.nbytes
        if ready is not None:  # some algorithms prepare nothing
            weights_ns = WEIGHT_NS * max(ready.made.nbytes, operation.weight.nbytes)
    elif isinstance(operation, op.FullyConnected):
        weights_ns = WEIGHT_NS * operation.weight.nbytes
    image = sum(_image_bytes(shapes[value], itemsize) for value in {*node.inputs, node.output})
    # The layout makes these nothing, nearly always.
    return Load(image, weights_ns, is_free=isinstance(operation, (op.Flat, op.Join)))


def _image_bytes(shape: Shape, itemsize: int) -> int:
    return math.prod(shape[1:]) * itemsize


def _is_by_image(node: Node, shapes: dict[int, Shape], batch: int) -> bool:
    """Whether each image goes through alone; nobody knows that of foreign layers."""
    touched = [shapes[value] for value in (*node.inputs, node.output)]
    return not isinstance(node.operation, op.Anything) and all(
        len(shape) > 1 and shape[0] == batch for shape in touched
    )


def _alive(graph: Graph, shapes: dict[int, Shape], itemsize: int) -> list[int]:
    """For each node, the bytes of an image's values that were made before and are still read."""
    last = {value: i for i, node in enumerate(graph.nodes) for value in node.inputs}
    alive = []
    now: set[int] = set()
    for i, node in enumerate(graph.nodes):
        now = {value for value in now if last.get(value, -1) >= i}
        alive.append(sum(_image_bytes(shapes[value], itemsize) for value in now))
        now.add(node.output)
    return alive


def _cheapest(
    loads: list[Load], by_image: list[bool], alive: list[int], batch: int, call_ns: float
) -> list[int | None]:
    """For each node, the images at a time that make the sum of all times the smallest.

    Node by node: for each size of slices, which size was best for the nodes before.
    """
    sizes = _sizes(batch)
    times: dict[int | None, float] = dict.fromkeys(sizes, 0.0)
    origins: list[dict[int | None, int | None]] = []
    for i, load in enumerate(loads):
        origin: dict[int | None, int | None] = {}
        reached: dict[int | None, float] = {}
        for size in sizes if by_image[i] else sizes[:1]:
            ways = {
                other: time + (_border_time(other, size, batch * alive[i]) if i else 0.0)
                for other, time in times.items()
            }
            origin[size] = min(ways, key=ways.__getitem__)  # the first of equals: all at once
            reached[size] = ways[origin[size]] + load.time(batch, size, call_ns)
        times = reached
        origins.append(origin)
    size = min(times, key=times.__getitem__)
    chosen = []
    for origin in reversed(origins):
        chosen.append(size)
        size = origin[size]
    return chosen[::-1]


def _sizes(batch: int) -> list[int | None]:
    """All at once, and slices from large to small that are as even as they can be."""
    powers = [1 << i for i in reversed(range(max(batch - 1, 0).bit_length()))]
    even = [-(-batch // -(-batch // power)) for power in powers]
    return [None, *dict.fromkeys(even)]


def _border_time(before: int | None, after: int | None, nbytes: int) -> float:
    """Where the size of slices changes, everything alive is written out by one, fetched by one."""
    if before == after:
        return 0.0
    sliced = (before is not None) + (after is not None)
    return BORDER_NS + nbytes * FETCH_NS * sliced


def _runs(sizes: list[int | None]) -> list[Segment]:
    """Join neighbours of one size."""
    found: list[Segment] = []
    for i, size in enumerate(sizes):
        if found and found[-1].images == size:
            found[-1] = Segment(found[-1].first, i + 1, size)
        else:
            found.append(Segment(i, i + 1, size))
    return found
