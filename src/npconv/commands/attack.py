"""``python -m npconv attack``."""

from __future__ import annotations

import argparse
from typing import Any

from npconv.commands import options as common

DESCRIPTION = f"""\
Attack a trained network with the fast-gradient-sign method: change every pixel of the test images a
little, in the direction that makes the network err. It prints the accuracy before and after, and
that under noise of the same size, which hardly matters to the network. It draws images, what was
added to them, and what the network reads before and after (attack.png).
{common.NEEDS}"""


def add_parser(commands: Any) -> None:
    """Add ``attack`` to the subcommands."""
    parser = common.add_command(
        commands, "attack", "make a trained network err by small changes", DESCRIPTION, _run
    )
    common.add_checkpoint(parser)
    common.add_out(parser, "npconv-attack", "the picture goes")
    parser.add_argument(
        "--strength",
        metavar="S",
        type=common.share,
        default=0.1,
        help="how much each pixel changes, of values from 0 to 1 (default: 0.1)",
    )
    common.add_threads(parser)


def _run(options: argparse.Namespace) -> None:
    import numpy as np

    from npconv import viz
    from npconv._extras import require
    from npconv.commands.trained import trained
    from npconv.insight import fast_gradient_sign
    from npconv.training import predict

    require("matplotlib.figure", "drawing pictures")
    tqdm = require("tqdm", "the progress bar").tqdm
    with common.threads(options):
        net, source, _, _ = trained(options)
        images, labels = source.data.test_images, source.data.test_labels
        rng = np.random.default_rng(0)
        changed, noisy = np.empty_like(images), np.empty_like(images)
        size = images.dtype.type(options.strength)
        for start in tqdm(range(0, len(images), 500), unit="batch", desc="attack"):
            part = slice(start, start + 500)
            changed[part] = fast_gradient_sign(net, images[part], labels[part], options.strength)
            signs = rng.choice(np.array([-size, size]), images[part].shape)
            noisy[part] = (images[part] + signs).clip(0, 1)
        before, after = predict(net, images), predict(net, changed)
        noise = predict(net, noisy)
        fooled = np.flatnonzero((before == labels) & (after != labels))[:4]
        if not len(fooled):
            print("no image fooled the network; the picture shows the first ones")
            fooled = np.arange(min(4, len(images)))
        path = viz.save_attack(
            options.out / "attack.png",
            net,
            images[fooled],
            labels[fooled],
            options.strength,
            source.classes,
        )
    print(f"wrote {path}")
    print(f"test accuracy: {np.mean(before == labels):.4f}")
    print(f"with random signs of size {options.strength:g}: {np.mean(noise == labels):.4f}")
    print(f"under attack of size {options.strength:g}: {np.mean(after == labels):.4f}")
