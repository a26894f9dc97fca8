"""The demo on a terminal: a screen of 80 columns and 24 lines that updates itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from driftline.models.drift.finding import Subject
from driftline.schemas.alerts import AlertState, Kind, Severity, Target
from driftline.streams.demo.script import INCIDENTS, PREDICTIONS_IN_ALL
from driftline.streams.demo.view import WIDTH, alert_text, clock_text, request_text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, RenderableType

    from driftline.client import ModelState
    from driftline.streams.demo.view import Scene

_NEWS: Final = 6  # lines of alerts and requests
_OPEN: Final = 3
_STYLES: Final = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "red"}
_METRICS: Final = {"accuracy": "accuracy", "f1": "F1", "roc_auc": "ROC AUC", "log_loss": "log loss"}
# What the reference and the recent values are of, by the measure of the effect.
_COMPARED: Final = {"psi": "median", "bad_share": "bad share", "error_rate": "error rate", "calibration": "residual"}
# The rows of the table of what is watched: whatever the script touches, and the score.
_WATCHED: Final = (
    *(subject for incident in INCIDENTS for subject in incident.expected),
    Subject(Kind.PREDICTION_DRIFT, Target(metric="score")),
)


class LiveView:
    """Redraws the whole scene each time."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Show one line."""
        self._live.update(Text(f"{text} …"), refresh=True)

    def show(self, scene: Scene) -> None:
        """Draw a scene."""
        self._live.update(draw(scene), refresh=True)


def draw(scene: Scene) -> RenderableType:
    """Return a scene as what Rich can print."""
    parts = [_heading(scene), _act(scene), Text()]
    if scene.state is None:
        return Group(*parts, Text("waiting for the worker's first checkpoint"))
    return Group(
        *parts,
        _counts(scene, scene.state),
        *_metrics(scene, scene.state),
        Text(),
        _watched(scene.state),
        *_open(scene.state),
        Text(),
        *_news(scene),
        Text(f"elsewhere: DRIFTLINE_REDIS={scene.redis} driftline status shuttle", style="dim"),
    )


def _heading(scene: Scene) -> RenderableType:
    done = min(scene.predicted, PREDICTIONS_IN_ALL)
    line = Table.grid(expand=False, padding=(0, 1))
    line.add_row(
        Text(f"Driftline demo, seed {scene.seed}", style="bold"),
        ProgressBar(total=PREDICTIONS_IN_ALL, completed=done, width=26),
        Text(f"prediction {done:,} of {PREDICTIONS_IN_ALL:,}"),
    )
    return line


def _act(scene: Scene) -> Text:
    clock = (f"{clock_text(scene.at)} ", "bold")
    if scene.verdict is None:
        return Text.assemble(clock, scene.act)
    if scene.verdict.passed:
        said = Text("every incident was caught, and nothing else fired", style="green")
    else:
        said = Text("; ".join(scene.verdict.complaints), style="red")
    return Text.assemble(clock, said, ". Ctrl-C ends the demo and prints the table.")


def _counts(scene: Scene, state: ModelState) -> Text:
    counts = state.counts
    return Text(
        f"{scene.rate:,.0f} events/s: {counts.predictions:,} predictions, {counts.joined:,} joined, "
        f"{counts.pending:,} wait; {scene.behind:,} not saved"
    )


def _metrics(scene: Scene, state: ModelState) -> list[Text]:
    parts = {"first": scene.baseline or {}, "last": state.performance.get("window", {})}
    return [
        Text(
            f"{which:>5} {part.get('pairs', 0):>5,} pairs:  "
            + "  ".join(f"{name} {_metric(part.get(metric))}" for metric, name in _METRICS.items())
        )
        for which, part in parts.items()
    ]


def _watched(state: ModelState) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("watched", no_wrap=True, width=25)
    table.add_column("", no_wrap=True, width=10)
    for column in ("reference", "lately", "effect", "pages at"):
        table.add_column(column, justify="right", no_wrap=True, width=9)
    open_subjects = {Subject(incident.kind, incident.target) for incident in state.incidents}
    open_subjects |= {Subject(each.kind, each.target) for incident in state.incidents for each in incident.related}
    for subject in _WATCHED:
        report = _report(state, subject)
        numbers = (report.get(name) for name in ("before", "after", "effect", "min_effect"))
        table.add_row(
            f"{subject.kind} {subject.target.feature or subject.target.metric}",
            _COMPARED.get(report.get("measure", ""), ""),
            *map(_number, numbers),
            style="red" if subject in open_subjects else "",
        )
    return table


def _report(state: ModelState, subject: Subject) -> dict[str, Any]:
    """Return the report of the detector of a subject that sees the most."""
    reports = [report for name, report in state.detectors.items() if name.startswith(f"{subject.as_text()} ")]
    return max(reports, key=lambda report: report["effect"] or 0.0, default={})


def _open(state: ModelState) -> list[Text]:
    if not state.incidents:
        return [Text("no open incident", style="green")]
    return [
        _line(
            f"open since {clock_text(incident.opened)}: {incident.kind} of {incident.target.as_text()} "
            f"({incident.effect.measure} {_number(incident.effect.value)})",
            _STYLES[incident.severity],
        )
        for incident in state.incidents[-_OPEN:]
    ]


def _news(scene: Scene) -> list[Text]:
    lines = [
        (
            alert.event_time,
            _line(
                f"{clock_text(alert.event_time)} {alert_text(alert)}",
                "green" if alert.state is AlertState.RESOLVED else _STYLES[alert.severity],
            ),
        )
        for alert in scene.alerts
    ]
    lines += [
        (request.event_time, _line(f"{clock_text(request.event_time)} {request_text(request)}", "magenta"))
        for request in scene.requests
    ]
    newest = sorted(lines, key=lambda line: line[0])[-_NEWS:]
    return [line for _, line in newest] or [Text("no alert yet", style="dim")]


def _line(text: str, style: str) -> Text:
    line = Text(text, style=style, no_wrap=True)
    line.truncate(WIDTH, overflow="ellipsis")
    return line


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"  # noqa: PLR2004 - readings, and not rates


def _metric(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
