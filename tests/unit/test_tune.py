"""What is proposed for a model by its history, and what that would find."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
import yaml
from typer.testing import CliRunner

from driftline.schemas.config import Configuration, parse_configuration
from driftline.streams.cli.commands import app
from driftline.streams.cli.tuning import show_tuning
from driftline.streams.replay import EventFiles
from driftline.streams.tune import TuneError, tune

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
        features = {"x": random.gauss(0, 1), "y": random.gauss(5, 2)}
        predictions.append({**common, "model_version": "1", "prediction": answer, "features": features})
        labels.append({**common, "label": label})
    paths = folder / "predictions.jsonl", folder / "labels.jsonl"
    for path, events in zip(paths, (predictions, labels), strict=True):
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return EventFiles(*paths)


def configured(**alerts: object) -> Configuration:
    model = {"model_id": "calm", "reference": {"events": 1500, "min_span": "0s"}, "alerts": alerts}
    return parse_configuration({"models": [model]})


def test_a_calm_history_keeps_its_gates_and_says_what_would_be_found(files: EventFiles) -> None:
    seen: list[int] = []
    tuning = tune(configured(), files, "calm", calm=10 * DAY, progress=seen.append)
    assert (tuning.model_id, tuning.predictions, tuning.detections, tuning.alerts) == ("calm", PREDICTIONS, 0, 0)
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
    assert seen == sorted(seen)
    assert seen[-1] > 4 * 2 * PREDICTIONS  # as it is, twice, and up to what was found of each change


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
    assert tuning.alerts > 0
    assert {power.change.split()[0] for power in tuning.powers} == {"x"}  # of what has no values nothing can be changed


def test_the_feature_that_is_changed_can_be_chosen(files: EventFiles) -> None:
    tuning = tune(configured(), files, "calm", feature="y")
    assert {power.change.split()[0] for power in tuning.powers} == {"y", "labels"}


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
    assert model.alerts.min_effect.psi == 0.25
    assert "x + 1 sd: found after " in printed


def test_the_command_explains_a_calm_that_is_no_duration(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.jsonl")
    result = CliRunner().invoke(app, ["tune", "--predictions", missing, "--labels", missing, "--calm", "30"])
    assert "--calm must be a duration such as 90s, 15m, 6h or 7d" in str(result.exception)
