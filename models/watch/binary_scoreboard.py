"""The scoreboard of a binary model, whose pairs a kernel counts."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any, Final, cast

from driftline.models.watch.scoreboard import Scoreboard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.bank import Bank
    from driftline.models.performance import BinaryPanes, BinaryPerformance, Scoring
    from driftline.models.watch.parts import Parts

_MOST_CLAIMED: Final = 4096


def _alike(value: str | None) -> str | None:
    """Return the same text for all models, which mostly have segments in common; each keeps it for years."""
    return None if value is None else intern(value)


class BinaryScoreboard(Scoreboard):
    """Says in which records of its scoring's bank `driftline.models.kernels.binary.score_pair` is to count a pair.

    Records are claimed pair by pair, in order, and the pairs may be counted later. When `claim` finds that a version
    must lose its counters first, count the pairs so far, then `make_room`, and claim again. Before a pair of another
    weight than 1, which no kernel counts, count the pairs so far as well; it is then for `update` alone.

    Examples
    --------
    >>> import numpy as np
    >>> from driftline.models.kernels.binary import outcome_of, score_pair
    >>> from driftline.models.performance import BinaryBank, BinaryScoring, ClassSet
    >>> bank = BinaryBank()
    >>> board = BinaryScoreboard(BinaryScoring(ClassSet([0, 1]), bank=bank), ["region"], window=1000)
    >>> parts = board.claim("v1", {"region": "eu"})
    >>> score_pair(bank.arrays, board.total, board.window, np.array(parts, np.int32), outcome_of(1, 0, 0.25))
    >>> board.report()["per_segment"]["region"]["eu"]["brier"]
    0.5625

    """

    def __init__(
        self, scoring: Scoring[Any], segments: Sequence[str], window: int, recents: Bank | None = None
    ) -> None:
        super().__init__(scoring, segments, window, recents)
        self._no_values = (None,) * len(segments)
        # Segments that have counters keep them, and those that have none go on without: so values that come together
        # are looked up once.
        self._claimed: dict[tuple[str | None, ...], list[int]] = {}

    @property
    def total(self) -> int:
        """The record of all pairs; another one after `restore`."""
        return cast("BinaryPerformance", self._total).record

    @property
    def window(self) -> int:
        """The window of the last pairs; another one after `restore`."""
        return cast("BinaryPanes", self._recent.panes).window

    def claim(self, version: str, segments: Mapping[str, str] | None) -> list[int] | None:
        """Return the records of the next pair's version and of its value of each segment, -1 where it has none.

        None, and nothing is changed, if there must be room for the version first.
        """
        part: Any = self._versions.claim(version)
        if part is None:
            return None
        values = tuple(map(segments.get, self._segments)) if segments else self._no_values
        records = self._claimed.get(values)
        if records is None:
            records = [self._record_of(*named) for named in zip(self._segments.values(), values, strict=True)]
            if len(self._claimed) < _MOST_CLAIMED:
                self._claimed[tuple(map(_alike, values))] = records
        return [part.record, *records]

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

    def claimed(self, segments: Mapping[str, str] | None) -> list[int] | None:
        """Return what `claim` gave for values of segments; None if they have not been claimed, or are forgotten."""
        values = tuple(map(segments.get, self._segments)) if segments else self._no_values
        return self._claimed.get(values)

    @staticmethod
    def _record_of(parts: Parts, value: str | None) -> int:
        part: Any = None if value is None else parts.claim(value)
        return -1 if part is None else int(part.record)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned, as far as segments and window are still the same."""
        super().restore(snapshot)
        self._claimed.clear()

    def make_room(self, version: str) -> None:
        """Let `claim` find a record for a version. All pairs that were claimed must have been counted."""
        self._versions.make_room(version)
