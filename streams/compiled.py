"""Machine code before it is needed, and a word on it where that takes its time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from driftline.models.kernels.compiled import PLACE
from driftline.models.warm import compile_kernels, is_compiled

if TYPE_CHECKING:
    from collections.abc import Callable

_logger: Final = logging.getLogger(__name__)

COMPILING: Final = "compiling for this machine, once: a minute or two"


def compiled(say: Callable[[str], None] = _logger.info) -> float:
    """Compile what events pass, or load it if that was done before; return the seconds that it took.

    Parameters
    ----------
    say
        Is given a line before it takes a minute, a line after, and a line where machine code had to be copied.

    """
    started = time.monotonic()
    if PLACE is not None and PLACE.origin is not None:
        say(f"{PLACE.origin} cannot be written to: its machine code was copied to {PLACE.folder}")
    if is_compiled():
        compile_kernels()
        return time.monotonic() - started
    say(COMPILING)
    compile_kernels()
    took = time.monotonic() - started
    if PLACE is None:
        say(f"compiled in {took:.0f} s, and so does the next start: set NUMBA_CACHE_DIR to a folder of this user's own")
    else:
        say(f"compiled in {took:.0f} s; the next start takes it from {PLACE.folder}")
    return took


def compile_once(say: Callable[[str], None]) -> None:
    """Compile what events pass, unless that was done before: for what may load it bit by bit."""
    if not is_compiled():
        compiled(say)
