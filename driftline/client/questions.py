"""What is asked of Redis about models, and what the answers say; `driftline.client.state` does the asking.

A question is a generator: it yields commands, is sent their answers, and returns what they come to. So it is the same
whether the one who asks waits or goes on meanwhile.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError

from driftline.schemas import keys
from driftline.schemas.errors import SnapshotError, TopologyError
from driftline.schemas.partitioner import partition_of
from driftline.schemas.series import Row, resolution
from driftline.schemas.state import ModelState, Overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
D = TypeVar("D", ModelState, Overview)

Command: TypeAlias = tuple[str | bytes, ...]
Question: TypeAlias = Generator[Sequence[Command], list[Any], T]
"""Yields commands that are to be answered as of one moment."""


class History(NamedTuple):
    """Metrics of a model over time.

    Attributes
    ----------
    times
        Epoch milliseconds of event time, ascending: of the last checkpoint within each minute, quarter of an hour or
        quarter of a day.
    metrics
        By name, the value at each of these times; None where it was not defined.

    """

    times: list[int]
    metrics: dict[str, list[float | None]]


class Questions:
    """Questions to one Redis, which is called `where` in errors."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._partitions: int | None = None

    def partitions(self) -> Question[int]:
        """How many partitions there are."""
        (stored,) = yield [("HGET", keys.TOPOLOGY, "partitions")]
        if stored is None:
            raise TopologyError(f"Redis at {self._where} holds nothing of Driftline's: no worker has run on it")
        count = int(stored) if stored.isdigit() else 0
        if count == 0:
            raise TopologyError(
                f"the key {keys.TOPOLOGY} in Redis at {self._where} is not Driftline's: it holds no number of "
                "partitions"
            )
        self._partitions = count
        return count

    def models(self, partition: int) -> Question[list[bytes]]:
        """Which models a partition has."""
        (ids,) = yield [("HKEYS", keys.state(partition))]
        return sorted(ids)

    def state(self, model_id: str) -> Question[ModelState | None]:
        """How a model is doing."""

        def commands(partition: int) -> list[Command]:
            return [("HGET", keys.state(partition), model_id)]

        (document,) = yield from self._of_model(model_id, commands)
        return None if document is None else _parse(ModelState, document)

    def states(self, partition: int, ids: Sequence[bytes]) -> Question[list[ModelState]]:
        """How models of a partition are doing; one that was dropped meanwhile is left out."""
        (documents,) = yield [("HMGET", keys.state(partition), *ids)]
        return [_parse(ModelState, document) for document in documents if document is not None]

    def overviews(self, partition: int) -> Question[list[Overview]]:
        """Which lines a list of all models has of those of a partition."""
        (found,) = yield [("HVALS", keys.overview(partition))]
        return [_parse(Overview, document) for document in found]

    def history(self, model_id: str, of: str, metrics: Iterable[str] | None) -> Question[History | None]:
        """Which values metrics of a model had; None if no checkpoint holds it."""
        rows = resolution(of)

        def commands(partition: int) -> list[Command]:
            return [
                ("HGET", keys.columns(partition), model_id),
                ("HMGET", keys.series(partition), *rows.fields(model_id)),
            ]

        names, stored = yield from self._of_model(model_id, commands)
        if names is None:
            return None
        found = sorted(Row.unpack(row) for row in stored if row is not None)
        # A place that a pause has left out still has the row of a round before.
        oldest = found[-1].at // rows.width - rows.rows if found else 0
        kept = [row for row in found if row.at // rows.width > oldest]
        places = {name: place for place, name in enumerate(json.loads(names))}
        wanted = places if metrics is None else dict.fromkeys(metrics)
        return History(
            [row.at for row in kept],
            {name: [_value(row.values, places.get(name)) for row in kept] for name in wanted},
        )

    def _of_model(self, model_id: str, commands: Callable[[int], Sequence[Command]]) -> Question[list[Any]]:
        known = self._partitions
        answers = yield commands(partition_of(model_id, known or (yield from self.partitions())))
        # A Redis that was emptied since may have been given another count.
        if answers[0] is None and known is not None and (count := (yield from self.partitions())) != known:
            answers = yield commands(partition_of(model_id, count))
        return answers


def _value(values: Sequence[float], place: int | None) -> float | None:
    value = values[place] if place is not None and place < len(values) else math.nan
    return None if math.isnan(value) else value


def _parse(into: type[D], document: bytes) -> D:
    try:
        return into.model_validate_json(document)
    except ValidationError:
        raise SnapshotError("the state of a model was written by another version of Driftline than this one") from None
