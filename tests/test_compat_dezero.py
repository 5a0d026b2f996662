"""DeZero's convolution functions, beside DeZero's own."""

from __future__ import annotations

import numpy as np
import pytest
from dropin import core_calls
from hypothesis import given, settings
from hypothesis import strategies as st


def import_dezero():
    """DeZero, which on NumPy 2 needs a name that NumPy no longer has."""
    with pytest.MonkeyPatch.context() as patch:
        if not hasattr(np, "int"):
            patch.setattr(np, "int", int, raising=False)
        return pytest.importorskip("dezero", reason="DeZero is not installed")


dezero = import_dezero()
F = dezero.functions
conv = dezero.functions_conv
from npconv.compat import dezero as ours  # noqa: E402

rng = np.random.default_rng(0)
THEIRS = {name: getattr(conv, name) for name in ours.__all__ if hasattr(conv, name)}


def both(use):
    """What ``use()`` returns with DeZero's own functions, and with ours."""
    expected = use()
    with ours.install():
        return expected, use()


def differentiated(function, *arrays):
    """Result, and gradients of its square sum."""
    variables = [dezero.Variable(array.copy()) for array in arrays]
    y = function(*variables)
    F.sum(y * y).backward()
    return [y.data, *(variable.grad.data for variable in variables)]


def assert_derivatives(function, *arrays):
    """Hold gradients, and gradients of gradients, to differences in one random direction."""
    directions = [rng.standard_normal(array.shape) for array in arrays]

    def slope(step):
        """Sum of the result's fourth powers, its derivative along the directions, variables."""
        variables = [
            dezero.Variable(array + step * direction)
            for array, direction in zip(arrays, directions, strict=True)
        ]
        y = function(*variables)
        total = F.sum(y * y * y * y)
        total.backward(create_graph=True)
        terms = zip(variables, directions, strict=True)
        along = sum(F.sum(variable.grad * direction) for variable, direction in terms)
        return total.data, along, variables

    step = 1e-5
    _, total, variables = slope(0.0)
    for variable in variables:
        variable.cleargrad()
    total.backward()
    exact = sum((v.grad.data * d).sum() for v, d in zip(variables, directions, strict=True))
    first = total.data
    (above, slope_above, _), (below, slope_below, _) = slope(step), slope(-step)
    np.testing.assert_allclose(first, (above - below) / (2 * step), rtol=1e-5, atol=1e-3)
    differences = (slope_above.data - slope_below.data) / (2 * step)
    np.testing.assert_allclose(exact, differences, rtol=1e-5, atol=1e-3)


def assert_same(use, rtol=1e-9):
    expected, got = both(use)
    assert len(expected) == len(got)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())
        assert one.dtype == other.dtype


@st.composite
def windows(draw):
    """Image height and width, and kernel size, stride and padding as one number or a pair."""
    kernel, stride, pad = (
        draw(st.tuples(st.integers(*ends), st.integers(*ends))) for ends in ((1, 3), (1, 3), (0, 1))
    )
    h, w = (draw(st.integers(max(1, k - 2 * p), 6)) for k, p in zip(kernel, pad, strict=True))
    alike = draw(st.booleans())
    if alike:
        side = min(kernel)
        return max(h, side), max(w, side), side, stride[0], pad[0]
    return h, w, kernel, stride, pad


@pytest.mark.parametrize("bias", [True, False])
@settings(max_examples=20)
@given(window=windows())
def test_conv2d(bias, window):
    h, w, kernel, stride, pad = window
    data = np.random.default_rng(1)
    arrays = [data.standard_normal((2, 3, h, w)), data.standard_normal((4, 3, *conv.pair(kernel)))]
    arrays += [data.standard_normal(4)] * bias

    def function(x, W, b=None):
        return F.conv2d(x, W, b, stride=stride, pad=pad)

    assert_same(lambda: differentiated(function, *arrays))
    with ours.install():
        assert_derivatives(function, *arrays)


