"""The worker in the test's own event loop, on a store that tests hold up: what it never saves, and never holds."""

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count, islice
from time import perf_counter

import pytest
from aiokafka import ConsumerRecord
from faust.types import TP, Message

from driftline.models.pipeline import Outcome, Pipeline
from driftline.models.record import RawRecord, Record
from driftline.models.snapshot import unseal
from driftline.schemas.config import Configuration, parse_configuration
from driftline.schemas.errors import SnapshotError, TopologyError, UnavailableError
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import DEAD_LETTER, INPUTS, LABELS, PREDICTIONS
from driftline.streams import unsaved
from driftline.streams.checkpoint import Checkpoint, MemoryStore
from driftline.streams.lane import Lane, Work
from driftline.streams.metrics import Metrics
from driftline.streams.publisher import Publisher
from driftline.streams.topology import mention_topics
from driftline.streams.transport import RecordBatch
from driftline.streams.worker import Ports, Worker
from tests.topics import read_topic
from tests.transport_harness import until
from tests.worker_harness import EMBEDDED_PARTITIONS, Sent
from tests.worker_traffic import Traffic

CONFIGURATION = parse_configuration({"models": [{"model_id": "m", "challenger": "none"}]})
HOME = partition_of("m", EMBEDDED_PARTITIONS)
MODEL = Traffic("m", 100)


class HeldStore(MemoryStore):
    """A store that answers when it may, and fails when it must."""

    def __init__(self) -> None:
        super().__init__()
        self.may_save = asyncio.Event()
        self.may_save.set()
        self.may_fetch = asyncio.Event()
        self.may_fetch.set()
        self.failures = 0
        self.lost_fetches = 0
        self.fetches = 0
        self.saves = 0

    async def save(self, checkpoint: Checkpoint) -> None:
        self.saves += 1
        await self.may_save.wait()
        if self.failures:
            self.failures -= 1
            raise UnavailableError("Redis does not answer")
        await super().save(checkpoint)

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        self.fetches += 1
        await self.may_fetch.wait()
        if self.lost_fetches:
            self.lost_fetches -= 1
            raise UnavailableError("Redis does not answer")
        return await super().fetch(partition, ids)

    async def next_offsets(self) -> dict[str, int]:
        """Return how far the home partition is saved."""
        position = (await self.load(HOME)).position
        return {} if position is None else unseal(position)["next_offsets"]


class Bench:
    """A worker with the home partition, and batches for it."""

    def __init__(self, kafka: str, store: HeldStore, configuration: Configuration = CONFIGURATION) -> None:
        self.store = store
        self.acked: list[Message] = []
        self.publisher = Publisher(kafka)
        ports = Ports(store, self.publisher, Metrics(), self.acked.extend)
        self.worker = Worker(configuration, ports, partitions=EMBEDDED_PARTITIONS, interval=1e-9)
        self._next = dict.fromkeys(INPUTS, 0)

    async def assign(self) -> dict[TP, int]:
        return dict(await self.worker.assigned(frozenset(TP(topic, HOME) for topic in INPUTS)))

    async def revoke(self) -> None:
        await self.worker.revoked(frozenset(TP(topic, HOME) for topic in INPUTS))

    def batch(self, sent: Sequence[Sent]) -> tuple[Message, RecordBatch]:
        """Return the next batch of a topic, as the transport gives it."""
        topic = sent[0].topic
        first = self._next[topic]
        self._next[topic] = first + len(sent)
        records = [
            ConsumerRecord(topic, HOME, first + n, 1_790_000_000_000, 0, key, value, None, -1, len(value or b""), ())
            for n, (_, key, value, _, _) in enumerate(sent)
        ]
        tp = TP(topic, HOME)
        message = Message(topic, HOME, records[-1].offset, 0.0, 0, None, None, None, None, tp=tp)
        return message, RecordBatch(tp, records)

    async def take(self, sent: Sequence[Sent]) -> None:
        await self.worker.take(*self.batch(sent))


@pytest.fixture
def kafka(mock_kafka: str) -> str:
    mention_topics(mock_kafka)
    return mock_kafka


@asynccontextmanager
async def at_work(kafka: str, store: HeldStore, configuration: Configuration = CONFIGURATION) -> AsyncIterator[Bench]:
    """Give a worker that has taken its partition over."""
    bench = Bench(kafka, store, configuration)
    try:
        await bench.assign()
        yield bench
    finally:
        bench.publisher.close()


def predictions(start: int, end: int) -> list[Sent]:
    return [MODEL.prediction(n) for n in range(start, end)]


def labels(start: int, end: int) -> list[Sent]:
    return [MODEL.label(n) for n in range(start, end)]


# --- What is never saved


