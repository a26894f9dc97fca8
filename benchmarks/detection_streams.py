"""Streams with a known truth, for `benchmarks.detection`: nothing changes in them, or one thing does, at a known event.

All are made from a fixed seed, in chunks of Arrow batches. A model has twenty features, numeric unless a scenario says
otherwise, and a score, and is wrong about once in ten times; a scenario bends some of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from scipy.signal import lfilter

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
    of `base`. What the change should be found as is in `targets`, by the words of a subject. The first `categorical`
    features are categories, by their numbers. With `regions` each event is of one of eight. `delays` says after how
    many events, of `per_day`, a label comes; without it at once, and never if infinite. Logits have a mean of `lean`;
    from event `slower` on there are only a tenth as many events a day.
    """

    name: str
    features: Callable[[Noise, int, int], Floats]
    errors: Callable[[Noise, int, int], npt.NDArray[np.bool_]] | None = None
    change: Callable[[Chunk, Random], Chunk] | None = None
    at: int = 0
    targets: tuple[str, ...] = ()
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


# -- what features are like -------------------------------------------------------------------------------------------


def normal(noise: Noise, start: int, end: int) -> Floats:
    """Nothing but noise."""
    return noise.random.standard_normal((end - start, FEATURES))


def heavy(noise: Noise, start: int, end: int) -> Floats:
    """Student's t of three degrees of freedom."""
    return noise.random.standard_t(3, (end - start, FEATURES))


def lognormal(noise: Noise, start: int, end: int) -> Floats:
    """Values whose logarithm is normal."""
    return noise.random.lognormal(0.0, 1.0, (end - start, FEATURES))


def zero_inflated(noise: Noise, start: int, end: int) -> Floats:
    """Seven of ten values are 0."""
    values = noise.random.lognormal(0.0, 1.0, (end - start, FEATURES))
    values[noise.random.random(values.shape) < 0.7] = 0.0  # noqa: PLR2004 - seven of ten
    return values


def counts(noise: Noise, start: int, end: int) -> Floats:
    """Small whole numbers."""
    return noise.random.poisson(3.0, (end - start, FEATURES)).astype(np.float64)


def autoregressive(related: float) -> Callable[[Noise, int, int], Floats]:
    """Return what makes each value follow the one before it."""

    def make(noise: Noise, start: int, end: int) -> Floats:
        shocks = noise.random.standard_normal((end - start, FEATURES)) * np.sqrt(1.0 - related**2)
        before = noise.state.get("filter", related * noise.random.standard_normal((1, FEATURES)))
        values, noise.state["filter"] = lfilter([1.0], [1.0, -related], shocks, axis=0, zi=before)
        return np.asarray(values)

    return make


def daily(noise: Noise, start: int, end: int) -> Floats:
    """Twice the noise goes up and down with the time of day, each feature at its own hour."""
    hours = 2.0 * np.pi * (np.arange(start, end)[:, None] / noise.per_day + np.arange(FEATURES) / FEATURES)
    return np.sin(hours) + noise.random.standard_normal((end - start, FEATURES))


def correlated(noise: Noise, start: int, end: int) -> Floats:
    """All features follow one that is not seen."""
    common = noise.random.standard_normal((end - start, 1))
    return np.asarray(0.9 * common + np.sqrt(1.0 - 0.81) * noise.random.standard_normal((end - start, FEATURES)))


def categories(related: float, *, hours: float = 0.0) -> Callable[[Noise, int, int], Floats]:
    """Return what makes ten features of 2 to 15 categories, the k-th of which is as frequent as 1 / k.

    Each is the one before it, or drawn anew; what is drawn goes up and down with the time of day by a share of `hours`.
    """

    def make(noise: Noise, start: int, end: int) -> Floats:
        values = noise.random.standard_normal((end - start, FEATURES))
        angle = 2.0 * np.pi * np.arange(start, end) / noise.per_day
        for nth, most in enumerate(_MOST):
            numbers = np.arange(most)
            weights = (1.0 + hours * np.sin(angle[:, None] + 2.0 * numbers)) / (1.0 + numbers)
            shares = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
            fresh = (noise.random.random((end - start, 1)) > shares[:, :-1]).sum(axis=1).astype(np.float64)
            anew = noise.random.random(end - start) >= related
            anew[0] |= start == 0
            last = np.maximum.accumulate(np.where(anew, np.arange(end - start), -1))
            values[:, nth] = np.where(last >= 0, fresh[last], noise.state.get(nth, 0.0))
            noise.state[nth] = values[-1, nth]
        return values

    return make


_MOST: Final = (2, 3, 4, 5, 6, 8, 10, 12, 15, 15)


