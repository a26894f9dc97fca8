"""One record on its way through the core: what Kafka delivered, and what it turned out to be.

A record that holds a batch becomes as many of these as it has rows, which share what Kafka delivered.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from driftline.models.batch.batch import Batch, RefusedRow
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.batches import is_arrow
from driftline.schemas.dead_letter import DeadLetter
from driftline.schemas.events import Label, Prediction, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from driftline.schemas.errors import Reason


class RawRecord(Protocol):
    """A record as a consumer delivers it; aiokafka's ``ConsumerRecord`` is one."""

    @property
    def topic(self) -> str:
        """The topic that it stood in."""

    @property
    def partition(self) -> int:
        """The partition of that topic."""

    @property
    def offset(self) -> int:
        """Its offset in that partition."""

    @property
    def timestamp(self) -> int | None:
        """The broker's time in epoch milliseconds; None where there is no broker."""

    @property
    def key(self) -> bytes | None:
        """Its key as it came."""

    @property
    def value(self) -> bytes | None:
        """Its value as it came."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its headers as they came."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A line of a file of events in the shape of a Kafka record; the line's number is the offset."""

    topic: str
    offset: int
    value: bytes | None
    partition: int = 0
    timestamp: int | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that cannot be used, why, and whose it seems to be.

    `model_id` is what its bytes or its key claim; only models that are already known are charged for it. `value` is of
    a row of a batch: the event that it would have been in a record of its own, as JSON.
    """

    reason: Reason
    detail: str
    model_id: str | None
    value: bytes | None = None


class Record(Struct, frozen=True, gc=False):
    """A record and what was read from it; or a row of a batch, `row` from 0, None if it is none."""

    raw: RawRecord
    event: Prediction | WirePrediction | Label | WireLabel | Refusal
    row: int | None = None
    is_last: bool = True
    """Whether the record is at its end with it."""

    @property
    def identity(self) -> str:
        """Return topic-partition-offset, and the row of a batch."""
        where = f"{self.raw.topic}-{self.raw.partition}-{self.raw.offset}"
        return where if self.row is None else f"{where}-{self.row}"

    def records(self) -> Sequence[Record]:
        """Return it, as `BatchRecord` does with its rows."""
        return (self,)

    def refused(self, reason: Reason, detail: str) -> Record:
        """Return it as one that cannot be used and is charged to nobody."""
        event, value = self.event, None
        if self.row is not None and not isinstance(event, Refusal):
            value = encode(event if isinstance(event, Prediction | Label) else event.event())
        return Record(self.raw, Refusal(reason, detail, None, value), self.row, self.is_last)

    def dead_letter(self, refusal: Refusal) -> DeadLetter:
        """Return the record whole, or the row of a batch by itself, with the reason."""
        raw = self.raw
        value, headers = raw.value, tuple(raw.headers)
        if self.row is not None:
            value, headers = refusal.value, tuple(header for header in headers if not is_arrow([header]))
        return DeadLetter(
            refusal.reason,
            refusal.detail,
            raw.topic,
            raw.partition,
            raw.offset,
            raw.timestamp or 0,
            raw.key,
            value,
            headers,
            self.row,
        )


class BatchRow(Struct, frozen=True, gc=False):
    """A row of a batch that is good, and has not been read by itself: which good one, and which of all."""

    raw: RawRecord
    batch: Batch
    at: int
    row: int
    is_last: bool

    def record(self) -> Record:
        """Return it read."""
        return Record(self.raw, self.batch.event(self.at), self.row, self.is_last)


class BatchRecord(Struct, frozen=True, gc=False):
    """A record and the batch that was read from it."""

    raw: RawRecord
    batch: Batch

    def records(self) -> Iterator[Record]:
        """Yield the rows, in order."""
        last = self.batch.rows - 1
        for row, event in self.batch.events():
            if isinstance(event, RefusedRow):
                yield self._refused(event, is_last=row == last)
            else:
                yield Record(self.raw, event, row, row == last)

    def rows(self) -> Iterator[Record | BatchRow]:
        """Yield the rows, in order; the good ones are not read."""
        last = self.batch.rows - 1
        bad = self.batch.refused()
        row = 0
        for at, place in enumerate([*self.batch.places.tolist(), self.batch.rows]):
            for skipped in range(row, place):
                yield self._refused(next(bad), is_last=skipped == last)
            if place <= last:
                yield BatchRow(self.raw, self.batch, at, place, place == last)
            row = place + 1

    def _refused(self, row: RefusedRow, *, is_last: bool) -> Record:
        refusal = Refusal(row.error.reason, row.error.detail, self.batch.model_id, row.value)
        return Record(self.raw, refusal, row.row, is_last)


def rows_of(read: Iterable[Record | BatchRecord]) -> Iterator[Record]:
    """Yield records, each row of a batch as one."""
    return chain.from_iterable(one.records() for one in read)
