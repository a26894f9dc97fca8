"""Prediction ⋈ label by prediction_id, for one model, in any order of arrival.

The rules: the first prediction of an id wins, and so does the first label, even if it comes before its prediction. A
prediction waits until its own time + timeout. What joined or expired leaves a tombstone, so that repeats are known.
Whatever ends otherwise than in a pair is counted.

`driftline.models.kernels.join` has the rules; `driftline.models.join.joins` hands it the records of a batch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.join.entry import model_prefix
from driftline.models.kernels import join_table as kernels
from driftline.models.kernels.feeds import FEED

if TYPE_CHECKING:
    from driftline.models.join.entry import Pending, Truth
    from driftline.models.join.stored import Seen, StoredEntries
    from driftline.models.join.table import JoinTable
    from driftline.models.kernels.types import Record, Records


_HEARD: Final = tuple(name for name in FEED.names or () if name != "allowed")  # which the configuration says


class Joined(NamedTuple):
    """A prediction with its label."""

    pending: Pending
    truth: Truth


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """What became of the records of a model; see `driftline.schemas.state.Counts`."""

    predictions: int = 0
    duplicate_predictions: int = 0
    labels: int = 0
    joined: int = 0
    duplicate_labels: int = 0
    contradicting_labels: int = 0
    early_labels: int = 0
    late_labels: int = 0
    expired: int = 0
    evicted: int = 0
    forgotten: int = 0


class LabelJoin:
    """The join of one model.

    Parameters
    ----------
    model_id
        All keys of the join begin with a hash of it.
    table
        Where its entries are, beside those of others.
    timeout
        Milliseconds of event time that a prediction waits for its label.
    max_pending
        How many predictions may wait; beyond it the one that would expire first is given up. As many early labels may
        wait, and as many tombstones are kept.

    """

    def __init__(self, model_id: str, table: JoinTable, *, timeout: int, max_pending: int) -> None:
        self.prefix = model_prefix(model_id)
        self._table = table
        self.index = table.open(self.prefix, timeout, max_pending)

    @property
    def _record(self) -> Record:
        return self._table.join(self.index)

    @property
    def _stored(self) -> StoredEntries:
        return self._table.stored[self.index]

    @property
    def counts(self) -> JoinCounts:
        """What became of the records so far."""
        record = self._record
        return JoinCounts(*(int(record[name]) for name in kernels.COUNTS))

    @property
    def pending(self) -> int:
        """How many predictions wait for their label."""
        return int(self._record["size"][kernels.WAITING])

    @property
    def orphans(self) -> int:
        """How many labels have not met their prediction, whether they still wait or were given up."""
        counts = self.counts
        return counts.labels - counts.joined - counts.late_labels

    @property
    def next_offsets(self) -> list[int]:
        """The next offset of each topic: what is below has been taken."""
        following: list[int] = self._record["next"].tolist()
        return following

    @property
    def last_label(self) -> int:
        """The offset of the newest label, -1 before there is one."""
        return int(self._record["last_label"])

    @last_label.setter
    def last_label(self, offset: int) -> None:
        self._record["last_label"] = offset

    @property
    def is_unsaved(self) -> bool:
        """Whether the model has changed since it was saved."""
        return bool(self._record["is_unsaved"])

    @is_unsaved.setter
    def is_unsaved(self, is_unsaved: bool) -> None:
        self._record["is_unsaved"] = is_unsaved

    @property
    def feeds(self) -> Records:
        """When its predictions and labels came, as `driftline.models.kernels.feeds` has it."""
        feeds: Records = self._record["feeds"]
        return feeds

    def __len__(self) -> int:
        """Return how many ids are remembered: at most `max_pending` of each group."""
        return int(self._record["size"].sum())

    def expire(self, watermark: int) -> None:
        """Give up what was due before the watermark, in epoch milliseconds.

        All goes in the order of event time, so that it does not matter how often this is done on the way.
        """
        self._table.expire(self.index, watermark)

    def snapshot(self) -> dict[str, Any]:
        """Return the counts, and what tells which of the stored entries there were by now; what is due goes first."""
        watermark = int(self._record["watermark"])
        self.expire(watermark)
        self._table.account()
        return {
            "counts": asdict(self.counts),
            "watermark": watermark,
            "given_up": self._stored.snapshot(),
            "feeds": [{name: feed[name].tolist() for name in _HEARD} for feed in self.feeds],
        }

    def restore(self, snapshot: dict[str, Any], *, seen: Seen) -> None:
        """Take over a snapshot, and the next offsets that belong to it; the entries follow by `Joins.restore`."""
        record = self._record
        for name, count in snapshot["counts"].items():
            record[name] = count
        record["watermark"], record["seen"], record["next"] = snapshot["watermark"], seen, seen
        record["last_label"] = seen.labels - 1
        self._stored.restore(snapshot["given_up"])
        record["wary"] = self._stored.is_wary
        for feed, stored in zip(self.feeds, snapshot["feeds"], strict=True):
            for name, value in stored.items():
                feed[name] = value

    def leave_out(self, field: bytes) -> None:
        """Delete a field at the next checkpoint that was stored for this model before it had any snapshot."""
        self._stored.leave_out(field)

    def take_dropped(self) -> list[bytes]:
        """Return the fields to delete with the snapshot that was taken just now; all entries have been taken before."""
        return self._table.dropped(self.index)
