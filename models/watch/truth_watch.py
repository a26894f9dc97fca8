"""The joined pairs of one version: whether it is wrong more often, and whether labels still follow the score.

The first is `performance`, which inputs alone can change. The second is `concept_drift`: the label minus what the
reference's calibration expects of the score, so that a shift of inputs alone does not count. Two means of it are
watched: the residual itself (labels more or less often positive than expected), and its excess squared error (the
score tells less than it did, though neither class became more frequent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.finding import Subject
from driftline.models.drift.measure import Residual, ShareGrowth
from driftline.models.drift.rank import MeanGrowth, RankShift
from driftline.models.drift.stream import Stream, location, restore_stream
from driftline.models.drift.thinned import Thinned
from driftline.models.watch import wording
from driftline.models.watch.calibration import Calibration
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure
    from driftline.models.join.entry import Pending, Truth
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig

_CONCEPT: Final = Subject(Kind.CONCEPT_DRIFT, Target(metric="calibration"))


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair as the detectors see it.

    `loss` is 0 or 1, or the absolute error of a regression. `score` and `outcome` are what calibration compares:
    P(positive) and whether it was; the highest probability and whether that class was right; the predicted and the
    true number. `score` is None where the events carry none.
    """

    loss: float
    score: float | None
    outcome: float


def read_scored(task: Task, outcome: Any, score: float | None, pending: Pending, truth: Truth) -> Scored:  # noqa: ANN401 - of the task
    """Return what the detectors see of a pair that was scored as `outcome`, with P(positive) of a binary model."""
    match task:
        case Task.BINARY:
            loss, positive = float(not outcome.correct), float(outcome.positive)
            return Scored(loss, score, positive)
        case Task.MULTICLASS:
            confidence = max(pending.probabilities.values()) if pending.probabilities else None
            return Scored(float(not outcome.correct), confidence, float(outcome.correct))
        case Task.REGRESSION:
            return Scored(outcome.loss, float(pending.prediction), float(truth.label))


class TruthWatch:
    """Watches the pairs of one version; the first `reference.events` of them are its reference."""

    def __init__(self, task: Task, version: str, config: ModelConfig) -> None:
        self.pairs = 0
        self.frozen = False
        self._task = task
        self._version = version
        self._config = config
        self._loss_sum = 0.0  # of the reference, also of what is left out of the sample
        self._losses = Thinned()
        self._scores = Thinned()
        self._outcomes = Thinned()
        self._calibration: Calibration | None = None
        self._loss: Stream | None = None
        self._residual: Stream | None = None
        self._excess: Stream | None = None

    def update(self, scored: Scored, pending: Pending, truth: Truth) -> list[Finding]:
        """Take one pair; its place in event time is the prediction's."""
        self.pairs += 1
        if not self.frozen:
            self._learn(scored)
            return []
        place = pending.at, pending.offset, truth.offset
        found = [None if self._loss is None else self._loss.update(scored.loss, *place)]
        if self._calibration is not None and scored.score is not None:
            expected = self._calibration.expected(scored.score)
            residual = scored.outcome - expected
            if self._residual is not None:
                found.append(self._residual.update(residual, *place))
            if self._excess is not None:
                found.append(self._excess.update(residual * residual - expected * (1 - expected), *place))
        return [finding for finding in found if finding is not None]

    def _learn(self, scored: Scored) -> None:
        self._loss_sum += scored.loss
        self._losses.update(scored.loss)
        if scored.score is not None:
            self._scores.update(scored.score)
            self._outcomes.update(scored.outcome)
        if self.pairs >= self._config.reference.events:
            self._freeze()

    def _freeze(self) -> None:
        self.frozen = True
        losses, scores, outcomes = self._losses.values, self._scores.values, self._outcomes.values
        self._losses, self._scores, self._outcomes = Thinned(), Thinned(), Thinned()
        if not self._config.detectors.error:
            return
        if self._task is Task.REGRESSION:
            self._loss = self._loss_stream(MeanGrowth.of("relative_mae", losses))
        else:
            self._loss = self._loss_stream(ShareGrowth("error_rate", self._loss_sum / self.pairs, self.pairs))
        if not scores:
            return
        if self._task is Task.REGRESSION:
            self._calibration = calibration = Calibration.of_numbers(scores, outcomes)
            residuals = [outcome - calibration.expected(score) for score, outcome in zip(scores, outcomes, strict=True)]
            self._residual = self._residual_stream(RankShift.of("residual_rank", residuals))
        else:
            self._calibration = Calibration.of_probabilities(scores, outcomes)
            self._residual = self._residual_stream(Residual("calibration", len(scores)))
            self._excess = self._excess_stream(Residual("calibration", len(scores)))

    def _loss_stream(self, measure: Measure) -> Stream:
        effects = self._config.alerts.min_effect
        if self._task is Task.REGRESSION:
            metric, describe, min_effect = "mae", wording.larger_errors, effects.relative_mae
        else:
            metric, describe, min_effect = "accuracy", wording.more_errors, effects.error_rate
        subject = Subject(Kind.PERFORMANCE, Target(metric=metric))
        return self._stream(subject, measure, "adwin:error", min_effect, describe)

    def _residual_stream(self, measure: Measure) -> Stream:
        effects = self._config.alerts.min_effect
        match self._task:
            case Task.BINARY:
                describe, min_effect = wording.positives_differ, effects.calibration
            case Task.MULTICLASS:
                describe, min_effect = wording.hits_differ, effects.calibration
            case Task.REGRESSION:
                describe, min_effect = wording.truth_differs, effects.residual_rank
        return self._stream(_CONCEPT, measure, "adwin:residual", min_effect, describe)

    def _excess_stream(self, measure: Measure) -> Stream:
        min_effect = self._config.alerts.min_effect.calibration
        return self._stream(_CONCEPT, measure, "adwin:excess", min_effect, wording.score_tells_less)

    def _stream(
        self, subject: Subject, measure: Measure, detector: str, min_effect: float, describe: Callable[[Effect], str]
    ) -> Stream:
        return Stream(
            subject,
            self._version,
            measure,
            detectors={detector: location},
            min_effect=min_effect,
            delta=self._config.detectors.adwin.delta,
            describe=describe,
        )

    def streams(self) -> list[Stream]:
        """Return what is watched."""
        return [stream for stream in (self._loss, self._residual, self._excess) if stream is not None]

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        streams = {"loss": self._loss, "residual": self._residual, "excess": self._excess}
        return {
            "pairs": self.pairs,
            "frozen": self.frozen,
            "loss_sum": self._loss_sum,
            "samples": [sample.snapshot() for sample in (self._losses, self._scores, self._outcomes)],
            "calibration": None if self._calibration is None else self._calibration.snapshot(),
            **{name: None if stream is None else stream.snapshot() for name, stream in streams.items()},
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self.pairs = snapshot["pairs"]
        self.frozen = snapshot["frozen"]
        self._loss_sum = snapshot["loss_sum"]
        self._losses, self._scores, self._outcomes = map(Thinned.restore, snapshot["samples"])
        if snapshot["calibration"] is not None:
            self._calibration = Calibration.restore(snapshot["calibration"])
        self._loss = restore_stream(self._loss_stream, snapshot["loss"])
        self._residual = restore_stream(self._residual_stream, snapshot["residual"])
        self._excess = restore_stream(self._excess_stream, snapshot["excess"])
