"""The panes of a window over the last pairs, for any task."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic

from driftline.models.performance.protocol import OutcomeT, Performance, Scoring, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class TumblingPanes(Generic[OutcomeT]):
    """The last `count` panes of `size` pairs, each with counters of its own.

    Parameters
    ----------
    scoring
        Makes the counters of a pane.

    """

    __slots__ = ("_current", "_filled", "_full", "_scoring", "_size")

    def __init__(self, scoring: Scoring[OutcomeT], count: int, size: int) -> None:
        self._scoring: Final = scoring
        self._size: Final = size
        self._full: deque[Performance[OutcomeT]] = deque(maxlen=count - 1)
        self._current = scoring.new_compact()
        self._filled = 0

    def update(self, outcome: OutcomeT) -> None:
        """Count one pair, and forget the oldest pane when a new one begins."""
        if self._filled == self._size:
            self._full.append(self._current)
            self._current = self._scoring.new_compact()
            self._filled = 0
        self._current.update(outcome)
        self._filled += 1

    def __iter__(self) -> Iterator[Performance[OutcomeT]]:
        """Iterate over the counters of the panes."""
        yield from self._full
        yield self._current

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        return {
            "full": [pane.snapshot() for pane in self._full],
            "current": self._current.snapshot(),
            "filled": self._filled,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._full.extend(map(self._scoring.restore, snapshot["full"]))
        self._current = self._scoring.restore(snapshot["current"])
        self._filled = snapshot["filled"]
