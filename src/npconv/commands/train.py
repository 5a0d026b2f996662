"""``python -m npconv train``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npconv.commands import options as common

if TYPE_CHECKING:
    from npconv.commands.sources import Source
    from npconv.data.augment import Augmentation
    from npconv.layers import Layer
    from npconv.optim import Optimiser
    from npconv.training import Trainer

NAMES = ("simple", "deep", "lenet5", "cifar", "pattern", "resnet9", "whitened")
# The usual learning rate of each optimiser.
RATES = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.01,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
}

DESCRIPTION = f"""\
Train a network and keep it in a file.

Networks:
  simple   SimpleConvNet of the book 'Deep Learning from Scratch': 30 filters of 5x5
  deep     its DeepConvNet: six 3x3 convolutions, dropout
  lenet5   LeNet-5 with ReLU, for images of 28x28 pixels
  cifar    INPUT-CONV-RELU-POOL-FC of CS231n's notes
  pattern  ((CONV-RELU)*2-POOL)*3-FC-RELU-FC with 24 to 96 filters (2 blocks for small images)
  resnet9  a residual network for CIFAR-10: eight 3x3 convolutions with batch normalisation and
           24 to 192 filters
  whitened for CIFAR-10, too: whitened patches of 2x2 pixels, six 3x3 convolutions with batch
           normalisation and 64 to 256 filters

