"""The base class of optimisers."""

from __future__ import annotations

from collections.abc import Mapping

from npconv.checks import Array


class Optimiser:
    """A rule that moves parameters against their gradients.

    Parameters
    ----------
    learning_rate : float
        Size of a step. May be changed between updates.
    """

    def __init__(self, learning_rate: float) -> None:
        if not learning_rate >= 0:
            raise ValueError(f"learning_rate is {learning_rate}, expected at least 0")
        self.learning_rate = learning_rate

    def update(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Move each array of `params` in place by the gradient of the same name.

        To leave some parameters as they are, leave them out of `params`.
        """
        for name, param in params.items():
            if name not in grads:
                raise ValueError(f"grads has no {name!r}; has backward been called?")
            if grads[name].shape != param.shape:
                raise ValueError(
                    f"gradient {name!r} has shape {grads[name].shape}, "
                    f"the parameter has {param.shape}"
                )
        self._begin()
        for name, param in params.items():
            self._step(name, param, grads[name])

    def _begin(self) -> None:
        """Do what is done once an update, before the first parameter."""

    def _step(self, name: str, param: Array, grad: Array) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _step")
