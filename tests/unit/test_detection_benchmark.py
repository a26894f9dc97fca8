"""What `benchmarks.detection` says of its runs: that nothing changes before a change, and which claims are missed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pytest
from rich.console import Console

from benchmarks import detection_streams
from benchmarks.detection import BY_NAME, FULL, contenders, summed_up, told
from benchmarks.detection_changes import CHANGES
from benchmarks.detection_claims import AS_CALM, missed
from benchmarks.detection_nulls import NULLS
from benchmarks.detection_streams import Scenario
from benchmarks.detection_tables import attribution_table, changes_table, curve_table, nulls_table, pages_table
from benchmarks.detection_watchers import HEARD, Found, Watched, kswin, sampled
from benchmarks.intervals import interval

if TYPE_CHECKING:
    from rich.table import Table

    from benchmarks.detection_streams import Chunk

    Results: TypeAlias = dict[str, list[dict[str, Any]]]

AFTER: Final = 2_500  # events, in which a change is to be seen

WHAT: Final = Scenario(
    "what",
    NULLS[0].features,
    at=1_000,
    targets=("data_drift feature x0",),
    beside=("data_quality feature x0",),
)


def of_null(findings: int, events: int = 10_000_000, detector: str = "Driftline") -> dict[str, Any]:
    low, high = interval(findings, events)
    rate = {"per million": findings / events * 1e6, "low": low, "high": high, "us an event": 10.0}
    return {"family": "null", "detector": detector, "events": events, "findings": findings, "pages": 0, **rate}


def of_runs(found: int, delay: int | None = 100, **others: int | None) -> dict[str, Any]:
    counts = {"attributed": found, "covered": found, "width": 150, "paged": found, "page": delay}
    return {"runs": 30, "found": found, "delay": delay, **counts, **others}


def of_change(own: dict[str, Any], adwin: dict[str, Any], name: str = "change", *, of_mean: bool = True) -> Results:
    return {"changes": [{"change": name, "of a mean": of_mean, "delta": 1e-4, "Driftline": own, AS_CALM: adwin}]}


@pytest.mark.parametrize("scenario", CHANGES, ids=lambda scenario: scenario.name)
def test_nothing_changes_before_the_change(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_streams, "CHUNK", 9_000)  # so that no change is where a chunk begins
    base = replace(BY_NAME[scenario.base], name=scenario.name)  # which the seed is made of, too
    for chunk, unchanged in zip(*(each.chunks(scenario.at + AFTER, 1) for each in (scenario, base)), strict=True):
        before = max(scenario.at - chunk.start, 0)
        for one, other in zip(parts_of(chunk), parts_of(unchanged), strict=True):
            assert np.array_equal(one[:before], other[:before], equal_nan=True)
    assert not all(
        np.array_equal(one, other, equal_nan=True)
        for one, other in zip(parts_of(chunk), parts_of(unchanged), strict=True)
    )


def parts_of(chunk: Chunk) -> tuple[Any, ...]:
    return chunk.features, chunk.scores, chunk.wrong, chunk.regions


def test_a_null_has_days() -> None:
    by_name = {scenario.name: FULL.events_of(scenario) for scenario in NULLS}
    assert by_name.pop("daily, 1e7 a day") == 30_000_000
    assert set(by_name.values()) == {FULL.events}
    few = replace(FULL, events=100_000)
    assert few.events_of(BY_NAME["daily, 1e7 a day"]) == 300_000


@pytest.mark.parametrize(("findings", "is_missed"), [(0, False), (10, False), (11, True), (17, True)])
def test_more_than_one_finding_in_a_million_events_is_a_miss(findings: int, is_missed: bool) -> None:  # noqa: FBT001 - a column
    assert bool(missed({"nulls": [of_null(findings)]})) is is_missed


@pytest.mark.parametrize(("findings", "is_missed"), [(1, False), (2, False), (4, True)])
def test_of_few_events_a_finding_is_no_miss(findings: int, is_missed: bool) -> None:  # noqa: FBT001 - a column
    assert bool(missed({"nulls": [of_null(findings, 400_000)]})) is is_missed


def test_rivals_may_find_what_they_will() -> None:
    assert not missed({"nulls": [of_null(1_000, detector="ADWIN")]})


@pytest.mark.parametrize(("findings", "said"), [(3, "shown"), (4, "not shown"), (11, "missed")])
def test_the_table_says_where_at_most_one_is_shown(findings: int, said: str) -> None:
    assert said in shown(nulls_table([of_null(findings)]))


@pytest.mark.parametrize(("pages", "complaints"), [(0, 0), (1, 1)])
def test_no_page_may_come_of_how_labels_come(pages: int, complaints: int) -> None:
    assert len(missed({"feeds": [{"feed": "feed", "with a page": pages, "runs": 30}]})) == complaints


@pytest.mark.parametrize(
    ("own", "adwin", "of_mean", "is_missed"),
    [
        (16, 30, True, True),
        (0, 30, True, True),
        (26, 30, True, False),  # nine of ten may still be true
        (16, 16, True, False),
        (0, 0, True, False),  # too small for both
        (0, 0, False, True),
        (16, 0, False, True),
        (30, 0, False, False),
    ],
)
def test_a_change_is_to_be_found(own: int, adwin: int, of_mean: bool, is_missed: bool) -> None:  # noqa: FBT001 - a column
    results = of_change(of_runs(own, 100 if own else None), of_runs(adwin, 100 if adwin else None), of_mean=of_mean)
    assert bool(missed(results)) is is_missed


def test_what_no_mean_tells_is_to_be_found_where_adwin_is_never_calm() -> None:
    nobody = summed_up([])
    assert missed(of_change(of_runs(0, None), nobody, of_mean=False))
    assert not missed(of_change(of_runs(0, None), nobody))


@pytest.mark.parametrize(("delay", "complaints"), [(130, 0), (150, 1), (161, 2)])  # of all, and of the worst
def test_adwin_is_hardly_sooner(delay: int, complaints: int) -> None:
    assert len(missed(of_change(of_runs(30, delay), of_runs(30, 100)))) == complaints


@pytest.mark.parametrize(("delay", "is_missed"), [(320, False), (321, True)])
def test_errors_are_found_as_soon_as_is_said(delay: int, is_missed: bool) -> None:  # noqa: FBT001 - a column
    assert bool(missed(of_change(of_runs(30, delay), of_runs(30, 900), "errors .1 to 0.2"))) is is_missed


@pytest.mark.parametrize(
    ("others", "is_missed"),
    [
        ({"attributed": 29}, False),
        ({"attributed": 28}, True),
        ({"covered": 27}, False),
        ({"covered": 26}, True),
        ({"width": 200}, False),
        ({"width": 201}, True),
    ],
)
def test_a_change_is_taken_for_what_it_is_and_when_it_began(others: dict[str, int], is_missed: bool) -> None:  # noqa: FBT001 - a column
    assert bool(missed(of_change(of_runs(30, **others), of_runs(30)))) is is_missed


def test_nothing_is_missed_where_nothing_was_measured() -> None:
    assert missed({}) == []


def found(event: int, subject: str, earliest: int = 0, latest: int = 0, incident: str = "") -> Found:
    return Found(event, "detector", subject, earliest, latest, 0.5, incident)


def test_a_run_tells_its_first_finding_on_a_target_and_its_page() -> None:
    watched = Watched(
        5_000,
        [found(900, "data_drift feature x0"), found(1_049, "data_drift feature x0", 980, 1_020)],
        [found(1_099, "data_drift feature x0", incident="i")],
        {"i": {"data_drift feature x0"}},
    )
    assert told(watched, WHAT) == {"delay": 50, "page": 100, "attributed": True, "covered": True, "width": 40}


@pytest.mark.parametrize(
    ("first", "is_right"),
    [("data_drift feature x1", False), ("data_quality feature x0", True), ("data_drift feature x0", True)],
)
def test_what_is_found_first_may_be_what_changes_with_the_target(first: str, is_right: bool) -> None:  # noqa: FBT001 - a column
    watched = Watched(5_000, [found(1_010, first), found(1_049, "data_drift feature x0")])
    assert told(watched, WHAT)["attributed"] is is_right


def test_what_was_not_found_has_no_delay() -> None:
    watched = Watched(5_000, [found(900, "data_drift feature x0"), found(1_049, "data_drift feature x1")])
    assert told(watched, WHAT)["delay"] is None


def test_a_page_of_an_incident_that_a_target_has_joined_is_of_the_target() -> None:
    pages = [
        found(990, "data_drift feature x0", incident="before"),
        found(1_019, "data_drift feature x1", incident="other"),
        found(1_029, "performance metric accuracy", incident="joined"),
    ]
    joined = {name: {page.subject} for name, page in zip(("before", "other", "joined"), pages, strict=True)}
    joined["joined"].add("data_drift feature x0")
    page = Watched(5_000, [], pages, joined).paged(WHAT)
    assert page is not None
    assert page.incident == "joined"


def test_a_run_ends_with_the_page_or_long_after_the_finding() -> None:
    watched = Watched(5_000, [found(1_049, "data_drift feature x0")])
    assert not watched.is_told(WHAT, 1_050)
    assert watched.is_told(WHAT, 5_049)
    watched.pages.append(found(1_099, "data_drift feature x0", incident="i"))
    watched.joined["i"] = {"data_drift feature x0"}
    assert watched.is_told(WHAT, 1_099)


def test_runs_are_summed_up_with_those_that_found_nothing() -> None:
    run = {"attributed": True, "covered": True}
    nothing = {"delay": None, "page": None, "attributed": False}
    runs = [run | {"delay": delay, "page": page, "width": 10} for delay, page in ((10, 20), (30, None), (40, None))]
    assert summed_up([*runs, nothing]) == {
        "runs": 4,
        "found": 3,
        "delay": 30,
        "paged": 1,
        "page": None,
        "attributed": 3,
        "covered": 3,
        "width": 10,
    }
    assert summed_up([nothing, nothing])["delay"] is None


def test_kswin_hears_what_changes_alone() -> None:
    assert sampled(NULLS[0]) == [HEARD[0], HEARD[-1]]
    by_name = {scenario.name: sampled(scenario) for scenario in CHANGES}
    assert by_name["sd x 2.0"] == by_name["missing, 20 %"] == ["feature x0"]
    assert by_name["category, 20 points more"] == ["feature x5"]
    assert by_name["errors .1 to 0.2"] == ["metric accuracy"]
    assert by_name["label shift, 10 points"] == []
    assert contenders(BY_NAME["label shift, 10 points"], None, FULL)["KSWIN"][-1] == 0


def test_kswin_stops_where_it_has_found_the_change() -> None:
    scenario = BY_NAME["mean +2.0 sd, early"]
    watched = kswin(scenario, scenario.at + 1_000, 1)
    assert [each.event >= scenario.at for each in watched.findings].count(True) == 1
    assert watched.found(scenario) == watched.findings[-1]


def test_each_rate_in_a_table_has_an_interval() -> None:
    rows = of_change(of_runs(30), of_runs(0, None))["changes"]
    for table in (changes_table, attribution_table, pages_table):
        assert "30/30 [0.88, 1.00]" in shown(table(rows))
    curve = {"detector": "ADWIN", "parameter": 0.002, "false per million": 7.07, "low": 2.84, "high": 14.57}
    assert "7.07 [2.84, 14.57]" in shown(curve_table([curve | {"delays": {"change": None}}]))


def shown(table: Table) -> str:
    console = Console(width=240)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
