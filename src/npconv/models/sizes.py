"""The arithmetic that every text on convolutional networks begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npconv import checks
from npconv.geometry import conv_geometry, pool_geometry
from npconv.layers.layer import Layer


def count_parameters(model: Layer) -> int:
    """Count the trained numbers of a layer or network, buffers not among them.

    Examples
    --------
    >>> import numpy as np
    >>> from npconv.layers import Conv2d
    >>> from npconv.models import count_parameters
    >>> count_parameters(Conv2d(3, 64, 7, rng=np.random.default_rng(0)))
    9472
    """
    return sum(int(value.size) for value in model.params.values())


def output_size(
    input_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
) -> int | tuple[int, ...]:
    """Compute how large the output of a convolution or a pooling is.

    ``(input + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1`` along each axis.

    Parameters
    ----------
    input_size : int or (int, int)
        The image's side, or its height and width.
    kernel_size, stride, padding, dilation
        As in :func:`npconv.conv2d`.
    ceil_mode : bool
        As in :func:`npconv.max_pool2d`: whether a last window may reach out of the image.

    Returns
    -------
    int or (int, int)
        As many numbers as `input_size` has.

    Raises
    ------
    TypeError, ValueError
        As the operations: where a number is not an integer, or no window fits.

    Examples
    --------
    >>> from npconv.models import output_size
    >>> output_size(224, 7, stride=2, padding=3)
    112
    >>> output_size((28, 20), 5)
    (24, 16)
    >>> output_size(112, 3, stride=2, ceil_mode=True)
    56
    """
    height, width = checks.per_axis(input_size, "input_size", 2, 0)
    kernel = checks.per_axis(kernel_size, "kernel_size", 2, 1)
    images = (1, 1, height, width)
    if ceil_mode:
        geometry: Any = pool_geometry(
            2, images, kernel, stride, padding, dilation, ceil_mode, input_name="the image"
        )
    else:
        geometry = conv_geometry(
            2, images, (1, 1, *kernel), stride, padding, dilation, input_name="the image"
        )
    sides: tuple[int, ...] = geometry.output_shape[2:]
    return sides[0] if isinstance(input_size, int) and sides[0] == sides[1] else sides
