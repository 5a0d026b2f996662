"""Every layer, one row each: forward by its formula, backward by finite differences, both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import npconv
from npconv import reference
from npconv.layers import (
    ELU,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    DenseBlock,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Identity,
    Layer,
    LeakyReLU,
    Linear,
    LocalResponseNorm,
    LpPool2d,
    MaxPool2d,
    Pad2d,
    PatchWhitening2d,
    ReLU,
    ReLU6,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    Tanh,
    dirac,
    glorot,
    he,
    normal,
)

F64 = np.float64


class Row(NamedTuple):
    name: str
    make: Callable[[np.random.Generator], Layer]
    shape: tuple[int, ...]
    formula: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]
    evaluates_alike: bool = True


def relu(x: np.ndarray) -> np.ndarray:
    return x * (x > 0)


def dense(x: np.ndarray, *weights: np.ndarray) -> np.ndarray:
    for weight in weights:
        x = np.concatenate([x, reference.conv2d(x, weight)], axis=1)
    return x


ROWS = [
    Row(
        "Conv2d",
        lambda rng: Conv2d(2, 3, 3, rng=rng, dtype=F64),
        (2, 2, 5, 6),
        lambda x, p: reference.conv2d(x, p["weight"], p["bias"]),
    ),
    Row(
        "Conv2d with every option",
        lambda rng: Conv2d(
            4,
            6,
            (3, 2),
            2,
            ((1, 0), (2, 1)),
            (1, 2),
            2,
            bias=False,
            rng=rng,
            dtype=F64,
            precision="strict",
            algorithm="direct",
        ),
        (2, 4, 6, 5),
        lambda x, p: reference.conv2d(x, p["weight"], None, 2, ((1, 0), (2, 1)), (1, 2), 2),
    ),
    Row(
        "Conv1d",
        lambda rng: Conv1d(4, 6, 3, 2, 1, 2, 2, rng=rng, dtype=F64),
        (2, 4, 9),
        lambda x, p: reference.conv1d(x, p["weight"], p["bias"], 2, 1, 2, 2),
    ),
    Row(
        "Conv3d",
        lambda rng: Conv3d(2, 3, (1, 2, 2), padding="same", rng=rng, dtype=F64),
        (2, 2, 2, 3, 3),
        lambda x, p: reference.conv3d(x, p["weight"], p["bias"], padding="same"),
    ),
    Row(
        "ConvTranspose1d",
        lambda rng: ConvTranspose1d(3, 2, 4, 2, 1, bias=False, rng=rng, dtype=F64),
        (2, 3, 5),
        lambda x, p: reference.conv_transpose1d(x, p["weight"], None, 2, 1),
    ),
    Row(
        "ConvTranspose2d",
        lambda rng: ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, rng=rng, dtype=F64),
        (2, 4, 3, 2),
        lambda x, p: reference.conv_transpose2d(x, p["weight"], p["bias"], 2, 1, 1, 2),
    ),
    Row(
        "ConvTranspose3d",
        lambda rng: ConvTranspose3d(2, 2, 2, (1, 2, 2), rng=rng, dtype=F64),
        (1, 2, 2, 3, 2),
        lambda x, p: reference.conv_transpose3d(x, p["weight"], p["bias"], (1, 2, 2)),
    ),
    Row(
        "Linear",
        lambda rng: Linear(7, 4, rng=rng, init=glorot, dtype=F64),
        (3, 7),
        lambda x, p: x @ p["weight"].T + p["bias"],
    ),
    Row(
        "Linear without bias, more axes",
        lambda rng: Linear(5, 2, bias=False, rng=rng, dtype=F64),
        (3, 2, 5),
        lambda x, p: x @ p["weight"].T,
    ),
    Row(
        "MaxPool2d",
        lambda rng: MaxPool2d(2),
        (2, 3, 6, 5),
        lambda x, p: x[:, :, :6, :4].reshape(2, 3, 3, 2, 2, 2).max(axis=(3, 5)),
    ),
    Row(
        "MaxPool2d with overlapping windows",
        lambda rng: MaxPool2d(3, 2, 1, ceil_mode=True),
        (2, 2, 6, 6),
        lambda x, p: reference.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    ),
    Row(
        "AvgPool2d",
        lambda rng: AvgPool2d(3, 2, 1, count_include_pad=False),
        (2, 2, 6, 6),
        lambda x, p: reference.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    ),
    Row(
        "LpPool2d",
        lambda rng: LpPool2d(2, 3, 2, ceil_mode=True),
        (2, 2, 6, 6),
        lambda x, p: reference.lp_pool2d(x, 2, 3, 2, ceil_mode=True),
    ),
    Row(
        "AdaptiveMaxPool2d",
        lambda rng: AdaptiveMaxPool2d((2, None)),
        (2, 3, 5, 4),
        lambda x, p: reference.adaptive_max_pool2d(x, (2, 4)),
    ),
    Row(
        "GlobalAvgPool2d",
        lambda rng: GlobalAvgPool2d(),
        (2, 3, 4, 5),
        lambda x, p: x.mean(axis=(2, 3), keepdims=True),
    ),
    Row(
        "AdaptiveAvgPool2d",
        lambda rng: AdaptiveAvgPool2d((2, None)),
        (2, 3, 5, 4),
        lambda x, p: reference.adaptive_avg_pool2d(x, (2, 4)),
    ),
    Row(
        "Pad2d",
        lambda rng: Pad2d((1, 2), value=0.5),
        (2, 2, 3, 4),
        lambda x, p: np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), constant_values=0.5),
    ),
    Row(
        "Pad2d with a reflection",
        lambda rng: Pad2d(((1, 2), (0, 3)), "reflect"),
        (2, 2, 3, 4),
        lambda x, p: np.pad(x, ((0, 0), (0, 0), (1, 2), (0, 3)), "reflect"),
    ),
    Row("ReLU", lambda rng: ReLU(), (4, 3, 2), lambda x, p: x * (x > 0)),
    Row("ReLU6", lambda rng: ReLU6(), (40, 5), lambda x, p: x.clip(0, 6)),
    Row("LeakyReLU", lambda rng: LeakyReLU(), (4, 3, 2), lambda x, p: np.maximum(x, 0.01 * x)),
    Row(
        "LeakyReLU with a negative slope",
        lambda rng: LeakyReLU(-0.5),
        (4, 3, 2),
        lambda x, p: np.where(x > 0, x, -0.5 * x),
    ),
    Row("ELU", lambda rng: ELU(2.5), (4, 3, 4), lambda x, p: np.where(x > 0, x, 2.5 * np.expm1(x))),
    Row("Sigmoid", lambda rng: Sigmoid(), (4, 3, 4), lambda x, p: 1 / (1 + np.exp(-x))),
    Row("Tanh", lambda rng: Tanh(), (4, 3, 4), lambda x, p: np.tanh(x)),
    Row(
        "BatchNorm2d",
        lambda rng: BatchNorm2d(3, dtype=F64),
        (4, 3, 2, 2),
        lambda x, p: normal_channels(x) * p["weight"][:, None, None] + p["bias"][:, None, None],
        evaluates_alike=False,
    ),
    Row(
        "BatchNorm2d that shifts only",
        lambda rng: BatchNorm2d(3, scale=False, dtype=F64),
        (4, 3, 2, 2),
        lambda x, p: normal_channels(x) + p["bias"][:, None, None],
        evaluates_alike=False,
    ),
    Row(
        "BatchNorm2d without parameters, of two axes",
        lambda rng: BatchNorm2d(3, momentum=None, affine=False),
        (7, 3),
        lambda x, p: (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5),
        evaluates_alike=False,
    ),
    Row(
        "LocalResponseNorm",
        lambda rng: LocalResponseNorm(3, 0.6, 0.75, 2),
        (2, 5, 2, 3),
        lambda x, p: reference.local_response_norm(x, 3, 0.6, 0.75, 2),
    ),
    Row("Flatten", lambda rng: Flatten(), (3, 2, 2, 4), lambda x, p: x.reshape(3, 16)),
    Row(
        "Sequential",
        lambda rng: Sequential(
            Pad2d(1), Conv2d(1, 2, 3, rng=rng, dtype=F64), Flatten(), Linear(32, 3, rng=rng)
        ),
        (2, 1, 4, 4),
        lambda x, p: (
            reference.conv2d(x, p["1.weight"], p["1.bias"], padding=1).reshape(2, 32)
            @ p["3.weight"].T
            + p["3.bias"]
        ),
    ),
    Row(
        "PatchWhitening2d",
        lambda rng: PatchWhitening2d(2, (2, 1), rng=np.random.default_rng(3), dtype=F64),
        (2, 2, 3, 4),
        lambda x, p: reference.conv2d(
            x, he((8, 2, 2, 1), np.random.default_rng(3), F64), p["bias"]
        ),
    ),
    Row("Scale", lambda rng: Scale(1.5), (3, 2), lambda x, p: 1.5 * x),
    Row("Identity", lambda rng: Identity(), (3, 2), lambda x, p: x),
    Row(
        "Residual",
        lambda rng: Residual(
            {"conv1": Conv2d(2, 2, 3, padding=1, rng=rng, dtype=F64), "relu1": ReLU()},
            activation=ReLU(),
        ),
        (2, 2, 3, 4),
        lambda x, p: relu(
            relu(reference.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1)) + x
        ),
    ),
    Row(
        "Residual with a shortcut",
        lambda rng: Residual(
            Conv2d(2, 3, 3, 2, 1, bias=False, rng=rng, dtype=F64),
            shortcut={"downsample": Conv2d(2, 3, 1, 2, rng=rng, dtype=F64)},
        ),
        (2, 2, 4, 5),
        lambda x, p: (
            reference.conv2d(x, p["0.weight"], None, 2, 1)
            + reference.conv2d(x, p["downsample.weight"], p["downsample.bias"], 2)
        ),
    ),
    Row(
        "Concat",
        lambda rng: Concat(
            {"a": Conv2d(2, 3, 1, rng=rng, dtype=F64), "b": Identity(), "c": Sequential(ReLU())}
        ),
        (2, 2, 3, 4),
        lambda x, p: np.concatenate(
            [reference.conv2d(x, p["a.weight"], p["a.bias"]), x, relu(x)], axis=1
        ),
    ),
    Row(
        "DenseBlock",
        lambda rng: DenseBlock(
            Conv2d(2, 2, 1, bias=False, rng=rng, dtype=F64),
            Conv2d(4, 3, 1, bias=False, rng=rng, dtype=F64),
            Conv2d(7, 1, 1, bias=False, rng=rng, dtype=F64),
        ),
        (2, 2, 3, 4),
        lambda x, p: dense(x, p["0.weight"], p["1.weight"], p["2.weight"]),
    ),
]


def normal_channels(x: np.ndarray) -> np.ndarray:
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


each_layer = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values at least 0.05 apart and away from zero, so that no max or ReLU is near its kink."""
    values = np.arange(np.prod(shape, dtype=int)) * 0.05 - 1.01
    return rng.permutation(values).reshape(shape)


