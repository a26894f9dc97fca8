"""The join of one model, for tests: one record at a time, with what the pipeline does around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.models.join.entry import Pending, Truth, id_hash, token_of
from driftline.models.join.joins import Joins
from driftline.models.join.label_join import Joined
from driftline.models.join.payload_cache import PayloadCache
from driftline.models.kernels.join_table import HELD, LABEL, LOST, NOTHING, PAIRED, PREDICTION, TAKEN
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.join.label_join import JoinCounts
    from driftline.models.join.stored import Seen
    from driftline.schemas.events import Label, Prediction


class OneJoin:
    """One model of a partition; `joins` may be shared with others."""

    def __init__(
        self, timeout: int, most: int, payloads: int | None = None, joins: Joins | None = None, model_id: str = "m"
    ) -> None:
        self.joins = Joins() if joins is None else joins
        if payloads is not None:
            self.joins._cache = PayloadCache(self.joins.table, payloads)  # noqa: SLF001 - a bound that nobody else sets
        self.join = self.joins.open(model_id, timeout=timeout, max_pending=most)

    def __len__(self) -> int:
        return len(self.join)

    @property
    def counts(self) -> JoinCounts:
        return self.join.counts

    @property
    def pending(self) -> int:
        return self.join.pending

    @property
    def orphans(self) -> int:
        return self.join.orphans

    @property
    def elsewhere(self) -> int:
        return int(self.joins.table.join(self.join.index)["elsewhere"])

    def _row(self, event: Prediction | Label, what: int, offset: int, token: int) -> Any:  # noqa: ANN401 - an array
        row = np.zeros(1, TAKEN)
        row["join"], row["what"], row["offset"], row["at"] = self.join.index, what, offset, event.timestamp
        row["id"], row["token"] = np.frombuffer(id_hash(event.prediction_id), np.uint8), token
        return row

    def predict(self, event: Prediction, pending: Pending) -> tuple[bool, Joined | None]:
        """Return whether a prediction is new, and the pair that it makes with an early label."""
        row = self._row(event, PREDICTION, pending.offset, 0)
        self.joins.take(row)
        result, place = int(row[0]["result"]), int(row[0]["payload"])
        joined = None
        if result == HELD:
            self.joins.payloads[place] = pending
        elif result == PAIRED:
            truth = self.joins.payloads[place]
            assert isinstance(truth, Truth)
            joined = Joined(pending, truth)
        self.joins.recycle()
        return result != NOTHING, joined

    def needs(self, event: Label) -> bytes | None:
        """Return the field whose payload a label will ask for and only the store has, if any."""
        needed = self.joins.needed(self._row(event, LABEL, 0, 0))
        return next(iter(needed), None)

    def label(self, event: Label, *, offset: int, found: Mapping[bytes, bytes]) -> Joined | None:
        """Return the pair that a label makes; `found` has what `needs` named."""
        row = self._row(event, LABEL, offset, token_of(event.label))
        self.joins.load({field: index for field, index in self.joins.needed(row).items() if field in found}, found)
        self.joins.take(row)
        result, place = int(row[0]["result"]), int(row[0]["payload"])
        truth = Truth(event.timestamp, offset, event.label, 1.0 if event.weight is None else event.weight)
        joined = None
        if result == LOST:
            raise SnapshotError("lost a prediction")
        if result == HELD:
            self.joins.payloads[place] = truth
        elif result == PAIRED:
            pending = self.joins.payloads[place]
            assert isinstance(pending, Pending)
            joined = Joined(pending, truth)
        self.joins.recycle()
        return joined

    def expire(self, watermark: int) -> None:
        self.join.expire(watermark)
        self.joins.recycle()

    def take_entries(self) -> dict[bytes, bytes]:
        return self.joins.take_entries()

    def take_dropped(self) -> list[bytes]:
        return self.join.take_dropped()

    def trim(self) -> None:
        self.joins.saved()

    def snapshot(self) -> dict[str, Any]:
        return self.join.snapshot()

    def restore(self, snapshot: dict[str, Any], *, seen: Seen) -> None:
        self.join.restore(snapshot, seen=seen)

    def restore_entry(self, field: bytes, packed: bytes) -> None:
        self.joins.restore([(field, packed)])
