"""Everything watched of one model: what it is, its versions, its performance, and the challenger beside it.

A model is known only after its first predictions (`profile.is_known`). What comes before is kept, bounded, and observed
in the same order once it is. Where the configuration comes to say that it is something else, or its pairs do, it is
known anew, and what was watched of it begins afresh.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.finding import Level
from driftline.models.join.entry import Pending, Truth
from driftline.models.performance import BinaryOutcome, Pair
from driftline.models.watch.early import Early
from driftline.models.watch.known import Known
from driftline.models.watch.profile import NOT_MISTAKEN, WARMUP, Mistaken, infer, is_known
from driftline.models.watch.quality import finite_number
from driftline.models.watch.quantiles import QuantileSketch
from driftline.models.watch.truth_watch import read_scored
from driftline.models.watch.version_watch import VersionWatch
from driftline.schemas.config import ModelConfig, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.models.drift.finding import Finding, Subject
    from driftline.models.join.label_join import Joined
    from driftline.schemas.events import Prediction

_MOST_VERSIONS: Final = 4
_OUT_OF_USE: Final = 1000  # predictions of others, after which a version counts as replaced
_MOST_RESTARTS: Final = 3  # for what the pairs of a model say; its configuration may be changed as often as one likes


class ModelMonitor:
    """Watches one model.

    Examples
    --------
    >>> from driftline.models.join.label_join import Joined
    >>> from driftline.schemas.events import Prediction
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
        self._glimpsed: tuple[int, dict[str, Any]] = 0, {}  # of how many predictions, and what they suggest
        self._version: str | None = None
        self._offset = -1  # of the newest prediction
        self._restarts = 0
        self._outside_labels = 0
        self._latency = QuantileSketch()
        self._label_delay = QuantileSketch()

    # -- records ------------------------------------------------------------------------------------------------------

    def predicted(self, prediction: Prediction, offset: int, label_offset: int) -> tuple[Pending, list[Finding]]:
        """Observe a prediction, its offset, and that of the newest label before it (-1: none).

        Return what must be kept of it until its label comes, and what was found.
        """
        self._version, self._offset = prediction.model_version, offset
        if prediction.latency_ms is not None:
            self._latency.update(prediction.latency_ms)
        known = self._known
        if known is None:
            self._early.predict(prediction, offset, label_offset)
            return self._pending(prediction, offset), self._settle_if_known()
        inputs = scored = None
        if known.online is not None:
            inputs = known.online.scale(_numbers(prediction, known.online.inputs))
            scored = known.online.predict(inputs)
        findings = self._watch(known, prediction, offset, label_offset)
        return self._pending(prediction, offset, inputs, scored), findings

    def labelled(self, joined: Joined) -> list[Finding]:
        """Observe a pair; return what was found."""
        self._label_delay.update((joined.truth.at - joined.pending.at) / 1000)
        known = self._known
        if known is None:
            self._early.pair(joined)
            return []
        findings = self._score(known, joined)
        if known.is_mistaken and self._may_infer_again:
            self._begin_anew(known.mistaken)
        return findings

    def _score(self, known: Known, joined: Joined) -> list[Finding]:
        pending, truth = joined
        score = known.profile.score(pending)  # of a prediction from before the model was known too
        pair = Pair(truth.label, pending.prediction, score, pending.probabilities, truth.weight)
        outcome = known.profile.scoring.interpret(pair)
        known.pairs += 1
        if outcome is None:
            self._outside_labels += 1
            known.outside(pending)
            return []
        known.scoreboard.update(outcome, pending.version, pending.segments)
        scored = read_scored(known.profile.task, outcome, score, pending, truth)
        online, inputs, predicted = known.online, pending.inputs, pending.challenger
        if online is not None and pending.offset >= online.since and inputs is not None and predicted is not None:
            self._score_challenger(known, outcome, predicted, truth)
            online.learn(inputs, scored.outcome)
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
        inputs: tuple[float, ...] | None = None,
        challenger: float | None = None,
    ) -> Pending:
        return Pending(
            prediction.timestamp,
            offset,
            prediction.model_version,
            prediction.prediction,
            prediction.score,
            prediction.probabilities,
            _chosen(prediction.segments, self._config.segments),
            inputs,
            challenger,
        )

    def _watch(self, known: Known, prediction: Prediction, offset: int, label_offset: int) -> list[Finding]:
        known.predictions += 1
        watch = known.versions.get(prediction.model_version) or self._new_watch(known, prediction.model_version)
        if watch is None:
            known.unwatched += 1
            return []
        watch.served = known.predictions
        return watch.predicted(prediction, known.profile.score(prediction), offset, label_offset)

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
        if len(self._early.predictions) % WARMUP and not self._early.is_full:
            return []
        predictions = [prediction for prediction, *_ in self._early.predictions]
        known = self._early.is_full or is_known(self._config, predictions, self._early.labels)
        return self._settle() if known else []

    def _settle(self) -> list[Finding]:
        early, self._early = self._early, Early()
        self._glimpsed = 0, {}
        predictions = [prediction for prediction, *_ in early.predictions]
        profile = infer(self._config, predictions, early.labels, early.mistaken)
        known = self._known = Known(profile, self._config, since=self._offset + 1)
        findings: list[Finding] = []
        for prediction, offset, label_offset in early.predictions:
            findings += self._watch(known, prediction, offset, label_offset)
        for joined in early.pairs:
            findings += self._score(known, joined)
        return findings

    @property
    def _may_infer_again(self) -> bool:
        config = self._config
        is_said = any(said is not None for said in (config.task, config.classes, config.positive_label))
        return not is_said and self._restarts < _MOST_RESTARTS

    def _begin_anew(self, mistaken: Mistaken) -> None:
        """Forget what the model was taken for and all that was watched by it; the next predictions tell what it is."""
        self._restarts += 1
        self._known = None
        self._early = Early(since=self._offset + 1, mistaken=mistaken)

    # -- state --------------------------------------------------------------------------------------------------------

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject of a version stands; None once the version is no longer watched."""
        known = self._known
        watch = None if known is None else known.versions.get(version)
        if known is None or watch is None:
            return None
        effects = [stream.level for stream in watch.streams() if stream.subject == subject and stream.level is not None]
        return Level(max(effects, key=lambda effect: effect.value, default=None), known.predictions - watch.served)

    def report(self) -> dict[str, Any]:
        """Return the monitor's part of the state document.

        While the model is not known yet, what its few events suggest is reported and nothing is decided by it.
        """
        watched = self._glimpse() if self._known is None and self._early.predictions else self._watched()
        return {
            **watched,
            "model_version": self._version,
            "label_delay": self._label_delay.report(),
            "serving_latency": self._latency.report(),
        }

    def _glimpse(self) -> dict[str, Any]:
        early = self._early.glimpse()
        seen, watched = self._glimpsed
        if seen != len(early.predictions) or early is self._early:
            watched = copy(self)._suggested_by(early)  # noqa: SLF001 - a copy of ours
            self._glimpsed = len(early.predictions), watched
        return watched

    def _suggested_by(self, early: Early) -> dict[str, Any]:
        self._early, self._version = early, early.predictions[-1][0].model_version
        self._settle()
        return self._watched()

    def _watched(self) -> dict[str, Any]:
        known = self._known
        watch = None if known is None or self._version is None else known.versions.get(self._version)
        online = None if known is None else known.online
        return {
            "task": None if known is None else known.profile.task,
            "task_inferred": known is not None and self._config.task is None,
            "classes": None if known is None else known.profile.classes,
            "positive_label": None if known is None else known.profile.positive,
            "performance": {} if known is None else known.scoreboard.report(),
            "challenger": None
            if known is None or online is None
            else {"model": online.kind, "restarts": online.restarts, **known.online_performance.report()},
            "features": {} if watch is None else watch.features_report(),
            "detectors": {}
            if watch is None
            else {f"{s.subject.as_text()} {s.detector}": s.report() for s in watch.streams()},
            "reference": {} if known is None or watch is None else self._reference(known, watch),
            "outside_labels": self._outside_labels,
        }

    def _reference(self, known: Known, watch: VersionWatch) -> dict[str, Any]:
        return {
            "model_version": watch.version,
            **watch.reference_report(),
            "versions": list(known.versions),
            "unwatched_predictions": known.unwatched,
            "restarts": self._restarts,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "version": self._version,
            "offset": self._offset,
            "restarts": self._restarts,
            "outside_labels": self._outside_labels,
            "latency": self._latency.snapshot(),
            "label_delay": self._label_delay.snapshot(),
            "early": self._early.snapshot(),
            "known": None if self._known is None else self._known.snapshot(),
        }

    @classmethod
    def restore(cls, config: ModelConfig, snapshot: dict[str, Any]) -> ModelMonitor:
        """Rebuild what `snapshot` returned; where the configuration now says what the model is, it is known anew."""
        monitor = cls(config)
        monitor._version = snapshot["version"]
        monitor._offset = snapshot["offset"]
        monitor._restarts = snapshot["restarts"]
        monitor._outside_labels = snapshot["outside_labels"]
        monitor._latency = QuantileSketch.restore(snapshot["latency"])
        monitor._label_delay = QuantileSketch.restore(snapshot["label_delay"])
        monitor._early = Early.restore(snapshot["early"])
        if (stored := snapshot["known"]) is not None:
            monitor._known = Known.restore(config, stored, since=monitor._offset + 1)
            if monitor._known is None:
                monitor._begin_anew(NOT_MISTAKEN)
        return monitor


def _chosen(segments: dict[str, str], names: Sequence[str]) -> dict[str, str] | None:
    """Return the values of configured attributes; None, which is smaller, where there are none."""
    return {name: segments[name] for name in names if name in segments} or None


def _numbers(prediction: Prediction, names: Iterable[str]) -> dict[str, float]:
    features = prediction.features
    return {name: number for name in names if (number := finite_number(features.get(name))) is not None}
