"""The command line against servers: alerts and status as they are shown, topics, and how a worker ends."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from driftline.client import ModelState, Overview
from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.models.snapshot import seal
from driftline.schemas import keys
from driftline.schemas.alerts import Alert, AlertState, ChangePoint, Effect, Kind, Severity, Target
from driftline.schemas.config import Configuration
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.partitioner import partition_of
from driftline.schemas.state import Incident
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.checkpoint import Checkpoint, RedisStore, Saved
from driftline.streams.cli import run
from driftline.streams.outgoing import outgoing
from driftline.streams.publisher import Publisher
from tests.examples import alert
from tests.topics import PARTITIONS, make_topics
from tests.worker_harness import Sent, WorkerProcess, embedded_site

SECONDS = 60
NOW = 1_795_406_400_000
HOSTILE = "\x1b[31mred\n[bold]x[/bold]"

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process; give its exit code, its output and its errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["driftline", *map(str, arguments)])
        code = run()
        return code, *capsys.readouterr()

    return call


# -- alerts -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bootstrap(broker: str) -> str:
    make_topics(broker)
    return broker


def publish(bootstrap: str, *alerts: Alert) -> None:
    publisher = Publisher(bootstrap)
    for each in alerts:
        for record in outgoing(each):
            publisher.put(record)
    publisher.close()


def story(model: str, states: str = "firing updated resolved") -> list[Alert]:
    """Return alerts of one model that nobody else has, each of an incident of its own, the newest first."""
    return [
        alert(
            model_id=model,
            alert_id=f"{model}-{number}",
            incident_id=f"{model}-{number}",
            state=AlertState(state),
            event_time=NOW - 1000 * number,
            message=f"number {number} of {HOSTILE}",
        )
        for number, state in enumerate(states.split())
    ]


@pytest.fixture
def model() -> str:
    return f"m-{uuid.uuid4().hex[:12]}"


def test_alerts_come_oldest_first_and_cannot_break_a_line(bootstrap: str, model: str, cli: Cli) -> None:
    publish(bootstrap, *story(model), *story(f"other-{model}"))
    code, out, err = cli("alerts", "--kafka", bootstrap, "--model", model)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        rf"2026-11-23T03:59:5{9 - number}.000Z {state} warning  data_drift: number {number + 1} of "
        r"\x1b[31mred\n[bold]x[/bold]"
        for number, state in [(1, "resolved"), (0, "updated ")]
    ] + [r"2026-11-23T04:00:00.000Z firing   warning  data_drift: number 0 of \x1b[31mred\n[bold]x[/bold]"]


def test_alerts_as_json_are_those_of_the_topic(bootstrap: str, model: str, cli: Cli) -> None:
    published = story(model)
    publish(bootstrap, *published)
    code, out, _ = cli("alerts", "--kafka", bootstrap, "--model", model, "--json")
    assert code == 0
    assert out.isascii()
    assert [Alert.model_validate_json(line) for line in out.splitlines()] == published[::-1]


def test_only_the_newest_and_a_note_that_there_are_more(bootstrap: str, model: str, cli: Cli) -> None:
    publish(bootstrap, *story(model))
    code, out, err = cli("alerts", "--kafka", bootstrap, "--model", model, "--last", 2)
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == "the last 2 of 3 alerts; --last 3 shows all\n"
    assert cli("alerts", "--kafka", bootstrap, "--model", model, "--last", 0) == (0, "", "")


def test_a_model_without_alerts(bootstrap: str, model: str, cli: Cli) -> None:
    assert cli("alerts", "--kafka", bootstrap, "--model", model) == (0, "", "")


@contextmanager
def following(bootstrap: str, model: str, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """Run ``driftline alerts --follow`` and give it once its first line has been read."""
    publish(bootstrap, *story(model, "firing"))
    command = [sys.executable, "-m", "driftline", "alerts", "--follow", "--kafka", bootstrap, "--model", model, *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert "number 0" in child.stdout.readline()
            yield child
        finally:
            child.kill()


def of_this_test(err: str) -> list[str]:
    """Return the lines on standard error but those about bad alerts, which other tests put on the broker they share."""
    return [line for line in err.splitlines() if not line.startswith("skipped the record at driftline.alerts, ")]


def test_following_goes_on_with_new_alerts_until_interrupted(bootstrap: str, model: str) -> None:
    with following(bootstrap, model) as child:
        publish(bootstrap, story(model)[1], *story(f"other-{model}"), story(model)[2])
        assert child.stdout is not None
        # The two may stand in two partitions, of which either may be read first.
        assert {child.stdout.readline()[25:33] for _ in range(2)} == {"updated ", "resolved"}
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=SECONDS)
        assert (out, of_this_test(err)) == ("", [])
        assert child.returncode == 130


def test_following_ends_in_silence_when_its_reader_goes_away(bootstrap: str, model: str) -> None:
    with following(bootstrap, model) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        publish(bootstrap, story(model)[1])
        assert child.wait(SECONDS) == 1
        assert of_this_test(child.stderr.read()) == []


# -- topics -----------------------------------------------------------------------------------------------------------


def test_topics_are_created_once_and_never_changed(kafka: str, cli: Cli) -> None:
    make_topics(kafka)
    said = (0, f"created nothing; the input topics have {PARTITIONS} partitions\n", "")
    assert cli("topics", "create", "--kafka", kafka) == said
    assert cli("topics", "create", "--kafka", kafka, "--partitions", PARTITIONS) == said
    code, out, err = cli("topics", "create", "--kafka", kafka, "--partitions", 2 * PARTITIONS)
    assert (code, out) == (1, "")
    assert err.startswith("driftline: the input topics exist already and have 8 partitions, not 16")


# -- status -----------------------------------------------------------------------------------------------------------


def documents_of(state: ModelState) -> tuple[bytes, bytes]:
    """Return the state document and the overview."""
    return state.model_dump_json().encode(), Overview.of(state).model_dump_json().encode()


def save(redis: str, *models: str) -> dict[str, ModelState]:
    """Write the state of models that had 300 predictions and labels each, as a worker's checkpoint does."""
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    pipelines = [Pipeline(Configuration(), number) for number in range(4)]
    for name in models:
        events = [
            event
            for n in range(300)
            for event in (
                Prediction(
                    model_id=name,
                    model_version=name,
                    prediction_id=str(n),
                    timestamp=NOW + n,
                    prediction=n % 2,
                    features={name: n},
                ),
                Label(model_id=name, prediction_id=str(n), timestamp=NOW + n, label=n % 3 == 0),
            )
        ]
        topics = {Prediction: PREDICTIONS, Label: LABELS}
        records = [
            intake.read(FileRecord(topics[type(event)], number // 2, encode(event)))
            for number, event in enumerate(events)
        ]
        pipelines[partition_of(name, 4)].process(records, found={})

    async def write() -> dict[str, ModelState]:
        store = RedisStore(redis)
        await store.claim_topology(4, "elsewhere")
        documents: dict[str, ModelState] = {}
        for number, pipeline in enumerate(pipelines):
            changes = pipeline.changes()
            models = {
                name: Saved(changes.snapshots[name], *documents_of(document))
                for name, document in changes.documents.items()
            }
            position = seal({**changes.position, "numbers": [0, 0], "history": "h"})
            await store.save(Checkpoint(number, position, models), await store.claim(number))
            documents |= changes.documents
        await store.close()
        return documents

    return asyncio.run(write())


def open_incident(redis_url: str, state: ModelState, severity: Severity) -> None:
    """Write the state of a model with an incident."""
    incident = Incident(
        incident_id="inc-1",
        kind=Kind.DATA_DRIFT,
        target=Target(feature="amount"),
        state=AlertState.FIRING,
        severity=severity,
        model_version=state.model_version,
        opened=NOW,
        updated=NOW,
        effect=Effect(measure="psi", value=0.3),
        change_point=ChangePoint(earliest=NOW, latest=NOW),
    )
    with redis.Redis.from_url(redis_url) as connection:
        documents = documents_of(state.model_copy(update={"incidents": [incident]}))
        for key, document in zip((keys.state, keys.overview), documents, strict=True):
            connection.hset(key(state.partition), state.model_id, document)


def test_an_open_incident_of_a_severity_is_an_exit_code(empty_redis: str, cli: Cli) -> None:
    saved = save(empty_redis, "fraud", "churn")
    asked = ("status", "--redis", empty_redis)
    assert cli(*asked, "--fail-on", "info")[0] == 0
    open_incident(empty_redis, saved["fraud"], Severity.WARNING)
    usual = cli(*asked)
    assert usual[0] == 0
    assert cli(*asked, "--fail-on", "warning") == (3, *usual[1:])
    codes = {severity: cli(*asked, "--fail-on", severity, "--json")[0] for severity in Severity}
    assert codes == {Severity.INFO: 3, Severity.WARNING: 3, Severity.CRITICAL: 0}
    assert [cli("status", name, *asked[1:], "--fail-on", "info")[0] for name in ("fraud", "churn")] == [3, 0]
    code, _, err = cli(*asked, "--fail-on", "grave")
    assert code == 2
    assert "'grave' is not one of 'info', 'warning', 'critical'" in err


def test_the_status_of_all_models(empty_redis: str, cli: Cli) -> None:
    saved = save(empty_redis, "fraud", HOSTILE, "churn")
    code, out, err = cli("status", "--redis", empty_redis)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert [line.split()[0] for line in out.splitlines()[2:]] == [r"\x1b[31mred\n[…", "churn", "fraud"]
    code, out, _ = cli("status", "--redis", empty_redis, "--json")
    found = {state.model_id: state for state in map(ModelState.model_validate_json, out.splitlines())}
    assert (code, found) == (0, saved)


def test_the_status_of_one_model(empty_redis: str, cli: Cli) -> None:
    saved = save(empty_redis, "fraud", "churn")
    code, out, err = cli("status", "fraud", "--redis", empty_redis)
    assert (code, err) == (0, "")
    assert "predictions 300, labels 300, joined 300" in out
    code, out, _ = cli("status", "fraud", "--redis", empty_redis, "--json")
    assert (code, ModelState.model_validate_json(out)) == (0, saved["fraud"])
    assert json.loads(out)["performance"]["roc_auc"] is None  # as it is in Redis


def test_a_model_that_nobody_has_seen(empty_redis: str, cli: Cli) -> None:
    save(empty_redis, "fraud")
    said = "driftline: no model 'frod' has been seen: `driftline status` lists those that have\n"
    assert cli("status", "frod", "--redis", empty_redis) == (1, "", said)


def test_a_redis_without_a_worker(empty_redis: str, cli: Cli) -> None:
    code, out, err = cli("status", "--redis", empty_redis)
    assert (code, out) == (1, "")
    assert re.match(r"driftline: Redis at \S+ holds nothing of Driftline's: no worker has run on it\n", err)


def test_the_password_of_redis_is_in_no_message(cli: Cli) -> None:
    code, _, err = cli("status", "--redis", "redis://:secretword@127.0.0.1:1/0")
    assert code == 1
    assert "secretword" not in err


# -- worker -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_worker(empty_redis: str, tmp_path: Path, number: signal.Signals) -> None:
    event = Prediction(model_id="fraud", model_version="7", prediction_id="p", timestamp=NOW, prediction=1)
    with embedded_site(empty_redis, tmp_path) as site:
        with site.worker(DRIFTLINE_CHECKPOINT_SECONDS="3600") as worker:
            worker.until(lambda: worker.watches)
            site.send([Sent(PREDICTIONS, b"fraud", encode(event))])
            worker.until(lambda: worker.processed == 1)
            assert ended_by(worker, number) == 0
        assert site.states()["fraud"].counts.predictions == 1
        assert "Traceback" not in worker.log


def test_a_failure_of_the_worker_is_the_last_line_and_no_traceback(empty_redis: str, tmp_path: Path) -> None:
    with embedded_site(empty_redis, tmp_path) as site:
        odd = next(name for name in map(str, range(99)) if partition_of(name, 4) != 0)
        site.send([Sent(INPUTS[0], odd.encode(), b"{}", partition=0)] * 30)
        stopped = site.folder / "stop.yaml"
        stopped.write_text("bad_records: {stop_share: 0.5}\n")
        with site.worker(DRIFTLINE_CONFIG=str(stopped)) as worker:
            assert worker.wait(SECONDS) == 1
        *_, last = worker.log.splitlines()
        assert last.startswith("driftline: 100.0% of recent records of partition 0 cannot be used")
        assert "Traceback" not in worker.log


def ended_by(worker: WorkerProcess, number: signal.Signals) -> int:
    """Send a signal to a worker and return its exit code."""
    if number is signal.SIGTERM:
        return worker.terminate()
    assert worker._process is not None  # noqa: SLF001 - the harness ends workers by SIGTERM only
    worker._process.send_signal(number)  # noqa: SLF001 - as above
    return worker.wait()


def test_a_replay_without_a_journal_says_that_there_is_none(mock_kafka: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "driftline", "replay", "--journal", "--kafka", mock_kafka, "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"driftline: Kafka at {mock_kafka} has no journal of a run")
