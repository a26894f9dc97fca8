"""How frequent the categories of a feature are: what is told of it, and what is not."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.arena import Arena
from driftline.models.drift.finding import LEVEL
from driftline.models.kernels.season import DAILY, DAY, FLAT, LEARNS
from driftline.models.watch.feature import Feature
from driftline.models.watch.version_watch import quarter
from driftline.schemas.alerts import Kind
from driftline.schemas.config import FeatureKind, ModelConfig
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.kernels.types import Record

    Draw = Callable[[Random, float], str]

REFERENCE: Final = 4000
MOST: Final = 1_000_000  # events to a false alarm
COUNTRIES: Final = ("AT", "DE", "CH", "FR", "IT")


def of(weights: Sequence[float], names: Sequence[str] = COUNTRIES) -> Draw:
    return lambda random, _: random.choices(names, weights)[0]


USUAL: Final = of([40, 30, 15, 10, 5])


class Watched:
    """A feature, as a version watches it: its first quarter tells which categories are frequent, and so on.

    Parameters
    ----------
    draw
        Draws a category, given the time of day as an angle.
    a_day
        Values of a day; None: it does not matter what hours are like.

    """

    def __init__(self, draw: Draw, *, seed: int = 1, a_day: int | None = None, reference: int = REFERENCE) -> None:
        self.config = ModelConfig(model_id="m", reference={"events": reference})
        self.feature = Feature("country", FeatureKind.CATEGORICAL, "1", self.config)
        self.draw, self._random, self._reference, self._nth = draw, Random(seed), reference, 0
        self._apart = DAY / (a_day or 1e9)
        self._covered = 0 if a_day is None else int(self._apart * (quarter(reference) - 1)) + DAY

    def feed(self, values: int) -> list[tuple[int, Finding]]:
        """Return what was found in so many values, and at which of them."""
        found: list[tuple[int, Finding]] = []
        for nth in range(1, values + 1):
            at = int(self._apart * self._nth)
            value = self.draw(self._random, 2.0 * math.pi * at / DAY)
            found += [(nth, finding) for finding in self.feature.update(value, at, self._nth, self._nth)]
            self._nth += 1
            if self._nth == quarter(self._reference):
                self.feature.begin()
            if self._nth == self._reference:
                self.feature.freeze()
                self._promise()
        return found

    def _promise(self) -> None:
        self.feature.promise(MOST, features=1, drifting=1, covered=self._covered)

    @property
    def stream(self) -> Record:
        """The record of the stream of its categories."""
        return self.feature.streams()[-1]._record  # noqa: SLF001 - nothing public tells

    def restarted(self) -> Watched:
        """Return what a restart makes of it."""
        again = Watched(self.draw, reference=self._reference)
        again._random.setstate(self._random.getstate())
        again._nth, again._apart, again._covered = self._nth, self._apart, self._covered
        again.feature = Feature.restore("country", "1", self.config, as_stored(self.feature.snapshot()), Arena())
        if again._nth >= self._reference:
            again._promise()
        return again


def large(found: list[tuple[int, Finding]]) -> list[tuple[int, Finding]]:
    return [(nth, finding) for nth, finding in found if finding.effect.value >= finding.min_effect]


def test_nothing_is_found_where_categories_stay_as_frequent() -> None:
    for seed in range(3):
        watched = Watched(USUAL, seed=seed)
        assert watched.feed(REFERENCE + 30_000) == []


@pytest.mark.parametrize(
    ("after", "moved", "within"),
    [([15, 30, 15, 10, 30], "IT", 200), ([20, 60, 10, 5, 5], "DE", 224), ([5, 40, 25, 20, 10], "AT", 200)],
)
def test_a_change_is_told_with_the_category_that_has_moved_most(after: list[float], moved: str, within: int) -> None:
    held = 0
    for seed in range(10):
        watched = Watched(USUAL, seed=seed)
        start = 6000 + 37 * seed
        assert large(watched.feed(REFERENCE + start)) == []
        watched.draw = of(after)
        (nth, _), *_, (_, finding) = large(watched.feed(512))
        assert nth <= within
        assert finding.subject.kind is Kind.DATA_DRIFT
        assert finding.detector == "e_sr:frequency"
        assert f'"{moved}" is' in finding.summary
        assert finding.effect.before == pytest.approx([40, 30, 15, 10, 5][COUNTRIES.index(moved)] / 100, abs=0.03)
        assert finding.effect.after == pytest.approx(after[COUNTRIES.index(moved)] / 100, abs=0.1)
        held += finding.span.earliest.nth <= start <= finding.span.latest.nth
    assert held >= 9


def test_what_has_one_category_alone_is_told_by_that() -> None:
    watched = Watched(USUAL)
    assert watched.feed(REFERENCE + 2000) == []
    watched.draw = of([0, 0, 1, 0, 0])
    found = watched.feed(600)
    assert found[-1][1].summary.startswith('feature country is always "CH" now: 14.')
    watched.draw = of([0, 0, 90, 10, 0])
    assert not any("is always" in finding.summary for _, finding in watched.feed(600)[5:])
    usual = Watched(of([90, 10], ["AT", "DE"]))
    usual.feed(REFERENCE + 2000)
    usual.draw = of([1], ["AT"])
    assert {'"DE" is 0.0% of it' in finding.summary for _, finding in usual.feed(2000)} == {True}


def test_all_rare_categories_are_one() -> None:
    names = [*COUNTRIES, *(f"rare {n}" for n in range(200))]
    watched = Watched(of([40, 30, 15, 10, 5, *[0.1] * 200], names))
    assert large(watched.feed(REFERENCE + 5000)) == []
    watched.draw = of([40, 30, 15, 10, 5, *[1.0] * 200], names)
    (_, finding), *_ = large(watched.feed(1000))
    assert "any other is" in finding.summary


def test_what_the_reference_does_not_have_is_bad_and_one_of_the_rare() -> None:
    watched = Watched(USUAL)
    watched.feed(REFERENCE + 5000)
    watched.draw = of([40, 30, 15, 10, 5, 50], [*COUNTRIES, "new"])
    found = large(watched.feed(2000))
    assert {finding.subject.kind for _, finding in found} == {Kind.DATA_QUALITY, Kind.DATA_DRIFT}
    assert all("any other is" in finding.summary for _, finding in found if finding.subject.kind is Kind.DATA_DRIFT)


def test_of_too_many_categories_nothing_is_said() -> None:
    watched = Watched(lambda random, _: f"user {random.randrange(5000)}")
    assert watched.feed(REFERENCE + 5000) == []
    assert [stream.subject.kind for stream in watched.feature.streams()] == [Kind.DATA_QUALITY]


def test_it_can_be_switched_off() -> None:
    config = ModelConfig(model_id="m", detectors={"categorical": []})
    feature = Feature("country", FeatureKind.CATEGORICAL, "1", config)
    for n in range(1000):
        feature.update("a" if n % 2 else "b", n, n, n)
    feature.freeze()
    assert [stream.subject.kind for stream in feature.streams()] == [Kind.DATA_QUALITY]


def test_what_stands_apart_for_long_is_told_though_it_came_before_it_was_watched() -> None:
    config = ModelConfig(model_id="m", reference={"events": 1000})
    feature, random = Feature("country", FeatureKind.CATEGORICAL, "1", config), Random(1)
    found: list[Finding] = []
    for n in range(10_000):
        if n == 1000:
            feature.freeze()
            feature.promise(MOST, features=1, drifting=1)
        weights = [50, 50] if n < 1000 else [75, 25]
        found += feature.update(random.choices("ab", weights)[0], n, n, n)
    assert LEVEL in {finding.detector for finding in found if finding.effect.value >= finding.min_effect}


def test_where_there_was_one_category_alone_another_is_found_and_placed() -> None:
    watched = Watched(of([1], ["a"]))
    watched.feed(REFERENCE + 70_000)
    watched.draw = of([70, 30], ["a", "b"])
    found = [each for each in large(watched.feed(200)) if each[1].subject.kind is Kind.DATA_DRIFT]
    nth, finding = found[0]
    assert nth <= 100
    assert 69_000 <= finding.span.earliest.nth <= 70_000


def test_a_change_after_a_change_is_found_as_soon() -> None:
    delays = []
    for first in ([50, 50], [3, 97]):
        watched = Watched(of(first, "ab"))
        watched.feed(REFERENCE + 3000)
        watched.draw = of([3, 97], "ab")
        watched.feed(5000)
        before = int(watched.stream["detections"])
        watched.draw = of([9, 91], "ab")
        delays.append(0)
        while watched.stream["detections"] == before and delays[-1] < 5000:
            watched.feed(32)
            delays[-1] += 32
    assert delays[0] <= 2 * delays[1] < 2000


# -- hours ------------------------------------------------------------------------------------------------------------


def by_day(random: Random, angle: float) -> str:
    """Draw what is twice as frequent at noon as at midnight."""
    return random.choices("abc", [1.0 + 0.5 * math.sin(angle), 1.0 - 0.5 * math.sin(angle), 1.0])[0]


@pytest.mark.parametrize(("a_day", "days"), [(1000, 12), (20_000, 3)])
def test_what_comes_back_each_day_is_no_finding(a_day: int, days: int) -> None:
    watched = Watched(by_day, a_day=a_day)
    assert large(watched.feed(REFERENCE + days * a_day)) == []
    assert watched.stream["hours"]["state"] == DAILY


def test_a_mutant_that_knows_no_hours_finds_them() -> None:
    watched = Watched(by_day, a_day=20_000)
    watched.feed(REFERENCE)
    watched.stream["hours"]["state"] = FLAT
    watched.feature.promise(MOST, features=1, drifting=1, covered=0)
    assert len({finding.span.latest.nth for _, finding in watched.feed(3 * 20_000)}) >= 10


def test_where_hours_do_not_differ_nothing_is_taken_off() -> None:
    watched = Watched(USUAL, a_day=5000)
    assert watched.feed(4 * 5000) == []
    assert watched.stream["hours"]["state"] == FLAT


def test_a_change_on_top_of_the_hours_is_found() -> None:
    watched = Watched(by_day, a_day=20_000)
    assert large(watched.feed(REFERENCE + 3 * 20_000)) == []

    def more(random: Random, angle: float) -> str:
        return "c" if random.random() < 0.3 else by_day(random, angle)

    watched.draw = more
    (_, finding), *_ = large(watched.feed(1000))
    assert '"c" is' in finding.summary
    assert not finding.early


@pytest.mark.parametrize("days", [1, 3])
def test_what_is_new_is_not_taken_for_an_hour(days: int) -> None:
    watched = Watched(by_day, a_day=20_000)
    assert large(watched.feed(REFERENCE + days * 20_000)) == []
    watched.draw = lambda random, angle: "new" if random.random() < 0.2 else by_day(random, angle)
    found = large(watched.feed(1000))
    assert {finding.subject.kind for _, finding in found} == {Kind.DATA_QUALITY, Kind.DATA_DRIFT}


def test_the_reference_is_of_all_hours_alike() -> None:
    def by_night(random: Random, angle: float) -> str:
        return random.choices("ab", [1.0 + 0.95 * math.sin(angle), 1.0 - 0.95 * math.sin(angle)])[0]

    watched = Watched(by_night, a_day=3000, reference=8000)  # it ends in the middle of a day
    assert large(watched.feed(8000 + 4 * 3000)) == []
    first, second, *_ = watched.stream["measure"]["bins"].tolist()
    assert first == pytest.approx(second, rel=0.1)


def test_before_a_day_is_covered_a_slow_change_is_held_back_and_an_abrupt_one_early() -> None:
    watched = Watched(by_day, a_day=20_000)
    assert large(watched.feed(REFERENCE + 4000)) == []
    assert watched.stream["hours"]["state"] == LEARNS
    watched.draw = of([1.0], ["b"])
    (_, finding), *_ = large(watched.feed(500))
    assert finding.early


# -- restarts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [500, 1500, 3999, 4000, 4777, 9013])
def test_a_restart_changes_nothing(cut: int) -> None:
    def found(*, restarts: bool) -> list[Any]:
        watched = Watched(USUAL, seed=3)
        findings = []
        for step in range(12):
            if step == 9:
                watched.draw = of([10, 30, 15, 10, 35])
            before = min(max(cut - step * 1000, 0), 1000)
            findings += watched.feed(before)
            if restarts and before < 1000 and step == cut // 1000:
                watched = watched.restarted()
            findings += watched.feed(1000 - before)
        return [*findings, watched.feature.streams()[-1].report()]

    undisturbed = found(restarts=False)
    assert len(undisturbed) > 1
    assert found(restarts=True) == undisturbed
