"""What ``python -m npconv demo`` does."""

from __future__ import annotations

import argparse

import numpy as np

import npconv
from npconv._extras import require
from npconv.checks import Array
from npconv.commands.options import threads
from npconv.demo import pictures, speed
from npconv.demo.recipe import Recipe, choose
from npconv.layers import Sequential
from npconv.optim import Adam
from npconv.training import History, Trainer


def run(options: argparse.Namespace) -> None:
    """Train, measure, draw; the last line printed is the test accuracy."""
    # What would stop the demo at its end stops it here.
    require("tqdm", "the progress bar")
    require("matplotlib.figure", "drawing pictures")
    options.out.mkdir(parents=True, exist_ok=True)

    with threads(options):
        rng = np.random.default_rng(options.seed)
        recipe = choose(options.data, rng)
        recipe = recipe._replace(
            epochs=options.epochs or recipe.epochs,
            batch=options.batch or recipe.batch,
            cool_down=recipe.cool_down if options.cool_down is None else options.cool_down,
        )
        net = recipe.network(rng)
        filters_before = net.params["conv1.weight"].copy()
        _print_setting(recipe, net)
        history = _train(net, recipe, options.learning_rate, rng)
        _print_speed(recipe, history, rng)
        for path in pictures.draw(options.out, filters_before, net, history, recipe.data):
            print(f"wrote {path}")
    print(f"test accuracy: {history.accuracies[-1]:.4f}")


def _print_setting(recipe: Recipe, net: Sequential) -> None:
    train_images, test_images = recipe.data.train_images, recipe.data.test_images
    parameters = sum(value.size for value in net.params.values())
    print(
        f"npconv {npconv.__version__}, {npconv.cpu_info()['isa']} kernels, "
        f"{npconv.get_num_threads()} threads"
    )
    print(
        f"{recipe.source}: {len(train_images):,} to learn, {len(test_images):,} held out, "
        f"{train_images.shape[2]}x{train_images.shape[3]} pixels"
    )
    print(f"network of {parameters:,} parameters: {', '.join(net.layers)}", flush=True)


def _train(
    net: Sequential, recipe: Recipe, learning_rate: float, rng: np.random.Generator
) -> History:
    steps = -(-len(recipe.data.train_images) // recipe.batch)
    settled = (recipe.epochs - recipe.cool_down) * steps

    def schedule(step: int) -> float:
        """A tenth of the rate at the end settles what the steps before still throw about."""
        return learning_rate / 10 if step >= settled else learning_rate

    trainer = Trainer(net, Adam(learning_rate), rng=rng, schedule=schedule)
    history = trainer.fit(recipe.data, recipe.epochs, recipe.batch, progress=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return history


def _print_speed(recipe: Recipe, history: History, rng: np.random.Generator) -> None:
    trained = recipe.epochs * len(recipe.data.train_images)
    print(
        f"training: {trained:,} images in {history.seconds:.1f} s, "
        f"{trained / history.seconds:,.0f} images per second"
    )
    images, labels = _first_batch(recipe)
    times = speed.compare(recipe.network(rng), recipe.padding, images, labels)
    print(f"one training step of {len(images)} images, median:")
    for name, seconds in (("npconv", times.npconv), ("plain NumPy im2col", times.numpy)):
        print(
            f"  {name:<20}{1e3 * seconds:8.2f} ms {len(images) / seconds:12,.0f} images per second"
        )
    print(f"  npconv is {times.numpy / times.npconv:.1f} times as fast", flush=True)


def _first_batch(recipe: Recipe) -> tuple[Array, Array]:
    data = recipe.data
    return data.train_images[: recipe.batch], data.train_labels[: recipe.batch]
