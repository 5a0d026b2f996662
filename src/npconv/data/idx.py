"""The idx file format of MNIST: a magic number, the sizes, then the values."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.data.dataset import DataError

# Third byte of the magic number; all values are big-endian.
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read an idx file, gzipped or not, into an array in native byte order.

    ``00 00 <type> <rank>``, then one big-endian 32-bit size per axis, then the values.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    DataError
        The file is not an idx file, is truncated or is too long.
    """
    path = Path(path)
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise DataError(
            f"{path} is not an idx file: it begins with {content[:4].hex(' ') or 'nothing'}, "
            "expected 00 00, a type (08 for bytes) and the number of axes"
        )
    dtype, rank = np.dtype(_DTYPES[content[2]]), content[3]
    header = 4 + 4 * rank
    if len(content) < header:
        raise DataError(f"{path} is truncated: {len(content)} bytes, its header alone has {header}")
    shape = struct.unpack(f">{rank}I", content[4:header])
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "is too long"
        raise DataError(
            f"{path} {fault}: {len(content)} bytes, "
            f"its header promises {expected} for shape {shape}"
        )
    values = np.frombuffer(content, dtype, offset=header).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    # Told by content, not by name: browsers unpack files and leave the .gz.
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged or truncated gzip file: {error}") from error
