"""The values of one watched stream: the recent ones, what is normal of them, and where they stand.

What every value passes is in `driftline.models.kernels`: `ranked`, `shares`, `residuals`, `losses` and `frequencies`.
What is rare is here, and what is found in them in `driftline.models.drift.stream`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.drift.distances import distances
from driftline.models.drift.packed import pack_record, unpack_record
from driftline.models.drift.place import Blocks
from driftline.models.drift.streams import Streams
from driftline.models.drift.trail import Trail
from driftline.models.drift.week import Week
from driftline.models.kernels import frequencies, losses, ranked, residuals, shares, standing
from driftline.models.kernels import measure as measures
from driftline.models.kernels import stream as kernels
from driftline.models.kernels.season import DAILY, FLAT, LEARNS
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure
    from driftline.models.kernels.types import Doubles, Record
    from driftline.schemas.alerts import Distances

_KINDS: Final[tuple[Any, ...]] = (ranked, shares, residuals, losses, frequencies)
"""By bank, the module of its kernels."""


class Values(ABC):
    """The values of one stream, in a record among others of its kind; see `Stream` for what it is made of."""

    def __init__(  # noqa: PLR0913 - what one stream differs in from another
        self,
        measure: Measure,
        *,
        min_effect: float,
        streams: Streams | None,
        trail: Trail | None,
        has_hours: bool,
        has_weeks: bool,
        improves: int,
    ) -> None:
        self.min_effect = min_effect
        self._improves = improves
        self._measure_name = measure.name
        self._streams = Streams() if streams is None else streams
        self.bank = kernels.BANKS[measure.kind]
        self._kernels = _KINDS[self.bank]
        self.index = self._streams.open(self, self.bank)
        self._has_own_trail = trail is None
        self.trail = (Trail(self._streams.trails) if trail is None else trail).hold()
        record = self._record
        record["trail"] = self.trail.index
        record["measure"] = measure.record
        record["min_effect"] = min_effect
        self._week = Week() if has_weeks else None
        record["weekly"] = has_weeks
        self._season: int | None = None
        of_distributions = measure.kind in {measures.PSI, measures.SHIFT}
        if (hours := self._hours) is not None:
            hours["state"] = LEARNS if has_hours and not of_distributions else FLAT
        if "season" in record.dtype.names:
            record["season"] = ranked.NONE
        if has_hours and of_distributions:
            self._season = record["season"] = self._streams.seasons.allocate()
        if len(record["evidence"]) > ranked.BEYOND:
            record["evidence"][ranked.BEYOND]["rises_only"] = 1
        standing.restart(record["standing"], 0, 0)

    @abstractmethod
    def attend(self, seen: int, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Do what is due after a value about which the kernel's `update` has returned `seen`."""

    def _wait_for_hours(self, values: int) -> None:
        """Let no fewer values than that tell whether hours differ."""
        if (hours := self._hours) is not None:
            hours["enough"] = values
        if self._season is not None:
            self._streams.seasons.rows[self._season]["enough"] = values

    def learn(self, values: Sequence[float], more: int = 0) -> None:
        """Take the first values of the reference, in their order; kernels go on with the rest of it.

        Of `more` that are to come, half tell how hours of the day differ, and half what is left then.
        """
        self._wait_for_hours(more // 2)
        self._record["measure"]["bins"] = 0  # of the whole reference: these are counted with the others
        rows = self._streams.banks[self.bank].rows
        self._kernels.learn_all(rows, self.index, *self._seasons, np.array(values, float))
        evidence = self._record["evidence"]
        if len(evidence) > ranked.BEYOND and self.learned >= kernels.CLOCK:
            # None of them lies beyond them all, as two of as many others would.
            evidence[ranked.BEYOND]["centre"]["total"] += 2.0

    def start(self, share: float, values: int) -> None:
        """Take it for known what share of ones there is normally, from so many values, however they came."""
        record = self._record
        record["measure"]["before"], record["measure"]["reference"] = share, values
        centre = record["evidence"][0]["centre"]
        centre["total"], centre["count"] = share * values, values

    def complete(self, values: int, before: float | None = None) -> None:
        """Take it for known what so many values of the reference were on average, and of how many that tells.

        Where hours differ it is known already, of all hours alike.
        """
        hours, measure = self._hours, self._record["measure"]
        if hours is not None and hours["state"] == LEARNS and self._kernels is not frequencies:
            self._note_hours(hours)
        if self.is_by_hour:
            return
        measure["reference"] = values
        if before is not None:
            measure["before"] = before

    def _note_hours(self, hours: Record) -> None:
        """Note of which hours the reference is; where no times of it are known, nothing can be told of hours."""
        if not hours["values"]:
            hours["state"] = FLAT
            return
        hours["reference"] = hours["by_hour"][:, 0]
        if self._kernels is not shares:
            hours["base"] = hours["by_hour"][:, 1].sum() / hours["by_hour"][:, 0].sum()

    def start_frequencies(self, counts: Sequence[int]) -> None:
        """Take it for known how often each category comes normally, by its count; the order of none is known.

        Where hours differ it is known already, of all hours alike.
        """
        if self.is_by_hour:
            return
        record = self._record
        record["measure"]["bins"] = 0
        record["measure"]["bins"][: len(counts)] = counts
        record["measure"]["reference"] = sum(counts)
        if self.learned == 0:
            evidence = record["evidence"][0]
            evidence["counts"][: len(counts)], evidence["count"] = counts, sum(counts)

    @property
    def measure(self) -> Record:
        """The record of its measure: what of the reference it still lacks may be written there."""
        return self._record["measure"]

    def close(self) -> None:
        """Give the record back; nothing may be asked of the stream any more."""
        self._end_season()
        self.trail.release()
        self._streams.close(self.bank, self.index)

    def _end_season(self) -> None:
        if self._season is not None:
            self._streams.seasons.free(self._season)
            self._season = None

    @property
    def _record(self) -> Record:
        return self._streams.banks[self.bank].rows[self.index]

    @property
    def _seasons(self) -> tuple[Any, ...]:
        """What kernels take beside the records of a kind that may have a season."""
        return (self._streams.seasons.rows,) if self._kernels is ranked or self._kernels is losses else ()

    @property
    def _hours(self) -> Record | None:
        """What is known of its hours, where that stands in its own record; of distributions a season has it."""
        record = self._record
        return record["hours"] if "hours" in record.dtype.names else None

    @property
    def count(self) -> int:
        """How many values there have been."""
        return int(self._record["count"])

    @property
    def learned(self) -> int:
        """How many values of the reference it has learned from."""
        return int(self._record["learned"])

    @property
    def level(self) -> Effect | None:
        """How it stands; None until enough values have come."""
        level = self._record["level"]
        if not level["known"]:
            return None
        after = float(level["after"])
        return self._effect(0.0 if self._is_for_the_better(after) else float(level["value"]), after)

    @property
    def better(self) -> float:
        """How much better it is than the reference, as an estimate: a smaller loss, or a residual that says so."""
        level, measure = self._record["level"], self._record["measure"]
        if not level["known"]:
            return 0.0
        if measure["kind"] not in {measures.SHARE, measures.MEAN}:
            return float(level["value"]) if self._is_for_the_better(float(level["after"])) else 0.0
        smaller = max(float(measure["before"]) - float(level["after"]), 0.0)
        return smaller if measure["kind"] == measures.SHARE or smaller == 0.0 else smaller / float(measure["before"])

    def _is_for_the_better(self, residual: float) -> bool:
        return self._improves * residual > 0.0

    def _effect(self, value: float, after: float) -> Effect:
        before = float(self._record["measure"]["before"])
        if self._kernels is frequencies:
            _, before, after = self.moved()
        return Effect(measure=self._measure_name, value=value, before=before, after=after)

    def moved(self) -> tuple[int, float, float]:
        """Return which category of a `CategoryPsi` has moved most, how frequent it was, and how frequent it is now."""
        return frequencies.moved(self._record)

    def recent_ones(self) -> list[int]:
        """Return which of the last values of a `ShareGrowth` are ones, counted from 1; right when detectors are due."""
        return shares.recent_ones(self._record)

    def newest(self, values: int) -> list[float]:
        """Return the last values of a stream of numbers, so many or as many as are kept, oldest first."""
        record = self._record
        places = np.arange(max(self.count - values, self.count - kernels.RECENT, 0), self.count)
        newest: list[float] = record["recent"][places % kernels.RECENT].tolist()
        return newest

    @property
    def is_by_hour(self) -> bool:
        """Whether values are kept as what they are without their hour."""
        hours = self._hours
        if hours is not None and hours["state"] == DAILY:
            return True
        return self._season is not None and int(self._streams.seasons.rows[self._season]["state"]) == DAILY

    @property
    def has_hourly_mean(self) -> bool:
        """Whether what is known of its hours are means, or shares of ones, that are held against the reference's."""
        return self._record["measure"]["kind"] in {measures.SHARE, measures.RESIDUAL, measures.MEAN}

    def _blocks(self, record: Record, detector: int) -> Blocks:
        """Return the newest values as a detector was fed them: the last is the last that it has taken."""
        bits = self._kernels in {shares, frequencies} or (self._kernels is ranked and detector == ranked.BEYOND)
        return Blocks(self._kernels.blocks(record, detector), self._kernels.BLOCK, int(record["count"]), bits)

    def _size(self, record: Record, since: int) -> tuple[Effect, bool]:
        """Measure the last values, and whether they are better than the reference."""
        value, after = self._kernels.effect(record, since, measures.STANDARD_ERRORS)
        effect = self._effect(abs(value), after)
        level, is_better = record["level"], value < 0.0 or self._is_for_the_better(after)
        was_better = self._is_for_the_better(float(level["after"]))
        turned = was_better and not is_better and value >= self.min_effect
        # A few values can say that it is bad, not that all is well.
        if not level["known"] or value > level["value"] or turned:
            record["level"] = (1, max(value, 0.0), effect.after)
        return effect, is_better

    def _sum_up(self, record: Record, values: int) -> Doubles:
        """Return the tally of the last values: of more than are kept, that of the panes that they fill."""
        summed = np.zeros(len(record["standing"]["panes"][0]))
        if values > kernels.RECENT:
            standing.add_up(record["standing"], record["measure"], values // kernels.RECENT, 0, summed)
        else:
            self._kernels.sum_up(record, values, summed)
        return summed

    def _distances(self, summed: Doubles) -> Distances | None:
        """Return how far what was summed up is from the reference, of distributions."""
        measure = self._record["measure"]
        if measure["kind"] not in {measures.PSI, measures.FREQUENCY}:
            return None
        return distances(measure["bins"], summed, ordered=bool(measure["kind"] == measures.PSI))

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        record = self._record
        kind = int(record["measure"]["kind"])
        stored: dict[str, Any] = {
            "measure": [kind, self._measure_name],
            "record": pack_record(record, "trail", *(["season"] if "season" in record.dtype.names else [])),
            "trail": self.trail.snapshot() if self._has_own_trail else None,
        }
        if self._season is not None:
            stored["season"] = self._pack_season(record)
        if self._week is not None:
            stored["week"] = self._week.snapshot()
        return stored

    def _pack_season(self, record: Record) -> bytes | None:
        if record["season"] == ranked.NONE:  # it is known that hours do not differ
            self._end_season()
            return None
        return pack_record(self._streams.seasons.rows[self._season])

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned, but for what the configuration says."""
        record = self._record
        min_effect, thresholds = float(record["min_effect"]), record["evidence"]["threshold"].copy()
        unpack_record(snapshot["record"], record)
        record["min_effect"] = min_effect
        record["weekly"] = self._week is not None
        if self._week is not None:
            self._week.restore(snapshot.get("week", [False, []]))
        record["evidence"]["threshold"] = thresholds
        record["trail"] = self.trail.index
        if "season" in record.dtype.names:
            self._restore_season(record, snapshot.get("season"))
        if self._has_own_trail:
            self.trail.restore(snapshot["trail"])

    def _restore_season(self, record: Record, stored: bytes | None) -> None:
        if stored is None:
            self._end_season()
            record["season"] = ranked.NONE
        elif self._season is not None:
            record["season"] = self._season
            unpack_record(stored, self._streams.seasons.rows[self._season])
