"""Streams with a known truth, for `benchmarks.detection`: nothing changes in them, or one thing does, at a known event.

All are made from a fixed seed, in chunks of Arrow batches. A model has twenty features, numeric unless a scenario says
otherwise, and a score, and is wrong about once in ten times; a scenario bends some of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Random = np.random.Generator
    Delays: TypeAlias = Callable[["Chunk", Random], Floats]

FEATURES: Final = 20
REGIONS: Final = 8
CHUNK: Final = 10_000
DAY: Final = 86_400_000  # ms
EARLY: Final = 12_000
LATE: Final = 40_000
_BEGIN: Final = 1_767_225_600_000  # 2026-01-01
_SLOWER: Final = 10  # times
_SURE: Final = 3.4  # spread of the logits of scores, with which one prediction in ten is wrong


@dataclass(frozen=True)
class Chunk:
    """Events in a row, the first of which is the `start`-th: features, scores, and whether each prediction is wrong.

    `regions` has the number of the region that each is of.
    """

    start: int
    features: Floats
    scores: Floats
    wrong: npt.NDArray[np.bool_]
    regions: npt.NDArray[np.int64]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The likelier class of each."""
        return (self.scores > 0.5).astype(np.int64)  # noqa: PLR2004 - the likelier class

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class that each turns out to be of."""
        return self.predicted ^ self.wrong

    @property
    def nth(self) -> npt.NDArray[np.int64]:
        """Which events these are, from 0."""
        return np.arange(self.start, self.start + len(self.scores))


@dataclass
class Noise:
    """What features are made of, from one chunk to the next; `state` is what a family keeps."""

    random: Random
    per_day: float
    state: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """A stream.

    `features` makes the features of events from one number up to another, `errors` says which predictions are wrong
    (None: as often as their scores say), and `change` bends a chunk from event `at` on; without it the stream is that
    of `base`. What the change should be found as is in `targets`, by the words of a subject, and what else changes with
    it, so that it may be found first, in `beside`. Unless it is `of_mean`, detectors that watch means are not to be
    asked whether it can be found. The first `categorical` features are categories, by their numbers. With `regions`
    each event is of one of eight. `delays` says after how many events, of `per_day`, a label comes; without it at once,
    and never if infinite. Logits have a mean of `lean`; from event `slower` on there are only a tenth as many events a
    day.
    """

    name: str
    features: Callable[[Noise, int, int], Floats]
    errors: Callable[[Noise, int, int], npt.NDArray[np.bool_]] | None = None
    change: Callable[[Chunk, Random], Chunk] | None = None
    at: int = 0
    targets: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    of_mean: bool = True
    base: str = ""
    per_day: float = 4e3
    categorical: int = 0
    regions: bool = False
    delays: Delays | None = None
    lean: float = 0.0
    slower: int | None = None

    def time_of(self, nth: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return when events are, in epoch milliseconds, from their numbers."""
        late = 0.0 if self.slower is None else np.maximum(nth - self.slower, 0) * (_SLOWER - 1)
        return (_BEGIN + (nth + late) * (DAY / self.per_day)).astype(np.int64)

    def nth_of(self, at: int) -> int:
        """Return which event was at a time, or after it."""
        nth = (at - _BEGIN) * self.per_day / DAY
        if self.slower is not None and nth > self.slower:
            nth = self.slower + (nth - self.slower) / _SLOWER
        return int(np.ceil(nth))

    def chunks(self, events: int, seed: int) -> Iterator[Chunk]:
        """Yield the first events, those of one seed."""
        random = np.random.default_rng([seed, *self.name.encode()])
        noise = Noise(random, self.per_day)
        for start in range(0, events, CHUNK):
            end = min(start + CHUNK, events)
            features = self.features(noise, start, end)
            logits = random.normal(self.lean, _SURE, end - start)
            scores = 1.0 / (1.0 + np.exp(-logits))
            if self.errors is None:
                wrong = random.random(end - start) < np.minimum(scores, 1.0 - scores)
            else:
                wrong = self.errors(noise, start, end)
                # As sure as it is right: then scores and errors are as the reference says.
                rate = noise.state["rate"]
                scores = np.where(scores > 0.5, 1.0 - rate, rate)  # noqa: PLR2004 - the likelier class
            regions = random.integers(0, REGIONS, end - start) if self.regions else np.zeros(end - start, np.int64)
            chunk = Chunk(start, features, scores, wrong, regions)
            yield chunk if self.change is None or end <= self.at else self.change(chunk, random)

    def changed(self, name: str, at: int, change: Callable[[Chunk, Random], Chunk], *targets: str) -> Scenario:
        """Return the same with a change."""
        return replace(self, name=name, at=at, change=change, targets=targets, base=self.name)
