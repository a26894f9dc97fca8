"""Work in the event loop, cut into turns so short that nobody waits long for the loop."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

LONG: Final = 0.01
"""Seconds of a turn, from which on it should end."""


class Turn:
    """Measures how long a coroutine has held the event loop, now and in all.

    Examples
    --------
    >>> async def count(end):
    ...     turn = Turn()
    ...     for _ in range(end):
    ...         if turn.is_long:
    ...             await turn.end()
    ...     return turn.seconds > 0
    >>> asyncio.run(count(10))
    True

    """

    def __init__(self) -> None:
        self._began = perf_counter()
        self._before = 0.0

    @property
    def is_long(self) -> bool:
        """Whether the loop has been held for as long as is good."""
        return perf_counter() - self._began > LONG

    @property
    def seconds(self) -> float:
        """How long the loop has been held, in all turns together."""
        return self._before + perf_counter() - self._began

    async def end(self) -> None:
        """Let others have the loop, and begin a new turn."""
        await self.without(asyncio.sleep(0))

    async def without(self, other: Awaitable[T]) -> T:
        """Wait for something that is not to be counted, and begin a new turn."""
        self._before = self.seconds
        result = await other
        self._began = perf_counter()
        return result
