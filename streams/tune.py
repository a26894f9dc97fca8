"""``driftline tune``: which gates and which budget suit a model, by history in which nothing is known to have changed.

The history is replayed as it is, which tells how far streams stray from their reference by themselves; and again, with
what is proposed, once as it is and once with each of the changes of `driftline.streams.injected` put into its second
half, which tells what would be found, and how soon.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.alerts import AlertState, Kind, Severity
from driftline.schemas.events import encode
from driftline.schemas.fields import parse_timestamp
from driftline.schemas.topics import PREDICTIONS
from driftline.streams.history import histories
from driftline.streams.injected import TuneError, changes
from driftline.streams.replay import BATCH, EventFiles, outcomes_of, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from driftline.models.outcome import Outcome
    from driftline.schemas.config import Configuration, ModelConfig
    from driftline.schemas.events import Label, Prediction
    from driftline.schemas.state import ModelState
    from driftline.streams.history import History
    from driftline.streams.injected import Change

_DAY: Final = 86_400_000
_MARGIN: Final = 1.5  # times the farthest that a stream has strayed
_LEAST_BUDGET, _MOST_BUDGET = 1000, 1_000_000_000_000
_SHARES_OF: Final = frozenset({"error_rate", "calibration", "residual_rank", "bad_share"})  # gates of 1 at most
_GATES: Final = {Kind.PREDICTION_DRIFT.value: "prediction_psi", Kind.LABEL_DRIFT.value: "label_psi"}
"""Of kinds whose gate has another name than their measure."""


class Gate(NamedTuple):
    """One of `min_effect`: as it is configured, how far streams have strayed by themselves, and what is proposed."""

    name: str
    configured: float
    farthest: float
    proposed: float


class Power(NamedTuple):
    """What came of a change: after how many predictions an alert told of it, of what, and how urgently.

    None where none did. It is the first page; or what is for information, where there is no page.
    """

    change: str
    delay: int | None = None
    told: str | None = None
    severity: Severity = Severity.INFO


class Tuning(NamedTuple):
    """What is proposed, and what it would find.

    `detections` counts what detectors have seen in the history as it is, `pages` what paged then, and `informed` what
    was told for information. `covered_at` is when the reference covers what is normal, and `changed_at` when changes
    begin, in epoch milliseconds; None where that is not known.
    """

    model_id: str
    predictions: int
    detections: int
    pages: int
    informed: int
    gates: list[Gate]
    budget: int
    powers: list[Power]
    has_labels: bool
    covered_at: int | None
    changed_at: int | None


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
    found = histories(files)
    model_id = _chosen(found, model_id)
    history = found[model_id]
    config = configuration.of(model_id)
    half = history.predictions // 2
    if half < config.reference.events:
        raise TuneError(
            f"model {model_id!r} has {history.predictions:,} predictions, and its reference alone takes "
            f"{config.reference.events:,}: give a history that is twice as long, or a smaller reference.events"
        )
    calmly = _as_it_is(_Replay(configuration, files, model_id, done))
    gates = [_gate(name, value, calmly.farthest.get(name, 0.0)) for name, value in config.alerts.min_effect]
    budget = _rounded(min(max(history.per_day * calm / _DAY, _LEAST_BUDGET), _MOST_BUDGET))
    proposed = _Replay(_with(configuration, config, gates, budget), files, model_id, done)
    injected = list(changes(history, calmly.state, config, feature))
    usual = _incidents(proposed)
    second = _SecondHalf(proposed, half, usual)
    powers = [second.power(name, change) for name, change in injected]
    covered = calmly.state.reference.get("covered_at")
    return Tuning(
        model_id,
        history.predictions,
        sum(report["detections"] for report in calmly.state.detectors.values()),
        calmly.pages,
        calmly.informed,
        gates,
        budget,
        powers,
        bool(history.labels),
        None if covered is None else parse_timestamp(covered),
        second.began,
    )


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


def _chosen(found: Mapping[str, History], model_id: str | None) -> str:
    if model_id is None and len(found) == 1:
        (model_id,) = found
    if model_id is None or model_id not in found:
        named = ", ".join(sorted(found)[:10]) or "none"
        what = "give --model with one of" if model_id is None else f"there is no model {model_id!r} among"
        raise TuneError(f"{what} the models of the files: {named}")
    return model_id


class _Calm(NamedTuple):
    """How far streams have strayed, by gate, what was told, and the last state."""

    farthest: dict[str, float]
    pages: int
    informed: int
    state: ModelState


def _as_it_is(replay: _Replay) -> _Calm:
    pipeline, farthest, fired = Pipeline(replay.configuration, partition=0), dict[str, float](), list[Severity]()
    with records_of(replay.files) as records:
        for outcome in _played(pipeline, iter(records), records.ends, replay.done):
            of_model = (alert for alert in outcome.alerts if alert.model_id == replay.model_id)
            fired += [alert.severity for alert in of_model if alert.state is AlertState.FIRING]
            _note(farthest, pipeline.documents().get(replay.model_id))
    state = pipeline.documents()[replay.model_id]
    _note(farthest, state)
    informed = fired.count(Severity.INFO)
    return _Calm(farthest, len(fired) - informed, informed, state)


def _incidents(replay: _Replay) -> set[str]:
    """Return the incidents that the history leads to as it is."""
    with records_of(replay.files) as records:
        pipeline = Pipeline(replay.configuration, partition=0)
        played = _played(pipeline, iter(records), records.ends, replay.done)
        return {alert.incident_id for outcome in played for alert in outcome.alerts}


def _note(farthest: dict[str, float], state: ModelState | None) -> None:
    for report in () if state is None else state.detectors.values():
        if report["effect"] is not None:
            gate = _GATES.get(report["kind"], report["measure"])
            farthest[gate] = max(farthest.get(gate, 0.0), report["effect"])


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


# -- with a change -----------------------------------------------------------------------------------------------------


def _rewritten(record: Record, event: Prediction | Label) -> Record:
    """Return a record of another event; its bytes are read as well, if it has them for itself."""
    raw = record.raw if record.row is not None else FileRecord(record.raw.topic, record.raw.offset, encode(event))
    return Record(raw, event, record.row, record.is_last)


class _SecondHalf:
    """The second half of a history, with one change after another.

    Parameters
    ----------
    replay, half
        The whole of it, and how many predictions its first half has.
    usual
        The incidents that there are without a change.

    """

    def __init__(self, replay: _Replay, half: int, usual: Collection[str]) -> None:
        self._replay = replay
        self._half = half
        self._usual = usual
        self.began: int | None = None  # event time, once there was a change

    def power(self, name: str, change: Change) -> Power:
        """Put a change into it; return what came of that."""
        replay, offsets, power = self._replay, list[int](), Power(name)
        pipeline = Pipeline(replay.configuration, partition=0)
        with records_of(replay.files) as records:
            changed = self._changed(iter(records), change, offsets)
            for outcome in _played(pipeline, changed, records.ends, replay.done):
                for alert in outcome.alerts:
                    if alert.model_id != replay.model_id or alert.incident_id in self._usual:
                        continue
                    ends = [read.end for read in alert.offsets if read.topic == PREDICTIONS]
                    delay = bisect_left(offsets, max(ends, default=0))
                    if delay == 0 or (power.told is not None and alert.severity is Severity.INFO):
                        continue
                    power = Power(name, delay, f"{alert.kind} of {alert.target.as_text()}", alert.severity)
                    if alert.severity is not Severity.INFO:
                        return power
        return power

    def _changed(self, records: Iterable[Record], change: Change, offsets: list[int]) -> Iterator[Record]:
        """Yield records as they become; note the offsets of the predictions from the change on."""
        seen = 0
        for record in records:
            event = record.event
            if not isinstance(event, WirePrediction | WireLabel) or event.model_id != self._replay.model_id:
                yield record
                continue
            made = change(event) if seen >= self._half else None
            if isinstance(event, WirePrediction):
                seen += 1
                if seen > self._half:
                    offsets.append(record.raw.offset)
                    self.began = self.began or event.timestamp
            yield record if made is None else _rewritten(record, made)
