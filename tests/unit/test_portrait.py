# mypy: disable-error-code="no-untyped-call"
# River is typed in part only.
"""Objects of River as plain data, and back."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift, preprocessing, tree

from driftline.models.library import catalogue
from driftline.models.library.detector import open_detector
from driftline.models.library.estimator import Estimator
from driftline.models.library.portrait import UnknownPartError, capture, rebuild, settle_seeds
from driftline.models.library.weight import weight
from driftline.schemas.config import Task
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.river import ChallengerConfig, Component
from tests.restoring import as_stored
from tests.rivers import estimators

if TYPE_CHECKING:
    from collections.abc import Callable


def again(part: Any) -> Any:  # noqa: ANN401 - whatever there is
    return rebuild(as_stored(capture(part)))


class _Holder(preprocessing.StandardScaler):
    """Something of another module than River's."""


def holding(part: object) -> Any:  # noqa: ANN401 - of River
    holder: Any = preprocessing.StandardScaler()
    holder.part = part
    return holder


@pytest.mark.parametrize(
    "part",
    [
        None,
        True,
        -3,
        10**30,
        -(2**63) - 1,
        [2**64 - 1, 2**64],
        0.1,
        math.inf,
        -math.inf,
        "é",
        [1, [2.5, None]],
        (1, ("a", ())),
        {"a": 1, 2: {"b": [3]}},
        {(1, "a"): 2.0},
        {1, 2, 3},
        frozenset({"a"}),
        deque([1, 2, 3], maxlen=3),
        Counter("aab"),
        OrderedDict([("b", 1), ("a", 2)]),
        np.float64(0.1),
        np.bool_(True),  # noqa: FBT003 - a value
        float,
    ],
    ids=repr,
)
def test_what_an_object_holds_comes_back_as_it_was(part: object) -> None:
    found = again(holding(part)).part
    assert found == part
    assert type(found) is type(part)
    assert getattr(found, "maxlen", 3) == 3


def test_nan_comes_back() -> None:
    assert math.isnan(again(holding(math.nan)).part)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_comes_back_with_its_order_and_can_be_written(order: Any) -> None:  # noqa: ANN401 - a literal
    part = np.array([[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]], order=order)
    found = again(holding(part)).part
    assert np.array_equal(found, part)
    assert found.flags.f_contiguous == part.flags.f_contiguous
    found[0, 0] = 7.0


def test_what_is_shared_stays_shared_and_a_circle_is_one() -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    found = again(holding({"a": shared, "b": shared})).part
    assert found["a"] is found["b"]
    assert found["a"][1] is found["a"]


def test_a_default_dict_keeps_what_makes_its_defaults() -> None:
    found = again(holding(defaultdict(list, {"a": [1]}))).part
    found["b"].append(2)
    assert found == {"a": [1], "b": [2]}


def test_random_generators_go_on() -> None:
    random, generator = Random(1), np.random.RandomState(1)
    random.gauss(0, 1)
    generator.normal()
    found = again(holding([random, generator])).part
    assert [found[0].gauss(0, 1), found[0].random()] == [random.gauss(0, 1), random.random()]
    assert found[1].normal(size=3).tolist() == generator.normal(size=3).tolist()


def test_methods_functions_and_classes_are_told_by_name() -> None:
    detector: Any = drift.DummyDriftDetector()
    found = again(holding([detector, detector._trigger, drift.KSWIN])).part  # noqa: SLF001 - a method that it holds
    assert found[1].__self__ is found[0]
    assert found[2] is drift.KSWIN


@pytest.mark.parametrize(
    "part",
    [print, json.dumps, _Holder(), lambda: 0, object(), np.array([None]), iter([1]), math, pytest.raises],
    ids=lambda part: str(part)[:20],
)
def test_what_is_not_rivers_is_refused(part: object) -> None:
    with pytest.raises(UnknownPartError):
        capture(holding(part))


@pytest.mark.parametrize(
    "nodes",
    [
        [["eval", "1"]],
        [["part", "builtins:eval"]],
        [["part", 3]],
        [["object", "river.tree.utils:sys", {}]],
        [["object", "dict", {}]],
        [["object", "river.stats.mean:Mean", {"__class__": [1]}], ["part", "river.stats.var:Var"]],
        [["object", "river._river_rust.stats:RsQuantile", {}]],
        [["compiled", "river.tree.hoeffding_tree:HoeffdingTree", [], ""]],
        [["vector", "river.stats.mean:Mean", [], []]],
        [["named", "river.stats.mean:Mean", 1]],
        [["method", [1], "__class__"], ["random", 3, "", None]],
        [["method", [1], "append"], ["list"]],
        [["tuple", [0]]],
    ],
)
def test_data_that_name_anything_else_are_refused(nodes: list[Any]) -> None:
    with pytest.raises((UnknownPartError, ValueError)):
        rebuild(nodes)


def test_what_nobody_has_seeded_is_seeded() -> None:
    first, second = (drift.DummyDriftDetector("random", t_0=20, w=10) for _ in range(2))
    for each in (first, second):
        settle_seeds(each)
    decided: list[list[bool]] = [[], []]
    for each, seen in zip((first, second), decided, strict=True):
        for _ in range(200):
            each.update(0)
            seen.append(each.drift_detected)
    assert decided[0] == decided[1]
    assert any(decided[0])


