"""The share of records that cannot be used: of one model, or of those that name none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from driftline.models.drift.finding import Finding, Level, Span, Subject
from driftline.models.drift.trail import Mark
from driftline.models.watch import wording
from driftline.schemas.alerts import Effect, Kind, Target

_PANE: Final = 500
_FEWEST: Final = 20  # bad records, below which no share of them is worth a page
_SUBJECT: Final = Subject(Kind.DATA_QUALITY, Target(metric="bad_records"))


@dataclass(slots=True)
class _Pane:
    """Some records in a row: how many, how many of them bad, and where the first bad one stood."""

    records: int = 0
    bad: int = 0
    first: Mark | None = None


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
        self._before = _Pane()
        self._pane = _Pane()

    @property
    def share(self) -> float:
        """The share of bad records, 0 while there were none."""
        records = self._before.records + self._pane.records
        return (self._before.bad + self._pane.bad) / records if records else 0.0

    def update(self, *, is_bad: bool, mark: Mark) -> Finding | None:
        """Take one record and where it stood; return a finding while the share is too high."""
        if self._pane.records == _PANE:
            self._before, self._pane = self._pane, _Pane()
        pane = self._pane
        pane.records += 1
        if not is_bad:
            return None
        self.total += 1
        pane.bad += 1
        pane.first = pane.first or mark
        share = self.share
        if self._before.bad + pane.bad < _FEWEST or share < self._alert_share:
            return None
        return Finding(
            _SUBJECT,
            "",
            "share",
            share,
            self._alert_share,
            Effect(measure="bad_share", value=share, before=0.0, after=share),
            self._alert_share,
            Span(self._before.first or pane.first, mark),
            wording.bad_records(share),
        )

    def level_of(self, subject: Subject) -> Level | None:
        """Return how the share stands, if that is the subject; it is of no version, so none takes its place."""
        if subject != _SUBJECT:
            return None
        return Level(Effect(measure="bad_share", value=self.share, before=0.0, after=self.share))

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self.total, *([pane.records, pane.bad, pane.first] for pane in (self._before, self._pane))]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self.total, *panes = snapshot
        self._before, self._pane = (
            _Pane(records, bad, None if first is None else Mark(*first)) for records, bad, first in panes
        )
