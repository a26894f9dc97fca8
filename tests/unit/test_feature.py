"""What is seen in the values of one feature."""

from __future__ import annotations

import math
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.drift.rank import RankPsi
from driftline.models.snapshot import seal
from driftline.models.watch.feature import Feature
from driftline.models.watch.quality import Absent, Problem, finite_number, read_category
from driftline.models.watch.version_watch import quarter
from driftline.schemas.alerts import Kind
from driftline.schemas.config import FeatureKind, ModelConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from driftline.models.drift.finding import Finding

REFERENCE: Final = 1000


def new(kind: FeatureKind = FeatureKind.NUMERIC, *, missed: int = 0, **config: Any) -> Feature:  # noqa: ANN401 - fields
    return Feature("amount", kind, "1", ModelConfig(model_id="m", **config), missed=missed)


def feed(feature: Feature, values: Iterable[object]) -> list[Finding]:
    """Return the findings that are large enough to be told."""
    found: list[Finding] = []
    for n, value in enumerate(values):
        found += feature.update(value, n, n, n)
    return [finding for finding in found if finding.effect.value >= finding.min_effect]


def learned(values: Iterable[object], kind: FeatureKind = FeatureKind.NUMERIC, **config: Any) -> Feature:  # noqa: ANN401
    feature = new(kind, **config)
    assert feed(feature, values) == []
    feature.freeze()
    feature.promise(1_000_000, features=1, drifting=1)
    return feature


def amounts(random: Random, size: int) -> list[object]:
    return [random.lognormvariate(3, 1) for _ in range(size)]


NUMBERS: Final[dict[str, tuple[object, Problem]]] = {
    "a float": (1.5, Problem.FINE),
    "an integer": (3, Problem.FINE),
    "null": (None, Problem.MISSING),
    "absent": (Absent, Problem.MISSING),
    "a boolean": (True, Problem.WRONG_TYPE),
    "text": ("1.5", Problem.WRONG_TYPE),
    "a list": ([1], Problem.WRONG_TYPE),
    "an object": ({"a": 1}, Problem.WRONG_TYPE),
    "NaN": (math.nan, Problem.NON_FINITE),
    "infinity": (-math.inf, Problem.NON_FINITE),
    "1e308": (1e308, Problem.NON_FINITE),
    "10**400": (10**400, Problem.NON_FINITE),
    "too small": (-1, Problem.OUT_OF_RANGE),
    "too large": (100.5, Problem.OUT_OF_RANGE),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_each_value_of_a_number_has_one_fate(name: str) -> None:
    value, expected = NUMBERS[name]
    feature = new(features={"amount": {"min": 0, "max": 100}})
    feature.update(value, 0, 0, 0)
    counts = {problem.name.lower(): int(problem is expected) for problem in Problem if problem}
    assert {name: feature.report()[name] for name in counts} == counts
    is_number = expected in {Problem.FINE, Problem.OUT_OF_RANGE}
    assert finite_number(value) == (float(str(value)) if is_number else None)


@pytest.mark.parametrize(
    ("value", "problem", "category"),
    [
        ("eu", Problem.FINE, "eu"),
        ("", Problem.FINE, ""),
        (True, Problem.FINE, "true"),
        (3, Problem.FINE, "3"),
        (3.0, Problem.FINE, "3"),
        (None, Problem.MISSING, None),
        (math.nan, Problem.NON_FINITE, None),
        ([], Problem.WRONG_TYPE, None),
    ],
    ids=repr,
)
def test_each_value_of_a_category_has_one_fate(value: object, problem: Problem, category: str | None) -> None:
    assert read_category(value) == (problem, category)


def test_what_is_wrong_is_counted_and_reaches_no_statistic() -> None:
    values = [value for value, _ in NUMBERS.values()]
    feature = learned(values * 20, features={"amount": {"min": 0, "max": 100}})
    feed(feature, values * 100)
    report = feature.report()
    assert report["count"] == 120 * len(values)
    assert {name: report[name] // 120 for name in ("missing", "wrong_type", "non_finite", "out_of_range")} == {
        "missing": 2,
        "wrong_type": 4,
        "non_finite": 4,
        "out_of_range": 2,
    }
    quality, drift = feature.streams()
    assert (quality.count, drift.count) == (100 * len(values), 100 * 4)
    seal(feature.snapshot())


def test_another_unit_is_data_drift() -> None:
    random = Random(1)
    feature = learned(amounts(random, REFERENCE))
    assert feed(feature, amounts(random, 2000)) == []
    found = feed(feature, (100 * finite_number(value) for value in amounts(random, 300)))  # type: ignore[operator]  # all are
    assert {(finding.subject.kind, finding.subject.target.feature) for finding in found} == {
        (Kind.DATA_DRIFT, "amount")
    }
    assert found[0].summary.startswith("feature amount is distributed differently: its median is ")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (None, "feature amount is missing in"),
        ("n/a", "feature amount is of the wrong type in"),
        (math.inf, "feature amount is not a finite number in"),
        (-1.0, "feature amount is out of range in"),
    ],
    ids=repr,
)
def test_a_storm_of_bad_values_is_a_matter_of_quality(bad: object, words: str) -> None:
    random = Random(1)
    feature = learned(amounts(random, REFERENCE), features={"amount": {"min": 0}})
    assert feed(feature, amounts(random, 2000)) == []
    storm = [bad if random.random() < 0.5 else value for value in amounts(random, 300)]
    found = [finding for finding in feed(feature, storm) if finding.subject.kind is Kind.DATA_QUALITY]
    assert found
    assert found[0].summary.startswith(words)