def failing_at(offset: int) -> Callable[[Pipeline, Sequence[Record], Mapping[bytes, bytes]], Outcome]:
    """Return a `process` with a bug: it takes half of the records that begin at `offset`, and raises."""
    process = Pipeline.process

    def fail(self: Pipeline, batch: Sequence[Record], found: Mapping[bytes, bytes]) -> Outcome:
        if batch[0].raw.offset != offset:
            return process(self, batch, found)
        process(self, batch[: len(batch) // 2], found)
        raise RuntimeError("a bug")

    return fail


async def a_bug_ends_saving(kafka: str) -> None:
    async with at_work(kafka, HeldStore()) as bench:
        await bench.take(predictions(0, 10))
        await bench.worker.tick()
        with pytest.raises(RuntimeError, match="a bug"):
            await bench.take(predictions(10, 30))
        await bench.worker.tick()
        await bench.revoke()
        assert await bench.store.next_offsets() == {PREDICTIONS: 10}
        assert len(bench.acked) == 1


def test_nothing_is_saved_of_a_partition_after_a_bug(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipeline, "process", failing_at(20))
    asyncio.run(a_bug_ends_saving(kafka))


def test_nothing_is_saved_of_a_partition_after_a_save_that_failed(kafka: str) -> None:
    """The pipeline tells of each change once: the next save would be without those of the one that failed."""

    async def scenario() -> None:
        async with at_work(kafka, HeldStore()) as bench:
            await bench.take(predictions(0, 10))
            bench.store.failures = 1
            with pytest.raises(UnavailableError):
                await bench.worker.tick()
            await bench.take(labels(0, 10))
            await bench.worker.tick()
            await bench.revoke()
            assert await bench.store.next_offsets() == {}
            assert bench.acked == []

    asyncio.run(scenario())


def test_nothing_is_saved_of_a_partition_once_the_time_to_give_it_up_is_over(kafka: str) -> None:
    async def scenario() -> None:
        async with at_work(kafka, HeldStore()) as bench:
            await bench.take(predictions(0, 10))
            bench.store.may_save.clear()
            ticking = asyncio.ensure_future(bench.worker.tick())
            await until(lambda: bench.store.saves == 1)
            await bench.take(predictions(10, 20))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(bench.revoke(), 0.1)
            await bench.take(predictions(20, 30))
            bench.store.may_save.set()
            await ticking
            await bench.worker.tick()
            # What was on its way to the store when the time was up is stopped by no one yet.
            assert await bench.store.next_offsets() == {PREDICTIONS: 10}

    asyncio.run(scenario())


async def a_batch_that_failed_is_the_last(kafka: str) -> None:
    async with at_work(kafka, HeldStore()) as bench:
        await bench.take(predictions(0, 100))
        await bench.revoke()
        await bench.assign()
        bench.store.lost_fetches = 1
        with pytest.raises(UnavailableError):
            await bench.take(labels(0, 50))
        await bench.take(labels(50, 100))
        await bench.revoke()
        assert await bench.store.next_offsets() == {PREDICTIONS: 100}, "a hole was saved"


def test_nothing_is_taken_after_a_batch_that_failed(kafka: str) -> None:
    """It would be saved that all before it was processed."""
    asyncio.run(a_batch_that_failed_is_the_last(kafka))


def test_mutant_that_goes_on_after_a_batch_that_failed_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def process(self: Lane, message: Message, records: Sequence[RawRecord]) -> Work:
        try:
            return await whole(self, message, records)
        finally:
            self.is_stopped = False

    whole = Lane.process
    monkeypatch.setattr(Lane, "process", process)
    with pytest.raises(AssertionError, match="a hole was saved"):
        asyncio.run(a_batch_that_failed_is_the_last(kafka))


def test_a_batch_from_before_a_rebalance_is_left_alone(kafka: str) -> None:
    """It may stand ahead of the checkpoint, and records in between would be taken for processed."""

    async def scenario() -> None:
        async with at_work(kafka, HeldStore()) as bench:
            await bench.take(predictions(0, 10))
            bench.batch(predictions(10, 20))  # lost in the rebalance
            stale = bench.batch(predictions(20, 30))
            await bench.revoke()
            await bench.worker.take(*stale)
            assert (await bench.assign())[TP(PREDICTIONS, HOME)] == 10
            stale[0].acked = True  # as the transport does
            await bench.worker.take(*stale)
            await bench.revoke()
            assert await bench.store.next_offsets() == {PREDICTIONS: 10}

    asyncio.run(scenario())


def test_a_batch_that_was_cut_short_is_saved_as_far_as_it_went_and_its_dead_letters_are_published(kafka: str) -> None:
    key = uuid.uuid4().bytes

    async def scenario() -> None:
        store = HeldStore()
        async with at_work(kafka, store) as bench:
            await bench.take(predictions(0, 1))
            await bench.revoke()
            await bench.assign()
            store.may_fetch.clear()
            junk = [Sent(LABELS, key, b"junk")] * 200
            taking = asyncio.ensure_future(bench.take([*junk, *labels(0, 1), *junk]))
            await until(lambda: store.fetches == 1)
            taking.cancel()
            with suppress(asyncio.CancelledError):
                await taking
            await bench.revoke()
            assert await store.next_offsets() == {PREDICTIONS: 1, LABELS: 200}

    asyncio.run(scenario())
    letters = read_topic(kafka, DEAD_LETTER, lambda message: message.key() == key, count=200)
    assert len(letters) == 200


def test_a_checkpoint_of_another_version_is_refused(kafka: str) -> None:
    async def scenario() -> None:
        store = HeldStore()
        async with at_work(kafka, store) as bench:
            await bench.take(predictions(0, 1))
            await bench.revoke()
            snapshot = (await store.load(HOME)).snapshots["m"]
            later = snapshot[:5] + bytes([snapshot[5] + 1]) + snapshot[6:]
            await store.save(Checkpoint(HOME, (await store.load(HOME)).position or b"", {"m": later}))
            with pytest.raises(SnapshotError, match=rf"partition {HOME} .* by another version of Driftline"):
                await bench.assign()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("topics", "partition"), [((PREDICTIONS,), HOME), (INPUTS, EMBEDDED_PARTITIONS)], ids=["one topic", "one too many"]
)
def test_partitions_that_cannot_be_are_refused(kafka: str, topics: tuple[str, ...], partition: int) -> None:
    async def scenario() -> None:
        async with at_work(kafka, HeldStore()) as bench:
            with pytest.raises(TopologyError, match="partition"):
                await bench.worker.assigned(frozenset(TP(topic, partition) for topic in topics))

    asyncio.run(scenario())


# --- Back-pressure


async def a_slow_store_holds_batches_up(kafka: str) -> None:
    junk = [Sent(LABELS, b"m", b"." * 1000)] * 1000
    async with at_work(kafka, HeldStore()) as bench:
        bench.store.may_save.clear()
        taken = 0

        async def take() -> None:
            nonlocal taken
            for _ in range(20):
                await bench.take(junk)
                taken += 1

        taking = asyncio.ensure_future(take())
        await until(lambda: bench.store.saves == 1 or taken == 20)
        assert taken == 3, "4 MB of dead letters wait, and the next batch does not"
        bench.store.may_save.set()
        await taking
        await bench.revoke()


def test_a_batch_waits_for_a_slow_store_when_too_much_is_unsaved(kafka: str) -> None:
    asyncio.run(a_slow_store_holds_batches_up(kafka))


def test_mutant_without_a_bound_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsaved, "MOST_BYTES", 10**9)
    with pytest.raises(AssertionError, match="the next batch does not"):
        asyncio.run(a_slow_store_holds_batches_up(kafka))


