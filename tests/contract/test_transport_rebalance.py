"""Partitions that come and go, and agents that fall behind: the batch transport, with its mutants.

What takes two members of a group runs on the real Kafka alone: the embedded broker often refuses the second with an
"invalid request", and refuses commits during a rebalance.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer
from faust.transport.consumer import ConsumerThread
from faust.types import TP, StreamT

from driftline.streams.transport import BatchLimits, Log, deliveries
from driftline.streams.transport.consumer import BatchConsumer
from driftline.streams.transport.fetching import FetchingThread
from driftline.streams.transport.ledger import Ledger
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


def assert_each_once(store: Store, topic: str, count: int) -> None:
    expected = {(TP(topic, partition), value) for partition in range(PARTITIONS) for value in numbers(count)}
    seen = Counter(store.counted)
    assert seen.keys() == expected
    assert set(seen.values()) == {1}


async def a_worker_joins_and_leaves(broker: str) -> None:
    topic = new_topic(broker)
    store = Store()
    # No save at a revocation: what was not saved is lost with the partitions, and has to be read again. And no ack, so
    # that Kafka knows of no offsets and the checkpoints alone say where to read on.
    first, second = (
        Worker(broker, topic, [topic], store=store, limits=TENS, saves_when_revoked=False) for _ in range(2)
    )
    first.acks = second.acks = False
    written = 0
    may_end = asyncio.Event()

    async def writing() -> None:
        nonlocal written
        while not may_end.is_set():
            values = {partition: numbers(10, written) for partition in range(PARTITIONS)}
            await asyncio.to_thread(produce, broker, topic, values)
            written += 10

    async def saving() -> None:
        while True:
            await asyncio.sleep(0.005)
            first.save()
            second.save()

    def both_go_on() -> bool:
        return first.batches[-1].last >= since and bool(second.batches) and second.batches[-1].last >= since

    writer, timer = asyncio.create_task(writing()), asyncio.create_task(saving())
    async with running(first):
        await until(lambda: first.batches)
        async with running(second):
            await until(lambda: second.batches)
            since = written
            await until(both_go_on)
        since = written
        await until(
            lambda: {batch.partition for batch in first.batches if batch.first >= since} == set(range(PARTITIONS))
        )
        may_end.set()
        await writer
        await until(lambda: sum(store.positions.values()) >= PARTITIONS * written)
    timer.cancel()
    assert second.calls == ["assigned", "revoked"]
    assert_each_once(store, topic, written)


def test_each_record_is_counted_once_while_a_worker_joins_and_leaves(kafka: str) -> None:
    asyncio.run(a_worker_joins_and_leaves(kafka))


def test_mutant_without_the_seek_counts_again(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwningConsumer, "_seek_within", rest)
    assert finds_a_fault(a_worker_joins_and_leaves, kafka)


async def records_come_right_after_a_rebalance(broker: str) -> None:
    topic = new_topic(broker)
    first, second = (Worker(broker, topic, [topic]) for _ in range(2))
    async with running(first):
        await until(lambda: first.app.lag(TP(topic, 0)) == 0)
        async with running(second):
            # A fetch of the first worker that found nothing may last through all of it.
            await until(lambda: first.calls == ["assigned", "revoked", "assigned"])
            await asyncio.to_thread(produce, broker, topic, {partition: numbers(10) for partition in range(PARTITIONS)})
            await until(lambda: len(first.values) + len(second.values) == 10 * PARTITIONS, seconds=5.0)


def test_records_that_come_right_after_a_rebalance_are_delivered(kafka: str) -> None:
    asyncio.run(records_come_right_after_a_rebalance(kafka))


def test_mutant_that_lets_a_fetch_last_through_a_rebalance_loses_what_it_brings(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def logs(self: BatchConsumer, assigned: Iterable[TP]) -> dict[TP, Log]:
        self._end_offsets = dict.fromkeys(assigned, 0)
        return dict.fromkeys(assigned, Log(0, 0, None))

    fetches_last(monkeypatch)
    asyncio.run(records_come_right_after_a_rebalance(kafka))
    monkeypatch.setattr(BatchConsumer, "_wait_until_idle", rest)
    monkeypatch.setattr(BatchConsumer, "_logs", logs)  # to ask for them waits for the fetch too
    # The first worker may hear of the second just as a fetch ends.
    assert any(finds_a_fault(records_come_right_after_a_rebalance, kafka) for _ in range(4))


def fetches_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fetch that finds nothing last for longer than a rebalance, and for less than is waited for its records."""
    getmany = BatchConsumer.getmany
    monkeypatch.setattr(BatchConsumer, "getmany", lambda self, timeout: getmany(self, 4 * timeout))


