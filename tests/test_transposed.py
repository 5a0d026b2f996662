"""conv_transpose1d, 2d and 3d: by hand, against the reference, and as gradients of convolutions."""

from __future__ import annotations

from dataclasses import replace
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
from hypothesis import strategies as st
from strategies import TransposedCase, transposed_cases
from tolerance import assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import _native, reference

both = pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
any_case = st.one_of(*[transposed_cases(ndim) for ndim in (1, 2, 3)])
X = np.ones((2, 4, 5, 6), np.float32)
W = np.ones((4, 3, 3, 3), np.float32)


@both
def test_by_hand(library: Any) -> None:
    # 1 2   stride 2, filter 1 10    every pixel's filter in its corner,
    # 3 4                100 1000    nothing overlaps
    x = np.float32([[1, 2], [3, 4]])[None]
    weight = np.float32([[1, 10], [100, 1000]])[None, None]
    y = library.conv_transpose2d(x, weight, stride=2)
    whole = [[1, 10, 2, 20], [100, 1000, 200, 2000], [3, 30, 4, 40], [300, 3000, 400, 4000]]
    assert_same_values(y, np.float32([whole]))
    # The padding takes the border off; output_padding puts a row back at the bottom, of bias only
    # where the pixels do not reach.
    y = library.conv_transpose2d(
        x, weight, np.float32([5]), 2, ((1, 0), (1, 1)), output_padding=(1, 0)
    )
    assert_same_values(y, np.float32([[[1005, 205], [35, 9], [3005, 405], [5, 5]]]))
    # At stride 1 the filters overlap: 1 10 0 + 0 2 20.
    y = library.conv_transpose1d(x[0, :1], weight[0, :, :1])
    assert_same_values(y, np.float32([[1, 12, 20]]))


@both
def test_groups_and_channels(library: Any) -> None:
    x = np.float32([1, 2, 3, 4]).reshape(1, 4, 1)
    weight = np.float32([1, 10, 100, 1000]).reshape(4, 1, 1)
    y = library.conv_transpose1d(x, weight, groups=2)  # each group of two inputs makes one output
    assert_same_values(y, np.float32([21, 4300]).reshape(1, 2, 1))


@given(any_case)
def test_any_geometry_is_exact_on_integers(case: TransposedCase) -> None:
    check_exact(case)


@given(any_case)
def test_gradients_are_adjoints(case: TransposedCase) -> None:
    check_adjoint(case)


@given(transposed_cases(2, largest_size=9), st.sampled_from(ISAS))
def test_bits_are_those_of_the_input_gradient(case: TransposedCase, isa: str) -> None:
    """Whatever algorithm is chosen, it is the convolution's."""
    x, weight, _ = case.operands(integers=False)
    y = call(case, "", x, weight, isa=isa)
    if any(e >= s for e, s in zip(case.output_padding, case.stride, strict=True)):
        return  # that convolution has more outputs than x has pixels
    settings = {key: value for key, value in case.settings.items() if key != "output_padding"}
    dx = npconv.conv2d_input_grad(x, weight, y.shape, **settings, isa=isa)
    assert_same_bits(y, dx)
    assert_same_bits(
        call(case, "_input_grad", y, weight, x.shape, isa=isa),
        npconv.conv2d(y, weight, **settings, isa=isa),
    )


@given(
    any_case,
    st.sampled_from(["auto", "direct", "im2col", "reference"]),
    st.sampled_from(ISAS),
    st.sampled_from([None, "relu", "relu6", ("leaky_relu", 0.25)]),
    st.sampled_from([None, "float32", "float64", "int8"]),
)
def test_what_follows_is_what_numpy_would_do(
    case: TransposedCase, algorithm: str, isa: str, activation: Any, add: str | None
) -> None:
    """To the bit: bias, addend and activation are separate, rounded steps."""
    x, weight, bias = case.operands(integers=False)
    options = {"algorithm": algorithm, "isa": isa}
    sums = call(case, "", x, weight, **options)
    addend = None if add is None else gradient_of_output(case).astype(add)
    dtype = np.result_type(sums, addend if addend is not None else sums)
    if dtype != sums.dtype:
        x = x.astype(dtype)
        sums = call(case, "", x, weight, **options)
    expected = (
        sums if bias is None else sums + bias.astype(dtype).reshape(-1, *[1] * len(case.size))
    )
    if addend is not None:
        expected = expected + addend.astype(dtype)
    if activation in ("relu", "relu6"):
        expected = np.where(expected <= 0, dtype.type(0), expected)
    if activation == "relu6":
        expected = np.minimum(expected, dtype.type(6))
    if isinstance(activation, tuple):
        expected = np.where(expected < 0, expected * dtype.type(0.25), expected)
    y = call(case, "", x, weight, bias, add=addend, activation=activation, **options)
    assert y.dtype == dtype
    if bias is None:
        assert_same_bits(y, expected)
    else:  # a sum may begin with the bias
        assert np.allclose(y, expected, rtol=0, atol=200 * np.finfo(dtype).eps)


