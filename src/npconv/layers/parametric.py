"""The base of layers whose gradients are computed by one call."""

from __future__ import annotations

from npconv.checks import Array
from npconv.layers.layer import Layer


class Parametric(Layer):
    """A layer that defines ``_gradients``, from which both kinds of backward pass follow."""

    def backward(self, grad: Array) -> Array:
        dx = self._gradients(grad, input_grad=True)
        assert dx is not None  # was asked for
        return dx

    def backward_params(self, grad: Array) -> None:
        self._gradients(grad, input_grad=False)

    def _gradients(self, grad: Array, input_grad: bool) -> Array | None:
        """Fill ``grads``, and return the input's gradient if it is asked for."""
        raise NotImplementedError(f"{type(self).__name__} does not define _gradients")

    def _keep_gradients(self, **gradients: Array | None) -> None:
        """Take those that there are."""
        self.grads.update((name, made) for name, made in gradients.items() if made is not None)
