"""How a stream has stood for thousands of values: what no detector of changes can tell.

A detector sees that something changes. It sees nothing of what changed before it began, of a change of shape that moves
none of what it is fed, and a change that it did see can be too small to be sized by a few hundred values. Each of these
leaves the stream away from its reference for good. So values are summed up in panes, and what two windows of them that
share no value both say, one right after the other, is found.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.measure import Measure, Tally
    from driftline.schemas.alerts import Effect

_WINDOWS: Final = (8, 2, 1)  # panes: the longest one sizes what is small, the shortest one is soon full
_PANES: Final = 2 * max(_WINDOWS)


class Lasting(NamedTuple):
    """What has lasted for two windows: how far away both are, and between which counts of values that began."""

    effect: Effect
    earliest: int
    latest: int


@dataclass(slots=True)
class _Window:
    """So many panes in a row, and between which counts of values they came to stand away from the reference.

    `earliest` is where the last one began that was surely not too far away, `latest` where the first of two ended that
    were both too far away.
    """

    panes: int
    earliest: int = 0
    latest: int | None = None


class Standing:
    """The last 16 panes of a stream since its newest change.

    Parameters
    ----------
    measure
        That of the stream.
    min_effect
        The size from which it matters how the stream stands.
    pane
        Values in a pane.

    Examples
    --------
    >>> from driftline.models.drift.measure import Residual
    >>> measure, pane = Residual("calibration", reference=10_000), [0.1, 0.2] * 50
    >>> standing = Standing(measure, min_effect=0.03, pane=100)
    >>> found = [standing.update(pane, measure.tally(pane), count) for count in range(100, 500, 100)]
    >>> [lasting and (lasting.earliest, lasting.latest) for lasting in found]
    [None, (0, 100), (0, 100), (0, 200)]

    """

    __slots__ = ("_measure", "_min_effect", "_pane", "_panes", "_windows")

    def __init__(self, measure: Measure, min_effect: float, pane: int) -> None:
        self._measure = measure
        self._min_effect = min_effect
        self._pane = pane
        self._panes: deque[Tally] = deque(maxlen=_PANES)
        self._windows = [_Window(panes) for panes in _WINDOWS]

    def restart(self, earliest: int, since: int) -> None:
        """Forget what came before a change: it began after `earliest`, and `since` values are thought to be of it."""
        for _ in range(len(self._panes) - since // self._pane):
            self._panes.popleft()
        self._windows = [_Window(panes, earliest) for panes in _WINDOWS]

    def update(self, values: Sequence[float], tally: Tally, count: int) -> Lasting | None:
        """Take a full pane, its tally, and how many values there were with it; return what has lasted.

        Of the longest window, if it has lasted for several.
        """
        self._panes.append(tally)
        found = None
        for window in self._windows:
            began = count - window.panes * self._pane
            if len(self._panes) >= window.panes and self._at_most(self._sum(window.panes)) < self._min_effect:
                window.earliest, window.latest = began, None
            elif (held := self._held(window.panes)) is not None and self._at_least(held) >= self._min_effect > 0.0:
                window.latest = window.latest or began
                found = found or Lasting(self._measure.effect(values, held), window.earliest, window.latest)
        return found

    def farthest(self, recent: Sequence[float], tally: Tally) -> Effect:
        """Return the effect of recent values, given their tally too, or of what has lasted if that is larger.

        The more values there are, the closer is the lower bound that an effect is.
        """
        tallies = [tally]
        tallies += [held for window in self._windows if (held := self._held(window.panes)) is not None]
        return self._measure.effect(recent, max(tallies, key=self._at_least))

    def _held(self, panes: int) -> Tally | None:
        """Return which of the last two windows of so many panes is less far away; None while there are not two."""
        if len(self._panes) < 2 * panes:
            return None
        return min(self._sum(panes, before=panes), self._sum(panes), key=self._at_least)

    def _sum(self, panes: int, before: int = 0) -> Tally:
        """Return the sum of so many panes, the newest but for those `before`."""
        last = len(self._panes) - before
        return [math.fsum(column) for column in zip(*islice(self._panes, last - panes, last), strict=True)]

    def _at_least(self, tally: Tally) -> float:
        at_least, _ = self._measure.bounds(tally)
        return at_least

    def _at_most(self, tally: Tally) -> float:
        _, at_most = self._measure.bounds(tally)
        return at_most

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        windows = [[window.earliest, window.latest] for window in self._windows]
        return [[list(pane) for pane in self._panes], windows]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        panes, windows = snapshot
        self._panes.extend(panes)
        self._windows = [_Window(panes, *stored) for panes, stored in zip(_WINDOWS, windows, strict=True)]