def independent_errors(rate: float) -> Callable[[Noise, int, int], npt.NDArray[np.bool_]]:
    """Return what makes errors, each by itself."""

    def make(noise: Noise, start: int, end: int) -> npt.NDArray[np.bool_]:
        noise.state["rate"] = rate
        return noise.random.random(end - start) < rate

    return make


def markov_errors(rate: float, related: float) -> Callable[[Noise, int, int], npt.NDArray[np.bool_]]:
    """Return what makes errors in bursts: each event is as the one before it, or drawn anew."""

    def make(noise: Noise, start: int, end: int) -> npt.NDArray[np.bool_]:
        noise.state["rate"] = rate
        drawn = noise.random.random(end - start) < rate
        anew = noise.random.random(end - start) >= related
        anew[0] |= start == 0
        last = np.maximum.accumulate(np.where(anew, np.arange(end - start), -1))
        errors = np.where(last >= 0, drawn[last], noise.state.get("error", False))
        noise.state["error"] = bool(errors[-1])
        return errors

    return make


def daily_errors(rate: float) -> Callable[[Noise, int, int], npt.NDArray[np.bool_]]:
    """Return what makes errors that come and go with the time of day, by three fifths."""

    def make(noise: Noise, start: int, end: int) -> npt.NDArray[np.bool_]:
        noise.state["rate"] = rate
        angle = 2.0 * np.pi * np.arange(start, end) / noise.per_day
        return np.asarray(noise.random.random(end - start) < rate * (1.0 + 0.6 * np.sin(angle)))

    return make


def later_if_wrong(chunk: Chunk, random: Random) -> Floats:
    """Labels that say that a prediction was wrong take ten times as long as others."""
    return random.exponential(np.where(chunk.wrong, 2000.0, 200.0))


def outages(chunk: Chunk, random: Random) -> Floats:
    """Of every 20,000 events the labels of 2,000 come all when these are over; others take 50 events."""
    since = chunk.nth % (10 * _OUTAGE)
    return np.where(since < _OUTAGE, float(_OUTAGE) - since, random.exponential(50.0, len(since)))


_OUTAGE: Final = 2000


NULLS: Final = (
    Scenario("normal", normal),
    Scenario("t3", heavy),
    Scenario("lognormal", lognormal),
    Scenario("zero-inflated", zero_inflated),
    Scenario("count", counts),
    Scenario("AR(1) .5", autoregressive(0.5)),
    Scenario("AR(1) .9", autoregressive(0.9)),
    Scenario("correlated", correlated),
    Scenario("errors .01", normal, independent_errors(0.01)),
    Scenario("errors .1", normal, independent_errors(0.1)),
    Scenario("errors .3", normal, independent_errors(0.3)),
    Scenario("Markov errors", normal, markov_errors(0.1, 0.8)),
    Scenario("daily, 1e3 a day", daily, per_day=1e3),
    Scenario("daily, 1e5 a day", daily, per_day=1e5),
    Scenario("daily, 1e7 a day", daily, per_day=1e7),
    Scenario("daily errors, 4e3 a day", normal, daily_errors(0.1)),
    Scenario("daily errors, 1e5 a day", normal, daily_errors(0.1), per_day=1e5),
    Scenario("categories", categories(0.0), categorical=10),
    Scenario("Markov categories", categories(0.8), categorical=10),
    Scenario("daily categories, 1e5 a day", categories(0.0, hours=0.5), per_day=1e5, categorical=10),
    Scenario("eight regions", normal, independent_errors(0.1), regions=True),
    Scenario("labels later if wrong", normal, independent_errors(0.1), delays=later_if_wrong),
    Scenario("label outages", normal, independent_errors(0.1), delays=outages),
)


# -- how labels come --------------------------------------------------------------------------------------------------


def soon(chunk: Chunk, random: Random) -> Floats:
    """Labels take 200 events."""
    return random.exponential(200.0, len(chunk.scores))


def at_once(chunk: Chunk, random: Random) -> Floats:  # noqa: ARG001 - as others
    """Labels come with their predictions."""
    return np.zeros(len(chunk.scores))


def then(before: Delays, bend: Callable[[Chunk, Floats], Floats]) -> Delays:
    """Return delays that are others from event `LATE` on."""

    def delays(chunk: Chunk, random: Random) -> Floats:
        takes = before(chunk, random)
        return np.where(chunk.nth < LATE, takes, bend(chunk, takes))

    return delays


def caught_up(chunk: Chunk, random: Random) -> Floats:
    """Labels that would come in the 2,000 events from `LATE` on all come after them; wrong ones take longer."""
    takes, ends = later_if_wrong(chunk, random), LATE + _OUTAGE
    comes = chunk.nth + takes
    return np.where((comes >= LATE) & (comes < ends), ends - chunk.nth, takes)


