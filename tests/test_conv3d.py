"""conv3d: by hand, against the reference, and against conv2d at depth 1."""

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
X = np.ones((2, 4, 5, 6, 7), np.float32)
W = np.ones((6, 4, 3, 3, 3), np.float32)


@both
def test_by_hand(library: Any) -> None:
    # Two slices of one row: 1 2 | 3 4. Padding one slice in front; taps 1 over 10 along the depth.
    x = np.float32([1, 2, 3, 4]).reshape(1, 2, 1, 2)
    weight = np.float32([1, 10]).reshape(1, 1, 2, 1, 1)
    y = library.conv3d(x, weight, padding=((1, 0), (0, 0), (0, 0)))
    # Depth 0 has only its own slice under the tap 10, depth 1 both.
    assert_same_values(y, np.float32([10, 20, 31, 42]).reshape(1, 2, 1, 2))
    grad = np.float32([1, 2, 3, 4]).reshape(1, 2, 1, 2)
    dx, dw, db = library.conv3d_backward(grad, x, weight, padding=((1, 0), (0, 0), (0, 0)))
    assert_same_values(dx, np.float32([10 + 3, 20 + 4, 30, 40]).reshape(1, 2, 1, 2))
    assert_same_values(dw.ravel(), np.float32([3 * 1 + 4 * 2, 1 + 4 + 9 + 16]))
    assert_same_values(db, np.float32([10]))


@given(conv_cases(ndim=3, largest_channels=3, largest_size=6, largest_kernel=4))
def test_any_geometry_is_exact_on_integers(case: ConvCase) -> None:
    check_exact(case)


@given(conv_cases(largest_size=10))
def test_bits_are_those_of_an_image_at_depth_one(case: ConvCase) -> None:
    """Whatever algorithm is chosen."""
    x, weight, bias = case.operands(integers=False)
    grad = gradient_of_output(case, integers=False)
    settings: dict[str, Any] = {"groups": case.groups, "padding": case.padding}
    settings |= {key: (1, *case.settings[key]) for key in ("stride", "dilation")}
    if isinstance(case.padding, int):
        settings["padding"] = (0, case.padding, case.padding)
    elif isinstance(case.padding, tuple):
        sides = [side if isinstance(side, tuple) else (side, side) for side in case.padding]
        settings["padding"] = ((0, 0), *sides)
    y = npconv.conv3d(x[..., None, :, :], weight[..., None, :, :], bias, **settings)
    assert_same_bits(y[..., 0, :, :], call(case, "", x, weight, bias))
    dx, dw, db = npconv.conv3d_backward(
        grad[..., None, :, :], x[..., None, :, :], weight[..., None, :, :], **settings
    )
    flat = call(case, "_backward", grad, x, weight)
    for actual, right in zip((dx[..., 0, :, :], dw[..., 0, :, :], db), flat, strict=True):
        assert_same_bits(actual, right)


@given(conv_cases(ndim=3, largest_channels=3, largest_size=5, largest_kernel=4))
def test_gradients_are_adjoints(case: ConvCase) -> None:
    check_adjoint(case)


def test_every_single_derivative() -> None:
    check_every_derivative(
        ConvCase(1, 2, 1, 2, (3, 4, 3), (2, 3, 2), (1, 2, 1), (2, 1, 1), 1, bias=True, seed=5)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "case",
    [
        ConvCase(3, 1, 12, 20, (6, 17, 15), (3,) * 3, (1,) * 3, (1,) * 3, 1, bias=True, seed=1),
        ConvCase(2, 1, 3, 16, (8, 24, 22), (3, 5, 5), (1, 2, 2), (1,) * 3, 1, bias=True, seed=2),
        ConvCase(2, 16, 1, 1, (6, 12, 20), (3,) * 3, (1,) * 3, (1,) * 3, 1, bias=True, seed=3),
    ],
    ids=["dense", "few channels", "depthwise"],
)
def test_bits_for_threads_and_split_batches(case: ConvCase, dtype: str) -> None:
    check_bits(case.with_dtype(dtype))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_ordinary_volumes_never_fall_to_the_plain_loops(groups: int) -> None:
    x, weight = X, np.ones((8, 4 // groups, 3, 3, 3), np.float32)
    for stride in (1, 2):
        y = npconv.conv3d(x, weight, stride=stride, padding=1, groups=groups)
        for suffix, arguments in (
            ("", (x, weight)),
            ("_input_grad", (y, weight, x.shape)),
            ("_weight_grad", (y, x, weight.shape)),
        ):
            settings = {"stride": stride, "padding": 1, "groups": groups}
            assert npconv.explain(f"conv3d{suffix}", *arguments, **settings).algorithm not in (
                None, "reference",
            )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "changes", "error", "words"),
    [
        ((X[0, 0], W), {}, ValueError, r"x must be \(N, C, D, H, W\) or \(C, D, H, W\), got 3"),
        ((X, W[0]), {}, ValueError, r"weight must be \(K, C/groups, T, R, S\), got 4 axes"),
        ((X, W[:, :, :0]), {}, ValueError, "weight has shape .* window is empty along D"),
        ((X, W), {"stride": (1, 1)}, ValueError, r"stride must be one integer or 3 \(D, H, W\)"),
        ((X, W), {"padding": (1, 1)}, ValueError, r"padding must be an integer, \(d, h, w\), "),
        ((X, W), {"dilation": (3, 1, 1)}, ValueError, "larger than the padded x along D"),
    ],
)
@both
def test_errors_name_the_argument(
    library: Any, arguments: tuple, changes: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        library.conv3d(*arguments, **changes)


def test_prepare() -> None:
    ready = npconv.prepare(W, x_shape=(5, 6, 7), padding=1)
    assert ready.shape == W.shape
    assert_same_bits(npconv.conv3d(X, ready, padding=1), npconv.conv3d(X, W, padding=1))
