"""Convolutions of images whose border is not zero, and their gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import ConvCase, conv_cases, pairs
from tolerance import assert_same_bits, assert_same_values
from variants import GENERAL_ALGORITHMS, ISAS

import npconv
from npconv import _native, checks, reference
from npconv.geometry import conv_geometry

MODES = st.sampled_from(checks.PAD_MODES[1:])


def test_a_border_that_wraps_by_hand():
    """3 | 1 2 3 | 1   under  (1, 10, 100)"""
    x = np.array([[[1.0, 2.0, 3.0]]])
    weight = np.array([[[[1.0, 10.0, 100.0]]]])
    y = npconv.conv2d(x, weight, padding=(0, 1), padding_mode="wrap")
    assert y.tolist() == [[[213.0, 321.0, 132.0]]]


def usable(case: ConvCase) -> bool:
    return 0 not in case.size


@given(case=conv_cases(largest_channels=3, largest_size=8), mode=MODES, isa=st.sampled_from(ISAS))
def test_every_mode_is_as_padding_first(case: ConvCase, mode: str, isa: str) -> None:
    x, weight, bias = case.operands(integers=True)
    settings: dict[str, Any] = {**case.settings, "padding_mode": mode}
    how = {"isa": isa, "precision": "strict"}
    expected = reference.conv2d(x, weight, bias, **settings)
    y = npconv.conv2d(x, weight, bias, **settings, **how)
    assert_same_values(y, expected)
    if y.size == 0:
        return
    found = npconv.conv2d_backward(y, x, weight, **settings, **how)
    wanted = reference.conv2d_backward(y, x, weight, **settings)
    for one, other in zip(found, wanted, strict=True):
        assert_same_values(one, other)


@st.composite
def ways(draw: st.DrawFn) -> dict[str, Any]:
    """What may choose another algorithm, or another way to the same one."""
    return {
        "isa": draw(st.sampled_from(ISAS)),
        "algorithm": draw(st.sampled_from(["auto", *GENERAL_ALGORITHMS])),
        "precision": draw(st.sampled_from(["standard", "strict"])),
        "num_threads": draw(st.integers(1, 3)),
    }


def check_bits_of_padding_first(case: ConvCase, mode: str, last: bool, how: dict[str, Any]) -> None:
    x, weight, bias = replace(case, batched=True).operands(integers=False)
    if 0 in x.shape[1:]:
        return
    ndim = len(case.size)
    g = conv_geometry(ndim, x.shape, weight.shape, **case.settings)
    widths = [*zip(g.pad_before[-ndim:], g.pad_after[-ndim:], strict=True)]
    whole = ((0, 0), *widths, (0, 0)) if last else ((0, 0), (0, 0), *widths)
    if last:
        x = np.moveaxis(x, 1, -1)
        how = {**how, "layout": "N" + "DHW"[-ndim:] + "C"}
    padded = npconv.pad(x, whole, mode)
    modes: dict[str, Any] = {**case.settings, "padding_mode": mode, **how}
    plain: dict[str, Any] = {**case.settings, "padding": 0, **how}
    y = npconv_function(case, "")(x, weight, bias, **modes)
    assert_same_bits(y, npconv_function(case, "")(padded, weight, bias, **plain))
    if y.size == 0:
        return
    dx, dweight, dbias = npconv_function(case, "_backward")(y, x, weight, **modes)
    wanted = npconv_function(case, "_backward")(y, padded, weight, **plain)
    assert_same_bits(dx, npconv.pad_backward(wanted[0], whole, mode))
    assert_same_bits(dweight, wanted[1])
    assert_same_bits(dbias, wanted[2])


def npconv_function(case: ConvCase, suffix: str) -> Any:
    return getattr(npconv, case.function + suffix)


@given(data=st.data(), mode=MODES, last=st.booleans(), how=ways())
def test_every_mode_has_the_bits_of_padding_first(
    data: st.DataObject, mode: str, last: bool, how: dict[str, Any]
) -> None:
    ndim = data.draw(st.sampled_from([1, 2, 2, 3]))
    case = data.draw(conv_cases(largest_channels=3, largest_size=7, ndim=ndim, largest_kernel=4))
    check_bits_of_padding_first(case, mode, last, how)


@given(
    case=st.builds(
        ConvCase,
        batch=st.integers(1, 3),
        groups=st.integers(1, 2),
        in_per_group=st.integers(1, 20),
        out_per_group=st.integers(1, 3),
        size=st.tuples(st.integers(1, 12), st.integers(1, 12) | st.integers(60, 75)),
        kernel=st.sampled_from([(3, 3), (5, 5), (3, 1), (1, 5)]),
        dilation=st.just((1, 1)) | pairs(1, 3),
        padding=pairs(4, 8) | st.just(((12, 30), (6, 15))),
        dtype=st.sampled_from(["float32", "float64"]),
        weight_memory=st.just("contiguous"),
        seed=st.integers(0, 99),
    ),
    mode=MODES,
    last=st.booleans(),
    isa=st.sampled_from(ISAS),
    algorithm=st.sampled_from(["winograd", "winograd2"]),
)
def test_winograd_finds_the_border_by_itself(
    case: ConvCase, mode: str, last: bool, isa: str, algorithm: str
) -> None:
    case = replace(case, x_form=replace(case.x_form, dtype=case.dtype))
    # It declines the input gradient of fewer outputs than it takes steps between taps.
    axes = zip(case.size, case.kernel, case.dilation, case.padding, strict=True)
    assume(all(n + np.sum(np.broadcast_to(p, 2)) >= k * step for n, k, step, p in axes))
    how = {"isa": isa, "algorithm": algorithm, "num_threads": 2}
    if algorithm == "winograd2" and case.kernel != (3, 3):
        how["algorithm"] = "winograd"
    check_bits_of_padding_first(case, mode, last, how)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("mode", checks.PAD_MODES[1:])
def test_what_is_not_finite_goes_where_it_belongs(mode, value):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (2, 3, 9, 10)).astype("f4")
    weight = rng.integers(-3, 4, (4, 3, 3, 3)).astype("f4")
    x[0, 1, 0, 1] = x[1, 2, 7, 9] = value
    settings: dict[str, Any] = {"padding": 2, "padding_mode": mode}
    for algorithm in ("winograd", "winograd2", "direct"):
        y = npconv.conv2d(x, weight, **settings, algorithm=algorithm)
        expected = reference.conv2d(x, weight, **settings)
        assert (np.isfinite(y) == np.isfinite(expected)).all()
        assert_same_values(y[~np.isfinite(y)], expected[~np.isfinite(expected)])
        grad = np.where(np.isfinite(expected), expected, 1)
        dweight = npconv.conv2d_weight_grad(grad, x, weight.shape, **settings, algorithm=algorithm)
        wanted = reference.conv2d_weight_grad(grad, x, weight.shape, **settings)
        assert_same_values(dweight[~np.isfinite(wanted)], wanted[~np.isfinite(wanted)])
        assert (np.isfinite(dweight) == np.isfinite(wanted)).all()


@pytest.mark.parametrize("mode", checks.PAD_MODES[1:])
@pytest.mark.parametrize("dtype", ["int8", "int16", "float16", "complex64"])
def test_every_mode_takes_every_kind_of_number(dtype, mode):
    rng = np.random.default_rng(0)
    x, weight = (rng.integers(-3, 4, s).astype(dtype) for s in [(2, 2, 4, 5), (3, 2, 3, 2)])
    settings: dict[str, Any] = {"padding": ((3, 6), (1, 9)), "stride": 2, "padding_mode": mode}
    strict = {**settings, "precision": "strict"}
    y = npconv.conv2d(x, weight, **strict)
    assert_same_values(y, reference.conv2d(x, weight, **settings))
    grad = rng.integers(-2, 3, y.shape).astype(dtype)
    dx = npconv.conv2d_input_grad(grad, weight, x.shape, **strict)
    assert_same_values(dx, reference.conv2d_input_grad(grad, weight, x.shape, **settings))
    dweight = npconv.conv2d_weight_grad(grad, x, weight.shape, **strict)
    assert_same_values(dweight, reference.conv2d_weight_grad(grad, x, weight.shape, **settings))


@given(case=conv_cases(largest_channels=3, largest_size=8), mode=MODES)
def test_the_input_gradient_is_the_adjoint(case: ConvCase, mode: str) -> None:
    """<conv(x), g> = <x, input_grad(g)>, exactly on whole numbers."""
    x, weight, _ = case.with_dtype("float64").operands(integers=True)
    settings: dict[str, Any] = {**case.settings, "padding_mode": mode}
    y = npconv.conv2d(x, weight, **settings)
    grad = np.random.default_rng(case.seed).integers(-3, 4, y.shape).astype(float)
    dx = npconv.conv2d_input_grad(grad, weight, x.shape, **settings)
    dweight = npconv.conv2d_weight_grad(grad, x, weight.shape, **settings)
    assert (y * grad).sum() == (x * dx).sum() == (weight * dweight).sum()


def test_channels_last_take_every_kind_of_number():
    rng = np.random.default_rng(0)
    settings: dict[str, Any] = {"padding": (2, 1), "padding_mode": "reflect", "layout": "NHWC"}
    for dtype in ("float32", "int8", "float16", "complex64"):
        x, weight = (rng.integers(-3, 4, s).astype(dtype) for s in [(2, 4, 5, 2), (3, 2, 3, 3)])
        y = npconv.conv2d(x, weight, **settings)
        found = npconv.conv2d_backward(y, x, weight, **settings)
        wanted = reference.conv2d_backward(y, x, weight, **settings)
        for one, other in zip(found, wanted, strict=True):
            assert_same_values(one, other)


def test_bits_do_not_depend_on_batch_threads_or_out():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 16, 40, 40), dtype=np.float32)
    weight = rng.standard_normal((32, 16, 3, 3), dtype=np.float32)
    settings: dict[str, Any] = {"padding": 1, "padding_mode": "reflect"}
    y = npconv.conv2d(x, weight, **settings, num_threads=1)
    assert_same_bits(npconv.conv2d(x, weight, **settings, num_threads=3), y)
    assert_same_bits(npconv.conv2d(x[4], weight, **settings), y[4])
    padded = npconv.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")
    assert_same_bits(npconv.conv2d(padded, weight), y)
    out = np.empty_like(y)
    add = rng.standard_normal(y.shape, dtype=np.float32)
    npconv.conv2d(x, weight, **settings, add=add, out=out)
    assert_same_bits(out, y + add)


def test_prepared_weights_are_prepared_for_the_padded_image():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 64, 14, 14), dtype=np.float32)
    weight = rng.standard_normal((64, 64, 3, 3), dtype=np.float32)
    settings: dict[str, Any] = {"padding": 1, "padding_mode": "wrap"}
    ready = npconv.prepare(weight, x_shape=x.shape, **settings)
    assert_same_bits(npconv.conv2d(x, ready, **settings), npconv.conv2d(x, weight, **settings))
    with pytest.raises(ValueError, match="weight was prepared for"):
        npconv.conv2d(x, ready, padding=1)


def test_one_and_three_dimensions():
    rng = np.random.default_rng(0)
    for ndim in (1, 3):
        forward = getattr(npconv, f"conv{ndim}d")
        backward = getattr(npconv, f"conv{ndim}d_backward")
        for dtype in ("float32", "int8", "float16", "complex128"):
            x, weight = (
                rng.integers(-3, 4, (*lead, *[size] * ndim)).astype(dtype)
                for lead, size in [((2, 2), 4), ((3, 2), 3)]
            )
            settings: dict[str, Any] = {"padding": 2, "padding_mode": "reflect"}
            strict = {**settings, "precision": "strict"}
            y = forward(x, weight, **strict)
            assert_same_values(y, getattr(reference, f"conv{ndim}d")(x, weight, **settings))
            grad = rng.integers(-3, 4, y.shape).astype(dtype)
            wanted = getattr(reference, f"conv{ndim}d_backward")(grad, x, weight, **settings)
            for one, other in zip(backward(grad, x, weight, **strict), wanted, strict=True):
                assert_same_values(one, other)


def test_no_padding_is_no_mode():
    x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    before = _native.call_count()
    npconv.conv2d(x, weight, padding_mode="reflect")
    assert _native.call_count() - before == 1
    npconv.conv2d(x, weight, padding=1, padding_mode="reflect")
    assert _native.call_count() - before == 2


def test_explain_sees_the_padded_image():
    why = npconv.explain(
        "conv2d", np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3)), padding=2, padding_mode="edge"
    )
    assert why.shapes == {"input": (1, 1, 9, 9), "weight": (1, 1, 3, 3), "output": (1, 1, 7, 7)}


def test_pytorch_agrees():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 7, 8)), rng.standard_normal((4, 3, 3, 3))
    names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    for mode, theirs in names.items():
        layer = torch.nn.Conv2d(3, 4, 3, padding=2, padding_mode=theirs, bias=False).double()
        layer.weight.data = torch.from_numpy(weight)
        expected = layer(torch.from_numpy(x)).detach().numpy()
        found = npconv.conv2d(x, weight, padding=2, padding_mode=mode)
        assert np.allclose(found, expected)
