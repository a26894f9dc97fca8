"""One model of a partition: join, monitor and policy, and the order in which a record passes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from driftline.models.drift.trail import Mark
from driftline.models.join.label_join import LabelJoin
from driftline.models.join.stored import Seen
from driftline.models.policy.alerts import REVIEW_EVERY, AlertPolicy
from driftline.models.policy.bad_records import BadRecords
from driftline.models.policy.incident import Place
from driftline.models.policy.retrain import RetrainPolicy
from driftline.models.record import Refusal
from driftline.models.watch.monitor import ModelMonitor
from driftline.schemas import topics
from driftline.schemas.events import Label, Prediction
from driftline.schemas.state import Counts, ModelState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.drift.finding import Finding, Level, Subject
    from driftline.models.join.payload_cache import PayloadCache
    from driftline.models.record import RawRecord, Record
    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.config import BadRecordsConfig, ModelConfig


class Model:
    """Everything held of one model; `payloads` is shared by those of a partition."""

    def __init__(self, config: ModelConfig, bad_records: BadRecordsConfig, payloads: PayloadCache) -> None:
        self.config = config
        self.join = LabelJoin(config.model_id, payloads, timeout=config.label_timeout, max_pending=config.max_pending)
        self.next_offsets: dict[str, int] = {}
        self._records = 0
        self._monitor = ModelMonitor(config)
        self._policy = AlertPolicy(config.model_id, config.alerts)
        self._retrain = RetrainPolicy(config.model_id, config.retrain)
        self._bad = BadRecords(bad_records.alert_share)

    def awaits(self, raw: RawRecord) -> bool:
        """Return whether a record is new to the model; what is below its own offsets has been taken before."""
        return raw.offset >= self.next_offsets.get(raw.topic, 0)

    def process(
        self, record: Record, found: Mapping[bytes, bytes], watermark: int
    ) -> tuple[list[Alert], RetrainRequest | None]:
        """Take one record of this model that it awaits."""
        raw, event = record.raw, record.event
        self.next_offsets[raw.topic] = raw.offset + 1
        self._records += 1
        self.join.expire(watermark)
        here = Mark(self._records, watermark, self._last(topics.PREDICTIONS), self._last(topics.LABELS))
        bad_share = self._bad.update(is_bad=isinstance(event, Refusal), mark=here)
        findings = [] if bad_share is None else [bad_share]
        if isinstance(event, Prediction):
            findings += self._predicted(event, raw.offset)
        elif isinstance(event, Label):
            findings += self._labelled(event, raw.offset, found)
        return self._decide(findings, record, watermark)

    def _predicted(self, prediction: Prediction, offset: int) -> list[Finding]:
        key = self.join.admit(prediction)
        if key is None:
            return []
        pending, findings = self._monitor.predicted(prediction, offset, self._last(topics.LABELS))
        joined = self.join.hold(key, pending)
        if joined is not None:
            self._retrain.joined(joined.pending)
            findings += self._monitor.labelled(joined)
        return findings

    def _labelled(self, label: Label, offset: int, found: Mapping[bytes, bytes]) -> list[Finding]:
        joined = self.join.label(label, offset=offset, found=found)
        if joined is None:
            return []
        self._retrain.joined(joined.pending)
        return self._monitor.labelled(joined)

    def _decide(
        self, findings: list[Finding], record: Record, watermark: int
    ) -> tuple[list[Alert], RetrainRequest | None]:
        review = self._records % REVIEW_EVERY == 0 and not self._policy.is_calm
        if not findings and not review and self._retrain.is_idle:
            return [], None
        place = Place(watermark, record.raw.partition, self.next_offsets, record.identity)
        decided = self._policy.decide(findings, self, place)
        self._retrain.alerted(decided)
        alerts = [alert for alert, _ in decided]
        if review:
            over = self._policy.review(self, place, self._records)
            self._retrain.resolved(over)
            alerts += over
        return alerts, self._retrain.decide(self._monitor.serves, place)

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject stands, for the policy."""
        return self._bad.level_of(subject) or self._monitor.level_of(subject, version)

    def _last(self, topic: str) -> int:
        return self.next_offsets.get(topic, 0) - 1

    def document(self, partition: int, watermark: int | None) -> ModelState:
        """Return the state document."""
        if watermark is not None:
            self.join.expire(watermark)
        report = self._monitor.report()
        counts = Counts(
            **asdict(self.join.counts),
            orphan_labels=self.join.orphans,
            pending=self.join.pending,
            outside_labels=report.pop("outside_labels"),
            dead_letters=self._bad.total,
        )
        return ModelState(
            model_id=self.config.model_id,
            partition=partition,
            watermark=watermark,
            next_offsets=dict(self.next_offsets),
            counts=counts,
            incidents=self._policy.report(),
            **report,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return plain values; the join's entries are stored one by one."""
        return {
            "next_offsets": dict(self.next_offsets),
            "records": self._records,
            "join": self.join.snapshot(),
            "monitor": self._monitor.snapshot(),
            "policy": self._policy.snapshot(),
            "retrain": self._retrain.snapshot(),
            "bad": self._bad.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self.next_offsets = snapshot["next_offsets"]
        self._records = snapshot["records"]
        seen = Seen(*(self.next_offsets.get(topic, 0) for topic in topics.INPUTS))
        self.join.restore(snapshot["join"], seen=seen)
        self._monitor = ModelMonitor.restore(self.config, snapshot["monitor"])
        self._policy.restore(snapshot["policy"])
        self._retrain.restore(snapshot["retrain"])
        self._bad.restore(snapshot["bad"])
