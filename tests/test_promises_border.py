"""Promise 4 below the front end: the border refuses what C must not index with.

npconv's functions never pass such arguments. Should they one day by mistake, an exception is
better than a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scripts import assert_succeeds, run_python
from variants import aligned_bytes

from npconv import _native, geometry

OPTIONS = ("auto", "auto", 1, "standard")
CONV = geometry.conv_geometry(2, (2, 4, 6, 7), (6, 2, 3, 3), padding=1, groups=2)
POOL = geometry.pool_geometry(2, (2, 4, 6, 7), 3, 2, 1)
COLUMNS = geometry.columns_geometry(2, (2, 4, 6, 7), 3, padding=1)


def ones(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.ones(shape, dtype)


def conv_forward_and_add(
    geometry: Any, x: Any, weight: Any, bias: Any, add: Any, out: Any, options: Any
) -> None:
    _native.conv_forward(geometry, x, weight, bias, out, options, "relu", 0.0, add)


def conv_prepare(geometry: Any, weight: Any, options: Any) -> None:
    options = ("winograd", *options[1:])
    size = _native.conv_prepared_size(geometry, "float32", options)
    _native.conv_prepare(geometry, weight, aligned_bytes(size), options)


# Every function with arguments that fit; the tests below spoil one at a time.
CALLS: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "conv_forward": (
        _native.conv_forward,
        {
            "geometry": CONV,
            "x": ones(2, 4, 6, 7),
            "weight": ones(6, 2, 3, 3),
            "bias": ones(6),
            "out": ones(2, 6, 6, 7),
        },
    ),
    "conv_forward and add": (
        conv_forward_and_add,
        {
            "geometry": CONV,
            "x": ones(2, 4, 6, 7),
            "weight": ones(6, 2, 3, 3),
            "bias": ones(6),
            "add": ones(2, 6, 6, 7),
            "out": ones(2, 6, 6, 7),
        },
    ),
    "conv_prepare": (conv_prepare, {"geometry": CONV, "weight": ones(6, 2, 3, 3)}),
    "conv_input_grad": (
        _native.conv_input_grad,
        {
            "geometry": CONV,
            "grad": ones(2, 6, 6, 7),
            "weight": ones(6, 2, 3, 3),
            "out": ones(2, 4, 6, 7),
        },
    ),
    "conv_weight_grad": (
        _native.conv_weight_grad,
        {
            "geometry": CONV,
            "grad": ones(2, 6, 6, 7),
            "x": ones(2, 4, 6, 7),
            "out": ones(6, 2, 3, 3),
        },
    ),
    "conv_bias_grad": (
        _native.conv_bias_grad,
        {"geometry": CONV, "grad": ones(2, 6, 6, 7), "out": ones(6)},
    ),
    "max_pool_forward": (
        _native.max_pool_forward,
        {
            "geometry": POOL,
            "x": ones(2, 4, 6, 7),
            "out": ones(2, 4, 3, 4),
            "indices": ones(2, 4, 3, 4, dtype="i8"),
            "index_kind": "flat",
        },
    ),
    "max_pool_backward": (
        _native.max_pool_backward,
        {
            "geometry": POOL,
            "grad": ones(2, 4, 3, 4),
            "indices": ones(2, 4, 3, 4, dtype="i8"),
            "out": ones(2, 4, 6, 7),
            "index_kind": "flat",
        },
    ),
    "im2col": (
        _native.im2col,
        {"geometry": COLUMNS, "x": ones(2, 4, 6, 7), "cols": ones(2, 36, 42)},
    ),
    "col2im": (
        _native.col2im,
        {"geometry": COLUMNS, "cols": ones(2, 36, 42), "out": ones(2, 4, 6, 7)},
    ),
    "pad_forward": (
        _native.pad_forward,
        {
            "geometry": geometry.pad_geometry((3, 4), ((1, 2), (3, 4)), "edge", 4),
            "mode": "edge",
            "x": ones(3, 4),
            "constant_values": ones(2, 2),
            "out": ones(6, 11),
        },
    ),
    "pad_backward": (
        _native.pad_backward,
        {
            "geometry": geometry.pad_geometry((3, 4), ((1, 2), (3, 4)), "edge", 4),
            "mode": "edge",
            "grad": ones(6, 11),
            "out": ones(3, 4),
        },
    ),
}
RESULTS = ("out", "cols", "indices")
READ = {("col2im", "cols"), ("max_pool_backward", "indices")}

each_call = pytest.mark.parametrize("call", CALLS)
ARRAYS = [
    (call, key)
    for call, (_, arguments) in CALLS.items()
    for key, value in arguments.items()
    if isinstance(value, np.ndarray)
]
WRITTEN = [pair for pair in ARRAYS if pair[1] in RESULTS and pair not in READ]
each_array = pytest.mark.parametrize(("call", "argument"), ARRAYS)


def run(call: str, **changes: Any) -> None:
    function, arguments = CALLS[call]
    fresh = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
    function(*{**fresh, **changes}.values(), OPTIONS)


@each_call
def test_fitting_arguments_pass(call: str) -> None:
    run(call)


@each_array
def test_wrong_shapes_are_refused(call: str, argument: str) -> None:
    right = CALLS[call][1][argument]
    for shape in [
        (*right.shape[:-1], right.shape[-1] + 1),
        (*right.shape[:-1], right.shape[-1] - 1),
        (right.shape[0] + 1, *right.shape[1:]),
        (right.size,) if right.ndim > 1 else (1, right.size),
        (1, *right.shape),
        (),
    ]:
        with pytest.raises(ValueError, match=r"shape|geometry|axes|rank|one dtype"):
            run(call, **{argument: np.ones(shape, right.dtype)})


@each_array
@pytest.mark.parametrize("dtype", ["O", "M8[s]", "S8", "c8", "V8"])
def test_dtypes_that_are_not_numbers_are_refused(call: str, argument: str, dtype: str) -> None:
    shape = CALLS[call][1][argument].shape
    with pytest.raises((TypeError, ValueError)):
        run(call, **{argument: np.zeros(shape, dtype)})


@pytest.mark.parametrize(("call", "argument"), WRITTEN)
def test_results_that_cannot_be_written_are_refused(call: str, argument: str) -> None:
    right = CALLS[call][1][argument]
    wrong = right.copy()
    wrong.flags.writeable = False
    with pytest.raises(ValueError, match=r"writeable|C-contiguous"):
        run(call, **{argument: wrong})
    wrong = right.astype(right.dtype.newbyteorder())
    with pytest.raises(ValueError, match=r"native|one dtype"):
        run(call, **{argument: wrong})
    if call != "pad_forward":  # which moves bytes
        wrong = np.zeros(right.nbytes + 1, "u1")[1:].view(right.dtype).reshape(right.shape)
        with pytest.raises(ValueError, match=r"aligned|C-contiguous"):
            run(call, **{argument: wrong})


WINDOWS_GONE_WRONG = {
    "no stride": {"stride": (1, 0, 1)},
    "stride back": {"stride": (1, -1, 1)},
    "no dilation": {"dilation": (1, 1, 0)},
    "dilation back": {"dilation": (1, -1, 1)},
    "no kernel": {"kernel": (0, 3, 3)},
    "padding back": {"pad_before": (0, -1, 0)},
    "enormous stride": {"stride": (1, 2**62, 2**62)},
    "enormous dilation": {"dilation": (1, 2**62, 2**62)},
    "input back": {"input": (1, -6, -7)},
    "batch back": {"batch": -2},
    "stride over the end": {"stride": (1, 3, 3)},
    "dilation over the end": {"dilation": (1, 4, 4)},
    "past int64": {"stride": (1, 2**63, 1)},
}
WITH_WINDOWS = [call for call in CALLS if "pad" not in call and call != "conv_bias_grad"]


@pytest.mark.parametrize("call", WITH_WINDOWS)
def test_inconsistent_windows_are_refused(call: str) -> None:
    # In a process of its own, for it might crash; the last line tells at what.
    result = run_python(f"import test_promises_border as t; t.try_wrong_windows({call!r})")
    assert_succeeds(result)
    assert "not refused" not in result.stdout


def try_wrong_windows(call: str) -> None:
    """Print what comes of each inconsistent geometry."""
    right = CALLS[call][1]["geometry"]
    for how, change in WINDOWS_GONE_WRONG.items():
        if call.startswith("max_pool") and how == "dilation over the end":
            continue  # a window that hangs over is one of ceil_mode
        print(how, end=": ", flush=True)
        try:
            run(call, geometry=right._replace(**change))
        except (ValueError, OverflowError):
            print("refused")
        else:
            print("not refused")


@pytest.mark.parametrize("call", ["pad_forward", "pad_backward"])
def test_inconsistent_paddings_are_refused(call: str) -> None:
    right = CALLS[call][1]["geometry"]
    for wrong in (
        right._replace(before=(-1, 3), after=(4, 4)),
        right._replace(shape=(2**62, 4)),
        right._replace(before=(2**62, 2**62), after=(2**62, 2**62)),
        right._replace(before=(2**63, 3)),
    ):
        with pytest.raises((ValueError, OverflowError)):
            run(call, geometry=wrong)


def test_groups_that_do_not_divide_are_refused() -> None:
    for call in ("conv_forward", "conv_input_grad", "conv_weight_grad"):
        for groups in (0, -1, 3, 4):
            with pytest.raises((ValueError, ZeroDivisionError)):
                run(call, geometry=CONV._replace(groups=groups))


@pytest.mark.parametrize("kind", ["flat", "window"])
def test_no_index_leads_outside_of_the_result(kind: str) -> None:
    """They are checked as they are used; what was written of the result by then is lost."""
    memory = np.full((4, 4, 6, 7), 5, "f4")
    out = memory[1:3]
    for bad in (-1, 42, 2**40, -(2**63), 2**63 - 1):
        indices = np.full((2, 4, 3, 4), 4, "i8")
        indices[1, 3, 2, 3] = bad
        with pytest.raises(ValueError, match="indices"):
            run("max_pool_backward", indices=indices, index_kind=kind, out=out)
        assert (memory[0] == 5).all()
        assert (memory[3] == 5).all()
