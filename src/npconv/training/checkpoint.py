"""Checkpoint files: a plain .npz, without pickles.

``model/<name>`` and ``optimiser/<name>`` are arrays; ``training`` is JSON with everything else.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.layers import Layer

_FORMAT = "npconv checkpoint 1"


class CheckpointError(ValueError):
    """A file is not a checkpoint, or one of another training."""


def write(
    path: str | os.PathLike[str],
    trees: Mapping[str, Mapping[str, Any]],
    training: Mapping[str, Any],
) -> None:
    """Write nested dictionaries of arrays and numbers, and a dictionary for JSON.

    The file appears whole or not at all: what was there before stays until then.
    """
    path = Path(path)
    arrays: dict[str, Array] = {}
    scalars: dict[str, Any] = {}
    for name, tree in trees.items():
        _flatten(name, tree, arrays, scalars)
    document = json.dumps({"format": _FORMAT, "scalars": scalars, **training})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    try:
        with partial.open("wb") as file:
            np.savez(file, training=np.array(document), **arrays)  # type: ignore[arg-type]
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return what :func:`write` was given.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    CheckpointError
        It is not a checkpoint.
    """
    arrays, training = _load(path, everything=True)
    trees: dict[str, dict[str, Any]] = {}
    for key, value in [*training.pop("scalars").items(), *arrays.items()]:
        *branch, leaf = key.split("/")
        place: dict[str, Any] = trees
        for name in branch:
            place = place.setdefault(name, {})
        if leaf:  # else a dictionary that held nothing, made above
            place[leaf] = value
    return trees, training


def read_notes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the notes that a :class:`Trainer` was given and wrote into its checkpoint."""
    notes: dict[str, Any] = _load(path, everything=False)[1].get("notes", {})
    return notes


def load_weights(path: str | os.PathLike[str], net: Layer) -> None:
    """Copy the network's part of a checkpoint into `net`, to use it and not to train on.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not a checkpoint (:class:`CheckpointError`), or one of another kind of network.
    """
    net.load_state_dict(read(path)[0]["model"])


def _load(
    path: str | os.PathLike[str], everything: bool
) -> tuple[dict[str, Array], dict[str, Any]]:
    try:
        # Opened here, because np.load leaves open what is no zip file.
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            training = json.loads(str(file["training"]))
            names = [name for name in file.files if name != "training"] if everything else []
            arrays = {name: file[name] for name in names}
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of npconv: {error}") from error
    if not isinstance(training, dict) or training.get("format") != _FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of npconv: it has another format")
    return arrays, training


def _flatten(path: str, value: Any, arrays: dict[str, Array], scalars: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        if not value:
            scalars[f"{path}/"] = None
        for key, part in value.items():
            if not isinstance(key, str) or "/" in key or not key:
                raise ValueError(f"{key!r} cannot be a name in a checkpoint")
            _flatten(f"{path}/{key}", part, arrays, scalars)
    elif isinstance(value, np.ndarray):
        arrays[path] = value
    elif isinstance(value, np.generic):
        scalars[path] = value.item()
    else:
        scalars[path] = value