# -- detectors --------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(catalogue.detectors())),
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 150)), min_size=1, max_size=4),
    st.integers(0, 400),
    st.integers(0, 9),
)
def test_a_detector_decides_as_rivers_and_goes_on_after_a_restart(
    name: str, levels: list[tuple[float, int]], cut: int, seed: int
) -> None:
    random, config = Random(seed), Component(name=name)
    values = [float(random.random() < level) for level, size in levels for _ in range(size)]
    rivers: Any = catalogue.detectors()[name]()
    if "seed" in vars(rivers):
        rivers = catalogue.detectors()[name](seed=0)
    ours = open_detector(config)
    for n, value in enumerate(values):
        if n == cut:
            stored = as_stored(ours.snapshot())
            ours = open_detector(config)
            ours.restore(stored)
        rivers.update(1 - int(value) if name == "FHDDM" else int(value))
        assert ours.update(value) is bool(rivers.drift_detected), n


def test_parameters_that_no_kernel_has_are_for_rivers_own() -> None:
    config = Component(name="ADWIN", parameters={"clock": 1})
    rivers: Any = drift.ADWIN(clock=1)
    ours = open_detector(config)
    random = Random(1)
    for n in range(600):
        value = random.random() / 2 + (0.4 if n > 300 else 0)
        rivers.update(value)
        assert ours.update(value) is bool(rivers.drift_detected)


# -- estimators -------------------------------------------------------------------------------------------------------


def fed(estimator: Estimator, task: Task, events: range) -> list[float | None]:
    """Return what an estimator has predicted of so many events of a stream that changes."""
    said = []
    for n in events:
        random = Random(n)
        inputs: dict[str, float | str] = {f"f{k}": random.random() for k in range(4)}
        level = float(inputs["f0"]) + (float(inputs["f1"]) if n > 250 else 0)
        said.append(estimator.predict(inputs))
        estimator.learn(inputs, level > 0.6 if task is Task.BINARY else level)
    return said


@pytest.mark.parametrize(("name", "task", "config"), list(estimators()), ids=lambda value: str(value)[:40])
def test_an_estimator_goes_on_after_a_restart(name: str, task: Task, config: ChallengerConfig) -> None:
    try:
        first, second = (Estimator(config.steps, task) for _ in range(2))
    except ConfigurationError:
        pytest.skip(f"{name} cannot be made")
    fed(first, task, range(300))
    second.restore(as_stored(first.snapshot()))
    assert second.snapshot() == first.snapshot()
    assert fed(second, task, range(300, 500)) == fed(first, task, range(300, 500))
    assert second.snapshot() == first.snapshot()
    assert weight(second._river) == weight(first._river) > 0  # noqa: SLF001 - how large it is


_SAID = """
import sys
from tests.unit.test_portrait import *
for name, task in CHOSEN.items():
    print(name, fed(Estimator([Component(name=name)], Task(task)), Task(task), range(400)))
"""
CHOSEN = {
    "forest.ARFClassifier": "binary",
    "tree.HoeffdingAdaptiveTreeClassifier": "binary",
    "neighbors.KNNClassifier": "binary",
    "rules.AMRules": "regression",
}


def test_another_process_says_the_same_however_it_hashes_text() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", _SAID],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(CHOSEN)


CLASSIFIER = (Component(name="tree.HoeffdingTreeClassifier"),)


def test_what_another_river_wrote_is_not_read() -> None:
    estimator = Estimator(CLASSIFIER, Task.BINARY)
    fed(estimator, Task.BINARY, range(100))
    stored = estimator.snapshot() | {"river": "0.1.0"}
    again = Estimator(CLASSIFIER, Task.BINARY)
    again.restore(stored)
    assert (again.restarts, again.learned) == (1, 100)
    assert again.predict({"f0": 0.5}) is None


def failing(_: object) -> float:
    raise ZeroDivisionError


def huge(_: object) -> float:
    return 1e300


@pytest.mark.parametrize("fault", [failing, huge, lambda _: math.nan])
def test_one_that_fails_begins_afresh(fault: Callable[[object], float]) -> None:
    steps = (Component(name="linear_model.LinearRegression"),)
    estimator = Estimator(steps, Task.REGRESSION)
    fed(estimator, Task.REGRESSION, range(50))
    estimator._river.predict_one = fault  # noqa: SLF001 - what River may do on a bad day
    assert estimator.predict({"f0": 1.0}) is None
    assert (estimator.restarts, estimator.predict({"f0": 1.0})) == (1, 0.0)


def test_one_that_grows_too_large_begins_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.models.library.estimator.MOST_VALUES", 2000)
    estimator = Estimator((Component(name="neighbors.KNNClassifier"),), Task.BINARY)
    for n in range(2000):
        estimator.learn({"x": float(n)}, n % 2 == 0)
    assert (estimator.restarts, estimator.learned) == (2, 2000)


def test_a_tree_of_rivers_is_what_it_is_without_driftline() -> None:
    rivers: Any = tree.HoeffdingTreeClassifier(grace_period=50)
    ours = Estimator((Component(name="tree.HoeffdingTreeClassifier", parameters={"grace_period": 50}),), Task.BINARY)
    for n in range(500):
        inputs: dict[str, float | str] = {"x": Random(n).random()}
        assert ours.predict(inputs) == (rivers.predict_proba_one(inputs).get(True, 0.0) if n else None)
        rivers.learn_one(inputs, float(inputs["x"]) > 0.5)
        ours.learn(inputs, float(inputs["x"]) > 0.5)
