"""What the worker tells the world: alerts, requests to retrain, and dead letters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from driftline.client.delivery import Delivery
from driftline.schemas.alerts import cloudevent_headers
from driftline.schemas.events import encode
from driftline.schemas.topics import ALERTS, DEAD_LETTER, RETRAIN

if TYPE_CHECKING:
    from driftline.client.brokers import Options
    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.dead_letter import DeadLetter

_OPTIONS: Final[Options] = {
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 262_144,
    # A record was measured by its broker as it came, compressed perhaps, and by this limit as it is. So a dead letter
    # may be far above the topic's limit here and is brought back under it by compressing it again. gzip, because every
    # client reads it without a further library.
    "message.max.bytes": 100_000_000,
    "compression.type": "gzip",
    # What has not arrived by then fails, and with it the worker's next flush.
    "message.timeout.ms": 60_000,
}


class Publisher:
    """Publishes with an idempotent producer; nothing counts as published before `flush` has returned.

    `alert`, `retrain` and `dead_letter` hand over and return at once, unless 500,000 records or 256 MB wait: then they
    hold the event loop up, for `patience` seconds at most. A caller who looks at ``len(publisher)`` once a batch and
    flushes early never gets there.

    Parameters
    ----------
    bootstrap
        ``host:port``, or several separated by commas.
    linger_ms
        How long a record waits for others; a `flush` does not wait.
    patience
        Seconds to wait for room.

    """

    def __init__(self, bootstrap: str, *, linger_ms: int = 5, patience: float = 5.0) -> None:
        self._delivery = Delivery(bootstrap, linger_ms=linger_ms, patience=patience, options=_OPTIONS)

    def __len__(self) -> int:
        """Return how many records have not been acknowledged."""
        return len(self._delivery)

    def alert(self, alert: Alert) -> None:
        """Enqueue an alert, keyed by its incident, so that an incident's transitions stay in order.

        Raises
        ------
        UnavailableError
            If there was no room in time.

        """
        self._delivery.put(
            ALERTS, key=alert.incident_id.encode(), value=encode(alert), headers=cloudevent_headers(alert)
        )

    def retrain(self, request: RetrainRequest) -> None:
        """Enqueue a request to retrain, keyed by its model; errors are those of `alert`."""
        self._delivery.put(
            RETRAIN, key=request.model_id.encode(), value=encode(request), headers=cloudevent_headers(request)
        )

    def dead_letter(self, letter: DeadLetter) -> None:
        """Enqueue a refused record as it was, with the ``dl.*`` headers; errors are those of `alert`."""
        self._delivery.put(DEAD_LETTER, key=letter.key, value=letter.value, headers=letter.to_headers())

    async def flush(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - the wait is in a thread, which cannot be cancelled
        """Wait, off the event loop, until Kafka has acknowledged everything.

        Raises
        ------
        UnavailableError
            If records are left after `timeout` seconds, or any was given up since the last call. What was given up is
            not sent again: the caller must not save or ack what it belongs to.

        """
        await asyncio.to_thread(self._delivery.flush, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Flush, and end the producer; what is left after `timeout` seconds is given up.

        Raises
        ------
        UnavailableError
            As `flush` does.

        """
        self._delivery.close(timeout)
