"""Arrays of other makers: what shares its memory, what is refused, and in which words."""

from __future__ import annotations

import array as stdlib_array

import numpy as np
import pytest

import npconv
from npconv import checks

RNG = np.random.default_rng(0)
X = RNG.integers(-3, 4, (2, 3, 6, 6)).astype(np.float32)
W = RNG.integers(-3, 4, (4, 3, 3, 3)).astype(np.float32)
Y = npconv.conv2d(X, W)


class OnlyDLPack:
    """A tensor that gives its memory away by DLPack and has no other protocol."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __dlpack__(self, **kwargs):
        return self.data.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.data.__dlpack_device__()


class OnlyArray:
    """Something with ``__array__``."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __array__(self, dtype=None, copy=None):
        return self.data


class OnlyInterface:
    """Something with ``__array_interface__``."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.__array_interface__ = data.__array_interface__


class OnOtherDevice(OnlyDLPack):
    """A tensor on an accelerator: DLPack fails, and there is a copying way."""

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **kwargs):
        raise BufferError("not in main memory")

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("cannot convert to NumPy; use .cpu() first")


class Subclass(np.ndarray):
    """An array that would like its results to be like itself."""

    def __array_finalize__(self, other):
        self.note = "kept"


@pytest.mark.parametrize(
    "wrap", [OnlyDLPack, OnlyArray, OnlyInterface, memoryview, lambda a: a.view(Subclass)]
)
def test_foreign_arrays_share_their_memory(wrap):
    seen = checks.array(wrap(X), "x")
    assert type(seen) is np.ndarray
    assert np.shares_memory(seen, X)
    assert seen.shape == X.shape
    assert np.array_equal(npconv.conv2d(wrap(X), wrap(W)), Y)


def test_every_operation_takes_foreign_arrays():
    grad = np.ones_like(Y)
    pooled, indices = npconv.max_pool2d(OnlyDLPack(X), 2, return_indices=True)
    calls = [
        (npconv.conv2d(OnlyDLPack(X), OnlyArray(W), OnlyDLPack(W[:, 0, 0, 0])), None),
        (npconv.conv2d_input_grad(OnlyDLPack(grad), OnlyDLPack(W), X.shape), X.shape),
        (npconv.conv2d_weight_grad(OnlyDLPack(grad), OnlyArray(X), W.shape), W.shape),
        (npconv.max_pool2d_backward(OnlyArray(pooled), OnlyDLPack(indices), X.shape, 2), X.shape),
        (npconv.pad(OnlyDLPack(X), 1), (4, 5, 8, 8)),
        (npconv.pad_backward(OnlyDLPack(X), 1), (0, 1, 4, 4)),
        (npconv.im2col(OnlyDLPack(X), 2), (2, 12, 25)),
    ]
    for result, shape in calls:
        assert type(result) is np.ndarray
        assert shape is None or result.shape == shape


def test_results_of_subclasses_are_plain_arrays():
    with pytest.warns(PendingDeprecationWarning):
        image = np.matrix(np.eye(4))
    assert type(npconv.pad(image, 1)) is np.ndarray
    assert type(npconv.conv2d(X.view(Subclass), W)) is np.ndarray


def test_out_may_be_a_subclass():
    out = np.empty_like(Y).view(Subclass)
    assert npconv.conv2d(X, W, out=out) is out
    assert np.array_equal(out, Y)


def test_buffers_of_the_standard_library():
    flat = stdlib_array.array("d", [1, 2, 3, 4])
    assert npconv.pad(flat, 1).tolist() == [0, 1, 2, 3, 4, 0]
    assert np.shares_memory(checks.array(flat, "x"), np.frombuffer(flat))


def test_read_only_memory_is_read():
    read_only = X.copy()
    read_only.flags.writeable = False
    for wrapped in (OnlyArray(read_only), memoryview(read_only), OnlyDLPack(read_only)):
        assert np.array_equal(npconv.conv2d(wrapped, W), Y)


def test_what_cannot_be_had_is_refused_in_its_own_words():
    with pytest.raises(TypeError, match=r"x cannot be made an array: .*use \.cpu\(\) first"):
        npconv.conv2d(OnOtherDevice(X), W)
    with pytest.raises(TypeError, match=r"x is object"):
        npconv.conv2d(np.full((1, 3, 4, 4), None), W)
    with pytest.raises(ValueError, match=r"x cannot be made an array"):
        npconv.conv2d([[1.0], [1.0, 2.0]], W)


def test_masks_are_never_dropped():
    masked = np.ma.masked_array(X)
    for given in (masked, OnlyArray(masked), [masked[0], masked[1]], [[masked[0, 0]]]):
        with pytest.raises(TypeError, match=r"x (is|holds) a masked array"):
            npconv.conv2d(given, W)


def test_pytorch_tensors_are_read_in_place():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    seen = checks.array(tensor, "x")
    assert np.shares_memory(seen, X)
    assert np.array_equal(npconv.conv2d(tensor, torch.from_numpy(W)), Y)
    # Strides are the tensor's.
    turned = tensor.transpose(2, 3)
    assert np.array_equal(npconv.conv2d(turned, W), npconv.conv2d(X.swapaxes(2, 3), W))
    with pytest.raises(TypeError, match=r"x cannot be made an array: .*detach\(\)"):
        npconv.conv2d(tensor.clone().requires_grad_(), W)
