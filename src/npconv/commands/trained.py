"""A trained network and the data it was trained on, for commands that look at one."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.commands.networks import NETWORKS, make
from npconv.commands.sources import Source, choose
from npconv.insight.hooks import leaves
from npconv.layers import Layer
from npconv.optim import Adam
from npconv.training import CheckpointError, Trainer, load_weights, read_notes


class Trained(NamedTuple):
    """A network, its data, its first layer's weights before training, and its name."""

    net: Layer
    source: Source
    filters_before: Array
    name: str


def trained(options: argparse.Namespace, network: str = "pattern") -> Trained:
    """Read ``--checkpoint`` with ``--data``, or train a small network on digits."""
    notes: dict[str, Any] = {"network": network, "data": None, "seed": 0}
    if options.checkpoint is not None:
        notes = read_notes(options.checkpoint)
        if not {"network", "data", "seed"} <= set(notes) or notes["network"] not in NETWORKS:
            raise CheckpointError(f"{options.checkpoint} was not written by the command 'train'")
    if notes["data"] not in (None, "digits") and options.data is None:
        raise ValueError(f"{options.checkpoint} was trained on {notes['data']}: give --data DIR")
    # In the order of 'train', so that the same images are held out and the weights begin the same.
    rng = np.random.default_rng(notes["seed"])
    source = choose(options.data, rng)
    if notes["data"] not in (None, source.name):
        raise ValueError(
            f"{options.checkpoint} was trained on {notes['data']}, --data has {source.name}"
        )
    net = make(notes["network"], source.data.train_images, 10, rng)
    before = first_weight(net).copy()
    if options.checkpoint is not None:
        load_weights(options.checkpoint, net)
    else:
        print(f"training the network '{network}' on {source.name} first", flush=True)
        trainer = Trainer(net, Adam(), rng=rng)
        trainer.fit(source.data, 8 if source.name == "digits" else 1, 50)
        if trainer.interrupted:
            raise KeyboardInterrupt
    net.eval()
    return Trained(net, source, before, notes["network"])


def first_weight(net: Layer) -> Array:
    """Return the weight of the first layer that has one."""
    return next(layer.params["weight"] for _, layer in leaves(net) if "weight" in layer.params)
