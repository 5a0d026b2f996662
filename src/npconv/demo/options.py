"""The demo's command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from npconv.commands import options as common

DESCRIPTION = """\
Train a small convolutional network on handwritten digits: 30 filters of 5x5, ReLU, 2x2 pooling,
100 hidden units, softmax; the SimpleConvNet of the book 'Deep Learning from Scratch'.

Without --data it learns the 1,797 digits of 8x8 pixels that scikit-learn ships and is tested on
360 of them that it never saw; this takes seconds. With --data it learns MNIST's 60,000 digits of
28x28 pixels and is tested on the other 10,000; this takes minutes.

It prints the test accuracy, the images trained on per second, and how long one training step takes
beside the same network in plain NumPy (im2col and matrix products). It writes four pictures:
filters.png, feature_maps.png, training_curve.png and mistakes.png.

Needs the packages that come with:  pip install 'npconv[demo]'
"""


def add_parser(commands: Any) -> None:
    """Add ``demo`` to the subcommands of an argparse parser."""
    parser = common.add_command(
        commands,
        "demo",
        "train a small network on handwritten digits, measure it and draw it",
        DESCRIPTION,
        _run,
    )
    common.add_out(parser, "npconv-demo")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="folder with MNIST's four idx files, gzipped or not",
    )
    common.add_epochs(parser, "40; with --data 20")
    common.add_batch(parser, "50; with --data 100")
    parser.add_argument(
        "--learning-rate",
        metavar="R",
        type=float,
        default=0.001,
        help="size of Adam's steps (default: 0.001)",
    )
    parser.add_argument(
        "--cool-down",
        metavar="N",
        type=common.integer(0),
        help="last epochs, at a tenth of the learning rate (default: 0; with --data 5)",
    )
    common.add_seed(parser, "the weights, the order and the choice of held-out digits")
    common.add_threads(parser)


def _run(options: argparse.Namespace) -> None:
    # Imported only now, so that --help is quick.
    from npconv.demo.command import run

    run(options)
