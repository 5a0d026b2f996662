"""A picture of results: bars of the ratio to the best peer, row by row."""

from __future__ import annotations

from pathlib import Path

import report

COLOURS = ("#1f6f8b", "#8fbfd0", "#c98b3c", "#e3c79a")  # by number of threads


def chart(results: list[dict], path: Path) -> None:
    """A panel an (operation, dtype, batch), a bar a layer and number of threads.

    Bars grow from the line at 1, where npconv and the best peer are equally fast; the axis is
    logarithmic, so that twice as fast and half as fast are equally far from it.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    panels = collect(results)
    if not panels:
        raise ValueError("no row has a ratio to draw")
    tallest = max(len(rows) * len(series) for series, rows in panels.values())
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    size = (7.2 * across, (1.4 + 0.13 * tallest) * down)
    figure, axes = pyplot.subplots(down, across, figsize=size, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (title, (series, rows)) in zip(axes.flat, panels.items(), strict=False):
        height = 0.84 / len(series)
        for number, (threads, ratios) in enumerate(series.items()):
            found = [(place, ratios[row]) for place, row in enumerate(rows) if row in ratios]
            places = [place + (number - (len(series) - 1) / 2) * height for place, _ in found]
            mean = report.geometric_mean(ratio for _, ratio in found)
            bars = axis.barh(
                places,
                [ratio - 1 for _, ratio in found],
                height,
                left=1,
                color=COLOURS[number % len(COLOURS)],
                label=f"{threads} thread{'s' if threads > 1 else ''}: geometric mean {mean:.2f}",
            )
            for bar, (_, ratio) in zip(bars, found, strict=True):
                ahead = ratio >= 1
                axis.annotate(
                    f"{ratio:.2f}",
                    (ratio, bar.get_y() + bar.get_height() / 2),
                    xytext=(3 if ahead else -3, 0),
                    textcoords="offset points",
                    ha="left" if ahead else "right",
                    va="center",
                    fontsize=6,
                )
        everything = [ratio for ratios in series.values() for ratio in ratios.values()]
        axis.axvline(1, color="black", linewidth=1)
        axis.set_xscale("log")
        axis.set_xlim(min(0.7, 0.85 * min(everything)), max(1.5, 1.2 * max(everything)))
        ticks = (0.25, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 4, 6, 8, 12)
        axis.xaxis.set_major_locator(FixedLocator(ticks))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_yticks(range(len(rows)), rows)
        axis.invert_yaxis()
        axis.margins(y=0.01)
        axis.tick_params(labelsize=8)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("times the speed of the faster peer (1: equal)", fontsize=9)
        axis.legend(fontsize=8, loc="lower right")
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def collect(results: list[dict]) -> dict[str, tuple[dict[int, dict[str, float]], list[str]]]:
    """By panel title: the ratios by number of threads and row, and the rows in their order."""
    panels: dict[str, tuple[dict[int, dict[str, float]], list[str]]] = {}
    for result in results:
        subject = next(name for name, role in result["roles"].items() if role == "subject")
        options = " ".join(subject.split(":")[1:])
        for (operation, dtype, batch, threads), rows in report.groups(result).items():
            ratios = {r["layer"]: r["ratios"][subject] for r in rows if subject in r["ratios"]}
            if not ratios:
                continue
            isa = result["settings"]["isa"] if result["settings"]["isa_forced"] else ""
            words = (operation, dtype, f"batch {batch}", isa, options)
            title = ", ".join(word for word in words if word)
            series, names = panels.setdefault(title, ({}, []))
            series[threads] = ratios
            names += [name for name in ratios if name not in names]
    return panels
