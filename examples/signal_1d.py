"""Smooth a noisy signal and find a pulse in it, with conv1d.

Looking for a shape is cross-correlation with that shape (a matched filter): where they lie on each
other the sum of products is largest.
"""

import argparse
from pathlib import Path

import numpy as np

import npconv
from npconv.viz.figure import BLUE, RED, SOFT, new_figure, save

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("."), help="where the picture goes")
parser.add_argument("--small", action="store_true", help="a shorter signal")
options = parser.parse_args()

rng = np.random.default_rng(0)
length, place = (400, 250) if options.small else (2000, 1234)
pulse = np.sin(np.linspace(0, 6 * np.pi, 60)) * np.hanning(60)
signal = rng.normal(0, 0.7, length)
signal[place : place + 60] += pulse

# (channels, width) and (filters, channels, width): one of each.
box = np.full((1, 1, 15), 1 / 15)
smooth = npconv.conv1d(signal[None], box, padding="same")[0]
answer = npconv.conv1d(signal[None], pulse[None, None])[0]
found = int(answer.argmax())
print(f"the pulse begins at {place}, found at {found}")

# A bank of filters in one call: pulses of four frequencies.
bank = np.stack([np.sin(np.linspace(0, 2 * f * np.pi, 60)) * np.hanning(60) for f in (1, 2, 3, 5)])
best, _ = divmod(int(npconv.conv1d(signal[None], bank[:, None]).argmax()), length - 59)
print(f"of 1, 2, 3 and 5 waves, {(1, 2, 3, 5)[best]} answer most")

figure = new_figure(9, 6, "A pulse in noise")
panels = figure.subplots(3, 1)
panels[0].plot(signal, color=SOFT, linewidth=0.7, label="signal")
panels[0].plot(np.arange(place, place + 60), pulse, color=RED, label="the pulse in it")
panels[1].plot(smooth, color=BLUE, linewidth=0.9, label="running mean of 15")
panels[2].plot(answer, color=BLUE, linewidth=0.9, label="cross-correlation with the pulse")
panels[2].axvline(found, color=RED, linewidth=0.9, label=f"largest at {found}")
for axes in panels:
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
print(f"wrote {save(figure, options.out / 'signal_1d.png')}")