# --- The event loop


async def longest_gap(kafka: str) -> float:
    """Return for how long 100 models held the loop: in batches of 1,000 records, a checkpoint, and a restart."""
    models = [Traffic(name, 100, features=5) for name in islice(names_at_home(), 100)]
    records = [model.prediction(n) for n in range(100) for model in models]
    truths = [model.label(n) for n in range(100) for model in models]
    gaps = []

    async def watch() -> None:
        last = perf_counter()
        while True:
            await asyncio.sleep(0)
            gaps.append(-last + (last := perf_counter()))

    async with at_work(kafka, HeldStore(), Configuration()) as bench:
        watching = asyncio.ensure_future(watch())
        for start in range(0, len(records), 1000):
            await bench.take(records[start : start + 1000])
            await bench.take(truths[start : start + 1000])
        await bench.worker.tick()
        await bench.revoke()
        await bench.assign()
        await asyncio.sleep(0)  # so that a gap which lasts until now is seen
        watching.cancel()
    return max(gaps)


def holds_the_loop(kafka: str, *, attempts: int) -> bool:
    """Tell whether the loop is held in each attempt: what other processes cause is not in each.

    A checkpoint in the loop holds it for 900 ms, one beside it for 10 to 17; the bound lies well between, so that a
    busy machine, which adds up to 177 ms of its own, is not taken for a fault.
    """
    gc.collect()
    gc.freeze()  # as the worker does
    try:
        return all(asyncio.run(longest_gap(kafka)) >= 0.4 for _ in range(attempts))
    finally:
        gc.unfreeze()


def test_a_checkpoint_does_not_hold_the_event_loop(kafka: str) -> None:
    assert not holds_the_loop(kafka, attempts=4)


def test_mutant_that_makes_checkpoints_in_the_event_loop_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(function: Callable[..., object], *arguments: object) -> object:
        return function(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    assert holds_the_loop(kafka, attempts=2)


def names_at_home() -> Iterator[str]:
    return (name for name in map(str, count()) if partition_of(name, EMBEDDED_PARTITIONS) == HOME)
