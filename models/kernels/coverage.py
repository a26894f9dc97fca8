"""How many predictions of a version have their label by now, by when they were made and what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.e_frequency import CELLS

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

COHORTS: Final = 32

COVERAGE: Final = np.dtype(
    [
        ("size", "i8"),
        ("count", "i8"),
        ("idle", "i8"),
        ("newest", "i8"),
        ("first", "i8", COHORTS),
        ("last", "i8", COHORTS),
        ("predicted", "u4", (COHORTS, CELLS)),
        ("labelled", "u4", (COHORTS, CELLS)),
    ],
    align=True,
)
"""Cohorts of predictions, one after the other, each of `size` but the newest: the offset of the `first` one, the event
time of the `last`, and how many there are by the class that is predicted, of more than 16 some together.

There are `count` of them, and `newest` is the last offset: all that stands at one is of one cohort. `idle` counts
labels since the last one of a prediction in the oldest cohort: after many it is done with, and makes room; before that,
cohorts are made twice as large.
"""

SMALLEST: Final = 256
LARGEST: Final = 65_536
_DONE: Final = 1024


@kernel
def predicted(coverage: Record, answer: int, offset: int, at: int) -> None:
    """Take a prediction of a class, negative for none, and where it stood."""
    newest = coverage.count - 1
    if newest < 0 or (offset != coverage.newest and coverage.predicted[newest].sum() >= coverage.size):
        if coverage.count == COHORTS:
            _make_room(coverage)
        if coverage.count == 0:
            coverage.size = SMALLEST
        newest = coverage.count
        coverage.count += 1
        coverage.first[newest] = offset
        coverage.last[newest] = at
        coverage.predicted[newest, :] = 0
        coverage.labelled[newest, :] = 0
    coverage.newest = offset
    coverage.last[newest] = max(coverage.last[newest], at)
    coverage.predicted[newest, max(answer, 0) % CELLS] += 1


@kernel
def paired(coverage: Record, answer: int, offset: int) -> None:
    """Take the label of a prediction of a class that stood at an offset."""
    place = coverage.count - 1
    while place >= 0 and coverage.first[place] > offset:
        place -= 1
    if place < 0:  # it was made before any that are kept
        return
    coverage.idle = 0 if place == 0 else coverage.idle + 1
    coverage.labelled[place, max(answer, 0) % CELLS] += 1


@kernel
def _make_room(coverage: Record) -> None:
    if coverage.idle > _DONE or coverage.size >= LARGEST:
        for place in range(1, COHORTS):
            _move(coverage, place, place - 1)
        coverage.count -= 1
        coverage.idle -= coverage.size  # the next one was done with about as many labels later
        return
    for place in range(COHORTS // 2):
        _move(coverage, 2 * place, place)
        after = 2 * place + 1
        coverage.last[place] = max(coverage.last[place], coverage.last[after])
        for cell in range(CELLS):
            coverage.predicted[place, cell] += coverage.predicted[after, cell]
            coverage.labelled[place, cell] += coverage.labelled[after, cell]
    coverage.count = COHORTS // 2
    coverage.size *= 2


@kernel
def _move(coverage: Record, place: int, to: int) -> None:
    coverage.first[to] = coverage.first[place]
    coverage.last[to] = coverage.last[place]
    for cell in range(CELLS):
        coverage.predicted[to, cell] = coverage.predicted[place, cell]
        coverage.labelled[to, cell] = coverage.labelled[place, cell]
