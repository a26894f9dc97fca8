"""What is watched of a model once it is known what it is."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from driftline.models.kernels import tasks
from driftline.models.kernels.rows import NONE
from driftline.models.watch.challenger import OnlineModel, choose
from driftline.models.watch.profile import Mistaken, Profile, configured_kinds
from driftline.models.watch.repeats import Repeats
from driftline.models.watch.river_challenger import is_sampled, river_challenger
from driftline.models.watch.scoreboard import Scoreboard
from driftline.models.watch.slices import Slice, class_keys
from driftline.models.watch.version_watch import VersionWatch
from driftline.schemas.config import FeatureKind, ModelConfig, Task
from driftline.schemas.river import Challenger

if TYPE_CHECKING:
    from driftline.models.arena import Arena
    from driftline.models.drift.trail import Mark
    from driftline.models.join.entry import Pending
    from driftline.models.join.label_join import Joined
    from driftline.models.kernels.types import Record
    from driftline.models.wire import WirePrediction
    from driftline.schemas.events import Prediction
    from driftline.schemas.fields import Scalar

_MOST_MISFITS: Final = 50
_LATELY: Final = 1000  # pairs
_TASKS: Final = {
    Task.BINARY: tasks.BINARY,
    Task.MULTICLASS: tasks.MULTICLASS,
    Task.REGRESSION: tasks.REGRESSION,
}


class Known:
    """The performance, the versions and the challenger of a model.

    Parameters
    ----------
    profile, config
        What the model is, and how it is watched.
    since
        The number of the next prediction: the first that a new challenger is shown.
    arena, index
        Where the numbers are, and which record there is the model's.

    """

    def __init__(self, profile: Profile, config: ModelConfig, arena: Arena, index: int, *, since: int) -> None:
        profile = replace(profile, scoring=profile.scoring.within(arena.counters))
        self.profile = profile
        self._arena = arena
        self._index = index
        self.scoreboard = Scoreboard(profile.scoring, config.segments, config.window, arena.recents)
        self.online: OnlineModel | None = None
        self.online_performance: Any = profile.scoring.new()
        self.river = river_challenger(profile, config, since=since)
        self._rate = config.challenger.sampling_rate
        self._is_followed = bool(config.detectors.river)
        if (kind := choose(config.challenger.kind, profile.task)) is not Challenger.NONE:
            numeric = [name for name, kind in profile.kinds.items() if kind is FeatureKind.NUMERIC]
            self.online = OnlineModel(kind, inputs=numeric, since=since, bank=arena.challengers)
        self.number: Final = arena.number()
        self.versions: dict[str, VersionWatch] = {}
        self.unwatched = 0
        self._misfits: deque[tuple[int, Scalar]] = deque(maxlen=_MOST_MISFITS + 1)
        self.repeats = Repeats(config, arena)
        self._record["predictions"] = self._record["pairs"] = 0
        self._place()

    def _place(self) -> None:
        """Tell kernels where the numbers of the model as a whole are."""
        record = self._record
        record["challenger"] = NONE if self.online is None else self.online.index
        record["challenger_since"] = 0 if self.online is None else self.online.since
        record["task"] = _TASKS[self.profile.task]
        record["total"], record["window"] = self.scoreboard.total, self.scoreboard.window
        record["challenger_total"] = self.online_performance.record
        self.touch()

    def touch(self) -> None:
        """Say that versions, counters or the challenger are not what they were."""
        self._record["epoch"] = self._arena.number()

    @property
    def is_plain(self) -> bool:
        """Whether kernels do all there is to do with a usual record: what is River's they do not, nor take a share."""
        return not self._is_followed and self.river is None and self._rate >= 1.0

    @property
    def _record(self) -> Record:
        return self._arena.models.rows[self._index]

    @property
    def predictions(self) -> int:
        """How many predictions there have been since the model was known."""
        return int(self._record["predictions"])

    @property
    def pairs(self) -> int:
        """How many pairs there have been since the model was known."""
        return int(self._record["pairs"])

    def slices(self) -> dict[Slice, int]:
        """Return what pairs may be slices of, by the keys with which they come: classes, then what has most pairs."""
        classes = class_keys(self.profile.answers) if self.profile.task is Task.MULTICLASS else {}
        return classes | {Slice(*named): record for named, record in self.scoreboard.segment_records().items()}

    def watch_repeats(self) -> None:
        """Watch from now on how many predictions repeat an id: of those before it is known only which do not."""
        self.repeats.begin(self._record)

    def open(self, version: str, config: ModelConfig, first: Mark) -> VersionWatch:
        """Begin to watch a version, the first prediction of which stands at a mark."""
        watch = VersionWatch(version, config, self.profile, first, self._arena)
        return self._add(watch)

    def _add(self, watch: VersionWatch) -> VersionWatch:
        self.versions[watch.version] = watch
        self.touch()
        if self.online is not None:
            watch.feed(self.online.inputs)
        return watch

    def end(self, version: str) -> None:
        """Cease to watch a version."""
        self.versions.pop(version).close()
        self.touch()

    def close(self) -> None:
        """Give back all records but that of the model; nothing may be asked of this any more."""
        self.scoreboard.release()
        self.repeats.close()
        self._record["repeats"] = NONE
        self.touch()
        for watch in self.versions.values():
            watch.close()
        if self.online is not None:
            self.online.release()

    def challenge(self, prediction: Prediction | WirePrediction, pending: Pending) -> OnlineModel | None:
        """Return the challenger that is to predict, if it is a compiled one and is shown this; River's does so here."""
        if not is_sampled(prediction.prediction_id, self._rate):
            return None
        if self.river is not None:
            self.river.challenge(prediction, pending)
        return self.online

    def teach(self, joined: Joined) -> None:
        """Let a challenger of River's learn from a pair whose label is one of the classes, or a number."""
        outcome = None if self.river is None else self.river.learn(joined)
        if outcome is not None:
            self.online_performance.update(outcome)

    def challenger_report(self) -> dict[str, Any] | None:
        """Return the challenger's part of the state document."""
        if self.river is not None:
            return {**self.river.report(), **self.online_performance.report()}
        if self.online is None:
            return None
        sampled: dict[str, Any] = {}
        figures = self.online_performance.report()
        if self._rate < 1.0:
            sampled = {"sampling_rate": self._rate, "learned": figures["pairs"]}
        return {"model": self.online.kind, "restarts": self.online.restarts, **sampled, **figures}

    def outside(self, pending: Pending) -> None:
        """Note the prediction of a pair whose label is none of the classes.

        If it is none of them either, the model seems to have more classes than it was taken to have, or to predict
        numbers. One alone says less: a service that fails may answer anything, and a label may be "unknown". A model
        that gives scores is binary whatever it predicts.
        """
        classes = self.profile.task is not Task.REGRESSION
        if classes and pending.score is None and not self.profile.scoring.knows(pending.prediction):
            self._misfits.append((self.pairs, pending.prediction))

    @property
    def is_mistaken(self) -> bool:
        """Whether more than 50 of the last 1,000 pairs say that the model was taken for something else than it is."""
        return len(self._misfits) > _MOST_MISFITS and self.pairs - self._misfits[0][0] < _LATELY

    @property
    def mistaken(self) -> Mistaken:
        """What the model was taken for, and what it predicts besides."""
        return Mistaken(self.profile.classes or (), [prediction for _, prediction in self._misfits])

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "profile": self.profile.snapshot(),
            "scoreboard": self.scoreboard.snapshot(),
            "online": None if self.online is None else self.online.snapshot(),
            **({} if self.river is None else {"river": self.river.snapshot()}),
            "online_performance": self.online_performance.snapshot(),
            "versions": {version: watch.snapshot() for version, watch in self.versions.items()},
            "predictions": self.predictions,
            "unwatched": self.unwatched,
            "pairs": self.pairs,
            "misfits": list(self._misfits),
            "repeats": self.repeats.snapshot(),
        }

    @classmethod
    def restore(
        cls, config: ModelConfig, snapshot: dict[str, Any], arena: Arena, index: int, *, since: int
    ) -> Known | None:
        """Rebuild what `snapshot` returned; None if by now the configuration says that the model is something else.

        What else of the configuration has changed begins afresh: another challenger, a window of another size.
        """
        profile = Profile.restore(snapshot["profile"])
        if not profile.fits(config):
            return None
        kinds = profile.kinds | configured_kinds(config)
        known = cls(replace(profile, kinds=kinds), config, arena, index, since=since)
        known.scoreboard.restore(snapshot["scoreboard"])
        online = snapshot["online"]
        if known.online is not None and online is not None and online["kind"] == known.online.kind:
            known.online.release()
            known.online = OnlineModel.restore(online, arena.challengers)
            known.online_performance = known.profile.scoring.restore(snapshot["online_performance"])
        if known.river is not None and known.river.restore(snapshot.get("river")):
            known.online_performance = known.profile.scoring.restore(snapshot["online_performance"])
        known._place()
        for version, watch in snapshot["versions"].items():
            known._add(VersionWatch.restore(version, config, profile, watch, arena, known.slices()))
        known._record["predictions"], known._record["pairs"] = snapshot["predictions"], snapshot["pairs"]
        known.unwatched = snapshot["unwatched"]
        known.repeats.restore(snapshot["repeats"])
        known.watch_repeats()
        known._misfits.extend((number, prediction) for number, prediction in snapshot["misfits"])
        return known
