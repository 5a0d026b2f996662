"""The reference is the definition, so it is held to loops that restate each formula."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from strategies import ConvCase, PoolCase, conv_cases, pool_cases
from tolerance import assert_same_values

import npconv
from npconv import geometry, reference
from npconv.geometry import ConvGeometry, PoolGeometry

SMALL = conv_cases(largest_channels=2, largest_size=5)


def conv_geometry(case: ConvCase) -> ConvGeometry:
    return geometry.conv_geometry(2, case.x_shape, case.weight_shape, **case.settings)


def meetings(
    g: ConvGeometry | PoolGeometry,
) -> Iterator[tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]:
    """Every (output, tap, input) of the two spatial axes; the input may be in the padding."""
    for oh, ow, r, s in itertools.product(
        *(range(length) for length in (*g.output[1:], *g.kernel[1:]))
    ):
        h = oh * g.stride[1] + r * g.dilation[1] - g.pad_before[1]
        w = ow * g.stride[2] + s * g.dilation[2] - g.pad_before[2]
        yield (oh, ow), (r, s), (h, w)


def inside(g: ConvGeometry | PoolGeometry, pixel: tuple[int, int]) -> bool:
    return 0 <= pixel[0] < g.input[1] and 0 <= pixel[1] < g.input[2]


def products(
    case: ConvCase, g: ConvGeometry
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """The indices in y, x and weight of every product that a convolution sums."""
    per_group = case.in_per_group
    for output, tap, pixel in meetings(g):
        if inside(g, pixel):
            for n, k, c in itertools.product(
                range(g.batch), range(g.out_channels), range(per_group)
            ):
                group = k // case.out_per_group
                yield (n, k, *output), (n, group * per_group + c, *pixel), (k, c, *tap)


@given(SMALL)
def test_conv2d_and_gradients_are_the_sums_of_their_products(case: ConvCase) -> None:
    x, weight, bias = (None if a is None else a.astype("f8") for a in case.operands())
    x = x.reshape(case.x_shape)
    g = conv_geometry(case)
    grad = np.random.default_rng(case.seed).integers(-4, 5, g.output_shape).astype("f8")
    y = np.zeros(g.output_shape)
    if bias is not None:
        y += bias[:, None, None]
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for at_y, at_x, at_weight in products(case, g):
        y[at_y] += x[at_x] * weight[at_weight]
        dx[at_x] += grad[at_y] * weight[at_weight]
        dweight[at_weight] += grad[at_y] * x[at_x]
    assert_same_values(reference.conv2d(x, weight, bias, **case.settings), y)
    of_x, of_weight, of_bias = reference.conv2d_backward(grad, x, weight, **case.settings)
    assert_same_values(of_x, dx)
    assert_same_values(of_weight, dweight)
    assert_same_values(of_bias, grad.sum((0, 2, 3)))
    assert_same_values(reference.conv2d_input_grad(grad, weight, x.shape, **case.settings), dx)
    assert_same_values(
        reference.conv2d_weight_grad(grad, x, weight.shape, **case.settings), dweight
    )


@given(SMALL)
def test_columns_are_the_windows(case: ConvCase) -> None:
    x = case.operands()[0].astype("f8").reshape(case.x_shape)
    settings = {name: case.settings[name] for name in ("stride", "padding", "dilation")}
    g = geometry.columns_geometry(2, case.x_shape, case.kernel, **settings)
    cols = np.zeros((*x.shape[:2], *g.kernel[1:], *g.output[1:]))
    back = np.zeros(x.shape)
    for output, tap, pixel in meetings(g):
        if inside(g, pixel):
            cols[:, :, *tap, *output] = x[:, :, *pixel]
            back[:, :, *pixel] += x[:, :, *pixel]
    cols = cols.reshape(g.columns_shape)
    assert_same_values(reference.im2col(x, case.kernel, **settings), cols)
    assert_same_values(reference.col2im(cols, x.shape, case.kernel, **settings), back)


@given(pool_cases())
def test_max_pool_scans_every_window(case: PoolCase) -> None:
    assume(case.batch * case.channels <= 2)
    x = case.x(integers=True, largest=2).reshape(case.x_shape).copy()
    x[x == 2] = np.nan
    try:
        g = geometry.pool_geometry(2, case.x_shape, **case.settings)
    except ValueError:
        assume(False)
    maximum = np.full(g.output_shape, np.nan)
    flat, window = (np.full(g.output_shape, -1) for _ in range(2))
    for output, (r, s), (h, w) in meetings(g):
        if inside(g, (h, w)):
            for n, c in np.ndindex(g.batch, g.channels):
                at, value = (n, c, *output), x[n, c, h, w]
                nan_found = flat[at] >= 0 and np.isnan(maximum[at])
                if flat[at] < 0 or (not nan_found and not value <= maximum[at]):
                    maximum[at] = value
                    flat[at], window[at] = h * g.input[2] + w, r * g.kernel[2] + s
    grad = np.random.default_rng(1).integers(-4, 5, g.output_shape).astype("f8")
    dx = np.zeros((g.batch, g.channels, g.input[1] * g.input[2]))
    for at in np.ndindex(flat.shape):
        dx[at[0], at[1], flat[at]] += grad[at]
    for kind, expected in (("flat", flat), ("window", window)):
        y, indices = reference.max_pool2d(x, **case.settings, return_indices=True, indices=kind)
        assert_same_values(y, maximum)
        assert_same_values(indices, expected)
        assert indices.dtype == np.int64
        back = reference.max_pool2d_backward(
            grad, indices, x.shape, **case.settings, index_kind=kind
        )
        assert_same_values(back, dx.reshape(x.shape))


def test_sums_are_kept_in_double_precision_and_rounded_once() -> None:
    # 1 + 2^-30 - 1: in float32 the middle term would be lost.
    x = np.float32([1, 2**-30, -1]).reshape(1, 3, 1, 1)
    y = reference.conv2d(x, np.ones((1, 3, 1, 1), "f4"))
    assert y.dtype == np.float32
    assert y.item() == 2**-30


@pytest.mark.parametrize("name", reference.__all__)
def test_signatures_are_those_of_the_fast_functions(name: str) -> None:
    def parameters(function: object) -> list[tuple[str, object, object]]:
        signature = inspect.signature(function)  # type: ignore[arg-type]
        return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

    assert parameters(getattr(reference, name)) == parameters(getattr(npconv, name))


def test_options_about_running_are_ignored() -> None:
    x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    y = reference.conv2d(x, weight, algorithm="direct", isa="avx512", num_threads=3)
    assert_same_values(y, np.full((1, 1, 2, 2), 4.0))
