"""Arrays whose memory is fenced in by pages that may not be touched.

A read or write one byte beyond such an array kills the process, so this is for subprocesses
(see guarded_calls.py). Linux only.
"""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE
_CANARY = 0xA5
_PROT_NONE, _PROT_READ, _PROT_WRITE = 0, 1, 2
_MAP_PRIVATE_ANONYMOUS = 0x22

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class Guarded:
    """Memory for one array, between two forbidden pages.

        | forbidden | array, canaries | forbidden |      at="start"
        | forbidden | canaries, array | forbidden |      at="end"

    The canaries fill up the last page; :meth:`release` finds out whether they still sing.
    """

    def __init__(self, array: np.ndarray, at: str) -> None:
        middle = max(1, -(-array.nbytes // PAGE)) * PAGE
        self._size = middle + 2 * PAGE
        self._base = _libc.mmap(None, self._size, _PROT_NONE, _MAP_PRIVATE_ANONYMOUS, -1, 0)
        if self._base in (None, ctypes.c_void_p(-1).value):
            raise MemoryError("mmap")
        self._middle = self._base + PAGE
        self._protect(_PROT_READ | _PROT_WRITE)
        whole = (ctypes.c_ubyte * middle).from_address(self._middle)
        self._bytes = np.frombuffer(whole, np.uint8)
        self._bytes[...] = _CANARY
        start = 0 if at == "start" else middle - array.nbytes
        self._used = slice(start, start + array.nbytes)
        self.array = self._bytes[self._used].view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def forbid_writing(self) -> None:
        """Make a write to the array itself deadly too."""
        self._protect(_PROT_READ)
        self.array.flags.writeable = False

    def release(self) -> None:
        """Unmap the memory after a look at the canaries; the array must not be used again."""
        untouched = self._bytes.copy()
        untouched[self._used] = _CANARY
        intact = bool((untouched == _CANARY).all())
        _libc.munmap(self._base, self._size)
        if not intact:
            raise AssertionError("bytes beside the array were written")

    def _protect(self, how: int) -> None:
        if _libc.mprotect(self._middle, self._size - 2 * PAGE, how) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
