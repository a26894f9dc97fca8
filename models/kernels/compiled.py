"""How kernels are compiled: once for a machine, and so that they add up as Python does."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import numba
import numpy as np
from numba import config, njit

from driftline.models.machine_code import find_place, roots

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


def _digest() -> str:
    """Return what machine code depends on: the text of all kernels, and what compiles them.

    Numba looks at the age and size of the file that a kernel stands in, and not of those that it calls; and after an
    upgrade of a package both may be what they were.
    """
    digest = blake2b(f"{numba.__version__} {np.__version__}".encode(), digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


PLACE: Final = find_place(f"kernels-{_digest()}", roots(getattr(config, "CACHE_DIR", ""), Path(__file__).parent))
"""Where machine code is kept from one process to the next; None where each has to compile for itself."""

if PLACE is not None:
    config.CACHE_DIR = str(PLACE.folder)  # type: ignore[attr-defined]  # Numba makes it from the environment


def kernel(function: F) -> F:
    """Compile a function at its first call, and keep the machine code for the next process.

    Arguments are given by position: a keyword or a default costs 100 us a call. Floats are added in the order that is
    written, never regrouped ("fastmath"), so that a result is the same on every path that leads to it. As in numpy, a
    division by zero is no error but infinite.
    """
    return cast("F", njit(cache=PLACE is not None, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Compile a function as `kernel` does, and as part of each kernel that calls it.

    An array is handed over as seven numbers, and a tuple of them one by one: to call a function with all records of a
    partition takes 40 ns, and more than what many of them do. It makes compiling slower, so it is for what every row
    passes and is called from one or two places.
    """
    return cast("F", njit(cache=PLACE is not None, error_model="numpy", inline="always")(function))
