"""The batch transport on the embedded broker and on a real Kafka.

Each guarantee is a scenario. Where a protection of ours makes it true, a mutant takes the protection away and shows
that the scenario then fails; on the real Kafka alone, which is the faster.
"""

import asyncio

import pytest
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.consumer import ConsumerThread
from faust.types import TP

from driftline.streams.transport import BatchLimits
from driftline.streams.transport.consumer import BatchConsumer
from driftline.streams.transport.fetching import FetchingThread
from driftline.streams.transport.ownership import OwningConsumer
from tests.transport_harness import (
    PARTITIONS,
    Store,
    Worker,
    committed,
    finds_a_fault,
    new_topic,
    numbers,
    produce,
    running,
    until,
)

TENS = BatchLimits(records=10)


# What is delivered


async def delivers_each_record_once(broker: str) -> None:
    topic = new_topic(broker)
    written = {partition: [*numbers(2500), None, b""] for partition in range(PARTITIONS)}
    produce(broker, topic, written, key=b"k", headers=[("h", b"1"), ("h", None)], timestamp=1_700_000_000_123)
    worker = Worker(broker, topic, [topic])
    async with running(worker):
        await until(lambda: len(worker.values) >= PARTITIONS * 2502)
        for partition, values in written.items():
            assert worker.of_partition(partition) == values
            assert worker.app.lag(TP(topic, partition)) == 0
    for batch in worker.batches:
        assert [record.offset for record in batch] == list(range(batch.first, batch.next_offset))
        assert batch.topic == topic
        for record in batch:
            assert (record.key, record.timestamp, record.timestamp_type) == (b"k", 1_700_000_000_123, 0)
            assert record.headers == (("h", b"1"), ("h", None))
    assert max(map(len, worker.batches)) == 1000


def test_each_record_comes_once_in_order_as_it_was_written(broker: str) -> None:
    asyncio.run(delivers_each_record_once(broker))


async def cuts_batches(broker: str) -> None:
    topic = new_topic(broker)
    large = b"x" * 500_000  # by itself more than a batch, and than a fetch, may hold
    written = [*numbers(25), large, large, *[b"y" * 400] * 4, *numbers(3)]
    produce(broker, topic, {0: written})
    worker = Worker(broker, topic, [topic], limits=BatchLimits(records=10, size=1000), consumer_max_fetch_size=100_000)
    async with running(worker):
        await until(lambda: len(worker.values) >= len(written))
    assert worker.of_partition(0) == written
    for batch in worker.batches:
        assert len(batch) <= 10
        assert len(batch) == 1 or sum(len(record.value or b"") for record in batch) <= 1000


def test_a_batch_keeps_to_its_limits_and_a_large_record_comes_alone(broker: str) -> None:
    asyncio.run(cuts_batches(broker))


# What is committed


async def commits_up_to_the_first_hole(broker: str, limits: BatchLimits = TENS) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {0: numbers(5 * limits.records)})
    worker = Worker(broker, topic, [topic], saves_when_revoked=False, limits=limits)
    async with running(worker):
        await until(lambda: len(worker.values) >= 5 * limits.records)
        hole = worker.unsaved.pop(1)
        assert worker.save() == len(worker.batches) - 1 >= 4
        await worker.app.commit_acked()
        await worker.app.commit_acked()  # Faust errs when it looks again
        assert committed(broker, topic, topic) == {0: hole.batch.first}
        assert worker.app.ack([hole.message, hole.message]) == 1
        await worker.app.commit_acked()
        assert committed(broker, topic, topic) == {0: 5 * limits.records}


async def commits_single_records_up_to_the_first_hole(broker: str) -> None:
    await commits_up_to_the_first_hole(broker, BatchLimits(records=1))


def test_an_unacked_batch_holds_the_commit_until_it_is_acked(broker: str) -> None:
    asyncio.run(commits_up_to_the_first_hole(broker))
    asyncio.run(commits_single_records_up_to_the_first_hole(broker))


def test_mutant_faust_commits_past_a_record_that_was_not_acked(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchConsumer, "_new_offset", FaustConsumer._new_offset)  # noqa: SLF001 (the mutant)
    assert finds_a_fault(commits_single_records_up_to_the_first_hole, kafka)


async def acks_from_a_timer_are_committed(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {0: numbers(100)})
    worker = Worker(broker, topic, [topic], saves_when_revoked=False, limits=TENS)
    async with running(worker):
        await until(lambda: len(worker.values) >= 100)
        worker.app.loop.call_later(0.01, worker.save)
        await until(lambda: committed(broker, topic, topic) == {0: 100})


def test_an_ack_from_a_timer_is_committed_without_being_asked_for(broker: str) -> None:
    asyncio.run(acks_from_a_timer_are_committed(broker))


