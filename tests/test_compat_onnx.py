"""npconv's operators in ONNX's reference evaluator."""

from __future__ import annotations

import os
import re
import warnings
from importlib import import_module
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from onnx.backend.base import Backend, BackendRep  # noqa: E402
from onnx.backend.test import BackendTest, loader  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from npconv.compat.onnx import new_ops  # noqa: E402

EVERYTHING = os.environ.get("NPCONV_HYPOTHESIS_PROFILE") == "deep"
OPERATORS = {operator.__name__ for operator in new_ops}


# --- the package's own cases ---------------------------------------------------------------------


class Representation(BackendRep):
    def __init__(self, model):
        self.session = ReferenceEvaluator(model, new_ops=new_ops)

    def run(self, inputs, **kwargs):
        names = self.session.input_names
        return tuple(self.session.run(None, dict(zip(names, inputs, strict=False))))


class OnNpconv(Backend):
    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        return True

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        return Representation(model)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


def modules_of(package):
    """Names of the package's modules that define cases of our operators.

    The others build thousands of models, which takes longer than all tests here.
    """
    for folder in package.__path__:
        for path in sorted(Path(folder).glob("*.py")):
            defined = set(re.findall(r"^class (\w+)\(Base\)", path.read_text(), re.M))
            if defined & OPERATORS or EVERYTHING:
                yield f"{package.__name__}.{path.stem}"


def import_some(package):
    for name in modules_of(package):
        import_module(name)


def cases():
    """The package's test cases whose model has one of our operators: {name: class}."""
    names = []
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # the package overflows some numbers on purpose
        patch.setattr(loader, "import_recursive", import_some)
        for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
            for case in loader.load_model_tests(kind=kind):
                model = case.model or onnx.load(f"{case.model_dir}/model.onnx")
                if {node.op_type for node in model.graph.node} & OPERATORS:
                    names.append(f"{case.name}_cpu")
        groups = BackendTest(OnNpconv, __name__).test_cases.values()
    return {name: group for group in groups for name in names if hasattr(group, name)}


CASES = cases()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # from operators that are not ours
@pytest.mark.parametrize("name", sorted(CASES))
def test_case_of_the_package(name):
    getattr(CASES[name](name), name)()


def test_every_operator_has_a_case():
    named = {name.split("_")[0].lower() for name in OPERATORS}
    assert len(CASES) > 70
    for operator in named - {"globallppool"}:
        assert any(operator[:9] in name.replace("_", "").lower() for name in CASES), operator
