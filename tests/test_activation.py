"""Activations, their gradients and fused additions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import BROADCAST, MEMORY, Form, make
from tolerance import assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import reference

# Name, arguments behind the array, largest error in units in the last place (0: exact).
ACTIVATIONS: list[tuple[str, tuple[Any, ...], float]] = [
    ("relu", (), 0),
    ("relu6", (), 0),
    ("leaky_relu", (-0.25,), 0),
    ("leaky_relu", (), 0),
    ("elu", (), 3),
    ("elu", (0.25,), 3),
    ("sigmoid", (), 4),
    ("tanh", (), 4),
]
each_activation = pytest.mark.parametrize(("name", "args", "ulp"), ACTIVATIONS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 6.0, 1e-300, -1e-42, -88.0, -103.9, -745.0]


def values(dtype: str, count: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = [rng.normal(0, scale, count) for scale in (1e-6, 0.3, 2, 30, 500)]
    return np.concatenate([*spread, SPECIAL]).astype(dtype)


def errors_in_ulp(actual: np.ndarray, exact: np.ndarray) -> np.ndarray:
    unit = np.spacing(abs(exact).astype(actual.dtype)).astype(np.longdouble)
    with np.errstate(invalid="ignore"):
        return np.where(actual == exact, 0, abs(actual.astype(np.longdouble) - exact) / unit)


def exactly(name: str, args: tuple[Any, ...], x: np.ndarray) -> np.ndarray:
    """The function in long double, where numpy has it; NaN where x is."""
    v = x.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if name == "sigmoid":
            e = np.exp(-abs(v))
            return np.where(v < 0, e, 1) / (1 + e)
        if name == "elu":
            return np.where(v < 0, x.dtype.type(*args or (1,)).astype("g") * np.expm1(v), v)
        return np.tanh(v)


@pytest.mark.parametrize("isa", ISAS)
@each_dtype
@each_activation
def test_accuracy(name: str, args: tuple[Any, ...], ulp: float, dtype: str, isa: str) -> None:
    x = values(dtype)
    y = getattr(npconv, name)(x, *args, isa=isa)
    assert y.dtype == dtype
    if not ulp:
        assert_same_values(y, getattr(reference, name)(x, *args))
        return
    finite = np.isfinite(x)
    wrong = errors_in_ulp(y[finite], exactly(name, args, x)[finite])
    assert wrong.max() < ulp, (x[finite][wrong.argmax()], wrong.max())
    assert_same_values(y[~finite], getattr(reference, name)(x, *args)[~finite])


def test_signs_of_zero() -> None:
    x = np.array([0.0, -0.0])
    assert not np.signbit(npconv.relu(x)).any()
    for isa in ISAS:
        for name in ("tanh", "elu", "leaky_relu"):
            assert np.signbit(getattr(npconv, name)(x, isa=isa)).tolist() == [False, True], name


@each_dtype
@each_activation
def test_gradients_are_the_references(
    name: str, args: tuple[Any, ...], ulp: float, dtype: str
) -> None:
    rng = np.random.default_rng(1)
    x = values(dtype, 100)
    y = x if name == "leaky_relu" else getattr(npconv, name)(x, *args)
    grad = rng.normal(size=x.shape).astype(dtype)
    grad[::17], grad[3::29] = np.inf, np.nan
    backward = f"{name}_backward"
    dx = getattr(npconv, backward)(grad, y, *args)
    expected = getattr(reference, backward)(grad, y, *args)
    if not ulp:
        assert_same_values(dx, expected)
        return
    # Factors such as 1 - y * y cancel: their error is that of y's last place.
    unit = np.finfo(dtype).eps
    np.testing.assert_allclose(dx, expected, rtol=4 * unit, atol=4 * unit * 4)


@pytest.mark.parametrize("activation", [None, "relu", "relu6", ("leaky_relu", 0.5)])
@each_dtype
def test_add_is_the_reference(activation: Any, dtype: str) -> None:
    x, y = values(dtype, 60), values(dtype, 60)[::-1]
    total = npconv.add(x, y, activation)
    assert_same_values(total, reference.add(x, y, activation))
    dx = npconv.add_backward(x, total, activation)
    assert_same_values(dx, reference.add_backward(x, total, activation))


# ---- memory ----------------------------------------------------------------------------------

shapes = st.lists(st.integers(0, 9), min_size=2, max_size=4).map(tuple) | st.tuples(
    st.integers(1, 3), st.integers(60, 140)
)
form_of = st.builds(
    Form,
    dtype=st.sampled_from(["float32", "float64", ">f4", "int16"]),
    memory=st.sampled_from([name for name in MEMORY if name not in BROADCAST]),
)


@given(shape=shapes, x_form=form_of, y_form=form_of, seed=st.integers(0, 99))
def test_bits_depend_on_values_alone(
    shape: tuple[int, ...], x_form: Form, y_form: Form, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = make(shape, x_form, rng, False), make(shape, y_form, rng, False)
    if np.result_type(x, y).char not in "fd":
        x = x.astype("f4")
    plain = [np.array(a, np.result_type(x, y), order="C") for a in (x, y)]
    assert_same_bits(npconv.add(x, y, "relu"), npconv.add(*plain, "relu"))
    if x.dtype.kind == "f":
        same = np.array(x, x.dtype.newbyteorder("="), order="C")
        assert_same_bits(npconv.sigmoid(x), npconv.sigmoid(same))
        dx = npconv.tanh_backward(x, y)
        assert_same_bits(dx, npconv.tanh_backward(*plain))
        out = np.full((*shape, 2), np.nan, x.dtype.newbyteorder("="))[..., 0]
        assert npconv.sigmoid(x, out=out) is out
        assert_same_bits(out, npconv.sigmoid(same))


def test_threads_share_large_arrays() -> None:
    x = np.random.default_rng(0).standard_normal((7, 3, 301, 307)).astype("f4")
    turned = np.asfortranarray(x)
    expected = npconv.sigmoid(x, num_threads=1)
    for threads in (2, 3, 8):
        assert_same_bits(npconv.sigmoid(x, num_threads=threads), expected)
        assert_same_bits(npconv.sigmoid(turned, num_threads=threads), expected)
        strided = npconv.sigmoid(x[..., ::2], num_threads=threads)
        assert_same_bits(strided, np.ascontiguousarray(expected[..., ::2]))


def test_results_lie_in_memory_as_their_arguments() -> None:
    x = np.zeros((2, 3, 4, 5), "f4").transpose(0, 2, 3, 1)
    assert npconv.relu(x).strides == x.strides
    assert npconv.add(x, x).strides == x.strides
    assert npconv.relu_backward(np.zeros(x.shape, "f4"), x).strides == x.strides
    assert npconv.relu(x[:, ::2]).flags.writeable
    assert npconv.relu(np.broadcast_to(np.float32(1), (2, 3))).strides == (12, 4)


def test_in_place() -> None:
    x = np.linspace(-2, 8, 101)
    expected = npconv.relu6(x)
    assert npconv.relu6(x, out=x) is x
    assert_same_bits(x, expected)
    y = np.arange(101.0)
    npconv.add(x, y, out=y)
    assert_same_bits(y, x + np.arange(101.0))
    grad = np.ones(101)
    npconv.relu6_backward(grad, x, out=grad)
    assert_same_bits(grad, ((x > 0) & (x < 6)).astype(float))


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [npconv, reference], ids=["npconv", "reference"])
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n, x: n.relu(x.astype(int)), TypeError, "x is int64"),
        (lambda n, x: n.relu(np.ma.array(x)), TypeError, "x is a masked array"),
        (lambda n, x: n.relu(x, out=x[:2]), ValueError, "out has shape"),
        (lambda n, x: n.relu(x[1:], out=x[:-1]), ValueError, "out shares memory"),
        (lambda n, x: n.relu(x, out=np.zeros(5, "f4")), TypeError, "out is float32"),
        (lambda n, x: n.leaky_relu(x, "a"), TypeError, "slope must be a number"),
        (lambda n, x: n.leaky_relu(x, np.nan), ValueError, "slope must be a finite number"),
        (lambda n, x: n.elu(x, -1), ValueError, "alpha must be a finite number of at least 0"),
        (lambda n, x: n.add(x, x[1:]), ValueError, r"x has shape \(5,\), y has \(4,\)"),
        (lambda n, x: n.add(x, x, "gelu"), ValueError, "activation must be"),
        (lambda n, x: n.add_backward(x, x, ("leaky_relu", -1.0)), ValueError, "slope"),
        (lambda n, x: n.tanh_backward(x, x[:, None]), ValueError, "grad has shape"),
    ],
)
def test_wrong_arguments_are_named(
    library: Any, call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(library, np.zeros(5))


def test_many_axes() -> None:
    x = np.full((1,) * 63 + (3,), -2.0)
    assert npconv.relu(x).sum() == 0
    assert npconv.relu(np.float64(-1)).shape == ()
