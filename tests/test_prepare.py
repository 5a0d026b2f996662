"""Prepared weights: the bits of the plain call, and a clear refusal where they do not fit."""

from __future__ import annotations

import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import assert_succeeds, run_python
from strategies import ConvCase, conv_cases
from test_winograd import Case, cases
from tolerance import assert_same_bits
from variants import (
    FAST_VARIANTS,
    GENERAL_ALGORITHMS,
    ISAS,
    SPECIAL_ALGORITHMS,
    aligned_bytes,
)

import npconv
from npconv import _native, geometry, reference

each_isa = pytest.mark.parametrize("isa", ISAS)


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---- the same bits --------------------------------------------------------------------------


def assert_prepared_is_plain(
    x: np.ndarray, weight: np.ndarray, bias: Any, how: dict[str, Any], **settings: Any
) -> npconv.PreparedWeight:
    """In all forms of the call, by whatever runs it."""
    dtype = np.result_type(x, weight)
    ready = npconv.prepare(weight, x_shape=x.shape, dtype=dtype, **settings, **how)
    plain = npconv.conv2d(x, weight, bias, **settings, **how)
    assert npconv.last_plan()["algorithm"] == ready.algorithm
    assert npconv.last_plan()["isa"] == ready.isa
    for threads in (1, 3):
        assert_same_bits(npconv.conv2d(x, ready, bias, **settings, num_threads=threads), plain)
    plan = npconv.last_plan()
    assert (plan["algorithm"], plan["isa"]) == (ready.algorithm, ready.isa)
    out = np.full_like(plain, np.nan)
    assert npconv.conv2d(x, ready, bias, **settings, **how, out=out) is out
    assert_same_bits(out, plain)
    add = plain[::-1].copy()
    after = {"activation": ("leaky_relu", 0.3), "add": add}
    assert_same_bits(
        npconv.conv2d(x, ready, bias, **settings, **after),
        npconv.conv2d(x, weight, bias, **settings, **how, **after),
    )
    return ready


@given(case=conv_cases(), how=st.sampled_from(FAST_VARIANTS), integers=st.booleans())
def test_bits_are_those_of_the_plain_call(
    case: ConvCase, how: dict[str, Any], integers: bool
) -> None:
    x, weight, bias = case.operands(integers)
    assert_prepared_is_plain(x, weight, bias, how, **case.settings)


@given(case=conv_cases(), isa=st.sampled_from(ISAS))
def test_bits_where_the_algorithm_is_chosen(case: ConvCase, isa: str) -> None:
    x, weight, bias = case.operands(integers=False)
    assert_prepared_is_plain(x, weight, bias, {"isa": isa}, **case.settings)


@given(case=cases(), isa=st.sampled_from(ISAS), dtype=st.sampled_from(["float32", "float64"]))
def test_bits_of_transformed_weights(case: Case, isa: str, dtype: str) -> None:
    x, weight, bias = case.operands(dtype)
    small_tiles = 5 not in case.kernel and case.seed % 2
    how = {"isa": isa, "algorithm": "winograd2" if small_tiles else "winograd"}
    ready = assert_prepared_is_plain(x, weight, bias, how, **case.settings)
    assert ready.nbytes > 2 * weight.nbytes  # it did transform them


@pytest.mark.parametrize("algorithm", [*SPECIAL_ALGORITHMS, *GENERAL_ALGORITHMS])
@each_isa
def test_every_algorithm_is_to_be_had(algorithm: str, isa: str) -> None:
    how = {"algorithm": algorithm, "isa": isa}
    for x, weight, groups in (
        (normal(2, 3, 40, 60), normal(20, 3, 3, 3), 1),
        (normal(2, 3, 4, 5), normal(4, 3, 3, 3), 1),
        (normal(2, 3, 9, 12), normal(3, 1, 3, 3), 3),
    ):
        why = npconv.explain("conv2d", x, weight, padding=1, groups=groups, **how)
        if why.algorithm is not None:
            assert_prepared_is_plain(x, weight, None, how, padding=1, groups=groups)
            return
    pytest.fail("none of these suits it")


