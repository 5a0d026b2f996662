"""convolve2d and correlate2d, against their definition and SciPy, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import assert_same_values

import npconv
from npconv import _native, reference, signals
from npconv.functional import signal_fft
from npconv.geometry import conv_geometry

FUNCTIONS = ["convolve2d", "correlate2d"]
DTYPES = ["float32", "float64", "int8", "uint8", "int32", "complex64", "float16"]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    mode = draw(st.sampled_from(signals.MODES))
    taps = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    least = taps if mode == "valid" else (1, 1)
    size = tuple(draw(st.integers(n, 9)) for n in least)
    leading = draw(st.sampled_from([(), (2,), (0,), (2, 3)]))
    bank = draw(st.sampled_from([(), (1,), (3,)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(DTYPES))

    def values(shape):
        part = rng.integers(0 if dtype[0] == "u" else -3, 4, shape).astype(dtype)
        return part + 1j * rng.integers(-3, 4, shape) if dtype[0] == "c" else part

    x, kernel = values((*leading, *size)), values((*bank, *taps))
    return {
        "x": x.astype(dtype)[..., ::-1] if draw(st.booleans()) else x.astype(dtype),
        "kernel": kernel.astype(dtype),
        "mode": mode,
        "boundary": draw(st.sampled_from(signals.BOUNDARIES)),
        "fillvalue": draw(st.sampled_from([0, 2])),
    }


@pytest.mark.parametrize("name", FUNCTIONS)
@given(case=cases())
def test_against_the_reference(name: str, case: dict[str, Any]) -> None:
    expected = getattr(reference, name)(**case)
    found = getattr(npconv, name)(**case, precision="strict")
    assert found.dtype == expected.dtype
    assert_same_values(found, expected)
    grad = np.random.default_rng(0).integers(-2, 3, found.shape).astype(case["x"].dtype)
    wanted = getattr(reference, f"{name}_backward")(grad, **case)
    got = getattr(npconv, f"{name}_backward")(grad, **case, precision="strict")
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == other.dtype
        assert_same_values(one, other)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(case=cases())
def test_against_scipy(name: str, case: dict[str, Any]) -> None:
    scipy_signal = pytest.importorskip("scipy.signal")
    x, kernel = case["x"], case["kernel"]
    if x.dtype == np.float16 or 0 in x.shape:
        return
    small = any(n < k for n, k in zip(x.shape[-2:], kernel.shape[-2:], strict=True))
    if small and case["boundary"] != "fill":
        return  # SciPy wraps once only
    wide = x.astype({"i": "i8", "u": "i8"}.get(x.dtype.kind, x.dtype))
    options = {key: case[key] for key in ("mode", "boundary", "fillvalue")}
    ours = getattr(npconv, name)(**case, precision="strict")
    bank = kernel[None] if kernel.ndim == 2 else kernel
    images = wide.reshape(-1, *x.shape[-2:])
    theirs = getattr(scipy_signal, name)
    expected = [[theirs(i, k.astype(wide.dtype), **options) for k in bank] for i in images]
    assert np.allclose(ours, np.array(expected).reshape(ours.shape))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@given(case=cases())
def test_transforms_give_the_same(dtype: str, case: dict[str, Any]) -> None:
    pytest.importorskip("scipy")
    x = case["x"].real.astype(dtype)
    case = {**case, "x": x, "kernel": case["kernel"].real.astype("f4")}
    expected = reference.convolve2d(**case)
    found = npconv.convolve2d(**case, method="fft")
    assert found.dtype == expected.dtype
    assert np.allclose(found, expected, atol=1e-5)


def test_transforms_are_taken_where_they_are_predicted_to_win():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((512, 512)), rng.standard_normal((129, 129))
    why = npconv.explain("convolve2d", x, kernel)
    assert why.algorithm == "fft"
    assert why.candidates[0].seconds is not None
    assert "fft" in str(why)
    small = npconv.explain("convolve2d", x, kernel[:3, :3])
    assert small.algorithm != "fft"
    assert npconv.explain("convolve2d", x, kernel, method="direct").algorithm != "fft"
    strict = npconv.explain("convolve2d", x, kernel, precision="strict")
    assert strict.candidates[0].reason == "precision='strict' allows direct summation only"
    reasons = npconv.explain("convolve2d", x.astype("i4"), kernel.astype("i4")).candidates[0].reason
    assert "int64" in reasons


def test_images_that_are_not_finite_are_summed_directly():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 12, 12))
    x[1, 2, 3] = np.inf
    kernel = rng.standard_normal((3, 3))
    found = npconv.convolve2d(x, kernel, method="fft")
    direct = npconv.convolve2d(x, kernel, method="direct")
    assert np.isfinite(found).sum() == np.isfinite(direct).sum() == found.size - 9
    assert np.array_equal(found[1], direct[1])
    assert np.array_equal(found[2], npconv.convolve2d(x[2], kernel, method="fft"))


@pytest.mark.parametrize("mode", signals.MODES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_tiles_of_an_image(mode: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    x, bank = (rng.standard_normal(shape).astype(dtype) for shape in ((2, 70, 61), (2, 16, 9)))
    direct = npconv.convolve2d(x, bank, mode, method="direct")
    for lengths in ((40, 36), (18, 80), (96, 10)):
        sums = tuple(
            min(n - taps + 1, m)
            for n, taps, m in zip(lengths, (16, 9), direct.shape[-2:], strict=True)
        )
        tiling = signal_fft.Tiling(lengths, sums, 1.0)
        monkeypatch.setattr(signal_fft, "_tiling", lambda g, dtype, found=tiling: found)
        found = npconv.convolve2d(x, bank, mode, method="fft")
        assert np.abs(found - direct).max() < 11 * np.finfo(dtype).eps * np.abs(direct).max()


def test_large_images_are_cut_into_tiles():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((600, 600)), rng.standard_normal((5, 4))
    found = npconv.convolve2d(x, kernel, method="fft")
    geometry = conv_geometry(2, (1, 1, 600, 600), (1, 1, 5, 4), 1, ((4, 4), (3, 3)), 1, 1)
    assert signal_fft._tiling(geometry, x.dtype).sums != found.shape
    assert np.allclose(found, npconv.convolve2d(x, kernel, method="direct"))


@pytest.mark.parametrize("name", FUNCTIONS)
@given(case=cases(), wide=st.booleans())
def test_usual_calls(name: str, case: dict[str, Any], wide: bool) -> None:
    dtype = np.float64 if wide else np.float32
    x, kernel = (case[key].real.astype(dtype) for key in ("x", "kernel"))
    if 0 in x.shape:
        return
    x, kernel = x.reshape(-1, *x.shape[-2:])[0], kernel.reshape(-1, *kernel.shape[-2:])[0]
    found = getattr(npconv, name)(x, kernel, case["mode"])
    expected = getattr(reference, name)(x, kernel, case["mode"])
    assert found.dtype == dtype
    assert_same_values(found, expected)


@pytest.mark.parametrize("mode", signals.MODES)
def test_an_image_alone_has_the_bits_that_it_has_among_others(mode: str) -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(n).astype("f4") for n in ((2, 200, 210), (91, 90)))
    assert npconv.explain("convolve2d", x, kernel, mode).algorithm == "fft"
    for image, result in zip(x, npconv.convolve2d(x, kernel, mode), strict=True):
        assert np.array_equal(npconv.convolve2d(image, kernel, mode), result)


def test_images_too_large_for_transforms_are_summed_directly():
    pytest.importorskip("scipy")
    x, kernel = np.full((80, 80), 1e36, "f4"), np.full((41, 41), 1e-5, "f4")
    found = npconv.convolve2d(x, kernel)
    assert np.array_equal(found, npconv.convolve2d(x, kernel, method="direct"))
    assert np.isfinite(found).all()


def test_without_scipy(monkeypatch):
    monkeypatch.setattr(signal_fft, "scipy_fft", lambda: None)
    x, kernel = np.ones((8, 8)), np.ones((3, 3))
    why = npconv.explain("convolve2d", x, kernel)
    assert why.candidates[0].reason == "SciPy is not installed"
    assert npconv.convolve2d(x, kernel).shape == (10, 10)
    with pytest.raises(ValueError, match="method='fft' declines this call: SciPy is not installed"):
        npconv.convolve2d(x, kernel, method="fft")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x": np.ones(3)}, ValueError, r"x must be \(..., H, W\), got 1 axes"),
        ({"kernel": np.ones(3)}, ValueError, r"kernel must be \(R, S\) or \(K, R, S\)"),
        ({"kernel": np.ones((0, 3))}, ValueError, "kernel has shape .* it is empty"),
        ({"mode": "half"}, ValueError, "mode must be 'full' or"),
        ({"boundary": "mirror"}, ValueError, "boundary must be 'fill' or"),
        ({"method": "slow"}, ValueError, "method must be 'auto' or"),
        ({"kernel": np.ones((5, 2)), "mode": "valid"}, ValueError, "along H x has 4, kernel 5"),
        ({"fillvalue": "a"}, TypeError, "fillvalue must be a number"),
        (
            {"x": np.ones((4, 4), int), "fillvalue": 0.5},
            ValueError,
            "fillvalue 0.5 .* cannot stand in x, which is int64",
        ),
    ],
)
def test_mistakes(arguments, error, words):
    arguments = {"x": np.ones((4, 4)), "kernel": np.ones((3, 3)), **arguments}
    with pytest.raises(error, match=words):
        npconv.convolve2d(**arguments)


def test_the_core_computes():
    before = _native.call_count()
    npconv.convolve2d(np.ones((5, 8, 8)), np.ones((3, 3)))
    assert _native.call_count() - before == 1  # too small for a prediction