def test_a_feature_that_vanishes_is_told_by_that() -> None:
    random = Random(1)
    feature = learned(amounts(random, REFERENCE))
    found = [each for each in feed(feature, [Absent] * 200) if each.subject.kind is Kind.DATA_QUALITY]
    assert found[-1].summary == (
        "feature amount has vanished: no recent prediction has it, against 0.0% bad values in the reference"
    )


def test_a_feature_that_does_not_vary_any_more_is_told_by_its_value() -> None:
    random = Random(1)
    feature = learned(amounts(random, REFERENCE))
    found = feed(feature, [7.25] * 200)
    assert found
    assert all(each.summary.startswith("feature amount is always 7.25 now: in the reference it") for each in found)


def test_a_value_that_is_usual_is_no_constant() -> None:
    random = Random(1)
    feature = learned([0.0 if random.random() < 0.7 else random.random() for _ in range(REFERENCE)])
    found = feed(feature, [0.0] * 400)
    assert found
    assert all("is distributed differently" in each.summary for each in found)


def test_a_storm_is_told_by_its_own_problem_and_not_by_those_of_an_earlier_one() -> None:
    random = Random(1)
    feature = learned(amounts(random, REFERENCE))
    feed(feature, ["n/a" if random.random() < 0.9 else value for value in amounts(random, 1000)])
    feed(feature, amounts(random, 1000))
    storm = [None if random.random() < 0.4 else value for value in amounts(random, 300)]
    found = [finding for finding in feed(feature, storm) if finding.subject.kind is Kind.DATA_QUALITY]
    assert found
    assert found[-1].summary.startswith("feature amount is missing in")
    assert "against 0.0% bad values in the reference" in found[0].summary


def test_values_that_were_always_bad_are_no_news() -> None:
    random = Random(1)

    def half_missing(size: int) -> list[object]:
        return [None if random.random() < 0.5 else value for value in amounts(random, size)]

    feature = learned(half_missing(REFERENCE))
    assert feed(feature, half_missing(20_000)) == []


def test_a_new_category_is_a_matter_of_quality() -> None:
    random = Random(1)
    feature = learned((random.choice("abc") for _ in range(REFERENCE)), FeatureKind.CATEGORICAL)
    assert feed(feature, (random.choice("abc") for _ in range(2000))) == []
    found = feed(feature, (random.choice("abcd") for _ in range(400)))
    assert "feature amount is a category that the reference does not have" in found[0].summary
    assert feature.report()["unseen"] > 50


@pytest.mark.parametrize("most", [30, 300, 900, 5000])
def test_rare_categories_that_happen_not_to_be_in_the_reference_are_no_news(most: int) -> None:
    for seed in range(3):
        random = Random(seed)

        def draw(size: int, random: Random = random) -> list[object]:
            return [f"c{int(most ** random.random())}" for _ in range(size)]

        feature = learned(draw(REFERENCE), FeatureKind.CATEGORICAL)
        assert feed(feature, draw(10_000)) == []
        quality, *_ = feature.streams()
        assert quality.level is not None
        assert quality.level.value < quality.min_effect


