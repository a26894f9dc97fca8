"""How good the served model and its challenger are: in all, lately, and in parts. Every part has a bound."""

from __future__ import annotations

from sys import intern
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
_MOST_CLAIMED: Final = 4096


def _alike(value: str | None) -> str | None:
    """Return the same text for all models, which mostly have segments in common; each keeps it for years."""
    return None if value is None else intern(value)


class Scoreboard:
    """The performance of one model.

    Versions follow each other, so those in use have counters of their own. The values of a segment stand side by side:
    those that came first keep theirs, or each of many would lose them to the next.

    Kernels count most pairs: `claim` says in which records of the scoring's bank. They are claimed pair by pair, in
    order, and the pairs may be counted later. When it finds that a version must lose its counters first, count the
    pairs so far, then `make_room`, and claim again. Before a pair of another weight than 1, which no kernel counts,
    count the pairs so far as well; it is then for `update` alone.

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

    Examples
    --------
    >>> import numpy as np
    >>> from driftline.models.kernels.binary import outcome_of, score_pair
    >>> from driftline.models.performance import BinaryBank, BinaryScoring, ClassSet
    >>> bank = BinaryBank()
    >>> board = Scoreboard(BinaryScoring(ClassSet([0, 1]), bank=bank), ["region"], window=1000)
    >>> parts = board.claim("v1", {"region": "eu"})
    >>> score_pair(bank.arrays, board.total, board.window, np.array(parts, np.int32), outcome_of(1, 0, 0.25))
    >>> board.report()["per_segment"]["region"]["eu"]["brier"]
    0.5625

    """

    def __init__(
        self, scoring: Scoring[Any], segments: Sequence[str], window: int, recents: Bank | None = None
    ) -> None:
        self._scoring = scoring
        self._window = window - window % _PANES
        self._total: Any = scoring.new()
        self._versions = RecentParts(scoring, _MOST_VERSIONS, recents)
        self._segments = {name: Parts(scoring, _MOST_SEGMENTS) for name in segments}
        self._recent = Rolling(scoring, self._window, _PANES)
        self._no_values = (None,) * len(segments)
        # Segments that have counters keep them, and those that have none go on without: so values that come together
        # are looked up once.
        self._claimed: dict[tuple[str | None, ...], list[int]] = {}

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

    def _values_of(self, segments: Mapping[str, str] | None) -> tuple[str | None, ...]:
        return tuple(map(segments.get, self._segments)) if segments else self._no_values

    def segment_records(self) -> dict[tuple[str, str], int]:
        """Return the record of each value of each attribute that has its own, and of those that have none together.

        Those that have had most pairs come first.
        """
        owned = [
            ((name, value), part) for name, parts in self._segments.items() for value, part in parts.owned().items()
        ]
        owned.sort(key=lambda named: named[1].report()["pairs"], reverse=True)
        return {named: part.record for named, part in owned}

    @property
    def total(self) -> int:
        """The record of all pairs; another one after `restore`."""
        record: int = self._total.record
        return record

    @property
    def window(self) -> int:
        """The window of the last pairs; another one after `restore`."""
        panes: Any = self._recent.panes
        window: int = panes.window
        return window

    def claim(self, version: str, segments: Mapping[str, str] | None) -> list[int] | None:
        """Return the records of the next pair's version and of its value of each segment, -1 where it has none.

        None, and nothing is changed, if there must be room for the version first.
        """
        part: Any = self._versions.claim(version)
        if part is None:
            return None
        values = self._values_of(segments)
        return [part.record, *self._records_of(values)]

    def _records_of(self, values: tuple[str | None, ...]) -> list[int]:
        records = self._claimed.get(values)
        if records is None:
            records = [self._record_of(*named) for named in zip(self._segments.values(), values, strict=True)]
            if len(self._claimed) < _MOST_CLAIMED:
                self._claimed[tuple(map(_alike, values))] = records
        return records

    @property
    def recents(self) -> int:
        """The record that says which versions were last in use."""
        return self._versions.recent

    @property
    def versions(self) -> int:
        """How many versions have their own counters."""
        return len(self._versions)

    def version_records(self) -> list[tuple[str, int, int]]:
        """Return the record of each version that has its own, and its place among the recent ones; the newest first."""
        owners: list[tuple[str, Any, int]] = self._versions.owners()
        return [(version, part.record, slot) for version, part, slot in owners]

    def counted_in(self, segments: Mapping[str, str] | None) -> list[int]:
        """Return the records of segments that a pair was counted in by `update`, as `claim` has them."""
        return self._records_of(self._values_of(segments))

    def claimed(self, segments: Mapping[str, str] | None) -> list[int] | None:
        """Return what `claim` gave for values of segments; None if they have not been claimed, or are forgotten."""
        return self._claimed.get(self._values_of(segments))

    @staticmethod
    def _record_of(parts: Parts, value: str | None) -> int:
        part: Any = None if value is None else parts.claim(value)
        return -1 if part is None else int(part.record)

    def make_room(self, version: str) -> None:
        """Let `claim` find a record for a version. All pairs that were claimed must have been counted."""
        self._versions.make_room(version)

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
        self._claimed.clear()
