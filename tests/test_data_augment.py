"""Augmentation: each against the image moved by hand, and what all of them share."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

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
