"""What holds of a pipeline however its records are cut into batches, and however often it is stopped and restored."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.join.entry import model_prefix
from driftline.models.outcome import Changes, Outcome
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record, Refusal
from driftline.schemas.alerts import Alert, AlertState, Kind, RetrainRequest
from driftline.schemas.events import encode
from driftline.schemas.state import ModelState
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.property.core_strategies import CONFIGURATION, records
from tests.restoring import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.schemas.dead_letter import DeadLetter

few = settings(max_examples=6)
seeds = st.integers(0, 3)


@dataclass
class Store:
    """What a checkpoint store holds of one partition."""

    position: dict[str, Any] | None = None
    snapshots: dict[str, bytes] = field(default_factory=dict)
    before: dict[str, bytes] = field(default_factory=dict)
    entries: dict[bytes, bytes] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)  # models, as of the last load

    def save(self, pipeline: Pipeline, most_bytes: float = math.inf) -> None:
        changes = pipeline.changes(most_bytes=most_bytes)
        assert changes.snapshots.keys() == changes.documents.keys()
        self.write_entries(changes)
        self.position = changes.position
        self.before |= {model_id: self.snapshots[model_id] for model_id in changes.snapshots.keys() & self.snapshots}
        self.snapshots |= changes.snapshots

    def write_entries(self, changes: Changes) -> None:
        """Write what goes ahead of the rest of a checkpoint."""
        self.entries |= changes.entries
        for field_ in changes.dropped:
            self.entries.pop(field_, None)

    def load(self) -> Pipeline:
        pipeline = Pipeline(CONFIGURATION, partition=3)
        if self.position is None:
            return pipeline
        self.damaged = restore(pipeline, self.position, self.snapshots, self.before, self.entries)
        return pipeline

    def copy(self) -> Store:
        return Store(self.position, dict(self.snapshots), dict(self.before), dict(self.entries))


@dataclass
class Run:
    """A pipeline at work, and everything that has come of it."""

    pipeline: Pipeline = field(default_factory=lambda: Pipeline(CONFIGURATION, partition=3))
    store: Store = field(default_factory=Store)
    joined: int = 0
    alerts: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    def take(self, batch: Sequence[Record]) -> Outcome:
        needed = self.pipeline.needed(batch)
        outcome = self.pipeline.process(batch, {key: self.store.entries[key] for key in needed})
        self.joined += outcome.joined
        self.alerts += map(encode, outcome.alerts)
        self.requests += map(encode, outcome.retrain_requests)
        self.letters += outcome.dead_letters
        return outcome

    def restart(self) -> None:
        self.store.save(self.pipeline)
        self.pipeline = self.store.load()

    def end(self) -> End:
        documents = documents_of(self.pipeline)
        self.store.save(self.pipeline)
        return End(self.joined, self.alerts, self.requests, self.letters, documents, held_by(self.store.load()))


@dataclass
class End:
    """All that two runs may differ in."""

    joined: int
    alerts: list[bytes]
    requests: list[bytes]
    letters: list[DeadLetter]
    documents: dict[str, bytes]
    held: dict[str, Any]


def held_by(pipeline: Pipeline) -> dict[str, Any]:
    """Return all that a pipeline knows, apart from what depends on when it was saved."""
    models = {model_id: model.snapshot() for model_id, model in pipeline._models.items()}  # noqa: SLF001 - nothing public tells
    for model_id, snapshot in models.items():
        join = pipeline._models[model_id].join  # noqa: SLF001 - as above
        entries = join._table._arrays.entries  # noqa: SLF001 - as above
        columns = [entries[name].tolist() for name in ("high", "low", "state", "expires", "token")]
        snapshot["join"] = [
            snapshot["join"]["counts"],
            sorted(
                (high >> 32, *rest)
                for high, *rest in zip(*columns, strict=True)
                if rest[1] and high % 2**32 == join.index
            ),
        ]
    return {"models": models, "next_offsets": pipeline.next_offsets, "watermark": pipeline.watermark}


def documents_of(pipeline: Pipeline) -> dict[str, bytes]:
    return {model_id: strict_json(document) for model_id, document in pipeline.documents().items()}


def strict_json(document: ModelState) -> bytes:
    """Write a state document; a NaN or an infinity anywhere in it is an error."""
    return json.dumps(document.model_dump(mode="json"), allow_nan=False).encode()


@cache
def stream(seed: int) -> list[Record]:
    return records(seed)


@cache
def undisturbed(seed: int) -> End:
    return run(seed, cuts=range(0, 100_000, 1000))


def run(seed: int, cuts: Iterable[int]) -> End:
    whole = Run()
    for batch in batches(stream(seed), cuts):
        whole.take(batch)
    return whole.end()


def batches(stream: Sequence[Record], cuts: Iterable[int]) -> list[Sequence[Record]]:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    return [stream[start:end] for start, end in pairwise(places)]


def test_the_streams_below_lead_to_all_that_a_pipeline_can_say() -> None:
    ends = [undisturbed(seed) for seed in range(4)]
    alerts = [json.loads(alert) for end in ends for alert in end.alerts]
    requests = [json.loads(request) for end in ends for request in end.requests]
    kinds = {evidence["kind"] for alert in alerts for evidence in alert["evidence"]}
    assert kinds == set(Kind) - {Kind.FAIRNESS}  # which takes more pairs than there are
    assert {alert["state"] for alert in alerts} == set(AlertState)
    assert {alert.get("model_id") for alert in alerts} == {None, "fraud", "topics", "price"}
    assert {alert.get("model_version") for alert in alerts} >= {None, "1", "2"}
    assert {request["model_id"] for request in requests} == {"fraud", "topics", "price"}
    assert {letter.reason.value for end in ends for letter in end.letters} >= {"too_many_models", "invalid_json"}
    counts: Counter[str] = Counter()
    for end in ends:
        for document in end.documents.values():
            counts.update(json.loads(document)["counts"])
    assert [name for name, count in counts.items() if not count] == []


@few
@given(seeds, st.data())
def test_how_records_are_cut_into_batches_changes_nothing(seed: int, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 7, 0]))
    length = len(stream(seed))
    cuts = range(0, length, size) if size else data.draw(st.lists(st.integers(1, length), max_size=50))
    assert run(seed, cuts) == undisturbed(seed)


@few
@given(seeds, st.data())
def test_a_restored_pipeline_continues_as_if_nothing_had_happened(seed: int, data: st.DataObject) -> None:
    restarts = data.draw(st.lists(st.integers(0, len(stream(seed))), min_size=1, max_size=8))
    disturbed = Run()
    for batch in batches(stream(seed), restarts):
        disturbed.take(batch)
        disturbed.restart()
    assert disturbed.end() == undisturbed(seed)


@few
@given(seeds, st.data())
def test_looking_at_a_pipeline_changes_nothing(seed: int, data: st.DataObject) -> None:
    looked_at = Run()
    for batch in batches(stream(seed), data.draw(st.lists(st.integers(0, len(stream(seed))), max_size=30))):
        looked_at.take(batch)
        documents_of(looked_at.pipeline)
        looked_at.pipeline.needed(stream(seed))
    assert looked_at.end() == undisturbed(seed)


@few
@given(seeds, st.data())
def test_a_crash_repeats_what_came_after_the_checkpoint_and_changes_nothing(seed: int, data: st.DataObject) -> None:
    whole = stream(seed)
    saved, crashed = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
    again = data.draw(st.integers(0, saved))
    first = Run()
    first.take(whole[:saved])
    first.store.save(first.pipeline)
    published = len(first.alerts), len(first.requests), len(first.letters)
    first.take(whole[saved:crashed])  # and then it is killed

    second = Run(first.store.load(), first.store)
    assert second.take(whole[again:saved]) == Outcome()  # Kafka delivers again what the checkpoint has
    second.take(whole[saved:])
    end = second.end()
    assert first.alerts[published[0] :] == end.alerts[: len(first.alerts) - published[0]]
    assert first.alerts[: published[0]] + end.alerts == undisturbed(seed).alerts
    assert first.requests[: published[1]] + end.requests == undisturbed(seed).requests
    assert first.letters[: published[2]] + end.letters == undisturbed(seed).letters
    assert (end.documents, end.held) == (undisturbed(seed).documents, undisturbed(seed).held)


def from_start(pipeline: Pipeline, whole: Sequence[Record]) -> list[Record]:
    """Return the records that Kafka delivers to a restored pipeline, in their order."""
    return [record for record in whole if record.raw.offset >= pipeline.next_offsets.get(record.raw.topic, 0)]


@few
@given(seeds, st.data(), st.sampled_from([1, 40_000, 400_000]))
def test_checkpoints_of_a_part_and_kills_between_them_change_nothing(
    seed: int, data: st.DataObject, most_bytes: int
) -> None:
    whole = stream(seed)
    run, kept = Run(), Kept()
    for _ in range(data.draw(st.integers(1, 4))):
        left = from_start(run.pipeline, whole)
        end = data.draw(st.integers(0, len(left)))
        for batch in batches(left[:end], range(0, len(left), data.draw(st.integers(50, 2000)))):
            kept.take(run, batch)
            kept.save(run, most_bytes)
        if data.draw(st.booleans()):
            run.store.write_entries(run.pipeline.changes())  # killed in the middle of a checkpoint
        run.pipeline = run.store.load()
        kept.unsaved.clear()
        kept.unsaved_letters.clear()
    for batch in batches(from_start(run.pipeline, whole), range(0, len(whole), 1000)):
        kept.take(run, batch)
    while run.pipeline._unsaved:  # noqa: SLF001 - nothing public tells
        kept.save(run, most_bytes)
    end_ = run.end()
    assert end_.documents == undisturbed(seed).documents
    assert end_.held == undisturbed(seed).held
    assert kept.of_models() == by_model(undisturbed(seed).alerts + undisturbed(seed).requests)
    assert kept.letters == undisturbed(seed).letters


@few
@given(seeds, st.data())
def test_a_damaged_snapshot_is_replaced_by_the_one_before(seed: int, data: st.DataObject) -> None:
    whole = stream(seed)
    run = Run()
    for batch in batches(whole[: data.draw(st.integers(1500, len(whole)))], range(0, len(whole), 500)):
        run.take(batch)
        run.store.save(run.pipeline)
    damaged = data.draw(st.sets(st.sampled_from(sorted(run.store.before)), min_size=1))
    for model_id in damaged:
        run.store.snapshots[model_id] = run.store.snapshots[model_id][:-1]
    run.pipeline = run.store.load()
    assert run.store.damaged == damaged
    for batch in batches(from_start(run.pipeline, whole), range(0, len(whole), 1000)):
        run.take(batch)
    end = run.end()
    assert end.documents == undisturbed(seed).documents
    assert end.held == undisturbed(seed).held


@dataclass
class Kept:
    """What of a run has been saved: what a worker would have published."""

    published: list[bytes] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    unsaved: list[tuple[str | None, bytes]] = field(default_factory=list)
    unsaved_letters: list[DeadLetter] = field(default_factory=list)

    def take(self, run: Run, batch: Sequence[Record]) -> None:
        outcome = run.take(batch)
        events: list[Alert | RetrainRequest] = [*outcome.alerts, *outcome.retrain_requests]
        for event in events:
            self.unsaved.append((event.model_id, encode(event)))
        self.unsaved_letters += outcome.dead_letters

    def save(self, run: Run, most_bytes: int) -> None:
        still = set(run.pipeline._unsaved)  # noqa: SLF001 - nothing public tells
        run.store.save(run.pipeline, most_bytes)
        saved = (still - set(run.pipeline._unsaved)) | {None}  # noqa: SLF001 - as above
        self.published += [event for model_id, event in self.unsaved if model_id in saved]
        self.unsaved = [(model_id, event) for model_id, event in self.unsaved if model_id not in saved]
        self.letters += self.unsaved_letters
        self.unsaved_letters = []

    def of_models(self) -> dict[str | None, list[bytes]]:
        return by_model(self.published)


def by_model(events: Iterable[bytes]) -> dict[str | None, list[bytes]]:
    """Return events by their model, in order; retrain requests after alerts."""
    found: dict[str | None, list[bytes]] = {}
    for event in sorted(events, key=lambda event: b'"retrain_id"' in event):
        found.setdefault(json.loads(event).get("model_id"), []).append(event)
    return found


@few
@given(seeds, st.integers(1, 500))
def test_records_that_come_again_change_nothing(seed: int, size: int) -> None:
    whole = stream(seed)
    twice = Run()
    for start in range(0, len(whole), size):
        twice.take(whole[start : start + size])
        assert twice.take(whole[max(start - size, 0) : start + size]) == Outcome()
    assert twice.end() == undisturbed(seed)


@few
@given(seeds, st.data())
def test_a_model_skips_records_below_its_own_offsets(seed: int, data: st.DataObject) -> None:
    whole = stream(seed)
    behind, ahead = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
    model_id = data.draw(st.sampled_from(["fraud", "topics", "price"]))
    first = Run()
    first.take(whole[:behind])
    first.store.save(first.pipeline)
    mixed = first.store.copy()
    first.take(whole[behind:ahead])
    first.store.save(first.pipeline)
    if model_id in first.store.snapshots:
        mixed.snapshots[model_id] = first.store.snapshots[model_id]
    for key in entries_of(mixed, model_id):
        del mixed.entries[key]
    mixed.entries |= entries_of(first.store, model_id)

    second = Run(mixed.load(), mixed)
    for batch in batches(whole[behind:], range(0, len(whole), 100)):
        second.take(batch)
    end = second.end()
    assert end.documents == undisturbed(seed).documents
    assert end.held == undisturbed(seed).held


def entries_of(store: Store, model_id: str) -> dict[bytes, bytes]:
    return {key: entry for key, entry in store.entries.items() if key.startswith(model_prefix(model_id))}


@few
@given(seeds, st.sets(st.integers(0, 3000), min_size=1, max_size=100))
def test_a_prediction_that_is_sent_again_is_counted_and_changes_no_metric(seed: int, chosen: set[int]) -> None:
    again = Run()
    repeats: Counter[str] = Counter()
    for n, record in enumerate(stream(seed)):
        again.take([record])
        event = record.event
        if n in chosen and record.raw.topic == PREDICTIONS and not isinstance(event, Refusal):
            retry = FileRecord(record.raw.topic, record.raw.offset + 1, record.raw.value)
            again.take([Record(retry, event)])
            repeats[event.model_id] += 1
    for model_id, document in again.pipeline.documents().items():
        expected = ModelState.model_validate_json(undisturbed(seed).documents[model_id])
        assert document.counts.duplicate_predictions - expected.counts.duplicate_predictions == repeats[model_id]
        assert metrics_of(document) == metrics_of(expected)


def metrics_of(document: ModelState) -> dict[str, Any]:
    """Return all but counts of records, how many repeat an id, and incidents: records tell when these are reviewed."""
    repeats = "data_quality metric repeated_predictions e_sr:repeats"
    counted = {"counts": {"duplicate_predictions"}, "detectors": {repeats}}
    return document.model_dump(exclude={**counted, "incidents": True, "next_offsets": True})


def test_needed_names_only_what_the_store_has() -> None:
    run = Run()
    run.take(stream(0)[:1500])
    assert run.pipeline.needed(stream(0)) == set()
    run.restart()
    needed = run.pipeline.needed(stream(0))
    assert needed
    assert needed <= run.store.entries.keys()
    assert run.pipeline.needed([r for r in stream(0) if r.raw.topic != LABELS]) == set()