@each_isa
@pytest.mark.parametrize(
    ("channels", "rows", "size"),
    [(64, 64, 4), (256, 272, 5), (32, 48, 30), (130, 65, 14)],
    ids=["few tiles", "few tiles and many weights", "many tiles", "uneven"],
)
def test_batch_and_threads_are_free(channels: int, rows: int, size: int, isa: str) -> None:
    weight = normal(rows, channels, 3, 3)
    ready = npconv.prepare(weight, x_shape=(size, size), padding=1, algorithm="winograd", isa=isa)
    for batch in (1, 2, 9):
        x = normal(batch, channels, size, size, seed=batch)
        plain = npconv.conv2d(x, weight, padding=1, algorithm="winograd", isa=isa)
        for threads in (1, 2, 5):
            y = npconv.conv2d(x, ready, padding=1, num_threads=threads)
            assert_same_bits(y, plain)
    one = npconv.conv2d(x[3], ready, padding=1)
    assert_same_bits(one, plain[3])


@each_isa
def test_infinities_and_nans_stand_where_they_do_in_the_plain_call(isa: str) -> None:
    x, weight = normal(2, 16, 12, 12), normal(16, 16, 3, 3)
    x[0, 3, 0, 5], x[1, 2, 11, 11], weight[3, 4, 0, 0] = np.inf, np.nan, -np.inf
    how = {"algorithm": "winograd", "isa": isa}
    assert_prepared_is_plain(x, weight, None, how, padding=1)


