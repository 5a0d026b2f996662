"""``python -m npconv``: see ``python -m npconv --help``."""

from __future__ import annotations

import argparse
import sys

import npconv
from npconv._extras import MissingExtraError
from npconv.commands import attack, bench, evaluate, show, summary, train
from npconv.demo import options as demo


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code: 0, or 2 where something was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m npconv",
        description="Convolution for NumPy arrays: networks trained, measured and looked into.",
        epilog="COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=npconv.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (demo, train, evaluate, summary, show, attack, bench):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("npconv: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, MemoryError, MissingExtraError) as error:
        print(f"npconv: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
