"""tools/check_objects.py finds AVX code where it does not belong, and only there."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "check_objects.py"

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or not all(map(shutil.which, ("gcc", "objdump", "nm"))),
    reason="needs an x86-64 machine with gcc and binutils",
)

AXPY = """
#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
void PASTE(axpy__, NPC_ISA)(float *y, const float *x, int n)
{
    for (int i = 0; i < n; i++) y[i] += 2 * x[i];
}
"""
GOOD_BUILD = {
    "npc_baseline": ("plain", "-march=x86-64-v2"),
    "_native": ("plain", "-march=x86-64-v2"),
    "npc_kernels_plain_f32": ("plain", "-march=x86-64-v2"),
    "npc_kernels_plain_f64": ("plain", "-march=x86-64-v2"),
    "npc_kernels_avx2_f32": ("avx2", "-mavx2"),
    "npc_kernels_avx512_f32": ("avx512", "-mavx512f"),
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_objects", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(folder: Path, targets: dict[str, tuple[str, str]]) -> Path:
    """Compile one object file for each target, laid out as CMake does."""
    for target, (isa, flag) in targets.items():
        objects = folder / "CMakeFiles" / f"{target}.dir"
        objects.mkdir(parents=True)
        command = ["gcc", "-O3", flag, f"-DNPC_ISA={isa}", "-xc", "-c", "-", "-o", "code.c.o"]
        subprocess.run(command, cwd=objects, input=AXPY, text=True, check=True)
    return folder


def test_good_build_passes(tool: ModuleType, tmp_path: Path) -> None:
    assert tool.check(build(tmp_path, GOOD_BUILD)) == []


@pytest.mark.parametrize("target", ["npc_baseline", "_native", "npc_kernels_plain_f64"])
@pytest.mark.parametrize("flag", ["-mavx", "-mavx2", "-mavx512f"])
def test_baseline_compiled_for_avx_is_found(
    tool: ModuleType, tmp_path: Path, target: str, flag: str
) -> None:
    wrong = tool.check(build(tmp_path, GOOD_BUILD | {target: ("plain", flag)}))
    assert len(wrong) == 1
    assert f"code.c.o of {target}: " in wrong[0]


def test_exported_helper_of_a_vector_kernel_is_found(tool: ModuleType, tmp_path: Path) -> None:
    wrong = tool.check(build(tmp_path, GOOD_BUILD | {"npc_kernels_avx2_f32": ("helper", "-mavx2")}))
    assert wrong == ["code.c.o of npc_kernels_avx2_f32 exports axpy__helper, not ending in __avx2"]


def test_vector_kernels_without_vector_code_are_found(tool: ModuleType, tmp_path: Path) -> None:
    wrong = tool.check(build(tmp_path, GOOD_BUILD | {"npc_kernels_avx2_f32": ("avx2", "-msse2")}))
    assert wrong == ["npc_kernels_avx2_f32 holds nothing beyond the baseline"]


def test_empty_build_is_found(tool: ModuleType, tmp_path: Path) -> None:
    assert len(tool.check(tmp_path)) == 4


@pytest.mark.parametrize(
    ("code", "text", "beyond"),
    [
        ("c5 fc 58 c1", "vaddps %ymm1,%ymm0,%ymm0", True),
        ("64 c5 f8 10 00", "vmovups %fs:(%rax),%xmm0", True),
        ("62 f1 7c 48 58 c1", "vaddps %zmm1,%zmm0,%zmm0", True),
        ("c4 e2 f8 f3 c8", "blsr %rax,%rax", True),
        ("f3 0f bd c0", "lzcnt %eax,%eax", True),
        ("f3 0f b8 c0", "popcnt %eax,%eax", False),
        ("0f 58 c1", "addps %xmm1,%xmm0", False),
        ("0f 01 d0", "xgetbv", False),
        ("0f 00 e8", "verw %ax", False),
    ],
)
def test_instructions_are_told_apart(tool: ModuleType, code: str, text: str, beyond: bool) -> None:
    assert tool.is_beyond_baseline(bytes.fromhex(code), text) is beyond
