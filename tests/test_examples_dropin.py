"""The drop-in examples run, and change no result."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest
from dropin import EXAMPLES
from scripts import clean_environment

PACKAGES = {
    "autograd_convnet": ("autograd", "scipy"),
    "dezero_convnet": ("dezero",),
    "onnx_convnet": ("onnx",),
}
# How far a loss may be off, relatively, after the few steps that --small makes.
SCRIPTS = {
    "autograd_convnet": 1e-9,
    "book_convnet": 1e-12,
    "cs231n_convnet": 1e-4,
    "dezero_convnet": 1e-9,
    "onnx_convnet": 1e-5,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script):
    for package in PACKAGES.get(script, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{script}.py", "--small"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^before +.*ms", done.stdout, re.M)
    assert re.search(r"^after +.*ms .*x", done.stdout, re.M)
    (apart,) = re.findall(r"before and after: (.+)$", done.stdout, re.M)
    assert float(apart) <= SCRIPTS[script]


def test_every_script_is_listed():
    scripts = {path.stem for path in EXAMPLES.glob("*_*.py")}
    assert scripts == set(SCRIPTS)
    readme = (EXAMPLES / "README.md").read_text()
    assert scripts <= set(re.findall(r"`(\w+)\.py`", readme))
