"""Where all that a worker publishes goes out, one checkpoint after the other, however long Kafka is away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from driftline.schemas.alerts import Alert
from driftline.schemas.errors import UnavailableError, UndeliveredError
from driftline.streams.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.streams.metrics import Metrics
    from driftline.streams.outgoing import Outgoing
    from driftline.streams.publisher import Publisher
    from driftline.streams.unsaved import Unsaved

_logger: Final = logging.getLogger(__name__)

_PUT: Final = 1000
"""Records that are handed to the producer before others have the event loop."""

_SILENT_SECONDS: Final = 5.0
"""Of Kafka, from which on it counts as away: a group that moves to another broker is away for a moment too."""


class Outlet:
    """Publishes, and tells the log and the metrics what was published, and whether Kafka is away."""

    def __init__(self, publisher: Publisher, metrics: Metrics) -> None:
        self._publisher = publisher
        self._metrics = metrics
        self._publishing_outage = Outage("Kafka", self._show)
        self._reading_outage = Outage("Kafka", self._show)
        self._publishing = asyncio.Lock()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return when Kafka has all of these records.

        If it is cancelled, what was not sent yet is given up: the next owner of the partition publishes it, and more.
        """
        if not records:
            return
        left = list(reversed(records))

        async def publish() -> None:
            while left:
                self._publisher.put(left[-1])
                left.pop()
                if len(left) % _PUT == 0:
                    await asyncio.sleep(0)
            try:
                await self._publisher.flush()
            except UndeliveredError:  # which of them, nobody knows
                left.extend(reversed(records))
                raise

        # One lane at a time, because whoever flushes first is told of all that was lost.
        async with self._publishing:
            try:
                await self._publishing_outage.ride_out(publish)
            except asyncio.CancelledError:
                await self._publisher.forget()
                raise

    def tell(self, published: Unsaved) -> None:
        """Log and count the events of a checkpoint."""
        for event in (event for events in published.events.values() for event in events):
            if isinstance(event, Alert):
                self._metrics.alert(event)
                _logger.warning("%s %s: %s", event.state, event.incident_id, event.message)
            else:
                self._metrics.retrain_request()

    def watch(self, silence: float) -> None:
        """Show whether Kafka is away, by the seconds for which it has not answered the consumer."""
        if silence > _SILENT_SECONDS:
            self._reading_outage.note(UnavailableError(f"Kafka has not answered the consumer for {silence:.0f} s"))
        else:
            self._reading_outage.end()

    def _show(self) -> None:
        self._metrics.kafka_outage(self._publishing_outage.is_on or self._reading_outage.is_on)
