"""What a list of all models shows of each: the golden replays' states, in a few lines."""

from __future__ import annotations

import json
from typing import Final

import pytest

from driftline.schemas.state import ModelState, Overview
from tests.golden.cases import CASES, Golden

METRICS: Final = {"fraud": "accuracy", "price": "mae", "vehicles": "accuracy"}


def state_of(case: Golden, **changes: object) -> ModelState:
    (document,) = json.loads((case.folder / "state.json").read_text()).values()
    return ModelState.model_validate(document | changes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_the_state_does(case: Golden) -> None:
    state = state_of(case)
    overview, metric = Overview.of(state), METRICS[case.name]
    assert (overview.metric, overview.overall) == (metric, state.performance[metric])
    assert overview.lately == state.performance["window"][metric]
    assert (overview.predictions, overview.incidents) == (state.counts.predictions, state.incidents)
    assert overview.silent == [feed for feed, report in state.feeds.items() if report.is_silent]
    assert len(overview.model_dump_json()) < 0.2 * len(state.model_dump_json())
    before = state.detectors[f"performance metric {metric} e_sr:error"]["before"]
    of_errors = metric == "accuracy" and before is not None
    assert overview.reference == (1.0 - before if of_errors else before)


def test_the_metric_is_compared_with_that_of_the_reference() -> None:
    (fraud,) = (case for case in CASES if case.name == "fraud")
    overview = Overview.of(state_of(fraud))
    assert overview.reference == pytest.approx(0.717, abs=0.001)
    assert (overview.lately or 1.0) < 0.6


def test_of_what_is_not_known_yet_there_is_nothing() -> None:
    overview = Overview.of(state_of(CASES[0], task=None, performance={}, detectors={}))
    assert (overview.metric, overview.overall, overview.lately, overview.reference) == (None, None, None, None)
