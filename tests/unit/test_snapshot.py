"""What is refused as a snapshot."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.snapshot import seal, unseal
from driftline.schemas.errors import SnapshotError

STATE: dict[str, Any] = {"count": 3, "text": "é\x00", "list": [1.5, None, {"a": True}]}


def test_what_is_sealed_is_unsealed_as_it_was() -> None:
    assert unseal(seal(STATE)) == STATE


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_wrong_byte_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(seal(STATE))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SnapshotError):
        unseal(bytes(sealed))


@given(st.integers(0, 10_000))
def test_a_missing_end_is_noticed(length: int) -> None:
    sealed = seal(STATE)
    with pytest.raises(SnapshotError):
        unseal(sealed[: length % len(sealed)])


@given(st.binary(max_size=50))
def test_anything_else_is_no_snapshot(raw: bytes) -> None:
    with pytest.raises(SnapshotError):
        unseal(raw)


def test_another_version_is_named() -> None:
    sealed = bytearray(seal(STATE))
    sealed[5] = 99
    with pytest.raises(SnapshotError, match="format 99"):
        unseal(bytes(sealed))


@pytest.mark.parametrize("number", [math.inf, 5e-324, 2**63, -(2**63), b"\x00\xff"])
def test_numbers_and_bytes_are_what_they_were(number: object) -> None:
    assert unseal(seal({"x": number})) == {"x": number}


def test_a_number_of_more_than_64_bits_is_a_bug_and_not_written() -> None:
    with pytest.raises(OverflowError):
        seal({"x": 2**64})
