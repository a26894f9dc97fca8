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
from driftline.schemas.state import Counts, ModelState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.arena import Arena
    from driftline.models.drift.finding import Finding, Level, Subject
    from driftline.models.join.entry import Pending
    from driftline.models.join.payload_cache import PayloadCache
    from driftline.models.kernels.types import Record as Numbers
    from driftline.models.record import RawRecord, Record
    from driftline.models.rows import Rows
    from driftline.models.wire import WirePrediction
    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.config import BadRecordsConfig, ModelConfig
    from driftline.schemas.events import Prediction


class Model:
    """Everything held of one model; `payloads` and `arena` are shared by those of a partition."""

    def __init__(
        self, config: ModelConfig, bad_records: BadRecordsConfig, payloads: PayloadCache, arena: Arena
    ) -> None:
        self.config = config
        self.model_id = config.model_id
        self.join = LabelJoin(config.model_id, payloads, timeout=config.label_timeout, max_pending=config.max_pending)
        self.next_offsets: dict[str, int] = {}  # after the rows that wait, where those of the record are before them
        self._arena = arena
        self._monitor = ModelMonitor(config, arena)
        self._policy = AlertPolicy(config.model_id, config.alerts)
        self._retrain = RetrainPolicy(config.model_id, config.retrain)
        self._index = self._monitor.index
        self._bad = BadRecords(bad_records.alert_share, arena.models, self._index)

    @property
    def _record(self) -> Numbers:
        return self._arena.models.rows[self._index]

    def awaits(self, raw: RawRecord) -> bool:
        """Return whether a record is new to the model; what is below its own offsets has been taken before."""
        return raw.offset >= self.next_offsets.get(raw.topic, 0)

    def take(self, record: Record, found: Mapping[bytes, bytes], watermark: int, rows: Rows) -> None:
        """Take one record of this model that it awaits, and add its rows."""
        raw, event = record.raw, record.event
        topic, offset = raw.topic, raw.offset
        self.next_offsets[topic] = offset + 1
        self.join.expire(watermark)
        is_label = topic == topics.LABELS
        rows.begin(is_label, offset)
        if type(event) is Refusal:
            self._refused(rows, watermark)
        elif is_label:
            joined = self.join.label(event, offset=offset, found=found)  # type: ignore[arg-type]  # by its topic
            if joined is None:
                rows.add_other(self._index)
            else:
                self._monitor.labelled(joined, rows)
        else:
            self._predicted(event, offset, rows)  # type: ignore[arg-type]  # as above
        rows.end(self, record, watermark)

    def _refused(self, rows: Rows, watermark: int) -> None:
        rows.add_other(self._index)
        rows.run_first()
        last = (offset - 1 for offset in self._record["next_offsets"].tolist())
        share = self._bad.blame(Mark(int(self._record["records"]), watermark, *last))
        if share is not None:
            rows.carry(share)

    def _predicted(self, prediction: Prediction | WirePrediction, offset: int, rows: Rows) -> None:
        key = self.join.admit(prediction)
        if key is None:
            rows.add_other(self._index)
            return
        pending = self._monitor.predicted(prediction, rows, offset, self.next_offsets.get(topics.LABELS, 0) - 1)
        joined = self.join.hold(key, pending)
        if joined is not None:
            self._monitor.labelled(joined, rows)

    def decide(
        self, findings: list[Finding], record: Record, watermark: int, pending: Pending | None
    ) -> tuple[list[Alert], RetrainRequest | None]:
        """Return what comes of a record whose rows have run; `pending` is of the pair that it made, if any."""
        if pending is not None:
            self._retrain.joined(pending)
        decided = self._decide(findings, record, watermark)
        numbers = self._record
        numbers["incidents"], numbers["needs"] = not self._policy.is_calm, not self._retrain.is_idle
        return decided

    def _decide(
        self, findings: list[Finding], record: Record, watermark: int
    ) -> tuple[list[Alert], RetrainRequest | None]:
        records = int(self._record["records"])
        review = records % REVIEW_EVERY == 0 and not self._policy.is_calm
        if not findings and not review and self._retrain.is_idle:
            return [], None
        offsets = zip(topics.INPUTS, self._record["next_offsets"].tolist(), strict=True)
        # A topic of which nothing has been read is not among the offsets.
        next_offsets = {topic: offset for topic, offset in offsets if offset}
        place = Place(watermark, record.raw.partition, next_offsets, record.identity)
        decided = self._policy.decide(findings, self, place)
        self._retrain.alerted(decided)
        alerts = [alert for alert, _ in decided]
        if review:
            over = self._policy.review(self, place, records)
            self._retrain.resolved(over)
            alerts += over
        return alerts, self._retrain.decide(self._monitor.serves, place)

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject stands, for the policy."""
        return self._bad.level_of(subject) or self._monitor.level_of(subject, version)

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
            "records": int(self._record["records"]),
            "join": self.join.snapshot(),
            "monitor": self._monitor.snapshot(),
            "policy": self._policy.snapshot(),
            "retrain": self._retrain.snapshot(),
            "bad": self._bad.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self.next_offsets = snapshot["next_offsets"]
        seen = Seen(*(self.next_offsets.get(topic, 0) for topic in topics.INPUTS))
        self.join.restore(snapshot["join"], seen=seen)
        self._monitor.close()
        self._monitor = ModelMonitor.restore(self.config, snapshot["monitor"], self._arena)
        self._index = self._monitor.index
        self._bad = self._bad.moved(self._index)
        self._policy.restore(snapshot["policy"])
        self._retrain.restore(snapshot["retrain"])
        self._bad.restore(snapshot["bad"])
        numbers = self._record
        numbers["records"] = snapshot["records"]
        numbers["next_offsets"] = [self.next_offsets.get(topic, 0) for topic in topics.INPUTS]
        numbers["incidents"], numbers["needs"] = not self._policy.is_calm, not self._retrain.is_idle
