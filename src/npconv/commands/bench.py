"""``python -m npconv bench``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from npconv.commands import options as common

DESCRIPTION = """\
Time a few convolution layers of well-known networks on this machine, forward and backward, in
float32, and print milliseconds and GFLOP/s (2 for each multiply-add). If PyTorch is installed, the
same layers are timed with it in turns, and the last column is its time divided by npconv's.

A quick look, not a measurement to publish: for that there is bench/ in the source.
"""


class Row(NamedTuple):
    """A layer: name, batch, channels, filters, image side, kernel, stride, padding, groups."""

    name: str
    batch: int
    channels: int
    filters: int
    side: int
    kernel: int
    stride: int
    padding: int
    groups: int = 1

    @property
    def flops(self) -> int:
        """Operations of the forward pass, taps in the padding included."""
        out = (self.side + 2 * self.padding - self.kernel) // self.stride + 1
        taps = self.channels // self.groups * self.kernel**2
        return 2 * self.batch * self.filters * out * out * taps


ROWS = (
    Row("simpleconvnet conv1", 100, 1, 30, 28, 5, 1, 0),
    Row("deepconvnet conv4", 100, 32, 32, 14, 3, 1, 2),
    Row("lenet c3", 100, 6, 16, 14, 5, 1, 0),
    Row("alexnet conv1", 1, 3, 64, 224, 11, 4, 2),
    Row("vgg16 conv3_2", 1, 256, 256, 56, 3, 1, 1),
    Row("resnet50 3x3", 1, 128, 128, 28, 3, 1, 1),
    Row("resnet50 1x1", 1, 256, 64, 56, 1, 1, 0),
    Row("mobilenet depthwise", 1, 64, 64, 112, 3, 1, 1, 64),
)


def add_parser(commands: Any) -> None:
    """Add ``bench`` to the subcommands."""
    parser = common.add_command(
        commands, "bench", "time a few layers on this machine", DESCRIPTION, _run
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=0.3,
        help="for each layer, direction and library (default: 0.3)",
    )
    parser.add_argument(
        "--layers",
        metavar="TEXT",
        default="",
        help="only those with TEXT in their name (default: all)",
    )
    common.add_threads(parser)


def _run(options: argparse.Namespace) -> None:
    import npconv

    rows = [row for row in ROWS if options.layers in row.name]
    if not rows:
        names = ", ".join(row.name for row in ROWS)
        raise ValueError(f"--layers is {options.layers!r}, which none of these has: {names}")
    torch = _torch()
    with common.threads(options):
        count = npconv.get_num_threads()
        if torch is not None:
            torch.set_num_threads(count)
        info = npconv.cpu_info()
        peer = "PyTorch is not installed" if torch is None else f"PyTorch {torch.__version__}"
        print(f"npconv {npconv.__version__}, {info['isa']} kernels, {count} threads; {peer}")
        print(f"{'layer':<22}{'batch':>5}  {'':<9}{'ms':>9}{'GFLOP/s':>9}", end="")
        print("" if torch is None else f"{'PyTorch':>10}{'ratio':>7}")
        bar = _bar(2 * len(rows))
        for row in rows:
            for direction, runs, flops in _tasks(row, torch):
                times = _times(runs, options.seconds)
                line = f"{row.name:<22}{row.batch:>5}  {direction:<9}"
                line += f"{1e3 * times[0]:>9.3f}{flops / times[0] / 1e9:>9.1f}"
                if torch is not None:
                    line += f"{1e3 * times[1]:>10.3f}{times[1] / times[0]:>7.2f}"
                bar(line)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch


def _bar(total: int) -> Callable[[str], None]:
    """Return what prints a line above the progress bar and moves it."""
    try:
        from tqdm import tqdm
    except ImportError:
        return lambda line: print(line, flush=True)
    bar = tqdm(total=total, unit="row", desc="timing", leave=False)

    def show(line: str) -> None:
        bar.clear()
        print(line, flush=True)
        bar.update()
        if bar.n == total:
            bar.close()

    return show


def _tasks(row: Row, torch: Any) -> list[tuple[str, list[Callable[[], object]], int]]:
    """Return (direction, what to run with each library, operations)."""
    import numpy as np

    import npconv

    rng = np.random.default_rng(0)
    shape = row.filters, row.channels // row.groups, row.kernel, row.kernel
    images = rng.standard_normal((row.batch, row.channels, row.side, row.side), dtype=np.float32)
    weight = rng.standard_normal(shape, dtype=np.float32)
    geometry = (row.stride, row.padding, 1, row.groups)
    grad = np.ones_like(npconv.conv2d(images, weight, None, *geometry))
    forward: list[Callable[[], object]] = [lambda: npconv.conv2d(images, weight, None, *geometry)]
    backward: list[Callable[[], object]] = [
        lambda: npconv.conv2d_backward(grad, images, weight, *geometry)
    ]
    if torch is not None:
        x, w, g = (torch.from_numpy(array) for array in (images, weight, grad))
        forward.append(lambda: torch.nn.functional.conv2d(x, w, None, *geometry))
        strides, padding = [row.stride] * 2, [row.padding] * 2
        backward.append(
            lambda: torch.ops.aten.convolution_backward(
                g, x, w, [row.filters], strides, padding, [1, 1], False, [0, 0], row.groups,
                [True] * 3,
            )
        )  # fmt: skip
    return [("forward", forward, row.flops), ("backward", backward, 2 * row.flops)]


def _times(runs: list[Callable[[], object]], seconds: float) -> list[float]:
    """Return the shortest time of each, run in turns so that neighbours disturb all alike."""
    for run in runs:
        run()  # warm caches and threads
    best = [float("inf")] * len(runs)
    end = time.perf_counter() + seconds * len(runs)
    while True:
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            best[i] = min(best[i], time.perf_counter() - start)
        if time.perf_counter() >= end:
            return best
