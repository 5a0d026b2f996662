"""Generated poolings in one, two and three dimensions, channels first and last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from strategies import Form, forms, make

import npconv
from npconv import reference
from npconv.checks import LAYOUTS


@dataclass(frozen=True)
class WindowCase:
    """Windows over an image of any number of dimensions, the image's form and its seed."""

    ndim: int
    batch: int
    channels: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...] | None
    dilation: tuple[int, ...]
    padding: Any
    ceil_mode: bool | str
    last: bool
    form: Form
    batched: bool
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kernel_size": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "ceil_mode": self.ceil_mode,
            "dilation": self.dilation,
            "layout": self.layout,
        }

    @property
    def layout(self) -> str:
        return LAYOUTS[self.ndim][self.last]

    def x(self, integers: bool = True, largest: int = 4) -> np.ndarray:
        channels = (self.channels,)
        shape = (*self.size, *channels) if self.last else (*channels, *self.size)
        rng = np.random.default_rng(self.seed)
        x = make((self.batch, *shape), self.form, rng, integers, largest)
        return x if self.batched else x[0]

    def run(self, name: str, *arguments: Any, of: Any = npconv, **settings: Any) -> Any:
        """Call the operation of this number of dimensions: "avg_pool#", "max_pool#_backward"."""
        return getattr(of, name.replace("#", f"{self.ndim}d"))(*arguments, **settings)

    def define(self, name: str, *arguments: Any, **settings: Any) -> Any:
        """What the reference gives; passes over windows that step over a small input."""
        try:
            return self.run(name, *arguments, of=reference, **settings)
        except ValueError as error:
            assume("wholly in the padding" not in str(error))
            raise


@st.composite
def window_cases(draw: st.DrawFn, largest_pad: int = 4, dtypes: Any = None) -> WindowCase:
    """Any windows that fit the padded image, with padding less than a window."""
    ndim = draw(st.sampled_from((2, 1, 3)))
    sizes = {1: 40, 2: 14, 3: 7}[ndim]

    def each(strategy: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(st.lists(strategy, min_size=ndim, max_size=ndim)))

    kernel = each(st.integers(1, 4))
    dilation = each(st.integers(1, 3)) if draw(st.booleans()) else (1,) * ndim
    window = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    most = [min(largest_pad, w - 1) for w in window]
    padding = tuple((draw(st.integers(0, m)), draw(st.integers(0, m))) for m in most)
    size = tuple(
        max(n, w - sum(p))
        for n, w, p in zip(each(st.integers(1, sizes)), window, padding, strict=True)
    )
    batch = draw(st.integers(0, 3))
    return WindowCase(
        ndim=ndim,
        batch=batch,
        channels=draw(st.integers(0, 5) | st.sampled_from([8, 16, 19])),
        size=size,
        kernel=kernel,
        stride=each(st.integers(1, 4)) if draw(st.booleans()) else None,
        dilation=dilation,
        padding=padding,
        ceil_mode=draw(st.sampled_from([False, True, "cover_all"])),
        last=draw(st.booleans()),
        form=draw(forms(*(dtypes or ("float32", "float64")))),
        batched=batch != 1 or draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