async def a_leaver_commits_first(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
    # Both go by Kafka's offsets alone, and commit nothing but what is acked at the revocation.
    first, second = (Worker(broker, topic, [topic], limits=TENS, broker_commit_interval=60.0) for _ in range(2))
    async with running(first):
        await until(lambda: len(first.values) >= 400)
        async with running(second):
            await until(lambda: second.calls and first.calls == ["assigned", "revoked", "assigned"])
            assert committed(broker, topic, topic) == dict.fromkeys(range(PARTITIONS), 100)
            produce(broker, topic, {partition: numbers(1, 100) for partition in range(PARTITIONS)})
            await until(lambda: len(first.values) + len(second.values) >= 404)
    assert Counter(first.values + second.values) == Counter(numbers(101) * PARTITIONS)


def test_what_is_acked_at_a_revocation_is_committed_before_the_next_owner_reads(kafka: str) -> None:
    asyncio.run(a_leaver_commits_first(kafka))


def test_mutant_without_the_hand_over_lets_the_next_owner_read_again(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwningConsumer, "commit_and_end_transactions", rest)
    assert finds_a_fault(a_leaver_commits_first, kafka)


async def late_acks_come_to_nothing(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
    first, second = (Worker(broker, topic, [topic], limits=TENS, saves_when_revoked=False) for _ in range(2))
    second.may_work.clear()
    async with running(first):
        await until(lambda: len(first.values) >= 400)
        late = [delivery.message for delivery in first.unsaved]
        first.may_work.clear()
        async with running(second):
            await until(lambda: second.calls and first.calls == ["assigned", "revoked", "assigned"])
            # Of half of the partitions the worker is the owner again, and has been given the same offsets again.
            await until(lambda: all(first.app.lag(tp) != 100 for tp in first.app.consumer.assignment()))
            assert first.app.ack(late) == 0
            assert second.app.ack(late) == 0
            await first.app.commit_acked()
            await second.app.commit_acked()
            assert committed(broker, topic, topic) == {}


def test_an_ack_of_a_batch_from_before_a_rebalance_comes_to_nothing(kafka: str) -> None:
    asyncio.run(late_acks_come_to_nothing(kafka))


def test_mutant_that_forgets_nothing_counts_late_acks(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "forget", lambda *_: None)
    assert finds_a_fault(late_acks_come_to_nothing, kafka)


async def topics_stay_together(broker: str) -> None:
    topics = [new_topic(broker), new_topic(broker)]
    workers = [Worker(broker, topics[0], topics) for _ in range(3)]
    async with running(*workers):

        def owned() -> list[set[TP]]:
            return [set(worker.app.consumer.assignment()) for worker in workers]

        await until(lambda: len({worker.app.consumer_generation_id for worker in workers}) == 1)
        await until(lambda: sum(map(len, owned())) == 2 * PARTITIONS)
        for tps in owned():
            first, second = ({tp.partition for tp in tps if tp.topic == topic} for topic in topics)
            assert first == second


def test_equal_partitions_of_two_topics_have_the_same_owner(kafka: str) -> None:
    asyncio.run(topics_stay_together(kafka))


async def an_idle_worker_takes_over(broker: str) -> None:
    topic = new_topic(broker)
    produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
    store = Store(dict.fromkeys((TP(topic, partition) for partition in range(PARTITIONS)), 50))
    # Of four partitions, Faust's assignor gives two to each of two workers, and a third gets none.
    workers = [Worker(broker, topic, [topic], store=store, saves_when_revoked=False) for _ in range(3)]
    async with running(*workers):
        await until(lambda: len({worker.app.consumer_generation_id for worker in workers}) == 1)
        await until(lambda: sum(bool(worker.app.consumer.assignment()) for worker in workers) == 2)
        [idle] = [worker for worker in workers if not worker.app.consumer.assignment()]
        busy = next(worker for worker in workers if worker is not idle)
        # Without a listener's answer, nothing may come.
        idle.may_begin.clear()
        await busy.app.stop()
        await until(lambda: idle.calls)
        await until(lambda: sum(len(worker.app.consumer.assignment()) for worker in workers if worker is not busy) == 4)
        idle.may_begin.set()
        await until(lambda: idle.batches)
        assert min(batch.first for batch in idle.batches) == 50


def test_a_worker_without_partitions_takes_over_at_the_checkpoint(kafka: str) -> None:
    asyncio.run(an_idle_worker_takes_over(kafka))


def test_mutant_that_fetches_at_once_takes_over_from_the_start(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchingThread, "on_partitions_assigned", ConsumerThread.on_partitions_assigned)
    assert finds_a_fault(an_idle_worker_takes_over, kafka)


async def a_worker_thrown_out_comes_back(broker: str) -> None:
    topic = new_topic(broker)
    worker = Worker(broker, topic, [topic], limits=TENS, broker_max_poll_interval=1.5)
    worker.may_work.clear()
    async with running(worker):
        produce(broker, topic, {partition: numbers(100) for partition in range(PARTITIONS)})
        # Nothing is fetched for an agent that hangs, and a consumer that does not fetch is thrown out.
        await until(lambda: worker.calls[:3] == ["assigned", "revoked", "assigned"], seconds=7.0)
        worker.may_work.set()
        await until(lambda: set(range(PARTITIONS)) == {batch.partition for batch in worker.batches if batch.last == 99})


def test_a_worker_that_was_thrown_out_comes_back(kafka: str) -> None:
    asyncio.run(a_worker_thrown_out_comes_back(kafka))


def test_mutant_that_does_not_poll_never_comes_back(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchingThread, "keep_membership", rest)
    assert finds_a_fault(a_worker_thrown_out_comes_back, kafka)


async def a_refused_worker_tries_again(caplog: pytest.LogCaptureFixture, kafka: str) -> None:
    topic = new_topic(kafka)
    produce(kafka, topic, {0: numbers(100)})
    # A member with another way to share partitions keeps ours out of the group.
    other = Consumer({"bootstrap.servers": kafka, "group.id": topic, "log_level": 0})
    other.subscribe([topic])
    await until(lambda: other.poll(0.1) is None and other.assignment())
    worker = Worker(kafka, topic, [topic])
    starting = asyncio.create_task(worker.app.start())  # which waits for its partitions
    try:
        await until(lambda: "Attempt to join group failed" in caplog.text)
        other.close()
        await until(lambda: len(worker.values) == 100, seconds=6.0)
    finally:
        await worker.app.stop()
        await starting


def test_a_worker_that_was_refused_by_its_group_tries_again(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(a_refused_worker_tries_again(caplog, kafka))


def test_mutant_that_does_not_look_for_errors_stands_still(
    kafka: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(FetchingThread, "report_group_errors", rest)
    assert finds_a_fault(partial(a_refused_worker_tries_again, caplog), kafka)


async def rest(*_: object) -> None:
    """Stand in for a method that does something."""


# Agents that fall behind


async def a_slow_agent_holds_a_bounded_amount(broker: str) -> None:
    slow, fast = new_topic(broker), new_topic(broker)
    for topic in (slow, fast):
        produce(broker, topic, {partition: numbers(1000) for partition in range(PARTITIONS)})
    worker = Worker(broker, slow, [fast], limits=TENS)
    held: set[TP] = set()
    may_work = asyncio.Event()

    async def work_slowly(stream: StreamT[Any]) -> None:
        async for batch, _ in deliveries(stream):
            held.add(batch.tp)
            await may_work.wait()

    worker.app.agent(worker.app.topic(slow), name="slow")(work_slowly)
    async with running(worker):
        await until(lambda: len(worker.values) == PARTITIONS * 1000)
        # The agent holds one batch, and two of each partition wait for it.
        delivered = sum(1000 - (worker.app.lag(TP(slow, partition)) or 0) for partition in range(PARTITIONS))
        assert delivered == 10 * (1 + 2 * PARTITIONS)
        may_work.set()
        await until(lambda: len(held) == PARTITIONS)
        await until(lambda: not any(worker.app.lag(TP(slow, partition)) for partition in range(PARTITIONS)))


def test_a_slow_agent_holds_a_bounded_amount_and_stops_no_other(broker: str) -> None:
    asyncio.run(a_slow_agent_holds_a_bounded_amount(broker))


def test_mutant_without_a_bound_reads_on(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "full", lambda _: set())
    assert finds_a_fault(a_slow_agent_holds_a_bounded_amount, kafka)


async def a_paused_partition_rests(broker: str) -> None:
    topic = new_topic(broker)
    worker = Worker(broker, topic, [topic], limits=TENS)
    paused, other = TP(topic, 0), TP(topic, 1)
    produce(broker, topic, {1: numbers(1)})
    async with running(worker):
        await until(lambda: worker.of_partition(1) and worker.app.lag(paused) == 0)
        thread: Any = worker.app.consumer._thread  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public tells
        await until(lambda: thread._waiter is not None)  # noqa: SLF001 - a fetch of both waits for records
        worker.app.pause(paused)
        worker.app.pause(paused)
        produce(broker, topic, {0: numbers(200)})  # first, so that a fetch of both would return with them
        produce(broker, topic, {1: numbers(200, 1)})
        await until(lambda: len(worker.of_partition(1)) == 201)
        assert worker.of_partition(0) == []
        worker.app.resume(paused)
        await until(lambda: worker.of_partition(0) == numbers(200))
        for tp in (paused, other):
            assert worker.app.lag(tp) == 0


def test_a_paused_partition_rests_until_it_is_resumed(broker: str) -> None:
    asyncio.run(a_paused_partition_rests(broker))


def test_mutant_that_wakes_no_fetch_resumes_late(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchingThread, "wake", lambda _: None)
    # The broker may happen to end the fetch of both between the pause and the records; hardly three times.
    assert any(finds_a_fault(a_paused_partition_rests, kafka) for _ in range(3))


async def a_pause_of_everything_keeps_the_membership(broker: str) -> None:
    topic = new_topic(broker)
    # aiokafka leaves the group when it is not polled for so long. In a pause two waits of 1 s may lie between polls.
    worker = Worker(broker, topic, [topic], broker_max_poll_interval=2.5)
    async with running(worker):
        await until(lambda: worker.calls)
        for tp in worker.app.consumer.assignment():
            worker.app.pause(tp)
        produce(broker, topic, {0: numbers(10)})
        began = time.monotonic()
        await until(lambda: time.monotonic() - began > 5.0)
        assert worker.calls == ["assigned"]
        assert worker.values == []
        worker.app.resume(TP(topic, 0))
        await until(lambda: len(worker.values) == 10)
    assert worker.calls == ["assigned", "revoked"]


def test_a_pause_of_everything_keeps_the_membership(kafka: str) -> None:
    asyncio.run(a_pause_of_everything_keeps_the_membership(kafka))


def test_mutant_that_does_not_poll_in_a_pause_loses_the_membership(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchingThread, "keep_membership", rest)
    assert finds_a_fault(a_pause_of_everything_keeps_the_membership, kafka)
