"""Progress of long work: a moving line on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS: Final = 10.0


@contextmanager
def counting(what: str, *, seconds: float = _SECONDS) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many of `what` are done; it writes on standard error.

    Parameters
    ----------
    what
        In the plural.
    seconds
        Between two lines, where standard error is no terminal.

    """
    started = time.monotonic()
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(f"0 {what}") as line:
            yield lambda count: line.update(_said(count, what, started))
        return
    told = started

    def tell(count: int) -> None:
        nonlocal told
        if time.monotonic() - told >= seconds:
            told = time.monotonic()
            sys.stderr.write(_said(count, what, started) + "\n")

    yield tell


def _said(count: int, what: str, started: float) -> str:
    return f"{count:,} {what}, {count / max(time.monotonic() - started, 1e-9):,.0f} a second"
