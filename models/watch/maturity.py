"""When the labels of a version come as they mostly do: from then on its pairs tell what is normal.

In a version's first hours only those labels are there that come soon, and these may be better or worse than others. Of
all that have come by then most are of recent predictions, so that slow ones are hardly among them. Those of its first
predictions have all had about the same time to come, and tell how long that takes.
"""

from __future__ import annotations

from bisect import insort
from typing import Any, Final

_FIRST: Final = 256  # predictions
_LAST: Final = 0.95  # of them: before that time all are taken to have been
_MOST_KEPT: Final = 1024
_NEARLY_ALL: Final = 0.98
_TIMES: Final = 2
_LOOK_EVERY: Final = 64  # pairs
_BULK: Final = 1000  # pairs
_BULK_SHARE: Final = 0.01


class Maturity:
    """Waits for twice as long as nearly all labels of a version's first predictions take.

    Labels that come all at once, as by a job at night, have no such order, and are not waited for.

    Parameters
    ----------
    events
        Predictions of the version's reference, which are shown one by one.

    Examples
    --------
    >>> maturity = Maturity(10_000)
    >>> for second in range(400):
    ...     maturity.predicted(second)
    ...     if second >= 10 and not maturity.is_reached and maturity.waited(second - 10, second):
    ...         _ = maturity.look(second, said=None, usual=10)
    >>> maturity.is_reached, maturity.waiting
    (True, 256)

    """

    __slots__ = ("_delays", "_first", "_first_label", "_times", "is_reached", "waiting")

    def __init__(self, events: int) -> None:
        self._first = min(_FIRST, events)
        self.is_reached = False
        self.waiting = 0  # pairs that came before: they tell nothing
        self._times: list[int] = []  # of the first predictions, in order
        self._first_label = 0
        self._delays: list[int] = []

    def predicted(self, at: int) -> None:
        """Take the event time of a prediction."""
        if not self.is_reached and len(self._times) < self._first:
            insort(self._times, at)

    def waited(self, predicted_at: int, label_at: int) -> bool:
        """Take a pair that came before labels had matured, as far as is known; return whether to `look` now."""
        if self.waiting == 0:
            self._first_label = label_at
        self.waiting += 1
        if predicted_at <= self._time(_LAST) and len(self._delays) < _MOST_KEPT:
            self._delays.append(label_at - predicted_at)
        return self.waiting % _LOOK_EVERY == 1

    def _time(self, share: float) -> int:
        """Return before which time such a share of the first predictions was: a few may have one that is far off."""
        return self._times[int(share * (len(self._times) - 1))] if self._times else 0

    def look(self, label_at: int, said: int | None, usual: int) -> bool:
        """Return whether labels have matured with the pair that came last, which is the first that counts then.

        Parameters
        ----------
        label_at
            The event time of its label, in epoch milliseconds.
        said
            How long labels take by the configuration, in milliseconds.
        usual
            How long those of the model have mostly taken.

        """
        if said is not None:
            is_reached = said == 0 or label_at - self._time(1.0 - _LAST) >= said
        else:
            takes = self._takes(label_at, usual)
            are_all = len(self._times) >= self._first
            is_reached = takes == 0 or (are_all and label_at - self._time(_LAST) >= takes)
        if is_reached:
            self.is_reached = True
            self.waiting -= 1
            self._delays, self._times = [], []
        return is_reached

    def _takes(self, label_at: int, usual: int) -> int:
        known = sorted(self._delays)
        nearly_all = max(known[int(_NEARLY_ALL * (len(known) - 1))] if known else 0, usual)
        is_bulk = self.waiting > _BULK and label_at - self._first_label < _BULK_SHARE * nearly_all
        return 0 if is_bulk else _TIMES * nearly_all

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        counts = self.is_reached, self.waiting, self._first, self._first_label
        return [*counts, list(self._times), list(self._delays)]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned.

        A reference that was complete with fewer predictions than are asked for now is shown no more of them.
        """
        self.is_reached, self.waiting, first, self._first_label, times, delays = snapshot
        self._first = min(self._first, first)
        self._times, self._delays = list(times), list(delays)
