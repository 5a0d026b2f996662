"""The affine map and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import assert_close, assert_same_bits, assert_same_values

import npconv
from npconv import reference

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@each_dtype
@given(
    rows=st.integers(0, 9) | st.integers(125, 135),
    inputs=st.integers(0, 40) | st.sampled_from([511, 512, 513, 1024, 1030, 2100]),
    outputs=st.integers(0, 20) | st.sampled_from([95, 97, 130]),
    seed=st.integers(0, 99),
)
def test_is_the_reference(rows: int, inputs: int, outputs: int, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    weight = rng.standard_normal((outputs, inputs)).astype(dtype)
    bias = rng.standard_normal(outputs).astype(dtype)
    grad = rng.standard_normal((rows, outputs)).astype(dtype)
    magnitude = reference.linear(abs(x), abs(weight), abs(bias))
    assert_close(
        npconv.linear(x, weight, bias), reference.linear(x, weight, bias), magnitude, inputs
    )
    results = npconv.linear_backward(grad, x, weight)
    expected = reference.linear_backward(grad, x, weight)
    sizes = reference.linear_backward(abs(grad), abs(x), abs(weight))
    for result, right, size, terms in zip(
        results, expected, sizes, (outputs, rows, rows), strict=True
    ):
        assert_close(result, right, size, terms)


@pytest.mark.parametrize("activation", ["relu", "relu6", ("leaky_relu", 0.5)])
def test_activations_follow_the_bias(activation: Any) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.integers(-3, 4, (5, 7)), rng.integers(-3, 4, (19, 7))
    bias = rng.integers(-3, 4, 19).astype("f4")
    y = npconv.linear(x.astype("f4"), weight.astype("f4"), bias, activation)
    assert_same_values(y, reference.linear(x.astype("f4"), weight, bias, activation))


def test_a_row_has_the_same_bits_in_any_batch_on_any_threads() -> None:
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((300, 1100)), rng.standard_normal((300, 210))
    weight = rng.standard_normal((210, 1100)).astype("f4")
    x, grad = x.astype("f4"), grad.astype("f4")
    whole = npconv.linear(x, weight)
    dx, dweight, dbias = npconv.linear_backward(grad, x, weight)
    for threads in (1, 2, 3):
        assert_same_bits(npconv.linear(x, weight, num_threads=threads), whole)
        again = npconv.linear_backward(grad, x, weight, num_threads=threads)
        for one, other in zip(again, (dx, dweight, dbias), strict=True):
            assert_same_bits(one, other)
        for rows in (slice(0, 1), slice(4, 7), slice(7, 12), slice(100, 240)):
            part = npconv.linear(x[rows], weight, num_threads=threads)
            assert_same_bits(part, whole[rows])
            part = npconv.linear_backward(grad[rows], x[rows], weight, needs=(True, False, False))
            assert_same_bits(part[0], dx[rows])


def test_any_memory() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((4, 6, 33)), rng.standard_normal((21, 33))
    bias, grad = rng.standard_normal(21), rng.standard_normal((4, 6, 21))
    y = npconv.linear(x, weight, bias)
    gradients = npconv.linear_backward(grad, x, weight)
    turned = np.asfortranarray
    assert_same_bits(npconv.linear(turned(x), turned(weight), bias.astype(">f8")), y)
    assert_same_bits(npconv.linear(np.repeat(x, 2, axis=1)[:, ::2], weight, bias), y)
    again = npconv.linear_backward(turned(grad), turned(x), turned(weight))
    for one, other in zip(again, gradients, strict=True):
        assert_same_bits(one, other)
    assert_same_bits(npconv.linear(x[0, 0], weight, bias), y[0, 0])
    for out in (np.empty(y.shape), np.empty((*y.shape, 2))[..., 1]):
        assert npconv.linear(x, weight, bias, out=out) is out
        assert_same_bits(np.ascontiguousarray(out), y)


@pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n, x, w: n.linear(x[:, 1:], w), ValueError, "expected rows of 3 values"),
        (lambda n, x, w: n.linear(np.float64(1), w), ValueError, "expected rows of 3"),
        (lambda n, x, w: n.linear(x, w[0]), ValueError, r"weight must be \(out, in\)"),
        (lambda n, x, w: n.linear(x, w, x), ValueError, "bias has shape"),
        (lambda n, x, w: n.linear(x, w, activation="tan"), ValueError, "activation"),
        (lambda n, x, w: n.linear(x, w, out=x), ValueError, "out has shape"),
        (lambda n, x, w: n.linear(x, w[:3], out=x), ValueError, "out shares memory with x"),
        (lambda n, x, w: n.linear(x.astype(int), w.astype(int)), TypeError, "x is int64"),
        (lambda n, x, w: n.linear_backward(x, x, w), ValueError, "grad has shape"),
        (lambda n, x, w: n.linear_backward(x, x, w[:3], needs=True), TypeError, "needs"),
    ],
)
def test_wrong_arguments_are_named(
    library: Any, call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(library, np.ones((2, 3)), np.ones((4, 3)))
