"""What an installed npconv must be, wherever it runs: also run by CI outside the source tree."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import npconv
from npconv import _native, reference

PACKAGE = Path(npconv.__file__).parent
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
USABLE_ISAS = [name for name, compiled, supported in _native.isas() if compiled and supported]


def run_python(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False
    )


def test_versions_agree() -> None:
    assert npconv.__version__ == metadata.version("npconv") == _native.build_info()["version"]


def test_numpy_is_the_only_requirement() -> None:
    always = [text for text in metadata.requires("npconv") or [] if "extra ==" not in text]
    assert [re.match(r"[\w.-]+", text)[0] for text in always] == ["numpy"]  # type: ignore[index]


def test_import_loads_no_optional_package() -> None:
    optional = {"matplotlib", "sklearn", "scipy", "tqdm", "torch"}
    done = run_python(
        "import sys, numpy; before = set(sys.modules); import npconv;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    assert done.returncode == 0, done.stderr
    assert "npconv" in done.stdout.split()
    assert not optional & set(done.stdout.split())


@pytest.mark.skipif(FREE_THREADED, reason="free-threaded Python has no stable ABI")
def test_extension_uses_the_stable_abi() -> None:
    assert _native.__file__.endswith(".abi3.so")


def test_type_information_is_installed() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_native.pyi").is_file()


def test_import_without_the_extension_names_the_remedy(tmp_path: Path) -> None:
    shutil.copytree(
        PACKAGE, tmp_path / "npconv", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    # -S: without the hook of an editable installation, which would find the extension.
    folders = [str(tmp_path), str(Path(np.__file__).parents[1])]
    done = run_python(f"import sys; sys.path[:0] = {folders}; import npconv", "-S")
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    assert "pip install" in done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="about x86-64")
def test_every_instruction_set_of_the_machine_is_compiled() -> None:
    assert {"avx512", "avx2", "plain"} <= {name for name, compiled, _ in _native.isas() if compiled}


@pytest.mark.parametrize("isa", USABLE_ISAS)
@pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col", "reference"])  # any geometry
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolution_and_gradients(isa: str, algorithm: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (2, 4, 11, 9)).astype(dtype)
    weight = rng.integers(-4, 5, (6, 2, 3, 2)).astype(dtype)
    bias = rng.integers(-4, 5, 6).astype(dtype)
    geometry = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}
    how = {"isa": isa, "algorithm": algorithm, "precision": "strict"}

    y = npconv.conv2d(x, weight, bias, **geometry, **how)
    np.testing.assert_array_equal(y, reference.conv2d(x, weight, bias, **geometry), strict=True)

    grad = rng.integers(-4, 5, y.shape).astype(dtype)
    got = npconv.conv2d_backward(grad, x, weight, **geometry, **how)
    expected = reference.conv2d_backward(grad, x, weight, **geometry)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("isa", USABLE_ISAS)
def test_pooling(isa: str) -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 9, 8)).astype(np.float32)
    window = {"kernel_size": 3, "stride": 2, "padding": 1}
    y, indices = npconv.max_pool2d(x, **window, return_indices=True, isa=isa)
    expected, expected_indices = reference.max_pool2d(x, **window, return_indices=True)
    np.testing.assert_array_equal(y, expected, strict=True)
    np.testing.assert_array_equal(indices, expected_indices, strict=True)
    np.testing.assert_array_equal(
        npconv.max_pool2d_backward(y, indices, x.shape, **window, isa=isa),
        reference.max_pool2d_backward(y, indices, x.shape, **window),
        strict=True,
    )


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "symmetric", "wrap"])
def test_padding(mode: str) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = np.pad(x, ((2, 1), (0, 3)), mode)
    np.testing.assert_array_equal(npconv.pad(x, ((2, 1), (0, 3)), mode), expected, strict=True)


def test_columns_and_back() -> None:
    x = np.arange(2 * 3 * 5 * 4, dtype=np.float64).reshape(2, 3, 5, 4)
    cols = npconv.im2col(x, (3, 2), padding=1)
    np.testing.assert_array_equal(cols, reference.im2col(x, (3, 2), padding=1), strict=True)
    np.testing.assert_array_equal(
        npconv.col2im(cols, x.shape, (3, 2), padding=1),
        reference.col2im(cols, x.shape, (3, 2), padding=1),
        strict=True,
    )


def test_command_line_shows_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npconv", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
