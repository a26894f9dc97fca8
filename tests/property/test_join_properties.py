"""LabelJoin against a join that is too slow to be wrong, whatever comes in whatever order."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.join.entry import Pending, id_hash
from driftline.models.join.stored import Seen
from driftline.schemas.classes import class_token
from driftline.schemas.events import Label, Prediction
from driftline.schemas.state import Counts
from tests.one_join import OneJoin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.join.label_join import Joined
    from driftline.schemas.fields import Scalar

# No property of these is about them: what the join does not know.
_ELSEWHERE = {"outside_labels": 0, "dead_letters": 0}


class Step(NamedTuple):
    """A record that arrives, so far ahead of the watermark; or nothing but the passing of time, or a restart."""

    what: str
    ahead: int
    prediction_id: str
    label: Scalar


@dataclass
class Remembered:
    """What the slow join knows of an id."""

    state: str
    expires: int
    prediction_offset: int | None = None
    label: tuple[int, Scalar] | None = None

    @property
    def group(self) -> int:
        """What is bounded and expires apart: tombstones, pending predictions, early labels."""
        return {"pending": 1, "early": 2}.get(self.state, 0)


class SlowJoin:
    """The rules of the join, written down one by one."""

    def __init__(self, timeout: int, most: int) -> None:
        self.timeout = timeout
        self.most = most
        self.ids: dict[str, Remembered] = {}
        self.pairs: list[tuple[int, int]] = []
        self.fates: dict[str, int] = dict.fromkeys(Counts.model_fields, 0)

    def prediction(self, prediction_id: str, at: int, offset: int) -> None:
        known = self.ids.get(prediction_id)
        if known is None:
            self.fates["predictions"] += 1
            self.ids[prediction_id] = Remembered("pending", at + self.timeout, offset)
        elif known.state == "early" and known.label is not None:
            self.fates["predictions"] += 1
            self.fates["early_labels"] += 1
            self.fates["orphan_labels"] -= 1
            self._pair(prediction_id, offset, at + self.timeout, known.label)
        else:
            self.fates["duplicate_predictions"] += 1
        self._forget()

    def label(self, prediction_id: str, at: int, offset: int, value: Scalar) -> None:
        known = self.ids.get(prediction_id)
        if known is None:
            self.fates["labels"] += 1
            self.fates["orphan_labels"] += 1
            self.ids[prediction_id] = Remembered("early", at + self.timeout, label=(offset, value))
        elif known.state == "pending" and known.prediction_offset is not None:
            self.fates["labels"] += 1
            self._pair(prediction_id, known.prediction_offset, known.expires, (offset, value))
        elif known.state == "expired":
            self.fates["labels"] += 1
            self.fates["late_labels"] += 1
            self.ids[prediction_id] = replace(known, state="late", label=(offset, value))
        elif known.label is not None and class_token(known.label[1]) == class_token(value):
            self.fates["duplicate_labels"] += 1
        else:
            self.fates["contradicting_labels"] += 1
        self._forget()

    def _pair(self, prediction_id: str, prediction_offset: int, expires: int, label: tuple[int, Scalar]) -> None:
        self.fates["joined"] += 1
        self.pairs.append((prediction_offset, label[0]))
        self.ids[prediction_id] = Remembered("joined", expires, prediction_offset, label)

    def advance(self, watermark: int) -> None:
        """Let what has expired go, one by one in the order of its time, and of what is due at once tombstones first."""
        while due := [(e.expires, e.group, id_hash(i), i) for i, e in self.ids.items() if e.expires < watermark]:
            prediction_id = min(due)[3]
            if self.ids[prediction_id].state == "pending":
                self.fates["expired"] += 1
                expires = self.ids[prediction_id].expires + self.timeout
                self.ids[prediction_id] = Remembered("expired", expires)
            else:
                del self.ids[prediction_id]
            self._forget()

    def _forget(self) -> None:
        for group in (1, 2, 0):
            while len(some := [i for i, entry in self.ids.items() if entry.group == group]) > self.most:
                prediction_id = min(some, key=lambda i: (self.ids[i].expires, id_hash(i)))
                lost = "evicted" if self.ids[prediction_id].state == "pending" else "forgotten"
                self.fates[lost] += 1
                del self.ids[prediction_id]

    def counts(self) -> Counts:
        pending = sum(1 for entry in self.ids.values() if entry.state == "pending")
        return Counts(**{**self.fates, "pending": pending})


@dataclass
class Snapshot:
    """What a checkpoint holds of a join beside its entries, and how far records had come."""

    counts: dict[str, Any]
    pairs: int
    offset: int


class QuickJoin:
    """LabelJoin as its callers use it, with a dict for a store."""

    def __init__(self, timeout: int, most: int) -> None:
        self.timeout = timeout
        self.most = most
        self.join = OneJoin(timeout, most)
        self.store: dict[bytes, bytes] = {}
        self.pairs: list[tuple[int, int]] = []
        self.snapshots = [Snapshot(self.join.snapshot(), 0, 0)]
        self.has_one = False  # snapshot alone, because the one after it is damaged

    def prediction(self, prediction_id: str, at: int, offset: int) -> None:
        event = Prediction(model_id="m", model_version="1", prediction_id=prediction_id, timestamp=at, prediction=1)
        _, joined = self.join.predict(event, Pending(at, offset, "1", prediction=1))
        self._note(joined)

    def label(self, prediction_id: str, at: int, offset: int, value: Scalar) -> None:
        event = Label(model_id="m", prediction_id=prediction_id, timestamp=at, label=value)
        field = self.join.needs(event)
        self._note(self.join.label(event, offset=offset, found={} if field is None else {field: self.store[field]}))

    def _note(self, joined: Joined | None) -> None:
        if joined is not None:
            self.pairs.append((joined.pending.offset, joined.truth.offset))

    def checkpoint(self, offset: int, *, deletes: int | None = None) -> None:
        """Make a checkpoint; `deletes` is how many fields it comes to delete, if not all."""
        snapshot = Snapshot(self.join.snapshot(), len(self.pairs), offset)
        written, gone = self.join.take_entries(), self.join.take_dropped()
        assert not written.keys() & set(gone)
        self.store |= written
        self.snapshots.append(snapshot)
        self.has_one = False
        for field in sorted(gone, key=self._anyhow)[:deletes]:
            self.store.pop(field, None)

    def damage(self) -> None:
        """Lose the newest snapshot, if the one before is there."""
        if len(self.snapshots) > 1 and not self.has_one:
            self.snapshots.pop()
            self.has_one = True

    def restore(self) -> int:
        """Begin anew from the newest snapshot; return the offset of the next record."""
        newest = self.snapshots[-1]
        self.join = OneJoin(self.timeout, self.most)
        self.join.restore(json.loads(json.dumps(newest.counts)), seen=Seen(newest.offset, newest.offset))
        for field in sorted(self.store, key=self._anyhow):  # a store gives them back in no order
            self.join.restore_entry(field, self.store[field])
        del self.pairs[newest.pairs :]
        return newest.offset

    def _anyhow(self, field: bytes) -> int:
        return crc32(field, len(self.snapshots))

    def only_stored(self) -> set[str]:
        """Return the ids whose predictions are in the store alone."""
        labels = [Label(model_id="m", prediction_id=prediction_id, timestamp=0, label=0) for prediction_id in "abcdef"]
        return {label.prediction_id for label in labels if self.join.needs(label) is not None}

    def counts(self) -> Counts:
        return Counts(
            **asdict(self.join.counts), orphan_labels=self.join.orphans, pending=self.join.pending, **_ELSEWHERE
        )


ids = st.sampled_from("abcdef")
ahead = st.integers(0, 1) | st.integers(-12, 4) | st.integers(0, 30)
steps = st.lists(
    st.one_of(
        st.builds(Step, st.just("prediction"), ahead, ids, st.just(0)),
        st.builds(Step, st.just("prediction"), ahead, ids, st.just(0)),
        st.builds(Step, st.just("label"), ahead, ids, st.sampled_from([0, 1, "1", True, 1.0, "yes"])),
        st.builds(Step, st.sampled_from(["time", "restart"]), ahead, st.just(""), st.just(0)),
    ),
    min_size=30,
    max_size=80,
)


def play(step: Step, offset: int, watermark: int, joins: Sequence[SlowJoin | QuickJoin]) -> int:
    """Let both joins take a step and return the watermark after it."""
    at = max(watermark + step.ahead, 0)
    watermark = max(watermark, at)
    for join in joins:
        (join.advance if isinstance(join, SlowJoin) else join.join.expire)(watermark)
        if step.what == "prediction":
            join.prediction(step.prediction_id, at, offset)
        elif step.what == "label":
            join.label(step.prediction_id, at, offset, step.label)
    return watermark


@settings(max_examples=250)
@given(steps, st.integers(1, 20), st.integers(1, 5))
def test_every_record_has_the_fate_that_the_rules_give_it(steps: list[Step], timeout: int, most: int) -> None:
    slow, quick = SlowJoin(timeout, most), QuickJoin(timeout, most)
    watermark = 0
    for offset, step in enumerate(steps):
        watermark = play(step, offset, watermark, (slow, quick))
        if step.what == "restart":
            quick.checkpoint(offset + 1)
            quick.restore()
            assert quick.only_stored() == {i for i, entry in slow.ids.items() if entry.state == "pending"}
        counts = quick.counts()
        assert counts == slow.counts()
        assert quick.pairs == slow.pairs
        assert counts.predictions == counts.joined + counts.pending + counts.expired + counts.evicted
        assert counts.labels == counts.joined + counts.orphan_labels + counts.late_labels
        assert len(quick.join) == len(slow.ids) <= 3 * most


def settle(join: QuickJoin, offset: int) -> None:
    """Make checkpoints until nothing is left that a snapshot before could have needed."""
    for _ in range(3):
        join.checkpoint(offset)


@settings(max_examples=200)
@given(steps, st.integers(1, 20), st.integers(1, 5), st.sets(st.integers(0, 80)))
def test_checkpoints_and_restarts_change_nothing(
    steps: list[Step], timeout: int, most: int, checkpoints: set[int]
) -> None:
    undisturbed, disturbed = QuickJoin(timeout, most), QuickJoin(timeout, most)
    watermark = 0
    for offset, step in enumerate(steps):
        watermark = play(step, offset, watermark, (undisturbed, disturbed))
        if step.what == "restart":
            disturbed.checkpoint(offset + 1)
            disturbed.restore()
        elif offset in checkpoints:
            disturbed.checkpoint(offset + 1)
    settle(undisturbed, len(steps))
    settle(disturbed, len(steps))
    assert disturbed.pairs == undisturbed.pairs
    assert disturbed.join.snapshot() == undisturbed.join.snapshot()
    assert disturbed.store == undisturbed.store


def faults(steps: list[Step], timeout: int, most: int, checkpoints: dict[int, Fault]) -> None:
    """Disturb a join at these offsets, let it read again from where its snapshot stood, and hold it to another."""
    undisturbed, disturbed = QuickJoin(timeout, most), QuickJoin(timeout, most)
    watermarks = [0]
    for offset, step in enumerate(steps):
        watermarks.append(play(step, offset, watermarks[-1], (undisturbed,)))
    offset, left = 0, dict(checkpoints)
    while offset < len(steps):
        play(steps[offset], offset, watermarks[offset], (disturbed,))
        offset += 1
        match fault := left.pop(offset, None):
            case Fault.NONE:
                disturbed.checkpoint(offset)
            case Fault.AHEAD:
                disturbed.store |= disturbed.join.take_entries()
            case Fault.RESTARTED:
                offset = disturbed.restore()
            case Fault.KILLED:
                disturbed.store |= disturbed.join.take_entries()
                offset = disturbed.restore()
            case Fault.DELETES_NOTHING | Fault.DELETES_SOME:
                disturbed.checkpoint(offset, deletes=0 if fault is Fault.DELETES_NOTHING else 2)
                offset = disturbed.restore()
            case Fault.DAMAGED | Fault.KILLED_AND_DAMAGED:
                if fault is Fault.DAMAGED:
                    disturbed.checkpoint(offset)
                else:
                    disturbed.store |= disturbed.join.take_entries()
                disturbed.damage()
                offset = disturbed.restore()
            case _:
                pass
    settle(undisturbed, len(steps))
    settle(disturbed, len(steps))
    assert disturbed.pairs == undisturbed.pairs
    assert disturbed.join.snapshot() == undisturbed.join.snapshot()
    assert disturbed.store == undisturbed.store


class Fault(StrEnum):
    """What may come of a checkpoint."""

    NONE = "none"
    AHEAD = "the entries are written, and it is another model's turn"
    RESTARTED = "killed before anything was written"
    KILLED = "killed before the snapshot was written"
    DELETES_NOTHING = "killed before anything was deleted"
    DELETES_SOME = "killed when something was deleted, and not all"
    DAMAGED = "the snapshot is damaged, and the one before must do"
    KILLED_AND_DAMAGED = "killed before the snapshot was written, and the one before is damaged"


few = st.dictionaries(st.integers(1, 80), st.sampled_from(Fault), max_size=12)
many = st.lists(st.sampled_from([Fault.NONE, *Fault]), max_size=80).map(lambda some: dict(enumerate(some, 1)))
disturbances = few | many


@settings(max_examples=400)
@given(steps, st.integers(1, 20), st.sampled_from([1, 3, 100]), disturbances)
def test_a_store_that_is_ahead_of_the_snapshot_changes_nothing(
    steps: list[Step], timeout: int, most: int, checkpoints: dict[int, Fault]
) -> None:
    faults(steps, timeout, most, checkpoints)


@pytest.mark.parametrize("middle", [Fault.AHEAD, Fault.NONE, Fault.RESTARTED, Fault.KILLED])
def test_an_early_label_that_has_more_time_than_its_tombstone_does_not_come_back(middle: Fault) -> None:
    steps = [
        Step("label", 20, "a", 0),
        Step("prediction", -8, "a", 0),  # its time is up at 22, the label's at 30
        Step("time", 5, "", 0),
        Step("time", 0, "", 0),
        Step("prediction", 0, "a", 0),
    ]
    for before in (Fault.AHEAD, Fault.NONE):
        faults(steps, 10, 100, {1: before, 2: middle, 3: Fault.NONE, 4: Fault.RESTARTED})


def test_what_was_given_up_does_not_come_back_if_it_was_not_deleted() -> None:
    steps = [Step("prediction", 1, name, 0) for name in "abcdefabc"]
    faults(steps, 20, 1, {1: Fault.NONE, 2: Fault.NONE, 3: Fault.DELETES_NOTHING, 4: Fault.DELETES_NOTHING})


@settings(max_examples=200)
@given(steps, st.integers(1, 20), st.integers(1, 5))
def test_how_often_time_is_looked_at_changes_nothing(steps: list[Step], timeout: int, most: int) -> None:
    seldom, often = QuickJoin(timeout, most), QuickJoin(timeout, most)
    watermark = 0
    for offset, step in enumerate(steps):
        for between in range(watermark, watermark + step.ahead):
            often.join.expire(between)
        watermark = play(step, offset, watermark, (seldom, often))
    settle(seldom, len(steps))
    settle(often, len(steps))
    assert often.join.snapshot() == seldom.join.snapshot()
    assert often.store == seldom.store
