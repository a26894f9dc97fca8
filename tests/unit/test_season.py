"""The time of day in a numeric feature: it is no finding, and does not hide one."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from driftline.models.arena import Arena
from driftline.models.kernels.ranked import NONE
from driftline.models.kernels.season import DAILY, DAY, LEARNS
from driftline.models.snapshot import seal
from driftline.models.watch.feature import Feature
from driftline.models.watch.version_watch import quarter
from driftline.schemas.config import FeatureKind, ModelConfig
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.models.drift.finding import Finding
    from driftline.models.kernels.types import Record

MOST: Final = 1_000_000  # events to a false alarm


class Daily:
    """A feature whose mean goes up and down once a day, by twice the standard deviation of what is around it.

    Parameters
    ----------
    a_day
        Values of a day.
    draw
        Draws a value, given the sine of the time of day.
    reference
        Values of the reference, of which the first quarter is ranked and the rest learned from, as of any version.
    knows_hours
        False: as if it had been settled that hours do not differ.

    """

    def __init__(
        self,
        a_day: int,
        *,
        seed: int = 1,
        reference: int = 10_000,
        knows_hours: bool = True,
        draw: Callable[[Random, float], float] = lambda random, sine: 2.0 * sine + random.gauss(0.0, 1.0),
    ) -> None:
        self.config = ModelConfig(model_id="m", reference={"events": reference})
        self.feature = Feature("x", FeatureKind.NUMERIC, "1", self.config)
        self.reference = reference
        self._draw = draw
        self._apart = DAY / a_day
        self._random = Random(seed)
        self._knows_hours = knows_hours
        self._nth = 0
        self._covered = int(self._apart * (quarter(reference) - 1)) + DAY

    def feed(self, values: int, more: float = 0.0) -> list[tuple[int, Finding]]:
        """Take so many values, `more` larger than usual; return what was large enough, and at which of them."""
        found: list[tuple[int, Finding]] = []
        for nth in range(1, values + 1):
            at = int(self._apart * self._nth)
            value = self._draw(self._random, math.sin(2.0 * math.pi * at / DAY)) + more
            found += [(nth, finding) for finding in self.feature.update(value, at, self._nth, self._nth)]
            self._nth += 1
            if self._nth == quarter(self.reference):
                self.feature.begin()
                if not self._knows_hours:
                    self.stream["season"] = NONE
            if self._nth == self.reference:
                self.feature.freeze()
                self._promise()
        return [(nth, finding) for nth, finding in found if finding.effect.value >= finding.min_effect]

    def _promise(self) -> None:
        self.feature.promise(MOST, features=1, drifting=1, covered=self._covered)

    @property
    def stream(self) -> Record:
        """The record of the stream of its values."""
        return self.feature.streams()[-1]._record  # noqa: SLF001 - nothing public tells

    @property
    def season(self) -> Record:
        """What is known of its hours."""
        seasons: Record = self.feature._arena.streams.seasons.rows[int(self.stream["season"])]  # noqa: SLF001 - as above
        return seasons

    def restarted(self) -> Daily:
        """Return what a restart makes of it."""
        again = Daily(round(DAY / self._apart), reference=self.reference)
        again._random.setstate(self._random.getstate())
        again._nth = self._nth
        stored = as_stored(self.feature.snapshot())
        again.feature = Feature.restore("x", "1", self.config, stored, Arena())
        if again._nth >= self.reference:
            again._promise()
        return again


DAYS: Final = [(1000, 10), (10_000, 5), (100_000, 3)]  # values of a day, and days that are watched


@pytest.mark.parametrize(("a_day", "days"), DAYS)
def test_what_comes_back_each_day_is_no_finding(a_day: int, days: int) -> None:
    for seed in range(2):
        daily = Daily(a_day, seed=seed)
        assert daily.feed(daily.reference + days * a_day) == []


def test_a_mutant_that_knows_no_hours_finds_every_one_of_them() -> None:
    daily = Daily(100_000, knows_hours=False)
    found = daily.feed(daily.reference + 3 * 100_000)
    assert len({finding.span.latest.at // (DAY // 24) for _, finding in found}) >= 20


@pytest.mark.parametrize(("a_day", "days"), DAYS)
def test_a_step_as_large_as_the_noise_is_found_within_300_values(a_day: int, days: int) -> None:
    daily = Daily(a_day)
    assert daily.feed(daily.reference + days * a_day) == []
    assert daily.feed(300, more=1.0)


def test_hours_are_known_once_a_day_is_covered_and_not_before() -> None:
    daily = Daily(100_000)
    daily.feed(2500)
    assert int(daily.season["values"]) == 0  # of the first quarter no times are known
    daily.feed(100_000)
    assert (int(daily.season["state"]), int(daily.season["values"])) == (LEARNS, 100_000)
    daily.feed(100)
    assert int(daily.season["state"]) == DAILY


def test_where_hours_do_not_differ_nothing_is_taken_from_values() -> None:
    feature, random = Feature("x", FeatureKind.NUMERIC, "1", ModelConfig(model_id="m")), Random(1)
    for n in range(40_000):
        feature.update(random.gauss(0.0, 1.0), n * (DAY // 30_000), n, n)
        if n == 2499:
            feature.begin()
    feature.freeze()
    (_, drift) = feature.streams()
    assert int(drift._record["season"]) == NONE  # noqa: SLF001 - nothing public tells
    seal(feature.snapshot())
    assert len(feature._arena.streams.seasons) == 0  # noqa: SLF001 - what is of no more use is given back


@pytest.mark.parametrize("before", [900, 5000, 11_000, 15_000])
def test_what_is_known_of_hours_survives_a_restart(before: int) -> None:
    daily = Daily(
        10_000, reference=1000
    )  # so of the reference, of the first day, of the second, which is known by then
    daily.feed(before)
    assert int(daily.season["state"]) == (LEARNS if before <= 10_250 else DAILY)
    again = daily.restarted()
    assert again.season.tobytes() == daily.season.tobytes()
    if before < 1000:
        return  # as `begin` is not called again
    assert again.feed(6000) == daily.feed(6000)
    assert again.season.tobytes() == daily.season.tobytes()
    assert seal(again.feature.snapshot()) == seal(daily.feature.snapshot())


def few_values(random: Random, sine: float) -> float:
    """Draw a small whole number, larger by day."""
    return float(sum(random.random() < 0.3 + 0.2 * sine for _ in range(6)))


def mostly_zero(random: Random, sine: float) -> float:
    """Draw a value that is 0 seven times of ten, more often by night."""
    return 0.0 if random.random() < 0.7 - 0.2 * sine else random.lognormvariate(0.0, 1.0)


@pytest.mark.parametrize("draw", [few_values, mostly_zero])
def test_values_that_are_equal_to_many_have_hours_too(draw: Callable[[Random, float], float]) -> None:
    daily = Daily(20_000, draw=draw)
    assert daily.feed(4 * 20_000) == []
    assert int(daily.season["state"]) == DAILY


def test_a_constant_has_no_hours() -> None:
    daily = Daily(20_000, draw=lambda _, __: 3.0)
    assert daily.feed(3 * 20_000) == []
    assert int(daily.stream["season"]) == NONE


def test_every_minute_of_the_day_is_of_an_hour() -> None:
    daily = Daily(24 * 60, reference=6 * 24 * 60)  # half past twelve at night among them, to the millisecond
    daily.feed(4000)
    assert daily.season["by_hour"][:, 1:].sum() == pytest.approx(int(daily.season["values"]))
    assert not daily.season["taken"].any()


def test_one_time_that_is_far_ahead_does_not_cover_a_day() -> None:
    daily = Daily(100_000)
    daily.feed(20_000)
    daily.feature.update(0.0, 2 * DAY, 20_000, 20_000)
    daily.feed(1000)
    assert int(daily.season["state"]) == LEARNS
