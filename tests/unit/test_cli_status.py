"""``driftline status`` fits 80 columns and says what matters, whatever models, versions and features are called."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from driftline.schemas.alerts import AlertState, ChangePoint, Effect, Kind, Severity, Target
from driftline.schemas.config import Task
from driftline.schemas.state import Counts, Incident, ModelState, Overview
from driftline.streams.cli.output import printable
from driftline.streams.cli.status import show_model, show_models

WIDTH = 80
HOSTILE = [
    "\x1b[31mred\x1b[2J",
    "[bold red]x[/bold red] [link=http://evil.example]y[/link]",
    ":warning: :pile_of_poo:",
    "line\nbreak\ttab\rreturn",
    "\u202eevil",
    "界" * 256,
    "e\N{COMBINING ACUTE ACCENT}" * 100,
    "x" * 256,
    "[/]",
]
ZERO = dict.fromkeys(Counts.model_fields, 0)
METRICS = {"accuracy": 0.912345, "precision": 1 / 3, "recall": None, "log_loss": 1.234e100}


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def state(name: str = "fraud", **changes: Any) -> ModelState:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "model_id": name,
        "partition": 0,
        "task": Task.BINARY,
        "task_inferred": True,
        "classes": ["0", "1"],
        "positive_label": "1",
        "model_version": name,
        "watermark": 1_795_406_400_250,
        "next_offsets": {},
        "counts": Counts(**ZERO | {"predictions": 1_234_567, "joined": 1000, "early_labels": 3}),
        "performance": {**METRICS, "window": {"accuracy": 0.5}},
        "challenger": {"model": "logistic_regression", "accuracy": 0.75},
        "label_delay": {},
        "serving_latency": {},
        "features": {},
        "detectors": {
            f"feature {name} e_sr:rank": {"measure": "psi", "effect": 0.3, "min_effect": 0.1},
            "metric score e_sr:rank": {"measure": "psi", "effect": 0.05, "min_effect": 0.1},
            "metric calibration e_sr:residual": {"measure": None, "effect": None, "min_effect": 0.03},
        },
        "incidents": [
            Incident(
                incident_id="inc-1",
                kind=Kind.DATA_DRIFT,
                target=Target(feature=name),
                state=AlertState.FIRING,
                severity=Severity.CRITICAL,
                model_version=name,
                opened=1_795_406_400_000,
                updated=1_795_406_400_000,
                effect=Effect(measure="psi", value=0.3),
                change_point=ChangePoint(earliest=0, latest=0),
            )
        ],
        "reference": {"model_version": name, "predictions": 100, "pairs": 50, "events": 100},
    }
    return ModelState(**fields | changes)


def fits(shown: str) -> list[str]:
    """Return the lines of an output, all of them within the width and free of control characters."""
    lines = shown.split("\n")
    assert all(line.isprintable() for line in lines)
    assert max(map(cell_len, lines)) <= WIDTH
    return lines


def test_a_line_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    calm = state("churn", task=Task.REGRESSION, performance={"mae": 12.5, "window": {}}, incidents=[])
    new = state("new", task=None, performance={}, model_version=None)
    show_models(map(Overview.of, [state(), calm, new]))
    header, _, churn, fraud, fresh, _ = fits(capsys.readouterr().out)
    assert header.split("  ")[0] == "model"
    assert re.split(r"\s+", churn) == ["churn", "churn", "1234567", "1000", "mae", "12.5", "-", "0"]
    assert re.split(r"\s+", fraud) == ["fraud", "fraud", "1234567", "1000", "accuracy", "0.9123", "0.5", "1"]
    assert re.split(r"\s+", fresh) == ["new", "-", "1234567", "1000", "-", "-", "-", "1"]


def test_no_models(capsys: pytest.CaptureFixture[str]) -> None:
    show_models(iter([]))
    assert capsys.readouterr().out == "no model has been seen yet\n"


def test_the_largest_numbers_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts(**ZERO | {"predictions": 999_999_999_999, "joined": 123_456_789})
    largest = {"accuracy": -1.234e-100, "window": {"accuracy": -1.234e-100}}
    wide = state("x" * 256, counts=counts, performance=largest, incidents=state().incidents * 9999)
    show_models([Overview.of(wide)])
    _, _, line, _ = fits(capsys.readouterr().out)
    assert line.split()[2:] == ["1000.0G", "123.5M", "accuracy", "-1.234e-100", "-1.234e-100", "9999"]
    assert line.startswith("xxxxxxxxxxx…")


def test_one_model_in_detail(capsys: pytest.CaptureFixture[str]) -> None:
    show_model(state())
    shown = "\n".join(line.rstrip() for line in fits(capsys.readouterr().out))
    assert "version fraud, task binary (inferred), as of 2026-11-23T04:00:00.250Z" in shown
    assert "predictions 1234567, joined 1000, early labels 3" in shown
    assert "reference of this version: 100 of 100 predictions, 50 of 100 pairs" in shown
    assert "accuracy       0.9123     0.5        0.75" in shown
    assert "recall              -       -           -" in shown
    assert "critical data_drift of feature fraud since 2026-11-23T04:00:00.000Z: psi 0.3" in shown
    drifted = [line.split()[0:2] for line in shown.split("\n") if "e_sr:" in line]
    assert drifted == [["feature", "fraud"], ["metric", "score"]]  # the furthest first, without what has not moved


def test_a_model_that_is_not_known_yet(capsys: pytest.CaptureFixture[str]) -> None:
    empty: dict[str, Any] = {"performance": {}, "detectors": {}, "reference": {}, "challenger": None, "incidents": []}
    show_model(state(task=None, watermark=None, model_version=None, counts=Counts(**ZERO), **empty))
    assert fits(capsys.readouterr().out)[:3] == ["fraud", "version -, task not known yet", "no records"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_and_not_obeyed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_models(map(Overview.of, [state(name)]))
    assert fits(capsys.readouterr().out)[2].startswith(printable(name)[:5])
    show_model(state(name))
    shown = "".join(fits(capsys.readouterr().out))
    assert printable(name).replace(" ", "")[:60] in shown.replace(" ", "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=256))
def test_any_name_fits(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_models(map(Overview.of, [state(name)]))
    show_model(state(name))
    fits(capsys.readouterr().out)
