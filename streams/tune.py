"""``driftline tune``: which gates and which budget suit a model, by history in which nothing is known to have changed.

The history is replayed as it is, which tells how far streams stray from their reference by themselves; and again with
changes put into its second half, which tells what would be found, and how soon.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from driftline.models.kernels.version import MOST_FEATURES
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.alerts import AlertState
from driftline.schemas.config import Configuration, FeatureKind, ModelConfig, Task
from driftline.schemas.errors import DriftlineError
from driftline.schemas.events import encode
from driftline.schemas.topics import PREDICTIONS
from driftline.streams.replay import BATCH, EventFiles, outcomes_of, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from driftline.models.outcome import Outcome
    from driftline.schemas.events import Label, Prediction
    from driftline.schemas.state import ModelState

    Event = WirePrediction | WireLabel
    Change = Callable[[int, Event], Prediction | Label | None]
    """What an event of the model becomes, if it is another one, given how many predictions came before it."""

_DAY: Final = 86_400_000
_MARGIN: Final = 1.5  # times the farthest that a stream has strayed
_LEAST_BUDGET, _MOST_BUDGET = 1000, 1_000_000_000_000
_SHARES: Final = (0.05, 0.2)  # of values that are lost, or of labels that are turned
_SHIFTS: Final = (0.25, 1.0)  # standard deviations
_SHARES_OF: Final = frozenset({"error_rate", "calibration", "residual_rank", "bad_share"})  # gates of 1 at most


class TuneError(DriftlineError):
    """The history does not tell what was asked; the message says why."""


@dataclass(slots=True)
class History:
    """What the events of a model are like."""

    predictions: int = 0
    first: int = 0
    last: int = 0
    numbers: dict[str, list[float]] = field(default_factory=dict)
    labels: set[str | bool | int | float] = field(default_factory=set)

    @property
    def per_day(self) -> float:
        """Predictions in a day of event time, on average."""
        return self.predictions * _DAY / max(self.last - self.first, 1)


class Gate(NamedTuple):
    """One of `min_effect`: as it is configured, how far streams have strayed by themselves, and what is proposed."""

    name: str
    configured: float
    farthest: float
    proposed: float


class Power(NamedTuple):
    """What came of a change: after how many predictions an alert told of it, and of what; None where none did."""

    change: str
    delay: int | None
    told: str | None


class Tuning(NamedTuple):
    """What is proposed, and what it would find.

    `detections` counts what detectors have seen in the history as it is, and `alerts` those that fired then.
    """

    model_id: str
    predictions: int
    detections: int
    alerts: int
    gates: list[Gate]
    budget: int
    powers: list[Power]


def tune(  # noqa: PLR0913 - what one may ask
    configuration: Configuration,
    files: EventFiles,
    model_id: str | None = None,
    *,
    calm: int = 30 * _DAY,
    feature: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Tuning:
    """Return what suits a model, by its history in files.

    Parameters
    ----------
    configuration
        How models are watched.
    files
        Of events, as of a replay.
    model_id
        Which model; it may be left out where the files have one alone.
    calm
        Event time that there is to be between two false alarms, in milliseconds.
    feature
        The numeric feature that is shifted and lost; by default the first one by name.
    progress
        Told how many records were replayed.

    Raises
    ------
    TuneError
        If the files do not tell: there is no such model, or its history is too short.
    ReplayError
        If a file cannot be read.

    """
    done = _Counter(progress)
    histories = _histories(files)
    model_id = _chosen(histories, model_id)
    history = histories[model_id]
    config = configuration.of(model_id)
    half = history.predictions // 2
    if half < config.reference.events:
        raise TuneError(
            f"model {model_id!r} has {history.predictions:,} predictions, and its reference alone takes "
            f"{config.reference.events:,}: give a history that is twice as long, or a smaller reference.events"
        )
    farthest, detections, alerts, state = _as_it_is(_Replay(configuration, files, model_id, done))
    gates = [_gate(name, value, farthest.get(name, 0.0)) for name, value in config.alerts.min_effect]
    budget = _rounded(min(max(history.per_day * calm / _DAY, _LEAST_BUDGET), _MOST_BUDGET))
    proposed = _Replay(_with(configuration, config, gates, budget), files, model_id, done)
    changes = _changes(history, state, half, feature)
    usual = _incidents(proposed)
    powers = [_power(proposed, name, half, change, usual) for name, change in changes]
    return Tuning(model_id, history.predictions, detections, alerts, gates, budget, powers)


class _Counter:
    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress, self._records = progress, 0

    def __call__(self, records: int) -> None:
        self._records += records
        self._progress(self._records)


class _Replay(NamedTuple):
    """What is replayed again and again: how models are watched, the files, and the model that is looked at."""

    configuration: Configuration
    files: EventFiles
    model_id: str
    done: _Counter


# -- the history as it is ---------------------------------------------------------------------------------------------


def _histories(files: EventFiles) -> dict[str, History]:
    found: dict[str, History] = {}
    with records_of(files) as records:
        for record in records.checked():
            event = record.event
            if isinstance(event, WirePrediction):
                history = found.setdefault(event.model_id, History(first=event.timestamp))
                history.predictions += 1
                history.last = event.timestamp
                for name, value in event.features.items():
                    if type(value) in {int, float} and math.isfinite(value):
                        _keep(history.numbers, name, float(value))
            elif isinstance(event, WireLabel) and event.model_id in found:
                labels = found[event.model_id].labels
                if len(labels) < _MOST_LABELS:
                    labels.add(event.label)
    return found


def _keep(numbers: dict[str, list[float]], name: str, value: float) -> None:
    if name not in numbers and len(numbers) >= MOST_FEATURES:
        return
    kept = numbers.setdefault(name, [])
    if len(kept) < _MOST_KEPT:
        kept.append(value)


_MOST_KEPT: Final = 10_000  # values of a feature, of which its standard deviation is
_MOST_LABELS: Final = 1000


def _chosen(histories: Mapping[str, History], model_id: str | None) -> str:
    if model_id is None and len(histories) == 1:
        (model_id,) = histories
    if model_id is None or model_id not in histories:
        named = ", ".join(sorted(histories)[:10]) or "none"
        what = "give --model with one of" if model_id is None else f"there is no model {model_id!r} among"
        raise TuneError(f"{what} the models of the files: {named}")
    return model_id


def _as_it_is(replay: _Replay) -> tuple[dict[str, float], int, int, ModelState]:
    """Return how far streams have strayed by measure, how many changes were seen, and alerts; and the last state."""
    pipeline, farthest, alerts = Pipeline(replay.configuration, partition=0), dict[str, float](), 0
    with records_of(replay.files) as records:
        for outcome in _played(pipeline, iter(records), records.ends, replay.done):
            alerts += sum(a.model_id == replay.model_id and a.state is AlertState.FIRING for a in outcome.alerts)
            _note(farthest, pipeline.documents().get(replay.model_id))
    state = pipeline.documents()[replay.model_id]
    _note(farthest, state)
    return farthest, sum(report["detections"] for report in state.detectors.values()), alerts, state


def _incidents(replay: _Replay) -> set[str]:
    """Return the incidents that the history leads to as it is."""
    with records_of(replay.files) as records:
        pipeline = Pipeline(replay.configuration, partition=0)
        played = _played(pipeline, iter(records), records.ends, replay.done)
        return {alert.incident_id for outcome in played for alert in outcome.alerts}


def _note(farthest: dict[str, float], state: ModelState | None) -> None:
    for report in () if state is None else state.detectors.values():
        if report["effect"] is not None:
            farthest[report["measure"]] = max(farthest.get(report["measure"], 0.0), report["effect"])


def _played(
    pipeline: Pipeline, records: Iterator[Record], ends: Mapping[str, int], done: _Counter
) -> Iterator[Outcome]:
    before = 0
    for count, outcome in outcomes_of(pipeline, records, ends, BATCH):
        done(count - before)
        before = count
        yield outcome


def _gate(name: str, configured: float, farthest: float) -> Gate:
    proposed = max(configured, math.ceil(_MARGIN * farthest * 100) / 100)
    return Gate(name, configured, farthest, min(proposed, 1.0) if name in _SHARES_OF else proposed)


def _rounded(events: float) -> int:
    """Return a number with one digit that is not less.

    Examples
    --------
    >>> _rounded(1_234_567), _rounded(1000)
    (2000000, 1000)

    """
    size: int = 10 ** math.floor(math.log10(events))
    return math.ceil(events / size) * size


def _with(configuration: Configuration, config: ModelConfig, gates: Sequence[Gate], budget: int) -> Configuration:
    """Return the configuration with what is proposed."""
    min_effect = config.alerts.min_effect.model_copy(update={gate.name: gate.proposed for gate in gates})
    alerts = config.alerts.model_copy(update={"min_effect": min_effect, "events_between_false_alarms": budget})
    tuned = config.model_copy(update={"alerts": alerts})
    others = tuple(model for model in configuration.models if model.model_id != config.model_id)
    return configuration.model_copy(update={"models": (*others, tuned)})


# -- changes ----------------------------------------------------------------------------------------------------------


def _changes(history: History, state: ModelState, half: int, feature: str | None) -> Iterator[tuple[str, Change]]:
    """Yield what is put into the second half of a history."""
    kinds = {name: report["kind"] for name, report in state.features.items()}
    numeric = sorted(name for name in history.numbers if kinds.get(name) == FeatureKind.NUMERIC)
    name = feature or next(iter(numeric), None)
    if feature is not None and feature not in numeric:
        raise TuneError(f"{feature!r} is none of the numeric features: {', '.join(numeric[:10]) or 'there are none'}")
    if name is not None:
        sd = statistics.pstdev(history.numbers[name])
        for times in _SHIFTS:
            yield f"{name} + {times:g} sd", _shifted(half, name, times * sd)
        yield f"{name} x 2 about its mean", _scaled(half, name, statistics.fmean(history.numbers[name]))
        for share in _SHARES:
            yield f"{name} missing, {share:.0%}", _lost(half, name, share)
    if state.task is Task.REGRESSION:
        return
    for share in _SHARES:
        yield f"labels turned, {share:.0%}", _turned(half, sorted(history.labels, key=str), share)


def _of_feature(half: int, name: str, bend: Callable[[str, float], float | None]) -> Change:
    def change(nth: int, event: Event) -> Prediction | None:
        if nth < half or not isinstance(event, WirePrediction):
            return None
        value: Any = event.features.get(name)
        if type(value) not in {int, float}:
            return None
        return event.event().model_copy(
            update={"features": {**event.features, name: bend(event.prediction_id, float(value))}}
        )

    return change


def _shifted(half: int, name: str, by: float) -> Change:
    return _of_feature(half, name, lambda _, value: value + by)


def _scaled(half: int, name: str, about: float) -> Change:
    return _of_feature(half, name, lambda _, value: about + 2.0 * (value - about))


def _lost(half: int, name: str, share: float) -> Change:
    return _of_feature(half, name, lambda which, value: None if _is_chosen(which, share) else value)


def _turned(half: int, labels: Sequence[str | bool | int | float], share: float) -> Change:
    def change(nth: int, event: Event) -> Label | None:
        if nth < half or not isinstance(event, WireLabel) or not _is_chosen(event.prediction_id, share):
            return None
        others = [label for label in labels if label != event.label]
        return event.event().model_copy(update={"label": others[nth % len(others)]}) if others else None

    return change


def _is_chosen(prediction_id: str, share: float) -> bool:
    """Return whether a prediction is one of a share."""
    return crc32(prediction_id.encode()) < share * 2**32


def _rewritten(record: Record, event: Prediction | Label) -> Record:
    """Return a record of another event; its bytes are read as well, if it has them for itself."""
    raw = record.raw if record.row is not None else FileRecord(record.raw.topic, record.raw.offset, encode(event))
    return Record(raw, event, record.row, record.is_last)


def _power(replay: _Replay, name: str, half: int, change: Change, usual: Collection[str]) -> Power:
    """Put a change into a history; return what came of it, but for the incidents that there are without it."""
    pipeline, offsets = Pipeline(replay.configuration, partition=0), list[int]()  # of predictions from the change on
    seen = 0

    def changed(records: Iterable[Record]) -> Iterator[Record]:
        nonlocal seen
        for record in records:
            event = record.event
            if not isinstance(event, WirePrediction | WireLabel) or event.model_id != replay.model_id:
                yield record
                continue
            made = change(seen, event)
            if isinstance(event, WirePrediction):
                seen += 1
                if seen > half:
                    offsets.append(record.raw.offset)
            yield record if made is None else _rewritten(record, made)

    with records_of(replay.files) as records:
        for outcome in _played(pipeline, changed(iter(records)), records.ends, replay.done):
            for alert in outcome.alerts:
                if alert.model_id != replay.model_id or alert.incident_id in usual:
                    continue
                ends = [read.end for read in alert.offsets if read.topic == PREDICTIONS]
                delay = bisect_left(offsets, max(ends, default=0))
                if delay > 0:
                    return Power(name, delay, f"{alert.kind} of {alert.target.as_text()}")
    return Power(name, None, None)
