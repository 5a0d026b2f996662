"""What is public: names, signatures, documentation, and what importing it costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import pathlib
import re
import subprocess
import sys

import pytest

import npconv
from npconv import _native, functional, reference

ELEMENTWISE = "*, isa=None, num_threads=None, out=None)"
SETTINGS = "stride=1, padding=0, dilation=1, groups=1, *, "
TRANSPOSED = "stride=1, padding=0, output_padding=0, groups=1, dilation=1, *, "
HOW = "precision='standard', algorithm='auto', isa=None, num_threads=None"


def convolutions(name, settings, layout):
    """A family's four functions."""
    where = f"padding_mode='constant', layout={layout!r}, "
    return {
        name: (
            f"(x, weight, bias=None, {settings}{where}activation=None, add=None, {HOW}, out=None)"
        ),
        f"{name}_input_grad": f"(grad, weight, input_shape, {settings}{where}{HOW})",
        f"{name}_weight_grad": f"(grad, x, weight_shape, {settings}{where}{HOW})",
        f"{name}_backward": (
            f"(grad, x, weight, {settings}needs=(True, True, True), {where}{HOW})"
        ),
    }


FILTER = (
    "(x, kernel, mode='full', boundary='fill', fillvalue=0, *, method='auto', "
    "precision='standard', isa=None, num_threads=None)"
)
FILTER_BACKWARD = (
    "(grad, x, kernel, mode='full', boundary='fill', fillvalue=0, *, needs=(True, True), "
    "precision='standard', isa=None, num_threads=None)"
)
OPERATIONS = {
    **convolutions("conv1d", SETTINGS, "NCW"),
    **convolutions("conv2d", SETTINGS, "NCHW"),
    **convolutions("conv3d", SETTINGS, "NCDHW"),
    **convolutions("conv_transpose1d", TRANSPOSED, "NCW"),
    **convolutions("conv_transpose2d", TRANSPOSED, "NCHW"),
    **convolutions("conv_transpose3d", TRANSPOSED, "NCDHW"),
    "convolve2d": FILTER,
    "convolve2d_backward": FILTER_BACKWARD,
    "correlate2d": FILTER,
    "correlate2d_backward": FILTER_BACKWARD,
    "separable_conv2d": (
        "(x, depthwise, pointwise, bias=None, stride=1, padding=0, dilation=1, *, "
        "padding_mode='constant', activation=None, add=None, precision='standard', isa=None, "
        "num_threads=None)"
    ),
    "separable_conv2d_backward": (
        "(grad, x, depthwise, pointwise, stride=1, padding=0, dilation=1, *, "
        "needs=(True, True, True, True), padding_mode='constant', precision='standard', isa=None, "
        "num_threads=None)"
    ),
    "unfold": ("(x, kernel_size, dilation=1, padding=0, stride=1, *, isa=None, num_threads=None)"),
    "fold": (
        "(cols, output_size, kernel_size, dilation=1, padding=0, stride=1, *, isa=None, "
        "num_threads=None)"
    ),
    "pad": "(x, pad_width, mode='constant', constant_values=0, *, num_threads=None)",
    "pad_backward": "(grad, pad_width, mode='constant', *, num_threads=None)",
    "im2col": (
        "(x, kernel_size, stride=1, padding=0, dilation=1, *, order='NCP', layout='NCHW', "
        "isa=None, num_threads=None)"
    ),
    "col2im": (
        "(cols, input_shape, kernel_size, stride=1, padding=0, dilation=1, *, order='NCP', "
        "layout='NCHW', isa=None, num_threads=None)"
    ),
    "batch_norm": (
        "(x, weight=None, bias=None, running_mean=None, running_var=None, training=False, "
        "momentum=0.1, eps=1e-05, *, return_saved=False, isa=None, num_threads=None)"
    ),
    "batch_norm_backward": (
        "(grad, x, weight, saved, training=True, *, needs=(True, True, True), isa=None, "
        "num_threads=None)"
    ),
    "local_response_norm": (
        "(x, size, alpha=0.0001, beta=0.75, k=1.0, *, isa=None, num_threads=None)"
    ),
    "local_response_norm_backward": (
        "(grad, x, size, alpha=0.0001, beta=0.75, k=1.0, *, isa=None, num_threads=None)"
    ),
    "linear": "(x, weight, bias=None, activation=None, *, isa=None, num_threads=None, out=None)",
    "linear_backward": (
        "(grad, x, weight, *, needs=(True, True, True), isa=None, num_threads=None)"
    ),
    "dropout": "(x, p=0.5, *, rng, isa=None, num_threads=None)",
    "dropout_backward": "(grad, mask, p=0.5, *, isa=None, num_threads=None)",
    "softmax": "(x, axis=1, *, isa=None, num_threads=None)",
    "softmax_backward": "(grad, y, axis=1, *, isa=None, num_threads=None)",
    "log_softmax": "(x, axis=1, *, isa=None, num_threads=None)",
    "log_softmax_backward": "(grad, y, axis=1, *, isa=None, num_threads=None)",
    "add": "(x, y, activation=None, *, isa=None, num_threads=None, out=None)",
    "add_backward": "(grad, y, activation=None, *, isa=None, num_threads=None, out=None)",
    **dict.fromkeys(("relu", "relu6", "sigmoid", "tanh"), f"(x, {ELEMENTWISE}"),
    **{
        f"{name}_backward": f"(grad, y, {ELEMENTWISE}"
        for name in ("relu", "relu6", "sigmoid", "tanh")
    },
    "leaky_relu": f"(x, slope=0.01, {ELEMENTWISE}",
    "leaky_relu_backward": f"(grad, x, slope=0.01, {ELEMENTWISE}",
    "elu": f"(x, alpha=1.0, {ELEMENTWISE}",
    "elu_backward": f"(grad, y, alpha=1.0, {ELEMENTWISE}",
}


