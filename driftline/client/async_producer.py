"""Events to Driftline, from within an event loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, Unpack

from driftline.client.producer import new_delivery
from driftline.client.records import record_of, records_of_labels, records_of_predictions
from driftline.client.serving import Serving
from driftline.schemas.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from driftline.client.brokers import Options
    from driftline.client.records import LabelColumns, Outgoing, PredictionColumns
    from driftline.client.serving import Given
    from driftline.schemas.events import Label, Prediction


class AsyncEventProducer:
    """Does what `EventProducer` does, within one event loop; its parameters are the same, and what is said there holds.

    Where that one would wait for room, others have the event loop meanwhile. Events of one model keep their order as
    long as they are sent one after the other.

    Examples
    --------
    ::

        import asyncio
        from driftline.client import AsyncEventProducer

        async def serve() -> None:
            async with AsyncEventProducer("127.0.0.1:9092") as producer:
                async with producer.serving("fraud", "7", features={"amount": 12.5}) as served:
                    served.prediction, served.score = 1, 0.93
                print("the label is to refer to", served.prediction_id)

        asyncio.run(serve())

    """

    def __init__(
        self, bootstrap: str, *, linger_ms: int = 100, patience: float = 10.0, options: Options | None = None
    ) -> None:
        self._delivery = new_delivery(bootstrap, linger_ms=linger_ms, patience=patience, options=options)

    @property
    def undelivered(self) -> int:
        """How many records were given up since the producer was made."""
        return self._delivery.lost

    async def send(self, event: Prediction | Label) -> None:
        """Hand an event over; it is sent in the background. Raises what `EventProducer.send` does."""
        await self._put(record_of(event))

    @asynccontextmanager
    async def serving(self, model_id: str, model_version: str, **given: Unpack[Given]) -> AsyncIterator[Serving]:
        """Measure how long an answer takes, and hand it over at the end, as `EventProducer.serving` does."""
        served = Serving(model_id, model_version, **given)
        yield served
        await self.send(served.event())

    async def send_predictions(self, **columns: Unpack[PredictionColumns]) -> None:
        """Hand over many predictions at once, by columns, as `EventProducer.send_predictions` does."""
        for record in records_of_predictions(columns):
            await self._put(record)

    async def send_labels(self, **columns: Unpack[LabelColumns]) -> None:
        """Hand over many labels at once, by columns, as `EventProducer.send_labels` does."""
        for record in records_of_labels(columns):
            await self._put(record)

    async def _put(self, record: Outgoing) -> None:
        def is_taken() -> bool:
            return self._delivery.try_put(record.topic, key=record.key, value=record.value, headers=record.headers)

        if is_taken():
            return
        for wait in self._delivery.waits():
            await asyncio.sleep(wait)
            if is_taken():
                return

    async def flush(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - a thread waits, which nobody can cancel
        """Wait until Kafka has acknowledged every event. Raises what `EventProducer.flush` does."""
        await asyncio.to_thread(self._delivery.flush, timeout)

    async def close(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - as above
        """Flush, and end the producer; what is left after `timeout` seconds is given up. Raises what `flush` does."""
        await asyncio.to_thread(self._delivery.close, timeout)

    async def __aenter__(self) -> Self:
        """Return the producer."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; events that were not delivered are an error, unless one is already on its way."""
        try:
            await self.close()
        except UnavailableError as undelivered:
            if error is None:
                raise
            error.add_note(str(undelivered))
