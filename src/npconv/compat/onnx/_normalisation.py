"""BatchNormalization and LRN."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from npconv import functional
from npconv.checks import Array
from npconv.compat.onnx._numbers import as_given, computable


class BatchNormalization(OpRun):
    """Each channel with mean 0 and variance 1, scaled and shifted."""

    def _run(
        self,
        X: Array,
        scale: Array,
        B: Array,
        input_mean: Array,
        input_var: Array,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        training_mode: int = 0,
        **_: Any,  # of opsets before 9: spatial, consumed_inputs, is_test
    ) -> tuple[Array, ...]:
        x, factor, offset = computable(X), computable(scale), computable(B)
        if not training_mode:
            running = computable(input_mean), computable(input_var)
            y = functional.batch_norm(x, factor, offset, *running, eps=epsilon)
            return (y.astype(X.dtype, copy=False),)
        count = x.size // x.shape[1]
        mean, var = np.zeros((2, x.shape[1]), np.float64)
        if count > 1:
            y = functional.batch_norm(
                x, factor, offset, mean, var, training=True, momentum=1.0, eps=epsilon
            )
            var *= (count - 1) / count  # ONNX's is the batch's own, not an estimate
        else:
            mean[:] = x.ravel()
            y = functional.batch_norm(x, factor, offset, mean, var, eps=epsilon)
        moved = [
            (old * momentum + new * (1 - momentum)).astype(old.dtype, copy=False)
            for old, new in ((input_mean, mean), (input_var, var))
        ]
        return (y.astype(X.dtype, copy=False), *moved)


class LRN(OpRun):
    """Each value, divided by a power of the squares around it in the channels."""

    def _run(
        self,
        x: Array,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        bias: float = 1.0,
    ) -> tuple[Array]:
        def normalised(x: Array) -> Array:
            # Of an even size ONNX has more channels after, npconv before.
            if size % 2:
                return functional.local_response_norm(x, size, alpha, beta, bias)
            turned = functional.local_response_norm(x[:, ::-1], size, alpha, beta, bias)
            return turned[:, ::-1]

        return (as_given(x, normalised),)
