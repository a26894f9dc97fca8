"""Dead letters: what was refused, whole, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.dead_letter import HEADERS, ROW, DeadLetter
from driftline.schemas.errors import Reason

headers = st.lists(st.tuples(st.text() | st.sampled_from([*HEADERS, ROW]), st.none() | st.binary()), max_size=4).map(
    tuple
)
letters = st.builds(
    DeadLetter,
    reason=st.sampled_from(Reason),
    error=st.text(st.characters(codec="utf-8")),
    topic=st.just("driftline.labels"),
    partition=st.integers(0, 999),
    offset=st.integers(0),
    timestamp=st.integers(-1),
    key=st.none() | st.binary(),
    value=st.none() | st.binary(),
    headers=headers,
    row=st.none() | st.integers(0, 9999),
)


@given(letter=letters)
def test_a_dead_letter_is_read_as_it_was_written_whatever_headers_the_record_had(letter: DeadLetter) -> None:
    assert DeadLetter.parse(letter.key, letter.value, letter.to_headers()) == letter


@given(letter=letters)
def test_a_refused_dead_letter_keeps_both_reasons(letter: DeadLetter) -> None:
    again = DeadLetter(Reason.INVALID_JSON, "", "t", 0, 0, 0, None, None, tuple(letter.to_headers()))
    assert DeadLetter.parse(None, None, again.headers) == DeadLetter.parse(None, None, letter.to_headers())
    assert DeadLetter.parse(None, None, again.to_headers()).headers == again.headers


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [("dl.error", b"")],
        [("other", b"")] * 6,
        [(name, b"0") for name in HEADERS],
        [(name, None) for name in HEADERS],
        [(name, b"\xff") for name in HEADERS],
    ],
    ids=["none", "too few", "others", "no reason", "empty", "no text"],
)
def test_other_records_are_no_dead_letters(wrong: list[tuple[str, bytes | None]]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each in its own words
        DeadLetter.parse(None, None, wrong)
