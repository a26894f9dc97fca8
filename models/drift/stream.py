"""What is found in one watched stream of numbers: detectors, and how it stands.

Detection and size are told apart. A detector says *that* something changed, often within a few dozen values of it, when
the size cannot be known yet; so from there on the effect is measured again every 32 values, until a window full of
values has come after the change, and each time the stream offers a `Finding`. Policy takes the first one that is large
enough. What detectors miss is found by how the stream stands (`driftline.models.kernels.standing`), and offered for as
long as it stands so.

What there is of its values, and what is normal of them, is in `driftline.models.drift.values`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.drift.finding import LEVEL, Finding, Span, Subject
from driftline.models.drift.place import Blocks, compared, may_be_of_the_hour, place
from driftline.models.drift.rank import blank_measure
from driftline.models.drift.trail import Mark, Trail, around
from driftline.models.drift.values import Values
from driftline.models.kernels import frequencies, ranked, standing
from driftline.models.kernels import measure as measures
from driftline.models.kernels import stream as kernels
from driftline.models.kernels.season import LEARNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from driftline.models.drift.listener import Listener
    from driftline.models.drift.measure import Measure
    from driftline.models.drift.streams import Streams
    from driftline.models.kernels.types import Doubles, Record
    from driftline.schemas.alerts import Effect

_FEWEST_AFTER: Final = 2 * kernels.BLOCK  # values that a detector of River has heard since it fired
_SLOW: Final = 8  # times the values since the largest step: evidence that is older is of no step

RANK_DETECTORS: Final = ("e_sr:rank", "e_sr:spread", "e_sr:beyond")
"""What watches a stream of ranks; the first is the one that most changes are found by.

