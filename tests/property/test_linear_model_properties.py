"""The compiled linear models against River's, of which they are a copy."""

from __future__ import annotations

import math
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.linear_model import LinearRegression, LogisticRegression
from river.optim import SGD
from river.preprocessing import StandardScaler
from river.utils import VectorDict

from driftline.models.bank import Bank
from driftline.models.kernels.linear_model import LINEAR_MODEL
from driftline.models.watch.challenger import OnlineModel
from driftline.schemas.river import Challenger

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

LOGISTIC, LINEAR = Challenger.LOGISTIC_REGRESSION, Challenger.LINEAR_REGRESSION
NAMES: Final = ["a", "b", "c"]
LARGEST: Final = 1e100  # as of every number in an event

numbers = st.just(3.0) | st.floats(-10, 10) | st.integers(-2, 2).map(float) | st.floats(-LARGEST, LARGEST)
rows = st.dictionaries(st.sampled_from(NAMES), numbers)
scaled_rows = st.lists(st.floats(-5, 5), min_size=3, max_size=3)
weights = st.fixed_dictionaries(dict.fromkeys(NAMES, st.floats(-2, 2) | st.floats(-1e7, 1e7)))


class RoundedScaler(StandardScaler):
    """River's, but with a square root that is rounded correctly: ``v**0.5`` is off by a bit now and then."""

    def transform_one(self, x: dict[Hashable, Any]) -> dict[Hashable, Any]:
        roots = {name: math.sqrt(self.vars[name]) for name in x}
        return {name: (value - self.means[name]) / roots[name] if roots[name] else 0.0 for name, value in x.items()}


class Original:
    """The challenger made of River's estimators."""

    def __init__(self, kind: Challenger, names: list[str], scaler: type[StandardScaler] = RoundedScaler) -> None:
        self.kind, self.names, self.restarts = kind, names, 0
        self.rate = min(0.01, 0.2 / len(names))
        self.scaler: Any = scaler()  # River's estimators are typed in part only
        self.target: Any = scaler()
        self.model: Any = self.new()

    def new(self) -> Any:  # noqa: ANN401 - see above
        algorithm = LogisticRegression if self.kind is LOGISTIC else LinearRegression
        return algorithm(optimizer=SGD(self.rate), intercept_lr=self.rate)

    def scale(self, inputs: dict[str, float]) -> tuple[float, ...]:
        self.scaler.learn_one(inputs)
        scaled = self.scaler.transform_one(inputs)
        return tuple([min(max(scaled.get(name, 0.0), -5.0), 5.0) for name in self.names])

    def predict(self, scaled: Iterable[float]) -> float:
        inputs = dict(zip(self.names, scaled, strict=True))
        if self.kind is LOGISTIC:
            return float(self.model.predict_proba_one(inputs)[True])
        predicted = float(self.model.predict_one(inputs))
        if not -1e6 < predicted < 1e6:
            self.restarts += 1
            self.model = self.new()
            predicted = 0.0
        return predicted * math.sqrt(self.target.vars["y"]) + float(self.target.means["y"])

    def learn(self, scaled: Iterable[float], outcome: float) -> None:
        inputs = dict(zip(self.names, scaled, strict=True))
        if self.kind is LOGISTIC:
            self.model.learn_one(inputs, outcome == 1.0)
            return
        self.target.learn_one({"y": outcome})
        self.model.learn_one(inputs, self.target.transform_one({"y": outcome})["y"])


