"""The streams of `benchmarks.detection` in which one thing changes, at a known event."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.detection_nulls import NULLS
from benchmarks.detection_streams import EARLY, LATE, REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.detection_streams import Chunk, Floats, Random, Scenario


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


def drifting(at: int, bend: Callable[[Floats, Floats], Floats], over: int) -> Callable[[Chunk, Random], Chunk]:
    """Return what bends the first feature by a share of it all, which grows to 1 over so many events."""

    def change(chunk: Chunk, random: Random) -> Chunk:  # noqa: ARG001 - as others
        features, first = chunk.features.copy(), _after(chunk, at)
        share = np.clip((chunk.nth[first:] - at + 1) / over, 0.0, 1.0)
        features[first:, 0] = bend(features[first:, 0], share)
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


def wrong_elsewhere(at: int, region: int, rate: float) -> Callable[[Chunk, Random], Chunk]:
    """Return what has the predictions of one region wrong at another rate, and those of the others as much less."""

    def change(chunk: Chunk, random: Random) -> Chunk:
        errors, first = chunk.wrong.copy(), _after(chunk, at)
        others = (REGIONS * _WRONG - rate) / (REGIONS - 1)
        rates = np.where(chunk.regions[first:] == region, rate, others)
        errors[first:] = random.random(len(errors) - first) < rates
        return replace(chunk, wrong=errors)

    return change


_WRONG: Final = 0.1  # how often the model of the regions is


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


def _unlike_means(*scenarios: Scenario) -> tuple[Scenario, ...]:
    return tuple(replace(scenario, of_mean=False) for scenario in scenarios)


BASES: Final = {scenario.name: scenario for scenario in NULLS}

_OF_MEANS: Final = (
    *(
        _of_feature(f"mean +{shift} sd{when}", at, _shifted(shift))
        for at, when in ((EARLY, ", early"), (LATE, ", late"))
        for shift in (0.1, 0.25, 0.5, 1.0, 2.0)
    ),
    _of_feature("t3, mean +.5", LATE, _shifted(0.5), NULLS[1]),
    _of_feature("lognormal x 1.5", LATE, _scaled(1.5), NULLS[2]),
    _of_feature("zero-inflated x 3", LATE, _scaled(3.0), NULLS[3]),
    _of_feature("AR(1) .9, mean +1 sd", LATE, _shifted(1.0), NULLS[6]),
    _of_feature("daily, 1e3 a day, mean +1 sd", LATE, _shifted(1.0), NULLS[12]),
    _of_feature("daily, 1e5 a day, mean +1 sd", 3 * LATE, _shifted(1.0), NULLS[13]),
    _of_feature("gradual, mean +1 sd over 2,000", LATE, _shifted(1.0), over=2000),
    NULLS[0].changed(
        "incremental, mean to +1 sd over 2,000",
        LATE,
        drifting(LATE, lambda values, share: values + share, 2000),
        "data_drift feature x0",
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
)

_OF_ALL_ELSE: Final = _unlike_means(
    *(_of_feature(f"sd x {scale}", LATE, _scaled(scale)) for scale in (0.5, 1.25, 2.0)),
    _of_feature("sd x 2.0, early", EARLY, _scaled(2.0)),
    _of_feature("gradual, sd x 2.0 over 2,000", LATE, _scaled(2.0), over=2000),
    NULLS[0].changed(
        "incremental, sd to x 2.0 over 2,000",
        LATE,
        drifting(LATE, lambda values, share: values * (1.0 + share), 2000),
        "data_drift feature x0",
    ),
    _of_feature("shape, two humps", LATE, _two_humps),
    _of_feature("shape, two humps, early", EARLY, _two_humps),
    _of_feature("gradual, two humps over 2,000", LATE, _two_humps, over=2000),
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
        BASES["eight regions"].changed(
            f"errors .1 to {rate} in one of eight regions",
            LATE,
            wrong_in(LATE, 3, rate),
            "performance segment region=r3",
            "fairness segment region=r3",
        )
        for rate in (0.2, 0.4)
    ),
    *(
        replace(
            BASES["eight regions"].changed(
                f"fairness, a gap of {gap} opens",
                LATE,
                wrong_elsewhere(LATE, 3, rate),
                "fairness segment region=r3",
            ),
            beside=tuple(f"performance segment region=r{region}" for region in range(REGIONS)),
        )
        for gap, rate in ((0.23, 0.3), (0.34, 0.4))
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

CHANGES: Final = (*_OF_MEANS, *_OF_ALL_ELSE)
