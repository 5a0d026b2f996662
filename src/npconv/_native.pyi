"""The border to the C core: arrays in, status up.

Callers pass checked values (:mod:`npconv.checks`, :mod:`npconv.geometry`). Nothing here
but ``empty`` allocates a result; ``out`` is written. ``options`` is (algorithm, isa, num_threads,
precision).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from npconv.border import Border
from npconv.geometry import ConvGeometry, PadGeometry, PoolGeometry

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
_Options: TypeAlias = tuple[str, str, int, str] | tuple[str, str, int, str, bool]
_Function = TypeVar("_Function", bound=Callable[..., Any])

def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> _Array: ...
def set_recycling(on: bool) -> None: ...
def recycling_state() -> tuple[int, int]: ...
def activate(
    activation: str | None,
    slope: float,
    x: _Array,
    added: _Array | None,
    out: _Array,
    options: _Options,
) -> None: ...
def activate_grad(
    activation: str | None, slope: float, grad: _Array, y: _Array, out: _Array, options: _Options
) -> None: ...
def update(
    rule: str,
    settings: tuple[float, float, float, float, float, float],
    param: _Array,
    grad: _Array,
    states: tuple[_Array, ...],
    options: _Options,
) -> None: ...
def conv_forward(
    geometry: ConvGeometry,
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    out: _Array,
    options: _Options,
    activation: str | None = None,
    slope: float = 0.0,
    add: _Array | None = None,
    prepared: _Array | None = None,
    border: Border | None = None,
) -> None: ...
def conv_prepared_size(geometry: ConvGeometry, dtype_name: str, options: _Options) -> int: ...
def conv_prepare(
    geometry: ConvGeometry, weight: _Array, out: _Array, options: _Options
) -> None: ...
def conv_input_grad(
    geometry: ConvGeometry,
    grad: _Array,
    weight: _Array,
    out: _Array,
    options: _Options,
    bias: _Array | None = None,
    activation: str | None = None,
    slope: float = 0.0,
    add: _Array | None = None,
    border: Border | None = None,
) -> None: ...
def conv_weight_grad(
    geometry: ConvGeometry,
    grad: _Array,
    x: _Array,
    out: _Array,
    options: _Options,
    border: Border | None = None,
    bias_out: _Array | None = None,
) -> None: ...
def conv_bias_grad(
    geometry: ConvGeometry, grad: _Array, out: _Array, options: _Options
) -> None: ...
def conv_integer(
    operation: str,
    geometry: ConvGeometry,
    x: _Array,
    weight: _Array,
    y: _Array,
    options: _Options,
    bias: _Array | None = None,
    activation: str | None = None,
    add: _Array | None = None,
) -> None: ...
def convert(source: _Array, out: _Array, options: _Options) -> None: ...
def max_pool_forward(
    geometry: PoolGeometry,
    x: _Array,
    out: _Array,
    indices: _Array | None,
    index_kind: str,
    options: _Options,
    smallest: bool = False,
    starts: _Array | None = None,
) -> None: ...
def max_pool_backward(
    geometry: PoolGeometry,
    grad: _Array,
    indices: _Array,
    out: _Array,
    index_kind: str,
    options: _Options,
) -> None: ...
def max_pool_last_forward(
    geometry: PoolGeometry,
    x: _Array,
    out: _Array,
    indices: _Array | None,
    index_kind: str,
    options: _Options,
    smallest: bool = False,
) -> None: ...
def max_pool_last_backward(
    geometry: PoolGeometry,
    grad: _Array,
    indices: _Array,
    out: _Array,
    index_kind: str,
    options: _Options,
) -> bool: ...
def max_unpool(
    geometry: PoolGeometry,
    backward: bool,
    add: bool,
    source: _Array,
    indices: _Array,
    out: _Array,
    options: _Options,
) -> None: ...
def avg_pool(
    geometry: PoolGeometry,
    backward: bool,
    include_pad: bool,
    divisor: float,
    source: _Array,
    out: _Array,
    options: _Options,
) -> None: ...
def lp_pool_forward(
    geometry: PoolGeometry, norm: float, x: _Array, out: _Array, options: _Options
) -> None: ...
def lp_pool_backward(
    geometry: PoolGeometry,
    norm: float,
    grad: _Array,
    x: _Array,
    y: _Array,
    out: _Array,
    options: _Options,
) -> None: ...
def batch_norm(
    x: _Array,
    weight: _Array | None,
    bias: _Array | None,
    mean: _Array,
    variance: _Array,
    out: _Array,
    eps: float,
    training: bool,
    options: _Options,
    activation: str | None = None,
    slope: float = 0.0,
) -> None: ...
def batch_norm_backward(
    grad: _Array,
    x: _Array,
    weight: _Array | None,
    mean: _Array,
    inverse: _Array,
    sums: _Array | None,
    out: _Array | None,
    dtype_name: str,
    training: bool,
    options: _Options,
) -> None: ...
def local_response_norm(
    x: _Array,
    grad: _Array | None,
    out: _Array,
    size: int,
    alpha: float,
    beta: float,
    k: float,
    options: _Options,
) -> None: ...
def softmax(
    x: _Array, grad: _Array | None, out: _Array, logarithm: bool, options: _Options
) -> None: ...
def softmax_loss(
    x: _Array, labels: _Array, grad: _Array | None, options: _Options
) -> float | None: ...
def dropout(
    x: _Array,
    draws: _Array | None,
    threshold: int,
    scale: float,
    mask: _Array,
    out: _Array,
    options: _Options,
) -> None: ...
def warp(
    images: _Array, matrices: _Array, offsets: _Array, out: _Array, options: _Options
) -> None: ...
def linear(
    x: _Array,
    weight: _Array,
    bias: _Array | None,
    out: _Array,
    activation: str | None,
    slope: float,
    options: _Options,
) -> None: ...
def product(a: _Array, b: _Array, out: _Array, options: _Options) -> None: ...
def usual_im2col(
    x: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    order: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> _Array | None: ...
def usual_col2im(
    cols: object,
    input_shape: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    order: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> _Array | None: ...
def usual_pad(
    x: object, pad_width: object, mode: object, constant_values: object, num_threads: object
) -> _Array | None: ...
def usual_pad_backward(
    grad: object, pad_width: object, mode: object, num_threads: object
) -> _Array | None: ...
def pad_forward(
    geometry: PadGeometry,
    mode: str,
    x: _Array,
    constant_values: _Array,
    out: _Array,
    options: _Options,
) -> None: ...
def pad_backward(
    geometry: PadGeometry, mode: str, grad: _Array, out: _Array, options: _Options
) -> None: ...
def im2col(geometry: ConvGeometry, x: _Array, cols: _Array, options: _Options) -> None: ...
def col2im(geometry: ConvGeometry, cols: _Array, out: _Array, options: _Options) -> None: ...
def conv_candidates(
    operation: str, geometry: ConvGeometry, dtype_name: str, options: _Options
) -> tuple[list[tuple[str, bool, str, float | None, list[float] | None]], str | None]: ...
def conv_algorithms() -> tuple[str, ...]: ...
def short_call(function: _Function) -> _Function: ...
def definitions() -> dict[str, Callable[..., Any]]: ...
def short_call_count() -> int: ...
def set_prepared_type(kind: type) -> None: ...
def set_default_options(options: _Options, isas: list[str]) -> None: ...
def isas() -> tuple[tuple[str, bool, bool], ...]: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def max_threads() -> int: ...
def cpu_info() -> dict[str, Any]: ...
def build_info() -> dict[str, Any]: ...
def last_plan() -> dict[str, Any] | None: ...
def kernel_coverage() -> dict[str, bool]: ...
def reset_kernel_coverage() -> None: ...
def call_count() -> int: ...

__test__: dict[str, str]

def bench_uk1(
    isa: str, dtype_name: str, rows: int, vecs: int, depth: int, repeats: int
) -> float: ...
