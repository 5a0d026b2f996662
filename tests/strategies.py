"""Generated geometries, and arrays that hold given values in every awkward form of memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

Pair = tuple[int, int]
PerAxis = tuple[int, ...]


# ---- awkward memory: each takes an array and returns an equal one --------------------------


def _contiguous(a: np.ndarray) -> np.ndarray:
    return np.array(a, order="C")


def _transposed(a: np.ndarray) -> np.ndarray:
    """Axes stored in the reverse order."""
    return np.asfortranarray(a)


def _channels_last(a: np.ndarray) -> np.ndarray:
    """Axis 1 stored innermost, as an NHWC image seen as NCHW."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def _negative(a: np.ndarray) -> np.ndarray:
    """Every axis stored backwards."""
    back = (slice(None, None, -1),) * a.ndim
    return np.ascontiguousarray(a[back])[back]


def _sliced(a: np.ndarray) -> np.ndarray:
    """Every second element of a larger array; the others are NaN (or 99) and must not be read."""
    junk = np.nan if a.dtype.kind == "f" else 99
    larger = np.full([2 * n + 1 for n in a.shape], junk, a.dtype)
    view = larger[tuple(slice(1, 2 * n + 1, 2) for n in a.shape)]
    view[...] = a
    return view


def _misaligned(a: np.ndarray) -> np.ndarray:
    """Starts one byte off the alignment of its type."""
    raw = np.empty(a.nbytes + 1, np.uint8)[1:]
    view = raw.view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _byteswapped(a: np.ndarray) -> np.ndarray:
    return a.astype(a.dtype.newbyteorder())


def _read_only(a: np.ndarray) -> np.ndarray:
    copy = a.copy()
    copy.flags.writeable = False
    return copy


def _swapped_misaligned_negative(a: np.ndarray) -> np.ndarray:
    return _negative(_misaligned(_byteswapped(a)))[...]


MEMORY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "contiguous": _contiguous,
    "transposed": _transposed,
    "channels last": _channels_last,
    "negative": _negative,
    "sliced": _sliced,
    "misaligned": _misaligned,
    "byteswapped": _byteswapped,
    "read-only": _read_only,
    "swapped, misaligned": lambda a: _misaligned(_byteswapped(a)),
}
# Not of MEMORY because it decides about the values as well.
BROADCAST = "zero stride"

memory = st.sampled_from([*MEMORY, BROADCAST])


@dataclass(frozen=True)
class Form:
    """The element type and the memory of one generated operand."""

    dtype: str = "float32"
    memory: str = "contiguous"
    broadcast_axis: int = 0


def make(
    shape: tuple[int, ...],
    form: Form,
    rng: np.random.Generator,
    integers: bool = True,
    largest: int = 4,
) -> np.ndarray:
    """Random values in the given form: small integers (sums are exact) or standard normal."""
    if form.memory == BROADCAST:
        axis = form.broadcast_axis % len(shape)
        drawn = (*shape[:axis], min(1, shape[axis]), *shape[axis + 1 :])
    else:
        drawn = shape
    dtype = np.dtype(form.dtype)
    if dtype.kind == "b":
        values = rng.integers(0, 2, drawn).astype(dtype)
    elif dtype.kind == "u":
        values = rng.integers(0, largest + 1, drawn).astype(dtype)
    elif integers or dtype.kind == "i":
        values = rng.integers(-largest, largest + 1, drawn).astype(dtype)
    else:
        values = rng.standard_normal(drawn).astype(dtype)
    values = np.asarray(values)  # a shape without axes gives a scalar
    if form.memory == BROADCAST:
        return np.broadcast_to(values, shape)
    result = MEMORY[form.memory](values)
    assert np.array_equal(result, values)
    return result


def forms(*dtypes: str) -> st.SearchStrategy[Form]:
    """Forms of one operand; the plain one comes first, so failures shrink to it."""
    return st.builds(
        Form,
        dtype=st.sampled_from(dtypes),
        memory=memory,
        broadcast_axis=st.integers(0, 3),
    )


# ---- geometries ----------------------------------------------------------------------------


Case = TypeVar("Case", bound="ConvCase")


