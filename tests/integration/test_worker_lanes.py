"""The worker in the test's own event loop, on a store that tests hold up: what it never saves, and never holds."""

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from time import thread_time

import pytest
from aiokafka import ConsumerRecord
from faust.types import TP, Message

from driftline.models.outcome import Outcome
from driftline.models.pipeline import Pipeline
from driftline.models.record import Record
from driftline.models.snapshot import unseal
from driftline.schemas.config import Configuration, parse_configuration
from driftline.schemas.errors import SnapshotError, TopologyError, UnavailableError
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import DEAD_LETTER, INPUTS, LABELS, PREDICTIONS
from driftline.streams import unsaved
from driftline.streams.checkpoint import Checkpoint, MemoryStore, Saved
from driftline.streams.metrics import Metrics
from driftline.streams.publisher import Publisher
from driftline.streams.topology import mention_topics
from driftline.streams.transport import Log, RecordBatch
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

    async def save(self, checkpoint: Checkpoint, owner: bytes) -> None:
        self.saves += 1
        await self.may_save.wait()
        if self.failures:
            self.failures -= 1
            raise UnavailableError("Redis does not answer")
        await super().save(checkpoint, owner)

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
        return {} if position is None else unseal(position)["start"][0]


class Source:
    """A transport that has handed over all there was, and takes note of what it is told."""

    def __init__(self) -> None:
        self.acked: list[Message] = []
        self.paused: set[TP] = set()

    def ack(self, messages: Iterable[Message]) -> int:
        before = len(self.acked)
        self.acked += messages
        return len(self.acked) - before

    def at_end(self, _tp: TP) -> bool:
        return True

    def lag(self, _tp: TP) -> int:
        return 0

    @property
    def silence(self) -> float:
        return 0.0

    async def is_read(self, tps: Iterable[TP]) -> bool:
        return all(map(self.at_end, tps))

    def pause(self, tp: TP) -> None:
        self.paused.add(tp)

    def resume(self, tp: TP) -> None:
        self.paused.discard(tp)


class Bench:
    """A worker with the home partition, and batches for it."""

    def __init__(
        self, kafka: str, store: HeldStore, configuration: Configuration = CONFIGURATION, interval: float = 1e-9
    ) -> None:
        self.store = store
        self.source = Source()
        self.publisher = Publisher(kafka)
        self.now = 0.0  # of the metrics
        self.metrics = Metrics(lambda: self.now)
        ports = Ports(self.source, store, self.publisher, self.metrics)
        self.worker = Worker(configuration, ports, partitions=EMBEDDED_PARTITIONS, interval=interval)
        self._next = dict.fromkeys(INPUTS, 0)

    async def assign(self) -> dict[TP, int]:
        return dict(await self.worker.assigned({TP(topic, HOME): Log(0, 1_000_000, None) for topic in INPUTS}))

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

    def put(self, sent: Sequence[Sent]) -> None:
        """Hand a batch over."""
        self.worker.take(*self.batch(sent))

    async def take(self, sent: Sequence[Sent]) -> None:
        """Hand a batch over, and wait until it is processed."""
        self.put(sent)
        await until(lambda: self.worker.is_idle)


@pytest.fixture
def kafka(mock_kafka: str) -> str:
    mention_topics(mock_kafka)
    return mock_kafka


@asynccontextmanager
async def at_work(
    kafka: str, store: HeldStore, configuration: Configuration = CONFIGURATION, interval: float = 1e-9
) -> AsyncIterator[Bench]:
    """Give a worker that has taken its partition over."""
    bench = Bench(kafka, store, configuration, interval)
    try:
        await bench.assign()
        yield bench
    finally:
        await bench.revoke()
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
        await bench.take(predictions(10, 30))
        with pytest.raises(RuntimeError, match="a bug"):
            await bench.worker.tick()
        await bench.revoke()
        assert await bench.store.next_offsets() == {PREDICTIONS: 10}
        assert len(bench.source.acked) == 1


def test_nothing_is_saved_of_a_partition_after_a_bug(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipeline, "process", failing_at(10))
    asyncio.run(a_bug_ends_saving(kafka))


def test_a_save_and_a_fetch_that_failed_are_made_again(kafka: str) -> None:
    async def scenario() -> None:
        async with at_work(kafka, HeldStore()) as bench:
            await bench.take(predictions(0, 10))
            bench.store.failures = 2
            await bench.worker.tick()
            assert bench.store.saves == 3
            assert await bench.store.next_offsets() == {PREDICTIONS: 10}
            await bench.revoke()
            await bench.assign()
            bench.store.lost_fetches = 2
            await bench.take(labels(0, 10))
            await bench.revoke()
            assert bench.store.fetches == 3
            assert await bench.store.next_offsets() == {PREDICTIONS: 10, LABELS: 10}
            assert len(bench.source.acked) == 2

    asyncio.run(scenario())


async def a_stale_owner_saves(kafka: str) -> None:
    async with at_work(kafka, HeldStore()) as bench:
        await bench.take(predictions(0, 10))
        bench.store.may_save.clear()
        ticking = asyncio.ensure_future(bench.worker.tick())
        await until(lambda: bench.store.saves == 1)
        bench.put(predictions(10, 20))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bench.revoke(), 0.1)
        bench.put(predictions(20, 30))
        await bench.store.claim(HOME)  # by the next owner
        bench.store.may_save.set()
        await ticking
        await bench.worker.tick()
        assert await bench.store.next_offsets() == {}, "the successor's state was overwritten"
        assert bench.source.acked == []


