"""Every output size in npconv, computed in Python integers.

The functions here take what the caller passed, refuse what does not fit together, and return
a geometry: a flat record of checked integers that the C core is handed as it is. Sizes are
computed nowhere else.

A geometry always has three spatial dimensions (D, H, W); an operation on fewer of them has
ones in front (zeros for padding). Along every axis::

    padded = input + pad_before + pad_after
    window = dilation * (kernel - 1) + 1
    output = (padded - window) // stride + 1

A geometry can be trusted to fit in C: every extent, stride and dilation is at most 2**62 and
every array it describes has a byte count below 2**63. A stride between windows or a dilation
between taps that does not exist (there is one window, or one tap) is cut to the padded extent,
which changes nothing.
"""

from npconv.geometry.convolution import (
    ConvGeometry,
    columns_geometry,
    conv_geometry,
    pixels_geometry,
)
from npconv.geometry.padding import (
    PadGeometry,
    check_pad,
    pad_backward_geometry,
    pad_geometry,
)
from npconv.geometry.pooling import (
    PoolGeometry,
    adaptive_geometry,
    fractional_geometry,
    fractional_starts,
    global_geometry,
    pool_geometry,
    unpool_geometry,
)
from npconv.geometry.transposed import (
    transposed_geometry,
)

__all__ = [
    "ConvGeometry",
    "PadGeometry",
    "PoolGeometry",
    "adaptive_geometry",
    "check_pad",
    "columns_geometry",
    "conv_geometry",
    "fractional_geometry",
    "fractional_starts",
    "global_geometry",
    "pad_backward_geometry",
    "pad_geometry",
    "pixels_geometry",
    "pool_geometry",
    "transposed_geometry",
    "unpool_geometry",
]
