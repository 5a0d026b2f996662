"""Forcing algorithm, ISA and threads by argument and by environment; refusing what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scripts import assert_succeeds, run_python
from tolerance import assert_same_values
from variants import ALGORITHMS, GENERAL_ALGORITHMS, ISAS

import npconv
from npconv import _native

X, WEIGHT = np.ones((1, 2, 5, 5), "f4"), np.ones((3, 2, 3, 3), "f4")
UNUSABLE = [name for name, compiled, supported in _native.isas() if not (compiled and supported)]

OPERATIONS: dict[str, Any] = {
    "conv2d": lambda **o: npconv.conv2d(X, WEIGHT, **o),
    "conv2d_input_grad": lambda **o: npconv.conv2d_input_grad(
        np.ones((1, 3, 3, 3), "f4"), WEIGHT, X.shape, **o
    ),
    "conv2d_weight_grad": lambda **o: npconv.conv2d_weight_grad(
        np.ones((1, 3, 3, 3), "f4"), X, WEIGHT.shape, **o
    ),
    "conv2d_backward": lambda **o: npconv.conv2d_backward(
        np.ones((1, 3, 3, 3), "f4"), X, WEIGHT, **o
    ),
    "max_pool2d": lambda **o: npconv.max_pool2d(X, 2, **o),
    "max_pool2d_backward": lambda **o: npconv.max_pool2d_backward(
        np.ones((1, 2, 2, 2), "f4"), np.zeros((1, 2, 2, 2), int), X.shape, 2, **o
    ),
    "im2col": lambda **o: npconv.im2col(X, 3, **o),
    "col2im": lambda **o: npconv.col2im(np.ones((1, 18, 9), "f4"), X.shape, 3, **o),
}
with_algorithm = [name for name in OPERATIONS if name.startswith("conv2d")]

PRINT_PLAN = """
import numpy as np, npconv
y = npconv.conv2d(np.ones((1, 2, 5, 5), "f4"), np.ones((3, 2, 3, 3), "f4"){arguments})
assert (y == 18).all()
plan = npconv.last_plan()
print(plan["algorithm"], plan["isa"], npconv.get_num_threads())
"""


# ---- by argument ---------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("isa", ISAS)
def test_forced_isa_is_used(isa: str, operation: str) -> None:
    OPERATIONS[operation](isa=isa)
    assert npconv.last_plan()["isa"] == isa


@pytest.mark.parametrize("operation", OPERATIONS)
def test_best_isa_is_used_unless_told_otherwise(operation: str) -> None:
    OPERATIONS[operation]()
    assert npconv.last_plan()["isa"] == ISAS[0] == npconv.cpu_info()["isa"]


@pytest.mark.parametrize("operation", with_algorithm)
@pytest.mark.parametrize("algorithm", GENERAL_ALGORITHMS)
def test_forced_algorithm_is_used(algorithm: str, operation: str) -> None:
    options = {"needs": (False, True, False)} if operation == "conv2d_backward" else {}
    OPERATIONS[operation](algorithm=algorithm, **options)
    assert npconv.last_plan()["algorithm"] == algorithm


@pytest.mark.parametrize("operation", OPERATIONS)
def test_unknown_isa_is_refused(operation: str) -> None:
    with pytest.raises(ValueError, match=r"isa must be .*'sse9'"):
        OPERATIONS[operation](isa="sse9")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_isa_that_this_machine_lacks_is_refused(operation: str) -> None:
    if not UNUSABLE:
        pytest.skip("this machine runs every instruction set that npconv knows")
    for isa in UNUSABLE:
        with pytest.raises(ValueError, match=f"isa='{isa}' cannot be used"):
            OPERATIONS[operation](isa=isa)


@pytest.mark.parametrize("operation", with_algorithm)
def test_unknown_algorithm_is_refused(operation: str) -> None:
    with pytest.raises(ValueError, match=r"algorithm must be .*'magic'"):
        OPERATIONS[operation](algorithm="magic")


@pytest.mark.parametrize("algorithm", GENERAL_ALGORITHMS)
def test_explain_agrees_with_what_runs(algorithm: str) -> None:
    explained = npconv.explain("conv2d", X, WEIGHT, algorithm=algorithm)
    assert explained.algorithm == algorithm
    npconv.conv2d(X, WEIGHT)
    assert npconv.explain("conv2d", X, WEIGHT).algorithm == npconv.last_plan()["algorithm"]
    assert [candidate.name for candidate in explained.candidates] == list(ALGORITHMS)


def test_the_border_refuses_names_too() -> None:
    g = npconv.geometry.conv_geometry(2, X.shape, WEIGHT.shape)
    out = np.empty(g.output_shape, "f4")
    for options in [("magic", "auto", 0, "standard"), ("auto", "sse9", 0, "standard")]:
        with pytest.raises(ValueError, match=r"magic|sse9"):
            _native.conv_forward(g, X, WEIGHT, None, out, options)
    for isa in UNUSABLE:
        with pytest.raises(ValueError, match="instruction set"):
            _native.conv_forward(g, X, WEIGHT, None, out, ("auto", isa, 0, "standard"))


# ---- by environment ------------------------------------------------------------------------


def plan_under(arguments: str = "", **environment: str) -> list[str]:
    result = run_python(PRINT_PLAN.format(arguments=arguments), **environment)
    assert_succeeds(result)
    return result.stdout.split()


@pytest.mark.parametrize("isa", ISAS)
def test_environment_forces_isa_and_algorithm(isa: str) -> None:
    for algorithm in GENERAL_ALGORITHMS:
        plan = plan_under(NPCONV_ISA=isa, NPCONV_ALGORITHM=algorithm)
        assert plan[:2] == [algorithm, isa]


def test_environment_sets_the_number_of_threads() -> None:
    assert plan_under(NPCONV_NUM_THREADS="3")[2] == "3"
    assert plan_under(NPCONV_NUM_THREADS="")[2] == str(_native.max_threads())


def test_argument_goes_before_environment() -> None:
    plan = plan_under(
        f", isa={ISAS[-1]!r}, algorithm='im2col'",
        NPCONV_ISA=ISAS[0],
        NPCONV_ALGORITHM="reference",
    )
    assert plan[:2] == ["im2col", ISAS[-1]]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NPCONV_ISA", "sse9"),
        *[("NPCONV_ISA", isa) for isa in UNUSABLE],
        ("NPCONV_ALGORITHM", "magic"),
        ("NPCONV_NUM_THREADS", "0"),
        ("NPCONV_NUM_THREADS", "-1"),
        ("NPCONV_NUM_THREADS", "many"),
        ("NPCONV_NUM_THREADS", "1.5"),
        ("NPCONV_NUM_THREADS", "100000000000000000000"),
    ],
)
def test_impossible_environment_is_refused_at_the_call_by_its_name(
    variable: str, value: str
) -> None:
    result = run_python(PRINT_PLAN.format(arguments=""), **{variable: value})
    assert result.returncode != 0
    assert "ValueError" in result.stderr
    assert variable in result.stderr.splitlines()[-1]
    # Importing alone is harmless: tools that only look at the package keep on working.
    assert_succeeds(run_python("import npconv; npconv.show_config()", **{variable: value}))


def test_results_do_not_depend_on_how_they_were_forced() -> None:
    expected = OPERATIONS["conv2d"]()
    for isa in ISAS:
        for algorithm in GENERAL_ALGORITHMS:
            y = npconv.conv2d(X, WEIGHT, isa=isa, algorithm=algorithm)
            assert_same_values(y, expected)
