"""The joined pairs of one version: whether it is wrong more often, and whether labels still follow the score.

The first is `performance`, which inputs alone can change. The second is `concept_drift`: the label minus what the
reference's calibration expects of the score, so that a shift of inputs alone does not count. Two means of it are
watched: the residual itself (labels more or less often positive than expected), and its excess squared error (the
score tells less than it did, though neither class became more frequent).
"""

from __future__ import annotations

from functools import partial
from math import nan
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from driftline.models.drift.budget import EXCESS, LABELS, LOSS, RESIDUAL, between
from driftline.models.drift.finding import Subject
from driftline.models.drift.listener import listeners_on
from driftline.models.drift.measure import CategoryPsi, Residual, ShareGrowth
from driftline.models.drift.rank import MeanGrowth, RankPsi, RankShift, complete
from driftline.models.drift.stream import CATEGORY_DETECTORS, RANK_DETECTORS, Stream, restore_stream
from driftline.models.drift.thinned import Thinned
from driftline.models.kernels.e_frequency import CELLS
from driftline.models.kernels.version import NONE
from driftline.models.performance import BinaryScoring, MulticlassScoring, absolute_error
from driftline.models.watch import wording
from driftline.models.watch.calibration import Calibration
from driftline.models.watch.fairness import gaps_of
from driftline.models.watch.maturity import Maturity
from driftline.models.watch.slices import Slices
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import Task
from driftline.schemas.river import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.models.arena import Arena
    from driftline.models.drift.measure import Measure
    from driftline.models.drift.trail import Trail
    from driftline.models.join.entry import Pending, Truth
    from driftline.models.kernels.types import Record
    from driftline.models.performance import Scoring
    from driftline.models.watch.fairness import GapView
    from driftline.models.watch.profile import Profile
    from driftline.models.watch.slices import Slice
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig

_SAMPLES: Final = ("loss_sample", "calibrated_sample", "outcome_sample")
_FEWEST_SCORES: Final = 50  # of which a calibration says anything before the reference ends
_LABELS: Final = Subject(Kind.LABEL_DRIFT, Target(metric="label"))
_CONCEPT: Final = Subject(Kind.CONCEPT_DRIFT, Target(metric="calibration"))


Scored: TypeAlias = tuple[float, float | None, float, float]
"""A pair as the detectors see it: loss, score and outcome; and the probability of the label for the log loss.

The loss is 0 or 1, or the absolute error of a regression. Score and outcome are what calibration compares: P(positive)
and whether it was; the highest probability and whether that class was right; the predicted and the true number. The
score is None where the events carry none. The probability is what a multiclass model gave to the label, or NaN.
"""

_LOSSES: Final = (0.0, 1.0, 1.0, 1.0, 0.0, 1.0)
_OUTCOMES: Final = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)
"""Of the pair of a binary model, by its cell."""


def read_scored(scoring: Scoring[Any], cell: int, score: float | None, pending: Pending, truth: Truth) -> Scored:
    """Return what the detectors see of a pair that is counted in this cell, with P(positive) of a binary model."""
    if isinstance(scoring, BinaryScoring):
        return _LOSSES[cell], score, _OUTCOMES[cell], nan
    if isinstance(scoring, MulticlassScoring):
        probabilities = pending.probabilities
        is_right = scoring.is_right(cell)
        confidence = max(probabilities.values()) if probabilities else None
        probability = nan if probabilities is None else scoring.probability(cell, probabilities)
        return float(not is_right), confidence, float(is_right), probability
    predicted, true = float(pending.prediction), float(truth.label)
    return absolute_error(true, predicted), predicted, true, nan


