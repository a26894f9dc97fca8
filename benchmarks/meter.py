"""CPU time between two events of a stream, and the core on which something runs.

Nothing but the standard library is imported: this runs in environments without Driftline.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Meter:
    """Measures the CPU time of this process, all threads, from one event to another.

    Parameters
    ----------
    skipped
        Events before the clock starts.
    total
        Events until it stops, the skipped ones included.

    """

    def __init__(self, skipped: int, total: int) -> None:
        self._skipped = skipped
        self._total = total
        self._taken = 0
        self._began: float | None = None
        self._before = 0  # events taken when the clock was started
        self._seconds = 0.0

    def take(self, count: int = 1) -> bool:
        """Count events that have been processed; return whether these were the last."""
        self._taken += count
        if self._began is None:
            if self._taken >= self._skipped:
                self._before, self._began = self._taken, time.process_time()
        elif self._taken >= self._total:
            self._seconds = time.process_time() - self._began
            return True
        return False

    def as_json(self, **found: float) -> str:
        """Return CPU us per event, how many events were measured, and what else was found."""
        events = self._taken - self._before
        return json.dumps({"cpu_us_per_event": self._seconds / events * 1e6, "events": events, **found})


def last_core() -> set[int]:
    """Return the core on which contenders run."""
    return {max(os.sched_getaffinity(0))}


def other_cores() -> set[int]:
    """Return the cores for the servers: all but that one, if there are others."""
    return os.sched_getaffinity(0) - last_core() or last_core()


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Let processes that are started in this block, and this one meanwhile, run on these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
