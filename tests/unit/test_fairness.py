"""Groups that are not treated alike: what is told of it, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.drift.finding import LEVEL, Subject
from driftline.models.join.entry import Pending, Truth
from driftline.models.watch.slices import Slice
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import Task, parse_configuration
from driftline.schemas.errors import ConfigurationError
from tests.restoring import as_stored
from tests.truths import draw, feed, new

if TYPE_CHECKING:
    from random import Random

    from driftline.models.drift.finding import Finding
    from driftline.models.watch.truth_watch import TruthWatch
    from tests.truths import Draw

KEYS: Final = {Slice("sex", "f"): 21, Slice("sex", "m"): 22}
WOMEN: Final = Subject(Kind.FAIRNESS, Target(segment="sex=f"))
MEN: Final = Subject(Kind.FAIRNESS, Target(segment="sex=m"))


def watched(metric: str | list[str] = "true_positive_rate", task: Task = Task.BINARY, **fairness: Any) -> TruthWatch:  # noqa: ANN401 - fields of a configuration
    fairness = {"attributes": ["sex"], "metric": metric, **fairness}
    return new(task, segments=["sex"], fairness=fairness, detectors={"error": []})


def treated(women: float, men: float, *, false: float = 0.1, positive: float = 0.5) -> Draw:
    """Return a draw of pairs, of which so many positive ones of each group are predicted so, and false ones of both."""

    def one(random: Random) -> tuple[Pending, Truth]:
        sex = random.choice("fm")
        label = random.random() < positive
        rate = (women if sex == "f" else men) if label else false
        answer = random.random() < rate
        return Pending(1, 1, "1", int(answer), segments={"sex": sex}), Truth(2, 2, int(label))

    return one


def gaps(watch: TruthWatch, what: Draw, size: int, seed: int = 1, task: Task = Task.BINARY) -> list[Finding]:
    found = feed(watch, task, draw(what, size, seed), KEYS)
    return [finding for finding in found if finding.subject.kind is Kind.FAIRNESS]


def test_groups_that_are_treated_alike_are_not_told_however_often_each_is_positive() -> None:
    for seed in range(3):
        assert gaps(watched(), treated(0.8, 0.8), 40_000, seed) == []


def test_a_gap_that_is_allowed_is_not_told() -> None:
    for seed in range(3):
        assert gaps(watched(), treated(0.8, 0.73), 40_000, seed) == []


def test_a_gap_that_opens_is_told_of_both_groups_with_its_size() -> None:
    watch = watched()
    assert gaps(watch, treated(0.8, 0.8), 10_000) == []
    found = gaps(watch, treated(0.5, 0.8), 6000, 2)
    assert {finding.subject.published for finding in found} == {WOMEN, MEN}
    first = found[0]
    assert first.detector == "e_sr:true_positive_rate_gap"
    assert first.statistic >= first.threshold
    of_women = [finding for finding in found if finding.subject.published == WOMEN]
    assert [finding.detector for finding in of_women].count(
        "e_sr:true_positive_rate_gap"
    ) == 1  # and from there on that it lasts
    assert of_women[-1].detector == LEVEL
    assert of_women[-1].effect.value == pytest.approx(0.3, abs=0.08)
    assert of_women[-1].effect.after == pytest.approx(0.5, abs=0.07)
    least, most = of_women[-1].effect.interval or (0.0, 0.0)
    assert least < 0.3 < most
    assert most - least == pytest.approx(0.1, abs=0.05)  # of 8 blocks of 64, beside as many
    assert "the true positive rate of segment sex=f is " in of_women[-1].summary


def test_the_interval_holds_the_pair_since_which_groups_are_treated_otherwise() -> None:
    held, seeds = 0, 20
    for seed in range(seeds):
        start, watch = 3000 + 100 * seed, watched("error_rate")
        pairs = draw(errors(0.1, 0.1), start, seed) + draw(errors(0.4, 0.1), 6000, seed + 100)
        for nth, (pending, _) in enumerate(pairs):
            pending.at = nth
        of_women = (
            (nth, finding)
            for nth, pair in enumerate(pairs)
            for finding in feed(watch, Task.BINARY, [pair], KEYS)
            if finding.subject.published == WOMEN
        )
        found_at, first = next(of_women)
        began, ended = (mark.at for mark in first.span)
        held += began <= start <= ended
        assert ended - began <= 2 * (found_at - start)
        lasting = next(finding for _, finding in of_women if finding.detector == LEVEL)
        assert lasting.span == first.span
    assert held >= 0.9 * seeds


def test_one_that_was_there_from_the_beginning_is_told_too() -> None:
    found = gaps(watched(), treated(0.5, 0.8), 8000)
    assert {finding.subject.published for finding in found} == {WOMEN, MEN}
    assert {finding.span.earliest.nth for finding in found} == {0}


def test_a_gap_that_closes_is_not_told_any_more_and_may_open_again() -> None:
    watch = watched()
    gaps(watch, treated(0.5, 0.8), 8000)
    gaps(watch, treated(0.8, 0.8), 3000, 2)
    assert gaps(watch, treated(0.8, 0.8), 5000, 3) == []
    levels = {view.subject.published: view.level for view in watch.gaps()}
    assert all(level is not None and level.value < 0.05 for level in levels.values())
    assert WOMEN in {finding.subject.published for finding in gaps(watch, treated(0.5, 0.8), 6000, 4)}


@pytest.mark.parametrize(
    ("metric", "after"),
    [
        ("false_positive_rate", lambda random: by_sex(random, 0.4, 0.1, label=0)),
        ("selection_rate", lambda random: by_sex(random, 0.7, 0.4, label=random.randrange(2))),
        ("error_rate", lambda random: by_sex(random, 0.4, 0.1, label=0)),
    ],
)
def test_each_rate_may_be_compared(metric: str, after: Draw) -> None:
    watch = watched(metric)
    assert gaps(watch, treated(0.5, 0.5, false=0.5), 6000) == []
    found = gaps(watch, after, 6000, 2)
    assert WOMEN in {finding.subject.published for finding in found}
    assert found[-1].effect.measure == f"{metric}_gap"


def by_sex(random: Random, women: float, men: float, *, label: int) -> tuple[Pending, Truth]:
    sex = random.choice("fm")
    answer = random.random() < (women if sex == "f" else men)
    return Pending(1, 1, "1", int(answer), segments={"sex": sex}), Truth(2, 2, label)


def errors(women: float, men: float) -> Draw:
    def one(random: Random) -> tuple[Pending, Truth]:
        sex, label = random.choice("fm"), random.randrange(2)
        is_wrong = random.random() < (women if sex == "f" else men)
        return Pending(1, 1, "1", label ^ is_wrong, segments={"sex": sex}), Truth(2, 2, label)

    return one


def test_several_rates_are_compared_each_by_itself() -> None:
    both = ["true_positive_rate", "selection_rate"]
    watch, alone = watched(both), watched("selection_rate")
    before, after = treated(0.5, 0.5, false=0.5), lambda random: by_sex(random, 0.7, 0.4, label=0)
    assert gaps(watch, before, 6000) == gaps(alone, before, 6000) == []
    cut = as_stored(watch.snapshot())
    found, as_one = gaps(watch, after, 6000, 2), gaps(alone, after, 6000, 2)
    assert {finding.effect.measure for finding in found} == {"selection_rate_gap"}  # there are no positive labels
    # Which share what false alarms there may be.
    assert [finding.threshold for finding in (found[0], as_one[0])] == [2 * as_one[0].threshold, as_one[0].threshold]
    assert len({view.subject for view in watch.gaps()}) == 4
    names = {report["detector"] for view in watch.gaps() for report in view.reports()}
    assert names == {"e_sr:true_positive_rate_gap", "e_sr:selection_rate_gap"}
    again = watched(both[::-1])
    again.restore(cut, KEYS)
    assert gaps(again, after, 6000, 2) == found


def test_errors_of_several_classes_may_be_compared() -> None:
    def one(random: Random, women: float = 0.1) -> tuple[Pending, Truth]:
        sex, label = random.choice("fm"), random.choice("abc")
        is_wrong = random.random() < (women if sex == "f" else 0.1)
        answer = random.choice("abc".replace(label, "")) if is_wrong else label
        return Pending(1, 1, "1", answer, segments={"sex": sex}), Truth(2, 2, label)

    watch = watched("error_rate", Task.MULTICLASS)
    assert gaps(watch, one, 6000, task=Task.MULTICLASS) == []
    found = gaps(watch, lambda random: one(random, 0.4), 4000, 2, Task.MULTICLASS)
    assert WOMEN in {finding.subject.published for finding in found}


def test_a_restored_watch_goes_on_by_its_new_keys() -> None:
    pairs = draw(treated(0.8, 0.8), 4000) + draw(treated(0.5, 0.8), 4000, 2)
    for cut in (100, 600, 3000, 6000):
        whole, second = watched(), watched()
        feed(whole, Task.BINARY, pairs[:cut], KEYS)
        second.restore(as_stored(whole.snapshot()), KEYS)
        found = feed(whole, Task.BINARY, pairs[cut:], KEYS)
        assert WOMEN in {finding.subject.published for finding in found}
        assert feed(second, Task.BINARY, pairs[cut:], KEYS) == found
        assert second.snapshot() == whole.snapshot()


@pytest.mark.parametrize("fairness", [{"metric": "error_rate"}, {"max_gap": 0.35}], ids=str)
def test_a_restart_with_another_gap_to_look_for_begins_anew_with_the_same_groups(fairness: dict[str, Any]) -> None:
    watch, again = watched(), watched(**fairness)
    assert gaps(watch, treated(0.5, 0.8), 8000) != []
    again.restore(as_stored(watch.snapshot()), KEYS)
    assert {view.subject.published for view in again.gaps()} == {WOMEN, MEN}
    assert [(view.level, view.count) for view in again.gaps()] == [(None, 0)] * 2
    assert gaps(again, treated(0.8, 0.8), 4000, 2) == []


def test_all_records_are_given_back() -> None:
    watch = watched()
    gaps(watch, treated(0.8, 0.8), 3000)
    streams = watch._arena.streams  # noqa: SLF001 - nothing public tells what is held
    watch.close()
    assert [len(owners) for owners in streams._owners] == [0] * len(streams.banks)  # noqa: SLF001 - as above


@pytest.mark.parametrize(
    ("model", "mistake"),
    [
        ({"fairness": {"attributes": ["sex"]}}, "fairness: 'sex' is not among the segments"),
        (
            {"segments": ["sex"], "fairness": {"attributes": ["sex"]}, "task": "multiclass"},
            "fairness: true_positive_rate does not fit task: multiclass",
        ),
        (
            {"segments": ["sex"], "fairness": {"attributes": ["sex"], "metric": "error_rate"}, "task": "regression"},
            "fairness: error_rate does not fit task: regression",
        ),
        (
            {"segments": ["a", "b", "c"], "fairness": {"attributes": ["a", "b", "c"], "metric": ["error_rate"] * 2}},
            "fairness.metric: has error_rate twice",
        ),
        (
            {
                "segments": ["a", "b", "c"],
                "fairness": {"attributes": ["a", "b", "c"], "metric": ["error_rate", "selection_rate"]},
            },
            "fairness: 4 at most, each of the attributes times each metric",
        ),
        ({"fairness": {"metric": []}}, "fairness.metric: "),
        ({"fairness": {"metric": "accuracy"}}, "fairness.metric.0: must be "),
    ],
)
def test_what_cannot_be_compared_is_refused(model: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigurationError, match=mistake):
        parse_configuration({"models": [{"model_id": "m", **model}]})
