"""What was processed since the last checkpoint of a partition, and the checkpoint that is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from driftline.schemas.alerts import Alert, RetrainRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from faust.types import Message

    from driftline.models.outcome import Outcome
    from driftline.models.record import RawRecord
    from driftline.schemas.dead_letter import DeadLetter
    from driftline.schemas.state import ModelState
    from driftline.streams.checkpoint import Checkpoint

Event: TypeAlias = Alert | RetrainRequest

MOST_RECORDS: Final = 40_000
"""Records that are read again after a kill, and that a checkpoint waits for at most."""

MOST_BYTES: Final = 16_000_000
"""Of those records as they came, and of dead letters on top: all of it is in memory until the checkpoint is made."""


@dataclass(slots=True)
class Unsaved:
    """Messages to ack, what is to be published, and the order in which the records of both topics were taken.

    Parameters
    ----------
    messages
        Of the batches that were processed whole.
    letters
        To be published ahead of the checkpoint.
    events
        By model, in order: to be published once that model is saved. None is whom they belong to that no model has.
    runs
        Topic and number of the records that were taken in a row.
    moments
        Of event time at which none had come, and after how many of the records.
    passed
        Topics that were not waited for from then on, and after how many of the records.
    records, size
        Records processed, and bytes of them and of dead letters.

    """

    messages: list[Message] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    events: dict[str | None, list[Event]] = field(default_factory=dict)
    runs: list[tuple[str, int]] = field(default_factory=list)
    moments: list[tuple[int, int]] = field(default_factory=list)
    passed: list[tuple[int, list[str]]] = field(default_factory=list)
    records: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is as much as may be: the next records must wait for a checkpoint."""
        return self.records >= MOST_RECORDS or self.size >= MOST_BYTES

    def add(self, outcome: Outcome, raws: Collection[RawRecord], size: int) -> None:
        """Take records of so many bytes, and what they led to."""
        self.records += len(raws)
        self.size += size
        for topic, run in groupby([raw.topic for raw in raws]):
            count = len(list(run))
            if self.runs and self.runs[-1][0] == topic:
                self.runs[-1] = (topic, self.runs[-1][1] + count)
            else:
                self.runs.append((topic, count))
        for letter in outcome.dead_letters:
            self.letters.append(letter)
            self.size += len(letter.value or b"")
        self._keep(outcome)

    def add_moment(self, outcome: Outcome, now: int) -> None:
        """Take what a moment has led to at which no record had come."""
        self.moments.append((self.records, now))
        self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        events: list[Event] = [*outcome.alerts, *outcome.retrain_requests]
        for event in events:
            self.events.setdefault(event.model_id, []).append(event)

    def take(self, saved: Collection[str]) -> Unsaved:
        """Return what a checkpoint of these models covers, and keep the rest."""
        covered = replace(self)
        covered.events = {model: events for model, events in self.events.items() if model is None or model in saved}
        self.events = {model: events for model, events in self.events.items() if model not in covered.events}
        self.messages, self.letters, self.runs, self.moments, self.passed = [], [], [], [], []
        self.records, self.size = 0, 0
        return covered


@dataclass(frozen=True, slots=True)
class Cut:
    """A checkpoint that is ready to be saved, what it covers, and the seconds of CPU time that it took to make."""

    unsaved: Unsaved
    checkpoint: Checkpoint
    documents: Mapping[str, ModelState]
    seconds: float
