"""How many predictions of a model come with an id that was there before.

Each is counted once, whatever is sent again; but a service that gives the same id to others, or sends a day again, does
not know. The first `reference.events` predictions tell how many there usually are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.budget import REPEATS, between
from driftline.models.drift.finding import Level, Subject
from driftline.models.drift.measure import ShareGrowth
from driftline.models.drift.stream import NEVER, Stream
from driftline.models.watch import wording
from driftline.schemas.alerts import Kind, Target

if TYPE_CHECKING:
    from driftline.models.arena import Arena
    from driftline.models.kernels.types import Record
    from driftline.schemas.config import ModelConfig

SUBJECT: Final = Subject(Kind.DATA_QUALITY, Target(metric="repeated_predictions"))


class Repeats:
    """Watches the share of predictions that repeat an id; from `begin` on kernels show it each of them.

    Parameters
    ----------
    config
        How the model is watched.
    arena
        Where its numbers are.

    """

    def __init__(self, config: ModelConfig, arena: Arena) -> None:
        self._stream = Stream(
            SUBJECT,
            "",
            ShareGrowth("bad_share", 0.0, 1),
            detectors=("e_sr:repeats",),
            min_effect=config.alerts.min_effect.bad_share,
            describe=wording.repeated,
            streams=arena.streams,
        )
        self._between = between(config.alerts.events_between_false_alarms, REPEATS)
        self._reference = config.reference.events

    def begin(self, model: Record) -> None:
        """Tell kernels of a model's record where its predictions are watched from now on."""
        self._stream.promise(self._between)
        model["repeats"], model["repeats_reference"] = self._stream.index, self._reference
        model["repeats_threshold"] = self._stream.threshold
        if self._stream.count == 0 and self._stream.learned < self._reference:
            self._stream.promise(NEVER)  # before the end of the reference, at which kernels set it

    def close(self) -> None:
        """Give its records back."""
        self._stream.close()

    def level(self, predictions: int) -> Level:
        """Return how the share stands, of a model with so many predictions: it is of no version, so none follows it."""
        return Level(self._stream.level, values=self._stream.count, events=predictions)

    def report(self) -> dict[str, dict[str, Any]]:
        """Return its part of the state document, from the end of its reference on."""
        return {f"{SUBJECT.as_text()} {each['detector']}": each for each in self._stream.reports()}

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return self._stream.snapshot()

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._stream.restore(snapshot)
