"""Everything watched of one model: what it is, its versions, its performance, and the challenger beside it.

A model is known only after its first predictions (`profile.is_known`). What comes before is kept, bounded, and observed
in the same order once it is.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.finding import Level
from driftline.models.join.entry import Pending, Truth, pending_fields, pending_of, truth_fields
from driftline.models.join.label_join import Joined
from driftline.models.performance import BinaryOutcome, Pair
from driftline.models.watch.challenger import OnlineModel, choose
from driftline.models.watch.profile import WARMUP, Profile, infer, is_known
from driftline.models.watch.quality import finite_number
from driftline.models.watch.quantiles import QuantileSketch
from driftline.models.watch.scoreboard import Scoreboard
from driftline.models.watch.truth_watch import read_scored
from driftline.models.watch.version_watch import VersionWatch
from driftline.schemas.config import Challenger, FeatureKind, ModelConfig, Task
from driftline.schemas.events import Prediction, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.models.drift.finding import Finding, Subject
    from driftline.models.performance import Performance

_MOST_VERSIONS: Final = 4
_OUT_OF_USE: Final = 1000  # predictions of others, after which a version counts as replaced


class Known:
    """What is watched once it is known what the model is."""

    def __init__(self, profile: Profile, config: ModelConfig) -> None:
        self.profile = profile
        self.scoreboard = Scoreboard(profile.scoring, config.segments, config.window)
        self.online: OnlineModel | None = None
        self.online_performance: Performance[Any] = profile.scoring.new()
        if (kind := choose(config.challenger, profile.task)) is not Challenger.NONE:
            numeric = [name for name, kind in profile.kinds.items() if kind is FeatureKind.NUMERIC]
            self.online = OnlineModel(kind, inputs=numeric)
        self.versions: dict[str, VersionWatch] = {}
        self.predictions = 0
        self.unwatched = 0


@dataclass(frozen=True, slots=True)
class Early:
    """What came before the model was known: predictions with the offsets of `predicted`, and pairs."""

    predictions: list[tuple[Prediction, int, int]] = field(default_factory=list)
    pairs: list[Joined] = field(default_factory=list)


class ModelMonitor:
    """Watches one model.

    Examples
    --------
    >>> monitor = ModelMonitor(ModelConfig(model_id="m"))
    >>> for n in range(300):
    ...     event = Prediction(model_id="m", model_version="1", prediction_id=str(n), timestamp=n, prediction=n % 2)
    ...     pending, _ = monitor.predicted(event, offset=n, label_offset=n - 1)
    ...     _ = monitor.labelled(Joined(pending, Truth(n, n, n % 2)))
    >>> monitor.report()["performance"]["accuracy"]
    1.0

    """

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._early = Early()
        self._known: Known | None = None
        self._version: str | None = None
        self._outside_labels = 0
        self._latency = QuantileSketch()
        self._label_delay = QuantileSketch()

    # -- records ------------------------------------------------------------------------------------------------------

    def predicted(self, prediction: Prediction, offset: int, label_offset: int) -> tuple[Pending, list[Finding]]:
        """Observe a prediction, its offset, and that of the newest label before it (-1: none).

        Return what must be kept of it until its label comes, and what was found.
        """
        self._version = prediction.model_version
        if prediction.latency_ms is not None:
            self._latency.update(prediction.latency_ms)
        known = self._known
        if known is None:
            self._early.predictions.append((prediction, offset, label_offset))
            return self._pending(prediction, offset, prediction.score), self._settle_if_known()
        inputs = scored = None
        if known.online is not None:
            inputs = known.online.scale(_numbers(prediction, known.online.inputs))
            scored = known.online.predict(inputs)
        score = known.profile.score(prediction)
        findings = self._watch(known, prediction, score, offset, label_offset)
        return self._pending(prediction, offset, score, inputs, scored), findings

    def labelled(self, joined: Joined) -> list[Finding]:
        """Observe a pair; return what was found."""
        self._label_delay.update((joined.truth.at - joined.pending.at) / 1000)
        known = self._known
        if known is None:
            self._early.pairs.append(joined)
            return []
        return self._score(known, joined)

    def _score(self, known: Known, joined: Joined) -> list[Finding]:
        pending, truth = joined
        pair = Pair(truth.label, pending.prediction, pending.score, pending.probabilities, truth.weight)
        outcome = known.profile.scoring.interpret(pair)
        if outcome is None:
            self._outside_labels += 1
            return []
        known.scoreboard.update(outcome, pending.version, pending.segments)
        scored = read_scored(known.profile.task, outcome, pending, truth)
        if known.online is not None and pending.inputs is not None and pending.challenger is not None:
            self._score_challenger(known, outcome, pending.challenger, truth)
            known.online.learn(pending.inputs, scored.outcome)
        watch = known.versions.get(pending.version)
        return [] if watch is None else watch.labelled(scored, pending, truth)

    @staticmethod
    def _score_challenger(known: Known, outcome: Any, predicted: float, truth: Truth) -> None:  # noqa: ANN401 - of the task
        if known.profile.task is Task.BINARY:
            is_positive = predicted >= 0.5  # noqa: PLR2004 - the likelier class
            outcome = BinaryOutcome.of(outcome.positive, is_positive, predicted, outcome.weight)
        else:
            outcome = known.profile.scoring.interpret(Pair(truth.label, predicted, weight=truth.weight))
        known.online_performance.update(outcome)

    def _pending(
        self,
        prediction: Prediction,
        offset: int,
        score: float | None,
        inputs: tuple[float, ...] | None = None,
        challenger: float | None = None,
    ) -> Pending:
        return Pending(
            prediction.timestamp,
            offset,
            prediction.model_version,
            prediction.prediction,
            score,
            prediction.probabilities,
            tuple(prediction.segments.get(name) for name in self._config.segments),
            inputs,
            challenger,
        )

    def _watch(
        self, known: Known, prediction: Prediction, score: float | None, offset: int, label_offset: int
    ) -> list[Finding]:
        known.predictions += 1
        watch = known.versions.get(prediction.model_version) or self._new_watch(known, prediction.model_version)
        if watch is None:
            known.unwatched += 1
            return []
        watch.served = known.predictions
        return watch.predicted(prediction, score, offset, label_offset)

    def _new_watch(self, known: Known, version: str) -> VersionWatch | None:
        """Return the watch of a version that has none; None while as many as can be watched are in use."""
        if len(known.versions) == _MOST_VERSIONS:
            stalest = min(known.versions.values(), key=lambda watch: watch.served)
            if self.serves(stalest.version):
                return None
            del known.versions[stalest.version]
        watch = known.versions[version] = VersionWatch(version, self._config, known.profile)
        return watch

    def serves(self, version: str) -> bool:
        """Return whether a version is watched and among the last 1,000 predictions."""
        known = self._known
        watch = None if known is None else known.versions.get(version)
        return known is not None and watch is not None and known.predictions - watch.served < _OUT_OF_USE

    # -- getting to know the model ------------------------------------------------------------------------------------

    def _settle_if_known(self) -> list[Finding]:
        if len(self._early.predictions) % WARMUP:
            return []
        predictions = [prediction for prediction, *_ in self._early.predictions]
        labels = [pair.truth.label for pair in self._early.pairs]
        return self._settle() if is_known(self._config, predictions, labels) else []

    def _settle(self) -> list[Finding]:
        early, self._early = self._early, Early()
        predictions = [prediction for prediction, *_ in early.predictions]
        profile = infer(self._config, predictions, [pair.truth.label for pair in early.pairs])
        known = self._known = Known(profile, self._config)
        findings: list[Finding] = []
        for prediction, offset, label_offset in early.predictions:
            findings += self._watch(known, prediction, profile.score(prediction), offset, label_offset)
        for joined in early.pairs:
            findings += self._score(known, joined)
        return findings

    # -- state --------------------------------------------------------------------------------------------------------

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject of a version stands; None once the version is no longer watched."""
        watch = None if self._known is None else self._known.versions.get(version)
        if watch is None:
            return None
        effects = [stream.level for stream in watch.streams() if stream.subject == subject and stream.level is not None]
        return Level(max(effects, key=lambda effect: effect.value, default=None), watch.predictions)

    def report(self) -> dict[str, Any]:
        """Return the monitor's part of the state document.

        While the model is not known yet, what its few events suggest is reported and nothing is decided by it.
        """
        if self._known is None and self._early.predictions:
            likely = copy(self)
            likely._settle()  # noqa: SLF001 - a copy of ours
            return likely.report()
        known = self._known
        watch = None if known is None or self._version is None else known.versions.get(self._version)
        names = {} if known is None else known.profile.scoring.snapshot()
        online = None if known is None else known.online
        return {
            "task": None if known is None else known.profile.task,
            "task_inferred": known is not None and known.profile.inferred,
            "classes": names.get("classes", {}).get("names"),
            "positive_label": names.get("positive"),
            "model_version": self._version,
            "performance": {} if known is None else known.scoreboard.report(),
            "challenger": None
            if known is None or online is None
            else {"model": online.kind, "restarts": online.restarts, **known.online_performance.report()},
            "label_delay": self._label_delay.report(),
            "serving_latency": self._latency.report(),
            "features": {} if watch is None else watch.features_report(),
            "detectors": {}
            if watch is None
            else {f"{s.subject.as_text()} {s.detector}": s.report() for s in watch.streams()},
            "reference": {} if known is None or watch is None else _reference(known, watch),
            "outside_labels": self._outside_labels,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        known = self._known
        return {
            "version": self._version,
            "outside_labels": self._outside_labels,
            "latency": self._latency.snapshot(),
            "label_delay": self._label_delay.snapshot(),
            "early_predictions": [[encode(p).decode(), *offsets] for p, *offsets in self._early.predictions],
            "early_pairs": [[pending_fields(p), truth_fields(t)] for p, t in self._early.pairs],
            "known": None
            if known is None
            else {
                "profile": known.profile.snapshot(),
                "scoreboard": known.scoreboard.snapshot(),
                "online": None if known.online is None else known.online.snapshot(),
                "online_performance": known.online_performance.snapshot(),
                "versions": {version: watch.snapshot() for version, watch in known.versions.items()},
                "predictions": known.predictions,
                "unwatched": known.unwatched,
            },
        }

    @classmethod
    def restore(cls, config: ModelConfig, snapshot: dict[str, Any]) -> ModelMonitor:
        """Rebuild what `snapshot` returned."""
        monitor = cls(config)
        monitor._version = snapshot["version"]
        monitor._outside_labels = snapshot["outside_labels"]
        monitor._latency = QuantileSketch.restore(snapshot["latency"])
        monitor._label_delay = QuantileSketch.restore(snapshot["label_delay"])
        monitor._early = Early(
            [(Prediction(**json.loads(text)), *offsets) for text, *offsets in snapshot["early_predictions"]],
            [Joined(pending_of(pending), Truth(*truth)) for pending, truth in snapshot["early_pairs"]],
        )
        if (stored := snapshot["known"]) is not None:
            profile = Profile.restore(stored["profile"])
            known = monitor._known = Known(profile, config)
            known.scoreboard.restore(stored["scoreboard"])
            known.online = None if stored["online"] is None else OnlineModel.restore(stored["online"])
            known.online_performance = profile.scoring.restore(stored["online_performance"])
            known.versions = {
                version: VersionWatch.restore(version, config, profile, watch)
                for version, watch in stored["versions"].items()
            }
            known.predictions = stored["predictions"]
            known.unwatched = stored["unwatched"]
        return monitor


def _numbers(prediction: Prediction, names: Iterable[str]) -> dict[str, float]:
    features = prediction.features
    return {name: number for name in names if (number := finite_number(features.get(name))) is not None}


def _reference(known: Known, watch: VersionWatch) -> dict[str, Any]:
    return {
        "model_version": watch.version,
        **watch.reference_report(),
        "versions": list(known.versions),
        "unwatched_predictions": known.unwatched,
    }
