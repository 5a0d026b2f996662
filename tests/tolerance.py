"""How far a right answer may be from the float64 reference."""

from __future__ import annotations

import math

import numpy as np


def unit_roundoff(dtype: np.typing.DTypeLike) -> float:
    """u: the largest relative error of one rounding (2^-24 for float32, 2^-53 for float64)."""
    return float(np.finfo(dtype).eps) / 2


def tolerance(dtype: np.typing.DTypeLike, n_terms: int) -> float:
    """Bound t such that a sum of n products is right where |y - y64| <= t * sum|x||w|.

    A sum of n products, added in any order, makes at most n roundings on the way of each
    product (fewer with FMA), so that

        |y - y64| <= gamma(n) * sum|x||w|,     gamma(n) = n*u / (1 - n*u)

    always holds. Roundings of random data are as good as independent and of mean zero; then
    (Higham and Mary, 2019) gamma(n) may be replaced by  exp(k*sqrt(n)*u + ...) - 1 ~ k*sqrt(n)*u,
    which fails with a probability below 2*n*exp(-k*k/2) for one output. With k = 7 that is
    under 5e-11 * n, and the smaller of both is used: n for short sums, 7*sqrt(n) from n = 49 on.

    The reference is itself in float64. Against it, a float64 result may be off by both errors,
    hence the factor two; against float32 its error is 2^-29 of the bound and is neglected.
    The bias is one more term.
    """
    u = unit_roundoff(dtype)
    n = n_terms + 1
    both = 2.0 if np.dtype(dtype) == np.float64 else 1.0
    rounded = min(n, 7.0 * math.sqrt(n)) * u
    return both * rounded / (1.0 - rounded)


def assert_close(
    actual: np.ndarray, expected: np.ndarray, magnitude: np.ndarray, n_terms: int, label: str = ""
) -> None:
    """Assert |actual - expected| <= tolerance * magnitude, element by element.

    magnitude is sum|x||w| of every output: the same operation on absolute values.
    """
    assert actual.shape == expected.shape, (label, actual.shape, expected.shape)
    error = np.abs(actual.astype(np.float64) - expected)
    # A result below the normal range is rounded to a multiple of the smallest subnormal.
    floor = (n_terms + 1) * float(np.finfo(actual.dtype).smallest_subnormal)
    bound = tolerance(actual.dtype, n_terms) * magnitude + floor
    wrong = ~(error <= bound)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise AssertionError(
            f"{label}: {int(wrong.sum())} of {wrong.size} outputs are out of tolerance; first at "
            f"{at}: got {actual[at]!r}, expected {expected[at]!r}, bound {bound[at]:.3g}"
        )


def assert_same_bits(actual: np.ndarray, expected: np.ndarray, label: str = "") -> None:
    """Assert that two arrays of one dtype and shape hold the same bytes (signs of zero too)."""
    assert actual.dtype == expected.dtype, (label, actual.dtype, expected.dtype)
    assert actual.shape == expected.shape, (label, actual.shape, expected.shape)
    bits = np.dtype(f"u{actual.dtype.itemsize}")
    a = np.ascontiguousarray(actual).view(bits)
    b = np.ascontiguousarray(expected).view(bits)
    if not np.array_equal(a, b):
        at = tuple(int(i) for i in np.argwhere(a != b)[0])
        raise AssertionError(
            f"{label}: {int((a != b).sum())} of {a.size} elements have other bits; first at "
            f"{at}: got {actual[at]!r}, expected {expected[at]!r}"
        )


def assert_same_values(actual: np.ndarray, expected: np.ndarray, label: str = "") -> None:
    """Assert equal values, NaN where NaN is, for results that must be exact."""
    assert actual.shape == expected.shape, (label, actual.shape, expected.shape)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    if not same.all():
        at = tuple(int(i) for i in np.argwhere(~same)[0])
        raise AssertionError(
            f"{label}: {int((~same).sum())} of {same.size} elements are wrong; first at {at}: "
            f"got {actual[at]!r}, expected {expected[at]!r}"
        )
