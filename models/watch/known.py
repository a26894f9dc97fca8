"""What is watched of a model once it is known what it is."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from driftline.models.watch.challenger import OnlineModel, choose
from driftline.models.watch.profile import Mistaken, Profile, configured_kinds
from driftline.models.watch.scoreboard import Scoreboard
from driftline.models.watch.version_watch import VersionWatch
from driftline.schemas.config import Challenger, FeatureKind, ModelConfig, Task

if TYPE_CHECKING:
    from driftline.models.join.entry import Pending
    from driftline.models.performance import Performance
    from driftline.schemas.fields import Scalar

_MOST_MISFITS: Final = 50
_LATELY: Final = 1000  # pairs


class Known:
    """The performance, the versions and the challenger of a model.

    Parameters
    ----------
    profile, config
        What the model is, and how it is watched.
    since
        The offset of the next prediction: the first that a new challenger is shown.

    """

    def __init__(self, profile: Profile, config: ModelConfig, *, since: int) -> None:
        self.profile = profile
        self.scoreboard = Scoreboard(profile.scoring, config.segments, config.window)
        self.online: OnlineModel | None = None
        self.online_performance: Performance[Any] = profile.scoring.new()
        if (kind := choose(config.challenger, profile.task)) is not Challenger.NONE:
            numeric = [name for name, kind in profile.kinds.items() if kind is FeatureKind.NUMERIC]
            self.online = OnlineModel(kind, inputs=numeric, since=since)
        self.versions: dict[str, VersionWatch] = {}
        self.predictions = 0
        self.unwatched = 0
        self.pairs = 0
        self._misfits: deque[tuple[int, Scalar]] = deque(maxlen=_MOST_MISFITS + 1)

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
            "online_performance": self.online_performance.snapshot(),
            "versions": {version: watch.snapshot() for version, watch in self.versions.items()},
            "predictions": self.predictions,
            "unwatched": self.unwatched,
            "pairs": self.pairs,
            "misfits": list(self._misfits),
        }

    @classmethod
    def restore(cls, config: ModelConfig, snapshot: dict[str, Any], *, since: int) -> Known | None:
        """Rebuild what `snapshot` returned; None if by now the configuration says that the model is something else.

        What else of the configuration has changed begins afresh: another challenger, a window of another size.
        """
        profile = Profile.restore(snapshot["profile"])
        if not profile.fits(config):
            return None
        known = cls(replace(profile, kinds=profile.kinds | configured_kinds(config)), config, since=since)
        known.scoreboard.restore(snapshot["scoreboard"])
        online = snapshot["online"]
        if known.online is not None and online is not None and online["kind"] == known.online.kind:
            known.online = OnlineModel.restore(online)
            known.online_performance = profile.scoring.restore(snapshot["online_performance"])
        known.versions = {
            version: VersionWatch.restore(version, config, profile, watch)
            for version, watch in snapshot["versions"].items()
        }
        known.predictions = snapshot["predictions"]
        known.unwatched = snapshot["unwatched"]
        known.pairs = snapshot["pairs"]
        known._misfits.extend((number, prediction) for number, prediction in snapshot["misfits"])
        return known
