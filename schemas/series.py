"""Metrics over time: the rows that Redis keeps of each model beside its state, at three resolutions (ADR 14).

The rows of a resolution are a ring: the one of a moment stands at that moment divided by its width, modulo how many
there are. So what is kept is bounded, nothing has to be deleted, and records that are read again write the same rows
again. A row shows what the last checkpoint within its time showed.
"""

from __future__ import annotations

import math
import sys
from array import array
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.schemas.errors import ConfigurationError, SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.schemas.state import ModelState

MOST_METRICS: Final = 2_000
"""Of a model; those that come up later have no rows."""

_AT: Final = Struct("<q")
_QUANTILES: Final = ("p50", "p90", "p99")


class Resolution(NamedTuple):
    """How many rows are kept, and the event time of each.

    Attributes
    ----------
    name
        By which it is asked for.
    width
        In milliseconds.
    rows
        How many there are.

    """

    name: str
    width: int
    rows: int

    def field(self, at: int, model_id: str) -> str:
        """Return the field of the row that a moment belongs to.

        Examples
        --------
        >>> resolution("1m").field(1_795_406_459_999, "fraud")
        '1m:0:fraud'

        """
        return self._field(at // self.width, model_id)

    def fields(self, model_id: str) -> list[str]:
        """Return the fields of all rows of a model."""
        return [self._field(slot, model_id) for slot in range(self.rows)]

    def _field(self, number: int, model_id: str) -> str:
        return f"{self.name}:{number % self.rows}:{model_id}"


RESOLUTIONS: Final = (
    Resolution("1m", 60_000, 60),
    Resolution("15m", 900_000, 96),
    Resolution("6h", 21_600_000, 120),
)
"""An hour by minutes, a day by quarters of an hour, and thirty days by quarters of a day."""


def resolution(name: str) -> Resolution:
    """Return a resolution by its name.

    Raises
    ------
    ConfigurationError
        If there is none of that name.

    """
    for each in RESOLUTIONS:
        if each.name == name:
            return each
    raise ConfigurationError(f"there is no resolution {name!r}: choose from {', '.join(r.name for r in RESOLUTIONS)}")


class Row(NamedTuple):
    """The metrics of one model at the last checkpoint within a time, in the order of its names.

    `at` is the watermark of the checkpoint. NaN: it was not defined, or there was no such metric yet.
    """

    at: int
    values: Sequence[float]

    def pack(self) -> bytes:
        """Return it as Redis has it: `at` as a 64-bit integer, and each value as a double, all little-endian.

        Examples
        --------
        >>> Row.unpack(Row(17, [0.5, 2.0]).pack()).values.tolist()
        [0.5, 2.0]

        """
        return _AT.pack(self.at) + _little(array("d", self.values)).tobytes()

    @classmethod
    def unpack(cls, stored: bytes) -> Row:
        """Read what `pack` wrote.

        Raises
        ------
        SnapshotError
            If it is no row.

        """
        if len(stored) < _AT.size or (len(stored) - _AT.size) % 8:
            raise SnapshotError("a row of metrics over time is cut off")
        values = array("d")
        values.frombytes(stored[_AT.size :])
        return cls(_AT.unpack_from(stored)[0], _little(values))


def metrics_of(state: ModelState) -> dict[str, float]:
    """Return what rows keep of a state document, by name.

    These are all counts; the metrics of the model and of its challenger, since the start and over the window; quantiles
    of label delay and serving latency; label coverage; how many incidents are open; and the effect of each watched
    stream, which goes by its kind, its target and its measure.
    """
    return dict(_metrics(state))


def _metrics(state: ModelState) -> Iterator[tuple[str, float]]:
    for name, count in state.counts:
        yield f"counts.{name}", float(count)
    yield "incidents", float(len(state.incidents))
    yield from _numbers("performance", state.performance)
    yield from _numbers("performance.window", state.performance.get("window") or {})
    yield from _numbers("challenger", state.challenger or {})
    for name, quantiles in (("label_delay", state.label_delay), ("serving_latency", state.serving_latency)):
        yield from _numbers(name, {each: quantiles.get(each) for each in _QUANTILES})
    if state.label_coverage is not None:
        yield from _numbers("label_coverage", {"share": state.label_coverage.share})
    for name, report in state.detectors.items():
        if (effect := report.get("effect")) is not None:
            yield f"effect.{name.rpartition(' ')[0]} {report['measure']}", float(effect)


def _numbers(of: str, entries: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in entries.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{of}.{name}", float(value)


def _little(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
