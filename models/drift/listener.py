"""A detector of River beside those of a stream: it hears each value, and what it finds is sized as theirs is.

It has no part in what they decide: they are not reset by what it finds, nor it by them. So a detector that cries often
costs its own alerts and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.models.library.catalogue import is_binary, version
from driftline.models.library.detector import open_detector

if TYPE_CHECKING:
    from driftline.schemas.config import DetectorsConfig
    from driftline.schemas.river import RiverDetector, Watched


class Listener:
    """One detector on one stream.

    Parameters
    ----------
    config
        Which one.

    """

    def __init__(self, config: RiverDetector) -> None:
        self.name = f"river:{config.name}"
        self.begun = 0  # after how many values of the stream
        self.detections = 0
        self.fired: int | None = None  # at which value, while the change that it saw is being sized
        self.regime = 0  # where the change before began
        self._config = config
        self._detector = open_detector(config)

    def begin(self, count: int) -> None:
        """Begin after so many values of the stream."""
        self.begun = self.regime = count

    def update(self, value: float, count: int) -> None:
        """Take a value in [0, 1], which is the stream's `count`-th."""
        if self._detector.update(value):
            self.detections += 1
            if self.fired is None:
                self.fired = count

    def settle(self, regime: int) -> None:
        """Say that the size of a change is known, which began at `regime`: the next one may be found."""
        self.fired, self.regime = None, regime

    @property
    def _made_of(self) -> list[Any]:
        """What a state is of no use without."""
        # As text: a snapshot has no integers of more than 64 bits, and a seed may be one.
        return [version(), self._config.model_dump_json(include={"parameters"})]

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "of": self._made_of,
            "begun": self.begun,
            "detections": self.detections,
            "regime": self.regime,
            "fired": self.fired,
            "state": self._detector.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any] | None, count: int) -> None:
        """Take over what `snapshot` returned; without one, or if it is of other parameters or another River, begin."""
        if snapshot is None or snapshot["of"] != self._made_of:
            self.begin(count)
            return
        self.begun, self.detections = snapshot["begun"], snapshot["detections"]
        self.regime = snapshot["regime"]
        self.fired = snapshot["fired"]
        self._detector.restore(snapshot["state"])


def listeners_on(stream: Watched, detectors: DetectorsConfig, *, bits: bool = False) -> list[Listener]:
    """Return new listeners for a stream, of zeros and ones if `bits`: what takes these hears no other."""
    chosen = detectors.on(stream)
    return [Listener(each) for each in chosen if bits or not is_binary(each.name)]
