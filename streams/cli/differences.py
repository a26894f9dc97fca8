"""``driftline backtest``: a line for each incident, and how many there are of which kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from driftline.schemas.fields import format_timestamp
from driftline.streams.cli.output import write_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.streams.backtest import Difference, Told

_SAID: Final = {
    "=": "alike",
    "~": "told otherwise",
    "-": "of the first alone",
    "+": "of the second alone",
}


def show_differences(differences: Iterable[Difference]) -> None:
    """Print what two configurations tell of the same records."""
    counts: Counter[str] = Counter()
    for difference in differences:
        sign = _sign_of(difference)
        counts[sign] += 1
        told = [each for each in difference if each is not None]
        moments = " -> ".join(dict.fromkeys(map(_moment, told)))
        write_line(f"{sign} {told[0].what}: {moments}")
    total = counts.total()
    parts = ", ".join(f"{counts[sign]} {said}" for sign, said in _SAID.items())
    write_line(f"{total} incident{'s' * (total != 1)}: {parts}")


def _sign_of(difference: Difference) -> str:
    if difference.first is None:
        return "+"
    if difference.second is None:
        return "-"
    return "=" if difference.is_same else "~"


def _moment(told: Told) -> str:
    over = "open" if told.resolved is None else f"over at {format_timestamp(told.resolved)}"
    return f"{told.severity} at {format_timestamp(told.fired)}, {over}"
