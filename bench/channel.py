"""How the driver and a contender's process talk: one JSON line, then the arrays' bytes."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np


def send(stream: BinaryIO, message: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
    contiguous = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [(name, a.dtype.str, list(a.shape)) for name, a in contiguous.items()]
    stream.write(json.dumps({**message, "arrays": described}).encode() + b"\n")
    for array in contiguous.values():
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict, dict[str, np.ndarray]]:
    """Raises EOFError when the other side has ended."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the other process has ended")
    message = json.loads(line)
    arrays = {}
    for name, dtype, shape in message.pop("arrays"):
        array = np.empty(shape, dtype)
        view = memoryview(array.reshape(-1).view(np.uint8).data)
        while len(view):
            count = stream.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise EOFError("the other process has ended")
            view = view[count:]
        arrays[name] = array
    return message, arrays
