"""Where the numbers of all streams of a partition are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from driftline.models.bank import Bank
from driftline.models.kernels import stream as kernels
from driftline.models.kernels.groups import GROUPS
from driftline.models.kernels.season import SEASON
from driftline.models.kernels.trail import TRAIL

if TYPE_CHECKING:
    from driftline.models.drift.finding import Finding


class Attending(Protocol):
    """Whoever does what is due after a value about which a kernel has said something."""

    def attend(self, seen: int, at: int, prediction_offset: int, label_offset: int) -> Finding | None:
        """Do it, and return what was found."""


class Streams:
    """The records of all streams of a partition, side by side by layout, and whose each is; and those of gaps."""

    def __init__(self) -> None:
        self.banks = tuple(map(Bank, (*kernels.LAYOUTS, GROUPS)))
        self.trails = Bank(TRAIL)
        self.seasons = Bank(SEASON)
        self._owners: tuple[dict[int, Attending], ...] = tuple({} for _ in self.banks)

    def open(self, stream: Attending, bank: int) -> int:
        """Return the index of a new record, in a bank, that is the stream's."""
        index = self.banks[bank].allocate()
        self._owners[bank][index] = stream
        return index

    def close(self, bank: int, index: int) -> None:
        """Give a record back."""
        del self._owners[bank][index]
        self.banks[bank].free(index)

    def owner(self, bank: int, index: int) -> Attending:
        """Return the stream whose record that is."""
        return self._owners[bank][index]
