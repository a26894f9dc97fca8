"""The rules of the join one by one, and its bounds; the property tests have them in every mixture."""

from __future__ import annotations

import gc
import weakref
from struct import pack
from typing import TYPE_CHECKING, Any

import pytest

from driftline.models.join.entry import Entry, EntryState, Pending, Truth, pack_entry, token_of, unpack_entry
from driftline.models.join.joins import Joins
from driftline.models.join.payload_cache import PayloadCache
from driftline.models.join.stored import Seen
from driftline.schemas.errors import SnapshotError
from driftline.schemas.events import Label, Prediction
from tests.one_join import OneJoin

if TYPE_CHECKING:
    from driftline.models.join.label_join import Joined
    from driftline.schemas.fields import Scalar

TIMEOUT = 100
ALL = Seen(1000, 1000)


def new(max_pending: int = 1000) -> OneJoin:
    return OneJoin(TIMEOUT, max_pending)


def predict(join: OneJoin, prediction_id: str, at: int = 0) -> Joined | None:
    event = Prediction(model_id="m", model_version="1", prediction_id=prediction_id, timestamp=at, prediction=1)
    return join.predict(event, Pending(at, at, "1", prediction=1))[1]


def label_of(prediction_id: str, at: int = 0, value: Scalar = 1) -> Label:
    return Label(model_id="m", prediction_id=prediction_id, timestamp=at, label=value)


def label(join: OneJoin, prediction_id: str, at: int = 0, value: Scalar = 1) -> Joined | None:
    return join.label(label_of(prediction_id, at, value), offset=at, found={})


def test_joins_that_are_given_up_are_freed_at_once() -> None:
    """The worker hides what is old from the collector: garbage in a cycle would stay for ever."""
    join = new()
    predict(join, "a")
    seen = weakref.ref(join.joins.table)
    gc.disable()
    try:
        del join
        assert seen() is None
    finally:
        gc.enable()


def test_a_label_meets_its_prediction() -> None:
    join = new()
    assert predict(join, "a", at=5) is None
    joined = label(join, "a", at=9, value="yes")
    assert joined is not None
    assert (joined.pending.at, joined.truth) == (5, Truth(9, 9, "yes", 1.0))


def test_an_early_label_meets_its_prediction() -> None:
    join = new()
    assert label(join, "a", at=5) is None
    assert join.orphans == 1
    joined = predict(join, "a", at=9)
    assert joined is not None
    assert (joined.pending.at, joined.truth.at, join.counts.early_labels, join.orphans) == (9, 5, 1, 0)


@pytest.mark.parametrize(("second", "contradicts"), [(True, False), ("1", False), (1.0, False), (0, True), ("x", True)])
def test_the_first_label_wins(second: Scalar, contradicts: bool) -> None:  # noqa: FBT001 - a column of the table
    join = new()
    predict(join, "a")
    label(join, "a", value=1)
    assert label(join, "a", value=second) is None
    assert (join.counts.contradicting_labels, join.counts.duplicate_labels) == (int(contradicts), int(not contradicts))


def test_the_first_label_wins_even_if_it_is_early() -> None:
    join = new()
    label(join, "a", value=0)
    label(join, "a", value=1)
    joined = predict(join, "a")
    assert joined is not None
    assert (joined.truth.label, join.counts.contradicting_labels) == (0, 1)


def test_a_prediction_waits_until_its_time_and_the_timeout_and_no_longer() -> None:
    join = new()
    predict(join, "a", at=5)
    join.expire(5 + TIMEOUT)
    assert join.pending == 1
    join.expire(5 + TIMEOUT + 1)
    assert (join.pending, join.counts.expired) == (0, 1)
    assert label(join, "a", at=200) is None
    assert (join.counts.late_labels, join.counts.labels, join.orphans) == (1, 1, 0)


def test_an_expired_prediction_that_comes_again_is_a_duplicate_for_another_timeout() -> None:
    join = new()
    predict(join, "a")
    join.expire(2 * TIMEOUT)
    predict(join, "a")
    assert join.counts.duplicate_predictions == 1
    join.expire(2 * TIMEOUT + 1)
    predict(join, "a", at=300)
    assert join.counts.predictions == 2


def test_beyond_max_pending_the_one_that_would_expire_first_is_given_up() -> None:
    join = new(max_pending=2)
    for at, prediction_id in ((30, "a"), (10, "b"), (20, "c")):
        predict(join, prediction_id, at)
    assert (join.pending, join.counts.evicted) == (2, 1)
    assert label(join, "b") is None
    assert label(join, "c") is not None


