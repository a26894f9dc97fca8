"""River's ADWIN with a snapshot that is plain bytes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from river.drift import ADWIN

if TYPE_CHECKING:
    from collections.abc import Callable


class Adwin:
    """Adaptive windowing (Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", 2007).

    Values must lie in [0, 1] and be finite: one NaN would silence it for ever.

    Examples
    --------
    >>> detector = Adwin(delta=1e-4)
    >>> [n for n in range(1200) if detector.update(0.2 if n < 1000 else 0.8)][0]
    1023

    """

    __slots__ = ("_window", "delta", "update")

    update: Callable[[float], bool]
    """Take one value; return whether the mean has changed. Then `restart` is due."""

    def __init__(self, delta: float) -> None:
        self.delta = delta
        self._window: Any
        self.restart()

    def restart(self) -> None:
        """Begin with an empty window, as River's does after each change."""
        adwin = ADWIN(delta=self.delta)  # type: ignore[no-untyped-call]  # River's detectors are not typed
        self._window = adwin._helper  # noqa: SLF001 - River gives no other way, nor for a snapshot
        # The compiled part of River's detector: the Python around it is three quarters of an update's cost.
        self.update = self._window.update

    @property
    def width(self) -> int:
        """Return how many values the window holds; when a change was seen, those that are like the newest."""
        return int(self._window.get_width())

    def snapshot(self) -> list[Any]:
        """Return plain values, with River's own state as bytes."""
        return [self.delta, b64encode(self._window.__getstate__()).decode()]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Adwin:
        """Rebuild what `snapshot` returned; the bytes must be intact (a CRC guards them), or River panics."""
        delta, state = snapshot
        adwin = cls(delta)
        adwin._window.__setstate__(b64decode(state))
        return adwin
