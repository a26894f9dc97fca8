"""What a producer has given up: told to the next `flush`, and to the log now and then."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, Message

_logger: Final = logging.getLogger("driftline.client")

_LOG_SECONDS: Final = 60.0


class Losses:
    """Counts the records that a producer has given up. Methods may be called from any thread.

    Parameters
    ----------
    clock
        Seconds that never go back; tells when a line of the log is due again.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.total = 0
        self._lock = threading.Lock()
        self._count = 0
        self._first: KafkaError | None = None
        self._unlogged = 0
        self._logged_at = -math.inf

    def on_delivery(self, error: KafkaError | None, message: Message) -> None:
        """Take a delivery report in; what is lost is logged at most once a minute."""
        if error is None:
            return
        with self._lock:
            self._count += 1
            self.total += 1
            self._first = self._first or error
            now = self._clock()
            if now - self._logged_at < _LOG_SECONDS:
                self._unlogged += 1
                return
            before, self._unlogged = self._unlogged, 0
            self._logged_at = now
        # Said without being asked: a service may go hours without a flush.
        others = f", nor were {before} before it" if before else ""
        _logger.error("a record for %s was not delivered%s: %s", message.topic(), others, error.str())

    def take(self) -> tuple[int, KafkaError | None]:
        """Return how many were given up since the last call, and why the first."""
        with self._lock:
            count, self._count = self._count, 0
            first, self._first = self._first, None
        return count, first
