"""Augmentation: each against the image moved by hand, and what all of them share."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from tolerance import assert_same_bits

from npconv import _native
from npconv.data import augment

ALL = {
    "crop": partial(augment.random_crop, padding=2),
    "crop of a reflected image": partial(augment.random_crop, padding=3, padding_mode="reflect"),
    "smaller crop": partial(augment.random_crop, size=(5, 4)),
    "shift": partial(augment.random_shift, pixels=(1, 3)),
    "rotation": partial(augment.random_rotation, degrees=90),
    "scale": partial(augment.random_scale, smallest=0.5, largest=2),
    "affine": partial(augment.random_affine, degrees=45, pixels=(1, 3)),
    "flip": augment.random_flip,
    "brightness": partial(augment.random_brightness, amount=0.5),
    "chain": augment.chain(augment.random_flip, partial(augment.random_crop, padding=1)),
}


def images(count: int = 40, channels: int = 2, height: int = 7, width: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0.1, 0.6, (count, channels, height, width)).astype(np.float32)


@pytest.mark.parametrize("name", ALL)
def test_what_all_share(name: str) -> None:
    x = images()
    before = x.copy()
    first = ALL[name](x, np.random.default_rng(5))
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(first, x)
    assert first.dtype == np.float32
    assert first.shape == ((40, 2, 5, 4) if name == "smaller crop" else x.shape)
    np.testing.assert_array_equal(ALL[name](x, np.random.default_rng(5)), first)
    assert not np.array_equal(ALL[name](x, np.random.default_rng(6)), first)
    # Channels move together, and each image by itself.
    twice = ALL[name](np.repeat(x[:, :1], 2, axis=1), np.random.default_rng(5))
    np.testing.assert_array_equal(twice[:, 0], twice[:, 1])
    same = ALL[name](np.repeat(x[:1], 40, axis=0), np.random.default_rng(5))
    assert len(np.unique(same.reshape(40, -1), axis=0)) > 1
    assert ALL[name](x[:0], np.random.default_rng(5)).shape[0] == 0
    assert ALL[name](x.astype(np.float64), np.random.default_rng(5)).dtype == np.float64


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_crops_are_windows_of_the_padded_image(mode: Any) -> None:
    x = images()
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), mode)
    found = set()
    crops = augment.random_crop(x, np.random.default_rng(0), padding=2, padding_mode=mode)
    for image, crop in zip(padded, crops, strict=True):
        places = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(image[:, i : i + 7, j : j + 6], crop)
        ]
        assert len(places) == 1
        found.update(places)
    assert {i for i, _ in found} == {j for _, j in found} == set(range(5))


def test_shift_moves_and_fills_with_zeros() -> None:
    x = images()
    down = set()
    shifted = augment.random_shift(x, np.random.default_rng(0), (2, 0))
    for image, moved in zip(x, shifted, strict=True):
        (by,) = [
            d
            for d in range(-2, 3)
            if np.array_equal(
                moved[:, max(d, 0) : 7 + min(d, 0)], image[:, max(-d, 0) : 7 - max(d, 0)]
            )
        ]
        assert (moved != 0).sum() == 2 * 6 * (7 - abs(by))
        down.add(by)
    assert down == set(range(-2, 3))


def test_flip() -> None:
    x = images(400)
    flipped = augment.random_flip(x, np.random.default_rng(0), 0.25)
    mirrored = (flipped == x[..., ::-1]).all((1, 2, 3))
    same = (flipped == x).all((1, 2, 3))
    assert (mirrored ^ same).all()
    assert 60 < mirrored.sum() < 140


def test_brightness() -> None:
    x = images(200)
    factors = augment.random_brightness(x, np.random.default_rng(0), 0.5, limits=None) / x
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 1e-6
    assert 0.5 <= factors.min() < 0.55
    assert 1.45 < factors.max() <= 1.5
    bright = augment.random_brightness(4 * x, np.random.default_rng(0), 0.5)
    assert bright.max() == 1


class Fixed(np.random.Generator):
    """A generator that always draws the upper end."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return np.full(size, high)