def test_every_single_derivative() -> None:
    check_every_derivative(
        TransposedCase(
            2, 2, 2, 3, (3, 2), (3, 2), (2, 3), (1, 2), ((1, 0), (2, 1)), bias=True, seed=5,
            output_padding=(1, 0),
        )
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "case",
    [
        TransposedCase(3, 1, 24, 20, (15, 17), (4, 4), (2, 2), padding=1, seed=1),
        TransposedCase(
            2, 2, 8, 8, (9, 30), (3, 3), (2, 2), padding=1, seed=2, output_padding=(1, 1)
        ),
        TransposedCase(2, 1, 24, 40, (20, 22), (3, 3), padding=1, seed=3),
        TransposedCase(2, 32, 1, 1, (20, 22), (3, 3), padding=1, seed=4),
        TransposedCase(
            3, 1, 12, 20, (400,), (16,), (8,), (1,), padding=4, seed=5, output_padding=(0,)
        ),
        TransposedCase(
            2, 1, 9, 12, (5, 7, 8), (2, 2, 2), (2, 2, 2), (1, 1, 1), seed=6,
            output_padding=(0, 0, 0),
        ),
    ],
    ids=lambda case: f"seed{case.seed}",
)  # fmt: skip
def test_bits_for_threads_and_split_batches(case: TransposedCase, dtype: str) -> None:
    check_bits(replace(case, bias=True).with_dtype(dtype))


@pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col"])
def test_padding_is_skipped_not_multiplied(algorithm: str) -> None:
    """Infinite weights do not reach pixels that no window covers, and NaN stays where it is."""
    x = np.ones((1, 2, 3, 3), np.float32)
    weight = np.ones((2, 3, 1, 3), np.float32)
    weight[0, 0, 0, 0] = np.inf
    x[0, 1, 2, 2] = np.nan
    settings: dict[str, Any] = {"stride": (2, 4), "output_padding": (1, 3)}
    bias = np.float32([1, 2, 3])
    y = npconv.conv_transpose2d(x, weight, bias, **settings, algorithm=algorithm)
    assert_same_values(y, reference.conv_transpose2d(x, weight, bias, **settings))
    assert (y[0, :, 1::2] == bias[:, None, None]).all()
    assert np.isnan(y).sum() == 9


def test_each_is_one_call_of_the_core() -> None:
    before = _native.call_count()
    y = npconv.conv_transpose2d(X, W, np.zeros(3), 2, 1, 1, add=None, activation="relu")
    assert _native.call_count() == before + 1
    npconv.conv_transpose2d_backward(y, X, W, 2, 1, 1)
    assert _native.call_count() == before + 4


def test_no_channels() -> None:
    y = npconv.conv_transpose2d(X[:, :0], W[:0], np.float32([1, 2, 3]), activation="relu")
    assert_same_values(y, np.broadcast_to(np.float32([1, 2, 3]).reshape(3, 1, 1), (2, 3, 7, 8)))
    assert npconv.conv_transpose2d(X, W[:, :0]).shape == (2, 0, 7, 8)
    assert npconv.conv_transpose2d_backward(np.ones((2, 0, 7, 8)), X, W[:, :0])[2].shape == (0,)


