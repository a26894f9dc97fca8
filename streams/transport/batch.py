"""What an agent is given: consecutive records of one partition."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from faust.types import TP

__all__ = ["BatchLimits", "Record", "RecordBatch", "cut", "sizes_of"]


class Record(Protocol):
    """A record as aiokafka read it: the part of its `ConsumerRecord` that says something."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the epoch; -1 if the record has none."""
    timestamp_type: int
    """0: the producer's time, 1: the broker's."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    serialized_key_size: int
    """Bytes, -1 for no key."""
    serialized_value_size: int
    """Bytes, -1 for no value."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much of a partition an application is given.

    Parameters
    ----------
    records
        At most so many records in a batch.
    size
        At most so many bytes of keys, values and headers in a batch; a larger record comes alone.
    queued
        At most so many batches of a partition wait for the agent; the partition is not fetched meanwhile.

    Examples
    --------
    >>> BatchLimits(records=100)
    BatchLimits(records=100, size=4194304, queued=2)
    """

    records: int = 1000
    size: int = 4 << 20
    queued: int = 2

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could be delivered."""
        if min(self.records, self.size, self.queued) < 1:
            raise ValueError(f"limits must be at least 1: {self}")


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one partition, never empty.

    Offsets rise; they have gaps where the log was compacted or holds transaction markers.

    Parameters
    ----------
    tp
        Topic and partition.
    records
        The records, untouched. A value of None is a tombstone.

    Examples
    --------
    >>> from aiokafka import ConsumerRecord
    >>> def record(offset):
    ...     return ConsumerRecord("t", 0, offset, 0, 0, None, b"v", None, -1, 1, ())
    >>> batch = RecordBatch(TP("t", 0), [record(3), record(7)])
    >>> batch
    <RecordBatch t-0: 2 records, 3 to 7>
    >>> batch.next_offset, [record.value for record in batch]
    (8, [b'v', b'v'])
    """

    tp: TP
    records: Sequence[Record]

    def __repr__(self) -> str:
        """Name the batch in one line: Faust's logs show events, and the records are none of their business."""
        return f"<RecordBatch {self.topic}-{self.partition}: {len(self)} records, {self.first} to {self.last}>"

    @property
    def topic(self) -> str:
        """Topic of every record."""
        return self.tp.topic

    @property
    def partition(self) -> int:
        """Partition of every record."""
        return self.tp.partition

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def last(self) -> int:
        """Offset of the last record."""
        return self.records[-1].offset

    @property
    def next_offset(self) -> int:
        """Where reading goes on after this batch, as a checkpoint or a commit states it."""
        return self.last + 1

    def __len__(self) -> int:
        """Count the records."""
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records."""
        return iter(self.records)


def cut(records: Sequence[Record], limits: BatchLimits) -> Iterator[Sequence[Record]]:
    """Cut `records` into consecutive pieces within `limits`, each as long as it can be.

    Examples
    --------
    >>> from aiokafka import ConsumerRecord
    >>> def record(offset, size):
    ...     return ConsumerRecord("t", 0, offset, 0, 0, None, b"." * size, None, -1, size, ())
    >>> pieces = cut([record(0, 30), record(1, 30), record(2, 500), record(3, 30)], BatchLimits(records=10, size=64))
    >>> [[record.offset for record in piece] for piece in pieces]
    [[0, 1], [2], [3]]
    """
    sizes = sizes_of(records)
    if len(records) <= limits.records and sum(sizes) <= limits.size:  # as nearly always
        yield records
        return
    start, size = 0, sizes[0]
    for end, more in islice(enumerate(sizes), 1, None):
        size += more
        if size > limits.size or end - start == limits.records:
            yield records[start:end]
            start, size = end, more
    yield records[start:]


def sizes_of(records: Iterable[Record]) -> list[int]:
    """Return the bytes of key, value and headers of each."""
    # A missing key or value has size -1, which costs less to count than to ask about.
    return [
        record.serialized_key_size + record.serialized_value_size + (_size_of(record.headers) if record.headers else 0)
        for record in records
    ]


def _size_of(headers: Iterable[tuple[str, bytes]]) -> int:
    return sum(len(name) + len(value or b"") for name, value in headers)