def test_a_quarter_turn_and_no_turn() -> None:
    x = images(3, height=6, width=6)
    turned = augment.random_rotation(x, Fixed(), 90)
    np.testing.assert_allclose(turned, np.rot90(x, axes=(2, 3)), atol=1e-6)
    np.testing.assert_allclose(augment.random_rotation(x, Fixed(), 0), x, atol=1e-7)


def test_a_turn_of_45_degrees_leaves_the_corners_empty() -> None:
    x = np.ones((1, 1, 21, 21), np.float32)
    turned = augment.random_rotation(x, Fixed(), 45)[0, 0]
    assert turned[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [0, 0, 0, 0]
    assert turned[10, 10] == 1
    # As much is left as the octagon that both squares share.
    assert turned.sum() == pytest.approx(21 * 21 * 2 * (np.sqrt(2) - 1), rel=0.02)


def test_scale_by_hand() -> None:
    """Twice as large about the middle: positions -0.5 and 0.5 of four pixels, and so on.

    Values 0 10 20 30 at -1.5 -0.5 0.5 1.5 are read at -0.75 -0.25 0.25 0.75.
    """
    row = np.array([0.0, 10, 20, 30], np.float32)
    x = np.broadcast_to(row, (1, 1, 4, 4))
    large = augment.random_scale(x, Fixed(), 1, 2)
    np.testing.assert_allclose(large, np.broadcast_to([7.5, 12.5, 17.5, 22.5], x.shape), rtol=1e-6)
    # Half as large: read at -3, -1, 1, 3, of which the outer two lie outside.
    small = augment.random_scale(x, Fixed(), 0.1, 0.5)
    np.testing.assert_allclose(small[0, 0, 1:3], [[0, 5, 25, 0]] * 2, rtol=1e-6)
    assert not small[0, 0, [0, 3]].any()


def test_affine_is_turn_scale_and_shift() -> None:
    x = images(3, height=6, width=6)
    rng = Fixed()
    np.testing.assert_array_equal(
        augment.random_affine(x, rng, 30, 1, 1, 0), augment.random_rotation(x, rng, 30)
    )
    np.testing.assert_array_equal(
        augment.random_affine(x, rng, 0, 0.5, 1.5, 0), augment.random_scale(x, rng, 0.5, 1.5)
    )
    # The upper end is one down and two to the right, after the quarter turn.
    moved = augment.random_affine(x, rng, 90, 1, 1, (1, 2))
    turned = np.rot90(x, axes=(2, 3))
    np.testing.assert_allclose(moved[:, :, 1:, 2:], turned[:, :, :-1, :-2], atol=1e-6)
    assert not moved[:, :, 0].any()
    assert not moved[:, :, :, :2].any()


def test_affine_of_an_image_does_not_depend_on_the_others() -> None:
    """Nor on the block in which it is computed, of which there are several here."""
    x = np.repeat(images(1, 1, 90, 80), 5, axis=0)
    turned = augment.random_affine(x, Fixed(), 20, 0.9, 1.1, 3)
    np.testing.assert_array_equal(turned, np.repeat(turned[:1], 5, axis=0))
    exact = augment.random_affine(x[:1].astype(np.float64), Fixed(), 20, 0.9, 1.1, 3)
    np.testing.assert_allclose(turned[:1], exact, atol=1e-4)
    half = augment.random_affine(x[:1].astype(np.float16), Fixed(), 20, 0.9, 1.1, 3)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, exact, atol=2e-3)


