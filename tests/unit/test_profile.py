"""What a model is taken for by its first events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from driftline.models.kernels.version import MOST_FEATURES
from driftline.models.performance import Pair
from driftline.models.watch.early import Early
from driftline.models.watch.profile import WARMUP, Mistaken, Profile, infer, infer_kind, is_known
from driftline.schemas.config import FeatureKind, ModelConfig, Task
from driftline.schemas.events import Prediction

if TYPE_CHECKING:
    from driftline.schemas.fields import Scalar


def predictions(values: list[Scalar], **fields: Any) -> list[Prediction]:  # noqa: ANN401 - fields of a prediction
    return [
        Prediction(model_id="m", model_version="1", prediction_id=str(n), timestamp=n, prediction=value, **fields)
        for n, value in enumerate(values)
    ]


def scored(pairs: list[tuple[Scalar, float]]) -> list[Prediction]:
    return [prediction for value, score in pairs for prediction in predictions([value], score=score)]


def config(**fields: Any) -> ModelConfig:  # noqa: ANN401 - fields of a configuration
    return ModelConfig(model_id="m", **fields)


@dataclass(frozen=True)
class Case:
    """First events and what they mean; `classes` are in order, the positive one is named."""

    first: list[Prediction]
    task: Task
    classes: list[str] | None = None
    positive: str | None = None
    labels: list[Scalar] = field(default_factory=list)
    configured: dict[str, Any] = field(default_factory=dict)


CASES = {
    "integers 0 and 1": Case(predictions([0, 1, 0]), Task.BINARY, ["0", "1"], "1"),
    "only 0": Case(predictions([0, 0]), Task.BINARY, ["0", "1"], "1"),
    "only 1": Case(predictions([1, 1]), Task.BINARY, ["0", "1"], "1"),
    "booleans": Case(predictions([True, False]), Task.BINARY, ["false", "true"], "true"),
    "only False": Case(predictions([False]), Task.BINARY, ["false", "true"], "true"),
    "0 and 1 as floats": Case(predictions([0.0, 1.0]), Task.BINARY, ["0.0", "1.0"], "1.0"),
    "words for 0 and 1": Case(predictions(["true", "False"]), Task.BINARY, ["False", "true"], "true"),
    "two numbers": Case(predictions([3, 7]), Task.BINARY, ["3", "7"], "7"),
    "yes and no": Case(predictions(["yes", "no"]), Task.BINARY, ["no", "yes"], "yes"),
    "yes and no, scores": Case(scored([("yes", 0.9), ("no", 0.2)]), Task.BINARY, ["no", "yes"], "yes"),
    "good where the score is high": Case(scored([("good", 0.9), ("bad", 0.2)]), Task.BINARY, ["bad", "good"], "good"),
    "bad where the score is high": Case(scored([("bad", 0.9), ("good", 0.2)]), Task.BINARY, ["bad", "good"], "bad"),
    "no at low scores, never yes": Case(
        scored([("no", 0.1), ("no", 0.3)]), Task.BINARY, ["no", "yes"], "yes", labels=["yes", "no"]
    ),
    "one word alone": Case(predictions(["ham"]), Task.BINARY, ["ham", "not ham"], "not ham"),
    "a third word with scores": Case(
        scored([("a", 0.1), ("b", 0.9), ("b", 0.8), ("a", 0.2), ("review", 0.5)]), Task.BINARY, ["a", "b"], "b"
    ),
    "1 among other spellings": Case(predictions([0, 1], score=0.5), Task.BINARY, ["0", "1"], "1", labels=[True, "1"]),
    "three words": Case(predictions(["cat", "dog", "cow"]), Task.MULTICLASS, ["cat", "cow", "dog"]),
    "a label that nobody predicted": Case(
        predictions(["cat", "dog", "cow"]), Task.MULTICLASS, ["bat", "cat", "cow", "dog"], labels=["bat"]
    ),
    "probabilities": Case(
        predictions(["b"], probabilities={"a": 0.2, "b": 0.7, "c": 0.1}), Task.MULTICLASS, ["a", "b", "c"]
    ),
    "integers, a few": Case(predictions([n % 5 for n in range(50)]), Task.MULTICLASS, ["0", "1", "2", "3", "4"]),
    "integers, many": Case(predictions(list(range(21))), Task.REGRESSION),
    "fractions": Case(predictions([0.5, 1.0]), Task.REGRESSION),
    "one fraction": Case(predictions([0.25]), Task.REGRESSION),
    "whole floats, many": Case(predictions([float(n) for n in range(30)]), Task.REGRESSION),
    "numbers as text": Case(predictions(["0.5", "1.5", "2.5"]), Task.MULTICLASS, ["0.5", "1.5", "2.5"]),
    "task configured": Case(predictions([0, 1]), Task.REGRESSION, configured={"task": "regression"}),
    "classes configured": Case(
        predictions([1, 2]), Task.MULTICLASS, ["1", "2", "3"], configured={"classes": [1, 2, 3]}
    ),
    "two classes configured": Case(predictions([1]), Task.BINARY, ["2", "1"], "1", configured={"classes": [2, 1]}),
    "three classes configured, scores": Case(
        scored([("a", 0.9), ("b", 0.1)]), Task.MULTICLASS, ["a", "b", "c"], configured={"classes": ["a", "b", "c"]}
    ),
    "positive configured": Case(
        predictions(["a", "b"]), Task.BINARY, ["a", "b"], "a", configured={"positive_label": "a"}
    ),
    "positive configured, never seen": Case(
        predictions(["ham"]), Task.BINARY, ["ham", "spam"], "spam", configured={"positive_label": "spam"}
    ),
    "positive spelled otherwise": Case(
        predictions([True, False]), Task.BINARY, ["false", "1"], "1", configured={"positive_label": "1"}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_taken_for(name: str) -> None:
    case = CASES[name]
    profile = infer(config(**case.configured), case.first, case.labels)
    scoring = profile.scoring.snapshot()
    assert profile.task is case.task
    assert profile.fits(config(**case.configured))
    assert scoring.get("classes", {}).get("names") == case.classes
    assert scoring.get("positive") == case.positive
    assert Profile.restore(profile.snapshot()).snapshot() == profile.snapshot()


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({}, True),
        ({"task": "binary"}, True),
        ({"task": "multiclass"}, False),
        ({"task": "regression"}, False),
        ({"classes": ["yes", "no"]}, True),
        ({"classes": ["yes", "no", "maybe"]}, False),
        ({"classes": ["yes", "maybe"]}, False),
        ({"positive_label": "yes"}, True),
        ({"positive_label": "no"}, False),
        ({"features": {"x": {"min": 0}}, "challenger": "none", "window": 100}, True),
    ],
)
def test_a_profile_fits_what_a_configuration_says_of_it(said: dict[str, Any], fits: bool) -> None:  # noqa: FBT001 - a column
    assert infer(config(), predictions(["yes", "no"]), []).fits(config(**said)) is fits


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({"task": "regression"}, True),
        ({"task": "binary"}, False),
        ({"classes": [0, 1]}, False),
        ({"positive_label": ""}, False),
    ],
)
def test_numbers_fit_no_classes(said: dict[str, Any], fits: bool) -> None:  # noqa: FBT001 - a column
    assert infer(config(), predictions([0.5, 1.5]), []).fits(config(**said)) is fits


def test_spellings_of_a_class_fit_each_other() -> None:
    profile = infer(config(), predictions([0, 1]), [])
    assert profile.fits(config(classes=["false", True], positive_label="1.0"))


@pytest.mark.parametrize(
    ("misfits", "task", "classes"),
    [
        ([2, 3, 2], Task.MULTICLASS, ["0", "1", "2", "3"]),
        (["b", "a"], Task.MULTICLASS, ["0", "1", "a", "b"]),
        ([0.5, 7.25], Task.REGRESSION, None),
        (list(range(2, 30)), Task.REGRESSION, None),
    ],
)
def test_classes_that_were_known_remain_though_the_newest_predictions_have_others(
    misfits: list[Scalar], task: Task, classes: list[str] | None
) -> None:
    mistaken = Mistaken(["0", "1"], misfits)
    for newest in ([0, 0, 1], [misfits[0]]):
        profile = infer(config(), predictions([*newest]), [], mistaken)
        assert (profile.task, profile.classes) == (task, classes)


def test_of_too_many_classes_those_that_were_known_remain() -> None:
    known = [f"k{n}" for n in range(600)]
    profile = infer(config(), predictions([f"n{n}" for n in range(600)]), [], Mistaken(known, ["m"]))
    assert profile.classes is not None
    assert len(profile.classes) == 1000
    assert set(known) <= set(profile.classes)


@pytest.mark.parametrize("label", [1, True, 1.0, "1", "true", "1.0"], ids=repr)
def test_all_spellings_of_a_class_are_one(label: Scalar) -> None:
    scoring = infer(config(), predictions([0, 1]), []).scoring
    outcome = scoring.interpret(Pair(label=label, prediction="True"))
    assert scoring.loss(outcome) == 0.0


@pytest.mark.parametrize("label", ["yes", 2, -1, "", "unknown", 0.5])
def test_a_label_outside_the_classes_is_never_scored(label: Scalar) -> None:
    assert infer(config(), predictions([0, 1]), []).scoring.interpret(Pair(label=label, prediction=0)) is None


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ([0] * (WARMUP - 1), False),
        ([0] * WARMUP, True),
        (["ham"] * WARMUP, False),
        (["ham", "spam"] * WARMUP, True),
        (["ham", "spam", "spam"] * WARMUP, True),
        (["ham", "spam"] * WARMUP + ["seen once"], False),
        (["ham", "spam", "eggs"] * WARMUP, True),
        ([0.5] * WARMUP, True),
        ([n % 30 for n in range(WARMUP)], True),
        (["ham"] * 5000, True),
    ],
)
def test_a_model_is_known_once_it_is_clear_which_classes_it_has(values: list[Scalar], known: bool) -> None:  # noqa: FBT001 - a column
    assert is_known(config(), predictions(values), []) is known


def test_a_label_can_tell_the_second_class() -> None:
    assert is_known(config(), predictions(["ham"] * WARMUP), ["spam"])


def test_what_is_configured_needs_no_second_class() -> None:
    first = predictions(["ham"] * WARMUP)
    assert is_known(config(classes=["ham", "spam"]), first, [])
    assert is_known(config(task="regression"), first, [])
    assert not is_known(config(task="binary"), first, [])


@pytest.mark.parametrize("value", [7, "text of a thousand characters".ljust(1000, ".")])
def test_what_is_kept_of_a_model_that_is_not_known_is_bounded(value: Scalar) -> None:
    early = Early()
    wide = predictions(["ham"], features={f"f{n}": value for n in range(1000)})[0]
    kept = 0
    while not early.is_full:
        early.predict(wide, kept, 0)
        kept += 1
    bytes_kept = kept * 1000 * (24 + len("f000") + (len(value) if isinstance(value, str) else 0))
    assert 12_000_000 <= bytes_kept <= 13_100_000
    assert Early.restore(early.snapshot()).is_full


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], FeatureKind.NUMERIC),
        ([1, 2, "n/a"], FeatureKind.NUMERIC),
        (["a", "b", 1], FeatureKind.CATEGORICAL),
        ([True, False], FeatureKind.CATEGORICAL),
        ([float("nan")], FeatureKind.NUMERIC),
        ([[], {}], FeatureKind.NUMERIC),
    ],
)
def test_a_feature_is_what_most_of_its_values_are(values: list[object], kind: FeatureKind) -> None:
    assert infer_kind(values) is kind


def test_a_feature_without_a_value_is_left_open_and_what_is_configured_stands() -> None:
    first = predictions([0, 1], features={"a": None, "b": 1, "c": "x", "d": None})
    configured = config(features={"b": {"kind": "categorical"}, "d": {"kind": "numeric"}, "e": {"min": 0}})
    assert infer(configured, first, []).kinds == {
        "b": FeatureKind.CATEGORICAL,
        "c": FeatureKind.CATEGORICAL,
        "d": FeatureKind.NUMERIC,
    }


def test_the_number_of_features_is_bounded() -> None:
    first = [p for n in range(4) for p in predictions([0], features={f"f{n}-{k}": k for k in range(400)})]
    assert len(infer(config(), first, []).kinds) == MOST_FEATURES


@pytest.mark.parametrize(
    ("fields", "score"),
    [
        ({"score": 0.25}, 0.25),
        ({"probabilities": {"no": 0.75, "yes": 0.25}}, 0.25),
        ({"probabilities": {"no": 0.75}}, 0.25),
        ({"probabilities": {"maybe": 1.0}}, None),
        ({"probabilities": {"no": 0.9, "yes": 0.1}, "score": 0.5}, 0.5),
        ({}, None),
    ],
)
def test_the_score_of_a_binary_model_may_be_the_probability_of_its_positive_class(
    fields: dict[str, Any], score: float | None
) -> None:
    profile = infer(config(positive_label="yes"), predictions(["yes", "no"]), [])
    (prediction,) = predictions(["yes"], **fields)
    assert profile.score(prediction) == score


def test_the_score_of_other_models_is_what_they_say_it_is() -> None:
    first = predictions(["a", "b", "c"], probabilities={"a": 1.0})
    assert infer(config(), first, []).score(first[0]) is None
