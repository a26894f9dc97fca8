"""One watched stream of numbers: detectors, the recent values, and where they stood.

Detection and size are told apart. A detector says *that* something changed, often within a few dozen values of it, when
the size cannot be known yet; so from there on the effect is measured again every 32 values, until a window full of
values has come after the change, and each time the stream offers a `Finding`. Policy takes the first one that is large
enough.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.adwin import Adwin
from driftline.models.change import locate
from driftline.models.finding import Finding, Span, Subject
from driftline.models.rank import restore_measure
from driftline.models.thinned import pack, unpack
from driftline.models.trail import FINEST, Mark, Trail
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.models.measure import Measure

RECENT: Final = 512
_LOOK_EVERY: Final = 32
_LEVEL_EVERY: Final = 256  # a multiple of the former, and that one of FINEST
_FEWEST: Final = 16  # values after a change, below which its size is anybody's guess


def location(unit: float) -> float:
    """Return what a detector is fed that watches where the values are."""
    return unit


def spread(unit: float) -> float:
    """Return what a detector is fed that watches how far the values are from the middle, in [0, 1].

    Of a rank it is distributed like the rank itself; a change of unit about a mean of 0 moves only this.
    """
    return abs(2.0 * unit - 1.0)


class Detector:
    """An ADWIN, what it is fed, and the count of values at which its window last began afresh."""

    __slots__ = ("adwin", "afresh", "fed", "name")

    def __init__(self, name: str, fed: Callable[[float], float], delta: float) -> None:
        self.name = name
        self.fed = fed
        self.adwin = Adwin(delta)
        self.afresh = 0


class Suspicion(NamedTuple):
    """A change that was detected: by what, and between which counts of values it lies."""

    detector: str
    statistic: float
    threshold: float
    earliest: int
    best: int
    latest: int


class Stream:
    """Watches one stream.

    Parameters
    ----------
    subject, version
        What the stream tells of.
    measure
        Maps values into [0, 1] and sizes a change against the reference.
    detectors
        By the name they have in alerts: what each is fed (`location`, `spread`).
    min_effect
        The size from which a change matters, in the measure's unit.
    delta
        ADWIN's parameter.
    describe
        Turns an effect into the words of an alert.

    """

    def __init__(  # noqa: PLR0913 - what one stream differs in from another
        self,
        subject: Subject,
        version: str,
        measure: Measure,
        *,
        detectors: Mapping[str, Callable[[float], float]],
        min_effect: float,
        delta: float,
        describe: Callable[[Effect], str],
    ) -> None:
        self.subject = subject
        self.version = version
        self.min_effect = min_effect
        self.count = 0
        self.detections = 0
        self.level: Effect | None = None
        self._measure = measure
        self._unit = measure.unit
        self._describe = describe
        self._detectors = [Detector(name, fed, delta) for name, fed in detectors.items()]
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._trail = Trail()
        self._suspicion: Suspicion | None = None
        self._regime = 0  # the count after which the newest change is thought to have begun

    @property
    def detector(self) -> str:
        """The name of the first detector, by which the stream goes in the state document."""
        return self._detectors[0].name

    def update(self, value: float, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Take one finite value and where it stood; return a finding while a detected change is being sized."""
        self.count = count = self.count + 1
        self._recent.append(value)
        unit = self._unit(value)
        fired = None
        for detector in self._detectors:
            if detector.adwin.update(detector.fed(unit)):
                fired = detector
        if count % FINEST and fired is None and count > 1:
            return None
        return self._update_at(Mark(count, at, prediction_offset, label_offset), fired)

    def _update_at(self, here: Mark, fired: Detector | None) -> Finding | None:
        self._trail.note(here)
        if fired is not None:
            self._suspect(fired)
        if self.count % _LEVEL_EVERY == 0:
            self._settle()
        if self._suspicion is None or (fired is None and self.count % _LOOK_EVERY):
            return None
        return self._look(self._suspicion, here)

    def _suspect(self, detector: Detector) -> None:
        self.detections += 1
        fed = [detector.fed(self._unit(value)) for value in self._recent]
        change = locate(fed, window=self.count - detector.afresh, delta=detector.adwin.delta)
        offset = self.count - len(fed)
        earliest = offset + change.earliest
        if change.earliest == 1:  # it may have begun before the recent values: ADWIN knows where its window was cut
            earliest = min(earliest, max(self.count - detector.adwin.width, 0))
        detector.afresh = self.count
        self._regime = offset + change.best
        self._suspicion = Suspicion(
            detector.name, change.statistic, change.threshold, earliest, self._regime, offset + change.latest
        )

    def _settle(self) -> None:
        """Measure where the stream stands, once enough values have come since the newest change."""
        since = self.count - self._regime
        if since >= _LEVEL_EVERY:
            self.level = self._measure.effect(list(self._recent)[-since:])

    def _look(self, suspicion: Suspicion, here: Mark) -> Finding | None:
        since = self.count - suspicion.best
        if since < _FEWEST:
            return None
        if since >= RECENT:
            self._suspicion = None
        effect = self._measure.effect(list(self._recent)[-since:])
        if self.level is None or effect.value > self.level.value:
            self.level = effect  # a few values can say that it is bad, not that all is well
        return Finding(
            self.subject,
            self.version,
            suspicion.detector,
            suspicion.statistic,
            suspicion.threshold,
            effect,
            self.min_effect,
            Span(*self._trail.around(suspicion.earliest, suspicion.latest + 1, now=here)),
            self._describe(effect),
        )

    def report(self) -> dict[str, Any]:
        """Return the stream's part of the state document."""
        effect = self.level
        return {
            "kind": self.subject.kind.value,
            "detector": self.detector,
            "count": self.count,
            "window": self._detectors[0].adwin.width,
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
            "measure": self._measure.snapshot(),
            "count": self.count,
            "detections": self.detections,
            "level": None if self.level is None else self.level.model_dump(),
            "detectors": [[detector.adwin.snapshot(), detector.afresh] for detector in self._detectors],
            "recent": pack(array("d", self._recent)),
            "trail": self._trail.snapshot(),
            "suspicion": self._suspicion,
            "regime": self._regime,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned, but for the measure, which was given to the constructor."""
        self.count = snapshot["count"]
        self.detections = snapshot["detections"]
        self.level = None if snapshot["level"] is None else Effect(**snapshot["level"])
        for detector, (adwin, afresh) in zip(self._detectors, snapshot["detectors"], strict=True):
            detector.adwin, detector.afresh = Adwin.restore(adwin), afresh
        self._recent.extend(unpack(snapshot["recent"]))
        self._trail = Trail.restore(snapshot["trail"])
        self._suspicion = None if snapshot["suspicion"] is None else Suspicion(*snapshot["suspicion"])
        self._regime = snapshot["regime"]


def restore_stream(new: Callable[[Measure], Stream], snapshot: dict[str, Any] | None) -> Stream | None:
    """Rebuild a stream from its snapshot, if there is one; `new` makes it for a measure."""
    if snapshot is None:
        return None
    stream = new(restore_measure(snapshot["measure"]))
    stream.restore(snapshot)
    return stream
