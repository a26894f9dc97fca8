"""LabelJoin against a join that is too slow to be wrong, whatever comes in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.join.entry import Pending, id_hash
from driftline.models.join.label_join import Joined, LabelJoin
from driftline.schemas.classes import class_token
from driftline.schemas.events import Label, Prediction
from driftline.schemas.state import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class QuickJoin:
    """LabelJoin as its callers use it, with a dict for a store."""

    def __init__(self, timeout: int, most: int) -> None:
        self.timeout = timeout
        self.most = most
        self.join = LabelJoin("m", timeout=timeout, max_pending=most)
        self.store: dict[bytes, bytes] = {}
        self.pairs: list[tuple[int, int]] = []

    def prediction(self, prediction_id: str, at: int, offset: int) -> None:
        event = Prediction(model_id="m", model_version="1", prediction_id=prediction_id, timestamp=at, prediction=1)
        key = self.join.admit(event)
        if key is not None:
            self._note(self.join.hold(key, Pending(at, offset, "1", prediction=1)))

    def label(self, prediction_id: str, at: int, offset: int, value: Scalar) -> None:
        event = Label(model_id="m", prediction_id=prediction_id, timestamp=at, label=value)
        key = self.join.needs(event)
        self._note(self.join.label(event, offset=offset, found={} if key is None else {key: self.store[key]}))

    def _note(self, joined: Joined | None) -> None:
        if joined is not None:
            self.pairs.append((joined.pending.offset, joined.truth.offset))

    def checkpoint(self) -> None:
        written, gone = self.join.take_changes()
        assert not written.keys() & set(gone)
        assert self.store.keys() >= set(gone)
        self.store |= written
        for key in gone:
            del self.store[key]

    def restart(self) -> None:
        self.checkpoint()
        counts = self.join.snapshot()
        self.join = LabelJoin("m", timeout=self.timeout, max_pending=self.most)
        self.join.restore(counts)
        for key, packed in sorted(self.store.items(), reverse=True):  # a store gives them back in no order
            self.join.restore_entry(key, packed)

    def only_stored(self) -> set[str]:
        """Return the ids whose predictions are in the store alone."""
        labels = [Label(model_id="m", prediction_id=prediction_id, timestamp=0, label=0) for prediction_id in "abcdef"]
        return {label.prediction_id for label in labels if self.join.needs(label) is not None}

    def counts(self) -> Counts:
        counts = self.join.snapshot()
        return Counts(**counts, orphan_labels=self.join.orphans, pending=self.join.pending, **_ELSEWHERE)


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
            quick.restart()
            assert quick.only_stored() == {i for i, entry in slow.ids.items() if entry.state == "pending"}
        counts = quick.counts()
        assert counts == slow.counts()
        assert quick.pairs == slow.pairs
        assert counts.predictions == counts.joined + counts.pending + counts.expired + counts.evicted
        assert counts.labels == counts.joined + counts.orphan_labels + counts.late_labels
        assert len(quick.join) == len(slow.ids) <= 3 * most


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
            disturbed.restart()
        elif offset in checkpoints:
            disturbed.checkpoint()
    undisturbed.checkpoint()
    disturbed.checkpoint()
    assert disturbed.pairs == undisturbed.pairs
    assert disturbed.join.snapshot() == undisturbed.join.snapshot()
    assert disturbed.store == undisturbed.store


@settings(max_examples=200)
@given(steps, st.integers(1, 20), st.integers(1, 5))
def test_how_often_time_is_looked_at_changes_nothing(steps: list[Step], timeout: int, most: int) -> None:
    seldom, often = QuickJoin(timeout, most), QuickJoin(timeout, most)
    watermark = 0
    for offset, step in enumerate(steps):
        for between in range(watermark, watermark + step.ahead):
            often.join.expire(between)
        watermark = play(step, offset, watermark, (seldom, often))
    seldom.checkpoint()
    often.checkpoint()
    assert often.join.snapshot() == seldom.join.snapshot()
    assert often.store == seldom.store