@dataclass(frozen=True)
class ConvCase:
    """A valid convolution of as many dimensions as `size` has, its operands' forms, and a seed."""

    batch: int = 1
    groups: int = 1
    in_per_group: int = 1
    out_per_group: int = 1
    size: PerAxis = (1, 1)
    kernel: PerAxis = (1, 1)
    stride: PerAxis = (1, 1)
    dilation: PerAxis = (1, 1)
    padding: Any = 0
    bias: bool = False
    dtype: str = "float32"
    x_form: Form = Form()
    weight_memory: str = "contiguous"
    grad_form: Form = Form()
    batched: bool = True
    seed: int = 0

    @property
    def function(self) -> str:
        """Its name in npconv."""
        return f"conv{len(self.size)}d"

    @property
    def out_channels(self) -> int:
        return self.groups * self.out_per_group

    @property
    def x_shape(self) -> PerAxis:
        return (self.batch, self.groups * self.in_per_group, *self.size)

    @property
    def weight_shape(self) -> PerAxis:
        return (self.groups * self.out_per_group, self.in_per_group, *self.kernel)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def n_terms(self) -> int:
        """How many products one output sums."""
        return self.in_per_group * math.prod(self.kernel)

    def operands(self, integers: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """x, weight and bias (or None)."""
        rng = np.random.default_rng(self.seed)
        x = make(self.x_shape, self.x_form, rng, integers)
        weight = make(self.weight_shape, Form(self.dtype, self.weight_memory), rng, integers)
        bias = None
        if self.bias:
            bias = make((self.out_channels,), Form(self.dtype, "contiguous"), rng, integers)
        return (x if self.batched else x[0]), weight, bias

    def with_dtype(self: Case, dtype: str) -> Case:
        """The same case with every floating operand of the given type."""
        return replace(
            self,
            dtype=dtype,
            x_form=replace(self.x_form, dtype=dtype),
            grad_form=replace(self.grad_form, dtype=dtype),
        )


def pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def axes(ndim: int, low: int, high: int) -> st.SearchStrategy[PerAxis]:
    """One integer for each spatial axis."""
    return st.tuples(*[st.integers(low, high)] * ndim)


def paddings(
    largest: int, ndim: int = 2, by_name: tuple[str, ...] = ("valid", "same")
) -> st.SearchStrategy[Any]:
    """Every form that padding is given in."""
    return st.one_of(
        st.integers(0, largest),
        axes(ndim, 0, largest),
        st.tuples(*[pairs(0, largest)] * ndim),
        st.sampled_from(by_name),
    )


def _sides(padding: Any, ndim: int) -> list[Pair]:
    """Padding that is not "same" as a pair for each axis."""
    if isinstance(padding, (int, str)):
        padding = (padding if isinstance(padding, int) else 0,) * ndim
    return [p if isinstance(p, tuple) else (p, p) for p in padding]


def _missing(size: PerAxis, kernel: PerAxis, dilation: PerAxis, padding: Any) -> PerAxis:
    """How much the input must grow along each axis for the window to fit in it."""
    if padding == "same":
        return (0,) * len(size)
    window = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides = _sides(padding, len(size))
    return tuple(max(0, w - n - sum(s)) for w, n, s in zip(window, size, sides, strict=True))


@st.composite
def conv_cases(
    draw: st.DrawFn,
    largest_channels: int = 6,
    largest_size: int = 12,
    x_dtypes: tuple[str, ...] = ("float32", "float64"),
    ndim: int = 2,
    largest_kernel: int = 7,
) -> ConvCase:
    """Any valid convolution, small: odd and tiny sizes, stride past the kernel, empty batches."""
    kernel = draw(axes(ndim, 1, largest_kernel) | axes(ndim, 1, 3))
    dilation = draw(axes(ndim, 1, 3) | st.just((1,) * ndim))
    padding = draw(paddings(largest_kernel - 1, ndim))
    size = draw(axes(ndim, 1, largest_size))
    grow = _missing(size, kernel, dilation, padding)
    dtype = draw(st.sampled_from(["float32", "float64"]))
    batch = draw(st.integers(0, 3))
    return ConvCase(
        batch=batch,
        groups=draw(st.integers(1, 4)),
        in_per_group=draw(st.integers(0, largest_channels)),
        out_per_group=draw(st.integers(0, largest_channels)),
        size=tuple(n + more for n, more in zip(size, grow, strict=True)),
        kernel=kernel,
        stride=draw(axes(ndim, 1, 4) | st.just((1,) * ndim)),
        dilation=dilation,
        padding=padding,
        bias=draw(st.booleans()),
        dtype=dtype,
        x_form=draw(forms(dtype, *x_dtypes)),
        weight_memory=draw(st.sampled_from(list(MEMORY))),
        grad_form=draw(forms(dtype)),
        batched=batch != 1 or draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@dataclass(frozen=True)
class TransposedCase(ConvCase):
    """A valid transposed convolution; in and out are those of the operation itself."""

    output_padding: PerAxis = (0, 0)

    @property
    def function(self) -> str:
        return f"conv_transpose{len(self.size)}d"

    @property
    def weight_shape(self) -> PerAxis:
        return (self.groups * self.in_per_group, self.out_per_group, *self.kernel)

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "output_padding": self.output_padding}


@st.composite
def transposed_cases(
    draw: st.DrawFn, ndim: int = 2, largest_channels: int = 4, largest_size: int = 6
) -> TransposedCase:
    """Any valid transposed convolution, small."""
    kernel = draw(axes(ndim, 1, 5) | axes(ndim, 1, 3))
    stride = draw(axes(ndim, 1, 4) | st.just((1,) * ndim))
    dilation = draw(axes(ndim, 1, 3) | st.just((1,) * ndim))
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    padding = draw(paddings(4, ndim, ("valid",)))
    size = draw(axes(ndim, 1, largest_size))
    length = [
        (n - 1) * s + d * (k - 1) + 1 + e - sum(sides)
        for n, s, d, k, e, sides in zip(
            size, stride, dilation, kernel, extra, _sides(padding, ndim), strict=True
        )
    ]
    dtype = draw(st.sampled_from(["float32", "float64"]))
    batch = draw(st.integers(0, 2))
    return TransposedCase(
        batch=batch,
        groups=draw(st.integers(1, 3)),
        in_per_group=draw(st.integers(0, largest_channels)),
        out_per_group=draw(st.integers(0, largest_channels)),
        # At stride s, ceil((1 - length) / s) more pixels make an output of one element.
        size=tuple(
            n + max(0, -((each - 1) // s)) for n, each, s in zip(size, length, stride, strict=True)
        ),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        output_padding=extra,
        bias=draw(st.booleans()),
        dtype=dtype,
        x_form=draw(forms(dtype, "float32", "float64")),
        weight_memory=draw(st.sampled_from(list(MEMORY))),
        grad_form=draw(forms(dtype)),
        batched=batch != 1 or draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@dataclass(frozen=True)
class PoolCase:
    """A valid 2-D max-pooling, the input's form and the seed of its values."""

    batch: int = 1
    channels: int = 1
    size: Pair = (1, 1)
    kernel: Pair = (1, 1)
    stride: Pair | None = None
    dilation: Pair = (1, 1)
    padding: Any = 0
    ceil_mode: bool = False
    x_form: Form = Form()
    batched: bool = True
    seed: int = 0

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, self.channels, *self.size)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kernel_size": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "ceil_mode": self.ceil_mode,
        }

    def x(self, integers: bool = True, largest: int = 4) -> np.ndarray:
        x = make(self.x_shape, self.x_form, np.random.default_rng(self.seed), integers, largest)
        return x if self.batched else x[0]


@st.composite
def pool_cases(draw: st.DrawFn) -> PoolCase:
    """Any valid pooling, overlapping or not; the padding is smaller than the window."""
    kernel = draw(pairs(1, 5))
    dilation = draw(pairs(1, 3) | st.just((1, 1)))
    window = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides = [st.integers(0, min(w - 1, 4)) for w in window]
    padding = draw(
        st.integers(0, min(4, min(window) - 1))
        | st.tuples(*sides)
        | st.tuples(*(st.tuples(side, side) for side in sides))
        | st.just("valid")
    )
    size = draw(pairs(1, 14))
    grow = _missing(size, kernel, dilation, padding)
    batch = draw(st.integers(0, 3))
    return PoolCase(
        batch=batch,
        channels=draw(st.integers(0, 5)),
        size=(size[0] + grow[0], size[1] + grow[1]),
        kernel=kernel,
        stride=draw(st.none() | pairs(1, 4)),
        dilation=dilation,
        padding=padding,
        ceil_mode=draw(st.booleans()),
        x_form=draw(forms("float32", "float64")),
        batched=batch != 1 or draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
