"""Where machine code is kept: nothing is trusted that others could have written, and nothing is left half done."""

import fcntl
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from driftline.models.machine_code import MOST_FOLDERS, find_place, roots

NAME = "kernels-0123456789abcdef"
CODE = {"kernels_1/a.nbi": b"index", "kernels_1/a.1.nbc": b"code" * 1000, "compiled-1": b""}


def filled(root: Path, name: str = NAME) -> Path:
    """Make a folder of machine code at a place."""
    for path, content in CODE.items():
        (root / name / path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        (root / name / path).write_bytes(content)
    return root / name


def read_only(root: Path) -> Path:
    """Make one that cannot be written to: not even by root, whom no mode of a folder would stop."""
    folder = filled(root)
    (folder / "used").mkdir()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: value for name, value in files.items() if name != "used"}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_is_made_and_found_again(tmp_path: Path) -> None:
    for _ in range(2):
        place = find_place(NAME, [tmp_path / "new", tmp_path / "other"])
        assert place == (tmp_path / "new" / NAME, None)
    assert mode(tmp_path / "new" / NAME) == 0o700
    assert not (tmp_path / "other").exists()


def test_without_a_place_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert find_place(NAME, [tmp_path / "file"]) is None


def test_what_cannot_be_written_to_is_copied_once(tmp_path: Path) -> None:
    origin = read_only(tmp_path / "image")
    places = [tmp_path / "image", tmp_path / "own"]
    assert find_place(NAME, places) == (tmp_path / "own" / NAME, origin)
    assert content(tmp_path / "own" / NAME) == CODE
    assert mode(tmp_path / "own" / NAME) == 0o700
    assert find_place(NAME, places) == (tmp_path / "own" / NAME, None)
    assert [path.name for path in (tmp_path / "own").iterdir()] == [NAME]


def test_of_many_at_once_one_copies(tmp_path: Path) -> None:
    read_only(tmp_path / "image")
    together = Barrier(8)

    def begin() -> tuple[Path, Path | None] | None:
        together.wait()
        place = find_place(NAME, [tmp_path / "image", tmp_path / "own"])
        assert content(tmp_path / "own" / NAME) == CODE
        return place

    with ThreadPoolExecutor(8) as pool:
        found = [job.result() for job in [pool.submit(begin) for _ in range(8)]]
    assert {place and place[0] for place in found} == {tmp_path / "own" / NAME}
    assert [path.name for path in (tmp_path / "own").iterdir()] == [NAME]


def test_a_copy_that_a_quicker_process_has_removed_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only(tmp_path / "image")
    folder = tmp_path / "own" / NAME

    def be_late(origin: Path, copied: Path) -> None:
        del origin
        unfinished = next(path for path in folder.parent.iterdir() if path in copied.parents)
        filled(folder.parent)
        shutil.rmtree(unfinished)
        raise FileNotFoundError(copied)

    monkeypatch.setattr("driftline.models.machine_code.copyfile", be_late)
    assert find_place(NAME, [tmp_path / "image", tmp_path / "own"]) == (folder, None)
    assert content(folder) == CODE


@pytest.mark.parametrize("path", ["", "kernels_1", "kernels_1/a.nbi"])
def test_what_others_can_write_to_is_neither_used_nor_copied(tmp_path: Path, path: str) -> None:
    for make in (filled, read_only):
        folder = make(tmp_path / make.__name__)
        (folder / path).chmod(0o777)
        place = find_place(NAME, [tmp_path / make.__name__, tmp_path / f"own of {make.__name__}"])
        assert place == (own := tmp_path / f"own of {make.__name__}" / NAME, None)
        assert content(own) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("path", ["", "kernels_1", "kernels_1/a.nbi"])
def test_nor_is_what_another_user_has_written(tmp_path: Path, path: str) -> None:
    os.chown(filled(tmp_path / "shared") / path, 12345, 12345)
    assert find_place(NAME, [tmp_path / "shared", tmp_path / "own"]) == (tmp_path / "own" / NAME, None)


def test_nor_is_a_link(tmp_path: Path) -> None:
    folder = filled(tmp_path / "elsewhere")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / NAME).symlink_to(folder)
    assert find_place(NAME, [tmp_path / "shared", tmp_path / "own"]) == (tmp_path / "own" / NAME, None)


def test_in_a_folder_that_nobody_else_enters_modes_do_not_matter(tmp_path: Path) -> None:
    folder = filled(tmp_path)  # as where new files are for the group
    (folder / "kernels_1/a.nbi").chmod(0o664)
    folder.chmod(0o700)
    assert find_place(NAME, [tmp_path]) == (folder, None)


# -- places -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a temporary folder as /tmp is; the home is none."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    return folder


def test_places_are_beside_the_code_then_at_home_then_temporary(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = temporary / f"driftline-{os.geteuid()}"
    assert list(roots("", tmp_path / "package")) == [tmp_path / "package/__pycache__", own]
    assert mode(own) == 0o700
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert list(roots("/given", tmp_path)) == [Path("/given"), tmp_path / "home/.cache/driftline", own]


def test_a_temporary_folder_that_others_may_enter_is_not_taken(temporary: Path) -> None:
    own = temporary / f"driftline-{os.geteuid()}"
    own.mkdir()
    own.chmod(0o755)
    assert list(roots("/given", Path())) == [Path("/given")]


def test_nor_is_a_link_that_another_has_put_there(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    (temporary / f"driftline-{os.geteuid()}").symlink_to(tmp_path / "theirs")
    assert list(roots("/given", Path())) == [Path("/given")]


def test_nor_one_that_others_can_move_away(temporary: Path) -> None:
    temporary.chmod(0o777)
    assert list(roots("/given", Path())) == [Path("/given")]


# -- old ones ---------------------------------------------------------------------------------------------------------


def old(root: Path, count: int) -> list[Path]:
    """Make folders of other kernels, the first being used longest ago."""
    folders = [filled(root, f"kernels-{n:016x}") for n in range(count)]
    for n, folder in enumerate(folders):
        (folder / "used").touch()
        os.utime(folder / "used", (0, time.time() - 1000 + n))
    return folders


def test_those_used_longest_ago_go_when_a_new_one_is_made(tmp_path: Path) -> None:
    folders = old(tmp_path, 6)
    other = filled(tmp_path, "kernels-of somebody else")
    assert find_place(folders[1].name, [tmp_path]) == (folders[1], None)  # which is not new
    assert all(folder.exists() for folder in folders)
    assert find_place(NAME, [tmp_path]) == (tmp_path / NAME, None)
    assert [folder for folder in folders if folder.exists()] == [folders[1], *folders[-MOST_FOLDERS + 2 :]]
    assert other.exists()


def test_one_in_use_stays(tmp_path: Path) -> None:
    folders = old(tmp_path, 6)
    with (folders[0] / "used").open("rb") as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        find_place(NAME, [tmp_path])
        assert [folder for folder in folders if folder.exists()] == [folders[0], *folders[-MOST_FOLDERS + 1 :]]


def test_one_that_is_no_folder_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for n in range(6):
        (tmp_path / f"kernels-{n:016x}").symlink_to(tmp_path / "elsewhere")
    assert find_place(NAME, [tmp_path]) is not None
    assert (tmp_path / "elsewhere").exists()
