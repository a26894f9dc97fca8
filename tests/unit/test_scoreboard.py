"""The performance of one model, in all and in parts."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.performance import BinaryScoring, ClassSet, Pair
from driftline.models.watch.parts import Parts, RecentParts
from driftline.models.watch.scoreboard import Scoreboard
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.models.performance import BinaryOutcome

SCORING: Final = BinaryScoring(ClassSet([0, 1]))


def outcomes(size: int, seed: int = 1) -> list[BinaryOutcome]:
    random = Random(seed)
    pairs = [Pair(random.randrange(2), random.randrange(2), random.random()) for _ in range(size)]
    return [outcome for pair in pairs if (outcome := SCORING.interpret(pair)) is not None]


def fed(parts: Parts, names: Iterable[str], seed: int = 1) -> list[tuple[str, BinaryOutcome]]:
    names = list(names)
    counted = list(zip(names, outcomes(len(names), seed), strict=True))
    for name, outcome in counted:
        parts.update(name, outcome)
    return counted


def counts(parts: Parts) -> dict[str, Any]:
    return {name: report["pairs"] for name, report in parts.report().items()}


def test_the_first_names_keep_their_counters() -> None:
    parts = Parts(SCORING, most=3)
    fed(parts, [f"r{n // 2000}" for n in range(12_000)])
    assert counts(parts) == {"r0": 2000, "r1": 2000, "r2": 2000, "other": 6000}


def test_a_new_name_takes_the_place_of_the_one_that_is_longest_out_of_use() -> None:
    parts = RecentParts(SCORING, most=3)
    counted = fed(parts, [name for name in "abcade" for _ in range(900)])
    assert counts(parts) == {"a": 1800, "d": 900, "e": 900, "other": 1800}
    other = SCORING.new_compact()
    for name, outcome in counted:
        if name in "bc":
            other.update(outcome)
    assert parts.report()["other"] == other.report()


def test_a_name_that_comes_back_begins_anew() -> None:
    parts = RecentParts(SCORING, most=1)
    fed(parts, ["a"] * 5 + ["b"] * 2000 + ["a"] * 2000)
    assert counts(parts) == {"a": 1000, "other": 3005}


def test_names_that_are_all_in_use_do_not_take_each_others_place() -> None:
    parts = RecentParts(SCORING, most=20)
    fed(parts, [f"v{n % 25}" for n in range(25_000)])
    assert counts(parts) == {f"v{n}": 1000 for n in range(20)} | {"other": 5000}


@pytest.mark.parametrize("kind", [Parts, RecentParts])
def test_a_name_may_be_that_of_the_rest(kind: type[Parts]) -> None:
    parts = kind(SCORING, most=2)
    fed(parts, ["other", "a", "b", "c", "other"])
    assert counts(parts) == {"a": 1, "b": 1, "other": 3}


@pytest.mark.parametrize("kind", [Parts, RecentParts])
def test_restored_parts_continue_identically(kind: type[Parts]) -> None:
    random = Random(1)
    names = [f"v{n // 700 + random.randrange(3)}" for n in range(9000)]
    for cut in (0, 100, 5000):
        whole, second = kind(SCORING, most=4), kind(SCORING, most=4)
        fed(whole, names[:cut])
        second.restore(as_stored(whole.snapshot()))
        for parts in (whole, second):
            fed(parts, names[cut:], seed=2)
        assert second.snapshot() == whole.snapshot()
        assert second.report() == whole.report()


def scoreboard(segments: list[str], window: int = 1000) -> Scoreboard:
    return Scoreboard(SCORING, segments, window)


def test_segments_are_looked_up_by_name() -> None:
    board = scoreboard(["region", "tier"])
    first, second, third, fourth = outcomes(4)
    board.update(first, "1", {"tier": "a", "region": "eu"})
    board.update(second, "1", {"tier": "a", "unknown": "x"})
    board.update(third, "1", {})
    board.update(fourth, "1", None)
    by_segment = board.report()["per_segment"]
    assert {name: {value: part["pairs"] for value, part in parts.items()} for name, parts in by_segment.items()} == {
        "region": {"eu": 1},
        "tier": {"a": 2},
    }


def restored(board: Scoreboard, segments: list[str], window: int) -> dict[str, Any]:
    again = scoreboard(segments, window)
    again.restore(as_stored(board.snapshot()))
    return again.report()


def test_what_of_the_configuration_has_changed_begins_afresh_and_the_rest_goes_on() -> None:
    board = scoreboard(["region", "tier"])
    for outcome in outcomes(500):
        board.update(outcome, "1", {"region": "eu", "tier": "a"})
    before = board.report()
    assert restored(board, ["region", "tier"], 1009) == before  # the same panes

    after = restored(board, ["channel", "tier"], 500)
    assert after["window"]["pairs"] == 0
    assert after["per_segment"] == {"channel": {}, "tier": before["per_segment"]["tier"]}
    changed = {"window", "per_segment"}
    assert {k: v for k, v in after.items() if k not in changed} == {k: v for k, v in before.items() if k not in changed}
