"""The contenders of `benchmarks.throughput` that are processes of their own: ``… NAME SKIPPED TOTAL [KAFKA P L]``.

Each takes `TOTAL` events of which the first `SKIPPED` are not measured, and prints the CPU us of an event as JSON, with
the pairs that were joined and the accuracy over them, where it has monitors. Those that read from Kafka take both
topics to their ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
import uuid
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import faust
from confluent_kafka import Consumer

from benchmarks.meter import Meter
from benchmarks.river_loop import Monitor
from benchmarks.throughput_batches import ROWS, batched
from benchmarks.throughput_core import BATCH, Core, decode_all
from benchmarks.throughput_events import FEATURES, SEGMENTS, Mix, configuration, feature_names, model_name, stream
from benchmarks.transport_contenders import ALIKE

if TYPE_CHECKING:
    from collections.abc import Callable

    from faust.types import StreamT

REFERENCE: Final = 10_000
WINDOW: Final = 10_000
"""Both as Driftline has them by default."""

_SECONDS: Final = 900  # after which a contender that reads from Kafka is given up


def monitor() -> Monitor:
    """Return the monitors of the model with River."""
    return Monitor(reference=REFERENCE, window=WINDOW, features=feature_names(FEATURES), segments=list(SEGMENTS))


def decoding(skipped: int, total: int, kafka: str, *topics: str) -> str:
    """Consume with confluent-kafka and decode: what no other can be faster than."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.subscribe(list(topics))
    meter = Meter(skipped, total)
    deadline = time.monotonic() + _SECONDS
    is_done = False
    while not is_done:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {total} events came within {_SECONDS} s")
        messages = consumer.consume(BATCH, timeout=1.0)
        is_done = meter.take(decode_all([(message.topic() or "", message.value() or b"") for message in messages]))
    consumer.close()
    return meter.as_json()


def river(skipped: int, total: int) -> str:
    """Run a plain loop over bytes in memory, with River."""
    events = stream(Mix())
    made = [next(events) for _ in range(total)]
    kinds, values = [event.is_label for event in made], [event.value for event in made]
    del made
    gc.collect()
    gc.freeze()  # what was made for the benchmark is no work for the collector
    watched, meter = monitor(), Meter(skipped, total)
    for is_label, value in zip(kinds, values, strict=True):
        if is_label:
            watched.labelled(json.loads(value))
        else:
            watched.predicted(json.loads(value))
        meter.take()
    return meter.as_json(joined=watched.joined, accuracy=watched.performance.of_answers[0].get())


def core(skipped: int, total: int) -> str:
    """Run Driftline's core over bytes in memory; what a checkpoint would cost is not counted."""
    driftline, events = Core(configuration()), stream(Mix())
    driftline.feed(events, skipped)
    driftline.checkpoint()
    seconds = driftline.feed(events, total - skipped)
    state = driftline.state(model_name(0))
    measured = {
        "cpu_us_per_event": seconds / (total - skipped) * 1e6,
        "events": total - skipped,
        "joined": state.counts.joined,
        "accuracy": state.performance["accuracy"],
    }
    return json.dumps(measured)


def batches(skipped: int, total: int) -> str:
    """Run the same over Arrow batches of 1,000 events in memory."""
    driftline, records = Core(configuration()), batched(stream(Mix()))
    driftline.feed_batches(islice(records, skipped // ROWS))
    driftline.checkpoint()
    count = total // ROWS - skipped // ROWS
    seconds = driftline.feed_batches(islice(records, count))
    state = driftline.state(model_name(0))
    measured = {
        "cpu_us_per_event": seconds / (count * ROWS) * 1e6,
        "events": count * ROWS,
        "joined": state.counts.joined,
        "accuracy": state.performance["accuracy"],
    }
    return json.dumps(measured)


def stock(skipped: int, total: int, kafka: str, predictions: str, labels: str) -> str:
    """Run two agents of Faust as it comes, with River."""
    app = faust.App(uuid.uuid4().hex, broker=f"kafka://{kafka}", **ALIKE)
    watched, meter, done = monitor(), Meter(skipped, total), asyncio.Event()

    @app.agent(app.topic(predictions))
    async def predicted(events: StreamT[Any]) -> None:
        async for event in events:
            watched.predicted(event)
            if meter.take():
                done.set()

    @app.agent(app.topic(labels))
    async def labelled(events: StreamT[Any]) -> None:
        async for event in events:
            watched.labelled(event)
            if meter.take():
                done.set()

    async def run() -> None:
        await app.start()
        try:
            await asyncio.wait_for(done.wait(), timeout=_SECONDS)
        finally:
            await app.stop()

    asyncio.run(run())
    return meter.as_json(joined=watched.joined, accuracy=watched.performance.of_answers[0].get())


CONTENDERS: Final[dict[str, Callable[..., str]]] = {
    "decode": decoding,
    "river": river,
    "core": core,
    "batches": batches,
    "faust": stock,
}


def main(name: str, skipped: str, total: str, *source: str) -> None:
    """Run one contender and print what was measured."""
    logging.basicConfig(level=logging.CRITICAL)
    print(CONTENDERS[name](int(skipped), int(total), *source))


if __name__ == "__main__":
    main(*sys.argv[1:])
