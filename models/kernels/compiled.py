"""How kernels are compiled: once for a machine, and so that they add up as Python does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


def kernel(function: F) -> F:
    """Compile a function at its first call, and keep the machine code for the next process.

    Arguments are given by position: a keyword or a default costs 100 us a call. Floats are added in the order that is
    written, never regrouped ("fastmath"), so that a result is the same on every path that leads to it. As in numpy, a
    division by zero is no error but infinite.
    """
    return cast("F", njit(cache=True, error_model="numpy")(function))
