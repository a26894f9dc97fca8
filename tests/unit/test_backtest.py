"""Two configurations over the same records: what either tells, and what both do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from driftline.schemas.alerts import Alert, AlertState, Severity
from driftline.schemas.config import Configuration
from driftline.streams.backtest import Told, backtest, compare, incidents
from driftline.streams.cli.differences import show_differences
from driftline.streams.replay import EventFiles, ReplayError
from tests.golden.cases import CASES
from tests.streams_of_events import write

if TYPE_CHECKING:
    from pathlib import Path

(FRAUD,) = (golden for golden in CASES if golden.name == "fraud")
WARNING: Final = Severity.WARNING


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> EventFiles:
    return EventFiles(*write([FRAUD.stream], tmp_path_factory.mktemp("fraud"), seed=1))


def told(fired: int, resolved: int | None = None, what: str = "drift", severity: Severity = WARNING) -> Told:
    return Told(what, fired, resolved, severity)


def with_gate(bad_share: float) -> Configuration:
    """Return the configuration of the example with another gate of data quality, and without drift beside it."""
    document = FRAUD.configuration().model_dump(mode="json")
    document["models"][0]["alerts"]["min_effect"]["bad_share"] = bad_share
    document["models"][0]["detectors"]["numeric"] = []
    return Configuration.model_validate(document)


def test_the_same_configuration_tells_the_same(files: EventFiles) -> None:
    differences = backtest(FRAUD.configuration(), FRAUD.configuration(), files)
    assert len(differences) == 2
    assert all(difference.is_same for difference in differences)


def test_a_higher_gate_tells_less_or_later(files: EventFiles) -> None:
    (drift,) = (d for d in backtest(with_gate(0.05), with_gate(0.8), files) if not d.is_same)
    assert drift.first is not None
    assert drift.second is not None
    assert drift.first.what == drift.second.what == "data_quality of feature x, model fraud"
    assert drift.second.fired > drift.first.fired
    (gone,) = (d for d in backtest(with_gate(0.05), with_gate(1.0), files) if not d.is_same)
    assert gone.first == drift.first
    assert gone.second is not None
    assert gone.second.severity is Severity.INFO  # it is no page any more


def test_progress_counts_the_records_of_both(files: EventFiles) -> None:
    seen: list[int] = []
    backtest(Configuration(), Configuration(), files, batch=5000, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 2 * seen[len(seen) // 2 - 1]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"none\.jsonl cannot be read"):
        backtest(Configuration(), Configuration(), EventFiles(tmp_path / "none.jsonl", tmp_path / "none.jsonl"))


def test_incidents_match_if_they_are_of_one_subject_and_open_at_one_time() -> None:
    first = [told(10, 20), told(40, 50), told(60, what="errors")]
    second = [told(15, 30), told(55, 58), told(70, what="errors", severity=Severity.CRITICAL)]
    found = compare(first, second)
    assert [(d.first and d.first.fired, d.second and d.second.fired) for d in found] == [
        (10, 15),
        (40, None),
        (None, 55),
        (60, 70),
    ]


def test_an_incident_is_as_severe_as_it_has_become() -> None:
    def alert(state: AlertState, severity: Severity, at: int) -> Alert:
        example = Alert.model_validate_json(FRAUD.kept()["alerts.jsonl"].splitlines()[0])
        return example.model_copy(update={"state": state, "severity": severity, "event_time": at})

    alerts = [
        alert(AlertState.FIRING, WARNING, 1),
        alert(AlertState.UPDATED, Severity.CRITICAL, 2),
        alert(AlertState.UPDATED, WARNING, 3),
        alert(AlertState.RESOLVED, WARNING, 4),
        alert(AlertState.FIRING, WARNING, 5),
    ]
    assert [(t.fired, t.resolved, t.severity) for t in incidents(alerts)] == [
        (1, 4, Severity.CRITICAL),
        (5, None, WARNING),
    ]


def test_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_differences(compare([told(0), told(0, what="errors")], [told(1000), told(0, what="score\x1b[2J")]))
    assert capsys.readouterr().out.splitlines() == [
        "~ drift: warning at 1970-01-01T00:00:00.000Z, open -> warning at 1970-01-01T00:00:01.000Z, open",
        "- errors: warning at 1970-01-01T00:00:00.000Z, open",
        r"+ score\x1b[2J: warning at 1970-01-01T00:00:00.000Z, open",
        "3 incidents: 0 alike, 1 told otherwise, 1 of the first alone, 1 of the second alone",
    ]


def test_what_is_over_at_another_time_is_not_alike(capsys: pytest.CaptureFixture[str]) -> None:
    differences = compare([told(0, 1000), told(0, 5000, "errors")], [told(0), told(0, 5000, "errors")])
    assert [difference.is_same for difference in differences] == [False, True]
    show_differences(differences)
    first, second = "over at 1970-01-01T00:00:01.000Z", "open"
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"~ drift: warning at 1970-01-01T00:00:00.000Z, {first} -> warning at 1970-01-01T00:00:00.000Z, {second}",
        "= errors: warning at 1970-01-01T00:00:00.000Z, over at 1970-01-01T00:00:05.000Z",
    ]
