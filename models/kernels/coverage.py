"""How many predictions of a version have their label by now, by when they were made and what was predicted.

`driftline.models.watch.comparable` says what that is held against.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import label_curve
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.e_frequency import CELLS
from driftline.models.kernels.label_curve import ALL, CURVE, LOSS, SQUARE

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

COHORTS: Final = 32

COVERAGE: Final = np.dtype(
    [
        ("size", "i8"),
        ("count", "i8"),
        ("idle", "i8"),
        ("newest", "i8"),
        ("alike", "i8"),
        ("batch", "i8"),
        ("first", "i8", COHORTS),
        ("pairs", "i8", COHORTS),
        ("began", "i8", COHORTS),
        ("last", "i8", COHORTS),
        ("losses", "f8", COHORTS),
        ("predicted", "u4", (COHORTS, CELLS)),
        ("labelled", "u4", (COHORTS, CELLS)),
        ("curve", CURVE),
        ("usual", "f8"),
        ("known", "f8"),
        ("lag", "f8"),
        ("swing", "f8"),
        ("swings", "i8"),
    ],
    align=True,
)
"""Cohorts of predictions, one after the other, each of `size` but the newest: the offset of the `first` one, how many
pairs there had been then, the event times from when it `began` to its `last`, the sum of the `losses` of its pairs, and
how many there are by the class that is predicted, of more than 16 some together.

How long labels take is in `curve`, and `usual` is the share that has one in the end, as the first tell, of which so
many are `known`. The share of all that are kept which has a label is smaller than both let expect by a `lag`, as labels
may be read later than predictions of their time, give or take a `swing`: means of the last of so many `swings`.

