"""How what the worker has to say gets to Kafka."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from driftline.client.delivery import Delivery
from driftline.schemas.errors import UnavailableError

if TYPE_CHECKING:
    from driftline.client.brokers import Options
    from driftline.streams.outgoing import Outgoing

_OPTIONS: Final[Options] = {
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 262_144,
    # A record was measured by its broker as it came, compressed perhaps, and by this limit as it is. So a dead letter
    # may be far above the topic's limit here and is brought back under it by compressing it again. gzip, because every
    # client reads it without a further library.
    "message.max.bytes": 100_000_000,
    "compression.type": "gzip",
    # Without end: what was saved must arrive, and a record that is given up and sent anew may arrive twice.
    "message.timeout.ms": 0,
}


class Publisher:
    """Publishes with an idempotent producer; nothing counts as published before `flush` has returned.

    `put` hands over and returns at once, unless 500,000 records or 256 MB wait: then it holds the event loop up, for
    `patience` seconds at most. A caller who looks at ``len(publisher)`` and flushes early never gets there.

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
        self._flushing: asyncio.Future[None] | None = None
        self._delivery = Delivery(bootstrap, linger_ms=linger_ms, patience=patience, options=_OPTIONS)

    def __len__(self) -> int:
        """Return how many records have not been acknowledged."""
        return len(self._delivery)

    def put(self, record: Outgoing) -> None:
        """Enqueue a record.

        Raises
        ------
        UnavailableError
            If there was no room in time.

        """
        self._delivery.put(record.topic, key=record.key, value=record.value, headers=record.headers)

    async def flush(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the wait is in a thread, which cannot be cancelled
        """Wait, off the event loop, until Kafka has acknowledged everything.

        Raises
        ------
        UnavailableError
            If records are left after `timeout` seconds; they are still on their way, and may be waited for again.
        UndeliveredError
            If any was given up since the last call, as Kafka refused it: it must be `put` again, or not count as sent.

        """
        self._flushing = asyncio.ensure_future(asyncio.to_thread(self._delivery.flush, timeout))
        await asyncio.shield(self._flushing)

    async def forget(self) -> None:
        """Give up what was put and has not been sent, after a `flush` that was cancelled: others may publish then.

        What was on its way already may still arrive.
        """
        await asyncio.to_thread(self._delivery.forget)
        if self._flushing is not None:  # its thread goes on, and would take what others have lost for its own
            with suppress(UnavailableError):
                await self._flushing

    def close(self, timeout: float = 5.0) -> None:
        """Flush, and end the producer; what is left after `timeout` seconds is given up.

        Raises
        ------
        UnavailableError
            As `flush` does.

        """
        self._delivery.close(timeout)
