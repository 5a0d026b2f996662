"""PyTorch's functional interface, beside PyTorch where it is installed."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from dropin import core_calls

import npconv.compat.functional as F

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


X = normal(2, 4, 9, 8)
W = normal(6, 2, 3, 2)
CHANNELS = normal(4), normal(4) ** 2, normal(4), normal(4)
PLACES = np.arange(36).reshape(2, 3, 2, 3) % 6

# Name, positional arguments, keyword arguments; arrays become tensors for PyTorch.
CALLS = [
    ("conv2d", (X, W, normal(6)), {"groups": 2}),
    ("conv2d", (X, W, None, (2, 1), 1, (1, 2), 2), {}),
    ("conv2d", (X[0], W, normal(6), 2, (2, 1), 1, 2), {}),
    ("conv2d", (X, W, normal(6)), {"padding": "same", "dilation": (1, 2), "groups": 2}),
    ("conv2d", (X, W), {"padding": "valid", "stride": (3,), "groups": 2}),
    ("conv1d", (normal(2, 3, 9), normal(4, 3, 3), normal(4), (2,), (1,), 2), {}),
    ("conv1d", (normal(2, 3, 9), normal(4, 3, 4)), {"padding": "same"}),
    ("conv3d", (normal(2, 2, 5, 4, 6), normal(3, 2, 2, 3, 2), normal(3), (2, 1, 2), 1), {}),
    ("conv_transpose1d", (normal(2, 3, 5), normal(3, 2, 4), normal(2), 3, 1, 1), {}),
    ("conv_transpose2d", (X, normal(4, 3, 3, 2), normal(6), 2, 1, (1, 0), 2, (1, 2)), {}),
    ("conv_transpose2d", (X[0], normal(4, 3, 3, 2)), {"stride": (3,), "padding": (2, 0)}),
    ("conv_transpose3d", (normal(2, 2, 3, 2, 3), normal(2, 2, 2, 3, 2), None, (2, 1, 2)), {}),
    ("max_pool2d", (X, 2), {}),
    ("max_pool2d", (X, (3, 2), 2, 1, 1), {"ceil_mode": True, "return_indices": True}),
    ("max_pool2d", (X, 2, [], 1, (2, 1), True, True), {}),
    ("max_pool1d", (X[0], 3, 2, 1), {"return_indices": True}),
    ("max_pool3d", (X, 2, (2, 1, 2), 1), {"ceil_mode": True, "return_indices": True}),
    ("adaptive_max_pool1d", (X[0], 5), {"return_indices": True}),
    ("adaptive_max_pool2d", (X, (4, None)), {}),
    ("adaptive_max_pool3d", (X, (2, 4, 1), True), {}),
    ("lp_pool1d", (abs(X[0]), 3, 2), {}),
    ("lp_pool1d", (abs(X[0]), 1.5, 3, 2), {"ceil_mode": True}),
    ("lp_pool2d", (X, 2, (3, 2), 2), {}),
    ("lp_pool2d", (X, 2, 3, 2, True), {}),
    ("lp_pool3d", (X, 4.0, 2), {}),
    ("max_unpool1d", (normal(2, 3, 3), PLACES[:, :, 0]), {"kernel_size": 2}),
    ("max_unpool2d", (normal(2, 3, 2, 3), PLACES, 2), {"output_size": (2, 3, 5, 7)}),
    ("max_unpool3d", (normal(2, 3, 2, 3), PLACES, (1, 2, 2)), {}),
    ("avg_pool1d", (X[0], 3, 2, 1), {"ceil_mode": True}),
    ("avg_pool1d", (X[0], (3,), (), (1,)), {"count_include_pad": False}),
    ("avg_pool2d", (X, (3, 2), 2, 1, True, False), {}),
    ("avg_pool2d", (X, 3), {"divisor_override": 5}),
    ("avg_pool3d", (X, 2, [], (1, 0, 1)), {"ceil_mode": True}),
    ("adaptive_avg_pool1d", (X[0], 5), {}),
    ("adaptive_avg_pool2d", (X, (4, None)), {}),
    ("adaptive_avg_pool2d", (X, 3), {}),
    ("adaptive_avg_pool3d", (X, (2, 4, 1)), {}),
    ("pad", (X, (1, 2)), {}),
    ("pad", (X, (1, 2, 3, 0)), {"value": 2.5}),
    ("pad", (X, (1, -2, -1, 3)), {}),
    ("pad", (X, (0, 0, 0, 0, 1, 1, 0, 2)), {}),
    ("pad", (X, (2, 1, 0, 3), "reflect"), {}),
    ("pad", (X, (2, 1, 0, 3), "replicate"), {}),
    ("pad", (X, (2, 1, 0, 3)), {"mode": "circular"}),
    ("pad", (X[0], (2, 1), "reflect"), {}),
    ("unfold", (X, (3, 2)), {}),
    ("unfold", (X, 3, (1, 2), 1, 2), {}),
    ("fold", (normal(2, 12, 30), (7, 6), 2), {}),
    (
        "fold",
        (normal(12, 16), (6, 9), (2, 3)),
        {"dilation": (1, 2), "padding": 1, "stride": (2, 2)},
    ),
    ("relu", (X,), {}),
    ("relu", (X.copy(),), {"inplace": True}),
    ("relu6", (4 * X,), {}),
    ("leaky_relu", (X, 0.2), {}),
    ("leaky_relu", (X.copy(),), {"inplace": True}),
    ("elu", (X, 1.5), {}),
    ("sigmoid", (X,), {}),
    ("tanh", (X,), {}),
    ("softmax", (X, 1), {}),
    ("softmax", (X,), {"dim": -1, "dtype": "float32"}),
    ("log_softmax", (X,), {"dim": 2}),
    ("dropout", (X, 0.3, False), {}),
    ("batch_norm", (X, *CHANNELS), {}),
    (
        "batch_norm",
        (X, CHANNELS[0].copy(), CHANNELS[1].copy()),
        {"training": True, "momentum": 0.3},
    ),
    ("batch_norm", (X, None, None, *CHANNELS[2:], True), {"eps": 0.1}),
    ("local_response_norm", (X, 3), {}),
    ("local_response_norm", (X, 4, 0.5, 0.6, 2.0), {}),
    ("linear", (normal(3, 5, 4), normal(6, 4), normal(6)), {}),
    ("linear", (normal(4), normal(6, 4)), {}),
]


def in_words(call):
    name, args, kwargs = call
    shown = [repr(value) for value in args if not isinstance(value, np.ndarray)]
    return f"{name}-{'-'.join([*shown, *(f'{key}={value}' for key, value in kwargs.items())])}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore:Using padding=.same.:UserWarning")
@pytest.mark.parametrize("call", CALLS, ids=in_words)
def test_as_pytorch(call, dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    name, args, kwargs = call
    own = [
        v.astype(dtype) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v for v in args
    ]
    theirs = [torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for v in own]
    torch_kwargs = {k: getattr(torch, v) if k == "dtype" else v for k, v in kwargs.items()}
    result = getattr(F, name)(*own, **kwargs)
    expected = getattr(torch.nn.functional, name)(*theirs, **torch_kwargs)
    for one, other in zip(
        result if isinstance(result, tuple) else [result],
        expected if isinstance(expected, tuple) else [expected],
        strict=True,
    ):
        tolerance = 1e-11 if one.dtype == np.float64 else 3e-5
        np.testing.assert_allclose(one, other.numpy(), rtol=tolerance, atol=tolerance, strict=True)
    # What is changed in place, too: inputs, running statistics.
    for one, other in zip(own, theirs, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", F.__all__)
def test_signatures_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    function = getattr(torch.nn.functional, name)
    try:
        theirs = inspect.signature(function)
    except ValueError:
        theirs = None
    if theirs is None or "args" in theirs.parameters:  # builtins, and dispatching wrappers
        line = function.__doc__.strip().splitlines()[0].partition(" ->")[0]
        namespace = {}
        exec(f"def {line}: pass", namespace)
        theirs = inspect.signature(namespace[name])
    expected = [(p.name, p.default) for p in theirs.parameters.values()]
    ours = inspect.signature(getattr(F, name)).parameters.values()
    assert [(p.name, p.default) for p in ours] == expected


def test_every_function_has_a_call():
    assert {name for name, _, _ in CALLS} == set(F.__all__)


# --- conventions, without PyTorch ----------------------------------------------------------------


def test_padding_goes_from_the_last_axis_backwards():
    x = np.arange(4.0).reshape(1, 2, 2)
    y = F.pad(x, (1, 0, 0, 1), value=9)
    np.testing.assert_array_equal(y, [[[9, 0, 1], [9, 2, 3], [9, 9, 9]]])
    np.testing.assert_array_equal(F.pad(x, (0, 1), "replicate"), [[[0, 1, 1], [2, 3, 3]]])
    np.testing.assert_array_equal(F.pad(x, (0, 1), "circular"), [[[0, 1, 0], [2, 3, 2]]])
    np.testing.assert_array_equal(F.pad(x, (-1, 0, 1, 0)), [[[0], [1], [3]]])


@pytest.mark.parametrize(
    ("pad", "options", "words"),
    [
        ((1,), {}, "even number of values, at most 6, got 1"),
        ((0,) * 8, {}, "even number of values, at most 6, got 8"),
        ((-2, -1), {}, "leaves nothing of axis 2"),
        ((1, 1), {"mode": "edge"}, "mode must be 'constant' or 'reflect'"),
        ((1, 1), {"mode": "reflect", "value": 1.0}, "value goes with mode='constant' only"),
    ],
)
def test_padding_mistakes(pad, options, words):
    with pytest.raises(ValueError, match=words):
        F.pad(np.ones((1, 2, 2)), pad, **options)


def test_columns_are_numbered_in_pytorchs_order():
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    cols = F.unfold(x, kernel_size=2, dilation=1, padding=0, stride=(1, 2))
    np.testing.assert_array_equal(
        cols[0].T, [[0, 1, 4, 5], [2, 3, 6, 7], [4, 5, 8, 9], [6, 7, 10, 11]]
    )
    np.testing.assert_array_equal(
        F.fold(cols, (3, 4), 2, stride=(1, 2)), x * [[[[1] * 4, [2] * 4, [1] * 4]]]
    )
    with pytest.raises(ValueError, match="input has 4 rows, which windows of 3x1 do not divide"):
        F.fold(cols, (3, 4), (3, 1))


def test_same_padding_needs_stride_one():
    with pytest.raises(ValueError, match="padding='same' needs a stride of 1, got 2"):
        F.conv2d(X, W, padding="same", stride=2, groups=2)


def test_in_place():
    x = np.array([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x
    np.testing.assert_array_equal(x, [0, 2])
    with pytest.raises(TypeError, match="inplace=True needs an array"):
        F.relu([1.0], inplace=True)


def test_dropout():
    x = np.ones(10_000)
    y = F.dropout(x, 0.25)
    assert set(y) == {0.0, 4 / 3}
    assert abs((y == 0).mean() - 0.25) < 0.05
    assert F.dropout(x, inplace=True) is x
    assert set(x) == {0.0, 2.0}


def test_softmax_without_an_axis():
    with pytest.warns(UserWarning, match="softmax without dim"):
        y = F.softmax(normal(2, 3, 4))
    np.testing.assert_allclose(y.sum(axis=0), 1)


def test_work_is_done_by_the_core():
    assert core_calls(F.conv2d, X, W, None, groups=2) == 1
    assert core_calls(F.max_pool2d, X, 2) == 1
    assert core_calls(F.pad, X, (1, 1)) == 1
    assert core_calls(F.unfold, X, 2) == 1
    assert core_calls(F.fold, F.unfold(X, 2), X.shape[2:], 2) == 1
