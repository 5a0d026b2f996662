"""The short cuts of hot calls give what the Python functions give, errors included."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import assert_succeeds, run_python
from strategies import ConvCase, PoolCase, conv_cases, pool_cases
from tolerance import assert_same_bits
from variants import ISAS

import npconv
from npconv import _native, checks

DEFINITIONS = _native.definitions()
X, WEIGHT = np.ones((2, 4, 8, 7), "f4"), np.ones((6, 4, 3, 2), "f4")
GRAD = np.ones((2, 6, 6, 6), "f4")
CALLS: dict[str, tuple[Any, ...]] = {
    "conv2d": (X, WEIGHT),
    "conv2d_input_grad": (GRAD, WEIGHT, X.shape),
    "conv2d_weight_grad": (GRAD, X, WEIGHT.shape),
    "conv2d_backward": (GRAD, X, WEIGHT),
    "max_pool2d": (X, 2),
}
each_function = pytest.mark.parametrize("name", CALLS)


def outcome(call: Callable[[], Any]) -> list[Any]:
    """The arrays that a call returns, or the kind and text of its error."""
    try:
        result = call()
    except Exception as error:
        return [type(error), str(error)]
    return list(result) if isinstance(result, tuple) else [result]


def assert_same_outcome(name: str, *args: Any, **kwargs: Any) -> None:
    actual = outcome(lambda: getattr(npconv, name)(*args, **kwargs))
    expected = outcome(lambda: DEFINITIONS[name](*args, **kwargs))
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        if not isinstance(e, np.ndarray):
            assert a == e
            continue
        assert type(a) is type(e)
        assert (a.dtype, a.shape, a.strides) == (e.dtype, e.shape, e.strides)
        assert a.flags.writeable
        assert_same_bits(a, e)


def is_short(name: str, *args: Any, **kwargs: Any) -> bool:
    before = _native.short_call_count()
    getattr(npconv, name)(*args, **kwargs)
    return _native.short_call_count() > before


# ---- the same results ----------------------------------------------------------------------


wishes = st.sampled_from(
    [
        {},
        {"precision": "strict"},
        {"precision": "standard"},
        *({"isa": isa} for isa in ISAS),
        *({"padding_mode": mode} for mode in checks.PAD_MODES),
    ]
)


@given(case=conv_cases(), keywords=st.booleans(), integers=st.booleans(), wish=wishes)
def test_convolutions_are_what_python_defines(
    case: ConvCase, keywords: bool, integers: bool, wish: dict[str, str]
) -> None:
    x, weight, bias = case.operands(integers)
    settings = case.settings
    args = () if keywords else tuple(settings.values())
    kwargs = {**settings, **wish} if keywords else wish
    if keywords:
        assert_same_outcome("conv2d", x, weight, bias=bias, **kwargs)
    else:
        assert_same_outcome("conv2d", x, weight, bias, *args, **wish)
    grad = npconv.conv2d(x, weight, **settings)
    assert_same_outcome("conv2d_input_grad", grad, weight, x.shape, *args, **kwargs)
    assert_same_outcome("conv2d_weight_grad", grad, x, weight.shape, *args, **kwargs)
    assert_same_outcome("conv2d_backward", grad, x, weight, *args, **kwargs)


@given(case=pool_cases(), indices=st.booleans(), isa=st.sampled_from([None, *ISAS]))
def test_pooling_is_what_python_defines(case: PoolCase, indices: bool, isa: str | None) -> None:
    assert_same_outcome("max_pool2d", case.x(), **case.settings, return_indices=indices, isa=isa)


# ---- the same refusals, and the same sizes wherever they are accepted ------------------------

small = st.integers(-1, 9)
refused = [None, True, 1.0, "no", (), (1,), (1, 2, 3), (True, 1), (1, 2.0), -(2**70), (1, 2**64)]
unusual = ["same", ((1, 2), (0, 1)), [2, 1], np.int64(2), np.array([1, 2]), 2**62, 2**63]
odd_forms = st.sampled_from(refused) | st.sampled_from(unusual)
# Padding of a middle size would make results that take all memory.
paddings = small | st.tuples(small, small) | odd_forms
steps = paddings | st.integers(1, 2**70) | st.sampled_from([2**30, 2**30 + 1, (2**31, 1)])


@each_function
@given(data=st.data())
def test_odd_settings_meet_the_same_end(name: str, data: st.DataObject) -> None:
    last = "ceil_mode" if name == "max_pool2d" else "groups"
    optional = {"stride": steps, "padding": paddings, "dilation": steps, last: steps}
    kwargs = data.draw(st.fixed_dictionaries({}, optional=optional))
    assert_same_outcome(name, *CALLS[name], **kwargs)


@pytest.mark.parametrize("large", [2**30 - 1, 2**30, 2**30 + 1, 2**31, 2**40])
def test_large_settings_give_the_same_sizes(large: int) -> None:
    for settings in [
        {"stride": (large, 1), "padding": (large, 0)},
        {"stride": large, "dilation": (1, 3)},
        {"dilation": (large, 1), "padding": (large, 1)},
    ]:
        x, weight = X[:1, :1], WEIGHT[:1, :1]
        assert_same_outcome("conv2d", x, weight, **settings)
    assert_same_outcome("max_pool2d", X, 3, stride=large, padding=1)


@each_function
@given(data=st.data())
def test_odd_operands_meet_the_same_end(name: str, data: st.DataObject) -> None:
    args = list(CALLS[name])
    at = data.draw(st.integers(0, len(args) - 1))
    odd = [
        args[at],
        None,
        3,
        (2, 6, 6),
        (2, 4, 8, -7),
        (2, 4, 8, 2**40),
        (2.0, 4, 8, 7),
        [2, 4, 8, 7],
        X[0],
        X[..., 0],
        X.astype("f8"),
        X.astype(">f4"),
        X.astype("i4"),
        X[:, :, ::-1],
        WEIGHT[:, :, ::-1],
        WEIGHT[:3],
        WEIGHT[:, :0],
        WEIGHT[:, :3],
        GRAD[:1],
        np.ma.masked_array(X),
        X.tolist(),
        np.broadcast_to(np.float32(1), (2**20, 4, 2**20, 2**18)),
    ]
    args[at] = data.draw(st.sampled_from(odd))
    if name == "conv2d" and data.draw(st.booleans()):
        args.append(data.draw(st.sampled_from([np.ones(6, "f4"), np.ones(12, "f4")[::2],
            np.ones(6), np.ones((6, 1), "f4"), np.ones(5, "f4"), 1, [1.0] * 6])))  # fmt: skip
    assert_same_outcome(name, *args)


@each_function
@pytest.mark.parametrize(
    "kwargs",
    [
        {"num_threads": 0},
        {"num_threads": 1025},
        {"num_threads": True},
        {"layout": "NHWD"},
        {"isa": "sse9"},
        {"isa": 3},
        {"isa": ["plain"]},
        {"precision": "exact"},
        {"precision": None},
        {"nothing": 1},
        {"x": X, "grad": GRAD},
        {"stride": 1, "padding": (0, -1)},
        {"dilation": 9},
    ],
    ids=lambda kwargs: ", ".join(kwargs),
)
def test_errors_are_those_of_python(name: str, kwargs: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, NotImplementedError)):
        getattr(npconv, name)(*CALLS[name], **kwargs)
    assert_same_outcome(name, *CALLS[name], **kwargs)


@each_function
def test_missing_and_surplus_arguments_are_named_by_python(name: str) -> None:
    function = getattr(npconv, name)
    for args in [(), CALLS[name][:1], (*CALLS[name], *range(20))]:
        with pytest.raises(TypeError, match=name):
            function(*args)
        assert_same_outcome(name, *args)


@given(
    x=st.tuples(*[st.integers(0, 2**33)] * 2, *[st.integers(1, 2**33)] * 2),
    weight=st.tuples(*[st.integers(0, 2**33)] * 2, *[st.integers(1, 5)] * 2),
)
def test_huge_shapes_are_refused_alike(x: tuple[int, ...], weight: tuple[int, ...]) -> None:
    """Arrays of zero strides may claim what no memory holds; results may not."""
    thin = np.broadcast_to(np.float32(1), (1, 1, 1, 1))
    grad = np.lib.stride_tricks.as_strided(thin, (1, 1, 2, 2), (0,) * 4)
    assert_same_outcome("conv2d_input_grad", grad, np.ones((1, 1, 2, 2), "f4"), x)
    assert_same_outcome("conv2d_weight_grad", grad, grad, weight)


# ---- which calls are short -----------------------------------------------------------------


@each_function
def test_usual_calls_are_short(name: str) -> None:
    args = CALLS[name]
    assert is_short(name, *args)
    assert is_short(name, *args, num_threads=1)
    assert is_short(name, *args, stride=1, padding=(0, 0), dilation=(1, 1))
    assert is_short(name, *args, *((None,) if name == "conv2d" else ()), 1, 0)
    assert is_short(name, *args, isa="plain")
    if name == "max_pool2d":
        assert is_short(name, *args, return_indices=True)
        assert is_short(name, X, (2, 3), None, 1)
        assert is_short(name, X.astype("f8")[:, :, ::2], 2)
    else:
        # What layers pass.
        assert is_short(
            name, *args, padding_mode="constant", precision="standard", algorithm="auto"
        )
        assert is_short(name, *args, precision="strict")


def test_an_operation_with_everything_given_is_short() -> None:
    bias = np.ones(6, "f4")
    assert is_short("conv2d", X, WEIGHT[:, :2].copy(), bias, (2, 1), (1, 2), 2, 2)
    assert is_short("conv2d", weight=WEIGHT, x=X, bias=bias)
    assert is_short("conv2d_backward", *CALLS["conv2d_backward"], needs=(False, True, True))
    assert is_short("conv2d", X, WEIGHT, padding=(1, 9), padding_mode="reflect")


@each_function
def test_calls_with_wishes_take_the_long_way(name: str) -> None:
    args = CALLS[name]
    assert not is_short(name, *args, isa="auto")
    assert not is_short(name, *args, stride=[1, 1])
    assert not is_short(name, *(np.asarray(a, ">f4") if a is args[0] else a for a in args))


def test_options_of_the_environment_hold_in_short_calls() -> None:
    code = """
        import numpy as np, npconv
        x, weight = np.ones((1, 2, 5, 5), "f4"), np.ones((3, 2, 3, 3), "f4")
        for _ in range(3):
            assert (npconv.conv2d(x, weight) == 18).all()
            plan = npconv.last_plan()
            assert (plan["algorithm"], plan["isa"]) == ("reference", "plain")
        assert npconv._native.short_call_count() == 2  # the first call reads the environment
    """
    assert_succeeds(run_python(code, NPCONV_ISA="plain", NPCONV_ALGORITHM="reference"))


# ---- functions like any other ----------------------------------------------------------------


@each_function
def test_what_is_exported_is_known_by_its_name_and_text(name: str) -> None:
    function, definition = getattr(npconv, name), DEFINITIONS[name]
    assert function is not definition
    assert function.__name__ == function.__qualname__ == name
    assert function.__module__ == definition.__module__
    assert function.__doc__.splitlines()[0] == definition.__doc__.splitlines()[0]
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function


def test_explain_takes_the_exported_function() -> None:
    by_name = npconv.explain("conv2d", X, WEIGHT, padding=1)
    assert str(npconv.explain(npconv.conv2d, X, WEIGHT, padding=1)) == str(by_name)


def test_only_operations_with_a_short_cut_can_be_published() -> None:
    with pytest.raises(ValueError, match="test_only_operations"):
        _native.short_call(test_only_operations_with_a_short_cut_can_be_published)


def test_operands_may_be_freed_or_shared_by_the_caller() -> None:
    y = npconv.conv2d(np.ones((1, 1, 4, 4), "f4"), np.ones((1, 1, 2, 2), "f4"))
    assert y.base is None
    y.resize((3, 3), refcheck=False)
    assert (y == 4).all()
