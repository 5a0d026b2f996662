"""``python -m npconv summary``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from npconv.commands import options as common

if TYPE_CHECKING:
    from npconv.layers import Layer

DESCRIPTION = """\
Print each layer of a network with its output's shape, its parameters and its multiply-adds for one
image. NETWORK is one that 'train' knows (simple, deep, lenet5, cifar, pattern, resnet9, whitened)
or a function of npconv.models, such as resnet50. Nothing is trained and nothing beside NumPy is
needed.
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
        help="channels, height and width of an image (default: what the network was made for)",
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
    import inspect

    import numpy as np

    from npconv import models
    from npconv.commands.networks import NETWORKS

    name, shape = options.network, options.input
    others = _functions()
    if name in NETWORKS:
        shape = shape or ((3, 32, 32) if name in ("cifar", "resnet9", "whitened") else (1, 28, 28))
        net = NETWORKS[name](shape, 10, np.random.default_rng(0))
    elif name in others:
        parameters = inspect.signature(others[name]).parameters
        arguments: dict[str, Any] = {}
        if "input_shape" in parameters:
            shape = shape or parameters["input_shape"].default
            arguments["input_shape"] = shape
        shape = shape or ((1, 28, 28) if name.startswith("lenet5") else (3, 224, 224))
        if "rng" in parameters and parameters["rng"].default is inspect.Parameter.empty:
            arguments["rng"] = np.random.default_rng(0)
        net = others[name](**arguments)
    else:
        names = ", ".join([*NETWORKS, *(other for other in others if other not in NETWORKS)])
        raise ValueError(f"NETWORK is {name!r}, expected one of {names}")
    print(models.summary(net, shape))


def _functions() -> dict[str, Callable[..., Layer]]:
    """Return the functions of npconv.models that make a network and need to be told nothing."""
    import inspect

    from npconv import models

    found: dict[str, Callable[..., Layer]] = {}
    for name in models.__all__:
        make = getattr(models, name)
        if inspect.isfunction(make):
            parameters = inspect.signature(make).parameters.values()
            needed = {
                parameter.name
                for parameter in parameters
                if parameter.default is parameter.empty and parameter.kind != parameter.VAR_KEYWORD
            }
            if needed <= {"rng"}:
                found[name] = make
    return found
