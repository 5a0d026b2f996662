"""The course's fast layers and compiled helper, beside definitions in plain NumPy."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from dropin import core_calls
from hypothesis import given
from hypothesis import strategies as st

from npconv import reference
from npconv.compat import cs231n

rng = np.random.default_rng(0)


@st.composite
def windows(draw):
    """Shape (N, C, H, W), window, padding and stride, whether or not they divide."""
    hh, ww, pad = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(0, 2))
    h = draw(st.integers(max(1, hh - 2 * pad), 9))
    w = draw(st.integers(max(1, ww - 2 * pad), 9))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), h, w)
    return shape, hh, ww, pad, draw(st.integers(1, 3))


def columns_of(x, hh, ww, pad, stride):
    """(C, HH, WW, OH, OW, N) element by element: the definition of the columns' order."""
    n, c, h, w = x.shape
    oh, ow = 1 + (h + 2 * pad - hh) // stride, 1 + (w + 2 * pad - ww) // stride
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    cols = np.empty((c, hh, ww, oh, ow, n), x.dtype)
    for i, j, y, z in np.ndindex(hh, ww, oh, ow):
        cols[:, i, j, y, z] = padded[:, :, y * stride + i, z * stride + j].T
    return cols


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(window=windows())
def test_columns_and_back(dtype, window):
    shape, hh, ww, pad, stride = window
    x = np.random.default_rng(1).integers(-9, 10, shape).astype(dtype)
    expected = columns_of(x, hh, ww, pad, stride)
    cols = cs231n.im2col_cython(x, hh, ww, pad, stride)
    flat = expected.reshape(shape[1] * hh * ww, -1)
    np.testing.assert_array_equal(cols, flat, strict=True)

    # The adjoint: <im2col(x), g> = <x, col2im(g)>, exact on integers, for a basis of all x at once.
    grads = np.random.default_rng(2).integers(-9, 10, cols.shape).astype(dtype)
    back = cs231n.col2im_cython(grads, *shape, hh, ww, pad, stride)
    ones = np.arange(x.size, dtype="f8").reshape(shape) + 1  # which pixel; 0 is padding
    where = columns_of(ones, hh, ww, pad, stride).ravel().astype(int)
    sums = np.bincount(where, grads.ravel(), x.size + 1)[1:].reshape(shape).astype(dtype)
    np.testing.assert_array_equal(back, sums, strict=True)

    images_outside = grads.reshape(expected.shape).transpose(0, 1, 2, 5, 3, 4)
    back = cs231n.col2im_6d_cython(images_outside, *shape, hh, ww, pad, stride)
    np.testing.assert_array_equal(back, sums, strict=True)


@given(window=windows(), filters=st.integers(1, 3))
def test_convolution(window, filters):
    shape, hh, ww, pad, stride = window
    data = np.random.default_rng(3)
    x, w = data.standard_normal(shape), data.standard_normal((filters, shape[1], hh, ww))
    b = np.arange(filters)  # int64
    param = {"stride": stride, "pad": pad}
    out, cache = cs231n.conv_forward_fast(x, w, b, param)
    expected = reference.conv2d(x, w, b.astype(float), stride, pad)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12, strict=True)
    dout = data.standard_normal(out.shape)
    got = cs231n.conv_backward_fast(dout, cache)
    for one, other in zip(got, reference.conv2d_backward(dout, x, w, stride, pad), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, strict=True)


@given(window=windows())
def test_max_pooling(window):
    shape, hh, ww, _, stride = window
    x = np.random.default_rng(4).integers(0, 4, (*shape[:2], shape[2] + 4, shape[3] + 4))
    x = x.astype(np.float64)
    param = {"pool_height": hh, "pool_width": ww, "stride": stride}
    out, cache = cs231n.max_pool_forward_fast(x, param)
    expected, indices = reference.max_pool2d(x, (hh, ww), stride, return_indices=True)
    np.testing.assert_array_equal(out, expected, strict=True)
    dout = np.random.default_rng(5).standard_normal(out.shape)
    expected = reference.max_pool2d_backward(dout, indices, x.shape, (hh, ww), stride)
    dx = cs231n.max_pool_backward_fast(dout, cache)
    np.testing.assert_allclose(dx, expected, rtol=1e-14, atol=1e-15, strict=True)


