"""Reads a pickled dictionary of arrays without running what else a pickle may hold.

A pickle is a program that may call any function it names. The only names allowed here are those of
NumPy arrays, and even they stand for the small classes below, which only note what they are given.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.data.dataset import DataError


class _NotedDtype:
    """Stands for numpy.dtype: remembers its code, ``u1`` and the like."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and fields: only bytes are read here."""


class _NotedArray:
    """Stands for numpy.ndarray: remembers its shape, dtype and bytes."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> Array:
        _, shape, dtype, fortran, content = self.state
        if isinstance(content, str):  # as Python 2 wrote it
            content = content.encode("latin1")
        if not isinstance(dtype, _NotedDtype) or dtype.code not in ("u1", "|u1"):
            raise ValueError("an array is not of bytes")
        values = np.frombuffer(content, np.uint8)
        return values.reshape(shape, order="F" if fortran else "C")


def _new_array(*_: Any) -> _NotedArray:
    return _NotedArray()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Return bytes that Python 3 wrote into a pickle of an old protocol."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("bytes are not written as text")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _new_array,
    ("numpy._core.multiarray", "_reconstruct"): _new_array,
    ("numpy", "ndarray"): _NotedArray,
    ("numpy", "dtype"): _NotedDtype,
    ("_codecs", "encode"): _encode,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_pickled_batch(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of byte arrays, lists, numbers and text.

    Raises
    ------
    DataError
        The file is not such a pickle.
    """
    with path.open("rb") as file:
        try:
            batch = _Reader(file, encoding="bytes").load()
            if not isinstance(batch, dict):
                raise ValueError(f"it holds a {type(batch).__name__}, not a dictionary")
            return {_text(key): _value(value) for key, value in batch.items()}
        except MemoryError:
            raise
        except Exception as error:  # a damaged pickle fails in any way
            raise DataError(f"{path} is not a pickled batch of CIFAR-10: {error}") from error


def _text(key: Any) -> Any:
    return key.decode("latin1") if isinstance(key, bytes) else key


def _value(value: Any) -> Any:
    return value.array() if isinstance(value, _NotedArray) else value
