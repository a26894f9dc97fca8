"""The command line without servers: what it accepts, what it refuses, and in which words."""

import gzip
import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import __version__
from driftline.schemas.documents import asyncapi, json_schemas, write
from driftline.schemas.topics import LABELS
from driftline.streams.cli import run
from driftline.streams.cli.logs import OneLine
from driftline.streams.cli.output import printable
from driftline.streams.cli.progress import counting

DRIFTLINE = [sys.executable, "-m", "driftline"]
COMMANDS = ["demo", "worker", "warm", "replay", "backtest", "tune", "status", "alerts", "topics", "topics create"]
COMMANDS += ["check", "schema"]
SECONDS = 60

PREDICTION = '{"model_id":"m","model_version":"1","prediction_id":"a","timestamp":0,"prediction":1}\n'
LABEL = '{"model_id":"m","prediction_id":"a","timestamp":9,"label":1}\n'

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process; give its exit code, its output and its errors."""
    for name in [name for name in os.environ if name.startswith("DRIFTLINE_")]:
        monkeypatch.delenv(name)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["driftline", *map(str, arguments)])
        code = run()
        return code, *capsys.readouterr()

    return call


def spawn(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*DRIFTLINE, *map(str, arguments)]
    return subprocess.run(command, check=False, text=True, timeout=SECONDS, **options)  # type: ignore[call-overload,no-any-return]  # any of its options


# -- help -------------------------------------------------------------------------------------------------------------


def test_the_help_names_every_command(cli: Cli) -> None:
    code, out, err = cli("--help")
    assert (code, err) == (0, "")
    assert set(re.findall(r"^│ ([a-z]+) ", out, re.MULTILINE)) == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(cli: Cli, command: str) -> None:
    code, out, err = cli(*command.split(), "-h")
    assert (code, err) == (0, "")
    assert f"driftline {command}" in out


@pytest.mark.parametrize("command", ["", "topics"])
def test_without_a_command_the_help_is_shown_and_the_exit_code_is_that_of_a_mistake(cli: Cli, command: str) -> None:
    code, out, err = cli(*command.split())
    assert code == 2
    assert "Usage: driftline" in out
    assert err == ""


def test_the_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"driftline {__version__}\n", "")


HELP_AND_ITS_COST = """
import os, sys
from driftline.streams.cli import run
sys.argv = ["driftline", "--help"]
code = run()
heavy = {"aiokafka", "confluent_kafka", "faust", "numpy", "pydantic", "redis", "river", "yaml"} & set(sys.modules)
assert not heavy, heavy
print("CPU seconds", sum(os.times()[:2]))
sys.exit(code)
"""


def test_the_help_loads_nothing_heavy_and_is_quick() -> None:
    done = subprocess.run([sys.executable, "-c", HELP_AND_ITS_COST], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < 0.5


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wroker"], "No such command 'wroker'. Did you mean 'worker'? See driftline --help."),
        (["check"], "Missing argument 'CONFIG'. See driftline --help."),
        (["check", "--nope"], "No such option: --nope. See driftline --help."),
        (["replay", "--predictions", "p"], "Missing option '--out'. See driftline --help."),
        *(
            (
                ["replay", "--out", "o", *some],
                "give --predictions and --labels, or --journal, or a range of Kafka: --from and --to, or --offsets",
            )
            for some in (
                [],
                ["--labels", "l"],
                ["--journal", "--labels", "l"],
                ["--journal", "--from", "0"],
                ["--predictions", "p", "--labels", "l", "--to", "0"],
                ["--labels", "l", "--offsets", f"{LABELS}:0:1-2"],
            )
        ),
        (
            ["replay", "--out", "o", "--offsets", f"{LABELS}:0:1-2", "--to", "0"],
            "--offsets says where to begin and to end: give it, or --from and --to",
        ),
        (
            ["backtest", "--config", "c", "--predictions", "p", "--labels", "l"],
            "give --config twice, for the one and the other, not 1 times",
        ),
        *(
            (["replay", "--out", "o", "--columns", "c", *some], "--columns is for tables, and Kafka has none")
            for some in (["--journal"], ["--from", "0"])
        ),
        (
            ["topics", "create", "--partitions", "0"],
            "Invalid value for '--partitions': must be greater than or equal to 1. See driftline --help.",
        ),
        (["check", "/no/such.yaml"], "/no/such.yaml cannot be read: No such file or directory"),
        (
            ["worker", "--config", "/no/such.yaml"],
            "/no/such.yaml cannot be read: No such file or directory",
        ),
        (["alerts", "--kafka", "x"], "--kafka is 'x': must be host:port, or several separated by commas"),
        (["worker", "--kafka", "x:99999"], "--kafka is 'x:99999': a port must be from 1 to 65535"),
        (["alerts", "--kafka", ""], "--kafka is empty: leave it out, and DRIFTLINE_KAFKA or its default is taken"),
        (
            ["status", "--redis", "http://x"],
            (
                "--redis must be a URL such as redis://host:6379/0; percent-encode the password, or put it in a file "
                "and name that in DRIFTLINE_REDIS_PASSWORD_FILE"
            ),
        ),
        (
            ["worker", "--redis", "redis://x:6379/0?db=abc"],
            "--redis: the URL of Redis at x:6379 cannot be used: Invalid value for 'db' in connection URL.",
        ),
        (["schema", "labels"], f"there is no document 'labels'; there are {', '.join([*json_schemas(), 'asyncapi'])}"),
        (
            ["schema", "label", "--out", "x"],
            "NAME prints one document and --out writes all of them: give one of the two",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_exit_code_2(cli: Cli, arguments: list[str], said: str) -> None:
    assert cli(*arguments) == (2, "", f"driftline: {said}\n")


def test_a_wrong_variable_is_told_by_its_name(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_KAFKA", "x")
    code, _, err = cli("alerts")
    assert code == 2
    assert err.startswith("driftline: DRIFTLINE_KAFKA is 'x'")


def test_an_option_stands_above_its_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRIFTLINE_CONFIG", "/no/such.yaml")
    files = _files(tmp_path)
    (tmp_path / "fine.yaml").write_text("models: []\n")
    assert cli("replay", *files)[0] == 2
    assert cli("replay", *files, "--config", tmp_path / "fine.yaml")[0] == 0


def test_every_mistake_of_a_configuration_is_told(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("models:\n- model_id: fraud\n  label_timeout: 7\n  shadow: {}\nmax_models: 0\n")
    code, out, err = cli("check", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"driftline: {path}: ")
    assert [mistake in err for mistake in ("label_timeout", "shadow", "max_models")] == [True] * 3
    assert len(err.splitlines()) == 3


def test_a_server_that_is_not_there_is_told_in_one_sentence_with_exit_code_1() -> None:
    kafka, redis = "--kafka=127.0.0.1:1", "--redis=redis://127.0.0.1:1/0"
    commands = (
        ["status", redis],
        ["alerts", kafka],
        ["topics", "create", kafka],
        ["worker", kafka, redis],
        ["replay", kafka, "--to=0", "--out=o"],
    )
    # At the same time, because each waits ten seconds for Kafka.
    running = [
        subprocess.Popen([*DRIFTLINE, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for child in running:
        out, err = child.communicate(timeout=SECONDS)
        *_, said = err.splitlines()
        assert (child.returncode, out) == (1, "")
        assert re.match(r"driftline: (Kafka|Redis) at 127\.0\.0\.1:1 does not answer", said)
        assert "Traceback" not in err


def test_what_is_not_installed_is_told(tmp_path: Path) -> None:
    without = "import sys; sys.modules['faust'] = None; from driftline.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, "worker"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    needs = "which this command needs: pip install '.[worker]' in Driftline's checkout"
    said = f"driftline: faust is not installed, {needs}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


# -- check and schema -------------------------------------------------------------------------------------------------


def test_a_configuration_that_is_fine(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "fine.yaml"
    path.write_text("models: [{model_id: fraud}, {model_id: churn}]\n")
    assert cli("check", path) == (0, f"{path} is fine; models: fraud, churn\n", "")
    path.write_text("")
    assert cli("check", path) == (0, f"{path} is fine; models: none, so every model has the defaults\n", "")


def test_the_names_of_the_documents(cli: Cli) -> None:
    assert cli("schema") == (0, "".join(f"{name}\n" for name in [*json_schemas(), "asyncapi"]), "")


def test_a_document_by_its_name(cli: Cli) -> None:
    for name, document in {**json_schemas(), "asyncapi": asyncapi()}.items():
        code, out, _ = cli("schema", name)
        assert code == 0
        assert json.loads(out) == document


def test_all_documents_into_a_folder(cli: Cli, tmp_path: Path) -> None:
    expected = {path.name: path.read_bytes() for path in write(tmp_path / "expected")}
    made = tmp_path / "made" / "here"
    assert cli("schema", "--out", made) == (0, f"{len(expected)} documents written to {made}\n", "")
    assert {path.name: path.read_bytes() for path in made.iterdir()} == expected


def test_a_folder_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = f"driftline: cannot write to {tmp_path / 'file'}: File exists\n"
    assert cli("schema", "--out", tmp_path / "file") == (1, "", said)


# -- replay -----------------------------------------------------------------------------------------------------------


HALF = (
    "1 of 2 records of driftline.predictions cannot be used, mostly for invalid_json, such as "
    "driftline.predictions-0-1: expected ident at line 1 column 2\n"
)


def _files(folder: Path) -> list[str]:
    (folder / "p.jsonl").write_text(PREDICTION + "not JSON\n")
    (folder / "l.jsonl.gz").write_bytes(gzip.compress(LABEL.encode()))
    return [f"--predictions={folder}/p.jsonl", f"--labels={folder}/l.jsonl.gz", f"--out={folder}/out"]


def test_a_replay_says_what_it_found_and_writes_it(cli: Cli, tmp_path: Path) -> None:
    said = f"3 records: 0 alerts, 0 retrain requests, 1 dead letter; written to {tmp_path}/out\n"
    assert cli("replay", *_files(tmp_path)) == (0, said, HALF)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"alerts.jsonl", "retrain.jsonl", "dead_letters.jsonl", "state.json"}
    assert json.loads((tmp_path / "out" / "state.json").read_text())["m"]["counts"]["joined"] == 1


def test_a_backtest_says_what_differs(cli: Cli, tmp_path: Path) -> None:
    predictions, labels, _ = _files(tmp_path)
    config = tmp_path / "c.yaml"
    config.write_text("")
    said = "0 incidents: 0 alike, 0 told otherwise, 0 of the first alone, 0 of the second alone\n"
    assert cli("backtest", f"--config={config}", f"--config={config}", predictions, labels) == (0, said, HALF)


def test_files_of_which_nothing_can_be_used_are_a_failure_and_the_results_are_there(cli: Cli, tmp_path: Path) -> None:
    predictions, labels, out = _files(tmp_path)
    (tmp_path / "p.jsonl").write_text("not JSON\n" * 2)
    counts = f"3 records: 0 alerts, 0 retrain requests, 2 dead letters; written to {tmp_path}/out\n"
    said = (
        "driftline: none of 2 records of driftline.predictions can be used, mostly for invalid_json, such as "
        "driftline.predictions-0-0: expected ident at line 1 column 2\n"
    )
    assert cli("replay", predictions, labels, out) == (1, counts, said)
    assert len((tmp_path / "out" / "dead_letters.jsonl").read_bytes().splitlines()) == 2
    (tmp_path / "c.yaml").write_text("")
    config = f"--config={tmp_path}/c.yaml"
    assert cli("backtest", config, config, predictions, labels) == (1, "", said)
    assert cli("tune", predictions, labels) == (1, "", said)


def test_what_is_left_out_of_a_table_is_told_once_however_often_it_is_read(cli: Cli, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(
        "model_id,model_version,prediction_id,timestamp,prediction,label,when\nm,1,a,1,1,1,2026-01-01T00:00:00\n"
    )
    (tmp_path / "c.yaml").write_text("")
    config = f"--config={tmp_path}/c.yaml"
    said = f"{table}: not taken for features, as nobody named them: 'when' (timestamp[s])\n"
    code, _, err = cli("backtest", config, config, f"--predictions={table}", f"--labels={table}")
    assert (code, err) == (0, said)
    code, _, err = cli("replay", f"--predictions={table}", f"--labels={table}", f"--out={tmp_path}/out")
    assert (code, err) == (0, said)


@pytest.mark.parametrize("command", ["replay", "backtest", "tune"])
def test_columns_that_no_table_has_are_a_mistake(cli: Cli, tmp_path: Path, command: str) -> None:
    columns = tmp_path / "columns.yaml"
    columns.write_text("labels: {columns: {label: truth}}\n")
    (tmp_path / "c.yaml").write_text("")
    others = {"replay": ["--out=o"], "backtest": [f"--config={tmp_path}/c.yaml"] * 2, "tune": []}[command]
    said = "--columns is for tables, whose names end in .csv, .csv.gz, .tsv, .tsv.gz, .parquet: neither does"
    arguments = [command, *others, f"--columns={columns}", "--labels=l.jsonl"]
    assert cli(*arguments, "--predictions=p.jsonl") == (2, "", f"driftline: {said}\n")
    said = "--columns says only what is of l.jsonl, and that is no table"
    assert cli(*arguments, "--predictions=p.csv") == (2, "", f"driftline: {said}\n")


def test_a_file_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("replay", "--predictions=p", f"--labels={tmp_path}/l", f"--out={tmp_path}/out")
    assert (code, out, err) == (1, "", "driftline: p cannot be read: No such file or directory\n")
    assert not (tmp_path / "out").exists()


def test_on_a_terminal_progress_moves_and_the_output_is_plain(tmp_path: Path) -> None:
    here, there = pty.openpty()
    done = spawn("replay", *_files(tmp_path), stdout=subprocess.PIPE, stderr=there, env={**os.environ, "TERM": "xterm"})
    os.close(there)
    shown = _read_all(here)
    assert done.returncode == 0
    assert b"records replayed" in shown
    assert b"\x1b[" in shown
    assert done.stdout.startswith("3 records")
    assert "\x1b" not in done.stdout


def _read_all(terminal: int) -> bytes:
    read = b""
    try:
        while chunk := os.read(terminal, 4096):
            read += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(terminal)
    return read


def test_elsewhere_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("records replayed", seconds=0) as show:
        show(1000)
        show(2500)
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r", [\d,]+ a second$", "", line) for line in lines] == [
        "1,000 records replayed",
        "2,500 records replayed",
    ]
    with counting("records replayed") as show:
        show(1000)
    assert capsys.readouterr().err == ""


# -- names that others chose ------------------------------------------------------------------------------------------


@given(st.text())
def test_what_is_written_can_be_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.isascii() or not text.isascii()
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "\u202eevil", "\x9b2J"])
def test_a_name_in_a_message_is_shown_and_not_obeyed(cli: Cli, tmp_path: Path, name: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(json.dumps({"models": [{"model_id": name}]}))
    assert cli("check", path) == (0, f"{path} is fine; models: {printable(name)}\n", "")
    path.write_text(json.dumps({"models": [{"model_id": "m", name: 1}]}))
    code, _, err = cli("check", path)
    assert code == 2
    assert all(line.isprintable() for line in err.split("\n"))


# -- output that goes nowhere -----------------------------------------------------------------------------------------


def test_a_reader_that_goes_away_ends_the_command_in_silence() -> None:
    with subprocess.Popen([*DRIFTLINE, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(SECONDS) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = spawn("schema", "label", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "driftline: the output cannot be written: No space left on device\n"


def test_a_closed_output_is_no_failure() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m driftline schema >&-', sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- an exception that nobody expected --------------------------------------------------------------------------------


def test_a_bug_shows_its_traceback_without_the_values_in_it() -> None:
    bug = (
        "import sys; from driftline.streams.cli import commands, run\n"
        "@commands.app.command()\n"
        "def broken():\n"
        "    password = 'secret' + 'word'\n"
        "    raise LookupError('a bug')\n"
        "sys.exit(run())\n"
    )
    done = subprocess.run([sys.executable, "-c", bug, "broken"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("LookupError: a bug\n")
    assert "secretword" not in done.stderr


def test_the_log_is_a_line_an_event_and_a_traceback_keeps_its_lines() -> None:
    record = logging.LogRecord("driftline.x", logging.WARNING, "", 0, "model %s", ("a\n\x1b[31mb",), None)
    record.created, record.msecs = 1_795_406_400.25, 250.0
    said = r"2026-11-23T04:00:00.250Z WARNING driftline.x: model a\n\x1b[31mb"
    assert OneLine().format(record) == said
    with pytest.raises(ValueError, match="a bug") as bug:
        int("a bug")
    record.exc_info = (bug.type, bug.value, bug.tb)
    first, second, *_, last = OneLine().format(record).splitlines()
    assert (first, second, last) == (
        said,
        "Traceback (most recent call last):",
        "ValueError: invalid literal for int() with base 10: 'a bug'",
    )