@pytest.mark.parametrize("bias", [True, False])
@settings(max_examples=20)
@given(window=windows(), more=st.integers(0, 2))
def test_deconv2d(bias, window, more):
    h, w, kernel, stride, pad = window
    data = np.random.default_rng(2)
    arrays = [data.standard_normal((2, 3, h, w)), data.standard_normal((3, 4, *conv.pair(kernel)))]
    arrays += [data.standard_normal(4)] * bias
    axes = zip((h, w), *map(conv.pair, (kernel, stride, pad)), strict=True)
    outsize = tuple(dezero.utils.get_deconv_outsize(*axis) + more % axis[2] for axis in axes)
    if min(outsize) < 1:
        return

    def function(x, W, b=None):
        return F.deconv2d(x, W, b, stride, pad, outsize if more else None)

    assert_same(lambda: differentiated(function, *arrays))
    with ours.install():
        assert_derivatives(function, *arrays)


@pytest.mark.parametrize("name", ["pooling", "average_pooling"])
@settings(max_examples=20)
@given(window=windows())
def test_pooling(name, window):
    h, w, kernel, *rest = window
    x = np.random.default_rng(3).integers(-3, 3, (2, 3, h, w)).astype(float)  # 0 beats negatives

    def function(x):
        return getattr(F, name)(x, kernel, *rest)

    assert_same(lambda: [function(x).data])
    if name == "pooling" or isinstance(kernel, int):  # else DeZero takes height for width
        assert_same(lambda: differentiated(function, x))
    with ours.install():
        # Without equal values, whose order a small step changes.
        x = np.random.default_rng(3).permutation(x.size).reshape(x.shape) / x.size - 0.503
        assert_derivatives(function, x)


def test_pooling_keeps_where_the_maxima_are():
    x = rng.integers(-3, 3, (2, 3, 6, 5)).astype(float)
    mine, theirs = ours.Pooling((2, 3), 1, 1), THEIRS["Pooling"]((2, 3), 1, 1)
    mine(x)
    theirs(x)
    np.testing.assert_array_equal(mine.indexes, theirs.indexes)


@settings(max_examples=20)
@given(window=windows(), to_matrix=st.booleans())
def test_columns(window, to_matrix):
    h, w, *rest = window
    x = np.random.default_rng(4).standard_normal((2, 3, h, w))
    assert_same(
        lambda: differentiated(lambda x: F.im2col(x, *rest, to_matrix=to_matrix), x),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(dtype):
    x, W = (rng.standard_normal(shape).astype(dtype) for shape in ((2, 3, 6, 6), (4, 3, 3, 3)))
    b = np.zeros(4)  # float64, but added in place
    for use in (
        lambda: [F.conv2d(x, W, b).data],
        lambda: [F.deconv2d(x, W.transpose(1, 0, 2, 3), b).data],
        lambda: [F.pooling(x, 2, 2).data, F.average_pooling(x, 2, 2).data],
        lambda: differentiated(lambda x: F.pooling(x, 2, 2, 1), x),
        lambda: differentiated(lambda x, W: F.conv2d(x, W), x, W),
    ):
        assert_same(use, 1e-4 if dtype == "float32" else 1e-9)


def test_all_work_is_done_by_the_core():
    x, W, b = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3)), np.zeros(4)
    with ours.install():
        assert core_calls(F.conv2d, x, W, b) == 1
        assert core_calls(F.deconv2d, x, W.transpose(1, 0, 2, 3), b) == 1
        assert core_calls(F.pooling, x, 2, 2) == 1
        assert core_calls(F.pooling, x, 2, 2, 1) == 2  # and the padding
        assert core_calls(F.average_pooling, x, 2, 2) == 1
        assert core_calls(F.im2col, x, 2) == 1
        y = F.pooling(F.conv2d(x, W, dezero.Variable(b)), 2, 2)
        assert core_calls(y.backward) == 4  # maxima, images, filters, bias


def test_classes_inherit_nothing_of_dezeros():
    for name, theirs in THEIRS.items():
        if isinstance(theirs, type):
            assert not issubclass(getattr(ours, name), theirs)


def test_install_and_undo():
    assert set(ours.__all__) - set(THEIRS) == {"AveragePooling2DGrad", "install"}
    installed = ours.install()
    assert {name: getattr(conv, name) for name in THEIRS} == {
        name: getattr(ours, name) for name in THEIRS
    }
    installed.undo()
    assert {name: getattr(conv, name) for name in THEIRS} == THEIRS
