"""River's ADWIN with a snapshot that is plain bytes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from river.drift import ADWIN


class Adwin:
    """Adaptive windowing (Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", 2007).

    Values must lie in [0, 1] and be finite: one NaN would silence it for ever.

    Examples
    --------
    >>> detector = Adwin(delta=1e-4)
    >>> [n for n in range(1200) if detector.update(0.2 if n < 1000 else 0.8)]
    [1023]

    """

    __slots__ = ("_adwin", "delta")

    def __init__(self, delta: float) -> None:
        self.delta = delta
        self._adwin: Any = ADWIN(delta=delta)  # River's detectors are not typed

    def update(self, value: float) -> bool:
        """Take one value; return whether the mean has changed. After a change the window starts afresh."""
        self._adwin.update(value)
        return bool(self._adwin.drift_detected)

    @property
    def width(self) -> int:
        """Return how many values the window holds."""
        return int(self._adwin.width)

    @property
    def mean(self) -> float:
        """Return the mean of the window, 0 when it is empty."""
        return float(self._adwin.estimation)

    def snapshot(self) -> list[Any]:
        """Return plain values: River's own state as bytes, and whether the next update starts afresh."""
        state = b64encode(self._adwin._helper.__getstate__()).decode()  # noqa: SLF001 - River gives no other way
        return [self.delta, state, bool(self._adwin.drift_detected)]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Adwin:
        """Rebuild what `snapshot` returned; the bytes must be intact (a CRC guards them), or River panics."""
        delta, state, detected = snapshot
        adwin = cls(delta)
        adwin._adwin._helper.__setstate__(b64decode(state))  # noqa: SLF001 - see above
        adwin._adwin._drift_detected = detected  # noqa: SLF001 - see above
        return adwin
