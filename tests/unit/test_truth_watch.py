"""What is seen in the joined pairs of one version."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

import pytest

from driftline.models.drift.finding import Subject
from driftline.models.join.entry import Pending, Truth
from driftline.models.snapshot import seal
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import Task
from tests.restoring import as_stored
from tests.truths import KEYS, REFERENCE, draw, feed, new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from driftline.models.drift.finding import Finding
    from driftline.schemas.fields import Scalar

    Draw = Callable[[Random], tuple[Pending, Truth]]


def kinds(found: Iterable[Finding]) -> set[Kind]:
    return {finding.subject.kind for finding in found}


def binary(
    chance: Callable[[float], float] = lambda score: score,
    scores: Callable[[Random], float] = lambda random: random.random(),
) -> Draw:
    """Return a draw of pairs whose labels are positive with a chance that may differ from the score."""

    def one(random: Random) -> tuple[Pending, Truth]:
        score = scores(random)
        label = int(random.random() < chance(score))
        return Pending(1, 1, "1", int(score > 0.5), score), Truth(2, 2, label)

    return one


def multiclass(chance: float) -> Draw:
    def one(random: Random) -> tuple[Pending, Truth]:
        answer = random.choice("abc")
        label = answer if random.random() < chance else random.choice("abc")
        rest = {name: 0.2 for name in "abc" if name != answer}
        return Pending(1, 1, "1", answer, None, {answer: 0.6, **rest}), Truth(2, 2, label)

    return one


def number(bias: float = 0.0, noise: float = 1.0, center: float = 0.0) -> Draw:
    def one(random: Random) -> tuple[Pending, Truth]:
        prediction = random.gauss(center, 5)
        return Pending(1, 1, "1", prediction), Truth(2, 2, prediction + bias + random.gauss(0, noise))

    return one


@pytest.mark.parametrize(
    ("task", "draw_one"),
    [(Task.BINARY, binary()), (Task.MULTICLASS, multiclass(0.5)), (Task.REGRESSION, number())],
    ids=list(Task),
)
def test_nothing_is_found_where_nothing_changes(task: Task, draw_one: Draw) -> None:
    for seed in range(2):
        watch = new(task)
        assert feed(watch, task, draw(draw_one, REFERENCE + 20_000, seed)) == []
        for stream in watch.streams():
            assert stream.level is not None
            assert stream.level.value < stream.min_effect


def test_a_reference_of_100_pairs_does_not_page_by_itself() -> None:
    for seed in range(20):
        watch = new(Task.BINARY, reference={"events": 100})
        assert feed(watch, Task.BINARY, draw(binary(), 5000, seed)) == []


def changed(task: Task, before: Draw, after: Draw, size: int = 600) -> list[Finding]:
    watch = new(task)
    assert feed(watch, task, draw(before, REFERENCE + 2000)) == []
    return feed(watch, task, draw(after, size, seed=2))


def test_labels_that_contradict_the_score_are_both_worse_and_another_concept() -> None:
    found = changed(Task.BINARY, binary(), binary(lambda score: 1 - score))
    assert kinds(found) == {Kind.PERFORMANCE, Kind.CONCEPT_DRIFT}
    assert {finding.detector for finding in found} == {"e_sr:error", "e_sr:excess"}
    summaries = " ".join(finding.summary for finding in found)
    assert "predictions are wrong in " in summaries
    assert "labels no longer follow the score: it says less about them than in the reference" in summaries


def test_another_concept_need_not_make_more_errors() -> None:
    found = changed(Task.BINARY, binary(), binary(lambda score: score + 0.15), size=2000)
    assert kinds(found) == {Kind.CONCEPT_DRIFT}
    assert "points more often than the reference expects of such scores" in found[0].summary


def test_more_errors_need_not_be_another_concept() -> None:
    sure, unsure = (lambda random: random.choice([0.05, 0.95])), (lambda random: random.choice([0.4, 0.6]))
    found = changed(Task.BINARY, binary(scores=sure), binary(scores=unsure), size=2000)
    assert kinds(found) == {Kind.PERFORMANCE}


@pytest.mark.parametrize(
    "scores",
    [lambda random: random.uniform(0.8, 1.0), lambda random: 0.01 * random.random()],
    ids=["higher than ever", "lower than ever"],
)
def test_scores_the_reference_has_not_seen_are_not_another_concept(scores: Callable[[Random], float]) -> None:
    usual = binary(scores=lambda random: random.uniform(0.1, 0.6))
    assert Kind.CONCEPT_DRIFT not in kinds(changed(Task.BINARY, usual, binary(scores=scores), size=2000))


def test_classes_that_are_guessed_less_well_are_found() -> None:
    found = changed(Task.MULTICLASS, multiclass(0.8), multiclass(0.2))
    assert kinds(found) == {Kind.PERFORMANCE, Kind.CONCEPT_DRIFT}
    summaries = " ".join(finding.summary for finding in found)
    assert "predictions are right " in summaries
    assert "points less often than the reference expects of such probabilities" in summaries


def test_numbers_that_are_off_to_one_side_are_found() -> None:
    found = changed(Task.REGRESSION, number(), number(bias=-2.0))
    assert kinds(found) == {Kind.PERFORMANCE, Kind.CONCEPT_DRIFT}
    summaries = " ".join(finding.summary for finding in found)
    assert "the mean absolute error is " in summaries
    assert " lower than the reference expects of such predictions" in summaries


def test_what_becomes_better_is_found_as_that() -> None:
    sure, unsure = (lambda random: random.choice([0.05, 0.95])), (lambda random: random.choice([0.4, 0.6]))
    for task, before, after, measure in (
        (Task.BINARY, binary(scores=unsure), binary(scores=sure), "error_rate"),
        (Task.REGRESSION, number(), number(noise=0.3), "relative_mae"),
    ):
        found = [each for each in changed(task, before, after, size=2000) if each.subject.kind is Kind.PERFORMANCE]
        assert {each.better for each in found} == {True}
        assert {each.effect.measure for each in found} == {measure}
        assert all((each.effect.after or 0.0) < (each.effect.before or 0.0) for each in found)
        assert "against" in found[-1].summary


@pytest.mark.parametrize(
    ("task", "before", "after"),
    [
        (Task.BINARY, binary(), binary(lambda score: float(score > 0.5))),
        (Task.MULTICLASS, multiclass(0.2), multiclass(0.8)),
    ],
    ids=["the score says more", "right more often"],
)
def test_labels_that_follow_the_score_more_closely_are_for_the_better(task: Task, before: Draw, after: Draw) -> None:
    watch = new(task)
    assert feed(watch, task, draw(before, REFERENCE + 2000)) == []
    found = feed(watch, task, draw(after, 4000, seed=2))
    concept = [each for each in found if each.subject.kind is Kind.CONCEPT_DRIFT]
    assert {each.better for each in concept} == {True}
    (stream,) = {each.detector: each for each in watch.streams() if each.detector == concept[0].detector}.values()
    assert stream.level is not None
    assert (stream.level.value, stream.better > stream.min_effect) == (0.0, True)


def test_what_is_only_as_good_as_it_was_again_is_not_better() -> None:
    watch, worse = new(Task.BINARY), binary(lambda score: 0.5 + 0.2 * (score - 0.5))
    assert feed(watch, Task.BINARY, draw(binary(), REFERENCE + 2000)) == []
    assert feed(watch, Task.BINARY, draw(worse, 3000, seed=2))
    assert not any(each.better for each in feed(watch, Task.BINARY, draw(binary(), 6000, seed=3)))


def test_how_small_a_change_is_for_good_is_said_once() -> None:
    watch = new(Task.BINARY, alerts={"min_effect": {"error_rate": 0.4}})
    found: list[Finding] = []
    feed(watch, Task.BINARY, draw(binary(), REFERENCE + 2000))
    for pair in draw(binary(lambda score: 0.5 + 0.2 * (score - 0.5)), 3000, seed=2):
        found += feed(watch, Task.BINARY, [pair], told=lambda each: each.last)
    (last,) = [each for each in found if each.subject.kind is Kind.PERFORMANCE]
    assert 0.05 < last.effect.value < 0.4


def test_numbers_that_are_off_to_both_sides_are_errors_alone() -> None:
    assert kinds(changed(Task.REGRESSION, number(), number(noise=3.0))) == {Kind.PERFORMANCE}


@pytest.mark.parametrize("usual", [0.0, 1e6, -1e9])
@pytest.mark.parametrize("distance", [-100.0, -10.0, 10.0, 100.0])
def test_numbers_the_reference_has_not_seen_are_not_another_concept(usual: float, distance: float) -> None:
    before, after = number(center=usual), number(center=usual + distance)
    assert changed(Task.REGRESSION, before, after, size=2000) == []


@pytest.mark.parametrize("distance", [-100.0, 0.0, 100.0])
def test_numbers_the_reference_has_not_seen_can_be_another_concept(distance: float) -> None:
    found = changed(Task.REGRESSION, number(), number(center=distance, bias=2.0))
    assert Kind.CONCEPT_DRIFT in kinds(found)


def test_pairs_without_scores_are_watched_for_errors_alone() -> None:
    def bare(pair: tuple[Pending, Truth]) -> tuple[Pending, Truth]:
        return Pending(1, 1, "1", pair[0].prediction), pair[1]

    watch = new(Task.BINARY)
    feed(watch, Task.BINARY, map(bare, draw(binary(), REFERENCE + 2000)))
    assert [stream.subject.kind for stream in watch.streams()] == [Kind.PERFORMANCE]
    assert feed(watch, Task.BINARY, map(bare, draw(binary(lambda score: 1 - score), 500)))


def test_detectors_can_be_switched_off() -> None:
    watch = new(Task.BINARY, detectors={"error": []})
    assert feed(watch, Task.BINARY, draw(binary(), REFERENCE + 100)) == []
    assert watch.streams() == []
    assert watch.frozen


@pytest.mark.parametrize("labels", [[1e100, -1e100], [1e100, 0.0], [5e-324, 1.0], [2**53, -(2**53)]], ids=repr)
def test_huge_numbers_stay_finite(labels: list[Scalar]) -> None:
    watch = new(Task.REGRESSION, reference={"events": 100})
    pairs = [(Pending(1, 1, "1", -labels[n % 2]), Truth(2, 2, labels[n // 3 % 2])) for n in range(400)]  # type: ignore[operator]  # numbers
    pairs += [(Pending(1, 1, "1", 1e100 * math.sin(n)), Truth(2, 2, 1e100 * math.cos(n))) for n in range(1000)]
    feed(watch, Task.REGRESSION, pairs)
    seal(watch.snapshot())
    json.dumps([stream.report() for stream in watch.streams()], allow_nan=False)


def test_errors_are_compared_with_those_of_the_whole_reference() -> None:
    watch, pairs = new(Task.BINARY, reference={"events": 5000}), draw(binary(), 5300)
    feed(watch, Task.BINARY, pairs[:3000])
    again = new(Task.BINARY, reference={"events": 5000})
    again.restore(as_stored(watch.snapshot()), KEYS)
    feed(again, Task.BINARY, pairs[3000:])
    wrong = sum(pending.prediction != truth.label for pending, truth in pairs[:5000])
    loss, *_ = again.streams()
    assert loss.report()["before"] == wrong / 5000  # not only of the part of it that is kept


def test_a_restored_watch_continues_identically() -> None:
    pairs = draw(binary(), 1500) + draw(binary(lambda score: 1 - score), 600)
    for cut in (500, 1400, 1650):
        whole, second = new(Task.BINARY), new(Task.BINARY)
        feed(whole, Task.BINARY, pairs[:cut])
        second.restore(as_stored(whole.snapshot()), KEYS)
        found = feed(whole, Task.BINARY, pairs[cut:])
        assert found
        assert feed(second, Task.BINARY, pairs[cut:]) == found
        assert second.snapshot() == whole.snapshot()


# -- slices -----------------------------------------------------------------------------------------------------------


def by_region(wrong: dict[str, float], weights: dict[str, float]) -> Draw:
    """Return a draw of pairs that are wrong so often in each region."""

    def one(random: Random) -> tuple[Pending, Truth]:
        (region,) = random.choices(list(weights), list(weights.values()))
        label = random.randrange(2)
        answer = label ^ (random.random() < wrong[region])
        return Pending(1, 1, "1", answer, segments={"region": region}), Truth(2, 2, label)

    return one


USUAL: Final = {"eu": 0.1, "us": 0.2, "asia": 0.05}
OFTEN: Final = {"eu": 0.6, "us": 0.3, "asia": 0.1}


def test_a_slice_that_is_worse_is_found_where_the_whole_hardly_is() -> None:
    for seed in range(5):
        watch = new(Task.BINARY, reference={"events": 10_000})
        assert feed(watch, Task.BINARY, draw(by_region(USUAL, OFTEN), 20_000, seed)) == []
        found = feed(watch, Task.BINARY, draw(by_region(USUAL | {"asia": 0.4}, OFTEN), 2000, seed + 100))
        (first, *_) = (finding for finding in found if finding.subject.target.segment)
        assert first.subject == Subject(Kind.PERFORMANCE, Target(segment="region=asia"))
        assert first.effect.before == pytest.approx(0.05, abs=0.02)
        assert {finding.subject.target.segment for finding in found} <= {"region=asia", None}
        assert "of segment region=asia, against" in first.summary


def test_a_mix_of_slices_that_changes_is_no_change_of_any() -> None:
    watch = new(Task.BINARY, reference={"events": 10_000})
    feed(watch, Task.BINARY, draw(by_region(USUAL, OFTEN), 15_000))
    found = feed(watch, Task.BINARY, draw(by_region(USUAL, {"eu": 0.1, "us": 0.8, "asia": 0.1}), 5000, 2))
    assert {finding.subject.target.segment for finding in found} <= {None}


def test_a_slice_of_too_few_pairs_is_not_watched() -> None:
    watch = new(Task.BINARY)
    rarely = OFTEN | {"rare": 0.02}
    feed(watch, Task.BINARY, draw(by_region(USUAL | {"rare": 0.1}, rarely), 2000))
    watched = {stream.subject.target.segment for stream in watch.streams()} - {None}
    assert watched == {"region=eu", "region=us"}  # a tenth of 750 is too few as well
    assert feed(watch, Task.BINARY, draw(by_region(USUAL | {"rare": 0.9}, rarely), 5000)) == []


def test_numbers_have_slices_too() -> None:
    def one(random: Random, off: float = 1.0) -> tuple[Pending, Truth]:
        region = random.choice(["eu", "us"])
        error = random.gauss(0, off if region == "us" else 1.0)
        return Pending(1, 1, "1", 10.0, segments={"region": region}), Truth(2, 2, 10.0 + error)

    watch = new(Task.REGRESSION)
    assert feed(watch, Task.REGRESSION, draw(one, 5000)) == []
    found = feed(watch, Task.REGRESSION, draw(lambda random: one(random, 3.0), 500, 2))
    assert "segment region=us" in {finding.subject.target.as_text() for finding in found}
    assert "segment region=eu" not in {finding.subject.target.as_text() for finding in found}


def confused(chances: dict[str, float]) -> Draw:
    """Return a draw of pairs of three classes, which are taken for another one so often."""

    def one(random: Random) -> tuple[Pending, Truth]:
        label = random.choice("abc")
        answer = random.choice("abc".replace(label, "")) if random.random() < chances[label] else label
        return Pending(1, 1, "1", answer), Truth(2, 2, label)

    return one


def test_a_class_that_is_taken_for_others_is_named() -> None:
    watch = new(Task.MULTICLASS, reference={"events": 3000})
    usual = dict.fromkeys("abc", 0.1)
    assert feed(watch, Task.MULTICLASS, draw(confused(usual), 8000)) == []
    found = feed(watch, Task.MULTICLASS, draw(confused(usual | {"b": 0.4}), 1000, 2))
    assert {finding.subject.target.class_ for finding in found} - {None} == {"b"}
    assert any("of class b, against 1" in finding.summary for finding in found)


def test_a_restored_watch_goes_on_with_its_slices_by_their_new_keys() -> None:
    pairs = draw(by_region(USUAL, OFTEN), 3000) + draw(by_region(USUAL | {"us": 0.6}, OFTEN), 600, 2)
    keys = {each: key + 100 for each, key in KEYS.items()}
    for cut in (500, 900, 2500, 3100):
        whole, second = (new(Task.BINARY, reference={"events": 1500}, segments=["region"]) for _ in range(2))
        feed(whole, Task.BINARY, pairs[:cut])
        second.restore(as_stored(whole.snapshot()), keys)
        found = feed(whole, Task.BINARY, pairs[cut:])
        assert "segment region=us" in {finding.subject.target.as_text() for finding in found}
        assert feed(second, Task.BINARY, pairs[cut:], keys) == found
        assert [stream.report() for stream in second.streams()] == [stream.report() for stream in whole.streams()]


def test_slices_of_what_is_configured_no_more_are_not_watched_after_a_restart() -> None:
    watch, again = new(Task.BINARY, segments=["region"]), new(Task.BINARY)
    feed(watch, Task.BINARY, draw(by_region(USUAL, OFTEN), 2000))
    assert {stream.subject.target.segment for stream in watch.streams()} > {None}
    again.restore(as_stored(watch.snapshot()), {})
    assert {stream.subject.target.segment for stream in again.streams()} == {None}


def test_what_is_switched_off_at_a_restart_says_nothing_but_that_it_lasts() -> None:
    pairs = draw(by_region(USUAL, OFTEN), 3000)
    watch = new(Task.BINARY, segments=["region"], detectors={"label": ["e_sr"]})
    off = new(Task.BINARY, segments=["region"], detectors={"error": [], "label": []})
    feed(watch, Task.BINARY, pairs)
    off.restore(as_stored(watch.snapshot()), KEYS)
    found = feed(off, Task.BINARY, draw(by_region(USUAL | {"us": 0.7}, OFTEN), 3000, 2))
    assert {finding.detector for finding in found} == {"level"}


# -- labels -----------------------------------------------------------------------------------------------------------


def test_labels_that_are_positive_more_often_are_label_drift_alone_where_the_score_says_so() -> None:
    watch = new(Task.BINARY, reference={"events": 3000}, detectors={"label": ["e_sr"]})
    assert feed(watch, Task.BINARY, draw(binary(), 8000)) == []
    # Errors are fewer, as scores are surer.
    told = feed(watch, Task.BINARY, draw(binary(scores=lambda random: random.random() ** 0.25), 1000, 2))
    found = [each for each in told if not each.better]
    assert kinds(found) == {Kind.LABEL_DRIFT}
    assert found[-1].effect.before == pytest.approx(0.5, abs=0.05)
    assert 'the label is distributed differently: "' in found[-1].summary


def test_classes_and_numbers_have_label_drift_too() -> None:
    def of_class(weights: list[float]) -> Draw:
        return lambda random: (Pending(1, 1, "1", "a"), Truth(2, 2, random.choices("abc", weights)[0]))

    watch = new(Task.MULTICLASS, detectors={"error": [], "label": ["e_sr"]})
    assert feed(watch, Task.MULTICLASS, draw(of_class([1, 1, 1]), 5000)) == []
    found = feed(watch, Task.MULTICLASS, draw(of_class([1, 3, 1]), 500, 2))
    assert {finding.subject for finding in found} == {Subject(Kind.LABEL_DRIFT, Target(metric="label"))}
    assert '"b" is' in found[-1].summary

    def of_number(shift: float) -> Draw:
        def one(random: Random) -> tuple[Pending, Truth]:
            true = random.gauss(shift, 1)
            return Pending(1, 1, "1", true + random.gauss(0, 0.1)), Truth(2, 2, true)

        return one

    watch = new(Task.REGRESSION, detectors={"label": ["e_sr"]})
    assert feed(watch, Task.REGRESSION, draw(of_number(0.0), 5000)) == []
    assert kinds(feed(watch, Task.REGRESSION, draw(of_number(1.0), 500, 2))) == {Kind.LABEL_DRIFT}


def test_labels_need_not_be_watched() -> None:
    watch = new(Task.BINARY, detectors={"label": []})
    found = feed(watch, Task.BINARY, draw(binary(), 5000))
    found += feed(watch, Task.BINARY, draw(binary(scores=lambda random: random.random() ** 0.25), 1000, 2))
    assert [each for each in found if not each.better] == []
