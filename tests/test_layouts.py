"""Arrays whose channels come last: the same numbers, seen in another order of axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import MEMORY, ConvCase, conv_cases, transposed_cases
from tolerance import assert_close, assert_same_bits, assert_same_values
from variants import CHANNELS_LAST_ALGORITHMS, ISAS

import npconv
from npconv import reference

LAYOUT = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
each_isa = pytest.mark.parametrize("isa", ISAS)


def last(array: np.ndarray, batched: bool = True) -> np.ndarray:
    """Channels first to channels last, in memory of its own."""
    return np.ascontiguousarray(np.moveaxis(array, 1 if batched else 0, -1))


def test_a_case_by_hand() -> None:
    """A pixel's two channels follow each other; the filter adds the first to ten times the second.

    ::

        1 4   2 5   3 6         41 52 63
    """
    x = np.array([[[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]]])
    weight = np.array([1.0, 10.0]).reshape(1, 2, 1, 1)
    y = npconv.conv2d(x, weight, layout="NHWC")
    assert y.shape == (1, 1, 3, 1)
    assert y.ravel().tolist() == [41, 52, 63]


# ---- every operation -----------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
def test_convolutions_and_gradients_are_those_of_the_other_layout(
    ndim: int, data: st.DataObject
) -> None:
    case = data.draw(conv_cases(ndim=ndim, largest_size=8, largest_kernel=4))
    library = data.draw(st.sampled_from([npconv, reference]))
    x, weight, bias = case.operands()
    settings, name, layout = case.settings, case.function, LAYOUT[ndim]
    expected = getattr(reference, name)(x, weight, bias, **settings)
    x_last, batched = last(x, case.batched), case.batched
    y = getattr(library, name)(x_last, weight, bias, **settings, layout=layout, precision="strict")
    assert_same_values(y, last(expected, batched))
    assert y.flags.c_contiguous

    grad, grad_last = expected, last(expected, batched)
    dx, dweight, dbias = getattr(library, f"{name}_backward")(
        grad_last, x_last, weight, **settings, layout=layout, precision="strict"
    )
    of_x, of_weight, of_bias = getattr(reference, f"{name}_backward")(grad, x, weight, **settings)
    assert_same_values(dx, last(of_x, batched))
    assert_same_values(dweight, of_weight)
    assert_same_values(dbias, of_bias)
    same = {**settings, "layout": layout, "precision": "strict"}
    alone = getattr(library, f"{name}_input_grad")(grad_last, weight, x_last.shape, **same)
    assert_same_values(alone, dx.astype(alone.dtype))
    alone = getattr(library, f"{name}_weight_grad")(grad_last, x_last, weight.shape, **same)
    assert_same_values(alone, dweight.astype(alone.dtype))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
def test_transposed_convolutions_are_those_of_the_other_layout(
    ndim: int, data: st.DataObject
) -> None:
    case = data.draw(transposed_cases(ndim=ndim))
    library = data.draw(st.sampled_from([npconv, reference]))
    x, weight, bias = case.operands()
    settings, name = case.settings, case.function
    expected = getattr(reference, name)(x, weight, bias, **settings)
    x_last, options = last(x, case.batched), {"layout": LAYOUT[ndim], "precision": "strict"}
    y = getattr(library, name)(x_last, weight, bias, **settings, **options)
    assert_same_values(y, last(expected, case.batched))
    dx, dweight, dbias = getattr(library, f"{name}_backward")(
        last(expected, case.batched), x_last, weight, **settings, **options
    )
    of_x, of_weight, of_bias = getattr(reference, f"{name}_backward")(
        expected, x, weight, **settings
    )
    assert_same_values(dx, last(of_x, case.batched))
    assert_same_values(dweight, of_weight)
    assert_same_values(dbias, of_bias)


@pytest.mark.parametrize("library", [npconv, reference])
def test_column_matrices_are_those_of_the_other_layout(library: Any) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 6))
    cols = reference.im2col(x, (2, 3), 2, 1)
    assert_same_values(library.im2col(last(x), (2, 3), 2, 1, layout="NHWC"), cols)
    back = library.col2im(cols, (2, 5, 6, 3), (2, 3), 2, 1, layout="NHWC")
    assert back.flags.c_contiguous
    assert_same_values(back, last(reference.col2im(cols, x.shape, (2, 3), 2, 1)))
    one = library.col2im(cols[0], (5, 6, 3), (2, 3), 2, 1, layout="NHWC")
    assert_same_values(one, back[0])


# ---- its own algorithms --------------------------------------------------------------------


def accepted(algorithm: str, x: np.ndarray, weight: np.ndarray, settings: dict[str, Any]) -> bool:
    found = npconv.explain("conv2d", x, weight, **settings, layout="NHWC").candidates
    return next(candidate.accepted for candidate in found if candidate.name == algorithm)


@st.composite
def cases(draw: st.DrawFn, algorithm: str) -> ConvCase:
    """Channels around the sizes of vectors and tiles, for stretches that are gathered or not."""
    case = draw(conv_cases(largest_channels=6, largest_size=9, largest_kernel=4))
    channels = draw(st.sampled_from([1, 3, 16, 33, 70]))
    if algorithm == "depthwise_last":
        return replace(case, groups=channels, in_per_group=1, out_per_group=1)
    filters = draw(st.sampled_from([1, 7, 16, 50, 100]))
    groups = draw(st.sampled_from([1, 1, 2]))
    return replace(case, groups=groups, in_per_group=channels, out_per_group=filters)


@each_isa
@pytest.mark.parametrize("algorithm", CHANNELS_LAST_ALGORITHMS)
@given(data=st.data())
def test_algorithms_for_channels_last(algorithm: str, isa: str, data: st.DataObject) -> None:
    case = data.draw(cases(algorithm))
    x, weight, bias = case.operands()
    x_last = last(x, case.batched)
    if not accepted(algorithm, x_last, weight, case.settings):
        return
    how = {"layout": "NHWC", "algorithm": algorithm, "isa": isa}
    expected = last(reference.conv2d(x, weight, bias, **case.settings), case.batched)
    y = npconv.conv2d(x_last, weight, bias, **case.settings, **how)
    assert_same_values(y, expected)
    # Rounding: within the bound, and the same bits for any threads, memory and split.
    x, weight, bias = case.operands(integers=False)
    x_last = last(x, case.batched)
    y = npconv.conv2d(x_last, weight, bias, **case.settings, **how, num_threads=1)
    exact = reference.conv2d(x.astype("f8"), weight.astype("f8"), bias, **case.settings)
    magnitude = reference.conv2d(
        abs(x.astype("f8")), abs(weight), None if bias is None else abs(bias), **case.settings
    )
    assert_close(
        y, last(exact, case.batched), last(magnitude, case.batched), n_terms=case.n_terms + 1
    )
    form = data.draw(st.sampled_from(list(MEMORY)))
    strange = MEMORY[form](x_last)
    threads = data.draw(st.integers(1, 3))
    out = np.moveaxis(np.empty(np.moveaxis(y, -1, 0).shape, y.dtype), 0, -1)
    again = npconv.conv2d(
        strange, weight, bias, **case.settings, **how, num_threads=threads, out=out
    )
    assert again is out
    assert_same_bits(np.ascontiguousarray(again), y, form)
    if case.batched:
        for i in range(case.batch):
            one = npconv.conv2d(x_last[i : i + 1], weight, bias, **case.settings, **how)
            assert_same_bits(one, y[i : i + 1], "one image")
    ready = npconv.prepare(weight, x_shape=x_last.shape, dtype=y.dtype, **case.settings, **how)
    assert_same_bits(npconv.conv2d(x_last, ready, bias, **case.settings, layout="NHWC"), y)


@each_isa
@given(data=st.data())
def test_input_gradients_for_channels_last(isa: str, data: st.DataObject) -> None:
    """Every phase of a stride, pixels that no tap reaches, padding beyond the kernel."""
    case = data.draw(cases(data.draw(st.sampled_from(["depthwise_last", "input_grad_last"]))))
    x, weight, _ = case.operands()
    grad = reference.conv2d(x, weight, **case.settings)
    how = {"layout": "NHWC", "isa": isa}
    shape = last(x, case.batched).shape
    found = npconv.explain(
        "conv2d_input_grad", last(grad, case.batched), weight, shape, **case.settings, **how
    )
    if not next(c.accepted for c in found.candidates if c.name == "input_grad_last"):
        return
    how["algorithm"] = "input_grad_last"
    expected = reference.conv2d_input_grad(grad, weight, x.shape, **case.settings)
    dx = npconv.conv2d_input_grad(last(grad, case.batched), weight, shape, **case.settings, **how)
    assert_same_values(dx, last(expected, case.batched))
    # The same bits for any threads, memory and split of the batch.
    _, weight, _ = case.operands(integers=False)
    grad = last(np.random.default_rng(1).standard_normal(grad.shape).astype(x.dtype), case.batched)
    dx = npconv.conv2d_input_grad(grad, weight, shape, **case.settings, **how, num_threads=1)
    form = data.draw(st.sampled_from(list(MEMORY)))
    again = npconv.conv2d_input_grad(
        MEMORY[form](grad), weight, shape, **case.settings, **how, num_threads=2
    )
    assert_same_bits(again, dx, form)
    if case.batched and case.batch:
        one = npconv.conv2d_input_grad(grad[:1], weight, (1, *shape[1:]), **case.settings, **how)
        assert_same_bits(one, dx[:1], "one image")


@each_isa
@pytest.mark.parametrize("kernel", [(13, 11), (1, 140)])
def test_depthwise_kernels_of_many_taps(kernel: tuple[int, int], isa: str) -> None:
    """Summed in several chains; most taps of a pixel lie in the padding. Rounded, too."""
    rng = np.random.default_rng(0)
    x, weight = rng.integers(-4, 5, (2, 5, 75, 18)), rng.integers(-4, 5, (18, 1, *kernel))
    settings: dict[str, Any] = {"padding": "same", "groups": 18, "layout": "NHWC"}
    x, weight = x.astype("f4"), weight.astype("f4")
    how = {**settings, "isa": isa}
    y = npconv.conv2d(x, weight, **how, algorithm="depthwise_last")
    assert_same_values(y, reference.conv2d(x, weight, **settings))
    dx = npconv.conv2d_input_grad(x, weight, x.shape, **how, algorithm="input_grad_last")
    assert_same_values(dx, reference.conv2d_input_grad(x, weight, x.shape, **settings))
    x, weight = (rng.standard_normal(a.shape).astype("f4") for a in (x, weight))
    bias = rng.standard_normal(18).astype("f4")
    y = npconv.conv2d(x, weight, bias, **how, algorithm="depthwise_last")
    swapped = x.astype(x.dtype.newbyteorder())
    out = np.empty((18, 2, 5, 75), "f4").transpose(1, 2, 3, 0)
    again = npconv.conv2d(swapped, weight, bias, **how, algorithm="depthwise_last", out=out)
    assert_same_bits(np.ascontiguousarray(again), y, "converted")
    weight[3, 0, 0, 0] = np.inf
    y = npconv.conv2d(x, weight, **how, algorithm="depthwise_last")
    expected = reference.conv2d(x, weight, **settings)
    assert_same_values(np.isfinite(y), np.isfinite(expected))


@each_isa
@given(data=st.data())
def test_depthwise_windows_for_channels_last(isa: str, data: st.DataObject) -> None:
    """Rows of few and many taps at any distances, stretches of a row with and without borders."""
    draw, dtype = data.draw, data.draw(st.sampled_from(["f4", "f8"]))
    channels, width = draw(st.sampled_from([1, 8, 16, 24, 35])), draw(st.integers(1, 40))
    kernel = (draw(st.integers(1, 2)), draw(st.integers(1, 16)))
    dilation = (1, draw(st.sampled_from([1, 1, 2, 3])))
    reach = dilation[1] * (kernel[1] - 1)
    pads = st.integers(max(0, reach + 1 - width), reach)
    settings: dict[str, Any] = {
        "stride": (1, draw(st.sampled_from([1, 1, 2, 3]))),
        "dilation": dilation,
        "padding": ((0, 1), (draw(pads), draw(st.integers(0, reach)))),
        "groups": channels,
        "layout": "NHWC",
    }
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.integers(-4, 5, (1, 2, width, channels)).astype(dtype)
    weight = rng.integers(-4, 5, (channels, 1, *kernel)).astype(dtype)
    how: dict[str, Any] = {"isa": isa, "algorithm": "depthwise_last"}
    y = npconv.conv2d(x, weight, **settings, **how)
    assert_same_values(y, reference.conv2d(x, weight, **settings))
    weight[0, 0, 0, 0] = np.inf  # in the padding it meets nothing
    y = npconv.conv2d(x, weight, **settings, **how)
    assert_same_values(np.isfinite(y), np.isfinite(reference.conv2d(x, weight, **settings)))
    x = rng.standard_normal(x.shape).astype(dtype)
    y = npconv.conv2d(x, weight, **settings, **how)
    again = npconv.conv2d(x.astype(x.dtype.newbyteorder()), weight, **settings, **how)
    assert_same_bits(again, y, "converted")


def weight_grad_magnitude(
    grad: np.ndarray, x: np.ndarray, shape: tuple[int, ...], settings: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """In float64, and the same of absolute values."""
    grad, x = np.moveaxis(grad, -1, -3).astype("f8"), np.moveaxis(x, -1, -3).astype("f8")
    exact = reference.conv2d_weight_grad(grad, x, shape, **settings)
    return exact, reference.conv2d_weight_grad(abs(grad), abs(x), shape, **settings)


@each_isa
@given(data=st.data())
def test_weight_gradients_for_channels_last(isa: str, data: st.DataObject) -> None:
    """Rows of pixels shorter and longer than what a kernel takes at once, taps in the padding."""
    algorithm = data.draw(st.sampled_from(["depthwise_last", "direct", "winograd"]))
    case = data.draw(cases(algorithm))
    if data.draw(st.booleans()):
        case = replace(case, size=(case.size[0], data.draw(st.integers(9, 40))))
    how = {**case.settings, "layout": "NHWC", "algorithm": algorithm, "isa": isa}
    x, weight, _ = case.operands()
    y = reference.conv2d(x, weight, **case.settings)
    grad, x = last(y, case.batched) % 5 - 2, last(x, case.batched)
    call = npconv.conv2d_weight_grad
    found = npconv.explain(call, grad, x, weight.shape, **case.settings, layout="NHWC").candidates
    if not next(candidate.accepted for candidate in found if candidate.name == algorithm):
        return
    exact, magnitude = weight_grad_magnitude(grad, x, weight.shape, case.settings)
    if algorithm != "winograd":
        assert_same_values(call(grad, x, weight.shape, **how), exact.astype(x.dtype))
    # Rounding: within the bound, and the same bits for any threads and memory.
    x = last(case.operands(integers=False)[0], case.batched)
    grad = np.random.default_rng(1).standard_normal(grad.shape).astype(x.dtype)
    dw = call(grad, x, weight.shape, **how, num_threads=1)
    if algorithm != "winograd":
        exact, magnitude = weight_grad_magnitude(grad, x, weight.shape, case.settings)
        assert_close(dw, exact, magnitude, n_terms=grad.size + 1)
    forms = st.sampled_from(list(MEMORY))
    form, other = data.draw(forms), data.draw(forms)
    again = call(MEMORY[form](grad), MEMORY[other](x), weight.shape, **how, num_threads=3)
    assert_same_bits(again, dw, f"{form} {other}")
    if algorithm != "depthwise_last":
        planes = [np.moveaxis(array, -1, -3) for array in (grad, x)]
        again = call(*planes, weight.shape, **{**how, "layout": "NCHW"})
        assert_same_bits(again, dw, "the other layout")


@each_isa
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_gradients_that_meet_the_padding_are_skipped(value: float, isa: str) -> None:
    """A tap meets the corner's infinity, or the padding."""
    rng = np.random.default_rng(0)
    x, grad = rng.integers(1, 5, (2, 1, 6, 7, 20)).astype("f4")
    grad[0, 0, 0, 3] = value
    how = {"padding": 1, "groups": 20, "layout": "NHWC"}
    dw = npconv.conv2d_weight_grad(
        grad, x, (20, 1, 3, 3), **how, algorithm="depthwise_last", isa=isa
    )
    assert_same_values(dw, reference.conv2d_weight_grad(grad, x, (20, 1, 3, 3), **how))
    assert not np.isfinite(dw[3, 0, 1:, 1:]).any()
    assert np.isfinite(dw).sum() == dw.size - 4


