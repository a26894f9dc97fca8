"""Machine code before it is needed, and a word on it where that takes its time."""

from __future__ import annotations

import logging
import time
from typing import Final

from driftline.models.kernels.compiled import FOLDER
from driftline.models.warm import compile_kernels

_logger: Final = logging.getLogger(__name__)
_LONG: Final = 10.0  # seconds: loading takes two, compiling a minute


def compiled() -> float:
    """Compile what events pass, or load it if that was done before; return the seconds that it took."""
    started = time.monotonic()
    if not (FOLDER is not None and any(FOLDER.iterdir())):
        _logger.info("compiling for this machine, once: about a minute")
    compile_kernels()
    took = time.monotonic() - started
    if FOLDER is None:
        _logger.warning(
            "compiled in %.0f s, and so does the next start: set NUMBA_CACHE_DIR to a folder that can be written to",
            took,
        )
    elif took > _LONG:
        _logger.info("compiled in %.0f s; the next start takes it from %s", took, FOLDER)
    return took