class TruthWatch:
    """Watches the pairs of one version; the first `reference.events` of them are its reference.

    The first quarter of it tells what labels are worth where the model says a score, and the rest how losses and what
    calibration leaves behave.

    Parameters
    ----------
    profile, version, config
        What the model is, which version this is, and how it is watched.
    arena, index
        Where the numbers are, and which record there is the version's.

    """

    def __init__(self, profile: Profile, version: str, config: ModelConfig, arena: Arena, index: int) -> None:
        self.frozen = False
        self.maturity: Final = Maturity(config.reference.events)
        self._task = profile.task
        self._classes = profile.answers
        self._version = version
        self._config = config
        self._arena = arena
        self._index = index
        self._begun = 0  # the event time from which on what is watched learns what is normal
        self._calibration: Calibration | None = None
        self._loss: Stream | None = None
        self._residual: Stream | None = None
        self._excess: Stream | None = None
        self._labels: Stream | None = None
        self._slices = Slices(profile.task, version, config, arena, index)
        self._gaps = gaps_of(profile.task, version, config, arena)
        self._record["gaps"] = NONE
        self._record["gaps"][: len(self._gaps)] = [gaps.index for gaps in self._gaps]
        self._samples: list[Thinned] = []
        self._begin_samples([Thinned(arena.samples, arena.pages) for _ in _SAMPLES])
        for name in ("loss", "residual", "excess", "labels"):
            self._record[name] = NONE

    @property
    def _record(self) -> Record:
        return self._arena.versions.rows[self._index]

    @property
    def pairs(self) -> int:
        """How many pairs there have been."""
        return int(self._record["pairs"])

    def _begin_samples(self, samples: list[Thinned]) -> None:
        self._samples = samples
        for name, sample in zip(_SAMPLES, samples, strict=True):
            self._record[name] = sample.index

    def _end_samples(self) -> None:
        for sample in self._samples:
            sample.release()
        self._samples = []

    def reserve(self, values: int) -> None:
        """Make room for so many pairs more of the reference."""
        for sample in self._samples:
            sample.reserve(values)

    def close(self) -> None:
        """Give back all records but that of the version."""
        self._end_samples()
        self._slices.close()
        for gaps in self._gaps:
            gaps.close()
        for stream in self._own():
            stream.close()

    def advance(self, at: int, slices: Mapping[Slice, int]) -> None:
        """Go on to the next part of the reference at an event time, or end it; pairs come by the keys of `slices`."""
        self._begun = min(self._begun or at, at)  # one pair may have a time that is far ahead
        self._begin(slices)
        for gaps in self._gaps:
            gaps.begin(slices, at)
        if self.pairs >= self._config.reference.events:
            self._freeze()
        self._place()

    def _begin(self, slices: Mapping[Slice, int]) -> None:
        """Watch for what the pairs so far are enough to tell, and let it learn from them."""
        losses, scores, outcomes = (sample.values for sample in self._samples)
        detectors = self._config.detectors
        if self._loss is None and detectors.watches(Watched.ERROR):
            self._loss = self._loss_stream(self._loss_measure(losses))
            self._loss.learn(losses, self._config.reference.events - self.pairs)
        if losses:
            self._slices.begin(slices, losses)
        if self._labels is None and detectors.label:
            self._begin_labels(outcomes)
        is_last = self.pairs >= self._config.reference.events
        enough = len(scores) >= _FEWEST_SCORES or (is_last and len(scores) > 0)
        if self._residual is None and enough and detectors.watches(Watched.RESIDUAL):
            self._calibrate(scores, outcomes)

    def _begin_labels(self, outcomes: Sequence[float]) -> None:
        more = self._config.reference.events - self.pairs
        if self._task is not Task.REGRESSION:
            self._labels = self._label_stream(CategoryPsi())
            self._labels.learn((), more)
        elif len(outcomes) >= _FEWEST_SCORES:
            self._labels = self._label_stream(RankPsi.of(outcomes))
            self._labels.learn(outcomes, more)

    def _loss_measure(self, losses: Sequence[float]) -> Measure:
        if self._task is Task.REGRESSION:
            return MeanGrowth.of("relative_mae", losses)
        return ShareGrowth("error_rate", 0.0, 1)

    def _calibrate(self, scores: Sequence[float], outcomes: Sequence[float]) -> None:
        pairs = list(zip(scores, outcomes, strict=True))
        if self._task is Task.REGRESSION:
            self._calibration = calibration = Calibration.of_numbers(scores, outcomes)
            residuals = [outcome - calibration.expected(score) for score, outcome in pairs]
            self._residual = self._residual_stream(RankShift.of("residual_rank", residuals))
            self._residual.learn(residuals, self._config.reference.events - self.pairs)
            return
        self._calibration = calibration = Calibration.of_probabilities(scores, outcomes)
        expected = [calibration.expected(score) for score in scores]
        residuals = [outcome - p for p, outcome in zip(expected, outcomes, strict=True)]
        self._residual = self._residual_stream(Residual("calibration", 1))
        more = self._config.reference.events - self.pairs
        self._residual.learn(residuals, more)
        if self._config.detectors.error:
            self._excess = self._excess_stream(Residual("calibration", 1))
            self._excess.learn([r * r - p * (1.0 - p) for r, p in zip(residuals, expected, strict=True)], more)

    def _freeze(self) -> None:
        self.frozen = True
        record = self._record
        record["pairs_frozen"] = 1
        if self._labels is not None and self._task is Task.REGRESSION:
            complete(self._labels.measure, self._samples[-1].values)
        elif self._labels is not None:
            self._labels.complete(self._labels.learned)
        self._end_samples()
        self._slices.freeze()
        if self._loss is not None:
            self._loss.complete(self.pairs, float(record["loss_sum"]) / self.pairs)
        for stream in (self._residual, self._excess):
            if stream is not None:
                stream.complete(stream.learned)
        self._promise()

    def _promise(self) -> None:
        """Share what false alarms there may be among all that is watched."""
        events, is_watched = self._config.alerts.events_between_false_alarms, bool(self._config.detectors.error)
        covered = self._begun + self._config.reference.min_span
        for stream, share in ((self._loss, LOSS), (self._residual, RESIDUAL), (self._excess, EXCESS)):
            if stream is not None:
                stream.promise(between(events, share, is_watched=is_watched), covered)
        if self._labels is not None:
            self._labels.promise(between(events, LABELS, is_watched=bool(self._config.detectors.label)), covered)
        self._slices.promise(events, covered)

    def _place(self) -> None:
        """Tell kernels where streams and calibration are, and streams of each other."""
        record = self._record
        related = [each for each in self.streams() if each.has_hourly_mean]
        for each in related:
            each.related = related
        if self._calibration is not None:
            record["calibrated"] = 1
            self._calibration.fill(record["calibration"])
        for name, stream in self._by_name().items():
            record[name] = NONE if stream is None else stream.index
        for name in ("loss", "residual", "labels"):
            stream = self._by_name()[name]
            record[f"{name}_bank"] = 0 if stream is None else stream.bank

    def _loss_stream(self, measure: Measure) -> Stream:
        effects = self._config.alerts.min_effect
        if self._task is Task.REGRESSION:
            metric, describe, min_effect = "mae", wording.larger_errors, effects.relative_mae
        else:
            metric, describe, min_effect = "accuracy", wording.more_errors, effects.error_rate
        subject = Subject(Kind.PERFORMANCE, Target(metric=metric))
        return self._stream(subject, measure, "e_sr:error", min_effect, describe, Watched.ERROR)

    def _residual_stream(self, measure: Measure) -> Stream:
        effects, improves = self._config.alerts.min_effect, 0
        match self._task:
            case Task.BINARY:
                describe, min_effect = wording.positives_differ, effects.calibration
            case Task.MULTICLASS:
                describe, min_effect, improves = wording.hits_differ, effects.calibration, 1
            case Task.REGRESSION:
                describe, min_effect = wording.truth_differs, effects.residual_rank
        watched = Watched.RESIDUAL
        return self._stream(_CONCEPT, measure, "e_sr:residual", min_effect, describe, watched, improves=improves)

    def _excess_stream(self, measure: Measure) -> Stream:
        min_effect = self._config.alerts.min_effect.calibration
        marks = None if self._residual is None else self._residual.trail  # both are of the pairs with a score
        describe = wording.score_tells_less
        return self._stream(_CONCEPT, measure, "e_sr:excess", min_effect, describe, None, marks, improves=-1)

    def _label_stream(self, measure: Measure) -> Stream:
        is_number = self._task is Task.REGRESSION
        return Stream(
            _LABELS,
            self._version,
            measure,
            trail=None if self._loss is None else self._loss.trail,  # both are of all pairs
            detectors=RANK_DETECTORS if is_number else CATEGORY_DETECTORS,
            min_effect=self._config.alerts.min_effect.label_psi,
            describe=partial(wording.shifted, "the label") if is_number else self._describe_labels,
            streams=self._arena.streams,
            has_hours=True,
            has_weeks=self._config.reference.spans_a_week,
        )

    def _describe_labels(self, effect: Effect) -> str:
        names = [] if self._labels is None else classes_moved(self._labels, self._classes)
        return wording.categories_shifted("the label", names, effect)

    def _stream(  # noqa: PLR0913, PLR0917 - what one stream differs in from another
        self,
        subject: Subject,
        measure: Measure,
        detector: str,
        min_effect: float,
        describe: Callable[[Effect], str],
        watched: Watched | None,
        marks: Trail | None = None,
        *,
        improves: int = 0,
    ) -> Stream:
        detectors = self._config.detectors
        bits = self._task is not Task.REGRESSION and watched is Watched.ERROR
        return Stream(
            subject,
            self._version,
            measure,
            detectors=(detector,),
            min_effect=min_effect,
            describe=describe,
            listeners=() if watched is None else listeners_on(watched, detectors, bits=bits),
            streams=self._arena.streams,
            trail=marks,
            has_hours=True,
            has_weeks=self._config.reference.spans_a_week,
            improves=improves,
        )

    def streams(self) -> list[Stream]:
        """Return what is watched."""
        return [*self._own(), *self._slices.streams()]

    def values_of(self, subject: Subject) -> int:
        """Return how many values there have been of a subject."""
        return max((stream.count for stream in self.streams() if stream.subject == subject), default=0)

    def gaps(self) -> list[GapView]:
        """Return the groups that are compared."""
        return [view for gaps in self._gaps for view in gaps.views()]

    def _own(self) -> list[Stream]:
        return [stream for stream in self._by_name().values() if stream is not None]

    def _by_name(self) -> dict[str, Stream | None]:
        return {"loss": self._loss, "residual": self._residual, "excess": self._excess, "labels": self._labels}

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        record = self._record
        return {
            "begun": self._begun,
            "pairs": self.pairs,
            "frozen": self.frozen,
            "maturity": self.maturity.snapshot(),
            "loss_sum": float(record["loss_sum"]),
            "samples": [sample.snapshot() for sample in self._samples],
            "calibration": None if self._calibration is None else self._calibration.snapshot(),
            **{name: None if stream is None else stream.snapshot() for name, stream in self._by_name().items()},
            "slices": self._slices.snapshot(),
            "gaps": [[gaps.attribute, gaps.snapshot()] for gaps in self._gaps],
        }

    def restore(self, snapshot: dict[str, Any], slices: Mapping[Slice, int]) -> None:
        """Take over what `snapshot` returned; pairs come by the keys of `slices` from now on."""
        record = self._record
        self._begun = snapshot["begun"]
        record["pairs"], record["loss_sum"] = snapshot["pairs"], snapshot["loss_sum"]
        record["pairs_frozen"] = self.frozen = snapshot["frozen"]
        self.maturity.restore(snapshot["maturity"])
        self._end_samples()
        if snapshot["samples"]:
            banks = self._arena.samples, self._arena.pages
            self._begin_samples([Thinned.restore(sample, *banks) for sample in snapshot["samples"]])
        if snapshot["calibration"] is not None:
            self._calibration = Calibration.restore(snapshot["calibration"])
        self._loss = restore_stream(self._loss_stream, snapshot["loss"])
        self._residual = restore_stream(self._residual_stream, snapshot["residual"])
        self._excess = restore_stream(self._excess_stream, snapshot["excess"])
        self._labels = restore_stream(self._label_stream, snapshot["labels"])
        self._slices.restore(snapshot["slices"], slices)
        for gaps in self._gaps:
            stored = [each for attribute, each in snapshot["gaps"] if attribute == gaps.attribute]
            if stored:
                gaps.restore(next(filter(gaps.is_of, stored), stored[0]), slices)
        self._place()
        if self.frozen:
            self._promise()


def classes_moved(stream: Stream, names: Sequence[str | None]) -> list[str | None]:
    """Return the classes that the number stands for which has moved most; of more than 16 some share one."""
    moved, _, _ = stream.moved()
    return [name for number, name in enumerate(names) if number % CELLS == moved]