def _poolings(ndim, layout):
    """The poolings of one number of dimensions."""
    run = f"layout={layout!r}, isa=None, num_threads=None"
    windows = "kernel_size, stride=None, padding=0"
    average = (
        f"{windows}, ceil_mode=False, count_include_pad=True, divisor_override=None, *, "
        f"dilation=1, padding_mode='constant', {run}"
    )
    picked = f"{windows}, dilation=1, ceil_mode=False"
    padding = "padding_value=None, padding_mode='constant'"
    norm = f"norm_type, kernel_size, stride=None, ceil_mode=False, *, padding=0, dilation=1, {run}"
    found = {
        "avg_pool#": f"(x, {average}, out=None)",
        "avg_pool#_backward": f"(grad, input_shape, {average})",
        "adaptive_avg_pool#": f"(x, output_size, *, {run}, out=None)",
        "adaptive_avg_pool#_backward": f"(grad, input_shape, *, {run})",
        "adaptive_max_pool#": f"(x, output_size, return_indices=False, *, {run}, out=None)",
        "adaptive_max_pool#_backward": f"(grad, indices, input_shape, *, {run})",
        "lp_pool#": f"(x, {norm}, out=None)",
        "lp_pool#_backward": f"(grad, x, {norm})",
        "max_unpool#": f"(x, indices, {windows}, output_size=None, *, {run})",
        "max_unpool#_backward": f"(grad, indices, {windows}, *, {run})",
    }
    for name in ("max_pool#", "min_pool#"):
        found[name] = (
            f"(x, {picked}, return_indices=False, *, {padding}, indices='flat', "
            f"index_dtype='int64', {run}, out=None)"
        )
        found[f"{name}_backward"] = (
            f"(grad, indices, input_shape, {picked}, *, {padding}, index_kind='flat', {run})"
        )
    if ndim > 1:
        found["fractional_max_pool#"] = (
            "(x, kernel_size, output_size=None, output_ratio=None, return_indices=False, *, "
            f"rng=None, random_samples=None, {run}, out=None)"
        )
        found["fractional_max_pool#_backward"] = f"(grad, indices, input_shape, *, {run})"
    return {name.replace("#", f"{ndim}d"): text for name, text in found.items()}


for _ndim, _layout in ((1, "NCW"), (2, "NCHW"), (3, "NCDHW")):
    OPERATIONS |= _poolings(_ndim, _layout)
OPERATIONS |= {
    "global_avg_pool": "(x, *, channels_last=False, isa=None, num_threads=None, out=None)",
    "global_avg_pool_backward": (
        "(grad, input_shape, *, channels_last=False, isa=None, num_threads=None)"
    ),
    "global_max_pool": (
        "(x, return_indices=False, *, channels_last=False, isa=None, num_threads=None, out=None)"
    ),
    "global_max_pool_backward": (
        "(grad, indices, input_shape, *, channels_last=False, isa=None, num_threads=None)"
    ),
}
RUNTIME = {
    "set_num_threads": "(n)",
    "get_num_threads": "()",
    "threads": "(n)",
    "cpu_info": "()",
    "show_config": "(mode='print')",
    "last_plan": "()",
    "explain": "(operation, *args, **kwargs)",
}
PREPARE = (
    "(weight, *, x_shape, stride=1, padding=0, dilation=1, groups=1, padding_mode='constant', "
    "dtype=None, precision='standard', algorithm='auto', isa=None, layout=None)"
)
SUBMODULES = ["layers", "models", "optim", "reference"]


def bare_signature(function):
    """The signature's text without annotations."""
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


