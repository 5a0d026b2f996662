"""Networks, ready to train; and what they take to run.

Constructors that bear torchvision's names follow torchvision's definitions and take its weights;
names with a year are those of the papers.
"""

from npconv.inference import Summary, summary
from npconv.models.alexnet import alexnet, alexnet_2012
from npconv.models.auxiliary_heads import AuxiliaryCrossEntropy, AuxiliaryHeads, Logits
from npconv.models.cifar_convnet import cifar_convnet
from npconv.models.deep_convnet import deep_convnet
from npconv.models.densenet import densenet, densenet121
from npconv.models.googlenet import googlenet, googlenet_2014
from npconv.models.lenet5 import lenet5, lenet5_1998
from npconv.models.mobilenet_v1 import mobilenet_v1
from npconv.models.mobilenet_v2 import mobilenet_v2
from npconv.models.pattern import pattern
from npconv.models.preact_resnet import preact_resnet, preact_resnet18, preact_resnet50
from npconv.models.resnet import (
    resnet,
    resnet18,
    resnet34,
    resnet50,
    resnet50_v1,
    resnet101,
    resnet152,
)
from npconv.models.resnet9 import resnet9
from npconv.models.simple_convnet import simple_convnet
from npconv.models.sizes import count_parameters, output_size
from npconv.models.vgg import (
    vgg,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from npconv.models.whitened_convnet import whitened_convnet
from npconv.models.zfnet import zfnet

__all__ = [
    "AuxiliaryCrossEntropy",
    "AuxiliaryHeads",
    "Logits",
    "Summary",
    "alexnet",
    "alexnet_2012",
    "cifar_convnet",
    "count_parameters",
    "deep_convnet",
    "densenet",
    "densenet121",
    "googlenet",
    "googlenet_2014",
    "lenet5",
    "lenet5_1998",
    "mobilenet_v1",
    "mobilenet_v2",
    "output_size",
    "pattern",
    "preact_resnet",
    "preact_resnet18",
    "preact_resnet50",
    "resnet",
    "resnet9",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet50_v1",
    "resnet101",
    "resnet152",
    "simple_convnet",
    "summary",
    "vgg",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "whitened_convnet",
    "zfnet",
]
