"""The demo in lines, for where there is no terminal."""

from __future__ import annotations

import sys
import textwrap
import time
from typing import TYPE_CHECKING, Final, Self

from driftline.streams.demo.view import WIDTH, alert_text, request_text

if TYPE_CHECKING:
    from types import TracebackType

    from driftline.streams.demo.view import Scene

_STATUS_SECONDS: Final = 5.0
_INDENT: Final = " " * 9


class PlainView:
    """Prints what is new: where the script stands, alerts, requests to retrain, and the counts every five seconds."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._act = ""
        self._alerts = self._requests = 0
        self._is_judged = False
        self._status_due = _STATUS_SECONDS

    def __enter__(self) -> Self:
        """Return the view."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: every line has been printed."""

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        self._print(time.monotonic() - self._started, text)

    def show(self, scene: Scene) -> None:
        """Print what has not been printed."""
        if scene.act != self._act:
            self._act = scene.act
            self._print(scene.seconds, f"prediction {scene.predicted}: {scene.act}")
        for alert in scene.alerts[self._alerts :]:
            self._print(scene.seconds, f"ALERT {alert_text(alert)}: {alert.message}")
        for request in scene.requests[self._requests :]:
            self._print(scene.seconds, f"REQUEST {request_text(request)}")
        self._alerts, self._requests = len(scene.alerts), len(scene.requests)
        if scene.verdict is not None and not self._is_judged:
            self._is_judged = True
            self._print(scene.seconds, "the script is over; the table comes at the end of the demo")
        if scene.seconds >= self._status_due and scene.state is not None:
            self._status_due = scene.seconds + _STATUS_SECONDS
            counts, accuracy = scene.state.counts, scene.state.performance.get("window", {}).get("accuracy")
            lately = "" if accuracy is None else f", accuracy {accuracy:.3f} lately"
            self._print(
                scene.seconds,
                f"{counts.predictions} predictions, {counts.joined} joined, {scene.rate:.0f} events/s, "
                f"{len(scene.state.incidents)} open{lately}",
            )

    @staticmethod
    def _print(seconds: float, text: str) -> None:
        head = f"{seconds:6.1f} s "
        for line in textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=_INDENT):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
