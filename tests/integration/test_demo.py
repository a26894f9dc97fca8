"""The demo as a process: it runs to its end, and whatever ends it earlier ends its children too."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from driftline.streams.demo.show import LIMIT_SECONDS, DemoError, scenes
from tests.conditions import eventually

in_ci = pytest.mark.skipif(os.environ.get("CI") != "true", reason="takes long: run with CI=true")

ONCE = (sys.executable, "-m", "driftline", "demo", "--once")
# In the command lines of the children, the guardians left out.
BROKER, VALKEY, WORKER = "driftline.streams.embedded", "valkey-server", "driftline worker"


def processes(folder: Path) -> dict[int, str]:
    """Return the command line by pid of every process that was started with this TMPDIR, and of their children.

    Valkey writes its title over its environment, so it is known as the child of its guardian.
    """
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        if f"TMPDIR={folder}\0".encode() in read(place / "environ"):
            for number in (pid, *map(int, read(place / "task" / place.name / "children").split())):
                found[number] = read(Path(f"/proc/{number}/cmdline")).replace(b"\0", b" ").decode().strip()
    return {pid: command for pid, command in found.items() if command}  # a zombie has none


def read(place: Path) -> bytes:
    """Return what the kernel says of a process, nothing if it has ended."""
    try:
        return place.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def pid_of(folder: Path, what: str) -> int:
    """Return the pid of a child, 0 if there is none."""
    found = (pid for pid, command in processes(folder).items() if what in command and "guardian.py" not in command)
    return next(found, 0)


def all_ended(folder: Path, known: Iterable[int]) -> bool:
    """Return whether nothing of a demo is left, what was known of it before included."""
    return not processes(folder) and not any(read(Path(f"/proc/{pid}/cmdline")) for pid in known)


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the demo with a temporary folder of its own, which tells its processes from those of other tests."""
    environment = os.environ | {"TMPDIR": str(folder), "DRIFTLINE_GROUP": "a setting that the demo must not mind"}
    pipe = subprocess.PIPE
    with subprocess.Popen(ONCE, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_traffic(process: subprocess.Popen[str]) -> None:
    """Return when the service has begun to send; the demo gives up by itself long before a test would hang."""
    assert process.stdout is not None
    began = any("prediction 0: calm" in line for line in process.stdout)
    assert began, process.communicate(timeout=30)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code and what was written on standard error."""
    _, error = process.communicate(timeout=30)
    return process.returncode, error


@pytest.mark.parametrize(
    ("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_the_children_end_with_the_demo(tmp_path: Path, ending: signal.Signals, code: int) -> None:
    with running(tmp_path) as process:
        eventually(lambda: all(pid_of(tmp_path, what) for what in (BROKER, VALKEY, WORKER)))
        known = processes(tmp_path)
        process.send_signal(ending)
        assert ended(process) == (code, "")
        eventually(lambda: all_ended(tmp_path, known))
    if ending is not signal.SIGKILL:  # nobody is left to remove them after that
        assert not list(tmp_path.glob("driftline-*"))


def test_ctrl_c_ends_a_demo_in_full_swing(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        wait_for_traffic(process)
        known = processes(tmp_path)
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "")
        eventually(lambda: all_ended(tmp_path, known))


@pytest.mark.parametrize("victim", [pytest.param(BROKER, marks=in_ci), pytest.param(VALKEY, marks=in_ci), WORKER])
def test_a_child_that_dies_ends_the_demo_with_a_sentence(tmp_path: Path, victim: str) -> None:
    with running(tmp_path) as process:
        wait_for_traffic(process)
        known = processes(tmp_path)
        os.kill(pid_of(tmp_path, victim), signal.SIGKILL)
        code, error = ended(process)
        eventually(lambda: all_ended(tmp_path, known))
    assert code == 1
    assert len(error.splitlines()) == 1
    assert re.match(r"driftline: (the (broker|valkey|worker) of the demo has ended|Redis at .* does not answer)", error)


def test_a_script_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.streams.demo.show.LIMIT_SECONDS", 0.5)
    with closing(scenes(lambda _: None, seed=1)) as played, pytest.raises(DemoError, match=r"not over after 0\.5 s"):
        next(played)


@in_ci
def test_the_script_runs_to_its_end_and_every_incident_is_caught(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        output, error = process.communicate(timeout=LIMIT_SECONDS + 30)
        assert (process.returncode, error) == (0, ""), output
        assert not processes(tmp_path)
    assert output.endswith("seed 1: every incident was caught, and nothing else fired\n")
    assert max(map(len, output.splitlines())) <= 80
    assert not list(tmp_path.iterdir())
