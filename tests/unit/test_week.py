"""What comes back each week: it is for information alone, and what goes further is not."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from driftline.models.drift.finding import Subject
from driftline.models.drift.measure import CategoryPsi, Residual, ShareGrowth
from driftline.models.drift.rank import MeanGrowth, RankPsi, RankShift
from driftline.models.drift.stream import CATEGORY_DETECTORS, RANK_DETECTORS, Stream
from driftline.models.drift.week import WEEK
from driftline.models.kernels.season import DAY
from driftline.models.snapshot import seal
from driftline.schemas.alerts import Kind, Target
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure

SUBJECT: Final = Subject(Kind.DATA_DRIFT, Target(feature="x"))
BETWEEN: Final = 10_000_000  # values to a false alarm
A_DAY: Final = 4000
FIRST: Final = 2500  # values that say what is normal
WEEKENDS: Final = (5, 6)  # of the days of a week that begins with the stream


@dataclass(frozen=True)
class Family:
    """What values are like, usually and where all is so many times as far from it, and how they are watched."""

    draw: Callable[[Random, float], float]
    measure: Callable[[Sequence[float]], Measure]
    min_effect: float
    detectors: Sequence[str] = ("e_sr",)


FAMILIES: Final = {
    "numbers": Family(lambda random, far: random.gauss(1.5 * far, 1.0), RankPsi.of, 0.1, RANK_DETECTORS),
    "categories": Family(
        lambda random, far: float(random.random() < 0.2 + 0.2 * far), lambda _: CategoryPsi(), 0.1, CATEGORY_DETECTORS
    ),
    "errors": Family(
        lambda random, far: float(random.random() < 0.1 + 0.1 * far),
        lambda _: ShareGrowth("error_rate", 0.1, FIRST),
        0.02,
    ),
    "residuals": Family(
        lambda random, far: random.uniform(-0.3, 0.3) + 0.1 * far, lambda _: Residual("r", FIRST), 0.03
    ),
    "losses": Family(
        lambda random, far: random.expovariate(1.0 / (1.0 + far)),
        lambda values: MeanGrowth.of("relative_mae", values),
        0.1,
    ),
    "ranks": Family(
        lambda random, far: random.gauss(far, 1.0), lambda values: RankShift.of("residual_rank", values), 0.1
    ),
}


class Weeks:
    """A stream that is another one on Saturdays and Sundays."""

    def __init__(self, family: Family, seed: int = 1, *, has_weeks: bool = True) -> None:
        self.family = family
        self.has_weeks = has_weeks
        self._random = Random(seed)
        first = [family.draw(self._random, 0.0) for _ in range(FIRST)]
        self.stream = self._new(family.measure(first))
        self.stream.learn(first)
        self.stream.complete(FIRST)
        self.stream.promise(BETWEEN, WEEK)
        self._nth = 0

    def _new(self, measure: Measure) -> Stream:
        return Stream(
            SUBJECT,
            "1",
            measure,
            detectors=self.family.detectors,
            min_effect=self.family.min_effect,
            describe=lambda effect: effect.measure,
            has_weeks=self.has_weeks,
        )

    def feed(self, days: float, more: float = 0.0) -> list[Finding]:
        """Take the values of so many days, farther by `more` than usual; return what was large enough to be told."""
        found = []
        for _ in range(int(days * A_DAY)):
            at = DAY * self._nth // A_DAY
            far = float(at // DAY % 7 in WEEKENDS) + more
            found.append(self.stream.update(self.family.draw(self._random, far), at, self._nth, self._nth))
            self._nth += 1
        return [each for each in found if each is not None and each.effect.value >= each.min_effect and not each.early]

    def restarted(self) -> Weeks:
        """Return what a restart makes of it."""
        again = Weeks(self.family, has_weeks=self.has_weeks)
        again._random.setstate(self._random.getstate())
        again._nth = self._nth
        again.stream.restore(as_stored(self.stream.snapshot()))
        return again


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """Return each of them."""
    return FAMILIES[request.param]


def told(found: Sequence[Finding]) -> list[Finding]:
    """Return what is more than information."""
    return [finding for finding in found if not finding.doubt]


def test_a_weekend_as_the_one_before_is_for_information(family: Family) -> None:
    weeks = Weeks(family)
    weeks.feed(7)
    found = weeks.feed(28)
    assert found
    assert told(found) == []
    assert found[0].doubt == "as it was so at this time of the week before, too"


def test_a_mutant_that_knows_no_weeks_tells_each_weekend(family: Family) -> None:
    weeks = Weeks(family, has_weeks=False)
    weeks.feed(7)
    found = told(weeks.feed(21))
    assert len({finding.span.latest.at // WEEK for finding in found}) >= 3


def test_what_changes_in_the_middle_of_a_week_is_told_at_once(family: Family) -> None:
    weeks = Weeks(family)
    weeks.feed(14 + 2)
    assert told(weeks.feed(0.25, more=1.0))


def test_a_weekend_that_goes_further_is_told(family: Family) -> None:
    weeks = Weeks(family)
    weeks.feed(14 + 5)
    assert told(weeks.feed(0.25)) == []
    assert told(weeks.feed(0.5, more=1.5))


def test_the_end_of_what_was_so_for_a_day_is_no_week(family: Family) -> None:
    """A storm of one Wednesday does not excuse one on a Thursday."""
    weeks = Weeks(family)
    weeks.feed(14 + 2)
    weeks.feed(1, more=1.0)
    weeks.feed(7)
    assert told(weeks.feed(0.25, more=1.0))


def test_what_drifts_slowly_is_told_though_each_week_is_as_the_one_before(family: Family) -> None:
    weeks = Weeks(family)
    weeks.feed(7)
    assert any(told(weeks.feed(7, more=0.2 * week)) for week in range(1, 11))


@pytest.mark.parametrize("day", [5.8, 6.2])
def test_what_begins_before_the_first_week_is_over_is_told_and_no_weekend(family: Family, day: float) -> None:
    weeks = Weeks(family)
    weeks.feed(day)
    weeks.feed(7 - day, more=1.0)
    assert told(weeks.feed(4, more=1.0))


@pytest.mark.parametrize("days", [6.9, 13.3, 19.01])
def test_a_restart_changes_nothing(family: Family, days: float) -> None:
    ends = []
    for restarts in (False, True):
        weeks = Weeks(family)
        weeks.feed(days)
        weeks = weeks.restarted() if restarts else weeks
        found = [finding.snapshot() for finding in weeks.feed(8) + weeks.feed(0.25, more=1.0)]
        ends.append((found, seal({"stream": weeks.stream.snapshot()})))
    assert ends[0] == ends[1]


def test_what_is_kept_of_a_week_is_bounded() -> None:
    weeks = Weeks(FAMILIES["numbers"])
    weeks.feed(30)
    assert len(weeks.stream.snapshot()["week"][1]) == 32


def test_without_a_week_nothing_is_kept() -> None:
    weeks = Weeks(FAMILIES["errors"], has_weeks=False)
    weeks.feed(2)
    assert "week" not in weeks.stream.snapshot()
