"""``python -m npconv eval``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npconv.commands import options as common

if TYPE_CHECKING:
    from npconv.commands.sources import Source
    from npconv.training import View

DESCRIPTION = f"""\
Measure a trained network on the test images: its accuracy, that of each class, which classes it
takes for which others, and the images it gets wrong. It writes confusion.png and mistakes.png.

With --compare, it measures several networks instead and draws their accuracy against operations and
parameters (bubbles.png).
{common.NEEDS}"""


def add_parser(commands: Any) -> None:
    """Add ``eval`` to the subcommands."""
    parser = common.add_command(
        commands, "eval", "measure a trained network on the test images", DESCRIPTION, _run
    )
    common.add_checkpoint(parser)
    parser.add_argument(
        "--compare",
        metavar="FILE",
        type=Path,
        nargs="+",
        default=[],
        help="checkpoints of networks trained on the same data",
    )
    parser.add_argument(
        "--augment",
        action="store_true",
        help="go by the sum of the outputs for each image and for the same moved by a pixel or two "
        "in every direction, and for photographs by those of their mirror images, too",
    )
    common.add_out(parser, "npconv-eval")
    common.add_threads(parser)


def _run(options: argparse.Namespace) -> None:
    import numpy as np

    from npconv import viz
    from npconv._extras import require
    from npconv.commands.trained import trained
    from npconv.insight import confusion_matrix
    from npconv.training import predict

    require("matplotlib.figure", "drawing pictures")
    if options.compare:
        _compare(options)
        return
    with common.threads(options):
        net, source, _, _ = trained(options)
        images, labels = source.data.test_images, source.data.test_labels
        predictions = predict(net, images, views=_views(source) if options.augment else ())
    counts = confusion_matrix(labels, predictions, 10)
    for number, row in enumerate(counts):
        name = str(number) if source.classes is None else source.classes[number]
        print(f"{name:>12}: {row[number]:5} of {row.sum():5} right")
    out = options.out
    print(f"wrote {viz.save_confusion(out / 'confusion.png', labels, predictions, source.classes)}")
    mistakes = out / "mistakes.png"
    print(f"wrote {viz.save_mistakes(mistakes, images, labels, predictions, source.classes)}")
    print(f"test accuracy: {np.mean(predictions == labels):.4f}")


def _views(source: Source) -> tuple[View, ...]:
    from npconv.training import views

    return views(max(source.shape[1] // 14, 1), mirror=source.name == "cifar10")


def _compare(options: argparse.Namespace) -> None:
    from npconv import viz
    from npconv._extras import require
    from npconv.commands.trained import trained
    from npconv.models import summary
    from npconv.training import accuracy

    tqdm = require("tqdm", "the progress bar").tqdm
    bubbles = []
    with common.threads(options):
        for path in tqdm(options.compare, unit="network", desc="measuring"):
            options.checkpoint = path
            net, source, _, name = trained(options)
            cost = summary(net, source.shape)
            right = accuracy(net, source.data.test_images, source.data.test_labels)
            bubbles.append(viz.Bubble(name, cost.multiply_adds, cost.parameters, right))
    print(f"{'network':<12}{'multiply-adds':>16}{'parameters':>14}{'accuracy':>10}")
    for name, operations, parameters, right in bubbles:
        print(f"{name:<12}{operations:>16,}{parameters:>14,}{right:>10.4f}")
    print(f"wrote {viz.save_bubbles(options.out / 'bubbles.png', bubbles)}")
