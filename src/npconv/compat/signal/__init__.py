"""scipy.signal's and scipy.ndimage's convolutions, for images and stacks of images.

::

    from npconv.compat.signal import convolve2d, correlate2d, ndimage

    blurred = convolve2d(images, kernel, mode="same", boundary="symm")
    edges = ndimage.correlate(images, sobel, mode="nearest")

Arguments and results are SciPy's. Where SciPy takes one image, these take any number of axes before
the image's, and filter each image of the stack.
"""

from npconv.compat.signal import ndimage
from npconv.compat.signal._convolve2d import convolve2d, correlate2d

__all__ = ["convolve2d", "correlate2d", "ndimage"]
