"""What was processed since the last checkpoint of a partition, and the checkpoint that is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types import Message

    from driftline.models.pipeline import Outcome
    from driftline.schemas.state import ModelState
    from driftline.streams.checkpoint import Checkpoint

MOST_RECORDS: Final = 40_000
"""To hand so many join entries to Redis holds the event loop for about 90 ms."""

MOST_BYTES: Final = 4_000_000


@dataclass(slots=True)
class Unsaved:
    """Messages to ack, and what is to be published first.

    Parameters
    ----------
    messages
        Of the batches that were processed whole.
    outcomes
        Those that hold something to publish.
    records, size
        Records processed, and bytes of dead letters among the outcomes.

    """

    messages: list[Message] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    records: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is as much as may be: the next batch must wait for a checkpoint."""
        return self.records >= MOST_RECORDS or self.size >= MOST_BYTES

    def add(self, outcome: Outcome, records: int) -> None:
        """Take what so many records led to."""
        self.records += records
        if outcome.alerts or outcome.retrain_requests or outcome.dead_letters:
            self.outcomes.append(outcome)
            self.size += sum(len(letter.value or b"") for letter in outcome.dead_letters)


@dataclass(frozen=True, slots=True)
class Cut:
    """A checkpoint that is ready to be saved, what it covers, and the seconds of CPU time that it took to make."""

    unsaved: Unsaved
    checkpoint: Checkpoint
    documents: Mapping[str, ModelState]
    seconds: float
