"""Numbers that a kernel reads are those that Python reads, to the bit; or they are left to Python."""

from __future__ import annotations

import json
import re
from random import Random
from struct import pack
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.kernels import decimal

READ = decimal.read
NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
digits = st.text("0123456789", min_size=1, max_size=22)
written = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(["", "-"]),
    st.integers(0, 10**20).map(str) | digits,
    st.just("") | digits.map(".{}".format),
    st.just("")
    | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 400)),
)
doubles = st.floats(allow_nan=False, allow_infinity=False)
halfway = st.integers(2**52, 2**53 - 1).map(lambda mantissa: str(2 * mantissa + 1))


def read(text: bytes) -> tuple[int, int, float]:
    return decimal.read(np.frombuffer(text + b"\0", np.uint8), 0)


def agrees(text: bytes) -> bool:
    """Return whether a number was read, after it was held to what Python makes of the same text."""
    kind, end, number = read(text)
    if kind == decimal.OTHER:
        return False
    match = NUMBER.match(text)
    assert match is not None
    assert match.end() == end
    expected = float(json.loads(match[0]))
    assert pack("<d", number) == pack("<d", expected)
    assert (kind == decimal.INTEGER) == (match[2] is None and match[3] is None)
    return True


@settings(max_examples=3000)
@given(doubles)
def test_what_python_writes_is_read_as_it_was(number: float) -> None:
    agrees(repr(number).encode())
    agrees(f"{number:.3f}".encode())


def test_what_is_measured_is_read() -> None:
    """Or the other tests would test nothing: of numbers as they come, one in a million is left to Python."""
    random = Random(7)
    for _ in range(20_000):
        number = random.gauss(0, 1) * 10 ** random.randint(-9, 9)
        assert agrees(repr(number).encode())
        assert agrees(f"{number:.3f}".encode())
        assert agrees(str(random.randint(-(2**53), 2**53)).encode())


@settings(max_examples=3000)
@given(written | halfway | halfway.map("{}.0".format) | halfway.map("{}e-3".format))
def test_however_a_number_is_written_it_is_read_as_python_does(text: str) -> None:
    agrees(text.encode())


@settings(max_examples=2000)
@given(st.text('0123456789.eE+-nI "', max_size=12).map(str.encode) | st.binary(max_size=12))
def test_whatever_else_is_written_is_none_or_ends_where_the_number_does(text: bytes) -> None:
    agrees(text)


def test_a_reader_that_rounds_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests can fail: digits that are made a double before they are divided are rounded once more."""

    def twice(text: Any, at: int) -> tuple[int, int, float]:  # noqa: ANN401 - an array
        kind, end, _ = READ(text, at)
        whole, _, fraction = bytes(text[at:end]).partition(b".")
        return kind, end, float(int(whole + fraction)) / 10.0 ** len(fraction)

    random = Random(7)
    numbers = [repr(random.uniform(0.1, 1.0)).encode() for _ in range(1000)]
    assert all(map(agrees, numbers))
    monkeypatch.setattr(decimal, "read", twice)
    with pytest.raises(AssertionError):
        all(map(agrees, numbers))
