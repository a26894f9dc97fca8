"""Records of a partition that cannot be used and name no known model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.models.bad_records import BadRecords
from driftline.models.incident import Place
from driftline.models.policy import REVIEW_EVERY, AlertPolicy, Level
from driftline.models.trail import Mark
from driftline.schemas import topics
from driftline.schemas.config import AlertsConfig

if TYPE_CHECKING:
    from driftline.models.finding import Subject
    from driftline.models.record import Record
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import BadRecordsConfig


class Unattributed:
    """Their share of all records of the partition, and the incident that a high share is."""

    def __init__(self, config: BadRecordsConfig) -> None:
        self._next_offsets: dict[str, int] = {}
        self._records = 0
        self._bad = BadRecords(config.alert_share)
        self._policy = AlertPolicy(None, AlertsConfig())

    @property
    def share(self) -> float:
        """The share over the last 500 to 1,000 records."""
        return self._bad.share

    def process(self, record: Record, watermark: int, *, is_bad: bool) -> list[Alert]:
        """Take one record, good or bad."""
        raw = record.raw
        if raw.offset < self._next_offsets.get(raw.topic, 0):
            return []
        self._next_offsets[raw.topic] = raw.offset + 1
        self._records += 1
        last_prediction = self._next_offsets.get(topics.PREDICTIONS, 1) - 1
        mark = Mark(self._records, watermark, last_prediction, self._next_offsets.get(topics.LABELS, 0) - 1)
        finding = self._bad.update(is_bad=is_bad, mark=mark)
        review = self._records % REVIEW_EVERY == 0 and not self._policy.is_calm
        if finding is None and not review:
            return []
        place = Place(watermark, raw.partition, self._next_offsets, record.identity)
        alerts = [alert for alert, _ in self._policy.decide([] if finding is None else [finding], place)]
        return alerts + (self._policy.review(self, place, self._records) if review else [])

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how the share stands, for the policy's review."""
        del version  # records that name no model have none
        return self._bad.level_of(subject, self._records)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [dict(self._next_offsets), self._records, self._bad.snapshot(), self._policy.snapshot()]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self._next_offsets, self._records, bad, policy = snapshot
        self._bad.restore(bad)
        self._policy.restore(policy)
