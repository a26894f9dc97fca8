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
        part = self._by_name.get(name)
        if part is None:
            part = self._open(name) if name != _OTHER and self._has_room() else self._rest()
        part.update(outcome)

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

    def update(self, name: str, outcome: object) -> None:
        """Count one outcome of `scoring`."""
        self._count += 1
        super().update(name, outcome)
        if name in self._by_name:
            self._newest[name] = self._count

    def _has_room(self) -> bool:
        return super()._has_room() or self._gave_up_one()

    def _gave_up_one(self) -> bool:
        stalest = min(self._newest, key=self._newest.__getitem__)
        if self._count - self._newest[stalest] <= _OUT_OF_USE:
            return False
        self._rest().merge(self._by_name.pop(stalest))
        del self._newest[stalest]
        return True

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {**super().snapshot(), "count": self._count, "newest": dict(self._newest)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        super().restore(snapshot)
        self._count, self._newest = snapshot["count"], dict(snapshot["newest"])
