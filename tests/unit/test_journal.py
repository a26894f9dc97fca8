"""What the journal says beside records: moments at which time had passed, and topics that were not waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from driftline.streams.journal import Read
from driftline.streams.merge import Merge
from driftline.streams.replay_journal import _steps
from driftline.streams.unsaved import Unsaved

P, L = "driftline.predictions", "driftline.labels"


def entry(**fields: Any) -> Read:  # noqa: ANN401 - fields
    return Read(partition=0, history="h", number=0, saved=[], **fields)


def test_moments_and_what_is_passed_over_stand_where_they_were() -> None:
    runs = [(P, 5), (L, 2), (P, 3)]
    read = entry(runs=runs, moments=[(0, 100), (3, 200), (10, 300)], passed=[(3, [L]), (7, [])])
    assert list(_steps(read)) == [100, (P, 3), 200, [L], (P, 2), (L, 2), [], (P, 3), 300]
    assert list(_steps(entry(runs=runs))) == runs
    assert list(_steps(entry(runs=[], moments=[(0, 7)], passed=[(0, [])]))) == [7, []]


def test_what_a_checkpoint_covers_is_told_once() -> None:
    unsaved = Unsaved(records=3, moments=[(3, 7)], passed=[(0, [L])])
    covered = unsaved.take(())
    assert (covered.records, covered.moments, covered.passed) == (3, [(3, 7)], [(0, [L])])
    assert unsaved == Unsaved()


def test_a_side_is_passed_over_while_it_is_behind_and_no_longer_waited_for() -> None:
    merge: Any = Merge(("p", "l"), patience=1.0)

    def put(topic: str, *times: int) -> None:
        merge.put(topic, "message", [SimpleNamespace(topic=topic, timestamp=time) for time in times])

    def taken(now: float, *ended: str) -> list[str]:
        return [record.topic for record in merge.take(10, at_end=lambda topic: topic in ended, now=now)]

    put("p", 1, 2)
    assert (taken(0.0), merge.passed) == ([], frozenset())
    assert (taken(1.0), merge.passed) == (["p", "p"], {"l"})
    put("l", 3)
    put("p", 4)
    assert (taken(1.1), merge.passed) == (["l"], frozenset())
    assert (taken(1.2, "l"), merge.passed) == (["p"], frozenset())
