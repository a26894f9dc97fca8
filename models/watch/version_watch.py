"""One version of a model: its features, its score and its pairs, against the version's own first events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.drift.budget import SCORE, between
from driftline.models.drift.finding import Subject
from driftline.models.drift.listener import listeners_on
from driftline.models.drift.measure import CategoryPsi
from driftline.models.drift.packed import pack_record, unpack_record
from driftline.models.drift.rank import RankPsi, complete
from driftline.models.drift.stream import CATEGORY_DETECTORS, RANK_DETECTORS, Stream, restore_stream
from driftline.models.drift.thinned import Thinned
from driftline.models.drift.trail import Mark, Trail
from driftline.models.kernels.version import MOST_FEATURES, NONE, PAGE
from driftline.models.watch import comparable, wording
from driftline.models.watch.feature import Feature
from driftline.models.watch.newcomer import Newcomer
from driftline.models.watch.quality import Absent
from driftline.models.watch.truth_watch import TruthWatch, classes_moved
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import FeatureKind, Task
from driftline.schemas.fields import MAX_EPOCH_MS, format_timestamp
from driftline.schemas.river import Watched
from driftline.schemas.state import LabelCoverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.models.arena import Arena
    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure
    from driftline.models.kernels.types import Record
    from driftline.models.watch.fairness import GapView
    from driftline.models.watch.profile import Profile
    from driftline.models.watch.slices import Slice
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig

_PAGE: Final = 512  # values for which there is to be room at a time
_FEWEST: Final = 50  # values, of which ranks say anything
_FEWEST_CHANGED: Final = 32  # values, of which it is told how large a change is
_PREDICTED: Final = Subject(Kind.PREDICTION_DRIFT, Target(metric="prediction"))
_NUMBERS: Final = frozenset({float, int})


class Served(NamedTuple):
    """A version that is watched: whether it is in use, its first prediction, and how many of all have their label."""

    version: str
    in_use: bool
    first: Mark
    labelled: int


def quarter(events: int) -> int:
    """Return how many values of a reference of so many tell which are large and which are small.

    Examples
    --------
    >>> quarter(10_000), quarter(100)
    (2500, 50)

    """
    return max(events // 4, _FEWEST)


class VersionWatch:
    """Watches one version; the first `reference.events` predictions are its reference.

    The first quarter of the reference tells which values are large and which are small; from there on what is watched
    learns how such ranks behave.

    Parameters
    ----------
    version, config, profile
        Which version of what, and how it is watched.
    first
        Where its first prediction stood.
    arena
        Where its numbers are.

    """

    def __init__(self, version: str, config: ModelConfig, profile: Profile, first: Mark, arena: Arena) -> None:
        self.version = version
        self.first = first
        self._begun = 0  # the event time from which on what is watched learns what is normal
        self.index = arena.versions.allocate()
        self._arena = arena
        self._features_dropped = 0
        self._frozen = False
        self._config = config
        self._features: dict[str, Feature] = {}
        self._newcomers: dict[str, Newcomer] = {}
        self._latecomers: dict[str, int] = {}  # how many predictions after the reference each came
        self._task = profile.task
        self._classes = profile.answers
        self._score: Stream | None = None
        self._answers: Stream | None = None  # classes that are predicted, where there is no score
        self._score_sample: Thinned | None = None
        self._marks: Trail | None = None  # of all predictions, for the qualities of the features of the reference
        self._begin_sample(Thinned(arena.samples, arena.pages))
        self._record["score"] = self._record["answers"] = NONE
        self._taken = self._taken_pairs = self._room = self._pair_room = 0
        self.truth = TruthWatch(profile, version, config, arena, self.index)
        for name, kind in profile.kinds.items():
            if self._has_room():
                self._features[name] = Feature(name, kind, version, config, arena=arena)
        self._inputs: tuple[str, ...] = ()
        self._pages: list[int] = []  # of the list of features
        self._lay_out()

    @property
    def _record(self) -> Record:
        return self._arena.versions.rows[self.index]

    @property
    def predictions(self) -> int:
        """How many predictions there have been."""
        return int(self._record["predictions"])

    @property
    def served(self) -> int:
        """The number that the newest prediction had among all of the model's."""
        return int(self._record["served"])

    @property
    def labelled(self) -> int:
        """How many of its predictions have their label."""
        return self.truth.pairs + self.truth.maturity.waiting

    @property
    def features(self) -> Mapping[str, Feature]:
        """The features that are known, in the order in which rows have them."""
        return self._features

    @property
    def layout(self) -> int:
        """A number that is another one each time that features, or what they are, have changed."""
        return int(self._record["layout"])

    @property
    def taken(self) -> int:
        """How many predictions there have been, those whose rows wait included."""
        return int(self._record["taken"]) if self._frozen else self._taken

    def _begin_sample(self, sample: Thinned) -> None:
        self._score_sample = sample
        self._record["score_sample"] = sample.index

    def _end_sample(self) -> None:
        if self._score_sample is not None:
            self._score_sample.release()
            self._score_sample = None

    def close(self) -> None:
        """Give back all records; nothing may be asked of the watch any more."""
        for feature in self._features.values():
            feature.close()
        for newcomer in self._newcomers.values():
            newcomer.close()
        self.truth.close()
        for stream in (self._score, self._answers):
            if stream is not None:
                stream.close()
        if self._marks is not None:
            self._marks.release()
        self._end_sample()
        for page in self._pages:
            self._arena.lists.free(page)
        self._arena.versions.free(self.index)

    # -- rows ---------------------------------------------------------------------------------------------------------

    def feed(self, names: Sequence[str]) -> None:
        """Say which features the challenger takes; one that the version has not is missing to it."""
        self._inputs = tuple(names)
        self._lay_out()

    def _lay_out(self) -> None:
        """Tell kernels in which order the values of features come, and read them in that order from now on."""
        names = list(self._features)
        record = self._record
        record["features"] = len(names)
        indices = [feature.index for feature in self._features.values()]
        while len(self._pages) * PAGE < len(indices):
            self._pages.append(self._arena.lists.allocate())
        record["pages"][: len(self._pages)] = self._pages
        for page, start in zip(self._pages, range(0, len(indices), PAGE), strict=False):
            listed = indices[start : start + PAGE]
            self._arena.lists.rows["feature"][page, : len(listed)] = listed
        places = {name: place for place, name in enumerate(names)}
        record["input"][: len(self._inputs)] = [places.get(name, NONE) for name in self._inputs]
        self._getter = itemgetter(*names) if len(names) > 1 else None
        self._pack = Struct(f"{len(names)}d").pack
        self._all_fine = bytes(len(names))
        numeric = all(feature.kind is FeatureKind.NUMERIC for feature in self._features.values())
        self._numbers_only = numeric and self._getter is not None
        record["layout"] = self._arena.number()
        self._steady()

    def _steady(self) -> None:
        """Tell kernels whether they may take predictions without Python."""
        self.is_steady = self._frozen and bool(self._features) and not self._newcomers
        self._record["steady"] = self.is_steady

    def discover(self, values: Mapping[str, Any]) -> None:
        """Meet the features that a prediction has and that the version did not have before it."""
        known = self._features.keys()
        if len(values) <= len(known) and known >= values.keys():
            return
        for name, value in values.items():
            # A null says nothing of the feature's kind.
            if value is None or name in known or name in self._newcomers or not self._has_room():
                continue
            newcomer = self._newcomers[name] = Newcomer(
                name, self.version, self._config, self._arena, missed=self.taken
            )
            if self._frozen:
                newcomer.freeze()
                self._latecomers[name] = self.taken - self._config.reference.events
            self._steady()

    def read(self, values: Mapping[str, Any], into: bytearray, problems: bytearray) -> None:
        """Write the values of a prediction's features, as doubles, and what is wrong with them, as a row has both."""
        if self._numbers_only and self._getter is not None:
            try:
                found = self._getter(values)
            except KeyError:  # one is absent
                pass
            else:
                if _NUMBERS.issuperset(map(type, found)):
                    into += self._pack(*found)
                    problems += self._all_fine
                    return
        numbers = []
        for name, feature in self._features.items():
            problem, number = feature.read(values.get(name, Absent))
            numbers.append(number)
            problems.append(problem)
        into += self._pack(*numbers)

    def reserve(self) -> bool:
        """Make room for a prediction whose row is about to be added; return whether `advance` is due after it."""
        if self._frozen:
            self._record["taken"] += 1
            return False
        self._taken += 1
        if self._taken > self._room:
            self._room = self._taken + _PAGE - 1
            values = self._taken - self.predictions + _PAGE  # those of rows that wait included
            for feature in self._features.values():
                feature.reserve(values)
            if self._score_sample is not None:
                self._score_sample.reserve(values)
        return self._taken == self._quarter or self._taken >= self._config.reference.events

    @property
    def _quarter(self) -> int:
        return quarter(self._config.reference.events)

    def reserve_pair(self) -> bool:
        """Make room for a pair whose row is about to be added; return whether the truth is to `advance` after it."""
        self._taken_pairs += 1
        if self.truth.frozen:
            return False
        if self._taken_pairs > self._pair_room:
            self._pair_room = self._taken_pairs + _PAGE - 1
            self.truth.reserve(self._taken_pairs - self.truth.pairs + _PAGE)
        return self._taken_pairs == self._quarter or self._taken_pairs >= self._config.reference.events

    @property
    def has_newcomers(self) -> bool:
        """Whether there are features of which it is not known yet what they are."""
        return bool(self._newcomers)

    def meet(self, values: Mapping[str, Any], at: int, offset: int, label_offset: int) -> list[str]:
        """Show the newcomers a prediction; return the names of those of which it is clear now what they are."""
        for name, newcomer in self._newcomers.items():
            newcomer.update(values.get(name, Absent), at, offset, label_offset)
        return [name for name, newcomer in self._newcomers.items() if newcomer.is_clear]

    def settle(self, names: Iterable[str]) -> None:
        """Watch newcomers as what they are from the next row on; no row may wait."""
        for name in names:
            self._features[name] = self._newcomers.pop(name).settle()
        self._room = 0
        self._lay_out()

    def advance(self, at: int) -> None:
        """Go on to the next part of the reference of predictions at an event time, or end it; no row may wait."""
        self._begun = min(self._begun or at, at)  # one event may have a time that is far ahead
        if self._taken >= self._config.reference.events:
            self._freeze()
            return
        marks = self._hold_marks()
        for feature in self._features.values():
            feature.begin(marks)
        self._begin_score()

    def _hold_marks(self) -> Trail:
        if self._marks is None:
            self._marks = Trail(self._arena.streams.trails).hold()
        return self._marks

    def _begin_score(self) -> None:
        if self._score is not None or self._answers is not None or self._score_sample is None:
            return
        if len(self._score_sample) >= _FEWEST and self._config.detectors.watches(Watched.SCORE):
            stream = self._score_stream(RankPsi.of(self._score_sample.values))
            stream.learn(self._score_sample.values, self._config.reference.events - len(self._score_sample))
            self._watch_score(stream)
        elif self._classes and len(self._score_sample) < _FEWEST and self._config.detectors.score:
            stream = self._answers_stream(CategoryPsi())
            stream.learn((), self._config.reference.events - self.predictions)
            self._watch_answers(stream)

    def _freeze(self) -> None:
        self._frozen = True
        self._record["frozen"] = 1
        self._record["taken"] = self._taken
        self.settle(list(self._newcomers))
        marks = self._hold_marks()
        for feature in self._features.values():
            feature.freeze(marks, self._latecomers)
        self._begin_score()
        if self._score is not None and self._score_sample is not None:
            complete(self._score.measure, self._score_sample.values)
        if self._answers is not None:
            self._answers.complete(self._answers.learned)
        self._end_sample()
        self._promise()

    @property
    def _covered(self) -> int:
        """The event time from which on the reference covers what is normal."""
        return min(self._begun + self._config.reference.min_span, MAX_EPOCH_MS)

    def _promise(self) -> None:
        """Share what false alarms there may be among all that is watched."""
        events = self._config.alerts.events_between_false_alarms
        features = [feature for feature in self._features.values() if feature.streams()]
        drifting = sum(feature.drifts for feature in features)
        covered = self._covered
        for feature in features:
            feature.promise(events, features=len(features), drifting=drifting, covered=covered)
        for stream in (self._score, self._answers):
            if stream is not None:
                stream.promise(between(events, SCORE, is_watched=bool(self._config.detectors.score)), covered)

    def _watch_score(self, stream: Stream | None) -> None:
        self._score = stream
        self._record["score"] = NONE if stream is None else stream.index

    def _watch_answers(self, stream: Stream | None) -> None:
        self._answers = stream
        self._record["answers"] = NONE if stream is None else stream.index

    def _has_room(self) -> bool:
        """Return whether one more feature can be watched, and count it if not."""
        if len(self._features) + len(self._newcomers) < MOST_FEATURES:
            return True
        self._features_dropped += 1
        return False

    def _score_stream(self, measure: Measure) -> Stream:
        is_number = self._task is Task.REGRESSION
        return Stream(
            _PREDICTED if is_number else Subject(Kind.PREDICTION_DRIFT, Target(metric="score")),
            self.version,
            measure,
            detectors=RANK_DETECTORS,
            min_effect=self._config.alerts.min_effect.prediction_psi,
            describe=partial(wording.shifted, "what is predicted" if is_number else "the score"),
            listeners=listeners_on(Watched.SCORE, self._config.detectors),
            streams=self._arena.streams,
            has_hours=True,
            has_weeks=self._config.reference.spans_a_week,
        )

    def _answers_stream(self, measure: Measure) -> Stream:
        return Stream(
            _PREDICTED,
            self.version,
            measure,
            detectors=CATEGORY_DETECTORS,
            min_effect=self._config.alerts.min_effect.prediction_psi,
            describe=self._describe_answers,
            streams=self._arena.streams,
            has_hours=True,
            has_weeks=self._config.reference.spans_a_week,
        )

    def _describe_answers(self, effect: Effect) -> str:
        names = [] if self._answers is None else classes_moved(self._answers, [*self._classes, None])
        return wording.categories_shifted("what is predicted", names, effect)

    def streams(self) -> list[Stream]:
        """Return what is watched."""
        predicted = [stream for stream in (self._score, self._answers) if stream is not None]
        of_features = [stream for feature in self._features.values() for stream in feature.streams()]
        return [*of_features, *predicted, *self.truth.streams()]

    def watched(self) -> list[Stream | GapView]:
        """Return what is watched, the gaps between groups included."""
        return [*self.streams(), *self.truth.gaps()]

    def follow(self, at: int, prediction_offset: int, label_offset: int) -> list[Finding]:
        """Let River's detectors have what the row has brought that has just run; return what they have found."""
        place = at, prediction_offset, label_offset
        return [found for stream in self.streams() if stream.listeners for found in stream.follow(*place)]

    def features_report(self) -> dict[str, dict[str, Any]]:
        """Return the features' part of the state document."""
        newcomers = {name: newcomer.feature for name, newcomer in self._newcomers.items()}
        return {name: feature.report() for name, feature in (self._features | newcomers).items()}

    def reference_report(self) -> dict[str, Any]:
        """Return the reference's part of the state document."""
        events = self._config.reference.events
        return {
            "predictions": min(self.predictions, events),
            "pairs": min(self.truth.pairs, events),
            "immature_pairs": self.truth.maturity.waiting,
            "events": events,
            "predictions_complete": self._frozen,
            "covered_at": format_timestamp(self._covered) if self._begun else None,
            "pairs_complete": self.truth.frozen,
            "features_dropped": self._features_dropped,
        }

    def cover_anew(self) -> None:
        """Count only the labels of predictions from here on: before labels have matured none is counted."""
        self._record["coverage"]["count"] = 0

    def coverage(self, before: int) -> LabelCoverage:
        """Return how many of the predictions that were made before an event time have their label."""
        coverage = self._record["coverage"]
        kept = int(coverage["count"])
        old = coverage["last"][:kept] < before
        predicted = coverage["predicted"][:kept][old].sum(axis=0).tolist()
        labelled = coverage["labelled"][:kept][old].sum(axis=0).tolist()
        names = self._classes if len(self._classes) <= len(predicted) else ()  # of more some are counted together
        by_class = zip(names, labelled, predicted, strict=False)
        return LabelCoverage(
            predictions=sum(predicted),
            share=sum(labelled) / sum(predicted) if any(predicted) else None,
            by_class={name: labels / there for name, labels, there in by_class if there},
        )

    def doubt(self, finding: Finding, now: int, done: int) -> str:
        """Return why how labels come may be to blame for what they tell, as `comparable.doubt`.

        What was predicted before the event time `done` should have its label by `now`.
        """
        if finding.subject.kind not in comparable.KINDS:
            return ""
        values, (earliest, latest) = self.truth.values_of(finding.subject), finding.span
        each = self.truth.pairs / max(values, 1)  # of a slice as if its pairs were spread evenly among all
        possible = int((values - earliest.nth) * each)
        certain = int(max(values - latest.nth, _FEWEST_CHANGED) * each)
        since = comparable.Since(self.truth.pairs - possible, possible, certain, now, done)
        return comparable.doubt(self._record["coverage"], finding, self._task, since)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "first": self.first,
            "begun": self._begun,
            "predictions": self.predictions,
            "served": self.served,
            "frozen": self._frozen,
            "features_dropped": self._features_dropped,
            "features": {name: feature.snapshot() for name, feature in self._features.items()},
            "latecomers": dict(self._latecomers),
            "newcomers": {name: newcomer.snapshot() for name, newcomer in self._newcomers.items()},
            "marks": None if self._marks is None else self._marks.snapshot(),
            "score_sample": None if self._score_sample is None else self._score_sample.snapshot(),
            "score": None if self._score is None else self._score.snapshot(),
            "answers": None if self._answers is None else self._answers.snapshot(),
            "truth": self.truth.snapshot(),
            "coverage": pack_record(self._record["coverage"]),
        }

    @classmethod
    def restore(  # noqa: PLR0913, PLR0917 - what it is made of
        cls,
        version: str,
        config: ModelConfig,
        profile: Profile,
        snapshot: dict[str, Any],
        arena: Arena,
        slices: Mapping[Slice, int],
    ) -> VersionWatch:
        """Rebuild what `snapshot` returned; pairs come by the keys of `slices` from now on."""
        watch = cls(version, config, replace(profile, kinds={}), Mark(*snapshot["first"]), arena)
        watch._begun = snapshot["begun"]
        watch._end_sample()
        record = watch._record
        record["predictions"], record["served"] = snapshot["predictions"], snapshot["served"]
        record["frozen"] = watch._frozen = snapshot["frozen"]
        watch._features_dropped = snapshot["features_dropped"]
        if snapshot["marks"] is not None:
            watch._marks = Trail(arena.streams.trails).hold()
            watch._marks.restore(snapshot["marks"])
        watch._latecomers |= snapshot["latecomers"]
        for name, stored in snapshot["features"].items():
            shared = watch._marks, watch._latecomers
            watch._features[name] = Feature.restore(name, version, config, stored, arena, *shared)
        for name, stored in snapshot["newcomers"].items():
            watch._newcomers[name] = Newcomer.restore(name, version, config, stored, arena)
        watch._lay_out()
        if snapshot["score_sample"] is not None:
            watch._begin_sample(Thinned.restore(snapshot["score_sample"], arena.samples, arena.pages))
        watch._watch_score(restore_stream(watch._score_stream, snapshot["score"]))
        watch._watch_answers(restore_stream(watch._answers_stream, snapshot["answers"]))
        if watch._frozen:
            watch._promise()
        watch.truth.restore(snapshot["truth"], slices)
        watch._taken, watch._taken_pairs = watch.predictions, watch.truth.pairs
        record["taken"] = watch.predictions
        unpack_record(snapshot["coverage"], record["coverage"])
        return watch
