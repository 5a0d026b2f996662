"""Every kernel slot of every usable ISA is reached, and every ISA gives what plain C gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import ConvCase, conv_cases, pool_cases
from test_pool import skip_impossible
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import CONV_VARIANTS, GENERAL_ALGORITHMS, ISA_VARIANTS, ISAS, name

import npconv
from npconv import _native, reference
from npconv.geometry import pad_geometry
from npconv.runtime import options

each_isa = pytest.mark.parametrize("isa", ISAS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

# Whole vectors, and vectors half filled at the end, for every vector length there is: up to eight
# of 16 elements.
WIDTHS = sorted(
    {n * lanes - part for n in range(1, 9) for lanes in (2, 4, 8, 16) for part in (0, lanes // 2)}
    | {9, 17, 49}  # one more than whole vectors, which `direct` multiplies by itself
)
# Register tiles have up to 14 rows; 15 to 28 are split evenly in two.
ROWS = range(1, 29)
SHALLOW, DEEP = 3, 600  # terms of a sum, without and with a split


def integers(shape: tuple[int, ...], dtype: str, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


# ---- sweeps, each exact against one matrix product ------------------------------------------


def sweep_products(isa: str, dtype: str) -> None:
    """Forward and input gradient by pointwise convolutions: every tile, tail and split."""
    options: dict[str, Any] = {"algorithm": "direct", "isa": isa, "num_threads": 1}
    x = integers((DEEP, max(WIDTHS)), dtype)
    weight = integers((max(ROWS), DEEP), dtype, seed=2)
    for depth in (SHALLOW, DEEP):
        product = weight[:, :depth] @ x[:depth]
        for width in WIDTHS:
            image = np.ascontiguousarray(x[:depth, :width])[None, :, None]
            for rows in ROWS:
                filters = np.ascontiguousarray(weight[:rows, :depth])[..., None, None]
                out = np.full((1, rows, 1, width), np.nan, dtype)
                npconv.conv2d(image, filters, **options, out=out)
                assert_same_values(out[0, :, 0], product[:rows, :width], f"{rows}x{width}")


def sweep_windows(isa: str, dtype: str) -> None:
    """Windows that are packed with padding, stride and dilation, by both panel algorithms."""
    for algorithm in GENERAL_ALGORITHMS:
        for stride, dilation in [(1, 1), (2, 1), (3, 1), (1, 2)]:
            for width in (5, 19, 40, 71):
                x, weight = integers((2, 3, 9, width), dtype), integers((5, 3, 3, 3), dtype, seed=2)
                settings = {"stride": stride, "padding": 1, "dilation": dilation}
                options = {**settings, "algorithm": algorithm, "isa": isa}
                y = npconv.conv2d(x, weight, **options)
                assert_same_values(y, reference.conv2d(x, weight, **settings))
                dx, dw, db = npconv.conv2d_backward(y, x, weight, **options)
                of_x, of_weight, of_bias = reference.conv2d_backward(y, x, weight, **settings)
                assert_same_values(dx, of_x)
                assert_same_values(dw, of_weight)
                assert_same_values(db, of_bias)


def sweep_fused_packing(isa: str, dtype: str) -> None:
    """3x3 windows at stride 1 with every count of rows, on rows of every count of vectors."""
    options = {"padding": 1, "algorithm": "direct", "isa": isa, "num_threads": 1}
    x, weight = integers((1, 2, 3, max(WIDTHS)), dtype), integers((28, 2, 3, 3), dtype, seed=2)
    for width in WIDTHS:
        image = np.ascontiguousarray(x[..., :width])
        expected = reference.conv2d(image, weight, padding=1)
        for rows in ROWS:
            y = npconv.conv2d(image, weight[:rows], **options)
            assert_same_values(y, expected[:, :rows], f"{rows}x{width}")
    x, weight = integers((1, 70, 3, 70), dtype), integers((28, 70, 3, 3), dtype, seed=2)
    for width in (2, 7, 16, 29, 48, 64, 70):
        image = np.ascontiguousarray(x[..., :width])
        expected = reference.conv2d(image, weight, padding=1)
        for rows in ROWS:
            y = npconv.conv2d(image, weight[:rows], **options)
            assert_same_values(y, expected[:, :rows], f"{rows}x{width}, 630 terms")


def sweep_dots(isa: str, dtype: str) -> None:
    """Weight gradients: rows are output channels, columns taps, the depth is pixels."""
    options: dict[str, Any] = {"algorithm": "im2col", "isa": isa, "num_threads": 1}
    # The last count is more than all partial sums take in one go.
    grad, x = integers((9, 40000), dtype), integers((13, 40000), dtype, seed=2)
    for pixels in (1, 16, 37, 40000):
        product = grad[:, :pixels] @ x[:, :pixels].T
        for rows in range(1, 10):
            for columns in range(1, 14):
                dw = npconv.conv2d_weight_grad(
                    np.ascontiguousarray(grad[:rows, :pixels])[None, :, None],
                    np.ascontiguousarray(x[:columns, :pixels])[None, :, None],
                    (rows, columns, 1, 1),
                    **options,
                )
                assert_same_values(dw[..., 0, 0], product[:rows, :columns], f"{rows}x{columns}")
    # Taps so far apart that no block of pixels fits: packed as panels.
    x, grad, settings = (
        integers((1, 1, 801, 801), dtype),
        integers((1, 1, 1, 1), dtype),
        (1, 0, 400),
    )
    dw = npconv.conv2d_weight_grad(grad, x, (1, 1, 3, 3), *settings, algorithm="direct", isa=isa)
    assert_same_values(dw, grad * x[:, :, ::400, ::400])


def sweep_runs(isa: str, dtype: str) -> None:
    """Weight gradients on pixels of many channels: rows are output channels, lanes input channels,
    in one block of pixels and in several."""
    options: dict[str, Any] = {"algorithm": "direct", "isa": isa, "num_threads": 1}
    grad, x = integers((max(ROWS), 1100), dtype), integers((max(WIDTHS), 1100), dtype, seed=2)
    for pixels in (7, 1100):
        product = grad[:, :pixels] @ x[:, :pixels].T
        for channels in WIDTHS:
            image = np.ascontiguousarray(x[:channels, :pixels])[None, :, None]
            for rows in ROWS:
                dw = npconv.conv2d_weight_grad(
                    np.ascontiguousarray(grad[:rows, :pixels])[None, :, None],
                    image,
                    (rows, channels, 1, 1),
                    **options,
                )
                assert_same_values(dw[..., 0, 0], product[:rows, :channels], f"{rows}x{channels}")


def sweep_depthwise(isa: str, dtype: str) -> None:
    """Both kernels of fixed size at both steps, the one for any window, and small planes."""
    for width in (1, 7):
        x, weight = integers((1, 20, 6, width), dtype), integers((20, 1, 7, 7), dtype, seed=2)
        small = npconv.conv2d(x, weight, padding=3, groups=20, algorithm="depthwise", isa=isa)
        expected = reference.conv2d(x, weight, padding=3, groups=20)
        assert_same_values(small, expected, f"small planes, {width}")
    for width in WIDTHS:
        x = integers((1, 2, 9, width + 4), dtype)
        for kernel, stride in [(3, 1), (3, 2), (5, 1), (5, 2), (4, 3)]:
            weight = integers((4, 1, kernel, kernel), dtype, seed=2)
            settings: dict[str, Any] = {"stride": stride, "padding": 1, "groups": 2}
            y = npconv.conv2d(x, weight, **settings, algorithm="depthwise", isa=isa)
            assert_same_values(y, reference.conv2d(x, weight, **settings), f"{kernel}x{width}")
            alone = npconv.conv2d(x, weight[::2], **settings, algorithm="depthwise", isa=isa)
            assert_same_values(alone, y[:, ::2], f"one filter a channel, {kernel}x{width}")
            if kernel == 4:
                continue
            options = {**settings, "algorithm": "depthwise", "isa": isa}
            dx, dw, _ = npconv.conv2d_backward(y, x, weight, **options)
            of_x, of_weight, _ = reference.conv2d_backward(y, x, weight, **settings)
            assert_same_values(dx, of_x, f"dx {kernel}x{width}")
            assert_same_values(dw, of_weight, f"dw {kernel}x{width}")


def sweep_depthwise_last(isa: str, dtype: str) -> None:
    """Pixels in groups and alone, channels around the size of a vector."""
    for channels in (1, 5, 16, 37):
        x, weight = integers((1, 5, 20, channels), dtype), integers((channels, 1, 3, 3), dtype)
        settings: dict[str, Any] = {"padding": 1, "groups": channels}
        y = npconv.conv2d(x, weight, **settings, layout="NHWC", algorithm="depthwise_last", isa=isa)
        expected = reference.conv2d(x, weight, **settings, layout="NHWC")
        assert_same_values(y, expected, f"{channels} channels")
        settings = {**settings, "layout": "NHWC"}
        dw = npconv.conv2d_weight_grad(
            expected, x, weight.shape, **settings, algorithm="depthwise_last", isa=isa
        )
        right = reference.conv2d_weight_grad(expected, x, weight.shape, **settings)
        assert_same_values(dw, right, f"dw, {channels} channels")


def sweep_winograd(isa: str, dtype: str) -> None:
    """Every transform, whole tiles and edge tiles; only those for tiles of 2x2 are exact."""
    for kernel in [(3, 3), (5, 5), (1, 3), (3, 1), (3, 5)]:
        x, weight = integers((1, 5, 9, 33), dtype), integers((18, 5, *kernel), dtype, seed=2)
        y = npconv.conv2d(x, weight, padding="same", algorithm="winograd", isa=isa)
        expected = reference.conv2d(x, weight, padding="same")
        assert np.allclose(y, expected, rtol=0, atol=2000 * np.finfo(dtype).eps), kernel
        dw = npconv.conv2d_weight_grad(
            expected, x, weight.shape, padding="same", algorithm="winograd", isa=isa
        )
        right = reference.conv2d_weight_grad(expected, x, weight.shape, padding="same")
        assert np.allclose(dw, right, rtol=0, atol=1e6 * np.finfo(dtype).eps), kernel
        if 5 not in kernel:
            y = npconv.conv2d(x, weight, padding="same", algorithm="winograd2", isa=isa)
            assert_same_values(y, expected)


def sweep_others(isa: str, dtype: str) -> None:
    """Pooling, column sums, activations, and partial sums of a weight gradient."""
    for width in WIDTHS:
        x = integers((1, 2, 6, width + 1), dtype)
        for kernel, stride, padding in [(2, 2, 0), (2, 2, 1), (2, 1, 1), (3, 2, 1)]:
            settings: dict[str, Any] = {
                "kernel_size": kernel,
                "stride": stride,
                "padding": padding,
            }
            y, at = npconv.max_pool2d(x, **settings, return_indices=True, isa=isa)
            expected, indices = reference.max_pool2d(x, **settings, return_indices=True)
            assert_same_values(y, expected)
            assert_same_values(at, indices)
            assert_same_values(npconv.max_pool2d(x, **settings, isa=isa), expected)
            dx = npconv.max_pool2d_backward(y, at, x.shape, **settings, isa=isa)
            assert_same_values(dx, reference.max_pool2d_backward(y, at, x.shape, **settings))
            last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
            inner = settings | {"layout": "NHWC"}
            y, at = npconv.max_pool2d(last, **inner, return_indices=True, isa=isa)
            assert_same_values(np.moveaxis(y, -1, 1), expected)
            dx = npconv.max_pool2d_backward(y, at, last.shape, **inner, isa=isa)
            assert_same_values(dx, reference.max_pool2d_backward(y, at, last.shape, **inner))
            many = [np.repeat(a, 16, axis=-1) for a in (y, at, last)]
            dx = npconv.max_pool2d_backward(many[0], many[1], many[2].shape, **inner, isa=isa)
            expected = reference.max_pool2d_backward(*many[:2], many[2].shape, **inner)
            assert_same_values(dx, expected)
            mean = npconv.avg_pool2d(x, **settings, isa=isa)
            assert_same_values(mean, reference.avg_pool2d(x, **settings))
        cols = reference.im2col(x, 2)
        dx = npconv.col2im(cols, x.shape, 2, isa=isa)
        assert_same_values(dx, reference.col2im(cols, x.shape, 2))
        x, weight = integers((1, 2, 1, width), dtype), integers((3, 2, 1, 1), dtype, seed=2)
        for activation in (None, "relu", "relu6", "leaky_relu"):
            for add in (None, integers((1, 3, 1, width), dtype, seed=3)):
                after: dict[str, Any] = {"activation": activation, "add": add}
                y = npconv.conv2d(x, weight, **after, isa=isa)
                assert_same_values(y, reference.conv2d(x, weight, **after))
    x, grad = integers((3, 2, 90, 90), dtype), integers((3, 3, 90, 90), dtype, seed=2)
    dw = npconv.conv2d_weight_grad(grad, x, (3, 2, 3, 3), padding=1, isa=isa)
    assert_same_values(dw, reference.conv2d_weight_grad(grad, x, (3, 2, 3, 3), padding=1))


def sweep_elementwise(isa: str, dtype: str) -> None:
    """Gradients of activations, and steps of optimisers, of every count of lanes."""
    for width in WIDTHS:
        grad, y = integers((width,), dtype), integers((width,), dtype, seed=2)
        dx = npconv.relu6_backward(grad, y, isa=isa)
        assert_same_values(dx, reference.relu6_backward(grad, y))
        param = y.copy()
        settings = (0.5, 1.0, 0.0, 0.0, 0.0, 0.0)
        _native.update("sgd", settings, param, grad, (), ("auto", isa, 1, "standard"))
        assert_same_values(param, y - grad / 2)
        y, mask = npconv.dropout(grad, rng=np.random.default_rng(width), isa=isa)
        assert_same_values(y, reference.dropout(grad, rng=np.random.default_rng(width))[0])
        assert_same_values(npconv.dropout_backward(grad, mask, isa=isa), y)


def sweep_weighted_rows(isa: str, dtype: str) -> None:
    """Products of few rows, or of little depth, of every count of lanes; the depth in one block and
    in several."""
    for depth in (1, 3, 9, 300):
        for width in (*WIDTHS, 2500):
            for rows in (1, 3, 7) if depth <= 3 else (1, 3):
                a, b = integers((rows, depth), dtype), integers((depth, width), dtype, seed=2)
                x = integers((rows, width), dtype, seed=3)
                dx, _, _ = npconv.linear_backward(a, x, b, needs=(True, False, False), isa=isa)
                assert_same_values(dx, a @ b, f"{rows} x {depth} x {width}")


def sweep_channels(isa: str, dtype: str) -> None:
    """Normalisations and softmax, on planes of every count of lanes."""
    unit = float(np.finfo(dtype).eps)
    for width in WIDTHS:
        x, grad = integers((2, 3, width), dtype), integers((2, 3, width), dtype, seed=2)
        for operation in ("softmax", "local_response_norm"):
            settings = () if operation == "softmax" else (2,)
            y = getattr(npconv, operation)(x, *settings, isa=isa)
            expected = getattr(reference, operation)(x, *settings)
            np.testing.assert_allclose(y, expected, rtol=16 * unit, err_msg=operation)
        for operation in ("softmax", "log_softmax"):  # along rows
            y = getattr(npconv, operation)(x[0], isa=isa)
            expected = getattr(reference, operation)(x[0])
            np.testing.assert_allclose(y, expected, rtol=16 * unit, atol=16 * unit)
            backward = f"{operation}_backward"
            dx = getattr(npconv, backward)(grad[0], y, isa=isa)
            expected = getattr(reference, backward)(grad[0], y)
            np.testing.assert_allclose(dx, expected, rtol=32 * unit, atol=256 * unit)
        if width > 1:
            y, saved = npconv.batch_norm(x, training=True, return_saved=True, isa=isa)
            expected = reference.batch_norm(x, training=True)
            np.testing.assert_allclose(y, expected, rtol=32 * unit, atol=32 * unit)
            _, _, bias = npconv.batch_norm_backward(grad, x, None, saved, isa=isa)
            assert_same_values(bias, grad.sum(axis=(0, 2)))


def sweep_small(isa: str, dtype: str) -> None:
    """Small images: rows of one and of more vectors, and every count of channels left over."""
    for width in (1, 2, 5, 16, 19, 33):
        for stride, dilation in [(1, 1), (2, 1), (1, 2), (2, 3)]:
            x, weight = integers((2, 4, 5, width), dtype), integers((7, 2, 3, 3), dtype, seed=2)
            settings = {"stride": stride, "padding": 2 * dilation, "dilation": dilation}
            for channels in (1, 2, 3, 7):
                filters = np.concatenate([weight[:channels]] * 2)
                expected = reference.conv2d(x, filters, **settings, groups=2)
                if expected[0].size * 18 > 4096:
                    break
                y = npconv.conv2d(x, filters, **settings, groups=2, algorithm="small", isa=isa)
                assert_same_values(y, expected)


def sweep_few_channels(isa: str, dtype: str) -> None:
    """Every tile, tail and split of UK2, and a result that is written past the caches."""
    options: dict[str, Any] = {"algorithm": "few_channels", "isa": isa, "num_threads": 1}
    for channels, taps in [(2, 1), (8, 17)]:
        x = integers((1, channels, 1, max(WIDTHS) + taps - 1), dtype)
        weight = integers((max(ROWS), channels, 1, taps), dtype, seed=2)
        expected = reference.conv2d(x, weight)
        for width in WIDTHS:
            image = np.ascontiguousarray(x[..., : width + taps - 1])
            for rows in ROWS:
                y = npconv.conv2d(image, weight[:rows], **options)
                assert_same_values(y, expected[:, :rows, :, :width], f"{rows}x{width}")
    # Many output channels and taps: the pixels are collected first.
    x, weight = integers((1, 8, 4, 90), dtype), integers((80, 8, 4, 32), dtype, seed=2)
    assert_same_values(npconv.conv2d(x, weight, **options), reference.conv2d(x, weight))
    x, weight = integers((1, 1, 1040, 1040), dtype), integers((4, 1, 2, 1), dtype, seed=2)
    y = npconv.conv2d(x, weight, padding="same", **options)
    assert_same_values(y, reference.conv2d(x, weight, padding="same"))


def sweep_few_channels_last(isa: str, dtype: str) -> None:
    """Every tile, tail and split of UK4, and a result that is written past the caches."""
    options: dict[str, Any] = {
        "algorithm": "few_channels_last",
        "isa": isa,
        "layout": "NHWC",
        "num_threads": 1,
    }
    for channels, taps in [(2, 1), (8, 17)]:
        x = integers((1, 1, max(ROWS) + taps - 1, channels), dtype)
        weight = integers((max(WIDTHS), channels, 1, taps), dtype, seed=2)
        expected = reference.conv2d(x, weight, layout="NHWC")
        for rows in ROWS:
            image = np.ascontiguousarray(x[:, :, : rows + taps - 1])
            for width in WIDTHS:
                y = npconv.conv2d(image, weight[:width], **options)
                assert_same_values(y, expected[:, :, :rows, :width], f"{rows}x{width}")
    x, weight = integers((1, 520, 520, 1), dtype), integers((16, 1, 2, 1), dtype, seed=2)
    y = npconv.conv2d(x, weight, padding="same", **options)
    assert_same_values(y, reference.conv2d(x, weight, padding="same", layout="NHWC"))


def sweep_integers(isa: str, dtype: str) -> None:
    """Sums of int16 products in the float32 kernels' place, of int64 in that of float64."""
    kind, wide = ("i1", "i4") if dtype == "float32" else ("i4", "i8")
    for rows in range(1, 6):
        for depth in (1, 2, 2049, 4100):
            x, weight = integers((depth, 37), kind), integers((rows, depth), kind, seed=2)
            y = npconv.conv2d(x[None, :, None], weight[..., None, None], isa=isa)
            assert y.dtype == wide
            assert_same_values(y[0, :, 0], weight.astype(wide) @ x.astype(wide))


