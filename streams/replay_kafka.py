"""What replays read from Kafka: the records of a partition, in order, as a consumer that is in no group."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from driftline.models.record import FileRecord
from driftline.streams.replay_files import ReplayError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    from driftline.client.brokers import Brokers

SECONDS: Final = 10.0
"""How long a broker is waited for."""

_SLICE_SECONDS: Final = 0.1
_AT_ONCE: Final = 1000


def consumer_of(brokers: Brokers) -> Consumer:
    """Return a consumer that commits nothing; it reads what is committed, as the worker does, and is told of ends."""
    own = {
        "group.id": "driftline-none",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
    return Consumer(brokers.properties(own))


@contextmanager
def asking(brokers: Brokers) -> Iterator[Consumer]:
    """Give a consumer to ask brokers with; one that does not answer, or refuses, is an `UnavailableError`."""
    consumer = consumer_of(brokers)
    try:
        yield consumer
    except KafkaException as error:
        consumer.poll(0)  # lets the reason in
        raise brokers.unavailable(error=error.args[0]) from None
    finally:
        consumer.close()


def partitions_of(brokers: Brokers) -> dict[str, int]:
    """Return how many partitions each topic has."""
    with asking(brokers) as consumer:
        topics = consumer.list_topics(timeout=SECONDS).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}


class Reader:
    """The records of one partition of a topic, in order from an offset on.

    It reads ahead no more than librdkafka does for one consumer, which is 64 MB.
    """

    def __init__(self, brokers: Brokers, start: TopicPartition) -> None:
        self._brokers = brokers
        self._start = start
        self._next = start.offset  # all before it has come
        self._ahead: deque[FileRecord] = deque()
        self._consumer = consumer_of(brokers)
        self._consumer.assign([start])

    def take(self, count: int) -> list[FileRecord]:
        """Return the next records.

        Raises
        ------
        UnavailableError
            If they do not come.
        ReplayError
            If they are not in Kafka any more.

        """
        while len(self._ahead) < count:
            self._wait(_AT_ONCE)
        return [self._ahead.popleft() for _ in range(count)]

    def until(self, end: int) -> Iterator[FileRecord]:
        """Yield the records before an offset that the log has reached. Raises the same.

        Not each offset has a record: some are of transactions. So it is the place in the log that tells the end.
        """
        while True:
            while self._ahead:
                record = self._ahead.popleft()
                if record.offset >= end:
                    return
                yield record
            if self._next >= end:
                return
            self._wait(min(_AT_ONCE, end - self._next))

    def _wait(self, most: int) -> None:
        """Wait for something to come: for as many records as that, or for what there is after a moment."""
        deadline = time.monotonic() + SECONDS
        while not (messages := self._consumer.consume(most, timeout=_SLICE_SECONDS)):
            if time.monotonic() >= deadline:
                raise self._brokers.unavailable(f"no further record of {self._start.topic} came")
        for message in messages:
            self._accept(message)

    def _accept(self, message: Message) -> None:
        topic, partition, offset = self._start.topic, self._start.partition, message.offset()
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            where = f"{topic}, partition {partition}"
            if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its public name
                raise ReplayError(f"the records of {where} from {self._next} on are not in Kafka any more")
            raise self._brokers.unavailable(f"{where} cannot be read", error)
        assert offset is not None  # noqa: S101 - of a record or the end of the log, which this is
        if error is not None:
            self._next = offset
            return
        self._next = offset + 1
        timestamp, key, headers = message.timestamp()[1], message.key(), message.headers() or ()
        # Headers are typed as what one may send, not as what comes.
        record = FileRecord(topic, offset, message.value(), partition, timestamp, key, tuple(headers))  # type: ignore[arg-type]
        self._ahead.append(record)

    def close(self) -> None:
        """End the consumer."""
        self._consumer.close()
