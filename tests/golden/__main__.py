"""Bless the golden replays: ``python -m tests.golden`` prints what has changed and makes it what must be from now on.

With ``--out DIR`` it only replays them all into folders there.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from tests.golden.cases import CASES, KEPT, Golden


def bless(golden: Golden) -> Iterator[str]:
    """Keep what a case gives now; yield the lines that changed."""
    before = golden.kept()
    with tempfile.TemporaryDirectory() as folder:
        after = golden.replay(Path(folder))
    for name in KEPT:
        path = f"{golden.name}/{name}"
        was, now = (text.decode().splitlines() for text in (before[name], after[name]))
        yield from unified_diff(was, now, f"{path} before", f"{path} now", n=0, lineterm="")
        (golden.folder / name).write_bytes(after[name])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="DIR", help="replay into this folder and keep nothing")
    out = parser.parse_args().out
    for golden in CASES:
        if out is not None:
            golden.replay(out / golden.name)
            continue
        changed = list(bless(golden))
        sys.stdout.writelines(f"{line}\n" for line in changed)
        sys.stdout.write(f"{golden.name}: {'blessed, read the difference above' if changed else 'as it was'}\n")


if __name__ == "__main__":
    main()