def test_large_pooling_windows():
    x = rng.standard_normal((1, 2, 20, 17))
    param = {"pool_height": 20, "pool_width": 17, "stride": 1}
    out, cache = cs231n.max_pool_forward_fast(x, param)
    assert (out[:, :, 0, 0] == x.max(axis=(2, 3))).all()
    assert np.count_nonzero(cs231n.max_pool_backward_fast(np.ones_like(out), cache)) == 2


def test_float32_stays():
    x, w = np.ones((1, 1, 4, 4), "f4"), np.ones((1, 1, 3, 3), "f4")
    out, cache = cs231n.conv_forward_fast(x, w, np.zeros(1, "f4"), {"stride": 1, "pad": 1})
    pooled, pool_cache = cs231n.max_pool_forward_fast(
        out, {"pool_height": 2, "pool_width": 2, "stride": 2}
    )
    dout = cs231n.max_pool_backward_fast(pooled, pool_cache)
    results = [out, pooled, dout, *cs231n.conv_backward_fast(dout, cache)]
    assert {array.dtype for array in results} == {np.dtype("f4")}


def test_images_have_four_axes():
    image = np.ones((1, 4, 4))
    with pytest.raises(ValueError, match=r"x must be \(N, C, H, W\), got 3 axes"):
        cs231n.im2col_cython(image, 2, 2, 0, 1)
    with pytest.raises(ValueError, match=r"x must be \(N, C, H, W\), got 3 axes"):
        cs231n.conv_forward_fast(image, image[None], np.zeros(1), {"stride": 1, "pad": 0})


def test_all_work_is_done_by_the_core():
    x, w = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3))
    param = {"stride": 1, "pad": 1}
    pool = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = cs231n.conv_forward_fast(x, w, np.zeros(4), param)
    pooled, pool_cache = cs231n.max_pool_forward_fast(x, pool)
    cols = cs231n.im2col_cython(x, 3, 3, 1, 1)
    assert core_calls(cs231n.conv_forward_fast, x, w, np.zeros(4), param) == 1
    assert core_calls(cs231n.conv_backward_fast, out, cache) == 2
    assert core_calls(cs231n.max_pool_forward_fast, x, pool) == 1
    assert core_calls(cs231n.max_pool_backward_fast, pooled, pool_cache) == 1
    assert core_calls(cs231n.im2col_cython, x, 3, 3, 1, 1) == 1
    assert core_calls(cs231n.col2im_cython, cols, *x.shape, 3, 3, 1, 1) == 1
    six = np.ones((3, 3, 3, 2, 6, 6))
    assert core_calls(cs231n.col2im_6d_cython, six, *x.shape, 3, 3, 1, 1) == 1


# --- in place of the course's modules ------------------------------------------------------------

FAST_LAYERS = """
import numpy as np
try:
    from .im2col_cython import col2im_6d_cython, col2im_cython, im2col_cython
except ImportError:
    print("run the build")

def conv_forward_fast(x, w, b, conv_param):
    raise AssertionError

conv_backward_fast = max_pool_forward_fast = max_pool_backward_fast = conv_forward_fast
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A package laid out as the course's, its helper not compiled."""
    (tmp_path / "a_course").mkdir()
    (tmp_path / "a_course/__init__.py").touch()
    (tmp_path / "a_course/fast_layers.py").write_text(FAST_LAYERS)
    (tmp_path / "a_course/layer_utils.py").write_text("from .fast_layers import *\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "a_course"
    for name in [name for name in sys.modules if name.startswith("a_course")]:
        del sys.modules[name]


@pytest.mark.parametrize("imported_before", [False, True])
def test_install(course, imported_before, capsys):
    if imported_before:
        importlib.import_module("a_course.layer_utils")
        capsys.readouterr()
    with cs231n.install(course):
        users = importlib.import_module("a_course.layer_utils")
        helper = importlib.import_module("a_course.im2col_cython")
        assert users.conv_forward_fast is cs231n.conv_forward_fast
        assert users.max_pool_backward_fast is cs231n.max_pool_backward_fast
        assert helper.im2col_cython is cs231n.im2col_cython
        fast_layers = importlib.import_module("a_course.fast_layers")
        assert fast_layers.col2im_6d_cython is cs231n.col2im_6d_cython
        assert capsys.readouterr().out == ""
    assert "a_course.im2col_cython" not in sys.modules
    assert fast_layers.conv_forward_fast is not cs231n.conv_forward_fast


def test_install_before_the_course_can_be_found():
    with cs231n.install("no_such_course"):
        assert "no_such_course.im2col_cython" in sys.modules
    assert "no_such_course.im2col_cython" not in sys.modules
