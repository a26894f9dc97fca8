"""Whether a model treats the groups of an attribute alike: the gap between a rate of each and that of all others.

What is compared is the share of joined pairs that are treated in one way: of those whose label is positive, how many
are predicted so, and the like. Nothing of it needs a reference: a gap may have been there from the beginning.

A group's pairs are taken in blocks, each beside those of the other groups that came meanwhile, so that what happens to
all of them is no gap. Of a block the difference D of both rates is sub-Gaussian with the variance ``s = 1/4n + 1/4m``
(Hoeffding, 1963), however high the rates are. While the gap is no larger than is allowed,
``exp((d * (D - allowed) - d * d / 2) / s)`` is at most 1 on average for each d, so it is a factor of an e-detector as
in `driftline.models.kernels.e_sr` (Shin, Ramdas and Rinaldo, 2023): the mean number of blocks before a false alarm is
at least the threshold.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.drift.budget import FAIRNESS, between
from driftline.models.drift.change import locate
from driftline.models.drift.finding import LEVEL, Finding, Span, Subject
from driftline.models.drift.trail import Mark
from driftline.models.kernels.groups import BLOCK, MOST_GROUPS, NONE
from driftline.models.kernels.version import GAPS
from driftline.models.watch import wording
from driftline.models.watch.slices import Slice
from driftline.schemas.alerts import Effect, Kind
from driftline.schemas.config import FairnessMetric, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.models.arena import Arena
    from driftline.models.kernels.types import Record
    from driftline.schemas.config import ModelConfig

_BEYOND: Final = (0.03, 0.06, 0.12, 0.25)  # gaps beyond what is allowed that there is a bet for
_BLOCKS: Final = 8  # that tell how large a gap is
_KEPT: Final = 64  # that tell when it opened
_FEWEST: Final = 16  # pairs of all others, below which a block goes on
_ERRORS: Final = 2.0
_METRICS: Final = tuple(FairnessMetric)
"""In the order of the numbers that kernels have for them."""


class _Block(NamedTuple):
    """Pairs of a group, how many of them are ones, those of all others that came meanwhile, and where both ended."""

    n: int
    ones: int
    m: int
    others: int
    end: Mark

    @property
    def gap(self) -> float:
        return self.ones / self.n - self.others / self.m


@dataclass(slots=True)
class _Group:
    """A group: what its evidence has come to, its last blocks, where they began, and where its gap opened.

    `taken` are the counts of itself and of all when its last block ended.
    """

    subject: Subject
    which: Slice
    start: Mark
    opened: Span | None = None
    up: list[float] = field(default_factory=lambda: [0.0] * len(_BEYOND))
    down: list[float] = field(default_factory=lambda: [0.0] * len(_BEYOND))
    blocks: deque[_Block] = field(default_factory=deque)
    taken: tuple[int, int, int, int] = (0, 0, 0, 0)
    seen: float = 0.0
    detections: int = 0

    def keep(self, most: int) -> None:
        """Forget all but so many blocks."""
        while len(self.blocks) > most:
            self.start = self.blocks.popleft().end

    def last(self) -> list[_Block]:
        """Return the blocks that tell how large the gap is."""
        return list(self.blocks)[-_BLOCKS:]

    def place(self) -> Span:
        """Return between which places the gap opened, as far as the blocks tell."""
        ends = [self.start, *(block.end for block in self.blocks)]
        if len(self.blocks) == 1:
            return Span(*ends)
        found = locate([(1.0 + block.gap) / 2.0 for block in self.blocks], size=1)
        # A change within a block may be seen at either end of it. Pairs come in the order of their labels.
        after, before = ends[found.earliest - 1 :], ends[: found.latest + 2]
        return Span(Mark(*map(min, zip(*after, strict=True))), Mark(*map(max, zip(*before, strict=True))))


class Gaps:
    """The groups of one attribute of one version, by one rate.

    Parameters
    ----------
    attribute, metric, version, config
        Which attribute, by which rate, of which version, and how it is watched.
    arena
        Where the numbers are.
    among
        How many there are of these, which share what false alarms there may be.

    """

    def __init__(  # noqa: PLR0913, PLR0917 - what one differs in from another
        self, attribute: str, metric: FairnessMetric, version: str, config: ModelConfig, arena: Arena, among: int
    ) -> None:
        self.attribute = attribute
        self._metric = metric
        self._measure = f"{metric}_gap"
        self._detector = f"e_sr:{self._measure}"
        self._version = version
        self._max_gap = config.fairness.max_gap
        self._among = among
        self._arena = arena
        self._groups: list[_Group] = []
        self._threshold = math.inf
        self.index = arena.streams.open(self, GAPS)
        record = self._record
        record["metric"] = _METRICS.index(metric)
        record["place"] = 1 + config.segments.index(attribute)  # the first counters are those of the version
        self._events = config.alerts.events_between_false_alarms

    @property
    def _record(self) -> Record:
        return self._arena.streams.banks[GAPS].rows[self.index]

    def begin(self, keys: Mapping[Slice, int], at: int) -> None:
        """Compare the groups that there are so far."""
        if not self._groups:
            here = Mark(0, at, -1)
            self._groups = [self._group(each, here) for each in keys if each.attribute == self.attribute][:MOST_GROUPS]
            self._place(keys)

    def _group(self, which: Slice, start: Mark) -> _Group:
        return _Group(Subject(Kind.FAIRNESS, which.target, self._measure), which, start)

    def _place(self, keys: Mapping[Slice, int]) -> None:
        record = self._record
        record["count"] = len(self._groups)
        record["key"][: len(self._groups)] = [keys.get(group.which, NONE) for group in self._groups]
        self.promise()

    def attend(self, seen: int, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Take a block of the group with the number `seen`, which has just ended."""
        group, record = self._groups[seen], self._record
        all_pairs, all_ones = int(record["pairs"].sum()), int(record["ones"].sum())
        now = int(record["pairs"][seen]), int(record["ones"][seen]), all_pairs, all_ones
        n, ones, total, of_all = (after - before for after, before in zip(now, group.taken, strict=True))
        m, others = total - n, of_all - ones
        if m < _FEWEST:
            return None
        group.taken = now
        block = _Block(n, ones, m, others, Mark(now[0], at, prediction_offset, label_offset))
        group.blocks.append(block)
        group.keep(_KEPT)
        if group.opened is None:
            self._gather(group, block)
            return self._fire(group) if group.seen >= self._threshold else None
        effect, allowed, opened = self._effect(group), self._max_gap, group.opened
        if effect.value < allowed / 2:
            group.opened = None
            group.keep(_BLOCKS)  # those before them tell nothing of the next gap
        return self._finding(group, opened, LEVEL, (effect.value, allowed)) if effect.value >= allowed else None

    def _gather(self, group: _Group, block: _Block) -> None:
        difference, variance = block.gap, 0.25 / block.n + 0.25 / block.m
        allowed, weight = self._max_gap, 1.0 / len(_BEYOND)
        for side, evidence in ((1.0, group.up), (-1.0, group.down)):
            for nth, beyond in enumerate(_BEYOND):
                gained = (beyond * (side * difference - allowed) - beyond * beyond / 2.0) / variance
                evidence[nth] = min(math.exp(min(gained, 100.0)) * (evidence[nth] + weight), 1e100)
        group.seen = max(sum(group.up), sum(group.down))

    def _fire(self, group: _Group) -> Finding:
        opened = group.opened = group.place()
        group.detections += 1
        evidence = group.seen, self._threshold
        group.up, group.down, group.seen = [0.0] * len(_BEYOND), [0.0] * len(_BEYOND), 0.0
        return self._finding(group, opened, self._detector, evidence)

    def _effect(self, group: _Group) -> Effect:
        """Return the gap in the last blocks, the rate of all others, and that of the group."""
        n, ones, m, others = (sum(column) for column in zip(*(block[:4] for block in group.last()), strict=True))
        gap = abs(ones / n - others / m)
        error = _ERRORS * math.sqrt(_variance(ones, n) + _variance(others, m))
        interval = gap - error, gap + error
        return Effect(measure=self._measure, value=gap, interval=interval, before=others / m, after=ones / n)

    def _finding(self, group: _Group, opened: Span, detector: str, evidence: tuple[float, float]) -> Finding:
        effect = self._effect(group)
        said = wording.treated_otherwise(self._metric, group.which.target, effect)
        return Finding(group.subject, self._version, detector, *evidence, effect, self._max_gap, opened, said)

    def views(self) -> Iterator[GapView]:
        """Yield what is watched, group by group."""
        for group in self._groups:
            yield GapView(group.subject, self, group)

    def promise(self) -> None:
        """Share what false alarms there may be among all groups, each of which may be treated better or worse."""
        among = 2 * max(len(self._groups), 1)
        events = between(self._events, FAIRNESS / self._among, among=among)
        self._threshold = events / BLOCK

    def level(self, group: _Group) -> Effect | None:
        """Return how large the gap of a group was in its last blocks; None before the first."""
        return self._effect(group) if group.blocks else None

    def count(self, group: _Group) -> int:
        """Return how many pairs of a group there have been that count."""
        return int(self._record["pairs"][self._groups.index(group)])

    def report(self, group: _Group) -> dict[str, Any]:
        """Return what there is of a group in the state document."""
        effect = self.level(group)
        return {
            "kind": Kind.FAIRNESS.value,
            "detector": self._detector,
            "count": self.count(group),
            "evidence": group.seen,
            "threshold": self._threshold,
            "detections": group.detections,
            "held": 0,
            "measure": None if effect is None else effect.measure,
            "effect": None if effect is None else effect.value,
            "before": None if effect is None else effect.before,
            "after": None if effect is None else effect.after,
            "min_effect": self._max_gap,
        }

    def close(self) -> None:
        """Give the record back."""
        self._arena.streams.close(GAPS, self.index)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        record = self._record
        groups = [
            [
                group.which.value,
                group.start,
                group.opened,
                group.up,
                group.down,
                list(group.blocks),
                group.taken,
                group.seen,
                group.detections,
            ]
            for group in self._groups
        ]
        counts = {"pairs": record["pairs"].tolist(), "ones": record["ones"].tolist()}
        return {"compared": self._compared, "groups": groups, **counts}

    @property
    def _compared(self) -> list[Any]:
        """What evidence and rates are of."""
        return [self._metric.value, self._max_gap]

    def is_of(self, snapshot: dict[str, Any]) -> bool:
        """Return whether a snapshot is of what is looked for here."""
        return bool(snapshot["compared"] == self._compared)

    def restore(self, snapshot: dict[str, Any], keys: Mapping[Slice, int]) -> None:
        """Take over what `snapshot` returned, but only the groups if another gap is looked for by now.

        By `keys` pairs come from now on.
        """
        if not self.is_of(snapshot):
            whole = [Slice(self.attribute, value) for value, *_ in snapshot["groups"]]
            self._groups = [self._group(which, Mark(0, 0, -1)) for which in whole]
            self._place(keys)
            return
        self._record["pairs"], self._record["ones"] = snapshot["pairs"], snapshot["ones"]
        for value, start, opened, up, down, blocks, taken, *rest in snapshot["groups"]:
            group = self._group(Slice(self.attribute, value), Mark(*start))
            group.opened = None if opened is None else Span.restore(opened)
            group.up, group.down = list(up), list(down)
            group.blocks.extend(_Block(n, ones, m, others, Mark(*end)) for n, ones, m, others, end in blocks)
            group.taken = tuple(taken)
            group.seen, group.detections = rest
            self._groups.append(group)
        self._place(keys)


