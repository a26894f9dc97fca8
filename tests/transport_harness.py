"""What the tests of the batch transport share: topics, and a worker that runs in the test's own event loop."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from faust.types import TP, StreamT

from driftline.streams.transport import BatchApp, Delivery, Log, RecordBatch, deliveries

PARTITIONS = 4  # as many as the embedded broker gives every topic


def new_topic(broker: str, *, partitions: int = PARTITIONS, config: Mapping[str, str] | None = None) -> str:
    """Make a topic of a name of its own."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": broker, "log_level": 0})
    if admin.list_topics(name, timeout=10).topics[name].error is not None:
        admin.create_topics([NewTopic(name, partitions, 1, config=dict(config or {}))])[name].result(20)
    else:  # the embedded broker makes a topic when it is asked about it, and cannot be told to
        assert partitions == PARTITIONS
    return name


def produce(broker: str, topic: str, values: Mapping[int, Sequence[bytes | None]], **record: object) -> None:
    """Write values to each partition, in order."""
    # Idempotent, or what is tried again on a busy machine would stand out of order.
    producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "linger.ms": 20, "log_level": 0})
    for partition, of_partition in values.items():
        for value in of_partition:
            producer.produce(topic, value, partition=partition, **record)  # type: ignore[arg-type]  # its own
            producer.poll(0)
    assert producer.flush(20) == 0


def numbers(count: int, start: int = 0) -> list[bytes]:
    """Return the numbers from `start` as values."""
    return [str(number).encode() for number in range(start, start + count)]


def committed(broker: str, group: str, topic: str, partitions: int = PARTITIONS) -> dict[int, int]:
    """Return the committed offsets of a group, of those partitions that have one."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group, "log_level": 0})
    try:
        found = consumer.committed([TopicPartition(topic, partition) for partition in range(partitions)], timeout=10)
    finally:
        consumer.close()
    return {each.partition: each.offset for each in found if each.offset >= 0}


async def until(condition: Callable[[], object], *, seconds: float = 25.0) -> None:
    """Return as soon as `condition` gives something true; fail when it has not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {condition}"
        await asyncio.sleep(0.01)


@dataclass
class Store:
    """Checkpoints in memory: the positions, and what was counted below them, saved in one step."""

    positions: dict[TP, int] = field(default_factory=dict)
    counted: list[tuple[TP, bytes]] = field(default_factory=list)


class Worker:
    """A worker that counts records; what it saves goes to `store`, and only what it saves may be acked.

    Parameters
    ----------
    broker, group, topics
        Where it reads.
    store
        Its checkpoints; with None it has none, and Kafka's offsets say where it reads on.
    saves_when_revoked
        Whether it makes a checkpoint when it gives partitions up.
    """

    def __init__(
        self,
        broker: str,
        group: str,
        topics: Iterable[str],
        *,
        store: Store | None = None,
        saves_when_revoked: bool = True,
        **options: Any,  # noqa: ANN401 (BatchApp's)
    ) -> None:
        self.store = store
        self.saves_when_revoked = saves_when_revoked
        self.acks = True  # whether it acks what a checkpoint covers
        self.unsaved: list[Delivery] = []
        self.batches: list[RecordBatch] = []  # all that were ever seen
        self.calls: list[str] = []
        self.may_work = asyncio.Event()
        self.may_work.set()
        self.may_begin = asyncio.Event()
        self.may_begin.set()
        settings: dict[str, Any] = {"broker_commit_interval": 0.1, "listener": self} | options
        self.app = BatchApp(group, broker=f"kafka://{broker}", **settings)
        for topic in topics:
            self.app.agent(self.app.topic(topic), name=f"agent-{topic}")(self._work)

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for batch in self.batches for record in batch]

    def of_partition(self, partition: int) -> list[bytes | None]:
        return [record.value for batch in self.batches if batch.partition == partition for record in batch]

    def save(self) -> int:
        """Make a checkpoint of all that was counted, and ack it."""
        covered, self.unsaved = self.unsaved, []
        if self.store is not None:
            for batch, _ in covered:
                self.store.positions[batch.tp] = batch.next_offset
                self.store.counted += [(batch.tp, record.value or b"") for record in batch]
        return self.app.ack(message for _, message in covered) if self.acks else 0

    async def assigned(self, logs: Mapping[TP, Log]) -> Mapping[TP, int]:
        self.calls.append("assigned")
        self.logs = dict(logs)
        await self.may_begin.wait()
        self._drop(frozenset(logs))
        positions = self.store.positions if self.store is not None else {}
        return {tp: positions[tp] for tp in logs if tp in positions}

    async def revoked(self, partitions: frozenset[TP]) -> None:
        self.calls.append("revoked")
        assert partitions
        if self.saves_when_revoked:
            self.save()
        self._drop(partitions)

    def _drop(self, partitions: frozenset[TP]) -> None:
        self.unsaved = [delivery for delivery in self.unsaved if delivery.batch.tp not in partitions]

    async def _work(self, stream: StreamT[Any]) -> None:
        async for delivery in deliveries(stream):
            await self.may_work.wait()
            self.unsaved.append(delivery)
            self.batches.append(delivery.batch)


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Start workers, and stop them in order at the end."""
    for worker in workers:
        await worker.app.start()
    try:
        yield
    finally:
        for worker in workers:
            await worker.app.stop()


def finds_a_fault(scenario: Callable[[str], Coroutine[Any, Any, None]], broker: str) -> bool:
    """Tell whether a scenario finds the fault that a mutant has put in."""
    try:
        asyncio.run(scenario(broker))
    except AssertionError:
        return True
    return False
