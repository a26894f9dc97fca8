"""The simulated service: sends the demo's traffic as its clock comes to it, in a thread of its own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

from driftline.client import EventProducer
from driftline.schemas.topics import INPUTS
from driftline.streams.demo.progress import Progress
from driftline.streams.demo.script import PREDICTIONS_IN_ALL
from driftline.streams.demo.traffic import MAX_DELAY_MS, MEAN_GAP_MS, traffic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from driftline.streams.demo.shuttle import Shuttle

SPEED: Final = 25.0
"""Seconds of event time in a second, until event time has come up with the present."""

# The broker forgets what lies more than about 5 MiB back in a partition, some 15,000 predictions.
_MOST_AHEAD: Final = 4000
_TURN_SECONDS: Final = 0.02
_LONGEST_TURN_SECONDS: Final = 0.1
_FLUSH_SECONDS: Final = 3.0
_SPARE_MS: Final = 30_000  # gaps are random: the script must come to its end before event time meets the present


class Service:
    """Streams predictions and delayed labels, never further ahead of the worker than the broker remembers.

    At the end of the script it waits for `go_on`, so that the counts of the worker can be held against its own.

    Attributes
    ----------
    progress
        What it has sent.

    """

    def __init__(self, bootstrap: str, shuttle: Shuttle, seed: int) -> None:
        self.progress = Progress()
        self._processed = dict.fromkeys(INPUTS, 0)
        self._bootstrap = bootstrap
        # An event may not be dated after its arrival, so the script begins as long ago as it takes in event time.
        length = PREDICTIONS_IN_ALL * MEAN_GAP_MS + MAX_DELAY_MS + _SPARE_MS
        self._clock = time.time() * 1000 - length
        self._events = traffic(shuttle, seed, int(self._clock))
        self._stop = threading.Event()
        self._is_judged = threading.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="demo-service")

    def __enter__(self) -> Self:
        """Begin to send."""
        self._running = self._executor.submit(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending."""
        self._stop.set()
        self._executor.shutdown()

    @property
    def clock(self) -> int:
        """Event time, in epoch milliseconds."""
        return int(self._clock)

    def check(self) -> None:
        """Raise what has ended the service, if anything has."""
        if self._running.done():
            self._running.result()

    def processed(self, next_offsets: Mapping[str, int]) -> None:
        """Learn how far the worker has come."""
        self._processed = {topic: next_offsets.get(topic, 0) for topic in INPUTS}

    def go_on(self) -> None:
        """Send more after the end of the script."""
        self._is_judged.set()

    def _run(self) -> None:
        producer = EventProducer(self._bootstrap)
        try:
            self._send(producer)
        finally:
            producer.close(_FLUSH_SECONDS)

    def _send(self, producer: EventProducer) -> None:
        upcoming = next(self._events)
        before = time.monotonic()
        while not self._stop.wait(_TURN_SECONDS):
            now = time.monotonic()
            passed, before = now - before, now
            if self._may_send():
                # Time that was spent waiting is not made up for, which would be a burst.
                step = min(passed, _LONGEST_TURN_SECONDS) * SPEED * 1000
                self._clock = min(self._clock + step, time.time() * 1000)
            while upcoming.event.timestamp <= self._clock and self._may_send():
                producer.send(upcoming.event)
                self.progress.note(upcoming)
                upcoming = next(self._events)

    def _may_send(self) -> bool:
        if self.progress.script_end is not None and not self._is_judged.is_set():
            return False
        sent, processed = self.progress.sent, self._processed
        return all(sent[topic] - processed[topic] < _MOST_AHEAD for topic in INPUTS)
