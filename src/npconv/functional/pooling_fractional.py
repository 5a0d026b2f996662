"""Fractional max-pooling and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.convolution import PerAxis
from npconv.functional.pooling_max_calls import pick_windows, send_back_windows
from npconv.functional.texts import like
from npconv.geometry import PoolGeometry, fractional_geometry, fractional_starts
from npconv.runtime import options


def fractional_max_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    output_size: PerAxis | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    *,
    rng: np.random.Generator | None = None,
    random_samples: ArrayLike | None = None,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest values of windows at random distances.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    The steps between windows are of two neighbouring lengths in a random order, drawn for each
    channel of each image (Graham, "Fractional max-pooling"); windows overlap or leave gaps as they
    fall. Along an axis of H elements, with a sample u, window i < OH - 1 starts at
    floor((i + u) a) - floor(u a), where a = (H - kernel) / (OH - 1), and the last at H - kernel, as
    in PyTorch.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, of the dtypes of :func:`npconv.max_pool2d`.
    kernel_size : int or (int, int)
        The height and width of a window.
    output_size : int or (int, int), optional
        How many windows there are along each axis.
    output_ratio : float or (float, float), optional
        Instead, a share of x's size between 0 and 1; the size is rounded down.
    return_indices : bool
        Also return where each value was found: flat positions in the image, int64.
    rng : numpy.random.Generator, optional
        What draws the samples. There is no hidden generator: this or `random_samples` is needed.
    random_samples : array_like, (N, C, 2), optional
        Samples in [0, 1), for W, then H, as PyTorch takes them.
    layout : {"NCHW", "NHWC"}
        The order of the axes, of the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the values: of their shape and x's dtype, with any strides, apart from x.

    Returns
    -------
    y : ndarray, (N, C, OH, OW) or (C, OH, OW)
        `out`, or a new C-contiguous array.
    indices : ndarray of int64, of y's shape
        With ``return_indices=True`` only.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.arange(25.).reshape(1, 5, 5)
    >>> npconv.fractional_max_pool2d(x, 2, 3, random_samples=np.zeros((1, 1, 2)))
    array([[[ 6.,  7.,  9.],
            [11., 12., 14.],
            [21., 22., 24.]]])
    """
    return _fractional_max_pool(
        2, x, kernel_size, output_size, output_ratio, return_indices, rng, random_samples, layout,
        isa, num_threads, out,
    )  # fmt: skip


def fractional_max_pool2d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`fractional_max_pool2d`.

    ::

        (N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W)

    Each value of `grad` goes to the element that was the largest of its window.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output.
    indices : array_like of integers, of grad's shape
        As the forward call returned them.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the input.
    layout : {"NCHW", "NHWC"}
        The order of the axes.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of shape `input_shape`

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together, or an index lies outside of the image.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, samples = np.arange(9.).reshape(1, 3, 3), np.zeros((1, 1, 2))
    >>> y, at = npconv.fractional_max_pool2d(x, 2, 1, None, True, random_samples=samples)
    >>> npconv.fractional_max_pool2d_backward(np.ones_like(y), at, x.shape)
    array([[[0., 0., 0.],
            [0., 0., 0.],
            [0., 0., 1.]]])
    """
    return _fractional_max_pool_backward(2, grad, indices, input_shape, layout, isa, num_threads)


@like(fractional_max_pool2d, 3)
def fractional_max_pool3d(
    x: ArrayLike,
    kernel_size: PerAxis,
    output_size: PerAxis | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    *,
    rng: np.random.Generator | None = None,
    random_samples: ArrayLike | None = None,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest values of windows at random distances.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, rng = np.arange(27.).reshape(1, 3, 3, 3), np.random.default_rng(0)
    >>> npconv.fractional_max_pool3d(x, 2, 2, rng=rng).shape
    (1, 2, 2, 2)
    """
    return _fractional_max_pool(
        3, x, kernel_size, output_size, output_ratio, return_indices, rng, random_samples, layout,
        isa, num_threads, out,
    )  # fmt: skip


@like(fractional_max_pool2d_backward, 3)
def fractional_max_pool3d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`fractional_max_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, rng = np.arange(27.).reshape(1, 3, 3, 3), np.random.default_rng(0)
    >>> y, indices = npconv.fractional_max_pool3d(x, 2, 2, rng=rng, return_indices=True)
    >>> int(npconv.fractional_max_pool3d_backward(np.ones_like(y), indices, x.shape).sum())
    8
    """
    return _fractional_max_pool_backward(3, grad, indices, input_shape, layout, isa, num_threads)


# --- for both numbers of dimensions ----------------------------------------------------------


def samples_of(shape: tuple[int, ...], rng: object, random_samples: object) -> Array:
    """Check or draw the samples, (N, C, axes)."""
    ndim = len(shape) - 2
    wanted = (*shape[:2], ndim)
    if random_samples is None:
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"rng must be a numpy.random.Generator where random_samples are not given, got "
                f"{checks.show(rng)}"
            )
        return rng.random(wanted)
    samples = checks.array(random_samples, "random_samples")
    checks.same_shape(samples, "random_samples", wanted, "(N, C, axes)")
    if samples.dtype.kind != "f":
        raise TypeError(f"random_samples is {samples.dtype}; expected a float dtype")
    if not ((samples >= 0) & (samples < 1)).all():
        raise ValueError("random_samples must lie in [0, 1)")
    return samples.astype(np.float64)


def _fractional_max_pool(
    ndim: int,
    x: object,
    kernel_size: object,
    output_size: object,
    output_ratio: object,
    return_indices: object,
    rng: object,
    random_samples: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array | tuple[Array, Array]:
    how = options(isa=isa, num_threads=num_threads)
    wanted = np.dtype(np.int64) if checks.flag(return_indices, "return_indices") else None
    given = calls.images(x, "x", ndim, layout)
    geometry = fractional_geometry(ndim, given.shape, kernel_size, output_size, output_ratio)
    starts = fractional_starts(geometry, samples_of(given.shape, rng, random_samples))
    return pick_windows(geometry, False, given, wanted, "flat", how, out, given, starts)


def _fractional_max_pool_backward(
    ndim: int,
    grad: object,
    indices: object,
    input_shape: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    shape, batched, last = calls.input_shape(input_shape, ndim, layout)
    given = calls.images(grad, "grad", ndim, layout)
    sizes = given.shape[2:] if given.batched == batched else shape[2:]
    geometry = scattered(ndim, shape, sizes)
    return send_back_windows(geometry, grad, indices, "flat", batched, last, how)


def scattered(ndim: int, shape: tuple[int, ...], sizes: tuple[int, ...]) -> PoolGeometry:
    """Describe a pooling of which only the indices say where its windows were."""
    ones = (1,) * (3 - ndim)
    d, h, w = (*ones, *shape[2:])
    e, i, k = (*ones, *sizes)
    none, one = (0, 0, 0), (1, 1, 1)
    return PoolGeometry(
        ndim, shape[0], shape[1], (d, h, w), one, (e, i, k), one, one, none, none, adaptive=True
    )
