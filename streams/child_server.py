"""What every server that runs as a child process has in common."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from driftline.streams.children import ChildProcess


class ChildServer(ABC):
    """A server in a child process, with a temporary folder of its own.

    `stop` and `kill` leave the folder, so that `start` finds there what the server kept; `close`, which the end of a
    ``with`` block calls, removes it.

    Parameters
    ----------
    name
        What the folder and the log in it are called after.
    """

    def __init__(self, name: str) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix=f"driftline-{name}-")
        self._folder = Path(self._temporary.name)
        self._log = self._folder / f"{name}.log"
        self._child: ChildProcess | None = None

    @abstractmethod
    def start(self) -> None:
        """Start the server and wait until it serves."""

    def stop(self) -> None:
        """Shut the server down in order."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End the server at once with SIGKILL, as a crash would."""
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End the server at once and remove its folder."""
        self.kill()
        self._temporary.cleanup()

    def __enter__(self) -> Self:
        """Start; a server that does not come up leaves nothing behind."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _launch(self, command: list[str]) -> ChildProcess:
        self._child = ChildProcess(command, log=self._log)
        self._child.start()
        return self._child
