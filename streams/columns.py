"""Which metric stands where in the rows that are kept of a model over time."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from driftline.schemas.series import MOST_METRICS, RESOLUTIONS, Row, metrics_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.state import ModelState


class Columns:
    """The names of a model's metrics, each of which keeps its place for good: or older rows could not be read.

    Examples
    --------
    >>> columns = Columns(["counts.labels"])
    >>> columns.names
    ['counts.labels']

    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._places = {name: place for place, name in enumerate(names)}

    @classmethod
    def unpack(cls, stored: bytes) -> Columns:
        """Read what `pack` wrote."""
        return cls(json.loads(stored))

    def pack(self) -> bytes:
        """Return the names as Redis has them: a list, in JSON."""
        return json.dumps(self.names, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def names(self) -> list[str]:
        """In the order of the values of a row."""
        return list(self._places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def rows(self, state: ModelState) -> dict[str, bytes]:
        """Return the rows of all resolutions that a state document belongs to, by their fields; names may be new."""
        if state.watermark is None:
            return {}
        at = state.watermark
        metrics = metrics_of(state)
        for name in metrics:
            if name not in self._places and len(self._places) < MOST_METRICS:
                self._places[name] = len(self._places)
        row = Row(at, [metrics.get(name, math.nan) for name in self._places]).pack()
        return {resolution.field(at, state.model_id): row for resolution in RESOLUTIONS}
