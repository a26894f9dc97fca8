"""What is proposed for a model by its history, and what that would find."""

from __future__ import annotations

import json
import re
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
import yaml
from typer.testing import CliRunner

from driftline.schemas.alerts import Severity
from driftline.schemas.config import Configuration, parse_configuration
from driftline.streams.cli.commands import app
from driftline.streams.cli.tuning import show_tuning
from driftline.streams.injected import TuneError
from driftline.streams.replay import EventFiles
from driftline.streams.tune import tune

if TYPE_CHECKING:
    from pathlib import Path

START: Final = 1_795_406_400_000
PREDICTIONS: Final = 6000
DAY: Final = 86_400_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> EventFiles:
    """Files of a model of which all is well, a prediction a second, and of another one of ten."""
    folder, random = tmp_path_factory.mktemp("history"), Random(1)
    predictions, labels = [], []
    for nth in range(PREDICTIONS + 10):
        model = "calm" if nth < PREDICTIONS else "rare"
        label = random.randrange(2)
        answer = label ^ (random.random() < 0.1)
        common = {"model_id": model, "prediction_id": str(nth), "timestamp": START + nth * 1000}
        features = {"x": random.gauss(0, 1), "y": random.gauss(5, 2), "land": random.choice(["AT", "DE", "DE", "CH"])}
        of = {"model_version": "1", "features": features, "segments": {"region": random.choice(["eu", "us", "eu"])}}
        predictions.append({**common, **of, "prediction": answer})
        labels.append({**common, "label": label})
    paths = folder / "predictions.jsonl", folder / "labels.jsonl"
    for path, events in zip(paths, (predictions, labels), strict=True):
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return EventFiles(*paths)


def configured(min_span: str = "0s", **alerts: object) -> Configuration:
    reference = {"events": 1500, "min_span": min_span}
    model = {"model_id": "calm", "segments": ["region"], "reference": reference, "alerts": alerts}
    return parse_configuration({"models": [model]})


def test_a_calm_history_keeps_its_gates_and_says_what_would_be_found(files: EventFiles) -> None:
    seen: list[int] = []
    tuning = tune(configured(), files, "calm", calm=10 * DAY, progress=seen.append)
    assert (tuning.model_id, tuning.predictions) == ("calm", PREDICTIONS)
    assert (tuning.detections, tuning.pages, tuning.informed) == (0, 0, 0)
    assert tuning.budget == 900_000  # 86,414 a day, for ten days, to one digit
    assert all(gate.proposed == gate.configured for gate in tuning.gates)
    powers = {power.change: power for power in tuning.powers}
    large = powers["x + 1 sd"]
    assert large.told == "data_drift of feature x"
    assert large.delay is not None
    assert large.delay < 200
    assert powers["x missing, 20%"].told == "data_quality of feature x"
    turned = powers["labels turned, 20%"]
    assert turned.told == "performance of metric accuracy"
    assert turned.delay is not None
    assert turned.delay < 600
    assert powers['land 20% more often "DE"'].told is None  # from 50 % to 60 % of it, which is a PSI of .04
    assert powers["predictions of region=eu turned, 20%"].told == "performance of segment region=eu"
    assert Severity.INFO not in {large.severity, turned.severity}
    assert tuning.covered_at is not None
    assert tuning.changed_at is not None
    assert tuning.covered_at < tuning.changed_at == START + PREDICTIONS // 2 * 1000
    assert seen == sorted(seen)
    assert seen[-1] > 4 * 2 * PREDICTIONS  # as it is, twice, and up to what was found of each change


def test_what_would_not_page_is_not_called_found(files: EventFiles, capsys: pytest.CaptureFixture[str]) -> None:
    tuning = tune(configured(min_span="1d"), files, "calm")
    powers = {power.change: power for power in tuning.powers}
    assert powers["x + 1 sd"].severity is Severity.INFO
    assert powers["labels turned, 20%"].severity is not Severity.INFO  # errors do not wait for a day
    show_tuning(tuning)
    printed = capsys.readouterr().out
    assert "  x + 1 sd: told for information only, after " in printed
    assert "  changes begin before the reference covers what is normal, 2026-11-24T04:06:14.000Z: " in printed


def test_with_a_lower_gate_more_is_found(files: EventFiles) -> None:
    powers = {power.change: power for power in tune(configured(min_effect={"psi": 0.0}), files, "calm").powers}
    assert powers['land 20% more often "DE"'].told == "data_drift of feature land"


def test_errors_of_numbers_may_become_larger_too(tmp_path: Path) -> None:
    random, predictions, labels = Random(3), [], []
    for nth in range(PREDICTIONS):
        of = {"model_id": "m", "prediction_id": str(nth), "timestamp": START + nth * 1000}
        predictions.append({**of, "model_version": "1", "prediction": 10.0})
        labels.append({**of, "label": random.gauss(10, 1)})
    paths = tmp_path / "predictions.jsonl", tmp_path / "labels.jsonl"
    for path, events in zip(paths, (predictions, labels), strict=True):
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    model = {"model_id": "m", "task": "regression", "reference": {"events": 1500, "min_span": "0s"}}
    (power,) = tune(parse_configuration({"models": [model]}), EventFiles(*paths)).powers
    assert power.change.startswith("labels off by 0.8")
    assert power.told == "performance of metric mae"


