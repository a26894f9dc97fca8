"""What a monitor has found: a change with its size, its place and its evidence. Policy decides what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from driftline.models.drift.trail import Mark
from driftline.schemas.alerts import Effect, Kind, Target

FROM_LABELS: Final = frozenset({Kind.PERFORMANCE, Kind.CONCEPT_DRIFT, Kind.LABEL_DRIFT, Kind.FAIRNESS})
"""Kinds of what joined pairs tell; of others predictions alone do."""

LEVEL: Final = "level"
"""In place of a detector's name: that the stream still stands where it stood, and not that it changed."""

SHARE: Final = "share"
"""In place of a detector's name: that the share of records that cannot be used is too high, as long as it is."""


class Subject(NamedTuple):
    """What is watched: an incident is about one of these.

    Of one target several things may be watched in one way, such as several rates of a group: `measure` tells which.
    """

    kind: Kind
    target: Target
    measure: str = ""

    @property
    def published(self) -> Subject:
        """What alerts and the state know it as: there the detector tells which measure."""
        return self._replace(measure="")

    def as_text(self) -> str:
        """Name it, as ids do."""
        return " ".join(filter(None, (self.kind, self.target.as_text(), self.measure)))

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self.kind.value, self.target.model_dump(by_alias=True, exclude_none=True), self.measure]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Subject:
        """Rebuild what `snapshot` returned."""
        kind, target, measure = snapshot
        return cls(Kind(kind), Target(**target), measure)


class Span(NamedTuple):
    """Between which places of a stream a change began: after `earliest`, and not after `latest`."""

    earliest: Mark
    latest: Mark

    @classmethod
    def restore(cls, marks: list[list[int]]) -> Span:
        """Rebuild what JSON made of a span."""
        earliest, latest = marks
        return cls(Mark(*earliest), Mark(*latest))


class Level(NamedTuple):
    """How a subject stands now, and how many predictions other versions have had since the newest of its version.

    It has had so many `values`, and its version so many events; where nothing is said of these, its values go on. A
    loss is `better` by so much than in the reference.
    """

    effect: Effect | None
    others: int = 0
    values: int = 0
    events: int = 0
    better: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One detection.

    `effect.value` is compared with `min_effect`, which is in the same measure; `summary` says in words what moved and
    how much. It is `early` while the reference does not cover all that may be normal, `better` if a loss is smaller
    than in the reference, and `last` if it says of a change how large that is for good: so far it is not known.
    `coverage` is the share of predictions that have a label, where labels have told it, and `doubt` why it may be how
    these come that has changed, if so.
    """

    subject: Subject
    version: str
    detector: str
    statistic: float
    threshold: float
    effect: Effect
    min_effect: float
    span: Span
    summary: str
    early: bool = False
    better: bool = False
    last: bool = False
    coverage: float | None = None
    doubt: str = ""

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [
            self.subject.snapshot(),
            self.version,
            self.detector,
            self.statistic,
            self.threshold,
            self.effect.model_dump(),
            self.min_effect,
            self.span,
            self.summary,
            self.early,
            self.better,
            self.last,
            self.coverage,
            self.doubt,
        ]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Finding:
        """Rebuild what `snapshot` returned."""
        subject, version, detector, statistic, threshold, effect, min_effect, span, *rest = snapshot
        return cls(
            Subject.restore(subject),
            version,
            detector,
            statistic,
            threshold,
            Effect(**effect),
            min_effect,
            Span.restore(span),
            *rest,
        )
