"""Tables into a replay: what their rows come to, however they are written, and what is said of those that cannot be."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from driftline.models.wire import WirePrediction
from driftline.schemas.config import Configuration
from driftline.schemas.decoding import decode
from driftline.schemas.errors import ConfigurationError, DecodeError
from driftline.schemas.events import Prediction
from driftline.streams.replay import EventFiles, records_of, replay
from driftline.streams.replay_columns import EventColumns, TableColumns, read_columns
from driftline.streams.replay_files import ReplayError
from driftline.streams.replay_formats import NOTHING, is_table
from driftline.streams.replay_tables import Side, table_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MILLISECONDS = 1_767_268_800_000
PREDICTION: dict[str, Any] = {
    "model_id": ["m"],
    "model_version": ["007"],
    "prediction_id": ["0012"],
    "timestamp": [MILLISECONDS],
    "prediction": [1],
}


def events(path: Path, kind: str = "prediction", columns: EventColumns | None = None) -> list[tuple[int, Any]]:
    with table_lines(Side(path, kind, columns or EventColumns())) as lines:
        return [(number, json.loads(line)) for number, line in lines]


def table(path: Path, **columns: list[str]) -> Path:
    """Write a CSV file with these cells beside those of good predictions."""
    rows = max(map(len, columns.values()))
    cells = {name: values * rows for name, values in PREDICTION.items()} | columns
    lines = [",".join(map(str, row)) for row in zip(*cells.values(), strict=True)]
    path.write_text("\n".join([",".join(cells), *lines]))
    return path


def write(path: Path, columns: Mapping[str, Any]) -> Path:
    table = pa.table(columns)
    if path.name.endswith(".parquet"):
        parquet.write_table(table, path)
    elif path.name.endswith(".gz"):
        with gzip.open(path, "wb") as file:
            csv.write_csv(table, file)
    else:
        csv.write_csv(table, path)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_row_is_an_event(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, PREDICTION | {"score": [0.5], "amount": [12.5], "country": ["AT"], "note": [None]})
    ((number, event),) = events(path)
    assert number == 0
    assert event == {
        "schema_version": 1,
        "model_id": "m",
        "model_version": "007",
        "prediction_id": "0012",
        "timestamp": MILLISECONDS,
        "prediction": 1,
        "score": 0.5,
        "features": {"amount": 12.5, "country": "AT", "note": None},
    }


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_columns_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = write(
        tmp_path / name, {"id": ["a"], "when": [NOON], "said": ["spam"], "p": [0.9], "x": [1.5], "land": ["DE"]}
    )
    columns = EventColumns.model_validate(
        {
            "columns": {"prediction_id": "id", "timestamp": "when", "prediction": "said"},
            "constants": {"model_id": "m", "model_version": "2"},
            "features": ["x"],
            "segments": {"country": "land"},
            "probabilities": {"spam": "p"},
        }
    )
    ((_, event),) = events(path, columns=columns)
    assert event["timestamp"] == MILLISECONDS
    assert (event["model_id"], event["model_version"], event["prediction"]) == ("m", "2", "spam")
    assert event["features"] == {"x": 1.5}
    assert event["segments"] == {"country": "DE"}
    assert event["probabilities"] == {"spam": 0.9}


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint8(), pa.float64(), pa.decimal128(9, 0)])
def test_ids_and_segments_of_whole_numbers_are_text(tmp_path: Path, kind: pa.DataType) -> None:
    ids = {name: pa.array([7], kind) for name in ("model_id", "model_version", "prediction_id", "segments.zip")}
    path = write(tmp_path / "t.parquet", PREDICTION | ids | {"features.x": ids["model_id"]})
    with table_lines(Side(path, "prediction", EventColumns())) as lines:
        ((_, line),) = lines
    event = decode(line, Prediction)
    assert (event.model_id, event.model_version, event.prediction_id, event.segments) == ("7", "7", "7", {"zip": "7"})
    assert event.features == {"x": 7}


@pytest.mark.parametrize("given", [{"segments": {"zip": "segments.zip"}}, {}])
def test_segments_of_csv_keep_their_zeros(tmp_path: Path, given: dict[str, Any]) -> None:
    path = table(tmp_path / "t.csv", **{"segments.zip": ["01067", ""], "features.x": ["01", "2"]})
    found = [event for _, event in events(path, columns=EventColumns.model_validate(given))]
    assert [event["segments"] for event in found] == [{"zip": "01067"}, {}]
    assert [event["features"] for event in found] == [{"x": 1}, {"x": 2}]


DAY = 1_767_225_600_000  # 2026-01-01


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2026-01-01T00:00:00"], DAY),
        (["2026-01-01 00:00:00.250"], DAY + 250),
        (["2026-01-01 00:00"], DAY),
        (["2026-01-01T01:00:00+01:00"], DAY),
        (["2026-01-01"], DAY),
        ([f"{DAY}"], DAY),
        ([f"{DAY}.0"], DAY),
    ],
)
@pytest.mark.parametrize("beside", [[], ["soon"]], ids=["alone", "beside what is no moment"])
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_moments_are_read_however_they_are_written(
    tmp_path: Path, name: str, beside: list[str], cells: list[str], expected: int
) -> None:
    cells = cells + beside  # which makes a column of text of it
    if name == "t.csv":
        path = table(tmp_path / name, timestamp=cells)
    else:
        path = write(tmp_path / name, {k: v * len(cells) for k, v in PREDICTION.items()} | {"timestamp": cells})
    with table_lines(Side(path, "prediction", EventColumns())) as lines:
        first, *others = [line for _, line in lines]
    assert decode(first, Prediction).timestamp == expected
    for line in others:
        with pytest.raises(DecodeError, match="invalid_timestamp"):
            decode(line, Prediction)


@pytest.mark.parametrize(
    ("values", "expected"), [([float(DAY)], DAY), ([date(2026, 1, 1)], DAY), ([Decimal(DAY)], DAY)]
)
def test_moments_may_be_numbers_or_days(tmp_path: Path, values: list[Any], expected: int) -> None:
    path = write(tmp_path / "t.parquet", PREDICTION | {"timestamp": values})
    with table_lines(Side(path, "prediction", EventColumns())) as lines:
        ((_, line),) = lines
    assert decode(line, Prediction).timestamp == expected


@pytest.mark.parametrize("value", [DAY + 0.5, 20260101.5, "20260101", "1767225600", "2026-01-01T00:00:00 CET"])
def test_what_is_no_moment_is_left_to_the_event(tmp_path: Path, value: float | str) -> None:
    ((_, event),) = events(write(tmp_path / "t.parquet", PREDICTION | {"timestamp": [value]}))
    assert event["timestamp"] == value


def test_prefixes_say_what_is_a_feature(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", PREDICTION | {"features.x": [1], "segments.land": ["AT"], "other": ["no"]})
    ((_, event),) = events(path)
    assert event["features"] == {"x": 1}
    assert event["segments"] == {"land": "AT"}


def test_what_a_table_holds_becomes_what_an_event_can_hold(tmp_path: Path) -> None:
    odd = {
        "decimal": [Decimal("1.25")],
        "day": [date(2026, 1, 2)],
        "moment": [NOON.replace(tzinfo=None)],
        "nan": [float("nan")],
    }
    named = EventColumns.model_validate({"features": list(odd)})
    ((_, event),) = events(write(tmp_path / "t.parquet", PREDICTION | odd), columns=named)
    features = event["features"]
    assert (features["decimal"], features["day"], features["moment"]) == (1.25, "2026-01-02", MILLISECONDS)
    assert features["nan"] != features["nan"]
    raw = write(tmp_path / "u.parquet", PREDICTION | {"raw": [b"x"]})
    named = EventColumns.model_validate({"features": ["raw"]})
    with pytest.raises(ReplayError, match=r"has a bytes in column 'raw': no event can hold that"):
        events(raw, columns=named)


def test_a_column_that_stands_twice_is_refused_if_it_is_used(tmp_path: Path) -> None:
    names = [*PREDICTION, "x", "x"]
    twice = pa.table([*PREDICTION.values(), [1], [2]], names=names)
    parquet.write_table(twice, tmp_path / "t.parquet")
    csv.write_csv(twice, tmp_path / "t.csv")
    none = EventColumns.model_validate({"features": []})
    for name in ("t.parquet", "t.csv"):
        with pytest.raises(ReplayError, match=rf"{name} has 2 columns 'x': give each a name of its own"):
            events(tmp_path / name)
        ((_, event),) = events(tmp_path / name, columns=none)
        assert "features" not in event


def test_a_cell_may_have_several_lines(tmp_path: Path) -> None:
    rows = 20_000  # of more than a block, which could end within a cell
    text = "one line of a text and\nanother one\n\nand the last of them all"
    path = table(tmp_path / "t.csv", note=[f'"{text}"'] * rows)
    assert path.stat().st_size > 1_500_000
    found = events(path)
    assert len(found) == rows
    assert {event["features"]["note"] for _, event in found} == {text}


def test_nothing_is_spelled_in_many_ways_where_numbers_are(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", x=["1", *NOTHING, "2.5"], n=["nan"] * (len(NOTHING) + 2))
    features = [event["features"] for _, event in events(path)]
    assert [f["x"] for f in features] == [1.0, *[None] * len(NOTHING), 2.5]
    assert all(f["n"] != f["n"] for f in features)  # a number of its own kind


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_what_is_no_number_is_missing_but_among_features(tmp_path: Path, name: str) -> None:
    cells = {**PREDICTION, **{key: [math.nan] for key in ("score", "latency_ms", "weight", "x", "probabilities.1")}}
    ((_, event),) = events(write(tmp_path / name, cells))
    assert not {"score", "latency_ms", "weight", "probabilities"} & set(event)
    assert math.isnan(event["features"]["x"])
    ids = ["a", "b", "c"]
    labels = {
        **{each: values * 3 for each, values in PREDICTION.items()},
        "prediction_id": ids,
        "label": [1.0, math.nan, 0.0],
    }
    found = events(write(tmp_path / f"labels-{name}", labels), "label")
    assert [(event["prediction_id"], event["label"]) for _, event in found] == [("a", 1.0), ("c", 0.0)]


def test_in_a_column_of_text_it_is_a_text_but_for_the_empty_one(tmp_path: Path) -> None:
    cells = ["AT", *NOTHING]
    path = table(tmp_path / "t.csv", country=cells, **{"segments.zip": cells})
    found = [event for _, event in events(path, columns=EventColumns.model_validate({"features": ["country"]}))]
    assert [event["features"]["country"] for event in found] == ["AT", None, *NOTHING[1:]]
    assert [event["segments"].get("zip") for event in found] == ["AT", None, *NOTHING[1:]]


def test_columns_that_nobody_named_are_left_out_if_they_can_be_no_feature(tmp_path: Path) -> None:
    odd = {
        "list": [[1]],
        "struct": [{"a": 1}],
        "raw": [b"x"],
        "time": [time(1)],
        "when": [NOON],
        "day": [NOON.date()],
        "": [0],
    }
    kept = {
        "x": [1],
        "word": pa.array(["a"]).dictionary_encode(),
        "none": [None],
        "large": pa.array(["b"], "large_utf8"),
    }
    path = write(tmp_path / "t.parquet", PREDICTION | odd | kept)
    told: list[str] = []
    with table_lines(Side(path, "prediction", EventColumns(), note=told.append)) as lines:
        ((_, line),) = lines
    assert json.loads(line)["features"] == {"x": 1, "word": "a", "none": None, "large": "b"}
    (said,) = told
    assert said.startswith(f"{path}: not taken for features, as nobody named them: 'list' (list<")
    assert [f"{name!r} (" in said for name in odd] == [True] * len(odd)


def test_of_many_that_are_left_out_some_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    path = write(tmp_path / "t.parquet", PREDICTION | {f"t{n}": [NOON] for n in range(12)})
    with table_lines(Side(path, "prediction", EventColumns(), note=told.append)):
        assert told[0].endswith("'t9' (timestamp[us, tz=UTC]) and 2 more")


def test_what_a_column_is_is_told_by_all_of_a_file(tmp_path: Path) -> None:
    rows = 60_000  # more than a megabyte, by the first of which a reader of streams would go
    values: list[float | None] = [None] * 20_000 + [float(n) for n in range(20_000)] + [0.5] * 20_000
    columns = {name: given * rows for name, given in PREDICTION.items()} | {
        "x": values,
        "word": [None] * (rows - 1) + ["a"],
    }
    path = tmp_path / "t.csv"
    names = list(columns)
    lines = [
        ",".join("" if v is None else f"{v:g}" if isinstance(v, float) else str(v) for v in row)
        for row in zip(*columns.values(), strict=True)
    ]
    path.write_text("\n".join([",".join(names), *lines]))
    assert path.stat().st_size > 1_500_000
    features = [event["features"] for _, event in events(path)]
    assert [f["x"] for f in features] == values
    assert features[-1]["word"] == "a"


def test_nanoseconds_are_cut_to_milliseconds(tmp_path: Path) -> None:
    moments = pa.array([MILLISECONDS * 1_000_000 + 1_999_999], pa.timestamp("ns", "UTC"))
    ((_, event),) = events(write(tmp_path / "t.parquet", PREDICTION | {"timestamp": moments}))
    assert event["timestamp"] == MILLISECONDS + 1


def test_one_table_may_have_both_and_rows_wait_for_their_label(tmp_path: Path) -> None:
    both = {name: values * 3 for name, values in PREDICTION.items()} | {
        "prediction_id": ["a", "b", "c"],
        "label": [1, None, 0],
    }
    path = write(tmp_path / "t.parquet", both)
    assert [number for number, _ in events(path)] == [0, 1, 2]
    assert all("label" not in event.get("features", {}) for _, event in events(path))
    labels = events(path, "label")
    assert [(number, event["prediction_id"], event["label"]) for number, event in labels] == [(0, "a", 1), (2, "c", 0)]


@pytest.mark.parametrize("columns", [{}, {"features": ["x", "truth"]}])
def test_what_the_labels_of_the_same_table_use_is_no_feature_unless_it_is_named(
    tmp_path: Path, columns: dict[str, Any]
) -> None:
    cells = {"known_at": [MILLISECONDS + 1], "truth": [1], "heavy": [2.0], "x": [1.5]}
    path = write(tmp_path / "t.parquet", PREDICTION | cells)
    (tmp_path / "same.parquet").symlink_to(path)
    other = write(tmp_path / "other.parquet", PREDICTION | cells)
    placed = TableColumns(
        predictions=EventColumns.model_validate(columns),
        labels=EventColumns(columns={"timestamp": "known_at", "label": "truth", "weight": "heavy"}),
    )

    def features(labels: Path) -> set[str]:
        with records_of(EventFiles(path, labels, placed)) as records:
            (event,) = (record.event for record in records if isinstance(record.event, WirePrediction))
            return set(event.features)

    expected = set(columns.get("features", ["x"]))
    assert features(path) == features(tmp_path / "same.parquet") == expected
    assert features(other) == (expected if columns else {"x", "known_at", "truth", "heavy"})


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_row_without_a_prediction_is_refused_and_counted(tmp_path: Path, name: str) -> None:
    cells = {name: values * 3 for name, values in PREDICTION.items()} | {"prediction": [1, None, 0], "label": [1] * 3}
    path = write(tmp_path / name, cells)
    totals = replay(Configuration(), EventFiles(path, path), tmp_path / "out")
    assert (totals.records, totals.dead_letters) == (6, 1)
    letter = json.loads((tmp_path / "out" / "dead_letters.jsonl").read_bytes())
    assert (letter["reason"], letter["error"], letter["offset"]) == ("missing_field", "prediction: is missing", 1)


@pytest.mark.parametrize("name", ["T.CSV", "t.Csv.GZ", "t.tsv", "t.TSV.gz", "t.PARQUET"])
def test_a_table_is_known_by_the_end_of_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert is_table(path)
    if name.lower().endswith(".parquet"):
        parquet.write_table(pa.table(PREDICTION), path)
    else:
        text = table(tmp_path / "cells", country=["AT"]).read_bytes()
        text = text.replace(b",", b"\t") if "tsv" in name.lower() else text
        path.write_bytes(gzip.compress(text) if name.lower().endswith(".gz") else text)
    ((_, event),) = events(path)
    assert event["model_version"] == "007"
    assert not is_table(tmp_path / "csv.jsonl")


def test_a_replay_of_a_table_is_that_of_its_events(tmp_path: Path) -> None:
    rows = 500
    both = {
        "model_id": ["m"] * rows,
        "model_version": ["1"] * rows,
        "prediction_id": [str(n) for n in range(rows)],
        "timestamp": [MILLISECONDS + n for n in range(rows)],
        "prediction": [n % 2 for n in range(rows)],
        "score": [0.25 + n % 2 / 2 for n in range(rows)],
        "label": [int(n % 3 == 0) for n in range(rows)],
        "x": [float(n % 7) for n in range(rows)],
    }
    table = write(tmp_path / "t.parquet", both)
    lines = {}
    for kind in ("prediction", "label"):
        lines[kind] = tmp_path / f"{kind}.jsonl"
        lines[kind].write_text("\n".join(json.dumps(event) for _, event in events(table, kind)))
    replay(Configuration(), EventFiles(table, table), tmp_path / "of table")
    replay(Configuration(), EventFiles(lines["prediction"], lines["label"]), tmp_path / "of lines")
    states = [(tmp_path / name / "state.json").read_bytes() for name in ("of table", "of lines")]
    assert states[0] == states[1]
    assert json.loads(states[0])["m"]["counts"]["joined"] == rows


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "has no column 'prediction_id' for prediction_id, but id; --columns FILE says which is which"),
        ({"columns": {"prediction_id": "ID"}}, "has no column 'ID' for prediction_id"),
        ({"columns": {"predicton": "id"}}, "'predicton' is no field of a prediction that has a column: model_id, "),
        ({"columns": {"prediction_id": "id", "score": "p"}}, "has no column 'timestamp' for timestamp"),
        ({"constants": {"model": "m"}}, "'model' is no field of a prediction that can be a constant: model_id, "),
        ({"constants": {"label": 1}}, "'label' is no field of a prediction that can be a constant: model_id, "),
    ],
)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "t.csv", {"id": ["a"]})
    constants = {"constants": {"model_id": "m", "model_version": "1"}}
    with pytest.raises(ReplayError, match=said):
        events(path, columns=EventColumns.model_validate(constants | columns))


def test_constants_are_as_cells_would_be(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"prediction_id": ["a"]})
    constants = {"model_id": 12, "model_version": "007", "timestamp": "2026-01-01", "prediction": 1}
    ((_, event),) = events(path, columns=EventColumns.model_validate({"constants": constants}))
    assert (event["model_id"], event["model_version"], event["prediction"]) == ("12", "007", 1)
    assert event["timestamp"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "broken.parquet", "empty.csv", "ragged.csv"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 or not")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "ragged.csv").write_text("model_id,model_version,prediction_id,timestamp,prediction\nm,1,a,0,1\nm,1\n")
    with pytest.raises(ReplayError, match=rf"{name} cannot be read: "):
        events(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("predictions: {colums: {}}", "predictions.colums: unknown field"),
        ("predictions: {features: 3}", "predictions.features"),
        ("labels: {constants: {model_id: 1.10}}", r"labels.constants: model_id must be text: put it in quotes"),
        ("[1]", "must be a mapping with any of predictions, labels"),
    ],
)
def test_a_mistake_in_the_columns_is_explained(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "columns.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_columns(path)


def test_columns_are_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "columns.yaml"
    path.write_text("predictions:\n  columns: {prediction_id: id}\n  features: [x, y]\n")
    read = read_columns(path)
    assert read.predictions.columns == {"prediction_id": "id"}
    assert read.predictions.features == {"x": "x", "y": "y"}
    assert read.labels == EventColumns()
    path.write_text("")
    assert read_columns(path) == TableColumns()