def test_a_class_is_one_however_it_is_spelled(files: EventFiles, tmp_path: Path) -> None:
    spelled = EventFiles(tmp_path / "predictions.jsonl", tmp_path / "labels.jsonl")
    predictions, labels = files.predictions.read_text(), files.labels.read_text()
    spelled.predictions.write_text(re.sub(r'"prediction": ([01])', r'"prediction": "\1"', predictions))
    spelled.labels.write_text(re.sub(r'(7".*"label": )([01])', r'\1"\2"', labels))  # a tenth of them
    powers = [tune(configured(), each, "calm").powers for each in (files, spelled)]
    assert powers[0] == powers[1]


def test_gates_of_predictions_are_raised_by_what_predictions_do(tmp_path: Path) -> None:
    random, events = Random(4), []
    for nth in range(PREDICTIONS):
        of = {"model_id": "m", "model_version": "1", "prediction_id": str(nth), "timestamp": START + nth * 1000}
        events.append({**of, "prediction": random.gauss(2.0 * (2000 < nth < 4500), 1), "features": {"x": nth % 7}})
    paths = tmp_path / "predictions.jsonl", tmp_path / "labels.jsonl"
    paths[0].write_text("".join(json.dumps(event) + "\n" for event in events))
    paths[1].write_text("")
    model = {"model_id": "m", "task": "regression", "reference": {"events": 1500, "min_span": "0s"}}
    gates = {gate.name: gate for gate in tune(parse_configuration({"models": [model]}), EventFiles(*paths)).gates}
    assert gates["prediction_psi"].proposed > 0.5
    assert gates["psi"].proposed == gates["label_psi"].proposed == 0.1


def test_a_gate_that_the_history_comes_near_is_raised_and_no_more_than_there_can_be(tmp_path: Path) -> None:
    random, events = Random(2), []
    for nth in range(PREDICTIONS):
        of = {"model_id": "m", "model_version": "1", "prediction_id": str(nth), "timestamp": START + nth * 1000}
        x = None if 2000 < nth < 4000 and random.random() < 0.8 else random.gauss(0, 1)
        events.append({**of, "prediction": 0.5, "features": {"x": x, "never": None}})
    paths = tmp_path / "predictions.jsonl", tmp_path / "labels.jsonl"
    paths[0].write_text("".join(json.dumps(event) + "\n" for event in events))
    paths[1].write_text("")
    features = {"x": {"kind": "numeric"}, "never": {"kind": "numeric"}}
    model = {"model_id": "m", "task": "regression", "features": features, "reference": {"events": 1500}}
    tuning = tune(parse_configuration({"models": [model]}), EventFiles(*paths))
    gate = next(gate for gate in tuning.gates if gate.name == "bad_share")
    assert gate.farthest > 0.7
    assert gate.proposed == 1.0
    assert tuning.pages > 0
    assert not tuning.has_labels
    assert {power.change.split()[0] for power in tuning.powers} == {"x"}  # of what has no values nothing can be changed


def test_the_feature_that_is_changed_can_be_chosen(files: EventFiles) -> None:
    tuning = tune(configured(), files, "calm", feature="y")
    assert {power.change.split()[0] for power in tuning.powers} == {"y", "land", "labels", "predictions"}


@pytest.mark.parametrize(
    ("model", "feature", "mistake"),
    [
        (None, None, "give --model with one of the models of the files: calm, rare"),
        ("other", None, "there is no model 'other' among the models of the files: calm, rare"),
        ("rare", None, "model 'rare' has 10 predictions, and its reference alone takes 10,000"),
        ("calm", "z", "'z' is none of the numeric features: x, y"),
    ],
)
def test_what_the_files_do_not_tell_is_explained(
    files: EventFiles, model: str | None, feature: str | None, mistake: str
) -> None:
    with pytest.raises(TuneError, match=mistake):
        tune(configured(), files, model, feature=feature)


def test_what_is_printed_ends_in_a_part_of_a_configuration(
    files: EventFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    tuning = tune(configured(min_effect={"error_rate": 0.0}), files, "calm")
    raised = [gate._replace(proposed=0.25) if gate.name == "psi" else gate for gate in tuning.gates]
    show_tuning(tuning._replace(model_id='odd "name"', gates=raised))
    printed = capsys.readouterr().out
    document = yaml.safe_load(printed[printed.index("models:") :])
    (model,) = parse_configuration(document).models
    assert model.model_id == 'odd "name"'
    assert model.alerts.events_between_false_alarms == tuning.budget
    effects = model.alerts.min_effect
    assert (effects.psi, effects.prediction_psi, effects.label_psi) == (0.25, 0.1, 0.1)  # as proposed
    assert "  x + 1 sd: found after " in printed
    assert " as data_drift of feature x, warning\n" in printed


@pytest.mark.parametrize(
    ("calm", "mistake"),
    [("30", "--calm must be a duration such as 90s, 15m, 6h or 7d"), ("0s", "--calm must be longer than 0s")],
)
def test_the_command_explains_a_calm_that_is_none(tmp_path: Path, calm: str, mistake: str) -> None:
    missing = str(tmp_path / "none.jsonl")
    result = CliRunner().invoke(app, ["tune", "--predictions", missing, "--labels", missing, "--calm", calm])
    assert mistake in str(result.exception)
