"""What a batch led to, and what a checkpoint has to write of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.dead_letter import DeadLetter
    from driftline.schemas.state import ModelState


@dataclass(slots=True)
class Outcome:
    """What a batch led to, in order.

    `joined` counts the pairs of a prediction and its label, `one_by_one` the events that no kernel took with others.
    """

    joined: int = 0
    one_by_one: int = 0
    alerts: list[Alert] = field(default_factory=list)
    retrain_requests: list[RetrainRequest] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a checkpoint has to write: the position, and what changed in the models that it is of."""

    position: dict[str, Any]
    snapshots: dict[str, bytes]
    documents: dict[str, ModelState]
    entries: dict[bytes, bytes]
    dropped: list[bytes]


class Start(NamedTuple):
    """A place in both topics, by the next offset of each, and the watermark there."""

    offsets: dict[str, int]
    watermark: int | None

    @classmethod
    def earliest(cls, starts: Iterable[Start]) -> Start:
        """Return the place from which reading on misses nothing after any of `starts`, of which there is one."""
        first, *others = starts
        offsets, watermark = dict(first.offsets), first.watermark
        for other in others:
            # A topic of which nothing had been read is not among the offsets, and to be read from its beginning.
            offsets = {topic: min(at, other.offsets[topic]) for topic, at in offsets.items() if topic in other.offsets}
            watermark = None if watermark is None or other.watermark is None else min(watermark, other.watermark)
        return cls(offsets, watermark)