@pytest.mark.parametrize(
    ("name", "expected"), (OPERATIONS | RUNTIME | {"prepare": PREPARE}).items()
)
def test_signatures(name, expected):
    assert bare_signature(getattr(npconv, name)) == expected


@pytest.mark.parametrize("name", OPERATIONS)
def test_reference_has_the_same_signature(name):
    assert bare_signature(getattr(reference, name)) == OPERATIONS[name]


def test_all_is_what_is_listed_here():
    assert npconv.__all__ == sorted(
        [*OPERATIONS, *RUNTIME, *SUBMODULES, "PreparedWeight", "prepare"]
    )
    assert functional.__all__ == sorted(OPERATIONS)
    assert set(OPERATIONS) <= set(reference.__all__)
    for name in npconv.__all__:
        assert getattr(npconv, name) is not None


def test_nothing_else_is_public():
    modules = {"arguments", "border", "checks", "functional", "geometry", "layouts"}
    modules |= {"folding", "number_types", "prepared", "runtime", "separable", "signals"}
    public = {name for name in vars(npconv) if not name.startswith("_")} - modules
    # Parts that other tests have imported; and what `from typing import` leaves behind.
    public -= {
        "commands",
        "compat",
        "data",
        "demo",
        "inference",
        "insight",
        "training",
        "viz",
        "Any",
        "TYPE_CHECKING",
        *SUBMODULES,
    }
    assert public == set(npconv.__all__) - set(SUBMODULES)


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="module 'npconv' has no attribute 'conv9d'"):
        npconv.conv9d  # noqa: B018


def test_version_is_that_of_the_build():
    assert npconv.__version__ == _native.build_info()["version"]


# --- documentation -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_open_with_their_shapes(name):
    text = inspect.getdoc(getattr(npconv, name))
    blocks = text.split("\n\n")
    assert blocks[1] == "::"
    assert re.search(r"\(.*\) *\n? *-> \(", blocks[2])


@pytest.mark.parametrize("name", [name for name in OPERATIONS if re.match(r"conv\dd", name)])
def test_convolutions_say_that_they_are_cross_correlations(name):
    assert "cross-correlation" in inspect.getdoc(getattr(npconv, name))


@pytest.mark.parametrize("name", [*OPERATIONS, "prepare"])
def test_docstrings_have_every_section_and_parameter(name):
    function = getattr(npconv, name)
    text = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text
    listed = text.split("\nParameters\n")[1].split("\nReturns\n")[0]
    heads = re.findall(r"^(?! )([\w, ]+?)(?: :.*)?$", listed, re.MULTILINE)
    documented = [word for head in heads for word in head.split(", ")]
    assert documented == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", RUNTIME)
def test_runtime_docstrings(name):
    text = inspect.getdoc(getattr(npconv, name))
    assert "\nExamples\n--------\n" in text
    if inspect.signature(getattr(npconv, name)).parameters:
        assert "\nRaises\n------\n" in text
        assert "\nParameters\n----------\n" in text


@pytest.mark.parametrize("name", [*OPERATIONS, *RUNTIME, "prepare"])
def test_examples_in_docstrings_run(name):
    function = getattr(npconv, name)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(function, name, globs={})
    assert example.examples
    results = doctest.DocTestRunner(verbose=False).run(example)
    assert results.failed == 0


def test_stub_lists_what_the_extension_has():
    stub = pathlib.Path(npconv.__file__).with_name("_native.pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    listed = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    present = {
        name
        for name, value in vars(_native).items()
        if callable(value) and not name.startswith("_") and not isinstance(value, type)
    }
    assert listed == present
    assert stub.with_name("py.typed").exists()


# --- importing ---------------------------------------------------------------------------------


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_importing_is_light():
    code, out, err = run(
        "import json, sys, numpy; before = set(sys.modules); import npconv;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert code == 0, err
    loaded = json.loads(out)
    assert "npconv.functional.convolution" in loaded
    heavy = {"matplotlib", "tqdm", "sklearn", "scipy", "torch", "npconv.layers", "npconv.demo"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("name", SUBMODULES)
def test_parts_are_attributes_without_an_import_of_their_own(name):
    code, out, err = run(f"import npconv; print(npconv.{name}.__name__)")
    assert (code, out) == (0, f"npconv.{name}\n"), err
    assert importlib.import_module(f"npconv.{name}") is getattr(npconv, name)


def test_star_import():
    code, out, err = run("from npconv import *; print(conv2d.__name__, layers.__name__)")
    assert (code, out) == (0, "conv2d npconv.layers\n"), err


def test_import_without_the_extension_says_how_to_get_it():
    code, _, err = run("import sys; sys.modules['npconv._native'] = None; import npconv")
    assert code == 1
    message = err.strip().splitlines()[-1]
    assert message.startswith("ImportError: npconv's compiled part, npconv._native, cannot be")
    assert "pip install ." in message
