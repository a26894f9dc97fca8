"""The records of both topics of a partition in one order: that of their timestamps.

So a backlog is read as it happened: a label rarely comes before its prediction, and what waits for the other topic is
no more than on any live day.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faust.types import Message

    from driftline.models.record import RawRecord

PATIENCE_SECONDS: Final = 1.0
"""How long an empty side that is not at its end is waited for; a fetch from a healthy broker takes milliseconds."""

_MOST_QUEUED: Final = 2  # batches of a side, beyond which it is to be paused


@dataclass(slots=True)
class _Batch:
    message: Message
    records: Sequence[RawRecord]
    times: list[int]
    taken: int = 0

    @property
    def head(self) -> int:
        """The time of the next record."""
        return self.times[self.taken]

    def run(self, limit: int, end: float) -> int:
        """Return how many records come next before the first one that is later than `end`, up to a limit."""
        times, first = self.times, self.taken
        last = min(len(times), first + limit)
        for place in range(first, last):
            if times[place] > end:
                return place - first
        return last - first


class Merge:
    """Two queues of batches.

    Of both heads the one with the smaller timestamp goes first, of equal ones that of the first topic; each topic keeps
    its order. While one side is empty the other goes on only if that side is at its end, or has been waited for.

    Parameters
    ----------
    topics
        The two, the one that wins ties first.
    patience
        Seconds to wait for a side.

    Examples
    --------
    >>> from types import SimpleNamespace as Record
    >>> merge = Merge(("p", "l"))
    >>> merge.put("p", "message 1", [Record(topic="p", timestamp=1), Record(topic="p", timestamp=5)])
    >>> [record.topic for record in merge.take(10, at_end=lambda topic: False, now=0.0)]
    []
    >>> merge.put("l", "message 2", [Record(topic="l", timestamp=3)])
    >>> [record.topic for record in merge.take(10, at_end=lambda topic: False, now=0.0)]
    ['p', 'l']
    >>> [record.topic for record in merge.take(10, at_end=lambda topic: topic == "l", now=0.0)]
    ['p']
    >>> merge.finished()
    ['message 2', 'message 1']

    """

    def __init__(self, topics: tuple[str, str], patience: float = PATIENCE_SECONDS) -> None:
        self._topics = topics
        self._patience = patience
        self._sides: dict[str, deque[_Batch]] = {topic: deque() for topic in topics}
        self._waiting_since: float | None = None
        self.passed: frozenset[str] = frozenset()  # of what was taken last: topics that were waited for, and no longer
        self._finished: list[Message] = []

    def put(self, topic: str, message: Message, records: Sequence[RawRecord]) -> None:
        """Queue a batch, in the order of its topic."""
        times: list[Any] = [record.timestamp for record in records]  # Kafka's have one
        self._sides[topic].append(_Batch(message, records, times))

    def is_full(self, topic: str) -> bool:
        """Return whether a side is so far ahead that no more of it is to be fetched."""
        return len(self._sides[topic]) >= _MOST_QUEUED

    @property
    def is_empty(self) -> bool:
        """Whether no record is left."""
        return not any(self._sides.values())

    def take(self, limit: int, *, at_end: Callable[[str], bool], now: float) -> list[RawRecord]:
        """Take up to `limit` records that are next; none says that a side is to be waited for.

        Parameters
        ----------
        limit
            At least 1.
        at_end
            Tells of a topic whether there is nothing of it to be fetched.
        now
            Seconds of a clock that only grows.

        """
        taken: list[RawRecord] = []
        first, second = (self._sides[topic] for topic in self._topics)
        while first and second and len(taken) < limit:
            if first[0].head <= second[0].head:
                self._take(first, limit, second[0].head, taken)
            else:
                self._take(second, limit, first[0].head - 1, taken)
        if taken:
            self._waiting_since, self.passed = None, frozenset()
            return taken
        side, empty = (first, self._topics[1]) if first else (second, self._topics[0])
        is_behind = bool(side) and not at_end(empty)
        if is_behind and not self._has_waited(now):
            return taken
        self.passed = frozenset({empty} if is_behind else ())
        while side and len(taken) < limit:
            self._take(side, limit, inf, taken)
        return taken

    def _take(self, side: deque[_Batch], limit: int, end: float, taken: list[RawRecord]) -> None:
        """Take the records of a side's first batch that are not later than `end`, until so many have been taken."""
        batch = side[0]
        before = batch.taken
        batch.taken += batch.run(limit - len(taken), end)
        taken += batch.records[before : batch.taken]
        if batch.taken == len(batch.records):
            self._finished.append(side.popleft().message)

    def _has_waited(self, now: float) -> bool:
        if self._waiting_since is None:
            self._waiting_since = now
        return now - self._waiting_since >= self._patience

    def finished(self) -> list[Message]:
        """Return the messages of the batches that have been taken whole since the last call."""
        finished, self._finished = self._finished, []
        return finished
