"""Convolutions whose windows are pixels: images are read where they lie, if packing is dearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerance import assert_same_bits, assert_same_values
from variants import ISAS

import npconv
from npconv import reference

each_isa = pytest.mark.parametrize("isa", ISAS)
DIRECT: dict[str, Any] = {"algorithm": "direct"}


@dataclass(frozen=True)
class Case:
    batch: int
    groups: int
    channels: int
    rows: int
    size: tuple[int, ...]
    dtype: str
    activation: str | None
    seed: int

    def operands(self, integers: bool) -> list[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        ones = (1,) * len(self.size)
        shapes: list[tuple[int, ...]] = [
            (self.batch, self.groups * self.channels, *self.size),
            (self.groups * self.rows, self.channels, *ones),
            (self.groups * self.rows,),
            (self.batch, self.groups * self.rows, *self.size),
        ]
        draw = (lambda s: rng.integers(-4, 5, s)) if integers else rng.standard_normal
        return [np.asarray(draw(shape)).astype(self.dtype) for shape in shapes]

    @property
    def function(self) -> str:
        return f"conv{len(self.size)}d"


sizes = st.one_of(
    st.tuples(st.integers(8, 700)),
    st.tuples(st.integers(1, 30), st.integers(1, 40)),
    st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(1, 20)),
)
cases = st.builds(
    Case,
    st.integers(1, 3),
    st.integers(1, 2),
    st.one_of(st.integers(1, 40), st.integers(120, 300)),
    st.integers(1, 70),
    sizes,
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([None, "relu"]),
    st.integers(0, 99),
)


def apart(a: np.ndarray) -> np.ndarray:
    """Equal, but no two pixels follow each other: panels have to be packed."""
    wide = np.full((*a.shape[:-1], 2 * a.shape[-1]), np.nan, a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


@given(cases)
def test_generated_products(case: Case) -> None:
    conv = getattr(npconv, case.function)
    x, weight, bias, add = case.operands(integers=True)
    how = {"groups": case.groups, "activation": case.activation}
    expected = getattr(reference, case.function)(x, weight, bias, **how, add=add)
    for isa in ISAS:
        assert_same_values(conv(x, weight, bias, **how, add=add, **DIRECT, isa=isa), expected, isa)
        onto = add.copy()
        conv(x, weight, bias, **how, add=onto, out=onto, **DIRECT, isa=isa)
        assert_same_values(onto, expected, isa)


@given(cases)
def test_the_bits_of_packed_panels(case: Case) -> None:
    """For any memory, number of threads and part of the batch."""
    conv = getattr(npconv, case.function)
    x, weight, bias, _ = case.operands(integers=False)
    for isa in ISAS:
        how = {"groups": case.groups, "activation": case.activation, **DIRECT, "isa": isa}
        y = conv(x, weight, bias, **how, num_threads=1)
        assert_same_bits(conv(apart(x), weight, bias, **how), y, isa)
        assert_same_bits(conv(x, weight, bias, **how, num_threads=3), y, isa)
        assert_same_bits(conv(x[-1:], weight, bias, **how), y[-1:], isa)


@given(cases)
def test_input_gradients_have_the_bits_of_packed_panels(case: Case) -> None:
    gradient = getattr(npconv, f"{case.function}_input_grad")
    x, weight, _, dy = case.operands(integers=False)
    how: dict[str, Any] = {"groups": case.groups, **DIRECT}
    for isa in ISAS:
        dx = gradient(dy, weight, x.shape, **how, isa=isa)
        assert_same_bits(gradient(apart(dy), weight, x.shape, **how, isa=isa), dx, isa)


@each_isa
@pytest.mark.parametrize("at", range(0, 16, 5))
def test_results_beyond_the_caches_at_any_address(at: int, isa: str) -> None:
    """They are written past the caches where vectors lie at lines."""
    shape = (1, 24, 300, 304)
    rng = np.random.default_rng(at)
    x = rng.standard_normal((1, 5, *shape[2:])).astype("float32")
    weight = rng.standard_normal((24, 5, 1, 1)).astype("float32")
    memory = np.empty(np.prod(shape) + 32, "float32")
    begin = -(memory.ctypes.data // 4) % 16 + at
    out = memory[begin : begin + np.prod(shape)].reshape(shape)
    expected = npconv.conv2d(apart(x), weight, **DIRECT, isa=isa)
    for threads in (1, 3):
        out[...] = np.nan
        npconv.conv2d(x, weight, out=out, **DIRECT, isa=isa, num_threads=threads)
        assert_same_bits(out, expected)


@each_isa
def test_rows_that_share_cache_sets(isa: str) -> None:
    """Channels at a power of two apart, more than caches hold at once, are packed."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 600, 32, 32)).astype("float32")
    weight = rng.standard_normal((20, 600, 1, 1)).astype("float32")
    y = npconv.conv2d(x, weight, **DIRECT, isa=isa)
    assert_same_bits(npconv.conv2d(apart(x), weight, **DIRECT, isa=isa), y)
    np.testing.assert_allclose(y, reference.conv2d(x, weight), rtol=0, atol=1e-3)
