"""State dictionaries: names, copying in, and the two file formats."""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import pytest

from npconv.layers import Conv2d, Layer, Linear, ReLU, Residual, Sequential
from npconv.layers.state import read, write


class Counter(Layer):
    """A layer with a buffer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.params["weight"] = np.ones(2, np.float32)
        self.buffers["running_mean"] = np.zeros(2, np.float32)
        self.buffers["num_batches_tracked"] = np.array(7)


def small_net(seed: int = 0) -> Sequential:
    rng = np.random.default_rng(seed)
    block = Residual(
        {"conv1": Conv2d(2, 2, 1, rng=rng), "bn1": Counter()},
        shortcut={"downsample": Sequential(Conv2d(2, 2, 1, bias=False, rng=rng))},
        activation=ReLU(),
    )
    return Sequential({"layer1": Sequential(block), "fc": Linear(4, 2, rng=rng)})


KEYS = [
    "layer1.0.conv1.weight",
    "layer1.0.conv1.bias",
    "layer1.0.bn1.weight",
    "layer1.0.bn1.running_mean",
    "layer1.0.bn1.num_batches_tracked",
    "layer1.0.downsample.0.weight",
    "fc.weight",
    "fc.bias",
]


def test_names_and_order_are_torchvisions() -> None:
    net = small_net()
    assert list(net.state_dict()) == KEYS
    assert set(net.params) | set(net.buffers) == set(KEYS)
    net.buffers["layer1.0.bn1.running_mean"] = np.ones(2)
    assert net.state_dict()["layer1.0.bn1.running_mean"].tolist() == [1, 1]
    assert net.state_dict()["fc.weight"] is net.layers["fc"].params["weight"]


def test_a_loaded_state_is_copied_into_the_arrays() -> None:
    net, other = small_net(), small_net(1)
    places = net.state_dict()
    state = {key: value.astype(np.float64) for key, value in other.state_dict().items()}
    state["layer1.0.bn1.num_batches_tracked"] = np.array(12)
    assert net.load_state_dict(state) == ([], [])
    for key, value in net.state_dict().items():
        assert value is places[key]
        assert value.dtype == other.state_dict()[key].dtype
        np.testing.assert_array_equal(value, state[key])
        assert not np.shares_memory(value, state[key])


def test_what_does_not_fit_is_named_and_changes_nothing() -> None:
    net = small_net()
    before = {key: value.copy() for key, value in net.state_dict().items()}
    good = {key: value + 1 for key, value in before.items()}
    shape = good | {"fc.bias": np.zeros(3, np.float32)}
    missing = {key: value for key, value in good.items() if key != "fc.bias"}
    for state, message in (
        (shape, r"state_dict\['fc.bias'\] has shape \(3,\), expected \(2,\)"),
        (good | {"fc.bias": np.zeros(2, complex)}, "dtype complex128"),
        (missing, r"misses 'fc\.bias'$"),
        (good | {"fc.gain": good["fc.bias"]}, r"has unexpected 'fc\.gain'$"),
        ({}, r"misses 'layer1\.0\.conv1\.weight', .* and 1 more$"),
    ):
        with pytest.raises(ValueError, match=message):
            net.load_state_dict(state)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])

    found = net.load_state_dict(missing | {"x": good["fc.bias"]}, strict=False)
    assert found == (["fc.bias"], ["x"])
    assert found.missing == ["fc.bias"]
    np.testing.assert_array_equal(net.params["fc.weight"], good["fc.weight"])
    with pytest.raises(ValueError, match="has shape"):
        net.load_state_dict(shape, strict=False)


def test_counts_of_batches_may_be_missing() -> None:
    net = small_net()
    key = "layer1.0.bn1.num_batches_tracked"
    state = {name: value for name, value in net.state_dict().items() if name != key}
    assert net.load_state_dict(state) == ([], [])
    assert net.buffers[key] == 0


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files(suffix: str, tmp_path: pathlib.Path) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    net, other = small_net(), small_net(1)
    path = tmp_path / f"net{suffix}"
    path.write_text("an older file")
    net.save(path)
    assert other.load(path) == ([], [])
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[key], value)
        assert other.state_dict()[key].dtype == value.dtype
    assert list(tmp_path.iterdir()) == [path]

    odd = {"file": np.arange(6.0).reshape(2, 3).T, "0": np.array(3), "empty": np.zeros((0, 2))}
    write(path, odd)
    again = read(str(path))
    assert set(again) == set(odd)
    for key, value in odd.items():
        np.testing.assert_array_equal(again[key], value)


def test_a_failed_write_leaves_the_old_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "net.npz"
    write(path, {"a": np.ones(2)})
    with pytest.raises(ValueError, match="allow_pickle"):
        write(path, {"a": np.array([object()])})
    assert read(path)["a"].tolist() == [1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_other_formats_and_missing_packages_are_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"net\.pth'.*\.npz or \.safetensors"):
        small_net().save(tmp_path / "net.pth")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'npconv\[safetensors\]'"):
        small_net().save(tmp_path / "net.safetensors")