@dataclass(frozen=True, slots=True)
class GapView:
    """One group, as other streams are seen."""

    subject: Subject
    _gaps: Gaps
    _group: _Group
    better: float = 0.0  # a gap is no loss

    @property
    def level(self) -> Effect | None:
        """How large the gap was in the last blocks; None before the first."""
        return self._gaps.level(self._group)

    @property
    def count(self) -> int:
        """How many pairs of the group there have been."""
        return self._gaps.count(self._group)

    def reports(self) -> Iterator[dict[str, Any]]:
        """Yield what there is of it in the state document."""
        yield self._gaps.report(self._group)


def gaps_of(task: Task, version: str, config: ModelConfig, arena: Arena) -> list[Gaps]:
    """Return the attributes by which a model of a task is watched: rates of one class are those of two."""
    fitting = {Task.BINARY: frozenset(_METRICS), Task.MULTICLASS: frozenset({FairnessMetric.ERROR_RATE})}
    metrics = [metric for metric in config.fairness.metric if metric in fitting.get(task, ())]
    pairs = list(product(config.fairness.attributes, metrics))
    return [Gaps(attribute, metric, version, config, arena, len(pairs)) for attribute, metric in pairs]


def _variance(hits: int, pairs: int) -> float:
    guess = (hits + 1.0) / (pairs + 2.0)
    return guess * (1.0 - guess) / (pairs + 2.0)