def beginning(kind: Challenger, weights: dict[str, float]) -> tuple[OnlineModel, Original]:
    """Return ours and River's, both with the same weights."""
    ours, theirs = OnlineModel(kind, inputs=NAMES), Original(kind, NAMES)
    theirs.model._weights = VectorDict(dict(weights))  # noqa: SLF001 - River gives no other way
    return OnlineModel.restore({**ours.snapshot(), "weights": weights}), theirs


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
@given(st.data())
def test_it_is_river_to_the_last_bit(kind: Challenger, data: st.DataObject) -> None:
    outcomes = st.sampled_from([0.0, 1.0]) if kind is LOGISTIC else numbers
    ours, theirs = beginning(kind, data.draw(weights))
    for inputs, outcome in data.draw(st.lists(st.tuples(rows, outcomes), max_size=40)):
        scaled = ours.scale(inputs)
        assert scaled == theirs.scale(inputs)
        assert ours.predict(scaled) == theirs.predict(scaled)
        ours.learn(scaled, outcome)
        theirs.learn(scaled, outcome)
    snapshot = ours.snapshot()
    assert snapshot["restarts"] == theirs.restarts
    assert snapshot["intercept"] == theirs.model.intercept
    assert snapshot["weights"] == {**dict.fromkeys(NAMES, 0.0), **theirs.model.weights}
    assert snapshot["scaler"] == [dict(theirs.scaler.counts), dict(theirs.scaler.means), dict(theirs.scaler.vars)]


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
@given(weights, scaled_rows, scaled_rows, st.floats(-1e6, 1e6))
def test_a_gradient_is_rivers_wherever_the_weights_are(
    kind: Challenger, weights: dict[str, float], before: list[float], scaled: list[float], outcome: float
) -> None:
    ours, theirs = beginning(kind, weights)
    for each in (ours, theirs):
        each.learn(before, 1.0 if kind is LOGISTIC else outcome)
        each.learn(scaled, 0.0)
    assert ours.snapshot()["weights"] == theirs.model.weights
    assert ours.predict(scaled) == theirs.predict(scaled)


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("bound", [18.0, 30.0, 1e6, 1e12 / 2])
def test_its_bounds_are_where_rivers_are(kind: Challenger, sign: float, bound: float) -> None:
    for outcome, share in product([0.0, 1.0], [0.97, 0.99, 1.0, 1.01, 1.03]):
        ours, theirs = beginning(kind, dict.fromkeys(NAMES, 0.0))
        theirs.model.intercept = sign * share * bound
        ours = OnlineModel.restore({**ours.snapshot(), "intercept": sign * share * bound})
        for each in (ours, theirs):
            each.learn([1.0, -0.5, 0.1], outcome)
        assert ours.snapshot()["weights"] == theirs.model.weights
        assert ours.snapshot()["intercept"] == theirs.model.intercept
        theirs.model.intercept = sign * share * bound
        ours = OnlineModel.restore({**ours.snapshot(), "intercept": sign * share * bound})
        assert ours.predict([0.0] * 3) == theirs.predict([0.0] * 3)
        assert ours.restarts == theirs.restarts


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
def test_it_is_river_for_100_000_predictions(kind: Challenger) -> None:
    random, names = Random(1), ["a", "b"]
    ours, rounded, river = OnlineModel(kind, inputs=names), Original(kind, names), Original(kind, names, StandardScaler)
    for n in range(100_000):
        inputs = {"a": random.gauss(1000, 30), "b": math.exp(random.gauss(0, 3))}
        if n % 7 == 0:
            del inputs["b"]
        number = inputs["a"] / 30 + random.gauss(0, 1)
        outcome = number if kind is LINEAR else float(number > 33)
        scaled = ours.scale(inputs)
        rivers = river.scale(inputs)
        assert scaled == rounded.scale(inputs)
        predicted, expected = ours.predict(scaled), river.predict(rivers)
        assert predicted == rounded.predict(scaled)
        assert abs(predicted - expected) <= 1e-12 * max(abs(expected), 1.0)
        for each, row in ((ours, scaled), (rounded, scaled), (river, rivers)):
            each.learn(row, outcome)


@pytest.mark.parametrize("kind", [LOGISTIC, LINEAR])
def test_the_bytes_of_a_record_are_all_there_is_to_it(kind: Challenger) -> None:
    random, bank = Random(1), Bank(LINEAR_MODEL)
    first, second = (OnlineModel(kind, inputs=NAMES, bank=bank) for _ in range(2))
    for n in range(200):
        if n == 100:
            stored = bank.rows[first.index].tobytes()
            bank.rows[second.index] = np.frombuffer(stored, LINEAR_MODEL)[0]
        inputs = {name: random.gauss(1, 1) for name in NAMES}
        for model in (first,) if n < 100 else (first, second):
            scaled = model.scale(inputs)
            model.learn(scaled, float(n % 2))
            assert model.predict(scaled) == first.predict(scaled)
    assert first.snapshot() == second.snapshot()


def test_models_share_a_bank_without_touching_one_another() -> None:
    bank = Bank(LINEAR_MODEL)
    alone = OnlineModel(LINEAR, inputs=NAMES)
    models = [OnlineModel(LINEAR, inputs=NAMES[: n % 3 + 1], bank=bank) for n in range(9)]
    for n in range(30):
        inputs = {"a": float(n), "b": float(n % 5), "c": float(n % 3)}
        for model in (alone, *models):
            model.learn(model.scale(inputs), n * 2.0)
    assert models[2].snapshot() == alone.snapshot()
    assert models[8].snapshot() == alone.snapshot()
    models[2].release()
    assert len(bank) == 8
    assert OnlineModel(LINEAR, inputs=NAMES, bank=bank).snapshot() == OnlineModel(LINEAR, inputs=NAMES).snapshot()


def test_a_row_of_another_length_is_refused() -> None:
    model = OnlineModel(LINEAR, inputs=NAMES)
    for use in (model.predict, lambda scaled: model.learn(scaled, 1.0)):
        with pytest.raises(ValueError, match="2 scaled inputs for a model of 3"):
            use((1.0, 2.0))
