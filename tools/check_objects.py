#!/usr/bin/env python3
"""Check that code for one instruction set stays in that instruction set's object files.

    tools/check_objects.py BUILD_DIR

npconv runs on any x86-64-v2 processor because only the kernels of AVX2 and AVX-512 contain such
code, and those are called only where the processor has it. Two slips would break that unnoticed on
every newer machine: baseline code compiled with wider flags, and a helper that a kernel file
exports, whose AVX copy the linker may then take for all. So, for the object files of a build:

- those of the baseline, the plain kernels and the border hold no VEX or EVEX encoded instruction;
- those of the other kernels do hold some (else this check would see nothing), and export only
  names that end in their instruction set: `__avx2`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BASELINE = ("npc_baseline", "npc_kernels_plain_f32", "npc_kernels_plain_f64", "_native")

# Prefixes that may stand before a VEX prefix: segment overrides and the address size.
PREFIXES = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67}
# In 64-bit code, these first bytes mean two- and three-byte VEX, and EVEX, and nothing else.
VEX = {0xC4, 0xC5, 0x62}
# Not VEX encoded, and not in x86-64-v2 either. (tzcnt runs as bsf on processors without it, so
# compilers use it freely.)
OTHER = {"lzcnt", "movbe"}

INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t((?:[0-9a-f]{2} )+)\s*\t(.*)$")


def is_beyond_baseline(code: bytes, text: str) -> bool:
    """Tell whether one instruction needs more than x86-64-v2."""
    first = next((byte for byte in code if byte not in PREFIXES), None)
    return first in VEX or text.split(maxsplit=1)[0] in OTHER


def beyond_baseline(object_file: Path) -> list[str]:
    """Return the instructions of an object file that need more than x86-64-v2."""
    found = []
    for line in output_of("objdump", "-d", "--insn-width=16", str(object_file)).splitlines():
        if match := INSTRUCTION.match(line):
            code, text = bytes.fromhex(match[1]), match[2].strip()
            if text and is_beyond_baseline(code, text):
                found.append(text)
    return found


def exported(object_file: Path) -> list[str]:
    """Return the names that an object file defines for others."""
    lines = output_of("nm", "--extern-only", "--defined-only", str(object_file)).splitlines()
    return [line.split()[-1] for line in lines]


def output_of(*command: str) -> str:
    """Return what a command prints; an error if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check(build: Path) -> list[str]:
    """Return what is wrong with the object files of a build, one sentence each."""
    wrong = []
    by_target: dict[str, list[Path]] = {}
    for path in sorted(build.rglob("CMakeFiles/*.dir/**/*.o")):
        target = next(part for part in path.parts if part.endswith(".dir")).removesuffix(".dir")
        by_target.setdefault(target, []).append(path)

    for target in BASELINE:
        if target not in by_target:
            wrong.append(f"{build} holds no object file of {target}")
        for path in by_target.get(target, []):
            if found := beyond_baseline(path):
                wrong.append(f"{path.name} of {target}: {len(found)} such as `{found[0]}`")

    for target, paths in by_target.items():
        if target in BASELINE or not target.startswith("npc_kernels_"):
            continue
        suffix = "__" + target.removeprefix("npc_kernels_").partition("_")[0]
        if not any(beyond_baseline(path) for path in paths):
            wrong.append(f"{target} holds nothing beyond the baseline")
        for path in paths:
            wrong += [
                f"{path.name} of {target} exports {name}, not ending in {suffix}"
                for name in exported(path)
                if not name.endswith(suffix)
            ]
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if faults := check(Path(sys.argv[1])):
        sys.exit("\n".join(faults))
    print("the baseline's object files hold no AVX code, and the others export none of theirs")
