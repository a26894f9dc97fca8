"""Everything watched of one model: what it is, its versions, its performance, and the challenger beside it.

A model is known only after its first predictions (`profile.is_known`). What comes before is kept, bounded, and observed
in the same order once it is. Where the configuration comes to say that it is something else, or its pairs do, it is
known anew, and what was watched of it begins afresh.
"""

from __future__ import annotations

from array import array
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from driftline.models.arena import Arena
from driftline.models.drift.finding import FROM_LABELS, Level
from driftline.models.drift.trail import Mark
from driftline.models.join.entry import Pending
from driftline.models.performance import BinaryOutcome, Pair
from driftline.models.rows import NONE, NOT_SCORED, Rows
from driftline.models.watch.early import Early
from driftline.models.watch.known import Known
from driftline.models.watch.profile import NOT_MISTAKEN, WARMUP, Mistaken, infer, is_known
from driftline.models.watch.quality import finite_number
from driftline.models.watch.quantiles import QuantileSketch
from driftline.models.watch.repeats import SUBJECT as REPEATS
from driftline.models.watch.truth_watch import read_scored
from driftline.models.watch.version_watch import Served
from driftline.schemas.config import Task
from driftline.schemas.events import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.models.drift.finding import Finding, Subject
    from driftline.models.join.entry import Truth
    from driftline.models.join.label_join import Joined
    from driftline.models.watch.challenger import OnlineModel
    from driftline.models.watch.truth_watch import Scored
    from driftline.models.watch.version_watch import VersionWatch
    from driftline.models.wire import WirePrediction
    from driftline.schemas.config import ModelConfig
    from driftline.schemas.state import LabelCoverage

_MOST_VERSIONS: Final = 4
_OUT_OF_USE: Final = 1000  # predictions of others, after which a version counts as replaced
_MOST: Final = 0.95  # of the labels of a model
_WAITED: Final = 2  # times as long as most of them take, after which a prediction without one counts as such
_MOST_RESTARTS: Final = 3  # for what the pairs of a model say; its configuration may be changed as often as one likes


