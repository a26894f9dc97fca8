"""What a partition began without: records that Kafka had deleted before they were read, and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.drift.finding import Finding, Level, Span, Subject
from driftline.models.watch import wording
from driftline.schemas.alerts import Effect, Kind, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.trail import Mark

_RECORDS: Final = Subject(Kind.DATA_QUALITY, Target(metric="lost_records"))
_STATE: Final = Subject(Kind.DATA_QUALITY, Target(metric="lost_state"))


class Lost(NamedTuple):
    """Records of a topic, from one offset up to, and without, another."""

    topic: str
    start: int
    end: int


def losses(lost: Sequence[Lost], here: Mark, *, is_rebuilt: bool) -> list[Finding]:
    """Return what is to be told of a beginning, each once."""
    findings = []
    if lost:
        count = sum(end - start for _, start, end in lost)
        findings.append(_finding(_RECORDS, "lost_records", count, here, wording.lost_records(lost)))
    if is_rebuilt:
        findings.append(_finding(_STATE, "lost_state", 1, here, wording.lost_state()))
    return findings


def level_of_loss(subject: Subject) -> Level | None:
    """Return how a loss stands, if that is the subject: it is over as soon as it has been told."""
    if subject not in {_RECORDS, _STATE}:
        return None
    return Level(Effect(measure=subject.target.metric or "", value=0.0, before=0.0, after=0.0))


def _finding(subject: Subject, measure: str, count: int, here: Mark, summary: str) -> Finding:
    effect = Effect(measure=measure, value=count, before=0.0, after=count)
    return Finding(subject, "", "log", count, 0.0, effect, 0.0, Span(here, here), summary)
