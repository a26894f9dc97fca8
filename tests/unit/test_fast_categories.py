"""What a kernel knows of the values of categorical features is what their version says of them now, and has a bound."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from driftline.models.fast.categories import Categories
from driftline.models.kernels.ids import NONE
from driftline.schemas.topics import PREDICTIONS
from tests.unit.test_fast_path import Both

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.watch.version_watch import VersionWatch


def send(both: Both, random: Random, count: int, version: str, cities: Sequence[object]) -> None:
    for _ in range(count // 100):
        events = [
            both.prediction(n % 2, score=0.5, model_version=version, features={"city": random.choice(cities)})
            for n in range(100)
        ]
        both.take([both.record(PREDICTIONS, event) for event in events])


def unseen(both: Both) -> int:
    (document,) = both.fast.documents().values()
    count: int = document.features["city"]["unseen"]
    return count


def let_a_version_come_again() -> Both:
    both, random = Both(), Random(1)
    both.know(features={"city": "bern"}, model_version="0")
    send(both, random, 400, "1", ["bern", "rome"])
    for version in "2345":  # more than are watched at once, so that the first one's watch ends
        send(both, random, 700, version, ["bern", "rome"])
    send(both, random, 300, "1", ["bern", "oslo"])  # its new reference
    send(both, random, 1000, "1", ["bern", "oslo", "rome"])
    return both


def test_a_version_that_comes_again_has_other_categories() -> None:
    both = let_a_version_come_again()
    assert unseen(both) > 200
    both.agree()


def test_a_mutant_that_keeps_what_a_category_was_to_the_watch_before_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    number_of = Categories.number_of

    def careless(categories: Categories, version: int, watch: VersionWatch, name: str, value: object) -> int:
        before = categories.array.copy()
        number = number_of(categories, version, watch, name, value)
        if number != NONE and number < len(before) and before[number]["layout"]:
            categories.array[number]["problem"] = before[number]["problem"]
        return number

    monkeypatch.setattr(Categories, "number_of", careless)
    with pytest.raises(AssertionError):
        let_a_version_come_again().agree()


@pytest.mark.parametrize("most", ["_MOST", "_MOST_UNSEEN"])
def test_what_may_be_learned_of_a_version_has_a_bound(most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"driftline.models.fast.categories.{most}", 5)
    both, random = Both(), Random(1)
    both.know(features={"city": "bern"})
    before = both.in_columns
    ids = [f"id-{n}" for n in range(60)]
    send(both, random, 2000, "1", ["bern", *ids])
    book = both.fast._book  # noqa: SLF001 - what it holds
    assert len(book.categories) < 10
    assert both.in_columns > before + 100
    assert unseen(both) > 1900
    both.agree()


def test_a_batch_has_the_categories_of_single_records() -> None:
    both, random = Both(features={"code": {"kind": "categorical"}}), Random(1)
    both.know(features={"city": "bern", "code": 7})
    cities: list[object] = [random.choice(["bern", "rome", None, "a" * 2000]) for _ in range(300)]
    codes: list[object] = [random.choice([7, 7.0, "7", True, None, 8]) for _ in range(300)]
    fields = {"prediction": [0] * 300, "prediction_id": [f"q{n}" for n in range(300)]}
    batch = both.prediction(rows=300, features={"city": cities, "code": codes}, **fields)
    before = both.in_columns
    both.take([both.record(PREDICTIONS, batch)])
    assert both.in_columns == before + 300
    both.agree()