class ModelMonitor:
    """Watches one model.

    Parameters
    ----------
    config
        How it is watched.
    arena
        Where its numbers are.

    Examples
    --------
    >>> from driftline.models.join.entry import Truth
    >>> from driftline.models.join.label_join import Joined
    >>> from driftline.schemas.config import ModelConfig
    >>> arena = Arena()
    >>> monitor, rows = ModelMonitor(ModelConfig(model_id="m"), arena), Rows(arena)
    >>> for n in range(300):
    ...     event = Prediction(model_id="m", model_version="1", prediction_id=str(n), timestamp=n, prediction=n % 2)
    ...     pending = monitor.predicted(event, rows, n, n - 1)
    ...     monitor.labelled(Joined(pending, Truth(n, n, n % 2)), rows)
    >>> rows.run()
    []
    >>> monitor.report(watermark=299)["performance"]["accuracy"]
    1.0

    """

    def __init__(self, config: ModelConfig, arena: Arena) -> None:
        self.index: Final = arena.models.allocate()
        self._arena = arena
        self._config = config
        self._segments = frozenset(config.segments)
        self._is_followed = bool(config.detectors.river)
        self._early = Early()
        self._known: Known | None = None
        self._glimpsed: tuple[int, dict[str, Any]] = 0, {}  # of how many predictions, and what they suggest
        self._shown: str | None = None  # the version of the newest prediction that was shown to `predicted`
        self._restarts = 0
        self._outside_labels = 0
        self._latency = QuantileSketch(arena.sketches)
        self._label_delay = QuantileSketch(arena.sketches)
        self._place()

    def _place(self) -> None:
        """Tell kernels where the numbers of the model are."""
        record = self._arena.models.rows[self.index]
        record["latency"], record["label_delay"] = self._latency.index, self._label_delay.index
        record["repeats"] = NONE

    def close(self) -> None:
        """Give back all records; nothing may be asked of the monitor any more."""
        if self._known is not None:
            self._known.close()
        self._latency.release()
        self._label_delay.release()
        self._arena.models.free(self.index)

    # -- records ------------------------------------------------------------------------------------------------------

    def predicted(self, prediction: Prediction | WirePrediction, rows: Rows, offset: int, label_offset: int) -> Pending:
        """Add the row of a prediction, its offset, and that of the newest label before it (-1: none).

        Return what must be kept of it until its label comes.
        """
        record = self._arena.models.rows[self.index]
        record["number"] = number = int(record["number"]) + 1
        self._shown = version = prediction.model_version
        pending = Pending(
            prediction.timestamp,
            offset,
            version,
            prediction.prediction,
            prediction.score,
            prediction.probabilities,
            self.chosen(prediction.segments),
            number=number,
        )
        known = self._known
        if known is not None:
            self._watch(known, prediction, rows, offset, label_offset, pending)
        else:
            if prediction.latency_ms is not None:
                self._latency.update(prediction.latency_ms)
            event = prediction if isinstance(prediction, Prediction) else prediction.event()
            self._early.predict(event, offset, label_offset)
            rows.add_other(self.index)
            if self._is_known_by_now():
                self._settle(rows)
        return pending

    def chosen(self, segments: dict[str, str]) -> dict[str, str] | None:
        """Return the values of configured attributes; None, which is smaller, where there are none."""
        if segments.keys() == self._segments:
            return segments or None
        return {name: segments[name] for name in self._config.segments if name in segments} or None

    def labelled(self, joined: Joined, rows: Rows) -> None:
        """Add the row of a pair."""
        delay = (joined.truth.at - joined.pending.at) / 1000
        if self._known is not None:
            self._score(self._known, joined, rows, delay)
        else:
            self._label_delay.update(delay)
            self._early.pair(joined)
            rows.add_other(self.index)

    def _watch(  # noqa: PLR0913, PLR0917 - what a row is made of
        self,
        known: Known,
        prediction: Prediction | WirePrediction,
        rows: Rows,
        offset: int,
        label_offset: int,
        pending: Pending | None,
    ) -> None:
        """Add the row of a prediction; one from before the model was known has nothing that waits for its label."""
        watch = known.versions.get(prediction.model_version)
        if watch is None:
            first = Mark(1, prediction.timestamp, offset, label_offset)
            watch = self._new_watch(known, prediction.model_version, first, rows)
            if watch is None:
                self._add_unwatched(known, prediction, rows, offset, label_offset, pending)
                return
        values = prediction.features
        watch.truth.maturity.predicted(prediction.timestamp)
        watch.discover(values)
        advances = watch.reserve()
        clear = watch.meet(values, prediction.timestamp, offset, label_offset) if watch.has_newcomers else ()
        score = prediction.score
        if score is None or known.profile.task is Task.REGRESSION:
            score = known.profile.score(prediction)
        latency = prediction.latency_ms if pending is not None else None
        online = None if pending is None else known.challenge(prediction, pending)
        challenged = None if pending is None or online is None else (pending, online.zeros)
        answer = known.profile.answer(prediction)
        rows.add_prediction(self.index, watch, prediction, score, answer, latency, offset, label_offset, challenged)
        if self._is_followed:
            self._follow(watch, rows, prediction.timestamp, offset, label_offset)
        if clear or advances:
            rows.run_first()
            watch.settle(clear)
            if advances:
                watch.advance(prediction.timestamp)

    def _add_unwatched(  # noqa: PLR0913, PLR0917 - as `_watch`
        self,
        known: Known,
        prediction: Prediction | WirePrediction,
        rows: Rows,
        offset: int,
        label_offset: int,
        pending: Pending | None,
    ) -> None:
        known.unwatched += 1
        if pending is not None and (online := known.challenge(prediction, pending)) is not None:
            self._challenge_alone(online, prediction, pending)
        latency = prediction.latency_ms if pending is not None else None
        rows.add_prediction(self.index, None, prediction, None, None, latency, offset, label_offset, None)

    @staticmethod
    def _challenge_alone(online: OnlineModel, prediction: Prediction | WirePrediction, pending: Pending) -> None:
        """Let the challenger predict for a version that is not watched, whose features are in no row."""
        features = prediction.features
        numbers = {name: finite_number(features.get(name)) for name in online.inputs}
        inputs = online.scale({name: number for name, number in numbers.items() if number is not None})
        pending.challenger = online.predict(inputs)
        pending.inputs = array("d", inputs).tobytes()

    def _score(self, known: Known, joined: Joined, rows: Rows, delay: float | None) -> None:
        pending, truth = joined
        score = pending.score
        if score is None:
            score = known.profile.score(pending)  # of a prediction from before the model was known too
        scoring = known.profile.scoring
        cell = scoring.cell(truth.label, pending.prediction)
        if cell is None:
            self._score_outside(known, joined, rows, delay)
            return
        scored = read_scored(scoring, cell, score, pending, truth)
        if truth.weight != 1.0:
            self._score_by_python(known, joined, score, scored, rows, delay, cell)
            return
        self._add_pair(known, joined, rows, scored, delay, cell, self._claim(known, pending, rows), None)

    def _score_by_python(  # noqa: PLR0913, PLR0917 - what a row is made of
        self,
        known: Known,
        joined: Joined,
        score: float | None,
        scored: Scored,
        rows: Rows,
        delay: float | None,
        cell: int,
    ) -> None:
        """Add the row of a pair that does not weigh 1: no kernel counts it."""
        pending, truth = joined
        pair = Pair(truth.label, pending.prediction, score, pending.probabilities, truth.weight)
        outcome = known.profile.scoring.interpret(pair)
        rows.run_first()  # into whose panes it goes depends on those before it
        known.touch()  # and a version may lose its counters to another
        known.scoreboard.update(outcome, pending.version, pending.segments)
        parts = [NONE, *known.scoreboard.counted_in(pending.segments)]
        self._add_pair(known, joined, rows, scored, delay, cell, parts, partial(_judge, known, outcome, truth))

    def _add_pair(  # noqa: PLR0913, PLR0917 - what a row is made of
        self,
        known: Known,
        joined: Joined,
        rows: Rows,
        scored: Scored,
        delay: float | None,
        cell: int,
        parts: Sequence[int],
        judge: Callable[[float], None] | None,
    ) -> None:
        pending = joined.pending
        watch = known.versions.get(pending.version)
        if watch is not None and not self._is_mature(watch, joined, rows):
            watch = None
        advances = watch is not None and watch.reserve_pair()
        known.teach(joined)
        online = known.online
        learner = None if online is None or pending.number < online.since else (len(online.zeros), judge)
        rows.add_pair(self.index, watch, joined, scored, delay, cell, parts, learner)
        if self._is_followed and watch is not None:
            self._follow(watch, rows, pending.at, pending.offset, joined.truth.offset)
        if advances and watch is not None:
            rows.run_first()
            watch.truth.advance(pending.at, known.slices())

    def _is_mature(self, watch: VersionWatch, joined: Joined, rows: Rows) -> bool:
        """Return whether a pair may tell what is normal of its version, and whatever is told by that.

        In a version's first hours only those labels are there that come soon, and these may be better or worse than
        others. So its reference waits.
        """
        maturity, label = watch.truth.maturity, joined.truth
        if maturity.is_reached:
            return True
        if maturity.waited(joined.pending.at, label.at):
            usual = 0
            if (takes := self._config.reference.label_delay) is None:
                rows.run_first()  # those before it are among the delays
                usual = self.label_delay
            if maturity.look(label.at, takes, usual):
                rows.run_first()
                watch.cover_anew()
        return maturity.is_reached

    @staticmethod
    def _follow(watch: VersionWatch, rows: Rows, at: int, prediction_offset: int, label_offset: int) -> None:
        """Show River's detectors what the row that was just added has brought: so it cannot wait for others."""
        rows.run_first()
        for finding in watch.follow(at, prediction_offset, label_offset):
            rows.carry(finding)

    @staticmethod
    def _claim(known: Known, pending: Pending, rows: Rows) -> list[int]:
        board = known.scoreboard
        while (parts := board.claim(pending.version, pending.segments)) is None:
            rows.run_first()
            board.make_room(pending.version)
            known.touch()
        return parts

    def _score_outside(self, known: Known, joined: Joined, rows: Rows, delay: float | None) -> None:
        """Add the row of a pair whose label is none of the classes, or no number."""
        self._outside_labels += 1
        rows.add_pair(self.index, None, joined, NOT_SCORED, delay, NONE, (), None)
        rows.run_first()
        known.outside(joined.pending)
        if known.is_mistaken and self._may_infer_again:
            self._begin_anew(known.mistaken)

    def _new_watch(self, known: Known, version: str, first: Mark, rows: Rows) -> VersionWatch | None:
        """Return the watch of a version that has none; None while as many as can be watched are in use."""
        rows.run_first()
        if len(known.versions) == _MOST_VERSIONS:
            stalest = min(known.versions.values(), key=lambda watch: watch.served)
            # The row of the prediction at hand, which counts among those since, is still to come.
            if known.predictions + 1 - stalest.served < _OUT_OF_USE:
                return None
            known.end(stalest.version)
        return known.open(version, self._config, first)

    def served(self) -> list[Served]:
        """Return the versions that are watched, the oldest first; in use are those of the last 1,000 predictions."""
        if (known := self._known) is None:
            return []
        return [
            Served(watch.version, known.predictions - watch.served < _OUT_OF_USE, watch.first, watch.labelled)
            for watch in known.versions.values()
        ]

    @property
    def label_delay(self) -> int:
        """How long nearly all labels take at most, in milliseconds; 0 before any has come."""
        delay = self._label_delay.quantile(_MOST)
        return 0 if delay is None else int(1000.0 * delay)

    @property
    def known(self) -> Known | None:
        """What is watched of the model, once it is known what it is."""
        return self._known

    @property
    def _version(self) -> str | None:
        """The version of the newest prediction, be it one that only kernels have seen: its version is watched then."""
        known = self._known
        if known is not None:
            newest = max(known.versions.values(), key=lambda watch: watch.served, default=None)
            if newest is not None and newest.served == known.predictions:
                return newest.version
        return self._shown

    @property
    def _number(self) -> int:
        """Which one the newest prediction is, from 1, be it one that only kernels have seen."""
        return int(self._arena.models.rows[self.index]["number"])

    @_number.setter
    def _number(self, number: int) -> None:
        self._arena.models.rows[self.index]["number"] = number

    # -- getting to know the model ------------------------------------------------------------------------------------

    def _is_known_by_now(self) -> bool:
        if len(self._early.predictions) % WARMUP and not self._early.is_full:
            return False
        predictions = [prediction for prediction, *_ in self._early.predictions]
        return self._early.is_full or is_known(self._config, predictions, self._early.labels)

    def _settle(self, rows: Rows) -> None:
        early, self._early = self._early, Early()
        self._glimpsed = 0, {}
        predictions = [prediction for prediction, *_ in early.predictions]
        profile = infer(self._config, predictions, early.labels, early.mistaken)
        rows.run_first()
        known = self._known = Known(profile, self._config, self._arena, self.index, since=self._number + 1)
        for prediction, offset, label_offset in early.predictions:
            self._watch(known, prediction, rows, offset, label_offset, None)
        for joined in early.pairs:
            self._score(known, joined, rows, None)
        rows.run_first()
        known.watch_repeats()

    @property
    def _may_infer_again(self) -> bool:
        config = self._config
        is_said = any(said is not None for said in (config.task, config.classes, config.positive_label))
        return not is_said and self._restarts < _MOST_RESTARTS

    def _begin_anew(self, mistaken: Mistaken) -> None:
        """Forget what the model was taken for and all that was watched by it; the next predictions tell what it is."""
        self._restarts += 1
        self._shown = self._version
        if self._known is not None:
            self._known.close()
        self._known = None
        self._early = Early(since=self._number + 1, mistaken=mistaken)

    # -- state --------------------------------------------------------------------------------------------------------

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject of a version stands; None once the version is no longer watched."""
        known = self._known
        if known is not None and subject == REPEATS:
            return known.repeats.level(known.predictions)
        watch = None if known is None else known.versions.get(version)
        if known is None or watch is None:
            return None
        streams = [stream for stream in watch.watched() if stream.subject == subject]
        if not streams:
            return None
        effects = [effect for stream in streams if (effect := stream.level) is not None]
        return Level(
            max(effects, key=lambda effect: effect.value, default=None),
            known.predictions - watch.served,
            sum(stream.count for stream in streams),
            watch.truth.pairs if subject.kind in FROM_LABELS else watch.predictions,
            max(stream.better for stream in streams),
        )

    def coverage(self, version: str, watermark: int) -> LabelCoverage | None:
        """Return how many predictions of a version have their label, if it is watched."""
        watch = None if self._known is None else self._known.versions.get(version)
        return None if watch is None else watch.coverage(watermark - _WAITED * self.label_delay)

    def doubt(self, finding: Finding, watermark: int) -> str:
        """Return why how labels come may be to blame for what they tell; nothing if they come as in the reference."""
        watch = None if self._known is None else self._known.versions.get(finding.version)
        return "" if watch is None else watch.doubt(finding, watermark, watermark - _WAITED * self.label_delay)

    def report(self, watermark: int) -> dict[str, Any]:
        """Return the monitor's part of the state document, at an event time.

        While the model is not known yet, what its few events suggest is reported and nothing is decided by it.
        """
        coverage = None if self._version is None else self.coverage(self._version, watermark)
        watched = self._glimpse() if self._known is None and self._early.predictions else self._watched()
        return {
            **watched,
            "model_version": self._version,
            "label_coverage": None if coverage is None else coverage.model_dump(),
            "label_delay": self._label_delay.report(),
            "serving_latency": self._latency.report(),
        }

    def _glimpse(self) -> dict[str, Any]:
        early = self._early.glimpse()
        seen, watched = self._glimpsed
        if seen != len(early.predictions) or early is self._early:
            watched = self._suggested_by(early)
            self._glimpsed = len(early.predictions), watched
        return watched

    def _suggested_by(self, early: Early) -> dict[str, Any]:
        arena = Arena()
        other = ModelMonitor(self._config, arena)
        other._early, other._shown, other._number = early, early.predictions[-1][0].model_version, self._number
        other._restarts, other._outside_labels = self._restarts, self._outside_labels
        other._settle(Rows(arena))
        return other._watched()

    def _watched(self) -> dict[str, Any]:
        known = self._known
        watch = None if known is None or self._version is None else known.versions.get(self._version)
        return {
            "task": None if known is None else known.profile.task,
            "task_inferred": known is not None and self._config.task is None,
            "classes": None if known is None else known.profile.classes,
            "positive_label": None if known is None else known.profile.positive,
            "performance": {} if known is None else known.scoreboard.report(),
            "challenger": None if known is None else known.challenger_report(),
            "features": {} if watch is None else watch.features_report(),
            "detectors": ({} if known is None else known.repeats.report())
            | (
                {}
                if watch is None
                else {
                    f"{s.subject.published.as_text()} {r['detector']}": r for s in watch.watched() for r in s.reports()
                }
            ),
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
            "number": self._number,
            "restarts": self._restarts,
            "outside_labels": self._outside_labels,
            "latency": self._latency.snapshot(),
            "label_delay": self._label_delay.snapshot(),
            "early": self._early.snapshot(),
            "known": None if self._known is None else self._known.snapshot(),
        }

    @classmethod
    def restore(cls, config: ModelConfig, snapshot: dict[str, Any], arena: Arena) -> ModelMonitor:
        """Rebuild what `snapshot` returned; where the configuration now says what the model is, it is known anew."""
        monitor = cls(config, arena)
        monitor._shown = snapshot["version"]
        monitor._number = snapshot["number"]
        monitor._restarts = snapshot["restarts"]
        monitor._outside_labels = snapshot["outside_labels"]
        monitor._latency.release()
        monitor._label_delay.release()
        monitor._latency = QuantileSketch.restore(snapshot["latency"], arena.sketches)
        monitor._label_delay = QuantileSketch.restore(snapshot["label_delay"], arena.sketches)
        monitor._place()
        monitor._early = Early.restore(snapshot["early"])
        if (stored := snapshot["known"]) is not None:
            monitor._known = Known.restore(config, stored, arena, monitor.index, since=monitor._number + 1)
            if monitor._known is None:
                monitor._begin_anew(NOT_MISTAKEN)
        return monitor


def _judge(known: Known, outcome: Any, truth: Truth, predicted: float) -> None:  # noqa: ANN401 - of the task
    """Count a pair of the challenger that no kernel counts."""
    if known.profile.task is Task.BINARY:
        is_positive = predicted >= 0.5  # noqa: PLR2004 - the likelier class
        outcome = BinaryOutcome.of(outcome.positive, is_positive, predicted, outcome.weight)
    else:
        outcome = known.profile.scoring.interpret(Pair(truth.label, predicted, weight=truth.weight))
    known.online_performance.update(outcome)
