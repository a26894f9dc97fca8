"""One watched stream of numbers: detectors, the recent values, and where they stood.

Detection and size are told apart. A detector says *that* something changed, often within a few dozen values of it, when
the size cannot be known yet; so from there on the effect is measured again every 32 values, until a window full of
values has come after the change, and each time the stream offers a `Finding`. Policy takes the first one that is large
enough. What detectors miss is found by how the stream stands (`standing.py`), and offered for as long as it stands so.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.drift.adwin import Adwin
from driftline.models.drift.change import locate
from driftline.models.drift.finding import LEVEL, Finding, Span, Subject
from driftline.models.drift.rank import restore_measure
from driftline.models.drift.standing import Lasting, Standing
from driftline.models.drift.thinned import pack, unpack
from driftline.models.drift.trail import FINEST, Mark, Trail
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.models.drift.measure import Measure

RECENT: Final = 512
"""Values by which the size of a change is measured."""

_LOOK_EVERY: Final = 32
_LEVEL_EVERY: Final = 256  # a multiple of the former, and that one of FINEST
_BLOCK: Final = 16  # values; a multiple of FINEST
_BLOCKS: Final = 128
_FEWEST_BLOCKS: Final = 4


def location(unit: float) -> float:
    """Return what a detector is fed that watches where the values are."""
    return unit


def spread(unit: float) -> float:
    """Return what a detector is fed that watches how far the values are from the middle.

    Of a rank it is distributed like the rank itself; a change of unit about a mean of 0 moves only this.
    """
    return abs(2.0 * unit - 1.0)


def beyond(unit: float) -> float:
    """Return what a detector is fed that watches how many values lie outside all that the reference had.

    Where nine of ten values are 0, a change of unit of the tenth hardly moves a mean of ranks.
    """
    return 0.0 if 0.0 < unit < 1.0 else 1.0


RANK_DETECTORS: Final = {"adwin:rank": location, "adwin:spread": spread, "adwin:beyond": beyond}
"""What watches a stream of ranks; the first is the one that most changes are found by."""


class Detector:
    """An ADWIN, what it is fed, and the sums of the last 128 blocks of that, by which a change is located."""

    __slots__ = ("adwin", "blocks", "fed", "name", "open_block")

    def __init__(self, name: str, fed: Callable[[float], float], delta: float) -> None:
        self.name = name
        self.fed = fed
        self.adwin = Adwin(delta)
        self.blocks: deque[float] = deque(maxlen=_BLOCKS)
        self.open_block = 0.0

    def close_block(self) -> None:
        """Begin a new block."""
        self.blocks.append(self.open_block)
        self.open_block = 0.0

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self.adwin.snapshot(), pack(array("d", self.blocks)), self.open_block]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        adwin, blocks, self.open_block = snapshot
        self.adwin = Adwin.restore(adwin)
        self.blocks.extend(unpack(blocks))


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
        By the name they have in alerts: what each is fed (`location`, `spread`, `beyond`).
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
        self._standing = Standing(measure, min_effect, RECENT)
        self._trail = Trail()
        self._suspicion: Suspicion | None = None
        self._regime = 0  # the count after which the newest change is thought to have begun
        self._afresh = 0  # the count at which the detectors last began afresh

    @property
    def detector(self) -> str:
        """The name of the first detector, by which the stream goes in the state document."""
        return self._detectors[0].name

    def update(self, value: float, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Take one finite value and where it stood; return a finding while a change is being sized, or has lasted."""
        self.count = count = self.count + 1
        self._recent.append(value)
        unit = self._unit(value)
        fired = None
        for detector in self._detectors:
            fed = detector.fed(unit)
            detector.open_block += fed
            if detector.adwin.update(fed):
                fired = detector
        if count % FINEST and fired is None and count > 1:
            return None
        return self._update_at(Mark(count, at, prediction_offset, label_offset), fired)

    def _update_at(self, here: Mark, fired: Detector | None) -> Finding | None:
        self._trail.note(here)
        if self.count % _BLOCK == 0:
            for detector in self._detectors:
                detector.close_block()
        if fired is not None:
            self._suspect(fired)
        lasting = None
        if self.count % _LEVEL_EVERY == 0:
            lasting = self._settle()
        if self._suspicion is not None and (fired is not None or self.count % _LOOK_EVERY == 0):
            return self._look(self._suspicion, here)
        if lasting is None:
            return None
        effect, earliest, latest = lasting
        return self._finding(Suspicion(LEVEL, effect.value, self.min_effect, earliest, latest, latest), effect, here)

    def _suspect(self, detector: Detector) -> None:
        self.detections += 1
        sums = list(detector.blocks)
        last = self.count // _BLOCK
        # Before the newest change there is nothing to compare with; a new one right after it has but a few blocks.
        sums = sums[-max(last - self._regime // _BLOCK, _FEWEST_BLOCKS) :]
        change = locate(sums, size=_BLOCK, window=self.count - self._afresh, delta=detector.adwin.delta)
        first = last - len(sums)
        # A change in the middle of a block may be seen at either end of it.
        earliest, latest = (first + change.earliest - 1) * _BLOCK, (first + change.latest + 1) * _BLOCK
        if change.earliest == 1:  # it may have begun before these blocks: ADWIN knows where its window was cut
            earliest = min(earliest, max(self.count - detector.adwin.width, self._regime))
        self._afresh = self.count
        for other in self._detectors:  # they would find the same change again, and have nothing to locate it by
            other.adwin.restart()
        self._regime = (first + change.best) * _BLOCK
        self._standing.restart(earliest, max(self.count // RECENT * RECENT - self._regime, 0))
        self._suspicion = Suspicion(
            detector.name,
            change.statistic,
            change.threshold,
            earliest,
            self._regime,
            latest,
        )

    def _settle(self) -> Lasting | None:
        """Measure where the stream stands, once enough values have come since the newest change."""
        since = self.count - self._regime
        if since < _LEVEL_EVERY:
            return None
        recent = list(self._recent)[-since:]
        tally, lasting = self._measure.tally(recent), None
        if len(recent) == RECENT and self.count % RECENT == 0:
            lasting = self._standing.update(recent, tally, self.count)
        self.level = self._standing.farthest(recent, tally)
        return lasting

    def _look(self, suspicion: Suspicion, here: Mark) -> Finding:
        since = self.count - suspicion.best  # at least a block
        if since >= RECENT:
            self._suspicion = None
        effect = self._measure.effect(list(self._recent)[-since:])
        if self.level is None or effect.value > self.level.value:
            self.level = effect  # a few values can say that it is bad, not that all is well
        return self._finding(suspicion, effect, here)

    def _finding(self, suspicion: Suspicion, effect: Effect, here: Mark) -> Finding:
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
            "detectors": [detector.snapshot() for detector in self._detectors],
            "recent": pack(array("d", self._recent)),
            "standing": self._standing.snapshot(),
            "trail": self._trail.snapshot(),
            "suspicion": self._suspicion,
            "regime": self._regime,
            "afresh": self._afresh,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned, but for the measure, which was given to the constructor."""
        self.count = snapshot["count"]
        self.detections = snapshot["detections"]
        self.level = None if snapshot["level"] is None else Effect(**snapshot["level"])
        for detector, stored in zip(self._detectors, snapshot["detectors"], strict=True):
            detector.restore(stored)
        self._recent.extend(unpack(snapshot["recent"]))
        self._standing.restore(snapshot["standing"])
        self._trail = Trail.restore(snapshot["trail"])
        self._suspicion = None if snapshot["suspicion"] is None else Suspicion(*snapshot["suspicion"])
        self._regime = snapshot["regime"]
        self._afresh = snapshot["afresh"]


def restore_stream(new: Callable[[Measure], Stream], snapshot: dict[str, Any] | None) -> Stream | None:
    """Rebuild a stream from its snapshot, if there is one; `new` makes it for a measure."""
    if snapshot is None:
        return None
    stream = new(restore_measure(snapshot["measure"]))
    stream.restore(snapshot)
    return stream