def test_the_store_has_the_payload_alone_after_a_restart() -> None:
    join, again = new(), new()
    predict(join, "a", at=7)
    written, gone = join.take_entries(), join.take_dropped()
    assert gone == []
    again.restore(join.snapshot(), seen=ALL)
    for key, packed in written.items():
        again.restore_entry(key, packed)
    (key,) = written
    assert again.needs(label_of("a")) == key
    assert again.needs(label_of("b")) is None
    joined = again.label(label_of("a", at=9), offset=3, found=written)
    assert joined is not None
    assert joined.pending.at == 7
    assert again.needs(label_of("a")) is None


def test_a_store_that_has_lost_a_payload_is_an_error_that_says_so() -> None:
    join, again = new(), new()
    predict(join, "a")
    again.restore(join.snapshot(), seen=ALL)
    for key, packed in join.take_entries().items():
        again.restore_entry(key, packed)
    with pytest.raises(SnapshotError, match="lost a prediction"):
        label(again, "a")


def test_a_bound_that_was_lowered_holds_from_the_next_prediction_on() -> None:
    join, again = new(max_pending=5), new(max_pending=2)
    for n in range(5):
        predict(join, str(n), at=n)
    written = join.take_entries()
    again.restore(join.snapshot(), seen=ALL)
    for key, packed in written.items():
        again.restore_entry(key, packed)
    predict(again, "new", at=9)
    assert (again.pending, again.counts.evicted) == (2, 4)
    assert again.take_dropped() == [], "the snapshot before may need them"
    dropped = set(again.take_dropped())
    assert dropped < written.keys()
    assert len(dropped) == 4


@pytest.mark.parametrize("labelled", [True, False])
def test_memory_is_bounded_by_max_pending(labelled: bool) -> None:  # noqa: FBT001 - both fates
    join, most = new(max_pending=50), 50
    for n in range(6000):
        join.expire(n)
        predict(join, str(n), at=n)
        if labelled:
            label(join, str(n), at=n)
        label(join, f"nobody {n}", at=n)
        assert len(join) == len(join.joins.table) <= 3 * most
    arrays = join.joins.table._arrays  # noqa: SLF001 - what is held cannot be seen from outside
    assert len(arrays.entries) <= 256
    assert len(arrays.payloads) <= 128
    join.take_entries()
    assert join.counts.predictions == 6000


@pytest.mark.parametrize(
    "entry",
    [
        Entry(EntryState.PENDING, 5, Pending(1, 2, "v", prediction="é", segments={"région": "eu"}), 0, 2),
        Entry(
            EntryState.PENDING,
            5,
            Pending(1, 2, "v", "1", 0.1, {"a": 1 / 3}, {}, pack("<2d", 0.1, -5.0), 1e-320),
            0,
            2,
        ),
        Entry(EntryState.EARLY, 5, Truth(1, 2, 1.5, 0.0), token_of(1.5), label_offset=2),
        Entry(EntryState.JOINED, -1, None, 2**64 - 1, 2**60, 0),
        Entry(EntryState.EXPIRED, 2**60, prediction_offset=7),
        Entry(EntryState.LATE, 5, None, 1, 7, 8),
    ],
)
def test_what_is_packed_is_unpacked_as_it_was(entry: Entry) -> None:
    again = unpack_entry(pack_entry(entry))
    assert again == entry
    payloads: list[Any] = [entry.payload, again.payload]
    assert repr(payloads[0]) == repr(payloads[1])


@pytest.mark.parametrize("bounds", [{"most": 10}, {"most_bytes": 10 * 66}])
def test_most_payloads_are_in_the_store_alone(bounds: dict[str, int]) -> None:
    joins = Joins()
    joins._cache = PayloadCache(joins.table, **bounds)  # noqa: SLF001 - bounds that nobody else sets
    first, second = (OneJoin(TIMEOUT, 1000, joins=joins, model_id=name) for name in "ab")
    store: dict[bytes, bytes] = {}
    each = [(join, n) for n in range(10, 25) for join in (first, second)]
    for join, n in each:
        predict(join, str(n), at=n)
        store |= join.take_entries()
    assert {len(packed) for packed in store.values()} == {66}
    assert not any(join.needs(label_of(str(n))) for join, n in each), "they are not stored yet"
    joins.saved()
    fields = [join.needs(label_of(str(n))) for join, n in each]
    assert [field is not None for field in fields] == [True] * 20 + [False] * 10
    for (join, n), field in zip(each, fields, strict=True):
        joined = join.label(label_of(str(n)), offset=n, found={} if field is None else {field: store[field]})
        assert joined is not None
        assert joined.pending.at == n


def test_thousands_of_entries_are_restored_at_once() -> None:
    join, again = new(max_pending=5000), new(max_pending=5000)
    for n in range(3000):
        predict(join, str(n), at=n)
    again.restore(join.snapshot(), seen=Seen(3000, 3000))
    again.joins.restore(join.take_entries().items())
    assert (len(again), again.pending, again.elsewhere) == (3000, 3000, 3000)
