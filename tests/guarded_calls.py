"""Runs every operation on guarded arrays; a stray byte ends the process. See test_promises_memory.

Prints what it is about to do, so that the last line names what it died of.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from conv_checks import call
from guard_pages import Guarded
from strategies import ConvCase, PoolCase, TransposedCase
from tolerance import assert_same_values
from variants import CONV_VARIANTS, ISA_VARIANTS, ISAS, aligned_bytes, name

from npconv import _native, geometry, reference
from npconv.border import bordered

CONVOLUTIONS = [
    ConvCase(2, 1, 3, 5, (5, 7), (3, 3), padding=1, bias=True, seed=1),
    ConvCase(1, 1, 2, 10, (6, 33), (3, 2), bias=True, seed=2),
    ConvCase(3, 1, 17, 13, (7, 7), (1, 1), bias=True, seed=3),
    ConvCase(1, 1, 4, 9, (9, 50), (5, 5), (2, 2), padding=((0, 2), (3, 1)), seed=4),
    ConvCase(1, 1, 2, 3, (11, 19), (2, 2), (3, 4), seed=5),
    ConvCase(2, 4, 1, 1, (9, 17), (3, 3), (1, 1), (2, 3), padding="same", seed=6),
    ConvCase(1, 2, 3, 2, (1, 1), (7, 7), padding=3, bias=True, seed=7),
    ConvCase(5, 1, 3, 2, (3, 3), (3, 3), padding=1, seed=8),
    ConvCase(1, 1, 70, 11, (8, 9), (3, 3), padding=1, bias=True, seed=9),  # 630 terms
    ConvCase(1, 1, 1, 1, (1, 1030), (1, 9), padding=(0, 4), seed=10),
    ConvCase(1, 1, 1, 1, (1030, 1), (9, 1), seed=11),
    ConvCase(1, 1, 1, 1, (1, 1), (1, 1), bias=True, seed=12),
    ConvCase(2, 3, 1, 2, (9, 37), (3, 3), padding=1, bias=True, seed=13),
    ConvCase(1, 3, 1, 1, (14, 32), (3, 3), (2, 2), padding=1, seed=14),
    ConvCase(1, 2, 1, 1, (7, 50), (5, 5), padding=((2, 0), (0, 3)), seed=15),
    ConvCase(1, 2, 1, 1, (13, 35), (5, 5), (2, 2), padding=2, bias=True, seed=16),
    ConvCase(2, 1, 5, 70, (3, 4), (3, 3), (1, 2), padding=1, seed=17),  # more channels than pixels
    ConvCase(2, 1, 1, 9, (333,), (40,), (3,), (1,), padding=2, bias=True, seed=18),
    ConvCase(2, 2, 20, 9, (9, 19), (1, 1), bias=True, seed=20),
    ConvCase(1, 19, 1, 1, (3, 21), (3, 7), padding=(1, 3), bias=True, seed=21),
    ConvCase(1, 17, 1, 1, (2, 12), (2, 9), padding=(0, 8), seed=22),
    ConvCase(1, 1, 3, 5, (4, 5, 19), (3, 2, 3), (1, 2, 1), (1,) * 3, padding=1, bias=True, seed=19),
    ConvCase(2, 19, 1, 1, (7, 6), (7, 7), padding=3, bias=True, seed=20),
    ConvCase(1, 2, 1, 1, (20, 34), (9, 7), (1, 2), padding=3, seed=21),
]
# Columns are for images.
IMAGES = [case for case in CONVOLUTIONS if len(case.size) == 2]

TRANSPOSED = [
    TransposedCase(2, 1, 7, 5, (4, 9), (4, 4), (2, 2), padding=1, bias=True, seed=1),
    TransposedCase(1, 2, 20, 3, (2, 3), (3, 3), (2, 3), bias=True, seed=2, output_padding=(1, 2)),
    TransposedCase(1, 8, 1, 1, (5, 33), (3, 3), padding=1, bias=True, seed=3),
]

POOLS = [
    PoolCase(2, 3, (8, 34), (2, 2), seed=1),
    PoolCase(1, 2, (9, 35), (3, 3), (2, 2), padding=1, seed=2),
    PoolCase(1, 1, (7, 70), (3, 3), (1, 1), padding=1, ceil_mode=True, seed=3),
    PoolCase(1, 2, (9, 11), (2, 3), (3, 2), (3, 2), padding=((1, 0), (2, 1)), seed=4),
    PoolCase(1, 1, (1, 1), (1, 1), seed=5),
    PoolCase(3, 1, (5, 5), (2, 2), ceil_mode=True, seed=6),
    PoolCase(1, 2, (9, 41), (3, 4), (2, 3), padding=1, seed=7),
    PoolCase(1, 19, (5, 7), (2, 2), seed=8),
    PoolCase(1, 19, (4, 7), (3, 3), (1, 1), padding=1, seed=9),
]

PADDINGS = [
    ((5,), [(1, 2)]),
    ((3, 33), [(2, 0), (7, 9)]),
    ((2, 3, 7, 19), [(0, 0), (1, 0), (2, 3), (4, 1)]),
    ((1, 1), [(5, 6), (7, 8)]),
    ((5, 6, 7), [(0, 0), (2, 3), (4, 1)]),
]


def guarded_call(
    call: Callable[..., None], at: str, expected: np.ndarray, *inputs: np.ndarray | None
) -> None:
    """Call with all inputs guarded and unwritable and out full of NaN; check and release."""
    guards = [None if a is None else Guarded(a, at) for a in inputs]
    for guard in guards:
        if guard:
            guard.forbid_writing()
    junk = np.full(expected.shape, np.nan if expected.dtype.kind == "f" else 77, expected.dtype)
    out = Guarded(junk, at)
    call(*(guard and guard.array for guard in guards), out.array)
    assert_same_values(out.array, expected)
    for guard in (*guards, out):
        if guard:
            guard.release()


def announce(what: str) -> None:
    print(what, flush=True)


def run_convolution(case: ConvCase, variant: dict[str, Any], threads: int, at: str) -> None:
    x, weight, bias = case.operands()
    g = geometry.conv_geometry(len(case.size), x.shape, weight.shape, **case.settings)
    y = call(case, "", x, weight, bias, library=reference)
    grad = np.random.default_rng(1).integers(-4, 5, y.shape).astype(case.dtype)
    dx, dw, db = call(case, "_backward", grad, x, weight, library=reference)
    precision = variant.get("precision", "standard")
    options = (variant["algorithm"], variant["isa"], threads, precision)

    def forward(x: Any, weight: Any, bias: Any, out: Any) -> None:
        _native.conv_forward(g, x, weight, bias, out, options)

    def forward_and_add(x: Any, weight: Any, bias: Any, add: Any, out: Any) -> None:
        _native.conv_forward(g, x, weight, bias, out, options, "relu6", 0.0, add)

    def input_grad(grad: Any, weight: Any, out: Any) -> None:
        _native.conv_input_grad(g, grad, weight, out, options)

    def weight_grad(grad: Any, x: Any, out: Any) -> None:
        _native.conv_weight_grad(g, grad, x, out, options)

    def both_grads(grad: Any, x: Any, out: Any) -> None:
        sums = np.full_like(db, np.nan)
        _native.conv_weight_grad(g, grad, x, out, options, bias_out=sums)
        assert_same_values(sums, db)

    def weight_and_bias_grad(grad: Any, x: Any, out: Any) -> None:
        filters = np.empty_like(dw)
        _native.conv_weight_grad(g, grad, x, filters, options, bias_out=out)
        assert_same_values(filters, dw)

    def bias_grad(grad: Any, out: Any) -> None:
        _native.conv_bias_grad(g, grad, out, options)

    announce("forward")
    guarded_call(forward, at, y, x, weight, bias)
    announce("forward with what follows it")
    follows: dict[str, Any] = {"activation": "relu6", "add": grad, "library": reference}
    finished = call(case, "", x, weight, bias, **follows)
    guarded_call(forward_and_add, at, finished, x, weight, bias, grad)
    guarded_call(forward_and_add, at, finished, x, weight, bias, grad.astype("i1"))
    announce("input_grad")
    guarded_call(input_grad, at, dx, grad, weight)
    announce("weight_grad")
    guarded_call(weight_grad, at, dw, grad, x)
    announce("weight_grad with bias_grad")
    guarded_call(both_grads, at, dw, grad, x)
    guarded_call(weight_and_bias_grad, at, db, grad, x)
    announce("bias_grad")
    guarded_call(bias_grad, at, db, grad)
    announce("channels last")
    last_options = ("auto", variant["isa"], threads, "strict", True)
    last = [np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, y, dx, grad)]

    def first(array: np.ndarray) -> np.ndarray:
        return np.moveaxis(array, -1, 1)

    def forward_last(x: Any, weight: Any, bias: Any, out: Any) -> None:
        _native.conv_forward(g, first(x), weight, bias, first(out), last_options)

    def input_grad_last(grad: Any, weight: Any, out: Any) -> None:
        _native.conv_input_grad(g, first(grad), weight, first(out), last_options)

    def weight_grad_last(grad: Any, x: Any, out: Any) -> None:
        _native.conv_weight_grad(g, first(grad), first(x), out, last_options)

    guarded_call(forward_last, at, last[1], last[0], weight, bias)
    guarded_call(input_grad_last, at, last[2], last[3], weight)
    guarded_call(weight_grad_last, at, dw, last[3], last[0])
    announce("conversion of x while it is read")
    guarded_call(forward, at, y, x.astype("i1"), weight, bias)
    guarded_call(forward, at, y, x.astype(x.dtype.newbyteorder()), weight, bias)


def run_bordered(isa: str, dtype: str, kernel: tuple[int, int], mode: str, at: str) -> None:
    """Borders of other modes than zeros, wider than the image, too."""
    x = np.arange(2 * 9 * 5 * 4).reshape(2, 9, 5, 4).astype(dtype)
    weight = np.arange(17 * 9 * kernel[0] * kernel[1]).reshape(17, 9, *kernel).astype(dtype) % 7
    widths: Any = ((1, 2), (0, 6))
    g = geometry.conv_geometry(2, x.shape, weight.shape, 1, widths)
    inner, border = bordered(g, mode)
    y = reference.conv2d(x, weight, padding=widths, padding_mode=mode)
    grad = (y % 5).astype(dtype)
    dx, dw, _ = reference.conv2d_backward(
        grad, x, weight, padding=widths, padding_mode=mode, needs=(True, True, False)
    )
    for precision in ("standard", "strict"):
        options = ("auto", isa, 1, precision)
        zero = 0 if precision == "standard" else 1  # Winograd's sums are not exact

        def forward(x: Any, weight: Any, out: Any, options: Any = options) -> None:
            _native.conv_forward(inner, x, weight, None, out, options, border=border)

        def input_grad(grad: Any, weight: Any, out: Any, options: Any = options) -> None:
            _native.conv_input_grad(inner, grad, weight, out, options, border=border)

        def weight_grad(grad: Any, x: Any, out: Any, options: Any = options) -> None:
            _native.conv_weight_grad(inner, grad, x, out, options, border=border)

        guarded_call(forward, at, zero * y, x, zero * weight)
        guarded_call(input_grad, at, zero * dx, zero * grad, weight)
        guarded_call(weight_grad, at, zero * dw, zero * grad, x)


def run_integers(case: ConvCase, dtype: str, isa: str, at: str) -> None:
    g = geometry.conv_geometry(len(case.size), case.x_shape, case.weight_shape, **case.settings)
    options = ("auto", isa, 1, "standard")
    rng = np.random.default_rng(case.seed)
    x, weight, grad = (
        rng.integers(-9, 9, shape).astype(dtype)
        for shape in (g.input_shape, g.weight_shape, g.output_shape)
    )
    y = call(case, "", x, weight, activation="relu", add=grad, library=reference)
    dx, dw, _ = call(case, "_backward", grad, x, weight, library=reference)

    def forward(x: Any, weight: Any, add: Any, out: Any) -> None:
        _native.conv_integer("forward", g, x, weight, out, options, None, "relu", add)

    def input_grad(grad: Any, weight: Any, out: Any) -> None:
        _native.conv_integer("input_grad", g, out, weight, grad, options)

    def weight_grad(grad: Any, x: Any, out: Any) -> None:
        _native.conv_integer("weight_grad", g, x, out, grad, options)

    guarded_call(forward, at, y, x, weight, grad)
    guarded_call(input_grad, at, dx, grad, weight)
    guarded_call(weight_grad, at, dw, grad, x)


def run_conversion(length: int, source: str, target: str, at: str) -> None:
    x = np.arange(length).reshape(1, length).astype(source)

    def convert(x: Any, out: Any) -> None:
        _native.convert(x, out, ("auto", "auto", 1, "standard"))

    guarded_call(convert, at, x.astype(target), x)


def run_transposed(case: TransposedCase, variant: dict[str, Any], threads: int, at: str) -> None:
    x, weight, bias = case.operands()
    g = geometry.transposed_geometry(len(case.size), x.shape, weight.shape, **case.settings)
    add = np.random.default_rng(1).integers(-4, 5, g.input_shape).astype(case.dtype)
    precision = variant.get("precision", "standard")
    options = (variant["algorithm"], variant["isa"], threads, precision)

    def alone(x: Any, weight: Any, bias: Any, out: Any) -> None:
        _native.conv_input_grad(g, x, weight, out, options, bias, "relu6")

    def forward(x: Any, weight: Any, bias: Any, add: Any, out: Any) -> None:
        _native.conv_input_grad(g, x, weight, out, options, bias, "relu6", 0.0, add)

    follows: dict[str, Any] = {"activation": "relu6", "library": reference}
    announce("transposed")
    guarded_call(alone, at, call(case, "", x, weight, bias, **follows), x, weight, bias)
    expected = call(case, "", x, weight, bias, add=add, **follows)
    guarded_call(forward, at, expected, x, weight, bias, add)
    guarded_call(forward, at, expected, x, weight, bias, add.astype("i1"))


def run_columns(case: ConvCase, variant: dict[str, Any], threads: int, at: str) -> None:
    x = case.operands()[0]
    settings = {key: case.settings[key] for key in ("stride", "padding", "dilation")}
    g = geometry.columns_geometry(2, x.shape, case.kernel, **settings)
    options = ("auto", variant["isa"], threads, "standard")

    def im2col(x: Any, out: Any) -> None:
        _native.im2col(g, x, out, options)

    def col2im(cols: Any, out: Any) -> None:
        _native.col2im(g, cols, out, options)

    announce("im2col")
    cols = reference.im2col(x, case.kernel, **settings)
    guarded_call(im2col, at, cols, x)
    announce("col2im")
    guarded_call(col2im, at, reference.col2im(cols, x.shape, case.kernel, **settings), cols)


def run_pool(case: PoolCase, dtype: str, variant: dict[str, Any], threads: int, at: str) -> None:
    x = case.x().astype(dtype)
    g = geometry.pool_geometry(2, x.shape, **case.settings)
    options = ("auto", variant["isa"], threads, "standard")
    for kind in ("flat", "window"):
        y, indices = reference.max_pool2d(x, **case.settings, return_indices=True, indices=kind)
        dx = reference.max_pool2d_backward(y, indices, x.shape, **case.settings, index_kind=kind)
        # Both results are guarded in turn.
        spare, spare_indices = np.empty_like(y), np.empty_like(indices)

        def forward(x: Any, out: Any, kind: str = kind, other: Any = spare_indices) -> None:
            _native.max_pool_forward(g, x, out, other, kind, options)

        def positions(x: Any, out: Any, kind: str = kind, other: Any = spare) -> None:
            _native.max_pool_forward(g, x, other, out, kind, options)

        def alone(x: Any, out: Any, kind: str = kind) -> None:
            _native.max_pool_forward(g, x, out, None, kind, options)

        def backward(grad: Any, indices: Any, out: Any, kind: str = kind) -> None:
            _native.max_pool_backward(g, grad, indices, out, kind, options)

        if kind == "window":
            announce("bytes")
            small = indices.astype(np.uint8)
            guarded_call(positions, at, small, x)
            guarded_call(partial(forward, other=small.copy()), at, y, x)
            guarded_call(backward, at, dx, y, small)
        announce(f"maxima, {kind}")
        guarded_call(forward, at, y, x)
        announce(f"indices, {kind}")
        guarded_call(positions, at, indices, x)
        announce("maxima alone")
        guarded_call(alone, at, y, x)
        announce(f"gradient, {kind}")
        guarded_call(backward, at, dx, y, indices)


def run_innermost(case: PoolCase, dtype: str, variant: dict[str, Any], at: str) -> None:
    """Means, in both layouts, and maxima with channels innermost."""
    x = case.x().astype(dtype)
    g = geometry.pool_geometry(2, x.shape, **case.settings)
    options = ("auto", variant["isa"], 1, "standard")
    settings = {**case.settings, "divisor_override": 4}  # which divides exactly
    y = reference.avg_pool2d(x, **settings)
    dx = reference.avg_pool2d_backward(y, x.shape, **settings)

    def mean(x: Any, out: Any, backward: bool = False, swap: bool = False) -> None:
        arrays = [np.moveaxis(a, -1, 1) if swap else a for a in (x, out)]
        _native.avg_pool(g, backward, True, 4.0, *arrays, options)

    announce("means")
    guarded_call(mean, at, y, x)
    guarded_call(lambda grad, out: mean(grad, out, True), at, dx, y)
    last = [np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, y, dx)]
    guarded_call(lambda x, out: mean(x, out, False, True), at, last[1], last[0])
    guarded_call(lambda grad, out: mean(grad, out, True, True), at, last[2], last[1])

    announce("maxima, channels innermost")
    inner = {**case.settings, "layout": "NHWC"}
    y, indices = reference.max_pool2d(last[0], **inner, return_indices=True)
    dx = reference.max_pool2d_backward(y, indices, last[0].shape, **inner)
    spare = np.empty_like(y)
    guarded_call(
        lambda x, out: _native.max_pool_last_forward(g, x, out, None, "flat", options),
        at, y, last[0],
    )  # fmt: skip
    guarded_call(
        lambda x, out: _native.max_pool_last_forward(g, x, spare, out, "flat", options),
        at, indices, last[0],
    )  # fmt: skip

    def backward(grad: Any, indices: Any, out: Any) -> None:
        assert _native.max_pool_last_backward(g, grad, indices, out, "flat", options)

    guarded_call(backward, at, dx, y, indices)


def run_padding(shape: tuple[int, ...], width: Any, dtype: str, threads: int, at: str) -> None:
    x = np.random.default_rng(1).integers(1, 9, shape).astype(dtype)
    constants = np.zeros((x.ndim, 2), dtype)
    options = ("auto", "auto", threads, "standard")
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        g = geometry.pad_geometry(x.shape, width, mode, x.itemsize)

        def forward(x: Any, constants: Any, out: Any, mode: str = mode, g: Any = g) -> None:
            _native.pad_forward(g, mode, x, constants, out, options)

        def backward(grad: Any, out: Any, mode: str = mode, g: Any = g) -> None:
            _native.pad_backward(g, mode, grad, out, options)

        padded = reference.pad(x, width, mode)
        announce(mode)
        guarded_call(forward, at, padded, x, constants)
        if dtype in ("float32", "float64"):
            announce(f"gradient of {mode}")
            guarded_call(backward, at, reference.pad_backward(padded, width, mode), padded)


def run_winograd(isa: str, dtype: str, size: tuple[int, int], threads: int, at: str) -> None:
    """Zero weights: no rounding blurs what is read and written, which is all that matters here."""
    rng = np.random.default_rng(1)
    x = rng.integers(-4, 5, (2, 19, *size)).astype(dtype)
    g = geometry.conv_geometry(2, x.shape, (21, 19, 3, 3), padding=1)
    options = ("winograd", isa, threads, "standard")
    zeros = np.zeros(g.output_shape, dtype)
    dx = np.zeros_like(x)

    def forward(x: Any, weight: Any, out: Any) -> None:
        _native.conv_forward(g, x, weight, None, out, options)

    def input_grad(grad: Any, weight: Any, out: Any) -> None:
        _native.conv_input_grad(g, grad, weight, out, options)

    def prepare(weight: Any, out: Any) -> None:
        _native.conv_prepare(g, weight, out, options)

    def prepared_forward(x: Any, weight: Any, prepared: Any, out: Any) -> None:
        _native.conv_forward(g, x, weight, None, out, options, None, 0.0, None, prepared)

    weight = np.zeros((21, 19, 3, 3), dtype)
    announce("forward")
    guarded_call(forward, at, zeros, x, weight)
    announce("prepare")
    ready = aligned_bytes(_native.conv_prepared_size(g, dtype, options))
    ready[:] = 77  # as guarded_call leaves what nobody writes
    prepare(weight, ready)
    guarded_call(prepare, at, ready, weight)
    announce("prepared forward")
    guarded_call(prepared_forward, at, zeros, x, weight, ready)
    announce("input_grad")
    guarded_call(input_grad, at, dx, zeros, weight)

    def weight_grad(grad: Any, x: Any, out: Any) -> None:
        _native.conv_weight_grad(g, grad, x, out, options)

    announce("weight_grad")
    guarded_call(weight_grad, at, weight, zeros, x)


def run_product(isa: str, dtype: str, sizes: tuple[int, int, int], at: str) -> None:
    rows, depth, columns = sizes
    rng = np.random.default_rng(1)
    a, b = rng.integers(-4, 5, (rows, depth)), rng.integers(-4, 5, (depth, columns))

    def product(a: Any, b: Any, out: Any) -> None:
        _native.product(a, b, out, ("auto", isa, 1, "standard"))

    guarded_call(product, at, (a @ b).astype(dtype), a.astype(dtype), b.astype(dtype))


def run_warp(dtype: str, at: str) -> None:
    """Of places within the image, on its edges, and beyond each of them."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((20, 2, 5, 6)).astype(dtype)
    matrices = rng.normal(0, 1, (20, 2, 2)).astype(dtype)
    matrices[:4] = np.eye(2)
    offsets = np.tile(np.array([3, 3.5], dtype), (20, 1))
    out = np.empty_like(x)
    options = ("auto", "auto", 1, "standard")
    _native.warp(x, matrices, offsets, out, options)
    guarded_call(lambda *arrays: _native.warp(*arrays, options), at, out, x, matrices, offsets)


