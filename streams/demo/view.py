"""What both views show: a scene, and how an alert, a request and an incident are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from driftline.schemas.fields import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from driftline.client import Alert, ModelState, RetrainRequest
    from driftline.streams.demo.verdict import Verdict

WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of the demo.

    Attributes
    ----------
    seconds
        Since its start.
    act
        Where the script stands, by what has been sent.
    at
        Event time, in epoch milliseconds.
    predicted
        Predictions sent.
    behind
        Records sent that no checkpoint covers yet.
    rate
        Records a second that the worker takes.
    baseline
        The metrics when the reference was whole.

    """

    seconds: float
    seed: int
    redis: str
    act: str
    at: int
    predicted: int
    behind: int
    rate: float
    baseline: Mapping[str, Any] | None
    state: ModelState | None
    alerts: Sequence[Alert]
    requests: Sequence[RetrainRequest]
    verdict: Verdict | None


class View(Protocol):
    """Where the demo shows itself, within a ``with`` block."""

    def say(self, text: str) -> None:
        """Show what is being done before the first scene."""

    def show(self, scene: Scene) -> None:
        """Show a scene; called several times a second."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""


def alert_text(alert: Alert) -> str:
    """Return the heading of an alert."""
    return f"{alert.state} {alert.severity} {alert.kind} of {alert.target.as_text()}"


def request_text(request: RetrainRequest) -> str:
    """Say what a request to retrain asks for."""
    schedule = request.reason.schedule
    why, since = " and ".join(request.reason.kinds), "since the change"
    if schedule is not None:
        why, since = f"its schedule of {schedule}", "of this version"
    return f"retrain {request.model_id}, for {why}: {request.labelled_count} labelled records {since}"


def clock_text(at: int) -> str:
    """Return the time of day of a moment in event time.

    Examples
    --------
    >>> clock_text(1795406400000)
    '04:00:00'

    """
    return format_timestamp(at)[11:19]