_SKEWED: Final = Scenario("", normal, lean=-2.0)  # three of ten are positive, and these are predicted worse

FEEDS: Final = (
    replace(_SKEWED, name="labels of positives alone", delays=then(soon, lambda c, d: np.where(c.labels, d, np.inf))),
    replace(_SKEWED, name="the same, at once", delays=then(at_once, lambda c, d: np.where(c.labels, d, np.inf))),
    replace(_SKEWED, name="labels of negatives alone", delays=then(soon, lambda c, d: np.where(c.labels, np.inf, d))),
    replace(_SKEWED, name="half of the labels", delays=then(soon, lambda c, d: np.where(c.nth % 2, d, np.inf))),
    replace(
        _SKEWED, name="errors late, then twice as late", delays=then(later_if_wrong, lambda c, d: d * (1 + c.wrong))
    ),
    replace(_SKEWED, name="right ones ten times as late", delays=then(soon, lambda c, d: np.where(c.wrong, d, 10 * d))),
    replace(_SKEWED, name="errors late, then all ten times sooner", delays=then(later_if_wrong, lambda _, d: d / 10)),
    replace(_SKEWED, name="errors late, a tenth of the traffic", delays=later_if_wrong, slower=LATE),
    replace(_SKEWED, name="errors late, none, then all at once", delays=caught_up),
)
"""From `LATE` on nothing changes but how labels come, or how many events there are."""


# -- what may change --------------------------------------------------------------------------------------------------


def _after(chunk: Chunk, at: int) -> int:
    return max(at - chunk.start, 0)


def moved(at: int, bend: Callable[[Floats], Floats], *, over: int = 0) -> Callable[[Chunk, Random], Chunk]:
    """Return what bends the first feature: at once, or of ever more events, over so many of them."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        features, first = chunk.features.copy(), _after(chunk, at)
        values = features[first:, 0]
        share = np.clip((chunk.nth[first:] - at + 1) / over, 0.0, 1.0) if over else np.ones(len(values))
        features[first:, 0] = np.where(random.random(len(values)) < share, bend(values), values)
        return replace(chunk, features=features)

    return change


def drifting(at: int, shift: float, over: int) -> Callable[[Chunk, Random], Chunk]:
    """Return what shifts the first feature, ever farther over so many events."""

    def change(chunk: Chunk, random: Random) -> Chunk:  # noqa: ARG001 - as others
        features, first = chunk.features.copy(), _after(chunk, at)
        features[first:, 0] += shift * np.clip((chunk.nth[first:] - at + 1) / over, 0.0, 1.0)
        return replace(chunk, features=features)

    return change


def burst(at: int, events: int) -> Callable[[Chunk, Random], Chunk]:
    """Return what loses the first feature of so many events."""

    def change(chunk: Chunk, random: Random) -> Chunk:  # noqa: ARG001 - as others
        features = chunk.features.copy()
        features[(chunk.nth >= at) & (chunk.nth < at + events), 0] = np.nan
        return replace(chunk, features=features)

    return change


def recategorised(at: int, share: float, category: int) -> Callable[[Chunk, Random], Chunk]:
    """Return what makes a share of a feature of eight categories one of them, or a new one."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        features, first = chunk.features.copy(), _after(chunk, at)
        values = features[first:, _OF_EIGHT]
        features[first:, _OF_EIGHT] = np.where(random.random(len(values)) < share, category, values)
        return replace(chunk, features=features)

    return change


_OF_EIGHT: Final = 5  # the feature that has 8 categories


def wrong(at: int, rate: float) -> Callable[[Chunk, Random], Chunk]:
    """Return what has predictions wrong at another rate."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        errors, first = chunk.wrong.copy(), _after(chunk, at)
        errors[first:] = random.random(len(errors) - first) < rate
        return replace(chunk, wrong=errors)

    return change


def more_wrong(at: int, share: float) -> Callable[[Chunk, Random], Chunk]:
    """Return what has a share of the right predictions wrong, too."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        errors, first = chunk.wrong.copy(), _after(chunk, at)
        errors[first:] |= random.random(len(errors) - first) < share
        return replace(chunk, wrong=errors)

    return change


def wrong_in(at: int, region: int, rate: float) -> Callable[[Chunk, Random], Chunk]:
    """Return what has the predictions of one region wrong at another rate."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        errors, first = chunk.wrong.copy(), _after(chunk, at)
        others = random.random(len(errors) - first) < rate
        errors[first:] = np.where(chunk.regions[first:] == region, others, errors[first:])
        return replace(chunk, wrong=errors)

    return change


def more_positives(at: int, share: float) -> Callable[[Chunk, Random], Chunk]:
    """Return what makes a share of the negative predictions positive ones, and of their labels as many."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        scores, first = chunk.scores.copy(), _after(chunk, at)
        after = scores[first:]
        turns = (after < 0.5) & (random.random(len(after)) < share)  # noqa: PLR2004 - the likelier class
        scores[first:] = np.where(turns, 1.0 - after, after)
        return replace(chunk, scores=scores)

    return change