@each_isa
@pytest.mark.parametrize(
    "shapes", [((2, 7, 9, 20), (37, 20, 3, 3), 1), ((2, 7, 9, 20), (20, 1, 3, 3), 20)]
)
@pytest.mark.parametrize("activation", [None, "relu", "relu6", ("leaky_relu", 0.25)])
def test_what_follows_the_sums(shapes: Any, activation: Any, isa: str) -> None:
    x_shape, weight_shape, groups = shapes
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal(x_shape, "f4"), rng.standard_normal(weight_shape, "f4")
    bias = rng.standard_normal(len(weight), "f4")
    how = {"padding": 1, "groups": groups, "layout": "NHWC", "isa": isa, "precision": "strict"}
    plain = npconv.conv2d(x, weight, bias, **how)
    add = rng.standard_normal(plain.shape, "f4")
    expected = plain + add
    with_add = npconv.conv2d(x, weight, bias, **how, add=add, activation=activation)
    if activation in ("relu", "relu6"):
        expected = np.maximum(expected, np.float32(0))
    if activation == "relu6":
        expected = np.minimum(expected, np.float32(6))
    if isinstance(activation, tuple):
        expected = np.where(expected < 0, expected * np.float32(0.25), expected)
    assert_same_values(with_add, expected)
    strided = np.asfortranarray(add)
    assert_same_values(
        npconv.conv2d(x, weight, bias, **how, add=strided, activation=activation), expected
    )
    out = add.copy()
    assert npconv.conv2d(x, weight, bias, **how, add=out, activation=activation, out=out) is out
    assert_same_values(out, expected)


