"""Which algorithm is chosen: the one with the least predicted time, whatever batch and threads."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ConvCase, conv_cases
from variants import ALGORITHMS, ISAS

import npconv
from npconv import _native, geometry

OPERATIONS = ("forward", "input_grad", "weight_grad")
FE_UPWARD, FE_TONEAREST = 0x800, 0  # of x86's fenv.h


def candidates(
    operation: str, g: Any, dtype: str, isa: str = "auto", **options: Any
) -> tuple[list[tuple], str | None]:
    how = (
        options.get("algorithm", "auto"),
        isa,
        options.get("threads", 1),
        options.get("precision", "standard"),
    )
    return _native.conv_candidates(operation, g, dtype, how)


def conv_geometry(case: ConvCase, batch: int) -> Any:
    case = dataclasses.replace(case, batch=batch)
    return geometry.conv_geometry(
        2,
        (batch, *case.x_shape[1:]),
        case.weight_shape,
        **case.settings,
    )


def listed_choice(found: list[tuple]) -> str:
    """The rule, written another way: up to the first without a prediction, the least time wins;
    the last of the list runs what nobody else accepts."""
    accepting = [(name, seconds) for name, accepted, _, seconds, _ in found if accepted]
    accepting = accepting[:-1] or accepting
    unknown = [i for i, (_, seconds) in enumerate(accepting) if seconds is None]
    known = accepting[: unknown[0]] if unknown else accepting
    if not known:
        return accepting[0][0]
    least = min(seconds for _, seconds in known)
    return next(name for name, seconds in known if seconds == least)


@given(conv_cases(largest_channels=40, largest_size=40), st.sampled_from(OPERATIONS))
def test_the_least_predicted_time_wins(case: ConvCase, operation: str) -> None:
    for isa in ISAS:
        found, chosen = candidates(operation, conv_geometry(case, 1), case.dtype, isa)
        assert chosen == listed_choice(found)
        for _, accepted, reason, seconds, _ in found:
            assert accepted or (reason and seconds is None)
            assert seconds is None or (seconds > 0 and math.isfinite(seconds))


@given(
    conv_cases(largest_channels=40, largest_size=40),
    st.sampled_from(OPERATIONS),
    st.integers(2, 300),
    st.integers(2, 64),
)
def test_neither_batch_nor_threads_matter(
    case: ConvCase, operation: str, batch: int, threads: int
) -> None:
    """The weight gradient sums over the batch, which therefore may decide there."""
    for isa in ISAS:
        one = candidates(operation, conv_geometry(case, 1), case.dtype, isa)
        if operation != "weight_grad":
            assert candidates(operation, conv_geometry(case, batch), case.dtype, isa) == one
        many = candidates(operation, conv_geometry(case, 1), case.dtype, isa, threads=threads)
        assert many == one


def test_the_weight_gradient_is_chosen_for_its_batch() -> None:
    """Few large transforms do not repay for one small image, but for many: and what a thread
    remembers of the one does not run for the other."""
    w, options = np.ones((64, 64, 3, 3), "f4"), {"padding": 1, "isa": ISAS[0], "num_threads": 1}
    for batch in (1, 100, 1):
        x = np.ones((batch, 64, 8, 8), "f4")
        g = geometry.conv_geometry(2, x.shape, w.shape, padding=1)
        found, chosen = candidates("weight_grad", g, "float32", ISAS[0])
        assert chosen == listed_choice(found)
        npconv.conv2d_weight_grad(x, x, w.shape, **options)
        assert npconv.last_plan()["algorithm"] == chosen


@given(conv_cases())
def test_what_is_chosen_runs(case: ConvCase) -> None:
    x, weight, bias = case.operands()
    why = npconv.explain("conv2d", x, weight, bias, **case.settings)
    npconv.conv2d(x, weight, bias, **case.settings)
    assert npconv.last_plan()["algorithm"] == why.algorithm


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_direct_has_been_measured_everywhere(dtype: str, operation: str, isa: str) -> None:
    g = geometry.conv_geometry(2, (1, 64, 28, 28), (64, 64, 3, 3), padding=1)
    seconds = {name: s for name, _, _, s, _ in candidates(operation, g, dtype, isa)[0]}
    assert 1e-5 < seconds["direct"] < 1
    assert seconds["direct"] < seconds["reference"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sizes_near_the_limits_are_predicted(operation: str) -> None:
    """Arrays without elements may claim any size: nothing may overflow or be infinite."""
    huge = 2**29
    for shapes in (
        ((0, 2**30, 2**29, 1), (1, 2**30, 1, 1)),
        ((1, 0, huge, huge), (0, 0, huge, 5)),
        ((1, 0, 3, 3), (7, 0, 3, 3)),
    ):
        g = geometry.conv_geometry(2, *shapes)
        for isa in ISAS:
            found, chosen = candidates(operation, g, "float32", isa)
            assert chosen in ALGORITHMS
            assert all(seconds is None or math.isfinite(seconds) for *_, seconds, _ in found)


def test_the_callers_rounding_does_not_decide() -> None:
    libm = ctypes.CDLL(None)
    if not hasattr(libm, "fesetround"):
        pytest.skip("the C library has no fesetround")
    g = geometry.conv_geometry(2, (1, 61, 27, 27), (53, 61, 3, 3))
    before = candidates("forward", g, "float32")
    if libm.fesetround(FE_UPWARD) != 0:
        pytest.skip("this processor cannot round upward")
    try:
        upward = candidates("forward", g, "float32")
    finally:
        libm.fesetround(FE_TONEAREST)
    assert [entry[3] for entry in upward[0]] == [entry[3] for entry in before[0]]
    assert upward[1] == before[1]


def test_a_forced_algorithm_is_not_compared() -> None:
    g = geometry.conv_geometry(2, (1, 64, 56, 56), (64, 64, 3, 3))
    for name in ALGORITHMS:
        found, chosen = candidates("forward", g, "float32", algorithm=name)
        accepted = {entry[0] for entry in found if entry[1]}
        assert chosen == (name if name in accepted else None)


def test_strict_precision_has_its_own_candidates() -> None:
    """What sums otherwise than directly must decline, with a reason that says so."""
    x, weight = np.ones((1, 64, 56, 56), "f4"), np.ones((64, 64, 3, 3), "f4")
    why = npconv.explain("conv2d", x, weight, precision="strict")
    assert why.algorithm is not None
    assert "winograd" not in why.algorithm
    for candidate in why.candidates:
        if "winograd" in candidate.name:
            assert not candidate.accepted
            assert "strict" in candidate.reason


def test_remembered_choices_are_those_of_the_same_problem() -> None:
    """Many problems twice over, so that some meet in one place of the memory."""
    shapes = [
        ((1, c, h, w), (k, c // groups, r, r), groups)
        for c, k, groups in ((1, 4, 1), (16, 16, 1), (16, 16, 16), (64, 3, 1))
        for h, w in ((9, 9), (5, 30), (24, 24))
        for r in (1, 3, 5)
    ]
    for _ in range(2):
        for shape, weight_shape, groups in shapes:
            for dtype in ("f4", "f8"):
                x, weight = np.ones(shape, dtype), np.ones(weight_shape, dtype)
                for isa in ISAS:
                    for precision in ("standard", "strict"):
                        how = {"groups": groups, "isa": isa, "precision": precision}
                        why = npconv.explain("conv2d", x, weight, **how)
                        npconv.conv2d(x, weight, **how)
                        assert npconv.last_plan()["algorithm"] == why.algorithm
                        grad = np.ones(why.shapes["output"], dtype)
                        why = npconv.explain("conv2d_weight_grad", grad, x, weight_shape, **how)
                        npconv.conv2d_weight_grad(grad, x, weight_shape, **how)
                        assert npconv.last_plan()["algorithm"] == why.algorithm