def warped(x: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The definition: a frame of zeros, two wide at the end, takes what points outside."""
    count, _, height, width = x.shape
    framed = np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 2)))
    down = (np.arange(height) - (height - 1) / 2).astype(x.dtype)[:, None]
    right = (np.arange(width) - (width - 1) / 2).astype(x.dtype)
    result = np.empty_like(x)
    for n in range(count):
        (a, b), (c, d) = matrices[n]
        row = ((a * down + offsets[n, 0]) + b * right).clip(0, height + 1)
        column = ((c * down + offsets[n, 1]) + d * right).clip(0, width + 1)
        top, left = row.astype(int), column.astype(int)
        below, beside = row - top.astype(x.dtype), column - left.astype(x.dtype)
        corner = [framed[n][:, top + i, left + j] for i in (0, 1) for j in (0, 1)]
        upper = corner[0] + (corner[1] - corner[0]) * beside
        lower = corner[2] + (corner[3] - corner[2]) * beside
        result[n] = upper + (lower - upper) * below
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 9), (2, 1, 1), (1, 1, 7), (1, 90, 300)])
def test_warp_is_defined_by_numpy(shape: tuple[int, int, int], dtype: str) -> None:
    """To the last bit, near the centre and far outside, on one thread and on more."""
    rng = np.random.default_rng(sum(shape))
    x = rng.standard_normal((9, *shape)).astype(dtype)
    matrices = (np.eye(2) + rng.normal(0, 0.5, (9, 2, 2))).astype(dtype)
    matrices[0] = np.eye(2)  # the image itself: whole numbers
    centre = (np.array(shape[1:]) + 1) / 2
    offsets = (centre + rng.normal(0, 2, (9, 2)) * np.arange(9)[:, None]).astype(dtype)
    expected = warped(x, matrices, offsets)
    assert_same_bits(expected[0], x[0])
    for threads in (1, 3):
        out = np.empty_like(x)
        _native.warp(x, matrices, offsets, out, ("auto", "auto", threads, "standard"))
        assert_same_bits(out, expected)


def test_warp_from_nowhere_is_zero() -> None:
    x = images(4, height=3, width=3)
    matrices = np.stack([np.full((2, 2), v, np.float32) for v in (np.nan, np.inf, 1e38, 0)])
    offsets = np.full((4, 2), 1e38, np.float32)
    out = np.empty_like(x)
    _native.warp(x, matrices, offsets, out, ("auto", "auto", 1, "standard"))
    assert not out.any()
    with pytest.raises(ValueError, match=r"offsets has shape \(3, 2\)"):
        _native.warp(x, matrices, offsets[:3], out, ("auto", "auto", 1, "standard"))


def test_warp_takes_images_of_any_memory() -> None:
    x = images(6)
    expected = augment.random_affine(x, np.random.default_rng(1))
    for same in (x.astype(">f4"), np.asfortranarray(x), np.repeat(x, 2, axis=3)[..., ::2]):
        got = augment.random_affine(same, np.random.default_rng(1))
        assert got.dtype == same.dtype
        assert_same_bits(got.astype(np.float32), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, rng: augment.random_flip(x[0], rng), r"images is \(2, 7, 6\), expected"),
        (lambda x, rng: augment.random_flip(x, rng, 1.5), "probability is 1.5"),
        (lambda x, rng: augment.random_crop(x, rng, size=(9, 3)), r"size is \(9, 3\), larger"),
        (lambda x, rng: augment.random_crop(x, rng, padding=-1), "padding"),
        (lambda x, rng: augment.random_crop(x, rng, padding_mode="edge"), "padding_mode is 'edge'"),
        (
            lambda x, rng: augment.random_crop(x, rng, padding=6, padding_mode="reflect"),
            r"padding is 6, too much to reflect images of \(7, 6\)",
        ),
        (lambda x, rng: augment.random_shift(x, rng, -1), "pixels"),
        (lambda x, rng: augment.random_rotation(x, rng, float("nan")), "degrees is nan"),
        (lambda x, rng: augment.random_scale(x, rng, 0, 1), "smallest is 0 and largest 1"),
        (lambda x, rng: augment.random_brightness(x, rng, -0.1), "amount is -0.1"),
    ],
)
def test_wrong_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(images(), np.random.default_rng(0))


def test_wrong_types_are_named() -> None:
    with pytest.raises(TypeError, match=r"rng is a RandomState, expected a numpy\.random\.Gen"):
        augment.random_flip(images(), np.random.RandomState(0))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="images has dtype uint8, expected floats"):
        augment.random_flip(images().astype(np.uint8), np.random.default_rng(0))
