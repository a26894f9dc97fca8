"""Records of a partition that cannot be used and name no known model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.models.drift.trail import Mark
from driftline.models.policy.alerts import REVIEW_EVERY, AlertPolicy
from driftline.models.policy.bad_records import BadRecords
from driftline.models.policy.incident import Place
from driftline.schemas import topics
from driftline.schemas.config import AlertsConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.drift.finding import Level, Subject
    from driftline.models.record import Record
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import BadRecordsConfig


class Unattributed:
    """Their share of all records of the partition, and the incident that a high share is."""

    def __init__(self, config: BadRecordsConfig) -> None:
        self._records = 0
        self._bad = BadRecords(config.alert_share)
        self._policy = AlertPolicy(None, AlertsConfig())

    def process(self, record: Record, *, is_bad: bool, watermark: int, next_offsets: Mapping[str, int]) -> list[Alert]:
        """Take one record of the partition, good or bad, and the partition's watermark and offsets after it."""
        self._records += 1
        last_prediction = next_offsets.get(topics.PREDICTIONS, 0) - 1
        here = Mark(self._records, watermark, last_prediction, next_offsets.get(topics.LABELS, 0) - 1)
        finding = self._bad.update(is_bad=is_bad, mark=here)
        review = self._records % REVIEW_EVERY == 0 and not self._policy.is_calm
        if finding is None and not review:
            return []
        place = Place(watermark, record.raw.partition, next_offsets, record.identity)
        alerts = [alert for alert, _ in self._policy.decide([] if finding is None else [finding], self, place)]
        return alerts + (self._policy.review(self, place, self._records) if review else [])

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how the share stands, for the policy."""
        del version  # records that name no model have none
        return self._bad.level_of(subject)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self._records, self._bad.snapshot(), self._policy.snapshot()]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self._records, bad, policy = snapshot
        self._bad.restore(bad)
        self._policy.restore(policy)
