"""A batch comes to what its rows would come to, one by one; and all of its rows are taken once, or none."""

from __future__ import annotations

import json
from functools import cache
from itertools import count, groupby
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.intake import Intake
from driftline.models.kernels import admission
from driftline.models.kernels.ids import NONE
from driftline.models.outcome import Outcome
from driftline.models.record import FileRecord, Record, Refusal
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.property import core_strategies
from tests.property.strategies import as_json, row_of
from tests.property.test_pipeline_properties import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

few = settings(max_examples=5)
seeds = st.integers(0, 2)
WINDOW = 150  # records of a stream, within which those that could be sent together are
OF_ROWS = {"prediction_id", "timestamp", "prediction", "label"}


def window_key(record: Record) -> tuple[str, str, str]:
    """Return what the rows of a batch have in common; nothing else is like what is no event at all."""
    fields = fields_of(record)
    if fields is None or not {"model_id", "prediction_id"} <= fields.keys():
        return record.raw.topic, "", str(record.raw.offset)
    return record.raw.topic, fields["model_id"], fields.get("model_version", "")


def fields_of(record: Record) -> dict[str, Any] | None:
    try:
        fields = json.loads(record.raw.value or b"")
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


@cache
def groups(seed: int) -> list[list[Record]]:
    """Return the records of a stream in the order of a partition to which services send batches."""
    stream = core_strategies.records(seed)
    windows = (stream[start : start + WINDOW] for start in range(0, len(stream), WINDOW))
    return [list(group) for window in windows for _, group in groupby(sorted(window, key=window_key), key=window_key)]


def batch_of(group: Sequence[Record]) -> bytes | None:
    """Return records of one kind as one."""
    rows = [fields_of(record) for record in group]
    first = rows[0]
    if len(rows) == 1 or first is None:
        return group[0].raw.value
    names = {name for row in rows if row is not None for name in row}
    batch: dict[str, Any] = {name: first[name] for name in ("model_id", "model_version") if name in first}
    batch.setdefault("model_version", "1") if group[0].raw.topic == PREDICTIONS else None
    batch["rows"] = len(rows)
    for name in sorted(names - batch.keys() | (OF_ROWS & names)):
        values = [(row or {}).get(name) for row in rows]
        if name in {"features", "segments", "probabilities"}:
            entries = {entry: None for value in values for entry in value or ()}
            batch[name] = {entry: [(value or {}).get(entry) for value in values] for entry in entries}
        else:
            batch[name] = values
    for name in {"timestamp", "prediction" if group[0].raw.topic == PREDICTIONS else "label"} - batch.keys():
        batch[name] = [None] * len(rows)
    return json.dumps(batch).encode()


def read(values: Iterable[tuple[str, bytes | None, bytes | None]]) -> list[list[Record]]:
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    offsets = {PREDICTIONS: count(10, 2), LABELS: count(30, 2)}
    return [
        list(intake.read_any(FileRecord(topic, next(offsets[topic]), value, key=key)).records())
        for topic, key, value in values
    ]


@cache
def singly(seed: int) -> list[list[Record]]:
    """Return each row of the batches below as a record of its own."""

    def values() -> Iterator[tuple[str, bytes | None, bytes | None]]:
        for group in groups(seed):
            raw, whole = group[0].raw, batch_of(group)
            if len(group) == 1:
                yield raw.topic, raw.key, whole
            else:
                fields = json.loads(whole or b"")
                yield from ((raw.topic, raw.key, as_json(row_of(fields, row))) for row in range(len(group)))

    return read(values())


@cache
def together(seed: int) -> list[list[Record]]:
    found = read((group[0].raw.topic, group[0].raw.key, batch_of(group)) for group in groups(seed))
    assert sum(map(len, found)) == sum(map(len, groups(seed)))
    assert max(map(len, found)) > 30
    return found


def flat(records: Iterable[Sequence[Record]]) -> list[Record]:
    return [record for rows in records for record in rows]


@cache
def undisturbed(seed: int) -> Any:  # noqa: ANN401 - what has come of it
    run = Run()
    run.take(flat(together(seed)))
    return run.end()


# What tells where a record stood; a cohort of predictions, whose labels are counted together, is of whole records.
PLACES = {"alert_id", "incident_id", "offsets", "next_offsets", "retrain_id", "label_coverage"}


def without_places(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: without_places(item) for name, item in value.items() if name not in PLACES}
    return [without_places(item) for item in value] if isinstance(value, list) else value


@few
@given(seeds)
def test_a_batch_comes_to_what_its_rows_come_to(seed: int) -> None:
    run = Run()
    run.take(flat(singly(seed)))
    one, other = run.end(), undisturbed(seed)
    assert one.joined == other.joined > 0
    assert [(letter.reason, letter.error) for letter in one.letters] == [(m.reason, m.error) for m in other.letters]
    assert sum(letter.row is not None for letter in other.letters) > 10
    for documents in zip(one.documents.values(), other.documents.values(), strict=True):
        first, second = (without_places(json.loads(document)) for document in documents)
        assert first == second
    assert list(one.documents) == list(other.documents)
    first, second = ([without_places(json.loads(alert)) for alert in end.alerts] for end in (one, other))
    assert first == second
    assert len(first) > 8
    # When they come may differ: they count the labels of whole records, see `RetrainPolicy.joined`.
    asked, also = (
        sorted((json.loads(r)["model_id"], *json.loads(r)["reason"]["kinds"]) for r in end.requests)
        for end in (one, other)
    )
    assert asked == also


