"""Promises 4 and 5: no byte outside the given arrays, and little memory besides them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from scripts import assert_succeeds, run_python
from strategies import ConvCase
from variants import FAST_VARIANTS, name

import npconv

linux = pytest.mark.skipif(sys.platform != "linux", reason="maps memory as Linux does")


@linux
def test_no_byte_outside_of_the_arrays_is_touched() -> None:
    """Every algorithm, ISA and operation on arrays between forbidden pages, at both ends."""
    result = run_python("import guarded_calls; guarded_calls.main()", timeout=300)
    assert_succeeds(result)
    assert result.stdout.endswith("all arrays intact\n")


@linux
@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("ctypes.string_at(guard.array.ctypes.data + 40, 1)", "Segmentation fault"),
        ("ctypes.memset(guard.array.ctypes.data + 40, 0, 1)", "Segmentation fault"),
        ("guard.forbid_writing(); ctypes.memset(guard.array.ctypes.data, 0, 1)", "Segmentation"),
        ("ctypes.memset(guard.array.ctypes.data - 1, 0, 1); guard.release()", "were written"),
    ],
)
def test_the_guard_itself_notices(fault: str, sign: str) -> None:
    result = run_python(
        f"""
        import ctypes, resource, numpy as np
        from guard_pages import Guarded
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        guard = Guarded(np.zeros(10, "f4"), "end")
        {fault}
        """
    )
    assert result.returncode != 0
    assert sign in result.stderr


# ---- workspace -----------------------------------------------------------------------------

# Direct: 2 MB a thread. Shared: twice the weights, for the partial sums of the weight gradient.
THREAD_BYTES = 2 * 2**20


def bound(case: ConvCase, threads: int) -> int:
    weight_bytes = int(np.prod(case.weight_shape)) * np.dtype(case.dtype).itemsize
    return threads * THREAD_BYTES + 2 * weight_bytes


WORKSPACE_CASES = [
    ConvCase(1, 1, 16, 8, (256, 256), (5, 5), padding=2),
    ConvCase(2, 1, 64, 64, (56, 56), (3, 3), padding=1),
    ConvCase(1, 1, 3, 64, (224, 224), (7, 7), stride=(2, 2), padding=3),
    ConvCase(1, 1, 256, 128, (14, 14), (1, 1)),
    ConvCase(1, 1, 300, 40, (20, 20), (3, 3), padding=1),
    ConvCase(1, 1, 1, 1, (3, 20000), (3, 3), padding=1),
    ConvCase(1, 1, 1, 1, (20000, 3), (3, 3), padding=1),
    ConvCase(1, 32, 1, 1, (112, 112), (3, 3), padding=1),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", WORKSPACE_CASES, ids=lambda case: f"{case.x_shape}")
@pytest.mark.parametrize("variant", FAST_VARIANTS, ids=name)
def test_reported_workspace_is_within_its_bound(
    variant: dict[str, Any], case: ConvCase, dtype: str
) -> None:
    case = case.with_dtype(dtype)
    x, weight = np.ones(case.x_shape, dtype), np.ones(case.weight_shape, dtype)
    options = {**case.settings, **variant, "num_threads": 2}
    reported = {}
    y = npconv.conv2d(x, weight, **options)
    reported["forward"] = npconv.last_plan()["workspace_bytes"]
    npconv.conv2d_input_grad(y, weight, x.shape, **options)
    reported["input_grad"] = npconv.last_plan()["workspace_bytes"]
    npconv.conv2d_weight_grad(y, x, weight.shape, **options)
    reported["weight_grad"] = npconv.last_plan()["workspace_bytes"]
    for operation, used in reported.items():
        assert used <= bound(case, 2), f"{operation}: {used / 2**20:.2f} MB"


@linux
@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("x_dtype", ["<f4", ">f4", "i2"])
def test_peak_memory_stays_near_that_of_the_arrays(algorithm: str, x_dtype: str) -> None:
    """The column matrix of this image would take 100 MB, a copy of x 16 MB."""
    result = run_python(
        f"""
        import resource
        import numpy as np
        from npconv import _native, geometry

        x = np.ones((1, 4, 1024, 1024), {x_dtype!r})
        weight = np.ones((2, 4, 3, 2), "f4")
        g = geometry.conv_geometry(2, x.shape, weight.shape, padding=1)
        y, dx = np.ones(g.output_shape, "f4"), np.ones(x.shape, "f4")
        dw, db = np.ones_like(weight), np.ones(2, "f4")

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

        options = ({algorithm!r}, "auto", 2, "standard")
        # Threads and their stacks are there before the measurement.
        small = geometry.conv_geometry(2, (1, 4, 99, 99), weight.shape, padding=1)
        _native.conv_forward(
            small, np.ones((1, 4, 99, 99), "f4"), weight, None,
            np.ones(small.output_shape, "f4"), options,
        )
        before = peak()
        _native.conv_forward(g, x, weight, None, y, options)
        print("forward", (peak() - before) / 2**20)
        _native.conv_input_grad(g, y, weight, dx, options)
        print("input_grad", (peak() - before) / 2**20)
        _native.conv_weight_grad(g, y, x, dw, options)
        print("weight_grad", (peak() - before) / 2**20)
        _native.conv_bias_grad(g, y, db, options)
        print("bias_grad", (peak() - before) / 2**20)
        """
    )
    assert_succeeds(result)
    for line in result.stdout.splitlines():
        operation, growth = line.split()
        assert float(growth) < 8, f"{operation} grew the process by {growth} MB"