def test_categories_are_bounded_in_number_and_length() -> None:
    feature = learned((f"{n}" * 2000 for n in range(3000)), FeatureKind.CATEGORICAL)
    assert feed(feature, (f"{n}" * 2000 for n in range(5000, 5100))) == []
    assert feature.report()["unseen"] == 0  # it does not know all that the reference had
    assert len(seal(feature.snapshot())) < 70_000
    assert feed(feature, [None] * 300)  # and it is not blind to what it can tell


def test_a_long_category_is_still_known() -> None:
    feature = learned(["x" * 1000, "y" * 1000] * 200, FeatureKind.CATEGORICAL)
    feed(feature, ["x" * 1000, "y" * 1000, "x" * 999])
    assert feature.report()["unseen"] == 1


def test_a_feature_that_was_not_in_the_reference_is_counted_and_not_compared() -> None:
    feature = new(missed=500)
    feature.freeze()
    assert feed(feature, [1.0, *[Absent] * 3000, *[7.0] * 3000]) == []
    assert feature.streams() == []
    assert feature.report() == {
        "kind": "numeric",
        "count": 6501,
        "missing": 3500,
        "wrong_type": 0,
        "non_finite": 0,
        "out_of_range": 0,
        "unseen": 0,
    }


def test_a_feature_that_came_late_was_missing_before() -> None:
    feature = new(missed=900)
    feed(feature, [1.0, Absent] * 50)
    feature.freeze()
    assert feed(feature, [Absent, Absent, Absent, 1.0] * 1000) == []
    (quality, _) = feature.streams()
    assert quality.level is not None
    assert quality.level.before == pytest.approx(0.95)


def test_too_few_numbers_make_no_ranks() -> None:
    assert [s.subject.kind for s in learned([1.0] * 49).streams()] == [Kind.DATA_QUALITY]
    assert [s.subject.kind for s in learned([1.0] * 50).streams()] == [Kind.DATA_QUALITY, Kind.DATA_DRIFT]


@pytest.mark.parametrize("size", [400, 1000, 1017, 1023, 1024])
def test_what_is_normal_is_counted_once_of_each_value_of_the_reference(size: int) -> None:
    values = [float(value) for value in amounts(Random(1), size)]  # type: ignore[arg-type]  # numbers
    first = quarter(size)  # no multiple of the 32 that detectors take at a time
    feature = new(reference={"events": size})
    feed(feature, values[:first])
    feature.begin()
    feed(feature, values[first:])
    feature.freeze()
    (_, drift) = feature.streams()
    counted = size // 32 * 32
    assert drift.learned == size
    assert int(drift.measure["reference"]) == counted
    # By ranks among the first quarter, as it is compared later.
    assert drift.measure["bins"].tolist() == RankPsi.of(values[:first]).tally(values[:counted]).tolist()
    assert float(drift.measure["before"]) == median(values)


def test_a_feature_that_begins_late_in_the_reference_counts_each_value_once_too() -> None:
    values = [float(value) for value in amounts(Random(1), 333)]  # type: ignore[arg-type]  # numbers
    feature = new(missed=700)
    feature.begin()  # while there are no values
    feed(feature, values)
    feature.freeze()
    (_, drift) = feature.streams()
    assert (drift.learned, int(drift.measure["reference"])) == (333, 320)


def test_detectors_can_be_switched_off() -> None:
    values = [1.0] * 100
    assert learned(values, detectors={"numeric": [], "quality": []}).streams() == []
    feature = learned(values, detectors={"quality": []})
    assert [s.subject.kind for s in feature.streams()] == [Kind.DATA_DRIFT]
    assert feed(feature, [None] * 3000) == []


def test_values_that_are_missing_in_bursts_are_normal_where_the_reference_has_bursts() -> None:
    def bursts(random: Random) -> Iterator[object]:
        missing = False
        while True:
            if random.random() < 0.1:
                missing = random.random() < 0.1
            yield None if missing else random.random()

    for seed in range(3):
        values, feature = bursts(Random(seed)), new()
        feed(feature, (next(values) for _ in range(quarter(10_000))))
        feature.begin()
        feed(feature, (next(values) for _ in range(10_000 - quarter(10_000))))
        feature.freeze()
        feature.promise(1_000_000, features=20, drifting=20)
        feed(feature, (next(values) for _ in range(40_000)))
        quality, _ = feature.streams()
        assert quality.detections == 0
