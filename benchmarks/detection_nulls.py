"""The streams of `benchmarks.detection` in which nothing changes."""

from __future__ import annotations

from typing import Final

from benchmarks.detection_families import (
    autoregressive,
    categories,
    correlated,
    counts,
    daily,
    daily_errors,
    heavy,
    independent_errors,
    lognormal,
    markov_errors,
    normal,
    zero_inflated,
)
from benchmarks.detection_feeds import later_if_wrong, outages
from benchmarks.detection_streams import Scenario

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
