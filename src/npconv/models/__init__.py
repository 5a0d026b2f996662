"""Networks, ready to train; and what they take to run."""

from npconv.inference import Summary, summary
from npconv.models.auxiliary_heads import AuxiliaryCrossEntropy, AuxiliaryHeads, Logits
from npconv.models.cifar_convnet import cifar_convnet
from npconv.models.deep_convnet import deep_convnet
from npconv.models.pattern import pattern
from npconv.models.simple_convnet import simple_convnet
from npconv.models.sizes import count_parameters, output_size
from npconv.models.zfnet import zfnet

__all__ = [
    "AuxiliaryCrossEntropy",
    "AuxiliaryHeads",
    "Logits",
    "Summary",
    "cifar_convnet",
    "count_parameters",
    "deep_convnet",
    "output_size",
    "pattern",
    "simple_convnet",
    "summary",
    "zfnet",
]
