"""What `driftline tune` puts into the second half of a history, to see what would come of it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.classes import class_token
from driftline.schemas.config import FeatureKind, Task
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from driftline.schemas.config import ModelConfig
    from driftline.schemas.events import Label, Prediction
    from driftline.schemas.fields import Scalar
    from driftline.schemas.state import ModelState
    from driftline.streams.history import History

    Event = WirePrediction | WireLabel
    Change = Callable[[Event], Prediction | Label | None]
    """What an event of the second half becomes, if it is another one."""

_SHARES: Final = (0.05, 0.2)  # of values that are lost, or of labels that are turned
_SHARE: Final = 0.2  # of values that become the most frequent category, or of a slice's predictions that are turned
_SHIFTS: Final = (0.25, 1.0)  # standard deviations


class TuneError(DriftlineError):
    """The history does not tell what was asked; the message says why."""


def changes(
    history: History, state: ModelState, config: ModelConfig, feature: str | None
) -> Iterator[tuple[str, Change]]:
    """Yield changes that such a history can have, each with its name; of numeric features the chosen one is bent.

    Raises
    ------
    TuneError
        If the chosen feature is no numeric one.

    """
    yield from _of_numbers(history, state, feature)
    kinds = {name: report["kind"] for name, report in state.features.items()}
    named = [name for name in sorted(history.texts) if kinds.get(name) == FeatureKind.CATEGORICAL]
    if named:
        category = max(history.texts[named[0]], key=history.texts[named[0]].__getitem__)
        yield f'{named[0]} {_SHARE:.0%} more often "{category}"', _recategorised(named[0], category)
    if not history.labels:
        return
    if state.task is Task.REGRESSION:
        if (mae := state.performance.get("mae")) is not None:
            yield f"labels off by {mae:.4g} more, the mean absolute error", _off(mae)
        return
    labels = sorted(history.labels.values(), key=str)
    for share in _SHARES:
        yield f"labels turned, {share:.0%}", _turned(labels, share)
    for attribute in config.segments[:1]:
        if values := history.segments.get(attribute):
            value = max(values, key=values.__getitem__)
            yield f"predictions of {attribute}={value} turned, {_SHARE:.0%}", _turned_in(attribute, value, labels)


def _of_numbers(history: History, state: ModelState, feature: str | None) -> Iterator[tuple[str, Change]]:
    kinds = {name: report["kind"] for name, report in state.features.items()}
    numeric = sorted(name for name in history.numbers if kinds.get(name) == FeatureKind.NUMERIC)
    if feature is not None and feature not in numeric:
        raise TuneError(f"{feature!r} is none of the numeric features: {', '.join(numeric[:10]) or 'there are none'}")
    name = feature or next(iter(numeric), None)
    if name is None:
        return
    sd, mean = statistics.pstdev(history.numbers[name]), statistics.fmean(history.numbers[name])
    for times in _SHIFTS:
        yield f"{name} + {times:g} sd", _shifted(name, times * sd)
    yield f"{name} x 2 about its mean", _bent(name, lambda _, value: mean + 2.0 * (value - mean))
    for share in _SHARES:
        yield f"{name} missing, {share:.0%}", _lost(name, share)


def _shifted(name: str, by: float) -> Change:
    return _bent(name, lambda _, value: value + by)


def _lost(name: str, share: float) -> Change:
    return _bent(name, lambda which, value: None if _is_chosen(which, share) else value)


def _bent(name: str, bend: Callable[[str, float], float | None]) -> Change:
    def change(event: Event) -> Prediction | None:
        value: Any = event.features.get(name) if isinstance(event, WirePrediction) else None
        if type(value) not in {int, float}:
            return None
        return _with_feature(event, name, bend(event.prediction_id, float(value)))

    return change


def _recategorised(name: str, category: str) -> Change:
    def change(event: Event) -> Prediction | None:
        if not isinstance(event, WirePrediction) or type(event.features.get(name)) is not str:
            return None
        return _with_feature(event, name, category) if _is_chosen(event.prediction_id, _SHARE) else None

    return change


def _with_feature(event: Any, name: str, value: float | str | None) -> Prediction:  # noqa: ANN401 - a prediction
    made: Prediction = event.event().model_copy(update={"features": {**event.features, name: value}})
    return made


def _turned(labels: Sequence[Scalar], share: float) -> Change:
    def change(event: Event) -> Label | None:
        if not isinstance(event, WireLabel) or not _is_chosen(event.prediction_id, share):
            return None
        other = _another(labels, event.label, event.prediction_id)
        return None if other is None else event.event().model_copy(update={"label": other})

    return change


def _turned_in(attribute: str, value: str, labels: Sequence[Scalar]) -> Change:
    def change(event: Event) -> Prediction | None:
        if not isinstance(event, WirePrediction) or (event.segments or {}).get(attribute) != value:
            return None
        other = _another(labels, event.prediction, event.prediction_id)
        is_other = other is not None and _is_chosen(event.prediction_id, _SHARE)
        return event.event().model_copy(update={"prediction": other}) if is_other else None

    return change


def _another(labels: Sequence[Scalar], label: Scalar, prediction_id: str) -> Scalar | None:
    token = class_token(label)
    others = [each for each in labels if class_token(each) != token]
    return others[crc32(prediction_id.encode()) % len(others)] if others else None


def _off(by: float) -> Change:
    def change(event: Event) -> Label | None:
        if not isinstance(event, WireLabel) or type(event.label) not in {int, float}:
            return None
        signed = by if _is_chosen(event.prediction_id, 0.5) else -by
        return event.event().model_copy(update={"label": float(event.label) + signed})

    return change


def _is_chosen(prediction_id: str, share: float) -> bool:
    """Return whether a prediction is one of a share."""
    return crc32(prediction_id.encode()) < share * 2**32
