"""The worker's log: one line an event on standard error, and a traceback only for a bug."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from driftline.schemas.errors import DriftlineError
from driftline.streams.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_LIBRARIES = ("aiokafka", "faust", "mode", "driftline.streams.app", "driftline.streams.transport")

_SELDOM_SECONDS: Final = 30.0


class OneLine(logging.Formatter):
    """UTC, level, logger and message on a line, whatever the names in the message hold."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line; a traceback follows on lines of its own."""
        return printable(super().formatMessage(record))

    def formatException(  # noqa: N802 - logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the traceback; an error of Kafka has none that says more than its line."""
        return "" if isinstance(ei[1], KafkaError) else super().formatException(ei)


class Seldom(logging.Filter):
    """Lets what aiokafka says at one place of its code through once in 30 seconds, and counts the rest.

    Without a broker it says sixty lines a second.

    Parameters
    ----------
    clock
        Seconds that only grow.

    Examples
    --------
    >>> times = iter([0.0, 1.0, 31.0])
    >>> seldom = Seldom(lambda: next(times))
    >>> for _ in range(3):
    ...     record = logging.LogRecord("aiokafka", logging.ERROR, "client.py", 7, "no node %d", (1,), None)
    ...     print(seldom.filter(record), record.getMessage())
    True no node 1
    False no node 1
    True no node 1 (and 1 more like it)

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int], tuple[float, int]] = {}  # when, and how many were left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is due; one that is says how many were left out before it."""
        if not record.name.startswith("aiokafka"):
            return True
        place = record.pathname, record.lineno
        now = self._clock()
        since, left_out = self._said.get(place, (-math.inf, 0))
        if now - since < _SELDOM_SECONDS:
            self._said[place] = since, left_out + 1
            return False
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it)", None
        self._said[place] = now, 0
        return True


def log_to_stderr() -> None:
    """Send the log of this process to standard error; libraries say warnings only."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    handler.addFilter(_without_expected)
    handler.addFilter(Seldom())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_expected(record: logging.LogRecord) -> bool:
    """Drop what Faust logs of an error that the command line tells in one sentence."""
    return not (record.exc_info and isinstance(record.exc_info[1], DriftlineError))
