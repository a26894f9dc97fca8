"""Parts of a benchmark on its command line: some of them, or all."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Sequence


def add_parts(parser: ArgumentParser, parts: Sequence[str]) -> None:
    """Let the command line name parts, as `part`: a list that is empty for all of them.

    With `choices` argparse takes none at all for a wrong one, up to Python 3.12.
    """
    named = f"what to measure: {', '.join(parts)} (default: all)"
    parser.add_argument("part", type=_one_of(parts), nargs="*", metavar="PART", help=named)


def _one_of(parts: Sequence[str]) -> Callable[[str], str]:
    def part(name: str) -> str:
        if name not in parts:
            raise ArgumentTypeError(f"there is no {name!r}: choose from {', '.join(parts)}")
        return name

    return part
