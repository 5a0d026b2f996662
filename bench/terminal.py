"""What a run shows while it runs: a progress bar and one line a row."""

from __future__ import annotations

import sys

import report


class Progress:
    """tqdm's bar where it is installed and a terminal is there to show it, else plain lines."""

    def __init__(self, total: int) -> None:
        self.bar = None
        if sys.stderr.isatty():
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self.bar = tqdm(total=total, unit="row", dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, text: str) -> None:
        if self.bar is not None:
            self.bar.set_description(text)

    def advance(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def write(self, text: str) -> None:
        if self.bar is None:
            print(text, flush=True)
        else:
            self.bar.write(text)


def line(row: dict) -> str:
    """One row for the terminal: everyone's time, npconv's share of the peak, the ratio."""
    parts = [f"{row['layer']:22}"]
    for name, entry in row["contenders"].items():
        if "min" not in entry:
            continue
        text = f"{report.title(name)} {report.duration(entry['min'])}"
        share = entry.get("percent_of_fma_peak", entry.get("percent_of_memcpy"))
        if share is not None:
            text += f" ({share:.0f} %)"
        if name in row["ratios"]:
            text += f" {row['ratios'][name]:.2f}x"
        parts.append(text)
    return " | ".join(parts)
