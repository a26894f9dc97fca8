"""Gauges for each model, of as many models as Prometheus should bear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from driftline.schemas.alerts import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Counter as Total
    from prometheus_client import Gauge

    from driftline.schemas.state import ModelState

MAX_MODELS: Final = 100
MAX_TARGETS: Final = 50
OTHER: Final = "other"
"""The model_id under which all further models are summed up; a model of that name is one of them."""

Values: TypeAlias = Mapping[str, float]


@dataclass(slots=True)
class Gauges:
    """The series that a model has, and the counter of those that it does not get."""

    performance: Gauge
    drift: Gauge
    pending: Gauge
    incidents: Gauge
    dropped: Total


@dataclass(slots=True)
class _Sums:
    """Of one model, or of several: what can be added up."""

    pending: int = 0
    incidents: Counter[Kind] = field(default_factory=Counter)

    def add(self, other: _Sums) -> None:
        self.pending += other.pending
        self.incidents.update(other.incidents)

    def subtract(self, other: _Sums) -> None:
        self.pending -= other.pending
        self.incidents.subtract(other.incidents)


@dataclass(slots=True)
class _Shown:
    metrics: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)
    dropped: int = 0


class ModelSeries:
    """Keeps the gauges of each model up to date, within two limits.

    The first 100 models have series of their own until they are forgotten. The others share ``model_id="other"``, as
    far as numbers can be added up: pending predictions and open incidents are, performance and drift are left out. Of
    a model's watched streams the first 50 of its state document are shown. What is left out is counted once in
    `Gauges.dropped`: a model when it does not get series of its own, a stream when it does not.

    That is at most about 8,000 series: for each model some 20 metrics, 50 streams, 5 kinds of incidents and 1.
    """

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._shown: dict[str, _Shown] = {}
        self._others: dict[str, _Sums] = {}
        self._of_others = _Sums()

    def observe(self, state: ModelState) -> None:
        """Show the state of a model; about 100 µs."""
        sums = _Sums(state.counts.pending, Counter(incident.kind for incident in state.incidents))
        shown = self._room_for(state.model_id)
        if shown is None:
            if state.model_id not in self._others:
                self._gauges.dropped.inc()
            self._exchange_other(state.model_id, sums)
            return
        self._show_sums(state.model_id, sums)
        shown.metrics = self._replace(self._gauges.performance, state.model_id, shown.metrics, _metrics(state))
        drift = _drift(state)
        left_out = max(0, len(drift) - MAX_TARGETS)
        self._gauges.dropped.inc(max(0, left_out - shown.dropped))
        shown.dropped = max(shown.dropped, left_out)
        drift = dict(islice(drift.items(), MAX_TARGETS))
        shown.targets = self._replace(self._gauges.drift, state.model_id, shown.targets, drift)

    def forget(self, model_ids: Iterable[str]) -> None:
        """Remove the series of models that this worker has no more; unknown ids are ignored."""
        for model_id in model_ids:
            if (shown := self._shown.pop(model_id, None)) is not None:
                self._replace(self._gauges.performance, model_id, shown.metrics, {})
                self._replace(self._gauges.drift, model_id, shown.targets, {})
                self._remove_sums(model_id)
            else:
                self._exchange_other(model_id, None)

    def _room_for(self, model_id: str) -> _Shown | None:
        shown = self._shown.get(model_id)
        if shown is None and len(self._shown) < MAX_MODELS and model_id != OTHER:
            shown = self._shown[model_id] = _Shown()
            self._exchange_other(model_id, None)
        return shown

    def _exchange_other(self, model_id: str, sums: _Sums | None) -> None:
        """Put what a model among the others comes to in place of what it did, None for nothing any more.

        The sum of all is kept and not made anew: a checkpoint observes every model, and there may be thousands.
        """
        before = self._others.pop(model_id, None)
        if before is not None:
            self._of_others.subtract(before)
        if sums is not None:
            self._others[model_id] = sums
            self._of_others.add(sums)
        if self._others:
            self._show_sums(OTHER, self._of_others)
        elif before is not None:
            self._remove_sums(OTHER)

    def _show_sums(self, model_id: str, sums: _Sums) -> None:
        self._gauges.pending.labels(model_id).set(sums.pending)
        for kind in Kind:
            self._gauges.incidents.labels(model_id, kind.value).set(sums.incidents[kind])

    def _remove_sums(self, model_id: str) -> None:
        self._gauges.pending.remove(model_id)
        for kind in Kind:
            self._gauges.incidents.remove(model_id, kind.value)

    @staticmethod
    def _replace(gauge: Gauge, model_id: str, before: set[str], values: Values) -> set[str]:
        """Set a gauge of a model to these values and remove those that it no longer has."""
        for label in before - values.keys():
            gauge.remove(model_id, label)
        for label, value in values.items():
            gauge.labels(model_id, label).set(value)
        return set(values)


def _metrics(state: ModelState) -> Values:
    return _numbers(state.performance)


def _drift(state: ModelState) -> Values:
    return _numbers({target: entry.get("effect") for target, entry in state.detectors.items()})


def _numbers(entries: Mapping[str, Any]) -> Values:
    """Return those that are numbers: a metric that is not defined yet is null, and parts are objects."""
    return {name: x for name, x in entries.items() if isinstance(x, int | float) and not isinstance(x, bool)}
