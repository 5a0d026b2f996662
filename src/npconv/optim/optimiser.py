"""The base class of optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from npconv.arguments.elementwise import number
from npconv.checks import Array
from npconv.runtime import native, options


class Optimiser:
    """A rule that moves parameters against their gradients, each in one pass over memory.

    Parameters
    ----------
    learning_rate : float
        Size of a step. May be changed between updates; see :mod:`npconv.optim.schedules`.
    weight_decay : float
        What share of a parameter is added to its gradient, so that unused weights shrink.

    Attributes
    ----------
    learning_rate, weight_decay : float
        As above.
    rates : dict of str to float
        Factors of the learning rate for single parameters, by name; empty at first. Their weight
        decay is divided by it, so that they shrink like the others; with 0 they stay as they are.
    steps : int
        How many updates have been made.
    """

    # The rule's name in the C core, and those of the arrays that it keeps for each parameter.
    _rule: ClassVar[str]
    _slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: float, weight_decay: float = 0.0) -> None:
        self.learning_rate = number(learning_rate, "learning_rate", 0)
        self.weight_decay = number(weight_decay, "weight_decay", 0)
        self.rates: dict[str, float] = {}
        self.steps = 0
        self._state: dict[str, tuple[Array, ...]] = {}

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
            if param.dtype.char not in "fd":
                raise TypeError(f"parameter {name!r} is {param.dtype}, expected float32 or float64")
        self.steps += 1
        settings, how = self._settings(), options()
        for name, param in params.items():
            its = settings
            if name in self.rates:
                factor = number(self.rates[name], f"rates[{name!r}]", 0)
                if not factor:
                    continue
                its = (factor * settings[0], settings[1], settings[2] / factor, *settings[3:])
            native.update(self._rule, its, param, grads[name], self._kept(name, param), how)

    def _kept(self, name: str, param: Array) -> tuple[Array, ...]:
        """Return the state of a parameter, zero at first."""
        if not self._slots:
            return ()
        if name not in self._state:
            self._state[name] = tuple([np.zeros_like(param) for _ in self._slots])
        return self._state[name]

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        """Return rate, shrink, decay, beta1, beta2 and epsilon of this step."""
        return self.learning_rate, 1.0, self.weight_decay, 0.0, 0.0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next update depends on besides the parameters, as copies.

        ``learning_rate`` and ``steps`` are numbers; ``"<slot>.<parameter>"``, such as
        ``"m.fc.weight"``, are arrays.
        """
        state: dict[str, Any] = {"learning_rate": self.learning_rate, "steps": self.steps}
        for name, arrays in self._state.items():
            for slot, values in zip(self._slots, arrays, strict=True):
                state[f"{slot}.{name}"] = values.copy()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; updates go on to the same bits."""
        found: dict[str, dict[str, Array]] = {}
        for key in state:
            slot, dot, name = key.partition(".")
            if dot and slot in self._slots:
                found.setdefault(name, {})[slot] = np.array(state[key])
            elif key not in ("learning_rate", "steps"):
                raise ValueError(f"state has {key!r}, which {type(self).__name__} does not keep")
        for key in ("learning_rate", "steps"):
            if key not in state:
                raise ValueError(f"state has no {key!r}")
        for name, arrays in found.items():
            for slot in self._slots:
                if slot not in arrays:
                    raise ValueError(f"state has no {f'{slot}.{name}'!r}")
        self.learning_rate, self.steps = float(state["learning_rate"]), int(state["steps"])
        self._state = {
            name: tuple([arrays[slot] for slot in self._slots]) for name, arrays in found.items()
        }
