"""npconv's operations for ONNX's reference evaluator.

::

    from onnx.reference import ReferenceEvaluator
    from npconv.compat.onnx import new_ops

    session = ReferenceEvaluator(model, new_ops=new_ops)

Every attribute of every opset of these operators is honoured; where the evaluator's own operators
are wrong, these follow the specification and ONNX Runtime.
"""

from npconv.compat.onnx._convolution import Conv, ConvInteger, ConvTranspose, QLinearConv
from npconv.compat.onnx._moving import Col2Im, Pad
from npconv.compat.onnx._normalisation import LRN, BatchNormalization
from npconv.compat.onnx._pooling import (
    AveragePool,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    MaxUnpool,
)

new_ops = [
    AveragePool,
    BatchNormalization,
    Col2Im,
    Conv,
    ConvInteger,
    ConvTranspose,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    LRN,
    LpPool,
    MaxPool,
    MaxUnpool,
    Pad,
    QLinearConv,
]

__all__ = ["new_ops"]
