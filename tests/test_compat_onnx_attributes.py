"""Attributes of npconv's ONNX operators, beside ONNX Runtime and the reference evaluator."""

from __future__ import annotations

import numpy as np
import pytest
from dropin import core_calls

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from onnx import helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from npconv.compat.onnx import new_ops  # noqa: E402

AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
OPSET = 22


def model_of(operator, inputs, outputs=1, opset=OPSET, **attributes):
    """A model of one node, for inputs of these types."""
    names = [f"x{i}" if value is not None else "" for i, value in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(operator, names, results, **attributes)
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), None)
        for name, value in zip(names, inputs, strict=True)
        if value is not None
    ]
    made = [helper.make_empty_tensor_value_info(name) for name in results]
    graph = helper.make_graph([node], operator, given, made)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def feeds_of(inputs):
    return {f"x{i}": value for i, value in enumerate(inputs) if value is not None}


def by_npconv(model, inputs):
    return ReferenceEvaluator(model, new_ops=new_ops).run(None, feeds_of(inputs))


def by_onnxruntime(model, inputs):
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds_of(inputs))


def assert_as_onnxruntime(operator, inputs, outputs=1, opset=OPSET, **attributes):
    model = model_of(operator, inputs, outputs, opset, **attributes)
    expected = by_onnxruntime(model, inputs)
    for one, other in zip(by_npconv(model, inputs), expected, strict=True):
        if other.dtype.kind == "f":
            tolerance = 1e-2 if other.dtype == np.float16 else 2e-5
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(one, other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)


def drawn(rng, ndim, groups=(1,)):
    """Sizes, and attributes, of windows of one operator."""
    kernel = rng.integers(1, 4, ndim).tolist()
    dilations = rng.integers(1, 3, ndim).tolist()
    size = [int(rng.integers((k - 1) * d + 1, 10)) for k, d in zip(kernel, dilations, strict=True)]
    attributes = {"kernel_shape": kernel, "dilations": dilations}
    attributes["strides"] = rng.integers(1, 4, ndim).tolist()
    auto_pad = AUTO_PADS[rng.integers(4)]
    if auto_pad == "NOTSET":
        attributes["pads"] = [int(rng.integers(k)) for k in kernel * 2]
    else:
        attributes["auto_pad"] = auto_pad
        if auto_pad != "VALID":  # ONNX Runtime has one without the other
            attributes["dilations"] = [1] * ndim
            attributes["strides"] = [
                min(pair) for pair in zip(attributes["strides"], kernel, strict=True)
            ]
    return size, attributes, int(rng.choice(groups))


def normal(rng, *shape, dtype="f4"):
    return rng.standard_normal(shape).astype(dtype)