def test_many_threads_at_once() -> None:
    weight = normal(32, 32, 3, 3)
    ready = npconv.prepare(weight, x_shape=(12, 12), padding=1, algorithm="winograd")
    images = [normal(2, 32, 12, 12, seed=i) for i in range(8)]
    expected = [npconv.conv2d(x, weight, padding=1, algorithm="winograd") for x in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            found = pool.map(lambda x: npconv.conv2d(x, ready, padding=1, num_threads=2), images)
            for y, wanted in zip(found, expected, strict=True):
                assert_same_bits(y, wanted)


def test_workspace_does_not_count_what_is_prepared() -> None:
    x, weight = normal(1, 64, 40, 40), normal(64, 64, 3, 3)
    npconv.conv2d(x, weight, padding=1, algorithm="winograd", num_threads=1)
    plain = npconv.last_plan()["workspace_bytes"]
    ready = npconv.prepare(weight, x_shape=x.shape, padding=1, algorithm="winograd")
    npconv.conv2d(x, ready, padding=1, num_threads=1)
    assert npconv.last_plan()["workspace_bytes"] <= plain - 4 * weight.nbytes
    assert ready.nbytes <= 5.1 * weight.nbytes
    direct = npconv.prepare(weight, x_shape=x.shape, padding=1, algorithm="direct")
    assert direct.nbytes <= weight.nbytes + 256


def test_the_usual_call_takes_the_short_cut() -> None:
    x, weight = normal(2, 8, 11, 12), normal(6, 8, 3, 3)
    for how in ({}, {"algorithm": "winograd"}, {"precision": "strict"}, {"isa": "plain"}):
        ready = npconv.prepare(weight, x_shape=x.shape, padding=1, **how)
        npconv.conv2d(x, ready, padding=1)
        count = _native.short_call_count()
        y = npconv.conv2d(x, ready, padding=1)
        z = npconv.conv2d(x, weight=ready, padding=(1, 1), num_threads=2)
        assert _native.short_call_count() == count + 2
        assert npconv.last_plan()["algorithm"] == ready.algorithm
        assert npconv.last_plan()["isa"] == ready.isa
        expected = npconv.conv2d(x, weight, padding=1, **how)
        assert_same_bits(y, expected)
        assert_same_bits(z, expected)
        count = _native.short_call_count()
        for settings in ({}, {"padding": 1, "stride": 2}, {"padding": 2}):
            with pytest.raises(ValueError, match="weight was prepared for"):
                npconv.conv2d(x, ready, **settings)
        with pytest.raises(ValueError, match="weight was prepared for images"):
            npconv.conv2d(x[:, :, :-1], ready, padding=1)
        with pytest.raises(ValueError, match="weight was prepared for dtype"):
            npconv.conv2d(x.astype("f8"), ready, padding=1)
        assert _native.short_call_count() == count


# ---- the object -----------------------------------------------------------------------------


def example(**changes: Any) -> npconv.PreparedWeight:
    how = {"x_shape": (8, 11, 12), "padding": (1, 2), "algorithm": "winograd"} | changes
    return npconv.prepare(normal(6, 8, 3, 3), **how)


def test_attributes() -> None:
    ready = example(isa="plain")
    assert (ready.shape, ready.ndim, len(ready)) == ((6, 8, 3, 3), 4, 6)
    assert ready.dtype == np.float32
    assert ready.geometry.input_shape == (1, 8, 11, 12)
    assert (ready.algorithm, ready.isa, ready.precision) == ("winograd", "plain", "standard")
    assert ready.version == npconv.__version__
    text = "<PreparedWeight (6, 8, 3, 3) of float32 for images (8, 11, 12): winograd, plain>"
    assert repr(ready) == text


@pytest.mark.parametrize("x_shape", [(11, 12), (8, 11, 12), (7, 8, 11, 12), [11, 12]])
def test_forms_of_x_shape(x_shape: Any) -> None:
    assert example(x_shape=x_shape).geometry == example().geometry


def test_it_is_the_plain_array_to_everything_else() -> None:
    weight, ready = normal(6, 8, 3, 3), example()
    assert_same_bits(np.asarray(ready), weight)
    assert_same_bits(np.asarray(ready, dtype="f8"), weight.astype("f8"))
    assert not np.asarray(ready).flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        np.asarray(ready).flags.writeable = True
    copied = np.array(ready)
    copied[...] = 0  # a copy of one's own
    with pytest.raises(ValueError, match="copy"):
        ready.__array__("f8", copy=False)
    x = normal(2, 8, 11, 12)
    y = npconv.conv2d(x, ready, padding=(1, 2))
    assert_same_bits(
        npconv.conv2d_input_grad(y, ready, x.shape, padding=(1, 2)),
        npconv.conv2d_input_grad(y, weight, x.shape, padding=(1, 2)),
    )
    for found, wanted in zip(
        npconv.conv2d_backward(y, x, ready, padding=(1, 2)),
        npconv.conv2d_backward(y, x, weight, padding=(1, 2)),
        strict=True,
    ):
        assert_same_bits(found, wanted)
    assert_same_bits(reference.conv2d(x, ready), reference.conv2d(x, weight))
    assert npconv.explain("conv2d", x, ready, padding=(1, 2)).algorithm == "winograd"


@pytest.mark.parametrize("algorithm", ["winograd", "direct"])
def test_later_changes_of_the_weight_do_not_show(algorithm: str) -> None:
    x, weight = normal(1, 8, 11, 12), normal(6, 8, 3, 3)
    ready = npconv.prepare(weight, x_shape=x.shape, algorithm=algorithm)
    before = npconv.conv2d(x, ready)
    weight[...] = np.nan
    assert_same_bits(npconv.conv2d(x, ready), before)


def test_it_cannot_be_changed() -> None:
    ready = example()
    for name in ("algorithm", "isa", "shape", "anything"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(ready, name, "direct")
    with pytest.raises(AttributeError, match="cannot be changed"):
        del ready.isa
    with pytest.raises(TypeError, match=r"npconv\.prepare"):
        npconv.PreparedWeight(np.ones((1, 1, 1, 1)))
    assert copy.copy(ready) is copy.deepcopy(ready) is ready


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol: int) -> None:
    x = normal(2, 8, 11, 12)
    for ready in (example(), example(isa="plain"), example(algorithm="auto", precision="strict")):
        text = pickle.dumps(ready, protocol)
        again = pickle.loads(text)
        assert len(text) < 2 * np.asarray(ready).nbytes + 1000  # not what was made of it
        for name in ("shape", "dtype", "geometry", "algorithm", "isa", "precision", "nbytes"):
            assert getattr(again, name) == getattr(ready, name)
        assert_same_bits(np.asarray(again), np.asarray(ready))
        assert_same_bits(
            npconv.conv2d(x, again, padding=(1, 2)), npconv.conv2d(x, ready, padding=(1, 2))
        )


def test_a_pickle_is_prepared_again_for_another_instruction_set(tmp_path: Any) -> None:
    path = tmp_path / "weight"
    path.write_bytes(pickle.dumps(example()))
    done = run_python(
        f"""
import pickle, numpy as np, npconv
ready = pickle.load(open({str(path)!r}, "rb"))
assert ready.isa == "plain", ready
x = np.random.default_rng(1).standard_normal((2, 8, 11, 12), np.float32)
y = npconv.conv2d(x, ready, padding=(1, 2))
plain = npconv.conv2d(x, np.asarray(ready), padding=(1, 2), algorithm="winograd")
assert (y == plain).all()
""",
        NPCONV_ISA="plain",
    )
    assert_succeeds(done)


# ---- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x_shape", "call", "words"),
    [
        ((2, 8, 11, 12), {"stride": (2, 1)}, "stride (1, 1), got (2, 1)"),
        ((2, 8, 11, 12), {"padding": 1}, "padding ((1, 1), (2, 2)), got ((1, 1), (1, 1))"),
        ((2, 8, 11, 12), {"dilation": 2}, "dilation (1, 1), got (2, 2)"),
        ((2, 8, 12, 12), {}, "images of shape (8, 11, 12), got (8, 12, 12)"),
        ((2, 16, 11, 12), {"groups": 2}, "groups 1, got 2"),
        ((2, 8, 11, 12), {"algorithm": "direct"}, "algorithm winograd, got direct"),
        ((2, 8, 11, 12), {"precision": "strict"}, "precision standard, got strict"),
    ],
)
def test_calls_that_do_not_fit(x_shape: Any, call: dict[str, Any], words: str) -> None:
    out = None
    with pytest.raises(ValueError, match=re.escape(f"weight was prepared for {words}")):
        npconv.conv2d(normal(*x_shape), example(), **{"padding": (1, 2)} | call, out=out)