@few
@given(seeds, st.data())
def test_how_rows_are_cut_into_batches_of_the_core_changes_nothing(seed: int, data: st.DataObject) -> None:
    whole = flat(together(seed))
    size = data.draw(st.sampled_from([1, 10, 333]))
    run = Run()
    for start in range(0, len(whole), size):
        run.take(whole[start : start + size])
    assert run.end() == undisturbed(seed)


def twice(seed: int, size: int) -> None:
    run, whole = Run(), together(seed)
    for start in range(0, len(whole), size):
        run.take(flat(whole[start : start + size]))
        assert run.take(flat(whole[max(start - size, 0) : start + size])) == Outcome()
    assert run.end() == undisturbed(seed)


@few
@given(seeds, st.integers(1, 40))
def test_batches_that_come_again_change_nothing(seed: int, size: int) -> None:
    twice(seed, size)


@few
@given(seeds, st.data())
def test_a_crash_between_batches_changes_nothing(seed: int, data: st.DataObject) -> None:
    whole = together(seed)
    saved, crashed = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
    first = Run()
    first.take(flat(whole[:saved]))
    first.store.save(first.pipeline)
    published = len(first.alerts), len(first.requests), len(first.letters)
    first.take(flat(whole[saved:crashed])[:-1])  # in the middle of a batch, perhaps
    first.store.write_entries(first.pipeline.changes())  # which a checkpoint would never do
    second = Run(first.store.load(), first.store)
    second.take(flat(whole[saved:]))
    end = second.end()
    assert first.alerts[: published[0]] + end.alerts == undisturbed(seed).alerts
    assert first.requests[: published[1]] + end.requests == undisturbed(seed).requests
    assert first.letters[: published[2]] + end.letters == undisturbed(seed).letters
    assert (end.documents, end.held) == (undisturbed(seed).documents, undisturbed(seed).held)


@few
@given(seeds, st.integers(2, 30))
def test_checkpoints_between_batches_change_nothing(seed: int, size: int) -> None:
    run, whole = Run(), together(seed)
    for start in range(0, len(whole), size):
        run.take(flat(whole[start : start + size]))
        run.restart()
    assert run.end() == undisturbed(seed)


def each_by_itself(position: Any, joins: Any, rows: Any, begun: Any) -> tuple[int, int, int, int]:  # noqa: ANN401 - arrays
    """Ask each row by itself, whose offset has been passed by the row before."""
    rows["row"] = NONE
    return admission.admit(position, joins, rows, begun)


def whatever_it_is(position: Any, joins: Any, rows: Any, begun: Any) -> tuple[int, int, int, int]:  # noqa: ANN401 - arrays
    """Take every row, as if nothing had been taken before."""
    joins["next"] = 0
    position[admission.SETTLED :] = 0
    return admission.admit(position, joins, rows, begun)


def test_a_mutant_that_asks_each_row_by_itself_loses_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = undisturbed(0)  # which is kept for other tests: it must not be the mutant's
    monkeypatch.setattr("driftline.models.pipeline.admit", each_by_itself)
    run = Run()
    run.take(flat(together(0)))
    assert run.joined < whole.joined


def test_a_mutant_that_takes_every_row_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed(0)  # which is kept for other tests: it must not be the mutant's
    monkeypatch.setattr("driftline.models.pipeline.admit", whatever_it_is)
    with pytest.raises(AssertionError):
        twice(0, 5)


def small(topic: str, offset: int, **fields: object) -> Iterator[Record]:
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    fields = {"model_id": "fraud", "rows": 3, "timestamp": 0, "prediction_id": ["a", "b", "c"], **fields}
    yield from intake.read_any(FileRecord(topic, offset, json.dumps(fields).encode(), key=b"k")).records()


def test_a_model_that_a_later_row_opens_has_that_row_and_the_rest() -> None:
    run = Run()
    batch = list(small(PREDICTIONS, 5, model_version="1", prediction=[None, 1, 0]))
    assert [record.identity for record in batch] == [f"{PREDICTIONS}-0-5-{row}" for row in range(3)]
    assert [record.is_last for record in batch] == [False, False, True]
    for record in batch:
        run.take([record])
    run.restart()
    assert run.take(batch) == Outcome()
    counts = run.pipeline.documents()["fraud"].counts
    # The model was not known yet when its first row was refused, as if that had been a record before.
    assert (counts.predictions, counts.dead_letters) == (2, 0)
    assert [letter.row for letter in run.letters] == [0]
    run.take(list(small(LABELS, 0, label=[1, 1, 1])))
    assert run.pipeline.documents()["fraud"].counts.joined == 2


def test_a_row_that_has_no_room_is_refused_as_an_event_by_itself() -> None:
    run = Run()
    for n in range(4):
        run.take(list(small(LABELS, n, model_id=f"m{n}", label=[1, 1, 1])))
    run.take(list(small(LABELS, 4, model_id="one too many", label=[1, None, True], weight=[2.5, 1, None])))
    assert [(letter.id, letter.reason.value) for letter in run.letters] == [
        (f"{LABELS}-0-4-0", "too_many_models"),
        (f"{LABELS}-0-4-1", "missing_field"),
        (f"{LABELS}-0-4-2", "too_many_models"),
    ]
    usual = {"model_id": "one too many", "timestamp": 0}
    assert [json.loads(letter.value or b"") for letter in run.letters] == [
        usual | {"schema_version": 1, "prediction_id": "a", "label": 1, "weight": 2.5},
        usual | {"prediction_id": "b", "weight": 1},
        usual | {"schema_version": 1, "prediction_id": "c", "label": True},
    ]
    assert isinstance(next(small(LABELS, 0, label=[1])).event, Refusal)
