"""Logs that only a real Kafka makes: compacted, with aborted transactions, and with their beginning deleted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from faust.types import TP

from driftline.streams.transport import BatchLimits
from driftline.streams.transport.consumer import BatchConsumer
from driftline.streams.transport.fetching import FetchingThread
from tests.conditions import eventually
from tests.transport_harness import (
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


def offsets_left(broker: str, topic: str) -> list[int]:
    """Read which offsets are left of a log."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "reader", "enable.auto.commit": False})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    consumer.assign([TopicPartition(topic, 0, 0)])
    offsets: list[int] = []

    def all_read() -> bool:
        offsets.extend(message.offset() or 0 for message in consumer.consume(1000, 0.2) if message.error() is None)
        return offsets[-1:] == [end - 1]

    eventually(all_read)
    consumer.close()
    return offsets


def test_gaps_of_a_compacted_log_hold_no_commit(kafka: str) -> None:
    config = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    topic = new_topic(kafka, partitions=1, config=config)
    # Of ten keys, each the last of a hundred stays. A later record closes their segment: open ones are not compacted.
    for key in range(10):
        produce(kafka, topic, {0: numbers(100)}, key=str(key), timestamp=1_700_000_000_000)
    produce(kafka, topic, {0: [b"later"]}, key="later", timestamp=1_700_000_100_000)
    eventually(lambda: len(offsets_left(kafka, topic)) < 100, seconds=60)  # the cleaner looks every 15 s
    left = offsets_left(kafka, topic)
    worker = Worker(kafka, topic, [topic], limits=BatchLimits(records=3))

    async def read() -> None:
        async with running(worker):
            await until(lambda: len(worker.values) >= len(left))
            worker.app.ack([worker.unsaved[0].message])
            await worker.app.commit_acked()
            first = worker.batches[0]
            assert committed(kafka, topic, topic, 1) == {0: first.next_offset}

    asyncio.run(read())
    assert [record.offset for batch in worker.batches for record in batch] == left
    assert committed(kafka, topic, topic, 1) == {0: 1001}


async def reads_between_transactions(kafka: str) -> None:
    topic = new_topic(kafka, partitions=1)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(20)
    for start in range(0, 100, 10):
        producer.begin_transaction()
        for value in numbers(10, start):
            producer.produce(topic, value)
        assert producer.flush(20) == 0  # an abort drops what was not sent
        if start % 20:
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)
    wanted = [value for start in range(0, 100, 20) for value in numbers(10, start)]
    worker = Worker(kafka, topic, [topic], limits=BatchLimits(records=4))
    async with running(worker):
        await until(lambda: len(worker.values) >= len(wanted))
        worker.save()
        await worker.app.commit_acked()
        assert worker.values == wanted
        # The last record that counts is the tenth of the ninth transaction; each ends in a marker of one offset.
        assert committed(kafka, topic, topic, 1) == {0: 8 * 11 + 10}
        await until(lambda: worker.app.lag(TP(topic, 0)) == 0)


def test_aborted_records_are_not_delivered_and_hold_no_commit(kafka: str) -> None:
    asyncio.run(reads_between_transactions(kafka))


def test_mutant_with_fausts_isolation_delivers_aborted_records(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FetchingThread, "_create_worker_consumer")
    assert finds_a_fault(reads_between_transactions, kafka)


def delete_before(kafka: str, topic: str, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        future.result(20)


@asynccontextmanager
async def reading(kafka: str, topic: str, position: int) -> AsyncIterator[Worker]:
    worker = Worker(kafka, topic, [topic], store=Store({TP(topic, 0): position}), limits=TENS)
    async with running(worker):
        yield worker


def test_a_checkpoint_below_the_log_begins_at_its_start_and_says_so(
    kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = new_topic(kafka, partitions=1)
    produce(kafka, topic, {0: numbers(100)})
    delete_before(kafka, topic, 60)

    async def read() -> None:
        async with reading(kafka, topic, 20) as worker:
            await until(lambda: len(worker.values) >= 40)
            assert worker.values == numbers(40, 60)

    asyncio.run(read())
    assert f"offset 20 of TP(topic='{topic}', partition=0) is not in its log, which holds 60 to 100" in caplog.text


async def retention_overtakes(kafka: str) -> None:
    topic = new_topic(kafka, partitions=1)
    produce(kafka, topic, {0: numbers(10)})
    store = Store({TP(topic, 0): 0})
    worker = Worker(kafka, topic, [topic], store=store, limits=TENS)
    async with running(worker):
        await until(lambda: len(worker.values) == 10)
        worker.app.pause(TP(topic, 0))
        # More than aiokafka may have fetched before it was told to pause.
        produce(kafka, topic, {0: [value + b"." * 20_000 for value in numbers(290, 10)]})
        delete_before(kafka, topic, 260)
        worker.app.resume(TP(topic, 0))
        await until(lambda: worker.batches[-1].next_offset == 300)
        assert worker.calls == ["assigned", "revoked", "assigned"], "the listener was not told"
        assert worker.logs[TP(topic, 0)].start == 260
        offsets = [record.offset for batch in worker.batches for record in batch]
        last = max(offset for offset in offsets if offset < 260)
        assert offsets == [*range(last + 1), *range(260, 300)]
    assert store.positions == {TP(topic, 0): 300}
    assert committed(kafka, topic, topic, 1) == {0: 300}


def test_a_listener_that_retention_overtakes_takes_its_partitions_over_anew(kafka: str) -> None:
    asyncio.run(retention_overtakes(kafka))


def test_mutant_that_goes_on_without_a_word_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(BatchConsumer, "_is_overtaken", never)
    assert finds_a_fault(retention_overtakes, kafka)
