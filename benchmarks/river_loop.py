# mypy: disable-error-code="no-untyped-call"
# River is typed in part only.
"""What one would write with River instead of Driftline: a loop over events with the monitors that Driftline has.

Labels joined by id; quality counts, and ADWIN on each feature's bad values and ranks, on the score's ranks, on errors,
on residuals and on their excess; the metrics of a binary model in all, over a window, by version and by segment; a
challenger with the same metrics; quantiles of delays. Every detector, model and metric is River's as it comes (its
ROC-AUC has 10 thresholds). There are no incidents, no alerts, no expiry and no snapshots, and every event is believed.
"""

import json
import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from river import compose, drift, linear_model, metrics, preprocessing, stats, utils

DELTA = 1e-6
CELLS = 256


def merged(predictions: Path, labels: Path) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Yield whether an event is a label, and the event; the smaller timestamp first."""
    with predictions.open() as predicted, labels.open() as labelled:
        prediction, label = _next(predicted), _next(labelled)
        while prediction is not None or label is not None:
            if label is None or (prediction is not None and prediction["timestamp"] <= label["timestamp"]):
                assert prediction is not None  # noqa: S101 - for mypy
                yield False, prediction
                prediction = _next(predicted)
            else:
                yield True, label
                label = _next(labelled)


def _next(file: Iterator[str]) -> dict[str, Any] | None:
    line = next(file, None)
    if line is None:
        return None
    event: dict[str, Any] = json.loads(line)
    if isinstance(event["timestamp"], str):
        event["timestamp"] = datetime.fromisoformat(event["timestamp"]).timestamp() * 1000
    return event


class Ranked:
    """ADWIN on the ranks of values among the first of them."""

    def __init__(self, reference: int) -> None:
        self._reference = reference
        self._first: list[float] = []
        self._cells: list[float] = []
        self._adwin = drift.ADWIN(delta=DELTA)

    def update(self, value: float) -> bool:
        """Return whether the ranks have changed."""
        if not self._cells:
            self._first.append(value)
            if len(self._first) == self._reference:
                self._first.sort()
                self._cells = [self._first[k * (self._reference - 1) // (CELLS - 1)] for k in range(CELLS)]
            return False
        self._adwin.update((bisect_left(self._cells, value) + bisect_right(self._cells, value)) / (2 * CELLS))
        return bool(self._adwin.drift_detected)


class Feature:
    """The quality and the drift of one numeric feature."""

    def __init__(self, reference: int) -> None:
        self.problems: Counter[str] = Counter()
        self._bad = drift.ADWIN(delta=DELTA)
        self._ranked = Ranked(reference)

    def update(self, value: object) -> bool:
        """Return whether either has changed."""
        if value is None:
            problem = "missing"
        elif not isinstance(value, int | float):
            problem = "wrong_type"
        else:
            problem = "" if math.isfinite(value) else "non_finite"
        self._bad.update(bool(problem))
        if problem:
            self.problems[problem] += 1
            return bool(self._bad.drift_detected)
        assert isinstance(value, int | float)  # noqa: S101 - for mypy
        return self._ranked.update(value) or bool(self._bad.drift_detected)


class Performance:
    """Accuracy, precision, recall, F1, log loss, Brier score and ROC-AUC."""

    def __init__(self) -> None:
        self.of_answers = [metrics.Accuracy(), metrics.Precision(), metrics.Recall(), metrics.F1()]
        self._of_scores = [metrics.LogLoss(), metrics.ROCAUC()]
        self._brier = metrics.MSE()

    def update(self, truth: bool, answer: bool, score: float) -> None:  # noqa: FBT001 - they are values
        """Count a pair."""
        for of_answers in self.of_answers:
            of_answers.update(truth, answer)
        for of_scores in self._of_scores:
            of_scores.update(truth, score)
        self._brier.update(truth, score)


class RecentPerformance:
    """The same over a window."""

    def __init__(self, window: int) -> None:
        of_answers = (metrics.Accuracy(), metrics.Precision(), metrics.Recall(), metrics.F1())
        self._of_answers = [utils.Rolling(metric, window_size=window) for metric in of_answers]
        self._of_scores = [
            utils.Rolling(metric, window_size=window) for metric in (metrics.LogLoss(), metrics.ROCAUC())
        ]
        self._brier = utils.Rolling(metrics.MSE(), window_size=window)

    def update(self, truth: bool, answer: bool, score: float) -> None:  # noqa: FBT001 - they are values
        """Count a pair, and forget the oldest."""
        for of_answers in self._of_answers:
            of_answers.update(truth, answer)
        for of_scores in self._of_scores:
            of_scores.update(truth, score)
        self._brier.update(truth, score)


class Monitor:
    """All monitors of one binary model; events are those of the contract, with epoch milliseconds and a score.

    Parameters
    ----------
    reference, window
        Predictions whose values the later ones are ranked among, and pairs of the recent performance.
    features, segments
        Names of the features and of the attributes that are watched; an event may have others, or none.

    """

    def __init__(
        self,
        *,
        reference: int,
        window: int,
        features: Sequence[str] = ("x", "y", "z"),
        segments: Sequence[str] = ("region",),
    ) -> None:
        self.joined = 0
        self.drifts = 0
        self.performance = Performance()
        self._window = RecentPerformance(window)
        self._by_version: defaultdict[str, Performance] = defaultdict(Performance)
        self._by_segment: dict[str, defaultdict[str, Performance]] = {
            name: defaultdict(Performance) for name in segments
        }
        self._features = {name: Feature(reference) for name in features}
        self._score = Ranked(reference)
        self._pairs = [drift.ADWIN(delta=DELTA) for _ in ("error", "residual", "excess")]
        self._model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
        self._challenger = Performance()
        self._pending: dict[str, tuple[dict[str, Any], dict[str, float], float]] = {}
        self._labels: dict[str, dict[str, Any]] = {}
        self._known: deque[str] = deque()
        self._delays = [stats.Quantile(q) for q in (0.5, 0.9, 0.99)]
        self._latencies = [stats.Quantile(q) for q in (0.5, 0.9, 0.99)]

    def predicted(self, event: dict[str, Any]) -> None:
        """Take a prediction."""
        name = event["prediction_id"]
        if name in self._pending or (name in self._labels and self._labels[name].get("joined")):
            return
        inputs = {}
        values = event["features"]
        for feature_name, feature in self._features.items():
            value = values.get(feature_name)
            self.drifts += feature.update(value)
            if isinstance(value, float) and math.isfinite(value):
                inputs[feature_name] = value
        self.drifts += self._score.update(event["score"])
        if (latency := event.get("latency_ms")) is not None:
            for quantile in self._latencies:
                quantile.update(latency)
        challenger = self._model.predict_proba_one(inputs).get(True, 0.5)
        self._pending[name] = event, inputs, challenger
        if name in self._labels:
            self._join(name, self._labels[name])

    def labelled(self, event: dict[str, Any]) -> None:
        """Take a label."""
        name = event["prediction_id"]
        if name in self._labels:
            return
        self._labels[name] = event
        if name in self._pending:
            self._join(name, event)

    def _join(self, name: str, label: dict[str, Any]) -> None:
        event, inputs, challenger = self._pending.pop(name)
        label["joined"] = True
        self.joined += 1
        truth, answer, score = label["label"] in {1, "1", "true", "True"}, event["prediction"] == 1, event["score"]
        self.performance.update(truth, answer, score)
        self._window.update(truth, answer, score)
        self._by_version[event["model_version"]].update(truth, answer, score)
        of_event = event.get("segments", {})
        for attribute, by_value in self._by_segment.items():
            if (segment := of_event.get(attribute)) is not None:
                by_value[segment].update(truth, answer, score)
        self._challenger.update(truth, challenger >= 0.5, challenger)  # noqa: PLR2004 - the likelier class
        self._model.learn_one(inputs, truth)
        residual = truth - score
        observed = (truth != answer, (residual + 1) / 2, (residual * residual - score * (1 - score) + 1) / 2)
        for adwin, value in zip(self._pairs, observed, strict=True):
            adwin.update(value)
            self.drifts += adwin.drift_detected
        delay = (label["timestamp"] - event["timestamp"]) / 1000
        for quantile in self._delays:
            quantile.update(delay)