def test_calls_of_another_dtype_do_not_fit() -> None:
    x = normal(2, 8, 11, 12)
    for changes in ({"x": x.astype("f8")}, {"bias": np.ones(6)}):
        with pytest.raises(ValueError, match="prepared for dtype float32, got float64"):
            npconv.conv2d(**{"x": x, "weight": example(), "padding": (1, 2)} | changes)
    ready = example(dtype="float64")
    assert npconv.conv2d(x, ready, padding=(1, 2)).dtype == np.float64


@pytest.mark.skipif(len(ISAS) < 2, reason="there is one instruction set")
def test_calls_of_another_isa_do_not_fit() -> None:
    with pytest.raises(ValueError, match=f"prepared for isa plain, got {ISAS[0]}"):
        npconv.conv2d(normal(2, 8, 11, 12), example(isa="plain"), padding=(1, 2), isa=ISAS[0])


def test_strict_weights_serve_calls_that_name_no_precision() -> None:
    x, ready = normal(2, 8, 11, 12), example(algorithm="auto", precision="strict")
    strict = npconv.conv2d(x, np.asarray(ready), padding=(1, 2), precision="strict")
    assert_same_bits(npconv.conv2d(x, ready, padding=(1, 2)), strict)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"x_shape": (8,)}, ValueError, "x_shape"),
        ({"x_shape": 8}, TypeError, "x_shape"),
        ({"x_shape": (7, 11, 12)}, ValueError, "channels"),
        ({"x_shape": (8, -1, 12)}, ValueError, "x_shape"),
        ({"x_shape": (2**62, 2**62)}, ValueError, "x_shape|too large|would have"),
        ({"weight": np.ones((6, 8, 3))}, ValueError, "weight"),
        ({"weight": np.ones((6, 8, 3, 3), "i4")}, TypeError, "int32"),
        ({"weight": np.ones((6, 8, 3, 3), "f8"), "dtype": "f4"}, ValueError, "cannot hold"),
        ({"dtype": "f2"}, TypeError, "float16"),
        ({"dtype": "nonsense"}, TypeError, "dtype"),
        ({"groups": 0}, ValueError, "groups"),
        ({"groups": 4}, ValueError, "groups"),
        ({"stride": 0}, ValueError, "stride"),
        ({"stride": 2}, ValueError, "algorithm='winograd' declines this call"),
        ({"precision": "strict"}, ValueError, "strict"),
        ({"precision": "loose"}, ValueError, "precision"),
        ({"algorithm": "quick"}, ValueError, "algorithm"),
        ({"isa": "sse9"}, ValueError, "isa"),
        ({"padding": -1}, ValueError, "padding"),
    ],
)
def test_what_prepare_refuses(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments = {
        "weight": np.ones((6, 8, 3, 3), "f4"), "x_shape": (8, 11, 12), "algorithm": "winograd",
    } | changes  # fmt: skip
    with pytest.raises(error, match=words):
        npconv.prepare(**arguments)


def test_integer_weights_for_float_calls() -> None:
    x, weight = normal(2, 8, 11, 12), np.arange(6 * 8 * 9, dtype="i1").reshape(6, 8, 3, 3)
    ready = npconv.prepare(weight, x_shape=x.shape, dtype="float32")
    assert_same_bits(npconv.conv2d(x, ready), npconv.conv2d(x, weight))


@given(case=conv_cases())
def test_nothing_but_clear_errors_for_weights_of_other_geometries(case: ConvCase) -> None:
    x = case.operands()[0]
    ready = example(x_shape=(40, 40))
    with pytest.raises((ValueError, TypeError)):
        npconv.conv2d(x, ready, **case.settings | {"stride": (3, 4)})


# ---- the border to C ------------------------------------------------------------------------

G = geometry.conv_geometry(2, (2, 8, 11, 12), (6, 8, 3, 3), padding=1)
OPTIONS = ("winograd", ISAS[0], 1, "standard")


def forward(prepared: Any, g: Any = G, options: Any = OPTIONS, dtype: str = "float32") -> Any:
    x, weight = normal(*g.input_shape, dtype=dtype), normal(*g.weight_shape, dtype=dtype)
    out = np.zeros(g.output_shape, dtype)
    _native.conv_forward(g, x, weight, None, out, options, None, 0.0, None, prepared)
    return out


def made(g: Any = G, options: Any = OPTIONS, dtype: str = "float32") -> np.ndarray:
    out = aligned_bytes(_native.conv_prepared_size(g, dtype, options))
    _native.conv_prepare(g, normal(*g.weight_shape, dtype=dtype), out, options)
    return out


def test_the_border_takes_what_fits() -> None:
    assert_same_bits(forward(made()), forward(None))
    other = G._replace(batch=7)
    assert_same_bits(forward(made(), other), forward(None, other))


def test_the_border_refuses_what_was_made_for_something_else() -> None:
    flipped = geometry.conv_geometry(2, (2, 8, 12, 11), (6, 8, 3, 3), padding=1)
    words = "prepared for something else"
    blank = aligned_bytes(made().size)
    blank[...] = 0
    with pytest.raises(ValueError, match=words):
        forward(made(flipped))
    with pytest.raises(ValueError, match=words):
        forward(made(dtype="float64"))
    with pytest.raises(ValueError, match=words):
        forward(made(), options=("direct", *OPTIONS[1:]))
    with pytest.raises(ValueError, match=words):
        forward(blank)
    for isa in ISAS[1:]:
        with pytest.raises(ValueError, match=words):
            forward(made(options=("winograd", isa, 1, "standard")))
    longer = aligned_bytes(made().size + 64)
    longer[:-64] = made()
    for wrong in (longer, longer[:-128], longer[:64], longer[:0]):
        with pytest.raises(ValueError, match=words):
            forward(wrong)


def test_the_border_refuses_memory_that_is_not_as_it_must_be() -> None:
    right = made()
    odd = aligned_bytes(right.size + 1)[1:]
    for wrong in (odd, right.view("i1"), right[::2], right.reshape(1, -1)):
        with pytest.raises(ValueError, match="aligned to 64"):
            forward(wrong)
        with pytest.raises(ValueError, match="aligned to 64"):
            _native.conv_prepare(G, np.ones(G.weight_shape, "f4"), wrong, OPTIONS)
    with pytest.raises(ValueError, match="something else"):
        _native.conv_prepare(G, np.ones(G.weight_shape, "f4"), right[:-64], OPTIONS)
    right.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _native.conv_prepare(G, np.ones(G.weight_shape, "f4"), right, OPTIONS)
    with pytest.raises(TypeError, match="float32 or float64"):
        _native.conv_prepare(G, np.ones(G.weight_shape, "i4"), made(), OPTIONS)


def test_sizes_that_no_memory_holds() -> None:
    for change in ({"in_channels": 2**62}, {"out_channels": 2**62}, {"out_channels": 2**50}):
        with pytest.raises((MemoryError, ValueError)):
            _native.conv_prepared_size(G._replace(**change), "float32", OPTIONS)
