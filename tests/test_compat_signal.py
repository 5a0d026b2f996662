"""SciPy's convolutions, beside SciPy."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from dropin import core_calls
from hypothesis import given
from hypothesis import strategies as st

from npconv.compat.signal import convolve2d, correlate2d, ndimage

signal = pytest.importorskip("scipy.signal", reason="SciPy is not installed")
from scipy import ndimage as scipy_ndimage  # noqa: E402

rng = np.random.default_rng(0)
SIGNAL = {convolve2d: signal.convolve2d, correlate2d: signal.correlate2d}
NDIMAGE = {
    ndimage.correlate: scipy_ndimage.correlate,
    ndimage.convolve: scipy_ndimage.convolve,
}
MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]
MODES += ["grid-mirror", "grid-constant", "grid-wrap"]


def assert_same(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12, strict=True)


@pytest.mark.parametrize("function", SIGNAL, ids=lambda function: function.__name__)
@given(
    image=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    mode=st.sampled_from(["full", "same", "valid"]),
    boundary=st.sampled_from(["fill", "wrap", "symm"]),
)
def test_signal(function, image, kernel, mode, boundary):
    data = np.random.default_rng(1)
    x, w = data.standard_normal(image), data.standard_normal(kernel)
    held = all(i >= k for i, k in zip(image, kernel, strict=True))
    if mode == "valid" and not held and not all(i <= k for i, k in zip(image, kernel, strict=True)):
        with pytest.raises(ValueError, match="needs one shape to hold the other"):
            function(x, w, mode)
        return
    for filler in (0, 2.5):
        expected = SIGNAL[function](x, w, mode, boundary, filler)
        assert_same(function(x, w, mode, boundary, filler), expected)


@pytest.mark.parametrize("function", SIGNAL, ids=lambda function: function.__name__)
def test_stacks_of_images(function):
    stack, w = rng.standard_normal((2, 3, 6, 7)), rng.standard_normal((2, 3))
    result = function(stack, w, "same", "symm")
    for index in np.ndindex(2, 3):
        assert_same(result[index], SIGNAL[function](stack[index], w, "same", "symm"))
    with pytest.raises(ValueError, match="must then be one image"):
        function(stack, np.ones((9, 9)), "valid")


@pytest.mark.parametrize("function", SIGNAL, ids=lambda function: function.__name__)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "complex128"])
def test_dtypes_of_signal(function, dtype):
    x, w = (rng.integers(0, 100, shape).astype(dtype) for shape in ((6, 7), (3, 2)))
    if dtype == "complex128":
        x, w = x + 1j * x[::-1], w - 2j * w[::-1]
    for mode in ("full", "same", "valid"):
        expected = SIGNAL[function](x, w, mode)
        np.testing.assert_allclose(function(x, w, mode), expected, rtol=1e-6, strict=True)


@pytest.mark.parametrize("function", NDIMAGE, ids=lambda function: function.__name__)
@given(
    image=st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    ndim=st.integers(1, 3),
    mode=st.sampled_from(MODES),
    data=st.data(),
)
def test_ndimage(function, image, kernel, ndim, mode, data):
    numbers = np.random.default_rng(2)
    x, w = numbers.standard_normal(image[:ndim]), numbers.standard_normal(kernel[:ndim])
    origin = [data.draw(st.integers(-(k // 2), (k - 1) // 2)) for k in w.shape]
    expected = NDIMAGE[function](x, w, mode=mode, cval=1.5, origin=origin)
    assert_same(function(x, w, mode=mode, cval=1.5, origin=origin), expected)


@pytest.mark.parametrize("function", NDIMAGE, ids=lambda function: function.__name__)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_dtypes_of_ndimage(function, dtype):
    x, w = (9 * rng.random((2, 6, 7))).astype(dtype), rng.random((3, 2))
    result = function(x, w)
    for one, image in zip(result, x, strict=True):
        expected = NDIMAGE[function](image, w)
        np.testing.assert_allclose(one, expected, rtol=1e-6, strict=True)
    assert function(x, w, np.float64).dtype == np.float64
    out = np.empty(x.shape)
    assert function(x, w, output=out) is out
    np.testing.assert_allclose(out[0], NDIMAGE[function](x[0], w, output=float), rtol=1e-6)


def test_mistakes():
    with pytest.raises(ValueError, match="mode must be 'full' or"):
        convolve2d(np.ones((2, 2)), np.ones((2, 2)), "some")
    with pytest.raises(ValueError, match="boundary must be 'fill' or"):
        convolve2d(np.ones((2, 2)), np.ones((2, 2)), boundary="reflect")
    with pytest.raises(ValueError, match=r"in1 must be \(..., H, W\)"):
        convolve2d(np.ones(2), np.ones((2, 2)))
    with pytest.raises(ValueError, match="origin 2 moves a filter of size 3 off its centre"):
        ndimage.correlate(np.ones((4, 4)), np.ones((3, 3)), origin=(0, 2))
    with pytest.raises(ValueError, match="weights must have 1 to 3 axes"):
        ndimage.correlate(np.ones(4), np.ones((3, 3)))
    with pytest.raises(TypeError, match="must be real"):
        ndimage.correlate(np.ones((4, 4), complex), np.ones((3, 3)))


@pytest.mark.parametrize(
    ("ours", "theirs"), [*SIGNAL.items(), *NDIMAGE.items()], ids=lambda f: f.__name__
)
def test_signatures_are_scipys(ours, theirs):
    expected = list(inspect.signature(theirs).parameters.values())
    expected = [(p.name, p.default) for p in expected if p.kind is not p.KEYWORD_ONLY]
    found = [(p.name, p.default) for p in inspect.signature(ours).parameters.values()]
    assert found == expected


def test_all_work_is_done_by_the_core():
    x, w = rng.standard_normal((2, 6, 7)), rng.standard_normal((3, 3))
    assert core_calls(convolve2d, x, w) >= 1
    assert core_calls(correlate2d, x, w, boundary="symm") >= 1
    assert core_calls(ndimage.correlate, x, w) >= 1
    assert core_calls(ndimage.convolve, x, w, mode="constant") >= 1