After each epoch it measures the accuracy on the test images and writes DIR/checkpoint.npz, and
DIR/history.json with each epoch's loss and accuracy. Ctrl-C writes the checkpoint, too; the same
command with --resume then continues as if nothing had happened, to the last bit. At the end it
draws the first layer's filters and the training curve.
{common.NEEDS}"""


def add_parser(commands: Any) -> None:
    """Add ``train`` to the subcommands."""
    parser = common.add_command(
        commands, "train", "train a network and keep it in a file", DESCRIPTION, _run
    )
    parser.add_argument(
        "--network", choices=NAMES, default="simple", help="which one (default: simple)"
    )
    common.add_data(parser)
    common.add_out(parser, "npconv-train", "checkpoint and pictures go")
    common.add_epochs(parser, "40 for digits, else 20")
    common.add_batch(parser, "50 for digits, else 100")
    parser.add_argument(
        "--optimiser", choices=tuple(RATES), default="adam", help="how it moves (default: adam)"
    )
    parser.add_argument(
        "--learning-rate",
        metavar="R",
        type=float,
        help="size of the steps (default: 0.001; for sgd 0.1, for momentum and nesterov 0.02, for "
        "adagrad 0.01)",
    )
    parser.add_argument(
        "--weight-decay",
        metavar="W",
        type=float,
        help="what share of a weight is added to its gradient (default: 0; for adamw, which takes "
        "it from the weight, 0.01)",
    )
    parser.add_argument(
        "--schedule",
        choices=("cosine", "one-cycle", "constant"),
        default="cosine",
        help="whether the learning rate falls to zero along a cosine (the default), rises evenly "
        "for a fifth of the steps before that, or stays",
    )
    parser.add_argument(
        "--augment",
        nargs="?",
        const="usual",
        choices=("usual", "gentle"),
        help="change images at random: shift, turn and resize digits; crop and mirror CIFAR-10. "
        "'gentle': half as much, and CIFAR-10's images are mirrored in every other epoch",
    )
    parser.add_argument(
        "--label-smoothing",
        metavar="S",
        type=common.share,
        default=0.0,
        help="what share of each label is spread over all classes (default: 0)",
    )
    parser.add_argument(
        "--norm-bias-rate",
        metavar="F",
        type=float,
        help="how many times as fast the biases of batch normalisation learn (default: 1)",
    )
    parser.add_argument(
        "--subset",
        metavar="N",
        type=common.integer(1),
        help="train and test on the first N images each only",
    )
    common.add_seed(parser, "the weights, the order and all else that is random")
    parser.add_argument(
        "--resume", action="store_true", help="continue from DIR/checkpoint.npz if it is there"
    )
    common.add_threads(parser)


def _run(options: argparse.Namespace) -> None:
    from functools import partial

    import numpy as np

    import npconv
    from npconv import viz
    from npconv._extras import require
    from npconv.commands import sources, trained
    from npconv.commands.networks import make
    from npconv.data import Dataset
    from npconv.layers import SoftmaxCrossEntropy
    from npconv.training import Trainer

    # What would stop it at its end stops it here.
    require("tqdm", "the progress bar")
    require("matplotlib.figure", "drawing pictures")
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / "checkpoint.npz"

    with common.threads(options):
        rng = np.random.default_rng(options.seed)
        source = sources.choose(options.data, rng)
        if options.subset is not None:
            part = Dataset(*(array[: options.subset] for array in source.data))
            source = source._replace(data=part)
        net = make(options.network, source.data.train_images, 10, rng)
        before = trained.first_weight(net).copy()
        digits = source.name == "digits"
        epochs = options.epochs or (40 if digits else 20)
        batch = options.batch or (50 if digits else 100)
        rate = options.learning_rate
        if rate is None:
            rate = RATES[options.optimiser]
        steps = epochs * -(-len(source.data.train_images) // batch)
        trainer = Trainer(
            net,
            _optimiser(options.optimiser, rate, options.weight_decay),
            SoftmaxCrossEntropy(options.label_smoothing),
            rng=rng,
            schedule=_schedule(options.schedule, rate, steps),
            augment=_augmentation(source, options.augment),
            mirror=options.augment == "gentle" and source.name == "cifar10",
            checkpoint=checkpoint,
            notes={"network": options.network, "data": source.name, "seed": options.seed},
        )
        if options.norm_bias_rate is not None:
            rates = dict.fromkeys(_norm_biases(net), options.norm_bias_rate)
            trainer.optimiser.rates.update(rates)
        if options.resume and checkpoint.exists():
            trainer.load(checkpoint)
            print(f"continuing after {trainer.epoch} epochs, {trainer.steps} steps")
        parameters = sum(value.size for value in net.params.values())
        print(
            f"{source.name}: {len(source.data.train_images):,} images to learn, "
            f"{len(source.data.test_images):,} held out; {options.network}: {parameters:,} "
            f"parameters; npconv {npconv.__version__}, {npconv.cpu_info()['isa']} kernels, "
            f"{npconv.get_num_threads()} threads",
            flush=True,
        )
        settings = {
            "network": options.network,
            "parameters": parameters,
            "data": source.name,
            "images": len(source.data.train_images),
            "epochs": epochs,
            "batch": batch,
            "optimiser": options.optimiser,
            "learning_rate": rate,
            "weight_decay": trainer.optimiser.weight_decay,
            "norm_bias_rate": options.norm_bias_rate,
            "label_smoothing": options.label_smoothing,
            "schedule": options.schedule,
            "augment": options.augment,
            "seed": options.seed,
            "npconv": npconv.__version__,
            "isa": npconv.cpu_info()["isa"],
            "threads": npconv.get_num_threads(),
        }
        history = trainer.fit(
            source.data,
            epochs,
            batch,
            progress=True,
            after_epoch=partial(_write_history, options.out / "history.json", settings),
        )
    print(f"wrote {checkpoint}")
    if trainer.interrupted:
        print(f"stopped in epoch {trainer.epoch + 1}; the same command with --resume continues")
        raise KeyboardInterrupt
    after = trained.first_weight(net)
    if after.ndim == 4 and after.shape[1] in (1, 3):
        print(f"wrote {viz.save_filters(options.out / 'filters.png', before, after)}")
    curve = options.out / "training_curve.png"
    print(f"wrote {viz.save_training_curve(curve, history.losses, history.accuracies)}")
    print(f"training took {history.seconds:.1f} s")
    print(f"test accuracy: {history.accuracies[-1]:.4f}")


def _optimiser(name: str, rate: float, decay: float | None) -> Optimiser:
    from npconv import optim

    makers: dict[str, Callable[..., Optimiser]] = {
        "sgd": optim.SGD,
        "momentum": optim.Momentum,
        "nesterov": optim.Nesterov,
        "adagrad": optim.AdaGrad,
        "rmsprop": optim.RMSprop,
        "adam": optim.Adam,
        "adamw": optim.AdamW,
    }
    return makers[name](rate) if decay is None else makers[name](rate, weight_decay=decay)


def _schedule(name: str, rate: float, steps: int) -> Callable[[int], float] | None:
    from npconv.optim import schedules

    if name == "constant":
        return None
    if name == "one-cycle":
        return schedules.one_cycle(rate, steps, steps // 5)
    return schedules.cosine(rate, steps)


def _write_history(path: Path, settings: dict[str, Any], trainer: Trainer) -> None:
    """Write the settings, and each epoch's mean loss and test accuracy so far."""
    history, steps = trainer.history, trainer.steps // trainer.epoch
    losses = [history.losses[i : i + steps] for i in range(0, trainer.steps, steps)]
    document = {
        **settings,
        "losses": [round(sum(part) / steps, 5) for part in losses],
        "test_accuracies": history.accuracies,
        "seconds": round(history.seconds, 1),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _norm_biases(net: Layer) -> list[str]:
    """Name the biases of batch normalisation."""
    from npconv.insight.hooks import leaves
    from npconv.layers import BatchNorm2d

    return [
        f"{path}.bias"
        for path, layer in leaves(net)
        if isinstance(layer, BatchNorm2d) and "bias" in layer.params
    ]


def _augmentation(source: Source, kind: str | None) -> Augmentation | None:
    from functools import partial

    from npconv.data import augment

    if kind is None:
        return None
    gentle = kind == "gentle"
    if source.name == "cifar10":
        if gentle:  # the trainer mirrors
            return partial(augment.random_crop, padding=2, padding_mode="reflect")
        return augment.chain(partial(augment.random_crop, padding=4), augment.random_flip)
    pixels = max(source.shape[1] // (28 if gentle else 14), 1)
    degrees, resize = (4, 0.04) if gentle else (8, 0.08)
    return partial(
        augment.random_affine,
        degrees=degrees,
        smallest=1 - resize,
        largest=1 + resize,
        pixels=pixels,
    )