def integers(rng, *shape, dtype="u1"):
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_conv(seed):
    rng = np.random.default_rng(seed)
    ndim = 1 + seed % 3
    size, attributes, group = drawn(rng, ndim, (1, 2))
    x, w = normal(rng, 2, 4, *size), normal(rng, 6, 4 // group, *attributes["kernel_shape"])
    inputs = [x, w] + [normal(rng, 6)] * (seed % 2)
    if seed % 4 == 0:
        del attributes["kernel_shape"]
    assert_as_onnxruntime("Conv", inputs, group=group, **attributes)


@pytest.mark.parametrize("seed", SEEDS)
def test_conv_transpose(seed):
    rng = np.random.default_rng(seed)
    ndim = 1 + seed % 3
    _, attributes, group = drawn(rng, ndim, (1, 2))
    x = normal(rng, 2, 4, *rng.integers(2, 6, ndim))
    w = normal(rng, 4, 3, *attributes["kernel_shape"])
    if "pads" in attributes:
        attributes["pads"] = [pad // 2 for pad in attributes["pads"]]
        attributes["output_padding"] = [int(rng.integers(s)) for s in attributes["strides"]]
    elif seed % 2:
        # Elements that no window reaches, ONNX Runtime refuses, or leaves out.
        reached = [
            (n - 1) * s + (k - 1) * d + 1
            for n, s, k, d in zip(
                x.shape[2:],
                attributes["strides"],
                attributes["kernel_shape"],
                attributes["dilations"],
                strict=True,
            )
        ]
        attributes["output_shape"] = [int(rng.integers(max(n - 2, 1), n + 1)) for n in reached]
    else:
        attributes["strides"] = [1] * ndim
    inputs = [x, w] + [normal(rng, 3 * group)] * (seed % 2)
    assert_as_onnxruntime("ConvTranspose", inputs, group=group, **attributes)


def test_conv_transpose_of_elements_that_no_window_reaches():
    x, w, b = np.ones((1, 1, 2), "f4"), np.ones((1, 1, 1), "f4"), np.array([5], "f4")
    for attributes in ({"auto_pad": "SAME_UPPER"}, {"output_shape": [6]}):
        model = model_of("ConvTranspose", [x, w, b], strides=[3], **attributes)
        np.testing.assert_array_equal(by_npconv(model, [x, w, b])[0], [[[6, 5, 5, 6, 5, 5]]])
    model = model_of("ConvTranspose", [x, w, b], strides=[3], pads=[-1, -1])
    np.testing.assert_array_equal(by_npconv(model, [x, w, b])[0], [[[5, 6, 5, 5, 6, 5]]])


@pytest.mark.parametrize("seed", range(12))
def test_conv_of_integers(seed):
    rng = np.random.default_rng(seed)
    size, attributes, group = drawn(rng, 2, (1, 2))
    x, w = integers(rng, 1, 4, *size), integers(rng, 6, 4 // group, *attributes["kernel_shape"])
    points = [None, None] if seed % 3 == 0 else [np.uint8(200), np.uint8(100)]
    inputs = [x, w, *[None if point is None else np.array(point) for point in points]]
    while inputs[-1] is None:
        inputs.pop()
    assert_as_onnxruntime("ConvInteger", inputs, opset=10, group=group, **attributes)

    kind = "u1" if seed % 2 else "i1"
    many = 6 if seed % 4 < 2 else 1
    shape = (many,) if many > 1 else ()
    w = integers(rng, *w.shape, dtype="i1")
    quantised = [
        integers(rng, 1, 4, *size, dtype=kind),
        np.float32(0.02),
        np.array(3, kind),
        w,
        rng.uniform(0.01, 0.03, shape).astype("f4"),
        np.zeros(shape, "i1"),
        np.float32(0.9),
        np.array(5, kind),
        rng.integers(-500, 500, 6).astype("i4"),
    ]
    quantised = [np.asarray(value) for value in quantised]
    assert_as_onnxruntime("QLinearConv", quantised, opset=10, group=group, **attributes)


@pytest.mark.parametrize("seed", SEEDS)
def test_average_pool(seed):
    rng = np.random.default_rng(seed)
    size, attributes, _ = drawn(rng, 1 + seed % 3)
    attributes["ceil_mode"] = seed // 2 % 2
    attributes["count_include_pad"] = seed % 2
    assert_as_onnxruntime("AveragePool", [normal(rng, 2, 3, *size)], **attributes)


@pytest.mark.parametrize("seed", SEEDS)
def test_max_pool(seed):
    rng = np.random.default_rng(seed)
    size, attributes, _ = drawn(rng, 1 + seed % 3)
    attributes["ceil_mode"] = seed // 2 % 2
    attributes["storage_order"] = seed // 4 % 2
    x = normal(rng, 2, 3, *size)
    assert_as_onnxruntime("MaxPool", [x], outputs=1 + seed % 2, **attributes)


@pytest.mark.parametrize("dtype", ["u1", "i1"])
def test_max_pool_of_integers(dtype):
    x = integers(np.random.default_rng(0), 2, 3, 7, 6, dtype=dtype)
    assert_as_onnxruntime("MaxPool", [x], 2, kernel_shape=[3, 2], pads=[1, 0, 1, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_lp_pool(seed):
    rng = np.random.default_rng(seed)
    size, attributes, _ = drawn(rng, 1 + seed % 3)
    attributes["ceil_mode"] = seed // 2 % 2
    attributes["p"] = 1 + seed % 3
    assert_as_onnxruntime("LpPool", [normal(rng, 2, 3, *size)], **attributes)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_max_unpool(ndim):
    rng = np.random.default_rng(ndim)
    x = normal(rng, 2, 3, *[6, 4, 8][:ndim])
    window = {"kernel_shape": [2] * ndim, "strides": [2] * ndim}
    pooled = by_npconv(model_of("MaxPool", [x], 2, **window), [x])
    assert_as_onnxruntime("MaxUnpool", pooled, **window)


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_global_pools(operator, ndim):
    x = normal(np.random.default_rng(ndim), 2, 3, *[4, 5, 3, 2][:ndim])
    more = {"opset": 2, "p": 3} if operator == "GlobalLpPool" else {}
    assert_as_onnxruntime(operator, [x], **more)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
def test_response_norm(size):
    x = normal(np.random.default_rng(size), 2, 6, 3, 4)
    if size % 2:  # others ONNX Runtime refuses
        assert_as_onnxruntime("LRN", [x], size=size, alpha=0.3, beta=0.6, bias=2.0)
    else:
        (y,) = by_npconv(model_of("LRN", [x], size=size, alpha=0.3, bias=2.0), [x])
        around = np.pad(
            x.astype(float) ** 2, ((0, 0), ((size - 1) // 2, size // 2), (0, 0), (0, 0))
        )
        total = sum(around[:, first : first + 6] for first in range(size))
        np.testing.assert_allclose(y, x / (2 + 0.3 / size * total) ** 0.75, rtol=1e-5)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "bool", "f2"])
def test_pad(mode, dtype):
    rng = np.random.default_rng(0)
    x = integers(rng, 3, 4, 5).astype(dtype)
    pads = np.array([1, 0, 2, 0, 2, 1])
    inputs = [x, pads] + [np.array(1, dtype)] * (mode == "constant")
    model = model_of("Pad", inputs, mode=mode)
    (y,) = by_npconv(model, inputs)
    more = {"constant_values": 1} if mode == "constant" else {}
    expected = np.pad(x, [(1, 0), (0, 2), (2, 1)], mode, **more)
    np.testing.assert_array_equal(y, expected, strict=True)
    if mode == "constant":
        inputs = [x, np.array([-1, 2, 1, -2]), None, np.array([-1, 0])]
        (y,) = by_npconv(model_of("Pad", inputs, mode=mode), inputs)
        expected = np.pad(x, [(2, 0), (0, 0), (0, 1)])[:-2, :, 1:]
        np.testing.assert_array_equal(y, expected, strict=True)


def test_pad_of_old_opsets():
    x = np.ones((1, 2), "f4")
    model = model_of("Pad", [x], opset=2, pads=[0, 1, 0, 2], value=7.0)
    np.testing.assert_array_equal(by_npconv(model, [x])[0], [[7, 1, 1, 7, 7]])


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_col2im(ndim):
    rng = np.random.default_rng(ndim)
    image, block = [7, 6, 5][:ndim], [3, 2, 2][:ndim]
    attributes = {"strides": [2, 1, 2][:ndim], "dilations": [1, 2, 1][:ndim]}
    attributes["pads"] = [1, 0, 1][:ndim] + [0, 1, 1][:ndim]
    padded = [n + attributes["pads"][i] + attributes["pads"][ndim + i] for i, n in enumerate(image)]
    windows = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(
            padded, block, attributes["dilations"], attributes["strides"], strict=True
        )
    ]
    cols = rng.integers(-9, 10, (2, 3 * np.prod(block), np.prod(windows))).astype("f4")
    inputs = [cols, np.array(image), np.array(block)]
    (y,) = by_npconv(model_of("Col2Im", inputs, **attributes), inputs)
    expected = np.zeros((2, 3, *padded))
    columns = cols.reshape(2, 3, *block, *windows)
    for tap in np.ndindex(*block):
        there = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(
                tap, attributes["dilations"], windows, attributes["strides"], strict=True
            )
        )
        expected[(..., *there)] += columns[(slice(None), slice(None), *tap)]
    inner = tuple(
        slice(attributes["pads"][i], attributes["pads"][i] + n) for i, n in enumerate(image)
    )
    np.testing.assert_array_equal(y, expected[(..., *inner)])


@pytest.mark.parametrize("training", [0, 1])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4), (4, 3), (1, 3)])
def test_batch_normalisation(training, shape):
    rng = np.random.default_rng(0)
    x = normal(rng, *shape)
    inputs = [x, normal(rng, 3), normal(rng, 3), normal(rng, 3), normal(rng, 3) ** 2]
    how = {"epsilon": 0.01, "momentum": 0.7, "training_mode": training}
    model = model_of("BatchNormalization", inputs, 3 if training else 1, opset=15, **how)
    results = by_npconv(model, inputs)
    axes = (0, *range(2, x.ndim))
    mean, var = (x.mean(axes), x.var(axes)) if training else inputs[3:]
    wide = [1, 3, *[1] * (x.ndim - 2)]
    scale, offset, mean_, var_ = (value.reshape(wide) for value in (*inputs[1:3], mean, var))
    expected = [(x - mean_) / np.sqrt(var_ + 0.01) * scale + offset]
    if training:
        expected += [inputs[3] * 0.7 + mean * 0.3, inputs[4] * 0.7 + var * 0.3]
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert one.dtype == np.float32


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_types_stay(dtype):
    rng = np.random.default_rng(0)
    x, w = normal(rng, 1, 2, 6, 6, dtype=dtype), normal(rng, 3, 2, 3, 3, dtype=dtype)
    for operator, inputs, attributes in (
        ("Conv", [x, w, w[:, 0, 0, 0]], {}),
        ("ConvTranspose", [x, w.transpose(1, 0, 2, 3), w[:, 0, 0, 0]], {}),
        ("AveragePool", [x], {"kernel_shape": [2, 2]}),
        ("MaxPool", [x], {"kernel_shape": [2, 2]}),
        ("LpPool", [x], {"kernel_shape": [2, 2]}),
        ("GlobalAveragePool", [x], {}),
        ("GlobalMaxPool", [x], {}),
        ("GlobalLpPool", [x], {}),
        ("LRN", [x], {"size": 3}),
        ("Col2Im", [x.reshape(1, 4, 18), np.array([3, 10]), np.array([2, 2])], {}),
    ):
        (y,) = by_npconv(model_of(operator, inputs, **attributes), inputs)
        assert y.dtype == x.dtype