There are `count` of them, and `newest` is the last offset, at which so many `alike` stand, of a `batch` at most, those
long ago counting for less: all that stands at one is of one cohort. `idle` counts labels since the last one of a
prediction in the oldest cohort: after many it is done with, and makes room; before that, cohorts are made twice as
large.
"""

SMALLEST: Final = 256
LARGEST: Final = 65_536
_DONE: Final = 1024
NEARLY_ALL: Final = 0.98
"""Of the labels that will come: a cohort that has had the time for that is complete."""
_ALL: Final = 0.998
"""The same where it is learned how many come: the curve of a reference that has too few slow ones rises too fast."""
_KNOWN: Final = 2048  # predictions that tell how many have a label in the end
_TIMES_SWING: Final = 4.0  # of noise it is 3.2 standard deviations
_DEVIATIONS: Final = 3.0
_CERTAINLY: Final = 2.0  # standard deviations
_FEWEST: Final = 8
_LATEST: Final = 256  # looks that lag and swing are means of


@kernel
def predicted(coverage: Record, answer: int, offset: int, at: int, pairs: int) -> None:
    """Take a prediction of a class, negative for none, and where it stood, when there had been so many pairs."""
    newest = coverage.count - 1
    if newest < 0 or (offset != coverage.newest and coverage.predicted[newest].sum() >= coverage.size):
        if newest >= 0:
            _look(coverage, coverage.last[newest])
            coverage.batch //= 2
        if coverage.count == COHORTS:
            _make_room(coverage)
        if coverage.count == 0:
            coverage.size = SMALLEST
        newest = coverage.count
        coverage.count += 1
        coverage.first[newest] = offset
        coverage.pairs[newest] = pairs
        coverage.began[newest] = coverage.last[newest] = at
        if newest > 0:  # a prediction that comes late makes no cohort older
            coverage.began[newest] = max(at, coverage.began[newest - 1])
        coverage.losses[newest] = 0.0
        coverage.predicted[newest, :] = 0
        coverage.labelled[newest, :] = 0
    coverage.alike = coverage.alike + 1 if offset == coverage.newest else 1
    coverage.batch = max(coverage.batch, coverage.alike)
    coverage.newest = offset
    coverage.last[newest] = max(coverage.last[newest], at)
    coverage.predicted[newest, max(answer, 0) % CELLS] += 1


@kernel
def paired(coverage: Record, answer: int, offset: int, loss: float) -> None:
    """Take the label of a prediction of a class that stood at an offset, and the loss."""
    place = coverage.count - 1
    while place >= 0 and coverage.first[place] > offset:
        place -= 1
    if place < 0:  # it was made before any that are kept
        return
    coverage.idle = 0 if place == 0 else coverage.idle + 1
    coverage.losses[place] += loss
    coverage.labelled[place, max(answer, 0) % CELLS] += 1


@kernel
def _make_room(coverage: Record) -> None:
    if coverage.idle > _DONE or coverage.size >= LARGEST:
        for place in range(1, COHORTS):
            _move(coverage, place, place - 1)
        coverage.count -= 1
        coverage.idle -= coverage.labelled[0].sum()  # the next one was done with about as many labels later
        return
    for place in range(COHORTS // 2):
        _move(coverage, 2 * place, place)
        after = 2 * place + 1
        coverage.last[place] = max(coverage.last[place], coverage.last[after])
        coverage.losses[place] += coverage.losses[after]
        for cell in range(CELLS):
            coverage.predicted[place, cell] += coverage.predicted[after, cell]
            coverage.labelled[place, cell] += coverage.labelled[after, cell]
    coverage.count = COHORTS // 2
    coverage.size *= 2


@kernel
def _move(coverage: Record, place: int, to: int) -> None:
    coverage.first[to] = coverage.first[place]
    coverage.pairs[to] = coverage.pairs[place]
    coverage.began[to] = coverage.began[place]
    coverage.last[to] = coverage.last[place]
    coverage.losses[to] = coverage.losses[place]
    for cell in range(CELLS):
        coverage.predicted[to, cell] = coverage.predicted[place, cell]
        coverage.labelled[to, cell] = coverage.labelled[place, cell]


@kernel
def _share_arrived(coverage: Record, place: int, now: int) -> float:
    """Return which share of its labels that come at all a cohort should have had by an event time."""
    return label_curve.arrived(coverage.curve, ALL, coverage.began[place], coverage.last[place], now) / max(
        coverage.curve.total[ALL], 1.0
    )


@kernel
def _look(coverage: Record, now: int) -> None:
    """Learn from all cohorts how many labels there are in the end, and how far from what is expected there are now."""
    if coverage.curve.total[ALL] < label_curve.FEWEST:
        return
    there, expected, due, arrived = 0.0, 0.0, 0.0, 0.0
    for place in range(coverage.count):
        share, n = _share_arrived(coverage, place, now), float(coverage.predicted[place].sum())
        labelled = float(coverage.labelled[place].sum())
        if share >= _ALL:
            due += n * share
            arrived += labelled
        there += labelled
        expected += n * share
    if due == 0.0:
        return
    if coverage.known < _KNOWN:
        coverage.usual, coverage.known = arrived / due, due
    elif coverage.usual > 0.0:
        total = float(coverage.predicted[: coverage.count].sum())
        coverage.swings = min(coverage.swings + 1, _LATEST)
        apart = (coverage.usual * expected - there) / total - coverage.lag
        if coverage.swings > _FEWEST:  # one change of how labels come is not how they come
            most = _TIMES_SWING * max(coverage.swing, 1.0 / total)
            apart = min(max(apart, -most), most)
        coverage.lag += apart / coverage.swings
        coverage.swing += (abs(apart) - coverage.swing) / coverage.swings


@kernel
def _time_of(coverage: Record, pairs: int, newest: int, now: int) -> int:
    """Return when there had been so many pairs, as far as cohorts tell; there are `newest` by `now`."""
    place = 0
    while place + 1 < coverage.count and coverage.pairs[place + 1] <= pairs:
        place += 1
    began, ended, first, last = coverage.began[place], now, coverage.pairs[place], newest
    if place + 1 < coverage.count:
        ended, last = coverage.began[place + 1], coverage.pairs[place + 1]
    while place > 0 and coverage.pairs[place - 1] == first:  # no label came at all
        place -= 1
        began = coverage.began[place]
    share = min(max((pairs - first) / max(last - first, 1), 0.0), 1.0)
    return int(began + share * (ended - began))


@kernel
def compare(
    coverage: Record, pairs: int, more: int, now: int, done: int, column: int, base: int
) -> tuple[float, float, float, float, float, float, float]:
    """Hold the labels that have come since there were so many pairs against what the reference lets expect.

    Parameters
    ----------
    coverage
        Of a version; how many labels there usually are is known.
    pairs, more
        How many pairs there had been, and have been since then.
    now
        Event time, in epoch milliseconds.
    done
        Predictions from before that event time are taken to have their label, if they should by the curve too.
    column, base
        The sum of what is asked for, and over which pairs, as in `label_curve.CURVE`.

    Returns
    -------
    missing, tolerated
        How many labels fewer there are than there should be by now, and by how many that may differ.
    lost, due
        How many there are fewer of predictions since then that are done, and how many there should be.
    excess
        By how much the losses of predictions whose labels come since then are certainly larger than those of as many of
        these ages were in the reference.
    total, count
        What there should be since then of both.

    """
    since = _time_of(coverage, pairs, pairs + more, now)
    curve = coverage.curve
    missing, lost, due, total, count, counted, variance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    excess, noise, of_all = 0.0, 0.0, coverage.usual / max(curve.total[ALL], 1.0)
    for place in range(coverage.count):
        n, labelled = float(coverage.predicted[place].sum()), float(coverage.labelled[place].sum())
        share, last = _share_arrived(coverage, place, now), coverage.last[place]
        if _share_arrived(coverage, place, since) < NEARLY_ALL:  # some of them have come since then
            expected, began = coverage.usual * share, coverage.began[place]
            missing += n * expected - labelled
            counted += n
            variance += n * max(expected * (1.0 - expected), 0.0)
            excess += coverage.losses[place] - n * of_all * label_curve.arrived(curve, LOSS, began, last, now)
            noise += n * of_all * label_curve.arrived(curve, SQUARE, began, last, now)
        if last >= since and last < done and share >= NEARLY_ALL:
            due += n * coverage.usual
            lost += n * coverage.usual - labelled
        began, each = coverage.began[place], n * coverage.usual / max(curve.total[base], 1.0)
        total += each * (
            label_curve.arrived(curve, column, began, last, now)
            - label_curve.arrived(curve, column, began, last, since)
        )
        count += each * (
            label_curve.arrived(curve, base, began, last, now) - label_curve.arrived(curve, base, began, last, since)
        )
    # Of a batch of predictions some have their label and some not yet.
    kept = float(coverage.predicted[: coverage.count].sum())
    tolerated = max(_TIMES_SWING * coverage.swing * kept, _DEVIATIONS * math.sqrt(variance), float(coverage.batch))
    return missing - coverage.lag * counted, tolerated, lost, due, excess - _CERTAINLY * math.sqrt(noise), total, count
