"""A model that turns out to be something else than it was taken for, and a configuration that changes under way."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from driftline.models.snapshot import seal
from driftline.models.watch.profile import WARMUP
from tests.served import Served, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.schemas.fields import Scalar


def serve(served: Served, values: Iterable[Scalar], **fields: Any) -> None:  # noqa: ANN401 - fields of a prediction
    for value in values:
        served.pair(value, value, **fields)


def answers(*values: Scalar, size: int = 2 * WARMUP) -> list[Scalar]:
    return [values[n % len(values)] for n in range(size)]


# -- the configuration of a model that is known ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"task": "regression"}, ("regression", False, None, None)),
        ({"task": "multiclass"}, ("multiclass", False, ["0", "1"], None)),
        ({"positive_label": 0}, ("binary", True, ["0", "1"], "0")),
        ({"classes": [0, 1, 2]}, ("multiclass", True, ["0", "1", "2"], None)),
        ({"classes": [1, 0], "positive_label": 0}, ("binary", True, ["1", "0"], "0")),
    ],
)
def test_a_model_is_known_anew_once_the_configuration_says_what_it_is(
    said: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    served = Served()
    serve(served, answers(0, 1), features={"x": 1.0})
    assert served.report()["reference"]["restarts"] == 0

    again = served.restarted(**said)
    assert again.report()["performance"] == {}
    serve(again, answers(0, 1), features={"x": 1.0})
    for each in (again, again.restarted()):
        report = each.report()
        names = ("task", "task_inferred", "classes", "positive_label")
        assert tuple(report[name] for name in names) == expected
        assert report["performance"]["pairs"] == 2 * WARMUP
        assert report["label_delay"]["count"] == 4 * WARMUP
        assert report["features"]["x"]["count"] == report["reference"]["predictions"] * 4 == 2 * WARMUP
        assert report["reference"]["restarts"] == 1
        assert (report["challenger"] is None) is (expected[0] == "multiclass")


@pytest.mark.parametrize("said", [{"task": "binary"}, {"classes": ["true", 0.0]}, {"positive_label": True}])
def test_what_the_configuration_says_and_was_known_changes_nothing(said: dict[str, Any]) -> None:
    served = Served()
    serve(served, answers(0, 1), features={"x": 1.0})
    before, after = served.report(), served.restarted(**said).report()
    assert after.pop("task_inferred") is ("task" not in said)
    assert before.pop("task_inferred")
    assert after == before


def test_what_the_configuration_no_longer_says_stands() -> None:
    served = Served(task="multiclass", classes=["a", "b", "c"])
    serve(served, answers("a", "b"))
    again = served.restarted(task=None, classes=None)
    assert (again.report()["task"], again.report()["classes"]) == ("multiclass", ["a", "b", "c"])
    assert again.report()["task_inferred"]
    assert again.report()["performance"] == served.report()["performance"]


def test_labels_of_predictions_from_before_are_scored_by_what_the_model_is_now() -> None:
    served = Served()
    serve(served, answers(0, 1))
    waiting = [stored(served.predict("yes" if n % 4 else "no", probabilities={"yes": 0.75})) for n in range(100)]
    again = served.restarted(task="binary", classes=["yes", "no"], positive_label="no")
    for pending in waiting[:50]:
        again.label(pending, "yes")  # nobody knows yet how to read it, and how many more there are
    for _ in range(WARMUP):
        again.predict("yes", probabilities={"yes": 0.75})
    assert again.report()["performance"]["pairs"] == 0
    for pending in waiting[50:]:
        again.label(pending, "yes")
    performance = again.report()["performance"]
    assert (performance["pairs"], performance["scored"]) == (50, 50)
    assert performance["brier"] == pytest.approx(0.25**2)
    assert again.report()["outside_labels"] == 0


def test_the_score_of_a_pair_is_that_of_the_class_which_is_positive_now() -> None:
    random = Random(1)
    served = Served(positive_label="yes")

    def predict(served: Served) -> tuple[Any, str]:
        p = random.random()
        pending = served.predict("yes" if p > 0.5 else "no", probabilities={"yes": p, "no": 1 - p})
        return stored(pending), "yes" if random.random() < p else "no"

    for _ in range(WARMUP):
        served.label(*predict(served))
    waiting = [predict(served) for _ in range(500)]
    again = served.restarted(positive_label="no")
    for _ in range(WARMUP):
        again.label(*predict(again))
    for pending, label in waiting:
        again.label(pending, label)
    assert again.report()["performance"]["roc_auc"] > 0.7


# -- the challenger ----------------------------------------------------------------------------------------------------


def learned(random: Random, served: Served, size: int = 500) -> None:
    for _ in range(size):
        x = random.gauss(0, 1)
        served.pair(int(x > 0), int(x > 0), features={"x": x, "y": 1.0})


@pytest.mark.parametrize("kind", ["auto", "logistic_regression"])
def test_a_challenger_that_is_still_the_same_goes_on(kind: str) -> None:
    served = Served()
    learned(Random(1), served)
    again = served.restarted(challenger=kind)
    assert again.report() == served.report()
    learned(Random(2), again)
    assert again.report()["challenger"]["pairs"] == 1000 - WARMUP


def test_a_challenger_can_be_dropped_and_begins_afresh_when_it_is_wanted_again() -> None:
    served = Served()
    learned(Random(1), served)
    before = [served.predict(1, features={"x": 1.0}) for _ in range(50)]
    without = served.restarted(challenger="none")
    assert without.report()["challenger"] is None
    assert without.report()["performance"] == served.report()["performance"]
    learned(Random(1), without)
    assert without.predict(0, features={"x": 1.0}).inputs is None

    again = without.restarted(challenger="auto")
    assert again.report()["challenger"]["pairs"] == 0
    for pending in before:
        again.label(stored(pending), 1)  # predicted by the one that was dropped
    assert again.report()["challenger"]["pairs"] == 0
    learned(Random(1), again, 10)
    assert again.restarted().report()["challenger"]["pairs"] == 10


def test_a_challenger_that_is_wanted_with_a_feature_that_is_new_goes_without_it_in_the_version_at_hand() -> None:
    before = Served(challenger="none")
    serve(before, answers(0, 1, size=300), features={"x": 1.0, "place": 2.0})
    features = {"late": {"kind": "numeric"}, "place": {"kind": "categorical"}}
    after = before.restarted(challenger="logistic_regression", features=features)
    serve(after, answers(0, 1, size=300), features={"x": 1.0, "late": 3.0, "place": 2.0})
    assert after.report()["challenger"]["pairs"] == 300
    serve(after, answers(0, 1, size=300), version="2", features={"x": 1.0, "late": 3.0, "place": 2.0})
    assert after.report()["challenger"]["pairs"] == 600


def test_a_challenger_of_another_task_is_not_taught_what_was_kept_for_the_one_before() -> None:
    served = Served()
    learned(Random(1), served)
    before = [stored(served.predict(1, features={"x": 1.0, "y": 1.0})) for _ in range(50)]
    again = served.restarted(task="regression")
    for n in range(WARMUP):
        again.pair(n, n, features={"x": 1.0})  # fewer inputs than the challenger before had
    for pending in before:
        again.label(pending, 1)
    assert again.report()["challenger"]["pairs"] == 0
    again.pair(1, 1, features={"x": 1.0})
    assert again.report()["challenger"]["pairs"] == 1


# -- segments, features and references ---------------------------------------------------------------------------------


def test_a_segment_that_is_added_moved_or_dropped_while_predictions_wait() -> None:
    served = Served(segments=["region", "tier"])
    segments = {"region": "eu", "tier": "a", "channel": "web"}
    serve(served, answers(0, 1), segments=segments)
    waiting = [stored(served.predict(0, segments=segments)) for _ in range(10)]
    again = served.restarted(segments=["channel", "region"])
    for pending in waiting:
        again.label(pending, 0)
    again.pair(0, 0, segments=segments)
    by_segment = again.report()["performance"]["per_segment"]
    assert {name: {value: part["pairs"] for value, part in parts.items()} for name, parts in by_segment.items()} == {
        "channel": {"web": 1},
        "region": {"eu": 2 * WARMUP + 11},
    }


def test_the_kind_of_a_feature_holds_from_the_next_version_on() -> None:
    served = Served()
    serve(served, answers(0, 1), features={"zip": 80331})
    again = served.restarted(features={"zip": {"kind": "categorical"}})
    serve(again, answers(0, 1), features={"zip": 80331})
    assert again.report()["features"]["zip"]["kind"] == "numeric"
    serve(again, answers(0, 1), version="2", features={"zip": 80331})
    assert again.report()["features"]["zip"]["kind"] == "categorical"


@pytest.mark.parametrize("events", [100, 250, 399, 400, 401])
def test_a_reference_that_is_made_smaller_is_complete_at_once(events: int) -> None:
    served = Served(reference={"events": 10_000})
    serve(served, answers(0, 1, size=400), features={"x": 1.0})
    again = served.restarted(reference={"events": events})
    serve(again, [1], features={"x": 1.0})
    reference = again.report()["reference"]
    assert (reference["predictions_complete"], reference["pairs_complete"]) == (True, True)
    found = again.report()["detectors"]
    assert {"data_drift feature x e_sr:rank", "performance metric accuracy e_sr:error"} <= found.keys()


def records_in_use(served: Served) -> list[int]:
    """Return how many streams, trails, seasons and samples there are."""
    arena = served._arena  # noqa: SLF001 - nothing public tells
    streams = arena.streams
    return [len(bank) for bank in (*streams.banks, streams.trails, streams.seasons, arena.samples, arena.pages)]


@pytest.mark.parametrize("events", [1001, 1200, 2500])
def test_a_reference_that_is_made_larger_goes_on_with_the_streams_that_it_has(events: int) -> None:
    random = Random(1)
    values = [random.random() for _ in range(2 * events)]

    def take(served: Served, start: int, end: int) -> None:
        for value in values[start:end]:
            served.pair(int(value > 0.5), int(random.random() < value), score=value, features={"x": value, "y": -value})

    fields: dict[str, Any] = {"task": "binary", "classes": [0, 1]}
    served, plain = Served(reference={"events": 1000}, **fields), Served(reference={"events": events}, **fields)
    take(served, 0, 270)  # its quarter has come, and the one of the larger reference is still to come
    again = served.restarted(reference={"events": events})
    take(again, 270, len(values))
    take(plain, 0, len(values))
    assert again.report()["reference"]["predictions_complete"]
    assert again.report()["reference"]["pairs_complete"]
    assert again.report()["detectors"].keys() == plain.report()["detectors"].keys()
    assert records_in_use(again) == records_in_use(plain)
    assert records_in_use(again.restarted()) == records_in_use(plain)


# -- classes that the first predictions did not show ------------------------------------------------------------------


def drawn(seed: int, draw: Callable[[Random], Scalar], size: int) -> list[Scalar]:
    random = Random(seed)
    return [draw(random) for _ in range(size)]


@pytest.mark.parametrize(
    ("draw", "task", "classes"),
    [
        (lambda random: random.randrange(4), "multiclass", ["0", "1", "2", "3"]),
        (lambda random: round(random.expovariate(0.2), 1), "regression", None),
        (lambda random: random.choice("ab"), "multiclass", ["0", "1", "a", "b"]),
    ],
    ids=["integers", "numbers", "words"],
)
def test_a_model_whose_first_predictions_were_all_0_or_1(
    draw: Callable[[Random], Scalar], task: str, classes: list[str] | None
) -> None:
    served = Served()
    serve(served, answers(0, 1, size=WARMUP))
    assert served.report()["task"] == "binary"
    serve(served, drawn(1, draw, 2000))
    report = served.report()
    assert (report["task"], report["task_inferred"], report["classes"]) == (task, True, classes)
    assert report["outside_labels"] == 51
    assert report["reference"]["restarts"] == 1
    assert report["performance"]["pairs"] > 1500
    assert report == served.restarted().report()


def test_classes_only_grow_and_a_model_is_known_anew_three_times_at_most() -> None:
    served = Served()
    serve(served, answers("a", "b"))
    for n in range(8):
        serve(served, answers(f"x{n}", f"y{n}", size=1000))
        serve(served, answers("a", "b"))
    report = served.report()
    assert report["classes"] == sorted(["a", "b", *(f"{letter}{n}" for n in range(3) for letter in "xy")])
    assert report["reference"]["restarts"] == 3


@pytest.mark.parametrize(
    "predicted_and_true",
    [
        lambda random: ("error" if random.random() < 0.3 else "yes", "yes"),  # a service that fails
        lambda random: ("yes", "unknown" if random.random() < 0.3 else "yes"),  # a label that says nothing
        lambda random: 2 * (random.choice(["maybe"] + 24 * ["yes"]),),  # 4 % of all
    ],
    ids=["a prediction alone", "a label alone", "seldom"],
)
def test_what_is_outside_the_classes_need_not_be_a_class(
    predicted_and_true: Callable[[Random], tuple[str, str]],
) -> None:
    random, served = Random(1), Served()
    serve(served, answers("yes", "no"))
    for _ in range(5000):
        served.pair(*predicted_and_true(random))
    assert (served.report()["classes"], served.report()["reference"]["restarts"]) == (["no", "yes"], 0)


@pytest.mark.parametrize(
    "config", [{"task": "binary"}, {"classes": ["yes", "no"]}, {"positive_label": "yes"}, {"classes": ["a", "b", "c"]}]
)
def test_what_the_configuration_says_is_not_inferred_again(config: dict[str, Any]) -> None:
    served = Served(**config)
    serve(served, answers("yes", "no"))
    serve(served, answers("maybe", "no", size=2000))
    assert served.report()["reference"]["restarts"] == 0


def test_a_model_with_scores_is_binary_whatever_it_predicts() -> None:
    served = Served()
    serve(served, answers("yes", "no"), score=0.5)
    serve(served, answers("maybe", "no", size=2000), score=0.5)
    assert (served.report()["classes"], served.report()["reference"]["restarts"]) == (["no", "yes"], 0)


def test_numbers_stay_numbers() -> None:
    served = Served()
    serve(served, answers(0.5, 1.5))
    serve(served, answers("a", "b", size=2000))
    assert (served.report()["task"], served.report()["reference"]["restarts"]) == ("regression", 0)


def test_labels_that_come_while_a_model_is_not_known_anew_take_no_room() -> None:
    served = Served()
    serve(served, answers(0, 1))
    waiting = [served.predict(n % 2) for n in range(5000)]
    again = served.restarted(task="multiclass")
    size = len(seal(again.monitor.snapshot()))
    for pending in waiting:
        again.label(pending, 1)
    assert len(seal(again.monitor.snapshot())) < size + 5000
    assert again.report()["label_delay"]["count"] == 2 * WARMUP + 5000


@pytest.mark.parametrize("cut", [10, 60, WARMUP + 20, WARMUP + 90, 800])
def test_a_restored_monitor_is_known_anew_at_the_same_event(cut: int) -> None:
    whole = Served()
    serve(whole, answers(0, 1, size=WARMUP))
    values = drawn(1, lambda random: random.randrange(4), 1500)
    serve(whole, values[:cut], features={"x": 1.0})
    second = whole.restarted()
    for served in (whole, second):
        serve(served, values[cut:], features={"x": 1.0})
    assert seal(second.monitor.snapshot()) == seal(whole.monitor.snapshot())
    assert second.report() == whole.report()
