"""``python -m npconv summary``."""

from __future__ import annotations

import argparse
from typing import Any

from npconv.commands import options as common

DESCRIPTION = """\
Print each layer of a network with its output's shape, its parameters and its multiply-adds for one
image. NETWORK is one that 'train' knows (simple, deep, cifar, pattern) or a function of
npconv.models, such as resnet50. Nothing is trained and nothing beside NumPy is needed.
"""


def add_parser(commands: Any) -> None:
    """Add ``summary`` to the subcommands."""
    parser = common.add_command(
        commands, "summary", "print a network's layers, parameters and cost", DESCRIPTION, _run
    )
    parser.add_argument("network", metavar="NETWORK", help="its name")
    parser.add_argument(
        "--input",
        metavar="C,H,W",
        type=_shape,
        help="channels, height and width of an image (default: 1,28,28 for the networks of "
        "'train', 3,32,32 for cifar, else 3,224,224)",
    )


def _shape(text: str) -> tuple[int, int, int]:
    try:
        channels, height, width = (int(part) for part in text.split(","))
    except ValueError:
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not three integers from 1, such as 3,32,32")
    return channels, height, width


def _run(options: argparse.Namespace) -> None:
    import numpy as np

    from npconv import models
    from npconv.commands.networks import NETWORKS

    name = options.network
    if name in NETWORKS:
        shape = options.input or ((3, 32, 32) if name == "cifar" else (1, 28, 28))
        net = NETWORKS[name](shape, 10, np.random.default_rng(0))
    else:
        shape = options.input or (3, 224, 224)
        make = getattr(models, name, None) if name in models.__all__ and name.islower() else None
        if make is None or name in ("summary", "output_size", "count_parameters", "pattern"):
            raise ValueError(f"NETWORK is {name!r}, expected one of {', '.join(_names())}")
        net = make()
    print(models.summary(net, shape))


def _names() -> list[str]:
    from npconv import models
    from npconv.commands.networks import NETWORKS

    helpers = {"summary", "output_size", "count_parameters", "pattern"}
    return [*NETWORKS, *(n for n in models.__all__ if n.islower() and n not in helpers)]
