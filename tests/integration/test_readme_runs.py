"""README.md runs: its worker, its code and its commands, against servers of the tests in place of those it names."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from driftline.client import ModelState
from driftline.schemas import keys
from driftline.schemas.partitioner import partition_of
from driftline.streams.outgoing import outgoing
from driftline.streams.publisher import Publisher
from tests.conditions import eventually
from tests.examples import alert
from tests.examples import request as retrain_request
from tests.golden.cases import CASES
from tests.readme import ROOT, commands, the_block
from tests.worker_harness import Site, WorkerProcess, embedded_site, real_site

SECONDS = 60
KAFKA, REDIS = "127.0.0.1:9092", "redis://127.0.0.1:6379/0"  # as README has them

(FRAUD,) = (golden for golden in CASES if golden.name == "fraud")


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def site(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("readme")
    with Redis.from_url(redis_url) as client:
        client.flushall()
    if request.param == "kafka":
        yield real_site(request.getfixturevalue("kafka"), redis_url, folder)
        return
    with embedded_site(redis_url, folder) as embedded:
        yield embedded


def here(site: Site, text: str) -> str:
    return text.replace(KAFKA, site.kafka).replace(REDIS, site.redis)


def driftline(site: Site, *arguments: str) -> str:
    """Run a command with the environment of README, and return its output."""
    (exported,) = (command[1:] for command in commands() if command[0] == "export")
    environment = dict(here(site, word).split("=", 1) for word in exported)
    done = subprocess.run(
        [sys.executable, "-m", "driftline", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def worker(site: Site) -> Iterator[WorkerProcess]:
    """The worker of README, with the configuration of README, once it watches."""
    create, run = (c[1:] for c in commands() if c[0] == "driftline" and c[1] in {"topics", "worker"})
    if site.partitions == int(create[create.index("--partitions") + 1]):  # the embedded broker has four
        assert f"have {site.partitions} partitions" in driftline(site, *create)
    (site.folder / "driftline.yaml").write_text(the_block("yaml"))
    with site.worker("-m", "driftline", *run) as process:
        process.until(lambda: process.watches)
        yield process
        assert process.terminate() == 0


@pytest.fixture(scope="module")
def served(site: Site, worker: WorkerProcess) -> Site:
    """The site after the code that produces has run, and the worker has saved what came of it."""
    subprocess.run([sys.executable, "-c", here(site, the_block("python producer"))], check=True, timeout=SECONDS)
    worker.until(lambda: "fraud" in (states := site.states()) and states["fraud"].counts.joined == 1)
    return site


def test_what_a_service_sends_is_joined(served: Site) -> None:
    counts = served.states()["fraud"].counts
    assert (counts.predictions, counts.labels, counts.joined, counts.dead_letters) == (1, 1, 1, 0)


def test_what_a_service_answers_is_measured(site: Site, worker: WorkerProcess) -> None:
    subprocess.run([sys.executable, "-c", here(site, the_block("python serving"))], check=True, timeout=SECONDS)
    worker.until(lambda: "risk" in (states := site.states()) and states["risk"].counts.predictions == 1)
    assert site.states()["risk"].serving_latency["count"] == 1


def test_what_a_service_sends_in_batches_is_joined(site: Site, worker: WorkerProcess) -> None:
    subprocess.run([sys.executable, "-c", here(site, the_block("python batch"))], check=True, timeout=SECONDS)
    worker.until(lambda: "churn" in (states := site.states()) and states["churn"].counts.joined == 1000)
    assert site.states()["churn"].counts.dead_letters == 0


def test_what_redis_says_without_a_client(served: Site) -> None:
    asked = [command[1:] for command in commands() if command[0] == "redis-cli"]
    with Redis.from_url(served.redis) as client:
        answers: list[Any] = [client.execute_command(*words) for words in asked]
    partitions, document = answers
    assert int(partitions) == served.partitions
    assert ModelState.model_validate_json(document).counts.joined == 1


def test_what_the_commands_say(served: Site) -> None:
    assert "fraud" in driftline(served, "status")
    assert "predictions 1, labels 1, joined 1" in driftline(served, "status", "fraud")
    documents = map(ModelState.model_validate_json, driftline(served, "status", "--json").splitlines())
    assert "fraud" in {document.model_id for document in documents}
    assert driftline(served, "alerts") == ""


def test_the_code_that_reads_states(redis_url: str) -> None:
    (document,) = json.loads(FRAUD.kept()["state.json"]).values()
    golden = ModelState.model_validate(document)
    elsewhere = f"{redis_url.rpartition('/')[0]}/1"  # not where the worker writes
    with Redis.from_url(elsewhere) as client:
        client.hset(keys.TOPOLOGY, "partitions", 8)
        client.hset(keys.state(partition_of("fraud", 8)), "fraud", golden.model_dump_json())
    code = the_block("python state").replace(REDIS, elsewhere)
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=SECONDS, capture_output=True, text=True)
    first, *incidents = done.stdout.splitlines()
    assert first == f"fraud {golden.counts.joined} {golden.performance['roc_auc']}"
    assert [line.split()[:2] for line in incidents] == [["open:", i.kind] for i in golden.incidents]
    assert incidents


def first_line(code: str, publish: Callable[[int], None], output: Path) -> str:
    """Run code that prints what it receives; publish until it has printed a line, and return that."""
    with output.open("w") as file, subprocess.Popen([sys.executable, "-u", "-c", code], stdout=file) as child:
        numbers = count()

        def has_printed() -> bool:
            publish(next(numbers))
            return "\n" in output.read_text()

        try:
            eventually(has_printed, seconds=SECONDS)
        finally:
            child.kill()
    return output.read_text().splitlines()[0]


def test_the_code_that_receives_alerts(served: Site, tmp_path: Path) -> None:
    publisher = Publisher(served.kafka)
    incident = alert(message="amount moved")

    def publish(number: int) -> None:
        for record in outgoing(incident.model_copy(update={"alert_id": f"readme-{number}"})):
            publisher.put(record)

    line = first_line(here(served, the_block("python alerts")), publish, tmp_path / "printed")
    assert line == "firing warning fraud feature amount amount moved"
    publisher.close()


def test_the_code_that_receives_requests_to_retrain(served: Site, tmp_path: Path) -> None:
    publisher = Publisher(served.kafka)
    asked = retrain_request(training_data=[{"topic": "driftline.labels", "partition": 2, "start": 17, "end": 90}])

    def publish(number: int) -> None:
        for record in outgoing(asked.model_copy(update={"retrain_id": f"readme-{number}"})):
            publisher.put(record)

    line = first_line(here(served, the_block("python retrain")), publish, tmp_path / "printed")
    assert line == "fraud driftline.labels 2 17 90"
    publisher.close()


def test_the_replay_gives_what_is_shown_and_what_was_blessed(tmp_path: Path) -> None:
    at = [number for number, command in enumerate(commands()) if command[:3] == ["python", "-m", "tests.golden"]]
    for command in commands()[at[0] : at[0] + 2]:
        words = [word.replace("/tmp/", f"{tmp_path}/") for word in command]  # noqa: S108 - as README has it
        program = [sys.executable] if words[0] == "python" else [sys.executable, "-m", "driftline"]
        done = subprocess.run(
            [*program, *words[1:]], cwd=ROOT, check=True, timeout=SECONDS, capture_output=True, text=True
        )
    assert done.stdout.replace(f"{tmp_path}/", "/tmp/") == the_block("text output")  # noqa: S108 - as README has it
    assert {name: (tmp_path / "replayed" / name).read_bytes() for name in FRAUD.kept()} == FRAUD.kept()


def test_no_command_was_forgotten() -> None:
    run_here = {"driftline", "export", "python", "redis-cli"}
    elsewhere = {". .venv/bin/activate", "make demo", "make test", "pip install ."}
    elsewhere |= {"pip install .[arrow]", "pip install .[worker]"}
    not_run = {"docker compose up --build"}
    others = {" ".join(command) for command in commands() if command[0] not in run_here}
    assert others == elsewhere | not_run
