"""Every mistake in a call gives the right class of error, in words, before anything is done.

One row per mistake: the call, the class, and what the message must contain (argument, value,
expectation). Every row runs against the fast functions; those that the reference shares run
against it too, because one validator serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import npconv
from npconv import _native

F32 = np.float32


def ones(*shape, dtype=F32):
    return np.ones(shape, dtype)


X = ones(2, 4, 6, 6)
W = ones(6, 4, 3, 3)
GRAD = ones(2, 6, 4, 4)
POOLED = ones(2, 4, 3, 3)
INDICES = np.zeros((2, 4, 3, 3), np.int64)
COLS = ones(2, 36, 16)


def conv(x=X, weight=W, *args, **kwargs):
    return lambda api: api.conv2d(x, weight, *args, **kwargs)


def input_grad(grad=GRAD, weight=W, input_shape=X.shape, *args, **kwargs):
    return lambda api: api.conv2d_input_grad(grad, weight, input_shape, *args, **kwargs)


def weight_grad(grad=GRAD, x=X, weight_shape=W.shape, *args, **kwargs):
    return lambda api: api.conv2d_weight_grad(grad, x, weight_shape, *args, **kwargs)


def backward(grad=GRAD, x=X, weight=W, *args, **kwargs):
    return lambda api: api.conv2d_backward(grad, x, weight, *args, **kwargs)


def pool(x=X, kernel_size=2, *args, **kwargs):
    return lambda api: api.max_pool2d(x, kernel_size, *args, **kwargs)


def pool_backward(grad=POOLED, indices=INDICES, input_shape=X.shape, kernel=2, *args, **kwargs):
    return lambda api: api.max_pool2d_backward(grad, indices, input_shape, kernel, *args, **kwargs)


def pad(x=X, pad_width=1, *args, **kwargs):
    return lambda api: api.pad(x, pad_width, *args, **kwargs)


def pad_backward(grad=X, pad_width=1, *args, **kwargs):
    return lambda api: api.pad_backward(grad, pad_width, *args, **kwargs)


def im2col(x=X, kernel_size=3, *args, **kwargs):
    return lambda api: api.im2col(x, kernel_size, *args, **kwargs)


def col2im(cols=COLS, input_shape=X.shape, kernel_size=3, *args, **kwargs):
    return lambda api: api.col2im(cols, input_shape, kernel_size, *args, **kwargs)


class Row(NamedTuple):
    call: Callable
    error: type[Exception]
    words: tuple[str, ...]


def row(call, error, *words):
    return Row(call, error, words)


def test_the_calls_are_right_without_the_mistakes():
    for call in (
        conv, input_grad, weight_grad, backward, pool, pool_backward, pad, pad_backward, im2col,
        col2im,
    ):  # fmt: skip
        call()(npconv)
        call()(npconv.reference)


# --- integers: stride, dilation, groups, kernel size, padding ----------------------------------

WRONG_INTEGERS = [
    # value, error, words
    (0, ValueError, "at least 1, got 0"),
    (-1, ValueError, "at least 1, got -1"),
    (-(2**70), ValueError, f"at least 1, got {-(2**70)}"),
    (1.5, TypeError, "must be an integer, got 1.5 (float)"),
    (1.0, TypeError, "must be an integer, got 1.0 (float)"),
    (np.float32(2), TypeError, "must be an integer, got"),
    (True, TypeError, "must be an integer, got True (bool)"),
    (np.True_, TypeError, "must be an integer, got"),
    ("2", TypeError, "must be an integer, got '2'"),
    (1j, TypeError, "must be an integer, got 1j (complex)"),
    ((1, 0), ValueError, "at least 1, got 0"),
    ((1, True), TypeError, "must be an integer, got True (bool)"),
    ((1, 2.0), TypeError, "must be an integer, got 2.0 (float)"),
    (np.array([1.0, 1.0]), TypeError, "must be an integer, got 1.0 (float)"),
    (np.array([True, True]), TypeError, "must be an integer, got True (bool)"),
    (np.array(1.5), TypeError, "must be an integer, got 1.5"),
    ((), ValueError, "one integer or 2 (H, W), got 0 values: ()"),
    ((1,), ValueError, "one integer or 2 (H, W), got 1 values: (1)"),
    ([1, 2, 3], ValueError, "one integer or 2 (H, W), got 3 values: [1, 2, 3]"),
    (np.ones(3, int), ValueError, "one integer or 2 (H, W), got 3 values"),
    (((1, 1), (1, 1)), TypeError, "must be an integer, got (1, 1)"),
    ({1, 2}, TypeError, "must be an integer, got {1, 2} (set)"),
]

INTEGER_ROWS = [
    row(call, error, f"{name} must be", words)
    for value, error, words in WRONG_INTEGERS
    for name, call in (
        ("stride", conv(stride=value)),
        ("dilation", conv(dilation=value)),
        ("stride", input_grad(stride=value)),
        ("dilation", weight_grad(dilation=value)),
        ("kernel_size", pool(kernel_size=value)),
        ("stride", pool(stride=value)),
        ("dilation", pool_backward(dilation=value)),
        ("kernel_size", im2col(kernel_size=value)),
        ("stride", col2im(stride=value)),
    )
]

WRONG_GROUPS = [
    (0, ValueError, "groups must be at least 1, got 0"),
    (-2, ValueError, "groups must be at least 1, got -2"),
    (2.0, TypeError, "groups must be an integer, got 2.0 (float)"),
    (True, TypeError, "groups must be an integer, got True (bool)"),
    (None, TypeError, "groups must be an integer, got None"),
    ((1, 1), TypeError, "groups must be an integer, got (1, 1)"),
]
GROUP_ROWS = [
    row(make(groups=value), error, words)
    for value, error, words in WRONG_GROUPS
    for make in (conv, input_grad, weight_grad, backward)
]

FORMS = "an integer, (h, w), ((top, bottom), (left, right)), 'same' or 'valid'"
WRONG_PADDINGS = [
    (-1, ValueError, "padding must be at least 0, got -1"),
    ((0, -1), ValueError, "padding must be at least 0, got -1"),
    (((0, 0), (0, -3)), ValueError, "padding must be at least 0, got -3"),
    (1.0, TypeError, "padding must be an integer, got 1.0 (float)"),
    (False, TypeError, "padding must be an integer, got False (bool)"),
    (None, TypeError, "padding must be an integer, got None"),
    ((1, False), TypeError, "padding must be an integer, got False (bool)"),
    (((0, 0), (0, 0.5)), TypeError, "padding must be an integer, got 0.5 (float)"),
    ("full", ValueError, f"padding must be {FORMS}, got 'full'"),
    ("SAME", ValueError, f"padding must be {FORMS}, got 'SAME'"),
    ((1, 1, 1), ValueError, f"padding must be {FORMS}, got 3 values: (1, 1, 1)"),
    (((1, 1),), ValueError, f"padding must be {FORMS}, got 1 values: ((1, 1))"),
    (((1, 1), 1), ValueError, f"padding must be {FORMS}, got ((1, 1), 1)"),
    (((1, 1), (1,)), ValueError, f"padding must be {FORMS}, got ((1, 1), (1))"),
    (np.ones((2, 3), int), ValueError, f"padding must be {FORMS}, got"),
    (np.ones((2, 2)), TypeError, "padding must be an integer, got 1.0 (float)"),
]
PADDING_ROWS = [
    row(make(padding=value), error, words)
    for value, error, words in WRONG_PADDINGS
    for make in (conv, backward, pool, im2col, col2im)
]

# --- sizes that do not fit ---------------------------------------------------------------------

SIZE_ROWS = [
    row(
        conv(ones(1, 8, 5, 5), ones(4, 3, 3, 3), groups=2),
        ValueError,
        "weight has 3 input channels per group, x has 8 channels and groups=2 needs 4",
    ),
    row(conv(groups=3), ValueError, "x has 4 channels, which groups=3 does not divide"),
    row(conv(groups=2**62), ValueError, f"x has 4 channels, which groups={2**62} does not divide"),
    row(
        conv(weight=ones(5, 2, 3, 3), groups=2),
        ValueError,
        "weight has 5 output channels, which groups=2 does not divide",
    ),
    row(
        input_grad(input_shape=(2, 5, 6, 6)),
        ValueError,
        "weight has 4 input channels per group, input_shape has 5 channels and groups=1 needs 5",
    ),
    row(
        weight_grad(weight_shape=(6, 2, 3, 3)),
        ValueError,
        "weight_shape has 2 input channels per group, x has 4 channels and groups=1 needs 4",
    ),
    row(
        conv(weight=ones(6, 4, 7, 3)),
        ValueError,
        "the window is larger than the padded x along H",
        "kernel 7 with dilation 1 covers 7, x has 6 + padding 0 + 0 = 6",
    ),
    row(
        conv(dilation=(1, 4), padding=((0, 0), (1, 1))),
        ValueError,
        "along W: kernel 3 with dilation 4 covers 9, x has 6 + padding 1 + 1 = 8",
    ),
    row(
        conv(dilation=2**62),
        ValueError,
        f"kernel 3 with dilation {2**62} covers {2**63 + 1}, x has 6 + padding 0 + 0 = 6",
    ),
    row(conv(dilation=2**31), ValueError, f"dilation {2**31} covers {2**32 + 1}"),
    row(conv(dilation=2**20000), ValueError, "covers a 20002-bit integer"),
    row(
        conv(padding=2**62),
        ValueError,
        f"x is 6 long along H, and padding it by {2**62} + {2**62} passes the largest size, 2**62",
    ),
    row(conv(padding=2**31), ValueError, "the output would have shape (2, 6,", "too large"),
    row(conv(padding=2**20000), ValueError, "padding it by a 20001-bit integer"),
    row(im2col(padding=2**31), ValueError, "the array of columns would have shape", "too large"),
    row(pool(padding=2**62, kernel_size=2**63), ValueError, f"padding it by {2**62} + {2**62}"),
    row(conv(x=ones(1, 4, 0, 6)), ValueError, "along H", "x has 0 + padding 0 + 0 = 0"),
    row(conv(x=ones(1, 4, 0, 6), padding="same"), ValueError, "x has 0 + padding"),
    row(
        conv(weight=ones(6, 4, 0, 3)), ValueError, "weight has shape (6, 4, 0, 3)", "empty along H"
    ),
    row(weight_grad(weight_shape=(6, 4, 3, 0)), ValueError, "weight_shape has shape", "along W"),
    row(
        weight_grad(weight_shape=(6, 4, 2**62, 3)),
        ValueError,
        f"kernel {2**62} with dilation 1 covers {2**62}, x has 6",
    ),
    row(
        input_grad(input_shape=(2, 4, 2**62, 2**62)),
        ValueError,
        f"input_shape would have shape (2, 4, {2**62}, {2**62}), which is too large to address",
    ),
    row(input_grad(input_shape=(2, 4, 2**70, 6)), ValueError, f"input_shape is {2**70} long"),
    row(pool(kernel_size=7), ValueError, "kernel 7 with dilation 1 covers 7, x has 6"),
    row(pool(kernel_size=2**62), ValueError, f"kernel {2**62} with dilation 1"),
    row(
        pool(padding=2),
        ValueError,
        "padding must be smaller than the window along H: padding is 2 + 2, "
        "kernel 2 with dilation 1 covers 2",
    ),
    row(pool(padding=((1, 1), (0, 2))), ValueError, "along W: padding is 0 + 2"),
    row(
        pool(x=ones(1, 1, 6, 1), padding=((0, 0), (2, 1)), dilation=(1, 3)),
        ValueError,
        "a window lies wholly in the padding along W: x has 1, padding 2 + 1, kernel 2, dilation 3",
    ),
    row(pool(x=ones(1, 1, 0, 6), padding=1), ValueError, "wholly in the padding along H: x has 0"),
    row(im2col(kernel_size=(3, 7)), ValueError, "along W: kernel 7"),
    row(
        col2im(kernel_size=7),
        ValueError,
        "the window is larger than the padded input_shape along H",
    ),
]

# --- ranks and shapes --------------------------------------------------------------------------

SHAPE_ROWS = [
    row(
        conv(x=ones(6, 6)),
        ValueError,
        "x must be (N, C, H, W) or (C, H, W), got 2 axes: shape (6, 6)",
    ),
    row(conv(x=ones(1, 1, 4, 6, 6)), ValueError, "x must be (N, C, H, W)", "got 5 axes"),
    row(conv(x=1.0), ValueError, "x must be (N, C, H, W)", "got 0 axes: shape ()"),
    row(conv(weight=ones(4, 3, 3)), ValueError, "weight must be (K, C/groups, R, S), got 3 axes"),
    row(conv(weight=[[1.0]]), ValueError, "weight must be (K, C/groups, R, S), got 2 axes"),
    row(conv(bias=ones(5)), ValueError, "bias has shape (5,), expected (6,)", "output channel"),
    row(conv(bias=ones(1, 6)), ValueError, "bias has shape (1, 6), expected (6,)"),
    row(conv(bias=1.0), ValueError, "bias has shape (), expected (6,)"),
    row(
        input_grad(grad=ones(2, 6, 4, 5)),
        ValueError,
        "grad has shape (2, 6, 4, 5), expected (2, 6, 4, 4)",
        "the shape of this convolution's output",
    ),
    row(
        input_grad(grad=ones(6, 4, 4)),
        ValueError,
        "grad has shape (6, 4, 4), expected (2, 6, 4, 4)",
    ),
    row(input_grad(input_shape=X.shape[1:]), ValueError, "expected (6, 4, 4)"),
    row(weight_grad(grad=ones(1, 6, 4, 4)), ValueError, "grad has shape", "expected (2, 6, 4, 4)"),
    row(weight_grad(x=ones(6, 6)), ValueError, "x must be (N, C, H, W) or (C, H, W)"),
    row(backward(grad=ones(2, 6, 6, 6)), ValueError, "grad has shape", "expected (2, 6, 4, 4)"),
    row(backward(weight=ones(3, 3)), ValueError, "weight must be (K, C/groups, R, S)"),
    row(input_grad(input_shape=(6, 6)), ValueError, "input_shape must be (N, C, H, W)", "2 values"),
    row(input_grad(input_shape=144), TypeError, "input_shape must be a tuple", "got 144"),
    row(
        input_grad(input_shape=(2, 4, 6, -6)), ValueError, "input_shape must be at least 0, got -6"
    ),
    row(
        input_grad(input_shape=(2, 4, 6, 6.0)), TypeError, "input_shape must be an integer, got 6.0"
    ),
    row(
        input_grad(input_shape=(2, 4, 6, True)),
        TypeError,
        "input_shape must be an integer, got True",
    ),
    row(
        weight_grad(weight_shape=(4, 3, 3)), ValueError, "weight_shape must be (K, C/groups, R, S)"
    ),
    row(weight_grad(weight_shape=None), TypeError, "weight_shape must be a tuple", "got None"),
    row(pool(x=ones(6, 6)), ValueError, "x must be (N, C, H, W) or (C, H, W)"),
    row(
        pool_backward(grad=ones(2, 4, 3, 2)),
        ValueError,
        "grad has shape (2, 4, 3, 2), expected (2, 4, 3, 3), the shape of this pooling's output",
    ),
    row(
        pool_backward(indices=INDICES[:1]),
        ValueError,
        "indices has shape (1, 4, 3, 3), expected (2, 4, 3, 3)",
    ),
    row(pool_backward(indices=INDICES[0]), ValueError, "indices has shape (4, 3, 3), expected"),
    row(
        pool_backward(input_shape=(2, 5, 6, 6)),
        ValueError,
        "grad has shape",
        "expected (2, 5, 3, 3)",
    ),
    row(
        col2im(cols=ones(2, 36, 15)), ValueError, "cols has shape (2, 36, 15), expected (2, 36, 16)"
    ),
    row(col2im(cols=ones(36, 16)), ValueError, "cols has shape (36, 16), expected (2, 36, 16)"),
    row(col2im(order="PNC"), ValueError, "cols has shape (2, 36, 16), expected (16, 2, 36)"),
    row(col2im(input_shape=X.shape[1:]), ValueError, "expected (36, 16)"),
    row(
        pad_backward(grad=ones(3, 1)),
        ValueError,
        "grad has 1 elements along axis 1, fewer than pad_width adds there: 1 + 1",
    ),
    row(pad_backward(pad_width=2**70), ValueError, f"pad_width adds there: {2**70} + {2**70}"),
]

# --- pad ---------------------------------------------------------------------------------------

PAD_ROWS = [
    row(make(pad_width=value), error, words)
    for make in (pad, pad_backward)
    for value, error, words in [
        (-1, ValueError, "pad_width must be at least 0, got -1"),
        (((0, 0), (0, 0), (0, 0), (0, -2)), ValueError, "pad_width must be at least 0, got -2"),
        (1.0, TypeError, "pad_width must be an integer, got 1.0 (float)"),
        (True, TypeError, "pad_width must be an integer, got True (bool)"),
        ((0, True), TypeError, "pad_width must be an integer, got True (bool)"),
        (np.zeros(2), TypeError, "pad_width must be an integer, got 0.0 (float)"),
        (None, TypeError, "pad_width must be an integer, got None"),
        ("1", TypeError, "pad_width must be an integer, got '1'"),
        ((1, 2, 3), ValueError, "one pair for each of the 4 axes, got (1, 2, 3)"),
        (((1, 1), (1, 1)), ValueError, "one pair for each of the 4 axes, got ((1, 1), (1, 1))"),
        ((), ValueError, "one pair for each of the 4 axes, got ()"),
        ({4: 1}, ValueError, "pad_width names axis 4, but the array has 4 axes"),
        ({-5: 1}, ValueError, "pad_width's axis must be at least -4, got -5"),
        ({0: -1}, ValueError, "pad_width must be at least 0, got -1"),
        ({"H": 1}, TypeError, "pad_width's axis must be an integer, got 'H'"),
    ]
] + [
    row(pad(pad_width=2**62), ValueError, "the padded array would have shape", "too large"),
    row(pad(pad_width=2**70), ValueError, "the padded array would have shape", "too large"),
    row(pad(pad_width=2**20000), ValueError, "the padded array would have shape", "-bit integer"),
    row(
        pad(ones(2, 0), 1, "edge"),
        ValueError,
        "x is empty along axis 1: mode 'edge' has nothing to repeat there",
    ),
    row(pad_backward(ones(4, 2), 1, "wrap"), ValueError, "empty along axis 1: mode 'wrap'"),
    row(pad(mode="mean"), ValueError, "mode must be 'constant' or 'reflect' or", "got 'mean'"),
    row(pad(mode=None), TypeError, "mode must be 'constant' or 'reflect' or", "got None"),
    row(pad_backward(mode="full"), ValueError, "mode must be 'constant' or", "got 'full'"),
    row(pad(constant_values=(1, 2, 3)), ValueError, "constant_values", "4 axes, got shape (3,)"),
    row(pad(constant_values="a"), TypeError, "constant_values is <U1; expected numbers"),
    row(pad(constant_values=1j), TypeError, "constant_values is complex128, which x's float32"),
    row(
        pad(np.zeros(3, np.int8), 1, constant_values=(0, 128)),
        ValueError,
        "constant_values has 128, too large for x's int8",
    ),
    row(pad(np.zeros(3, int), 1, constant_values=np.nan), ValueError, "constant_values has nan"),
    row(pad(np.zeros(3, np.uint8), 1, constant_values=-1), ValueError, "constant_values has -1"),
    row(pad(constant_values=None), TypeError, "constant_values is object; expected numbers"),
]

# --- dtypes ------------------------------------------------------------------------------------

FLOATS = "expected float32 or float64"
NUMBERS = "expected integers, float16, float32"
WRONG_DTYPES = [
    "int64",
    "bool",
    "float16",
    "longdouble",
    "complex64",
    "object",
    "U1",
    "M8[s]",
    "i1",
]
DTYPE_ROWS = [
    row(make(**{name: array.astype(dtype)}), TypeError, f"{name} is {np.dtype(dtype)}", FLOATS)
    for dtype in WRONG_DTYPES
    for make, name, array in (
        (pool, "x", X),
        (im2col, "x", X),
        (col2im, "cols", COLS),
        (pool_backward, "grad", POOLED),
        (pad_backward, "grad", X),
    )
    # Pooling takes float16, and compares small integers.
    if (make, dtype) not in ((pool, "float16"), (pool, "i1"), (pool_backward, "float16"))
] + [
    row(conv(weight=W.astype(np.longdouble)), TypeError, "weight is", "x is float32", NUMBERS),
    row(conv(x=X.astype("clongdouble")), TypeError, "x is complex256, weight is float32", NUMBERS),
    row(conv(x=X.astype(object)), TypeError, "x is object", NUMBERS),
    row(conv(x=X.astype("M8[s]")), TypeError, "x is datetime64[s], weight is float32", NUMBERS),
    row(conv(x=X.astype("S1")), TypeError, "x is |S1", NUMBERS),
    row(input_grad(grad=GRAD.astype("clongdouble")), TypeError, "grad is complex256", NUMBERS),
    row(backward(weight=W.astype(object)), TypeError, "weight is object", NUMBERS),
    row(conv(x=np.zeros(X.shape, [("a", F32)])), TypeError, "x is [('a', '<f4')]", NUMBERS),
    row(
        conv(x=X.astype("i1"), weight=W.astype("i1"), activation="leaky_relu"),
        TypeError,
        "activation 'leaky_relu' has fractions for results, this one is int32",
    ),
    row(
        conv(x=X.astype("c8"), activation="relu"),
        TypeError,
        "activation 'relu' compares",
        "complex64",
    ),
    row(pad(x=X.astype(object)), TypeError, "x is object; expected a bool, integer"),
    row(pad(x=X.astype("M8[s]")), TypeError, "x is datetime64[s]; expected a bool"),
    row(pad(x=X.astype(np.clongdouble)), TypeError, "expected a bool, integer, real or complex"),
    row(pad(x=np.array(["a"])), TypeError, "x is <U1; expected"),
    row(
        pool_backward(indices=INDICES.astype(float)),
        TypeError,
        "indices is float64; expected an integer",
    ),
    row(
        pool_backward(indices=INDICES.astype(bool)),
        TypeError,
        "indices is bool; expected an integer",
    ),
    row(conv(x=np.ma.masked_array(X)), TypeError, "x is a masked array", "filled"),
    row(conv(weight=np.ma.masked_array(W)), TypeError, "weight is a masked array"),
    row(conv(bias=np.ma.masked_array(ones(6))), TypeError, "bias is a masked array"),
    row(pool(x=np.ma.masked_array(X)), TypeError, "x is a masked array"),
    row(pool_backward(indices=np.ma.masked_array(INDICES)), TypeError, "indices is a masked array"),
    row(pad(x=np.ma.masked_array(X)), TypeError, "x is a masked array"),
    row(conv(x=[[1.0], [1.0, 2.0]]), ValueError, "x cannot be made an array"),
    row(conv(x=None), (TypeError, ValueError), "x"),
    row(conv(x="images"), (TypeError, ValueError), "x"),
]

# --- options -----------------------------------------------------------------------------------

OPTION_ROWS = [
    row(conv(padding_mode="mirror"), ValueError, "padding_mode must be 'constant' or", "'mirror'"),
    row(
        conv(x=ones(2, 4, 0, 6), padding=3, padding_mode="edge"),
        ValueError,
        "x is empty along axis 2: mode 'edge' has nothing to repeat there",
    ),
    row(conv(layout="foo"), ValueError, "layout must be 'NCHW' or 'NHWC', got 'foo'"),
    row(conv(layout=None), TypeError, "layout must be 'NCHW' or 'NHWC', got None"),
    row(
        conv(padding_mode="zeros"), ValueError, "padding_mode must be 'constant' or", "got 'zeros'"
    ),
    row(conv(activation="swish2"), ValueError, "activation must be", "got 'swish2'"),
    row(conv(activation=7), TypeError, "activation must be", "got 7"),
    row(conv(activation=["leaky_relu", 0.1]), TypeError, "activation must be", "['leaky_relu', 0"),
    row(
        conv(activation=("relu", 0.1)),
        ValueError,
        "activation must be 'relu' or 'relu6' or 'leaky_relu' or ('leaky_relu', slope)",
        "got ('relu', 0.1)",
    ),
    row(conv(activation=("leaky_relu",)), ValueError, "activation must be", "('leaky_relu')"),
    row(
        conv(activation=("leaky_relu", "steep")),
        TypeError,
        "activation's slope must be a number, got 'steep'",
    ),
    row(conv(activation=("leaky_relu", True)), TypeError, "slope must be a number, got True"),
    row(conv(activation=("leaky_relu", 1j)), TypeError, "slope must be a number, got 1j"),
    row(conv(activation=("leaky_relu", float("nan"))), ValueError, "slope must be finite", "nan"),
    row(conv(activation=("leaky_relu", 10**400)), ValueError, "slope must be finite", "1329-bit"),
    row(conv(add=GRAD[..., :-1]), ValueError, "add has shape", "the shape of this convolution's"),
    row(conv(add=GRAD[0]), ValueError, "add has shape"),
    row(conv(add=1.0), ValueError, "add has shape ()"),
    row(conv(add=GRAD.astype("S1")), TypeError, "add is |S1"),
    row(conv(add=GRAD.astype(object)), TypeError, "add is object"),
    row(conv(add=np.ma.masked_array(GRAD)), TypeError, "add is a masked array"),
    row(conv(precision="fast"), ValueError, "precision must be 'standard' or 'strict', got 'fast'"),
    row(backward(needs=(True, True)), ValueError, "needs must be three bools", "got (True, True)"),
    row(backward(needs=True), ValueError, "needs must be three bools", "got True"),
    row(backward(needs=(1, 1, 1)), TypeError, "needs must be True or False, got 1"),
    row(pool(ceil_mode=1), TypeError, "ceil_mode must be True, False or 'cover_all', got 1"),
    row(pool(return_indices=None), TypeError, "return_indices must be True or False, got None"),
    row(pool(indices="global"), ValueError, "indices must be 'flat' or 'window', got 'global'"),
    row(pool(index_dtype="int32"), TypeError, "index_dtype must be int64 or uint8, got int32"),
    row(pool(index_dtype="byte?"), TypeError, "index_dtype must be int64 or uint8, got 'byte?'"),
    row(pool(index_dtype="uint8"), ValueError, "uint8 needs indices='window', got indices='flat'"),
    row(
        pool_backward(index_kind="f"), ValueError, "index_kind must be 'flat' or 'window', got 'f'"
    ),
    row(im2col(order="NPCX"), ValueError, "order must be", "got 'NPCX'"),
    row(im2col(order="ncp"), ValueError, "order must be", "got 'ncp'"),
    row(col2im(order="CP"), ValueError, "order must be", "got 'CP'"),
    row(im2col(order=(0, 1, 2)), TypeError, "order must be", "got (0, 1, 2)"),
    *[
        row(make(padding_mode=3), TypeError, "padding_mode must be 'constant' or", "got 3")
        for make in (input_grad, weight_grad, backward)
    ],
    *[
        row(make(precision="fast"), ValueError, "precision must be", "got 'fast'")
        for make in (input_grad, weight_grad, backward)
    ],
]

# The reference takes these options and ignores them.
FAST_ONLY_ROWS = [
    row(make(**{name: value}), error, words)
    for make in (conv, input_grad, weight_grad, backward, pool, pool_backward, im2col, col2im, pad)
    for name, value, error, words in [
        ("num_threads", 0, ValueError, "num_threads must be at least 1, got 0"),
        ("num_threads", -4, ValueError, "num_threads must be at least 1, got -4"),
        ("num_threads", 2.0, TypeError, "num_threads must be an integer, got 2.0"),
        ("num_threads", True, TypeError, "num_threads must be an integer, got True"),
        ("num_threads", 2**62, ValueError, f"num_threads must be at most 1024, got {2**62}"),
        ("isa", "sse9", ValueError, "isa must be 'auto' or 'avx512'"),
        ("isa", 512, TypeError, "isa must be 'auto' or 'avx512'"),
        ("algorithm", "fft", ValueError, "algorithm must be 'auto' or '"),
        ("algorithm", None, TypeError, "algorithm must be 'auto' or '"),
    ]
    if not (name == "isa" and make is pad)
    and not (name == "algorithm" and make in (pool, pool_backward, im2col, col2im, pad))
]

SHARED_ROWS = [
    *INTEGER_ROWS,
    *GROUP_ROWS,
    *PADDING_ROWS,
    *SIZE_ROWS,
    *SHAPE_ROWS,
    *PAD_ROWS,
    *DTYPE_ROWS,
    *OPTION_ROWS,
]


def in_words(entry):
    return " ".join(entry.words)[:70]


def check(entry, api):
    with pytest.raises(entry.error) as caught:
        entry.call(api)
    message = str(caught.value)
    for words in entry.words:
        assert words in message
    assert len(message) < 500
    return caught.value


@pytest.mark.parametrize("entry", [*SHARED_ROWS, *FAST_ONLY_ROWS], ids=in_words)
def test_mistakes(entry):
    before = _native.call_count()
    check(entry, npconv)
    assert _native.call_count() == before  # found before the C core was asked


@pytest.mark.parametrize("entry", SHARED_ROWS, ids=in_words)
def test_mistakes_in_the_reference(entry):
    check(entry, npconv.reference)


# --- indices -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "index"),
    [
        ("flat", -1),
        ("flat", 36),
        ("flat", 2**31),
        ("flat", 2**62),
        ("flat", -(2**63)),
        ("window", 4),
        ("window", -1),
        ("window", 2**62),
    ],
)
@pytest.mark.parametrize("place", [0, -1])
def test_index_out_of_range(kind, index, place):
    indices = INDICES.copy()
    indices.reshape(-1)[place] = index
    with pytest.raises(ValueError, match=r"ind(ex|ices)"):
        npconv.max_pool2d_backward(POOLED, indices, X.shape, 2, index_kind=kind)


def test_window_index_in_the_padding():
    # The first window's first tap lies above and left of the image.
    grad, indices = ones(1, 1, 2, 2), np.zeros((1, 1, 2, 2), np.int64)
    with pytest.raises(ValueError, match=r"ind(ex|ices)"):
        npconv.max_pool2d_backward(grad, indices, (1, 1, 4, 4), 3, 2, 1, index_kind="window")


def test_unsigned_index_beyond_int64():
    indices = np.full(INDICES.shape, 2**64 - 1, np.uint64)
    with pytest.raises(ValueError, match=f"indices has {2**64 - 1}, which is out of range"):
        npconv.max_pool2d_backward(POOLED, indices, X.shape, 2)


# --- out= --------------------------------------------------------------------------------------


def misaligned(shape, dtype=F32):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.zeros(size + 1, np.uint8)[1:].view(dtype).reshape(shape)


def read_only(shape):
    array = np.zeros(shape, F32)
    array.flags.writeable = False
    return array


def overlapping_itself(shape):
    return np.lib.stride_tricks.as_strided(
        np.zeros(shape, F32), shape, (*np.zeros(shape, F32).strides[:-1], 0)
    )


SHARED = np.zeros(2000, F32)
INSIDE = SHARED[:288].reshape(2, 4, 6, 6)

OUT_ROWS = [
    row(
        lambda out: np.zeros((2, 6, 4, 5), F32), ValueError, "out has shape (2, 6, 4, 5), expected"
    ),
    row(lambda out: np.zeros((6, 4, 4), F32), ValueError, "out has shape (6, 4, 4), expected"),
    row(lambda out: out.astype(np.float64), TypeError, "out is float64, expected float32"),
    row(lambda out: out.astype(np.int32), TypeError, "out is int32, expected float32"),
    row(lambda out: out.astype(">f4"), ValueError, "out has byte order '>', expected the native"),
    row(lambda out: read_only(out.shape), ValueError, "out is read-only"),
    row(lambda out: np.broadcast_to(F32(0), out.shape), ValueError, "out is read-only"),
    row(lambda out: misaligned(out.shape), ValueError, "out is not aligned"),
    row(lambda out: overlapping_itself(out.shape), ValueError, "out has strides", "share memory"),
    row(lambda out: out.tolist(), TypeError, "out must be a numpy.ndarray, got list"),
    row(lambda out: np.ma.masked_array(out), TypeError, "out must be a numpy.ndarray, got Masked"),
    row(lambda out: True, TypeError, "out must be a numpy.ndarray, got bool"),
]

WRITERS = [
    pytest.param(lambda api, out, x=X: api.conv2d(x, W, out=out), (2, 6, 4, 4), id="conv2d"),
    pytest.param(
        lambda api, out, x=X: api.max_pool2d(x, 2, out=out), (2, 4, 3, 3), id="max_pool2d"
    ),
]


@pytest.mark.parametrize(("call", "shape"), WRITERS)
@pytest.mark.parametrize("entry", OUT_ROWS, ids=in_words)
@pytest.mark.parametrize("api", [npconv, npconv.reference], ids=lambda api: api.__name__)
def test_unusable_out(call, shape, entry, api):
    out = entry.call(np.zeros(shape, F32))
    before = _native.call_count()
    check(Row(lambda api: call(api, out), entry.error, entry.words), api)
    assert _native.call_count() == before


@pytest.mark.parametrize(("call", "shape"), WRITERS)
@pytest.mark.parametrize("start", [0, 1, 287], ids=["first", "shifted", "last element"])
def test_out_that_overlaps_x(call, shape, start):
    out = SHARED[start : start + int(np.prod(shape))].reshape(shape)
    before = SHARED.copy()
    with pytest.raises(ValueError, match=r"^out shares memory with x$"):
        call(npconv, out, INSIDE)
    np.testing.assert_array_equal(SHARED, before)


def test_out_that_overlaps_weight_and_bias():
    memory = np.zeros(400, F32)
    with pytest.raises(ValueError, match=r"^out shares memory with weight$"):
        npconv.conv2d(X, memory[:216].reshape(W.shape), out=memory[200:392].reshape(GRAD.shape))
    with pytest.raises(ValueError, match=r"^out shares memory with bias$"):
        npconv.conv2d(X, W, memory[:6], out=memory[5:197].reshape(GRAD.shape))


def test_out_between_the_elements_of_x_is_fine():
    # Same bounds, no common element: every second column belongs to out.
    memory = np.zeros((1, 1, 4, 16), F32)
    x, out = memory[..., ::2], memory[..., 1::2]
    x[...] = np.arange(32, dtype=F32).reshape(x.shape)
    result = npconv.conv2d(x, ones(1, 1, 1, 1), out=out)
    assert result is out
    np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[..., ::-1, :],
        lambda a: a.swapaxes(-1, -2).copy().swapaxes(-1, -2),
        lambda a: np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)[..., ::2],
    ],
    ids=["plain", "reversed", "transposed", "every second"],
)
def test_out_is_written_and_returned(batched, view):
    x = np.arange(X.size, dtype=F32).reshape(X.shape)
    if not batched:
        x = x[0]
    for call in (
        lambda **kwargs: npconv.conv2d(x, W, **kwargs),
        lambda **kwargs: npconv.max_pool2d(x, 2, **kwargs),
    ):
        expected = call()
        out = view(np.full(expected.shape, np.nan, F32))
        assert call(out=out) is out
        np.testing.assert_array_equal(out, expected)


# --- nothing is touched ------------------------------------------------------------------------


def test_out_is_untouched_by_a_call_that_fails():
    out = np.full(GRAD.shape, 7, F32)
    with pytest.raises(ValueError, match="stride"):
        npconv.conv2d(X, W, stride=0, out=out)
    with pytest.raises(ValueError, match="num_threads"):
        npconv.conv2d(X, W, num_threads=0, out=out)
    assert (out == 7).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: npconv.conv2d(X, W, padding=2**25),
        lambda: npconv.max_pool2d(np.broadcast_to(F32(0), (1, 1, 2**27, 2**27)), 1),
        lambda: npconv.im2col(X, 3, padding=2**25),
        lambda: npconv.pad(X, 2**12),
        lambda: npconv.conv2d_input_grad(
            np.broadcast_to(F32(0), (1, 1, 2**27, 2**27)), ones(1, 1, 1, 1), (1, 1, 2**27, 2**27)
        ),
    ],
)
def test_results_that_fit_no_memory_are_a_memory_error(call):
    with pytest.raises(MemoryError):
        call()


# --- right results at the edges ----------------------------------------------------------------


@pytest.mark.parametrize("stride", [2**31, 2**62, 2**70])
def test_enormous_strides_compute(stride):
    x = np.arange(X.size, dtype=F32).reshape(X.shape)
    np.testing.assert_array_equal(
        npconv.conv2d(x, W, stride=stride), npconv.conv2d(x, W)[..., :1, :1]
    )
    np.testing.assert_array_equal(npconv.max_pool2d(x, 2, stride), x[..., 1:2, 1:2])
    grad = ones(2, 6, 1, 1)
    dx, dweight, _ = npconv.conv2d_backward(grad, x, W, stride)
    assert dx[..., :3, :3].sum() == dx.sum() == 2 * 6 * 36
    np.testing.assert_array_equal(dweight[0], x[..., :3, :3].sum(0))


@pytest.mark.parametrize("dilation", [2**31, 2**62, 2**70])
def test_enormous_dilation_of_one_tap_computes(dilation):
    x = np.arange(X.size, dtype=F32).reshape(X.shape)
    point = ones(6, 4, 1, 1)
    np.testing.assert_array_equal(
        npconv.conv2d(x, point, dilation=dilation), npconv.conv2d(x, point)
    )
    np.testing.assert_array_equal(npconv.max_pool2d(x, 1, dilation=dilation), x)


def test_empty_batch():
    x = ones(0, 4, 6, 6)
    assert npconv.conv2d(x, W, ones(6)).shape == (0, 6, 4, 4)
    dx, dweight, dbias = npconv.conv2d_backward(ones(0, 6, 4, 4), x, W)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dweight, np.zeros_like(W))
    np.testing.assert_array_equal(dbias, np.zeros(6))
    y, indices = npconv.max_pool2d(x, 2, return_indices=True)
    assert y.shape == indices.shape == (0, 4, 3, 3)
    assert npconv.max_pool2d_backward(y, indices, x.shape, 2).shape == x.shape
    assert npconv.im2col(x, 3).shape == (0, 36, 16)
    assert npconv.col2im(ones(0, 36, 16), x.shape, 3).shape == x.shape
    assert npconv.pad(x, 1).shape == (2, 6, 8, 8)


def test_no_channels():
    x, weight = ones(2, 0, 6, 6), ones(3, 0, 3, 3)
    bias = np.array([1, 2, 3], F32)
    np.testing.assert_array_equal(npconv.conv2d(x, weight), np.zeros((2, 3, 4, 4)))
    np.testing.assert_array_equal(
        npconv.conv2d(x, weight, bias), np.broadcast_to(bias[:, None, None], (2, 3, 4, 4))
    )
    dx, dweight, dbias = npconv.conv2d_backward(ones(2, 3, 4, 4), x, weight)
    assert (dx.shape, dweight.shape) == (x.shape, weight.shape)
    np.testing.assert_array_equal(dbias, [32, 32, 32])
    assert npconv.conv2d(X, ones(0, 4, 3, 3)).shape == (2, 0, 4, 4)
    assert npconv.max_pool2d(x, 2).shape == (2, 0, 3, 3)
    assert npconv.im2col(x, 3).shape == (2, 0, 16)


def test_padding_around_nothing_is_nothing():
    np.testing.assert_array_equal(
        npconv.conv2d(ones(1, 4, 0, 0), W, ones(6), padding=2), np.ones((1, 6, 2, 2))
    )


def test_messages_name_what_was_given_not_how_it_is_checked():
    with pytest.raises(ValueError, match=r"got 3 values: \(1, 2, 3\)$") as caught:
        npconv.conv2d(X, W, stride=(1, 2, 3))
    assert caught.value.__cause__ is None
