"""``make chaos``: every fault in its long form, and every mutant; prints the table and exits with 1 if any row fails.

Names of rows as arguments run those alone.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.stage import Servers
from tests.chaos.table import ROWS, Row, play
from tests.worker_harness import WORKER

_MUTANT_EVENTS = 48_000
_MUTANT_TIMES = 3


def main(names: list[str]) -> int:
    """Run rows, and print each as it ends."""
    failed = 0
    print(f"{'fault':34} {'times':>5}  {'seconds':>7}  result")
    with tempfile.TemporaryDirectory() as folder, Servers(Path(folder)) as servers:
        for row in (row for row in ROWS if not names or row.fault.__name__ in names):
            failed += not _run(servers, row)
            for name, program in row.mutants.items():
                failed += not _finds(servers, row, name, program)
    return int(failed > 0)


def _run(servers: Servers, row: Row) -> bool:
    began = time.monotonic()
    try:
        result, passed = _once(servers, row, WORKER, row.times, row.events), True
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the row's result
        result, passed = f"FAILED: {type(error).__name__}: {str(error)[:200]!r}", False
    print(f"{row.name:34} {row.times:5}  {time.monotonic() - began:7.0f}  {result}", flush=True)
    return passed


def _finds(servers: Servers, row: Row, name: str, program: tuple[str, ...]) -> bool:
    began = time.monotonic()
    try:
        _once(servers, row, program, _MUTANT_TIMES, _MUTANT_EVENTS)
    except Exception as error:  # noqa: BLE001 - any failure is a find
        result, found = f"found: {str(error).splitlines()[0][:70]}", True
    else:
        result, found = "FAILED: it was not found", False
    print(f"  mutant {name:25} {_MUTANT_TIMES:5}  {time.monotonic() - began:7.0f}  {result}", flush=True)
    return found


def _once(servers: Servers, row: Row, program: tuple[str, ...], times: int, events: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return play(row.fault, servers, Path(folder), program, times=times, events=events)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
