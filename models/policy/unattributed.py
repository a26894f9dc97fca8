"""What is told of a partition and of no model: records that name none, and what it began without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.models.drift.trail import Mark
from driftline.models.policy.alerts import REVIEW_EVERY, AlertPolicy
from driftline.models.policy.bad_records import BadRecords
from driftline.models.policy.incident import Place
from driftline.models.policy.losses import Lost, level_of_loss, losses
from driftline.schemas import topics
from driftline.schemas.config import AlertsConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.drift.finding import Level, Subject
    from driftline.models.record import Record
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import BadRecordsConfig


class Unattributed:
    """The share of records that cannot be used and name no known model, losses, and the incidents that these are."""

    def __init__(self, config: BadRecordsConfig) -> None:
        self._records = 0
        self._bad = BadRecords(config.alert_share)
        self._policy = AlertPolicy(None, AlertsConfig())
        self._lost: Sequence[Lost] = ()
        self._is_rebuilt = False
        self._uncounted = 0  # good records that the panes do not have yet

    def begin(self, lost: Sequence[Lost], *, is_rebuilt: bool) -> None:
        """Take what the partition begins without; it is told with the next record, which gives it a time."""
        self._lost, self._is_rebuilt = lost, is_rebuilt

    @property
    def is_calm(self) -> bool:
        """Whether nothing is to be decided with the next good records."""
        return not self._lost and not self._is_rebuilt and self._policy.is_calm

    def pass_by(self, records: int) -> bool:
        """Count good records if nothing is to be decided with them; return whether that is so."""
        if not self.is_calm:
            return False
        self._records += records
        self._uncounted += records
        return True

    def _count(self) -> None:
        self._bad.pass_by(self._uncounted)
        self._uncounted = 0

    def process(self, record: Record, *, is_bad: bool, watermark: int, next_offsets: Mapping[str, int]) -> list[Alert]:
        """Take one record of the partition, good or bad, and the partition's watermark and offsets after it."""
        self._records += 1
        self._count()
        last_prediction = next_offsets.get(topics.PREDICTIONS, 0) - 1
        here = Mark(self._records, watermark, last_prediction, next_offsets.get(topics.LABELS, 0) - 1)
        share = self._bad.update(is_bad=is_bad, mark=here)
        findings = [] if share is None else [share]
        if self._lost or self._is_rebuilt:
            findings += losses(self._lost, here, is_rebuilt=self._is_rebuilt)
            self.begin((), is_rebuilt=False)
        review = self._records % REVIEW_EVERY == 0 and not self._policy.is_calm
        if not findings and not review:
            return []
        place = Place(watermark, record.raw.partition, next_offsets, record.identity)
        alerts = self._policy.decide(findings, self, place).alerts
        return alerts + (self._policy.review(self, place, self._records) if review else [])

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject stands, for the policy."""
        del version  # nothing here is of a version
        return self._bad.level_of(subject) or level_of_loss(subject)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        self._count()
        return [self._records, self._bad.snapshot(), self._policy.snapshot()]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self._records, bad, policy = snapshot
        self._bad.restore(bad)
        self._policy.restore(policy)
