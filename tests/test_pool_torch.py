"""Poolings beside PyTorch's, where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pool_strategies import WindowCase, window_cases

torch = pytest.importorskip("torch", reason="PyTorch, the other side of these tests, is missing")
functional = torch.nn.functional


def symmetric(case: WindowCase) -> tuple[int, ...]:
    """One width for both sides, at most half a window, as PyTorch wants it."""
    return tuple(
        min(before, k // 2) for (before, _), k in zip(case.padding, case.kernel, strict=True)
    )


def plain(case: WindowCase) -> tuple[np.ndarray, Any]:
    """The case's images in a form that PyTorch takes, channels first."""
    assume(case.batch > 0 and case.channels > 0 and case.ceil_mode != "cover_all")
    shape = (case.batch, case.channels, *case.size)
    x = np.random.default_rng(case.seed).standard_normal(shape)
    return x, torch.from_numpy(x).requires_grad_()


def compare(case: WindowCase, y: np.ndarray, expected: Any, back: Any, x: Any) -> None:
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    grad = np.random.default_rng(case.seed + 1).standard_normal(y.shape)
    (dx,) = torch.autograd.grad(expected, x, torch.from_numpy(grad))
    np.testing.assert_allclose(back(grad), dx.numpy(), rtol=1e-12, atol=1e-12)


@given(window_cases(), st.booleans(), st.sampled_from([None, 3]))
def test_average(case: WindowCase, include: bool, divisor: int | None) -> None:
    x, tensor = plain(case)
    padding = symmetric(case)
    assume(all(n + 2 * p >= k for n, p, k in zip(case.size, padding, case.kernel, strict=True)))
    # Its three-dimensional one wants the window inside the image.
    assume(case.ndim < 3 or all(n >= k for n, k in zip(case.size, case.kernel, strict=True)))
    ours: Any = (case.kernel, case.stride, padding, case.ceil_mode, include)
    ours = ours if case.ndim == 1 else (*ours, divisor)
    expected = getattr(functional, f"avg_pool{case.ndim}d")(tensor, *ours)
    compare(
        case,
        case.run("avg_pool#", x, *ours),
        expected,
        lambda grad: case.run("avg_pool#_backward", grad, x.shape, *ours),
        tensor,
    )


@given(window_cases())
def test_maximum(case: WindowCase) -> None:
    x, tensor = plain(case)
    padding = symmetric(case)
    span = [d * (k - 1) + 1 for k, d in zip(case.kernel, case.dilation, strict=True)]
    assume(all(n + 2 * p >= s for n, p, s in zip(case.size, padding, span, strict=True)))
    settings: Any = (case.kernel, case.stride, padding, case.dilation, case.ceil_mode)
    try:
        y, at = case.run("max_pool#", x, *settings, return_indices=True)
    except ValueError as error:  # windows of taps that all lie in the padding, which PyTorch allows
        assume("wholly in the padding" not in str(error))
        raise
    pool = getattr(functional, f"max_pool{case.ndim}d")
    expected, found = pool(tensor, *settings, return_indices=True)
    np.testing.assert_array_equal(at, found.numpy())
    back = lambda grad: case.run("max_pool#_backward", grad, at, x.shape, *settings)  # noqa: E731
    compare(case, y, expected, back, tensor)


@given(window_cases(), st.data())
def test_adaptive(case: WindowCase, data: st.DataObject) -> None:
    x, tensor = plain(case)
    size = data.draw(st.lists(st.integers(1, 9), min_size=case.ndim, max_size=case.ndim))
    expected = getattr(functional, f"adaptive_avg_pool{case.ndim}d")(tensor, size)
    back = lambda grad: case.run("adaptive_avg_pool#_backward", grad, x.shape)  # noqa: E731
    compare(case, case.run("adaptive_avg_pool#", x, size), expected, back, tensor)
    y, at = case.run("adaptive_max_pool#", x, size, True)
    pool = getattr(functional, f"adaptive_max_pool{case.ndim}d")
    expected, found = pool(tensor, size, return_indices=True)
    np.testing.assert_array_equal(at, found.numpy())
    back = lambda grad: case.run("adaptive_max_pool#_backward", grad, at, x.shape)  # noqa: E731
    compare(case, y, expected, back, tensor)


@given(window_cases(), st.data())
def test_fractional(case: WindowCase, data: st.DataObject) -> None:
    assume(case.ndim > 1)
    plain(case)
    size = [n + 4 for n in case.size]  # it wants distances of more than 1
    sizes = [data.draw(st.integers(1, n - k)) for n, k in zip(size, case.kernel, strict=True)]
    rng = np.random.default_rng(case.seed)
    x = rng.standard_normal((case.batch, case.channels, *size))
    samples = rng.random((case.batch, case.channels, case.ndim))
    how: Any = {"random_samples": samples, "return_indices": True}
    y, at = case.run("fractional_max_pool#", x, case.kernel, sizes, **how)
    pool = getattr(functional, f"fractional_max_pool{case.ndim}d")
    how = {"_random_samples": torch.from_numpy(samples), "return_indices": True}
    expected, found = pool(torch.from_numpy(x), case.kernel, sizes, **how)
    np.testing.assert_array_equal(at, found.numpy())
    np.testing.assert_array_equal(y, expected.numpy())


@given(window_cases(), st.sampled_from([1.0, 2.0, 3.0]))
def test_norms_of_what_is_not_negative(case: WindowCase, p: float) -> None:
    """PyTorch leaves the absolute value out, and windows must not hang over the border."""
    x, _ = plain(case)
    assume(all(n >= k for n, k in zip(case.size, case.kernel, strict=True)))
    x = abs(x) + 0.1
    tensor = torch.from_numpy(x).requires_grad_()
    window: Any = (case.kernel, case.stride)
    if case.ndim == 1:
        window = (case.kernel[0], case.stride[0] if case.stride else None)
    expected = getattr(functional, f"lp_pool{case.ndim}d")(tensor, p, *window)
    back = lambda grad: case.run("lp_pool#_backward", grad, x, p, *window)  # noqa: E731
    compare(case, case.run("lp_pool#", x, p, *window), expected, back, tensor)
