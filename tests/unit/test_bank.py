"""Records side by side, and who has which."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from driftline.models.bank import Bank

RECORD: Final = np.dtype([("flag", np.uint8), ("inner", np.dtype([("values", np.float64, 2)]))], align=True)


def test_growing_keeps_every_record_where_it_was() -> None:
    bank = Bank(RECORD)
    for n in range(100):
        index = bank.allocate()
        bank.rows[index]["flag"] = n
        bank.rows[index]["inner"]["values"] = n / 2
        assert index == n
    assert len(bank) == 100
    assert len(bank.rows) == 128
    assert bank.rows["flag"][:100].tolist() == list(range(100))
    assert bank.rows["inner"]["values"][:100, 1].tolist() == [n / 2 for n in range(100)]
    assert not any(bank.rows[100:].tobytes())


def test_a_record_that_was_freed_comes_back_empty() -> None:
    bank = Bank(RECORD)
    indices = [bank.allocate() for _ in range(5)]
    bank.rows["inner"]["values"] = 7.0
    bank.rows["flag"] = 7
    for index in indices[1:4]:
        bank.free(index)
    assert len(bank) == 2
    again = [bank.allocate() for _ in range(3)]
    assert sorted(again) == indices[1:4]
    assert all(not any(bank.rows[index].tobytes()) for index in again)
    assert bank.rows["flag"][[0, 4]].tolist() == [7, 7]


@pytest.mark.parametrize("index", [-1, 0, 1, 4])
def test_what_is_not_in_use_is_not_given_back(index: int) -> None:
    bank = Bank(RECORD)
    bank.free(bank.allocate())
    with pytest.raises(IndexError, match=f"record {index} is not in use"):
        bank.free(index)
    assert len(bank) == 0
