"""Whether labels since a change can be held against those of the reference, or how they come is the change.

Pairs are watched in the order in which their labels come. Where bad labels take longer than others, that order is
another one when delays change, when labels fail to come, or when traffic does. So what labels tell is for information
alone as long as, since it began,

- there are more or fewer labels than predictions of that age had in the reference,
- predictions that are old enough to have their label lack it, or
- labels came of older, or younger, predictions than usual, whose labels are other ones,

so that this may be half of what has changed, or a third of it where ages tell.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.kernels.coverage import compare
from driftline.models.kernels.label_curve import ALL, EXCESS, LOSS, OUTCOME, RESIDUAL, SCORED
from driftline.schemas.alerts import Kind
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from driftline.models.drift.finding import Finding
    from driftline.models.kernels.types import Record

KINDS: Final = frozenset({Kind.PERFORMANCE, Kind.CONCEPT_DRIFT, Kind.LABEL_DRIFT})

_DEVIATIONS: Final = 3.0
_HALF: Final = 0.5
_THIRD: Final = 1.0 / 3.0  # what ages explain is told of all pairs since it may have begun, and not of those alone

_COLUMNS: Final = {
    Kind.PERFORMANCE: ((LOSS, ALL),),
    Kind.CONCEPT_DRIFT: ((RESIDUAL, SCORED), (EXCESS, SCORED)),
    Kind.LABEL_DRIFT: ((OUTCOME, ALL),),
}
_NONE: Final = ((ALL, ALL),)


class Since(NamedTuple):
    """What there has been since a change may have begun at the earliest.

    There had been so many `pairs` of the version. `possible` is how many there have been since then, and `certain` how
    many since it had surely begun. It is `now`, an event time in epoch milliseconds, and what was predicted before
    `done` should have its label.
    """

    pairs: int
    possible: int
    certain: int
    now: int
    done: int


def doubt(coverage: Record, finding: Finding, task: Task, since: Since) -> str:
    """Return why labels may be to blame for what they tell; nothing if they come as in the reference.

    Parameters
    ----------
    coverage
        Of the version.
    finding
        What labels tell, of one of the `KINDS`.
    task
        Of the model.
    since
        What there has been since the change.

    """
    if not coverage["swings"]:  # it is not known how they come
        return ""
    columns = _columns(finding.subject.kind, task)
    before, after = finding.effect.before or 0.0, finding.effect.after or 0.0
    change = _change(finding, after - before, task)
    half = _HALF * abs(change) * since.certain
    for column, base in columns:
        missing, tolerated, lost, due, excess, total, count = compare(
            coverage, since.pairs, since.possible, since.now, since.done, column, base
        )
        # Labels that are missing would add to a sum of losses: if that is too large as it is, they are no excuse.
        is_labels = finding.subject.kind is Kind.LABEL_DRIFT  # of which there may be more without an error
        if is_labels or excess < _HALF * abs(after - before) * since.certain:
            by_chance = _DEVIATIONS * (due * max(1.0 - float(coverage["usual"]), 0.0)) ** 0.5
            if lost > max(_HALF * abs(change) * due, by_chance):
                return f"as {lost / due:.0%} of the labels that predictions since then should have are missing"
            if missing > max(half, tolerated):
                return f"as about {missing:,.0f} labels of predictions since then are still missing"
        if -missing > max(half, tolerated):
            return f"as about {-missing:,.0f} labels came sooner than in the reference"
        sums = coverage["curve"]["total"]
        tilt = total - float(sums[column]) / max(float(sums[base]), 1.0) * count
        is_alike = tilt * change > 0.0 or is_labels  # which may be of either class
        if is_alike and abs(tilt) > _THIRD * abs(after - before) * since.certain:
            return "as labels came of predictions of other ages than in the reference, whose labels are other ones"
    return ""


def _columns(kind: Kind, task: Task) -> tuple[tuple[int, int], ...]:
    """Return what a mean is told by whose change a finding may be, and over which pairs."""
    if kind is Kind.LABEL_DRIFT and task is not Task.BINARY:
        return _NONE  # it is no mean that moves
    return _COLUMNS[kind][:1] if task is Task.REGRESSION else _COLUMNS[kind]  # which has no excess


def _change(finding: Finding, moved: float, task: Task) -> float:
    """Return by how much a mean has moved, as a share of what one label can move it by."""
    if task is not Task.REGRESSION:
        return moved
    value = finding.effect.value
    share = {
        Kind.PERFORMANCE: value,  # times what it was, as one label may count for many others
        Kind.CONCEPT_DRIFT: 2.0 * value,  # ranks are half on either side
        Kind.LABEL_DRIFT: math.sqrt(value) / 2.0,  # which a stability index is about the square of
    }[finding.subject.kind]
    return math.copysign(share, moved)
