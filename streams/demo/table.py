"""The last word: a table of incident, alert and delay, and why it was not as it must be, if it was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from driftline.streams.demo.verdict import Verdict

_EXPLANATION = (
    "Seen after: records from the first wrong one to the one that decided the alert. Over after: records since the "
    "fault was put right. Records are predictions; for the concept change, whose inputs are right, labels."
)


def print_verdict(console: Console, verdict: Verdict, seed: int) -> None:
    """Print the table and the verdict, in at most 80 columns."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("incident", no_wrap=True)
    table.add_column("alert", no_wrap=True)
    table.add_column("seen after", justify="right", no_wrap=True)
    table.add_column("over after", justify="right", no_wrap=True)
    before = None
    for row in verdict.rows:
        table.add_row(
            row.fault if row.fault != before else "",
            row.what,
            _number(row.delay),
            "" if row.is_request else _number(row.resolved),
        )
        before = row.fault
    console.print(table)
    console.print(Text(_EXPLANATION))
    for complaint in verdict.complaints:
        console.print(Text(f"NOT AS IT MUST BE: {complaint}", style="bold red"))
    if verdict.passed:
        console.print(Text(f"seed {seed}: every incident was caught, and nothing else fired", style="bold green"))
    else:
        console.print(Text(f"seed {seed}: failed", style="bold red"))


def _number(count: int | None) -> str:
    return "never" if count is None else f"{count:,}"
