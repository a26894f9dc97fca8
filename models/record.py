"""One record on its way through the core: what Kafka delivered, and what it turned out to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.dead_letter import DeadLetter
from driftline.schemas.events import Label, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    `model_id` is what its bytes or its key claim; only models that are already known are charged for it.
    """

    reason: Reason
    detail: str
    model_id: str | None


class Record(Struct, frozen=True, gc=False):
    """A record and what was read from it."""

    raw: RawRecord
    event: Prediction | WirePrediction | Label | WireLabel | Refusal

    @property
    def identity(self) -> str:
        """Return topic-partition-offset."""
        return f"{self.raw.topic}-{self.raw.partition}-{self.raw.offset}"

    def dead_letter(self, refusal: Refusal) -> DeadLetter:
        """Return the record whole, with the reason."""
        raw = self.raw
        return DeadLetter(
            refusal.reason,
            refusal.detail,
            raw.topic,
            raw.partition,
            raw.offset,
            raw.timestamp or 0,
            raw.key,
            raw.value,
            tuple(raw.headers),
        )
