"""``python -m npconv show``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npconv.commands import options as common

if TYPE_CHECKING:
    from npconv.commands.trained import Trained

KINDS = ("filters", "layers", "patches", "fields", "saliency", "robustness", "lessons")

DESCRIPTION = f"""\
Draw what goes on inside a trained network. WHAT is any of:
  filters     the first layer's filters before and after training
  layers      what every layer makes of one image
  patches     the pieces of the test images that each filter answers to most
  fields      how many pixels an output of each layer can see
  saliency    which pixels a prediction hangs on, and class-activation maps
  robustness  the accuracy under white dots, noise and the gradient-sign attack
  lessons     what texts explain convolution with: padding, stride, steps, a gallery of filters,
              small filters, bottlenecks, ReLU against tanh (no trained network is needed)
All of them if none is named.
{common.NEEDS}"""


def add_parser(commands: Any) -> None:
    """Add ``show`` to the subcommands."""
    parser = common.add_command(
        commands, "show", "draw what goes on inside a trained network", DESCRIPTION, _run
    )
    parser.add_argument("what", metavar="WHAT", nargs="*", type=_kind, help="see above")
    common.add_checkpoint(parser)
    common.add_out(parser, "npconv-show")
    parser.add_argument(
        "--image",
        metavar="N",
        type=common.integer(0),
        default=0,
        help="which test image (default: 0)",
    )
    common.add_threads(parser)


def _kind(text: str) -> str:
    if text not in KINDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(KINDS)}")
    return text


def _run(options: argparse.Namespace) -> None:
    from npconv._extras import require
    from npconv.commands.trained import trained

    require("matplotlib.figure", "drawing pictures")
    tqdm = require("tqdm", "the progress bar").tqdm
    wanted = options.what or list(KINDS)
    with common.threads(options):
        paths = []
        if set(wanted) != {"lessons"}:
            found = trained(options)
            images = len(found.source.data.test_images)
            if options.image >= images:
                raise ValueError(f"--image is {options.image}, there are {images} test images")
            paths = [(kind, found) for kind in wanted if kind != "lessons"]
        bar = tqdm(unit="picture", desc="drawing")
        with bar:
            drawn = []
            for kind, network in paths:
                drawn.append(_draw(kind, network, options.image, options.out))
                bar.update()
            if "lessons" in wanted:
                for path in _lessons(options):
                    drawn.append(path)
                    bar.update()
    for path in drawn:
        print(f"wrote {path}")


def _draw(kind: str, found: Trained, number: int, out: Path) -> Path:
    import numpy as np

    from npconv import insight, viz
    from npconv.commands.trained import first_weight

    net, source, before, _ = found
    images, labels = source.data.test_images, source.data.test_labels
    image = images[number]
    if kind == "filters":
        return viz.save_filters(out / "filters.png", before, first_weight(net))
    if kind == "layers":
        name = labels[number] if source.classes is None else source.classes[labels[number]]
        return viz.save_layers(out / "layers.png", net, image, f"What the layers make of a {name}")
    if kind == "patches":
        maps = [k for k, y in insight.layer_outputs(net, image[None]).items() if y.ndim == 4]
        layer = next((name for name in reversed(maps) if "relu" in name), maps[-1])
        best = insight.strongest_patches(net, layer, images[:1000])
        title = f"What the filters of {layer} answer to most"
        return viz.save_patches(out / "patches.png", best, title)
    if kind == "fields":
        return viz.save_receptive_fields(out / "fields.png", net, image)
    if kind == "saliency":
        few = images[number : number + 4]
        return viz.save_saliency(out / "saliency.png", net, few, source.classes)
    rng = np.random.default_rng(0)
    return viz.save_robustness(
        out / "robustness.png", net, images[number:][:1000], labels[number:][:1000], rng
    )


def _lessons(options: argparse.Namespace) -> Iterator[Path]:
    import numpy as np

    from npconv.commands.sources import choose
    from npconv.viz import lessons

    for name in ("padding", "stride", "convolution", "pooling", "flipped", "gallery"):
        yield getattr(lessons, f"save_{name}")(options.out / f"{name}.png")
    for name in ("two_small", "bottleneck"):
        yield getattr(lessons, f"save_{name}")(options.out / f"{name}.png")
    data = choose(None, np.random.default_rng(0)).data
    yield lessons.save_activations(options.out / "activations.png", data)