def _shifted(shift: float) -> Callable[[Floats], Floats]:
    return lambda values: values + shift


def _lost(share: float) -> Callable[[Floats], Floats]:
    """Return what loses a share of the values, by their own digits."""
    return lambda values: np.where(np.abs(values) * 1e6 % 1.0 < share, np.nan, values)


def _two_humps(values: Floats) -> Floats:
    """Return values of the same mean and variance that are hardly ever in the middle."""
    return np.asarray(0.9 * np.sign(values) + np.sqrt(1.0 - 0.81) * (values * 1e3 % 2.0 - 1.0) * np.sqrt(3.0))


def _scaled(factor: float) -> Callable[[Floats], Floats]:
    return lambda values: values * factor


def _of_feature(
    name: str, at: int, bend: Callable[[Floats], Floats], base: Scenario = NULLS[0], *, over: int = 0
) -> Scenario:
    return base.changed(name, at, moved(at, bend, over=over), "data_drift feature x0")


BASES: Final = {scenario.name: scenario for scenario in NULLS}

CHANGES: Final = (
    *(
        _of_feature(f"mean +{shift} sd{when}", at, _shifted(shift))
        for at, when in ((EARLY, ", early"), (LATE, ", late"))
        for shift in (0.1, 0.25, 0.5, 1.0, 2.0)
    ),
    *(_of_feature(f"sd x {scale}", LATE, _scaled(scale)) for scale in (0.5, 1.25, 2.0)),
    _of_feature("sd x 2.0, early", EARLY, _scaled(2.0)),
    _of_feature("gradual, sd x 2.0 over 2,000", LATE, _scaled(2.0), over=2000),
    _of_feature("t3, mean +.5", LATE, _shifted(0.5), NULLS[1]),
    _of_feature("lognormal x 1.5", LATE, _scaled(1.5), NULLS[2]),
    _of_feature("zero-inflated x 3", LATE, _scaled(3.0), NULLS[3]),
    _of_feature("AR(1) .9, mean +1 sd", LATE, _shifted(1.0), NULLS[6]),
    _of_feature("daily, 1e3 a day, mean +1 sd", LATE, _shifted(1.0), NULLS[12]),
    _of_feature("daily, 1e5 a day, mean +1 sd", 3 * LATE, _shifted(1.0), NULLS[13]),
    _of_feature("gradual, mean +1 sd over 2,000", LATE, _shifted(1.0), over=2000),
    NULLS[0].changed("incremental, mean to +1 sd over 2,000", LATE, drifting(LATE, 1.0, 2000), "data_drift feature x0"),
    _of_feature("shape, two humps", LATE, _two_humps),
    *(
        BASES["categories"].changed(
            name, LATE, recategorised(LATE, share, category), f"data_drift feature x{_OF_EIGHT}", *others
        )
        for name, share, category, others in (
            ("category, 5 points more", 0.05, 5, ()),
            ("category, 20 points more", 0.2, 5, ()),
            ("new category, 5 %", 0.05, 8, (f"data_quality feature x{_OF_EIGHT}",)),
        )
    ),
    *(
        NULLS[9].changed(
            f"errors .1 to {rate}",
            LATE,
            wrong(LATE, rate),
            "performance metric accuracy",
            "concept_drift metric calibration",
        )
        for rate in (0.05, 0.13, 0.2, 0.3)
    ),
    BASES["daily errors, 4e3 a day"].changed(
        "errors .1 to .2, daily",
        LATE,
        more_wrong(LATE, 0.1 / 0.9),
        "performance metric accuracy",
        "concept_drift metric calibration",
    ),
    *(
        BASES["eight regions"].changed(
            f"errors .1 to {rate} in one of eight regions",
            LATE,
            wrong_in(LATE, 3, rate),
            "performance segment region=r3",
            "fairness segment region=r3",
        )
        for rate in (0.2, 0.4)
    ),
    NULLS[0].changed(
        "label shift, 10 points",
        LATE,
        more_positives(LATE, 0.2),
        "label_drift metric label",
        "prediction_drift metric score",
    ),
    NULLS[0].changed("missing, 20 %", LATE, moved(LATE, _lost(0.2)), "data_quality feature x0"),
    NULLS[0].changed("missing, a burst of 50", LATE, burst(LATE, 50), "data_quality feature x0"),
)

BY_NAME: Final = {scenario.name: scenario for scenario in (*NULLS, *CHANGES, *FEEDS)}
"""A scenario is made of functions, which cannot be handed to another process; its name can."""
