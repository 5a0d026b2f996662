"""AdamW (Loshchilov and Hutter 2019)."""

from __future__ import annotations

from npconv.optim.adam import Adam


class AdamW(Adam):
    """Adam with weights that shrink apart from the gradient's step.

    ::

        p *= 1 - learning_rate * weight_decay
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        p -= learning_rate / (1 - beta1**t) * m / (sqrt(v / (1 - beta2**t)) + epsilon)

    As in the paper and in PyTorch, epsilon joins the corrected root, other than in :class:`Adam`.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, weight_decay=weight_decay)

    def _settings(self) -> tuple[float, float, float, float, float, float]:
        rate, _, _, beta1, beta2, epsilon = super()._settings()
        shrink = 1 - self.learning_rate * self.weight_decay
        # Both parts of the quotient are multiplied by the correction's root.
        return rate, shrink, 0.0, beta1, beta2, epsilon * self._root()
