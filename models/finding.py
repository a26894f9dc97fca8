"""What a monitor has found: a change with its size, its place and its evidence. Policy decides what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from driftline.schemas.alerts import Kind, Target

if TYPE_CHECKING:
    from driftline.models.trail import Mark
    from driftline.schemas.alerts import Effect


class Subject(NamedTuple):
    """What is watched: an incident is about one of these."""

    kind: Kind
    target: Target

    def as_text(self) -> str:
        """Name it, as ids do."""
        return f"{self.kind} {self.target.as_text()}"


class Span(NamedTuple):
    """Between which places of a stream a change began."""

    earliest: Mark
    latest: Mark


@dataclass(frozen=True, slots=True)
class Finding:
    """One detection.

    `effect.value` is compared with `min_effect`, which is in the same measure. `after` is how many values of the stream
    came since the change; `summary` says in words what moved and how much.
    """

    subject: Subject
    version: str
    detector: str
    statistic: float
    threshold: float
    effect: Effect
    min_effect: float
    span: Span
    after: int
    summary: str
