"""One watched stream of numbers: a detector, the recent values, and where they stood.

Detection and size are told apart. The detector says *that* the mean changed, often within a few dozen values of it,
when the size cannot be known yet; so from there on the effect is measured again every 32 values, until a window
full of values has come after the change, and each time the stream offers a `Finding`. Policy takes the first one that
is large enough.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from driftline.models.adwin import Adwin
from driftline.models.change import Change, locate
from driftline.models.finding import Finding, Span, Subject
from driftline.models.measure import Measure
from driftline.models.thinned import pack, unpack
from driftline.models.trail import Mark, Trail
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Callable

RECENT: Final = 512
_LOOK_EVERY: Final = 32
_LEVEL_EVERY: Final = 256
_FEWEST: Final = 16  # values after a change, below which its size is anybody's guess


class Suspicion:
    """A change that was detected, and counts of values in between which it lies."""

    __slots__ = ("best", "earliest", "latest", "statistic", "threshold")

    def __init__(self, change: Change, *, offset: int, since: int) -> None:
        # A change at the very edge of the recent values may have begun before them: back to ADWIN's own window.
        self.earliest = since if change.earliest <= 1 else offset + change.earliest
        self.best = offset + change.best
        self.latest = offset + change.latest
        self.statistic = change.statistic
        self.threshold = change.threshold

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self.earliest, self.best, self.latest, self.statistic, self.threshold]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Suspicion:
        """Rebuild what `snapshot` returned."""
        suspicion = cls.__new__(cls)
        suspicion.earliest, suspicion.best, suspicion.latest, suspicion.statistic, suspicion.threshold = snapshot
        return suspicion


class Stream:
    """Watches one stream.

    Parameters
    ----------
    subject, version
        What the stream tells of.
    measure
        Maps values into [0, 1] and sizes a change against the reference.
    min_effect
        The size from which a change matters, in the measure's unit.
    detector
        Names the detector and what it is fed, in alerts.
    describe
        Turns an effect into the words of an alert.

    """

    def __init__(
        self,
        subject: Subject,
        version: str,
        measure: Measure,
        *,
        detector: str,
        min_effect: float,
        delta: float,
        describe: Callable[[Effect], str],
    ) -> None:
        self.subject = subject
        self.detector = detector
        self.version = version
        self.measure = measure
        self.min_effect = min_effect
        self.count = 0
        self.detections = 0
        self.level: Effect | None = None
        self._describe = describe
        self._adwin = Adwin(delta)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._trail = Trail()
        self._suspicion: Suspicion | None = None
        self._afresh = 0  # the count at which ADWIN's window last began afresh

    def update(self, value: float, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Take one finite value and where it stood; return a finding while a detected change is being sized."""
        self.count += 1
        count = self.count
        self._recent.append(value)
        self._trail.note(Mark(count, at, prediction_offset, label_offset))
        detected = self._adwin.update(self.measure.unit(value))
        if detected:
            self._suspect()
        if count % _LEVEL_EVERY == 0:
            self.level = self.measure.effect(self._recent)
        if self._suspicion is not None and (detected or count % _LOOK_EVERY == 0):
            return self._look(self._suspicion)
        return None

    def _suspect(self) -> None:
        self.detections += 1
        units = [self.measure.unit(value) for value in self._recent]
        change = locate(units, window=self.count - self._afresh, delta=self._adwin.delta)
        self._afresh = self.count
        offset = self.count - len(units)
        self._suspicion = Suspicion(change, offset=offset, since=max(self.count - self._adwin.width, 0))

    def _look(self, suspicion: Suspicion) -> Finding | None:
        after = self.count - suspicion.best
        if after < _FEWEST:
            return None
        if after >= RECENT:
            self._suspicion = None
        effect = self.measure.effect(list(self._recent)[-after:])
        latest = self._trail.at_or_after(suspicion.latest) or self._trail.at_or_before(self.count)
        return Finding(
            self.subject,
            self.version,
            self.detector,
            suspicion.statistic,
            suspicion.threshold,
            effect,
            self.min_effect,
            Span(self._trail.at_or_before(suspicion.earliest), latest),
            after,
            self._describe(effect),
        )

    def report(self) -> dict[str, Any]:
        """Return the stream's part of the state document."""
        effect = self.level
        return {
            "kind": self.subject.kind.value,
            "detector": self.detector,
            "count": self.count,
            "window": self._adwin.width,
            "detections": self.detections,
            "measure": None if effect is None else effect.measure,
            "effect": None if effect is None else effect.value,
            "before": None if effect is None else effect.before,
            "after": None if effect is None else effect.after,
            "min_effect": self.min_effect,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "measure": self.measure.snapshot(),
            "count": self.count,
            "detections": self.detections,
            "level": None if self.level is None else self.level.model_dump(),
            "adwin": self._adwin.snapshot(),
            "recent": pack(array("d", self._recent)),
            "trail": self._trail.snapshot(),
            "suspicion": None if self._suspicion is None else self._suspicion.snapshot(),
            "afresh": self._afresh,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned, but for the measure, which was given to the constructor."""
        self.count = snapshot["count"]
        self.detections = snapshot["detections"]
        self.level = None if snapshot["level"] is None else Effect(**snapshot["level"])
        self._adwin = Adwin.restore(snapshot["adwin"])
        self._recent.extend(unpack(snapshot["recent"]))
        self._trail = Trail.restore(snapshot["trail"])
        self._afresh = snapshot["afresh"]
        self._suspicion = None if snapshot["suspicion"] is None else Suspicion.restore(snapshot["suspicion"])
