"""Data sets that are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def mnist_folder() -> Path:
    """Return the folder of MNIST's idx files, or skip the test.

    It is $NPCONV_TEST_DATA, or shared/data beside the repository.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NPCONV_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no MNIST files: {folder} does not exist, NPCONV_TEST_DATA names another")
    return folder
