"""How good the served model and its challenger are: in all, lately, and in parts. Every part has a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.performance import Rolling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.models.performance import Performance, Report, Scoring

OTHER: Final = "other"
_MOST_VERSIONS: Final = 20
_MOST_SEGMENTS: Final = 100  # values of one attribute
_PANES: Final = 10


class Parts:
    """Counters by name, the first `most` names to come; the rest are counted together as `OTHER`."""

    def __init__(self, new: Callable[[], Performance[Any]], most: int) -> None:
        self._new = new
        self._most = most
        self.by_name: dict[str, Performance[Any]] = {}

    def update(self, name: str, outcome: object) -> None:
        """Count one outcome."""
        part = self.by_name.get(name)
        if part is None:
            name = name if len(self.by_name) < self._most else OTHER
            part = self.by_name.setdefault(name, self._new())
        part.update(outcome)

    def report(self) -> dict[str, Report]:
        """Return each part's metrics."""
        return {name: part.report() for name, part in self.by_name.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: part.snapshot() for name, part in self.by_name.items()}


class Scoreboard:
    """The performance of one model.

    Parameters
    ----------
    scoring
        The model's task.
    segments
        Names of the attributes by which performance is told apart.
    window
        Joined pairs of the rolling window.

    """

    def __init__(self, scoring: Scoring[Any], segments: Sequence[str], window: int) -> None:
        self._scoring = scoring
        self._total = scoring.new()
        self._versions = Parts(scoring.new_compact, _MOST_VERSIONS)
        self._segments = {name: Parts(scoring.new_compact, _MOST_SEGMENTS) for name in segments}
        self._recent = Rolling(scoring, window - window % _PANES, _PANES)

    def update(self, outcome: object, version: str, segments: Sequence[str | None]) -> None:
        """Count one outcome of `scoring`; `segments` are the attributes' values, None where the event had none."""
        self._total.update(outcome)
        self._versions.update(version, outcome)
        self._recent.update(outcome)
        for parts, value in zip(self._segments.values(), segments, strict=True):
            if value is not None:
                parts.update(value, outcome)

    def report(self) -> dict[str, Any]:
        """Return the performance part of the state document."""
        return {
            **self._total.report(),
            "window": self._recent.report(),
            "per_version": self._versions.report(),
            "per_segment": {name: parts.report() for name, parts in self._segments.items()},
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "total": self._total.snapshot(),
            "versions": self._versions.snapshot(),
            "segments": {name: parts.snapshot() for name, parts in self._segments.items()},
            "recent": self._recent.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        restored = self._scoring.restore
        self._total = restored(snapshot["total"])
        self._versions.by_name = {name: restored(part) for name, part in snapshot["versions"].items()}
        for name, parts in self._segments.items():
            parts.by_name = {value: restored(part) for value, part in snapshot["segments"].get(name, {}).items()}
        self._recent = Rolling.restore(snapshot["recent"], self._scoring)
