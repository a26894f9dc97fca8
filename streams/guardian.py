"""A guardian runs one command and ends it when its own standard input closes.

It is started as a script by `driftline.streams.children`, with the write end of its standard input in the hands of the
parent. However the parent ends, SIGKILL included, the kernel closes that pipe, and the guardian ends the command.
On Linux the command also asks the kernel to die with the guardian, so that no single SIGKILL leaves it behind.

Only the standard library is imported, since this starts once for every server.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

GRACE_SECONDS = 10.0
"""How long the command may take to end after SIGTERM before it is killed."""

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> Callable[[], None] | None:
    """Give what the command runs before its exec, or None where the system has no prctl."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return None
    guardian = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:  # it ended between fork and prctl
            os._exit(1)

    return before_exec


def _end(command: subprocess.Popen[bytes]) -> None:
    command.terminate()
    try:
        command.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        command.kill()


def _end_at_eof(command: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    _end(command)


def main(arguments: list[str]) -> int:
    """Run `arguments` as a command until it ends or standard input closes; return its exit status."""
    # A parent that blocked signals would hand that mask down, and SIGTERM would never reach the command.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    command = subprocess.Popen(  # noqa: S603 - the command comes from our own parent
        arguments,
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509 - safe: this process has no second thread yet
    )

    def on_sigterm(_signal: int, _frame: FrameType | None) -> None:
        command.terminate()

    signal.signal(signal.SIGTERM, on_sigterm)
    threading.Thread(target=_end_at_eof, args=(command,), daemon=True).start()
    status = command.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
