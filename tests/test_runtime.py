"""Threads, forced instruction sets and algorithms, the environment, and what was chosen."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from variants import GENERAL_ALGORITHMS

import npconv
from npconv import _native

X = np.arange(2 * 4 * 6 * 6, dtype=np.float32).reshape(2, 4, 6, 6)
W = np.ones((6, 4, 3, 3), np.float32)
GRAD = np.ones((2, 6, 4, 4), np.float32)

USABLE = [name for name, compiled, supported in _native.isas() if compiled and supported]
UNUSABLE = [name for name, *state in _native.isas() if not all(state)]


@pytest.fixture(autouse=True)
def _restore_threads():
    before = npconv.get_num_threads()
    yield
    npconv.set_num_threads(before)


# --- threads -----------------------------------------------------------------------------------


def test_set_num_threads_holds_until_it_is_set_again():
    for count in (1, 3, 2, 1024):
        npconv.set_num_threads(count)
        assert npconv.get_num_threads() == count


@pytest.mark.parametrize("form", [np.int64(3), np.array(3)])
def test_set_num_threads_takes_integers_of_any_kind(form):
    npconv.set_num_threads(form)
    assert npconv.get_num_threads() == 3


@pytest.mark.parametrize("set_to", [npconv.set_num_threads, npconv.threads])
@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0, ValueError, "n must be at least 1, got 0"),
        (-1, ValueError, "n must be at least 1, got -1"),
        (1025, ValueError, "n must be at most 1024, got 1025"),
        (2**31, ValueError, f"n must be at most 1024, got {2**31}"),
        (2**70, ValueError, f"n must be at most 1024, got {2**70}"),
        (2.0, TypeError, "n must be an integer, got 2.0"),
        (True, TypeError, "n must be an integer, got True"),
        ("2", TypeError, "n must be an integer, got '2'"),
        (None, TypeError, "n must be an integer, got None"),
    ],
)
def test_wrong_thread_counts(set_to, value, error, words):
    before = npconv.get_num_threads()
    with pytest.raises(error) as caught:
        set_to(value)
    assert words in str(caught.value)
    assert npconv.get_num_threads() == before


def test_threads_restores_what_was_before():
    npconv.set_num_threads(5)
    with npconv.threads(2):
        assert npconv.get_num_threads() == 2
        with npconv.threads(3):
            assert npconv.get_num_threads() == 3
        assert npconv.get_num_threads() == 2
    assert npconv.get_num_threads() == 5


def test_threads_restores_after_an_error():
    npconv.set_num_threads(5)
    with pytest.raises(KeyError), npconv.threads(2):
        raise KeyError
    assert npconv.get_num_threads() == 5


def test_one_threads_object_can_be_entered_twice():
    npconv.set_num_threads(5)
    two = npconv.threads(2)
    with two, two:
        assert npconv.get_num_threads() == 2
    assert npconv.get_num_threads() == 5


def test_threads_is_the_whole_process_s():
    seen = []
    with npconv.threads(7):
        other = threading.Thread(target=lambda: seen.append(npconv.get_num_threads()))
        other.start()
        other.join()
    assert seen == [7]


def test_num_threads_of_a_call_leaves_the_default_alone():
    npconv.set_num_threads(2)
    npconv.conv2d(X, W, num_threads=3)
    assert npconv.get_num_threads() == 2


# --- forcing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", GENERAL_ALGORITHMS)
@pytest.mark.parametrize("isa", USABLE)
def test_what_is_forced_runs(algorithm, isa):
    x, weight = np.ones((1, 1, 9, 9), "f4"), np.ones((1, 1, 3, 3), "f4")  # that all accept
    npconv.conv2d(x, weight, algorithm=algorithm, isa=isa)
    plan = npconv.last_plan()
    assert (plan["algorithm"], plan["isa"]) == (algorithm, isa)


@pytest.mark.parametrize("isa", UNUSABLE)
def test_an_unusable_isa_raises_and_says_what_can_be_used(isa):
    with pytest.raises(ValueError, match=f"isa='{isa}' cannot be used: .*usable here: .*'plain'"):
        npconv.conv2d(X, W, isa=isa)


def test_isas_that_are_not_there(monkeypatch):
    # Whatever this machine has: one that the build lacks, one that the CPU lacks.
    known = (("avx512", True, False), ("neon", False, False), ("plain", True, True))
    monkeypatch.setattr(_native, "isas", lambda: known)
    with pytest.raises(ValueError, match=r"'avx512' cannot be used: this CPU does not have it; us"):
        npconv.avg_pool2d(X, 2, isa="avx512")
    with pytest.raises(ValueError, match="'neon' cannot be used: this build does not contain it"):
        npconv.im2col(X, 2, isa="neon")


def test_isa_auto_is_no_wish():
    expected = npconv.conv2d(X, W)
    isa = npconv.last_plan()["isa"]
    np.testing.assert_array_equal(npconv.conv2d(X, W, isa="auto"), expected)
    assert npconv.last_plan()["isa"] == isa


def test_defaults_given_as_other_string_objects_are_the_defaults():
    equal = "".join(["au", "to"])
    npconv.conv2d(X, W, algorithm=equal, precision="".join(["stan", "dard"]))
    assert npconv.last_plan()["operation"]


# --- environment -------------------------------------------------------------------------------

CALL = "npconv.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)))"


def run(code, **variables):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NPCONV_")}
    done = subprocess.run(
        [sys.executable, "-c", f"import npconv, numpy as np\n{code}"],
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip().split("\n")[-1]


def test_environment_is_honoured():
    code, out, err = run(
        f"{CALL}\nplan = npconv.last_plan()\n"
        "print(npconv.get_num_threads(), plan['algorithm'], plan['isa'])",
        NPCONV_NUM_THREADS="3",
        NPCONV_ALGORITHM="reference",
        NPCONV_ISA="plain",
    )
    assert (code, out) == (0, "3 reference plain"), err


def test_arguments_come_before_the_environment():
    code, out, err = run(
        "npconv.set_num_threads(2)\n"
        f"{CALL[:-1]}, algorithm='im2col', isa='plain')\nplan = npconv.last_plan()\n"
        "print(npconv.get_num_threads(), plan['algorithm'], plan['isa'])",
        NPCONV_NUM_THREADS="3",
        NPCONV_ALGORITHM="reference",
        NPCONV_ISA=USABLE[0],
    )
    assert (code, out) == (0, "2 im2col plain"), err


def test_without_the_environment_all_usable_cores_are_used():
    code, out, err = run("print(npconv.get_num_threads())")
    assert (code, out) == (0, str(_native.max_threads())), err


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"NPCONV_NUM_THREADS": "two"}, "NPCONV_NUM_THREADS must be an integer, got 'two'"),
        ({"NPCONV_NUM_THREADS": "1.5"}, "NPCONV_NUM_THREADS must be an integer, got '1.5'"),
        ({"NPCONV_NUM_THREADS": "0"}, "NPCONV_NUM_THREADS must be at least 1, got 0"),
        ({"NPCONV_NUM_THREADS": "99999"}, "NPCONV_NUM_THREADS must be at most 1024, got 99999"),
        ({"NPCONV_ALGORITHM": "fft"}, "NPCONV_ALGORITHM must be 'auto' or"),
        ({"NPCONV_ISA": "sse9"}, "NPCONV_ISA must be 'auto' or 'avx512' or"),
        ({"NPCONV_RECYCLE": "yes"}, "NPCONV_RECYCLE must be '0' or '1', got 'yes'"),
    ],
)
def test_a_wrong_environment_is_named_by_the_call_not_by_the_import(variables, words):
    code, out, err = run(f"print('imported'); {CALL}", **variables)
    assert (code, out) == (1, "imported")
    assert err.startswith(f"ValueError: {words}")


def test_an_unusable_isa_in_the_environment_is_named():
    if not UNUSABLE:
        pytest.skip("this machine can use every instruction set")
    code, _, err = run(CALL, NPCONV_ISA=UNUSABLE[0])
    assert code == 1
    assert err.startswith(f"ValueError: NPCONV_ISA='{UNUSABLE[0]}' cannot be used")


def test_a_wrong_thread_count_in_the_environment_can_be_overruled():
    code, out, err = run(
        f"npconv.set_num_threads(2); {CALL}; print(npconv.get_num_threads())",
        NPCONV_NUM_THREADS="many",
    )
    assert (code, out) == (0, "2"), err


def test_show_config_counts_the_threads_of_the_environment():
    code, out, err = run("npconv.show_config()", NPCONV_NUM_THREADS="7")
    assert code == 0, err
    assert "default: 7" in out


def test_show_config_works_in_a_wrong_environment():
    code, out, _ = run("npconv.show_config()", NPCONV_ISA="sse9", NPCONV_NUM_THREADS="many")
    assert code == 0
    assert "NPCONV_ISA: sse9" in out
    assert "NPCONV_NUM_THREADS: many" in out


# --- what there is -----------------------------------------------------------------------------


def test_cpu_info():
    info = npconv.cpu_info()
    assert info["isa"] == USABLE[0]
    assert info["cores"] >= 1
    assert all(isinstance(feature, str) for feature in info["features"])


def test_show_config_prints_what_it_returns(capsys):
    assert npconv.show_config() is None
    printed = capsys.readouterr().out
    config = npconv.show_config("dict")
    assert capsys.readouterr().out == ""
    assert list(config) == ["build", "cpu", "isas", "algorithms", "threads", "environment"]
    for section in config:
        assert f"{section}:\n" in printed
    assert config["build"]["version"] in printed
    for name in _native.conv_algorithms():
        assert name in printed
    assert [name for name, state in config["isas"].items() if state == "usable"] == USABLE


@pytest.mark.parametrize(("mode", "error"), [("json", ValueError), (1, TypeError)])
def test_show_config_knows_its_modes(mode, error):
    with pytest.raises(error, match="mode must be 'print' or 'dict'"):
        npconv.show_config(mode)


# --- last_plan and explain ---------------------------------------------------------------------


def test_last_plan_is_this_thread_s():
    npconv.conv2d(X, W, algorithm="reference")
    seen = []

    def elsewhere():
        seen.append(npconv.last_plan())
        npconv.conv2d(X, W, algorithm="im2col")
        seen.append(npconv.last_plan()["algorithm"])

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    assert seen == [None, "im2col"]
    assert npconv.last_plan()["algorithm"] == "reference"


def test_last_plan_has_what_it_promises():
    npconv.conv2d(X, W, num_threads=1)
    plan = npconv.last_plan()
    assert {"operation", "algorithm", "isa", "dtype", "num_threads"} <= set(plan)
    assert plan["num_threads"] == 1
    assert plan["dtype"] == "float32"
    assert plan["workspace_bytes"] >= 0
    assert plan["pieces"] >= 1


EXPLAINED = [
    ("conv2d", (X, W)),
    ("conv2d_input_grad", (GRAD, W, X.shape)),
    ("conv2d_weight_grad", (GRAD, X, W.shape)),
]


@pytest.mark.parametrize(("name", "arguments"), EXPLAINED)
@pytest.mark.parametrize("forced", ["auto", *_native.conv_algorithms()])
def test_explain_says_what_then_runs(name, arguments, forced):
    function = getattr(npconv, name)
    npconv.pad(X, 1)
    before = npconv.last_plan()
    why = npconv.explain(name, *arguments, algorithm=forced)
    assert npconv.last_plan() == before  # nothing has run
    assert [candidate.name for candidate in why.candidates] == list(_native.conv_algorithms())
    assert why.candidates[-1].accepted  # the reference takes everything
    for candidate in why.candidates:
        assert candidate.accepted or candidate.reason
    if why.algorithm is None:
        with pytest.raises((ValueError, NotImplementedError)):
            function(*arguments, algorithm=forced)
    else:
        function(*arguments, algorithm=forced)
        plan = npconv.last_plan()
        assert (plan["algorithm"], plan["dtype"]) == (why.algorithm, why.dtype)
        assert plan["isa"] == why.isa
    assert str(npconv.explain(function, *arguments, algorithm=forced)) == str(why)


def test_explain_prints_a_table():
    why = npconv.explain("conv2d", X, W, padding=1, algorithm="reference")
    assert str(why).splitlines()[0] == (
        "conv2d: input (2, 4, 6, 6), weight (6, 4, 3, 3), output (2, 6, 6, 6)"
    )
    chosen = [line.split() for line in str(why).splitlines() if "chosen" in line]
    assert [line[:2] for line in chosen] == [["reference", "chosen"]]
    assert repr(why) == "<Explanation of conv2d: reference>"


def test_explain_shows_reasons_and_a_forced_algorithm_that_declines(monkeypatch):
    def candidates(operation, geometry, dtype, options):
        assert (operation, dtype) == ("forward", "float32")
        found = [
            ("direct", False, "the filter is too wide", None, None),
            ("im2col", True, "", 0.00123456, [1.0]),
        ]
        return found, "im2col" if options[0] == "auto" else None

    monkeypatch.setattr(_native, "conv_candidates", candidates)
    why = npconv.explain("conv2d", X, W)
    assert why.algorithm == "im2col"
    assert why.candidates[0] == ("direct", False, "the filter is too wide", None)
    assert why.candidates[1] == ("im2col", True, "", 0.00123456)
    assert str(why).splitlines()[2:] == [
        "  direct  declines               the filter is too wide",
        "  im2col  chosen      1.2346 ms",
    ]
    assert npconv.explain("conv2d", X, W, algorithm="direct").algorithm is None


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("max_pool2d", X, 2), ValueError, "operation must be one of conv2d, conv2d_input_grad"),
        ((npconv.pad, X, 2), ValueError, "operation must be one of conv2d"),
        ((npconv.reference.conv2d, X, W), ValueError, "operation must be one of conv2d"),
        ((2, X, W), ValueError, "operation must be one of conv2d"),
        (("conv2d", X, W, None, 0), ValueError, "stride must be at least 1, got 0"),
        (("conv2d", X), TypeError, "weight"),
    ],
)
def test_explain_raises_as_the_call_would(arguments, error, words):
    with pytest.raises(error, match=words):
        npconv.explain(*arguments)
