"""A server that is away is waited for: nothing is lost, and nothing new is read meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from driftline.schemas.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_logger: Final = logging.getLogger(__name__)

_FIRST_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 2.0
_LOG_SECONDS: Final = 30.0


class Outage:
    """Calls a server until it answers.

    Parameters
    ----------
    server
        Its name, for the log.
    show
        Called when the server is away, and when it is back.

    Examples
    --------
    >>> answers = iter([UnavailableError("not yet"), None])
    >>> async def ask():
    ...     if error := next(answers):
    ...         raise error
    ...     return "here"
    >>> outage = Outage("Redis", lambda: print(outage.is_on))
    >>> asyncio.run(outage.ride_out(ask))
    True
    False
    'here'

    """

    def __init__(self, server: str, show: Callable[[], object]) -> None:
        self._server = server
        self._show = show
        self._since: float | None = None
        self._said = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the server is away."""
        return self._since is not None

    async def ride_out(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what `call` returns, once it does; it is called again after an `UnavailableError`, for ever."""
        delay = _FIRST_SECONDS
        while True:
            try:
                result = await call()
            except UnavailableError as error:
                self.note(error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_SECONDS)
            else:
                self.end()
                return result

    def note(self, error: UnavailableError) -> None:
        """Say that the server is away, now and each 30 s."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
            self._show()
        elif now - self._said < _LOG_SECONDS:
            return
        self._said = now
        _logger.warning("%s; waiting for it", error)

    def end(self) -> None:
        """Say that it answers again, if it was away."""
        if self._since is None:
            return
        _logger.warning("%s answers again, after %.0f s", self._server, time.monotonic() - self._since)
        self._since = None
        self._show()
