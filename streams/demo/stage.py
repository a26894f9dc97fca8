"""What the demo runs on: a broker, a Valkey and a worker, each a process that ends with this one."""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

from driftline.streams.child_server import ChildServer
from driftline.streams.children import ChildError
from driftline.streams.embedded import EmbeddedBroker, EmbeddedValkey
from driftline.streams.topology import mention_topics

if TYPE_CHECKING:
    from types import TracebackType

CONFIGURATION: Final = Path(__file__).with_name("shuttle.yaml")

_START_SECONDS: Final = 180.0  # a worker that finds no folder for machine code compiles: a minute of a core
# What the worker says once Kafka has given it the partitions.
_READS: Final = re.compile(r"watching partitions \d")


class _Watched(ChildServer):
    """A child server that can be asked whether it is still there."""

    def check(self) -> None:
        """Raise if the process has ended, with its last words."""
        if self._child is None or not self._child.running:
            lines = self._log.read_text(errors="replace").split("\n")
            end = next((line for line in reversed(lines) if line.strip()), "nothing")
            raise ChildError(f"the {self._log.stem} of the demo has ended; its log ends with: {end}")


_WatchedT = TypeVar("_WatchedT", bound=_Watched)


class _Broker(_Watched, EmbeddedBroker):
    pass


class _Valkey(_Watched, EmbeddedValkey):
    pass


class _Worker(_Watched):
    """``driftline worker`` on the demo's servers."""

    def __init__(self, bootstrap: str, redis: str) -> None:
        super().__init__("worker")
        settings = {
            "DRIFTLINE_KAFKA": bootstrap,
            "DRIFTLINE_REDIS": redis,
            "DRIFTLINE_CONFIG": str(CONFIGURATION),
            "DRIFTLINE_METRICS_PORT": "off",
            "DRIFTLINE_STATE_DIR": str(self._folder),
        }
        # The caller's own settings are about servers that the demo has nothing to do with.
        others = [name for name in os.environ if name.startswith("DRIFTLINE_")]
        self._command = [
            "env",
            *(word for name in others for word in ("-u", name)),
            *(f"{name}={value}" for name, value in settings.items()),
            *(sys.executable, "-m", "driftline", "worker"),
        ]

    def start(self) -> None:
        """Start the worker; it takes some seconds until it reads."""
        self._launch(self._command)

    def wait(self) -> None:
        """Wait until the worker reads."""
        if self._child is not None:
            self._child.wait_for(lambda: _READS.search(self._log.read_text(errors="replace")), seconds=_START_SECONDS)


class Stage:
    """The three processes, from the beginning of a ``with`` block to its end.

    Attributes
    ----------
    bootstrap, redis
        Where the broker and the Valkey are.

    Raises
    ------
    UnavailableError
        If one of them does not come up.

    """

    bootstrap: str
    redis: str

    def __init__(self) -> None:
        self._children: list[_Watched] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start everything, but for the worker without waiting; what does not come up leaves nothing behind."""
        try:
            broker, valkey = self._start(_Broker()), self._start(_Valkey())
            self.bootstrap, self.redis = broker.bootstrap, valkey.url
            mention_topics(self.bootstrap)
            self._worker = self._start(_Worker(self.bootstrap, self.redis))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything at once: nothing here outlives the demo."""
        self._stack.close()

    def wait(self) -> None:
        """Wait until the worker reads.

        Raises
        ------
        ChildError
            If it ended first, or took too long.

        """
        self._worker.wait()

    def check(self) -> None:
        """Raise ChildError if one of them has ended."""
        for child in self._children:
            child.check()

    def _start(self, child: _WatchedT) -> _WatchedT:
        self._children.append(self._stack.enter_context(child))
        return child