def test_explain_names_this_operation_s_input_and_output() -> None:
    why = npconv.explain("conv_transpose2d", X, W, stride=2)
    assert str(why).splitlines()[0] == (
        "conv_transpose2d: input (2, 4, 5, 6), weight (4, 3, 3, 3), output (2, 3, 11, 13)"
    )
    npconv.conv_transpose2d(X, W, stride=2)
    assert npconv.last_plan()["algorithm"] == why.algorithm


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"x": X[0, 0]}, ValueError, r"x must be \(N, C, H, W\) or \(C, H, W\), got 2 axes"),
        ({"weight": W[0]}, ValueError, r"weight must be \(C, K/groups, R, S\), got 3 axes"),
        ({"weight": W[:3]}, ValueError, "weight has 3 input channels, x has 4 channels"),
        ({"groups": 3}, ValueError, "x has 4 channels, which groups=3 does not divide"),
        ({"bias": np.ones(4)}, ValueError, r"bias has shape \(4,\), expected \(3,\)"),
        ({"bias": np.ones(3), "groups": 2}, ValueError, r"bias has shape \(3,\), expected \(6,\)"),
        ({"x": X[:, :, :0]}, ValueError, "x is empty along H, expected at least one"),
        ({"weight": W[..., :0]}, ValueError, "weight has shape .* window is empty along W"),
        ({"padding": 5}, ValueError, "padding leaves no output along H: x has 5, .* takes 5 \\+ 5"),
        ({"padding": "same"}, ValueError, "padding='same' does not tell"),
        ({"padding": "full"}, ValueError, "padding must be"),
        ({"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ({"output_padding": 1}, ValueError, "output_padding must be smaller than the stride or"),
        ({"output_padding": -1}, ValueError, "output_padding must be at least 0, got -1"),
        ({"output_padding": (0,)}, ValueError, "output_padding must be one integer or 2"),
        ({"output_padding": 0.5}, TypeError, "output_padding must be an integer, got 0.5"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"stride": 2**61}, ValueError, "the output would be .* long along H"),
        ({"dilation": True}, TypeError, "dilation must be an integer, got True"),
        ({"groups": 0}, ValueError, "groups must be at least 1, got 0"),
        ({"add": np.ones((2, 3, 7, 7))}, ValueError, "add has shape .*this transposed convolution"),
        ({"out": np.ones((2, 3, 7, 7))}, ValueError, "out has shape"),
        ({"activation": "tanh"}, ValueError, "activation must be"),
        ({"padding_mode": "edge"}, ValueError, "padding_mode must be 'constant' here"),
        ({"x": X.astype("S1")}, TypeError, "x is .S1"),
    ],
)
@both
def test_errors_name_the_argument(
    library: Any, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        library.conv_transpose2d(**{"x": X, "weight": W, **changes})


@both
def test_errors_of_the_gradients(library: Any) -> None:
    grad = np.ones((2, 3, 7, 8), np.float32)
    with pytest.raises(ValueError, match=r"grad has shape .*this transposed convolution's output"):
        library.conv_transpose2d_input_grad(grad, W, X.shape, 2)
    with pytest.raises(ValueError, match="weight has 4 input channels, input_shape has 5 channels"):
        library.conv_transpose2d_input_grad(grad, W, (2, 5, 5, 6))
    with pytest.raises(ValueError, match=r"weight_shape must be \(C, K/groups, R, S\)"):
        library.conv_transpose2d_weight_grad(grad, X, W.shape[1:])
    with pytest.raises(ValueError, match="needs must be three bools"):
        library.conv_transpose2d_backward(grad, X, W, needs=(True, False))


def test_out_may_not_be_add() -> None:
    y = npconv.conv_transpose2d(X, W)
    with pytest.raises(ValueError, match="out shares memory with add"):
        npconv.conv_transpose2d(X, W, add=y, out=y)


# The core transposes such weights some input channels at a time.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kernel", "stride"), [((3, 3), 1), ((3, 3), 2), ((1, 1), 1)])
def test_heavy_weights_and_few_pixels(dtype: str, kernel: tuple[int, int], stride: int) -> None:
    rng = np.random.default_rng(1)
    channels = 160 * 1024 // np.dtype(dtype).itemsize // np.prod(kernel)
    x = rng.integers(-2, 3, (1, channels, 3, 2)).astype(dtype)
    weight = rng.integers(-2, 3, (channels, 70, *kernel)).astype(dtype)
    bias = rng.integers(-9, 10, 70).astype(dtype)
    sums = reference.conv_transpose2d(x, weight, bias, stride=stride)
    add = rng.integers(-99, 100, sums.shape).astype(dtype)
    for isa in ISAS:
        options = {"stride": stride, "algorithm": "direct", "isa": isa}
        for threads in (1, 2):
            y = npconv.conv_transpose2d(x, weight, bias, **options, num_threads=threads)
            assert_same_values(y, sums)
        y = npconv.conv_transpose2d(x, weight, bias, **options, add=add, activation="relu")
        assert_same_values(y, np.maximum(sums + add, 0))