It is fed the rank, where the values are. The second is fed how far ranks are from the middle: that is distributed like
the rank itself, and a change of unit about a mean of 0 moves only this. The third is fed whether a value lies outside
all that the reference had: where nine of ten values are 0, a change of unit of the tenth hardly moves a mean of ranks.
"""


CATEGORY_DETECTORS: Final = ("e_sr:frequency",)
"""What watches a stream of categories."""

NEVER: Final = math.inf
"""The events between two false alarms of a stream that is not to say anything by itself."""


class Stream(Values):
    """Watches one stream.

    Parameters
    ----------
    subject, version
        What the stream tells of.
    measure
        Maps values into [0, 1] and sizes a change against the reference.
    detectors
        The names that they have in alerts: `RANK_DETECTORS` of a `RankPsi`, any one of another measure.
    min_effect
        The size from which a change matters, in the measure's unit.
    describe
        Turns an effect into the words of an alert.
    listeners
        Detectors of River that are on the stream: see `follow`.
    streams
        Where its record is kept; one that is of no more use is given back by `close`.
    trail
        The marks of another stream that has each value at the same place; by default its own.
    has_hours
        Whether it is to be learned how hours of the day differ.
    has_weeks
        Whether what values were like is kept for a week.
    improves
        The sign of residuals that are for the better; 0: of none.

    """

    def __init__(  # noqa: PLR0913 - what one stream differs in from another
        self,
        subject: Subject,
        version: str,
        measure: Measure,
        *,
        detectors: Sequence[str],
        min_effect: float,
        describe: Callable[[Effect], str],
        listeners: Sequence[Listener] = (),
        streams: Streams | None = None,
        trail: Trail | None = None,
        has_hours: bool = False,
        has_weeks: bool = False,
        improves: int = 0,
    ) -> None:
        super().__init__(
            measure,
            min_effect=min_effect,
            streams=streams,
            trail=trail,
            has_hours=has_hours,
            has_weeks=has_weeks,
            improves=improves,
        )
        self.subject = subject
        self.version = version
        self.related: Sequence[Stream] = ()  # itself, and those that what changes it may change, too
        self.listeners = tuple(listeners)
        self._describe = describe
        self._detectors = tuple(detectors)
        self._covered = 0  # the time from which on the reference covers what is normal
        self._heard = 0  # values that listeners have had
        self._cells: list[float] = []
        self.promise(NEVER)

    def promise(self, events: float, covered: int = 0) -> None:
        """Let no more than one value in so many be a false alarm; `NEVER`: its own detectors say nothing.

        Up to the event time `covered` the reference may not have seen all that is normal: what changes no faster than
        the hours of a day may is not told before.
        """
        self._covered = covered
        self._wait_for_hours(0)
        evidence = self._record["evidence"]
        # The evidence of all categories is one sum; of other streams each detector and each side has its own.
        sides = 1 if self._kernels is frequencies else 2 * len(evidence) - int(evidence["rises_only"].sum())
        evidence["threshold"] = events * sides

    @property
    def detector(self) -> str:
        """The name of the first detector, by which the stream goes in the state document."""
        return self._detectors[0]

    @property
    def threshold(self) -> float:
        """What the evidence of its first detector must reach."""
        return float(self._record["evidence"][0]["threshold"])

    @property
    def detections(self) -> int:
        """How many changes its detectors have seen."""
        return int(self._record["detections"])

    @property
    def suspected(self) -> tuple[int, int]:
        """Between which of its values the change that was seen last began."""
        suspicion = self._record["suspicion"]
        return int(suspicion["earliest"]), int(suspicion["latest"])

    def update(self, value: float, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Take one finite value and where it stood; return a finding while a change is being sized, or has lasted."""
        rows = self._streams.banks[self.bank].rows
        trails = self._streams.trails.rows
        seen = self._kernels.update_at(
            rows, self.index, trails, *self._seasons, value, at, prediction_offset, label_offset
        )
        if seen == kernels.QUIET:
            return None
        return self.attend(seen, at, prediction_offset, label_offset)

    def attend(self, seen: int, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Do what is due after a value about which the kernel's `update` has returned `seen`."""
        record = self._record
        here = Mark(int(record["count"]), at, prediction_offset, label_offset)
        found = self._find(record, seen, here)
        if self._week is not None and here.nth % kernels.LEVEL_EVERY == 0:
            self._week.note(at, self._sum_up(record, kernels.LEVEL_EVERY), by_hour=self.is_by_hour)
        return found

    def _find(self, record: Record, seen: int, here: Mark) -> Finding | None:
        if seen >= kernels.FIRED:
            self._suspect(record, seen - kernels.FIRED, here)
            if here.nth % kernels.LEVEL_EVERY == 0:
                self._kernels.settle(record)
        if record["suspicion"]["open"]:
            return self._look(record, here, is_new=seen >= kernels.FIRED)
        lasting = record["standing"]["lasting"]
        if not lasting["found"] or here.at < self._covered or self._lasts_from_before(record, here):
            return None
        effect = self._effect(float(lasting["value"]), float(lasting["after"]))
        span = int(lasting["earliest"]), int(lasting["latest"])
        values = self._lasting_window(record) * kernels.RECENT
        found = self._finding(LEVEL, (effect.value, self.min_effect), span, effect, here, values)
        return replace(found, better=self._is_for_the_better(float(lasting["after"])))

    def _lasts_from_before(self, record: Record, here: Mark) -> bool:
        """Return whether what has lasted may be a week's end before the reference covered it, of which none tells."""
        if self._week is None:
            return False
        values = 2 * self._lasting_window(record) * kernels.RECENT
        began, _ = around(self.trail.record, max(here.nth - values, 0), here.nth, now=here)
        return began.at < self._covered

    def _lasting_window(self, record: Record) -> int:
        """Return of how many panes the window is, two of which say that something has lasted."""
        held = record["standing"]
        windows = zip(standing.WINDOWS, held["least"].tolist(), strict=True)
        return next((n for n, least in windows if held["kept"] >= 2 * n and least >= self.min_effect), 1)

    def follow(self, at: int, prediction_offset: int, label_offset: int) -> list[Finding]:
        """Let River's detectors have the newest value, if that is new to them; return what they have found.

        They are fed what the first of the stream's own is fed: a rank, an error as 0 or 1, a residual mapped into [0,
        1]; but each value as it comes, where that takes several at a time. What they find is placed where it has taken
        all that there is.

        Raises
        ------
        LookupError
            If there have been more values than one since this was called last.

        """
        record = self._record
        here = Mark(int(record["count"]), at, prediction_offset, label_offset)
        if here.nth == self._heard:
            return []
        if here.nth != self._heard + 1:
            raise LookupError(f"values {self._heard + 1} to {here.nth - 1} were not heard")
        self._heard = here.nth
        fed = self._unit(record, self._kernels.newest(record))
        found = []
        for listener in self.listeners:
            listener.update(fed, here.nth)
            # It may be so quick that nothing after the change is in a block yet.
            heard = here.nth - (here.nth if listener.fired is None else listener.fired)
            if heard >= _FEWEST_AFTER and here.nth % kernels.LOOK_EVERY == 0:
                found.append(self._hear(record, listener, heard, here))
        return found

    def _unit(self, record: Record, value: float) -> float:
        """Map a value as the kernel does, which takes longer to be called from Python."""
        kind = record["measure"]["kind"]
        if kind == measures.SHARE:
            return value
        if kind == measures.RESIDUAL:
            return (value + 1.0) / 2.0
        cells = self._cells = self._cells or record["measure"]["cells"].tolist()
        return (bisect_left(cells, value) + bisect_right(cells, value)) / (2.0 * measures.CELLS)

    def _hear(self, record: Record, listener: Listener, heard: int, here: Mark) -> Finding:
        """Place and size what a detector has found so many values ago."""
        found = place(self._blocks(record, 0), listener.regime, None)
        since = min(here.nth - found.best, kernels.RECENT)
        effect, better = self._size(record, since)
        if heard >= kernels.RECENT:
            listener.settle(found.best)
        evidence, span = (found.difference, 0.0), (found.earliest, found.latest)
        return replace(self._finding(listener.name, evidence, span, effect, here, since), better=better)

    def _suspect(self, record: Record, fired: int, here: Mark) -> None:
        blocks = self._blocks(record, fired)
        if here.at < self._covered and self._may_be_of_the_hour(record, fired, blocks, here):
            record["held"] += 1
            return
        found = place(blocks, int(record["regime"]), int(record["calm"]))
        record["detections"] += 1
        if sum(stream.detections for stream in self.related) == 1:
            for stream in self.related:
                stream.learn_hours_anew()
        best = record["regime"] = found.best
        panes = max(here.nth // kernels.RECENT * kernels.RECENT - best, 0) // kernels.RECENT
        standing.restart(record["standing"], found.earliest, panes)
        evidence = float(record["seen"]), float(record["enough"])
        is_early = here.at < self._covered
        record["suspicion"] = (1, fired, *evidence, found.earliest, found.best, found.latest, is_early)

    def learn_hours_anew(self) -> None:
        """Let no values from before a change tell how hours differ: with those after it they would be the hours.

        After the first one alone: where hours differ at once each evening is a change, until they are known.
        """
        hours = self._hours
        if hours is not None and hours["state"] == LEARNS and hours["reference"].any():
            hours["values"] = 0
            hours["by_hour"] = 0

    def _may_be_of_the_hour(self, record: Record, fired: int, blocks: Blocks, here: Mark) -> bool:
        best = place(blocks, int(record["regime"]), None).best
        if record["calm"] > _SLOW * (here.nth - best):  # evidence of it is much older than the largest step
            return True
        parts = compared(blocks, best)
        began, _ = around(self.trail.record, max(here.nth - sum(parts) * blocks.size, 0), here.nth, now=here)
        # How much lies beyond all that the reference had says nothing of how much may at another hour.
        is_bounded = self._kernels is not ranked or fired != ranked.BEYOND
        return may_be_of_the_hour(blocks, parts, float(record["variance"]), here.at - began.at, is_bounded=is_bounded)

    def _look(self, record: Record, here: Mark, *, is_new: bool) -> Finding:
        suspicion = record["suspicion"]
        since = here.nth - int(suspicion["best"])  # at least a block
        is_last = since >= kernels.RECENT and not is_new
        if is_last:
            suspicion["open"] = 0
        effect, better = self._size(record, since)
        if is_new:
            # These values were chosen for standing out: by chance alone they would seem large. So they are to be surely
            # so; others will come.
            surely = abs(self._kernels.effect(record, since, measures.OF_CHOSEN)[0])
            if surely < self.min_effect:
                effect = effect.model_copy(update={"value": min(surely, effect.value)})
        evidence = float(suspicion["statistic"]), float(suspicion["threshold"])
        span = int(suspicion["earliest"]), int(suspicion["latest"])
        detector = self.detector if self._kernels is frequencies else self._detectors[suspicion["detector"]]
        # What was found before the reference covers what is normal stays that.
        values = min(since, kernels.RECENT)
        finding = self._finding(detector, evidence, span, effect, here, values, early=bool(suspicion["early"]))
        return replace(finding, better=better, last=is_last)

    def _doubt(self, effect: Effect, values: int, summed: Doubles, here: Mark) -> str:
        """Return why so many of the last values may be as they are each week; nothing if they are not."""
        if self._week is None or effect.value < self.min_effect:
            return ""
        began, _ = around(self.trail.record, max(here.nth - values, 0), here.nth, now=here)
        was_so = self._week.was_so(self._record["measure"], self.min_effect, began.at, here.at, summed)
        return "as it was so at this time of the week before, too" if was_so else ""

    def _finding(  # noqa: PLR0913, PLR0917 - what a finding is made of
        self,
        detector: str,
        evidence: tuple[float, float],
        span: tuple[int, int],
        effect: Effect,
        here: Mark,
        values: int,
        *,
        early: bool = False,
    ) -> Finding:
        earliest, latest = span
        summed = self._sum_up(self._record, values)
        doubt = self._doubt(effect, values, summed, here)
        if (apart := self._distances(summed)) is not None:
            effect = effect.model_copy(update={"distances": apart})
        return Finding(
            self.subject,
            self.version,
            detector,
            *evidence,
            effect,
            self.min_effect,
            Span(*around(self.trail.record, earliest, latest + 1, now=here)),
            self._describe(effect),
            early=early or here.at < self._covered,
            doubt=doubt,
        )

    def report(self) -> dict[str, Any]:
        """Return what there is of it in the state document."""
        evidence = self._record["evidence"]
        strongest = evidence[int(np.argmax(evidence["total"]))]
        told = float(strongest["total"]), float(strongest["threshold"])
        return self._report(self.detector, self.count, self.detections, told)

    def reports(self) -> Iterator[dict[str, Any]]:
        """Yield the same, if its own detectors are not off, and of each of River's."""
        if self._record["evidence"][0]["threshold"] < NEVER:
            yield self.report()
        for listener in self.listeners:
            yield self._report(listener.name, self.count - listener.begun, listener.detections, (None, None))

    def _report(
        self, detector: str, count: int, detections: int, told: tuple[float | None, float | None]
    ) -> dict[str, Any]:
        effect = self.level
        return {
            "kind": self.subject.kind.value,
            "detector": detector,
            "count": count,
            "evidence": told[0],
            "threshold": told[1],
            "detections": detections,
            "held": int(self._record["held"]),
            "measure": None if effect is None else effect.measure,
            "effect": None if effect is None else effect.value,
            "before": None if effect is None else effect.before,
            "after": None if effect is None else effect.after,
            "min_effect": self.min_effect,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        stored = super().snapshot()
        if self.listeners:
            stored["river"] = {listener.name: listener.snapshot() for listener in self.listeners}
        return stored

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned, but for what the configuration says."""
        super().restore(snapshot)
        self._heard = self.count
        self._cells = []
        stored = snapshot.get("river", {})
        for listener in self.listeners:
            listener.restore(stored.get(listener.name), self._heard)


def restore_stream(new: Callable[[Measure], Stream], snapshot: dict[str, Any] | None) -> Stream | None:
    """Rebuild a stream from its snapshot, if there is one; `new` makes it for a measure."""
    if snapshot is None:
        return None
    stream = new(blank_measure(*snapshot["measure"]))
    stream.restore(snapshot)
    return stream
