"""The share of records that cannot be used: of one model, or of those that name none."""

from __future__ import annotations

from typing import Any, Final

from driftline.models.finding import Finding, Span, Subject
from driftline.models.policy import Level
from driftline.models.trail import Mark
from driftline.schemas.alerts import Effect, Kind, Target

_PANE: Final = 500
_FEWEST: Final = 20  # bad records, below which no share of them is worth a page
_SUBJECT: Final = Subject(Kind.DATA_QUALITY, Target(metric="bad_records"))


class BadRecords:
    """Counts good and bad records in two panes of 500, so that the share is over the last 500 to 1,000.

    Parameters
    ----------
    alert_share
        The share from which a bad record is a finding.

    Examples
    --------
    >>> bad = BadRecords(alert_share=0.5)
    >>> findings = [bad.update(is_bad=n > 20, mark=Mark(n, n, n)) for n in range(50)]
    >>> next(n for n, finding in enumerate(findings) if finding)
    41

    """

    def __init__(self, alert_share: float) -> None:
        self.total = 0
        self._alert_share = alert_share
        self._panes = [[0, 0], [0, 0]]  # [records, bad] of the pane before and of this one
        self._first_bad: Mark | None = None

    @property
    def share(self) -> float:
        """The share of bad records, 0 while there were none."""
        records, bad = (sum(column) for column in zip(*self._panes, strict=True))
        return bad / records if records else 0.0

    def update(self, *, is_bad: bool, mark: Mark) -> Finding | None:
        """Take one record and where it stood; return a finding while the share is too high."""
        pane = self._panes[1]
        pane[0] += 1
        pane[1] += is_bad
        if pane[0] == _PANE:
            self._panes = [pane, [0, 0]]
            if not pane[1]:
                self._first_bad = None
        if not is_bad:
            return None
        self.total += 1
        self._first_bad = self._first_bad or mark
        bad = self._panes[0][1] + self._panes[1][1]
        if bad < _FEWEST or self.share < self._alert_share:
            return None
        share = self.share
        return Finding(
            _SUBJECT,
            "",
            "share",
            share,
            self._alert_share,
            Effect(measure="bad_share", value=share, before=0.0, after=share),
            self._alert_share,
            Span(self._first_bad, mark),
            bad,
            f"{share:.1%} of recent records cannot be used; see the dead-letter topic for reasons",
        )

    def level_of(self, subject: Subject, records: int) -> Level | None:
        """Return how the share stands, if that is the subject."""
        if subject != _SUBJECT:
            return None
        return Level(Effect(measure="bad_share", value=self.share, before=0.0, after=self.share), records)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self.total, [list(pane) for pane in self._panes], self._first_bad]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self.total, panes, first_bad = snapshot
        self._panes = [list(pane) for pane in panes]
        self._first_bad = None if first_bad is None else Mark(*first_bad)
