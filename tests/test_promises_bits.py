"""Promise 1: the same bits for any threads, batch split, memory position and way to call."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import BROADCAST, MEMORY, ConvCase, conv_cases, pool_cases
from test_pool import skip_impossible
from tolerance import assert_same_bits
from variants import CONV_VARIANTS, FAST_VARIANTS, ISA_VARIANTS, name

import npconv
from npconv import reference

each_variant = pytest.mark.parametrize("variant", FAST_VARIANTS, ids=name)
each_isa = pytest.mark.parametrize("variant", ISA_VARIANTS, ids=name)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
THREADS = (1, 2, 3, 4, 8)

# Large enough to be shared among threads, of shapes that are cut in different ways.
# Plain loops ("reference") take too long for them and are run on the generated cases below.
LAYERS = [
    ConvCase(3, 1, 16, 24, (17, 31), (3, 3), padding=1, bias=True, seed=1),
    ConvCase(2, 1, 90, 33, (9, 14), (3, 3), padding=1, bias=True, seed=2),  # 810 terms
    ConvCase(5, 1, 48, 40, (7, 7), (1, 1), seed=3),
    ConvCase(2, 1, 3, 32, (45, 38), (7, 7), stride=(2, 2), padding=3, bias=True, seed=4),
    ConvCase(3, 32, 1, 1, (33, 29), (3, 3), padding=1, seed=5),
    ConvCase(2, 2, 20, 17, (15, 70), (5, 3), dilation=(1, 2), padding="same", seed=6),
]

each_layer = pytest.mark.parametrize("case", LAYERS, ids=lambda case: f"seed{case.seed}")


def every_result(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    grad: np.ndarray,
    **options: Any,
) -> dict[str, np.ndarray]:
    """The forward result and all three gradients."""
    dx, dw, db = npconv.conv2d_backward(grad, x, weight, **options)
    return {"y": npconv.conv2d(x, weight, bias, **options), "dx": dx, "dw": dw, "db": db}


def normal_operands(case: ConvCase) -> list[np.ndarray]:
    """x, weight, bias and grad with values that are rounded at every step."""
    rng = np.random.default_rng(case.seed)
    shape = reference.conv2d(
        np.zeros((case.batch, *case.x_shape[1:]), case.dtype),
        np.zeros(case.weight_shape, case.dtype),
        **case.settings,
    ).shape
    shapes = (case.x_shape, case.weight_shape, case.weight_shape[:1], shape)
    return [rng.standard_normal(s).astype(case.dtype) for s in shapes]


def assert_all_same(
    actual: dict[str, np.ndarray], expected: dict[str, np.ndarray], label: str
) -> None:
    for key in expected:
        assert_same_bits(actual[key], expected[key], f"{key} {label}")


# ---- threads -------------------------------------------------------------------------------


@each_dtype
@each_layer
@each_variant
def test_any_number_of_threads(variant: dict[str, Any], case: ConvCase, dtype: str) -> None:
    case = case.with_dtype(dtype)
    operands = normal_operands(case)
    options = {**case.settings, **variant}
    expected = every_result(*operands, **options, num_threads=1)
    for threads in THREADS[1:]:
        actual = every_result(*operands, **options, num_threads=threads)
        assert_all_same(actual, expected, f"{threads} threads")


def test_layers_are_really_shared_among_threads() -> None:
    """Without this the test above would compare one thread with one thread."""
    if not npconv.show_config("dict")["build"]["openmp"]:
        pytest.skip("this build has no OpenMP")
    for case in LAYERS[:2]:
        x, weight, bias, grad = normal_operands(case)
        npconv.conv2d(x, weight, bias, **case.settings, num_threads=2)
        assert npconv.last_plan()["num_threads"] == 2
        npconv.conv2d_input_grad(grad, weight, x.shape, **case.settings, num_threads=2)
        assert npconv.last_plan()["num_threads"] == 2
        npconv.conv2d_weight_grad(grad, x, weight.shape, **case.settings, num_threads=2)
        assert npconv.last_plan()["num_threads"] == 2


@given(conv_cases(largest_channels=6, largest_size=16), st.sampled_from(CONV_VARIANTS))
def test_any_geometry_and_number_of_threads(case: ConvCase, variant: dict[str, Any]) -> None:
    operands = normal_operands(case)
    options = {**case.settings, **variant}
    expected = every_result(*operands, **options, num_threads=1)
    for threads in (2, 3):
        actual = every_result(*operands, **options, num_threads=threads)
        assert_all_same(actual, expected, f"{threads} threads")


@each_isa
@each_dtype
def test_other_operations_with_any_number_of_threads(dtype: str, variant: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 20, 60, 70)).astype(dtype)

    def run(threads: int) -> list[np.ndarray]:
        options = {**variant, "num_threads": threads}
        y, indices = npconv.max_pool2d(x, 3, 2, 1, return_indices=True, **options)
        _, window = npconv.max_pool2d(x, 3, 2, 1, return_indices=True, indices="window", **options)
        dx = npconv.max_pool2d_backward(y, indices, x.shape, 3, 2, 1, **options)
        cols = npconv.im2col(x, 3, padding=1, **options)
        back = npconv.col2im(cols, x.shape, 3, padding=1, **options)
        padded = [npconv.pad(x, 3, mode, num_threads=threads) for mode in ("edge", "wrap")]
        gradient = npconv.pad_backward(padded[0], 3, "reflect", num_threads=threads)
        return [y, indices, window, dx, cols, back, *padded, gradient]

    expected = run(1)
    for threads in THREADS[1:]:
        for got, wanted in zip(run(threads), expected, strict=True):
            assert_same_bits(got, wanted, f"{threads} threads")


def test_process_wide_number_of_threads_changes_no_bit() -> None:
    operands = normal_operands(LAYERS[0])
    results = []
    for threads in THREADS:
        with npconv.threads(threads):
            results.append(every_result(*operands, **LAYERS[0].settings))
    for result in results[1:]:
        assert_all_same(result, results[0], "set by npconv.threads")


def test_many_python_threads_at_once() -> None:
    """Calls from eight threads, each with its own team, do not disturb each other."""
    jobs: list[tuple[ConvCase, dict[str, Any], list[np.ndarray]]] = [
        (case, variant, normal_operands(case)) for case in LAYERS for variant in FAST_VARIANTS
    ]

    def run(job: tuple[ConvCase, dict[str, Any], list[np.ndarray]]) -> dict[str, np.ndarray]:
        case, variant, operands = job
        return every_result(*operands, **case.settings, **variant, num_threads=2)

    expected = [run(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(run, jobs * 3))
    for index, result in enumerate(actual):
        assert_all_same(result, expected[index % len(jobs)], "beside other threads")


def test_last_plan_belongs_to_its_python_thread() -> None:
    x = np.ones((1, 1, 4, 4), "f4")
    npconv.conv2d(x, x, algorithm="im2col")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(npconv.conv2d, x, x, algorithm="reference").result()
        assert pool.submit(npconv.last_plan).result()["algorithm"] == "reference"
    assert npconv.last_plan()["algorithm"] == "im2col"


# ---- the batch -----------------------------------------------------------------------------


def check_batch_split(case: ConvCase, **options: Any) -> None:
    x, weight, bias, grad = normal_operands(case)
    options = {**case.settings, **options}
    y = npconv.conv2d(x, weight, bias, **options)
    dx = npconv.conv2d_input_grad(grad, weight, x.shape, **options)
    for i in range(case.batch):
        alone = npconv.conv2d(x[i], weight, bias, **options)
        assert_same_bits(alone, y[i], f"image {i} alone")
        alone = npconv.conv2d_input_grad(grad[i], weight, x[i].shape, **options)
        assert_same_bits(alone, dx[i], f"gradient of image {i} alone")
    if case.batch > 1:
        rest = npconv.conv2d(x[1:], weight, bias, **options)
        assert_same_bits(rest, y[1:], "all but the first image")
        back = npconv.conv2d(x[::-1], weight, bias, **options)
        assert_same_bits(back[::-1], y, "images in the reverse order")


@each_dtype
@each_layer
@each_variant
def test_any_split_of_the_batch(variant: dict[str, Any], case: ConvCase, dtype: str) -> None:
    check_batch_split(case.with_dtype(dtype), **variant)


@given(conv_cases(largest_channels=5), st.sampled_from(CONV_VARIANTS))
def test_any_geometry_and_split_of_the_batch(case: ConvCase, variant: dict[str, Any]) -> None:
    check_batch_split(case, **variant)


def test_choice_of_the_algorithm_does_not_look_at_the_batch() -> None:
    for case in LAYERS:
        check_batch_split(case)


# ---- memory --------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("case", LAYERS[::2], ids=lambda case: f"seed{case.seed}")
@each_variant
def test_any_form_of_memory(variant: dict[str, Any], case: ConvCase, dtype: str) -> None:
    case = case.with_dtype(dtype)
    operands = normal_operands(case)
    options = {**case.settings, **variant}
    expected = every_result(*operands, **options)
    x, weight, bias, grad = operands
    for form, disguise in MEMORY.items():
        actual = every_result(disguise(x), weight, bias, disguise(grad), **options)
        assert_all_same(actual, expected, form)
    actual = every_result(
        x, MEMORY["transposed"](weight), MEMORY["negative"](bias), grad, **options
    )
    assert_all_same(actual, expected, "weight and bias")


@given(
    conv_cases(largest_channels=4),
    st.sampled_from(CONV_VARIANTS),
    st.sampled_from(list(MEMORY)),
    st.sampled_from(list(MEMORY)),
)
def test_any_geometry_and_form_of_memory(
    case: ConvCase, variant: dict[str, Any], of_x: str, of_grad: str
) -> None:
    x, weight, bias, grad = normal_operands(case)
    options = {**case.settings, **variant}
    expected = every_result(x, weight, bias, grad, **options)
    actual = every_result(MEMORY[of_x](x), weight, bias, MEMORY[of_grad](grad), **options)
    assert_all_same(actual, expected, f"{of_x}, {of_grad}")


def test_zero_strides_give_the_bits_of_the_repeated_array() -> None:
    x, weight, bias, grad = normal_operands(LAYERS[0])
    for axis in range(4):
        few_x, few_grad = x.take([0], axis), grad.take([0], axis)
        thin = np.broadcast_to(few_x, x.shape), np.broadcast_to(few_grad, grad.shape)
        for variant in FAST_VARIANTS:
            options = {**LAYERS[0].settings, **variant}
            expected = every_result(thin[0].copy(), weight, bias, thin[1].copy(), **options)
            actual = every_result(thin[0], weight, bias, thin[1], **options)
            assert_all_same(actual, expected, f"{BROADCAST} on axis {axis}")


def moved(array: np.ndarray, offset: int) -> np.ndarray:
    """A copy that starts `offset` bytes past a 64-byte boundary."""
    raw = np.empty(array.nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64 + offset
    view = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


@each_dtype
@each_variant
def test_any_alignment(variant: dict[str, Any], dtype: str) -> None:
    case = LAYERS[1].with_dtype(dtype)
    operands = normal_operands(case)
    options = {**case.settings, **variant}
    expected = every_result(*operands, **options)
    for offset in (0, 8, 16, 24, 32, 40, 48, 56, 3):
        actual = every_result(*(moved(a, offset) for a in operands), **options)
        assert_all_same(actual, expected, f"offset {offset}")


@each_dtype
@each_isa
@pytest.mark.parametrize("kernel", [1, 3])
def test_any_alignment_of_long_rows(kernel: int, variant: dict[str, Any], dtype: str) -> None:
    """Where the pixels of every channel lie alike, vectors begin at those of the array."""
    case = ConvCase(
        batch=2, in_per_group=5, out_per_group=6, size=(24, 32), kernel=(kernel, kernel),
        padding=kernel // 2, bias=True, dtype=dtype,
    )  # fmt: skip
    x, weight, bias, _ = normal_operands(case)
    options = {**case.settings, **variant, "algorithm": "direct"}
    expected = npconv.conv2d(x, weight, bias, **options)
    for of_x, of_y in [(0, 16), (16, 0), (16, 16), (48, 8), (x.itemsize, 32), (3, 24)]:
        out = moved(np.full(expected.shape, np.nan, dtype), of_y)
        npconv.conv2d(moved(x, of_x), weight, bias, **options, out=out)
        assert_same_bits(out, expected, f"offsets {of_x}, {of_y}")


@each_dtype
@each_layer
@each_variant
def test_out_has_the_bits_of_a_new_array(
    variant: dict[str, Any], case: ConvCase, dtype: str
) -> None:
    case = case.with_dtype(dtype)
    x, weight, bias, _ = normal_operands(case)
    options = {**case.settings, **variant}
    expected = npconv.conv2d(x, weight, bias, **options)
    forms: dict[str, Callable[[], np.ndarray]] = {
        "contiguous": lambda: np.full(expected.shape, np.nan, dtype),
        "transposed": lambda: np.full(expected.shape[::-1], np.nan, dtype).T,
        "negative": lambda: np.full(expected.shape, np.nan, dtype)[:, ::-1, ::-1, ::-1],
        "sliced": lambda: np.full([3 * n for n in expected.shape], np.nan, dtype)[
            ::3, ::3, ::3, 1::3
        ],
        "offset": lambda: moved(np.full(expected.shape, np.nan, dtype), 24),
    }
    for form, make_out in forms.items():
        out = make_out()
        npconv.conv2d(x, weight, bias, **options, out=out)
        assert_same_bits(out, expected, form)


@given(pool_cases(), st.sampled_from(ISA_VARIANTS), st.sampled_from(list(MEMORY)))
def test_pooling_gradient_with_any_form_of_memory(
    case: Any, variant: dict[str, Any], form: str
) -> None:
    """Sums where windows overlap are rounded, so their order shows."""
    skip_impossible(case)
    rng = np.random.default_rng(case.seed)
    x = rng.standard_normal(case.x_shape).astype("f4")
    y, indices = npconv.max_pool2d(x, **case.settings, return_indices=True)
    grad = rng.standard_normal(y.shape).astype("f4")
    expected = npconv.max_pool2d_backward(grad, indices, x.shape, **case.settings, **variant)
    for threads in (1, 3):
        actual = npconv.max_pool2d_backward(
            MEMORY[form](grad),
            indices,
            x.shape,
            **case.settings,
            **variant,
            num_threads=threads,
        )
        assert_same_bits(actual, expected, form)
    for i in range(case.batch):
        alone = npconv.max_pool2d_backward(
            grad[i], indices[i], x.shape[1:], **case.settings, **variant
        )
        assert_same_bits(alone, expected[i], f"image {i} alone")


@each_isa
def test_column_and_pad_sums_with_any_form_of_memory(variant: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    cols = rng.standard_normal((2, 3 * 9, 11 * 37)).astype("f4")
    expected = npconv.col2im(cols, (2, 3, 11, 37), 3, padding=1, **variant)
    grad, width = rng.standard_normal((9, 19, 45)).astype("f4"), 4
    gradients = {
        mode: npconv.pad_backward(grad, width, mode) for mode in ("edge", "wrap", "reflect")
    }
    for form, disguise in MEMORY.items():
        actual = npconv.col2im(disguise(cols), (2, 3, 11, 37), 3, padding=1, **variant)
        assert_same_bits(actual, expected, form)
        for mode, gradient in gradients.items():
            assert_same_bits(npconv.pad_backward(disguise(grad), width, mode), gradient, form)
    for i in range(2):
        alone = npconv.col2im(cols[i], (3, 11, 37), 3, padding=1, **variant)
        assert_same_bits(alone, expected[i], f"image {i} alone")
