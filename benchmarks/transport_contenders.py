"""Three ways to read the same records, each in a process of its own: `python -m benchmarks.transport_contenders`.

Each opens every value, counts what comes between the first delivery and the last record, and prints the CPU time of its
process (all threads) and the time on the clock as JSON.
"""

import asyncio
import json
import logging
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.types import StreamT

from driftline.streams.transport import BatchApp, deliveries

# What the batch app sets for itself, and must not be an advantage.
ALIKE: dict[str, Any] = {
    "broker_heartbeat_interval": 1.0,
    "broker_session_timeout": 6.0,
    "consumer_auto_offset_reset": "earliest",
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "web_enabled": False,
}


@dataclass
class Measure:
    """What is measured from the first delivery, which is not counted itself, to the last of `records`."""

    records: int
    read: int = 0
    size: int = 0
    uncounted: int = 0
    cpu: float = 0.0
    clock: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, values: Iterable[bytes]) -> None:
        """Open `values`, which were delivered together."""
        count = 0
        for value in values:
            self.size += len(value)
            count += 1
        if self.read == 0:
            self.uncounted, self.cpu, self.clock = count, time.process_time(), time.perf_counter()
        self.read += count
        if self.read >= self.records:
            self.cpu, self.clock = time.process_time() - self.cpu, time.perf_counter() - self.clock
            self.done.set()

    def as_json(self) -> str:
        """Return CPU µs per record, records per second, and what was read."""
        counted = self.read - self.uncounted
        result = {
            "cpu_us_per_record": self.cpu / counted * 1e6,
            "records_per_second": counted / self.clock,
            "records": self.read,
            "bytes": self.size,
        }
        return json.dumps(result)


async def stock(bootstrap: str, topic: str, measure: Measure) -> None:
    """Faust as it comes: one event a record."""
    app = faust.App(uuid.uuid4().hex, broker=f"kafka://{bootstrap}", **ALIKE)

    @app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"))
    async def read(stream: StreamT[Any]) -> None:
        async for value in stream:
            measure.take((value,))

    await _run(app, measure)


async def batch(bootstrap: str, topic: str, measure: Measure) -> None:
    """Faust with the batch transport: one event for up to 1,000 records."""
    app = BatchApp(uuid.uuid4().hex, broker=f"kafka://{bootstrap}")

    @app.agent(app.topic(topic))
    async def read(stream: StreamT[Any]) -> None:
        async for records, message in deliveries(stream):
            measure.take(record.value or b"" for record in records)
            app.ack([message])

    await _run(app, measure)


async def bare(bootstrap: str, topic: str, measure: Measure) -> None:
    """Read with aiokafka alone, up to 1,000 records of each partition at a time, as the batch transport does."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=uuid.uuid4().hex,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=1500,  # as Faust
    )
    await consumer.start()
    committed = time.perf_counter()
    while not measure.done.is_set():
        for records in (await consumer.getmany(timeout_ms=1000, max_records=8000)).values():
            measure.take(record.value for record in records)
        if time.perf_counter() - committed > 2.8:  # noqa: PLR2004 (as Faust)
            await consumer.commit()
            committed = time.perf_counter()
    await consumer.stop()


async def _run(app: faust.App, measure: Measure) -> None:
    await app.start()
    try:
        await asyncio.wait_for(measure.done.wait(), timeout=60)
    finally:
        await app.stop()


CONTENDERS: dict[str, Callable[[str, str, Measure], Awaitable[None]]] = {"stock": stock, "batch": batch, "bare": bare}


def main(name: str, bootstrap: str, topic: str, records: str) -> None:
    """Run one contender and print what was measured."""
    logging.basicConfig(level=logging.CRITICAL)
    measure = Measure(int(records))

    async def run() -> None:
        await CONTENDERS[name](bootstrap, topic, measure)

    asyncio.run(run())
    print(measure.as_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
