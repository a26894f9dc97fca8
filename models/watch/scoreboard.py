"""How good the served model and its challenger are: in all, lately, and in parts. Every part has a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.performance import Rolling
from driftline.models.watch.parts import Parts, RecentParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.bank import Bank
    from driftline.models.performance import Scoring

_MOST_VERSIONS: Final = 20
_MOST_SEGMENTS: Final = 100  # values of one attribute
_PANES: Final = 10


class Scoreboard:
    """The performance of one model.

    Versions follow each other, so those in use have counters of their own. The values of a segment stand side by side:
    those that came first keep theirs, or each of many would lose them to the next.

    Parameters
    ----------
    scoring
        The model's task.
    segments
        Names of the attributes by which performance is told apart.
    window
        Joined pairs of the rolling window.
    recents
        Where it is kept which versions were last in use; by default, in a bank of its own.

    """

    def __init__(
        self, scoring: Scoring[Any], segments: Sequence[str], window: int, recents: Bank | None = None
    ) -> None:
        self._scoring = scoring
        self._window = window - window % _PANES
        self._total = scoring.new()
        self._versions = RecentParts(scoring, _MOST_VERSIONS, recents)
        self._segments = {name: Parts(scoring, _MOST_SEGMENTS) for name in segments}
        self._recent = Rolling(scoring, self._window, _PANES)

    def update(self, outcome: object, version: str, segments: Mapping[str, str] | None) -> None:
        """Count one outcome of `scoring`; `segments` are the values of those attributes that the event had."""
        self._total.update(outcome)
        self._versions.update(version, outcome)
        self._recent.update(outcome)
        if segments:
            for name, parts in self._segments.items():
                value = segments.get(name)
                if value is not None:
                    parts.update(value, outcome)

    def release(self) -> None:
        """Give the record of `recents` back; nothing may be counted any more."""
        self._versions.release()

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
        """Take over what `snapshot` returned, as far as segments and window are still the same."""
        self._total = self._scoring.restore(snapshot["total"])
        self._versions.restore(snapshot["versions"])
        for name, parts in self._segments.items():
            if name in snapshot["segments"]:
                parts.restore(snapshot["segments"][name])
        if snapshot["recent"]["window"] == self._window:
            self._recent = Rolling.restore(snapshot["recent"], self._scoring)
