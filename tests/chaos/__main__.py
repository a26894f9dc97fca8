"""``make chaos``: every fault in its long form, and every mutant; prints the table and exits with 1 if any row fails.

Names of rows as arguments run those alone.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.chaos.mutants import Mutant
from tests.chaos.stage import Servers, Stage
from tests.chaos.table import ROWS, Row, find, play

_MUTANT_EVENTS = 24_000


def main(names: list[str]) -> int:
    """Run rows, and print each as it ends."""
    failed = 0
    print(f"{'fault':46} {'times':>5}  {'seconds':>7}  result")
    with tempfile.TemporaryDirectory() as folder, Servers(Path(folder)) as servers:
        for row in (row for row in ROWS if not names or row.fault.__name__ in names):
            failed += not _print(row.name, row.times, partial(_run, servers, row))
            for mutant in row.mutants:
                failed += not _print(f"  mutant {mutant.name}", 1, partial(_find, servers, row, mutant))
    return int(failed > 0)


def _print(name: str, times: int, run: Callable[[], str]) -> bool:
    began = time.monotonic()
    try:
        result, passed = run(), True
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the row's result
        result, passed = f"FAILED: {type(error).__name__}: {str(error)[-300:]!r}", False
    print(f"{name:46} {times:5}  {time.monotonic() - began:7.0f}  {result}", flush=True)
    return passed


def _run(servers: Servers, row: Row) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return play(row, Stage(servers, Path(folder), row.events), row.times)


def _find(servers: Servers, row: Row, mutant: Mutant) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return find(row, mutant, Stage(servers, Path(folder), _MUTANT_EVENTS, mutant.program))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