def test_nothing_is_saved_of_a_partition_that_has_another_owner(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(a_stale_owner_saves(kafka))
    said = [record.message for record in caplog.records if "another owner" in record.message]
    assert said == [f"partition {HOME} has another owner now: what this worker has not saved of it is dropped"]


def test_mutant_without_a_fence_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def save(self: MemoryStore, checkpoint: Checkpoint, owner: bytes) -> None:
        del owner
        await fenced(self, checkpoint, await self.claim(checkpoint.partition))

    fenced = MemoryStore.save
    monkeypatch.setattr(MemoryStore, "save", save)
    with pytest.raises(AssertionError, match="was overwritten"):
        asyncio.run(a_stale_owner_saves(kafka))


def test_a_batch_from_before_a_rebalance_is_left_alone(kafka: str) -> None:
    """It may stand ahead of the checkpoint, and records in between would be taken for processed."""

    async def scenario() -> None:
        async with at_work(kafka, HeldStore()) as bench:
            await bench.take(predictions(0, 10))
            bench.batch(predictions(10, 20))  # lost in the rebalance
            stale = bench.batch(predictions(20, 30))
            await bench.revoke()
            bench.worker.take(*stale)
            assert (await bench.assign())[TP(PREDICTIONS, HOME)] == 10
            stale[0].acked = True  # as the transport does
            bench.worker.take(*stale)
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
            bench.put([*junk, *labels(0, 1), *junk])
            await until(lambda: store.fetches == 1)
            await bench.revoke()
            assert len(bench.source.acked) == 1, "a batch was acked of which a part is not saved"
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
            (snapshot,) = [snapshot async for _, snapshot in store.snapshots(HOME)]
            later = snapshot[:5] + bytes([snapshot[5] + 1]) + snapshot[6:]
            checkpoint = Checkpoint(HOME, (await store.load(HOME)).position or b"", {"m": Saved(later, b"", b"")})
            await store.save(checkpoint, await store.claim(HOME))
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
                await bench.worker.assigned({TP(topic, partition): Log(0, 9, None) for topic in topics})

    asyncio.run(scenario())


def test_the_stored_state_has_an_age_only_while_something_is_unsaved(kafka: str) -> None:
    async def scenario() -> None:
        def age() -> float | None:
            return bench.metrics.registry.get_sample_value("driftline_checkpoint_age_seconds")

        async with at_work(kafka, HeldStore(), interval=1000) as bench:
            await bench.take(predictions(0, 10))
            await bench.worker.tick()  # the first is due at once, and the next in a thousand seconds
            bench.now = 50
            await bench.worker.tick()
            assert age() == 0
            await bench.take(predictions(10, 20))
            bench.now = 60
            await bench.worker.tick()
            assert age() == 10

    asyncio.run(scenario())


# --- Back-pressure


async def a_slow_store_holds_batches_up(kafka: str) -> None:
    junk = [Sent(LABELS, b"m", b"." * 1000)] * 1000
    async with at_work(kafka, HeldStore()) as bench:
        bench.store.may_save.clear()
        taken = 0
        while not bench.source.paused and taken < 20:
            bench.put(junk)
            taken += 1
            await until(lambda: bench.source.paused or bench.worker.is_idle or bench.store.saves)
        bench.store.may_save.set()
        assert taken == 10, "16 MB wait, of records and of the dead letters that they are, and two batches"
        await until(lambda: not bench.source.paused)


def test_a_batch_waits_for_a_slow_store_when_too_much_is_unsaved(kafka: str) -> None:
    asyncio.run(a_slow_store_holds_batches_up(kafka))


def test_mutant_without_a_bound_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsaved, "MOST_BYTES", 10**9)
    with pytest.raises(AssertionError, match="16 MB wait"):
        asyncio.run(a_slow_store_holds_batches_up(kafka))


# --- The event loop


async def longest_gap(kafka: str) -> float:
    """Return for how long 200 models held the loop: in batches of 1,000 records, a checkpoint, and a restart.

    As a share of the longest work that another thread is given, a checkpoint: so it is alike on any machine. Both are
    CPU seconds of their thread, which other processes add nothing to.
    """
    models = [Traffic(name, 100, features=5) for name in islice(names_at_home(), 200)]
    records = [model.prediction(n) for n in range(100) for model in models]
    truths = [model.label(n) for n in range(100) for model in models]
    gaps = []
    work = []
    elsewhere = asyncio.to_thread

    async def watch() -> None:
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            gaps.append(-last + (last := thread_time()))

    def timed(function: Callable[..., object], *arguments: object) -> object:
        began = thread_time()
        try:
            return function(*arguments)
        finally:
            work.append(thread_time() - began)

    async def to_thread(function: Callable[..., object], *arguments: object) -> object:
        return await elsewhere(timed, function, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", to_thread)
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
    return max(gaps) / max(work)


def holds_the_loop(kafka: str, *, attempts: int) -> bool:
    """Tell whether the loop is held in each attempt: what other processes cause is not in each.

    A checkpoint in the loop holds it for all of its work; with one beside it nothing does for a third of that.
    """
    gc.collect()
    gc.freeze()  # as the worker does
    try:
        return all(asyncio.run(longest_gap(kafka)) >= 0.6 for _ in range(attempts))
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