def main() -> None:
    for at in ("start", "end"):
        for dtype in ("float32", "float64"):
            announce(f"warp of {dtype} at {at}")
            run_warp(dtype, at)
        for dtype in ("float32", "float64"):
            for case in CONVOLUTIONS:
                for variant in CONV_VARIANTS:
                    announce(f"{dtype} {case} {name(variant)} at {at}")
                    run_convolution(case.with_dtype(dtype), variant, 1, at)
            for case in IMAGES:
                for variant in ISA_VARIANTS:
                    announce(f"{dtype} {case} {name(variant)} columns at {at}")
                    run_columns(case.with_dtype(dtype), variant, 1, at)
            for transposed in TRANSPOSED:
                for variant in CONV_VARIANTS:
                    announce(f"{dtype} {transposed} {name(variant)} at {at}")
                    run_transposed(transposed.with_dtype(dtype), variant, 1, at)
            for pool in POOLS:
                for variant in ISA_VARIANTS:
                    announce(f"{dtype} {pool} {name(variant)} at {at}")
                    run_pool(pool, dtype, variant, 1, at)
                    run_innermost(pool, dtype, variant, at)
        for isa in ISAS:
            for dtype in ("float32", "float64"):
                for size in ((3, 5), (8, 33), (14, 14)):
                    announce(f"winograd {isa} {dtype} {size} at {at}")
                    run_winograd(isa, dtype, size, 1, at)
                for kernel in ((3, 3), (4, 2)):
                    for mode in ("reflect", "wrap", "edge", "symmetric"):
                        announce(f"bordered {isa} {dtype} {kernel} {mode} at {at}")
                        run_bordered(isa, dtype, kernel, mode, at)
                for sizes in ((1, 300, 75), (2, 9, 16), (7, 2, 33), (5, 140, 530)):
                    announce(f"product {isa} {dtype} {sizes} at {at}")
                    run_product(isa, dtype, sizes, at)
        for isa in ISAS:
            for dtype in ("int8", "int16"):
                for case in CONVOLUTIONS:
                    announce(f"{dtype} {case} {isa} at {at}")
                    run_integers(case, dtype, isa, at)
        for length in (1, 7, 64, 65):
            for source, target in (("float16", "float32"), ("float32", "float16")):
                announce(f"{source} to {target}, {length} at {at}")
                run_conversion(length, source, target, at)
        for shape, width in PADDINGS:
            for dtype in ("int8", "int16", "float32", "float64", "complex128"):
                announce(f"{shape} {width} {dtype} at {at}")
                run_padding(shape, width, dtype, 1, at)
        announce(f"two threads at {at}")
        large = ConvCase(2, 1, 24, 20, (31, 37), (3, 3), padding=1, bias=True, seed=1)
        for variant in CONV_VARIANTS:
            run_convolution(large, variant, 2, at)
    announce("all arrays intact")


if __name__ == "__main__":
    main()
