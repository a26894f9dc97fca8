"""The scoreboard of a binary model, whose pairs a kernel counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from driftline.models.watch.scoreboard import Scoreboard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance import BinaryPanes, BinaryPerformance


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
        records = [part.record]
        given = segments or {}
        for name, parts in self._segments.items():
            value = given.get(name)
            part = None if value is None else parts.claim(value)
            records.append(-1 if part is None else part.record)
        return records

    def make_room(self, version: str) -> None:
        """Let `claim` find a record for a version. All pairs that were claimed must have been counted."""
        self._versions.make_room(version)
