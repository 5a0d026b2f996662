"""What is measured: layers read from shape files, and cases (layer, operation, dtype, batch)."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = Path(__file__).with_name("shapes")

# operation -> the shape file that is used unless another one is given
OPERATIONS = {
    "forward": "table30",
    "input_grad": "table30",
    "weight_grad": "table30",
    "backward": "table30",
    "max_pool": "pools",
    "max_pool_indices": "pools",
    "max_pool_backward": "pools",
    "avg_pool": "pools",
    "avg_pool_backward": "pools",
    "pad": "pads",
}
FIELD_OF_COLUMN = {
    "name": "name",
    "C": "channels",
    "H": "height",
    "W": "width",
    "K": "out_channels",
    "R": "kernel_height",
    "S": "kernel_width",
    "st": "stride",
    "pad": "padding",
    "dil": "dilation",
    "grp": "groups",
    "mode": "mode",
}


@dataclass(frozen=True)
class Layer:
    """One line of a shape file. A pool has no out_channels; only a pad has a mode."""

    name: str
    channels: int
    height: int
    width: int
    out_channels: int = 0
    kernel_height: int = 1
    kernel_width: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    mode: str = ""

    @property
    def kind(self) -> str:
        if self.mode:
            return "pad"
        return "conv" if self.out_channels else "pool"

    @property
    def kernel(self) -> tuple[int, int]:
        return self.kernel_height, self.kernel_width

    @property
    def output_plane(self) -> tuple[int, int]:
        if self.kind == "pad":
            return self.height + 2 * self.padding, self.width + 2 * self.padding
        sizes = []
        for size, taps in ((self.height, self.kernel_height), (self.width, self.kernel_width)):
            reach = self.dilation * (taps - 1) + 1
            sizes.append((size + 2 * self.padding - reach) // self.stride + 1)
        return sizes[0], sizes[1]


def read_layers(name: str, pattern: str = "") -> list[Layer]:
    """Layers of a shape file (a path, or a name in shapes/) whose name matches the pattern."""
    path = Path(name) if Path(name).suffix else SHAPES / f"{name}.txt"
    columns: list[str] = []
    layers = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.lstrip("#").split()
        if not words:
            continue
        if line.startswith("#"):
            columns = words
            continue
        if len(words) != len(columns) or not set(columns) <= set(FIELD_OF_COLUMN):
            raise ValueError(
                f"{path}:{number}: {len(words)} values for the columns {' '.join(columns)}"
            )
        fields: dict[str, Any] = {}
        for column, word in zip(columns, words, strict=True):
            fields[FIELD_OF_COLUMN[column]] = word if column in ("name", "mode") else int(word)
        layers.append(Layer(**fields))
    return [layer for layer in layers if re.search(pattern, layer.name)]


@dataclass(frozen=True)
class Case:
    """One row of a result: a layer with an operation, a dtype and a batch size."""

    layer: Layer
    operation: str
    dtype: str
    batch: int
    bias: bool = False
    layout: str = "NCHW"  # of images in memory; shapes and outputs are NCHW's for every contender

    @property
    def channels_last(self) -> bool:
        return self.layout == "NHWC"

    def to_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> Case:
        return cls(**{**fields, "layer": Layer(**fields["layer"])})

    @property
    def x_shape(self) -> tuple[int, ...]:
        return self.batch, self.layer.channels, self.layer.height, self.layer.width

    @property
    def weight_shape(self) -> tuple[int, ...]:
        layer = self.layer
        return layer.out_channels, layer.channels // layer.groups, *layer.kernel

    @property
    def y_shape(self) -> tuple[int, ...]:
        channels = self.layer.out_channels or self.layer.channels
        return self.batch, channels, *self.layer.output_plane

    @property
    def flops(self) -> int:
        """Additions and multiplications of the direct sum; taps in the padding count too."""
        if self.layer.kind != "conv":
            return 0
        forward = 2 * int(np.prod(self.y_shape)) * int(np.prod(self.weight_shape[1:]))
        return 2 * forward if self.operation == "backward" else forward

    @property
    def moved_bytes(self) -> int:
        """Bytes that pooling and padding must at least read and write, every array once."""
        if self.layer.kind == "conv":
            return 0
        x, y = int(np.prod(self.x_shape)), int(np.prod(self.y_shape))
        indices = 8 * y if self.operation in ("max_pool_indices", "max_pool_backward") else 0
        return (x + y) * np.dtype(self.dtype).itemsize + indices

    def arrays(self) -> dict[str, np.ndarray]:
        """The operands, the same for every contender and every run."""
        random = np.random.default_rng(zlib.crc32(self.layer.name.encode()))

        def normal(shape: tuple[int, ...]) -> np.ndarray:
            return random.standard_normal(shape, dtype=self.dtype)  # type: ignore[call-overload]

        if self.operation == "forward":
            arrays = {"x": normal(self.x_shape), "weight": normal(self.weight_shape)}
            if self.bias:
                arrays["bias"] = normal(self.weight_shape[:1])
            return arrays
        if self.operation in ("input_grad", "weight_grad", "backward"):
            unused = {"input_grad": "x", "weight_grad": "weight"}.get(self.operation)
            shapes = {"grad": self.y_shape, "x": self.x_shape, "weight": self.weight_shape}
            return {name: normal(shape) for name, shape in shapes.items() if name != unused}
        if self.operation == "max_pool_backward":
            return {"x": normal(self.x_shape), "grad": normal(self.y_shape)}
        if self.operation == "avg_pool_backward":
            return {"grad": normal(self.y_shape)}
        return {"x": normal(self.x_shape)}


def cases(
    operation: str,
    layers: list[Layer],
    dtypes: list[str],
    batches: list[int],
    bias: bool,
    layout: str = "NCHW",
) -> Iterator[Case]:
    kind = {"max": "pool", "avg": "pool", "pad": "pad"}.get(operation.split("_")[0], "conv")
    for dtype in dtypes:
        for batch in batches:
            for layer in layers:
                if layer.kind != kind:
                    raise ValueError(f"{layer.name} is a {layer.kind}, {operation} needs a {kind}")
                yield Case(layer, operation, dtype, batch, bias and operation == "forward", layout)
