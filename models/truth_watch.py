"""The joined pairs of one version: is it wrong more often, and do labels still follow the score?

The first is `performance`, which inputs alone can change. The second is `concept_drift`: the label minus what the
reference's calibration expects of the score, so that a shift of inputs alone does not count. Two means of it are
watched: the residual itself (labels more or less often positive than expected), and its excess squared error (the
score tells less than it did, though neither class became more frequent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.models.calibration import Calibration
from driftline.models.finding import Subject
from driftline.models.measure import Residual, ShareGrowth
from driftline.models.rank import MeanGrowth, RankShift, restore_measure
from driftline.models.stream import Stream
from driftline.models.thinned import Thinned
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from driftline.models.finding import Finding
    from driftline.models.join_entry import Pending, Truth
    from driftline.models.measure import Measure
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig
    from driftline.schemas.fields import Scalar

_RESIDUAL: Final = "adwin:residual"
_EXCESS: Final = "adwin:excess"
_LARGEST: Final = 1e100  # differences and squares of what is smaller stay finite


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


def read_scored(task: Task, outcome: Any, pending: Pending, truth: Truth) -> Scored:  # noqa: ANN401 - of the task
    """Return what the detectors see of a pair that was scored as `outcome`."""
    match task:
        case Task.BINARY:
            loss, positive = float(not outcome.correct), float(outcome.positive)
            return Scored(loss, pending.score, positive)
        case Task.MULTICLASS:
            confidence = max(pending.probabilities.values()) if pending.probabilities else None
            return Scored(float(not outcome.correct), confidence, float(outcome.correct))
        case Task.REGRESSION:
            return Scored(min(outcome.loss, _LARGEST), _bounded(pending.prediction), _bounded(truth.label))


def _bounded(number: Scalar) -> float:
    return max(-_LARGEST, min(_LARGEST, float(number)))


class TruthWatch:
    """Watches the pairs of one version; the first `reference.events` of them are its reference."""

    def __init__(self, task: Task, version: str, config: ModelConfig) -> None:
        self._task = task
        self._version = version
        self._config = config
        self.pairs = 0
        self.frozen = False
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
        findings = []
        if self._loss is not None:
            findings.append(self._loss.update(scored.loss, pending.at, pending.offset, truth.offset))
        if self._calibration is not None and scored.score is not None:
            expected = self._calibration.expected(scored.score)
            residual = scored.outcome - expected
            if self._residual is not None:
                findings.append(self._residual.update(residual, pending.at, pending.offset, truth.offset))
            if self._excess is not None:
                excess = residual * residual - expected * (1 - expected)
                findings.append(self._excess.update(excess, pending.at, pending.offset, truth.offset))
        return [finding for finding in findings if finding is not None]

    def _learn(self, scored: Scored) -> None:
        self._losses.update(scored.loss)
        if scored.score is not None:
            self._scores.update(scored.score)
            self._outcomes.update(scored.outcome)
        if self.pairs >= self._config.reference.events:
            self._freeze()

    def _freeze(self) -> None:
        self.frozen = True
        if not self._config.detectors.error:
            return
        losses, scores, outcomes = self._losses.values, self._scores.values, self._outcomes.values
        self._losses, self._scores, self._outcomes = Thinned(), Thinned(), Thinned()
        if self._task is Task.REGRESSION:
            self._loss = self._loss_stream(MeanGrowth("relative_mae", losses))
        else:
            self._loss = self._loss_stream(ShareGrowth("error_rate", sum(losses) / len(losses)))
        if not scores:
            return
        self._calibration = Calibration(scores, outcomes)
        if self._task is Task.REGRESSION:
            residuals = [
                outcome - self._calibration.expected(score) for score, outcome in zip(scores, outcomes, strict=True)
            ]
            self._residual = self._residual_stream(RankShift("residual_rank", residuals))
        else:
            self._residual = self._residual_stream(Residual("calibration"))
            self._excess = self._residual_stream(Residual("calibration"), _EXCESS)

    def _loss_stream(self, measure: Measure) -> Stream:
        regression = self._task is Task.REGRESSION
        effects = self._config.alerts.min_effect
        return Stream(
            Subject(Kind.PERFORMANCE, Target(metric="mae" if regression else "accuracy")),
            self._version,
            measure,
            detector="adwin:error",
            min_effect=effects.relative_mae if regression else effects.error_rate,
            delta=self._config.detectors.adwin.delta,
            describe=_describe_mae if regression else _describe_errors,
        )

    def _residual_stream(self, measure: Measure, detector: str = _RESIDUAL) -> Stream:
        regression = self._task is Task.REGRESSION
        effects = self._config.alerts.min_effect
        return Stream(
            Subject(Kind.CONCEPT_DRIFT, Target(metric="calibration")),
            self._version,
            measure,
            detector=detector,
            min_effect=effects.residual_rank if regression else effects.calibration,
            delta=self._config.detectors.adwin.delta,
            describe=_describe_residual,
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
            "samples": [sample.snapshot() for sample in (self._losses, self._scores, self._outcomes)],
            "calibration": None if self._calibration is None else self._calibration.snapshot(),
            **{name: None if stream is None else stream.snapshot() for name, stream in streams.items()},
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self.pairs = snapshot["pairs"]
        self.frozen = snapshot["frozen"]
        self._losses, self._scores, self._outcomes = map(Thinned.restore, snapshot["samples"])
        if snapshot["calibration"] is not None:
            self._calibration = Calibration.restore(snapshot["calibration"])
        if (stored := snapshot["loss"]) is not None:
            self._loss = self._loss_stream(restore_measure(stored["measure"]))
            self._loss.restore(stored)
        if (stored := snapshot["residual"]) is not None:
            self._residual = self._residual_stream(restore_measure(stored["measure"]))
            self._residual.restore(stored)
        if (stored := snapshot["excess"]) is not None:
            self._excess = self._residual_stream(restore_measure(stored["measure"]), _EXCESS)
            self._excess.restore(stored)


def _describe_errors(effect: Effect) -> str:
    return f"predictions are wrong in {effect.after:.1%} of recent pairs, {effect.before:.1%} in the reference"


def _describe_mae(effect: Effect) -> str:
    return f"the mean absolute error is {effect.after:.4g} over recent pairs, {effect.before:.4g} in the reference"


def _describe_residual(effect: Effect) -> str:
    return (
        "labels no longer follow the score as they did: they differ from what the reference expects of it "
        f"by {effect.after:+.3g} on average ({effect.before:+.3g} in the reference)"
    )
