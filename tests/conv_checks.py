"""What every family of convolutions is held to: plain or transposed, of any dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from strategies import ConvCase, Form, TransposedCase, make
from tolerance import assert_same_bits, assert_same_values
from variants import CONV_VARIANTS, name

import npconv
from npconv import _native, reference


def call(case: ConvCase, suffix: str, *arrays: Any, library: Any = npconv, **options: Any) -> Any:
    """One of the four functions of the case's family, with the case's settings."""
    return getattr(library, case.function + suffix)(*arrays, **case.settings, **options)


def gradient_of_output(case: ConvCase, integers: bool = True) -> np.ndarray:
    """A gradient with the output's shape, in the case's form."""
    x, weight, _ = case.operands()
    shape = call(case, "", x, weight, library=reference).shape
    form = Form(case.dtype) if 0 in shape or not shape else case.grad_form
    return make(shape, form, np.random.default_rng(case.seed + 1), integers)


def check_exact(case: ConvCase, variants: tuple[dict[str, Any], ...] = CONV_VARIANTS) -> None:
    """Integer-valued operands: all four results equal the reference's, on every variant."""
    x, weight, bias = case.operands()
    grad = gradient_of_output(case)
    y64 = call(case, "", x.astype("f8"), weight, bias, library=reference)
    expected = call(case, "_backward", grad.astype("f8"), x, weight, library=reference)
    for variant in variants:
        label = name(variant)
        before = _native.call_count()
        y = call(case, "", x, weight, bias, **variant)
        dx = call(case, "_input_grad", grad, weight, x.shape, **variant)
        dw = call(case, "_weight_grad", grad, x, weight.shape, **variant)
        assert _native.call_count() == before + 3, "each is one call of the C core"
        every = call(case, "_backward", grad, x, weight, **variant)
        # A convolution's gradients of weight and bias are one call.
        calls = 3 if isinstance(case, TransposedCase) else 2
        assert _native.call_count() == before + 3 + calls
        assert y.dtype == np.result_type(x.dtype.newbyteorder("="), case.dtype)
        assert y.flags.c_contiguous
        assert_same_values(y, y64, f"y {label}")
        assert_same_values(dx, expected[0], f"dx {label}")
        assert_same_values(dw, expected[1], f"dw {label}")
        for actual, right in zip(every, expected, strict=True):
            assert_same_values(actual, right, f"backward {label}")


def check_adjoint(case: ConvCase) -> None:
    """<f(x, w), g> = <x, dx(g, w)> = <w, dw(g, x)>, exactly on integers."""
    case = case.with_dtype("float64")
    (x, weight, _), grad = case.operands(), gradient_of_output(case)
    options = {"precision": "strict"}
    y = call(case, "", x, weight, **options)
    dx, dw, _ = call(case, "_backward", grad, x, weight, **options)
    assert (y * grad).sum() == (x * dx).sum() == (weight * dw).sum()


def check_every_derivative(case: ConvCase) -> None:
    """One element at a time: the derivative of sum(y * grad) by each, by differences."""
    case = case.with_dtype("float64")
    (x, weight, bias), grad = case.operands(), gradient_of_output(case)
    assert bias is not None
    gradients = call(case, "_backward", grad, x, weight)
    operands = [x, weight, bias]
    for which, gradient in enumerate(gradients):
        for at in np.ndindex(gradient.shape):
            ahead, behind = [a.copy() for a in operands], [a.copy() for a in operands]
            ahead[which][at] += 1
            behind[which][at] -= 1
            loss = [(call(case, "", *o) * grad).sum() for o in (ahead, behind)]
            assert gradient[at] == (loss[0] - loss[1]) / 2


def check_bits(case: ConvCase, **options: Any) -> None:
    """The same bits for any threads, any split of the batch, and out of any strides."""
    (x, weight, bias), grad = case.operands(integers=False), gradient_of_output(case, False)
    y = call(case, "", x, weight, bias, num_threads=1, **options)
    gradients = call(case, "_backward", grad, x, weight, num_threads=1, **options)
    for threads in (2, 3):
        again = call(case, "", x, weight, bias, num_threads=threads, **options)
        assert_same_bits(again, y, f"{threads} threads")
        every = call(case, "_backward", grad, x, weight, num_threads=threads, **options)
        for actual, right in zip(every, gradients, strict=True):
            assert_same_bits(actual, right, f"{threads} threads")
    for i in range(len(x)):
        one = call(case, "", x[i], weight, bias, **options)
        assert_same_bits(one, y[i], f"image {i}")
        dx = call(case, "_input_grad", grad[i], weight, x[i].shape, **options)
        assert_same_bits(dx, gradients[0][i], f"dx of image {i}")
    out = np.full(y.shape[::-1], np.nan, y.dtype).T
    assert call(case, "", x, weight, bias, out=out, **options) is out
    assert_same_bits(out, y, "into out")
