"""What a replay says is what a batch computation over the same files says: every count, every metric."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from driftline.schemas.config import Configuration, parse_configuration
from driftline.streams.replay import EventFiles, replay
from tests.oracle.batch import Watched, differences, states
from tests.oracle.join import Join, Slot
from tests.oracle.reading import Labelled, Predicted
from tests.streams_of_events import Faults, Files, ModelStream, write
from tests.tasks_of_events import VEHICLES, Binary, Multiclass, Regression

TASKS = {"common": "binary", "rare": "binary", "vehicles": "multiclass", "price": "regression"}
ONE_OR_ZERO = frozenset({0.0, 1.0})
WATCHED = Watched(
    TASKS,
    classes={"common": ONE_OR_ZERO, "rare": ONE_OR_ZERO, "vehicles": frozenset(VEHICLES)},
    ranges={"x": (15.0, 65.0), "y": (-9.0, 9.0), "z": (-9.0, 9.0)},
)


def streams(predictions: int, *, rare: float) -> list[ModelStream]:
    """Four models; about twice as many events as predictions. `rare` is the base rate of one of them."""
    faults = Faults(outside=0.001, bad=0.001)
    return [
        ModelStream("common", Binary(0.2), predictions * 30 // 100, weighted=0.05, faults=faults),
        ModelStream("rare", Binary(rare), predictions * 40 // 100, faults=replace(faults, outside=0.0)),
        ModelStream("vehicles", Multiclass(), predictions * 15 // 100, weighted=0.05, faults=faults),
        ModelStream("price", Regression(), predictions * 15 // 100, weighted=0.05, faults=replace(faults, outside=0.0)),
    ]


def configuration(timeout: str = "7d", max_pending: int = 1_000_000) -> Configuration:
    common = {
        "features": {"x": {"min": 15, "max": 65}},
        "segments": ["region"],
        "label_timeout": timeout,
        "max_pending": max_pending,
    }
    classes = {"vehicles": {"classes": list(VEHICLES)}}
    return parse_configuration(
        {"models": [{"model_id": m, "task": task, **common, **classes.get(m, {})} for m, task in TASKS.items()]}
    )


def replayed(files: Files, out: Path, configured: Configuration) -> dict[str, Any]:
    replay(configured, EventFiles(*files), out)
    return state_in(out)


def state_in(out: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((out / "state.json").read_bytes())
    return state


def command(files: Files, folder: Path) -> list[str]:
    """Return the command that replays into a folder, which is given the configuration."""
    config = folder / "config.yaml"
    config.write_text(configuration().model_dump_json(exclude_defaults=True))  # YAML is a superset
    options = {"config": config, "predictions": files.predictions, "labels": files.labels, "out": folder}
    return [sys.executable, "-m", "driftline", "replay", *(f"--{name}={path}" for name, path in options.items())]


# -- a million events -------------------------------------------------------------------------------------------------

MILLION = streams(508_000, rare=0.001)


def test_a_million_events_are_counted_and_measured_as_a_batch_computation_does(tmp_path: Path) -> None:
    files = write(MILLION, tmp_path, seed=1)
    # A process of its own: this one computes meanwhile, and may be slowed by the measuring of coverage.
    with subprocess.Popen(command(files, tmp_path), stdout=subprocess.PIPE, text=True) as process:
        try:
            expected = states(files, WATCHED)
            printed, _ = process.communicate(timeout=600)
        finally:
            process.kill()
    assert process.returncode == 0
    assert int(printed.partition(" records: ")[0]) >= 1_000_000
    found = state_in(tmp_path)
    assert differences(expected, found) == []
    for stream in MILLION:
        faults, n, counts = stream.faults, stream.predictions, found[stream.model_id]["counts"]
        assert n == counts["predictions"]
        assert round(faults.missing * n) == counts["pending"]
        assert round(faults.duplicate * n) == counts["duplicate_labels"]
        assert round(faults.contradicting * n) == counts["contradicting_labels"]
        assert round(faults.early * n) == counts["early_labels"]
        assert round(faults.orphan * n) == counts["orphan_labels"]
        assert round(faults.redelivered * n) == counts["duplicate_predictions"]
        assert round(faults.outside * n) == counts["outside_labels"]


# -- the comparison notices a broken rule -----------------------------------------------------------------------------


class LastLabelWins(Join):
    def take_again(self, label: Labelled, slot: Slot) -> None:
        super().take_again(label, slot)
        if slot.pair >= 0:
            self.pairs[slot.pair] = (self.pairs[slot.pair][0], label)


class DuplicatesArePairs(Join):
    def take_again(self, label: Labelled, slot: Slot) -> None:
        super().take_again(label, slot)
        if slot.prediction is not None:
            self.pairs.append((slot.prediction, label))


class DuplicatesAreLabels(Join):
    def take_again(self, label: Labelled, slot: Slot) -> None:
        super().take_again(label, slot)
        self.counts["labels"] += 1


class LastPredictionWins(Join):
    def take_prediction(self, prediction: Predicted, slot: Slot | None) -> None:
        super().take_prediction(prediction, slot)
        if slot is not None and slot.state == "waiting":
            slot.prediction = prediction


class RedeliveryIsAPrediction(Join):
    def take_prediction(self, prediction: Predicted, slot: Slot | None) -> None:
        super().take_prediction(prediction, slot)
        self.counts["predictions"] += slot is not None and slot.state != "early"


class EarlyLabelsAreLost(Join):
    def take_early(self, label: Labelled) -> None:
        del label
        self.counts["labels"] += 1


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("few")
    files = write(streams(8_000, rare=0.05), folder, seed=2)
    return files, replayed(files, folder / "out", configuration())


RULES = [LastLabelWins, DuplicatesArePairs, DuplicatesAreLabels, LastPredictionWins, RedeliveryIsAPrediction]


@pytest.mark.parametrize("broken", [*RULES, EarlyLabelsAreLost])
def test_a_broken_rule_is_seen_in_every_model(few: tuple[Files, dict[str, Any]], broken: type[Join]) -> None:
    files, found = few
    assert differences(states(files, WATCHED), found, roc_auc=1e-3) == []
    seen = differences(states(files, WATCHED, join=broken), found, roc_auc=1e-3)
    different = {difference.partition(".")[0] for difference in seen}
    assert different == TASKS.keys()


# -- expiry and eviction ----------------------------------------------------------------------------------------------

TIMEOUT = 801  # odd, and the times below are even: no two ids are due at once, where the order would be arbitrary


def crowded(folder: Path, *, seed: int) -> Files:
    """Write events of few ids in any order, some far behind, each at a moment of its own."""
    random = Random(seed)
    times: set[int] = set()
    written: dict[str, list[str]] = {"predictions": [], "labels": []}
    for nth in range(4000):
        at = 2 * (1000 + 3 * nth + int(random.expovariate(1 / 100) * random.choice((0, 0, 1, -1))))
        while at in times:
            at += 2
        times.add(at)
        model = random.choice(("common", "rare"))
        fields: dict[str, Any] = {"model_id": model, "prediction_id": f"{nth // 400}-{random.randrange(150)}"}
        if random.random() < 0.5:
            score = round(random.random(), 3)
            fields |= {"model_version": "1", "timestamp": at, "prediction": int(score > 0.5), "score": score}
            fields |= {"features": {"x": 40, "y": 0, "z": 0}}
            written["predictions"].append(json.dumps(fields))
        else:
            fields |= {"timestamp": at, "label": random.randrange(2)}
            written["labels"].append(json.dumps(fields))
    files = Files(folder / "predictions.jsonl", folder / "labels.jsonl")
    for path, lines in zip(files, written.values(), strict=True):
        path.write_text("\n".join(lines) + "\n")
    return files


class NothingExpires(Join):
    def is_over(self, until: int, watermark: int) -> bool:
        del until, watermark
        return False


class ExpiryIsOneMillisecondEarly(Join):
    def is_over(self, until: int, watermark: int) -> bool:
        return watermark >= until


@pytest.mark.parametrize("max_pending", [1, 20, 1_000_000])
@pytest.mark.parametrize("seed", range(5))
def test_what_expires_or_is_evicted_is_counted_as_a_batch_computation_does(
    tmp_path: Path, seed: int, max_pending: int
) -> None:
    files = crowded(tmp_path, seed=seed)
    found = replayed(files, tmp_path / "out", configuration(f"{TIMEOUT}ms", max_pending))
    watched = replace(WATCHED, timeout=TIMEOUT, max_pending=max_pending)
    assert differences(states(files, watched), found) == []
    happened = {count for model in found.values() for count, times in model["counts"].items() if times}
    assert {"joined", "early_labels", "duplicate_labels", "contradicting_labels"} <= happened
    assert max_pending == 1 or {"expired", "late_labels"} <= happened
    assert happened & {"evicted", "forgotten"} == ({"evicted", "forgotten"} if max_pending < 100 else set())
    assert bool(differences(states(files, watched, join=NothingExpires), found)) == ("expired" in happened)


def test_a_label_at_the_last_moment_is_in_time(tmp_path: Path) -> None:
    files = Files(tmp_path / "predictions.jsonl", tmp_path / "labels.jsonl")
    named = '"model_id":"common","prediction_id"'
    answered = '"model_version":"1","prediction":1,"score":0.5,"features":{"x":20,"y":0,"z":0}'
    files.predictions.write_text("".join(f'{{{named}:"{p}","timestamp":1000,{answered}}}\n' for p in "ab"))
    files.labels.write_text(
        "".join(f'{{{named}:"{p}","timestamp":{at},"label":1}}\n' for p, at in (("a", 1801), ("b", 1802)))
    )
    found = replayed(files, tmp_path / "out", configuration(f"{TIMEOUT}ms"))
    counts = found["common"]["counts"]
    assert (counts["joined"], counts["expired"], counts["late_labels"]) == (1, 1, 1)
    watched = replace(WATCHED, timeout=TIMEOUT)
    assert differences(states(files, watched), found) == []
    assert differences(states(files, watched, join=ExpiryIsOneMillisecondEarly), found) != []


# -- the command line -------------------------------------------------------------------------------------------------


def test_the_command_line_writes_the_same(few: tuple[Files, dict[str, Any]], tmp_path: Path) -> None:
    files, found = few
    done = subprocess.run(command(files, tmp_path), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert state_in(tmp_path) == found


def test_the_command_line_says_in_one_sentence_what_it_cannot_read(tmp_path: Path) -> None:
    done = subprocess.run(
        command(Files(tmp_path / "p.jsonl", tmp_path / "l.jsonl"), tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = f"driftline: {tmp_path}/p.jsonl cannot be read: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
