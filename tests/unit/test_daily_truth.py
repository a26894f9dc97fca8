"""The time of day in what labels tell: a model that is worse each night is no finding, one that has become worse is."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from driftline.models.drift.stream import Stream
from driftline.models.join.entry import Pending, Truth
from driftline.models.kernels.ranked import NONE
from driftline.models.kernels.season import DAILY, DAY, FLAT, LEARNS
from driftline.models.snapshot import seal
from driftline.models.watch.slices import class_keys
from driftline.schemas.config import Task
from tests.restoring import as_stored
from tests.truths import KEYS, feed, new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftline.models.drift.finding import Finding
    from driftline.models.watch.truth_watch import TruthWatch

A_DAY: Final = 20_000  # pairs
REFERENCE: Final = 4000
COVERED: Final = A_DAY + REFERENCE // 4
TASKS: Final = list(Task)


def by_sine(day: float) -> float:
    """Return how many times the usual errors there are, a part of a day after it began."""
    return 1.0 + 2.0 / 3.0 * math.sin(2.0 * math.pi * day)


def by_day_alone(day: float) -> float:
    """Return the same where most errors are in the second half of a day, which begins within some hours."""
    return 1.0 - 0.6 * math.tanh(2.0 * math.sin(2.0 * math.pi * day))


def best_first(day: float) -> float:
    """Return the same where the first hours are the best of a day, ten times better than the worst."""
    return 0.7 * math.exp(-1.15 * math.sin(2.0 * math.pi * day))


def always(day: float) -> float:  # noqa: ARG001 - as others
    """Return the same where hours do not differ."""
    return 1.0


class Nights:
    """A model whose errors come and go with the hour: of a tenth of its predictions, more or less by a cycle."""

    def __init__(
        self, task: Task, seed: int = 1, cycle: Callable[[float], float] = by_sine, *, a_day: int = A_DAY
    ) -> None:
        self._cycle = cycle
        self._a_day = a_day
        self.task = task
        self.watch = new(task, segments=["region"], reference={"events": a_day // 5, "min_span": "1d"})
        self._random = Random(seed)
        self.nth = 0

    def feed(self, pairs: int, times: float = 1.0) -> list[Finding]:
        """Take so many pairs, with so many times the errors; return what was large enough to be told."""
        return feed(self.watch, self.task, self._pairs(pairs, times))

    def _pairs(self, pairs: int, times: float) -> Iterator[tuple[Pending, Truth]]:
        for _ in range(pairs):
            at = DAY * self.nth // self._a_day
            yield self._pair(at, 0.1 * times * self._cycle(at % DAY / DAY))
            self.nth += 1

    def _pair(self, at: int, error: float) -> tuple[Pending, Truth]:
        random, segments = self._random, {"region": "eu" if self.nth % 3 else "us"}
        is_wrong, place = random.random() < error, (at, self.nth, "1")
        if self.task is Task.BINARY:
            # It is sure of either class, but not that it is less so by night.
            answer = int(random.random() < 0.5)
            pending = Pending(*place, answer, 0.9 if answer else 0.1, segments=segments)
            return pending, Truth(at, self.nth, answer ^ is_wrong)
        if self.task is Task.MULTICLASS:
            best, *others = random.sample("abc", 3)
            probabilities = {best: 0.9} | dict.fromkeys(others, 0.05)
            pending = Pending(*place, best, None, probabilities, segments=segments)
            return pending, Truth(at, self.nth, others[0] if is_wrong else best)
        prediction = random.gauss(0.0, 5.0)
        off = random.gauss(10.0 * (error - 0.1), 10.0 * error)  # at night it is too low, too
        return Pending(*place, prediction, segments=segments), Truth(at, self.nth, prediction + off)

    def restarted(self) -> Nights:
        """Return what a restart makes of it."""
        again = Nights(self.task, cycle=self._cycle, a_day=self._a_day)
        again._random.setstate(self._random.getstate())
        again.nth = self.nth
        keys = KEYS | (class_keys("abc") if self.task is Task.MULTICLASS else {})
        again.watch.restore(as_stored(self.watch.snapshot()), keys)
        return again


def hours_of(watch: TruthWatch) -> int:
    """Return what is known of the hours of losses: the version's own stream comes first."""
    record = watch.streams()[0]._record  # noqa: SLF001 - nothing public tells
    if "hours" in record.dtype.names:
        return int(record["hours"]["state"])
    seasons = watch._arena.streams.seasons.rows  # noqa: SLF001 - as above
    return FLAT if record["season"] == NONE else int(seasons[int(record["season"])]["state"])


