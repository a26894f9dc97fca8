"""The compiled sample against the same in Python."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.bank import Bank
from driftline.models.drift.thinned import Thinned, pack
from driftline.models.kernels.thinned import THINNED, THINNED_PAGE, drawn, update

BITS = (1 << 64) - 1


class Original:
    """A sample without a kernel."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.count, self.stride, self.due = 0, 1, 0

    def update(self, value: float) -> None:
        if self.count == self.due:
            self.values.append(value)
            if len(self.values) == 4096:
                self.stride *= 2
                self.values = [self.values[2 * block + coin(block, self.stride)] for block in range(2048)]
            self.due = original_drawn(len(self.values), self.stride)
        self.count += 1


def original_drawn(block: int, stride: int) -> int:
    while stride > 1:
        block = 2 * block + coin(block, stride)
        stride //= 2
    return block


def coin(block: int, stride: int) -> int:
    mixed = (stride * 4096 + block + 1) * 0x9E3779B97F4A7C15 & BITS
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & BITS
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & BITS
    return mixed >> 63


@given(st.integers(0, 4095), st.integers(0, 50))
def test_a_block_draws_the_same_value(block: int, doublings: int) -> None:
    assert drawn(block, 2**doublings) == original_drawn(block, 2**doublings)


@given(st.lists(st.floats(allow_nan=False), max_size=50), st.integers(0, 3))
@settings(max_examples=20)
def test_a_sample_is_the_same_value_for_value(cycle: list[float], length: int) -> None:
    ours, theirs = Thinned(), Original()
    for n in range(6000 * length):
        value = cycle[n % len(cycle)] if n % 3 == 0 and cycle else float(n)
        ours.update(value)
        theirs.update(value)
    assert len(ours) == len(theirs.values)
    assert ours.snapshot() == [pack(array("d", theirs.values)), theirs.count, theirs.stride]


def test_a_sample_of_half_a_million_is_the_same_value_for_value() -> None:
    ours, theirs = Thinned(), Original()
    for n in range(500_000):
        ours.update(float(n))
        theirs.update(float(n))
        if n % 50_000 == 4095:
            ours = Thinned.restore(ours.snapshot())
    assert ours.values.tolist() == theirs.values
    assert ours.snapshot()[1:] == [theirs.count, theirs.stride]


@pytest.mark.parametrize("values", [0, 1, 511, 512, 513, 4095, 4096, 20_000])
def test_pages_are_as_many_as_values_need_and_come_back(values: int) -> None:
    bank, pages = Bank(THINNED), Bank(THINNED_PAGE)
    other, sample = Thinned(bank, pages), Thinned(bank, pages)
    other.update(-1.0)
    for n in range(values):
        sample.update(float(n))
        if n % 1000 == 0:
            other.update(-1.0)
    assert len(pages) - 1 == min(-(-values // 512), 8)
    restored = Thinned.restore(sample.snapshot(), bank, pages)
    assert restored.values == sample.values
    assert set(other.values) == {-1.0}
    sample.release()
    restored.release()
    assert (len(bank), len(pages)) == (1, 1)
    assert set(other.values) == {-1.0}


def test_a_value_without_a_page_is_left_to_be_given_again() -> None:
    record, pages = np.zeros(1, THINNED)[0], Bank(THINNED_PAGE)
    assert not update(record, pages.rows, 1.0)
    assert not any(record.tobytes())
    sample = Thinned()
    sample.reserve(600)
    assert all(update(sample._record, sample._pages.rows, float(n)) for n in range(1024))  # noqa: SLF001 - as one more kernel would
    assert not update(sample._record, sample._pages.rows, 1024.0)  # noqa: SLF001 - see above
    sample.update(1024.0)
    assert sample.values.tolist() == [float(n) for n in range(1025)]


def test_a_record_and_its_pages_are_whole_in_their_bytes() -> None:
    bank, pages = Bank(THINNED), Bank(THINNED_PAGE)
    sample = Thinned(bank, pages)
    for n in range(9000):
        sample.update(float(n))
    records = np.frombuffer(bytearray(bank.rows.tobytes()), THINNED)
    values = np.frombuffer(bytearray(pages.rows.tobytes()), THINNED_PAGE)
    for n in range(9000, 20_000):
        sample.update(float(n))
        update(records[sample.index], values, float(n))
    assert values.tobytes() == pages.rows.tobytes()
    assert records.tobytes() == bank.rows.tobytes()
