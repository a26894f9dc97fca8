"""One version of a model: its features, its score and its pairs, against the version's own first events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from driftline.models.drift.finding import Subject
from driftline.models.drift.rank import RankPsi
from driftline.models.drift.stream import RANK_DETECTORS, Stream, restore_stream
from driftline.models.drift.thinned import Thinned
from driftline.models.watch import wording
from driftline.models.watch.feature import Feature
from driftline.models.watch.newcomer import Newcomer
from driftline.models.watch.profile import MOST_FEATURES
from driftline.models.watch.quality import Absent
from driftline.models.watch.truth_watch import Scored, TruthWatch
from driftline.schemas.alerts import Kind, Target

if TYPE_CHECKING:
    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure
    from driftline.models.join.entry import Pending, Truth
    from driftline.models.watch.profile import Profile
    from driftline.schemas.config import ModelConfig
    from driftline.schemas.events import Prediction


class VersionWatch:
    """Watches one version; the first `reference.events` predictions are its reference.

    `served` is the number that its newest prediction had among all of the model's.
    """

    def __init__(self, version: str, config: ModelConfig, profile: Profile) -> None:
        self.version = version
        self.predictions = 0
        self.served = 0
        self._features_dropped = 0
        self._frozen = False
        self._config = config
        self._features: dict[str, Feature] = {}
        self._newcomers: dict[str, Newcomer] = {}
        self._score_sample = Thinned()
        self._score: Stream | None = None
        self._truth = TruthWatch(profile.task, version, config)
        for name, kind in profile.kinds.items():
            if self._has_room():
                self._features[name] = Feature(name, kind, version, config)

    def predicted(self, prediction: Prediction, score: float | None, offset: int, label_offset: int) -> list[Finding]:
        """Take one prediction, its score, its offset, and the offset of the newest label before it (-1: none)."""
        values, at = prediction.features, prediction.timestamp
        if values.keys() - self._features.keys():
            self._discover(values)
        self.predictions += 1
        findings: list[Finding] = []
        for name, feature in self._features.items():
            findings += feature.update(values.get(name, Absent), at, offset, label_offset)
        if self._newcomers:
            self._meet(values, at, offset, label_offset)
        if score is not None:
            if self._score is not None:
                found = self._score.update(score, at, offset, label_offset)
                findings += () if found is None else (found,)
            elif not self._frozen:
                self._score_sample.update(score)
        if not self._frozen and self.predictions >= self._config.reference.events:
            self._freeze()
        return findings

    def labelled(self, scored: Scored, pending: Pending, truth: Truth) -> list[Finding]:
        """Take one joined pair."""
        return self._truth.update(scored, pending, truth)

    def _discover(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            # A null says nothing of the feature's kind.
            if value is None or name in self._features or name in self._newcomers or not self._has_room():
                continue
            newcomer = self._newcomers[name] = Newcomer(name, self.version, self._config, missed=self.predictions)
            if self._frozen:
                newcomer.freeze()

    def _has_room(self) -> bool:
        """Return whether one more feature can be watched, and count it if not."""
        if len(self._features) + len(self._newcomers) < MOST_FEATURES:
            return True
        self._features_dropped += 1
        return False

    def _meet(self, values: dict[str, Any], at: int, offset: int, label_offset: int) -> None:
        for name, newcomer in list(self._newcomers.items()):
            newcomer.update(values.get(name, Absent), at, offset, label_offset)
            if newcomer.is_clear:
                self._features[name] = self._newcomers.pop(name).feature

    def _freeze(self) -> None:
        self._frozen = True
        self._features |= {name: newcomer.feature for name, newcomer in self._newcomers.items()}
        self._newcomers.clear()
        for feature in self._features.values():
            feature.freeze()
        if self._config.detectors.score and self._score_sample.values:
            self._score = self._score_stream(RankPsi.of(self._score_sample.values))
        self._score_sample = Thinned()

    def _score_stream(self, measure: Measure) -> Stream:
        return Stream(
            Subject(Kind.PREDICTION_DRIFT, Target(metric="score")),
            self.version,
            measure,
            detectors=RANK_DETECTORS,
            min_effect=self._config.alerts.min_effect.psi,
            delta=self._config.detectors.adwin.delta,
            describe=partial(wording.shifted, "the score"),
        )

    def streams(self) -> list[Stream]:
        """Return what is watched."""
        score = [] if self._score is None else [self._score]
        return [*(s for feature in self._features.values() for s in feature.streams()), *score, *self._truth.streams()]

    def features_report(self) -> dict[str, dict[str, Any]]:
        """Return the features' part of the state document."""
        newcomers = {name: newcomer.feature for name, newcomer in self._newcomers.items()}
        return {name: feature.report() for name, feature in (self._features | newcomers).items()}

    def reference_report(self) -> dict[str, Any]:
        """Return the reference's part of the state document."""
        events = self._config.reference.events
        return {
            "predictions": min(self.predictions, events),
            "pairs": min(self._truth.pairs, events),
            "events": events,
            "predictions_complete": self._frozen,
            "pairs_complete": self._truth.frozen,
            "features_dropped": self._features_dropped,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "predictions": self.predictions,
            "served": self.served,
            "features_dropped": self._features_dropped,
            "frozen": self._frozen,
            "features": {name: feature.snapshot() for name, feature in self._features.items()},
            "newcomers": {name: newcomer.snapshot() for name, newcomer in self._newcomers.items()},
            "score_sample": self._score_sample.snapshot(),
            "score": None if self._score is None else self._score.snapshot(),
            "truth": self._truth.snapshot(),
        }

    @classmethod
    def restore(cls, version: str, config: ModelConfig, profile: Profile, snapshot: dict[str, Any]) -> VersionWatch:
        """Rebuild what `snapshot` returned."""
        watch = cls(version, config, profile)
        watch.predictions = snapshot["predictions"]
        watch.served = snapshot["served"]
        watch._features_dropped = snapshot["features_dropped"]
        watch._frozen = snapshot["frozen"]
        watch._features = {
            name: Feature.restore(name, version, config, stored) for name, stored in snapshot["features"].items()
        }
        watch._newcomers = {
            name: Newcomer.restore(name, version, config, stored) for name, stored in snapshot["newcomers"].items()
        }
        watch._score_sample = Thinned.restore(snapshot["score_sample"])
        watch._score = restore_stream(watch._score_stream, snapshot["score"])
        watch._truth.restore(snapshot["truth"])
        return watch
