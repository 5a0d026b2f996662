"""Options that several commands have."""

from __future__ import annotations

import argparse
import contextlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

NEEDS = """
Needs the packages that come with:  pip install 'npconv[demo]'
"""


def add_command(
    commands: Any, name: str, text: str, description: str, run: Callable[[Any], None]
) -> argparse.ArgumentParser:
    """Add a subcommand that explains itself and calls `run` with its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="folder with the files of MNIST or of CIFAR-10, binary or Python version "
        "(default: the digits of 8x8 pixels that scikit-learn ships)",
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add ``--checkpoint`` and ``--data``."""
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=Path,
        help="a network that 'python -m npconv train' wrote (default: train a small one on "
        "scikit-learn's digits first, which takes seconds)",
    )
    add_data(parser)


def add_out(parser: argparse.ArgumentParser, folder: str, what: str = "the pictures go") -> None:
    """Add ``--out``."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path(folder),
        help=f"where {what} (default: ./{folder})",
    )


def add_epochs(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--epochs``."""
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=integer(1),
        help=f"how often each training image is shown (default: {default})",
    )


def add_batch(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--batch``."""
    parser.add_argument(
        "--batch",
        metavar="N",
        type=integer(1),
        help=f"images in one training step (default: {default})",
    )


def add_seed(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--seed``."""
    parser.add_argument(
        "--seed", metavar="N", type=integer(0), default=0, help=f"of {what} (default: 0)"
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``."""
    parser.add_argument(
        "--threads",
        metavar="N",
        type=integer(1),
        help="threads that npconv uses (default: all cores; NumPy's own are not limited)",
    )


def threads(options: argparse.Namespace) -> AbstractContextManager[Any]:
    """Return a context in which ``--threads`` holds."""
    import npconv

    return npconv.threads(options.threads) if options.threads else contextlib.nullcontext()


def integer(minimum: int) -> Callable[[str], int]:
    """Return a parser of integers from `minimum`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer from {minimum}")
        return value

    return parse


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value
