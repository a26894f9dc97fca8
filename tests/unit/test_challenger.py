"""The online model beside the served one."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest
from river.linear_model import LogisticRegression
from river.optim import SGD
from river.preprocessing import StandardScaler

from driftline.models.watch.challenger import OnlineModel, choose
from driftline.schemas.config import Task
from driftline.schemas.river import Challenger
from tests.restoring import as_stored

LOGISTIC, LINEAR = Challenger.LOGISTIC_REGRESSION, Challenger.LINEAR_REGRESSION


@pytest.mark.parametrize(
    ("configured", "task", "chosen"),
    [
        (Challenger.AUTO, Task.BINARY, LOGISTIC),
        (Challenger.AUTO, Task.REGRESSION, LINEAR),
        (Challenger.AUTO, Task.MULTICLASS, Challenger.NONE),
        (Challenger.NONE, Task.BINARY, Challenger.NONE),
        (LOGISTIC, Task.BINARY, LOGISTIC),
        (LOGISTIC, Task.REGRESSION, Challenger.NONE),
        (LINEAR, Task.MULTICLASS, Challenger.NONE),
        (LINEAR, Task.REGRESSION, LINEAR),
    ],
)
def test_each_task_has_its_challenger(configured: Challenger, task: Task, chosen: Challenger) -> None:
    assert choose(configured, task) is chosen


def test_it_is_rivers_scaler_and_regression() -> None:
    random = Random(1)
    ours = OnlineModel(LOGISTIC, inputs=["a", "b"])
    scaler: Any = StandardScaler()  # River's estimators are typed in part only
    model: Any = LogisticRegression(optimizer=SGD(0.01), intercept_lr=0.01)
    for _ in range(500):
        inputs = {"a": random.gauss(5, 2), "b": random.random()}
        label = random.random() < 1 / (1 + math.exp(5 - inputs["a"]))
        scaled = ours.scale(inputs)
        scaler.learn_one(inputs)
        theirs = scaler.transform_one(inputs)
        assert ours.predict(scaled) == pytest.approx(model.predict_proba_one(theirs)[True], abs=1e-12)
        ours.learn(scaled, float(label))
        model.learn_one(theirs, label)
    assert ours.predict(ours.scale({"a": 9.0, "b": 0.5})) > 0.6


def test_a_regression_is_learned_in_the_unit_of_its_target() -> None:
    random = Random(1)
    model = OnlineModel(LINEAR, inputs=["a"])
    for _ in range(3000):
        x = random.gauss(100, 10)
        model.learn(model.scale({"a": x}), 5000 + 30 * (x - 100) + random.gauss(0, 5))
    assert model.predict(model.scale({"a": 110.0})) == pytest.approx(5300, rel=0.02)


def test_a_missing_input_counts_as_its_mean_and_an_unknown_one_not_at_all() -> None:
    model = OnlineModel(LOGISTIC, inputs=["a", "b"])
    for n in range(100):
        model.learn(model.scale({"a": float(n % 2), "b": float(n % 3)}), float(n % 2))
    assert model.scale({"a": 1.0, "c": 9.0})[1] == 0.0
    assert model.scale({}) == (0.0, 0.0)


def test_the_number_of_inputs_is_bounded() -> None:
    model = OnlineModel(LINEAR, inputs=[f"f{n}" for n in range(1000)])
    assert len(model.scale({f"f{n}": float(n) for n in range(1000)})) == 100


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
def test_hostile_numbers_leave_it_finite(kind: Challenger) -> None:
    random = Random(1)
    model = OnlineModel(kind, inputs=["a", "b", "c"])
    hostile = [0.0, 1e100, -1e100, 1e-300, 5e-324, 1.0]
    for _ in range(2000):
        scaled = model.scale({name: random.choice(hostile) for name in "abc"})
        assert all(-5.0 <= value <= 5.0 for value in scaled)
        assert math.isfinite(model.predict(scaled))
        model.learn(scaled, random.choice([0.0, 1.0] if kind is LOGISTIC else hostile))
    json.dumps(model.snapshot(), allow_nan=False)


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
def test_a_restored_model_continues_identically(kind: Challenger) -> None:
    random = Random(1)
    model = again = OnlineModel(kind, inputs=["a", "b", "é"])
    for n in range(600):
        if n % 200 == 100:
            again = OnlineModel.restore(as_stored(model.snapshot()))
            assert again.snapshot() == model.snapshot()
        inputs = {name: random.gauss(1, 1) for name in random.sample(["a", "b", "é"], 2)}
        outcome = float(random.random() < 0.3)
        both = [model] if again is model else [model, again]
        assert len({each.predict(each.scale(inputs)) for each in both}) == 1
        for each in both:
            each.learn(each.scale(inputs), outcome)


def test_a_model_that_has_diverged_starts_again() -> None:
    model = OnlineModel(LINEAR, inputs=["a"])
    for n in range(50):
        model.learn(model.scale({"a": float(n)}), float(n))
    snapshot = model.snapshot()
    snapshot["weights"] = {"a": 1e9}
    lost = OnlineModel.restore(snapshot)
    assert lost.predict((5.0,)) == pytest.approx(24.5)
    assert lost.restarts == 1
    assert OnlineModel.restore(lost.snapshot()).restarts == 1
