"""A network's layers in a table: output shapes, parameters, multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from npconv import checks
from npconv.inference import operations as op
from npconv.inference.graph import Node
from npconv.inference.trace import trace
from npconv.layers.container import Container
from npconv.layers.layer import Layer


class Row(NamedTuple):
    """One layer of a summary; what joins branches bears the name of the layer that does so."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


class Summary(NamedTuple):
    """What :func:`summary` returns; ``print`` shows it as a table.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the forward pass.
    parameters, multiply_adds : int
        Of all layers.
    """

    rows: tuple[Row, ...]
    parameters: int
    multiply_adds: int

    def __str__(self) -> str:
        head = ("layer", "kind", "output", "parameters", "multiply-adds")
        table = [
            (row.name, row.kind, _times(row.output_shape), _count(row.parameters),
             _count(row.multiply_adds))
            for row in self.rows
        ]  # fmt: skip
        total = ("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        widths = [max(map(len, column)) for column in zip(head, *table, total, strict=True)]
        lines = [_line(cells, widths) for cells in (head, *table, total)]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def summary(model: Layer, input_shape: Sequence[int]) -> Summary:
    """Tell what each layer of a network makes, holds and computes.

    Nothing is computed but sizes, as far as the layers are npconv's own. Multiply-adds are those
    of convolutions and affine layers, summed directly.

    Parameters
    ----------
    model : Layer
        The network, as it runs in evaluation mode.
    input_shape : (N, C, H, W) or (C, H, W)
        Of the images; one image, unless N is given.

    Returns
    -------
    Summary
        With ``rows``, ``parameters`` and ``multiply_adds``; ``print`` it.

    Examples
    --------
    >>> import numpy as np
    >>> from npconv.layers import Conv2d, Flatten, Linear, ReLU, Sequential
    >>> from npconv.models import summary
    >>> rng = np.random.default_rng(0)
    >>> net = Sequential(Conv2d(1, 4, 3, rng=rng), ReLU(), Flatten(), Linear(144, 10, rng=rng))
    >>> print(summary(net, (1, 8, 8)))
    layer  kind     output     parameters  multiply-adds
    ----------------------------------------------------
    0      Conv2d   1×4×6×6            40          1,296
    1      ReLU     1×4×6×6
    2      Flatten  1×144
    3      Linear   1×10            1,450          1,440
    ----------------------------------------------------
    total                           1,490          2,736
    """
    shape = checks.shape(input_shape, "input_shape", (1, 2, 3, 4), "(N, C, H, W) or (C, H, W)")
    if len(shape) in (1, 3):
        shape = (1, *shape)
    graph = trace(model)
    shapes = graph.shapes(shape)
    found = _by_path(model)
    rows: dict[str, Row] = {}
    for node in graph.nodes:
        layer = found[node.path]
        own = _size(layer) if _stands_for_itself(node, layer) else 0
        work = node.operation.multiply_adds(*[shapes[value] for value in node.inputs])
        kind = type(layer).__name__
        rows.pop(node.path, None)  # a dense block joins several times, the last one counts
        rows[node.path] = Row(node.path, kind, shapes[node.output], own, work)
    total = sum(row.multiply_adds for row in rows.values())
    return Summary(tuple(rows.values()), _size(model), total)


def _by_path(layer: Layer, path: str = "") -> dict[str, Layer]:
    found = {path: layer}
    if isinstance(layer, Container):
        for name, part in layer.layers.items():
            found |= _by_path(part, f"{path}.{name}" if path else name)
    return found


def _stands_for_itself(node: Node, layer: Layer) -> bool:
    return not isinstance(layer, Container) or isinstance(node.operation, op.Anything)


def _size(layer: Layer) -> int:
    return sum(int(value.size) for value in layer.params.values())


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    text = [
        cell.rjust(width) if i > 2 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(text).rstrip()