@each_isa
@pytest.mark.parametrize("algorithm", ["few_channels_last", "channels_last"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_taps_in_the_padding_are_skipped(value: float, algorithm: str, isa: str) -> None:
    weight = np.ones((5, 3, 3, 3), "f4")
    weight[2, 1, 0, 1] = value
    x = np.random.default_rng(0).standard_normal((1, 6, 7, 3), "f4")
    y = npconv.conv2d(x, weight, padding=1, layout="NHWC", isa=isa, algorithm=algorithm)
    expected = reference.conv2d(np.moveaxis(x, -1, 1), weight, padding=1)
    finite = np.isfinite(expected)
    got = np.moveaxis(y, -1, 1)
    assert_same_values(np.where(finite, 0, got), np.where(finite, 0, expected))
    assert np.allclose(got[finite], expected[finite], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("x_dtype", ["<f8", ">f8", "f4"])
def test_extra_memory_is_bounded(x_dtype: str) -> None:
    """2 MB, the weights packed and what they are filled up with."""
    for channels, groups, kernel in [(96, 96, 11), (64, 1, 5), (3, 1, 15)]:
        x = np.ones((1, 40, 70, channels), x_dtype)
        weight = np.ones((96, channels // groups, kernel, kernel))
        algorithm = "depthwise_last" if groups > 1 else "channels_last"
        how = {"layout": "NHWC", "algorithm": algorithm, "num_threads": 1}
        npconv.conv2d(x, weight, groups=groups, **how)
        used = npconv.last_plan()["workspace_bytes"]
        assert used <= 2 * 2**20 + 2 * weight.nbytes, (algorithm, kernel)
        grad = np.ones((1, 41 - kernel, 71 - kernel, 96), x_dtype)
        how["algorithm"] = "depthwise_last" if groups > 1 else "direct"
        npconv.conv2d_weight_grad(grad, x, weight.shape, groups=groups, **how)
        used = npconv.last_plan()["workspace_bytes"]
        assert used <= 4 * 2**20 + 2 * weight.nbytes, ("weight_grad", kernel)


def test_they_decline_the_other_layout() -> None:
    x, weight = np.ones((1, 8, 9, 9), "f4"), np.ones((8, 8, 3, 3), "f4")
    with pytest.raises(ValueError, match="the layout has the channels before the pixels"):
        npconv.conv2d(x, weight, algorithm="channels_last")


def test_the_usual_choice() -> None:
    x = np.ones((1, 56, 56, 64), "f4")
    npconv.conv2d(x, np.ones((128, 64, 1, 1), "f4"), layout="NHWC")
    assert npconv.last_plan()["algorithm"] == "channels_last"
    npconv.conv2d(x, np.ones((64, 1, 3, 3), "f4"), groups=64, padding=1, layout="NHWC")
    assert npconv.last_plan()["algorithm"] == "depthwise_last"


# ---- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "NHCW"}, "layout must be 'NCHW' or 'NHWC', got 'NHCW'"),
        ({"layout": "NHWC", "x": np.ones((4, 4))}, r"x must be \(N, H, W, C\) or \(H, W, C\)"),
        (
            {"layout": "NHWC", "x": np.ones((1, 3, 4, 4))},
            "weight has 3 input channels per group, x has 4 channels",
        ),
        ({"layout": "NHWC", "out": np.ones((1, 2, 4, 4))}, r"expected \(1, 4, 4, 2\)"),
        ({"layout": "NHWC", "add": np.ones((1, 2, 4, 4))}, r"expected \(1, 4, 4, 2\)"),
    ],
)
def test_errors_speak_of_the_layout(arguments: dict[str, Any], message: str) -> None:
    arguments = {"x": np.ones((1, 4, 4, 3)), **arguments}
    with pytest.raises(ValueError, match=message):
        npconv.conv2d(weight=np.ones((2, 3, 1, 1)), **arguments)


def test_a_prepared_weight_is_for_one_layout() -> None:
    weight = np.ones((8, 16, 3, 3), "f4")
    ready = npconv.prepare(weight, x_shape=(1, 9, 9, 16), layout="NHWC")
    with pytest.raises(ValueError, match="weight was prepared for layout NHWC, got NCHW"):
        npconv.conv2d(np.ones((1, 16, 9, 9), "f4"), ready)
