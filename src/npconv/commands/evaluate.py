"""``python -m npconv eval``."""

from __future__ import annotations

import argparse
from typing import Any

from npconv.commands import options as common

DESCRIPTION = f"""\
Measure a trained network on the test images: its accuracy, that of each class, which classes it
takes for which others, and the images it gets wrong. It writes confusion.png and mistakes.png.
{common.NEEDS}"""


def add_parser(commands: Any) -> None:
    """Add ``eval`` to the subcommands."""
    parser = common.add_command(
        commands, "eval", "measure a trained network on the test images", DESCRIPTION, _run
    )
    common.add_checkpoint(parser)
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
    with common.threads(options):
        net, source, _, _ = trained(options)
        images, labels = source.data.test_images, source.data.test_labels
        predictions = predict(net, images)
    counts = confusion_matrix(labels, predictions, 10)
    for number, row in enumerate(counts):
        name = str(number) if source.classes is None else source.classes[number]
        print(f"{name:>12}: {row[number]:5} of {row.sum():5} right")
    out = options.out
    print(f"wrote {viz.save_confusion(out / 'confusion.png', labels, predictions, source.classes)}")
    mistakes = out / "mistakes.png"
    print(f"wrote {viz.save_mistakes(mistakes, images, labels, predictions, source.classes)}")
    print(f"test accuracy: {np.mean(predictions == labels):.4f}")
