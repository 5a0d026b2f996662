"""conv1d: by hand, against the reference, and against conv2d at height 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conv_checks import (
    call,
    check_adjoint,
    check_bits,
    check_every_derivative,
    check_exact,
    gradient_of_output,
)
from hypothesis import given
from strategies import ConvCase, conv_cases
from tolerance import assert_same_bits, assert_same_values

import npconv
from npconv import reference

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
X = np.ones((2, 4, 9), np.float32)
W = np.ones((6, 4, 3), np.float32)


@both
def test_by_hand(library: Any) -> None:
    # . 1 2 3 4 .  padding 1, stride 2, taps 1 10 100:
    # . 1 2        0*1 + 1*10 + 2*100 + 1000
    #     2 3 4    2*1 + 3*10 + 4*100 + 1000
    x, weight = np.float32([[1, 2, 3, 4]]), np.float32([[[1, 10, 100]]])
    y = library.conv1d(x, weight, np.float32([1000]), 2, 1)
    assert_same_values(y, np.float32([[1210, 1432]]))
    dx, dw, db = library.conv1d_backward(np.float32([[1, 2]]), x, weight, 2, 1)
    # Output 0 is worth 1, output 1 worth 2; x's second element is read by both.
    assert_same_values(dx, np.float32([[10, 100 + 2, 20, 200]]))
    assert_same_values(dw, np.float32([[[2 * 2, 1 + 2 * 3, 2 + 2 * 4]]]))
    assert_same_values(db, np.float32([3]))


@given(conv_cases(ndim=1, largest_size=40))
def test_any_geometry_is_exact_on_integers(case: ConvCase) -> None:
    check_exact(case)


@given(conv_cases(ndim=1, largest_size=40))
def test_bits_are_those_of_an_image_of_height_one(case: ConvCase) -> None:
    """Whatever algorithm is chosen."""
    x, weight, bias = case.operands(integers=False)
    grad = gradient_of_output(case, integers=False)
    settings: dict[str, Any] = {"groups": case.groups}
    settings |= {key: (1, *case.settings[key]) for key in ("stride", "dilation")}
    settings["padding"] = case.padding
    if isinstance(case.padding, int):
        settings["padding"] = (0, case.padding)
    elif isinstance(case.padding, tuple):
        settings["padding"] = ((0, 0), (case.padding * 2)[:2])
        if isinstance(case.padding[0], tuple):
            settings["padding"] = ((0, 0), case.padding[0])
    x2, weight2, grad2 = x[..., None, :], weight[..., None, :], grad[..., None, :]
    y = npconv.conv2d(x2, weight2, bias, **settings)
    assert_same_bits(call(case, "", x, weight, bias), y[..., 0, :])
    flat = call(case, "_backward", grad, x, weight)
    dx, dw, db = npconv.conv2d_backward(grad2, x2, weight2, **settings)
    for actual, right in zip(flat, (dx[..., 0, :], dw[..., 0, :], db), strict=True):
        assert_same_bits(actual, right)


@given(conv_cases(ndim=1, largest_size=20))
def test_gradients_are_adjoints(case: ConvCase) -> None:
    check_adjoint(case)


def test_every_single_derivative() -> None:
    check_every_derivative(
        ConvCase(2, 2, 2, 3, (7,), (3,), (2,), (2,), ((2, 1),), bias=True, seed=5)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_for_threads_and_split_batches(dtype: str) -> None:
    case = ConvCase(3, 1, 24, 40, (1500,), (7,), (1,), (1,), 3, bias=True, seed=1)
    check_bits(case.with_dtype(dtype))
    case = ConvCase(3, 1, 1, 32, (4000,), (80,), (4,), (1,), bias=True, seed=2)
    check_bits(case.with_dtype(dtype))


@pytest.mark.parametrize(
    ("arguments", "changes", "error", "words"),
    [
        ((X[0, 0], W), {}, ValueError, r"x must be \(N, C, W\) or \(C, W\), got 1 axes"),
        ((X, W[0]), {}, ValueError, r"weight must be \(K, C/groups, S\), got 2 axes"),
        ((X, W[:, :3]), {}, ValueError, "weight has 3 input channels per group, x has 4"),
        ((X, W), {"stride": (1, 1)}, ValueError, r"stride must be one integer or 1 \(W\)"),
        ((X, W), {"padding": (1, 1)}, ValueError, r"padding must be an integer, \(w,\), "),
        ((X, W), {"dilation": 5}, ValueError, "the window is larger than the padded x along W"),
        ((X, W), {"layout": "NCHW"}, ValueError, "layout must be 'NCW' or 'NWC', got 'NCHW'"),
        ((X, W), {"algorithm": "quick"}, ValueError, "algorithm must be"),
    ],
)
@both
def test_errors_name_the_argument(
    library: Any, arguments: tuple, changes: dict, error: type[Exception], words: str
) -> None:
    if library is reference and "algorithm" in changes:
        pytest.skip("the reference ignores it")
    with pytest.raises(error, match=words):
        library.conv1d(*arguments, **changes)


def test_explain_and_prepare() -> None:
    why = npconv.explain("conv1d", X, W, padding=1)
    assert str(why).splitlines()[0] == "conv1d: input (2, 4, 9), weight (6, 4, 3), output (2, 6, 9)"
    ready = npconv.prepare(W, x_shape=(9,), padding=1)
    assert ready.geometry.ndim == 1
    assert_same_bits(npconv.conv1d(X, ready, padding=1), npconv.conv1d(X, W, padding=1))
    with pytest.raises(ValueError, match="weight was prepared for padding"):
        npconv.conv1d(X, ready)
    with pytest.raises(ValueError, match="weight must be"):
        npconv.conv2d(X[:, :, None], ready)
