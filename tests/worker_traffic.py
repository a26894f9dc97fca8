"""The traffic of the tests of the whole worker: models whose counts and metrics are known exactly."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from random import Random

import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from driftline.client import ModelState, Overview, StateReader
from driftline.schemas.partitioner import partition_of
from driftline.schemas.series import metrics_of
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.worker_harness import Sent, Site

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class Traffic:
    """A binary model: prediction n and, ten seconds of event time later, its label, for n from 0 to `count` - 1."""

    def __init__(self, model_id: str, count: int, *, features: int = 1) -> None:
        random = Random(model_id)
        self.model_id = model_id
        self.count = count
        self.features = features
        self.scores = [round(0.01 + 0.98 * random.random(), 4) for _ in range(count)]
        self.labels = [int(random.random() < score) for score in self.scores]

    def prediction(self, n: int) -> Sent:
        score = self.scores[n]
        features = ",".join(f'"x{k}":{(n * (k + 1)) % 17 + score}' for k in range(self.features))
        value = (
            f'{{"model_id":"{self.model_id}","model_version":"1","prediction_id":"p{n}","timestamp":{START + 100 * n},'
            f'"prediction":{int(score >= 0.5)},"score":{score},"features":{{{features}}}}}'
        )
        return Sent(PREDICTIONS, self.model_id.encode(), value.encode())

    def label(self, n: int) -> Sent:
        value = (
            f'{{"model_id":"{self.model_id}","prediction_id":"p{n}","timestamp":{START + 100 * n + 10_000},'
            f'"label":{self.labels[n]}}}'
        )
        return Sent(LABELS, self.model_id.encode(), value.encode())

    def assert_exact(self, state: ModelState, *beside: str) -> None:
        """Fail unless the state holds every prediction and label once, and the metrics of all pairs.

        `beside` are counts that may be above 0 too.
        """
        # Which of the two topics is read first is nobody's promise yet.
        apart = {"early_labels", *beside}
        counts = {name: value for name, value in state.counts.model_dump().items() if value and name not in apart}
        wanted = dict.fromkeys(("predictions", "labels", "joined"), self.count)
        assert counts == wanted, f"counts of {self.model_id}: {counts} and not {wanted}"
        found = {name: state.performance[name] for name in self.metrics}
        assert found == pytest.approx(self.metrics, rel=1e-9, abs=1e-9), self.model_id
        assert state.performance["roc_auc"] == pytest.approx(roc_auc_score(self.labels, self.scores), abs=1e-4)

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of all pairs, by scikit-learn."""
        predicted = [int(score >= 0.5) for score in self.scores]
        return {
            "accuracy": accuracy_score(self.labels, predicted),
            "precision": precision_score(self.labels, predicted),
            "recall": recall_score(self.labels, predicted),
            "f1": f1_score(self.labels, predicted),
            "log_loss": log_loss(self.labels, self.scores),
            "brier": brier_score_loss(self.labels, self.scores),
        }


def on_every_partition(partitions: int, *, each: int, count_each: int) -> list[Traffic]:
    """Return as many models for each partition as asked."""
    wanted = dict.fromkeys(range(partitions), each)
    models: list[Traffic] = []
    for number in count():
        if not any(wanted.values()):
            return models
        partition = partition_of(f"model-{number}", partitions)
        if wanted[partition]:
            wanted[partition] -= 1
            models.append(Traffic(f"model-{number}", count_each))
    raise AssertionError


def mixed(models: Sequence[Traffic], numbers: Iterable[int]) -> Iterator[Sent]:
    """Give predictions and labels of these numbers of all models, as time passes."""
    for n in numbers:
        for model in models:
            yield model.prediction(n)
        for model in models:
            yield model.label(n)


def shifting(n: int) -> Sent:
    """Return prediction n of the model m, whose feature is ten times as large from the 2,000th on."""
    x = (10 if n >= 2000 else 1) * (1 + Random(n).random())
    value = (
        f'{{"model_id":"m","model_version":"1","prediction_id":"p{n}","timestamp":{START + 100 * n},'
        f'"prediction":{n % 2},"features":{{"x":{x}}}}}'
    )
    return Sent(PREDICTIONS, b"m", value.encode())


def lean(site: Site, models: Iterable[Traffic], more: str = "") -> str:
    """Write a configuration in which models cost little, and return its path; `more` are further lines of YAML."""
    detectors = "{numeric: [], score: [], error: [], quality: []}"
    lines = [f"  - {{model_id: {m.model_id}, challenger: none, detectors: {detectors}}}" for m in models]
    path = Path(site.folder, "driftline.yaml")
    path.write_text("\n".join(["models:", *lines, more]))
    return str(path)


def assert_exact(site: Site, models: Collection[Traffic], *beside: str) -> None:
    """Fail unless the site has just these models, and each state is exact; `beside` are counts that may be above 0.

    Overviews and the last row of metrics over time show what the state does.
    """
    states = site.states()
    assert states.keys() == {model.model_id for model in models}
    with StateReader(site.redis) as reader:
        assert {each.model_id: each for each in reader.overviews()} == {m: Overview.of(s) for m, s in states.items()}
        for model in models:
            state, history = states[model.model_id], reader.history(model.model_id)
            model.assert_exact(state, *beside)
            assert history is not None
            last = {name: values[-1] for name, values in history.metrics.items() if values[-1] is not None}
            assert last == metrics_of(state)
