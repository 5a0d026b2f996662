"""The book's layers, beside plain NumPy ones in its style (examples/dropin/common)."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from dropin import core_calls, example
from hypothesis import given
from hypothesis import strategies as st

from npconv import reference
from npconv.compat import book

rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def plain():
    """The plain layers and functions, of common.layers, which imports common.util."""
    with example("common.layers") as (layers,):
        return layers


@pytest.fixture(autouse=True)
def restore_dtype():
    yield
    book.set_dtype(np.float64)


@st.composite
def windows(draw):
    """Shape (N, C, H, W), filter height and width, stride and padding."""
    fh, fw = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    pad = draw(st.integers(0, 2))
    h = draw(st.integers(max(1, fh - 2 * pad), 9))
    w = draw(st.integers(max(1, fw - 2 * pad), 9))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), h, w)
    return shape, fh, fw, draw(st.integers(1, 3)), pad


# --- functions ---------------------------------------------------------------------------------


@given(window=windows())
def test_im2col_and_col2im(plain, window):
    shape, *rest = window
    x = np.random.default_rng(1).standard_normal(shape)
    col = book.im2col(x, *rest)
    np.testing.assert_array_equal(col, plain.im2col(x, *rest), strict=True)
    back = book.col2im(col, shape, *rest)
    np.testing.assert_allclose(back, plain.col2im(col, shape, *rest), rtol=1e-14, strict=True)
    assert col.flags.writeable
    assert back.flags.writeable


def test_functions_give_float64_unless_asked():
    x = np.arange(32, dtype=np.uint8).reshape(1, 2, 4, 4)
    col = book.im2col(x, 2, 2)
    assert col.dtype == np.float64
    assert col.max() == 31
    assert book.col2im(np.ones(col.shape, np.int64), x.shape, 2, 2).dtype == np.float64
    assert book.im2col(x, 2, 2, dtype=np.float32).dtype == np.float32
    book.set_dtype("float32")
    assert book.im2col(x, 2, 2).dtype == np.float32
    assert book.col2im(col, x.shape, 2, 2).dtype == np.float32


# --- layers ------------------------------------------------------------------------------------


@given(window=windows(), filters=st.integers(1, 4))
def test_convolution(plain, window, filters):
    (n, c, h, w), fh, fw, stride, pad = window
    data = np.random.default_rng(2)
    x, W = data.standard_normal((n, c, h, w)), data.standard_normal((filters, c, fh, fw))
    ours = book.Convolution(W, data.standard_normal(filters), stride, pad)
    theirs = plain.Convolution(ours.W, ours.b, stride, pad)
    out, expected = ours.forward(x), theirs.forward(x)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12, strict=True)
    dout = data.standard_normal(out.shape)
    dx, expected_dx = ours.backward(dout), theirs.backward(dout)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-12, atol=1e-12, strict=True)
    np.testing.assert_allclose(ours.dW, theirs.dW, rtol=1e-12, atol=1e-12, strict=True)
    np.testing.assert_allclose(ours.db, theirs.db, rtol=1e-12, atol=1e-12, strict=True)


@given(window=windows())
def test_pooling(plain, window):
    shape, fh, fw, stride, _ = window
    shape = (*shape[:2], max(shape[2], fh), max(shape[3], fw))
    x = np.random.default_rng(3).integers(0, 4, shape)  # many equal values
    ours, theirs = book.Pooling(fh, fw, stride), plain.Pooling(fh, fw, stride)
    out = ours.forward(x)
    np.testing.assert_array_equal(out, theirs.forward(x), strict=True)
    dout = np.random.default_rng(4).standard_normal(out.shape)
    np.testing.assert_allclose(
        ours.backward(dout), theirs.backward(dout), rtol=1e-14, atol=1e-15, strict=True
    )


def test_pooling_of_padded_images():
    x = -rng.random((2, 3, 5, 6))  # padding of zeros would be the largest
    pool = book.Pooling(3, 2, stride=2, pad=1)
    expected, indices = reference.max_pool2d(x, (3, 2), 2, 1, return_indices=True)
    out = pool.forward(x)
    np.testing.assert_array_equal(out, expected, strict=True)
    dout = rng.standard_normal(out.shape)
    expected = reference.max_pool2d_backward(dout, indices, x.shape, (3, 2), 2, 1)
    np.testing.assert_array_equal(pool.backward(dout), expected, strict=True)


def test_pooling_of_large_windows():
    x = rng.standard_normal((1, 2, 20, 17))
    pool = book.Pooling(20, 17)  # 340 positions, more than a byte counts
    assert (pool.forward(x)[:, :, 0, 0] == x.max(axis=(2, 3))).all()
    assert np.count_nonzero(pool.backward(np.ones((1, 2, 1, 1)))) == 2


def test_strides_are_the_books():
    assert book.Convolution(np.ones((1, 1, 2, 2)), 0).stride == 1
    assert book.Pooling(2, 2).stride == 2


@pytest.mark.parametrize("b", [0.5, 2, np.float32(0.5), np.full((1, 4), 0.5), None])
def test_forms_of_bias(b):
    x, W = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 2))
    conv = book.Convolution(W, b)
    expected = reference.conv2d(x, W) + (0 if b is None else np.float64(np.max(b)))
    np.testing.assert_allclose(conv.forward(x), expected, rtol=1e-13)
    conv.backward(expected)
    assert conv.db.shape == (4,)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", ">f8"])
def test_results_are_float64_whatever_goes_in(dtype):
    x = rng.integers(0, 9, (2, 3, 6, 5)).astype(dtype)
    W = rng.integers(0, 9, (4, 3, 3, 2)).astype(dtype)
    conv, pool = book.Convolution(W, np.arange(4).astype(dtype)), book.Pooling(2, 2)
    out = conv.forward(x)
    expected = reference.conv2d(x.astype(float), W.astype(float), np.arange(4.0))
    np.testing.assert_array_equal(out, expected, strict=True)
    pooled = pool.forward(x)
    results = [conv.backward(out.astype(dtype)), conv.dW, conv.db, pooled]
    results.append(pool.backward(pooled.astype(dtype)))
    assert {array.dtype for array in results} == {np.dtype("f8")}


def test_float32_as_an_option():
    x, W = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 2))
    conv, pool = book.Convolution(W, 0, dtype="float32"), book.Pooling(2, 2, dtype="float32")
    out = conv.forward(x)
    pooled = pool.forward(out)
    results = [out, pooled, pool.backward(pooled), conv.backward(out), conv.dW, conv.db]
    assert {array.dtype for array in results} == {np.dtype("f4")}
    np.testing.assert_allclose(out, reference.conv2d(x, W), rtol=1e-5, atol=1e-5)
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got int64"):
        book.Pooling(2, 2, dtype=int)


def test_weights_are_read_at_every_call():
    x, W, b = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), np.zeros(1)
    conv = book.Convolution(W, b)
    assert conv.forward(x).item() == 4
    W *= 2
    b += 1
    assert conv.forward(x).item() == 9
    W *= 2  # between forward and backward, as by numerical differentiation: the book's view sees it
    assert (conv.backward(np.ones((1, 1, 1, 1))) == 4).all()
    conv.W, conv.b = np.full((1, 1, 2, 2), 7.0), 0
    assert conv.forward(x).item() == 28
    assert (conv.backward(np.ones((1, 1, 1, 1))) == 7).all()


def test_gradients_belong_to_the_images_of_the_forward_call():
    x = rng.standard_normal((1, 1, 4, 4))
    conv = book.Convolution(np.ones((1, 1, 4, 4)), 0)
    kept = x.copy()
    conv.forward(x)
    x += 100
    conv.backward(np.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(conv.dW, kept)


def test_results_are_fresh_and_writable():
    x, W = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3))
    conv, pool = book.Convolution(W, 0.0), book.Pooling(2, 2)
    out = conv.forward(x)
    pooled = pool.forward(out)
    dout = pool.backward(np.ones_like(pooled))
    dx = conv.backward(dout)
    expected = [array.copy() for array in (out, pooled, dout, dx)]
    for array in (out, pooled, dout, dx):
        array[:] = 0  # as Relu.backward does
    again = [conv.forward(x)]
    again += [pool.forward(again[0])]
    again += [pool.backward(np.ones_like(pooled))]
    again += [conv.backward(again[2])]
    for array, same in zip(again, expected, strict=True):
        np.testing.assert_array_equal(array, same)


def test_backward_before_forward():
    for layer in (book.Convolution(np.ones((1, 1, 1, 1)), 0), book.Pooling(2, 2)):
        with pytest.raises(RuntimeError, match="backward was called before forward"):
            layer.backward(np.ones((1, 1, 1, 1)))


def test_images_have_four_axes():
    image = np.ones((1, 4, 4))
    for call in (
        book.Convolution(np.ones((1, 1, 1, 1)), 0).forward,
        book.Pooling(2, 2).forward,
        lambda x: book.im2col(x, 2, 2),
    ):
        with pytest.raises(ValueError, match=r"must be \(N, C, H, W\), got 3 axes"):
            call(image)


def test_all_work_is_done_by_the_core():
    x, W = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3))
    conv, pool = book.Convolution(W, 0.0), book.Pooling(2, 2)
    assert core_calls(conv.forward, x) == 1
    assert core_calls(conv.backward, np.ones((2, 4, 4, 4))) == 2
    assert core_calls(pool.forward, x) == 1
    assert core_calls(pool.backward, np.ones((2, 3, 3, 3))) == 1
    assert core_calls(book.im2col, x, 2, 2) == 1
    assert core_calls(book.col2im, book.im2col(x, 2, 2), x.shape, 2, 2) == 1


# --- in a network ------------------------------------------------------------------------------


def test_training_follows_the_same_losses():
    with example("book_convnet") as (script,):
        before = script.train(steps=300, batch=10, side=12)
        with book.install():
            after = script.train(steps=300, batch=10, side=12)
    assert len(after.losses) == 300
    assert before.losses[-20:].mean() < 0.5 * before.losses[0]  # learns something
    np.testing.assert_allclose(after.losses, before.losses, rtol=1e-12)
    assert (after.losses != before.losses).any()  # other sums


def test_install_and_undo(monkeypatch):
    user = ModuleType("chapter_of_the_book")
    with example("common.layers", "common.util") as (layers, util):
        user.im2col, user.Convolution, user.Pooling = layers.im2col, layers.Convolution, object
        monkeypatch.setitem(sys.modules, "chapter_of_the_book", user)
        originals = layers.Convolution, layers.Pooling, layers.Relu, util.im2col, util.col2im
        installed = book.install(dtype="float32")
        assert (layers.Convolution, layers.Pooling) == (book.Convolution, book.Pooling)
        assert (layers.im2col, layers.col2im) == (book.im2col, book.col2im)
        assert (util.im2col, util.col2im) == (book.im2col, book.col2im)
        assert (user.im2col, user.Convolution) == (book.im2col, book.Convolution)
        assert user.Pooling is object  # of its own
        assert layers.Relu is originals[2]
        assert book.Pooling(2, 2).dtype == np.float32
        assert not issubclass(layers.Convolution, originals[0])
        for _ in range(2):
            installed.undo()
            now = layers.Convolution, layers.Pooling, layers.Relu, util.im2col, util.col2im
            assert now == originals
            assert (user.im2col, user.Convolution) == (originals[3], originals[0])
            assert book.Pooling(2, 2).dtype == np.float64


def test_install_into_given_modules():
    with example("common.layers", "common.util") as (layers, util):
        original = layers.Pooling
        with book.install(layers, util):
            assert layers.Pooling is book.Pooling
            with book.install(layers, util):  # once more changes nothing
                assert layers.Pooling is book.Pooling
        assert layers.Pooling is original


def test_install_without_the_book():
    with pytest.raises(ModuleNotFoundError, match="common"):
        book.install()
