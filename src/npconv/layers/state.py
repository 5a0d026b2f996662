"""Dictionaries of a network's arrays: copied in, written to a file, read from one."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from npconv._extras import require
from npconv.checks import Array

# Files written before PyTorch counted batches lack this.
_OPTIONAL = "num_batches_tracked"
_SHOWN = 6


class Difference(NamedTuple):
    """What ``load_state_dict`` found on one side only."""

    missing: list[str]
    unexpected: list[str]


def load(
    entries: Sequence[tuple[str, MutableMapping[str, Array], str]],
    state_dict: Mapping[str, Array],
    strict: bool,
) -> Difference:
    """Copy arrays into the places that `entries` name; check all before touching any."""
    wanted = {key: part[name] for key, part, name in entries}
    missing = [key for key in wanted if key not in state_dict]
    absent_counts = [key for key in missing if key.rpartition(".")[2] == _OPTIONAL]
    missing = [key for key in missing if key not in absent_counts]
    unexpected = [key for key in state_dict if key not in wanted]
    if strict and (missing or unexpected):
        problems = [
            f"{what} {_listed(keys)}"
            for what, keys in (("misses", missing), ("has unexpected", unexpected))
            if keys
        ]
        raise ValueError(f"state_dict {' and '.join(problems)}")

    given = {key: np.asarray(state_dict[key]) for key in wanted if key in state_dict}
    for key, value in given.items():
        if value.shape != wanted[key].shape:
            raise ValueError(
                f"state_dict[{key!r}] has shape {value.shape}, expected {wanted[key].shape}"
            )
        if not np.can_cast(value.dtype, wanted[key].dtype, "same_kind"):
            raise ValueError(
                f"state_dict[{key!r}] has dtype {value.dtype}, "
                f"which {wanted[key].dtype} does not hold"
            )
    for key, value in given.items():
        wanted[key][...] = value
    for key in absent_counts:
        wanted[key][...] = 0
    return Difference(missing, unexpected)


def write(path: str | os.PathLike[str], state_dict: Mapping[str, Array]) -> None:
    """Write arrays to a ``.npz`` or ``.safetensors`` file, which is replaced at once or not."""
    target = Path(path)
    kind = _kind(target)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if kind == ".npz":
            _write_npz(unfinished, state_dict)
        else:
            arrays = {key: np.array(value, order="C") for key, value in state_dict.items()}
            _safetensors().save_file(arrays, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the arrays of a ``.npz`` or ``.safetensors`` file."""
    target = Path(path)
    if _kind(target) == ".safetensors":
        arrays: dict[str, Array] = _safetensors().load_file(target)
        return arrays
    with np.load(target, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _write_npz(path: Path, state_dict: Mapping[str, Array]) -> None:
    """Do as numpy.savez, which would take an array called "file" for its own argument."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for key, value in state_dict.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)


def _safetensors() -> ModuleType:
    return require("safetensors.numpy", "the safetensors format", extra="safetensors")


def _kind(path: Path) -> str:
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"path is {str(path)!r}, expected a name ending in .npz or .safetensors")
    return path.suffix


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(map(repr, keys[:_SHOWN])) + more
