"""What is compiled before the first event is all that events need."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.models.kernels.compiled import PLACE
from driftline.streams.compiled import COMPILING, compile_once

ROOT = Path(__file__).parents[2]


def later(*tasks: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.compiled_later", *tasks]
    done = subprocess.run(command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, timeout=280)
    return done.returncode, done.stdout


def test_nothing_is_compiled_later() -> None:
    assert later() == (0, "")


def test_what_was_left_out_would_be_found() -> None:
    code, found = later("regression")
    assert code == 1
    assert "binary.merge" in found


def test_code_that_can_only_be_read_is_copied_and_not_compiled_again(tmp_path: Path) -> None:
    """As in an image that is read-only, where there is no home either."""
    compile_once(print)
    assert PLACE is not None
    image = shutil.copytree(PLACE.folder, tmp_path / "image" / PLACE.folder.name)
    image.chmod(0o755)
    (image / "used").unlink()
    (image / "used").mkdir()  # so that it cannot be opened: a mode would not stop root
    (tmp_path / "tmp").mkdir(mode=0o700)
    environment = {"NUMBA_CACHE_DIR": str(image.parent), "TMPDIR": str(tmp_path / "tmp"), "HOME": "/proc/none"}
    command = [sys.executable, "-m", "driftline", "warm"]
    first, second = (
        subprocess.run(command, cwd=ROOT, check=True, text=True, capture_output=True, env=os.environ | environment)
        for _ in range(2)
    )
    own = tmp_path / "tmp" / f"driftline-{os.geteuid()}" / PLACE.folder.name
    assert first.stderr == f"{image} cannot be written to: its machine code was copied to {own}\n"
    assert second.stderr == ""
    for done in (first, second):
        assert done.stdout.endswith(f"machine code is in {own}\n")
    assert {path.name for path in own.rglob("*.nb?")} == {path.name for path in image.rglob("*.nb?")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "driftline", "warm"],
        ["-m", "driftline", "replay", "--predictions=none", "--labels=none", "--out=none"],
        ["-m", "driftline", "demo", "--once"],
        ["-c", "from driftline.streams.app import app"],
    ],
    ids=["warm", "replay", "demo", "faust"],
)
def test_what_compiles_says_so_first(arguments: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().endswith(f"{COMPILING}\n")
        finally:
            process.kill()
