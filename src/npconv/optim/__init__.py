"""Optimisers: ``update(params, grads)`` changes every parameter array in place.

>>> import numpy as np
>>> from npconv.optim import SGD
>>> params = {"weight": np.array([1.0, 2.0])}
>>> SGD(learning_rate=0.5).update(params, {"weight": np.array([1.0, -1.0])})
>>> params["weight"]
array([0.5, 2.5])
"""

from npconv.optim import schedules
from npconv.optim.adagrad import AdaGrad
from npconv.optim.adam import Adam
from npconv.optim.adamw import AdamW
from npconv.optim.momentum import Momentum
from npconv.optim.nesterov import Nesterov
from npconv.optim.optimiser import Optimiser
from npconv.optim.rmsprop import RMSprop
from npconv.optim.sgd import SGD

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimiser",
    "RMSprop",
    "schedules",
]
