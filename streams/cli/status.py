"""``driftline status``: what fits 80 columns, whatever models and features are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline.schemas.alerts import Severity
from driftline.schemas.config import Task
from driftline.schemas.fields import format_timestamp
from driftline.schemas.state import ModelState, Overview
from driftline.streams.cli.output import printable, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.schemas.state import Incident

_METRICS: Final = {
    Task.BINARY: ("accuracy", "precision", "recall", "f1", "log_loss", "brier", "roc_auc"),
    Task.MULTICLASS: ("accuracy", "precision", "recall", "f1", "log_loss"),
    Task.REGRESSION: ("mae", "rmse", "r2", "bias"),
}
_NARROWEST_NAME: Final = 12
_WIDEST_VERSION: Final = 10
_MOST_STREAMS: Final = 10
_EXACT_BELOW: Final = 10**8
_STEP: Final = 1000


class _Row(NamedTuple):
    """A model in the table of all."""

    model: str
    version: str
    predictions: str
    joined: str
    metric: str
    value: str
    lately: str
    incidents: str


_HEADERS: Final = _Row("model", "version", "predictions", "joined", "metric", "in all", "lately", "open")


S = TypeVar("S", ModelState, Overview)


class Gate:
    """Looks at states that pass by for incidents of a severity, or of a worse one; of none if that is None."""

    def __init__(self, severity: str | None) -> None:
        order = list(Severity)
        self._shutting = frozenset() if severity is None else frozenset(order[order.index(Severity(severity)) :])
        self.is_shut = False

    def passing(self, state: S) -> S:
        """Look at a state or an overview, and return it."""
        self.is_shut |= any(incident.severity in self._shutting for incident in state.incidents)
        return state


def show_models(overviews: Iterable[Overview]) -> None:
    """Print a line a model, by name."""
    rows = sorted(map(_row, overviews))
    console = Console(highlight=False)
    if not rows:
        _print(console, "no model has been seen yet")
        return
    others = sum(max(map(cell_len, column)) for column in list(zip(_HEADERS, *rows, strict=True))[1:])
    gaps = len(_HEADERS) - 1
    gap = 2 if others + 2 * gaps + _NARROWEST_NAME <= console.width else 1
    room = max(_NARROWEST_NAME, console.width - others - gap * gaps)
    table = _new_table(gap)
    for header in _HEADERS:
        is_text = header in {"model", "version", "metric"}
        table.add_column(header, justify="left" if is_text else "right", no_wrap=True)
    for row in rows:
        *cells, incidents = (Text(cell) for cell in row._replace(model=_shortened(row.model, room)))
        incidents.stylize("" if row.incidents == "0" else "bold red")
        table.add_row(*cells, incidents)
    _print(console, table)


def _row(overview: Overview) -> _Row:
    return _Row(
        printable(overview.model_id),
        _shortened(printable(overview.model_version or "-"), _WIDEST_VERSION),
        _count(overview.predictions),
        _count(overview.joined),
        overview.metric or "-",
        _number(overview.overall),
        _number(overview.lately),
        str(len(overview.incidents)),
    )


def show_model(state: ModelState) -> None:
    """Print one model in detail."""
    console = Console(highlight=False)
    task = f"{state.task}{' (inferred)' if state.task_inferred else ''}" if state.task else "not known yet"
    when = "" if state.watermark is None else f", as of {format_timestamp(state.watermark)}"
    _print(console, Text(printable(state.model_id), "bold"))
    _print(console, f"version {printable(state.model_version or '-')}, task {task}{when}")
    counts = {name: count for name, count in state.counts.model_dump().items() if count}
    _print(console, ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()) or "no records")
    if state.reference:
        _print(console, _reference(state.reference))
    _print(console, "")
    if state.task:
        _print(console, _metrics(state, _METRICS[state.task]))
        _print(console, "")
    if moved := _moved(state.detectors):
        _print(console, moved)
        _print(console, "")
    for incident in state.incidents:
        _print(console, _incident(incident))
    if not state.incidents:
        _print(console, "no open incidents")


def _reference(reference: dict[str, Any]) -> str:
    parts = (f"{reference[part]} of {reference['events']} {part}" for part in ("predictions", "pairs"))
    return f"reference of this version: {', '.join(parts)}"


def _metrics(state: ModelState, names: Sequence[str]) -> Table:
    columns = (state.performance, state.performance.get("window", {}), state.challenger or {})
    rows = [(name, *(_number(values.get(name)) for values in columns)) for name in names]
    return _table(("metric", "in all", "lately", "challenger"), rows)


def _moved(detectors: dict[str, dict[str, Any]]) -> Table | None:
    """Return the streams that are furthest from their reference, in multiples of the size that pages."""
    sized = [(name, entry) for name, entry in detectors.items() if entry.get("effect")]
    if not sized:
        return None
    sized.sort(key=lambda item: -item[1]["effect"] / (item[1]["min_effect"] or 1e-9))
    rows = [
        (_shortened(printable(name), 40), entry["measure"], _number(entry["effect"]), _number(entry["min_effect"]))
        for name, entry in sized[:_MOST_STREAMS]
    ]
    return _table(
        (f"furthest from its reference ({len(rows)} of {len(detectors)})", "measure", "effect", "pages at"), rows
    )


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = _new_table()
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _new_table(gap: int = 2) -> Table:
    # The box has a column of its own between two columns.
    return Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)


def _incident(incident: Incident) -> Text:
    effect = f"{incident.effect.measure} {_number(incident.effect.value)}"
    what = f" {incident.kind} of {printable(incident.target.as_text())}"
    more = f", and {len(incident.related)} more" if incident.related else ""
    return Text.assemble(
        (incident.severity.value, "bold red"), f"{what} since {format_timestamp(incident.opened)}: {effect}{more}"
    )


def _print(console: Console, content: Table | Text | str) -> None:
    with writing():
        # As Text, so that brackets and colons in a name are no markup and no emoji.
        console.print(Text(content) if isinstance(content, str) else content)


def _shortened(text: str, width: int) -> str:
    cut = Text(text)
    cut.truncate(width, overflow="ellipsis")
    return cut.plain


def _count(count: int) -> str:
    if count < _EXACT_BELOW:
        return str(count)
    scaled, unit = count / _STEP**2, "M"
    return f"{scaled:.1f}{unit}" if scaled < _STEP else f"{scaled / _STEP:.1f}G"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
