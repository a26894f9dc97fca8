"""What is watched of one model, from before it is known what it is."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.drift.finding import Subject
from driftline.models.performance import BinaryScoring, ClassSet, Pair
from driftline.models.snapshot import seal
from driftline.models.watch.profile import WARMUP
from driftline.schemas.alerts import Kind, Target
from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.models.join.entry import Pending
    from driftline.schemas.fields import Scalar

FRACTION: Final = 0.37  # neither a class nor a share that turns up by chance


def pairs(random: Random, size: int) -> Iterable[tuple[int, int, float]]:
    for _ in range(size):
        score = random.random()
        yield int(score > 0.5), int(random.random() < score), score


@pytest.mark.parametrize("size", [1, 50, WARMUP - 1, WARMUP, WARMUP + 1, 3 * WARMUP])
def test_every_pair_is_scored_once_whether_it_came_before_the_model_was_known_or_after(size: int) -> None:
    served, scoring = Served(), BinaryScoring(ClassSet([0, 1]))
    performance = scoring.new()
    for prediction, label, score in pairs(Random(1), size):
        served.pair(prediction, label, score=score, features={"x": score})
        outcome = scoring.interpret(Pair(label, prediction, score))
        assert outcome is not None
        performance.update(outcome)
    report = served.report()
    expected = performance.report()
    assert {name: report["performance"][name] for name in expected} == expected
    assert report["performance"]["per_version"]["1"]["pairs"] == size
    assert report["label_delay"]["count"] == size
    assert report["features"]["x"]["count"] == size
    assert report["reference"]["predictions"] == min(size, 100)
    assert report["reference"]["pairs"] == min(size, 100)


def test_labels_that_come_after_the_model_is_known_are_of_predictions_from_before() -> None:
    served = Served()
    waiting = [served.predict(n % 2) for n in range(WARMUP + 50)]
    for n, pending in enumerate(waiting):
        served.label(pending, n % 2)
    assert served.report()["performance"]["pairs"] == WARMUP + 50


def test_before_its_first_event_nothing_is_known_of_a_model() -> None:
    report = Served().report()
    assert (report["task"], report["classes"], report["model_version"]) == (None, None, None)
    assert (report["performance"], report["features"], report["reference"]) == ({}, {}, {})
    assert report["challenger"] is None


def test_what_the_first_events_suggest_is_reported_and_nothing_is_decided_by_it() -> None:
    served = Served()
    for n in range(5):
        served.pair("ham", "ham", features={"length": n})
    report = served.report()
    assert (report["task"], report["task_inferred"], report["classes"]) == ("binary", True, ["ham", "not ham"])
    assert report["performance"]["accuracy"] == 1.0
    for _ in range(WARMUP):
        served.pair("eggs", "spam", score=0.9)
    report = served.report()
    assert report["classes"] == ["eggs", "spam"]
    assert report["outside_labels"] == 5


def test_a_model_that_stays_open_is_replayed_five_times_and_not_at_each_report() -> None:
    served = Served()
    replays: list[object] = []
    for n in range(4900):
        served.pair("ham", "ham", features={"length": n}, latency_ms=1.0)
        if n >= WARMUP - 1:
            report = served.report()
            shown = WARMUP * 2 ** ((n + 1) // WARMUP).bit_length() // 2
            assert report["features"]["length"]["count"] == shown
            assert report["performance"]["pairs"] == shown - 1  # the label of the last one had not come
            assert report["label_delay"]["count"] == report["serving_latency"]["count"] == n + 1
            if not replays or report["performance"] is not replays[-1]:
                replays.append(report["performance"])
    assert len(replays) == 5
    assert served.restarted().report() == served.report()


def test_what_came_before_a_model_is_known_is_written_once() -> None:
    served = Served()
    for n in range(300):
        served.pair("ham", "ham", features={"length": n})
    for _ in range(2):
        first, again = served.monitor.snapshot()["early"], served.monitor.snapshot()["early"]
        assert len(first["predictions"]) == len(first["pairs"]) == 300
        for name in ("predictions", "pairs"):
            assert all(written is before for written, before in zip(again[name], first[name], strict=True))
        served = served.restarted()
    served.pair("ham", "ham")
    assert len(served.monitor.snapshot()["early"]["pairs"]) == 301


@pytest.mark.parametrize("seen", [0, 7, WARMUP, 2 * WARMUP])
def test_a_report_changes_nothing(seen: int) -> None:
    served = Served()
    for prediction, label, score in pairs(Random(1), seen):
        served.pair(prediction, label, score=score)
    before = seal(served.monitor.snapshot())
    assert served.report() == served.report()
    assert seal(served.monitor.snapshot()) == before


def test_a_label_outside_the_classes_is_counted_and_not_scored() -> None:
    served = Served()
    for n in range(WARMUP):
        served.pair(n % 2, n % 2)
    for label in ("unknown", 2, -1, 0.5, ""):
        served.pair(1, label)
    for label in (1, True, "1", "true", 1.0):
        served.pair(1, label)
    report = served.report()
    assert report["outside_labels"] == 5
    assert (report["performance"]["pairs"], report["performance"]["accuracy"]) == (WARMUP + 5, 1.0)
    assert report["challenger"]["pairs"] == 5  # it begins once the model is known


HOSTILE: Final[list[object]] = [
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    -1e308,
    5e-324,
    10**400,
    -(10**300),
    1e100,
    None,
    True,
    "text",
    "",
    [],
    {"a": [1]},
]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_hostile_values_reach_no_statistic(task: str) -> None:
    random = Random(1)
    numbers: list[Scalar] = [0, 1, 1e100, -1e100, 2**53, 5e-324, FRACTION]
    served = Served(task=task, classes=None if task == "regression" else ([0, 1] if task == "binary" else [0, 1, 2]))
    for n in range(600):
        features = {f"f{k}": random.choice(HOSTILE) for k in range(5)} | {"fine": random.random(), f"only {n}": n}
        prediction = random.choice(numbers) if task == "regression" else random.randrange(2)
        probabilities = {"0": random.random(), "1": 1.0, "2": 0.0} if task == "multiclass" else None
        pending = served.predict(
            prediction,
            features=features,
            score=random.choice([0.0, 1.0, 5e-324, FRACTION]) if task == "binary" else None,
            probabilities=probabilities,
            latency_ms=random.choice([0.0, 1e100, 5e-324]),
            segments={"a": random.choice([1.0, "x" * 4000, True])},
        )
        served.label(pending, random.choice([*numbers, "text", True]))
    report = served.report()
    assert report["features"]["f0"]["count"] == 600
    assert report["features"]["fine"]["missing"] == 0
    served.restarted().report()


def test_a_wide_event_is_watched_up_to_a_bound() -> None:
    served = Served()
    for n in range(WARMUP + 20):
        served.predict(n % 2, features={f"f{(n * 700 + k) % 1500}": float(k) for k in range(1000)})
    report = served.report()
    assert len(report["features"]) == 1000
    assert report["reference"]["features_dropped"] > 0
    assert len(served.restarted().report()["features"]) == 1000


def test_features_that_come_one_by_one_are_watched_up_to_a_bound() -> None:
    served = Served(reference={"events": 1000})
    for n in range(WARMUP + 1200):
        served.predict(n % 2, features={} if n < WARMUP else {f"only once {n}": n, f"{n % 3}": n})
    for each in (served, served.restarted()):
        report = each.report()
        assert len(report["features"]) == 1000
        assert report["reference"]["features_dropped"] == 1203 - 1000


def test_names_may_be_anything() -> None:
    names = ["", " ", "a b", "é\u0000", "feature x e_sr:rank", "x" * 256, "__class__", "{0}", "null"][1:]
    served = Served(segments=names)
    random = Random(1)
    for _ in range(WARMUP + 200):
        features = {name: random.random() for name in names}
        served.pair(0, 1, features=features, segments=dict.fromkeys(names, "é\u0000"))
    report = served.report()
    assert list(report["features"]) == names
    assert len(report["detectors"]) == 2 * len(names) + 4  # of errors, of labels, of what is predicted, and of repeats
    assert report["performance"]["per_segment"][" "]["é\u0000"]["pairs"] == WARMUP + 200


def test_the_values_of_a_segment_are_bounded() -> None:
    served = Served(segments=["region", "device"])
    for n in range(300):
        segments = {"region": f"r{n}"} if n % 3 else {}
        served.pair(n % 2, n % 2, segments=segments)
    by_segment = served.report()["performance"]["per_segment"]
    assert (len(by_segment["region"]), by_segment["device"]) == (101, {})
    assert by_segment["region"]["other"]["pairs"] == 100
    assert sum(part["pairs"] for part in by_segment["region"].values()) == 200


def test_versions_are_watched_apart_and_a_fifth_waits_until_one_is_out_of_use() -> None:
    served = Served()
    for n in range(2000):
        served.pair(n % 2, n % 2, version=f"v{n % 6}", features={"x": n % 7})
    report = served.report()
    assert report["reference"]["versions"] == ["v0", "v1", "v2", "v3"]
    assert report["reference"]["unwatched_predictions"] == sum(1 for n in range(2000) if n % 6 > 3)
    assert {name: part["pairs"] for name, part in report["performance"]["per_version"].items()} == {
        f"v{k}": sum(1 for n in range(2000) if n % 6 == k) for k in range(6)
    }
    assert [(each.version, each.in_use) for each in served.monitor.served()] == [(f"v{k}", True) for k in range(4)]
    for n in range(994):
        served.pair(n % 2, n % 2, version="v9")
    assert "v9" not in {each.version for each in served.monitor.served()}
    served.pair(0, 0, version="v9")
    served.pair(0, 0, version="v9")
    assert "v9" in {each.version for each in served.monitor.served() if each.in_use}
    assert served.report()["reference"]["versions"] == ["v0", "v1", "v3", "v9"]
    assert served.restarted().report() == served.report()


def test_each_version_has_its_own_reference() -> None:
    random = Random(1)
    served = Served(reference={"events": 300})
    for n in range(4000):
        center = 0.0 if n % 2 else 100.0
        served.predict(n % 2, version=str(n % 2), features={"x": random.gauss(center, 1)}, score=random.random())
    assert served.found == []
    for n in range(400):
        served.predict(n % 2, version=str(n % 2), features={"x": random.gauss(0, 1)}, score=random.random())
    large = [finding for finding in served.found if finding.effect.value >= finding.min_effect]
    assert {(finding.version, finding.subject.target.feature) for finding in large} == {("0", "x")}
    level = served.monitor.level_of(large[0].subject, "0")
    assert level is not None
    assert level.effect is not None
    assert level.effect.value > 1
    assert level.others == 1
    assert served.monitor.level_of(large[0].subject, "unknown") is None


@pytest.mark.parametrize("with_probabilities", [True, False])
def test_the_score_is_watched_also_if_it_is_given_as_a_probability(with_probabilities: bool) -> None:  # noqa: FBT001 - both
    random = Random(1)
    served = Served(positive_label="yes", reference={"events": 300})

    def predict(p: float) -> Pending:
        fields: dict[str, Any] = {"probabilities": {"no": 1 - p, "yes": p}} if with_probabilities else {"score": p}
        return served.predict("yes" if p > 0.5 else "no", **fields)

    for _ in range(2000):
        p = random.betavariate(2, 5)
        served.label(predict(p), "yes" if random.random() < p else "no")
    assert served.found == []
    for _ in range(300):
        predict(random.betavariate(5, 2))
    assert {finding.subject.as_text() for finding in served.found} == {"prediction_drift metric score"}
    assert {"concept_drift metric calibration e_sr:residual", "prediction_drift metric score e_sr:rank"} <= (
        served.report()["detectors"].keys()
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_what_is_predicted_is_watched_where_there_is_no_score(task: str) -> None:
    random = Random(1)
    served = Served(task=task, reference={"events": 1000})

    def predict(shift: int) -> None:
        if task == "regression":
            served.predict(random.gauss(10.0 + shift, 1.0))
        else:
            names = ["no", "yes"] if task == "binary" else ["cat", "dog", "fish"]
            served.predict(random.choices(names, [5 - shift, 2 + 3 * shift, 1][: len(names)])[0])

    for _ in range(4000):
        predict(0)
    assert served.found == []
    served = served.restarted()
    for _ in range(500):
        predict(2)
    large = [finding for finding in served.found if finding.effect.value >= finding.min_effect]
    assert {finding.subject.as_text() for finding in large} == {"prediction_drift metric prediction"}
    moved = {"binary": '"no" is', "multiclass": '"dog" is', "regression": "its median is 1"}[task]
    assert f"what is predicted is distributed differently: {moved}" in large[-1].summary


def test_each_of_many_classes_is_watched() -> None:
    random = Random(1)
    names = [f"k{n}" for n in range(30)]
    served = Served(task="multiclass", classes=names, reference={"events": 1000})
    for n in range(4500):
        often = "k20" if n < 4000 else "k21"
        served.predict(random.choice(names) if random.random() < 0.5 else often)
    large = [finding for finding in served.found if finding.effect.value >= finding.min_effect]
    assert {finding.subject.as_text() for finding in large} == {"prediction_drift metric prediction"}
    assert '"k4" or "k20" is' in large[-1].summary or '"k5" or "k21" is' in large[-1].summary


def test_of_a_regression_the_prediction_is_watched_whatever_score_it_gives() -> None:
    random = Random(1)
    served = Served(task="regression", reference={"events": 1000})
    for n in range(3000):
        served.predict(random.gauss(10.0, 1.0), score=random.random() if n % 2 else None)
    (report,) = (r for r in served.report()["detectors"].values() if r["kind"] == "prediction_drift")
    assert report["count"] == 2000
    assert report["before"] == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_challenger_learns_beside_the_model(task: str) -> None:
    random = Random(1)
    served = Served(task=task)
    for _ in range(1500):
        x = random.gauss(0, 1)
        if task == "binary":
            served.pair(0, int(x + random.gauss(0, 0.3) > 0), features={"x": x, "word": "a"})
        else:
            served.pair(0.0, 10 * x + random.gauss(0, 1), features={"x": x, "word": "a"})
    report = served.report()
    assert report["challenger"]["pairs"] == 1500 - WARMUP
    if task == "binary":
        assert report["challenger"]["accuracy"] > 0.85 > report["performance"]["accuracy"]
    else:
        assert report["challenger"]["mae"] < 2 < report["performance"]["mae"]


@pytest.mark.parametrize("config", [{"challenger": "none"}, {"task": "multiclass"}])
def test_there_need_not_be_a_challenger(config: dict[str, Any]) -> None:
    served = Served(**config)
    for n in range(WARMUP):
        served.pair(f"c{n % 3}", f"c{n % 3}", features={"x": n})
    assert served.predict("c0", features={"x": 1.0}).inputs is None
    assert served.report()["challenger"] is None


@pytest.mark.parametrize("given", ["score", "probabilities", "the other probability"])
def test_labels_that_come_early_teach_what_the_score_is_worth(given: str) -> None:
    random = Random(1)
    served = Served(positive_label="yes", reference={"events": WARMUP})
    for _ in range(WARMUP + 20):
        p = random.random()
        ways: dict[str, dict[str, Any]] = {
            "score": {"score": p},
            "probabilities": {"probabilities": {"no": 1 - p, "yes": p}},
            "the other probability": {"probabilities": {"no": 1 - p}},
        }
        served.pair("yes" if p > 0.5 else "no", "yes" if random.random() < p else "no", **ways[given])
    detectors = served.report()["detectors"].keys()
    assert {"concept_drift metric calibration e_sr:residual", "prediction_drift metric score e_sr:rank"} <= detectors


@pytest.mark.parametrize(
    ("values", "kind", "wrong"),
    [
        (["n/a"] + 200 * [1.5], "numeric", 1),
        (20 * [1.5, "n/a", 2.5], "numeric", 20),
        ([1] + 200 * ["a"], "categorical", 0),
        ([1.0] * 24 + ["a"] * 26 + [1.0] * 200, "categorical", 0),  # by then it was decided
        ([1.5, "n/a", "n/a"], "categorical", 0),  # so far
        ([None, [], {}, 3], "numeric", 2),
    ],
    ids=map(str, range(6)),
)
@pytest.mark.parametrize("events", [100, 1000])
def test_a_feature_that_comes_after_the_warmup_is_what_most_of_its_first_values_are(
    values: list[object], kind: str, wrong: int, events: int
) -> None:
    served = Served(reference={"events": events})
    for n in range(WARMUP):
        served.predict(n % 2)
    for n, value in enumerate(values):
        served.predict(n % 2, features={"late": value})
        served.predict(n % 2)
        if n in {0, 30, 60}:
            served = served.restarted()
    report = served.report()["features"]["late"]
    count = WARMUP + 2 * len(values)
    given = len(values) - values.count(None)
    assert (report["kind"], report["count"], report["missing"], report["wrong_type"]) == (
        kind,
        count,
        count - given,
        wrong,
    )


@pytest.mark.parametrize("come", [30, 500])
def test_a_feature_that_comes_after_the_warmup_is_watched_if_the_reference_had_it(come: int) -> None:
    random = Random(1)
    served = Served(reference={"events": 1000})
    for n in range(3000):
        late = "n/a" if n == 1000 - come else random.gauss(0, 1)
        served.predict(n % 2, features={} if n < 1000 - come else {"late": late})
    watched = {"data_drift feature late e_sr:rank", "data_quality feature late e_sr:bad"}
    assert watched & served.report()["detectors"].keys() == (watched if come > 50 else {max(watched)})


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_feature_that_has_another_name_is_told_with_that(is_restarted: bool) -> None:  # noqa: FBT001 - both
    random = Random(1)
    served = Served(reference={"events": 1000})
    for n in range(2000):
        served.predict(n % 2, features={"amount": random.gauss(0, 1), "age": random.gauss(0, 1)})
    served.predict(0, features={"amount": 0.0, "age": 0.0, "once": 1.0})
    if is_restarted:
        served = served.restarted()
    for n in range(600):
        served.predict(n % 2, features={"age": random.gauss(0, 1), "sum": random.gauss(0, 1)})
    found = [each for each in served.found if each.subject == Subject(Kind.DATA_QUALITY, Target(feature="amount"))]
    assert found[-1].summary.endswith(
        "; features once and sum, which the reference does not have, came at the same time"
    )
    assert found[-1].summary.startswith("feature amount has vanished: no recent prediction has it")


def test_a_feature_that_was_null_at_first_is_what_its_first_values_are() -> None:
    served = Served(reference={"events": 500})
    for n in range(WARMUP):
        served.predict(n % 2, features={"plan": None, "age": None})
    for n in range(100):
        served.predict(n % 2, features={"plan": "free", "age": None})
    assert served.report()["features"]["plan"] == {
        "kind": "categorical",
        "count": WARMUP + 100,
        "missing": WARMUP,
        "wrong_type": 0,
        "non_finite": 0,
        "out_of_range": 0,
        "unseen": 0,
    }
    assert "age" not in served.report()["features"]


def test_a_restart_after_a_feature_came_late_asks_for_as_much_evidence_as_before() -> None:
    random, served = Random(1), Served(task="binary", classes=[0, 1])

    def take(served: Served, *names: str) -> dict[str, float]:
        for _ in range(300):
            score = random.random()
            features = {name: random.gauss(0, 1) for name in names}
            served.pair(int(score > 0.5), int(random.random() < score), score=score, features=features)
        return {name: report["threshold"] for name, report in served.report()["detectors"].items()}

    before = take(served, "x", "y")
    assert len(before) == 10  # quality and drift of two features, the score, four of pairs, and repeats
    late = take(served, "x", "y", "late", "later")  # they have no reference, so they take no share
    assert served.report()["features"]["late"]["count"] > 0
    assert late == before
    again = served.restarted()
    assert take(again, "x", "y", "late", "later") == before
    assert take(again.restarted(), "x", "y", "late") == before


@pytest.mark.parametrize("cut", [10, WARMUP - 1, WARMUP, 350, 900])
def test_a_restored_monitor_continues_identically(cut: int) -> None:
    random = Random(1)
    first = Served(segments=["region"], reference={"events": 200})
    events: list[tuple[int, int, dict[str, Any]]] = []
    for n in range(1200):
        shift = 2.0 if n > 800 else 0.0
        x = random.gauss(shift, 1)
        features = {"x": random.choice([x, x, x, None, math.nan, [1]]), "word": random.choice("abc")}
        events.append((int(x > 0), int(random.random() < 0.5), {"features": features, "score": 1 / (1 + math.exp(-x))}))
    for n, (prediction, label, fields) in enumerate(events):
        if n == cut:
            second = first.restarted()
        first.pair(prediction, label, segments={"region": "eu"}, **fields)
        if n >= cut:
            second.pair(prediction, label, segments={"region": "eu"}, **fields)
    assert second.found
    assert second.found == first.found[-len(second.found) :]
    assert second.report() == first.report()
    assert seal(second.monitor.snapshot()) == seal(first.monitor.snapshot())


def test_an_event_that_grows_when_written_again_is_restored() -> None:
    served = Served()
    served.predict(0, features={"x": [1e15] * 60_000, "y": math.nan})
    again = served.restarted()
    assert again.report() == served.report()


def test_a_score_that_few_predictions_of_the_reference_have_is_not_watched() -> None:
    for scores in (1, 31, 49):
        served = Served(reference={"events": 200, "min_span": "0s"}, positive_label=1)
        for n in range(200):
            fields: dict[str, Any] = {"score": 0.2} if n % 4 == 0 and n < 4 * scores else {}
            served.predict(n % 2, **fields)
        for _ in range(600):
            served.predict(1, score=0.9)
        assert {finding.subject.as_text() for finding in served.found} == {"prediction_drift metric prediction"}
