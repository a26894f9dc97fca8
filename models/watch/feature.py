"""One feature of one version: its quality and its drift, against the version's first events."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.arena import Arena
from driftline.models.drift.budget import FEATURES, QUALITY, between
from driftline.models.drift.finding import Subject
from driftline.models.drift.listener import listeners_on
from driftline.models.drift.measure import CategoryPsi, ShareGrowth
from driftline.models.drift.packed import pack_bytes, unpack_bytes
from driftline.models.drift.rank import RankPsi, complete
from driftline.models.drift.stream import CATEGORY_DETECTORS, RANK_DETECTORS, Stream, restore_stream
from driftline.models.drift.thinned import Thinned
from driftline.models.kernels import feature as kernels
from driftline.models.kernels.frequencies import REST
from driftline.models.kernels.measure import CELLS
from driftline.models.kernels.stream import QUIET, RECENT
from driftline.models.watch import wording
from driftline.models.watch.quality import Problem, read_category, read_number
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import FeatureConfig, FeatureKind
from driftline.schemas.river import Watched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure
    from driftline.models.drift.trail import Trail
    from driftline.models.kernels.types import Record
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig

_MOST_CATEGORIES: Final = 1000
_LONGEST_CATEGORY: Final = 64  # characters; of a longer one a hash is kept
_FEWEST_VALUES: Final = 50  # of the reference, below which ranks and shares say nothing
_PAGE: Final = 512  # values for which there is to be room at a time
_QUALITY_DETECTORS: Final = ("e_sr:bad",)
_ALIKE: Final = 16  # values in a row that tell
_ALIKE_CATEGORIES: Final = 64  # of which chance has more alike
_USUAL: Final = 0.5  # of the reference: what was so much of it is no constant
_NEARLY: Final = 32  # predictions before and after a change, in which what came may have come with it
_RARE: Final = 0.005  # share of a reference below which a category is one of the rest


@lru_cache(maxsize=4096)
def _target(name: str) -> Target:
    """Return what alerts say that a feature is: one for the features of that name of all models."""
    return Target(feature=name)


@lru_cache(maxsize=4096)
def _subject(kind: Kind, name: str) -> Subject:
    """Return what is watched of a feature, likewise."""
    return Subject(kind, _target(name))


class Feature:
    """Watches one feature.

    Until `freeze` values only teach what is normal; from there on they are compared with it.

    Parameters
    ----------
    missed
        How many predictions of the version came before the first that had the feature.
    arena
        Where its numbers are.

    """

    def __init__(  # noqa: PLR0913 - what one feature differs in from another
        self,
        name: str,
        kind: FeatureKind,
        version: str,
        config: ModelConfig,
        *,
        missed: int = 0,
        arena: Arena | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self._version = version
        self._config = config
        self._arena = Arena() if arena is None else arena
        self._frozen = False
        self._room = 0  # for values that come alone
        self._categories: dict[str, int] = {}  # how often each was in the reference
        self._cells: dict[str, int] = {}  # the numbers of the most frequent ones
        self._quality: Stream | None = None
        self._drift: Stream | None = None
        self._sample: Thinned | None = None
        self._marks: Trail | None = None
        self._latecomers: Mapping[str, int] = {}
        self.index = self._arena.features.allocate()
        limits = config.features.get(name) or FeatureConfig()
        record = self._record
        record["numeric"] = kind is FeatureKind.NUMERIC
        record["minimum"] = -math.inf if limits.min is None else limits.min
        record["maximum"] = math.inf if limits.max is None else limits.max
        record["problems"][Problem.MISSING] = missed
        record["sample"] = record["quality"] = record["drift"] = kernels.NONE
        if kind is FeatureKind.NUMERIC:
            self._begin_sample(Thinned(self._arena.samples, self._arena.pages))

    @property
    def _record(self) -> Record:
        return self._arena.features.rows[self.index]

    def close(self) -> None:
        """Give back all records; nothing may be asked of the feature any more."""
        for stream in self.streams():
            stream.close()
        self._end_sample()
        self._arena.features.free(self.index)

    def _begin_sample(self, sample: Thinned) -> None:
        self._sample = sample
        self._record["sample"] = sample.index

    def _end_sample(self) -> None:
        if self._sample is not None:
            self._sample.release()
            self._sample = None
            self._record["sample"] = kernels.NONE

    def reserve(self, values: int) -> None:
        """Make room for so many values more of the reference."""
        if self._sample is not None:
            self._sample.reserve(values)

    def read(self, value: object) -> tuple[int, float]:
        """Return what is wrong with a value (or `Absent`) so far, and the number if it is one, as kernels take it.

        A category may be a number too, which a challenger from before it was said to be one takes as such. What is
        wrong with a category has its number above it.
        """
        problem, number = read_number(value)
        return (problem if self.kind is FeatureKind.NUMERIC else self._read_category(value)), number

    @property
    def takes_any(self) -> bool:
        """Whether every category is as good as any: the reference had more of them than are remembered."""
        return self.kind is FeatureKind.CATEGORICAL and self._frozen and not self._knows_all

    def category(self, value: object) -> tuple[int, float] | None:
        """Return what `read` says of a value from now on, if it is a category and the reference has ended."""
        if not self._frozen or self.kind is not FeatureKind.CATEGORICAL:
            return None
        problem, number = self.read(value)
        is_category = problem & kernels.PROBLEM in (Problem.FINE, Problem.UNSEEN)
        return (problem, number) if is_category else None

    def update(self, value: object, at: int, offset: int, label_offset: int) -> list[Finding]:
        """Take the value of one prediction alone, and where it stood."""
        if self._room == 0:
            self._room = _PAGE
            self.reserve(_PAGE)
        self._room -= 1
        problem, number = self.read(value)
        arena, place = self._arena, (at, offset, label_offset)
        psis, shares, _, _, categories, _ = (bank.rows for bank in arena.streams.banks)
        banks = (
            arena.samples.rows,
            arena.pages.rows,
            shares,
            psis,
            categories,
            arena.streams.trails.rows,
            arena.streams.seasons.rows,
        )
        # A plain integer: of an enum, Numba looks at all members each time.
        worse, shifted = kernels.update_at(arena.features.rows, self.index, int(problem), number, *banks, *place)
        found = []
        if self._quality is not None and worse != QUIET:
            found.append(self._quality.attend(worse, *place))
        if self._drift is not None and shifted != QUIET:
            found.append(self._drift.attend(shifted, *place))
        return [finding for finding in found if finding is not None]

    def _read_category(self, value: object) -> int:
        problem, category = read_category(value)
        if category is None:
            return problem
        if len(category) > _LONGEST_CATEGORY:
            category = blake2b(category.encode(), digest_size=16).hexdigest()
        is_known = category in self._categories
        if self._frozen:
            if self._knows_all and not is_known:
                problem = Problem.UNSEEN
        elif is_known or self._knows_all:
            self._categories[category] = self._categories.get(category, 0) + 1
        return problem if self._drift is None else problem | self._cells.get(category, REST) << kernels.CATEGORY_SHIFT

    @property
    def _knows_all(self) -> bool:
        """Whether every category of the reference is remembered."""
        return len(self._categories) < _MOST_CATEGORIES

    def begin(self, marks: Trail | None = None) -> None:
        """Tell values from here on by those there are: the rest of the reference shows how ranks, or shares, behave.

        `marks` are of all predictions after the reference, if others need them too.
        """
        self._marks = marks
        if self._quality is None and self._config.detectors.quality:
            self._watch_quality(self._quality_stream(ShareGrowth("bad_share", 0.0, 1)))
        if self._drift is not None:
            return
        if self.kind is FeatureKind.CATEGORICAL:
            self._begin_categories()
            return
        is_watched = self._config.detectors.watches(Watched.NUMERIC)
        if is_watched and self._sample is not None and len(self._sample) >= _FEWEST_VALUES:
            stream = self._drift_stream(RankPsi.of(self._sample.values))
            stream.learn(self._sample.values, self._config.reference.events - len(self._sample))
            self._watch_drift(stream)

    def _begin_categories(self) -> None:
        """Give numbers to the most frequent categories there are; all others are counted together."""
        values = sum(self._categories.values())
        if not self._config.detectors.categorical or values < _FEWEST_VALUES or not self._knows_all:
            return
        ordered = sorted(self._categories.items(), key=itemgetter(1), reverse=True)
        common = [category for category, times in ordered[:REST] if times >= _RARE * values]
        self._cells = {category: cell for cell, category in enumerate(common)}
        stream = self._drift_stream(CategoryPsi())
        stream.learn((), self._config.reference.events - values)
        self._watch_drift(stream)

    def _complete_categories(self, stream: Stream) -> None:
        """Say how often each number was in the whole reference; of too many categories there is nothing to say."""
        if self.takes_any:
            stream.close()
            self._watch_drift(None)
            return
        counts = [0] * (REST + 1)
        for category, times in self._categories.items():
            counts[self._cells.get(category, REST)] += times
        stream.start_frequencies(counts)

    @property
    def drifts(self) -> bool:
        """Whether it is watched how its values are distributed."""
        return self._drift is not None

    def freeze(self, marks: Trail | None = None, latecomers: Mapping[str, int] = MappingProxyType({})) -> None:
        """End the reference; a feature of no value in it has nothing to be compared with.

        `marks` is as in `begin`. `latecomers` are features that come after the reference, with how many predictions
        after it; they may be added to.
        """
        self._frozen = True
        self._latecomers = latecomers
        record = self._record
        record["frozen"] = 1
        problems = record["problems"].tolist()
        total = sum(problems)
        self.begin(marks)
        if self._quality is not None and total > problems[Problem.MISSING]:
            self._quality.start((total - problems[Problem.FINE] + self._expected_unseen()) / total, total)
        elif self._quality is not None:
            self._quality.close()
            self._watch_quality(None)
        if self._drift is not None:
            if self._sample is None:
                self._complete_categories(self._drift)
            else:
                complete(self._drift.measure, self._sample.values)
        self._end_sample()

    def promise(self, events: int, *, features: int, drifting: int, covered: int = 0) -> None:
        """Keep to the share that a feature has, of one false alarm in `events`; so many are watched for drift.

        The reference covers what is normal from the event time `covered` on.
        """
        if self._quality is not None:
            self._quality.promise(between(events, QUALITY, among=features), covered)
        if self._drift is not None:
            detectors = self._config.detectors
            own = detectors.numeric if self.kind is FeatureKind.NUMERIC else detectors.categorical
            self._drift.promise(between(events, FEATURES, among=drifting, is_watched=bool(own)), covered)

    def _watch_quality(self, stream: Stream | None) -> None:
        self._quality = stream
        self._record["quality"] = kernels.NONE if stream is None else stream.index

    def _watch_drift(self, stream: Stream | None) -> None:
        self._drift = stream
        self._record["drift"] = kernels.NONE if stream is None else stream.index

    def _expected_unseen(self) -> int:
        """Return how many of as many further values would be categories that the reference does not have.

        As many as it has just once (Good, "The population frequencies of species", 1953).
        """
        return sum(1 for times in self._categories.values() if times == 1) if self._knows_all else 0

    def _quality_stream(self, measure: Measure) -> Stream:
        return Stream(
            _subject(Kind.DATA_QUALITY, self.name),
            self._version,
            measure,
            detectors=_QUALITY_DETECTORS,
            min_effect=self._config.alerts.min_effect.bad_share,
            describe=self._describe_quality,
            streams=self._arena.streams,
            trail=self._marks,
        )

    def _drift_stream(self, measure: Measure) -> Stream:
        is_numeric = self.kind is FeatureKind.NUMERIC
        return Stream(
            _subject(Kind.DATA_DRIFT, self.name),
            self._version,
            measure,
            detectors=RANK_DETECTORS if is_numeric else CATEGORY_DETECTORS,
            min_effect=self._config.alerts.min_effect.psi,
            describe=self._describe_numbers if is_numeric else self._describe_categories,
            listeners=listeners_on(Watched.NUMERIC, self._config.detectors) if is_numeric else (),
            streams=self._arena.streams,
            has_hours=True,
            has_weeks=self._config.reference.spans_a_week,
        )

    def _describe_categories(self, effect: Effect) -> str:
        names = {number: category for category, number in self._cells.items()}
        newest = self._only_value(_ALIKE_CATEGORIES)
        if newest in names:
            bins = self._drift.measure["bins"] if self._drift is not None else np.ones(1)
            share = float(bins[int(newest)] / bins.sum())
            if share < _USUAL:
                return wording.constant_category(self.name, names[int(newest)], share, effect)
        cell = REST if self._drift is None else self._drift.moved()[0]
        return wording.categories_shifted(f"feature {self.name}", [names.get(cell)], effect)

    def _describe_numbers(self, effect: Effect) -> str:
        newest = self._only_value(_ALIKE)
        if self._drift is not None and newest is not None:
            usual = np.count_nonzero(self._drift.measure["cells"] == newest)
            if usual < _USUAL * CELLS:
                return wording.constant(self.name, newest, effect)
        return wording.shifted(f"feature {self.name}", effect)

    def _only_value(self, values: int) -> float | None:
        """Return what all of the newest values are, of a category its number; None if they differ."""
        newest = [] if self._drift is None or self._drift.is_by_hour else self._drift.newest(values)
        return newest[0] if len(newest) == values and min(newest) == max(newest) else None

    def _describe_quality(self, effect: Effect) -> str:
        recent = self._record["recent"]
        noted = np.column_stack([recent & 15, recent >> 4]).ravel().tolist()
        if self._quality is not None and self._has_vanished(noted, self._quality.count):
            earliest, latest = self._quality.suspected
            about = range(earliest - _NEARLY, latest + _NEARLY)
            instead = [name for name, came in self._latecomers.items() if came in about]
            return wording.vanished(self.name, instead, effect)
        # Of problems that are as frequent, the one that came first.
        bad = Counter(noted[nth % RECENT] for nth in ([] if self._quality is None else self._quality.recent_ones()))
        return wording.bad_values(self.name, Problem(bad.most_common(1)[0][0]) if bad else None, effect)

    @staticmethod
    def _has_vanished(noted: Sequence[int], count: int) -> bool:
        return count >= _ALIKE and all(
            noted[nth % RECENT] == Problem.MISSING for nth in range(count, count - _ALIKE, -1)
        )

    def streams(self) -> list[Stream]:
        """Return what is watched."""
        return [stream for stream in (self._quality, self._drift) if stream is not None]

    def report(self) -> dict[str, Any]:
        """Return the feature's part of the state document."""
        problems = self._record["problems"].tolist()
        counts = {problem.name.lower(): problems[problem] for problem in Problem if problem}
        return {"kind": self.kind.value, "count": sum(problems), **counts}

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind.value,
            "frozen": self._frozen,
            "problems": self._record["problems"].tolist(),
            "recent": pack_bytes(self._record["recent"]),
            "sample": None if self._sample is None else self._sample.snapshot(),
            "categories": dict(self._categories),
            "cells": dict(self._cells),
            "quality": None if self._quality is None else self._quality.snapshot(),
            "drift": None if self._drift is None else self._drift.snapshot(),
        }

    @classmethod
    def restore(  # noqa: PLR0913, PLR0917 - what it is made of
        cls,
        name: str,
        version: str,
        config: ModelConfig,
        snapshot: dict[str, Any],
        arena: Arena,
        marks: Trail | None = None,
        latecomers: Mapping[str, int] = MappingProxyType({}),
    ) -> Feature:
        """Rebuild what `snapshot` returned, with what it was given when it was frozen."""
        feature = cls(name, FeatureKind(snapshot["kind"]), version, config, arena=arena)
        record = feature._record
        feature._end_sample()
        record["frozen"] = feature._frozen = snapshot["frozen"]
        record["problems"] = snapshot["problems"]
        record["recent"] = unpack_bytes(snapshot["recent"], RECENT // 2)
        if snapshot["sample"] is not None:
            feature._begin_sample(Thinned.restore(snapshot["sample"], arena.samples, arena.pages))
        feature._categories = dict(snapshot["categories"])
        feature._cells = dict(snapshot["cells"])
        feature._marks, feature._latecomers = marks, latecomers
        feature._watch_quality(restore_stream(feature._quality_stream, snapshot["quality"]))
        feature._watch_drift(restore_stream(feature._drift_stream, snapshot["drift"]))
        return feature