def start(row: Row) -> tuple[Layer, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(7)
    layer = row.make(rng)
    for name, value in layer.params.items():
        layer.params[name] = value + 0.1 * rng.standard_normal(value.shape)  # biases too
    return layer, distinct(rng, row.shape), rng


def slopes(run: Callable[[], float], values: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of ``run()`` with respect to each element of `values`, in place."""
    result = np.empty(values.shape)
    for i in np.ndindex(values.shape):
        kept = values[i]
        values[i] = kept + step
        above = run()
        values[i] = kept - step
        result[i] = (above - run()) / (2 * step)
        values[i] = kept
    return result


@each_layer
def test_forward_is_the_formula(row: Row) -> None:
    layer, x, _ = start(row)
    before = x.copy()
    expected = row.formula(x, dict(layer.params))
    y = layer.forward(x)
    assert y.dtype == np.float64
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(x, before)


@each_layer
def test_backward_is_the_slope(row: Row) -> None:
    layer, x, rng = start(row)
    g = rng.standard_normal(layer.forward(x).shape)

    dx = layer.backward(g)
    assert set(layer.grads) == set(layer.params)
    grads = {name: value.copy() for name, value in layer.grads.items()}

    def run() -> float:
        return float((layer.forward(x) * g).sum())

    assert dx.shape == x.shape
    np.testing.assert_allclose(dx, slopes(run, x), rtol=1e-6, atol=1e-7)
    for name, param in layer.params.items():
        np.testing.assert_allclose(grads[name], slopes(run, param), rtol=1e-6, atol=1e-7)


@each_layer
def test_backward_params_fills_the_same_gradients(row: Row) -> None:
    layer, x, rng = start(row)
    g = rng.standard_normal(layer.forward(x).shape)
    layer.backward(g)
    expected = {name: value.copy() for name, value in layer.grads.items()}
    layer.grads.clear()

    layer.backward_params(g)

    assert set(layer.grads) == set(expected)
    for name, value in layer.grads.items():
        np.testing.assert_array_equal(value, expected[name])


@each_layer
def test_evaluation_mode_gives_the_same_and_keeps_nothing(row: Row) -> None:
    layer, x, _ = start(row)
    trained = layer.forward(x)

    assert layer.eval() is layer
    assert not layer.training
    evaluated = layer.forward(x)

    if row.evaluates_alike:
        np.testing.assert_array_equal(evaluated, trained)
    with pytest.raises(RuntimeError, match=r"backward needs a forward pass in training mode"):
        layer.backward(np.ones_like(evaluated))

    assert layer.train() is layer
    layer.forward(x)
    assert layer.backward(np.ones_like(evaluated)).shape == x.shape


@each_layer
def test_backward_before_forward_says_so(row: Row) -> None:
    layer, x, _ = start(row)
    with pytest.raises(RuntimeError, match="forward"):
        layer.backward(x)


@each_layer
def test_an_empty_batch_passes(row: Row) -> None:
    layer, x, _ = start(row)
    shape = layer.forward(x).shape
    y = layer.forward(x[:0])
    assert y.shape == (0, *shape[1:])
    assert layer.backward(y).shape == (0, *x.shape[1:])
    for name, grad in layer.grads.items():
        np.testing.assert_array_equal(grad, np.zeros_like(layer.params[name]))


@each_layer
def test_parameters_are_read_at_each_call(row: Row) -> None:
    layer, x, _ = start(row)
    layer.forward(x)
    for name in layer.params:
        layer.params[name] *= 2  # in place
        layer.params[name] = layer.params[name] + 1  # replaced
    np.testing.assert_allclose(
        layer.forward(x), row.formula(x, dict(layer.params)), rtol=1e-12, atol=1e-12
    )


@each_layer
def test_shows_itself(row: Row) -> None:
    layer, _, _ = start(row)
    assert repr(layer).startswith(f"{type(layer).__name__}(")
    for value in layer.params.values():
        assert str(value.shape) in repr(layer)


def test_relu_by_hand() -> None:
    relu = ReLU()
    inf, nan = np.inf, np.nan
    x = np.array([-2, -0.0, 0, 3, nan, -inf, inf], np.float32)
    np.testing.assert_array_equal(relu.forward(x), [0, 0, 0, 3, nan, 0, inf])
    # A closed gate lets nothing through, not even an infinity or a NaN.
    grad = np.array([inf, nan, 1, -5, 2, nan, -inf], np.float32)
    dx = relu.backward(grad)
    assert dx.dtype == np.float32
    np.testing.assert_array_equal(dx, [0, 0, 0, -5, 2, 0, -inf])
    np.testing.assert_array_equal(grad, np.array([inf, nan, 1, -5, 2, nan, -inf], np.float32))


def test_batch_norm_learns_running_statistics_for_evaluation() -> None:
    rng = np.random.default_rng(2)
    layer = BatchNorm2d(2, momentum=0.25)
    running_mean = layer.buffers["running_mean"]
    x = rng.normal(3, 2, (5, 2, 4, 4)).astype(np.float32)
    layer.forward(x)
    assert layer.buffers["running_mean"] is running_mean
    np.testing.assert_allclose(running_mean, 0.25 * x.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        layer.buffers["running_var"],
        0.75 + 0.25 * x.swapaxes(0, 1).reshape(2, -1).var(axis=1, ddof=1),
        rtol=1e-5,
    )
    assert layer.buffers["num_batches_tracked"] == 1
    learned = {name: value.copy() for name, value in layer.buffers.items()}
    layer.eval()
    y = layer.forward(x)
    mean, variance = (learned[name][:, None, None] for name in ("running_mean", "running_var"))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)
    for name, value in layer.buffers.items():
        np.testing.assert_array_equal(value, learned[name])


def test_batch_norm_without_momentum_averages_over_all_steps() -> None:
    layer = BatchNorm2d(1, momentum=None)
    for values in ([0.0, 2.0], [4.0, 8.0], [1.0, 3.0]):
        layer.forward(np.array(values, np.float32).reshape(2, 1, 1, 1))
    np.testing.assert_allclose(layer.buffers["running_mean"], [3], rtol=1e-6)
    np.testing.assert_allclose(layer.buffers["running_var"], [4], rtol=1e-6)
    assert layer.buffers["num_batches_tracked"] == 3


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["weight", "bias"]),
        ({"scale": False}, ["bias"]),
        ({"affine": False}, []),
        ({"affine": False, "scale": False}, []),
    ],
)
def test_batch_norm_has_the_parameters_asked_for(
    options: dict[str, bool], names: list[str]
) -> None:
    layer = BatchNorm2d(2, **options)
    assert list(layer.params) == names
    x = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    layer.backward_params(layer.forward(x))
    assert list(layer.grads) == names
    buffers = ["num_batches_tracked", "running_mean", "running_var"]
    assert sorted(layer.state_dict()) == sorted(names + buffers)


def test_dropout_keeps_the_mean_and_does_nothing_in_evaluation() -> None:
    layer = Dropout(0.25, rng=np.random.default_rng(0))
    x = np.ones((100, 200), np.float32)
    y = layer.forward(x)
    assert set(np.unique(y)) == {0, np.float32(4 / 3)}
    assert abs(y.mean() - 1) < 0.01
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * y)
    again = Dropout(0.25, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.forward(x), y)
    layer.eval()
    np.testing.assert_array_equal(layer.forward(x), x)
    with pytest.raises(RuntimeError, match="training mode"):
        layer.backward(x)


def test_buffers_are_seen_through_a_chain() -> None:
    net = Sequential(ReLU(), Sequential(BatchNorm2d(2)))
    assert list(net.buffers) == [
        "1.0.running_mean",
        "1.0.running_var",
        "1.0.num_batches_tracked",
    ]
    assert list(net.params) == ["1.0.weight", "1.0.bias"]
    assert not ReLU().buffers


def test_relu_takes_any_memory_layout() -> None:
    relu = ReLU()
    x = np.linspace(-1, 1, 24).reshape(4, 6)
    relu.forward(x)
    grad = np.arange(1.0, 25.0).reshape(4, 6)
    expected = grad * (x > 0)
    np.testing.assert_array_equal(relu.backward(np.asfortranarray(grad)), expected)
    np.testing.assert_array_equal(relu.backward(grad.astype(">f8")), expected)
    with pytest.raises(ValueError, match=r"grad has shape \(6, 4\)"):
        relu.backward(grad.reshape(6, 4))


def test_linear_gives_a_row_the_same_bits_in_any_batch_and_on_any_threads() -> None:
    rng = np.random.default_rng(3)
    layer = Linear(37, 11, rng=rng)
    x = rng.standard_normal((23, 37)).astype(np.float32)
    grad = rng.standard_normal((23, 11)).astype(np.float32)
    whole, dx = layer.forward(x), layer.backward(grad)
    for threads in (1, 2, 3):
        for size in (1, 2, 5, 22, 23):
            with npconv.threads(threads):
                for i in range(0, 23, size):
                    rows = slice(i, i + size)
                    assert layer.forward(x[rows]).tobytes() == whole[rows].tobytes()
                    assert layer.backward(grad[rows]).tobytes() == dx[rows].tobytes()


def test_linear_says_what_it_expects() -> None:
    layer = Linear(3, 2, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"shape \(4, 5\), expected rows of 3"):
        layer.forward(np.zeros((4, 5), np.float32))
    with pytest.raises(ValueError, match="expected rows of 3"):
        layer.forward(np.float32(1).reshape(()))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda rng: Conv2d(3, 4, 3, groups=2, rng=rng), ValueError, "in_channels is 3"),
        (lambda rng: Conv2d(4, 3, 3, groups=2, rng=rng), ValueError, "out_channels is 3"),
        (lambda rng: Conv2d(0, 3, 3, rng=rng), ValueError, "in_channels"),
        (lambda rng: Conv2d(1, 3, (3, 3, 3), rng=rng), ValueError, "kernel_size"),
        (lambda rng: Conv2d(1, 3, 2.5, rng=rng), TypeError, "kernel_size"),
        (lambda rng: Conv2d(1, 3, 3, groups=True, rng=rng), TypeError, "groups"),
        (lambda rng: Conv2d(1, 3, 3, rng=0), TypeError, "rng is a int"),
        (lambda rng: Linear(4, -1, rng=rng), ValueError, "out_features"),
        (lambda rng: Linear(4, 1, rng=np.random), TypeError, "numpy.random.Generator"),
        (lambda rng: ELU(-1), ValueError, "alpha"),
        (lambda rng: LeakyReLU("x"), TypeError, "slope"),
        (lambda rng: BatchNorm2d(0), ValueError, "channels"),
        (lambda rng: BatchNorm2d(1, eps=-1), ValueError, "eps"),
        (lambda rng: BatchNorm2d(1, momentum=float("nan")), ValueError, "momentum"),
        (lambda rng: BatchNorm2d(1, scale=1), TypeError, "scale"),
        (lambda rng: Dropout(1, rng=rng), ValueError, "p must be"),
        (lambda rng: Dropout(rng=3), TypeError, "rng is a int"),
        (lambda rng: LocalResponseNorm(0), ValueError, "size"),
        (lambda rng: Pad2d(-1), ValueError, "padding"),
        (lambda rng: Pad2d("same"), ValueError, "'same'"),
        (lambda rng: Pad2d(1, "mirror"), ValueError, "mode"),
        (lambda rng: Sequential(ReLU(), "ReLU"), TypeError, "layer '1' is a str"),
        (lambda rng: Sequential({"a.b": ReLU()}), ValueError, "without dots"),
        (lambda rng: Sequential(*[ReLU()] * 2), ValueError, "twice"),
        (lambda rng: Residual(shortcut={}), ValueError, "shortcut has 0 layers"),
        (lambda rng: Residual({"a": ReLU()}, shortcut={"a": ReLU()}), ValueError, "'a' is given"),
        (lambda rng: Concat(), ValueError, "no branches"),
    ],
)
def test_wrong_arguments_are_named(
    make: Callable[[object], Layer], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(np.random.default_rng(0))


def test_parameters_are_named_as_torchvision_names_them() -> None:
    rng = np.random.default_rng(0)
    block = Sequential(Conv2d(1, 2, 3, rng=rng), ReLU())
    net = Sequential({"features": block, "fc": Linear(4, 2, bias=False, rng=rng)})
    assert {name: value.shape for name, value in net.params.items()} == {
        "features.0.weight": (2, 1, 3, 3),
        "features.0.bias": (2,),
        "fc.weight": (2, 4),
    }
    assert len(net.params) == 3
    assert list(net.layers) == ["features", "fc"]


def test_parameters_are_changed_through_the_flat_view() -> None:
    inner = Linear(2, 2, rng=np.random.default_rng(0))
    net = Sequential(Sequential(inner))
    replacement = np.eye(2, dtype=np.float32)
    net.params["0.0.weight"] = replacement
    assert inner.params["weight"] is replacement
    assert net.params["0.0.weight"] is replacement
    net.params["0.0.bias"] += 1
    np.testing.assert_array_equal(net.forward(np.array([[1, 2]], np.float32)), [[2, 3]])
    del net.params["0.0.bias"]
    assert list(inner.params) == ["weight"]
    for missing in ("weight", "0", "0.0.gamma", "1.weight"):
        with pytest.raises(KeyError, match=missing):
            net.params[missing]
    with pytest.raises(KeyError):
        net.params["1.weight"] = replacement


def test_modes_reach_nested_layers() -> None:
    relu = ReLU()
    net = Sequential(Sequential(relu))
    assert net.eval().training is relu.training is False
    assert net.train().training is relu.training is True


def test_sums_and_branches_say_what_does_not_fit() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((1, 2, 3, 3), np.float32)
    with pytest.raises(ValueError, match=r"chain's output has shape \(1, 4, 3, 3\), .* \(1, 2"):
        Residual(Conv2d(2, 4, 1, rng=rng)).forward(x)
    for layer in (Concat(Identity(), Identity()), DenseBlock(Identity())):
        y = layer.forward(x)
        assert y.shape == (1, 4, 3, 3)
        with pytest.raises(ValueError, match="grad has 2 channels, the output has 4"):
            layer.backward(x)


def test_initialisers_have_the_spread_they_promise() -> None:
    shape = (200, 30, 5, 5)  # fan_in 750, fan_out 5000
    for init, expected in (
        (he, np.sqrt(2 / 750)),
        (glorot, np.sqrt(2 / 5750)),
        (normal(0.01), 0.01),
    ):
        weights = init(shape, np.random.default_rng(5))
        assert weights.shape == shape
        assert weights.dtype == np.float32
        assert abs(weights.mean()) < 0.01 * expected
        assert abs(weights.std() / expected - 1) < 0.01
        again = init(shape, np.random.default_rng(5), np.float64)
        assert again.dtype == np.float64
        np.testing.assert_array_equal(again.astype(np.float32), weights)
    assert np.abs(glorot(shape, np.random.default_rng(5))).max() <= np.sqrt(6 / 5750)


@pytest.mark.parametrize("shape", [(3, 5, 3, 3), (5, 3, 2, 4), (4, 4, 1)])
def test_dirac_passes_channels_on(shape: tuple[int, ...]) -> None:
    weight = dirac(normal(0.5))(shape, np.random.default_rng(0), F64)
    middle = (slice(None), slice(None), *[(size - 1) // 2 for size in shape[2:]])
    count = min(shape[:2])
    np.testing.assert_array_equal(weight[middle][:count], np.eye(count, shape[1]))
    assert weight[:count].sum() == count
    np.testing.assert_array_equal(
        weight[count:], normal(0.5)(shape, np.random.default_rng(0), F64)[count:]
    )


def test_whitened_patches_are_uncorrelated() -> None:
    rng = np.random.default_rng(0)
    # Pixels that depend on their neighbours and channels, of a mean that is not zero.
    images = rng.standard_normal((230, 2, 6, 7)).cumsum(axis=3).cumsum(axis=1) + 5
    layer = PatchWhitening2d(2, (1, 3), 0.0, rng=rng, dtype=F64)
    before = layer.forward(images)
    layer.fit(images)
    y = layer.forward(images)
    assert y.shape == (230, 12, 6, 5)
    assert not np.allclose(y, before)
    np.testing.assert_array_equal(y[:, 6:], -y[:, :6])
    rows = y[:, :6].swapaxes(0, 1).reshape(6, -1)
    patches = sliding_window_view(images, 3, axis=3).transpose(1, 4, 0, 2, 3).reshape(6, -1)
    centred = patches - np.repeat(images.mean(axis=(0, 2, 3)), 3)[:, None]
    # By the definition, from all patches at once.
    values, vectors = np.linalg.eigh(centred @ centred.T / centred.shape[1])
    expected = (vectors.T @ centred)[::-1] / np.sqrt(values[::-1, None])
    np.testing.assert_allclose(np.abs(rows), np.abs(expected), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rows @ rows.T / rows.shape[1], np.eye(6), atol=1e-6)
    # With eps, what hardly varies stays small; the scale of the images does not matter.
    flat = PatchWhitening2d(2, (1, 3), 1.0, rng=rng, dtype=F64)
    flat.fit(images)
    variances = flat.forward(images)[:, :6].var(axis=(0, 2, 3))
    np.testing.assert_allclose(
        variances[::-1], values / (values + values.mean()), rtol=0.02, atol=1e-3
    )
    with pytest.raises(ValueError, match=r"images is \(230, 2, 6, 2\), expected \(N, 2, H, W\)"):
        layer.fit(images[..., :2])
    with pytest.raises(ValueError, match="at least one patch of 1x3 pixels"):
        layer.fit(images[:0])
