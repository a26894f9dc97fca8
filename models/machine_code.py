"""Where machine code is kept from one process to the next: found, copied from where it can only be read, thrown away.

Numba unpickles what it finds in such a folder, so whoever writes to one has this process do anything. One that others
can write to, or that holds what neither this user nor root has put there, is not taken.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from shutil import copyfile, rmtree
from stat import S_ISDIR, S_ISREG, S_ISVTX
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_FOLDERS: Final = 4
"""How many are kept at one place, that in use among them: each is of other kernels or packages, and has 27 MB."""

_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_USED: Final = "used"  # in a folder: written to when a process begins to use it, and locked by those that do
_NAMES: Final = re.compile(r"kernels-[0-9a-f]{16}(\..*)?")  # with a suffix: a copy that was not completed


class Place(NamedTuple):
    """A folder that this process may write to, and the one that it has just been copied from."""

    folder: Path
    origin: Path | None


def roots(given: str, package: Path) -> Iterator[Path]:
    """Yield where folders of machine code may be, the best first: where it is said, else beside the code."""
    yield Path(given) if given else package / "__pycache__"
    with suppress(RuntimeError):  # nobody's
        if _make_private(home := Path.home() / ".cache" / "driftline", _OTHERS_WRITE):
            yield home
    with suppress(OSError):  # there is none
        temporary = Path(tempfile.gettempdir())
        if _is_guarded(temporary) and _make_private(own := temporary / f"driftline-{os.geteuid()}", _OTHERS):
            yield own


def find_place(name: str, places: Iterable[Path]) -> Place | None:
    """Return the folder of that name at the first place that can be written to, made if need be; None if none can.

    A new one gets the machine code of an earlier place that can only be read, and old ones beside it are removed.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as root:
    ...     place = find_place("kernels-0123456789abcdef", [Path("/proc/none"), Path(root)])
    ...     place.folder == Path(root, "kernels-0123456789abcdef"), place.origin
    (True, None)

    """
    origin = None
    for root in places:
        folder = root / name
        is_new, is_copied = False, False
        try:
            is_new = not folder.exists()
            if is_new:
                root.mkdir(parents=True, exist_ok=True)
                if origin is None:
                    folder.mkdir(mode=0o700, exist_ok=True)
                else:
                    is_copied = _copy(origin, folder)
            if not _is_trusted(folder):
                continue
            _use(folder)
        except OSError:
            if not is_new and origin is None and _holds_code(folder):
                origin = folder
            continue
        if is_new:
            _remove_old(folder)
        return Place(folder, origin if is_copied else None)
    return None


def _make_private(root: Path, forbidden: int) -> bool:
    """Make a folder of this user's own; return whether it is there, and others have none of the forbidden rights."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        root.mkdir(mode=0o700, exist_ok=True)
        found = root.lstat()
    except OSError:
        return False
    return S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & forbidden


def _is_guarded(root: Path) -> bool:
    """Return whether others cannot move away what is ours in a folder."""
    found = root.stat()
    return bool(found.st_mode & S_ISVTX) or (_is_ours(found) and not found.st_mode & _OTHERS_WRITE)


def _is_trusted(folder: Path) -> bool:
    """Return whether nobody but this user and root can have written what is in a folder."""
    found = folder.lstat()
    if S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _OTHERS:
        return True  # nobody else gets in, whatever the files in it allow
    return all(_is_safe(path.lstat()) for path in (folder, *folder.rglob("*")))


def _is_safe(found: os.stat_result) -> bool:
    is_plain = S_ISDIR(found.st_mode) or S_ISREG(found.st_mode)
    return is_plain and _is_ours(found) and not found.st_mode & _OTHERS_WRITE


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid in {0, os.geteuid()}


def _holds_code(folder: Path) -> bool:
    return any(folder.rglob("*.nbi"))


def _copy(origin: Path, folder: Path) -> bool:
    """Copy a folder, so that it is there whole or not at all; return whether it was not there by then."""
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))  # which is this user's alone
    try:
        for path in origin.rglob("*"):
            copied = unfinished / path.relative_to(origin)
            if path.name == _USED:
                continue
            if path.is_dir():
                copied.mkdir()
            else:
                copyfile(path, copied)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        return False  # another process was quicker, and may have taken this copy for one that was given up
    finally:
        rmtree(unfinished, ignore_errors=True)
    return True


def _use(folder: Path) -> None:
    """Say that this process uses a folder, from now on and as long as it lives; an error if it cannot write there."""
    tempfile.TemporaryFile(dir=folder).close()
    used = os.open(folder / _USED, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)  # never closed
    os.utime(used)
    with suppress(OSError):  # a file system without locks, or it is about to be removed, which costs time and no more
        fcntl.flock(used, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _remove_old(kept: Path) -> None:
    """Remove the folders beside one that were used longest ago, if they are not in use."""
    with suppress(OSError):
        others = [path for path in kept.parent.iterdir() if _NAMES.fullmatch(path.name) and path != kept]
        for folder in sorted(others, key=_last_use, reverse=True)[MOST_FOLDERS - 1 :]:
            _remove(folder)


def _last_use(folder: Path) -> float:
    for path in (folder / _USED, folder):
        with suppress(OSError):
            return path.lstat().st_mtime
    return 0.0


def _remove(folder: Path) -> None:
    with suppress(OSError):  # it is another user's, or in use
        if S_ISDIR(folder.lstat().st_mode):
            with suppress(FileNotFoundError), (folder / _USED).open("rb") as used:
                fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rmtree(folder, ignore_errors=True)
