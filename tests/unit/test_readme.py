"""README.md: what it shows can be read, exists, and is what Driftline gives."""

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.main import get_command

from driftline.schemas import keys
from driftline.schemas.alerts import Alert
from driftline.schemas.decoding import decode
from driftline.schemas.events import Label, Prediction
from driftline.schemas.partitioner import PARTITIONER, partition_of
from driftline.streams.cli.commands import app
from driftline.streams.configuration import read_configuration
from driftline.streams.replay_columns import read_columns
from driftline.streams.settings import Settings
from tests.golden.cases import CASES
from tests.readme import README, ROOT, blocks, commands, the_block
from tests.streams_of_events import lines_of

(FRAUD,) = (golden for golden in CASES if golden.name == "fraud")
KNOWN_KINDS = {
    "sh",
    "text",
    "text output",
    "yaml",
    "yaml columns",
    "json prediction",
    "json label",
    "json alert",
    "python producer",
    "python serving",
    "python batch",
    "python alerts",
    "python retrain",
    "python state",
}


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {kind for kind, _ in blocks()} == KNOWN_KINDS


# -- events -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def events() -> tuple[list[str], list[str]]:
    """The files of the example: predictions and labels, line by line."""
    return lines_of([FRAUD.stream], seed=1)


def test_the_prediction_and_its_label_are_of_the_file(events: tuple[list[str], list[str]]) -> None:
    shown = [json.loads(the_block(f"json {name}")) for name in ("prediction", "label")]
    for event, lines in zip(shown, events, strict=True):
        of_it = [line for line in lines if f'"{event["prediction_id"]}"' in line]
        assert [json.loads(line) for line in of_it] == [event]
    assert decode(the_block("json prediction").encode(), Prediction).model_id == FRAUD.name
    assert decode(the_block("json label").encode(), Label).prediction_id == shown[0]["prediction_id"]


def test_the_prediction_is_among_the_records_of_the_alert(events: tuple[list[str], list[str]]) -> None:
    (part,) = Alert.model_validate_json(the_block("json alert")).offsets
    concerned = "\n".join(events[0][part.start : part.end])
    assert f'"{json.loads(the_block("json prediction"))["prediction_id"]}"' in concerned


def test_the_alert_is_the_one_that_the_replay_gives() -> None:
    alerts = [json.loads(line) for line in FRAUD.kept()["alerts.jsonl"].splitlines()]
    expected = alerts[0]
    assert json.loads(the_block("json alert")) == expected


def test_the_output_of_the_replay_is_what_it_counts() -> None:
    kept = FRAUD.kept()
    (state,) = json.loads(kept["state.json"]).values()
    records = sum(state["next_offsets"].values())
    alerts, requests = (len(kept[name].splitlines()) for name in ("alerts.jsonl", "retrain.jsonl"))
    assert the_block("text output").startswith(
        f"{records} records: {alerts} alerts, {requests} retrain request{'s' * (requests != 1)}, 0 dead letters;"
    )


# -- configuration ----------------------------------------------------------------------------------------------------


def test_the_configuration_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text(the_block("yaml"))
    configuration = read_configuration(path)
    assert [model.model_id for model in configuration.models] == ["fraud"]


def test_the_columns_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "columns.yaml"
    path.write_text(the_block("yaml columns"))
    assert read_columns(path).predictions.features == {"amount": "amount", "country": "country"}


# -- code -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(kind for kind in KNOWN_KINDS if kind.startswith("python")))
def test_the_code_imports_what_exists(kind: str) -> None:
    tree = ast.parse(the_block(kind))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


# -- commands ---------------------------------------------------------------------------------------------------------


def of_program(*names: str) -> list[list[str]]:
    return [command for command in commands() if command[0] in names]


def test_every_command_is_of_a_program_that_is_tested() -> None:
    assert {command[0] for command in commands()} == {
        ".",
        "docker",
        "driftline",
        "export",
        "make",
        "pip",
        "python",
        "redis-cli",
    }


@pytest.mark.parametrize("command", of_program("driftline"), ids=" ".join)
def test_a_command_line_is_accepted(command: list[str]) -> None:
    accept(app, command[1:])


def accept(typer: Typer, arguments: list[str]) -> None:
    """Fail unless a command line is complete and has no option that does not exist; nothing is run."""
    command, name = get_command(typer), "driftline"
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments)


def test_a_command_line_that_is_wrong_would_be_found() -> None:
    for wrong in ("topics create --partition 8", "check", "worker --config"):
        with pytest.raises(Exception, match=r"option|argument|Missing"):
            accept(app, wrong.split())


def test_every_target_of_make_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = {command[1] for command in of_program("make")} | set(re.findall(r"`make ([a-z-]+)", README))
    assert {"demo", "test", "kafka", "bench"} <= asked <= set(targets)


def test_every_extra_and_module_exists() -> None:
    extras = set(re.findall(r"\.\[(\w+)\]", README))
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert extras <= set(declared)
    for command in of_program("python"):
        assert command[1] == "-m"
        assert importlib.util.find_spec(command[2]) is not None


def test_the_environment_is_accepted() -> None:
    (given,) = of_program("export")
    assert Settings.from_environment(dict(word.split("=", 1) for word in given[1:])) == Settings()


def test_the_keys_of_redis_are_those_of_the_code() -> None:
    asked = [command[2] for command in of_program("redis-cli")]
    assert asked == [keys.TOPOLOGY, keys.state(partition_of("fraud", 8))]


def test_the_commands_of_the_table_are_all_there_are() -> None:
    rows = re.findall(r"^\| `driftline ([a-z ]+)` \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(walk(app))


def walk(typer: Typer) -> Iterator[str]:
    for name, command in get_command(typer).commands.items():  # type: ignore[attr-defined]  # a group has them
        yield from [f"{name} {below}" for below in command.commands] if hasattr(command, "commands") else [name]


# -- words ------------------------------------------------------------------------------------------------------------


def test_the_partitioner_is_that_of_the_client() -> None:
    assert f"`partitioner={PARTITIONER}`" in README


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)?(?:#[^)]*)?\)", text):
        assert not link or "://" in link or (ROOT / page).parent.joinpath(link).exists(), link


def test_what_could_not_be_run_is_marked() -> None:
    compose = README.partition("```sh\ndocker compose up")[0].rpartition("\n\n")[0]
    assert "**Not run here**" in compose.splitlines()[-2] + compose.splitlines()[-1] + compose.splitlines()[-3]
    assert shlex.split("docker compose up --build") in commands()
