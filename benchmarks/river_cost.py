"""What River's detectors and estimators cost an event: ``python -m benchmarks.river_cost [--values N] [--events N]``.

Of detectors, microseconds of an `update` as a stream makes it, by the object of River or the kernel that runs under its
name, over errors whose rate changes three times. Of estimators, of one `predict` and one `learn` of a challenger with
10 inputs, then of writing its state at a checkpoint and reading it back; the size is of the snapshot. CPU time, one
run. The last rows are a whole pipeline: what a prediction and its label cost where no row waits for another, because a
detector of River hears each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import keep, origin
from driftline.models.intake import Intake
from driftline.models.library.catalogue import detectors
from driftline.models.library.detector import CompiledDetector, Hits, open_detector
from driftline.models.library.estimator import Estimator
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.models.snapshot import seal, unseal
from driftline.schemas.config import Task, parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.river import ChallengerConfig, Component
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.models.record import Record

_QUANTIZED: Final = "tree.splitter.QOSplitter"
ESTIMATORS: Final[tuple[tuple[Task, Any], ...]] = (
    (Task.BINARY, ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]),
    (Task.BINARY, ["preprocessing.StandardScaler", "linear_model.PAClassifier"]),
    (Task.BINARY, "naive_bayes.GaussianNB"),
    (Task.BINARY, "tree.HoeffdingTreeClassifier"),
    (Task.BINARY, "tree.HoeffdingAdaptiveTreeClassifier"),
    (Task.BINARY, "neighbors.KNNClassifier"),
    (Task.BINARY, "forest.ARFClassifier"),
    (Task.MULTICLASS, "tree.HoeffdingTreeClassifier"),
    (Task.REGRESSION, ["preprocessing.StandardScaler", "linear_model.LinearRegression"]),
    (Task.REGRESSION, "tree.HoeffdingTreeRegressor"),
    (Task.REGRESSION, {"name": "tree.HoeffdingTreeRegressor", "parameters": {"splitter": {"name": _QUANTIZED}}}),
    (Task.REGRESSION, "rules.AMRules"),
)
_INPUTS: Final = 10
_SLOW: Final = 20  # times fewer values for what takes so long
_PACKAGES: Final = ("river", "numba", "numpy", "scipy")

Row = dict[str, Any]


def cpu_us(run: Callable[[], object], count: int) -> float:
    """Return the CPU time of one of so many, in microseconds."""
    start = time.process_time_ns()
    run()
    return round((time.process_time_ns() - start) / count / 1000, 2)


def measure_detector(name: str, values: int) -> Row:
    """Measure a detector with River's default parameters."""
    random = Random(1)
    bits = [float(random.random() < (0.1, 0.15, 0.08, 0.3)[4 * n // values]) for n in range(values)]
    detector = open_detector(Component(name=name))
    detector.update(0.0)  # compiles
    fed = bits[:: _SLOW if name == "KSWIN" else 1]
    changes = 0

    def run() -> None:
        nonlocal changes
        changes = sum(map(detector.update, fed))

    cost = cpu_us(run, len(fed))
    inner = detector._detector if isinstance(detector, Hits) else detector  # noqa: SLF001 - nothing public tells
    return {"name": name, "compiled": isinstance(inner, CompiledDetector), "us": cost, "changes": changes}


def measure_estimator(task: Task, chosen: Any, events: int) -> Row:  # noqa: ANN401 - as in a configuration
    """Measure an estimator as a challenger runs it."""
    config = ChallengerConfig(estimator=[chosen] if isinstance(chosen, dict) else chosen)
    estimator, random = Estimator(config.steps, task), Random(1)
    count = events // 10 if "ARF" in config.steps[-1].name else events
    given: list[tuple[dict[str, float | str], float]] = []
    for n in range(count):
        inputs: dict[str, float | str] = {f"f{k}": random.gauss(0, 1) for k in range(_INPUTS)}
        level = float(inputs["f0"]) + (0 if n < count // 2 else float(inputs["f1"])) + random.gauss(0, 0.3)
        given.append((inputs, {Task.BINARY: level > 0, Task.MULTICLASS: int(level > 0) + (level > 1)}.get(task, level)))

    def run() -> None:
        for inputs, answer in given:
            estimator.predict(inputs)
            estimator.learn(inputs, answer)

    cost = cpu_us(run, len(given))
    stored = b""

    def write() -> None:
        nonlocal stored
        stored = seal(estimator.snapshot())

    written = cpu_us(write, 1)
    read = cpu_us(lambda: Estimator(config.steps, task).restore(unseal(stored)), 1)
    name = " | ".join(step.name for step in config.steps)
    if _QUANTIZED in str(chosen):
        name += f" ({_QUANTIZED})"
    times = {"us": cost, "write_ms": round(written / 1000, 1), "read_ms": round(read / 1000, 1)}
    return {
        "task": task.value,
        "name": name,
        **times,
        "kB": round(len(stored) / 1000, 1),
        "restarts": estimator.restarts,
        "after": count,
    }


def events_of(count: int) -> list[Record]:
    """Return predictions of a binary model with 10 features, each followed by its label."""
    random, intake = Random(1), Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    read = []
    for n in range(count):
        score = random.random()
        event = {
            "model_id": "m",
            "model_version": "1",
            "prediction_id": str(n),
            "timestamp": n,
            "prediction": int(score > 0.5),  # noqa: PLR2004 - the likelier class
            "score": score,
            "features": {f"f{k}": random.gauss(0, 1) for k in range(_INPUTS)},
        }
        label = {"model_id": "m", "prediction_id": str(n), "timestamp": n, "label": int(random.random() < score)}
        read.append(intake.read(FileRecord(PREDICTIONS, n, json.dumps(event).encode())))
        read.append(intake.read(FileRecord(LABELS, n, json.dumps(label).encode())))
    return read


def measure_pipeline(name: str, fields: dict[str, Any], events: int) -> Row:
    """Measure a pair of a prediction and its label, read already, in batches of 1,000 records."""
    configured = {"model_id": "m", "task": "binary", "reference": {"events": 1000}, **fields}
    pipeline = Pipeline(parse_configuration({"models": [configured]}), partition=0)
    records = events_of(events)
    warm, rest = records[:4000], records[4000:]
    pipeline.process(warm, {})

    def run() -> None:
        for start in range(0, len(rest), 1000):
            pipeline.process(rest[start : start + 1000], {})

    return {"name": name, "us": cpu_us(run, len(rest) // 2)}


def main() -> int:
    """Measure, print the tables, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.river_cost", description=__doc__)
    parser.add_argument("--values", type=int, default=100_000, help="of a detector")
    parser.add_argument("--events", type=int, default=20_000, help="of an estimator, and of the pipeline")
    options = parser.parse_args()
    found = [measure_detector(name, options.values) for name in detectors()]
    print(f"{'detector':20}  {'compiled':>8}  {'us':>8}  {'changes':>7}")
    for row in found:
        print(f"{row['name']:20}  {'yes' if row['compiled'] else 'no':>8}  {row['us']:8.2f}  {row['changes']:7}")
    estimators = [measure_estimator(task, chosen, options.events) for task, chosen in ESTIMATORS]
    print(f"\n{'task':10}  {'estimator':60}  {'us':>8}  {'write ms':>8}  {'read ms':>8}  {'kB':>8}  restarts")
    for row in estimators:
        times = f"{row['us']:8.1f}  {row['write_ms']:8.1f}  {row['read_ms']:8.1f}  {row['kB']:8.1f}"
        print(f"{row['task']:10}  {row['name']:60}  {times}  {row['restarts']:8}")
    whole = [
        measure_pipeline(name, fields, options.events // 2)
        for name, fields in (
            ("nothing of River's", {}),
            ("NoDrift on error", {"detectors": {"river": [{"name": "NoDrift"}]}}),
            ("PageHinkley on all 10 features", {"detectors": {"river": [{"name": "PageHinkley", "on": ["numeric"]}]}}),
            ("challenger tree.HoeffdingTreeClassifier", {"challenger": "tree.HoeffdingTreeClassifier"}),
            (
                "the same, of one in ten",
                {"challenger": {"estimator": "tree.HoeffdingTreeClassifier", "sampling_rate": 0.1}},
            ),
        )
    ]
    print(f"\n{'a prediction and its label, 10 features':45}  {'us':>8}")
    for row in whole:
        print(f"{row['name']:45}  {row['us']:8.1f}")
    results = {"values": options.values, "events": options.events, "inputs": _INPUTS}
    keep(
        "river_cost",
        {**results, "detectors": found, "estimators": estimators, "pipeline": whole, **origin(_PACKAGES)},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
