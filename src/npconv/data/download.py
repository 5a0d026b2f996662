"""Fetching data sets, with the `data` extra's pooch."""

from __future__ import annotations

import os
from pathlib import Path

from npconv._extras import require

_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_CIFAR10 = "https://www.cs.toronto.edu/~kriz/"

# SHA-256 of each file as it is fetched.
_FILES = {
    "mnist": {
        f"{_MNIST}train-images-idx3-ubyte.gz": (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        f"{_MNIST}train-labels-idx1-ubyte.gz": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        f"{_MNIST}t10k-images-idx3-ubyte.gz": (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        f"{_MNIST}t10k-labels-idx1-ubyte.gz": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    },
    "cifar10": {
        f"{_CIFAR10}cifar-10-binary.tar.gz": (
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
        ),
    },
}


def download(name: str, directory: str | os.PathLike[str] | None = None) -> Path:
    """Fetch ``"mnist"`` (11 MB) or ``"cifar10"`` (170 MB) and return the folder to load it from.

    Files that lie there already and have the right checksum are not fetched again.

    Parameters
    ----------
    name : str
        Which data set.
    directory : path, optional
        Where it goes; a folder ``npconv`` in the user's cache unless given.

    Raises
    ------
    ImportError
        pooch is not installed: ``pip install 'npconv[data]'``.
    ValueError
        There is no such data set, or what was fetched has another checksum.
    OSError
        The file cannot be fetched or written.
    """
    if name not in _FILES:
        raise ValueError(f"name is {name!r}, expected one of {sorted(_FILES)}")
    pooch = require("pooch", "downloading data", extra="data")
    folder = Path(pooch.os_cache("npconv") if directory is None else directory) / name
    for url, checksum in _FILES[name].items():
        archive = url.endswith(".tar.gz")
        pooch.retrieve(
            url,
            known_hash=f"sha256:{checksum}",
            fname=url.rpartition("/")[2],
            path=folder,
            progressbar=True,
            processor=pooch.Untar(extract_dir=".") if archive else None,
        )
    return folder
