"""Tables into a replay: what their rows come to, however they are written, and what is said of those that cannot be."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from driftline.schemas.config import Configuration
from driftline.schemas.errors import ConfigurationError
from driftline.streams.replay import EventFiles, replay
from driftline.streams.replay_files import ReplayError
from driftline.streams.replay_tables import EventColumns, TableColumns, read_columns, table_lines

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
    with table_lines(path, kind, columns or EventColumns()) as lines:
        return [(number, json.loads(line)) for number, line in lines]


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
    ((_, event),) = events(write(tmp_path / "t.parquet", PREDICTION | odd))
    features = event["features"]
    assert (features["decimal"], features["day"], features["moment"]) == (1.25, "2026-01-02", MILLISECONDS)
    assert features["nan"] != features["nan"]
    with pytest.raises(ReplayError, match=r"has a bytes in column 'raw': no event can hold that"):
        events(write(tmp_path / "u.parquet", PREDICTION | {"raw": [b"x"]}))


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
    ],
)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "t.csv", {"id": ["a"]})
    constants = {"constants": {"model_id": "m", "model_version": "1"}}
    with pytest.raises(ReplayError, match=said):
        events(path, columns=EventColumns.model_validate(columns | constants))


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
