"""How labels come in `benchmarks.detection`, and streams in which nothing changes but that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.detection_families import normal
from benchmarks.detection_streams import LATE, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.detection_streams import Chunk, Delays, Floats, Random


def later_if_wrong(chunk: Chunk, random: Random) -> Floats:
    """Labels that say that a prediction was wrong take ten times as long as others."""
    return random.exponential(np.where(chunk.wrong, 2000.0, 200.0))


def outages(chunk: Chunk, random: Random) -> Floats:
    """Of every 20,000 events the labels of 2,000 come all when these are over; others take 50 events."""
    since = chunk.nth % (10 * _OUTAGE)
    return np.where(since < _OUTAGE, float(_OUTAGE) - since, random.exponential(50.0, len(since)))


_OUTAGE: Final = 2000


def soon(chunk: Chunk, random: Random) -> Floats:
    """Labels take 200 events."""
    return random.exponential(200.0, len(chunk.scores))


def at_once(chunk: Chunk, random: Random) -> Floats:  # noqa: ARG001 - as others
    """Labels come with their predictions."""
    return np.zeros(len(chunk.scores))


def then(before: Delays, bend: Callable[[Chunk, Floats], Floats]) -> Delays:
    """Return delays that are others from event `LATE` on."""

    def delays(chunk: Chunk, random: Random) -> Floats:
        takes = before(chunk, random)
        return np.where(chunk.nth < LATE, takes, bend(chunk, takes))

    return delays


def caught_up(chunk: Chunk, random: Random) -> Floats:
    """Labels that would come in the 2,000 events from `LATE` on all come after them; wrong ones take longer."""
    takes, ends = later_if_wrong(chunk, random), LATE + _OUTAGE
    comes = chunk.nth + takes
    return np.where((comes >= LATE) & (comes < ends), ends - chunk.nth, takes)


_SKEWED: Final = Scenario("", normal, lean=-2.0)  # three of ten are positive, and these are predicted worse

FEEDS: Final = (
    replace(_SKEWED, name="labels of positives alone", delays=then(soon, lambda c, d: np.where(c.labels, d, np.inf))),
    replace(_SKEWED, name="the same, at once", delays=then(at_once, lambda c, d: np.where(c.labels, d, np.inf))),
    replace(_SKEWED, name="labels of negatives alone", delays=then(soon, lambda c, d: np.where(c.labels, np.inf, d))),
    replace(_SKEWED, name="half of the labels", delays=then(soon, lambda c, d: np.where(c.nth % 2, d, np.inf))),
    replace(
        _SKEWED, name="errors late, then twice as late", delays=then(later_if_wrong, lambda c, d: d * (1 + c.wrong))
    ),
    replace(_SKEWED, name="right ones ten times as late", delays=then(soon, lambda c, d: np.where(c.wrong, d, 10 * d))),
    replace(_SKEWED, name="errors late, then all ten times sooner", delays=then(later_if_wrong, lambda _, d: d / 10)),
    replace(_SKEWED, name="errors late, a tenth of the traffic", delays=later_if_wrong, slower=LATE),
    replace(_SKEWED, name="errors late, none, then all at once", delays=caught_up),
)
"""From `LATE` on nothing changes but how labels come, or how many events there are."""
