"""Counters by name, in bounded number: what finds no room is counted together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.bank import Bank
from driftline.models.kernels.fast import RECENT

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record
    from driftline.models.performance import Performance, Report, Scoring

_OTHER: Final = "other"
_OUT_OF_USE: Final = 1000  # outcomes of others, after which a name may lose its counters


class Parts:
    """Counters of the first `most` names to come; all others are counted together, as "other".

    Examples
    --------
    >>> from driftline.models.performance import Pair, RegressionScoring
    >>> scoring = RegressionScoring()
    >>> parts = Parts(scoring, most=2)
    >>> for name in ("a", "b", "c", "b", "d"):
    ...     parts.update(name, scoring.interpret(Pair(label=0.0, prediction=1.0)))
    >>> {name: report["pairs"] for name, report in parts.report().items()}
    {'a': 1, 'b': 2, 'other': 2}

    """

    def __init__(self, scoring: Scoring[Any], most: int) -> None:
        self._scoring = scoring
        self._most = most
        self._by_name: dict[str, Performance[Any]] = {}
        self._other: Performance[Any] | None = None

    def update(self, name: str, outcome: object) -> None:
        """Count one outcome of `scoring`."""
        while (part := self.claim(name)) is None:
            self.make_room(name)
        part.update(outcome)

    def claim(self, name: str) -> Performance[Any] | None:
        """Return the counters that the next outcome is to be counted in: by whom, and when, is the caller's choice.

        None, and nothing is changed, if there must be room first: see `make_room`.
        """
        part = self._by_name.get(name)
        if part is None:
            part = self._open(name) if name != _OTHER and self._has_room() else self._rest()
        return part

    def make_room(self, name: str) -> None:
        """Let `claim` find counters for a name. All outcomes that were claimed must have been counted."""

    def _open(self, name: str) -> Performance[Any]:
        part = self._by_name[name] = self._scoring.new_compact()
        return part

    def _has_room(self) -> bool:
        return len(self._by_name) < self._most

    def _rest(self) -> Performance[Any]:
        if self._other is None:
            self._other = self._scoring.new_compact()
        return self._other

    def owned(self) -> dict[str, Any]:
        """Return the counters of each name, and those of all others."""
        other = {} if self._other is None else {_OTHER: self._other}
        return self._by_name | other

    def report(self) -> dict[str, Report]:
        """Return each part's metrics."""
        return {name: part.report() for name, part in self.owned().items()}

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "by_name": {name: part.snapshot() for name, part in self._by_name.items()},
            "other": None if self._other is None else self._other.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._by_name = {name: self._scoring.restore(part) for name, part in snapshot["by_name"].items()}
        self._other = None if snapshot["other"] is None else self._scoring.restore(snapshot["other"])


class RecentParts(Parts):
    """Counters of the names that were last in use.

    A new one takes the place of the one that has had nothing for longest, if that is 1,000 outcomes ago, and what that
    one had is added to "other". Should it come back, it begins anew.

    Parameters
    ----------
    scoring
        Of the outcomes.
    most
        How many names have counters: at most 20.
    recents
        Where it is kept which were last in use; by default, in a bank of its own.

    """

    def __init__(self, scoring: Scoring[Any], most: int, recents: Bank | None = None) -> None:
        super().__init__(scoring, most)
        self._recents = Bank(RECENT) if recents is None else recents
        self.recent: Final = self._recents.allocate()
        self._slots: dict[str, int] = {}  # where the last outcome of each name is noted
        self._free = list(range(most - 1, -1, -1))

    @property
    def _record(self) -> Record:
        return self._recents.rows[self.recent]

    def __len__(self) -> int:
        """Return how many names have their own counters."""
        return len(self._slots)

    def owners(self) -> list[tuple[str, Performance[Any], int]]:
        """Return the names that have their own counters, and where their last outcomes are noted; the newest first."""
        newest = self._newest
        names = sorted(newest, key=newest.__getitem__, reverse=True)
        return [(name, self._by_name[name], self._slots[name]) for name in names]

    def release(self) -> None:
        """Give the record back; nothing may be claimed any more."""
        self._recents.free(self.recent)

    def claim(self, name: str) -> Performance[Any] | None:
        """Return the counters that the next outcome is to be counted in; None if one name must lose its own first."""
        if self._wants_room(name):
            return None
        record = self._record
        record["count"] += 1
        part = super().claim(name)
        if name in self._by_name:
            slot = self._slots.get(name)
            if slot is None:
                slot = self._slots[name] = self._free.pop()
            record["newest"][slot] = record["count"]
        return part

    @property
    def _newest(self) -> dict[str, int]:
        newest = self._record["newest"].tolist()
        return {name: newest[slot] for name, slot in self._slots.items()}

    def _wants_room(self, name: str) -> bool:
        if name in self._by_name or name == _OTHER or self._has_room():
            return False
        return int(self._record["count"]) + 1 - min(self._newest.values()) > _OUT_OF_USE

    def make_room(self, name: str) -> None:
        """Add what the name that is longest out of use has to "other", if `name` may take its place."""
        if self._wants_room(name):
            newest = self._newest
            stalest = min(newest, key=newest.__getitem__)
            self._rest().merge(self._by_name.pop(stalest))
            self._free.append(self._slots.pop(stalest))

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {**super().snapshot(), "count": int(self._record["count"]), "newest": self._newest}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        super().restore(snapshot)
        self._free += self._slots.values()
        self._slots = {name: self._free.pop() for name in snapshot["newest"]}
        record = self._record
        record["count"] = snapshot["count"]
        for name, newest in snapshot["newest"].items():
            record["newest"][self._slots[name]] = newest
