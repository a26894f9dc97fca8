"""Counters of any task: pairs of weight 1 in a record that kernels count in, all others in Python's integers.

A weight may be any float up to 1e308 and sums must be exact, which takes integers of any length. Pairs with one are
rare. They are noted in the record as `rest`, so that a kernel that begins a pane anew forgets them too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Generic

from driftline.models.performance.protocol import OutcomeT

if TYPE_CHECKING:
    import numpy as np

    from driftline.models.performance.bank import CounterBank


class Counters(ABC, Generic[OutcomeT]):
    """What the counters of all tasks have in common.

    Parameters
    ----------
    bank, size
        Where the numbers are, and the size of the record there.

    Attributes
    ----------
    bank, record
        The bank, and the index of this one's record in it, for kernels that count pairs.

    """

    __slots__ = ("_rest", "bank", "record")

    def __init__(self, bank: CounterBank, size: int) -> None:
        self.bank: Final = bank
        self.record: Final = bank.take(size)
        self._rest: Any = None

    def __del__(self) -> None:
        """Note that the record is of no more use. A finalizer of each would be three times as large as this object."""
        if hasattr(self, "record"):
            self.bank.drop(self.record)

    @property
    def _row(self) -> np.void:
        row: np.void = self.bank.arrays.records[self.record]
        return row

    @property
    def rest(self) -> Any:  # noqa: ANN401 - the integers of the task
        """What Python has counted; None if there is nothing."""
        return self._rest if self._row["rest"] else None

    def _rest_here(self) -> Any:  # noqa: ANN401 - as above
        rest = self.rest
        if rest is None:
            rest = self._rest = self._new_rest()
        return rest

    @abstractmethod
    def _new_rest(self) -> Any:  # noqa: ANN401 - as above
        """Return integers that have counted nothing."""

    def weigh(self, outcome: OutcomeT) -> None:
        """Count one pair in Python's integers."""
        self._rest_here().update(outcome)
        row = self._row
        row["pairs"] += 1
        row["rest"] += 1

    def _take_over(self, rest: Any, pairs: int) -> None:  # noqa: ANN401 - as above
        """Go on, from nothing, from what Python had counted."""
        self._rest = rest
        row = self._row
        row["pairs"] = row["rest"] = pairs