@pytest.mark.parametrize("task", TASKS)
def test_what_comes_back_each_night_is_no_finding(task: Task) -> None:
    for seed in range(2):
        nights = Nights(task, seed)
        assert nights.feed(COVERED + 4 * A_DAY) == []
        assert hours_of(nights.watch) == DAILY


@pytest.mark.parametrize("task", TASKS)
def test_what_comes_at_once_each_day_is_none_once_hours_are_known(task: Task) -> None:
    """The first day begins without the errors of the second half: where that is a change, hours are learned anew."""
    for seed in range(2):
        nights = Nights(task, seed, by_day_alone)
        nights.feed(2 * COVERED)
        assert nights.feed(3 * A_DAY) == []


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("a_day", [2000, 8000])
def test_a_reference_of_the_best_hours_makes_the_others_no_worse(task: Task, a_day: int) -> None:
    for seed in range(3):
        nights = Nights(task, seed, best_first, a_day=a_day)
        nights.feed(3 * a_day)
        assert nights.feed(5 * a_day) == []


@pytest.mark.parametrize(
    ("task", "cycle"), [*((task, always) for task in TASKS), (Task.BINARY, by_sine), (Task.MULTICLASS, by_sine)]
)
def test_a_model_that_becomes_worse_on_its_first_day_stays_worse(task: Task, cycle: Callable[[float], float]) -> None:
    """Of a regression whose errors rise by the hour it is held back, as it may be of the hour."""
    nights = Nights(task, cycle=cycle)
    nights.feed(REFERENCE + 500)
    assert nights.feed(COVERED, times=3.0)
    loss = nights.watch.streams()[0]
    for _ in range(12):
        nights.feed(A_DAY // 6, times=3.0)
        assert loss.level is not None
        assert loss.level.value > loss.min_effect


@pytest.mark.parametrize("task", TASKS)
def test_a_mutant_that_knows_no_hours_finds_each_of_them(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "is_by_hour", False)
    nights = Nights(task)
    nights.feed(REFERENCE)
    for stream in nights.watch.streams():
        record = stream._record  # noqa: SLF001 - as above
        if "hours" in record.dtype.names:
            record["hours"]["state"] = FLAT
        else:
            record["season"] = NONE
    found = nights.feed(COVERED + 4 * A_DAY)
    days = {finding.span.latest.at // DAY for finding in found}
    assert len(days) >= 4


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_a_model_that_has_become_worse_is_found_at_any_hour(task: Task, hour: int) -> None:
    nights = Nights(task)
    assert nights.feed(COVERED + 2 * A_DAY + hour * A_DAY // 24) == []
    changed = nights.nth
    found = nights.feed(2500, times=2.5)  # where errors are rarest, most of what is seen is made up
    assert found
    assert found[0].span.earliest.at <= DAY * changed // A_DAY <= found[0].span.latest.at
    assert not found[0].better


@pytest.mark.parametrize("task", TASKS)
def test_hours_are_known_once_a_day_is_covered_and_not_before(task: Task) -> None:
    nights = Nights(task)
    nights.feed(COVERED - 100)
    assert hours_of(nights.watch) == LEARNS
    nights.feed(200)
    assert hours_of(nights.watch) == DAILY


@pytest.mark.parametrize("cut", [REFERENCE - 7, COVERED - 100, COVERED + 100])
@pytest.mark.parametrize("task", TASKS)
def test_a_restart_changes_nothing(task: Task, cut: int) -> None:
    ends = []
    for restarts in (False, True):
        nights = Nights(task)
        nights.feed(cut)
        nights = nights.restarted() if restarts else nights
        found = [finding.snapshot() for finding in nights.feed(3 * A_DAY - cut) + nights.feed(2000, times=2.5)]
        ends.append((found, seal(nights.watch.snapshot())))
    assert ends[0] == ends[1]
