"""Parts of a version's pairs, each watched by itself: by the value of a segment, and by the class of the label.

A model may be as good as ever on the whole, and no good for a few. So the loss of each slice is compared with what it
was for the same slice. Which slices there are is told by the first quarter of the reference, and those that have
too few pairs in the rest of it are not watched; `driftline.models.kernels.slices` says how pairs find theirs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.drift.budget import SLICES, between
from driftline.models.drift.finding import Subject
from driftline.models.drift.measure import ShareGrowth
from driftline.models.drift.rank import MeanGrowth
from driftline.models.drift.stream import Stream, restore_stream
from driftline.models.kernels.slices import MOST_SLICES, NONE, key_of_class
from driftline.models.watch import wording
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.models.arena import Arena
    from driftline.models.drift.measure import Measure
    from driftline.models.kernels.types import Record
    from driftline.schemas.config import ModelConfig

_FEWEST: Final = 100  # pairs of the reference, of which a rate of errors says anything


class Slice(NamedTuple):
    """What a pair is of: the value of a segment, or, where there is no attribute, the class of its label."""

    attribute: str | None
    value: str

    @property
    def target(self) -> Target:
        """What alerts say that it is.

        Examples
        --------
        >>> Slice("region", "eu").target.as_text(), Slice(None, "cat").target.as_text()
        ('segment region=eu', 'class cat')

        """
        if self.attribute is None:
            return Target(class_=self.value)
        return Target(segment=f"{self.attribute}={self.value}")


class Slices:
    """The slices of one version.

    By its key the pairs of a slice are known: the record of its counters, or what `key_of_class` says.

    Parameters
    ----------
    task, version, config
        What the model is, which version this is, and how it is watched.
    arena, index
        Where the numbers are, and which record there is the version's.

    """

    def __init__(self, task: Task, version: str, config: ModelConfig, arena: Arena, index: int) -> None:
        self._task = task
        self._version = version
        self._config = config
        self._arena = arena
        self._version_index = index
        self._index: int | None = None
        self._streams: dict[Slice, Stream] = {}
        arena.versions.rows[index]["slices"] = NONE

    @property
    def _record(self) -> Record:
        return self._arena.slices.rows[self._index]

    def streams(self) -> Iterator[Stream]:
        """Yield what is watched."""
        yield from self._streams.values()

    def begin(self, keys: Mapping[Slice, int], losses: Sequence[float]) -> None:
        """Let slices learn from the rest of the reference, the first ones of `keys` if there are too many.

        The first losses of all pairs tell which are large.
        """
        if self._index is not None or not keys or not self._config.detectors.error:
            return
        for each in list(keys)[:MOST_SLICES]:
            self._streams[each] = self._stream(each, self._measure(losses))
        self._place(keys)

    def _measure(self, losses: Sequence[float]) -> Measure:
        if self._task is Task.REGRESSION:
            return MeanGrowth.of("relative_mae", losses)
        return ShareGrowth("error_rate", 0.0, 1)

    def _place(self, keys: Mapping[Slice, int]) -> None:
        """Tell kernels where the streams are, and which pairs are theirs."""
        if self._index is None:
            self._index = self._arena.slices.allocate()
            self._arena.versions.rows[self._version_index]["slices"] = self._index
        record = self._record
        record["count"] = len(self._streams)
        record["bank"] = next((stream.bank for stream in self._streams.values()), 0)
        for nth, (each, stream) in enumerate(self._streams.items()):
            record["key"][nth] = keys.get(each, NONE)
            record["stream"][nth] = stream.index

    def freeze(self) -> None:
        """End the reference; slices that had too few pairs of it are not watched."""
        if self._index is None:
            return
        record = self._record
        keys = dict(zip(self._streams, record["key"].tolist(), strict=False))
        sums = dict(zip(self._streams, record["sum"].tolist(), strict=False))
        for each, stream in list(self._streams.items()):
            if stream.learned < _FEWEST:
                self._streams.pop(each).close()
                continue
            stream.complete(stream.learned, sums[each] / stream.learned)
        self._place(keys)

    def promise(self, events: int, covered: int) -> None:
        """Share what false alarms there may be: a pair has one value of each attribute, and one class."""
        among = len({each.attribute for each in self._streams})
        for stream in self._streams.values():
            is_watched = bool(self._config.detectors.error)
            stream.promise(between(events, SLICES, among=among, is_watched=is_watched), covered)

    def _stream(self, which: Slice, measure: Measure) -> Stream:
        effects = self._config.alerts.min_effect
        is_number = self._task is Task.REGRESSION
        describe = wording.larger_errors if is_number else wording.more_errors
        return Stream(
            Subject(Kind.PERFORMANCE, which.target),
            self._version,
            measure,
            detectors=("e_sr:error",),
            min_effect=effects.relative_mae if is_number else effects.error_rate,
            describe=partial(describe, of=which.target),
            streams=self._arena.streams,
            has_hours=True,
            has_weeks=self._config.reference.spans_a_week,
        )

    def close(self) -> None:
        """Give back all records but that of the version."""
        for stream in self._streams.values():
            stream.close()
        if self._index is not None:
            self._arena.slices.free(self._index)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        sums = [] if self._index is None else self._record["sum"].tolist()
        return [
            [*each, total, stream.snapshot()]
            for (each, stream), total in zip(self._streams.items(), sums, strict=False)
        ]

    def restore(self, snapshot: list[Any], keys: Mapping[Slice, int]) -> None:
        """Take over what `snapshot` returned; by `keys` pairs come from now on."""
        sums = []
        for attribute, value, total, stored in snapshot:
            if attribute is not None and attribute not in self._config.segments:
                continue  # it is not configured any more
            each = Slice(attribute, value)
            stream = restore_stream(partial(self._stream, each), stored)
            if stream is not None:
                self._streams[each] = stream
                sums.append(total)
        if self._streams:
            self._place(keys)
            self._record["sum"][: len(sums)] = sums


def class_keys(classes: Sequence[str]) -> dict[Slice, int]:
    """Return the slices of a multiclass model by the class of the label, in the order of the numbers of classes."""
    return {Slice(None, name): key_of_class(number) for number, name in enumerate(classes)}