def sweep_rows(isa: str, dtype: str) -> None:
    """Rows of every rest of a vector, padded and folded back in each mode, also where the result
    is written past the caches; columns at each step that has a loop of its own."""
    how = options(isa=isa)
    for width in (1, 2, 3, 5, 8, 13, 21, 40):
        x = integers((2, 3, width), dtype)
        for mode in ("constant", "reflect", "edge", "symmetric", "wrap"):
            for before, after in ((0, 1), (2, 3), (17, 40)):
                widths = ((0, 0), (2, 1), (before, after))
                around = pad_geometry(x.shape, widths, mode, 8)
                y = np.full(around.padded_shape, np.nan, dtype)
                _native.pad_forward(around, mode, x, np.full((3, 2), 7, dtype), y, how)
                constant = {"constant_values": 7} if mode == "constant" else {}
                assert_same_values(
                    y,
                    np.pad(
                        x, list(zip(around.before, around.after, strict=True)), mode, **constant
                    ),
                    f"{around}",
                )
                dx = np.full(x.shape, np.nan, dtype)
                _native.pad_backward(around, mode, y, dx, how)
                assert_same_values(
                    dx,
                    reference.pad_backward(
                        y, list(zip(around.before, around.after, strict=True)), mode
                    ),
                )
        for step in (1, 2, 3):
            settings = {"kernel_size": (2, 3), "stride": step, "padding": (0, 2)}
            cols = npconv.im2col(x[None], **settings, isa=isa)
            assert_same_values(cols, reference.im2col(x[None], **settings))
            dx = npconv.col2im(cols, (1, *x.shape), **settings, isa=isa)
            assert_same_values(dx, reference.col2im(cols, (1, *x.shape), **settings))
    widths = ((0, 0), (1, 1), (1, 0))
    large = pad_geometry((9, 700, 700), widths, "edge", 8)
    x, y = integers(large.shape, dtype), np.ones(large.padded_shape, dtype)
    _native.pad_forward(large, "edge", x, np.zeros((3, 2), dtype), y, how)
    assert_same_values(y, np.pad(x, widths, "edge"))