def test_all_work_is_done_by_the_core():
    rng = np.random.default_rng(0)
    x, w = normal(rng, 1, 2, 6, 6), normal(rng, 3, 2, 3, 3)
    for operator, inputs, attributes in (
        ("Conv", [x, w], {}),
        ("ConvTranspose", [x, w.transpose(1, 0, 2, 3)], {}),
        ("ConvInteger", [integers(rng, 1, 2, 6, 6), integers(rng, 3, 2, 3, 3)], {}),
        ("AveragePool", [x], {"kernel_shape": [2, 2]}),
        ("MaxPool", [x], {"kernel_shape": [2, 2]}),
        ("LpPool", [x], {"kernel_shape": [2, 2]}),
        ("MaxUnpool", [x, np.arange(72).reshape(x.shape)], {"kernel_shape": [1, 1]}),
        ("GlobalAveragePool", [x], {}),
        ("GlobalMaxPool", [x], {}),
        ("GlobalLpPool", [x], {}),
        ("Pad", [x, np.array([0, 0, 1, 1, 0, 0, 1, 1])], {}),
        ("Col2Im", [normal(rng, 1, 4, 18), np.array([3, 10]), np.array([2, 2])], {}),
    ):
        opset = 10 if operator == "ConvInteger" else OPSET
        session = ReferenceEvaluator(
            model_of(operator, inputs, opset=opset, **attributes), new_ops=new_ops
        )
        assert core_calls(session.run, None, feeds_of(inputs)) >= 1, operator


def test_operators_inherit_nothing_of_the_evaluators():
    for operator in new_ops:
        assert [base.__name__ for base in operator.__mro__[1:]] == ["OpRun", "ABC", "object"]
