"""Which spellings are one class, and which are none."""

from __future__ import annotations

import pytest

from driftline.models.performance import ClassSet
from driftline.schemas.classes import class_token

ONES = [1, True, 1.0, "1", "1.0", "1e0", "true", "True", "TRUE"]
ZEROS = [0, False, 0.0, -0.0, "0", "-0", "0.0", "-0.0", "false", "False"]


@pytest.mark.parametrize("configured", ONES, ids=repr)
@pytest.mark.parametrize("value", ONES, ids=repr)
def test_every_spelling_of_one_is_the_same_class(configured: str | float, value: str | float) -> None:
    classes = ClassSet([configured, "no"])
    assert classes.index(value) == 0
    assert classes.index(value) == 0, "nor does it matter that the spelling is known by now"


@pytest.mark.parametrize("value", ZEROS, ids=repr)
def test_every_spelling_of_zero_is_the_same_class(value: str | float) -> None:
    assert ClassSet([0, 1]).index(value) == 0


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (0.5, "0.5"),
        ("0.50", "0.5"),
        ("5e-1", "0.5"),
        (1e22, "10000000000000000000000"),
        ("1e22", "10000000000000000000000"),
        (2**53, "9007199254740992"),
        ("9" * 4096, "9" * 4096),
        ("1e999", "1e999"),
        ("-3", "-3"),
        ("007", "007"),
        ("+1", "+1"),
        (" 1", " 1"),
        ("1_0", "1_0"),
        ("\u0661", "\u0661"),
        ("nan", "nan"),
        ("", ""),
        ("Yes", "Yes"),
    ],
)
def test_a_token_is_a_number_only_where_json_would_read_one(value: str | float, token: str) -> None:
    assert class_token(value) == token


def test_what_is_outside_the_classes_has_no_index() -> None:
    classes = ClassSet(["no", "yes"])
    assert [classes.index(value) for value in ("no", "yes", "maybe", "No", 0, True, 0.5)] == [0, 1, *[None] * 5]


def test_classes_keep_their_order_and_first_spelling() -> None:
    classes = ClassSet([True, False, 2.5, "x"])
    assert classes.names == ("true", "false", "2.5", "x")
    assert len(classes) == 4
    assert repr(classes) == "ClassSet(['true', 'false', '2.5', 'x'])"


def test_two_spellings_of_one_class_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="classes 1 and 'true' spell one class: keep one of them"):
        ClassSet([0, 1, "true"])


@pytest.mark.parametrize("count", [0, 1001])
def test_the_number_of_classes_is_bounded(count: int) -> None:
    with pytest.raises(ValueError, match=f"a model has 1 to 1000 classes, not {count}"):
        ClassSet(range(count))


def test_inferred_classes_are_sorted_whatever_the_order_of_the_labels() -> None:
    labels: list[str | float] = ["b", "10", 9, "a", 10, -1, "9.0", 0.5]
    assert ClassSet.infer(labels).names == ("-1", "0.5", "9", "10", "a", "b")
    assert ClassSet.infer(reversed(labels)).names == ("-1", "0.5", "9.0", "10", "a", "b")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([0, 0], ("0", "1")),
        (["1.0"], ("0", "1.0")),
        ([True], ("false", "true")),
        (["False"], ("False", "true")),
        ([2], ("2",)),
        (["cat"], ("cat",)),
    ],
)
def test_a_lone_zero_or_one_is_completed_by_the_other(labels: list[str | float], names: tuple[str, ...]) -> None:
    assert ClassSet.infer(labels).names == names


def test_inference_keeps_the_first_thousand_classes() -> None:
    classes = ClassSet.infer(range(1500, 0, -1))
    assert len(classes) == 1000
    assert classes.names[0] == "501"
    assert classes.index(500) is None


def test_classes_cannot_be_inferred_from_nothing() -> None:
    with pytest.raises(ValueError, match="no labels to infer the classes from"):
        ClassSet.infer([])


def test_remembered_spellings_are_bounded() -> None:
    classes = ClassSet(range(1000))
    for zeros in range(1, 7):
        for number in range(1000):
            assert classes.index(f"{number}.{'0' * zeros}") == number
    assert len(classes._known) == 4000  # noqa: SLF001 - memory has no public face


def test_a_snapshot_gives_the_same_classes() -> None:
    classes = ClassSet([True, "no", 1e22, 0.1])
    restored = ClassSet.restore(classes.snapshot())
    assert restored == classes
    assert hash(restored) == hash(classes)
    assert restored != ClassSet(["no", True, 1e22, 0.1])
    assert [restored.index(value) for value in (1, "no", 1e22, "0.10")] == [0, 1, 2, 3]
    assert classes != "no"


def test_a_probability_is_found_under_any_spelling_and_first_under_the_name() -> None:
    classes = ClassSet([0, 1])
    assert classes.probability(1, {"0": 0.25, "1": 0.75}) == 0.75
    assert classes.probability(1, {"False": 0.25, "True": 0.75}) == 0.75
    assert classes.probability(1, {"true": 0.5, "1": 0.75}) == 0.75
    assert classes.probability(1, {"0": 0.25}) is None