def sweep_small_planes(isa: str, dtype: str) -> None:
    """Tables of picks, whose vectors hold parts of one row or of several."""
    how = options(isa=isa)
    for height, width in ((4, 4), (7, 7), (5, 14)):
        x = integers((5, height, width), dtype)
        for mode in ("constant", "reflect", "wrap"):
            widths = ((0, 0), (1, 2), (3, 1))
            around = pad_geometry(x.shape, widths, mode, 8)
            y, dx = np.full(around.padded_shape, np.nan, dtype), np.full(x.shape, np.nan, dtype)
            _native.pad_forward(around, mode, x, np.zeros((3, 2), dtype), y, how)
            assert_same_values(y, np.pad(x, widths, mode))
            _native.pad_backward(around, mode, y, dx, how)
            assert_same_values(dx, reference.pad_backward(y, widths, mode))


@each_isa
@each_dtype
def test_every_slot_is_reached_and_right(dtype: str, isa: str) -> None:
    prefix = f"{isa}/{dtype}/"
    _native.reset_kernel_coverage()
    for sweep in (
        sweep_products,
        sweep_windows,
        sweep_fused_packing,
        sweep_dots,
        sweep_runs,
        sweep_depthwise,
        sweep_depthwise_last,
        sweep_few_channels,
        sweep_few_channels_last,
        sweep_winograd,
        sweep_others,
        sweep_small,
        sweep_integers,
        sweep_elementwise,
        sweep_weighted_rows,
        sweep_channels,
        sweep_rows,
        sweep_small_planes,
    ):
        sweep(isa, dtype)
    slots = {
        slot: reached
        for slot, reached in _native.kernel_coverage().items()
        if slot.startswith(prefix)
    }
    assert len(slots) > 50, "there are tiles of many sizes"
    missing = [slot for slot, reached in slots.items() if not reached]
    assert not missing, f"{len(missing)} of {len(slots)} slots were not reached: {missing}"


