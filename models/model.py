"""One model of a partition: join, monitor and policy, and the order in which a record passes them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from driftline.models.drift.finding import FROM_LABELS
from driftline.models.drift.trail import Mark
from driftline.models.join.entry import Truth
from driftline.models.join.label_join import Joined
from driftline.models.join.stored import Seen
from driftline.models.kernels.join_table import HELD, NOTHING, PAIRED
from driftline.models.policy.alerts import REVIEW_EVERY, AlertPolicy
from driftline.models.policy.bad_records import BadRecords
from driftline.models.policy.incident import Place
from driftline.models.policy.retrain import RetrainPolicy
from driftline.models.policy.silence import Silence
from driftline.models.record import Refusal
from driftline.models.watch import wording
from driftline.models.watch.monitor import ModelMonitor
from driftline.schemas import topics
from driftline.schemas.alerts import AlertState, Kind
from driftline.schemas.state import Counts, ModelState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.arena import Arena
    from driftline.models.drift.finding import Finding, Level, Subject
    from driftline.models.join.entry import Pending
    from driftline.models.join.joins import Joins
    from driftline.models.kernels.types import Record as Numbers
    from driftline.models.record import Record
    from driftline.models.rows import Rows
    from driftline.models.watch.known import Known
    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.config import BadRecordsConfig, ModelConfig


class Model:
    """Everything held of one model; `joins` and `arena` are shared by those of a partition."""

    def __init__(self, config: ModelConfig, bad_records: BadRecordsConfig, joins: Joins, arena: Arena) -> None:
        self.config = config
        self.model_id = config.model_id
        self.join = joins.open(config.model_id, timeout=config.label_timeout, max_pending=config.max_pending)
        self._arena = arena
        self._monitor = ModelMonitor(config, arena)
        self._policy = AlertPolicy(config.model_id, config.alerts)
        self._retrain = RetrainPolicy(config.model_id, config.retrain)
        self.index = self._monitor.index
        self._bad = BadRecords(bad_records.alert_share, arena.models, self.index)
        self._silence = Silence(self.join, config)
        self._say_what_is_open()

    def _say_what_is_open(self) -> None:
        """Tell kernels after which records something is to be decided, though they have found nothing."""
        numbers = self._record
        numbers["incidents"] = not self._policy.is_calm or self._retrain.has_schedule
        numbers["needs"] = not self._retrain.is_idle

    @property
    def _record(self) -> Numbers:
        return self._arena.models.rows[self.index]

    @property
    def known(self) -> Known | None:
        """What is watched of the model, once it is known what it is."""
        return self._monitor.known

    def chosen(self, segments: dict[str, str]) -> dict[str, str] | None:
        """Return the values of the attributes that are configured."""
        return self._monitor.chosen(segments)

    @property
    def next_offsets(self) -> dict[str, int]:
        """The next offsets, after all that wait to be joined or run; those of the record are before them."""
        following = zip(topics.INPUTS, self.join.next_offsets, strict=True)
        return {topic: offset for topic, offset in following if offset}

    def take(  # noqa: PLR0913, PLR0917 - a record, and what came of it in the join
        self, record: Record, result: int, payload: int, watermark: int, rows: Rows, joins: Joins
    ) -> None:
        """Take one record that has passed the join, and add its rows.

        `result` is what came of it there, and `payload` where what waited stands, or what waits is to be put.
        """
        raw = record.raw
        event: Any = record.event  # of the kind that its topic says
        is_label = raw.topic == topics.LABELS
        rows.begin(is_label, raw.offset)
        if is_label:
            self.join.last_label = raw.offset
        if type(event) is Refusal:
            assert result == NOTHING  # noqa: S101 - or a kernel has read what the contract refuses
            self._refused(rows, watermark)
        elif is_label:
            truth = Truth(event.timestamp, raw.offset, event.label, 1.0 if event.weight is None else event.weight)
            if result == PAIRED:
                if joins.is_running(payload):
                    rows.run_first()
                self._monitor.labelled(Joined(joins.pending(payload), truth), rows)
            else:
                if result == HELD:
                    joins.payloads[payload] = truth
                rows.add_other(self.index)
        elif result == NOTHING:
            rows.add_repeated(self.index, event.timestamp, self.join.last_label)
        else:
            pending = self._monitor.predicted(event, rows, raw.offset, self.join.last_label)
            if result == PAIRED:
                self._monitor.labelled(Joined(pending, joins.truth(payload)), rows)
            else:
                joins.payloads[payload] = pending
        rows.end(self, record, watermark)

    def _refused(self, rows: Rows, watermark: int) -> None:
        rows.add_other(self.index)
        rows.run_first()
        last = (offset - 1 for offset in self._record["next_offsets"].tolist())
        share = self._bad.blame(Mark(int(self._record["records"]), watermark, *last))
        if share is not None:
            rows.carry(share)

    def decide(
        self, findings: list[Finding], record: Record, watermark: int, pending: Pending | None
    ) -> tuple[list[Alert], RetrainRequest | None]:
        """Return what comes of a record whose rows have run; `pending` is of the pair that it made, if any."""
        if pending is not None:
            self._retrain.joined(pending)
        decided = self._decide(findings, record, watermark)
        self._say_what_is_open()
        return decided

    def _decide(
        self, findings: list[Finding], record: Record, watermark: int
    ) -> tuple[list[Alert], RetrainRequest | None]:
        records = int(self._record["records"])
        review = records % REVIEW_EVERY == 0 and not self._policy.is_calm
        is_scheduled = self._retrain.has_schedule and records % REVIEW_EVERY == 0
        if not findings and not review and not is_scheduled and self._retrain.is_idle:
            return [], None
        place = self._place(watermark, record.raw.partition, record.identity)
        covered = [self._with_coverage(finding, watermark) for finding in findings]
        decided = self._policy.decide(covered, self, place)
        self._retrain.noted(decided.noted)
        alerts = decided.alerts
        if review:
            reviewed = self._policy.review(self, place, records)
            self._retrain.resolved([alert for alert in reviewed if alert.state is AlertState.RESOLVED])
            alerts += reviewed
        if self._retrain.is_idle and not is_scheduled:
            return alerts, None
        return alerts, self._retrain.decide(self._monitor.served(), place)

    def _with_coverage(self, finding: Finding, watermark: int) -> Finding:
        """Return a finding with how many labels there are, if labels have told it."""
        if finding.subject.kind not in FROM_LABELS:
            return finding
        coverage = self._monitor.coverage(finding.version, watermark)
        if coverage is None:
            return finding
        return replace(finding, coverage=coverage.share, doubt=finding.doubt or self._monitor.doubt(finding, watermark))

    def _place(self, at: int, partition: int, trigger: str) -> Place:
        """Return where the model stands; a topic of which nothing has been read is not among the offsets."""
        offsets = zip(topics.INPUTS, self._record["next_offsets"].tolist(), strict=True)
        return Place(at, partition, {topic: offset for topic, offset in offsets if offset}, trigger)

    def silent(self, judged: Sequence[int], now: int, partition: int, trigger: str) -> list[Alert] | None:
        """Return the alerts of feeds, of these topics, that are silent at a moment; None if none has come to be."""
        due = self._silence.due(judged, now, self._monitor.label_delay)
        if not due:
            return None
        place = self._place(now, partition, trigger)
        alerts = []
        for topic in self._silence.forgive():
            alerts += self._end_silence(topic, place, "may pause, as the configuration says now")
        if (end := self._policy.silent_until(Kind.SILENCE, now)) is not None:
            self._silence.wait(due, end)
        else:
            alerts += self._policy.decide(self._silence.findings(due, now), self, place).alerts
        self._say_what_is_open()
        return alerts

    def resumed(self, topic: int, now: int, partition: int, trigger: str) -> list[Alert]:
        """Return the alerts of a feed that was silent, and of which a record has come just now."""
        return self._end_silence(topic, self._place(now, partition, trigger), "come again")

    def _end_silence(self, topic: int, place: Place, why: str) -> list[Alert]:
        subject = self._silence.subject(topic)
        alerts = self._policy.end(subject, place, f"{wording.name(subject)} {why}")
        self._say_what_is_open()
        return alerts

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject stands, for the policy."""
        return (
            self._bad.level_of(subject) or self._silence.level_of(subject) or self._monitor.level_of(subject, version)
        )

    def document(self, partition: int, watermark: int | None) -> ModelState:
        """Return the state document."""
        if watermark is not None:
            self.join.expire(watermark)
        report = self._monitor.report(watermark or 0)
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
            next_offsets=self.next_offsets,
            counts=counts,
            feeds=self._silence.report(),
            incidents=self._policy.report(),
            silenced=self._policy.silenced,
            **report,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return plain values; the join's entries are stored one by one."""
        return {
            "next_offsets": self.next_offsets,
            "records": int(self._record["records"]),
            "join": self.join.snapshot(),
            "monitor": self._monitor.snapshot(),
            "policy": self._policy.snapshot(),
            "retrain": self._retrain.snapshot(),
            "bad": self._bad.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        seen = Seen(*(snapshot["next_offsets"].get(topic, 0) for topic in topics.INPUTS))
        self.join.restore(snapshot["join"], seen=seen)
        self._monitor.close()
        self._monitor = ModelMonitor.restore(self.config, snapshot["monitor"], self._arena)
        self.index = self._monitor.index
        self._bad = self._bad.moved(self.index)
        self._policy.restore(snapshot["policy"])
        self._retrain.restore(snapshot["retrain"])
        self._bad.restore(snapshot["bad"])
        numbers = self._record
        numbers["records"] = snapshot["records"]
        numbers["next_offsets"] = seen
        self._say_what_is_open()
