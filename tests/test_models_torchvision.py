"""The networks that bear torchvision's names, held to torchvision's own, weights and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from npconv import models
from npconv.layers import Container
from npconv.models import AuxiliaryHeads

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")


def _import_torchvision() -> Any:
    """Import it beside a PyTorch without GPU, whose operators it lacks."""
    original = torch.library.register_fake

    def register_fake(op: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return original(op, *args, **kwargs)

    torch.library.register_fake = register_fake
    try:
        return pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    finally:
        torch.library.register_fake = original


torchvision = _import_torchvision()

# Small images, where the network takes them.
SIDES = {"alexnet": 80}
INIT = {"googlenet": {"init_weights": False}}
NAMES = [
    "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "densenet121",
    "mobilenet_v2",
]  # fmt: skip


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    """Make both networks with the same weights and lively statistics."""
    torch.manual_seed(0)
    theirs = getattr(torchvision, name)(**INIT.get(name, {}), **options)
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.num_batches_tracked += 17
    ours = getattr(models, name)(**options)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    assert ours.load_state_dict(state) == ([], [])
    return ours, theirs


def images(name: str, batch: int = 2) -> np.ndarray:
    side = SIDES.get(name, 64)
    return np.random.default_rng(1).standard_normal((batch, 3, side, side), dtype=np.float32)


def close(y: np.ndarray, expected: Any, bound: float = 1e-4) -> None:
    wanted = expected.detach().numpy()
    assert y.shape == wanted.shape
    # Rounding errors only, where the truth is zero: a bias that a batch norm takes away again.
    assert np.abs(y - wanted).max() <= bound * np.abs(wanted).max() + 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision, name)(**INIT.get(name, {}))
    expected = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    state = getattr(models, name)().state_dict()
    assert [(key, value.shape) for key, value in state.items()] == list(expected.items())


@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11_bn", "googlenet", "resnet18", "resnet50", "densenet121", "mobilenet_v2"],
)
def test_logits(name: str) -> None:
    ours, theirs = pair(name)
    x = images(name)
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(x))
    ours.eval()
    close(ours.forward(x), expected)
    close(ours.fuse().forward(x), expected)
    close(ours.prepare(x.shape).forward(x), expected)


def test_logits_of_images_that_are_turned_into_others() -> None:
    ours, theirs = pair("googlenet", transform_input=True, aux_logits=False)
    x = images("googlenet")
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(x))
    close(ours.eval().forward(x), expected)
    close(ours.fuse().forward(x), expected)


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "densenet121", "mobilenet_v2"])
def test_training_step(name: str) -> None:
    """Logits, auxiliary ones too, all gradients and the running statistics."""
    options: dict[str, Any] = {"num_classes": 7}
    if name != "densenet121":
        options |= {} if name == "resnet18" else {"dropout": 0.0}
    if name == "googlenet":
        options["dropout_aux"] = 0.0
    theirs = pair(name, **options)[1]
    theirs.double().train()
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    double: Container = getattr(models, name)(dtype=np.float64, **options)
    double.load_state_dict(state)
    x = np.random.default_rng(2).standard_normal((4, 3, 64, 64))

    expected: Any = theirs(torch.from_numpy(x))
    logits: Any = double.forward(x)
    if name == "googlenet":
        assert isinstance(double, AuxiliaryHeads)
        assert type(logits)._fields == type(expected)._fields
    else:
        logits, expected = (logits,), (expected,)
    grads = [np.random.default_rng(3).standard_normal(part.shape) for part in logits]
    for part, wanted in zip(logits, expected, strict=True):
        close(part, wanted, 1e-9)
    torch.autograd.backward(expected, [torch.from_numpy(grad) for grad in grads])
    double.backward_params(tuple(grads) if len(grads) > 1 else grads[0])
    for key, parameter in theirs.named_parameters():
        close(double.grads[key], parameter.grad, 1e-6)
    for key, buffer in theirs.named_buffers():
        np.testing.assert_allclose(double.buffers[key], buffer.numpy(), rtol=1e-6, atol=1e-9)
