"""The order that a merge gives two topics: that of their timestamps, however they come in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from driftline.streams.merge import Merge

if TYPE_CHECKING:
    from collections.abc import Sequence

TOPICS = ("p", "l")


@dataclass(frozen=True)
class Stamped:
    """A record of which only this is looked at."""

    topic: str
    number: int
    timestamp: int


def stamped(topic: str, steps: Sequence[int]) -> list[Stamped]:
    return [Stamped(topic, number, at) for number, at in enumerate(accumulate(steps))]


def batches(records: Sequence[Stamped], sizes: Sequence[int]) -> list[Sequence[Stamped]]:
    cut, start = [], 0
    for size in [*sizes, len(records)]:
        if start < len(records):
            cut.append(records[start : start + size])
            start += size
    return cut


streams = st.lists(st.integers(0, 3), max_size=40)
sizes = st.lists(st.integers(1, 7), max_size=20)


@given(st.tuples(streams, streams), st.tuples(sizes, sizes), st.integers(1, 9), st.integers())
def test_a_backlog_is_read_in_the_order_of_time_however_it_comes_in(
    steps: tuple[list[int], list[int]], cuts: tuple[list[int], list[int]], limit: int, seed: int
) -> None:
    """However batches and calls alternate, as long as a side that is not at its end is waited for."""
    random = Random(seed)
    records = {topic: stamped(topic, of_topic) for topic, of_topic in zip(TOPICS, steps, strict=True)}
    coming = {topic: batches(records[topic], of_topic) for topic, of_topic in zip(TOPICS, cuts, strict=True)}
    most = sum(map(len, coming.values()))
    merge = Merge(TOPICS)
    taken: list[Any] = []
    messages: list[Any] = []
    while len(taken) < sum(map(len, steps)):
        ready = [topic for topic in TOPICS if coming[topic]]
        if ready and random.random() < 0.5:
            topic = random.choice(ready)
            batch = coming[topic].pop(0)
            merge.put(topic, batch[-1], batch)  # type: ignore[arg-type]  # any object serves as a message
        got: list[Any] = merge.take(limit, at_end=lambda topic: not coming[topic], now=0.0)
        assert len(got) <= limit
        taken += got
        messages += merge.finished()
        assert {m.number for m in messages if m.topic == "p"} <= {r.number for r in taken if r.topic == "p"}
    assert taken == sorted(records["p"] + records["l"], key=lambda r: (r.timestamp, r.topic != "p"))
    assert merge.is_empty
    assert len(messages) == most


def test_a_side_that_does_not_come_is_waited_for_and_then_not() -> None:
    merge = Merge(TOPICS, patience=1.0)
    merge.put("p", "m", stamped("p", [1, 1, 1]))  # type: ignore[arg-type]  # as above
    never = {"at_end": lambda _: False}
    assert merge.take(2, **never, now=10.0) == []
    assert merge.take(2, **never, now=10.9) == []
    assert [r.timestamp for r in merge.take(2, **never, now=11.0)] == [1, 2]
    merge.put("l", "n", stamped("l", [2]))  # type: ignore[arg-type]  # as above
    assert [(r.topic, r.timestamp) for r in merge.take(9, **never, now=11.1)] == [("l", 2)]
    assert merge.take(9, **never, now=11.2) == [], "it is waited for anew"
    assert len(merge.take(9, at_end=lambda topic: topic == "l", now=11.3)) == 1


def test_a_side_that_is_far_ahead_is_to_be_paused() -> None:
    merge = Merge(TOPICS)
    for n in range(2):
        assert not merge.is_full("p")
        merge.put("p", f"m{n}", stamped("p", [1]))  # type: ignore[arg-type]  # as above
    assert merge.is_full("p")
    assert not merge.is_full("l")
