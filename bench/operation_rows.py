"""What `operations` measures: for each operation a call or two of usual sizes.

npconv's functions take their arguments in the order of `torch.nn.functional`, so most rows are one
call for both: arrays by name and order, then what follows them.
"""

from __future__ import annotations

import dataclasses
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """`function` of arrays of these shapes and then `arguments`, `options` by their names."""

    family: str
    name: str
    function: str
    shapes: dict[str, tuple[int, ...]]
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    backward: bool = False
    """Its gradients of all arrays instead, from what it returned as the gradient of that."""

    def to_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> Row:
        shapes = {name: tuple(shape) for name, shape in fields["shapes"].items()}
        return cls(**{**fields, "shapes": shapes, "arguments": tuple(fields["arguments"])})

    def arrays(self) -> dict[str, np.ndarray]:
        """The same for every contender and every run; those without a NumPy dtype are float32."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        given = {}
        for name, shape in self.shapes.items():
            if self.dtype.startswith(("int", "uint")):
                given[name] = random.integers(0, 100, shape).astype(self.dtype)
            elif self.dtype.startswith("complex"):
                parts = [random.standard_normal(shape, np.float32) for _ in range(2)]
                given[name] = (parts[0] + 1j * parts[1]).astype(self.dtype)
            else:
                wide = "float64" if self.dtype == "float64" else "float32"
                given[name] = random.standard_normal(shape, wide)  # type: ignore[call-overload]
        return given


def conv(
    family: str,
    name: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    *arguments: Any,
    dtype: str = "float32",
    function: str = "",
) -> Row:
    """A convolution, with no bias."""
    called = function or f"conv{len(x) - 2}d"
    return Row(family, name, called, {"x": x, "weight": weight}, (None, *arguments), {}, dtype)


def depthwise(name: str, channels: int, size: int, kernel: int, stride: int = 1) -> Row:
    """A square one, padded to the size of its image."""
    shapes = (1, channels, size, size), (channels, 1, kernel, kernel)
    return conv("depthwise", name, *shapes, stride, kernel // 2, 1, channels)


def pool(name: str, function: str, x: tuple[int, ...], *arguments: Any) -> Row:
    return Row("pooling", name, function, {"x": x}, arguments)


IMAGE, SMALL = (1, 64, 112, 112), (1, 64, 56, 56)
FILTERS = (64, 64, 3, 3)
FORWARD = (
    conv("1-D", "wav.m5", (1, 1, 16000), (32, 1, 80), 4),
    conv("1-D", "speech.80to384", (1, 80, 3000), (384, 80, 3), 1, 1),
    conv("1-D", "tcn.64.dil8", (1, 64, 1024), (64, 64, 3), 1, 8, 8),
    conv("1-D", "dw31.256", (1, 256, 530), (256, 1, 31), 1, 0, 1, 256),
    conv("3-D", "c3d.3to64", (1, 3, 8, 112, 112), (64, 3, 3, 3, 3), 1, 1),
    conv("3-D", "c3d.64to128", (1, 64, 8, 28, 28), (128, 64, 3, 3, 3), 1, 1),
    conv("3-D", "i3d.1x1", (1, 192, 8, 28, 28), (64, 192, 1, 1, 1)),
    conv("3-D", "r21d.3x1x1", (1, 64, 8, 56, 56), (64, 64, 3, 1, 1), 1, (1, 0, 0)),
    conv("3-D", "dw.64", (1, 64, 8, 28, 28), (64, 1, 3, 3, 3), 1, 1, 1, 64),
    conv("3-D", "dw7.64", (1, 64, 8, 8, 8), (64, 1, 7, 7, 7), 1, 3, 1, 64),
    depthwise("convnext.96x56", 96, 56, 7),
    depthwise("convnext.192x28", 192, 28, 7),
    depthwise("convnext.384x14", 384, 14, 7),
    depthwise("convnext.768x7", 768, 7, 7),
    depthwise("7x7s2.128x56", 128, 56, 7, 2),
    depthwise("9x9.256x14", 256, 14, 9),
    depthwise("replk31.128x56", 128, 56, 31),
    conv("transposed", "dcgan.3", (1, 256, 8, 8), (256, 128, 4, 4), 2, 1,
         function="conv_transpose2d"),
    conv("transposed", "unet.up4", (1, 128, 128, 128), (128, 64, 2, 2), 2,
         function="conv_transpose2d"),
    conv("transposed", "decoder.3x3s2", (1, 64, 28, 28), (64, 64, 3, 3), 2, 1,
         function="conv_transpose2d"),
    conv("transposed", "vocoder.up8", (1, 256, 200), (256, 128, 16), 8, 4,
         function="conv_transpose1d"),
    conv("transposed", "volume.up2", (1, 64, 4, 16, 16), (64, 32, 2, 2, 2), 2,
         function="conv_transpose3d"),
    pool("avg.2x2s2", "avg_pool2d", IMAGE, 2),
    pool("avg.3x3s2", "avg_pool2d", IMAGE, 3, 2, 1),
    pool("avg.3x3s1", "avg_pool2d", (1, 192, 28, 28), 3, 1, 1),
    pool("avg.7x7", "avg_pool2d", (1, 2048, 7, 7), 7),
    pool("avg.1d", "avg_pool1d", (1, 64, 8192), 4),
    pool("avg.3d", "avg_pool3d", (1, 64, 8, 56, 56), 2),
    pool("max.1d", "max_pool1d", (1, 64, 8192), 4),
    pool("max.3d", "max_pool3d", (1, 64, 8, 56, 56), 2),
    pool("lp.2x2s2", "lp_pool2d", IMAGE, 2.0, 2),
    pool("adaptive.avg.7", "adaptive_avg_pool2d", (1, 512, 56, 56), 7),
    pool("adaptive.avg.5", "adaptive_avg_pool2d", (1, 512, 56, 56), 5),
    pool("adaptive.max.7", "adaptive_max_pool2d", (1, 512, 56, 56), 7),
    pool("global.avg", "adaptive_avg_pool2d", (1, 512, 7, 7), 1),
    pool("unpool.2x2", "max_unpool2d", IMAGE, 2),
    *[
        Row("padding modes", f"{mode}.64x56", "conv2d_padded", {"x": SMALL, "weight": FILTERS},
            (1,), {"mode": mode})
        for mode in ("reflect", "edge", "wrap")
    ],
    Row("padding modes", "reflect.3x224", "conv2d_padded",
        {"x": (1, 3, 224, 224), "weight": (32, 3, 9, 9)}, (4,), {"mode": "reflect"}),
    Row("padding modes", "reflect.dw112", "conv2d_padded",
        {"x": (1, 32, 112, 112), "weight": (32, 1, 3, 3)}, (1,), {"mode": "reflect", "groups": 32}),
    Row("separable", "mobilenet.128", "separable_conv2d",
        {"x": (1, 128, 56, 56), "depthwise": (128, 1, 3, 3), "pointwise": (128, 128, 1, 1)}, (1,)),
    *[
        Row("filters of signals", f"{size}.{taps}x{taps}.{dtype}", "convolve2d",
            {"x": (size, size), "kernel": (taps, taps)}, ("full",), {}, dtype)
        for size, taps, dtype in (
            (64, 3, "float32"), (512, 3, "float32"), (512, 3, "float64"), (512, 15, "float32"),
            (512, 31, "float32"), (512, 31, "float64"), (1024, 63, "float32"),
            (128, 127, "float64"), (512, 5, "int16"),
        )
    ],
    *[
        conv("kinds of numbers", f"{dtype}.64x56", SMALL, FILTERS, 1, 1, dtype=dtype)
        for dtype in ("float64", "float16", "bfloat16", "int8", "int16", "int64", "complex64")
    ],
    Row("normalisation", "alexnet.lrn", "local_response_norm", {"x": (1, 96, 55, 55)}, (5,)),
    Row("normalisation", "googlenet.lrn", "local_response_norm", {"x": (16, 64, 56, 56)}, (5,)),
    Row("patches", "unfold.3x3", "unfold", {"x": SMALL}, (3, 1, 1, 1)),
    Row("patches", "unfold.2x2s2", "unfold", {"x": SMALL}, (2, 1, 0, 2)),
    Row("patches", "fold.3x3", "fold", {"cols": (1, 576, 3136)}, (56, 3, 1, 1, 1)),
    Row("patches", "fold.2x2s2", "fold", {"cols": (1, 256, 784)}, (56, 2, 1, 0, 2)),
)  # fmt: skip
DIFFERENTIABLE = ("1-D", "3-D", "depthwise", "transposed", "pooling", "normalisation")
ROWS = FORWARD + tuple(
    dataclasses.replace(row, family=f"{row.family} backward", backward=True)
    for row in FORWARD
    if row.family in DIFFERENTIABLE
)


def chosen(pattern: str) -> list[Row]:
    """Rows whose family and name match."""
    return [row for row in ROWS if re.search(pattern, f"{row.family} {row.name}")]