async def restart_reads_what_was_not_acked(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
    first = Worker(broker, topic, [topic], saves_when_revoked=False, limits=TENS)
    async with running(first):
        await until(lambda: len(first.values) >= 400)
        # What is kept until a checkpoint keeps no records.
        await until(lambda: all(message.value is None for _, message in first.unsaved))
        first.app.ack(message for batch, message in first.unsaved if batch.next_offset <= 70)
    second = Worker(broker, topic, [topic], limits=TENS)
    async with running(second):
        await until(lambda: len(second.values) >= 120)
        for partition in range(PARTITIONS):
            assert second.of_partition(partition) == numbers(30, 70)


def test_a_restart_reads_exactly_what_was_not_acked(broker: str) -> None:
    asyncio.run(restart_reads_what_was_not_acked(broker))


async def stop_saves_and_commits(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {0: numbers(100)})
    worker = Worker(broker, topic, [topic], broker_commit_interval=60.0)
    async with running(worker):
        await until(lambda: len(worker.values) >= 100)
        assert committed(broker, topic, topic) == {}
    assert worker.calls == ["assigned", "revoked"]
    assert committed(broker, topic, topic) == {0: 100}


def test_a_graceful_stop_saves_and_commits(broker: str) -> None:
    asyncio.run(stop_saves_and_commits(broker))


# Where reading begins


async def reads_from_the_checkpoint(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
    first = Worker(broker, topic, [topic], limits=TENS)
    async with running(first):
        await until(lambda: len(first.values) >= 400)
    assert committed(broker, topic, topic) == dict.fromkeys(range(PARTITIONS), 100)
    # A checkpoint below the committed offset, one at the start, one beyond what Kafka knows of, and none.
    produce(broker, topic, {partition: numbers(10, 100) for partition in range(PARTITIONS)})
    store = Store({TP(topic, 0): 33, TP(topic, 1): 0, TP(topic, 2): 105})
    second = Worker(broker, topic, [topic], store=store, limits=TENS)
    async with running(second):
        await until(lambda: len({batch.partition for batch in second.batches}) == PARTITIONS)
        firsts = [second.of_partition(partition)[0] for partition in range(PARTITIONS)]
        assert firsts == [b"33", b"0", b"105", b"100"]
        await until(lambda: len(second.values) >= 77 + 110 + 5 + 10)
    assert sorted(value for _, value in store.counted) == sorted(
        [*numbers(77, 33), *numbers(110), *numbers(5, 105), *numbers(10, 100)]
    )


def test_a_checkpoint_wins_over_the_committed_offset(broker: str) -> None:
    asyncio.run(reads_from_the_checkpoint(broker))


def test_mutant_without_the_seek_reads_from_the_committed_offset(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_seek(*_: object) -> None: ...

    monkeypatch.setattr(OwningConsumer, "_seek_within", no_seek)
    assert finds_a_fault(reads_from_the_checkpoint, kafka)


async def waits_for_the_listener(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {0: numbers(100)})
    worker = Worker(broker, topic, [topic], store=Store({TP(topic, 0): 50}))
    worker.may_begin.clear()
    async with running(worker):
        await until(lambda: worker.calls == ["assigned"])
        # Another worker shows how long a delivery takes.
        idle = Worker(broker, f"{topic}-other", [topic])
        async with running(idle):
            await until(lambda: len(idle.values) == 100)
        assert worker.values == []
        worker.may_begin.set()
        await until(lambda: len(worker.values) >= 50)
    assert worker.of_partition(0) == numbers(50, 50)
    assert worker.calls == ["assigned", "revoked"]


def test_nothing_is_delivered_before_the_listener_has_answered(broker: str) -> None:
    asyncio.run(waits_for_the_listener(broker))


def test_mutant_that_fetches_at_once_delivers_before_the_listener_has_answered(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FetchingThread, "on_partitions_assigned", ConsumerThread.on_partitions_assigned)
    assert finds_a_fault(waits_for_the_listener, kafka)


async def a_checkpoint_outside_the_log(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
    worker = Worker(broker, topic, [topic], store=Store({TP(topic, 0): 101, TP(topic, 1): 100}))
    async with running(worker):
        await until(lambda: len(worker.values) >= 300)
        assert worker.of_partition(0) == numbers(100)
        assert worker.of_partition(1) == []
        assert worker.app.lag(TP(topic, 1)) == 0
        produce(broker, topic, {1: [b"more"]})
        await until(lambda: worker.of_partition(1) == [b"more"])


def test_a_checkpoint_beyond_the_log_begins_at_its_start_and_says_so(
    broker: str, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(a_checkpoint_outside_the_log(broker))
    assert [record.message for record in caplog.records if "is not in its log" in record.message] == [
        record.message
        for record in caplog.records
        if "offset 101 of" in record.message and "0 to 100" in record.message
    ]
