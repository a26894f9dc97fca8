"""Server processes that live no longer than the process that started them.

A `ChildProcess` runs its command under a guardian (`driftline.streams.guardian`) in a session of its own: Ctrl-C in
the terminal reaches only the parent, which decides when its servers end. The end of the parent, by whatever cause, ends
them.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from driftline.schemas.errors import UnavailableError
from driftline.streams import guardian

STOP_SECONDS = guardian.GRACE_SECONDS + 5
"""How long an orderly end may take, the guardian's own patience included, before everything is killed."""

_POLL_SECONDS = 0.02
_LOG_TAIL_CHARACTERS = 2000
_PORTS = range(20_000, 32_768)

Ready = TypeVar("Ready")


class ChildError(UnavailableError):
    """A child process did not start, or ended before it was ready."""


def free_port() -> int:
    """Give a loopback TCP port that nothing listens on.

    It lies below the range from which the kernel takes the ports of outgoing connections (32768 and up on Linux), so
    that no client can sit on it, or connect to itself through it, while the server is down between kill and restart.

    Examples
    --------
    >>> 20_000 <= free_port() < 32_768
    True
    """
    for port in random.sample(_PORTS, k=100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ChildError("no free TCP port was found between 20000 and 32767 in 100 attempts")


def serves(port: int, request: bytes, answer: bytes = b"") -> bool:
    """Tell whether a server on a loopback port answers a request, with bytes that begin with `answer`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(request)
            received = connection.recv(64)
    except OSError:
        return False
    return len(received) > 0 and received.startswith(answer)


class ChildProcess:
    """A command that ends when its parent does.

    Parameters
    ----------
    command
        The program and its arguments.
    log
        File to which its standard output and standard error are appended.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     child = ChildProcess(["sh", "-c", "echo up; exec sleep 60"], log=Path(folder) / "log")
    ...     child.start()
    ...     child.wait_for(lambda: "up" in child.log.read_text(), seconds=10)
    ...     child.stop()
    ...     child.running
    True
    False
    """

    def __init__(self, command: Sequence[str], *, log: Path) -> None:
        self.command = tuple(command)
        self.log = log
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the command has been started and has not ended."""
        return self._guardian is not None and self._guardian.poll() is None

    def start(self) -> None:
        """Start the command; what it needs to become ready is waited for with `wait_for`."""
        if self.running:
            raise ChildError(f"{self.command[0]} is already running")
        self._release()
        with self.log.open("ab") as log:
            self._guardian = subprocess.Popen(  # noqa: S603 - the commands are our own
                # -I and -S: nothing from the environment, no site-packages, 10 ms to start.
                [sys.executable, "-I", "-S", guardian.__file__, *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, ready: Callable[[], Ready | None], *, seconds: float) -> Ready:
        """Call `ready` until it gives something true, and return that.

        Raises
        ------
        ChildError
            If the command ended first or the time is up; the message holds the end of its log. The command is killed.
        """
        deadline = time.monotonic() + seconds
        while not (answer := ready()):
            if not self.running:
                what = "ended before it was ready"
            elif time.monotonic() >= deadline:
                what = f"was not ready after {seconds:g} s"
            else:
                time.sleep(_POLL_SECONDS)
                continue
            self.kill()
            tail = self.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
            raise ChildError(f"{Path(self.command[0]).name} {what}: {tail or 'it wrote nothing'}")
        return answer

    def stop(self) -> None:
        """Ask the command to end (SIGTERM), kill it if that takes too long, and wait for its end."""
        if self._guardian is None:
            return
        assert self._guardian.stdin is not None  # noqa: S101 - started with a pipe; tells the type checker
        self._guardian.stdin.close()
        try:
            self._guardian.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End the command and its guardian at once (SIGKILL), as a crash of the machine would."""
        if self._guardian is not None and self._guardian.poll() is None:
            os.killpg(self._guardian.pid, signal.SIGKILL)
        self._release()

    def _release(self) -> None:
        if self._guardian is None:
            return
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        self._guardian.wait()
        self._guardian = None
