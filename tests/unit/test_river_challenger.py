"""A challenger that is any estimator of River, and one that is shown a share of the predictions."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from driftline.models.watch.profile import WARMUP
from driftline.models.watch.river_challenger import is_sampled
from driftline.schemas.config import ModelConfig
from driftline.schemas.river import Challenger
from tests.served import Served, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.fields import Scalar

SIZE = 1500


def binary(x: float) -> Scalar:
    return int(x > 0)


def of_three(x: float) -> Scalar:
    return "low" if x < -0.5 else "high" if x > 0.5 else "middle"


def price(x: float) -> Scalar:
    return 100 + 30 * x


def serve(served: Served, size: int, truth: Callable[[float], Scalar], seed: int = 1, **fields: Any) -> None:  # noqa: ANN401 - of events
    random = Random(seed)
    for _ in range(size):
        x = random.gauss(0, 1)
        served.pair(truth(random.gauss(0, 1)), truth(x), features={"x": x, "y": random.random()}, **fields)


@pytest.mark.parametrize(
    ("challenger", "task", "truth", "metric"),
    [
        ("tree.HoeffdingTreeClassifier", "binary", binary, "accuracy"),
        ("tree.HoeffdingTreeClassifier", "multiclass", of_three, "accuracy"),
        (["preprocessing.StandardScaler", "linear_model.PAClassifier"], "binary", binary, "accuracy"),
        ("tree.HoeffdingTreeRegressor", "regression", price, "mae"),
    ],
)
def test_it_learns_beside_the_model(
    challenger: object, task: str, truth: Callable[[float], Scalar], metric: str
) -> None:
    served = Served(task=task, challenger=challenger)
    serve(served, SIZE, truth)
    report = served.report()
    figures = report["challenger"]
    assert figures["model"].endswith(("Classifier", "Regressor"))
    assert (figures["restarts"], figures["sampling_rate"], figures["learned"]) == (0, 1.0, SIZE - WARMUP)
    assert figures["learned"] - 1 <= figures["pairs"] <= figures["learned"]  # the first one it may not predict
    if metric == "accuracy":
        assert figures["accuracy"] > 0.8 > report["performance"]["accuracy"]
    else:
        assert figures["mae"] < 10 < report["performance"]["mae"]
    assert served.restarted().report()["challenger"] == figures


@pytest.mark.parametrize("challenger", ["tree.HoeffdingTreeClassifier", "auto"])
def test_it_is_shown_the_share_that_is_configured_and_the_same_one_each_time(challenger: str) -> None:
    reports = []
    for rate in (0.3, 0.3, 1.0):
        served = Served(challenger={"estimator": challenger, "sampling_rate": rate})
        serve(served, SIZE, binary)
        reports.append(served.report()["challenger"])
    assert reports[0] == reports[1]
    shown = sum(is_sampled(str(n), 0.3) for n in range(3 * SIZE))
    assert 0.27 < shown / (3 * SIZE) < 0.33
    assert reports[0]["sampling_rate"] == 0.3
    assert 0.25 < reports[0]["learned"] / (SIZE - WARMUP) < 0.35
    assert reports[0]["learned"] - 1 <= reports[0]["pairs"] <= reports[0]["learned"]
    assert ("sampling_rate" in reports[2]) is (challenger != "auto")


def test_a_larger_share_contains_the_smaller_one() -> None:
    for n in range(1000):
        assert is_sampled(str(n), 0.2) <= is_sampled(str(n), 0.5) <= is_sampled(str(n), 1.0)
    assert not any(is_sampled(str(n), 1e-12) for n in range(1000))


@pytest.mark.parametrize("challenger", ["tree.HoeffdingTreeClassifier", "linear_model.LinearRegression"])
def test_one_of_another_task_than_was_inferred_is_none(challenger: str) -> None:
    served = Served(challenger=challenger)
    serve(served, 300, binary if challenger.endswith("Regression") else price)
    assert served.report()["challenger"] is None


def test_a_prediction_from_before_the_restart_is_learned_from() -> None:
    served = Served(task="binary", challenger="naive_bayes.GaussianNB")
    serve(served, 300, binary)
    waiting = stored(served.predict(1, features={"x": 1.0}))
    again = served.restarted()
    again.label(waiting, 1)
    assert again.report()["challenger"]["learned"] == 101


def test_another_challenger_begins_afresh_and_another_share_does_not() -> None:
    served = Served(task="binary", challenger="naive_bayes.GaussianNB")
    serve(served, 300, binary)
    waiting = stored(served.predict(1, features={"x": 1.0}))
    same = served.restarted(challenger={"estimator": "naive_bayes.GaussianNB", "sampling_rate": 0.5})
    assert same.report()["challenger"]["learned"] == 100
    for other in ("tree.HoeffdingTreeClassifier", "naive_bayes.BernoulliNB", "auto"):
        again = served.restarted(challenger=other)
        assert again.report()["challenger"]["pairs"] == 0
        again.label(waiting, 1)  # what was kept for the one before
        assert again.report()["challenger"]["pairs"] == 0


def test_features_are_those_that_are_named_and_categories_are_text() -> None:
    features = {"shop": {"kind": "categorical"}}
    served = Served(
        task="binary",
        features=features,
        challenger={
            "estimator": ["preprocessing.OneHotEncoder", "naive_bayes.BernoulliNB"],
            "features": ["shop", "no"],
        },
    )
    random = Random(1)
    for n in range(700):
        shop = random.choice(["a", "b", "b" * 100, 7, True, None])
        served.pair(n % 2, int(shop in {"a", 7}), features={"shop": shop, "x": random.random()})
    assert served.report()["challenger"]["accuracy"] > 0.9
    assert served.report()["challenger"]["restarts"] == 0


def test_hostile_values_are_left_out_and_a_failure_ends_nothing() -> None:
    served = Served(task="binary", challenger="tree.HoeffdingTreeClassifier")
    random = Random(1)
    hostile: list[object] = [float("nan"), float("inf"), 1e308, None, "text", True, [], {}, 10**400, 0.5]
    for n in range(600):
        served.pair(n % 2, random.choice([0, 1]), features={"x": random.choice(hostile), "y": random.choice(hostile)})
    assert served.report()["challenger"]["learned"] > 300


def test_a_version_that_is_not_watched_is_challenged_too() -> None:
    served = Served(task="binary", challenger="naive_bayes.GaussianNB")
    serve(served, 300, binary)
    for version in range(8):
        serve(served, 10, binary, seed=version, version=f"v{version}")
    assert served.report()["challenger"]["learned"] == 180


def test_weights_enter_its_figures_too() -> None:
    served = Served(task="binary", challenger="dummy.NoChangeClassifier")
    serve(served, 300, binary)
    assert served.report()["challenger"]["learned"] == 100


def test_the_short_forms_are_what_they_were() -> None:
    for short in Challenger:
        config = ModelConfig.model_validate({"model_id": "m", "challenger": short.value})
        assert config.challenger.kind is short
        assert config.challenger.steps == ()
        assert not config.names_river