def test_slots_start_unreached() -> None:
    """Without this, the test above could be blind."""
    _native.reset_kernel_coverage()
    assert not any(_native.kernel_coverage().values())
    x = np.ones((1, 1, 3, 3), "f4")
    npconv.conv2d(x, x, isa=ISAS[-1])
    reached = [slot for slot, done in _native.kernel_coverage().items() if done]
    assert reached
    assert all(slot.startswith(f"{ISAS[-1]}/float32/") for slot in reached)


def calls(case: ConvCase, variant: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Run the three operations of a case; yield each operation and its result."""
    x, weight, bias = case.operands(integers=False)
    options = {**case.settings, **variant}
    y = npconv.conv2d(x, weight, bias, **options)
    yield "forward", y
    yield "input_grad", npconv.conv2d_input_grad(y, weight, x.shape, **options)
    yield "weight_grad", npconv.conv2d_weight_grad(y, x, weight.shape, **options)


@pytest.mark.parametrize("variant", CONV_VARIANTS, ids=name)
@each_dtype
def test_every_algorithm_runs_every_operation_on_every_isa(
    dtype: str, variant: dict[str, Any]
) -> None:
    case = ConvCase(2, 1, 5, 11, (13, 21), (3, 3), padding=1, bias=True).with_dtype(dtype)
    for operation, _ in calls(case, variant):
        plan = npconv.last_plan()
        assert plan["operation"] == operation
        assert variant["algorithm"] in ("auto", plan["algorithm"])
        assert plan["isa"] == variant["isa"]
        assert plan["dtype"] == dtype


@pytest.mark.parametrize("algorithm", [a for a in GENERAL_ALGORITHMS if a != "reference"])
@each_isa
def test_fast_algorithms_use_the_kernels(isa: str, algorithm: str) -> None:
    case = ConvCase(2, 1, 5, 11, (13, 21), (3, 3), padding=1)
    for operation, _ in calls(case, {"algorithm": algorithm, "isa": isa}):
        slots = [slot for slot, reached in _native.kernel_coverage().items() if reached]
        assert any(slot.startswith(f"{isa}/float32/") for slot in slots), operation


# ---- ISAs against each other ----------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["auto", *GENERAL_ALGORITHMS])
@given(case=conv_cases())
def test_isas_agree_with_plain(algorithm: str, case: ConvCase) -> None:
    """Within the tolerance of rounding; the bits where the data are integers."""
    x, weight, bias = case.operands(integers=True)
    results = [
        npconv.conv2d(x, weight, bias, **case.settings, algorithm=algorithm, isa=isa)
        for isa in ISAS
    ]
    for isa, result in zip(ISAS, results, strict=True):
        assert_same_values(result, results[-1], f"{isa} and {ISAS[-1]}")
    x, weight, bias = case.operands(integers=False)
    magnitude = reference.conv2d(
        abs(x), abs(weight), None if bias is None else abs(bias), **case.settings
    )
    plain, *others = (
        npconv.conv2d(x, weight, bias, **case.settings, algorithm=algorithm, isa=isa)
        for isa in reversed(ISAS)
    )
    for other in others:
        # Both may be off by the bound.
        assert_close(other, plain.astype("f8"), 2 * magnitude.astype("f8"), case.n_terms)


@given(case=pool_cases())
def test_isas_agree_with_plain_on_pooling(case: Any) -> None:
    skip_impossible(case)
    x = case.x(integers=False)
    results = [
        npconv.max_pool2d(x, **case.settings, return_indices=True, **variant)
        for variant in ISA_VARIANTS
    ]
    for maximum, indices in results:
        assert_same_bits(maximum, results[-1][0])
        assert_same_bits(indices, results[-1][1])
