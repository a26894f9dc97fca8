"""What the demo prints: whole, true and within 80 columns, on a terminal and elsewhere."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record
from driftline.schemas.events import Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.configuration import read_configuration
from driftline.streams.demo.live import draw
from driftline.streams.demo.plain import PlainView
from driftline.streams.demo.script import INCIDENTS, Fault, act_at
from driftline.streams.demo.shuttle import MODEL_ID, load
from driftline.streams.demo.stage import CONFIGURATION
from driftline.streams.demo.table import print_verdict
from driftline.streams.demo.traffic import traffic
from driftline.streams.demo.verdict import Row, Verdict
from driftline.streams.demo.view import WIDTH, Scene

START = 1_795_406_400_000


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Just after the alert about the first incident."""
    pipeline = Pipeline(read_configuration(CONFIGURATION), partition=0)
    offsets = {PREDICTIONS: 0, LABELS: 0}
    alerts = []
    events = traffic(load(), 1, START)
    while offsets[PREDICTIONS] < INCIDENTS[0].start + 600:
        event = next(events).event
        topic = PREDICTIONS if isinstance(event, Prediction) else LABELS
        alerts += pipeline.process([Record(FileRecord(topic, offsets[topic], b""), event)], found={}).alerts
        offsets[topic] += 1
    return Scene(
        seconds=12.3,
        seed=1,
        redis="redis://127.0.0.1:20000/0",
        act=act_at(offsets[PREDICTIONS]),
        at=event.timestamp,
        predicted=offsets[PREDICTIONS],
        behind=7,
        rate=987.6,
        baseline=None,
        state=pipeline.documents()[MODEL_ID],
        alerts=alerts,
        requests=[],
        verdict=None,
    )


def drawn(scene: Scene) -> list[str]:
    """Return the screen's lines."""
    console = Console(file=io.StringIO(), width=WIDTH, height=24, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(draw(scene))
    return [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]


def test_the_screen_shows_the_script_the_counts_the_open_incident_and_the_alert(scene: Scene) -> None:
    screen = "\n".join(drawn(scene))
    assert "unit change: sensor f3 now reports hundredths" in screen
    assert "988 events/s: 3,600 predictions" in screen
    assert re.search(r"data_drift f3 +median +83", screen)  # how wide a column is, is rich's affair
    assert "open since 04:02:" in screen
    assert "firing warning data_drift of feature f3" in screen
    assert "driftline status shuttle" in screen


def test_the_screen_fits_a_small_terminal(scene: Scene) -> None:
    many = replace(scene, alerts=[*scene.alerts] * 20)
    lines = drawn(many)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= WIDTH


def test_before_the_first_checkpoint_the_screen_says_so(scene: Scene) -> None:
    assert drawn(replace(scene, state=None))[-1] == "waiting for the worker's first checkpoint"


@pytest.mark.parametrize("complaints", [[], ["stray alert: something"]])
def test_the_screen_ends_with_the_verdict(scene: Scene, complaints: list[str]) -> None:
    screen = " ".join(drawn(replace(scene, verdict=Verdict(complaints=complaints))))
    assert (complaints or ["every incident was caught, and nothing else fired"])[0] in screen


def test_lines_say_what_is_new_and_say_it_once(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    with PlainView() as view:
        view.say("starting")
        view.show(scene)
        view.show(replace(scene, seconds=13.0))
        view.show(replace(scene, seconds=14.0, verdict=Verdict()))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= WIDTH
    flat = " ".join(printed.split())
    assert flat.startswith("0.0 s starting 12.3 s prediction 3600: unit change: sensor f3")
    assert flat.count("ALERT firing warning data_drift of feature f3: Model shuttle") == 1
    assert flat.count("3600 predictions, ") == 1
    assert flat.count("1 open") == 1
    assert flat.endswith("14.0 s the script is over; the table comes at the end of the demo")


def test_the_table_has_a_row_for_each_alert_and_the_complaints(capsys: pytest.CaptureFixture[str]) -> None:
    longest = "concept_drift metric calibration"
    rows = [
        Row(Fault.CONCEPT_CHANGE, longest, 1337, 12_345),
        Row(Fault.CONCEPT_CHANGE, "request to retrain", None, is_request=True),
    ]
    print_verdict(Console(width=WIDTH, color_system=None), Verdict(rows, ["no request [to] retrain followed"]), seed=7)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line.split() for line in lines if "concept_drift" in line] == [
        ["concept", "change", "concept_drift", "metric", "calibration", "1,337", "12,345"]
    ]
    assert [line.split() for line in lines if "request to" in line] == [["request", "to", "retrain", "never"]]
    assert lines[-2] == "NOT AS IT MUST BE: no request [to] retrain followed"
    assert lines[-1] == "seed 7: failed"


def test_the_table_of_a_run_that_passed_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_verdict(Console(width=WIDTH, color_system=None), Verdict(), seed=7)
    assert capsys.readouterr().out.splitlines()[-1] == "seed 7: every incident was caught, and nothing else fired"
