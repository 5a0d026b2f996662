"""Whether every window of a pooling meets an element of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npconv.checks import SPATIAL_AXES

if TYPE_CHECKING:
    from npconv.geometry.pooling import PoolGeometry


def check_every_window(geometry: PoolGeometry, input_name: str) -> None:
    """Refuse a pooling that has a window with no element of the input."""
    for name, n, k, count, s, d, before, after in zip(
        SPATIAL_AXES[3],
        *geometry[3:10],
        strict=True,
    ):
        window = d * (k - 1) + 1
        if max(before, after) >= window:
            raise ValueError(
                f"padding must be smaller than the window along {name}: padding is {before} + "
                f"{after}, kernel {k} with dilation {d} covers {window}"
            )
        # Windows that start inside the input touch it. The others start before it, and their
        # first tap at or after its beginning lies at (start mod dilation).
        outside = min(count, -(-before // s))
        behind = (count - 1) * s - before >= n  # with "cover_all" only
        if n == 0 or behind or residues_at_least(n, outside, s, -before, d):
            raise ValueError(
                f"a window lies wholly in the padding along {name}: {input_name} has {n}, "
                f"padding {before} + {after}, kernel {k}, dilation {d}, stride {s}"
            )


def residues_at_least(bound: int, count: int, step: int, start: int, modulus: int) -> bool:
    """Tell whether (start + i·step) mod modulus >= bound for some 0 <= i < count.

    Such an i makes floor((v + modulus - bound) / modulus) one more than floor(v / modulus), and
    the sums of both have a closed form, however large the count.
    """
    if bound >= modulus or count <= 0:
        return False
    start %= modulus
    raised = _floor_sum(count, modulus, step, start + modulus - bound)
    return raised > _floor_sum(count, modulus, step, start)


def _floor_sum(count: int, modulus: int, step: int, start: int) -> int:
    """Sum (start + i·step) // modulus for 0 <= i < count, as Euclid's algorithm runs."""
    total = 0
    while count > 0:
        total += (step // modulus) * (count * (count - 1) // 2) + (start // modulus) * count
        step, start = step % modulus, start % modulus
        # Count lattice points under the line from the other axis.
        top = step * count + start
        count, start, modulus, step = top // modulus, top % modulus, step, modulus
    return total
