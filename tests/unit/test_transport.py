"""The parts of the batch transport that need no broker."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from faust.exceptions import ImproperlyConfigured
from faust.types import TP, Message
from hypothesis import given
from hypothesis import strategies as st

from driftline.streams.transport import BatchApp, BatchLimits, GroupOffsets, Log, RecordBatch
from driftline.streams.transport.batch import Record, cut
from driftline.streams.transport.consumer import BatchConsumer
from driftline.streams.transport.ledger import Ledger

ROOT = Path(__file__).parents[2]
TPS = [TP("a", 0), TP("a", 1), TP("b", 0)]


def record(offset: int, value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Record:
    sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
    made: Record = ConsumerRecord("t", 0, offset, 0, 0, key, value, None, *sizes, tuple(headers))
    return made


def size_of(records: Sequence[Record]) -> int:
    parts = [
        [each.key, each.value, *(text for h in each.headers for text in (h[0].encode(), h[1]))] for each in records
    ]
    return sum(len(part or b"") for of_record in parts for part in of_record)


payloads = st.none() | st.binary(max_size=40)
records = st.lists(
    st.builds(
        record,
        st.just(0),
        payloads,
        payloads,
        st.lists(st.tuples(st.text("ab", max_size=3), payloads), max_size=2),
    ),
    min_size=1,
    max_size=30,
)


@given(records, st.integers(1, 10), st.integers(1, 120))
def test_pieces_are_the_records_in_order_within_the_limits_and_none_is_shorter_than_need_be(
    whole: list[Record], most: int, size: int
) -> None:
    pieces = list(cut(whole, BatchLimits(records=most, size=size)))
    assert [each for piece in pieces for each in piece] == whole
    # A missing key or value counts as -1 byte, so a piece may be larger by so many.
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        missing = sum((each.key is None) + (each.value is None) for each in piece)
        assert 1 <= len(piece) <= most
        assert len(piece) == 1 or size_of(piece) - missing <= size
        if following is not None:
            longer = [*piece, following[0]]
            missing += (following[0].key is None) + (following[0].value is None)
            assert len(longer) > most or size_of(longer) - missing > size


def test_limits_under_which_nothing_could_be_delivered_are_refused() -> None:
    for limits in ({"records": 0}, {"size": 0}, {"queued": 0}):
        with pytest.raises(ValueError, match="limits must be at least 1"):
            BatchLimits(**limits)


steps = st.lists(
    st.tuples(st.just("deliver"), st.sampled_from(TPS), st.integers(1, 50))
    | st.tuples(st.just("ack"), st.sampled_from(TPS), st.integers(0, 8))
    | st.tuples(st.just("commit"), st.sampled_from(TPS), st.just(0))
    | st.tuples(st.just("forget"), st.sampled_from(TPS), st.just(0)),
    max_size=60,
)


@given(steps)
def test_the_commit_is_the_end_of_the_acked_batches_that_follow_each_other(taken: list[tuple[str, TP, int]]) -> None:
    ledger = Ledger(queued=3)
    delivered: dict[TP, list[Message]] = {tp: [] for tp in TPS}
    committed = dict.fromkeys(TPS, 0)
    for step, tp, number in taken:
        known = delivered[tp]
        if step == "deliver":  # `number` - 1 offsets before it are a gap
            last = known[-1].offset if known else committed[tp] - 1
            known.append(Message(tp.topic, tp.partition, last + number, 0.0, 0, None, None, None, None, tp=tp))
            ledger.deliver(known[-1])
        elif step == "ack" and number < len(known):
            known[number].acked = True
        elif step == "commit":
            acked = [message.acked for message in known]
            reached = acked.index(False) if False in acked else len(acked)
            expected = known[reached - 1].offset + 1 if reached else None
            offset = ledger.committable(tp)
            # None says that there is nothing new.
            assert offset == (None if expected == committed[tp] else expected)
            committed[tp] = expected if expected is not None else committed[tp]
        elif step == "forget":
            ledger.forget([tp])
            assert all(message.acked for message in known)
            assert ledger.committable(tp) is None
            known.clear()
            committed[tp] = 0


def test_a_partition_is_full_until_one_of_its_batches_is_taken() -> None:
    ledger = Ledger(queued=2)
    tp, other = TPS[:2]
    for offset in (4, 9):
        ledger.deliver(Message("a", 0, offset, 0.0, 0, None, None, None, None, tp=tp))
    ledger.deliver(Message("a", 1, 4, 0.0, 0, None, None, None, None, tp=other))
    assert ledger.full() == {tp}
    assert not ledger.take(other, 4)
    assert ledger.take(tp, 4)
    assert not ledger.take(tp, 4)
    assert ledger.full() == set()


def test_a_batch_shows_no_record_in_a_log() -> None:
    batch = RecordBatch(TP("t", 3), [record(5, b"secret", b"secret", [])])
    assert repr(batch) == "<RecordBatch t-3: 1 records, 5 to 5>"


def test_tables_are_refused() -> None:
    app = BatchApp("tables", broker="kafka://localhost:1")
    app.Table("counts")

    async def make_consumer() -> None:
        _ = app.consumer

    with pytest.raises(ImproperlyConfigured, match="has tables, which need single records"):
        asyncio.run(make_consumer())


def test_an_app_without_a_listener_reads_on_where_its_group_committed() -> None:
    app = BatchApp("plain", broker="kafka://localhost:1")
    assert isinstance(app.listener, GroupOffsets)
    asyncio.run(app.listener.revoked(frozenset(TPS)))


def test_settings_may_be_overridden_but_for_the_size_of_a_fetch() -> None:
    app = BatchApp("set", broker="kafka://localhost:1", web_enabled=True, broker_session_timeout=9.0)
    assert (app.conf.web_enabled, app.conf.broker_session_timeout, app.conf.broker_heartbeat_interval) == (
        True,
        9.0,
        1.0,
    )
    assert app.conf.broker_max_poll_records == 1000


def test_the_example_in_the_documentation_runs() -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "transport.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/transport.md", "exec"), names)  # noqa: S102 (ours)
    counter, tp = names["counter"], TPS[0]
    counter.take(RecordBatch(tp, [record(5, b"v", None, [])]), Message("a", 0, 5, 0.0, 0, None, None, None, None))
    counter.messages.clear()  # acks need a consumer
    names["app"].ack = list
    asyncio.run(counter.revoked(frozenset(TPS)))
    assert asyncio.run(counter.assigned(dict.fromkeys(TPS, Log(0, 9, None)))) == {tp: 6}
    assert counter.counts == {tp: 1}


def test_an_app_whose_start_fails_leaves_no_event_loop_open() -> None:
    class Unable(BatchApp):
        async def on_start(self) -> None:
            raise LookupError("no such server")

    async def fail_to_start() -> BatchConsumer:
        app = Unable("unable", broker="kafka://localhost:9092")
        with pytest.raises(LookupError):
            await app.start()
        await app.stop()
        consumer = app.consumer
        assert isinstance(consumer, BatchConsumer)
        return consumer

    # What the garbage collector would have to close says so on standard error, though not each time.
    assert asyncio.run(fail_to_start())._thread.thread_loop.is_closed()  # noqa: SLF001 - nothing public tells
