"""LabelJoin against the join as it was written first: the same outputs, counts, and fields in the store."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.join.entry import FIELD_BYTES, Entry, EntryState, Pending, Truth, pack_entry
from driftline.models.join.stored import Seen
from driftline.schemas.events import Label, Prediction
from driftline.schemas.fields import MAX_INTEGER, MAX_NUMBER
from tests.one_join import OneJoin
from tests.oracle import first_join

if TYPE_CHECKING:
    from driftline.models.join.label_join import Joined
    from driftline.schemas.fields import Scalar

    Join: TypeAlias = OneJoin | "FirstJoin"


class FirstJoin(first_join.LabelJoin):
    """The first join, in the shape of the other."""

    def __init__(self, timeout: int, most: int, payloads: int) -> None:
        self.cache = first_join.PayloadCache(payloads)
        super().__init__("m", self.cache, timeout=timeout, max_pending=most)

    def predict(self, event: Prediction, pending: Pending) -> tuple[bool, Joined | None]:
        key = self.admit(event)
        return (False, None) if key is None else (True, self.hold(key, pending))

    @property
    def elsewhere(self) -> int:
        return self._elsewhere.count

    def trim(self) -> None:
        self.cache.trim()


class Step(NamedTuple):
    """A record so far from the newest moment, or what is done to the state."""

    what: str
    ahead: int
    prediction_id: str
    label: Scalar


class Run:
    """A join, the store beside it, and all that either of them has answered."""

    def __init__(self, kind: type[Join], timeout: int, most: int, payloads: int) -> None:
        self.kind = kind
        self.timeout = timeout
        self.most = most
        self.payloads = payloads
        self.answers: list[Any] = []
        self.store: dict[bytes, bytes] = {}
        self.begin()
        self.snapshot, self.seen = self.join.snapshot(), 0

    def begin(self) -> None:
        self.join: Join = self.kind(self.timeout, self.most, self.payloads)

    def take(self, step: Step, at: int, offset: int, watermark: int) -> None:
        self.join.expire(watermark)
        self.note_numbers()
        getattr(self, step.what)(step, at, offset)
        self.note_numbers()

    def note_numbers(self) -> None:
        numbers = self.join.pending, self.join.orphans, len(self.join), self.join.elsewhere
        self.note((asdict(self.join.counts), *numbers))

    def note(self, answer: object) -> None:
        self.answers.append(repr(answer))

    def prediction(self, step: Step, at: int, offset: int) -> None:
        event = Prediction(
            model_id="m", model_version="1", prediction_id=step.prediction_id, timestamp=at, prediction=1
        )
        segments = {"région": step.prediction_id}
        self.note(self.join.predict(event, Pending(at, offset, "1", step.label, at / 7e4, None, segments)))

    def label(self, step: Step, at: int, offset: int) -> None:
        event = Label(model_id="m", prediction_id=step.prediction_id, timestamp=at, label=step.label)
        field = self.join.needs(event)
        self.note(field)
        self.note(self.join.label(event, offset=offset, found={} if field is None else {field: self.store[field]}))

    def time(self, step: Step, at: int, offset: int) -> None:
        """Let nothing happen but the passing of time."""

    def ahead(self, *_: object) -> None:
        """Write entries alone."""
        written = self.join.take_entries()
        self.note(sorted(written.items()))
        self.store |= written

    def unfinished(self, *_: object) -> None:
        """Write entries and delete others, without a snapshot."""
        self.ahead()
        gone = self.join.take_dropped()
        self.note(sorted(gone))
        for field in gone:
            self.store.pop(field, None)
        self.join.trim()

    def checkpoint(self, _step: Step, _at: int, offset: int) -> None:
        snapshot = json.dumps(self.join.snapshot())
        self.note(sorted_given_up(snapshot))
        self.unfinished()
        self.snapshot, self.seen = json.loads(snapshot), offset + 1

    def restart(self, *_: object) -> None:
        """Begin anew with what the last snapshot and the store say."""
        self.begin()
        self.join.restore(json.loads(json.dumps(self.snapshot)), seen=Seen(self.seen, self.seen))
        for field in sorted(self.store):
            self.join.restore_entry(field, self.store[field])

    def retimed(self, *_: object) -> None:
        """Restart with another configuration."""
        self.timeout, self.most = self.timeout % 20 + 3, self.most % 5 + 1
        self.restart()


def sorted_given_up(snapshot: str) -> dict[str, Any]:
    """Return a snapshot in which the order of the fields that were given up does not count."""
    state: dict[str, Any] = json.loads(snapshot)
    state.pop("feeds", None)  # the first join had none
    fields = b64decode(state["given_up"])
    state["given_up"] = sorted(fields[n : n + FIELD_BYTES] for n in range(0, len(fields), FIELD_BYTES))
    return state


states = ["time", "ahead", "unfinished", "checkpoint", "checkpoint", "restart", "retimed"]
ahead = st.integers(0, 1) | st.integers(-12, 4) | st.integers(0, 30)
ids = st.sampled_from("abcdefgh")
labels = st.sampled_from([0, 1, "1", True, 1.0, "yes", 0.1, -0.0])
records = st.builds(Step, st.sampled_from(["prediction", "prediction", "label"]), ahead, ids, labels)
changes = st.builds(Step, st.sampled_from(states), ahead, st.just(""), st.just(0))
steps = st.lists(st.one_of(records, records, records, changes), min_size=30, max_size=120)


@settings(max_examples=600)
@given(steps, st.integers(1, 20), st.integers(1, 6), st.integers(0, 4))
def test_the_join_does_what_the_first_one_did(steps: list[Step], timeout: int, most: int, payloads: int) -> None:
    first, join = (Run(kind, timeout, most, payloads) for kind in (FirstJoin, OneJoin))
    moments, watermarks = [], [0]
    for step in steps:
        moments.append(max(watermarks[-1] + step.ahead, 0))
        watermarks.append(max(watermarks[-1], moments[-1]))
    offset, left = 0, {n for n, step in enumerate(steps) if step.what in {"restart", "retimed"}}
    while offset < len(steps):
        step = steps[offset]
        if step.what in {"restart", "retimed"} and offset not in left:  # it has been, and all since the snapshot again
            offset += 1
            continue
        for run in (first, join):
            run.take(step, moments[offset], offset, watermarks[offset + 1])
        assert join.answers == first.answers
        first.answers.clear()
        join.answers.clear()
        if offset in left:
            left.remove(offset)
            offset = join.seen
        else:
            offset += 1
    assert join.store == first.store


numbers = st.floats(-MAX_NUMBER, MAX_NUMBER) | st.sampled_from([1e16, 1e-4, 9.999999999999999e15, 0.00009999, -0.0])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = texts | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | numbers
shares = st.none() | st.floats(0, 1)
pendings = st.builds(
    Pending,
    st.integers(0, 2**47),
    st.integers(0, 2**62),
    texts,
    scalars,
    shares,
    st.none() | st.dictionaries(texts, st.floats(0, 1), max_size=5),
    st.none() | st.dictionaries(texts, texts, max_size=5),
    st.none() | st.binary(max_size=16).map(lambda some: some[: len(some) // 8 * 8]),
    st.none() | st.floats(),
)
truths = st.builds(Truth, st.integers(0, 2**47), st.integers(0, 2**62), scalars, st.floats(0, MAX_NUMBER))
tombstones = st.builds(
    Entry,
    st.sampled_from([EntryState.JOINED, EntryState.EXPIRED, EntryState.LATE, EntryState.MET]),
    st.integers(-(2**62), 2**62),
    st.none(),
    st.integers(0, 2**64 - 1),
    st.integers(-1, 2**62),
    st.integers(-1, 2**62),
)
entries = (
    pendings.map(lambda p: Entry(EntryState.PENDING, 5, p, 0, p.offset))
    | truths.map(lambda t: Entry(EntryState.EARLY, 5, t, 0, -1, t.offset))
    | tombstones
)


@settings(max_examples=1000)
@given(entries)
def test_an_entry_is_written_byte_for_byte_as_the_first_join_did(entry: Entry) -> None:
    assert pack_entry(entry) == first_join.pack_entry(entry)


def test_every_character_is_written_alike() -> None:
    for code in (*range(0xD800), *range(0xE000, 0x10000), 0x1F600, 0x10FFFF):
        entry = Entry(EntryState.PENDING, 0, Pending(0, 0, chr(code), prediction=chr(code)))
        assert pack_entry(entry) == first_join.pack_entry(entry)


@settings(max_examples=1000)
@given(st.binary(min_size=8, max_size=8))
def test_every_double_is_written_alike(some: bytes) -> None:
    (number,) = struct.unpack("<d", some)
    entry = Entry(EntryState.PENDING, 0, Pending(0, 0, "1", number, number, {"a": number}, None, None, number))
    assert pack_entry(entry) == first_join.pack_entry(entry)
