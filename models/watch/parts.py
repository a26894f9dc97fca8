"""Counters by name, in bounded number: what finds no room is counted together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

    def report(self) -> dict[str, Report]:
        """Return each part's metrics."""
        other = {} if self._other is None else {_OTHER: self._other}
        return {name: part.report() for name, part in (self._by_name | other).items()}

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
    """

    def __init__(self, scoring: Scoring[Any], most: int) -> None:
        super().__init__(scoring, most)
        self._count = 0
        self._newest: dict[str, int] = {}  # which outcome was the last of each name

    def claim(self, name: str) -> Performance[Any] | None:
        """Return the counters that the next outcome is to be counted in; None if one name must lose its own first."""
        if self._wants_room(name):
            return None
        self._count += 1
        part = super().claim(name)
        if name in self._by_name:
            self._newest[name] = self._count
        return part

    def _wants_room(self, name: str) -> bool:
        if name in self._by_name or name == _OTHER or self._has_room():
            return False
        return self._count + 1 - min(self._newest.values()) > _OUT_OF_USE

    def make_room(self, name: str) -> None:
        """Add what the name that is longest out of use has to "other", if `name` may take its place."""
        if self._wants_room(name):
            stalest = min(self._newest, key=self._newest.__getitem__)
            self._rest().merge(self._by_name.pop(stalest))
            del self._newest[stalest]

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {**super().snapshot(), "count": self._count, "newest": dict(self._newest)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        super().restore(snapshot)
        self._count, self._newest = snapshot["count"], dict(snapshot["newest"])
