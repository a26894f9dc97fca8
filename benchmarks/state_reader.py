"""Another reader of Redis, in a process of its own: ``python -m benchmarks.state_reader URL PARTITION MODEL``.

Reads a state document every 5 ms until its standard input ends, and prints as JSON how long the reads took. Each counts
from when it was due, so that what holds Redis up for a second counts as the 200 reads that had to wait, and not as one.
It reads the bytes alone: what it waits for is Redis, or a core.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import Redis

from driftline.schemas import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EVERY = 0.005

Measured = dict[str, float]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@contextmanager
def reading(url: str, partition: int, model_id: str) -> Iterator[Measured]:
    """Read meanwhile; what is given is filled in at the end: ``reads``, and ``p99_ms`` and ``max_ms`` of them."""
    command = [sys.executable, "-m", "benchmarks.state_reader", url, str(partition), model_id]
    measured: Measured = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None  # noqa: S101 - for mypy
        reader.stdout.readline()  # it has begun
        yield measured
        measured |= json.loads(reader.communicate()[0])


def main(url: str, partition: int, model_id: str) -> None:
    """Read until standard input ends, and print what the reads took."""
    ended = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    took: list[float] = []
    with Redis.from_url(url, socket_timeout=None) as client:
        client.ping()
        print("reading", flush=True)
        due = time.perf_counter()
        while not ended.is_set():
            client.hget(keys.state(partition), model_id)
            took.append(1000 * (time.perf_counter() - due))
            due += _EVERY
            ended.wait(max(0.0, due - time.perf_counter()))
    print(json.dumps({"reads": len(took), "p99_ms": quantile(took, 0.99), "max_ms": max(took)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
