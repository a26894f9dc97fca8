"""The share of records that cannot be used: of one model, or of those that name none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.bank import Bank
from driftline.models.drift.finding import SHARE, Finding, Level, Span, Subject
from driftline.models.drift.trail import Mark
from driftline.models.kernels.bad_records import BAD_RECORDS, count_at
from driftline.models.watch import wording
from driftline.schemas.alerts import Effect, Kind, Target

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

_FIELDS: Final = ("total", "records", "bad", "first")
_ALONE: Final = np.dtype([("bad", BAD_RECORDS)], align=True)
_FEWEST: Final = 20  # bad records, below which no share of them is worth a page
_SUBJECT: Final = Subject(Kind.DATA_QUALITY, Target(metric="bad_records"))


class BadRecords:
    """Counts good and bad records in two panes of 500, so that the share is over the last 500 to 1,000.

    Parameters
    ----------
    alert_share
        The share from which a bad record is a finding.
    bank, index
        Where the numbers are: in the field `bad` of a record of that bank, by default of one of its own.

    Examples
    --------
    >>> bad = BadRecords(alert_share=0.5)
    >>> findings = [bad.update(is_bad=n > 20, mark=Mark(n, n, n)) for n in range(50)]
    >>> next(n for n, finding in enumerate(findings) if finding)
    41

    """

    def __init__(self, alert_share: float, bank: Bank | None = None, index: int = 0) -> None:
        if bank is None:
            bank = Bank(_ALONE)
            index = bank.allocate()
        self._alert_share = alert_share
        self._bank = bank
        self._index = index

    @property
    def _record(self) -> Record:
        return self._bank.rows[self._index]["bad"]

    @property
    def total(self) -> int:
        """How many bad records there have been."""
        return int(self._record["total"])

    @property
    def share(self) -> float:
        """The share of bad records, 0 while there were none."""
        records = int(self._record["records"].sum())
        return int(self._record["bad"].sum()) / records if records else 0.0

    def update(self, *, is_bad: bool, mark: Mark) -> Finding | None:
        """Take one record and where it stood; return a finding while the share is too high."""
        self.pass_by(1)
        return self.blame(mark) if is_bad else None

    def pass_by(self, records: int) -> None:
        """Count so many records, good ones as far as `blame` is not called."""
        count_at(self._bank.rows, self._index, records)

    def blame(self, mark: Mark) -> Finding | None:
        """Say that the record that was counted just now was bad; return a finding while the share is too high."""
        record = self._record
        record["total"] += 1
        record["bad"][1] += 1
        if record["bad"][1] == 1:
            record["first"][1] = mark
        share, bad = self.share, record["bad"].tolist()
        if sum(bad) < _FEWEST or share < self._alert_share:
            return None
        first = record["first"][0 if bad[0] else 1].tolist()
        return Finding(
            _SUBJECT,
            "",
            SHARE,
            share,
            self._alert_share,
            Effect(measure="bad_share", value=share, before=0.0, after=share),
            self._alert_share,
            Span(Mark(*first), mark),
            wording.bad_records(share),
        )

    def level_of(self, subject: Subject) -> Level | None:
        """Return how the share stands, if that is the subject; it is of no version, so none takes its place."""
        if subject != _SUBJECT:
            return None
        return Level(Effect(measure="bad_share", value=self.share, before=0.0, after=self.share))

    def moved(self, index: int) -> BadRecords:
        """Return the same, counted in another record of the bank."""
        return BadRecords(self._alert_share, self._bank, index)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self._record[name].tolist() for name in _FIELDS]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        for name, value in zip(_FIELDS, snapshot, strict=True):
            self._record[name] = value
