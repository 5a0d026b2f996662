"""npconv's operations under HIPS autograd: values, gradients, gradients of gradients."""

from __future__ import annotations

import numpy as np
import pytest
from dropin import core_calls

import npconv

autograd = pytest.importorskip("autograd", reason="autograd is not installed")
import autograd.numpy as anp  # noqa: E402
from autograd.test_util import check_grads  # noqa: E402

import npconv.compat.autograd as ours  # noqa: E402

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def apart(*shape):
    """Different numbers, none near another or near zero, for what has kinks."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size / 2 + 0.25) / size * 4


WINDOW = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2)}
X, W, B = normal(2, 4, 6, 7), normal(6, 2, 3, 2), normal(6)
GROUPED = {**WINDOW, "groups": 2}
Y = npconv.conv2d(X, W, B, **GROUPED)
POOLED = apart(2, 3, 6, 7)
VOLUMES = normal(1, 2, 3, 3, 4)
CHANNELS = normal(3, 4, 2, 3)

# Name, what is differentiated, what else is given.
CASES = {
    "conv2d": ("conv2d", (X, W, B), GROUPED),
    "conv2d without bias": ("conv2d", (X, W), {"padding": "same", "groups": 2}),
    "conv2d of one image": ("conv2d", (X[0], W, B), GROUPED),
    "conv2d fused": (
        "conv2d",
        (X, W, B, normal(*Y.shape)),
        {**GROUPED, "activation": ("leaky_relu", 0.2)},
    ),
    "conv2d_input_grad": (
        "conv2d_input_grad",
        (normal(*Y.shape), W),
        {"input_shape": X.shape, **GROUPED},
    ),
    "conv2d_weight_grad": (
        "conv2d_weight_grad",
        (normal(*Y.shape), X),
        {"weight_shape": W.shape, **GROUPED},
    ),
    "conv1d": ("conv1d", (normal(2, 3, 8), normal(4, 3, 3), normal(4)), {"stride": 2}),
    "conv1d_input_grad": (
        "conv1d_input_grad",
        (normal(2, 4, 3), normal(4, 3, 3)),
        {"input_shape": (2, 3, 8), "stride": 2},
    ),
    "conv1d_weight_grad": (
        "conv1d_weight_grad",
        (normal(2, 4, 3), normal(2, 3, 8)),
        {"weight_shape": (4, 3, 3), "stride": 2},
    ),
    "conv3d": ("conv3d", (VOLUMES, normal(2, 2, 2, 1, 3), normal(2)), {"padding": 1}),
    "conv3d_input_grad": (
        "conv3d_input_grad",
        (normal(1, 2, 2, 3, 3), normal(2, 2, 2, 1, 2)),
        {"input_shape": VOLUMES.shape},
    ),
    "conv3d_weight_grad": (
        "conv3d_weight_grad",
        (normal(1, 2, 2, 3, 3), VOLUMES),
        {"weight_shape": (2, 2, 2, 1, 2)},
    ),
    "conv_transpose1d": (
        "conv_transpose1d",
        (normal(2, 3, 4), normal(3, 2, 3), normal(2)),
        {"stride": 2, "output_padding": 1},
    ),
    "conv_transpose1d_input_grad": (
        "conv_transpose1d_input_grad",
        (normal(2, 2, 8), normal(3, 2, 2)),
        {"stride": 2, "input_shape": (2, 3, 4)},
    ),
    "conv_transpose1d_weight_grad": (
        "conv_transpose1d_weight_grad",
        (normal(2, 2, 8), normal(2, 3, 4)),
        {"stride": 2, "weight_shape": (3, 2, 2)},
    ),
    "conv_transpose2d": (
        "conv_transpose2d",
        (normal(2, 4, 3, 2), normal(4, 2, 3, 2), normal(4)),
        {"stride": (2, 1), "padding": 1, "groups": 2, "activation": ("leaky_relu", 0.3)},
    ),
    "conv_transpose2d_input_grad": (
        "conv_transpose2d_input_grad",
        (normal(1, 2, 6, 6), normal(3, 2, 2, 2)),
        {"stride": 2, "input_shape": (1, 3, 3, 3)},
    ),
    "conv_transpose2d_weight_grad": (
        "conv_transpose2d_weight_grad",
        (normal(1, 2, 6, 6), normal(1, 3, 3, 3)),
        {"stride": 2, "weight_shape": (3, 2, 2, 2)},
    ),
    "conv_transpose3d": (
        "conv_transpose3d",
        (VOLUMES, normal(2, 2, 2, 1, 2), normal(2)),
        {"stride": (1, 2, 1)},
    ),
    "conv_transpose3d_input_grad": (
        "conv_transpose3d_input_grad",
        (normal(1, 2, 4, 3, 5), normal(2, 2, 2, 1, 2)),
        {"input_shape": VOLUMES.shape},
    ),
    "conv_transpose3d_weight_grad": (
        "conv_transpose3d_weight_grad",
        (normal(1, 2, 4, 3, 5), VOLUMES),
        {"weight_shape": (2, 2, 2, 1, 2)},
    ),
    "max_pool2d": ("max_pool2d", (POOLED,), {"kernel_size": (3, 2), **WINDOW}),
    "max_pool2d of one image": ("max_pool2d", (POOLED[0],), {"kernel_size": 2, "ceil_mode": True}),
    "max_pool2d, large": ("max_pool2d", (apart(1, 1, 20, 17),), {"kernel_size": (20, 17)}),
    "max_pool1d": ("max_pool1d", (apart(2, 3, 9),), {"kernel_size": 3, "stride": 2}),
    "max_pool2d, layout": ("max_pool2d", (POOLED,), {"kernel_size": 2, "layout": "NHWC"}),
    "max_pool2d, value": (
        "max_pool2d",
        (POOLED,),
        {"kernel_size": 3, "stride": 1, "padding": (1, 2), "padding_value": 0.0},
    ),
    "max_pool2d, reflect": (
        "max_pool2d",
        (POOLED[0],),
        {"kernel_size": 3, "padding": "same", "padding_mode": "reflect"},
    ),
    "max_pool3d": ("max_pool3d", (apart(1, 2, 3, 4, 4),), {"kernel_size": 2, "padding": 1}),
    "min_pool1d": ("min_pool1d", (apart(3, 9),), {"kernel_size": 3, "stride": 2}),
    "min_pool2d": ("min_pool2d", (POOLED,), {"kernel_size": 2, "padding": 1}),
    "min_pool3d": ("min_pool3d", (apart(1, 2, 3, 4, 4),), {"kernel_size": 2}),
    "adaptive_max_pool1d": ("adaptive_max_pool1d", (apart(2, 3, 9),), {"output_size": 4}),
    "adaptive_max_pool2d": ("adaptive_max_pool2d", (POOLED,), {"output_size": (2, None)}),
    "adaptive_max_pool3d": (
        "adaptive_max_pool3d",
        (apart(1, 2, 3, 4, 4),),
        {"output_size": 2, "layout": "NCDHW"},
    ),
    "fractional_max_pool2d": (
        "fractional_max_pool2d",
        (POOLED,),
        {"kernel_size": 2, "output_size": 3, "random_samples": np.full((2, 3, 2), 0.4)},
    ),
    "fractional_max_pool3d": (
        "fractional_max_pool3d",
        (apart(1, 2, 4, 4, 5),),
        {"kernel_size": 2, "output_size": 2, "random_samples": np.full((1, 2, 3), 0.4)},
    ),
    "global_max_pool": ("global_max_pool", (POOLED,), {}),
    "global_max_pool, last": ("global_max_pool", (apart(2, 7, 3),), {"channels_last": True}),
    "lp_pool1d": ("lp_pool1d", (apart(2, 3, 9),), {"norm_type": 3, "kernel_size": 2}),
    "lp_pool2d": (
        "lp_pool2d",
        (POOLED,),
        {"norm_type": 2, "kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    ),
    "lp_pool3d": ("lp_pool3d", (apart(1, 2, 3, 3, 3),), {"norm_type": 4, "kernel_size": 2}),
    "max_unpool1d": (
        "max_unpool1d",
        (normal(2, 3),),
        {"indices": np.array([[0, 3, 4], [1, 2, 5]]), "kernel_size": 2},
    ),
    "max_unpool2d": (
        "max_unpool2d",
        (normal(1, 1, 2, 2),),
        {"indices": np.array([[[[1, 2], [9, 14]]]]), "kernel_size": 2, "output_size": (5, 4)},
    ),
    "max_unpool3d": (
        "max_unpool3d",
        (normal(1, 2, 1, 1, 1),),
        {"indices": np.array([3, 5]).reshape(1, 2, 1, 1, 1), "kernel_size": 2},
    ),
    "avg_pool1d": ("avg_pool1d", (normal(2, 3, 7),), {"kernel_size": 3, "padding": 1}),
    "avg_pool2d": (
        "avg_pool2d",
        (X,),
        {"kernel_size": (3, 2), "stride": 2, "ceil_mode": True, "count_include_pad": False},
    ),
    "avg_pool3d": ("avg_pool3d", (VOLUMES,), {"kernel_size": 2, "stride": 1}),
    "adaptive_avg_pool1d": ("adaptive_avg_pool1d", (normal(2, 3, 7),), {"output_size": 3}),
    "adaptive_avg_pool2d": ("adaptive_avg_pool2d", (X[0],), {"output_size": (4, 2)}),
    "adaptive_avg_pool3d": ("adaptive_avg_pool3d", (VOLUMES,), {"output_size": 2}),
    "global_avg_pool": ("global_avg_pool", (X,), {}),
    "pad": ("pad", (normal(3, 4),), {"pad_width": ((1, 2), (0, 3)), "constant_values": 5}),
    "pad, reflect": ("pad", (normal(3, 4),), {"pad_width": ((1, 2), (0, 3)), "mode": "reflect"}),
    "pad_backward": ("pad_backward", (normal(3, 4),), {"pad_width": 1, "mode": "wrap"}),
    "im2col": ("im2col", (X,), {"kernel_size": (3, 2), "order": "PNC", **WINDOW}),
    "col2im": ("col2im", (normal(2, 16, 9),), {"input_shape": (2, 4, 4, 4), "kernel_size": 2}),
    "unfold": ("unfold", (X,), {"kernel_size": (3, 2), "stride": 2, "padding": 1}),
    "fold": ("fold", (normal(2, 16, 9),), {"output_size": 4, "kernel_size": 2}),
    "convolve2d": ("convolve2d", (normal(2, 5, 6), normal(3, 2)), {}),
    "convolve2d, bank": (
        "convolve2d",
        (normal(5, 6), normal(2, 3, 2)),
        {"mode": "same", "boundary": "symm"},
    ),
    "correlate2d": ("correlate2d", (normal(5, 6), normal(2, 3)), {"mode": "same", "fillvalue": 2}),
    "correlate2d, valid": ("correlate2d", (normal(2, 5, 6), normal(2, 3)), {"mode": "valid"}),
    "separable_conv2d": (
        "separable_conv2d",
        (normal(2, 3, 5, 5), normal(6, 1, 3, 3), normal(4, 6), normal(4)),
        {"stride": 2, "padding": 1, "activation": ("leaky_relu", 0.2)},
    ),
    "conv2d, reflect": (
        "conv2d",
        (X, W, B),
        {"groups": 2, "padding": 1, "padding_mode": "reflect"},
    ),
    "relu": ("relu", (apart(3, 4),), {}),
    "relu6": ("relu6", (4 * apart(3, 4),), {}),
    "leaky_relu": ("leaky_relu", (apart(3, 4),), {"slope": 0.2}),
    "elu": ("elu", (apart(3, 4),), {"alpha": 1.5}),
    "sigmoid": ("sigmoid", (normal(3, 4),), {}),
    "tanh": ("tanh", (normal(3, 4),), {}),
    "add": ("add", (apart(3, 4), apart(3, 4)), {"activation": "relu"}),
    "linear": ("linear", (normal(2, 3, 4), normal(5, 4), normal(5)), {}),
    "linear, relu": ("linear", (normal(3, 4), normal(5, 4)), {"activation": "relu"}),
    "batch_norm": ("batch_norm", (CHANNELS, normal(4), normal(4)), {"training": True}),
    "batch_norm, plain": ("batch_norm", (CHANNELS,), {"training": True, "eps": 0.1}),
    "batch_norm, running": (
        "batch_norm",
        (CHANNELS, normal(4), normal(4)),
        {"running_mean": normal(4), "running_var": normal(4) ** 2},
    ),
    "local_response_norm": (
        "local_response_norm",
        (normal(2, 5, 2, 3),),
        {"size": 4, "alpha": 0.3, "k": 2},
    ),
    "softmax": ("softmax", (normal(3, 4),), {}),
    "log_softmax": ("log_softmax", (normal(3, 4, 2),), {"axis": -1}),
}


def called(function, name, case):
    """The function of the differentiated arrays alone."""
    settings = CASES[case][2]

    def call(*arrays):
        more = dict(settings)
        if case == "conv2d fused":
            *arrays, more["add"] = arrays
        return function(*arrays, **more)

    return call


@pytest.mark.parametrize("case", CASES)
def test_gradients_twice(case):
    name, arrays, _ = CASES[case]
    call = called(getattr(ours, name), name, case)
    np.random.seed(0)  # noqa: NPY002 (check_grads draws its directions from there)
    check_grads(call, tuple(range(len(arrays))), modes=["rev"], order=2)(*arrays)


@pytest.mark.parametrize("case", CASES)
def test_values_are_npconvs(case):
    name, arrays, _ = CASES[case]
    result = called(getattr(ours, name), name, case)(*arrays)
    expected = called(getattr(npconv, name), name, case)(*arrays)
    np.testing.assert_array_equal(result, expected, strict=True)
    for argnum in range(len(arrays)):
        traced = []
        call = called(getattr(ours, name), name, case)
        autograd.elementwise_grad(lambda *a: traced.append(call(*a)) or traced[0], argnum)(*arrays)  # noqa: B023
        np.testing.assert_array_equal(traced[0]._value, expected, strict=True)


def test_every_operation_has_a_case():
    assert {name for name, _, _ in CASES.values()} == set(ours.__all__) - {"dropout"}


@pytest.mark.parametrize("name", ours.__all__)
def test_pages_and_signatures_are_npconvs(name):
    assert getattr(ours, name).__doc__ == getattr(npconv, name).__doc__
    assert getattr(ours, name).__wrapped__ is getattr(npconv, name)


def test_dropout():
    x = normal(3, 4)

    def function(x):
        return ours.dropout(x, 0.3, rng=np.random.default_rng(1))[0] ** 2

    check_grads(function, modes=["rev"], order=2)(x)
    y, mask = ours.dropout(x, 0.3, rng=np.random.default_rng(1))
    expected, expected_mask = npconv.dropout(x, 0.3, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(mask, expected_mask)


def test_pooling_returns_indices_of_any_kind():
    x = apart(2, 3, 6, 7)
    for kind in ({}, {"indices": "window", "index_dtype": "uint8"}):
        expected = npconv.max_pool2d(x, 2, return_indices=True, **kind)[1]
        seen = []

        def function(x):
            y, indices = ours.max_pool2d(x, 2, return_indices=True, **kind)  # noqa: B023
            seen.append(indices)  # noqa: B023
            return anp.sum(y)

        autograd.grad(function)(x)
        np.testing.assert_array_equal(seen[0], expected, strict=True)


def test_running_statistics_move_once():
    x, mean, variance = normal(3, 4), np.zeros(4), np.ones(4)

    def function(x):
        y, saved = ours.batch_norm(x, None, None, mean, variance, True, return_saved=True)
        np.testing.assert_allclose(saved[0], x._value.mean(axis=0))
        return anp.sum(y**3)

    autograd.grad(function)(x)
    expected = np.zeros(4), np.ones(4)
    npconv.batch_norm(x, None, None, *expected, training=True)
    np.testing.assert_array_equal((mean, variance), expected)


def test_out_is_refused():
    with pytest.raises(TypeError, match="relu: out= cannot be differentiated"):
        ours.relu(np.ones(2), out=np.ones(2))


def test_float32_stays():
    arrays = [array.astype("f4") for array in (X, W, B)]

    def loss(x, w, b):
        y = ours.max_pool2d(ours.conv2d(x, w, b, **GROUPED, activation="relu"), 2)
        return anp.sum(y * y)

    for argnum in range(3):
        assert autograd.grad(loss, argnum)(*arrays).dtype == np.float32


def test_all_work_is_done_by_the_core():
    def loss(x, w, b):
        return anp.sum(ours.max_pool2d(ours.conv2d(x, w, b, **GROUPED), 2))

    assert core_calls(loss, X, W, B) == 2
    gradients = autograd.grad(loss, (0, 1, 2))
    assert core_calls(gradients, X, W, B) == 6  # and maxima, images, filters, bias
